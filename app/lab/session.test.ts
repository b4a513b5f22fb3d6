import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConfigWriter } from '#contract/config.ts';
import type { DeviceSummary } from '#contract/devices.ts';
import type { LabHealth } from '#contract/lab.ts';
import { TRACE_LIMIT } from '#contract/trace.ts';
import { TRACE_RECORD_BYTES, TraceField, TraceFlag, TraceKind } from '#contract/trace-record.ts';
import { SimHost } from '../hosts/sim/host.ts';
import { ContractClient, channelPair } from '../testing/contract-client.ts';
import { Lab } from './session.ts';

// Where a machine is busy, a device takes seconds to come up.
vi.setConfig({ testTimeout: 30_000 });

const folder = mkdtempSync(join(tmpdir(), 'pciem-lab-session-'));
const SMALL = { model: 'nvme', options: { size: '16MiB' } } as const;
const FAST = { interval: 10, timeout: 20_000 };
let lab: Lab;
let client: ContractClient;

function open(): ContractClient {
  const [end, window] = channelPair();
  lab.accept(end);
  return new ContractClient(window);
}

async function summary(device: number): Promise<DeviceSummary | undefined> {
  return (await client.call('devices.list', {})).result.find(({ id }) => id === device);
}

/** Powers a small disk on, lets the driver bind and stops its workload, so that nothing but the test touches it. */
async function quietDisk(): Promise<number> {
  const { device } = (await client.call('devices.powerOn', SMALL)).result;
  await expect.poll(async () => (await summary(device))?.driver, FAST).toBe('initiator');
  await client.call('devices.workload', { device, running: false, rate: 0 });
  await expect.poll(async () => (await summary(device))?.workload?.phase, FAST).toBe('Idle');
  return device;
}

beforeAll(() => {
  lab = new Lab({ host: new SimHost(), shell: 'headless', version: '1.2.3', terminal: true });
  client = open();
});

afterEach(async () => {
  const { result } = await client.call('devices.list', {});
  for (const { id } of result) await client.call('devices.surpriseRemove', { device: id });
});

afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true });
});

it('introduces itself', async () => {
  const { result } = await client.call('lab.hello', {});
  expect(result).toMatchObject({
    contract: 1,
    version: '1.2.3',
    shell: 'headless',
    host: { kind: 'sim' },
    abilities: { driverAccess: true, workload: true, terminal: true, serialConsole: false, input: false },
  });
  // The same as long as it is the same lab.
  expect(result.instance).not.toBe('');
  expect((await client.call('lab.hello', {})).result.instance).toBe(result.instance);
  expect(result.models.map(({ id }) => id)).toContain('nvme');
});

it('tells how many rows its trace keeps, and is told', async () => {
  await client.call('trace.limit', { rows: 1 << 18 });
  const { traceLimit, traceDropped } = await client.stream('stats', (stats) => stats.traceLimit === 1 << 18);
  expect([traceLimit, traceDropped]).toEqual([1 << 18, 0]);
  await expect(client.call('trace.limit', { rows: 1000 })).rejects.toThrow(/at least 131072 rows/);
  await client.call('trace.limit', { rows: TRACE_LIMIT.default });
  await client.stream('stats', (stats) => stats.traceLimit === TRACE_LIMIT.default);
});

it('says what stands in the way on its machine, to windows that come later as well', async () => {
  const host = new SimHost();
  let health: LabHealth = { kernel: [] };
  const ill = new Lab({
    host: Object.assign(host, { health: () => health }),
    shell: 'headless',
    version: '1.2.3',
    terminal: false,
  });
  const attach = (): ContractClient => {
    const [end, window] = channelPair();
    ill.accept(end);
    return new ContractClient(window);
  };
  const first = attach();
  health = { kernel: [], host: { message: 'There is no node.', hint: 'Load the module.' } };
  const told = await first.stream('health', ({ host }) => host !== undefined);
  expect(told).toEqual(health);
  expect(await attach().stream('health')).toEqual(health);
  await expect(first.call('lab.restart', {})).rejects.toThrow(/is running/);
  await ill.close();
});

