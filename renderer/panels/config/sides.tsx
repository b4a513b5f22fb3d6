/** What is compared: power-on, the chosen trace row, another device, a snapshot. */
import { useStore } from 'zustand';
import type { ConfigNode } from '#contract/config.ts';
import type { DeviceSummary } from '#contract/devices.ts';
import { rowOf, chosen as traceChosen } from '#renderer/panels/trace/navigate.ts';
import { client, deviceName, lab } from '#renderer/state/lab.ts';
import { count, instant } from '#renderer/ui/format.ts';
import { bytesOf, hexOf, type Snapshot, snapshots } from './snapshots.ts';

export interface Side {
  readonly title: string;
  readonly bytes: Uint8Array;
  readonly tree: readonly ConfigNode[];
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

async function sideOf(title: string, bytes: Uint8Array): Promise<Side> {
  const { tree } = await client.call('config.decode', { bytes: hexOf(bytes) });
  return { title, bytes, tree };
}

/** One side of a comparison: `power-on`, `row`, `device:2`, `snapshot:3`. */
export async function readSide(device: number, side: string): Promise<Side> {
  const [kind, id] = side.split(':');
  switch (kind) {
    case 'device': {
      const other = Number(id);
      const { result, bytes } = await client.ask('config.read', { device: other });
      return { title: deviceName(other), bytes: bytes!.slice(0, result.size), tree: result.tree };
    }
    case 'row': {
      const row = await rowOf(traceChosen.get());
      if (row === undefined) throw new Error('No trace row is chosen; choose one in the MMIO trace.');
      const { bytes } = await client.ask('config.at', { device, time: row.time });
      return sideOf(`row ${count(row.row + 1)} at ${instant(row.time)}`, bytes!.slice());
    }
    case 'snapshot': {
      const snapshot = snapshots.getState().all.find((one) => one.id === Number(id));
      if (snapshot === undefined) throw new Error('The snapshot is gone; choose another.');
      return sideOf(snapshot.name, bytesOf(snapshot.bytes));
    }
    default:
      return sideOf('power-on', (await client.ask('config.powerOn', { device })).bytes!.slice());
  }
}

/** Devices that another one may be compared with. */
function others(devices: readonly DeviceSummary[], device: number): readonly DeviceSummary[] {
  return devices.filter(({ id, state }) => id !== device && state === 'on');
}

/** The side that was chosen, where there still is such a thing; else none. */
export function knownSide(
  side: string,
  device: number,
  devices: readonly DeviceSummary[],
  kept: readonly Snapshot[],
): string {
  const [kind, id] = side.split(':');
  const known =
    kind === 'power-on' ||
    kind === 'row' ||
    (kind === 'snapshot' && kept.some((one) => one.id === Number(id))) ||
    (kind === 'device' && others(devices, device).some((one) => one.id === Number(id)));
  return known ? side : '';
}

/** A list of what may be compared; `none`: what is said where none of it is. */
export function SideSelect(props: {
  label: string;
  title: string;
  testId: string;
  none: string;
  value: string;
  device: number;
  choose(side: string): void;
}) {
  const devices = useStore(lab, (state) => state.devices);
  const kept = useStore(snapshots, (state) => state.all);
  return (
    <select
      className="input config-compare"
      aria-label={props.label}
      data-testid={props.testId}
      title={props.title}
      value={props.value}
      onChange={(event) => props.choose(event.target.value)}
    >
      <option value="">{props.none}</option>
      <option value="power-on">Power-on</option>
      <option value="row">As of the chosen trace row</option>
      {others(devices, props.device).map((one) => (
        <option key={one.id} value={`device:${one.id}`}>
          {one.name}
        </option>
      ))}
      {kept.map((one) => (
        <option key={one.id} value={`snapshot:${one.id}`}>
          {one.name}
        </option>
      ))}
    </select>
  );
}
