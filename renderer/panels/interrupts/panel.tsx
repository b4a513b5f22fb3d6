import { Copy, Zap } from 'lucide-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { CallResult } from '#contract/index.ts';
import type { VectorInfo } from '#contract/interrupts.ts';
import { commands } from '#renderer/app-commands.ts';
import { client, lab, selectedDevice } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';
import { addNotice } from '#renderer/state/notices.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { count, hex } from '#renderer/ui/format.ts';
import {
  Button,
  DeviceSelect,
  Empty,
  LiveText,
  NoDevice,
  Panel,
  useAction,
  useConnected,
  useLiveDraw,
  usePolling,
  useSelectedDevice,
} from '#renderer/ui/parts.tsx';
import './interrupts.css';

type List = CallResult<'interrupts.list'>;
const modeWords = { none: 'off', intx: 'INTx', msi: 'MSI', msix: 'MSI-X' } as const;

/** What a vector's state means for one that raises it. */
export function vectorState(vector: VectorInfo): string {
  if (!vector.enabled) return 'not enabled';
  if (vector.masked) return vector.pending ? 'masked, pending' : 'masked';
  return vector.pending ? 'pending' : 'enabled';
}

function describeVector(vector: VectorInfo): string {
  return [
    `Vector ${vector.vector}${vector.name === '' ? '' : `: ${vector.name}`}`,
    vectorState(vector),
    vector.irq > 0 ? `Linux IRQ ${vector.irq}` : '',
    vector.cpu >= 0 ? `CPU ${vector.cpu}` : '',
    vector.address > 0 ? `Message ${hex(vector.data, 2)} to ${hex(vector.address, 8)}` : '',
  ]
    .filter(Boolean)
    .join('\n');
}

export async function raise(device: number, vector: number, times: number): Promise<void> {
  const { raised, refused, reason } = await client.call('interrupts.raise', { device, vector, count: times });
  if (refused > 0) {
    addNotice({
      level: 'warning',
      text:
        raised > 0
          ? `Vector ${vector}: ${count(raised)} raised, ${count(refused)} refused`
          : `Vector ${vector} was not raised`,
      hint: reason ?? '',
    });
  }
}

function VectorRow(props: {
  device: number;
  vector: number;
  name: string;
  times: number;
  live: Live<List | undefined>;
}) {
  const { device, vector, live } = props;
  const [busy, run] = useAction(`Raise vector ${vector}`);
  const connected = useConnected();
  const row = useRef<HTMLLIElement>(null);
  const info = (list: List | undefined) => list?.vectors[vector];
  useLiveDraw(live, (list) => {
    const now = info(list);
    if (row.current !== null && now !== undefined) {
      row.current.title = describeVector(now);
      row.current.dataset.state = !now.enabled ? 'off' : now.masked ? 'masked' : 'on';
    }
  });
  const text = (pick: (now: VectorInfo) => string) => (list: List | undefined) => {
    const now = info(list);
    return now === undefined ? '' : pick(now);
  };
  return (
    <li className="vector-row" ref={row} data-testid="vector-row" data-vector={vector}>
      <span>
        <Button
          disabled={busy || !connected}
          onClick={() => void run(() => raise(device, vector, props.times))}
          testId="vector-button"
          data-vector={vector}
        >
          <Zap /> Raise vector {vector}
          {props.times > 1 && ` ×${count(props.times)}`}
        </Button>
      </span>
      <span className="vector-name" title={props.name}>
        {props.name}
      </span>
      <span className="vector-number">
        <LiveText
          live={live}
          className="mono"
          flash
          testId="vector-count"
          text={text((now) => count(now.count))}
        />
      </span>
      <span>
        <LiveText live={live} className="vector-state" testId="vector-state" text={text(vectorState)} />
      </span>
      <span>
        <LiveText
          live={live}
          className="mono dim"
          text={text((now) => (now.irq > 0 ? `IRQ ${now.irq}` : ''))}
        />
      </span>
      <span>
        <LiveText
          live={live}
          className="mono dim"
          text={text((now) => (now.cpu >= 0 ? `CPU ${now.cpu}` : ''))}
        />
      </span>
      <span className="vector-message">
        <LiveText
          live={live}
          className="mono dim"
          text={text((now) => (now.address > 0 ? `${hex(now.address, 8)} = ${hex(now.data, 2)}` : ''))}
        />
      </span>
    </li>
  );
}