it('has the model answer a register that reading clears', async () => {
  const { device } = (await client.call('devices.powerOn', { model: 'scratch', options: {} })).result;
  const write = { device, bar: 0, offset: 4, width: 4, value: '0x1', as: 'driver' } as const;
  const read = async (offset: number) =>
    (await client.call('registers.read', { device, bar: 0, offset, width: 4, as: 'driver' })).result.value;
  await client.call('registers.write', write);
  await client.call('registers.write', write);
  expect(await read(0x14)).toBe('0x00000002');
  expect(await read(0x14)).toBe('0x00000000');
  expect(await read(8)).toBe('0x00000002');
});

describe('power', () => {
  it('puts a device on the bus, a driver binds, and it leaves again', async () => {
    const bound = client.stream('devices', (devices) => devices[0]?.driver === 'initiator');
    const { result } = await client.call('devices.powerOn', {
      model: 'nvme',
      name: 'Scratch disk',
      options: { size: '16MiB' },
    });
    expect(await bound).toMatchObject([
      { id: result.device, name: 'Scratch disk', state: 'on', busMaster: true, interruptMode: 'msix' },
    ]);
    expect((await bound)[0]!.address).toMatch(/^0000:01:00\.0$/);
    await client.call('devices.powerOff', result);
    expect((await client.call('devices.list', {})).result).toEqual([]);
    expect(await client.refusal('devices.inspect', result)).toMatchObject({
      code: 'NO_SUCH_DEVICE',
      message: `There is no device ${result.device}; it may have been removed.`,
    });
  });

  it('still tells what a device was that is gone, as the trace has rows of it', async () => {
    const { result } = await client.call('devices.powerOn', { ...SMALL, name: 'Old disk' });
    const described = (await client.call('devices.describe', result)).result;
    const entry = expect.objectContaining({ ...result, name: 'Old disk' });
    expect((await client.call('devices.past', {})).result).not.toContainEqual(entry);
    await client.call('devices.surpriseRemove', result);
    expect((await client.call('devices.past', {})).result).toContainEqual(entry);
    expect((await client.call('devices.describe', result)).result).toEqual(described);
    const never = { device: result.device + 1 };
    expect(await client.refusal('devices.describe', never)).toMatchObject({ code: 'NO_SUCH_DEVICE' });
  });

  it('gives two devices of a model two names, two addresses and two ids', async () => {
    await client.call('devices.powerOn', SMALL);
    await client.call('devices.powerOn', SMALL);
    const { result } = await client.call('devices.list', {});
    expect(result).toHaveLength(2);
    for (const key of ['name', 'address', 'id'] as const) {
      expect(new Set(result.map((device) => device[key])).size, key).toBe(2);
    }
  });

  it('counts on after a device is gone', async () => {
    const device = await quietDisk();
    const { events } = (await summary(device))!;
    expect(events).toBeGreaterThan(0);
    await client.stream('stats', (stats) => stats.events >= events);
    await client.call('devices.surpriseRemove', { device });
    expect((await client.stream('stats')).events).toBeGreaterThanOrEqual(events);
  });

  it('lets a driver that is in the middle of its work lose the device', async () => {
    const { device } = (await client.call('devices.powerOn', SMALL)).result;
    await expect.poll(async () => (await summary(device))?.workload?.operations, FAST).toBeGreaterThan(10);
    await client.call('devices.surpriseRemove', { device });
    expect((await client.call('devices.list', {})).result).toEqual([]);
    await quietDisk();
  });

  it.each([
    [{ model: 'toaster', options: {} }, 'NO_SUCH_MODEL', /"toaster"; there are nvme/],
    [{ model: 'nvme', options: { size: '1 parsec' } }, 'BAD_OPTION', /"1 parsec" is not a size; accepted is/],
    [{ model: 'nvme', options: { size: '1KiB' } }, 'BAD_OPTION', /too small; accepted is a size from/],
    [{ model: 'nvme', options: { lbaSize: '777' } }, 'BAD_OPTION', /accepted is 512 or 4096/],
    [
      { model: 'nvme', options: { colour: 'red' } },
      'BAD_OPTION',
      /no option "colour"; its options are: size/,
    ],
    [{ model: 'nvme', options: { image: '/no/such/folder/x.img' } }, 'IMAGE_FOLDER', /does not exist/],
    [
      { model: 'nvme', options: { image: '/tmp' } },
      'IMAGE_NOT_A_FILE',
      /\/tmp is not a file|directory|folder/,
    ],
    [{ model: 'nvme', options: { size: null } }, 'BAD_PARAMETERS', /options\.size/],
    [{ model: 'nvme' }, 'BAD_PARAMETERS', /options/],
    [{ model: 'nvme', options: {}, speed: 1 }, 'BAD_PARAMETERS', /speed/],
  ])('refuses %j', async (params, code, message) => {
    const device = await quietDisk();
    const refused = await client.refusal('devices.powerOn', params);
    expect(refused).toMatchObject({ message });
    expect(refused.code).toBe(code);
    // Nothing half-made stays behind, and what was there goes on.
    expect((await client.call('devices.list', {})).result).toMatchObject([{ id: device, state: 'on' }]);
  });

  it.each([
    [1_000_001, '512'],
    [512 * 2049, '4096'],
  ])('refuses an image of %i bytes for blocks of %s', async (length, lbaSize) => {
    const image = join(folder, `odd-${lbaSize}.img`);
    writeFileSync(image, '');
    truncateSync(image, length);
    const refused = await client.refusal('devices.powerOn', { model: 'nvme', options: { image, lbaSize } });
    expect(refused.code).toMatch(/^(IMAGE_SIZE|BAD_OPTION)$/);
    expect(refused.message).toMatch(new RegExp(`${length} bytes.* no multiple of .*${lbaSize}`));
    expect((await client.call('devices.list', {})).result).toEqual([]);
    // It was not locked for good either.
    truncateSync(image, 2 ** 20);
    await client.call('devices.powerOn', { model: 'nvme', options: { image, lbaSize } });
  });

  it('refuses an image that another disk has', async () => {
    const image = join(folder, 'shared.img');
    await client.call('devices.powerOn', { model: 'nvme', options: { image, size: '1MiB' } });
    expect(
      await client.refusal('devices.powerOn', { model: 'nvme', options: { image, size: '1MiB' } }),
    ).toMatchObject({ code: 'IMAGE_LOCKED' });
    expect((await client.call('devices.list', {})).result).toHaveLength(1);
  });
});

