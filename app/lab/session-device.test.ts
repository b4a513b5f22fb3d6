/** Interrupts by hand, mappings, resets and options, on the simulated host. */
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { DeviceSummary } from '#contract/devices.ts';
import { SimHost } from '../hosts/sim/host.ts';
import { ContractClient, channelPair } from '../testing/contract-client.ts';
import { Lab } from './session.ts';

vi.setConfig({ testTimeout: 30_000 });
const FAST = { interval: 10, timeout: 20_000 };
let lab: Lab;
let client: ContractClient;

beforeAll(() => {
  lab = new Lab({ host: new SimHost(), shell: 'headless', version: '1.2.3', terminal: false });
  const [end, window] = channelPair();
  lab.accept(end);
  client = new ContractClient(window);
});
afterEach(async () => {
  for (const { id } of (await client.call('devices.list', {})).result) {
    await client.call('devices.surpriseRemove', { device: id });
  }
});
afterAll(() => lab.close());

async function summary(device: number): Promise<DeviceSummary | undefined> {
  return (await client.call('devices.list', {})).result.find(({ id }) => id === device);
}
async function quietDisk(): Promise<number> {
  const { device } = (await client.call('devices.powerOn', { model: 'nvme', options: { size: '16MiB' } }))
    .result;
  await expect.poll(async () => (await summary(device))?.driver, FAST).toBe('initiator');
  await client.call('devices.workload', { device, running: false, rate: 0 });
  await expect.poll(async () => (await summary(device))?.workload?.phase, FAST).toBe('Idle');
  return device;
}
const vectors = async (device: number) => (await client.call('interrupts.list', { device })).result;

it('raises a vector again and again, until it is told to stop', async () => {
  const device = await quietDisk();
  const count = async () => (await vectors(device)).vectors[2]!.count;
  const before = await count();
  await client.call('interrupts.repeat', { device, vector: 2, rate: 500 });
  expect((await vectors(device)).vectors[2]!.repeating).toBe(500);
  await expect.poll(count, FAST).toBeGreaterThan(before + 50);
  await client.call('interrupts.repeat', { device, vector: 2, rate: 0 });
  const after = await count();
  expect((await vectors(device)).vectors[2]!.repeating).toBe(0);
  await client.call('interrupts.raise', { device, vector: 2, count: 1 });
  expect(await count()).toBe(after + 1);
});

it('holds the INTx pin, which configuration space tells of', async () => {
  const { device } = (await client.call('devices.powerOn', { model: 'scratch', options: {} })).result;
  expect((await vectors(device)).asserted).toBe(false);
  await client.call('interrupts.level', { device, asserted: true });
  expect((await vectors(device)).asserted).toBe(true);
  const status = async () => (await client.call('config.read', { device })).bytes![6]! & 0x8;
  expect(await status()).toBe(0x8);
  await client.call('interrupts.level', { device, asserted: false });
  expect(await status()).toBe(0);
});

it('lists what the driver mapped, and refuses the device everything else', async () => {
  const device = await quietDisk();
  const { result } = await client.call('dma.mappings', { device });
  expect(result.supported).toBe(true);
  expect(result.total).toBe(result.mappings.length);
  const [one] = result.mappings;
  expect(one).toMatchObject({ direction: 'both' });
  expect(one!.age).toBeGreaterThan(0);
  const end = Math.max(...result.mappings.map(({ address, size }) => address + size));
  const refusal = await client.refusal('dma.readMemory', { device, address: end, length: 64 });
  expect(refusal).toMatchObject({ code: 'DMA_REFUSED' });
  const refused = (await client.call('dma.list', { device, before: 0, count: 100, refused: true })).result;
  expect(refused.entries).toMatchObject([{ address: end, status: 'unmapped' }]);
  await client.call('devices.surpriseRemove', { device });
});

it('tells what each transfer carried, which register asked for it, and how long it took', async () => {
  const device = await quietDisk();
  const { entries } = (await client.call('dma.list', { device, before: 0, count: 1000 })).result;
  const fetch = entries.find(({ content, queue }) => content === 'commands' && queue === 1)!;
  // SQ1TDBL
  expect(fetch).toMatchObject({ direction: 'read', place: { bar: 0, offset: 0x1008 } });
  expect(fetch.took).toBeGreaterThan(0);
  expect(entries.filter(({ content }) => content === '')).toEqual([]);
  expect(entries.some(({ content, queue }) => content === 'commands' && queue === 0)).toBe(true);
  // Rows come to the trace a frame later.
  const row = async () =>
    (await client.call('trace.access', { device, access: fetch.cause, time: fetch.time })).result.row;
  await expect.poll(row, FAST).toBeGreaterThan(0);
  const none = await client.call('trace.access', { device, access: 4_000_000_000, time: fetch.time });
  expect(none.result.row).toBe(-1);
});

