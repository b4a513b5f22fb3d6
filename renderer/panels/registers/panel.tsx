import { ChevronDown, ChevronRight, FileUp, Pin } from 'lucide-react';
import { memo, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { WireBar, WireDescription, WireField, WireRegister } from '#contract/devices.ts';
import { commands } from '#renderer/app-commands.ts';
import { bringForward, goToPart } from '#renderer/dock/focus.ts';
import { client, lab, selectedDevice } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';
import { addNotice, noticeError } from '#renderer/state/notices.ts';
import { type UiState, ui } from '#renderer/state/ui.ts';
import { bitRange, fieldMask, fieldText, fieldValue, turned } from '#renderer/ui/bits.ts';
import {
  hex,
  otherBases,
  type ParsedValue,
  parseBits,
  parseValue,
  bytes as size,
} from '#renderer/ui/format.ts';
import type { HexGrid } from '#renderer/ui/hex-grid.ts';
import { HexView } from '#renderer/ui/hex-view.tsx';
import {
  Button,
  DeviceSelect,
  Empty,
  LiveText,
  NoDevice,
  Panel,
  useConnected,
  useFocusBack,
  useLiveDraw,
  usePolling,
  useSelectedDevice,
} from '#renderer/ui/parts.tsx';
import { VirtualList } from '#renderer/ui/virtual-list.tsx';
import { EnumField } from './enum-field.tsx';
import { canDescribe, SvdDialog } from './svd-dialog.tsx';
import { BarValues, fieldClears, fieldWritable, matchesSearch, readRanges, searchProblem } from './values.ts';
import { pinOf, pins, togglePin } from './watch.ts';
import './registers.css';

type Actor = 'device' | 'driver';
type Width = 1 | 2 | 4 | 8;
const POLL = 100;
/** Base address registers of a function's header. */
const BARS = 6;

interface Target {
  readonly device: number;
  readonly model: string;
  readonly bar: number;
  readonly actor: Actor;
  readonly live: Live<BarValues>;
  /** Reads again at once. */
  readonly refresh: () => Promise<unknown>;
}

/** `mask`: the bits that count, where not all do; the lab keeps the others as they are when it writes. */
async function write(
  target: Target,
  offset: number,
  width: Width,
  value: bigint,
  name: string,
  mask?: bigint,
): Promise<boolean> {
  try {
    await client.call('registers.write', {
      device: target.device,
      bar: target.bar,
      offset,
      width,
      value: hex(value),
      ...(mask === undefined ? {} : { mask: hex(mask) }),
      as: target.actor,
    });
    await target.refresh();
    return true;
  } catch (error) {
    noticeError(`Write ${name}`, error);
    return false;
  }
}

function describeValue(register: WireRegister, value: bigint): string {
  return `${otherBases(value, register.width)}\n${register.title}${
    register.specification === undefined ? '' : `\n${register.specification}`
  }`;
}

function ValueEditor(props: {
  bits: number;
  first: string;
  label: string;
  onDone: (value: bigint | undefined) => void;
}) {
  const [draft, setDraft] = useState(props.first);
  const parsed = parseBits(draft, props.bits);
  const problem = 'problem' in parsed ? parsed.problem : undefined;
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  return (
    <span className="value-editor">
      <input
        ref={input}
        className="input mono"
        data-testid="register-edit"
        aria-label={props.label}
        aria-invalid={problem !== undefined}
        title={problem ?? 'Enter writes, Esc leaves it'}
        spellCheck={false}
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === 'Escape') props.onDone(undefined);
          if (event.key !== 'Enter') return;
          // The button that has the focus next is not pressed by the same key.
          event.preventDefault();
          if (!('problem' in parsed)) props.onDone(parsed.value);
        }}
        onBlur={() => props.onDone(undefined)}
      />
      {problem !== undefined && (
        <span className="value-problem" role="alert" data-testid="register-edit-problem">
          {problem}
        </span>
      )}
    </span>
  );
}