describe('registers', () => {
  const CC = 0x14;

  it('reads and pokes as the device and as the driver', async () => {
    const device = await quietDisk();
    const at = { device, bar: 0, offset: 0x24, width: 4 } as const;
    await client.call('registers.write', { ...at, value: '0x00070007', as: 'device' });
    for (const as of ['device', 'driver'] as const) {
      const { result } = await client.call('registers.read', { ...at, as });
      expect(result).toEqual({ value: '0x00070007' });
    }
    const { bytes } = await client.call('bars.read', { device, bar: 0, offset: 0x24, length: 4 });
    expect([...bytes!]).toEqual([7, 0, 7, 0]);
    const narrow = await client.call('registers.read', { ...at, offset: 0x26, width: 1, as: 'device' });
    expect(narrow.result).toEqual({ value: '0x07' });
  });

  it('lets the device act on a write as the driver, and not on one as the device', async () => {
    const device = await quietDisk();
    const cc = { device, bar: 0, offset: CC, width: 4 } as const;
    const ready = async (): Promise<number> => {
      const { result } = await client.call('registers.read', { ...cc, offset: 0x1c, as: 'device' });
      return Number(result.value) & 1;
    };
    const { result: enabled } = await client.call('registers.read', { ...cc, as: 'device' });
    expect(await ready()).toBe(1);
    const off = `0x${(Number(enabled.value) & ~1).toString(16)}`;
    await client.call('registers.write', { ...cc, value: off, as: 'device' });
    expect(await ready()).toBe(1);
    await client.call('registers.write', { ...cc, value: enabled.value, as: 'device' });
    await client.call('registers.write', { ...cc, value: off, as: 'driver' });
    await expect.poll(ready, FAST).toBe(0);
  });

  it.each([
    [{ bar: 3, offset: 0, width: 4 }, 'NO_SUCH_BAR', /no BAR3; it has BAR0/],
    [{ bar: 0, offset: 2 ** 30, width: 4 }, 'OUT_OF_BAR', /ends past BAR0/],
    [{ bar: 0, offset: 2, width: 4 }, 'UNALIGNED', /a multiple of 4/],
    [{ bar: 0, offset: -4, width: 4 }, 'BAD_PARAMETERS', /offset: an offset is not negative/],
    [{ bar: 0, offset: 0, width: 3 }, 'BAD_PARAMETERS', /1, 2, 4 or 8 bytes/],
    [{ bar: 9, offset: 0, width: 4 }, 'BAD_PARAMETERS', /a BAR index is 0 to 5/],
    [{ bar: 0, offset: 1.5, width: 4 }, 'BAD_PARAMETERS', /offset/],
  ])('refuses a read at %j', async (at, code, message) => {
    const { result } = await client.call('devices.powerOn', SMALL);
    const read = { ...result, ...at, as: 'device' };
    expect(await client.refusal('registers.read', read)).toMatchObject({ code, message });
  });

  it.each([
    ['0x100000000', 'VALUE_TOO_WIDE', /does not fit in 4 bytes/],
    ['12', 'BAD_PARAMETERS', /0x and 1 to 16/],
    ['0x', 'BAD_PARAMETERS', /0x and 1 to 16/],
    [7, 'BAD_PARAMETERS', /text such as/],
  ])('refuses to write %s', async (value, code, message) => {
    const { result } = await client.call('devices.powerOn', SMALL);
    const write = { ...result, bar: 0, offset: CC, width: 4, value, as: 'device' };
    expect(await client.refusal('registers.write', write)).toMatchObject({ code, message });
  });

  it('refuses more of a BAR than one answer holds', async () => {
    const { result } = await client.call('devices.powerOn', SMALL);
    expect(await client.refusal('bars.read', { ...result, bar: 0, offset: 0, length: 65537 })).toMatchObject({
      message: /at most 65536 bytes a call/,
    });
  });
});

