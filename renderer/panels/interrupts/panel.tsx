import { Repeat, X, Zap } from 'lucide-react';
import {
  type KeyboardEvent,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { CallResult } from '#contract/index.ts';
import type { VectorInfo } from '#contract/interrupts.ts';
import { commands } from '#renderer/app-commands.ts';
import { goToPart } from '#renderer/dock/focus.ts';
import { client, lab, selectedDevice } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';
import { addNotice, noticeError } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import { count, duration, hex, rate as perSecond } from '#renderer/ui/format.ts';
import {
  Button,
  DeviceSelect,
  Empty,
  LiveText,
  NoDevice,
  Panel,
  useAction,
  useConnected,
  useLive,
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
    vector.latency === undefined
      ? ''
      : `Served ${duration(vector.latency)} after it was raised, the last time`,
    vector.repeating > 0 ? `Raised ${count(vector.repeating)} times a second by the lab` : '',
    vector.address > 0 ? `Message ${hex(vector.data, 2)} to ${hex(vector.address, 8)}` : '',
  ]
    .filter(Boolean)
    .join('\n');
}

/** A line of the panel's text; what is not known says so. */
export function vectorText(vector: VectorInfo): string {
  const { latency, irq, cpu, address, data } = vector;
  return [
    `vector ${vector.vector}`,
    vector.name,
    `${vector.count}`,
    vectorState(vector),
    `latency ${latency === undefined ? 'unknown' : duration(latency)}`,
    `IRQ ${irq > 0 ? irq : 'unknown'}`,
    `CPU ${cpu >= 0 ? cpu : 'unknown'}`,
    address > 0 ? `${hex(address)} = ${hex(data)}` : 'no message',
  ].join('\t');
}

const LATENCY_MEANING =
  "From when the device raised it, or the first one that was not served yet, to the access by which the driver's handler serves it: a write of the completion queue's head doorbell (NVMe) or of the interrupt status (other models). The last time; interrupts by hand are not timed.";
const LATENCY_UNKNOWN =
  'Latency to the handler: not known. No access that serves this vector was seen since the driver came; with shadow doorbells there is none, nor on a device whose model names none.';

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

/** Choices that outlive the panel, as they were typed. */
const choices = createStore<{
  readonly times: string;
  readonly rate: string;
  /** A vector is asked for by its number. */
  readonly asking: boolean;
}>(() => ({ times: '1', rate: '10', asking: false }));

/** Undefined: what was typed is no number of times. */
function chosenTimes(): number | undefined {
  const times = Number(choices.getState().times);
  return Number.isInteger(times) && times >= 1 && times <= 100_000 ? times : undefined;
}

/** A second; undefined: what was typed is no rate. */
function chosenRate(): number | undefined {
  const { rate } = choices.getState();
  return rate.trim() !== '' && Number(rate) > 0 && Number(rate) <= 100_000 ? Number(rate) : undefined;
}

/** Holds the INTx pin, or lets it go. */
async function turnPin(device: number): Promise<void> {
  const { asserted } = await client.call('interrupts.list', { device });
  if (asserted === undefined) {
    const text = 'This device has no INTx pin that can be held';
    addNotice({ level: 'info', text, hint: 'It has none, or its host cannot hold it' }, true);
    return;
  }
  await client.call('interrupts.level', { device, asserted: !asserted });
}

/** Rows that PageUp and PageDown lead over. */
const PAGE = 10;

/** The buttons of the vectors are one stop for Tab: the arrow keys lead from row to row, and across. */
function onVectorKey(event: KeyboardEvent<HTMLElement>): void {
  const from = event.target as HTMLElement;
  const row = from.closest<HTMLElement>('.vector-row');
  if (row === null || event.altKey || event.ctrlKey || event.metaKey) return;
  const rows = event.currentTarget.children;
  const column = [...row.querySelectorAll('button')].indexOf(from as HTMLButtonElement);
  const at = [...rows].indexOf(row);
  const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -PAGE, PageDown: PAGE, Home: -at, End: rows.length }[
    event.key
  ];
  const across = { ArrowLeft: 0, ArrowRight: 1 }[event.key];
  if (steps === undefined && across === undefined) return;
  event.preventDefault();
  const to = rows[Math.max(0, Math.min(at + (steps ?? 0), rows.length - 1))]!;
  to.querySelectorAll('button')[across ?? column]?.focus();
}

