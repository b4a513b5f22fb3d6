import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { ConfigWriter } from '#contract/config.ts';
import type { WireRegister } from '#contract/devices.ts';
import { Expert } from '#contract/expert.ts';
import { TRACE_RECORD_BYTES, TraceField } from '#contract/trace-record.ts';
import { SimHost } from '../hosts/sim/host.ts';
import { ContractClient, channelPair } from '../testing/contract-client.ts';
import { Lab } from './session.ts';

// Where a machine is busy, a device takes seconds to come up.
vi.setConfig({ testTimeout: 30_000 });

const folder = mkdtempSync(join(tmpdir(), 'pciem-lab-config-'));
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
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true });
});

async function powerOn(model: string, options = {}): Promise<number> {
  return (await client.call('devices.powerOn', { model, options })).result.device;
}
async function boundDisk(): Promise<number> {
  const device = await powerOn('nvme', { size: '16MiB' });
  const driver = async () => (await client.call('devices.list', {})).result[0]?.driver;
  await expect.poll(driver, FAST).toBe('initiator');
  return device;
}
async function read(device: number): Promise<Uint8Array> {
  const { result, bytes } = await client.call('config.read', { device });
  return bytes!.slice(0, result.size);
}
const lspci = (...more: string[]): string => execFileSync('lspci', more, { encoding: 'utf8' });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

it('knows who wrote a byte, and when', async () => {
  const device = await boundDisk();
  const { result } = await client.call('config.read', { device });
  const command = result.written.find(({ offset, length }) => offset <= 4 && 4 < offset + length)!;
  expect(command.writer).toBe(ConfigWriter.driver);
  expect(command.time).toBeGreaterThan(0);
  await client.call('config.write', { device, offset: 0x3c, width: 1, value: '0x5a', as: 'device' });
  const after = (await client.call('config.read', { device })).result;
  const line = after.written.find(({ offset }) => offset === 0x3c)!;
  expect(line).toMatchObject({ length: 1, writer: ConfigWriter.you });
  expect(line.time).toBeGreaterThan(command.time);
});

it('writes some bits of a register, and leaves the others as they are by then', async () => {
  const device = await boundDisk();
  const word = async (offset: number) =>
    Buffer.from((await client.call('config.read', { device })).bytes!).readUInt16LE(offset);
  const write = async (offset: number, value: string, mask: string, as: 'device' | 'driver') =>
    (await client.call('config.write', { device, offset, width: 2, value, mask, as })).result.value;
  expect(await word(4)).toBe(0x0006);
  // Whatever a window saw last, Bus Master stays.
  expect(await write(4, '0x100', '0x100', 'driver')).toBe('0x0106');
  expect(await write(6, '0xf900', '0xf900', 'device')).toBe('0xf910');
  // A driver's write of one bit clears no other.
  expect(await write(6, '0x2000', '0x2000', 'driver')).toBe('0xd910');
  expect(await write(6, '0x0', '0x4000', 'driver')).toBe('0xd910');
  expect(await write(6, '0x0', '0x4000', 'device')).toBe('0x9910');
  const wide = { device, offset: 4, width: 2, value: '0x0', mask: '0x10000', as: 'driver' } as const;
  expect(await client.refusal('config.write', wide)).toMatchObject({ code: 'VALUE_TOO_WIDE' });
});

it('writes some bits of a register of a BAR', async () => {
  const device = await powerOn('clone', { dump: hex(await read(await boundDisk())), barSizes: '0=16KiB' });
  const at = { device, bar: 0, offset: 0x40, width: 4 } as const;
  const register = {
    name: 'STATUS',
    title: 'Errors',
    offset: 0x40,
    width: 4,
    reset: '0x0',
    writable: '0xff',
    writeOneToClear: '0xff00',
    fields: [],
  } satisfies WireRegister;
  await client.call('registers.describe', { device, bar: 0, registers: [register] });
  const value = async () => (await client.call('registers.read', { ...at, as: 'device' })).result.value;
  await client.call('registers.write', { ...at, value: '0x0000ff12', as: 'device' });
  await client.call('registers.write', { ...at, value: '0x30', mask: '0xf0', as: 'device' });
  expect(await value()).toBe('0x0000ff32');
  // What a driver writes shows which bits were kept: those that a 1 clears were not.
  await client.call('registers.write', { ...at, value: '0x105', mask: '0x10f', as: 'driver' });
  await expect.poll(value, FAST).toBe('0x00000135');
});