function FieldRow({ register, field, target }: { register: WireRegister; field: WireField; target: Target }) {
  const [editing, setEditing] = useState(false);
  const edit = useRef<HTMLButtonElement>(null);
  useFocusBack(editing, edit);
  const box = useRef<HTMLInputElement>(null);
  const connected = useConnected();
  const allowed = connected && (target.actor === 'device' || fieldWritable(register, field));
  const why = allowed ? '' : connected ? 'Read-only for a driver' : 'Not connected';
  const name = `${register.name}.${field.name}`;
  const now = () => target.live.get().value(register);
  const put = async (to: bigint) => {
    const mask = fieldMask(field);
    await write(target, register.offset, register.width, to << BigInt(field.lsb), name, mask);
    if (box.current !== null) box.current.checked = fieldValue(now() ?? 0n, field) === 1n;
  };
  useLiveDraw(target.live, (values) => {
    const value = values.value(register);
    if (value === undefined) return;
    if (box.current !== null) box.current.checked = fieldValue(value, field) === 1n;
  });
  const names = Object.entries(field.values ?? {});
  const text = (values: BarValues) => {
    const value = values.value(register);
    return value === undefined ? '' : fieldText(field, fieldValue(value, field));
  };
  return (
    <div
      className="field-row"
      data-testid="field-row"
      data-field={field.name}
      title={field.description ?? ''}
    >
      <span className="mono dim field-bits">{bitRange(field)}</span>
      <span className="mono field-name">{field.name}</span>
      <span className="field-value">
        {editing ? (
          <ValueEditor
            bits={field.width}
            label={`New value of ${name}`}
            first={hex(fieldValue(now() ?? 0n, field))}
            onDone={(value) => {
              setEditing(false);
              if (value !== undefined) void put(value);
            }}
          />
        ) : field.width === 1 ? (
          <label className="field-bit" title={why}>
            <input
              ref={box}
              type="checkbox"
              disabled={!allowed}
              aria-label={`${name}`}
              data-testid="field-bit"
              onChange={(event) =>
                void put(
                  turned(
                    event.target.checked ? 0n : 1n,
                    target.actor === 'driver' && fieldClears(register, field),
                  ),
                )
              }
            />
            <LiveText live={target.live} text={text} flash className="mono" />
          </label>
        ) : names.length > 1 ? (
          <EnumField
            live={target.live}
            read={(values) => {
              const value = values.value(register);
              return value === undefined ? undefined : fieldValue(value, field);
            }}
            names={names}
            label={name}
            disabled={!allowed}
            why={why}
            put={put}
          />
        ) : (
          <button
            ref={edit}
            type="button"
            className="value-button"
            disabled={!allowed}
            title={why || 'Write a value'}
            aria-label={`Edit ${name}`}
            onClick={() => setEditing(true)}
          >
            <LiveText live={target.live} text={text} flash className="mono" testId="field-value" />
          </button>
        )}
      </span>
      <span className="dim field-description">{field.description}</span>
    </div>
  );
}

/** Every bit of a register, the highest first; a click turns one over. */
function BitStrip({ register, target }: { register: WireRegister; target: Target }) {
  const host = useRef<HTMLDivElement>(null);
  const connected = useConnected();
  const bits = register.width * 8;
  useLiveDraw(target.live, (values) => {
    const value = values.value(register);
    if (value === undefined || host.current === null) return;
    for (const button of host.current.querySelectorAll<HTMLElement>('[data-bit]')) {
      const on = (value >> BigInt(button.dataset.bit!)) & 1n;
      const text = `${on}`;
      if (button.textContent !== text) {
        button.textContent = text;
        button.setAttribute('aria-pressed', `${on === 1n}`);
      }
    }
  });
  const turn = (bit: number) => {
    const value = target.live.get().value(register);
    if (value === undefined) return;
    const one = { lsb: bit, width: 1 };
    const to = turned(fieldValue(value, one), target.actor === 'driver' && fieldClears(register, one));
    void write(
      target,
      register.offset,
      register.width,
      to << BigInt(bit),
      `${register.name} bit ${bit}`,
      fieldMask(one),
    );
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div className="bit-strip" ref={host} role="group" aria-label={`Bits of ${register.name}`}>
      {Array.from({ length: bits }, (_, at) => bits - 1 - at).map((bit) => {
        const field = register.fields.find(({ lsb, width }) => bit >= lsb && bit < lsb + width);
        const fixed = target.actor === 'driver' && !fieldWritable(register, { lsb: bit, width: 1 });
        return (
          <button
            key={bit}
            type="button"
            className="mono bit"
            data-bit={bit}
            data-testid="register-bit"
            data-nibble={bit % 4 === 3}
            disabled={!connected || fixed}
            aria-label={`Bit ${bit}${field === undefined ? '' : `, ${field.name}`}`}
            title={`Bit ${bit}${field === undefined ? '' : `: ${field.name}`}${fixed ? '\nRead-only for a driver' : ''}`}
            onClick={() => turn(bit)}
          >
            ·
          </button>
        );
      })}
    </div>
  );
}

