/**
 * The columns that trace rows are kept in: in the batches of a device's thread and in the chunks of the store alike, so
 * that a batch enters the store as a copy a column.
 */

/** Bytes of all columns for one row: two doubles, nine words, one half word. */
export const ROW_BYTES = 2 * 8 + 9 * 4 + 2;

export class TraceColumns {
  readonly buffer: ArrayBuffer;
  readonly time: Float64Array;
  readonly address: Float64Array;
  readonly valueLow: Uint32Array;
  readonly valueHigh: Uint32Array;
  readonly previousLow: Uint32Array;
  readonly previousHigh: Uint32Array;
  readonly length: Uint32Array;
  /** kind | device << 8 | bar << 16 | flags << 24, as in the record. */
  readonly head: Uint32Array;
  readonly aux: Uint32Array;
  readonly cause: Uint32Array;
  readonly sequence: Uint32Array;
  readonly cpu: Uint16Array;

  /** `buffer` has {@link ROW_BYTES} for each of `rows`. */
  constructor(rows: number, buffer = new ArrayBuffer(rows * ROW_BYTES)) {
    let at = 0;
    const take = (bytes: number): number => {
      const start = at;
      at += bytes * rows;
      return start;
    };
    this.buffer = buffer;
    this.time = new Float64Array(buffer, take(8), rows);
    this.address = new Float64Array(buffer, take(8), rows);
    this.valueLow = new Uint32Array(buffer, take(4), rows);
    this.valueHigh = new Uint32Array(buffer, take(4), rows);
    this.previousLow = new Uint32Array(buffer, take(4), rows);
    this.previousHigh = new Uint32Array(buffer, take(4), rows);
    this.length = new Uint32Array(buffer, take(4), rows);
    this.head = new Uint32Array(buffer, take(4), rows);
    this.aux = new Uint32Array(buffer, take(4), rows);
    this.cause = new Uint32Array(buffer, take(4), rows);
    this.sequence = new Uint32Array(buffer, take(4), rows);
    this.cpu = new Uint16Array(buffer, take(2), rows);
  }

  /** Copies rows `from`..`from + count` of `source` to row `at`. */
  copy(source: TraceColumns, from: number, count: number, at: number): void {
    const end = from + count;
    this.time.set(source.time.subarray(from, end), at);
    this.address.set(source.address.subarray(from, end), at);
    this.valueLow.set(source.valueLow.subarray(from, end), at);
    this.valueHigh.set(source.valueHigh.subarray(from, end), at);
    this.previousLow.set(source.previousLow.subarray(from, end), at);
    this.previousHigh.set(source.previousHigh.subarray(from, end), at);
    this.length.set(source.length.subarray(from, end), at);
    this.head.set(source.head.subarray(from, end), at);
    this.aux.set(source.aux.subarray(from, end), at);
    this.cause.set(source.cause.subarray(from, end), at);
    this.sequence.set(source.sequence.subarray(from, end), at);
    this.cpu.set(source.cpu.subarray(from, end), at);
  }
}
