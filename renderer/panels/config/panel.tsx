import { Camera, Eraser, FileDown, FileUp, Undo2 } from 'lucide-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { type ConfigNode, ConfigWriter, type ConfigWritten } from '#contract/config.ts';
import { commands } from '#renderer/app-commands.ts';
import { bringForward, goToPart } from '#renderer/dock/focus.ts';
import { chosen as traceChosen } from '#renderer/panels/trace/navigate.ts';
import { client, lab, selectedDevice } from '#renderer/state/lab.ts';
import { addNotice, errorText, noticeError } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import { fieldMask, turned } from '#renderer/ui/bits.ts';
import { copyWithNotice, saveText } from '#renderer/ui/clipboard.ts';
import { byteText, clockTime, hex, instant } from '#renderer/ui/format.ts';
import type { HexGrid } from '#renderer/ui/hex-grid.ts';
import { HexView } from '#renderer/ui/hex-view.tsx';
import {
  Button,
  DeviceSelect,
  Empty,
  NoDevice,
  Panel,
  useConnected,
  useFocusBack,
  usePolling,
  useSelectedDevice,
} from '#renderer/ui/parts.tsx';
import { useShown } from '#renderer/ui/shown.ts';
import { type Access, accessOf, byteAccess, differing, refusals } from './access.ts';
import { compareConfig } from './compare.ts';
import { Differences, differenceText } from './differences.tsx';
import { ImportDialog, loadConfig } from './import.tsx';
import { NodeRow } from './node-row.tsx';
import { knownSide, readSide, type Side, SideSelect, sameBytes } from './sides.tsx';
import { forgetSnapshot, keepSnapshot, snapshots } from './snapshots.ts';
import { type FlatNode, firstOpen, flatten, numberAt, pathOfByte, splitWrite } from './tree.ts';
import './config.css';

type Actor = 'device' | 'driver';
const tones = ['', 'device', 'driver', 'you'];
const writers = ['as at power-on', 'by the device', 'by the driver', 'by you'];

interface Space {
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly writers: Uint8Array;
  readonly written: readonly ConfigWritten[];
  readonly tree: readonly ConfigNode[];
}

/** What is compared; without `other` it is the device as it is now. */
interface Sides {
  readonly base: Side;
  readonly other: Side | undefined;
}

function sameSide(a: Side | undefined, b: Side | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.title === b.title && sameBytes(a.bytes, b.bytes);
}

/** Who wrote a byte last, and when. */
function writtenText(space: Space | undefined, offset: number): string {
  const writer = space?.writers[offset] ?? ConfigWriter.powerOn;
  if (writer === ConfigWriter.powerOn) return writers[0]!;
  const run = space?.written.find((one) => offset >= one.offset && offset < one.offset + one.length);
  return `written last ${writers[writer]}${run === undefined ? '' : ` at ${instant(run.time)}`}`;
}

