// @vitest-environment happy-dom
import { expect, test } from 'vitest';
import type { WireDescription } from '#contract/devices.ts';
import { Expert } from '#contract/expert.ts';
import {
  InterruptRefusal,
  TRACE_RECORD_BYTES,
  TraceField,
  TraceFlag,
  TraceKind,
} from '#contract/trace-record.ts';
import { RegisterIndex } from '#renderer/state/register-index.ts';
import { fieldLines } from './details.tsx';
import { type Column, columns, formatRow, layoutColumns, readRow, type TraceRow } from './row.ts';

const register = { title: '', reset: '0x0', writable: '0x0', writeOneToClear: '0x0' };
const description: WireDescription = {
  model: 'nvme',
  title: 'NVMe disk',
  identity: { vendorId: 0, deviceId: 0, subsystemVendorId: 0, subsystemId: 0, revision: 0, classCode: 0 },
  capabilities: [],
  vectorNames: ['Admin queue'],
  config: [
    {
      name: 'Command',
      offset: 0x04,
      length: 2,
      writable: '0x546',
      writeOneToClear: '0x0',
      fields: [
        { name: 'Memory Space Enable', lsb: 1, width: 1 },
        { name: 'Bus Master Enable', lsb: 2, width: 1 },
        { name: 'Interrupt Disable', lsb: 10, width: 1 },
      ],
    },
    {
      name: 'Status',
      offset: 0x06,
      length: 2,
      writable: '0x0',
      writeOneToClear: '0xf900',
      fields: [
        { name: 'Capabilities List', lsb: 4, width: 1 },
        { name: 'Received Master Abort', lsb: 13, width: 1 },
      ],
    },
    { name: 'Class Code', offset: 0x09, length: 3, writable: '0x0', writeOneToClear: '0x0', fields: [] },
    {
      name: 'Base Address 0',
      offset: 0x10,
      length: 4,
      writable: '0xffffc000',
      writeOneToClear: '0x0',
      fields: [],
    },
    {
      name: 'MSI-X Message Control',
      offset: 0x72,
      length: 2,
      writable: '0xc000',
      writeOneToClear: '0x0',
      fields: [{ name: 'MSI-X Enable', lsb: 15, width: 1 }],
    },
  ],
  bars: [
    {
      index: 0,
      size: 16384,
      memory64: true,
      prefetchable: false,
      title: '',
      trace: { reads: true, writes: true, stopWrites: false },
      registers: [
        {
          ...register,
          name: 'CC',
          offset: 0x14,
          width: 4,
          fields: [
            { name: 'EN', lsb: 0, width: 1 },
            { name: 'IOSQES', lsb: 16, width: 4 },
          ],
        },
        { ...register, name: 'ASQ', offset: 0x28, width: 8, fields: [{ name: 'ASQB', lsb: 12, width: 52 }] },
        {
          ...register,
          name: 'STATUS',
          offset: 0x40,
          width: 4,
          writeOneToClear: '0x3',
          selfClearing: '0x10',
          fields: [
            { name: 'DONE', lsb: 0, width: 1 },
            { name: 'ERROR', lsb: 1, width: 1 },
            { name: 'START', lsb: 4, width: 1 },
            { name: 'MODE', lsb: 8, width: 2 },
          ],
        },
        { ...register, name: 'SQ1TDBL', title: 'Tail doorbell', offset: 0x1008, width: 4, fields: [] },
      ],
    },
  ],
};
const index = new RegisterIndex(description);
const context = {
  index: () => index,
  name: (device: number) => `disk${device}`,
  note: (number: number) => (number === 5 ? 'Doorbell of no queue' : undefined),
  before: undefined,
};
const base: TraceRow = {
  time: 1_500_000,
  address: 0,
  value: 0n,
  length: 4,
  kind: TraceKind.mmioWrite,
  device: 1,
  bar: 0,
  flags: 0,
  aux: 0,
  cause: 0,
  cpu: 3,
  sequence: 0,
  previous: 0n,
  row: 0,
  repeat: 1,
  rule: 0,
  latency: Number.NaN,
};
const format = (row: Partial<TraceRow>, more: Partial<Parameters<typeof formatRow>[1]> = {}) =>
  formatRow({ ...base, ...row }, { ...context, ...more });