describe('configuration space', () => {
  const bytesOf = async (device: number): Promise<{ bytes: Uint8Array; writers: Uint8Array }> => {
    const { result, bytes } = await client.call('config.read', { device });
    return { bytes: bytes!.subarray(0, result.size), writers: bytes!.subarray(result.size) };
  };

  it('is decoded, and says who wrote each byte last', async () => {
    const device = await quietDisk();
    const { result } = await client.call('config.read', { device });
    expect(JSON.stringify(result.tree)).toMatch(/Vendor ID.*MSI-X/);
    const before = await bytesOf(device);
    expect(before.writers[0]).toBe(ConfigWriter.powerOn);
    // Command: the driver turned on memory and bus mastering.
    expect(before.writers[4]).toBe(ConfigWriter.driver);
    await client.call('config.write', { device, offset: 0x3c, width: 1, value: '0x5a', as: 'driver' });
    const after = await bytesOf(device);
    expect(after.bytes[0x3c]).toBe(0x5a);
    expect(after.writers[0x3c]).toBe(ConfigWriter.you);
    expect(after.writers[4]).toBe(ConfigWriter.driver);
  });

  it('keeps read-only bits from the driver, and answers what reads back', async () => {
    const device = await quietDisk();
    const vendor = { device, offset: 0, width: 2, value: '0xbeef' } as const;
    const { bytes } = await bytesOf(device);
    const kept = `0x${(bytes[0]! | (bytes[1]! << 8)).toString(16).padStart(4, '0')}`;
    expect((await client.call('config.write', { ...vendor, as: 'driver' })).result).toEqual({ value: kept });
    expect((await client.call('config.write', { ...vendor, as: 'device' })).result).toEqual({
      value: '0xbeef',
    });
  });

  it.each([
    [{ offset: 1, width: 2, value: '0x0' }, 'BAD_OFFSET', /a multiple of 2 below 4096/],
    [{ offset: 4096, width: 4, value: '0x0' }, 'BAD_OFFSET', /below 4096/],
    [{ offset: 0, width: 1, value: '0x100' }, 'VALUE_TOO_WIDE', /does not fit in 1 byte/],
    [{ offset: 0, width: 8, value: '0x0' }, 'BAD_PARAMETERS', /1, 2 or 4 bytes/],
  ])('refuses %j', async (write, code, message) => {
    const { result } = await client.call('devices.powerOn', SMALL);
    expect(await client.refusal('config.write', { ...result, ...write, as: 'driver' })).toMatchObject({
      code,
      message,
    });
  });

  it('is exported as lspci prints it', async () => {
    const device = await quietDisk();
    const { bytes } = await bytesOf(device);
    const { text } = (await client.call('config.export', { device })).result;
    expect(text).toMatch(/^0?0?0?0?:?01:00\.0 /);
    const first = /^00: (.*)$/m.exec(text)?.[1];
    expect(first).toBe(
      [...bytes.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
    );
    expect(text).toMatch(/^ff0: /m);
  });
});

describe('interrupts', () => {
  it('are raised by hand, counted, and refused with a reason', async () => {
    const device = await quietDisk();
    const count = async (): Promise<number> => {
      const { result } = await client.call('interrupts.list', { device });
      expect(result.mode).toBe('msix');
      return result.vectors.find(({ vector }) => vector === 1)!.count;
    };
    const before = await count();
    const raised = await client.call('interrupts.raise', { device, vector: 1, count: 5 });
    expect(raised.result).toEqual({ raised: 5, refused: 0 });
    expect(await count()).toBe(before + 5);
    expect((await client.call('interrupts.raise', { device, vector: 2000, count: 2 })).result).toMatchObject({
      raised: 0,
      refused: 2,
      reason: /The driver enabled \d+ vectors/,
    });
    expect(await client.refusal('interrupts.raise', { device, vector: -1, count: 1 })).toMatchObject({
      code: 'BAD_PARAMETERS',
    });
  });
});

describe('DMA', () => {
  it('is listed newest first, with its bytes', async () => {
    const device = await quietDisk();
    const { result } = await client.call('dma.list', { device, before: 0, count: 4 });
    expect(result.entries).toHaveLength(4);
    expect(result.entries[0]!.id).toBe(result.newest);
    expect(result.transfers).toBeGreaterThan(4);
    expect(result.transfers).toBeLessThan(10_000);
    const ids = result.entries.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted((a, b) => b - a));
    const older = await client.call('dma.list', { device, before: ids.at(-1)!, count: 3 });
    expect(older.result.entries[0]!.id).toBe(ids.at(-1)! - 1);
    const entry = result.entries[0]!;
    const { bytes } = await client.call('dma.bytes', { id: entry.id });
    expect(bytes).toHaveLength(entry.captured);
    expect(entry).toMatchObject({ device, status: 'ok' });
    expect(await client.refusal('dma.bytes', { id: 1 })).toMatchObject({ code: 'NO_SUCH_TRANSFER' });
  });

  it('writes and reads memory by hand, and says what was outside', async () => {
    const device = await quietDisk();
    const { result } = await client.call('dma.mappings', { device });
    const { address } = result.mappings[0]!;
    await client.call('dma.writeMemory', { device, address, bytes: 'c0ffee' });
    const { bytes } = await client.call('dma.readMemory', { device, address, length: 3 });
    expect(Buffer.from(bytes!).toString('hex')).toBe('c0ffee');
    expect(await client.refusal('dma.readMemory', { device, address: 2 ** 40, length: 16 })).toMatchObject({
      code: 'DMA_REFUSED',
      message: /0x10000000000 was refused/,
    });
    for (const bad of ['abc', 'xy', '', 'c0 ff']) {
      expect(await client.refusal('dma.writeMemory', { device, address, bytes: bad })).toMatchObject({
        code: 'BAD_PARAMETERS',
        message: /pairs of hexadecimal digits/,
      });
    }
  });
});

