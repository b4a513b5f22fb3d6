import { Repeat, Zap } from 'lucide-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import type { CallResult } from '#contract/index.ts';
import type { VectorInfo } from '#contract/interrupts.ts';
import { commands } from '#renderer/app-commands.ts';
import { client, lab, selectedDevice } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';
import { addNotice, noticeError } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import { count, hex, rate as perSecond } from '#renderer/ui/format.ts';
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

type List = CallResult<'interrupts.list'> & {
  /** Raised a second, by vector, over the last looks. */
  readonly rates: readonly number[];
};
/** Looks that a rate is made of: one second. */
const LOOKS = 6;
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
    vector.repeating > 0 ? `Raised ${count(vector.repeating)} times a second by the lab` : '',
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
  /** Undefined: what was typed is no number of times. */
  times: number | undefined;
  /** A second; undefined: what was typed is no rate. */
  rate: number | undefined;
  live: Live<List | undefined>;
  /** The one that was come here for. */
  chosen: boolean;
}) {
  const { device, vector, times, live } = props;
  const [busy, run] = useAction(`Raise vector ${vector}`);
  const connected = useConnected();
  const row = useRef<HTMLLIElement>(null);
  const repeat = useRef<HTMLButtonElement>(null);
  const toggleRepeat = async () => {
    const repeating = (info(live.get())?.repeating ?? 0) > 0;
    try {
      await client.call('interrupts.repeat', { device, vector, rate: repeating ? 0 : (props.rate ?? 0) });
      repeat.current?.setAttribute('aria-pressed', `${!repeating}`);
    } catch (error) {
      noticeError(`Repeat vector ${vector}`, error);
    }
  };
  const info = (list: List | undefined) => list?.vectors[vector];
  useLiveDraw(live, (list) => {
    const now = info(list);
    if (row.current !== null && now !== undefined) {
      row.current.title = describeVector(now);
      repeat.current?.setAttribute('aria-pressed', `${now.repeating > 0}`);
      row.current.dataset.state = !now.enabled ? 'off' : now.masked ? 'masked' : 'on';
    }
  });
  const text = (pick: (now: VectorInfo) => string) => (list: List | undefined) => {
    const now = info(list);
    return now === undefined ? '' : pick(now);
  };
  return (
    <li
      className="vector-row"
      ref={row}
      data-testid="vector-row"
      data-vector={vector}
      aria-current={props.chosen || undefined}
    >
      <span>
        <Button
          disabled={!connected || times === undefined}
          idle={busy}
          onClick={() => {
            if (times !== undefined) void run(() => raise(device, vector, times));
          }}
          testId="vector-button"
          data-vector={vector}
        >
          <Zap /> Raise vector {vector}
          {times !== undefined && times > 1 && ` ×${count(times)}`}
        </Button>
      </span>
      <button
        ref={repeat}
        type="button"
        className="button icon"
        aria-pressed={false}
        aria-label={`Raise vector ${vector} again and again`}
        title={
          props.rate === undefined
            ? 'The rate above is not one'
            : `Raise it ${count(props.rate)} times a second; press again to end it`
        }
        disabled={!connected || props.rate === undefined}
        data-testid="vector-repeat"
        onClick={() => void toggleRepeat()}
      >
        <Repeat aria-hidden />
      </button>
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
      <span className="vector-number">
        <LiveText
          live={live}
          className="mono dim"
          testId="vector-rate"
          text={(list) => perSecond(list?.rates[vector] ?? 0, '')}
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
  const [rateText, setRateText] = useState('10');
  const rate = Number(rateText);
  const rateValid = rateText.trim() !== '' && rate > 0 && rate <= 100_000;
  const [asserted, setAsserted] = useState<boolean | undefined>(undefined);
  const history = useRef<{ time: number; counts: readonly number[] }[]>([]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another device, another list
  useEffect(() => {
    setVectors(undefined);
    live.set(undefined);
    history.current = [];
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
      setAsserted(result.asserted);
      const looks = history.current;
      looks.push({ time: performance.now(), counts: result.vectors.map((vector) => vector.count) });
      if (looks.length > LOOKS) looks.shift();
      const [first, last] = [looks[0]!, looks.at(-1)!];
      const seconds = (last.time - first.time) / 1000;
      const rates = last.counts.map((now, at) =>
        seconds === 0 ? 0 : Math.max(0, (now - (first.counts[at] ?? 0)) / seconds),
      );
      live.set({ ...result, rates });
    } catch (error) {
      setFailure((error as Error).message);
    }
  }, [id, live]);
  usePolling(id === undefined ? undefined : refresh, 200);

  // A row of the trace leads here.
  const wanted = useStore(ui, (state) => state.vector);
  const [brought, setBrought] = useState<typeof wanted>(undefined);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    // What is listed may still be another device's.
    if (vectors === undefined || live.get() === undefined || wanted?.device !== id) return;
    ui.setState({ vector: undefined });
    setBrought(wanted);
    const row = list.current?.children[wanted?.vector ?? -1];
    row?.scrollIntoView({ block: 'nearest' });
    row?.querySelector('button')?.focus({ preventScroll: true });
  }, [wanted, id, vectors, live]);

  return (
    <Panel
      name="interrupts"
      title="Interrupts"
      copy={() =>
        (live.get()?.vectors ?? [])
          .map(
            (v) =>
              `vector ${v.vector}\t${v.name}\t${v.count}\t${vectorState(v)}\tIRQ ${v.irq}\tCPU ${v.cpu}\t${hex(v.address)} = ${hex(v.data)}`,
          )
          .join('\n')
      }
      help="Every vector of the device. A button raises it as the device would; when the driver masked it or did not enable it, the lab says why nothing arrived. Count is how often it was raised since power-on."
      tools={
        device !== undefined && (
          <>
            <DeviceSelect />
            <span className="chip" data-testid="interrupt-mode" title="How the driver set up the device">
              {modeWords[mode]}
            </span>
            <label className="dim field-with-problem">
              <span className="bar-word">Times</span>
              <span className="bar-sign" aria-hidden>
                ×
              </span>
              <input
                className="input mono"
                aria-label="Times"
                data-testid="vector-times"
                aria-invalid={!valid}
                aria-describedby={valid ? undefined : 'vector-times-problem'}
                title="How often a button raises its vector"
                value={times}
                onChange={(event) => setTimes(event.target.value)}
              />
              {!valid && (
                <span
                  className="field-problem"
                  data-side="left"
                  role="alert"
                  id="vector-times-problem"
                  data-testid="vector-times-problem"
                >
                  Accepted: a whole number from 1 to 100000
                </span>
              )}
            </label>
            <label className="dim field-with-problem">
              <span className="bar-word">Rate</span>
              <input
                className="input mono"
                aria-label="Rate"
                data-testid="vector-repeat-rate"
                aria-invalid={!rateValid}
                aria-describedby={rateValid ? undefined : 'vector-rate-problem'}
                title="How often a second the repeat button raises its vector"
                value={rateText}
                onChange={(event) => setRateText(event.target.value)}
              />
              /s
              {!rateValid && (
                <span
                  className="field-problem"
                  role="alert"
                  id="vector-rate-problem"
                  data-testid="vector-rate-problem"
                >
                  Accepted: more than 0 and at most 100000 a second
                </span>
              )}
            </label>
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
          {asserted !== undefined && mode !== 'msix' && mode !== 'msi' && (
            <div className="message" data-testid="intx">
              <span className="grow">
                INTx pin: <strong data-testid="intx-level">{asserted ? 'asserted' : 'deasserted'}</strong>
                {mode === 'none' && <span className="dim">; no driver listens to it</span>}
              </span>
              <Button
                aria-pressed={asserted}
                testId="intx-toggle"
                onClick={() =>
                  void client
                    .call('interrupts.level', { device: device.id, asserted: !asserted })
                    .then(() => refresh())
                    .catch((error) => noticeError('INTx', error))
                }
              >
                {asserted ? 'Let the pin go' : 'Hold the pin'}
              </Button>
            </div>
          )}
          <ul ref={list} className="vector-list" aria-label="Interrupt vectors">
            {vectors.map((name, vector) => (
              <VectorRow
                // biome-ignore lint/suspicious/noArrayIndexKey: a vector is its number
                key={vector}
                device={device.id}
                vector={vector}
                name={name}
                times={valid ? repeat : undefined}
                rate={rateValid ? rate : undefined}
                live={live}
                chosen={brought?.device === device.id && brought.vector === vector}
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