it('knows the bytes as of a row of the trace', async () => {
  const device = await boundDisk();
  await client.call('config.write', { device, offset: 0x3c, width: 1, value: '0x5a', as: 'device' });
  await client.call('config.write', { device, offset: 0x3c, width: 1, value: '0x6b', as: 'device' });
  const filter = `config && write && device == ${device}`;
  const rows = async (more = '') =>
    (await client.call('trace.view', { filter: `${filter}${more}` })).result.rows;
  await expect.poll(() => rows(' && byhand'), FAST).toBe(2);
  const { result, bytes } = await client.call('trace.rows', { from: 0, count: await rows() });
  const view = new DataView(bytes!.buffer, bytes!.byteOffset, bytes!.byteLength);
  const writes = Array.from({ length: result.count }, (_, at) => ({
    time: view.getFloat64(at * TRACE_RECORD_BYTES + TraceField.time, true),
    offset: view.getFloat64(at * TRACE_RECORD_BYTES + TraceField.address, true),
    value: view.getUint32(at * TRACE_RECORD_BYTES + TraceField.valueLow, true),
  }));
  const asOf = async (time: number) => (await client.call('config.at', { device, time })).bytes!;
  const byHand = writes.filter(({ offset }) => offset === 0x3c);
  expect((await asOf(byHand[0]!.time))[0x3c]).toBe(0x5a);
  expect((await asOf(byHand[1]!.time))[0x3c]).toBe(0x6b);
  const master = writes.find(({ offset, value }) => offset === 4 && (value & 4) !== 0)!;
  expect((await asOf(master.time - 1))[4]! & 4).toBe(0);
  const then = await asOf(master.time);
  expect(then[4]! & 4).toBe(4);
  // Firmware had been there.
  expect(hex(then.subarray(0x10, 0x18))).toBe(hex((await read(device)).subarray(0x10, 0x18)));
  // A reset is the device's doing, and no end of what is known.
  await client.call('config.write', { device, offset: 0x0c, width: 1, value: '0x10', as: 'driver' });
  await expect.poll(async () => (await asOf(Number.MAX_SAFE_INTEGER))[0x0c], FAST).toBe(0x10);
  await client.call('devices.reset', { device });
  await expect.poll(async () => (await asOf(Number.MAX_SAFE_INTEGER))[0x0c], FAST).toBe(0);
  expect((await asOf(byHand[1]!.time))[0x3c]).toBe(0x6b);
  const refusal = await client.refusal('config.at', { device, time: 0 });
  expect(refusal).toMatchObject({
    code: 'NOT_KEPT',
    message: /^NVMe disk was powered on at [\d.]+ s; this is from before\.$/,
    hint: 'Choose a later row of the trace.',
  });
});

it('tells which bits a driver writes and clears, and what power-on gave', async () => {
  const device = await boundDisk();
  const { result, bytes } = await client.call('config.access', { device });
  expect(result.size).toBe(4096);
  expect([...bytes!.subarray(4, 6)]).toEqual([0x46, 0x05]);
  expect(bytes![4096 + 7]).toBe(0xf9);
  const first = (await client.call('config.powerOn', { device })).bytes!;
  expect(first[4]).toBe(0);
  expect((await read(device))[4]).toBe(6);
});

