/**
 * How busy the trace was, for plots over all of it: for every 1024 rows their span of time and how many of each class
 * there are. It answers in buckets, with the least and the greatest rate in each, without looking at rows again.
 */
import { expertBits } from '#contract/expert.ts';
import { OVERVIEW_CLASSES, OVERVIEW_FIELDS, overviewClass } from '#contract/trace.ts';
import type { TraceColumns } from './trace-columns.ts';

export const BLOCK_ROWS = 1024;
/** Counts of a block: one a class, and the rows with expert notes. */
const COUNTS = OVERVIEW_CLASSES.length + 1;
const EXPERTS = OVERVIEW_CLASSES.length;
/** Bytes that a block takes. */
export const BLOCK_BYTES = 2 * 8 + COUNTS * 2;

export class TraceSummary {
  #from = new Float64Array(64);
  #to = new Float64Array(64);
  #counts = new Uint16Array(64 * COUNTS);
  #rows = 0;

  get bytes(): number {
    return this.#blocks * BLOCK_BYTES;
  }

  get start(): number {
    return this.#rows === 0 ? 0 : this.#from[0]!;
  }

  get end(): number {
    return this.#rows === 0 ? 0 : this.#to[this.#blocks - 1]!;
  }

  get #blocks(): number {
    return Math.ceil(this.#rows / BLOCK_ROWS);
  }

  add(columns: TraceColumns, count: number, onExpert: (at: number, bits: number) => void): void {
    const { time, head, aux, length } = columns;
    let left = 0;
    let block = 0;
    for (let at = 0; at < count; at++) {
      if (left === 0) {
        block = Math.floor(this.#rows / BLOCK_ROWS);
        left = BLOCK_ROWS - (this.#rows % BLOCK_ROWS);
        if (block === this.#from.length) this.#grow();
        if (left === BLOCK_ROWS) this.#from[block] = this.#to[block] = time[at]!;
      }
      const now = time[at]!;
      // Devices have threads of their own: their rows are not quite in order.
      if (now > this.#to[block]!) this.#to[block] = now;
      const word = head[at]!;
      this.#counts[block * COUNTS + overviewClass(word & 0xff)]!++;
      const bits = expertBits(word, aux[at]!, length[at]!);
      if (bits !== 0) {
        this.#counts[block * COUNTS + EXPERTS]!++;
        onExpert(at, bits);
      }
      this.#rows++;
      left--;
    }
  }

  clear(): void {
    this.#rows = 0;
    this.#counts.fill(0);
  }

  /**
   * `buckets` parts of the time `from`..`to`: {@link OVERVIEW_FIELDS} numbers each, rows of every class, rows with expert
   * notes, least and greatest rows a second.
   */
  byTime(from: number, to: number, buckets: number): Float32Array {
    const out = new Float32Array(buckets * OVERVIEW_FIELDS);
    const width = (to - from) / buckets;
    if (!(width > 0)) return out;
    const low = OVERVIEW_FIELDS - 2;
    for (let block = this.#firstBlockAt(from); block < this.#blocks; block++) {
      const start = this.#from[block]!;
      if (start > to) break;
      const end = this.#to[block]!;
      const first = Math.max(0, Math.floor((start - from) / width));
      const last = Math.min(buckets - 1, Math.floor((end - from) / width));
      const span = Math.max(end - start, 1);
      const rows = Math.min(BLOCK_ROWS, this.#rows - block * BLOCK_ROWS);
      const rate = (rows / span) * 1e9;
      for (let bucket = first; bucket <= last; bucket++) {
        const begin = from + bucket * width;
        const share =
          end === start ? 1 : Math.max(0, Math.min(end, begin + width) - Math.max(start, begin)) / span;
        const at = bucket * OVERVIEW_FIELDS;
        for (let count = 0; count < COUNTS; count++)
          out[at + count]! += this.#counts[block * COUNTS + count]! * share;
        if (out[at + low] === 0 || rate < out[at + low]!) out[at + low] = rate;
        if (rate > out[at + low + 1]!) out[at + low + 1] = rate;
      }
    }
    return out;
  }

  /** The same for `buckets` parts of the rows `from`..`to`. */
  byRow(from: number, to: number, buckets: number): Float32Array {
    const out = new Float32Array(buckets * OVERVIEW_FIELDS);
    const width = (to - from) / buckets;
    if (!(width > 0)) return out;
    const low = OVERVIEW_FIELDS - 2;
    for (let block = Math.floor(from / BLOCK_ROWS); block < this.#blocks; block++) {
      const start = block * BLOCK_ROWS;
      if (start >= to) break;
      const end = Math.min(start + BLOCK_ROWS, this.#rows);
      const rate = ((end - start) / Math.max(this.#to[block]! - this.#from[block]!, 1)) * 1e9;
      const first = Math.max(0, Math.floor((start - from) / width));
      const last = Math.min(buckets - 1, Math.floor((end - 1 - from) / width));
      for (let bucket = first; bucket <= last; bucket++) {
        const begin = from + bucket * width;
        const share = Math.max(0, Math.min(end, begin + width) - Math.max(start, begin)) / (end - start);
        const at = bucket * OVERVIEW_FIELDS;
        for (let count = 0; count < COUNTS; count++)
          out[at + count]! += this.#counts[block * COUNTS + count]! * share;
        if (out[at + low] === 0 || rate < out[at + low]!) out[at + low] = rate;
        if (rate > out[at + low + 1]!) out[at + low + 1] = rate;
      }
    }
    return out;
  }

  /** First row that can be as late as `time`: no row before it is. */
  rowAtTime(time: number): number {
    return Math.min(this.#firstBlockAt(time) * BLOCK_ROWS, this.#rows);
  }

  #firstBlockAt(time: number): number {
    let low = 0;
    let high = this.#blocks;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#to[middle]! < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const size = this.#from.length * 2;
    const grow = <T extends Float64Array | Uint16Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    this.#from = grow(this.#from, new Float64Array(size));
    this.#to = grow(this.#to, new Float64Array(size));
    this.#counts = grow(this.#counts, new Uint16Array(size * COUNTS));
  }
}
