import { ArrowUpToLine, Copy, ListTree, Pause, Play, X } from 'lucide-react';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { WireDescription } from '#contract/devices.ts';
import type { DmaEntry } from '#contract/dma.ts';
import { commands } from '#renderer/app-commands.ts';
import { bringForward, goToPart } from '#renderer/dock/focus.ts';
import { openAccess } from '#renderer/panels/trace/navigate.ts';
import { askPast, client, deviceName, lab, registerIndex, selectDevice } from '#renderer/state/lab.ts';
import { addNotice, errorText, noticeError } from '#renderer/state/notices.ts';
import { settings } from '#renderer/state/settings.ts';
import { ui } from '#renderer/state/ui.ts';
import { pixels } from '#renderer/theme/theme.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { el, setHexText, setText } from '#renderer/ui/dom.ts';
import { count, duration, hex, instant, parseSize, parseValue, bytes as size } from '#renderer/ui/format.ts';
import { type HexGrid, hexDump } from '#renderer/ui/hex-grid.ts';
import { HexView } from '#renderer/ui/hex-view.tsx';
import {
  Button,
  DeviceSelect,
  Empty,
  Hex,
  NoDevice,
  Panel,
  useConnected,
  usePolling,
} from '#renderer/ui/parts.tsx';
import { useShown } from '#renderer/ui/shown.ts';
import { VirtualRows } from '#renderer/ui/virtual-rows.ts';
import { contentText, type DecodedPart, decodeTransfer } from './entries.ts';
import { Fields } from './fields.tsx';
import { isTransfer, mergeEntries, newestText } from './list.ts';
import { decodeCommands } from './protopciem.ts';
import { Mappings, PeerWindows, peerPlace } from './tools.tsx';
import { Walk } from './walk.tsx';
import { emptyStart, walkOf } from './walk-start.ts';
import './dma.css';

const PAGE = 200;
/** Most that the lab tells at once. */
const SOUGHT_PAGE = 1000;
const heads = ['Time', 'Direction', 'Carries', 'Address', 'Length', 'Latency', 'Status', 'Cause'];

/** What is looked at in the pane beside the list. */
type Shown =
  | {
      readonly kind: 'entry';
      readonly device: number;
      readonly entry: DmaEntry;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'memory';
      readonly device: number;
      /** Another device's, not the host's. */
      readonly peer: boolean;
      readonly address: number;
      readonly bytes: Uint8Array;
    };

export function entryText(entry: DmaEntry): string {
  return [
    instant(entry.time),
    deviceName(entry.device),
    entry.direction === 'read' ? 'DMA read' : 'DMA write',
    hex(entry.address, 8),
    size(entry.length),
    entry.peer ? `peer to peer, ${entry.status}` : entry.status,
    entry.cause > 0 ? `#${entry.cause}` : '',
  ].join('\t');
}

/** Where a device's list ends, and why. */
function endText({ transfers, kept }: { readonly transfers: number; readonly kept: number }): string {
  return transfers > kept
    ? `The last ${count(kept)} transfers of a device are kept; the ${count(transfers - kept)} before them are gone`
    : 'Nothing was transferred before';
}

/** Such as `SQ1TDBL #17`. */
function causeText({ device, cause, place }: DmaEntry): string {
  if (cause === 0) return '';
  if (place === undefined) return `#${cause}`;
  const { bar, offset } = place;
  if (bar === 'config') return `config ${hex(offset, 3)} #${cause}`;
  const hit = registerIndex(device)?.find(bar, offset);
  if (hit === undefined) return `BAR${bar}+${hex(offset)} #${cause}`;
  return `${hit.register.name}${hit.delta === 0 ? '' : `+${hit.delta}`} #${cause}`;
}

function openCause({ device, cause, time }: DmaEntry): Promise<void> {
  return openAccess(device, cause, time);
}

function createRow(): HTMLElement {
  const row = el('div', 'dma-row', { role: 'row', 'data-testid': 'dma-row' });
  for (let at = 0; at < heads.length; at++) row.append(el('span', '', { role: 'gridcell' }));
  return row;
}

function createHead(): HTMLElement {
  const head = el('div', 'dma-head', { role: 'row' });
  for (const title of heads) {
    const cell = el('span', '', { role: 'columnheader' });
    cell.textContent = title;
    head.append(cell);
  }
  return head;
}

