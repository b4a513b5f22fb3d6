/** What the store answers beside rows: overviews, expert notes, groups, statistics. */
import { describe, expect, it } from 'vitest';
import { Expert } from '#contract/expert.ts';
import { OVERVIEW_FIELDS } from '#contract/trace.ts';
import { InterruptRefusal, TraceFlag, TraceKind } from '#contract/trace-record.ts';
import { ExpertLog } from './expert-log.ts';
import { TraceColumns } from './trace-columns.ts';
import { compileFilter } from './trace-filter.ts';
import { groupOf, latencyOf, rowOfAccess } from './trace-groups.ts';
import { TraceStatistics } from './trace-statistics.ts';
import { CHUNK_ROWS, TraceStore } from './trace-store.ts';

interface Row {
  kind: number;
  time?: number;
  device?: number;
  flags?: number;
  address?: number;
  value?: number;
  aux?: number;
  cause?: number;
  sequence?: number;
  length?: number;
}

function append(store: TraceStore, ...rows: readonly Row[]): void {
  const columns = new TraceColumns(rows.length);
  rows.forEach((row, at) => {
    columns.time[at] = row.time ?? 0;
    columns.head[at] = row.kind | ((row.device ?? 1) << 8) | ((row.flags ?? 0) << 24);
    columns.address[at] = row.address ?? 0;
    columns.valueLow[at] = row.value ?? 0;
    columns.aux[at] = row.aux ?? 0;
    columns.cause[at] = row.cause ?? 0;
    columns.sequence[at] = row.sequence ?? 0;
    columns.length[at] = row.length ?? 0;
  });
  store.append(columns, rows.length);
}

/** `count` writes, `gap` ns apart. */
function writes(store: TraceStore, count: number, from: number, gap: number): void {
  for (let at = 0; at < count; at += 1000) {
    const rows = Math.min(1000, count - at);
    append(
      store,
      ...Array.from({ length: rows }, (_, row) => ({
        kind: TraceKind.mmioWrite,
        time: from + (at + row) * gap,
      })),
    );
  }
}

describe('overview', () => {
  const store = new TraceStore();
  // A second at 100,000 a second, a second of nothing, half a second at 20,000 a second.
  writes(store, 100_000, 0, 10_000);
  writes(store, 10_000, 2e9, 50_000);
  const field = (floats: Float32Array, bucket: number, at: number) => floats[bucket * OVERVIEW_FIELDS + at]!;

  it('has every row in one bucket, where it was', () => {
    const floats = store.summary.byTime(0, 2.5e9, 5);
    const counts = [0, 1, 2, 3, 4].map((bucket) => Math.round(field(floats, bucket, 1)));
    // Shares of a bucket are rounded.
    expect(Math.abs(counts.reduce((sum, count) => sum + count, 0) - 110_000)).toBeLessThan(5);
    expect(counts[0]).toBeGreaterThan(49_000);
    expect(counts[1]).toBeGreaterThan(49_000);
    expect(counts[4]).toBeGreaterThan(9_000);
  });

  it('tells the least and the greatest rate', () => {
    const [low, high] = [OVERVIEW_FIELDS - 2, OVERVIEW_FIELDS - 1];
    const floats = store.summary.byTime(0, 2.5e9, 5);
    expect(field(floats, 0, high)).toBeCloseTo(100_000, -3);
    expect(field(floats, 4, high)).toBeCloseTo(20_000, -3);
    expect(field(floats, 4, low)).toBeLessThan(20_100);
  });

  it('counts by row as well', () => {
    const floats = store.summary.byRow(0, 110_000, 11);
    for (let bucket = 0; bucket < 11; bucket++) expect(field(floats, bucket, 1)).toBeCloseTo(10_000, -1);
  });

  it('leads from a time to a row', () => {
    expect(store.summary.rowAtTime(2.1e9)).toBeGreaterThanOrEqual(100_000 - 1024);
    expect(store.summary.rowAtTime(2.1e9)).toBeLessThanOrEqual(102_000);
  });
});

