import { Copy } from 'lucide-react';
import { type RefObject, useCallback, useState } from 'react';
import { useStore } from 'zustand';
import type { DmaMapping, PeerWindow } from '#contract/dma.ts';
import type { CallResult } from '#contract/index.ts';
import { client, deviceName, lab } from '#renderer/state/lab.ts';
import { errorText } from '#renderer/state/notices.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { count, duration, hex, parseSize, parseValue, bytes as size } from '#renderer/ui/format.ts';
import { Button, DeviceDot, Empty, Hex, useConnected, usePolling } from '#renderer/ui/parts.tsx';
import { type PrpPiece, walkPrps } from './prp.ts';

/** Of CC.MPS. */
const PAGE_SIZES = Array.from({ length: 16 }, (_, shift) => 4096 << shift);

const glyphs = { both: '⇄', 'to device': '→', 'from device': '←' } as const;

function mappingText(one: DmaMapping): string {
  return `${hex(one.address, 8)}\t${size(one.size)}\t${one.direction}\t${duration(one.age)}`;
}

/** What is shown, as text, for whoever copies the panel. */
type Text = RefObject<() => string>;

/** What the driver has mapped for the device now. */
export function Mappings(props: { device: number; onRead: (address: number) => void; text: Text }) {
  const { device, onRead, text } = props;
  const [shown, setShown] = useState<CallResult<'dma.mappings'> | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const refresh = useCallback(async () => {
    try {
      setShown(await client.call('dma.mappings', { device }));
      setProblem('');
    } catch (error) {
      setProblem(errorText(error).text);
    }
  }, [device]);
  usePolling(refresh, 500);
  text.current = () => {
    const lines = [...(shown?.mappings ?? [])].sort((a, b) => a.address - b.address).map(mappingText);
    if ((shown?.total ?? 0) > lines.length)
      lines.push(`These are the first ${count(lines.length)} of ${count(shown!.total)} mappings`);
    return lines.join('\n');
  };
  if (problem !== '') return <Empty>{problem}</Empty>;
  if (shown === undefined) return <Empty>Reading the mappings.</Empty>;
  if (!shown.supported)
    return <Empty testId="mappings-none">This host does not tell what the driver mapped.</Empty>;
  if (shown.mappings.length === 0) {
    return (
      <Empty testId="mappings-none">
        The driver has nothing mapped for this device. What it maps appears here, and everything else is
        refused.
      </Empty>
    );
  }
  const sorted = [...shown.mappings].sort((a, b) => a.address - b.address);
  return (
    <div className="mappings" data-testid="mappings">
      <div className="disk-path">
        <span className="dim grow">
          {`${count(shown.total)} mappings, ${size(sorted.reduce((sum, one) => sum + one.size, 0))}`}
          {shown.total > sorted.length && `; the first ${count(sorted.length)} are shown`}
        </span>
        <Button
          kind="icon quiet"
          aria-label="Copy the mappings"
          title="Copy the mappings"
          onClick={() => void copyWithNotice('the mappings', sorted.map(mappingText).join('\n'))}
        >
          <Copy />
        </Button>
      </div>
      <table>
        <thead>
          <tr>
            <th scope="col">Address</th>
            <th scope="col">Size</th>
            <th scope="col">Direction</th>
            <th scope="col">Age</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((one, at) => (
            // Memory can be mapped several times at once.
            // biome-ignore lint/suspicious/noArrayIndexKey: nothing else tells those apart
            <tr key={at} data-testid="mapping" data-address={one.address}>
              <td>
                <button
                  type="button"
                  className="link"
                  title="Read this memory"
                  onClick={() => onRead(one.address)}
                >
                  <Hex>{hex(one.address, 8)}</Hex>
                </button>
              </td>
              <td className="mono">{size(one.size)}</td>
              <td>{`${glyphs[one.direction]} ${one.direction}`}</td>
              <td className="mono dim">{duration(one.age)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Such as `NVMe disk, BAR0`. */
function ownerText({ device, bar }: PeerWindow): string {
  return device === 0 ? 'module parameter p2p_regions' : `${deviceName(device)}, BAR${bar}`;
}

function windowText(one: PeerWindow): string {
  const state = one.decoding ? '' : 'memory decoding is off';
  return `${ownerText(one)}\t${hex(one.address, 8)}\t${size(one.size)}\t${state}`.trimEnd();
}

/** Such as `NVMe disk, BAR0+0x1000`; empty where no window has the address. */
export function peerPlace(windows: readonly PeerWindow[], address: number): string {
  const found = windows.find((one) => address >= one.address && address < one.address + one.size);
  return found === undefined ? '' : `${ownerText(found)}+${hex(address - found.address)}`;
}

/** The memory of other devices that this one may reach. */
export function PeerWindows(props: { device: number; onRead: (address: number) => void; text: Text }) {
  const { device, onRead, text } = props;
  const [windows, setWindows] = useState<readonly PeerWindow[] | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const descriptions = useStore(lab, (state) => state.descriptions);
  const refresh = useCallback(async () => {
    try {
      setWindows((await client.call('dma.peers', { device })).windows);
      setProblem('');
    } catch (error) {
      setProblem(errorText(error).text);
    }
  }, [device]);
  usePolling(refresh, 1000);
  text.current = () => (windows ?? []).map(windowText).join('\n');
  if (problem !== '') return <Empty>{problem}</Empty>;
  if (windows === undefined) return <Empty>Reading where the other devices are.</Empty>;
  if (windows.length === 0) {
    return (
      <Empty testId="peers-none" action={<Button command="device.powerOn">Power on another device</Button>}>
        There is no other device whose memory this one could reach. The BARs of a second one appear here.
      </Empty>
    );
  }
  return (
    <div className="mappings" data-testid="peers">
      <div className="dim disk-path">
        What this device transfers to and from them crosses no host memory; the other device sees it as a
        driver's access.
      </div>
      <table>
        <thead>
          <tr>
            <th scope="col">Address</th>
            <th scope="col">Size</th>
            <th scope="col">Memory of</th>
            <th scope="col" />
          </tr>
        </thead>
        <tbody>
          {windows.map((one) => (
            <tr key={one.address} data-testid="peer-window" data-address={one.address}>
              <td>
                <button
                  type="button"
                  className="link"
                  title="Read this memory through the device"
                  onClick={() => onRead(one.address)}
                >
                  <Hex>{hex(one.address, 8)}</Hex>
                </button>
              </td>
              <td className="mono">{size(one.size)}</td>
              <td>
                {one.device > 0 && <DeviceDot id={one.device} />} {ownerText(one)}{' '}
                <span className="dim">
                  {descriptions.get(one.device)?.bars.find(({ index }) => index === one.bar)?.title}
                </span>
              </td>
              <td className="dim">{one.decoding ? '' : 'memory decoding is off'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function pieceText(one: PrpPiece): string {
  return `${one.from}\t${hex(one.address, 8)}\t${size(one.length)}\t${one.problem}`.trimEnd();
}

/** What a walk begins with, as it stands in the form. */
export interface PrpStart {
  readonly prp1: string;
  readonly prp2: string;
  readonly length: string;
  /** Bytes of a memory page: CC.MPS. */
  readonly page: string;
  /** All of it lies where PRP1 leads. */
  readonly contiguous: boolean;
  /** The command that it was taken from. */
  readonly about: string;
}

/** Where the data of a command lies, from its PRP entries. */
export function PrpWalk(props: {
  device: number;
  first: PrpStart;
  onRead: (address: number) => void;
  text: Text;
}) {
  const [prp1, setPrp1] = useState(props.first.prp1);
  const [prp2, setPrp2] = useState(props.first.prp2);
  const [length, setLength] = useState(props.first.length);
  const [page, setPage] = useState(props.first.page);
  const [problem, setProblem] = useState('');
  const [pieces, setPieces] = useState<readonly PrpPiece[] | undefined>(undefined);
  const connected = useConnected();
  props.text.current = () =>
    [`PRP1 ${prp1}\tPRP2 ${prp2}\tLength ${length}`, ...(pieces ?? []).map(pieceText)].join('\n');
  const walk = async () => {
    const [one, two, bytes] = [parseValue(prp1, 8), parseValue(prp2, 8), parseSize(length)];
    if ('problem' in one) return setProblem(`PRP1: ${one.problem}`);
    if ('problem' in two) return setProblem(`PRP2: ${two.problem}`);
    if (one.value >> 52n !== 0n || two.value >> 52n !== 0n) {
      return setProblem('A bus address has at most 52 bits');
    }
    const pageSize = parseSize(page);
    if (bytes === undefined || bytes < 1 || bytes > 64 * 2 ** 20) return setProblem('Length: 1 B to 64 MiB');
    if (pageSize === undefined || !PAGE_SIZES.includes(pageSize)) {
      return setProblem('Page: a power of two from 4 KiB to 128 MiB, as CC.MPS says');
    }
    const start = { prp1: Number(one.value), prp2: Number(two.value), contiguous: props.first.contiguous };
    try {
      setPieces(
        await walkPrps(start, bytes, pageSize, async (address, wanted) => {
          const answer = await client.ask('dma.readMemory', {
            device: props.device,
            address,
            length: wanted,
          });
          return answer.bytes ?? new Uint8Array();
        }),
      );
      setProblem('');
    } catch (error) {
      setPieces(undefined);
      setProblem(errorText(error).text);
    }
  };
  const field = (label: string, testId: string, value: string, set: (text: string) => void, width = 19) => (
    <label>
      {label}{' '}
      <input
        className="input mono"
        style={{ width: `${width}ch` }}
        data-testid={testId}
        value={value}
        spellCheck={false}
        onChange={(event) => set(event.target.value)}
      />
    </label>
  );
  return (
    <div className="mappings">
      <form
        className="memory-bar"
        onSubmit={(event) => {
          event.preventDefault();
          void walk();
        }}
      >
        {field('PRP1', 'prp1', prp1, setPrp1)}
        {field('PRP2', 'prp2', prp2, setPrp2)}
        {field('Length', 'prp-length', length, setLength, 9)}
        {field('Page', 'prp-page', page, setPage, 9)}
        <Button type="submit" disabled={!connected} testId="prp-walk">
          Walk
        </Button>
      </form>
      {props.first.about !== '' && (
        <div className="dim small" data-testid="prp-about">
          {props.first.about}
        </div>
      )}
      {problem !== '' && (
        <div className="message" data-level="error" role="alert" data-testid="prp-problem">
          {problem}
        </div>
      )}
      {pieces === undefined ? (
        <Empty>
          The PRP entries of a command and how many bytes it moves. A submission entry in the list of
          transfers fills them in.
        </Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Entry</th>
              <th scope="col">Address</th>
              <th scope="col">Length</th>
              <th scope="col" />
            </tr>
          </thead>
          <tbody>
            {pieces.map((one) => (
              <tr key={one.from} data-testid="prp-piece">
                <td className="mono">{one.from}</td>
                <td>
                  <button type="button" className="link" onClick={() => props.onRead(one.address)}>
                    <Hex>{hex(one.address, 8)}</Hex>
                  </button>
                </td>
                <td className="mono">{size(one.length)}</td>
                <td className="error-text">{one.problem}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