test('a record is read from its place among others', () => {
  const view = new DataView(new ArrayBuffer(TRACE_RECORD_BYTES * 2));
  const at = TRACE_RECORD_BYTES;
  view.setFloat64(at + TraceField.time, 2.5e9, true);
  view.setFloat64(at + TraceField.address, 0x1_0000_0000_0, true);
  view.setUint32(at + TraceField.valueLow, 0xffff_fffe, true);
  view.setUint32(at + TraceField.valueHigh, 1, true);
  view.setUint8(at + TraceField.kind, TraceKind.mmioRead);
  view.setUint8(at + TraceField.device, 255);
  view.setUint16(at + TraceField.cpu, 300, true);
  view.setUint32(at + TraceField.previousHigh, 2, true);
  const row = readRow(view, 1);
  expect(row).toMatchObject({
    time: 2.5e9,
    address: 0x1_0000_0000_0,
    value: 0x1_ffff_fffen,
    device: 255,
    cpu: 300,
    previous: 0x2_0000_0000n,
  });
  expect(readRow(view, 0).kind).toBe(0);
});

test('a write names its register and what changed', () => {
  const { tone, cells } = format({
    address: 0x14,
    value: 0x60001n,
    previous: 0x60000n,
    flags: TraceFlag.previousKnown,
    sequence: 77,
  });
  expect(tone).toBe('write');
  expect(cells).toMatchObject({
    kind: 'write',
    register: 'CC 0x0014',
    value: '0x00060001',
    decoded: 'EN 0→1',
    cpu: '3',
    bar: '0',
    width: '4 B',
    cause: '#77',
    time: '0.001500 s',
    row: '1',
  });
});

test('without a known value before, the fields that are set are shown', () => {
  expect(format({ address: 0x14, value: 0x60001n }).cells.decoded).toBe('EN=1, IOSQES=6');
  expect(
    format({ address: 0x14, value: 1n, previous: 1n, flags: TraceFlag.previousKnown }).cells.decoded,
  ).toBe('unchanged');
});

test('a write says what it clears, and what clears itself', () => {
  const status = (value: bigint, previous: bigint | undefined, kind: number = TraceKind.mmioWrite) =>
    format({
      kind,
      address: 0x40,
      value,
      previous: previous ?? 0n,
      flags: previous === undefined ? 0 : TraceFlag.previousKnown,
    }).cells.decoded;
  expect(status(1n, 1n)).toBe('DONE 1: clears');
  // Whatever was seen last: the device may have set it since.
  expect(status(3n, 0n)).toBe('DONE 1: clears, ERROR 1: clears');
  expect(status(0n, 3n)).toBe('unchanged');
  expect(status(0x10n, 0n)).toBe('START 1: self-clearing');
  expect(status(0x10n, 0x10n)).toBe('START 1: self-clearing');
  expect(status(0x201n, 0x103n)).toBe('DONE 1: clears, MODE 1→2');
  expect(status(0x201n, undefined)).toBe('DONE=1: clears, MODE=2');
  expect(status(1n, 3n, TraceKind.mmioRead)).toBe('ERROR 1→0');
  expect(status(1n, 1n, TraceKind.mmioRead)).toBe('DONE=1');
});

test('the upper half of a wide register is shown as such', () => {
  const { cells } = format({ address: 0x2c, value: 1n });
  expect(cells.register).toBe('ASQ+4 0x002c');
  expect(cells.decoded).toBe('ASQB=0x100000');
});

test('an offset with no register is still there', () => {
  expect(format({ address: 0x900 }).cells.register).toBe('0x0900');
  expect(format({ address: 0x900 }, { index: () => undefined }).cells.register).toBe('0x0900');
});

test('the delta is to the row before, where that is known', () => {
  expect(format({}, { before: 1_250_000 }).cells.delta).toBe('+250 us');
  expect(format({}).cells.delta).toBe('');
});

test('interrupts, DMA, configuration', () => {
  expect(format({ kind: TraceKind.interrupt, aux: 0, cause: 77 }).cells).toMatchObject({
    register: 'vector 0',
    decoded: 'Admin queue',
    cause: 'from #77',
  });
  const refused = format({
    kind: TraceKind.dmaRead,
    address: 0x1000,
    length: 64,
    aux: 1,
    flags: TraceFlag.refused,
  });
  expect(refused.tone).toBe('error');
  expect(refused.cells).toMatchObject({
    kind: 'DMA read',
    register: '0x00001000',
    value: '64 B',
    decoded: 'refused: unmapped',
  });
  const peer = { kind: TraceKind.dmaWrite, address: 0x1000, length: 64, flags: TraceFlag.peer };
  expect(format(peer).cells.decoded).toBe('peer to peer');
  const flags = TraceFlag.peer | TraceFlag.refused;
  expect(format({ ...peer, aux: 1, flags }).cells.decoded).toBe('refused: unmapped, peer to peer');
  expect(format({ kind: TraceKind.configWrite, address: 4, value: 6n, length: 2 }).cells).toMatchObject({
    register: 'Command 0x004',
    value: '0x0006',
  });
});