/** What a transfer carries, in words; empty where nothing is known of it. */
function partsOf(shown: Shown, description: WireDescription | undefined): readonly DecodedPart[] {
  if (shown.kind !== 'entry') return [];
  const { entry, bytes } = shown;
  if (description?.model === 'protopciem' && entry.direction === 'read') {
    const fields = decodeCommands(bytes, entry.length);
    const title = 'ProtoPCIem command buffer: offsets of its first records';
    return fields === undefined ? [] : [{ title, fields }];
  }
  return decodeTransfer(entry, bytes, description);
}

function Decoded({ shown }: { shown: Shown }) {
  const description = useStore(lab, (state) => state.descriptions.get(shown.device));
  const parts = useMemo(() => partsOf(shown, description), [shown, description]);
  if (parts.length === 0) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it
    <section className="dma-decoded" data-testid="dma-decoded" aria-label="Fields" tabIndex={0}>
      {parts.map(({ title, fields }) => (
        <section key={title} aria-label={title}>
          <div className="dim">{title}</div>
          <Fields fields={fields} />
        </section>
      ))}
    </section>
  );
}

/** How long a transfer took, and from when to when that is. */
function tookText({ took, together }: DmaEntry): { text: string; title: string } {
  if (took < 0) {
    return { text: '', title: 'Not measured: the clock is looked at only while a window is open' };
  }
  const others = together === 1 ? '' : `, with ${count(together - 1)} more transfers and interrupts at once`;
  return {
    text: duration(took),
    title: `From when the device handed the transfer to the host to when the host had done it${others}`,
  };
}

/** The device and BAR that a peer-to-peer transfer reached, as they are now. */
function PeerPlace({ device, address }: { device: number; address: number }) {
  const [place, setPlace] = useState('');
  useEffect(() => {
    let current = true;
    setPlace('');
    client.call('dma.peers', { device }).then(
      ({ windows }) => {
        if (current) setPlace(peerPlace(windows, address));
      },
      // It has left the bus.
      () => {},
    );
    return () => {
      current = false;
    };
  }, [device, address]);
  return place === '' ? null : <span data-testid="dma-peer">{place}</span>;
}

function Detail({ shown, onClose }: { shown: Shown; onClose: () => void }) {
  const grid = useRef<HexGrid | undefined>(undefined);
  const address = shown.kind === 'entry' ? shown.entry.address : shown.address;
  const took = shown.kind === 'entry' ? tookText(shown.entry) : { text: '', title: '' };
  useLayoutEffect(() => grid.current?.setData(shown.bytes, shown.bytes.length, 0, address), [shown, address]);
  return (
    <>
      <div className="dma-detail-head">
        {shown.kind === 'entry' ? (
          <>
            <span>{shown.entry.direction === 'read' ? 'Device read' : 'Device wrote'}</span>
            <Hex>{hex(shown.entry.address, 8)}</Hex>
            <span className="dim">
              {size(shown.entry.length)}, {shown.entry.peer && 'peer to peer, '}
              {shown.entry.status}
              {shown.entry.captured < shown.entry.length && `, first ${size(shown.entry.captured)} kept`}
            </span>
            {shown.entry.peer && <PeerPlace device={shown.device} address={address} />}
            <span className="dim" title={took.title} data-testid="dma-took">
              {took.text === '' ? 'latency not measured' : `took ${took.text}`}
            </span>
            {shown.entry.cause > 0 && (
              <Button
                kind="quiet"
                testId="dma-cause"
                title="Show the access that asked for it in the trace (Enter on its row)"
                onClick={() => void openCause(shown.entry)}
              >
                <ListTree /> {causeText(shown.entry)}
              </Button>
            )}
          </>
        ) : (
          <>
            <span>{`${shown.peer ? 'Peer' : 'Host'} memory through ${deviceName(shown.device)}, at`}</span>
            <Hex>{hex(shown.address, 8)}</Hex>
            <span className="dim">{size(shown.bytes.length)}</span>
            {shown.peer && <PeerPlace device={shown.device} address={address} />}
          </>
        )}
        <span className="grow" />
        <Button
          kind="icon quiet"
          aria-label="Copy the bytes"
          title="Copy the bytes"
          onClick={() => void copyWithNotice(size(shown.bytes.length), hexDump(shown.bytes, address))}
        >
          <Copy />
        </Button>
        <Button kind="icon quiet" aria-label="Close the bytes" title="Close" onClick={onClose}>
          <X />
        </Button>
      </div>
      {shown.bytes.length === 0 ? (
        <Empty>No bytes of this transfer were kept.</Empty>
      ) : (
        <HexView
          label="Bytes of the transfer"
          byteTestId="dma-byte"
          onGrid={(made) => {
            grid.current = made;
            made?.setData(shown.bytes, shown.bytes.length, 0, address);
          }}
        />
      )}
      <Decoded shown={shown} />
    </>
  );
}