function ConfigSpace(props: {
  device: number;
  actor: Actor;
  compare: string;
  against: string;
  onText: (text: () => string) => void;
}) {
  const { device, actor, compare, against } = props;
  const grid = useRef<HexGrid | undefined>(undefined);
  const tree = useRef<HTMLDivElement>(null);
  const [space, setSpace] = useState<Space | undefined>(undefined);
  const latest = useRef<Space | undefined>(undefined);
  const [failure, setFailure] = useState('');
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [selected, setSelected] = useState('');
  const [editing, setEditing] = useState<string | undefined>(undefined);
  useFocusBack(editing !== undefined, tree);
  const [cursor, setCursor] = useState(-1);
  const [access, setAccess] = useState<Access | undefined>(undefined);
  const [sides, setSides] = useState<Sides | undefined>(undefined);
  const [sidesProblem, setSidesProblem] = useState('');
  const connected = useConnected();
  const shown = useShown();

  const refresh = useCallback(async () => {
    try {
      const { result, bytes: all } = await client.ask('config.read', { device });
      setFailure('');
      if (all === undefined) return;
      const next: Space = {
        size: result.size,
        bytes: all.slice(0, result.size),
        writers: all.slice(result.size, 2 * result.size),
        written: result.written,
        tree: result.tree,
      };
      const before = latest.current;
      if (
        before !== undefined &&
        sameBytes(before.bytes, next.bytes) &&
        sameBytes(before.writers, next.writers) &&
        before.written.at(-1)?.time === next.written.at(-1)?.time
      ) {
        return;
      }
      latest.current = next;
      if (before === undefined) setOpen(firstOpen(next.tree));
      setSpace(next);
      grid.current?.setData(next.bytes);
    } catch (error) {
      setFailure((error as Error).message);
    }
  }, [device]);
  usePolling(refresh, 400);

  useEffect(() => {
    // Asked again once the lab is back.
    if (!shown || !connected) return;
    client.ask('config.access', { device }).then(
      ({ result, bytes }) => {
        if (bytes === undefined) return;
        setAccess({
          writable: bytes.slice(0, result.size),
          clearable: bytes.slice(result.size, 2 * result.size),
        });
        grid.current?.refresh();
      },
      () => {},
    );
  }, [device, connected, shown]);

  const sidesAsked = useRef(0);
  const loadSides = useCallback(async () => {
    // Another row may be chosen while this one is asked for.
    const mine = ++sidesAsked.current;
    try {
      const [base, other] = await Promise.all([
        readSide(device, compare),
        against === '' ? undefined : readSide(device, against),
      ]);
      if (mine !== sidesAsked.current) return;
      setSidesProblem('');
      setSides((before) =>
        before !== undefined && sameSide(before.base, base) && sameSide(before.other, other)
          ? before
          : { base, other },
      );
    } catch (error) {
      if (mine !== sidesAsked.current) return;
      const { text, hint } = errorText(error);
      setSidesProblem([text, hint].filter(Boolean).join(' '));
    }
  }, [device, compare, against]);
  useEffect(() => {
    // What was compared before is no side of the next.
    setSides(undefined);
    setSidesProblem('');
    if (compare !== '') void loadSides();
  }, [compare, loadSides]);
  usePolling(compare === '' ? undefined : loadSides, 1000);
  const ofRow = compare !== '' && (compare === 'row' || against === 'row');
  useEffect(
    () => (ofRow && shown ? traceChosen.subscribe(() => void loadSides()) : undefined),
    [ofRow, shown, loadSides],
  );
  const differences = useMemo(
    () =>
      sides === undefined || space === undefined || compare === ''
        ? undefined
        : compareConfig(sides.base, sides.other ?? space),
    [sides, space, compare],
  );
  const sidesNow = useRef(sides);
  sidesNow.current = compare === '' || sidesProblem !== '' ? undefined : sides;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the marks of the bytes follow
  useEffect(() => grid.current?.refresh(), [sides, sidesProblem, compare]);

  const flat = useMemo(() => (space === undefined ? [] : flatten(space.tree, open)), [space, open]);

  const select = useCallback((chosen: FlatNode) => {
    setSelected(chosen.path);
    setCursor(chosen.node.offset);
    grid.current?.light(chosen.node.offset, chosen.node.offset + chosen.node.length);
  }, []);
  const toggle = useCallback((path: string) => {
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(path)) after.add(path);
      return after;
    });
  }, []);
  const selectByte = useCallback((offset: number) => {
    const now = latest.current;
    setCursor(offset);
    if (now === undefined) return;
    const paths = pathOfByte(now.tree, offset);
    const deepest = paths.at(-1);
    setSelected(deepest ?? '');
    if (deepest === undefined) {
      grid.current?.light(offset, offset + 1, false);
      return;
    }
    setOpen((before) => new Set([...before, ...paths.slice(0, -1)]));
    let level = now.tree;
    let node: ConfigNode | undefined;
    for (const at of deepest.split('/')) {
      node = level[Number(at)];
      level = node?.children ?? [];
    }
    if (node !== undefined) grid.current?.light(node.offset, node.offset + node.length, false);
  }, []);

  // A row of the trace leads here.
  const wanted = useStore(ui, (state) => state.config);
  const read = space !== undefined;
  useEffect(() => {
    if (wanted?.device !== device || !read || grid.current === undefined) return;
    grid.current.select(wanted.offset);
    ui.setState({ config: undefined });
  }, [wanted, device, read]);

  const put = useCallback(
    async (offset: number, length: number, value: bigint, name: string, mask?: bigint) => {
      try {
        const differs: string[] = [];
        const reasons: string[] = [];
        const now = latest.current;
        const driver = actor === 'driver' ? access : undefined;
        for (const one of splitWrite(offset, length, value, mask)) {
          const before = numberAt(now?.bytes ?? new Uint8Array(), one.offset, one.width);
          const answer = await client.call('config.write', {
            device,
            offset: one.offset,
            width: one.width,
            value: hex(one.value),
            ...(mask === undefined ? {} : { mask: hex(one.mask) }),
            as: actor,
          });
          const after = BigInt(answer.value);
          const wrong = differing(one, before, after, driver);
          if (wrong === 0n) continue;
          const meant = (after & ~one.mask) | one.value;
          differs.push(
            `${hex(one.offset, 2)} reads back ${hex(after, one.width * 2)}, not ${hex(meant, one.width * 2)}`,
          );
          if (driver !== undefined && now !== undefined)
            reasons.push(...refusals(now.tree, driver, one, wrong));
        }
        if (differs.length > 0) {
          addNotice({
            level: 'warning',
            text: `${name}: ${differs.join('; ')}`,
            hint:
              actor === 'driver'
                ? `${[...new Set(reasons)].join('; ') || 'Bits that a driver cannot write keep their value'}. As device every bit can be set`
                : 'The device keeps some of these bits itself',
          });
        }
        await refresh();
      } catch (error) {
        noticeError(`Write ${name}`, error);
      }
    },
    [device, actor, access, refresh],
  );
  const writeNode = useCallback(
    ({ node }: FlatNode, value: bigint) => {
      if (node.lsb === undefined) {
        void put(node.offset, node.length, value, node.name);
        return;
      }
      const mask = fieldMask({ lsb: node.lsb, width: node.bits ?? 1 });
      void put(node.offset, node.length, value << BigInt(node.lsb), node.name, mask);
    },
    [put],
  );
  const turn = useCallback(
    (chosen: FlatNode) => {
      const clears = actor === 'driver' && access !== undefined && accessOf(chosen.node, access) === 'RW1C';
      writeNode(chosen, turned(BigInt(chosen.node.value!), clears));
    },
    [writeNode, actor, access],
  );

  const onTreeKey = (event: React.KeyboardEvent) => {
    if (event.target !== tree.current) return;
    const at = flat.findIndex((one) => one.path === selected);
    const now = flat[at];
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: flat.length - 1 }[event.key];
    if (to !== undefined) {
      const next = flat[Math.max(0, Math.min(to, flat.length - 1))];
      if (next !== undefined) select(next);
    } else if (now !== undefined && event.key === 'ArrowRight' && now.node.children?.length) {
      if (open.has(now.path)) select(flat[at + 1]!);
      else toggle(now.path);
    } else if (now !== undefined && event.key === 'ArrowLeft') {
      if (open.has(now.path) && now.node.children?.length) toggle(now.path);
      else {
        const parent = flat.find((one) => one.path === now.path.slice(0, now.path.lastIndexOf('/')));
        if (parent !== undefined) select(parent);
      }
    } else if (now?.node.value !== undefined && event.key === 'Enter') {
      setEditing(now.path);
    } else if (now?.node.value !== undefined && event.key === ' ' && now.node.bits === 1) {
      turn(now);
    } else if (now?.node.children?.length && (event.key === 'Enter' || event.key === ' ')) {
      toggle(now.path);
    } else return;
    event.preventDefault();
  };

  const text = useRef<() => string>(() => '');
  text.current = () =>
    differences === undefined
      ? flat
          .filter(({ node }) => node.value !== undefined)
          .map(
            ({ node, depth }) =>
              `${'  '.repeat(depth)}${node.lsb === undefined ? hex(node.offset, 2) : `[${node.lsb}]`}\t${node.name}\t${node.value}\t${node.text ?? ''}`,
          )
          .join('\n')
      : differences.map(differenceText).join('\n');
  const { onText } = props;
  useEffect(() => onText(() => text.current()), [onText]);

  if (space === undefined) {
    return failure === '' ? (
      <Empty>Reading configuration space.</Empty>
    ) : (
      <Empty action={<Button onClick={() => void refresh()}>Read again</Button>}>{failure}</Empty>
    );
  }
  return (
    <div className="config-split" data-testid="config-space">
      <div className="config-hex">
        <HexView
          label="Configuration space"
          byteTestId="config-byte"
          onGrid={(made) => {
            grid.current = made;
            if (latest.current !== undefined) made?.setData(latest.current.bytes);
          }}
          tone={(offset) => tones[latest.current?.writers[offset] ?? ConfigWriter.powerOn] ?? ''}
          mark={(offset) => {
            const compared = sidesNow.current;
            if (compared !== undefined) {
              const { bytes } = compared.other ?? latest.current!;
              return compared.base.bytes[offset] === bytes[offset] ? '' : 'differs';
            }
            return access === undefined ? '' : byteAccess(offset, access);
          }}
          title={(offset) => {
            const byte = latest.current?.bytes[offset] ?? 0;
            const who = writtenText(latest.current, offset);
            return `${hex(offset, 2)}: ${byteText(byte)}\n${who[0]!.toUpperCase()}${who.slice(1)}`;
          }}
          selected={selectByte}
          edit={
            connected
              ? (offset, value) => void put(offset, 1, BigInt(value), `byte ${hex(offset, 2)}`)
              : undefined
          }
        />
        <div className="config-byte-line small" data-testid="config-byte-line">
          {cursor < 0 ? (
            <>
              <span className="legend-entry">
                <span className="legend" data-mark="rw">
                  00
                </span>{' '}
                written by a driver
              </span>
              <span className="legend-entry">
                <span className="legend" data-mark="w1c">
                  00
                </span>{' '}
                cleared by writing 1
              </span>
            </>
          ) : (
            <>
              <span className="mono">{hex(cursor, 2)}</span> {writtenText(space, cursor)}
              {access !== undefined && (
                <span className="dim">
                  {access.writable[cursor] ? (
                    <>
                      {', driver writes '}
                      <span className="mono">{hex(access.writable[cursor]!, 2)}</span>
                    </>
                  ) : (
                    ''
                  )}
                  {access.clearable[cursor] ? (
                    <>
                      {', clears '}
                      <span className="mono">{hex(access.clearable[cursor]!, 2)}</span>
                    </>
                  ) : (
                    ''
                  )}
                  {access.writable[cursor] || access.clearable[cursor] ? '' : ', read-only for a driver'}
                </span>
              )}
            </>
          )}
        </div>
      </div>
      {compare !== '' ? (
        <div className="config-tree" data-testid="config-compare-list">
          {sidesProblem !== '' ? (
            <Empty testId="config-compare-problem">{sidesProblem}</Empty>
          ) : differences === undefined ? (
            <Empty>Reading what to compare with.</Empty>
          ) : (
            <Differences
              differences={differences}
              base={sides?.base.title ?? ''}
              other={sides?.other?.title ?? 'Now'}
              onSelect={(offset, length) => {
                setCursor(offset);
                grid.current?.light(offset, offset + length);
              }}
            />
          )}
        </div>
      ) : (
        <div
          ref={tree}
          className="config-tree"
          role="tree"
          tabIndex={0}
          aria-label="Decoded configuration space"
          aria-activedescendant={selected === '' ? undefined : `config-node-${selected.replaceAll('/', '-')}`}
          onKeyDown={onTreeKey}
        >
          {flat.map((one) => (
            <NodeRow
              key={one.path}
              flat={one}
              access={
                access === undefined || one.node.value === undefined ? undefined : accessOf(one.node, access)
              }
              open={open.has(one.path)}
              selected={one.path === selected}
              editing={one.path === editing}
              onSelect={select}
              onToggle={toggle}
              onEdit={setEditing}
              onWrite={writeNode}
              onTurn={turn}
            />
          ))}
        </div>
      )}
    </div>
  );
}