describe('the trace', () => {
  /** As {@link quietDisk}, once all that it did is in the trace. */
  async function settledDisk(): Promise<number> {
    const device = await quietDisk();
    await client.stream('stats', ({ eventsPerSecond }) => eventsPerSecond === 0);
    return device;
  }

  /** Kinds, offsets and flags of rows. */
  function rowsOf(bytes: Uint8Array): { kind: number; flags: number; address: number; value: number }[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: bytes.length / TRACE_RECORD_BYTES }, (_, row) => {
      const at = row * TRACE_RECORD_BYTES;
      return {
        kind: view.getUint8(at + TraceField.kind),
        flags: view.getUint8(at + TraceField.flags),
        address: view.getFloat64(at + TraceField.address, true),
        value: view.getUint32(at + TraceField.valueLow, true),
      };
    });
  }

  it('holds what the driver did, in a view of each window', async () => {
    const device = await settledDisk();
    const other = open();
    await client.call('trace.clear', {});
    await client.call('trace.view', { filter: 'reg ~ "CC" && write' });
    await other.call('trace.view', { filter: '' });
    const found = client.stream('trace', ({ rows }) => rows === 1);
    const cc = { device, bar: 0, offset: 0x14, width: 4, as: 'driver' } as const;
    const { value } = (await client.call('registers.read', cc)).result;
    await client.call('registers.write', { ...cc, value });
    const counted = await found;
    expect(counted.total).toBeGreaterThanOrEqual(2);
    const { bytes } = await client.call('trace.rows', { from: 0, count: 10 });
    expect(rowsOf(bytes!)).toMatchObject([
      { kind: TraceKind.mmioWrite, address: 0x14, value: Number(value) },
    ]);
    const all = await other.call('trace.rows', { from: 0, count: 10 });
    expect(rowsOf(all.bytes!).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining([TraceKind.mmioRead, TraceKind.mmioWrite]),
    );
    const { text } = (await client.call('trace.text', { from: 0, count: 1 })).result;
    expect(text).toMatch(/CC/);
    other.close();
    await client.call('trace.view', { filter: '' });
  });

  it('says that a person did it', async () => {
    const device = await settledDisk();
    await client.call('trace.clear', {});
    await client.call('trace.view', { filter: 'irq || note' });
    const both = client.stream('trace', ({ rows }) => rows === 2);
    await client.call('interrupts.raise', { device, vector: 1, count: 1 });
    await client.call('registers.write', {
      device,
      bar: 0,
      offset: 0x24,
      width: 4,
      value: '0x1',
      as: 'device',
    });
    await both;
    const { result, bytes } = await client.call('trace.rows', { from: 0, count: 2 });
    expect(rowsOf(bytes!)).toMatchObject([
      { kind: TraceKind.interrupt, flags: TraceFlag.byHand },
      { kind: TraceKind.note, flags: TraceFlag.byHand },
    ]);
    expect(Object.values(result.notes)).toEqual([expect.stringMatching(/BAR0\+0x24 set to 0x1 by hand/)]);
    await client.call('trace.view', { filter: '' });
  });

  it('says where a filter is not clear, and keeps the view that was', async () => {
    expect(await client.refusal('trace.view', { filter: 'bar == ' })).toMatchObject({ code: 'BAD_FILTER' });
    expect(await client.refusal('trace.view', { filter: 'x'.repeat(1001) })).toMatchObject({
      code: 'BAD_PARAMETERS',
    });
    expect(await client.refusal('trace.rows', { from: 0, count: 2001 })).toMatchObject({
      message: /at most 2000 rows/,
    });
    await client.call('trace.rows', { from: 0, count: 1 });
  });
});

