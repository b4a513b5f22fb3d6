import { createStore } from 'zustand/vanilla';
import type { DeviceSummary, PastDevice, WireDescription } from '#contract/devices.ts';
import type { LabHealth, LabHello, LabStats } from '#contract/lab.ts';
import { LabClient } from '#renderer/bridge/client.ts';
import type { ConnectionState } from '#renderer/bridge/connection.ts';
import { keep, kept, openKept } from './kept.ts';
import { Live } from './live.ts';
import { addNotice, noticeError } from './notices.ts';
import { RegisterIndex } from './register-index.ts';
import { settings } from './settings.ts';

/** What changes with what a person does. What changes with traffic is in {@link stats} and {@link devicesLive}. */
export interface LabState {
  readonly connection: ConnectionState;
  readonly hello: LabHello | undefined;
  readonly health: LabHealth;
  readonly devices: readonly DeviceSummary[];
  /** Of every device met in this session; those that are gone stay, trace rows still name them. */
  readonly descriptions: ReadonlyMap<number, WireDescription>;
  /** The device that panels show. */
  readonly selected: number;
  /** One that is gone, and is looked at: it was shown when it left, or was chosen since; 0: none, or another arrived since. */
  readonly removed: number;
  /** Devices that are gone, the last one first. */
  readonly past: readonly PastDevice[];
}

export const client = new LabClient();
export const lab = createStore<LabState>(() => ({
  connection: { kind: 'connecting' },
  hello: undefined,
  health: { kernel: [] },
  devices: [],
  descriptions: new Map(),
  selected: 0,
  removed: 0,
  past: [],
}));
export const stats = new Live<LabStats | undefined>(undefined);
/** The same list, with its counters up to date. */
export const devicesLive = new Live<readonly DeviceSummary[]>([]);

const indexes = new Map<number, RegisterIndex>();
const names = new Map<number, string>();

/** Devices that were gone before this window came; what they were is asked when a row of theirs is shown. */
const past = new Set<number>();

export function registerIndex(device: number): RegisterIndex | undefined {
  const index = indexes.get(device);
  if (index === undefined && past.delete(device)) askDescription(device, 0);
  return index;
}
/** Also of devices that have gone. */
export function deviceName(device: number): string {
  return names.get(device) ?? (device === 0 ? '' : `device ${device}`);
}

/** All but what counts up. */
function shape(device: DeviceSummary): string {
  const { events, lost, interrupts, workload, ...rest } = device;
  return JSON.stringify([rest, workload && [workload.running, workload.rate, workload.phase]]);
}

/** Revision of the description that was asked for, by device. */
const asked = new Map<number, number>();
/** Bumped when another lab answers than before. */
let session = 0;
let streamed = false;

function askDescription(id: number, revision: number): void {
  if (asked.get(id) === revision) return;
  asked.set(id, revision);
  const asking = session;
  client.call('devices.describe', { device: id }).then(
    (description) => {
      if (asking !== session) return;
      indexes.set(id, new RegisterIndex(description));
      lab.setState((state) => ({ descriptions: new Map(state.descriptions).set(id, description) }));
    },
    () => {
      // It may be on its way onto or off the bus; the next list tries again.
      if (asking === session) asked.delete(id);
    },
  );
}

export function takeDevices(devices: readonly DeviceSummary[]): void {
  devicesLive.set(devices);
  const state = lab.getState();
  const known = new Set(state.devices.map((device) => device.id));
  for (const device of devices) {
    names.set(device.id, device.name || device.title);
    past.delete(device.id);
    // It may have the number of one that is gone.
    if (!known.has(device.id)) asked.delete(device.id);
    if (device.state === 'on') askDescription(device.id, device.revision);
  }
  const same =
    state.devices.length === devices.length &&
    devices.every((device, at) => shape(device) === shape(state.devices[at]!));
  let { selected, removed } = state;
  if (same && (known.has(selected) || (selected === 0 && devices.length === 0))) return;
  if (devices.some((device) => !known.has(device.id))) removed = 0;
  else if (known.has(selected) && !devices.some((device) => device.id === selected)) removed = selected;
  // A device that left leaves its neighbour. One that came is chosen by who powered it on, which may be another window.
  if (!devices.some((device) => device.id === selected)) selected = devices[0]?.id ?? 0;
  lab.setState({ devices, selected, removed });
  if ([...known].some((id) => !devices.some((device) => device.id === id))) askPast();
}

