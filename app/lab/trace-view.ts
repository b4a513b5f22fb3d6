/** What one window looks at: all rows, or those that match its filter, identical polls as one row where it wants that. */
import { TraceKind } from '#contract/trace-record.ts';
import type { TraceColumns } from './trace-columns.ts';
import { FILTER_BLOCK, type RowFilter } from './trace-filter.ts';
import { CHUNK_ROWS, type TraceStore } from './trace-store.ts';

/** The matching rows of one chunk of the store. */
interface Matches {
  readonly chunk: number;
  /** Index in the view of the first. */
  readonly start: number;
  rows: Uint16Array;
  count: number;
}

/** Numbers that grow, without an object each. */
class Growing {
  #numbers = new Float64Array(256);
  length = 0;

  push(value: number): void {
    if (this.length === this.#numbers.length) {
      const longer = new Float64Array(this.length * 2);
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    this.#numbers[this.length++] = value;
  }

  get(at: number): number {
    return this.#numbers[at]!;
  }

  set(at: number, value: number): void {
    this.#numbers[at] = value;
  }

  /** Place of `value` in ascending numbers, or -1. */
  find(value: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#numbers[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low < this.length && this.#numbers[low] === value ? low : -1;
  }
}

export class TraceView {
  readonly #store: TraceStore;
  readonly #filter: RowFilter | undefined;
  readonly #collapse: boolean;
  readonly #matches: Matches[] = [];
  readonly #marks = new Uint8Array(FILTER_BLOCK).fill(1);
  #matched = 0;
  /** Rows of the store that the filter has seen. */
  #scanned: number;
  /** View rows that stand for several, and for how many. */
  readonly #repeated = new Growing();
  readonly #repeats = new Growing();
  #lastChunk: TraceColumns | undefined;
  #lastAt = 0;

  constructor(store: TraceStore, filter: RowFilter | undefined, collapse = false) {
    this.#store = store;
    this.#filter = filter;
    this.#collapse = collapse;
    this.#scanned = store.first;
  }

  get #isAll(): boolean {
    return this.#filter === undefined && !this.#collapse;
  }

  get rows(): number {
    return this.#isAll ? this.#store.total : this.#matched;
  }