it('starts, stops and paces the workload', async () => {
  const device = await quietDisk();
  const before = (await client.call('devices.list', {})).result[0]!.workload!.operations;
  await client.call('devices.workload', { device, running: true, rate: 0 });
  await client.stream('devices', (devices) => devices[0]!.workload!.operations > before + 100);
  expect(await client.refusal('devices.workload', { device, running: true, rate: -1 })).toMatchObject({
    code: 'BAD_PARAMETERS',
  });
});

it('offers no shell where it was told so', async () => {
  const closed = new Lab({ host: new SimHost(), shell: 'headless', version: '1', terminal: false });
  try {
    const [end, window] = channelPair();
    closed.accept(end);
    const without = new ContractClient(window);
    expect(await without.refusal('terminal.open', { kind: 'shell', columns: 80, rows: 24 })).toMatchObject({
      code: 'NO_TERMINAL',
      message: 'This lab was started without a terminal.',
    });
  } finally {
    await closed.close();
  }
});

describe('a display', () => {
  it('travels to who watches it, and to nobody else', async () => {
    const { device } = (await client.call('devices.powerOn', { model: 'protopciem', options: {} })).result;
    await expect.poll(async () => (await summary(device))?.driver, FAST).toBe('initiator');
    const other = open();
    const first = client.stream('display');
    await client.call('display.watch', { device });
    const { width, height, parts } = await first;
    expect(parts).toEqual([[0, 0, width, height]]);
    // Each update is acknowledged, so they go on coming, with later pictures.
    const later = await client.stream('display', ({ frame }) => frame > 20);
    expect(later.device).toBe(device);
    expect(other.streamed.some(({ stream }) => stream === 'display')).toBe(false);

    await client.call('devices.workload', { device, running: false, rate: 0 });
    await expect.poll(async () => (await summary(device))?.workload?.phase, FAST).toBe('Idle');
    const displays = () => client.streamed.filter(({ stream }) => stream === 'display').length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    const idle = displays();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(displays()).toBe(idle);
    other.close();
  });

  it('belongs to display adapters', async () => {
    const { device } = (await client.call('devices.powerOn', { model: 'scratch', options: {} })).result;
    expect(await client.refusal('display.watch', { device })).toMatchObject({
      code: 'NO_DISPLAY',
      message: 'Scratch card has no picture; display adapters have.',
    });
    expect((await client.refusal('display.watch', { device: 300 })).code).toBe('BAD_PARAMETERS');
  });
});