const RegisterRow = memo(function RegisterRow(props: {
  register: WireRegister;
  target: Target;
  open: boolean;
  lit: boolean;
  onToggle: (pin: string) => void;
}) {
  const { register, target, open } = props;
  const [editing, setEditing] = useState(false);
  const edit = useRef<HTMLButtonElement>(null);
  useFocusBack(editing, edit);
  const connected = useConnected();
  const text = (values: BarValues) => {
    const value = values.value(register);
    return value === undefined ? '…' : hex(value, register.width * 2);
  };
  const pin = pinOf(target.model, target.bar, register.name);
  const pinned = useStore(pins, (state) => state.all.includes(pin));
  return (
    <div className="register" data-open={open} data-lit={props.lit}>
      <div className="register-row" data-testid="register-row" data-register={register.name}>
        <button
          type="button"
          className="register-toggle"
          aria-expanded={open}
          aria-label={`Fields of ${register.name}`}
          data-testid="register-toggle"
          onClick={() => props.onToggle(pin)}
        >
          {open ? <ChevronDown aria-hidden /> : <ChevronRight aria-hidden />}
        </button>
        <span className="mono dim">{hex(register.offset, 4)}</span>
        <span className="mono register-name" title={register.title}>
          {register.name}
        </span>
        {editing ? (
          <ValueEditor
            bits={register.width * 8}
            label={`New value of ${register.name}`}
            first={text(target.live.get())}
            onDone={(value) => {
              setEditing(false);
              if (value !== undefined)
                void write(target, register.offset, register.width, value, register.name);
            }}
          />
        ) : (
          <button
            ref={edit}
            type="button"
            className="value-button"
            disabled={!connected}
            aria-label={`Edit ${register.name}`}
            onClick={() => setEditing(true)}
          >
            <LiveText
              live={target.live}
              text={text}
              title={(values) => describeValue(register, values.value(register) ?? 0n)}
              flash
              className="mono"
              testId="register-value"
            />
          </button>
        )}
        <span className="dim register-title">{register.title}</span>
        <button
          type="button"
          className="register-pin"
          aria-pressed={pinned}
          aria-label={pinned ? `Take ${register.name} off the watch list` : `Watch ${register.name}`}
          title={pinned ? 'Take it off the watch list' : 'Put it on the watch list'}
          data-testid="register-pin"
          onClick={() => togglePin(pin)}
        >
          <Pin aria-hidden />
        </button>
      </div>
      {open && (
        <div className="register-fields">
          <BitStrip register={register} target={target} />
          {[...register.fields]
            .sort((a, b) => b.lsb - a.lsb)
            .map((field) => (
              <FieldRow
                key={`${field.name}-${field.lsb}`}
                register={register}
                field={field}
                target={target}
              />
            ))}
        </div>
      )}
    </div>
  );
});

