// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from 'vitest';
import type { DeviceSummary, PastDevice } from '#contract/devices.ts';
import type { LabHello } from '#contract/lab.ts';
import { CallError } from '#renderer/bridge/client.ts';
import { keep, kept, openKept } from './kept.ts';
import {
  askPast,
  client,
  deviceName,
  devicesLive,
  lab,
  registerIndex,
  removedDevices,
  selectDevice,
  selectRemoved,
  takeDevices,
  takeHello,
  takePast,
} from './lab.ts';
import {
  addNotice,
  clearNotices,
  dismissNotice,
  floatLatest,
  KEPT_NOTICES,
  noticeError,
  notices,
} from './notices.ts';
import { parseSettings } from './settings.ts';

const device = (id: number, rest: Partial<DeviceSummary> = {}): DeviceSummary => ({
  id,
  model: 'nvme',
  title: 'NVMe disk',
  name: `disk${id}`,
  state: 'on',
  address: '',
  driver: '',
  busMaster: false,
  interruptMode: 'none',
  vectors: 0,
  events: 0,
  lost: 0,
  interrupts: 0,
  revision: 0,
  ...rest,
});

const hello = (instance: string): LabHello => ({
  contract: 1,
  version: '1',
  instance,
  shell: 'headless',
  host: { kind: 'sim', title: '', detail: '' },
  models: [],
  abilities: { driverAccess: false, workload: false, terminal: false, serialConsole: false, input: false },
});

beforeEach(() => {
  clearNotices();
  sessionStorage.clear();
  lab.setState({ devices: [], selected: 0, hello: undefined });
});

test('counters do not reach React; what a person did does', () => {
  takeDevices([device(1)]);
  const before = lab.getState().devices;
  takeDevices([device(1, { events: 5000, interrupts: 7 })]);
  expect(lab.getState().devices).toBe(before);
  expect(devicesLive.get()[0]!.events).toBe(5000);
  takeDevices([device(1, { driver: 'nvme' })]);
  expect(lab.getState().devices).not.toBe(before);
});

test('the first device is selected where none is; one that left leaves its neighbour', () => {
  takeDevices([device(1), device(2)]);
  expect(lab.getState().selected).toBe(1);
  selectDevice(2);
  takeDevices([device(1), device(3)]);
  expect(lab.getState().selected).toBe(1);
  takeDevices([]);
  expect(lab.getState().selected).toBe(0);
});

test('a device that another window powered on does not take the place of the one that is looked at', () => {
  takeDevices([device(1)]);
  takeDevices([device(1), device(2)]);
  expect(lab.getState().selected).toBe(1);
});

test('the lab that was lost and is back keeps what is shown until it says what has changed', async () => {
  let list: DeviceSummary[] = [];
  const call = vi
    .spyOn(client, 'call')
    .mockImplementation((name) =>
      name === 'devices.list'
        ? (Promise.resolve(list) as never)
        : name === 'devices.past'
          ? (Promise.resolve([]) as never)
          : new Promise(() => {}),
    );
  takeHello(hello('one'));
  takeDevices([device(1), device(2)]);
  selectDevice(2);
  const health = { kernel: [{ id: 1, time: 0, kind: 'oops', module: '', text: '', more: [] }] };
  lab.setState({ health });
  const before = lab.getState().devices;
  list = [device(2, { driver: 'nvme' }), device(3)];
  takeHello(hello('one'));
  expect(lab.getState()).toMatchObject({ devices: before, selected: 2, health });
  await vi.waitFor(() => expect(lab.getState().devices).toEqual(list));
  expect(lab.getState().selected).toBe(2);
  expect(deviceName(1)).toBe('disk1');

  // Its devices have the same numbers, and are others.
  list = [device(1), device(2)];
  takeHello(hello('two'));
  expect(lab.getState()).toMatchObject({ devices: [], selected: 0 });
  expect(deviceName(3)).toBe('device 3');
  await vi.waitFor(() => expect(lab.getState().selected).toBe(1));
  call.mockRestore();
});

test('a page that is loaded again selects what it had selected of the same lab', () => {
  const call = vi.spyOn(client, 'call').mockReturnValue(new Promise(() => {}));
  takeHello(hello('one'));
  takeDevices([device(1), device(2)]);
  selectDevice(2);
  const reload = () => {
    openKept('');
    lab.setState({ devices: [], selected: 0, hello: undefined });
  };
  reload();
  // The lab tells its devices before it is asked who it is.
  takeDevices([device(1), device(2)]);
  takeHello(hello('one'));
  takeDevices([device(1), device(2)]);
  expect(lab.getState().selected).toBe(2);
  reload();
  takeHello(hello('two'));
  takeDevices([device(1), device(2)]);
  expect(lab.getState().selected).toBe(1);
  call.mockRestore();
});

test('what is kept is of one lab, and nothing where it is torn', () => {
  openKept('one');
  keep('filter', 'irq');
  openKept('two');
  expect(kept('filter')).toBeUndefined();
  openKept('one');
  expect(kept('filter')).toBe('irq');
  for (const torn of ['{', 'null', '[]', '{"instance":"one","parts":7}']) {
    sessionStorage.setItem('pciem-lab-session', torn);
    openKept('one');
    expect(kept('filter')).toBeUndefined();
  }
});

