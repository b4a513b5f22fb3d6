import { TRACE_RECORD_BYTES } from '#contract/trace-record.ts';
import { readRow, type TraceRow } from './row.ts';

export const CHUNK_ROWS = 256;
const KEPT_CHUNKS = 64;
const PARALLEL = 2;

export interface FetchedRows {
  readonly count: number;
  readonly bytes: Uint8Array | undefined;
}

interface Chunk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  filled: number;
  used: number;
}

/**
 * Rows of the view that were fetched, as bytes. It fetches what is wanted now, newest wish first, two requests at a
 * time, and forgets what was not looked at for longest.
 */
export class RowCache {
  readonly #fetch: (from: number, count: number) => Promise<FetchedRows>;
  readonly #changed: () => void;
  readonly #chunks = new Map<number, Chunk>();
  readonly #busy = new Set<number>();
  #count = 0;
  #epoch = 0;
  #clock = 0;
  #forgotten = -1;
  #refreshed = false;
  #first = 0;
  #last = 0;

  constructor(fetch: (from: number, count: number) => Promise<FetchedRows>, changed: () => void) {
    this.#fetch = fetch;
    this.#changed = changed;
  }

  get count(): number {
    return this.#count;
  }

  /** How many rows there are; fewer than before means that they are others. */
  setCount(count: number): void {
    if (count < this.#count) this.reset();
    this.#count = count;
    this.#pump();
  }

  /** Forgets everything, and whatever is on its way. */
  reset(): void {
    this.#epoch++;
    this.#chunks.clear();
    this.#busy.clear();
    this.#count = 0;
  }

  /** Row `index` is another than it was; rows behind it are asked for again too. */
  forget(index: number): void {
    const number = Math.floor(index / CHUNK_ROWS);
    const chunk = this.#chunks.get(number);
    if (chunk === undefined || chunk.filled <= index - number * CHUNK_ROWS) return;
    chunk.filled = index - number * CHUNK_ROWS;
    this.#forgotten = index;
  }

  /** A row that was forgotten is here again: what was drawn of it is old. Asked once. */
  takeRefreshed(): boolean {
    const was = this.#refreshed;
    this.#refreshed = false;
    return was;
  }

  row(index: number): TraceRow | undefined {
    const chunk = this.#chunks.get(Math.floor(index / CHUNK_ROWS));
    const at = index % CHUNK_ROWS;
    if (chunk === undefined || at >= chunk.filled) return undefined;
    chunk.used = ++this.#clock;
    return readRow(chunk.view, at);
  }

  has(first: number, last: number): boolean {
    for (let index = first; index < last; index++) {
      const chunk = this.#chunks.get(Math.floor(index / CHUNK_ROWS));
      if (chunk === undefined || index % CHUNK_ROWS >= chunk.filled) return false;
    }
    return true;
  }

  /** Furthest end, at most `last`, before which `page` rows are here. 0: none. A live end outruns what is on its way. */
  loadedEnd(last: number, page: number): number {
    let best = 0;
    for (const [number, chunk] of this.#chunks) {
      const end = Math.min(last, number * CHUNK_ROWS + chunk.filled);
      if (end > best && end > number * CHUNK_ROWS && this.has(Math.max(0, end - page), end)) best = end;
    }
    return best;
  }

  /** Rows first..last (not included) are about to be shown. */
  want(first: number, last: number): void {
    this.#first = Math.max(0, first);
    this.#last = last;
    this.#pump();
  }

  #pump(): void {
    const last = Math.min(this.#last, this.#count);
    if (this.#first >= last) return;
    for (
      let number = Math.floor((last - 1) / CHUNK_ROWS);
      number >= Math.floor(this.#first / CHUNK_ROWS);
      number--
    ) {
      if (this.#busy.size >= PARALLEL) return;
      if (this.#busy.has(number)) continue;
      const start = number * CHUNK_ROWS;
      const filled = this.#chunks.get(number)?.filled ?? 0;
      const available = Math.min(this.#count - start, CHUNK_ROWS);
      const needed = Math.min(last - start, available);
      if (filled < needed) void this.#load(number, start + filled, available - filled);
    }
  }

  async #load(number: number, from: number, count: number): Promise<void> {
    const epoch = this.#epoch;
    this.#busy.add(number);
    let fetched: FetchedRows | undefined;
    try {
      fetched = await this.#fetch(from, count);
    } catch {
      // Disconnected, or the rows are gone; whoever looks next asks again.
    }
    if (epoch !== this.#epoch) return;
    this.#busy.delete(number);
    if (fetched?.bytes === undefined || fetched.count === 0) return;
    this.#store(number, from, fetched.bytes);
    this.#changed();
    this.#pump();
  }

  #store(number: number, from: number, bytes: Uint8Array): void {
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      const memory = new Uint8Array(CHUNK_ROWS * TRACE_RECORD_BYTES);
      chunk = { bytes: memory, view: new DataView(memory.buffer), filled: 0, used: ++this.#clock };
      this.#chunks.set(number, chunk);
      this.#evict();
    }
    const at = from - number * CHUNK_ROWS;
    if (at !== chunk.filled) return;
    const rows = Math.min(Math.floor(bytes.length / TRACE_RECORD_BYTES), CHUNK_ROWS - at);
    chunk.bytes.set(bytes.subarray(0, rows * TRACE_RECORD_BYTES), at * TRACE_RECORD_BYTES);
    chunk.filled += rows;
    if (this.#forgotten >= from && this.#forgotten < from + rows) {
      this.#forgotten = -1;
      this.#refreshed = true;
    }
  }

  #evict(): void {
    if (this.#chunks.size <= KEPT_CHUNKS) return;
    let oldest = -1;
    let used = Number.POSITIVE_INFINITY;
    for (const [number, chunk] of this.#chunks) {
      if (chunk.used < used) [oldest, used] = [number, chunk.used];
    }
    this.#chunks.delete(oldest);
  }
}
