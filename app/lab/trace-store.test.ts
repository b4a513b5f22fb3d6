import { describe, expect, it } from 'vitest';
import { TRACE_LIMIT } from '#contract/trace.ts';
import { TRACE_RECORD_BYTES, TraceField, TraceFlag, TraceKind } from '#contract/trace-record.ts';
import { ROW_BYTES, TraceColumns } from './trace-columns.ts';
import { compileFilter, type FilterNames } from './trace-filter.ts';
import { CHUNK_ROWS, TraceStore } from './trace-store.ts';
import { TraceSearch, TraceView } from './trace-view.ts';

interface Row {
  kind?: number;
  device?: number;
  bar?: number;
  flags?: number;
  address?: number;
  low?: number;
  high?: number;
  length?: number;
  aux?: number;
  cpu?: number;
  cause?: number;
  previous?: number;
  time?: number;
}

/** Rows as a device's thread writes them. */
function records(rows: readonly Row[]): [TraceColumns, number] {
  const columns = new TraceColumns(rows.length);
  rows.forEach((row, index) => {
    columns.time[index] = row.time ?? index;
    columns.address[index] = row.address ?? 0;
    columns.valueLow[index] = row.low ?? 0;
    columns.valueHigh[index] = row.high ?? 0;
    columns.previousLow[index] = row.previous ?? 0;
    columns.length[index] = row.length ?? 4;
    columns.head[index] =
      (row.kind ?? TraceKind.mmioWrite) |
      ((row.device ?? 1) << 8) |
      ((row.bar ?? 0) << 16) |
      ((row.flags ?? 0) << 24);
    columns.aux[index] = row.aux ?? 0;
    columns.cause[index] = row.cause ?? 0;
    columns.cpu[index] = row.cpu ?? 0;
    columns.sequence[index] = index + 1;
  });
  return [columns, rows.length];
}

const names: FilterNames = {
  *registers() {
    const fields = [
      { name: 'EN', lsb: 0, width: 1, values: { 1: 'enabled' } },
      { name: 'HI', lsb: 36, width: 8 },
    ];
    yield { device: 1, bar: 0, offset: 0x14, width: 4, name: 'CC', fields: fields.slice(0, 1) };
    yield { device: 1, bar: 0, offset: 0x28, width: 8, name: 'ASQ', fields };
    yield { device: 1, bar: 0, offset: 0x1000, width: 4, name: 'SQ0TDBL', fields: [] };
    yield { device: 1, bar: 0, offset: 0x1008, width: 4, name: 'SQ1TDBL', fields: [] };
    yield { device: 2, bar: 0, offset: 0x1008, width: 4, name: 'RESULT', fields: [] };
  },
  *devices() {
    yield { id: 1, name: 'disk' };
    yield { id: 2, name: 'card' };
  },
  note: (id) => (id === 7 ? 'doorbell of a queue that is not there' : undefined),
};

/** Indexes of the rows that a filter lets through. */
function matching(rows: readonly Row[], filter: string): number[] {
  const store = new TraceStore();
  store.append(...records(rows));
  const view = new TraceView(store, compileFilter(filter, names));
  while (!view.scan(1));
  return Array.from({ length: view.rows }, (_, index) => view.rowAt(index));
}