async function exported(): Promise<string> {
  const device = selectedDevice();
  if (device === undefined) throw new Error('No device is selected');
  return (await client.call('config.export', { device: device.id })).text;
}

async function takeSnapshot(): Promise<void> {
  const device = selectedDevice()!;
  const { result, bytes } = await client.ask('config.read', { device: device.id });
  if (bytes === undefined) return;
  const kept = keepSnapshot(`${device.name}, ${clockTime(Date.now())}`, bytes.slice(0, result.size));
  addNotice({ level: 'info', text: `Kept the snapshot ${kept.name}` }, true);
}

/** Choices that outlive the panel. */
const choices = createStore<{
  readonly actor: Actor;
  readonly compare: string;
  /** What it is compared with; empty: the device as it is now. */
  readonly against: string;
}>(() => ({ actor: 'device', compare: '', against: '' }));
const setActor = (actor: Actor): void => choices.setState({ actor });
/** Compared with the device as it is now. */
const setCompare = (compare: string): void => choices.setState({ compare, against: '' });

/** Presses a button that is there only while something is compared. */
async function pressOfComparison(testId: string): Promise<void> {
  await bringForward('config');
  const button = document.querySelector<HTMLButtonElement>(`[data-testid="${testId}"]`);
  if (button !== null) button.click();
  else
    addNotice(
      {
        level: 'info',
        text:
          testId === 'config-forget'
            ? 'Compare with the snapshot that is to be forgotten first'
            : 'Compare with the bytes that the device is to have first',
      },
      true,
    );
}