test('a write to configuration space says what it changed', () => {
  const write = (address: number, length: number, value: bigint, previous: bigint) =>
    format({ kind: TraceKind.configWrite, address, length, value, previous, flags: TraceFlag.previousKnown })
      .cells.decoded;
  expect(write(4, 2, 6n, 0n)).toBe('Memory Space Enable 0→1, Bus Master Enable 0→1');
  expect(write(5, 1, 4n, 0n)).toBe('Interrupt Disable 0→1');
  expect(write(4, 2, 6n, 6n)).toBe('unchanged');
  expect(write(0x10, 4, 0xffff_ffffn, 0x4n)).toBe('was 0x00000004');
  expect(write(0x40, 2, 1n, 2n)).toBe('was 0x0002');
  // Two registers; of Status a 1 clears, and a 0 leaves what is there.
  expect(write(4, 4, 0x2000_0006n, 0x2010_0002n)).toBe(
    'Bus Master Enable 0→1, Received Master Abort 1: clears',
  );
  const row = { ...base, kind: TraceKind.configWrite, address: 4, length: 2, value: 6n, previous: 4n };
  const lines = fieldLines({ ...row, flags: TraceFlag.previousKnown }, index);
  expect(lines.find(({ name }) => name === 'Memory Space Enable')).toMatchObject({
    bits: '1',
    before: '0',
    now: '1',
    changed: true,
  });
  expect(lines.find(({ name }) => name === 'Bus Master Enable')).toMatchObject({ changed: false });
});

test('missed events and notes take the whole row', () => {
  const missed = format({ kind: TraceKind.missed, aux: 1200 });
  expect(missed).toMatchObject({ wide: true, tone: 'warn' });
  expect(missed.cells.register).toBe('1,200 events are missing here');
  expect(format({ kind: TraceKind.missed, aux: 1 }).cells.register).toBe('1 event is missing here');
  const note = format({ kind: TraceKind.note, aux: 5, flags: TraceFlag.undefinedBehaviour });
  expect(note.cells).toMatchObject({ kind: 'undefined', register: 'Doorbell of no queue' });
  expect(format({ kind: 0 }).cells).toMatchObject({ register: 'no longer kept', row: '' });
});

test('what a person did says so', () => {
  expect(format({ address: 0x1008, flags: TraceFlag.byHand }).cells.decoded).toBe('Tail doorbell (by hand)');
});

test('configuration registers by the names of their tree, and by their fields', () => {
  const read = (address: number, length: number, value: bigint) =>
    format({ kind: TraceKind.configRead, address, length, value }).cells;
  expect(read(0x10, 4, 0n).register).toBe('Base Address 0 0x010');
  expect(read(0x0b, 1, 1n).register).toBe('Class Code+2 0x00b');
  expect(read(0x40, 2, 1n).register).toBe('0x040');
  expect(read(0x72, 2, 0x8000n)).toMatchObject({
    register: 'MSI-X Message Control 0x072',
    decoded: 'MSI-X Enable=1',
  });
  // Both registers that it meets.
  expect(read(0x04, 4, 0x2000_0006n)).toMatchObject({
    register: 'Command, Status 0x004',
    decoded: 'Memory Space Enable=1, Bus Master Enable=1, Received Master Abort=1',
  });
  expect(read(0x07, 1, 0x20n)).toMatchObject({
    register: 'Status+1 0x007',
    decoded: 'Received Master Abort=1',
  });
  const written = { kind: TraceKind.configWrite, address: 0x06, length: 2, value: 0x2000n };
  expect(format(written).cells.decoded).toBe('Received Master Abort=1: clears');
  expect(format({ ...written, flags: TraceFlag.byHand }).cells.decoded).toBe(
    'Received Master Abort=1 (by hand)',
  );
});

/** Widths of the columns, by name. */
function widths(width: number, shown: readonly Column[] = columns): Record<string, number> {
  const { template } = layoutColumns(width, shown);
  return Object.fromEntries(template.split(' ').map((one, at) => [shown[at]!.id, Number.parseInt(one, 10)]));
}

test('columns follow the room there is', () => {
  const some = columns.filter(({ id }) => id !== 'device');
  expect(widths(1500).value).toBe(134);
  expect(widths(899)).toMatchObject({ row: 52, value: 90 });
  expect(layoutColumns(600, columns).minWidth).toBe(layoutColumns(1230, columns).minWidth - 80);
  expect(layoutColumns(600, some).minWidth).toBe(layoutColumns(600, columns).minWidth - 76);
});

