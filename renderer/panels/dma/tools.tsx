import { Copy } from 'lucide-react';
import { type RefObject, useCallback, useState } from 'react';
import { useStore } from 'zustand';
import type { DmaMapping, PeerWindow } from '#contract/dma.ts';
import type { CallResult } from '#contract/index.ts';
import { client, deviceName, lab } from '#renderer/state/lab.ts';
import { errorText } from '#renderer/state/notices.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { count, duration, hex, bytes as size } from '#renderer/ui/format.ts';
import { Button, DeviceDot, Empty, usePolling } from '#renderer/ui/parts.tsx';
import { MemoryCells, MemoryTable } from './memory-table.tsx';

const glyphs = { both: '⇄', 'to device': '→', 'from device': '←' } as const;

function mappingText(one: DmaMapping): string {
  return `${hex(one.address, 8)}\t${size(one.size)}\t${one.direction}\t${duration(one.age)}`;
}

/** What is shown, as text, for whoever copies the panel. */
export type Text = RefObject<() => string>;

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
      <MemoryTable heads={['Address', 'Size', 'Direction', 'Age']}>
        {sorted.map((one, at) => (
          // Memory can be mapped several times at once.
          // biome-ignore lint/suspicious/noArrayIndexKey: nothing else tells those apart
          <tr key={at} data-testid="mapping" data-address={one.address}>
            <MemoryCells address={one.address} length={one.size} onRead={onRead} />
            <td>{`${glyphs[one.direction]} ${one.direction}`}</td>
            <td className="mono dim">{duration(one.age)}</td>
          </tr>
        ))}
      </MemoryTable>
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
      <MemoryTable heads={['Address', 'Size', 'Memory of', '']}>
        {windows.map((one) => (
          <tr key={`${one.device} ${one.address}`} data-testid="peer-window" data-address={one.address}>
            <MemoryCells address={one.address} length={one.size} onRead={onRead} />
            <td>
              {one.device > 0 && <DeviceDot id={one.device} />} {ownerText(one)}{' '}
              <span className="dim">
                {descriptions.get(one.device)?.bars.find(({ index }) => index === one.bar)?.title}
              </span>
            </td>
            <td className="dim">{one.decoding ? '' : 'memory decoding is off'}</td>
          </tr>
        ))}
      </MemoryTable>
    </div>
  );
}