describe('trace store', () => {
  it('gives rows back as records', () => {
    const store = new TraceStore();
    store.append(
      ...records([
        {},
        {
          kind: TraceKind.dmaWrite,
          device: 3,
          bar: 2,
          flags: 9,
          address: 2 ** 51 + 1,
          low: 1,
          high: 2,
          previous: 3,
          length: 4096,
          aux: 0xffffffff,
          cause: 5,
          cpu: 65535,
          time: 1.5e15,
        },
      ]),
    );
    const view = new DataView(new ArrayBuffer(2 * TRACE_RECORD_BYTES));
    const at = TRACE_RECORD_BYTES;
    expect(store.record(1, view, at)).toBe(true);
    expect({
      time: view.getFloat64(at + TraceField.time, true),
      address: view.getFloat64(at + TraceField.address, true),
      low: view.getUint32(at + TraceField.valueLow, true),
      high: view.getUint32(at + TraceField.valueHigh, true),
      previous: view.getUint32(at + TraceField.previousLow, true),
      length: view.getUint32(at + TraceField.length, true),
      kind: view.getUint8(at + TraceField.kind),
      device: view.getUint8(at + TraceField.device),
      bar: view.getUint8(at + TraceField.bar),
      flags: view.getUint8(at + TraceField.flags),
      aux: view.getUint32(at + TraceField.aux, true),
      cause: view.getUint32(at + TraceField.cause, true),
      cpu: view.getUint16(at + TraceField.cpu, true),
      sequence: view.getUint32(at + TraceField.sequence, true),
    }).toEqual({
      time: 1.5e15,
      address: 2 ** 51 + 1,
      low: 1,
      high: 2,
      previous: 3,
      length: 4096,
      kind: TraceKind.dmaWrite,
      device: 3,
      bar: 2,
      flags: 9,
      aux: 0xffffffff,
      cause: 5,
      cpu: 65535,
      sequence: 2,
    });
  });

  it('keeps rows apart across chunk borders', () => {
    const store = new TraceStore();
    const batch = records(Array.from({ length: 1000 }, (_, index) => ({ low: index })));
    for (let batches = 0; batches < 70; batches++) store.append(...batch);
    expect(store.total).toBe(70_000);
    const view = new DataView(new ArrayBuffer(TRACE_RECORD_BYTES));
    for (const row of [0, CHUNK_ROWS - 1, CHUNK_ROWS, 69_999]) {
      store.record(row, view, 0);
      expect(view.getUint32(16, true)).toBe(row % 1000);
    }
  });

  it('drops the oldest chunk when it is full, and says so', () => {
    const store = new TraceStore(2 * CHUNK_ROWS);
    const batch = records(Array.from({ length: CHUNK_ROWS }, (_, index) => ({ low: index })));
    for (let batches = 0; batches < 3; batches++) store.append(...batch);
    expect([store.first, store.total]).toEqual([CHUNK_ROWS, 3 * CHUNK_ROWS]);
    const view = new DataView(new ArrayBuffer(TRACE_RECORD_BYTES));
    expect(store.record(CHUNK_ROWS - 1, view, 0)).toBe(false);
    expect(view.getUint32(28, true)).toBe(0);
    expect(store.record(CHUNK_ROWS, view, 0)).toBe(true);
    expect(store.bytes).toBe(2 * CHUNK_ROWS * ROW_BYTES + store.summary.bytes);
  });

  it('takes at most 64 bytes a row', () => {
    expect(ROW_BYTES).toBeLessThanOrEqual(64);
    // Windows count with it.
    expect(ROW_BYTES).toBe(TRACE_LIMIT.rowBytes);
  });

  it('adds up what was missed', () => {
    const store = new TraceStore();
    store.append(...records([{ kind: TraceKind.missed, aux: 12 }, {}, { kind: TraceKind.missed, aux: 30 }]));
    expect(store.missed).toBe(42);
  });

  it('is empty after clear', () => {
    const store = new TraceStore();
    store.append(...records([{}, {}]));
    store.clear();
    expect([store.total, store.first, store.missed, store.bytes]).toEqual([0, 0, 0, 0]);
    expect(store.record(0, new DataView(new ArrayBuffer(TRACE_RECORD_BYTES)), 0)).toBe(false);
  });
});