/** Asks for a vector's number, to raise it once or again and again. */
function AskVector(props: {
  device: number;
  live: Live<List | undefined>;
  times: number | undefined;
  rate: number | undefined;
}) {
  const { device, live, times, rate } = props;
  const [number, setNumber] = useState('0');
  const connected = useConnected();
  const vectors = useLive(live, (list) => list?.vectors.length ?? 0);
  const vector = Number(number);
  const valid = number.trim() !== '' && Number.isInteger(vector) && vector >= 0 && vector < vectors;
  const repeating = useLive(live, (list) => (list?.vectors[vector]?.repeating ?? 0) > 0);
  const run = (action: () => Promise<unknown>) => {
    if (valid && connected) action().catch((error) => noticeError(`Vector ${vector}`, error));
  };
  return (
    <form
      className="message vector-ask"
      data-testid="vector-ask"
      onSubmit={(event) => {
        event.preventDefault();
        if (times !== undefined) run(() => raise(device, vector, times));
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        choices.setState({ asking: false });
      }}
    >
      <label>
        Vector{' '}
        <input
          className="input mono"
          data-testid="vector-number"
          aria-invalid={!valid}
          title="Enter raises it, Esc leaves"
          value={number}
          onChange={(event) => setNumber(event.target.value)}
        />
      </label>
      <Button
        type="submit"
        disabled={!connected || !valid || times === undefined}
        testId="vector-number-raise"
      >
        Raise
      </Button>
      <Button
        aria-pressed={repeating}
        disabled={!connected || !valid || rate === undefined}
        testId="vector-number-repeat"
        onClick={() =>
          run(() => client.call('interrupts.repeat', { device, vector, rate: repeating ? 0 : (rate ?? 0) }))
        }
      >
        Repeat
      </Button>
      {!valid && (
        <span className="error-text" role="alert">
          Accepted: 0 to {count(vectors - 1)}.
        </span>
      )}
      <span className="grow" />
      <Button
        kind="icon quiet"
        aria-label="Close"
        title="Close (Esc)"
        onClick={() => choices.setState({ asking: false })}
      >
        <X />
      </Button>
    </form>
  );
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
          tabIndex={-1}
          idle={busy || !connected || times === undefined}
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
      <span>
        <Button
          ref={repeat}
          kind="icon"
          tabIndex={-1}
          aria-pressed={false}
          aria-label={`Raise vector ${vector} again and again`}
          title={
            props.rate === undefined
              ? 'The rate above is not one'
              : `Raise it ${count(props.rate)} times a second; press again to end it`
          }
          idle={!connected || props.rate === undefined}
          testId="vector-repeat"
          onClick={() => void toggleRepeat()}
        >
          <Repeat aria-hidden />
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
      <span className="vector-number">
        <LiveText
          live={live}
          className="mono dim"
          testId="vector-rate"
          text={(list) => perSecond(list?.rates[vector] ?? 0, '')}
        />
      </span>
      <span className="vector-number">
        <LiveText
          live={live}
          className="mono dim"
          testId="vector-latency"
          text={text(({ latency }) => (latency === undefined ? '—' : duration(latency)))}
          title={text(({ latency }) => (latency === undefined ? LATENCY_UNKNOWN : LATENCY_MEANING))}
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
  const { times, rate: rateText, asking } = useStore(choices);
  const repeat = chosenTimes();
  const rate = chosenRate();
  const valid = repeat !== undefined;
  const rateValid = rate !== undefined;
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
  const list = useRef<HTMLUListElement>(null);
  // Which button is the stop for Tab is no matter of React's: it moves with the focus.
  useLayoutEffect(() => {
    if (list.current?.querySelector('[tabindex="0"]') === null)
      list.current.querySelector('button')?.setAttribute('tabindex', '0');
  });

  // A row of the trace leads here.
  const wanted = useStore(ui, (state) => state.vector);
  const [brought, setBrought] = useState<typeof wanted>(undefined);
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
      copy={() => (live.get()?.vectors ?? []).map(vectorText).join('\n')}
      help="Every vector of the device. A button raises it as the device would; when the driver masked it or did not enable it, the lab says why nothing arrived. Count is how often it was raised since power-on. The time behind the rate is the last latency to the driver's handler: from the interrupt to the access by which it is served, — where no such access was seen. Arrow keys lead from button to button."
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
                onChange={(event) => choices.setState({ times: event.target.value })}
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
                onChange={(event) => choices.setState({ rate: event.target.value })}
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
                command="interrupts.pin"
                onClick={() => void commands.run('interrupts.pin').then(refresh)}
              >
                {asserted ? 'Let the pin go' : 'Hold the pin'}
              </Button>
            </div>
          )}
          {asking && <AskVector device={device.id} live={live} times={repeat} rate={rate} />}
          <ul
            ref={list}
            className="vector-list"
            aria-label="Interrupt vectors"
            onKeyDown={onVectorKey}
            onFocus={({ target, currentTarget }) => {
              currentTarget.querySelector('[tabindex="0"]')?.setAttribute('tabindex', '-1');
              target.setAttribute('tabindex', '0');
              // Elsewhere, the row that a link led to is one of many again.
              const focused = Number(target.closest<HTMLElement>('.vector-row')?.dataset.vector);
              setBrought((now) => (now?.vector === focused ? now : undefined));
            }}
          >
            {vectors.map((name, vector) => (
              <VectorRow
                // biome-ignore lint/suspicious/noArrayIndexKey: a vector is its number
                key={vector}
                device={device.id}
                vector={vector}
                name={name}
                times={repeat}
                rate={rate}
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

const some = () => selectedDevice() !== undefined;
commands.register(
  ...[0, 1, 2, 3].map((vector) => ({
    id: `interrupts.raise.${vector === 0 ? 'zero' : `v${vector}`}`,
    title: `Raise vector ${vector} of the selected device`,
    group: 'Interrupts',
    enabled: some,
    run: () => raise(selectedDevice()!.id, vector, 1),
  })),
  {
    id: 'interrupts.ask',
    title: 'Raise or repeat a vector of the selected device by its number',
    group: 'Interrupts',
    keywords: 'interrupt irq rate again',
    enabled: some,
    run: () => {
      choices.setState({ asking: true });
      return goToPart('interrupts', '[data-testid="vector-number"]');
    },
  },
  {
    id: 'interrupts.times',
    title: 'Change how often and at what rate a vector is raised',
    group: 'Interrupts',
    enabled: some,
    run: () => goToPart('interrupts', '[data-testid="vector-times"]'),
  },
  {
    id: 'interrupts.pin',
    title: 'Hold the INTx pin of the selected device, or let it go',
    group: 'Interrupts',
    enabled: some,
    run: () => turnPin(selectedDevice()!.id),
  },
);