/** Memory through the device's DMA, by hand. */
function MemoryBar(props: {
  device: number;
  /** An address that another part of the panel names. */
  wanted: { readonly address: number; readonly peer: boolean } | undefined;
  onRead: (shown: Shown) => void;
}) {
  const { device, onRead, wanted } = props;
  const [address, setAddress] = useState('');
  const [length, setLength] = useState('256');
  const [data, setData] = useState('');
  const [problem, setProblem] = useState('');
  const peer = useStore(choices, (state) => state.peerMemory);
  const connected = useConnected();
  const place = (): number | undefined => {
    const parsed = parseValue(address, 8);
    if ('problem' in parsed) {
      setProblem(`Address: ${parsed.problem}`);
      return undefined;
    }
    if (parsed.value >= 1n << 52n) {
      setProblem('Address: a bus address has at most 52 bits');
      return undefined;
    }
    setProblem('');
    return Number(parsed.value);
  };
  const read = async (at = place(), peer = choices.getState().peerMemory) => {
    if (at === undefined) return;
    const wanted = parseSize(length);
    if (wanted === undefined || wanted < 1 || wanted > 65536) return setProblem('Length: 1 B to 64 KiB');
    try {
      const { bytes } = await client.ask('dma.readMemory', { device, peer, address: at, length: wanted });
      onRead({ kind: 'memory', device, peer, address: at, bytes: bytes ?? new Uint8Array() });
    } catch (error) {
      const { text, hint } = errorText(error);
      setProblem(hint === '' ? text : `${text}. ${hint}`);
    }
  };
  const readNow = useRef(read);
  readNow.current = read;
  useEffect(() => {
    if (wanted === undefined) return;
    setAddress(hex(wanted.address));
    choices.setState({ peerMemory: wanted.peer });
    void readNow.current(wanted.address, wanted.peer);
  }, [wanted]);
  const write = async () => {
    const at = place();
    if (at === undefined) return;
    const digits = data.replaceAll(/[\s,]|0x/gi, '');
    if (!/^([0-9a-f]{2})+$/i.test(digits))
      return setProblem('Bytes: pairs of hexadecimal digits, such as 01 ff 7e');
    if (digits.length > 8192) return setProblem('Bytes: at most 4096 at once');
    try {
      await client.call('dma.writeMemory', { device, peer, address: at, bytes: digits.toLowerCase() });
      await read(at, peer);
    } catch (error) {
      const { text, hint } = errorText(error);
      setProblem(hint === '' ? text : `${text}. ${hint}`);
    }
  };
  return (
    <form
      className="memory-bar"
      onSubmit={(event) => {
        event.preventDefault();
        void read();
      }}
    >
      <span className="memory-group">
        <label>
          <select
            className="input"
            aria-label="Which memory"
            data-testid="memory-space"
            title="The host's memory, as the driver mapped it, or memory of another device, by its address as the CPU sees it"
            value={peer ? 'peer' : 'host'}
            onChange={(event) => choices.setState({ peerMemory: event.target.value === 'peer' })}
          >
            <option value="host">Host memory at</option>
            <option value="peer">Peer memory at</option>
          </select>{' '}
          <input
            className="input mono"
            style={{ width: '15ch' }}
            aria-label="Memory at"
            data-testid="memory-address"
            placeholder="0x100000"
            value={address}
            onChange={(event) => setAddress(event.target.value)}
          />
        </label>
        <label>
          Length{' '}
          <input
            className="input mono"
            style={{ width: '8ch' }}
            data-testid="memory-length"
            value={length}
            onChange={(event) => setLength(event.target.value)}
          />
        </label>
        <Button type="submit" disabled={!connected} testId="memory-read">
          Read memory
        </Button>
      </span>
      <span className="memory-group grow">
        <label className="grow memory-bytes">
          Bytes{' '}
          <input
            className="input mono grow"
            data-testid="memory-bytes"
            placeholder="01 ff 7e"
            value={data}
            onChange={(event) => setData(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' || data.trim() === '') return;
              // Enter in this form reads; here it writes what was typed.
              event.preventDefault();
              void write();
            }}
          />
        </label>
        <Button
          disabled={!connected || data.trim() === ''}
          onClick={() => void write()}
          testId="memory-write"
        >
          Write memory
        </Button>
      </span>
      {problem !== '' && (
        <span
          className="error-text small"
          role="alert"
          style={{ flexBasis: '100%' }}
          data-testid="memory-problem"
        >
          {problem}
        </span>
      )}
    </form>
  );
}