describe('trace filter', () => {
  const rows: readonly Row[] = [
    { kind: TraceKind.mmioWrite, address: 0x1008, low: 5 },
    { kind: TraceKind.mmioWrite, address: 0x1000, low: 2 },
    { kind: TraceKind.mmioRead, address: 0x14, low: 1 },
    { kind: TraceKind.interrupt, aux: 3 },
    { kind: TraceKind.dmaRead, address: 0x8000, length: 64 },
    { kind: TraceKind.note, aux: 7, flags: TraceFlag.undefinedBehaviour },
    { kind: TraceKind.mmioWrite, device: 2, address: 0x1008, low: 9 },
    { kind: TraceKind.mmioWrite, bar: 2, address: 0x1008, low: 9, high: 1, length: 8 },
    {
      kind: TraceKind.mmioWrite,
      address: 0x2c,
      low: 0x5a0,
      cpu: 3,
      previous: 8,
      flags: TraceFlag.previousKnown,
    },
    { kind: TraceKind.mmioWrite, address: 0x28, low: 1, high: 0xff0, length: 8, time: 5e6 },
    { kind: TraceKind.command, low: 2, aux: (3 << 16) | 9, length: 4096 },
  ];

  it.each([
    ['bar == 0 && reg ~ "SQ*TDBL" && write && value > 3', [0]],
    ['reg ~ SQ?TDBL', [0, 1]],
    ['reg == cc', [2]],
    ['reg != CC && read', []],
    ['write value >= 9', [6, 7, 8, 9]],
    ['value == 0x100000009', [7]],
    ['value & 0x1_0000_0000', [7]],
    ['irq || dma', [3, 4]],
    ['vector == 3', [3]],
    ['vector != 3', []],
    ['!(write || read)', [3, 4, 5, 10]],
    ['not (write or read)', [3, 4, 5, 10]],
    ['undefined', [5]],
    ['"is not there"', [5]],
    ['"tdbl"', [0, 1]],
    ['*tdbl', [0, 1]],
    ['CC.EN == 1', [2]],
    ['CC.EN == enabled', [2]],
    ['reg.EN == 1', [2, 9]],
    ['ASQ.HI == 0x5a', [8]],
    ['ASQ.HI >= 0xff', [9]],
    ['ASQ.HI != 0x5a', [9]],
    ['value & 0x500', [8]],
    ['value > 0xffffffff', [7, 9]],
    ['previous == 8', [8]],
    ['cpu == 3', [8]],
    ['time >= 5ms', [9]],
    ['time < 2 ns', [0, 1]],
    ['row <= 2', [0, 1]],
    ['device == card', [6]],
    ['device !~ "d*" && write', [6]],
    ['kind == dmaread', [4]],
    ['reg !~ "*DBL" && mmio && device == 1', [2, 7, 8, 9]],
    ['number == 3', [2]],
    ['value < 0', []],
    ['device == 2', [6]],
    ['bar == 2', [7]],
    ['address == 0x8000 && length == 64', [4]],
    ['width == 8', [7, 9]],
    ['', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    ['command && opcode == 2 && queue == 3 && length >= 4KiB', [10]],
    ['queue != 3', []],
  ])('%s', (filter, expected) => {
    expect(matching(rows, filter)).toEqual(expected);
  });

  it.each([
    ['bar =', 'column 5'],
    ['value > ', 'column 9'],
    ['(read', 'closing parenthesis'],
  ])('refuses %s and says where', (filter, message) => {
    expect(() => compileFilter(filter, names)).toThrow(message);
  });

  it('finds rows that come after it was set', () => {
    const store = new TraceStore();
    const view = new TraceView(store, compileFilter('irq', names));
    store.append(...records([{}, { kind: TraceKind.interrupt }]));
    view.scan(1000);
    store.append(...records([{ kind: TraceKind.interrupt }, {}]));
    view.scan(1000);
    expect([view.rows, view.rowAt(0), view.rowAt(1), view.rowAt(2)]).toEqual([2, 1, 2, -1]);
    expect(view.progress).toBe(1);
  });

  it('counts identical polls as one row, until something else comes between', () => {
    const poll: Row = { kind: TraceKind.mmioRead, address: 0x1c, low: 0 };
    const store = new TraceStore();
    store.append(...records([poll, poll, { low: 1 }, poll, { ...poll, low: 1 }, poll, poll, poll]));
    const view = new TraceView(store, undefined, true);
    while (!view.scan(3));
    expect(Array.from({ length: view.rows }, (_, at) => [view.rowAt(at), view.repeatsAt(at)])).toEqual([
      [0, 2],
      [2, 1],
      [3, 1],
      [4, 1],
      [5, 3],
    ]);
    store.append(...records([poll]));
    view.scan(3);
    expect([view.rows, view.repeatsAt(4)]).toEqual([5, 4]);
    const reads = new TraceView(store, compileFilter('read', names), true);
    while (!reads.scan(3));
    expect(Array.from({ length: reads.rows }, (_, at) => reads.repeatsAt(at))).toEqual([3, 1, 4]);
  });

  it('knows where a row of the store is in it', () => {
    const store = new TraceStore();
    const batch = records(Array.from({ length: 1000 }, (_, index) => ({ low: index })));
    for (let batches = 0; batches < 200; batches++) store.append(...batch);
    const view = new TraceView(store, compileFilter('value == 500', names));
    while (!view.scan(10_000));
    expect(view.rows).toBe(200);
    for (const index of [0, 65, 66, 199]) {
      expect(view.indexOf(view.rowAt(index))).toBe(index);
      expect(view.indexOf(view.rowAt(index) + 1)).toBe(index + 1);
    }
    expect(view.indexOf(0)).toBe(0);
  });
});

describe('trace search', () => {
  const store = new TraceStore();
  const batch = records(Array.from({ length: 1000 }, (_, index) => ({ low: index })));
  for (let batches = 0; batches < 200; batches++) store.append(...batch);
  const all = new TraceView(store, undefined);
  const even = new TraceView(store, compileFilter('value == 4 || value == 6 || value == 500', names));
  while (!even.scan(50_000));

  const find = (view: TraceView, text: string, from: number, forward: boolean) => {
    const search = new TraceSearch(store, view, compileFilter(text, names)!, from, forward);
    while (!search.step(5000));
    return search.found;
  };

  it('finds the next and the previous row, not the one it begins at', () => {
    expect(find(all, 'value == 500', -1, true)).toBe(500);
    expect(find(all, 'value == 500', 500, true)).toBe(1500);
    expect(find(all, 'value == 500', 65_500, true)).toBe(66_500);
    expect(find(all, 'value == 500', 66_500, false)).toBe(65_500);
    expect(find(all, 'value == 500', 500, false)).toBe(-1);
    expect(find(all, 'value == 500', 199_500, true)).toBe(-1);
    expect(find(all, 'value == 500', 200_000, false)).toBe(199_500);
    expect(find(all, 'irq', -1, true)).toBe(-1);
  });

  it('finds rows that the view shows, and no others', () => {
    expect(find(even, 'value >= 5', -1, true)).toBe(1);
    expect(find(even, 'value >= 5', 3, false)).toBe(2);
    expect(find(even, 'value == 5', -1, true)).toBe(-1);
  });
});