it('reaches the memory of another device, which sees it as a driver would make it', async () => {
  const device = await quietDisk();
  const peers = async () => (await client.call('dma.peers', { device })).result.windows;
  expect(await peers()).toEqual([]);
  const other = (await client.call('devices.powerOn', { model: 'scratch', options: {} })).result.device;
  const [first] = await peers();
  // No driver has turned it on.
  expect(first).toMatchObject({ device: other, bar: 0, decoding: false });
  const { address } = first!;
  const there = { device, peer: true, address, length: 4 };
  expect(await client.refusal('dma.readMemory', there)).toMatchObject({ code: 'DMA_REFUSED' });
  await client.call('config.write', { device: other, offset: 4, width: 2, value: '0x2', as: 'driver' });
  expect((await peers())[0]).toEqual({ ...first, decoding: true });
  await client.call('dma.writeMemory', { device, peer: true, address: address + 4, bytes: 'efbeadde' });
  const { bytes } = await client.call('dma.readMemory', { ...there, length: 8 });
  expect(bytes!.subarray(4)).toEqual(Uint8Array.of(0xef, 0xbe, 0xad, 0xde));
  const [entry] = (await client.call('dma.list', { device, before: 0, count: 1 })).result.entries;
  expect(entry).toMatchObject({ peer: true, address, length: 8, direction: 'read', status: 'ok' });
  const rows = async (filter: string) => (await client.call('trace.view', { filter })).result.rows;
  const seen = `device == ${other} && write && offset == 4 && value == 0xdeadbeef`;
  await expect.poll(() => rows(seen), FAST).toBe(1);
  await expect.poll(() => rows(`peer && dmawrite && device == ${device} && length == 4`), FAST).toBe(1);
  // An address of host memory is none of another device's, and the other way round.
  expect(await client.refusal('dma.readMemory', { ...there, address: 0x1_0000 })).toMatchObject({
    code: 'DMA_REFUSED',
    message: expect.stringContaining('0x10000 was refused: it is in no memory of another device'),
  });
  const host = { device, address, length: 4 };
  expect(await client.refusal('dma.readMemory', host)).toMatchObject({ code: 'DMA_REFUSED' });
  await client.call('devices.surpriseRemove', { device: other });
  expect(await peers()).toEqual([]);
});

it('keeps the transfers of a device that is gone, until it is told to forget them', async () => {
  const device = await quietDisk();
  const before = (await client.call('dma.list', { device, before: 0, count: 3 })).result;
  expect(await client.refusal('dma.forget', { device })).toMatchObject({ code: 'STILL_THERE' });
  await client.call('devices.surpriseRemove', { device });
  const after = (await client.call('dma.list', { device, before: 0, count: 3 })).result;
  expect(after.entries[2]!.id).toBeGreaterThanOrEqual(before.entries[2]!.id);
  expect(after.kept).toBe(after.transfers);
  const { bytes } = await client.call('dma.bytes', { id: before.entries[0]!.id });
  expect(bytes).toHaveLength(before.entries[0]!.captured);
  const left = async () =>
    (await client.call('devices.past', {})).result.find((one) => one.device === device)!.transfers;
  expect(await left()).toBe(true);
  await client.call('dma.forget', { device });
  expect(await left()).toBe(false);
  expect(await client.refusal('dma.list', { device, before: 0, count: 3 })).toMatchObject({
    code: 'NO_SUCH_DEVICE',
  });
});

it('resets a function: the driver lets go and comes back, registers are as at first', async () => {
  const device = await quietDisk();
  await client.call('config.write', { device, offset: 0x3d, width: 1, value: '0x3', as: 'device' });
  await client.call('devices.reset', { device });
  await expect.poll(async () => (await summary(device))?.driver, FAST).toBe('initiator');
  expect((await summary(device))!.state).toBe('on');
  const { bytes } = await client.call('config.read', { device });
  expect(bytes![0x3d]).toBe(1);
  expect((await client.call('trace.view', { filter: 'reg ~ "CC" && write' })).result.rows).toBeGreaterThan(1);
  const enabled = async () => (await client.call('disk.inspect', { device })).result.enabled;
  await expect.poll(enabled, FAST).toBe(true);
});

it('tells what a device was powered on with', async () => {
  const device = await quietDisk();
  const { result } = await client.call('devices.options', { device });
  expect(result).toMatchObject({
    model: 'nvme',
    options: { size: 16 * 2 ** 20, lbaSize: '512', image: '' },
  });
  const again = await client.call('devices.powerOn', { model: result.model, options: result.options });
  expect((await client.call('devices.options', again.result)).result.options).toEqual(result.options);
});

it('refuses what is no disk, and what is no folder', async () => {
  const { device } = (await client.call('devices.powerOn', { model: 'scratch', options: {} })).result;
  for (const call of ['disk.inspect', 'disk.layout'] as const) {
    expect(await client.refusal(call, { device })).toMatchObject({ code: 'NO_DISK' });
  }
  const disk = await quietDisk();
  expect((await client.call('disk.layout', { device: disk })).result.scheme).toBe('none');
  expect(await client.refusal('disk.list', { device: disk, partition: 0, path: '/' })).toMatchObject({
    code: 'DISK_LAYOUT',
    message: 'There is no file system that is known here.',
  });
});
