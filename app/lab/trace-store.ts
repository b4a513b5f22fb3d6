/**
 * The trace: columns of typed arrays in fixed-size chunks, appended to and never changed. No object per event.
 *
 * A row costs {@link ROW_BYTES} bytes. When `maxRows` is reached the oldest chunk goes, and `first` says so.
 */
import { TRACE_RECORD_BYTES, TRACE_RECORD_WORDS, TraceKind } from '#contract/trace-record.ts';

/** Rows in a chunk; a power of two. */
export const CHUNK_ROWS = 1 << 16;
const CHUNK_SHIFT = 16;
const CHUNK_MASK = CHUNK_ROWS - 1;

/** Bytes of all columns for one row: two doubles, nine words, one half word. */
export const ROW_BYTES = 2 * 8 + 9 * 4 + 2;

/** Columns of up to {@link CHUNK_ROWS} rows. */
export class TraceChunk {
  readonly time = new Float64Array(CHUNK_ROWS);
  readonly address = new Float64Array(CHUNK_ROWS);
  readonly valueLow = new Uint32Array(CHUNK_ROWS);
  readonly valueHigh = new Uint32Array(CHUNK_ROWS);
  readonly previousLow = new Uint32Array(CHUNK_ROWS);
  readonly previousHigh = new Uint32Array(CHUNK_ROWS);
  readonly length = new Uint32Array(CHUNK_ROWS);
  /** kind | device << 8 | bar << 16 | flags << 24, as in the record. */
  readonly head = new Uint32Array(CHUNK_ROWS);
  readonly aux = new Uint32Array(CHUNK_ROWS);
  readonly cause = new Uint32Array(CHUNK_ROWS);
  readonly sequence = new Uint32Array(CHUNK_ROWS);
  readonly cpu = new Uint16Array(CHUNK_ROWS);
}

export class TraceStore {
  readonly #chunks: (TraceChunk | undefined)[] = [];
  readonly #maxRows: number;
  #free: TraceChunk | undefined;
  /** Rows ever appended. */
  total = 0;
  /** First row that is still kept. */
  first = 0;
  /** Events that were lost before they came here, as told by `missed` rows. */
  missed = 0;

  constructor(maxRows = 1 << 23) {
    if (maxRows < 2 * CHUNK_ROWS) throw new RangeError(`maxRows is at least ${2 * CHUNK_ROWS}`);
    this.#maxRows = maxRows;
  }

  get bytes(): number {
    return Math.ceil((this.total - this.first) / CHUNK_ROWS) * CHUNK_ROWS * ROW_BYTES;
  }

  /** The chunk that holds `row`, or undefined when it is no longer kept. */
  chunk(row: number): TraceChunk | undefined {
    return this.#chunks[Math.floor(row / CHUNK_ROWS)];
  }

  /** Appends `count` records from `words`, which views the bytes as the record layout says. */
  append(words: Uint32Array, doubles: Float64Array, count: number): void {
    let row = this.total;
    let word = 0;
    let index = 0;
    while (index < count) {
      const chunk = this.#chunkForAppend(row);
      let at = row & CHUNK_MASK;
      const stop = Math.min(count, index + CHUNK_ROWS - at);
      for (; index < stop; index++, at++, row++, word += TRACE_RECORD_WORDS) {
        const double = word >> 1;
        chunk.time[at] = doubles[double]!;
        chunk.address[at] = doubles[double + 1]!;
        chunk.valueLow[at] = words[word + 4]!;
        chunk.valueHigh[at] = words[word + 5]!;
        chunk.length[at] = words[word + 6]!;
        const head = words[word + 7]!;
        chunk.head[at] = head;
        const aux = words[word + 8]!;
        chunk.aux[at] = aux;
        chunk.cause[at] = words[word + 9]!;
        chunk.cpu[at] = words[word + 10]! & 0xffff;
        chunk.sequence[at] = words[word + 11]!;
        chunk.previousLow[at] = words[word + 12]!;
        chunk.previousHigh[at] = words[word + 13]!;
        if ((head & 0xff) === TraceKind.missed) this.missed += aux;
      }
    }
    this.total = row;
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
    return true;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#free = undefined;
    this.total = 0;
    this.first = 0;
    this.missed = 0;
  }

  #chunkForAppend(row: number): TraceChunk {
    const index = row / CHUNK_ROWS;
    const present = this.#chunks[row >>> CHUNK_SHIFT];
    if (present !== undefined) return present;
    // `row` starts a chunk here: appends are dense.
    if (row + CHUNK_ROWS - this.first > this.#maxRows) {
      const oldest = this.first / CHUNK_ROWS;
      this.#free = this.#chunks[oldest];
      this.#chunks[oldest] = undefined;
      this.first += CHUNK_ROWS;
    }
    const chunk = this.#free ?? new TraceChunk();
    this.#free = undefined;
    this.#chunks[index] = chunk;
    return chunk;
  }
}