/** One access, by hand, at any offset. */
function AccessBar({ target, bar }: { target: Target; bar: WireBar }) {
  const [offset, setOffset] = useState('0x0');
  const [width, setWidth] = useState<Width>(4);
  const [value, setValue] = useState('');
  const [problem, setProblem] = useState<{ readonly field: 'Offset' | 'Value'; readonly text: string }>();
  const connected = useConnected();
  const offsetProblem = (parsed: ParsedValue): string => {
    if ('problem' in parsed) return parsed.problem;
    const at = Number(parsed.value);
    if (at + width > bar.size)
      return `BAR ${bar.index} is ${size(bar.size)}; the last ${size(width)} start at ${hex(bar.size - width)}`;
    // A driver may do what it should not; the trace notes it.
    if (at % width !== 0 && target.actor === 'device')
      return `${hex(at)} is not aligned; ${size(width)} start at a multiple of ${width}`;
    return '';
  };
  const place = (): number | undefined => {
    const parsed = parseValue(offset, 8);
    const text = offsetProblem(parsed);
    setProblem(text === '' ? undefined : { field: 'Offset', text });
    return text === '' && 'value' in parsed ? Number(parsed.value) : undefined;
  };
  const read = async () => {
    const at = place();
    if (at === undefined) return;
    try {
      const answer = await client.call('registers.read', {
        device: target.device,
        bar: target.bar,
        offset: at,
        width,
        as: target.actor,
      });
      setValue(answer.value);
    } catch (error) {
      noticeError('Read', error);
    }
  };
  const put = async () => {
    const at = place();
    if (at === undefined) return;
    const parsed = parseValue(value, width);
    if ('problem' in parsed) return setProblem({ field: 'Value', text: parsed.problem });
    if (await write(target, at, width, parsed.value, `BAR ${bar.index} ${hex(at, 4)}`)) {
      addNotice(
        { level: 'info', text: `Wrote ${hex(parsed.value, width * 2)} to BAR ${bar.index} at ${hex(at, 4)}` },
        true,
      );
    }
  };
  return (
    <div className="access-bar">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void read();
        }}
      >
        <label>
          Offset{' '}
          <input
            className="input mono access-offset"
            data-testid="access-offset"
            aria-invalid={problem?.field === 'Offset'}
            value={offset}
            onChange={(e) => setOffset(e.target.value)}
          />
        </label>
        <label>
          Width{' '}
          <select
            className="input"
            data-testid="access-width"
            value={width}
            onChange={(e) => setWidth(Number(e.target.value) as Width)}
          >
            {[1, 2, 4, 8].map((one) => (
              <option key={one} value={one}>
                {size(one)}
              </option>
            ))}
          </select>
        </label>
        <label>
          Value{' '}
          <input
            className="input mono"
            data-testid="access-value"
            aria-invalid={problem?.field === 'Value'}
            value={value}
            onChange={(e) => setValue(e.target.value)}
          />
        </label>
        <Button type="submit" disabled={!connected} testId="access-read">
          Read
        </Button>
        <Button disabled={!connected || value.trim() === ''} onClick={() => void put()} testId="access-write">
          Write
        </Button>
      </form>
      {problem !== undefined && (
        <div className="error-text small" role="alert" data-testid="access-problem">
          {problem.field}: {problem.text}
        </div>
      )}
    </div>
  );
}

function RawView({ target, bar }: { target: Target; bar: WireBar }) {
  const grid = useRef<HexGrid | undefined>(undefined);
  const range = useRef<readonly [number, number]>([0, 4096]);
  const refresh = useCallback(async () => {
    const [first, last] = range.current;
    const offset = Math.max(0, first - 256);
    const length = Math.max(1, Math.min(65536, bar.size - offset, last - offset + 256));
    const { bytes } = await client.ask('bars.read', {
      device: target.device,
      bar: bar.index,
      offset,
      length,
    });
    if (bytes !== undefined) grid.current?.setData(bytes, bar.size, offset);
  }, [target.device, bar]);
  usePolling(refresh, POLL);
  return (
    <HexView
      label={`Bytes of BAR ${bar.index}`}
      byteTestId="bar-byte"
      onGrid={(made) => {
        grid.current = made;
        made?.setData(new Uint8Array(), bar.size);
      }}
      visible={(first, last) => {
        range.current = [first, last];
      }}
      edit={(offset, value) =>
        void write(target, offset, 1, BigInt(value), `BAR ${bar.index} ${hex(offset, 4)}`).then(refresh)
      }
    />
  );
}

interface Group {
  readonly target: Target;
  readonly registers: readonly WireRegister[];
}

/** Reads the registers of a BAR again and again, in as few reads as cover them. */
async function readGroup({ target, registers }: Group): Promise<void> {
  const parts = await Promise.all(
    readRanges(registers).map(async ({ offset, length }) => {
      const { bytes } = await client.ask('bars.read', {
        device: target.device,
        bar: target.bar,
        offset,
        length,
      });
      return { offset, bytes: bytes ?? new Uint8Array() };
    }),
  );
  target.live.set(new BarValues(parts));
}

