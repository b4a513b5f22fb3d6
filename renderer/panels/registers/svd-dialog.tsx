import { useState } from 'react';
import { useStore } from 'zustand';
import type { WireDescription } from '#contract/devices.ts';
import { MAX_MESSAGE_BYTES } from '#contract/wire.ts';
import { client, lab } from '#renderer/state/lab.ts';
import { addNotice, errorText } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import { Dialog } from '#renderer/ui/dialog.tsx';
import { count, hex, parseValue, bytes as size } from '#renderer/ui/format.ts';
import { Button } from '#renderer/ui/parts.tsx';
import { FileDrop } from '#renderer/ui/text-drop.tsx';
import { LONGEST_SVD, parseSvd, type SvdDevice, SvdError } from './svd.ts';

/** Names for the registers of a BAR, from a CMSIS-SVD file. */
export function SvdDialog({ device, description }: { device: number; description: WireDescription }) {
  const open = useStore(ui, (state) => state.importSvd);
  const [svd, setSvd] = useState<SvdDevice | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const [failure, setFailure] = useState('');
  const [chosen, setChosen] = useState(0);
  const [bar, setBar] = useState(description.bars[0]?.index ?? 0);
  const [at, setAt] = useState('0x0');
  const close = () => {
    ui.setState({ importSvd: false });
    setSvd(undefined);
    setProblem('');
    setFailure('');
  };
  const read = async (text: string, name: string) => {
    setFailure('');
    try {
      setSvd(await parseSvd(text));
      setChosen(0);
      setProblem('');
    } catch (error) {
      setSvd(undefined);
      setProblem(
        error instanceof SvdError
          ? `${name}, line ${error.line}: ${error.message}`
          : `${name}: ${(error as Error).message}`,
      );
    }
  };
  const peripheral = svd?.peripherals[chosen];
  const start = parseValue(at, 8);
  const target = description.bars.find(({ index }) => index === bar);
  const end = (peripheral?.registers ?? []).reduce((last, one) => Math.max(last, one.offset + one.width), 0);
  const startProblem =
    'problem' in start
      ? start.problem
      : target !== undefined && Number(start.value) + end > target.size
        ? `the registers end at ${hex(Number(start.value) + end)}, and BAR ${bar} has ${hex(target.size)} bytes`
        : '';
  const add = async () => {
    if (peripheral === undefined || 'problem' in start) return;
    const registers = peripheral.registers.map((one) => ({
      ...one,
      title: one.title.slice(0, 2000),
      offset: one.offset + Number(start.value),
      fields: one.fields.map((field) => ({
        ...field,
        values: field.values as Record<string, string> | undefined,
      })),
    }));
    const call = { device, bar, registers };
    const length = JSON.stringify(call).length;
    if (length > MAX_MESSAGE_BYTES - 1024) {
      return setFailure(
        `These registers are ${size(length)} of text; at most ${size(MAX_MESSAGE_BYTES)} are taken`,
      );
    }
    try {
      await client.call('registers.describe', call);
      addNotice(
        { level: 'info', text: `BAR ${bar} has ${count(registers.length)} registers of ${peripheral.name}` },
        true,
      );
      close();
    } catch (error) {
      setFailure(errorText(error).text);
    }
  };
  return (
    <Dialog open={open} title="Register descriptions from CMSIS-SVD" testId="svd-dialog" onClose={close}>
      <FileDrop
        label="Choose an SVD file, or drop it here"
        longest={LONGEST_SVD}
        what="an SVD file"
        accept=".svd,.xml"
        problem={problem}
        testId="svd"
        onText={(text, name) => void read(text, name)}
      />
      {svd !== undefined && (
        <>
          <div className="option">
            <label htmlFor="svd-peripheral">Peripheral of {svd.name}</label>
            <select
              id="svd-peripheral"
              className="input"
              data-testid="svd-peripheral"
              value={chosen}
              onChange={(event) => setChosen(Number(event.target.value))}
            >
              {svd.peripherals.map((one, index) => (
                <option key={one.name} value={index}>
                  {`${one.name}, ${count(one.registers.length)} registers${one.description === '' ? '' : `: ${one.description}`}`}
                </option>
              ))}
            </select>
          </div>
          <div className="option">
            <label htmlFor="svd-bar">BAR</label>
            <select
              id="svd-bar"
              className="input"
              data-testid="svd-bar"
              value={bar}
              onChange={(event) => setBar(Number(event.target.value))}
            >
              {description.bars.map((one) => (
                <option key={one.index} value={one.index}>
                  {`BAR ${one.index}, ${size(one.size)}${one.registers.length === 0 ? '' : `; its ${one.registers.length} registers are replaced`}`}
                </option>
              ))}
            </select>
          </div>
          <div className="option">
            <label htmlFor="svd-at">Starts at offset</label>
            <div>
              <input
                id="svd-at"
                className="input mono"
                data-testid="svd-at"
                aria-invalid={startProblem !== ''}
                value={at}
                onChange={(event) => setAt(event.target.value)}
              />
              {startProblem !== '' && (
                <div className="small error-text" role="alert" data-testid="svd-at-problem">
                  {startProblem}
                </div>
              )}
            </div>
          </div>
        </>
      )}
      {failure !== '' && (
        <div className="error-text" role="alert" data-testid="svd-failure">
          {failure}
        </div>
      )}
      <div className="power-on-actions">
        <Button
          kind="primary"
          disabled={peripheral === undefined || peripheral.registers.length === 0 || startProblem !== ''}
          testId="svd-add"
          onClick={() => void add()}
        >
          {peripheral === undefined
            ? 'Name the registers'
            : `Name ${count(peripheral.registers.length)} registers of BAR ${bar}`}
        </Button>
      </div>
    </Dialog>
  );
}

export const canDescribe = (): boolean =>
  (lab.getState().descriptions.get(lab.getState().selected)?.bars.length ?? 0) > 0;