describe('expert notes', () => {
  it('are added up by what and where, most severe first', () => {
    const store = new TraceStore();
    const log = new ExpertLog();
    const texts = ['doorbell SQ9TDBL rung with 17: no', 'doorbell SQ8TDBL rung with 3: no'];
    store.onExpert = (columns, at, row, bits) => log.add(columns, at, row, bits, (id) => texts[id]!);
    append(
      store,
      { kind: TraceKind.mmioWrite, address: 0x1c, aux: Expert.readOnly | Expert.unaligned },
      { kind: TraceKind.mmioWrite, address: 0x1c, aux: Expert.readOnly },
      { kind: TraceKind.mmioWrite, address: 0x1000, aux: Expert.noted },
      { kind: TraceKind.note, aux: 0, length: Expert.doorbell },
      { kind: TraceKind.note, aux: 1, length: Expert.doorbell },
      { kind: TraceKind.dmaWrite, aux: 2 },
      { kind: TraceKind.interrupt, aux: 5 | (InterruptRefusal.masked << 16), flags: TraceFlag.refused },
      { kind: TraceKind.mmioRead },
    );
    expect(log.groups()).toEqual([
      expect.objectContaining({ bit: Expert.dmaBusMaster, count: 1, first: 5 }),
      expect.objectContaining({ bit: Expert.doorbell, count: 2, text: texts[0], recent: [3, 4] }),
      expect.objectContaining({ bit: Expert.unaligned, bar: 0, offset: 0x1c, count: 1 }),
      expect.objectContaining({ bit: Expert.readOnly, bar: 0, offset: 0x1c, count: 2, first: 0, last: 1 }),
      expect.objectContaining({ bit: Expert.irqMasked, count: 1 }),
    ]);
    expect(log.count).toBe(6);
  });

  it('stay bounded however many places there are', () => {
    const store = new TraceStore();
    const log = new ExpertLog();
    store.onExpert = (columns, at, row, bits) => log.add(columns, at, row, bits, () => '');
    for (let batch = 0; batch < 5; batch++) {
      append(
        store,
        ...Array.from({ length: 1000 }, (_, at) => ({
          kind: TraceKind.mmioWrite,
          address: batch * 4000 + at * 4,
          aux: Expert.unaligned,
        })),
      );
    }
    const groups = log.groups();
    expect(groups.length).toBeLessThanOrEqual(2001);
    expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(5000);
    expect(groups[0]).toMatchObject({ text: 'at further places' });
  });
});

describe('groups', () => {
  const store = new TraceStore();
  writes(store, CHUNK_ROWS - 3, 0, 1);
  const base = store.total;
  append(
    store,
    { kind: TraceKind.mmioWrite, sequence: 7, time: 1000 },
    { kind: TraceKind.mmioWrite, sequence: 8, time: 1100 },
    { kind: TraceKind.dmaRead, cause: 7, time: 1200 },
    { kind: TraceKind.dmaRead, cause: 7, device: 2, time: 1200 },
    { kind: TraceKind.dmaWrite, cause: 7, time: 1500 },
    { kind: TraceKind.dmaWrite, cause: 8, time: 1600 },
    { kind: TraceKind.interrupt, cause: 7, time: 1700 },
  );

  it('are an access and what it caused, from whichever row one asks', () => {
    const group = [0, 2, 4, 6].map((at) => base + at);
    for (const row of group) expect(groupOf(store, row)).toEqual(group);
    expect(groupOf(store, base + 5)).toEqual([base + 1, base + 5]);
    expect(groupOf(store, 5)).toEqual([]);
    expect(groupOf(store, store.total)).toEqual([]);
  });

  it('are found from what was caused, by the number of the access', () => {
    append(
      store,
      { kind: TraceKind.mmioWrite, sequence: 9, time: 2000 },
      { kind: TraceKind.command, cause: 9, aux: 4 | (1 << 16), time: 2000 },
      { kind: TraceKind.command, cause: 9, aux: 5 | (1 << 16), time: 2000 },
    );
    expect(rowOfAccess(store, base + 6, 1, 7)).toBe(base);
    // The first row of that time may be the access itself.
    expect(rowOfAccess(store, base + 7, 1, 9)).toBe(base + 7);
    expect(rowOfAccess(store, base + 7, 1, 9, { queue: 1, id: 5 })).toBe(base + 9);
    expect(rowOfAccess(store, base + 7, 1, 9, { queue: 2, id: 5 })).toBe(base + 7);
    expect(rowOfAccess(store, base + 7, 2, 9)).toBe(-1);
    expect(rowOfAccess(store, base + 7, 1, 99)).toBe(-1);
  });

  it('tell the latency on the request and on the completion', () => {
    expect(latencyOf(store, base)).toBe(700);
    expect(latencyOf(store, base + 6)).toBe(700);
    expect(latencyOf(store, base + 1)).toBe(500);
    expect(latencyOf(store, base + 5)).toBe(500);
    expect(latencyOf(store, base + 2)).toBeNaN();
    expect(latencyOf(store, 3)).toBeNaN();
  });
});

describe('statistics', () => {
  it('add accesses up by place, of the rows that match', () => {
    const store = new TraceStore();
    append(
      store,
      { kind: TraceKind.mmioWrite, address: 0x14, value: 1, time: 10 },
      { kind: TraceKind.mmioRead, address: 0x1c, value: 0, time: 20 },
      { kind: TraceKind.mmioRead, address: 0x1c, value: 0, time: 30 },
      { kind: TraceKind.mmioRead, address: 0x1c, value: 1, time: 40 },
      { kind: TraceKind.interrupt },
    );
    const all = new TraceStatistics(store, undefined);
    while (!all.step(2));
    expect(all.result()).toMatchObject([
      { offset: 0x1c, reads: 3, writes: 0, changes: 1, first: 20, last: 40, value: '0x1', lastRow: 3 },
      { offset: 0x14, reads: 0, writes: 1, changes: 0 },
    ]);
    const names = { registers: () => [], devices: () => [], note: () => undefined };
    const some = new TraceStatistics(store, compileFilter('write', names));
    while (!some.step(2));
    expect(some.result()).toHaveLength(1);
  });
});