export function ConfigPanel() {
  const device = useSelectedDevice();
  const connected = useConnected();
  const devices = useStore(lab, (state) => state.devices);
  const kept = useStore(snapshots, (state) => state.all);
  const { actor, compare: chosen, against: other } = useStore(choices);
  const text = useRef<() => string>(() => '');
  const takeText = useCallback((make: () => string) => {
    text.current = make;
  }, []);
  const side = (wanted: string) => knownSide(wanted, device?.id ?? 0, devices, kept);
  const compare = side(chosen);
  const against = compare === '' ? '' : side(other);
  const restore = async () => {
    if (device === undefined) return;
    try {
      await loadConfig(
        device.id,
        (await readSide(device.id, compare)).bytes,
        `Configuration space of ${device.name}`,
      );
    } catch (error) {
      noticeError('Set the bytes', error);
    }
  };
  return (
    <Panel
      name="config"
      title="Config space"
      copy={() => text.current()}
      help={
        <>
          Configuration space as bytes and by its specification names; selecting one lights up the other. Type
          over a byte, tick a bit (Space in the tree), or double-click a value (Enter). Colours say who wrote
          a byte last: <span style={{ color: 'var(--read)' }}>device</span>,{' '}
          <span style={{ color: 'var(--write)' }}>driver</span>,{' '}
          <span style={{ color: 'var(--irq)', textDecoration: 'underline' }}>you</span>. A line below a byte:
          a driver can write it; dotted: it clears it by writing 1.
        </>
      }
      tools={
        device !== undefined && (
          <>
            <DeviceSelect />
            <select
              className="input"
              aria-label="Write as"
              data-testid="config-as"
              value={actor}
              title="As device every bit can be set; as driver read-only bits keep their value"
              onChange={(event) => setActor(event.target.value as Actor)}
            >
              <option value="device">As device</option>
              <option value="driver">As driver</option>
            </select>
            <SideSelect
              label="Compare with"
              title="What differs from power-on, from a trace row, from a snapshot, from another device"
              testId="config-compare"
              none="Compare"
              value={compare}
              device={device.id}
              choose={(to) => choices.setState({ compare: to })}
            />
            {compare !== '' && (
              <SideSelect
                label="What is compared with it"
                title="What is compared with it: the device as it is now, or anything else"
                testId="config-against"
                none="Now"
                value={against}
                device={device.id}
                choose={(to) => choices.setState({ against: to })}
              />
            )}
            {compare !== '' && (
              <Button
                kind="icon"
                disabled={!connected}
                aria-label="Set the device to these bytes"
                title="Set the device to the bytes that it is compared with"
                testId="config-restore"
                command="config.restore"
                onClick={() => void restore()}
              >
                <Undo2 />
              </Button>
            )}
            {compare.startsWith('snapshot:') && (
              <Button
                kind="icon"
                aria-label="Forget this snapshot"
                title="Forget this snapshot"
                testId="config-forget"
                command="config.forget"
                onClick={() => forgetSnapshot(Number(compare.slice(9)))}
              >
                <Eraser />
              </Button>
            )}
            <Button
              kind="icon"
              disabled={!connected}
              aria-label="Keep a snapshot"
              title="Keep a snapshot to compare with"
              testId="config-snapshot"
              command="config.snapshot"
            >
              <Camera />
            </Button>
            <Button
              kind="icon"
              disabled={!connected}
              aria-label="Import lspci text"
              title="Import lspci -xxxx text: compare, set, clone"
              testId="config-import"
              command="config.import"
            >
              <FileUp />
            </Button>
            <Button
              kind="icon"
              disabled={!connected}
              aria-label="Export as lspci text"
              title="Export as lspci -xxxx text"
              command="config.save"
              testId="config-export"
            >
              <FileDown />
            </Button>
          </>
        )
      }
    >
      {device === undefined ? (
        <NoDevice what="No device is selected. Power one on to see its configuration space." />
      ) : (
        <ConfigSpace
          key={device.id}
          device={device.id}
          actor={actor}
          compare={compare}
          against={against}
          onText={takeText}
        />
      )}
      <ImportDialog onCompare={setCompare} />
    </Panel>
  );
}