/** Registers of one BAR, or of several under headings. */
function RegisterList(props: {
  label: string;
  groups: readonly Group[];
  onText: (text: () => string) => () => void;
}) {
  const { groups, onText } = props;
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set());
  const toggle = useCallback((pin: string) => {
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(pin)) after.add(pin);
      return after;
    });
  }, []);
  const refresh = useCallback(() => Promise.all(groups.map(readGroup)), [groups]);
  usePolling(refresh, POLL);
  const rows = useMemo(
    () =>
      groups.flatMap(({ target, registers }) => {
        const refreshing = { ...target, refresh: () => refresh().catch(() => {}) };
        return registers.map((register, at) => ({
          register,
          target: refreshing,
          pin: pinOf(target.model, target.bar, register.name),
          heading: at === 0 && groups.length > 1 ? `BAR ${target.bar}` : '',
        }));
      }),
    [groups, refresh],
  );
  const keys = useMemo(() => rows.map(({ pin, register }) => `${pin}-${register.offset}`), [rows]);

  const wanted = useStore(choices, (state) => state.wanted);
  const isWanted = useCallback(
    ({ target, register }: (typeof rows)[number]) =>
      target.device === wanted?.device && target.bar === wanted.bar && register.name === wanted.name,
    [wanted],
  );
  const [jump, setJump] = useState<{ readonly index: number } | undefined>(undefined);
  useEffect(() => {
    if (wanted === undefined || wanted === choices.getState().brought) return;
    const index = rows.findIndex(isWanted);
    if (index < 0) return;
    // What is searched for later does not bring it back.
    choices.setState({ brought: wanted });
    setJump({ index });
  }, [wanted, rows, isWanted]);

  useEffect(
    () =>
      onText(() =>
        rows
          .map(({ register, target }) => {
            const value = target.live.get().value(register);
            const shown = value === undefined ? '' : hex(value, register.width * 2);
            return `BAR ${target.bar}\t${hex(register.offset, 4)}\t${register.name}\t${shown}\t${register.title}`;
          })
          .join('\n'),
      ),
    [onText, rows],
  );

  return (
    <VirtualList
      label={props.label}
      testId="register-list"
      className="register-list"
      keys={keys}
      rove=".register-row > button"
      wanted={jump}
      varies={(index) => open.has(rows[index]!.pin) || rows[index]!.heading !== ''}
      row={(index) => {
        const row = rows[index]!;
        return (
          <>
            {row.heading !== '' && <div className="dim small watch-bar">{row.heading}</div>}
            <RegisterRow
              register={row.register}
              target={row.target}
              open={open.has(row.pin)}
              lit={isWanted(row)}
              onToggle={toggle}
            />
          </>
        );
      }}
    />
  );
}

function Registers(props: {
  target: Target;
  bar: WireBar;
  search: string;
  onText: (text: () => string) => () => void;
}) {
  const { target, bar, search, onText } = props;
  const groups = useMemo<readonly Group[]>(
    () => [{ target, registers: bar.registers.filter((register) => matchesSearch(register, search)) }],
    [target, bar, search],
  );
  if (bar.registers.length === 0) {
    return (
      <Empty
        testId="registers-unnamed"
        action={
          <Button onClick={() => void commands.run('registers.importSvd')}>Name them from an SVD file</Button>
        }
      >
        BAR {bar.index} has no named registers. Its bytes are under Raw.
      </Empty>
    );
  }
  if (groups[0]!.registers.length === 0) {
    return <Empty>No register of BAR {bar.index} matches the search.</Empty>;
  }
  return <RegisterList label={`Registers of BAR ${bar.index}`} groups={groups} onText={onText} />;
}

/** What is pinned, of every BAR of the device. */
function WatchList(props: {
  device: number;
  description: WireDescription;
  actor: Actor;
  onText: (text: () => string) => () => void;
}) {
  const all = useStore(pins, (state) => state.all);
  const { description, device, actor } = props;
  const { model } = description;
  const targets = useMemo(
    () =>
      new Map(
        description.bars.map((bar): [number, Target] => [
          bar.index,
          {
            device,
            model,
            bar: bar.index,
            actor,
            live: new Live(new BarValues([])),
            refresh: () => Promise.resolve(),
          },
        ]),
      ),
    [description, device, model, actor],
  );
  const groups = useMemo<readonly Group[]>(
    () =>
      description.bars
        .map((bar) => ({
          target: targets.get(bar.index)!,
          registers: bar.registers.filter(({ name }) => all.includes(pinOf(model, bar.index, name))),
        }))
        .filter(({ registers }) => registers.length > 0),
    [all, description, model, targets],
  );
  if (groups.length === 0) {
    return (
      <Empty testId="watch-empty">
        Nothing is watched. The pin at the end of a register's row puts it here.
      </Empty>
    );
  }
  return <RegisterList label="Watched registers" groups={groups} onText={props.onText} />;
}