const help =
  'Every transfer between the device and host memory, newest first. Select one to see its bytes, Escape closes them; Enter shows the access that asked for it in the trace; Space resumes the list. Enter in the field of bytes writes them. Memory at an address is read and written through the device, so only what a driver mapped can be reached on a real host; peer memory is that of other devices.';

const dmaParts = [
  { id: 'transfers', title: 'Transfers' },
  { id: 'refused', title: 'Refused ones' },
  { id: 'mappings', title: 'Mappings' },
  { id: 'prp', title: 'PRP or SGL walk' },
  { id: 'peers', title: 'Peer-to-peer windows' },
] as const;
type DmaPart = (typeof dmaParts)[number]['id'];

/** Choices that outlive the panel. */
const choices = createStore<{
  readonly paused: boolean;
  readonly refused: boolean;
  readonly part: Exclude<DmaPart, 'refused'>;
  /** Memory by hand is another device's, not the host's. */
  readonly peerMemory: boolean;
}>(() => ({ paused: false, refused: false, part: 'transfers', peerMemory: false }));
const setPaused = (paused: boolean): void => choices.setState({ paused });

function showPart(part: DmaPart): void {
  choices.setState({ refused: part === 'refused', part: part === 'refused' ? 'transfers' : part });
}

/** The list; undefined while the panel is closed. */
let list: VirtualRows | undefined;