describe('keyboard and mouse', () => {
  it('go nowhere on a simulated host, and it says so', async () => {
    const { device } = (await client.call('devices.powerOn', { model: 'protopciem', options: {} })).result;
    expect(await client.refusal('input.attach', { device })).toMatchObject({
      code: 'NO_INPUT',
      message: 'The simulated host has no machine to type into.',
    });
    expect((await client.refusal('input.events', { events: [] })).code).toBe('INPUT_DETACHED');
    await client.call('input.detach', {});
  });

  it('are checked where they come in', async () => {
    const refusal = async (event: unknown) =>
      (await client.refusal('input.events', { events: [event] } as never)).message;
    expect(await refusal({ kind: 'key', code: 'KeyÄ', down: true })).toMatch(/KeyboardEvent.code/);
    expect(await refusal({ kind: 'key', code: 'toString', down: true })).toMatch(/KeyboardEvent.code/);
    expect(await refusal({ kind: 'motion', x: 0.5, y: 0 })).toMatch(/whole/);
    expect(await refusal({ kind: 'button', button: 5, down: true })).toMatch(/button/);
    expect(await refusal({ kind: 'smell' })).toMatch(/kind/);
  });

  it('belong to a display adapter, are there while it is, and let go when the window or the device leaves', async () => {
    const said: string[] = [];
    const host = Object.assign(new SimHost(), {
      openInput: (name: string) => {
        said.push(`open ${name}`);
        return {
          keyboard: (events: readonly (readonly number[])[]) => said.push(`keyboard ${events.join()}`),
          mouse: (events: readonly (readonly number[])[]) => said.push(`mouse ${events.join()}`),
          close: () => said.push('close'),
        };
      },
    });
    const machine = new Lab({ host, shell: 'headless', version: '1', terminal: false });
    const [end, other] = channelPair();
    machine.accept(end);
    const window = new ContractClient(other);
    expect((await window.call('lab.hello', {})).result.abilities.input).toBe(true);
    const disk = (await window.call('devices.powerOn', SMALL)).result.device;
    expect(said).toEqual([]);
    expect((await window.refusal('input.attach', { device: disk })).code).toBe('NO_DISPLAY');
    const { device } = (await window.call('devices.powerOn', { model: 'protopciem', options: {} })).result;
    expect(said.splice(0)).toEqual(['open PCIem Lab ProtoPCIem card']);

    await window.call('input.attach', { device });
    await window.call('input.events', { events: [{ kind: 'key', code: 'KeyA', down: true }] });
    expect(said.splice(0)).toEqual(['keyboard 1,30,1']);
    window.close();
    await expect.poll(() => said.splice(0), FAST).toEqual(['keyboard 1,30,0']);

    const [again, last] = channelPair();
    machine.accept(again);
    const next = new ContractClient(last);
    await next.call('input.attach', { device });
    await next.call('input.events', { events: [{ kind: 'button', button: 0, down: true }] });
    expect(said.splice(0)).toEqual(['mouse 1,272,1']);
    await next.call('devices.surpriseRemove', { device });
    // Its keyboard and mouse are gone, so that the kernel releases what was held.
    expect(said.splice(0)).toEqual(['close']);
    expect((await next.refusal('input.events', { events: [] })).code).toBe('INPUT_DETACHED');
    await machine.close();
  });
});