/** What is known of devices is of another lab. */
function forget(): void {
  session++;
  asked.clear();
  indexes.clear();
  names.clear();
  past.clear();
}

export function takeHello(hello: LabHello): void {
  if (lab.getState().hello?.instance === hello.instance) {
    // It was the connection that was lost. What is shown stays until the lab says what has changed meanwhile.
    lab.setState({ hello });
  } else {
    forget();
    openKept(hello.instance);
    const selected = kept('selected');
    lab.setState({
      hello,
      descriptions: new Map(),
      devices: [],
      removed: 0,
      past: [],
      selected: typeof selected === 'number' ? selected : 0,
    });
  }
  if (hello.contract !== 1) {
    addNotice({
      level: 'warning',
      text: `This window speaks version 1 of the contract and the lab version ${hello.contract}`,
      hint: 'Reload the page, so that it comes from the same lab',
    });
  }
  streamed = false;
  keepRows = true;
  client.call('devices.list', {}).then(
    (devices) => {
      // What the stream said meanwhile is newer.
      if (!streamed) takeDevices(devices);
    },
    () => {},
  );
  askPast();
}

export function takePast(devices: readonly PastDevice[]): void {
  for (const { device, name } of devices) {
    if (names.has(device)) continue;
    names.set(device, name);
    past.add(device);
  }
  lab.setState({ past: devices.toReversed() });
}

/** Devices that are gone, and what is left of them. */
export function askPast(): void {
  const asking = session;
  client.call('devices.past', {}).then(
    (devices) => {
      if (asking !== session) return;
      takePast(devices);
      const removed = kept('removed');
      const left = devices.some(({ device, transfers }) => transfers && device === removed);
      // The page was loaded again while one that is gone was looked at.
      if (left && lab.getState().removed === 0) selectRemoved(Number(removed));
    },
    () => {},
  );
}

client.on('devices', (devices) => {
  streamed = true;
  takeDevices(devices);
});
client.on('health', (health) => lab.setState({ health }));
/** The lab that has just answered is still to be told how much of a trace to keep. */
let keepRows = false;

/** A window that comes later takes nothing away from the trace that is there. */
function tellTraceRows({ traceRows: total, traceDropped, traceLimit }: LabStats): void {
  if (!keepRows) return;
  keepRows = false;
  const { traceRows } = settings.getState();
  if (traceRows === 0 || traceRows === traceLimit || traceRows < total - traceDropped) return;
  client.call('trace.limit', { rows: traceRows }).catch((error) => noticeError('Memory of the trace', error));
}

client.on('stats', (data) => {
  stats.set(data);
  tellTraceRows(data);
});
client.on('log', (line) => {
  addNotice({
    level: line.level,
    text: line.text,
    time: line.time,
    source: 'lab',
    ...(line.device === undefined ? {} : { device: line.device }),
  });
});
client.onProtocolError = (text) => addNotice({ level: 'error', text });

lab.subscribe((state, before) => {
  if (state.selected !== before.selected) keep('selected', state.selected);
  if (state.removed !== before.removed) keep('removed', state.removed);
});

export function selectDevice(id: number): void {
  lab.setState({ selected: id, removed: 0 });
}
/** Those whose last transfers are kept, and the one that is looked at; the last to leave first. */
export function removedDevices({ devices, past, removed }: LabState): readonly number[] {
  const left = past
    .filter(({ device, transfers }) => transfers || device === removed)
    .map(({ device }) => device);
  // The lab is still asked about the one that has just left.
  if (removed > 0 && !left.includes(removed)) left.unshift(removed);
  return left.filter((id) => !devices.some((device) => device.id === id));
}
/** Looks at what is left of a device that is gone. */
export function selectRemoved(id: number): void {
  // Its registers and commands have names.
  registerIndex(id);
  lab.setState({ removed: id });
}
export function selectedDevice(state: LabState = lab.getState()): DeviceSummary | undefined {
  return state.devices.find((device) => device.id === state.selected);
}
