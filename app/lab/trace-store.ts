/**
 * The trace: columns of typed arrays in fixed-size chunks, appended to and never changed. No object per event.
 *
 * A row costs {@link ROW_BYTES} bytes. When the limit is reached the oldest chunk goes, and `first` says so.
 */
import { TRACE_LIMIT } from '#contract/trace.ts';
import { TRACE_RECORD_BYTES, TraceField, TraceKind } from '#contract/trace-record.ts';
import { ROW_BYTES, TraceColumns } from './trace-columns.ts';
import { TraceSummary } from './trace-summary.ts';

/** Rows in a chunk; a power of two. */
export const CHUNK_ROWS = 1 << 16;
const CHUNK_SHIFT = 16;
const CHUNK_MASK = CHUNK_ROWS - 1;

export class TraceStore {
  readonly #chunks: (TraceColumns | undefined)[] = [];
  readonly summary = new TraceSummary();
  /** Told of every row with expert notes. */
  onExpert: (columns: TraceColumns, at: number, row: number, bits: number) => void = () => {};
  #maxRows: number;
  #free: TraceColumns | undefined;
  /** Rows ever appended. */
  total = 0;
  /** First row that is still kept. */
  first = 0;
  /** Events that were lost before they came here, as told by `missed` rows. */
  missed = 0;

  constructor(maxRows: number = TRACE_LIMIT.default) {
    if (maxRows < 2 * CHUNK_ROWS) throw new RangeError(`maxRows is at least ${2 * CHUNK_ROWS}`);
    this.#maxRows = maxRows;
  }

  get bytes(): number {
    const chunks = Math.ceil((this.total - this.first) / CHUNK_ROWS);
    return chunks * CHUNK_ROWS * ROW_BYTES + this.summary.bytes;
  }

  get limit(): number {
    return this.#maxRows;
  }

  /** The oldest rows go at once when there are more. */
  set limit(rows: number) {
    this.#maxRows = Math.max(rows, 2 * CHUNK_ROWS);
    this.#makeRoom(this.total - this.first);
    this.#free = undefined;
  }

  /** The chunk that holds `row`, or undefined when it is no longer kept. */
  chunk(row: number): TraceColumns | undefined {
    return this.#chunks[Math.floor(row / CHUNK_ROWS)];
  }

  /** Appends the first `count` rows of `columns`. */
  append(columns: TraceColumns, count: number): void {
    let from = 0;
    while (from < count) {
      const chunk = this.#chunkForAppend(this.total);
      const at = this.total & CHUNK_MASK;
      const rows = Math.min(count - from, CHUNK_ROWS - at);
      chunk.copy(columns, from, rows, at);
      from += rows;
      this.total += rows;
    }
    const first = this.total - count;
    this.summary.add(columns, count, (at, bits) => {
      if ((columns.head[at]! & 0xff) === TraceKind.missed) this.missed += columns.aux[at]!;
      this.onExpert(columns, at, first + at, bits);
    });
  }

  /** Writes row `row` as a record at byte `at` of `view`; false when it is no longer kept. */
  record(row: number, view: DataView, at: number): boolean {
    const chunk = row < this.total ? this.chunk(row) : undefined;
    if (chunk === undefined) {
      for (let byte = 0; byte < TRACE_RECORD_BYTES; byte += 4) view.setUint32(at + byte, 0, true);
      return false;
    }
    const index = row & CHUNK_MASK;
    view.setFloat64(at, chunk.time[index]!, true);
    view.setFloat64(at + 8, chunk.address[index]!, true);
    view.setUint32(at + 16, chunk.valueLow[index]!, true);
    view.setUint32(at + 20, chunk.valueHigh[index]!, true);
    view.setUint32(at + 24, chunk.length[index]!, true);
    view.setUint32(at + 28, chunk.head[index]!, true);
    view.setUint32(at + 32, chunk.aux[index]!, true);
    view.setUint32(at + 36, chunk.cause[index]!, true);
    view.setUint32(at + 40, chunk.cpu[index]!, true);
    view.setUint32(at + 44, chunk.sequence[index]!, true);
    view.setUint32(at + 48, chunk.previousLow[index]!, true);
    view.setUint32(at + 52, chunk.previousHigh[index]!, true);
    view.setFloat64(at + TraceField.row, row, true);
    view.setUint32(at + TraceField.repeat, 1, true);
    view.setUint32(at + TraceField.rule, 0, true);
    view.setFloat64(at + TraceField.latency, Number.NaN, true);
    return true;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#free = undefined;
    this.summary.clear();
    this.total = 0;
    this.first = 0;
    this.missed = 0;
  }

  #chunkForAppend(row: number): TraceColumns {
    const index = row / CHUNK_ROWS;
    const present = this.#chunks[row >>> CHUNK_SHIFT];
    if (present !== undefined) return present;
    // `row` starts a chunk here: appends are dense.
    this.#makeRoom(row + CHUNK_ROWS - this.first);
    const chunk = this.#free ?? new TraceColumns(CHUNK_ROWS);
    this.#free = undefined;
    this.#chunks[index] = chunk;
    return chunk;
  }

  /** The oldest chunks go until there is room for so many rows. */
  #makeRoom(rows: number): void {
    for (let over = rows - this.#maxRows; over > 0 && this.first < this.total; over -= CHUNK_ROWS) {
      const oldest = this.first / CHUNK_ROWS;
      this.#free = this.#chunks[oldest];
      this.#chunks[oldest] = undefined;
      this.first += CHUNK_ROWS;
    }
  }
}