function DmaView() {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<VirtualRows | undefined>(undefined);
  const entries = useRef<readonly DmaEntry[]>([]);
  const loadingOlder = useRef(false);
  const removed = useStore(lab, (state) => state.removed);
  const device = useStore(lab, (state) => state.removed || state.selected);
  const hasDevice = device > 0;
  const density = useStore(settings, (state) => state.density);
  const { paused, refused, part } = useStore(choices);
  const [empty, setEmpty] = useState(true);
  const [total, setTotal] = useState(0);
  const [kept, setKept] = useState(0);
  const totals = useRef({ transfers: 0, kept: 0 });
  /** The oldest transfer that there is was read. */
  const ended = useRef(false);
  const [shown, setShown] = useState<Shown | undefined>(undefined);
  const [wanted, setWanted] = useState<{ readonly address: number; readonly peer: boolean } | undefined>(
    undefined,
  );
  const readAt = (address: number) => setWanted({ address, peer: false });
  const readPeer = (address: number) => setWanted({ address, peer: true });
  const description = useStore(lab, (state) => state.descriptions.get(device));
  const [sizes, setSizes] = useState({ block: 512, page: 4096 });
  // Memory that is read on the way through a walk takes the place of the command that it began with.
  const command = useRef<Extract<Shown, { kind: 'entry' }> | undefined>(undefined);
  if (shown?.kind === 'entry') command.current = shown;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the command is what was shown last
  const walk = useMemo(() => {
    const { current } = command;
    return current && walkOf(current.entry, current.bytes, description, sizes);
  }, [shown, description, sizes]);
  const walkKey = walk === undefined ? `${sizes.page}` : Object.values(walk).join(' ');
  useEffect(() => {
    if (part !== 'prp' || description?.commandFormats === undefined) return;
    let current = true;
    // How large blocks and pages are, a driver sets.
    client.call('disk.inspect', { device, quiet: true }).then(
      ({ namespace, pageSize }) => {
        if (current) setSizes({ block: namespace.blockSize, page: pageSize });
      },
      () => {},
    );
    return () => {
      current = false;
    };
  }, [part, device, description]);
  const epoch = useRef(0);
  const onScreen = useShown();
  /** Of the part that is shown instead of the transfers. */
  const text = useRef<() => string>(() => '');

  const fetchPage = useCallback(
    async (before: number, most = PAGE) => {
      if (device === 0) return;
      const at = epoch.current;
      const { result } = await client.ask('dma.list', {
        device,
        before,
        count: most,
        ...(refused ? { refused } : {}),
      });
      if (at !== epoch.current) return;
      const known = entries.current;
      // A lab that starts anew counts from 1 again.
      if (known.length > 0 && result.newest < known[0]!.id) entries.current = [];
      const top = view.current?.top ?? 0;
      const first = known[0]?.id;
      entries.current = mergeEntries(entries.current, result.entries);
      // An older page, or a list that starts anew, tells whether there is more; what was added at its top does not.
      if (before > 0 || entries.current === result.entries) ended.current = result.entries.length < most;
      const rows = view.current;
      if (rows !== undefined) {
        totals.current = result;
        rows.setCount(entries.current.length + (ended.current && entries.current.length > 0 ? 1 : 0));
        if (top > 0 && first !== undefined)
          rows.shift(entries.current.findIndex((entry) => entry.id === first));
        rows.refresh();
      }
      setEmpty(entries.current.length === 0);
      setTotal(result.transfers);
      setKept(result.kept);
    },
    [device, refused],
  );
  const olderRef = useRef(fetchPage);
  olderRef.current = fetchPage;

  /** What is listed is no longer what the panel began with. */
  const other = useRef(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another device, another list
  useEffect(() => {
    epoch.current++;
    entries.current = [];
    ended.current = false;
    view.current?.setCount(0);
    setEmpty(true);
    setTotal(0);
    if (other.current) setPaused(false);
    other.current = true;
    if (onScreen) void fetchPage(0).catch(() => {});
  }, [device, refused]);
  // Bytes of one device say nothing about another.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another device
  useEffect(() => {
    command.current = undefined;
    setShown(undefined);
    setWanted(undefined);
    setSizes({ block: 512, page: 4096 });
  }, [device]);
  usePolling(paused ? undefined : () => fetchPage(0), 200);

  const shownDevice = useRef(device);
  shownDevice.current = device;
  const show = useCallback(async (entry: DmaEntry) => {
    if (entry.captured === 0)
      return setShown({ kind: 'entry', device: entry.device, entry, bytes: new Uint8Array() });
    try {
      const { result, bytes } = await client.ask('dma.bytes', { id: entry.id });
      // Another device may have been chosen meanwhile.
      if (entry.device !== shownDevice.current) return;
      setShown({
        kind: 'entry',
        device: entry.device,
        entry: result.entry,
        bytes: bytes ?? new Uint8Array(),
      });
    } catch (error) {
      noticeError('Bytes of the transfer', error);
    }
  }, []);

  // A row of the trace leads here.
  const sought = useStore(ui, (state) => state.transfer);
  useEffect(() => {
    if (sought === undefined || sought.device !== device) return;
    if (refused || part !== 'transfers') {
      choices.setState({ refused: false, part: 'transfers' });
      return;
    }
    setPaused(true);
    let given = false;
    const seek = async () => {
      const find = () => entries.current.findIndex((entry) => isTransfer(entry, sought));
      if (find() < 0) await fetchPage(0);
      for (;;) {
        const oldest = entries.current.at(-1);
        if (find() >= 0 || oldest === undefined || oldest.time < sought.time) break;
        await fetchPage(oldest.id, SOUGHT_PAGE);
        if (entries.current.at(-1) === oldest) break;
      }
      if (given) return;
      ui.setState({ transfer: undefined });
      const index = find();
      if (index >= 0) view.current?.select(index);
      else
        addNotice(
          { level: 'info', text: 'This transfer is no longer kept: newer ones took its place' },
          true,
        );
    };
    seek().catch((error) => noticeError('Look for the transfer', error));
    return () => {
      given = true;
    };
  }, [sought, device, refused, part, fetchPage]);

  useLayoutEffect(() => {
    const made = new VirtualRows(host.current!, {
      label: 'DMA transfers, newest first',
      rowHeight: pixels('--row', 22),
      minWidth: 736,
      head: createHead,
      create: createRow,
      render: (index, row) => {
        const entry = entries.current[index];
        const cells = row.children as unknown as HTMLElement[];
        row.dataset.testid = entry === undefined ? 'dma-end' : 'dma-row';
        row.dataset.end = `${entry === undefined}`;
        if (entry === undefined) {
          setText(cells[0]!, endText(totals.current));
          return;
        }
        row.dataset.direction = entry.direction;
        row.dataset.status = entry.status;
        row.dataset.id = `${entry.id}`;
        const known = registerIndex(entry.device);
        const took = tookText(entry);
        setText(cells[0]!, instant(entry.time));
        setText(cells[1]!, entry.direction === 'read' ? 'DMA read' : 'DMA write');
        setText(cells[2]!, contentText(entry, known?.description.commandFormats));
        setHexText(cells[3]!, hex(entry.address, 8));
        setText(cells[4]!, size(entry.length));
        setText(cells[5]!, took.text);
        if (cells[5]!.title !== took.title) cells[5]!.title = took.title;
        setText(cells[6]!, entry.status);
        setText(cells[7]!, causeText(entry));
      },
      visible: (_, last) => {
        const oldest = entries.current.at(-1);
        if (
          last < entries.current.length - 20 ||
          oldest === undefined ||
          ended.current ||
          loadingOlder.current
        )
          return;
        loadingOlder.current = true;
        olderRef
          .current(oldest.id)
          .catch(() => {})
          .finally(() => {
            setTimeout(() => {
              loadingOlder.current = false;
            }, 100);
          });
      },
      selected: (from) => {
        const entry = entries.current[from];
        if (entry === undefined) return;
        setPaused(true);
        void show(entry);
      },
      activated: (at) => {
        const entry = entries.current[at];
        if (entry !== undefined && entry.cause > 0) void openCause(entry);
      },
      copy: (from, to) =>
        void copyWithNotice(
          `${count(to - from)} transfers`,
          entries.current.slice(from, to).map(entryText).join('\n'),
        ),
      // Rows that one reads must not run away.
      scrolled: (top) => {
        if (top > 0) setPaused(true);
      },
      key: (event) => {
        // The rows let go of what is chosen, and keep the key to themselves.
        if (event.key === 'Escape') setShown(undefined);
        if (event.key !== ' ' || event.ctrlKey || event.altKey) return false;
        void commands.run('dma.pause');
        return true;
      },
    });
    made.viewport.dataset.testid = 'dma-rows';
    made.viewport.addEventListener('click', (event) => {
      const cell = (event.target as HTMLElement).closest<HTMLElement>('.dma-row > :last-child');
      const entry = entries.current[Number(cell?.closest<HTMLElement>('.dma-row')?.dataset.row ?? -1)];
      if (entry !== undefined && entry.cause > 0) void openCause(entry);
    });
    view.current = made;
    list = made;
    made.setCount(entries.current.length + (ended.current && entries.current.length > 0 ? 1 : 0));
    return () => {
      view.current = undefined;
      list = undefined;
      made.dispose();
    };
  }, [show]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the density
  useEffect(() => view.current?.setRowHeight(pixels('--row', 22)), [density]);

  return (
    <Panel
      name="dma"
      title="DMA"
      help={help}
      copy={() => {
        if (part !== 'transfers') return text.current();
        const { length } = entries.current;
        const listed = length === 0 || ended.current ? length : undefined;
        return newestText(entries.current, refused ? listed : Math.max(total, length), entryText);
      }}
      tools={
        <>
          <Button aria-pressed={paused} command="dma.pause" testId="dma-pause" title="Stand still (Space)">
            {paused ? <Play /> : <Pause />}
            {paused ? 'Resume' : 'Pause'}
          </Button>
          <Button command="dma.newest" title="Go to the newest transfer and follow" testId="dma-newest">
            <ArrowUpToLine /> Newest
          </Button>
          <DeviceSelect removed />
          <select
            className="input"
            aria-label="What is shown"
            data-testid="dma-part"
            value={part === 'transfers' && refused ? 'refused' : part}
            onChange={(event) => showPart(event.target.value as DmaPart)}
          >
            {dmaParts.map(({ id, title }) => (
              <option key={id} value={id}>
                {title}
              </option>
            ))}
          </select>
          <span className="dim small" data-testid="dma-total">
            {count(total)} transfers
            {total > kept && kept > 0 && `, the last ${count(kept)} kept`}
          </span>
        </>
      }
    >
      {removed > 0 && (
        <div className="message" data-level="info" role="status" data-testid="dma-removed">
          <span className="grow">
            {`${deviceName(removed)} was removed. What it transferred last is kept until another device takes its number.`}
          </span>
          <Button
            testId="dma-forget"
            onClick={() => {
              client
                .call('dma.forget', { device: removed })
                .then(() => {
                  selectDevice(lab.getState().selected);
                  askPast();
                })
                .catch((error) => noticeError('Forget the transfers', error));
            }}
          >
            Forget them
          </Button>
        </div>
      )}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: Escape does what the bytes' button does */}
      <div
        className="dma-split"
        onKeyDown={(event) => {
          if (event.key === 'Escape') setShown(undefined);
        }}
      >
        {part !== 'transfers' && device > 0 && (
          <div className="dma-list dma-tool">
            {removed > 0 ? (
              <Empty>A device that was removed has no mappings, and reaches no memory.</Empty>
            ) : part === 'mappings' ? (
              <Mappings key={device} device={device} onRead={readAt} text={text} />
            ) : part === 'peers' ? (
              <PeerWindows key={device} device={device} onRead={readPeer} text={text} />
            ) : (
              <Walk
                key={`${device} ${walkKey}`}
                device={device}
                first={walk ?? { ...emptyStart, page: `${sizes.page}` }}
                onRead={readAt}
                text={text}
              />
            )}
          </div>
        )}
        <div className="dma-list" hidden={part !== 'transfers' && device > 0}>
          <div ref={host} style={{ display: 'flex', flex: 1, minWidth: 0 }} />
          {empty && (
            <div className="rows-over">
              {hasDevice ? (
                <Empty testId="dma-empty">
                  {refused
                    ? 'No transfer was refused. One outside of what the driver mapped would be here.'
                    : 'No transfer yet. They appear as soon as the device reads or writes host memory.'}
                </Empty>
              ) : (
                <NoDevice what="No device is powered on. Power one on to see what it reads and writes in host memory." />
              )}
            </div>
          )}
        </div>
        {shown !== undefined && (
          <div className="dma-detail" data-testid="dma-detail">
            <Detail
              key={shown.kind === 'entry' ? shown.entry.id : `m${shown.device} ${shown.address}`}
              shown={shown}
              onClose={() => setShown(undefined)}
            />
          </div>
        )}
      </div>
      {device > 0 && removed === 0 && (
        <MemoryBar
          device={device}
          wanted={wanted}
          onRead={(read) => {
            // Another device may have been chosen meanwhile.
            if (read.device === shownDevice.current) setShown(read);
          }}
        />
      )}
    </Panel>
  );
}

export function DmaPanel() {
  const known = useStore(lab, (state) => state.hello !== undefined);
  return known ? (
    <DmaView />
  ) : (
    <Panel name="dma" title="DMA" help={help}>
      {null}
    </Panel>
  );
}

const some = () => lab.getState().selected > 0 && lab.getState().removed === 0;
commands.register(
  {
    id: 'dma.pause',
    title: 'Pause or resume the DMA list',
    group: 'DMA',
    run: () => setPaused(!choices.getState().paused),
  },
  {
    id: 'dma.newest',
    title: 'Go to the newest DMA transfer and follow',
    group: 'DMA',
    run: async () => {
      await bringForward('dma');
      setPaused(false);
      list?.clearSelection();
      list?.scrollTo(0);
    },
  },
  ...dmaParts.map(({ id, title }) => ({
    id: `dma.show.${id}`,
    title: `DMA: show ${id === 'prp' ? 'the PRP or SGL walk' : title.toLowerCase()}`,
    group: 'DMA',
    run: async () => {
      showPart(id);
      await bringForward('dma');
    },
  })),
  {
    id: 'dma.readMemory',
    title: 'Read memory at an address',
    group: 'DMA',
    keywords: 'peek host',
    enabled: some,
    run: () => goToPart('dma', '[data-testid="memory-address"]'),
  },
  {
    id: 'dma.writeMemory',
    title: 'Write bytes to memory',
    group: 'DMA',
    keywords: 'poke host',
    enabled: some,
    run: () => goToPart('dma', '[data-testid="memory-bytes"]'),
  },
);
