/** What one window looks at: all rows, or the indexes of those that match its filter. */
import type { TracePredicate } from './trace-filter.ts';
import { CHUNK_ROWS, type TraceStore } from './trace-store.ts';

const BLOCK_ROWS = 1 << 16;

export class TraceView {
  readonly #store: TraceStore;
  readonly #predicate: TracePredicate | undefined;
  readonly #blocks: Float64Array[] = [];
  #matched = 0;
  /** Rows of the store that the filter has seen. */
  #scanned: number;

  constructor(store: TraceStore, predicate: TracePredicate | undefined) {
    this.#store = store;
    this.#predicate = predicate;
    this.#scanned = store.first;
  }

  get rows(): number {
    return this.#predicate === undefined ? this.#store.total : this.#matched;
  }

  get progress(): number {
    if (this.#predicate === undefined || this.#store.total === 0) return 1;
    return this.#scanned / this.#store.total;
  }

  /** Looks at up to `budget` further rows; true when there are none left. */
  scan(budget: number): boolean {
    const predicate = this.#predicate;
    if (predicate === undefined) return true;
    const store = this.#store;
    let row = Math.max(this.#scanned, store.first);
    const stop = Math.min(store.total, row + budget);
    while (row < stop) {
      const chunk = store.chunk(row)!;
      const end = Math.min(stop, (Math.floor(row / CHUNK_ROWS) + 1) * CHUNK_ROWS);
      for (; row < end; row++) {
        if (predicate(chunk, row & (CHUNK_ROWS - 1))) this.#push(row);
      }
    }
    this.#scanned = row;
    return row >= store.total;
  }

  /** Row of the store that row `index` of the view shows, or -1. */
  rowAt(index: number): number {
    if (index >= this.rows) return -1;
    if (this.#predicate === undefined) return index;
    return this.#blocks[Math.floor(index / BLOCK_ROWS)]![index % BLOCK_ROWS]!;
  }

  #push(row: number): void {
    const at = this.#matched % BLOCK_ROWS;
    if (at === 0) this.#blocks.push(new Float64Array(BLOCK_ROWS));
    this.#blocks[this.#blocks.length - 1]![at] = row;
    this.#matched++;
  }
}