export function InterruptsPanel() {
  const device = useSelectedDevice();
  const id = device?.id;
  const live = useMemo(() => new Live<List | undefined>(undefined), []);
  const [vectors, setVectors] = useState<readonly string[] | undefined>(undefined);
  const [mode, setMode] = useState<List['mode']>('none');
  const [failure, setFailure] = useState('');
  const [times, setTimes] = useState('1');
  const repeat = Number(times);
  const valid = Number.isInteger(repeat) && repeat >= 1 && repeat <= 100_000;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another device, another list
  useEffect(() => {
    setVectors(undefined);
    live.set(undefined);
  }, [id]);
  const refresh = useCallback(async () => {
    if (id === undefined) return;
    try {
      const { result } = await client.ask('interrupts.list', { device: id });
      if (lab.getState().selected !== id) return;
      setFailure('');
      setMode(result.mode);
      const names = result.vectors.map((vector) => vector.name);
      setVectors((before) =>
        before !== undefined && before.join('\n') === names.join('\n') ? before : names,
      );
      live.set(result);
    } catch (error) {
      setFailure((error as Error).message);
    }
  }, [id, live]);
  usePolling(id === undefined ? undefined : refresh, 200);

  return (
    <Panel
      name="interrupts"
      title="Interrupts"
      help="Every vector of the device. A button raises it as the device would; when the driver masked it or did not enable it, the lab says why nothing arrived. Count is how often it was raised since power-on."
      tools={
        device !== undefined && (
          <>
            <DeviceSelect />
            <span className="chip" data-testid="interrupt-mode" title="How the driver set up the device">
              {modeWords[mode]}
            </span>
            <label className="dim">
              Times{' '}
              <input
                className="input mono"
                style={{ width: '8ch' }}
                data-testid="vector-times"
                aria-invalid={!valid}
                title={valid ? 'How often a button raises its vector' : 'Accepted: 1 to 100000'}
                value={times}
                onChange={(event) => setTimes(event.target.value)}
              />
            </label>
            <Button
              kind="icon"
              aria-label="Copy the interrupts"
              title="Copy the interrupts"
              onClick={() =>
                void copyWithNotice(
                  'the interrupts',
                  (live.get()?.vectors ?? [])
                    .map(
                      (v) =>
                        `vector ${v.vector}\t${v.name}\t${v.count}\t${vectorState(v)}\tIRQ ${v.irq}\tCPU ${v.cpu}`,
                    )
                    .join('\n'),
                )
              }
            >
              <Copy />
            </Button>
          </>
        )
      }
    >
      {device === undefined ? (
        <NoDevice what="No device is selected. Power one on to raise its interrupts." />
      ) : vectors === undefined ? (
        failure === '' ? (
          <Empty>Reading the interrupt vectors.</Empty>
        ) : (
          <Empty action={<Button onClick={() => void refresh()}>Read again</Button>}>{failure}</Empty>
        )
      ) : vectors.length === 0 ? (
        <Empty>This device has no interrupt vectors.</Empty>
      ) : (
        <>
          {mode === 'none' && (
            <div className="message" data-level="warning">
              No driver has turned interrupts on. What is raised now is refused or stays pending.
            </div>
          )}
          {!valid && (
            <div className="message" data-level="error" role="alert">
              Times: a whole number from 1 to 100000.
            </div>
          )}
          <ul className="vector-list" aria-label="Interrupt vectors">
            {vectors.map((name, vector) => (
              <VectorRow
                // biome-ignore lint/suspicious/noArrayIndexKey: a vector is its number
                key={vector}
                device={device.id}
                vector={vector}
                name={name}
                times={valid ? repeat : 1}
                live={live}
              />
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

commands.register(
  ...[0, 1, 2, 3].map((vector) => ({
    id: `interrupts.raise.${vector === 0 ? 'zero' : `v${vector}`}`,
    title: `Raise vector ${vector} of the selected device`,
    group: 'Interrupts',
    enabled: () => selectedDevice() !== undefined,
    run: () => raise(selectedDevice()!.id, vector, 1),
  })),
);