const some = () => selectedDevice() !== undefined;
commands.register(
  {
    id: 'config.save',
    title: 'Export configuration space as lspci text',
    group: 'Config space',
    enabled: some,
    run: async () => {
      const device = selectedDevice()!;
      saveText(`${(device.name || device.model).replaceAll(/[^\w.-]+/g, '-')}-lspci.txt`, await exported());
    },
  },
  {
    id: 'config.copy',
    title: 'Copy configuration space as lspci text',
    group: 'Config space',
    enabled: some,
    run: () => copyWithNotice('configuration space', exported()),
  },
  {
    id: 'config.snapshot',
    title: 'Keep a snapshot of configuration space',
    group: 'Config space',
    enabled: some,
    run: takeSnapshot,
  },
  {
    id: 'config.compare',
    title: 'Choose what configuration space is compared with',
    group: 'Config space',
    keywords: 'differences diff snapshot device',
    enabled: some,
    run: () => goToPart('config', '[data-testid="config-compare"]'),
  },
  {
    id: 'config.comparePowerOn',
    title: 'Compare configuration space with power-on',
    group: 'Config space',
    keywords: 'differences diff',
    enabled: some,
    run: async () => {
      setCompare('power-on');
      await bringForward('config');
    },
  },
  {
    id: 'config.compareNothing',
    title: 'End the comparison of configuration space',
    group: 'Config space',
    enabled: () => choices.getState().compare !== '',
    run: () => setCompare(''),
  },
  {
    id: 'config.restore',
    title: 'Set configuration space back to what it is compared with',
    group: 'Config space',
    enabled: some,
    run: () => pressOfComparison('config-restore'),
  },
  {
    id: 'config.forget',
    title: 'Forget the snapshot of configuration space that is compared with',
    group: 'Config space',
    enabled: some,
    run: () => pressOfComparison('config-forget'),
  },
  ...(['device', 'driver'] as const).map((actor) => ({
    id: `config.as.${actor}`,
    title: `Write configuration space as ${actor}`,
    group: 'Config space',
    run: () => setActor(actor),
  })),
  {
    id: 'config.import',
    title: 'Import configuration space from lspci text',
    group: 'Config space',
    run: async () => {
      await commands.run('view.config');
      ui.setState({ importDump: true });
    },
  },
);