test('what is decoded takes what the other columns leave', () => {
  expect(layoutColumns(1230, columns)).toMatchObject({ fits: true, minWidth: 1230 });
  expect(widths(1230)).toMatchObject({ register: 140, decoded: 180 });
  expect(widths(1280)).toMatchObject({ register: 190, decoded: 180 });
  expect(widths(2560)).toMatchObject({ register: 200, decoded: 180 + 2560 - 1230 - 60 });
  expect(layoutColumns(2560, columns).minWidth).toBe(2560);
  // Not all fit: the last one that does ends at the edge.
  expect(layoutColumns(1229, columns)).toMatchObject({ fits: false, minWidth: 1230 + 99 });
  expect(widths(1229)).toMatchObject({ register: 140, decoded: 180 + 99 });
  expect(widths(800)).toMatchObject({ decoded: 180 });
  const without = columns.filter(({ id }) => id !== 'decoded');
  expect(layoutColumns(2560, without).minWidth).toBe(1230 - 188 + 60);
});

test('a row without the columns of an access leaves them to what is decoded', () => {
  expect(layoutColumns(1500, columns).span).toBe(4);
  expect(
    layoutColumns(
      1500,
      columns.filter(({ id }) => id !== 'cpu'),
    ).span,
  ).toBe(3);
  expect(format({ kind: TraceKind.command, value: 2n }).bare).toBe(true);
  expect(format({ address: 0x14 }).bare).toBe(false);
  expect(format({ kind: TraceKind.configWrite, address: 4, length: 2 }).bare).toBe(false);
  expect(format({ kind: TraceKind.missed, aux: 1 }).bare).toBe(false);
});

test('expert notes are a mark, the most severe first, and words', () => {
  const row = format({ kind: TraceKind.mmioWrite, address: 0x14, aux: Expert.readOnly | Expert.decodingOff });
  expect(row).toMatchObject({ expert: 'error' });
  expect(row.cells.marks).toBe('✖');
  expect(row.expertText).toMatch(/^Access while memory decoding is off: .*\nWrite to a read-only register: /);
  expect(format({ aux: Expert.noted })).toMatchObject({
    expert: 'note',
    expertText: 'See the note about it',
  });
  expect(format({}).expert).toBeUndefined();
  const masked = {
    kind: TraceKind.interrupt,
    aux: 3 | (InterruptRefusal.masked << 16),
    flags: TraceFlag.refused,
  };
  expect(format(masked).cells).toMatchObject({ register: 'vector 3', marks: '●' });
});

test('a command says what it was, where and how it ended', () => {
  const read = { kind: TraceKind.command, value: 2n, aux: (1 << 16) | 7, length: 4096, address: 0x2000 };
  expect(format(read).cells).toMatchObject({
    kind: 'command',
    register: 'opcode 0x02',
    value: '4 KiB',
    decoded: 'queue 1, command 7, at 0x2000',
  });
  expect(format({ ...read, value: (0x80n << 32n) | 2n, flags: TraceFlag.error })).toMatchObject({
    tone: 'error',
    cells: expect.objectContaining({ decoded: 'status 0x080, queue 1, command 7, at 0x2000' }),
  });
});

test('a row has the number that it has in the whole trace', () => {
  expect(format({ row: 5011 }).cells.row).toBe('5,012');
});

test('times count from a reference', () => {
  expect(format({ time: 2_000 }, { reference: 500 }).cells.time).toBe('+1.50 us');
  expect(format({ time: 400 }, { reference: 500 }).cells.time).toBe('−100 ns');
  expect(format({ time: 500 }, { reference: 500 }).cells.time).toBe('+0 ns');
  expect(format({ time: 500 }, { reference: 500, isReference: true }).cells.time).toBe('reference');
  expect(format({ time: 400 }, { before: 500 }).cells.delta).toBe('−100 ns');
});

test('a row that stands for several says for how many, and a request how long it took', () => {
  expect(format({ kind: TraceKind.mmioRead, address: 0x1008, repeat: 1200 }).cells.decoded).toMatch(
    /^1,200 times/,
  );
  expect(format({ latency: 12_300 }).cells.latency).toBe('12.3 us');
  expect(format({}).cells.latency).toBe('');
});

test('a width that was chosen stays, and what is decoded takes what is left', () => {
  const chosen = (width: number, one: Parameters<typeof layoutColumns>[3]) => {
    const { widths: all, ...rest } = layoutColumns(width, columns, 1, one);
    return { ...rest, ...Object.fromEntries(columns.map(({ id }, at) => [id, all[at]])) };
  };
  expect(chosen(2560, { time: 150 })).toMatchObject({ time: 150, decoded: 180 + 2560 - 1230 - 60 - 60 });
  // A chosen one does not grow, nor shrink in a narrow panel.
  expect(chosen(2560, { register: 120 })).toMatchObject({ register: 120, decoded: 180 + 2560 - 1230 + 20 });
  expect(chosen(800, { value: 134 })).toMatchObject({ value: 134 });
  expect(chosen(1230, { time: 91 })).toMatchObject({ fits: false });
  expect(layoutColumns(2560, columns, 2, { time: 150 }).widths[2]).toBe(300);
});