/** Choices that outlive the panel. */
const choices = createStore<{
  readonly chosen: number | 'watch';
  readonly raw: boolean;
  readonly search: string;
  readonly actor: Actor;
  /** The register that a link led to last, and the one that was brought into view for it. */
  readonly wanted: UiState['register'];
  readonly brought: UiState['register'];
}>(() => ({
  chosen: 0,
  raw: false,
  search: '',
  actor: 'device',
  wanted: undefined,
  brought: undefined,
}));

export function RegistersPanel() {
  const device = useSelectedDevice();
  const description = useStore(lab, (state) => state.descriptions.get(state.selected));
  const driverAccess = useStore(lab, (state) => state.hello?.abilities.driverAccess === true);
  const { chosen, raw, search, actor } = useStore(choices);
  const barIndex = chosen === 'watch' ? 0 : chosen;
  const texts = useRef(new Set<() => string>());
  const takeText = useCallback((make: () => string) => {
    texts.current.add(make);
    return () => texts.current.delete(make);
  }, []);
  const wanted = useStore(ui, (state) => state.register);
  useEffect(() => {
    if (wanted === undefined) return;
    ui.setState({ register: undefined });
    choices.setState({ chosen: wanted.bar, raw: false, search: '', wanted });
  }, [wanted]);
  const bar = description?.bars.find((one) => one.index === barIndex) ?? description?.bars[0];
  const used = driverAccess ? actor : 'device';
  const problem = searchProblem(search);
  const watch = chosen === 'watch' && device !== undefined && description !== undefined;
  const model = description?.model ?? '';
  const deviceId = device?.id;
  const live = useMemo(() => new Live(new BarValues([])), []);
  const target = useMemo<Target | undefined>(
    () =>
      deviceId === undefined || bar === undefined
        ? undefined
        : { device: deviceId, model, bar: bar.index, actor: used, live, refresh: () => Promise.resolve() },
    [deviceId, model, bar, used, live],
  );
  return (
    <Panel
      name="registers"
      title="Registers"
      copy={() => [...texts.current].map((make) => make()).join('\n')}
      help={
        <>
          Registers of each BAR with what they hold now. Click a value to write another:{' '}
          <span className="mono">0x1f</span>, <span className="mono">31</span> or{' '}
          <span className="mono">0b11111</span>, Enter writes. In a list of values the arrow keys only choose:
          Enter writes the choice, Esc or leaving the list gives it back. <kbd>Up</kbd> and <kbd>Down</kbd>,{' '}
          <kbd>Home</kbd> and <kbd>End</kbd> lead from register to register. As device: changes what the
          driver will read. As driver: an access as the driver would make it.
        </>
      }
      tools={
        description !== undefined && (
          <>
            <DeviceSelect />
            <select
              className="input"
              aria-label="BAR"
              data-testid="bar-select"
              title={bar?.title}
              value={watch ? 'watch' : (bar?.index ?? 0)}
              onChange={(event) =>
                choices.setState({
                  chosen: event.target.value === 'watch' ? 'watch' : Number(event.target.value),
                })
              }
            >
              <option value="watch">Watch list</option>
              {description.bars.map((one) => (
                <option key={one.index} value={one.index}>
                  {`BAR ${one.index}, ${size(one.size)}`}
                </option>
              ))}
            </select>
            {driverAccess && (
              <select
                className="input"
                aria-label="Access as"
                data-testid="access-as"
                value={used}
                title="Who an access is made as"
                onChange={(event) => choices.setState({ actor: event.target.value as Actor })}
              >
                <option value="device">As device</option>
                <option value="driver">As driver</option>
              </select>
            )}
            <Button aria-pressed={raw} disabled={watch} command="registers.raw" testId="registers-raw">
              Raw
            </Button>
            <Button
              kind="icon"
              aria-label="Name registers from an SVD file"
              title="Name the registers of a BAR from a CMSIS-SVD file"
              testId="registers-svd"
              disabled={description.bars.length === 0}
              command="registers.importSvd"
            >
              <FileUp />
            </Button>
            {!raw && !watch && (
              <input
                className="input grow"
                style={{ minWidth: 100 }}
                type="search"
                aria-label="Search registers"
                data-testid="register-search"
                placeholder="Search"
                title="Words, or name: field: offset: access: width: text:"
                aria-invalid={problem !== ''}
                value={search}
                onChange={(event) => choices.setState({ search: event.target.value })}
              />
            )}
          </>
        )
      }
    >
      {device === undefined ? (
        <NoDevice what="No device is selected. Power one on to see its registers." />
      ) : description === undefined || bar === undefined || target === undefined ? (
        <Empty>
          {device.state === 'failed'
            ? 'This device failed to power on; it has no registers.'
            : description !== undefined
              ? 'This device has no BARs.'
              : 'Reading the description of the device.'}
        </Empty>
      ) : (
        <>
          {problem !== '' && (
            <div className="message" data-level="error" role="alert" data-testid="register-search-problem">
              {problem}
            </div>
          )}
          {watch ? (
            <WatchList device={device.id} description={description} actor={used} onText={takeText} />
          ) : raw ? (
            <RawView key={`${device.id}-${bar.index}`} target={target} bar={bar} />
          ) : (
            <Registers
              key={`${device.id}-${bar.index}`}
              target={target}
              bar={bar}
              search={problem === '' ? search : ''}
              onText={takeText}
            />
          )}
          {!watch && <AccessBar key={bar.index} target={target} bar={bar} />}
          <SvdDialog key={`svd-${device.id}`} device={device.id} description={description} />
        </>
      )}
    </Panel>
  );
}