  get progress(): number {
    if (this.#isAll || this.#store.total === 0) return 1;
    return this.#scanned / this.#store.total;
  }

  /** Bytes that it takes beside the store. */
  get bytes(): number {
    let bytes = (this.#repeated.length + this.#repeats.length) * 8;
    for (const { rows } of this.#matches) bytes += rows.byteLength;
    return bytes;
  }

  /** Looks at up to `budget` further rows; true when there are none left. */
  scan(budget: number): boolean {
    if (this.#isAll) return true;
    const store = this.#store;
    let row = Math.max(this.#scanned, store.first);
    const stop = Math.min(store.total, row + budget);
    while (row < stop) {
      const number = Math.floor(row / CHUNK_ROWS);
      const chunk = store.chunk(row)!;
      const base = number * CHUNK_ROWS;
      const from = row - base;
      const count = Math.min(stop - row, CHUNK_ROWS - from, FILTER_BLOCK);
      this.#filter?.(chunk, base, from, count, this.#marks);
      this.#take(number, chunk, from, count);
      row += count;
    }
    this.#scanned = row;
    return row >= store.total;
  }

  /** Row of the store that row `index` of the view shows, or -1. */
  rowAt(index: number): number {
    if (index < 0 || index >= this.rows) return -1;
    if (this.#isAll) return index;
    const matches = this.#matches[this.#lastWhere(({ start }) => start <= index)]!;
    return matches.chunk * CHUNK_ROWS + matches.rows[index - matches.start]!;
  }

  /** How many rows of the store row `index` of the view stands for. */
  repeatsAt(index: number): number {
    const at = this.#repeated.find(index);
    return at < 0 ? 1 : this.#repeats.get(at);
  }

  /** First row of the view at or after row `row` of the store; {@link rows} when there is none. */
  indexOf(row: number): number {
    if (this.#isAll) return Math.min(row, this.#store.total);
    const number = Math.floor(row / CHUNK_ROWS);
    const at = this.#lastWhere(({ chunk }) => chunk <= number);
    if (at < 0) return 0;
    const { chunk, start, rows, count } = this.#matches[at]!;
    if (chunk < number) return start + count;
    const offset = row - chunk * CHUNK_ROWS;
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (rows[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return start + low;
  }

  /** Last of the chunks that `holds`, which holds for the first ones only. */
  #lastWhere(holds: (matches: Matches) => boolean): number {
    let low = 0;
    let high = this.#matches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.#matches[middle]!)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #take(number: number, chunk: TraceColumns, from: number, count: number): void {
    const marks = this.#marks;
    if (this.#collapse) this.#markPolls(chunk, from, count);
    let left = 0;
    for (let at = 0; at < count; at++) left += marks[at]!;
    if (left === 0) return;
    let matches = this.#matches.at(-1);
    if (matches === undefined || matches.chunk !== number) {
      // Of a chunk that is done no more is kept than needed.
      if (matches !== undefined) matches.rows = matches.rows.slice(0, matches.count);
      const start = matches === undefined ? 0 : matches.start + matches.count;
      matches = { chunk: number, start, rows: new Uint16Array(Math.max(256, left)), count: 0 };
      this.#matches.push(matches);
    }
    if (matches.count + left > matches.rows.length) {
      const longer = new Uint16Array(Math.min(CHUNK_ROWS, Math.max(matches.count + left, matches.count * 2)));
      longer.set(matches.rows.subarray(0, matches.count));
      matches.rows = longer;
    }
    const { rows } = matches;
    let to = matches.count;
    for (let at = 0; at < count; at++) {
      if (marks[at] !== 0) rows[to++] = from + at;
    }
    matches.count = to;
    this.#matched += left;
  }

  /** Takes the mark from rows that repeat the marked row before them, and counts them there. */
  #markPolls(chunk: TraceColumns, from: number, count: number): void {
    const marks = this.#marks;
    if (this.#filter === undefined) marks.fill(1, 0, count);
    let index = this.#matched - 1;
    for (let at = 0; at < count; at++) {
      if (marks[at] === 0) continue;
      if (this.#lastChunk !== undefined && samePoll(this.#lastChunk, this.#lastAt, chunk, from + at)) {
        marks[at] = 0;
        this.#repeat(index);
        continue;
      }
      this.#lastChunk = chunk;
      this.#lastAt = from + at;
      index++;
    }
  }

  #repeat(index: number): void {
    const last = this.#repeated.length - 1;
    if (last >= 0 && this.#repeated.get(last) === index) {
      this.#repeats.set(last, this.#repeats.get(last) + 1);
    } else {
      this.#repeated.push(index);
      this.#repeats.push(2);
    }
  }
}

/** Both rows read the same place and found the same. */
function samePoll(a: TraceColumns, i: number, b: TraceColumns, j: number): boolean {
  const head = b.head[j]!;
  const kind = head & 0xff;
  if (kind !== TraceKind.mmioRead && kind !== TraceKind.configRead) return false;
  return (
    // All but what is known of the value before.
    ((a.head[i]! ^ head) & ~(0x10 << 24)) === 0 &&
    a.address[i] === b.address[j] &&
    a.valueLow[i] === b.valueLow[j] &&
    a.valueHigh[i] === b.valueHigh[j] &&
    a.length[i] === b.length[j] &&
    a.aux[i] === b.aux[j]
  );
}

/** A search under way, a slice at a time. */
export class TraceSearch {
  readonly #store: TraceStore;
  readonly #view: TraceView;
  readonly #filter: RowFilter;
  readonly #forward: boolean;
  readonly #marks = new Uint8Array(FILTER_BLOCK);
  /** Next row of the store to look at. */
  #row: number;
  /** Row of the view that was found; -1: none so far. */
  found = -1;

  /** Looks for rows of `view` that match `filter`, beginning beside row `from` of it, not with it. */
  constructor(store: TraceStore, view: TraceView, filter: RowFilter, from: number, forward: boolean) {
    this.#store = store;
    this.#view = view;
    this.#filter = filter;
    this.#forward = forward;
    if (forward) this.#row = from < 0 ? store.first : view.rowAt(from) + 1;
    else this.#row = (from >= view.rows ? store.total : view.rowAt(from)) - 1;
    if (forward && from >= view.rows) this.#row = store.total;
  }

  /** Looks at up to `budget` rows; true when it has found one, or there are none left. */
  step(budget: number): boolean {
    const store = this.#store;
    let left = budget;
    while (left > 0) {
      if (this.#forward ? this.#row >= store.total : this.#row < store.first) return true;
      const row = Math.max(this.#row, store.first);
      const base = Math.floor(row / CHUNK_ROWS) * CHUNK_ROWS;
      const chunk = store.chunk(row)!;
      let from: number;
      let count: number;
      if (this.#forward) {
        from = row - base;
        count = Math.min(FILTER_BLOCK, store.total - row, CHUNK_ROWS - from);
        this.#row = row + count;
      } else {
        count = Math.min(FILTER_BLOCK, row - base + 1);
        from = row - base + 1 - count;
        this.#row = base + from - 1;
      }
      left -= count;
      this.#filter(chunk, base, from, count, this.#marks);
      if (this.#seek(base + from, count)) return true;
    }
    return false;
  }

  /** The nearest marked row that the view has. */
  #seek(first: number, count: number): boolean {
    const marks = this.#marks;
    const view = this.#view;
    for (
      let at = this.#forward ? 0 : count - 1;
      this.#forward ? at < count : at >= 0;
      at += this.#forward ? 1 : -1
    ) {
      if (marks[at] === 0) continue;
      const index = view.indexOf(first + at);
      if (view.rowAt(index) !== first + at) continue;
      this.found = index;
      return true;
    }
    return false;
  }
}