test('a device that leaves while it is shown is remembered until another is chosen or arrives', () => {
  takeDevices([device(31), device(32)]);
  selectDevice(31);
  takeDevices([device(32)]);
  expect(lab.getState()).toMatchObject({ selected: 32, removed: 31 });
  // Also where it is the one that took its place.
  selectDevice(32);
  expect(lab.getState().removed).toBe(0);
  takeDevices([]);
  expect(lab.getState()).toMatchObject({ selected: 0, removed: 32 });
  takeDevices([device(33)]);
  expect(lab.getState()).toMatchObject({ selected: 33, removed: 0 });
  takeDevices([device(33), device(34)]);
  selectDevice(34);
  // One that was not shown.
  takeDevices([device(34)]);
  expect(lab.getState().removed).toBe(0);
});

test('devices that are gone and left transfers behind are listed, also for a page that is loaded again', async () => {
  let past: PastDevice[] = [];
  const call = vi
    .spyOn(client, 'call')
    .mockImplementation((name) =>
      name === 'devices.past' ? (Promise.resolve(past) as never) : new Promise(() => {}),
    );
  const left = () => removedDevices(lab.getState());
  takeHello(hello('past'));
  takeDevices([device(51), device(52), device(53)]);
  past = [
    { device: 53, name: 'disk53', transfers: false },
    { device: 51, name: 'disk51', transfers: true },
  ];
  takeDevices([device(52), device(53)]);
  // The lab was not heard yet.
  expect(left()).toEqual([51]);
  takeDevices([device(52)]);
  past.push({ device: 52, name: 'disk52', transfers: true });
  takeDevices([]);
  await vi.waitFor(() => expect(left()).toEqual([52, 51]));
  selectRemoved(51);
  expect(lab.getState()).toMatchObject({ selected: 0, removed: 51 });

  openKept('');
  lab.setState({ devices: [], selected: 0, removed: 0, past: [], hello: undefined });
  takeHello(hello('past'));
  await vi.waitFor(() => expect(lab.getState().removed).toBe(51));
  // What is selected meanwhile stays so.
  takeDevices([device(54)]);
  expect(lab.getState()).toMatchObject({ selected: 54, removed: 0 });
  // One of them has come back.
  takeDevices([device(54), device(52)]);
  expect(left()).toEqual([51]);
  past = past.slice(0, 1);
  askPast();
  await vi.waitFor(() => expect(left()).toEqual([]));
  expect(lab.getState().removed).toBe(0);
  call.mockRestore();
});

test('what a device was that is gone is asked when it is wanted, once; a new one of its number is asked anew', () => {
  const asked: unknown[] = [];
  const call = vi.spyOn(client, 'call').mockImplementation((name, params) => {
    asked.push([name, params]);
    return new Promise(() => {});
  });
  takePast([
    { device: 41, name: 'old disk', transfers: false },
    { device: 42, name: 'older disk', transfers: true },
  ]);
  expect(deviceName(41)).toBe('old disk');
  expect(asked).toEqual([]);
  expect(registerIndex(41)).toBeUndefined();
  expect(registerIndex(41)).toBeUndefined();
  expect(registerIndex(43)).toBeUndefined();
  expect(asked).toEqual([['devices.describe', { device: 41 }]]);
  takeDevices([device(41)]);
  expect(deviceName(41)).toBe('disk41');
  expect(asked).toHaveLength(2);
  call.mockRestore();
});

test('the same text again counts up instead of piling up', () => {
  addNotice({ level: 'error', text: 'No' });
  addNotice({ level: 'error', text: 'No' });
  addNotice({ level: 'warning', text: 'No' });
  expect(notices.getState().all.map((notice) => notice.times)).toEqual([2, 1]);
});

test('notices are bounded, and errors float until they are dismissed', () => {
  for (let at = 0; at < KEPT_NOTICES + 20; at++) addNotice({ level: 'info', text: `line ${at}` });
  expect(notices.getState().all).toHaveLength(KEPT_NOTICES);
  expect(notices.getState().floating).toEqual([]);
  const id = addNotice({ level: 'error', text: 'No' });
  expect(notices.getState().floating).toEqual([id]);
  dismissNotice(id);
  expect(notices.getState().floating).toEqual([]);
});

test('what the lab said of a device last floats when it answers what was done here', () => {
  const said = addNotice({ level: 'info', text: 'disk1 was reset (FLR).', device: 1, source: 'lab' });
  addNotice({ level: 'info', text: 'disk2 was reset (FLR).', device: 2, source: 'lab' });
  addNotice({ level: 'info', text: 'Copied', device: 1 });
  floatLatest(1);
  floatLatest(1);
  floatLatest(3);
  expect(notices.getState().floating).toEqual([said]);
});

test('a failed call says what was tried, why not, and what to do', () => {
  noticeError(
    'Power off disk1',
    new CallError('devices.powerOff', { code: 'gone', message: 'It has left', hint: 'Look' }),
  );
  expect(notices.getState().all[0]).toMatchObject({
    text: 'Power off disk1: It has left',
    hint: 'Look',
    level: 'error',
  });
});

test('settings that are torn or unknown fall back', () => {
  expect(parseSettings(null).theme).toBe('dark');
  expect(parseSettings('{').density).toBe('normal');
  expect(parseSettings('{"theme":"pink","density":"compact"}')).toMatchObject({
    theme: 'dark',
    density: 'compact',
  });
  expect(
    parseSettings('{"sizes":"stones","groupDigits":false,"hotkeys":{"a.b":["!Mod+J"],"c.d":"x"}}'),
  ).toMatchObject({ sizes: 'binary', groupDigits: false, hotkeys: { 'a.b': ['!Mod+J'] } });
  expect(parseSettings('{"traceRows":1048576}').traceRows).toBe(1 << 20);
  expect(parseSettings('{"traceRows":12}').traceRows).toBe(0);
  expect(parseSettings('{"traceRows":"many"}').traceRows).toBe(0);
});
