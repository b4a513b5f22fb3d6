/** Accesses added up by register, over the rows that a view shows; a slice at a time. */
import type { RegisterStatistics } from '#contract/trace.ts';
import { TraceKind } from '#contract/trace-record.ts';
import { FILTER_BLOCK, type RowFilter } from './trace-filter.ts';
import { CHUNK_ROWS, type TraceStore } from './trace-store.ts';

/** Places that are told apart. */
const MAX_PLACES = 20_000;

interface Place {
  readonly device: number;
  readonly bar: number;
  readonly offset: number;
  reads: number;
  writes: number;
  changes: number;
  first: number;
  last: number;
  lastLow: number;
  lastHigh: number;
  lastRow: number;
}

export class TraceStatistics {
  readonly #store: TraceStore;
  readonly #filter: RowFilter | undefined;
  readonly #marks = new Uint8Array(FILTER_BLOCK).fill(1);
  readonly #places = new Map<number, Place>();
  #row: number;
  readonly #end: number;

  constructor(store: TraceStore, filter: RowFilter | undefined) {
    this.#store = store;
    this.#filter = filter;
    this.#row = store.first;
    this.#end = store.total;
  }

  /** Looks at up to `budget` rows; true when it has seen all that were there at the start. */
  step(budget: number): boolean {
    const stop = Math.min(this.#end, this.#row + budget);
    this.#row = Math.max(this.#row, this.#store.first);
    while (this.#row < stop) {
      const base = Math.floor(this.#row / CHUNK_ROWS) * CHUNK_ROWS;
      const from = this.#row - base;
      const count = Math.min(stop - this.#row, CHUNK_ROWS - from, FILTER_BLOCK);
      const chunk = this.#store.chunk(this.#row)!;
      this.#filter?.(chunk, base, from, count, this.#marks);
      for (let at = 0; at < count; at++) {
        if (this.#marks[at] === 0) continue;
        const index = from + at;
        const head = chunk.head[index]!;
        const kind = head & 0xff;
        if (kind > TraceKind.mmioWrite) continue;
        const place = this.#place((head >>> 8) & 0xff, (head >>> 16) & 7, chunk.address[index]!);
        if (place === undefined) continue;
        const low = chunk.valueLow[index]!;
        const high = chunk.valueHigh[index]!;
        if (place.reads + place.writes === 0) place.first = chunk.time[index]!;
        else if (low !== place.lastLow || high !== place.lastHigh) place.changes++;
        if (kind === TraceKind.mmioRead) place.reads++;
        else place.writes++;
        place.last = chunk.time[index]!;
        place.lastLow = low;
        place.lastHigh = high;
        place.lastRow = base + index;
      }
      this.#row += count;
    }
    return this.#row >= this.#end;
  }

  #place(device: number, bar: number, offset: number): Place | undefined {
    const key = (device * 8 + bar) * 2 ** 32 + offset;
    let place = this.#places.get(key);
    if (place === undefined && this.#places.size < MAX_PLACES) {
      place = {
        device,
        bar,
        offset,
        reads: 0,
        writes: 0,
        changes: 0,
        first: 0,
        last: 0,
        lastLow: 0,
        lastHigh: 0,
        lastRow: 0,
      };
      this.#places.set(key, place);
    }
    return place;
  }

  /** Most accesses first. */
  result(): RegisterStatistics[] {
    return [...this.#places.values()]
      .sort((a, b) => b.reads + b.writes - a.reads - a.writes)
      .map(({ lastLow, lastHigh, ...place }) => ({
        ...place,
        value: `0x${((BigInt(lastHigh) << 32n) | BigInt(lastLow)).toString(16)}`,
      }));
  }
}