it('exports text that lspci reads as the same device', async () => {
  const device = await boundDisk();
  const { text } = (await client.call('config.export', { device })).result;
  const file = join(folder, 'export.txt');
  writeFileSync(file, text);
  const said = lspci('-F', file, '-vvv', '-n');
  expect(said).toMatch(/^01:00\.0 0108: 1f0c:0010 \(rev 01\) \(prog-if 02/);
  expect(said).toMatch(/Control: I\/O- Mem\+ BusMaster\+/);
  expect(said).toMatch(/Region 0: Memory at [0-9a-f]+ \(64-bit, non-prefetchable\)/);
  expect(said).toMatch(/MSI-X: Enable\+ Count=65 Masked-/);
  // What lspci prints of it, we read again.
  const printed = lspci('-F', file, '-xxxx');
  const again = await client.call('config.parse', { text: printed });
  expect(again.result.functions).toMatchObject([{ address: '01:00.0', size: 4096 }]);
  expect(hex(again.bytes!)).toBe(hex(await read(device)));
});

it('imports text: refuses what is broken by its line, and reads sizes of BARs out of -v', async () => {
  const refusal = await client.refusal('config.parse', { text: '01:00.0 X\n00: 00 0g' });
  expect(refusal).toMatchObject({ code: 'BAD_DUMP', message: expect.stringMatching(/^Line 2: bytes are/) });
  const rows = Array.from({ length: 4 }, (_, row) => {
    const cells = Array.from({ length: 16 }, (_, at): string => (row === 1 && at === 2 ? 'd1' : '00'));
    if (row === 1) cells[3] = 'f7';
    return `${row === 0 ? '00' : `${row}0`}: ${cells.join(' ')}`;
  });
  const text = [
    '00:02.0 Network controller: Some (rev 01)',
    '\tMemory at f7d10000 (32-bit, non-prefetchable) [size=64K]',
    ...rows,
  ].join('\n');
  const { result } = await client.call('config.parse', { text });
  expect(result.functions[0]!.barSizes).toEqual([65536, 0, 0, 0, 0, 0]);
});

it('powers a clone on that is the same on the bus', async () => {
  const disk = await boundDisk();
  const bytes = await read(disk);
  const device = await powerOn('clone', { dump: hex(bytes), barSizes: '0=16KiB' });
  const first = (await client.call('config.powerOn', { device: disk })).bytes!;
  const copy = await read(device);
  // Addresses are the firmware's doing.
  for (const one of [first, copy]) one.fill(0, 0x10, 0x18);
  expect(hex(copy)).toBe(hex(first));
  const { result } = await client.call('devices.describe', { device });
  expect(result).toMatchObject({ model: 'clone', title: 'Clone of 1f0c:0010', bars: [{ size: 16384 }] });
  await client.call('registers.write', {
    device,
    bar: 0,
    offset: 8,
    width: 4,
    value: '0x1234',
    as: 'driver',
  });
  const { value } = (
    await client.call('registers.read', { device, bar: 0, offset: 8, width: 4, as: 'driver' })
  ).result;
  expect(value).toBe('0x00001234');
  const refusal = await client.refusal('devices.powerOn', {
    model: 'clone',
    options: { dump: hex(bytes), barSizes: '0=1' },
  });
  expect(refusal).toMatchObject({ code: 'BAD_OPTION', field: 'barSizes' });
});

it('sets all bytes at once, and says how many changed', async () => {
  const device = await powerOn('scratch');
  const bytes = await read(device);
  bytes.set([0x86, 0x80], 0);
  const load = async () => (await client.call('config.load', { device, bytes: hex(bytes) })).result.changed;
  expect(await load()).toBe(2);
  expect(await load()).toBe(0);
  expect(hex(await read(device))).toBe(hex(bytes));
});

it('tells what a configuration register held before a write', async () => {
  const device = await boundDisk();
  const rows = async (filter: string) =>
    (await client.call('trace.view', { filter: `config && write && device == ${device} && ${filter}` }))
      .result.rows;
  const enabled = 'offset == 4 && value == 6 && previous == 0 && !byhand';
  await expect.poll(() => rows(enabled), FAST).toBe(1);
  expect(await rows('!(previous >= 0)')).toBe(0);
  // A reset takes back what was written; the driver that comes again writes it anew.
  await client.call('devices.reset', { device });
  await expect.poll(() => rows(enabled), FAST).toBe(2);
  const { bytes } = await client.call('config.read', { device });
  const command = bytes![4]! | (bytes![5]! << 8);
  await client.call('config.write', { device, offset: 4, width: 2, value: '0x0', as: 'driver' });
  await client.call('config.write', { device, offset: 4, width: 2, value: '0x6', as: 'driver' });
  await expect.poll(() => rows(`byhand && value == 0 && previous == ${command}`), FAST).toBe(1);
  await expect.poll(() => rows('byhand && value == 6 && previous == 0'), FAST).toBe(1);
});

it('gives the registers of a BAR names, for the trace as well', async () => {
  const device = await powerOn('clone', { dump: hex(await read(await boundDisk())), barSizes: '0=16KiB' });
  const register = {
    name: 'KNOB',
    title: 'Turns',
    offset: 0x40,
    width: 4,
    reset: '0x0',
    writable: '0xff',
    writeOneToClear: '0x0',
    fields: [{ name: 'LEVEL', lsb: 0, width: 4, values: { 3: 'high' } }],
  } satisfies WireRegister;
  const one = async () =>
    (await client.call('devices.list', {})).result.find(({ id }) => id === device)!.revision;
  expect(await one()).toBe(0);
  await client.call('registers.describe', { device, bar: 0, registers: [register] });
  expect(await one()).toBe(1);
  const { result } = await client.call('devices.describe', { device });
  expect(result.bars[0]!.registers).toEqual([register]);
  await client.call('registers.write', {
    device,
    bar: 0,
    offset: 0x40,
    width: 4,
    value: '0x3',
    as: 'driver',
  });
  await expect
    .poll(async () => (await client.call('trace.view', { filter: 'reg ~ "KNOB"' })).result.rows, FAST)
    .toBe(1);
  // What they tell of an access is noted too.
  const state = { ...register, name: 'STATE', offset: 0x44, writable: '0x0' };
  await client.call('registers.describe', { device, bar: 0, registers: [register, state] });
  const write = { device, bar: 0, value: '0x1', as: 'driver' } as const;
  await client.call('registers.write', { ...write, offset: 0x40, width: 1 });
  await client.call('registers.write', { ...write, offset: 0x44, width: 4 });
  const noted = async () =>
    (await client.call('trace.experts', {})).result.groups
      .filter((group) => group.device === device && group.bit !== Expert.decodingOff)
      .map(({ bit, offset }) => [bit, offset]);
  await expect.poll(noted, FAST).toEqual([
    [Expert.wrongSize, 0x40],
    [Expert.readOnly, 0x44],
  ]);
  // Bits that a driver does not write stay, so the next write changes none of them.
  const rows = async (filter: string) => (await client.call('trace.view', { filter })).result.rows;
  expect(await rows('reg == STATE && previous == 0')).toBe(1);
  await client.call('registers.write', { ...write, offset: 0x44, width: 4, value: '0x2' });
  await expect.poll(() => rows('reg == STATE && write'), FAST).toBe(2);
  expect(await rows('reg == STATE && previous == 0')).toBe(2);
  const outside = { ...register, offset: 0x4000 };
  expect(await client.refusal('registers.describe', { device, bar: 0, registers: [outside] })).toMatchObject({
    code: 'OUT_OF_BAR',
    message: /KNOB at 0x4000 ends past BAR 0/,
  });
});