const some = () => selectedDevice() !== undefined;
/** What the panel shows: a BAR, or what is watched. */
async function showRegisters(chosen: number | 'watch'): Promise<void> {
  choices.setState({ chosen });
  await bringForward('registers');
}

commands.register(
  {
    id: 'registers.access',
    title: 'Read or write a register by its offset',
    group: 'Registers',
    keywords: 'poke peek',
    enabled: some,
    run: () => {
      if (choices.getState().chosen === 'watch') choices.setState({ chosen: 0 });
      return goToPart('registers', '.access-offset');
    },
  },
  {
    id: 'registers.search',
    title: 'Search the registers',
    group: 'Registers',
    enabled: some,
    run: () => {
      const { chosen } = choices.getState();
      choices.setState({ raw: false, chosen: chosen === 'watch' ? 0 : chosen });
      return goToPart('registers', '[data-testid="register-search"]');
    },
  },
  {
    id: 'registers.raw',
    title: 'Show the bytes of the BAR, or its registers',
    group: 'Registers',
    keywords: 'raw hex',
    enabled: some,
    run: async () => {
      const { chosen, raw } = choices.getState();
      choices.setState({ raw: chosen === 'watch' || !raw, chosen: chosen === 'watch' ? 0 : chosen });
      await bringForward('registers');
    },
  },
  {
    id: 'registers.watch',
    title: 'Show the watched registers',
    group: 'Registers',
    keywords: 'watch list pinned',
    enabled: some,
    run: () => showRegisters('watch'),
  },
  ...Array.from({ length: BARS }, (_, bar) => ({
    id: `registers.bar.b${bar}`,
    title: `Show the registers of BAR ${bar}`,
    group: 'Registers',
    enabled: () =>
      lab
        .getState()
        .descriptions.get(lab.getState().selected)
        ?.bars.some(({ index }) => index === bar) === true,
    run: () => showRegisters(bar),
  })),
  ...(['device', 'driver'] as const).map((actor) => ({
    id: `registers.as.${actor}`,
    title: `Access registers as ${actor}`,
    group: 'Registers',
    enabled: () => actor === 'device' || lab.getState().hello?.abilities.driverAccess === true,
    run: () => choices.setState({ actor }),
  })),
  {
    id: 'registers.pin',
    title: 'Watch the register that has the focus, or do not any more',
    group: 'Registers',
    keywords: 'pin unpin',
    enabled: some,
    run: () => {
      const pin = document.activeElement?.closest('.register')?.querySelector<HTMLElement>('.register-pin');
      if (pin) pin.click();
      else
        addNotice(
          { level: 'info', text: 'Go to a register first: click it, or Tab and the arrow keys' },
          true,
        );
    },
  },
  {
    id: 'registers.importSvd',
    title: 'Name the registers of a BAR from a CMSIS-SVD file',
    group: 'Registers',
    enabled: () => some() && canDescribe(),
    run: async () => {
      await commands.run('view.registers');
      ui.setState({ importSvd: true });
    },
  },
);
