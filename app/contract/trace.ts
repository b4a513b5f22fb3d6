import * as v from 'valibot';

const row = v.pipe(v.number(), v.integer(), v.minValue(0));

export const traceCalls = {
  /**
   * Sets what this window looks at: rows that match `filter` (empty: all). An unclear filter is an error that says where.
   * The stream `trace` then counts in this view.
   *
   * Filter: terms joined by `&&`, `||`, `!` and parentheses; `bar == 0`, `value > 3`, `offset`, `width`, `cpu`,
   * `vector`, `length`, `address` compared by `== != < <= > >=`; `reg ~ "SQ*TDBL"` by glob; `device == 1`; the words
   * `read write irq dma config note missed undefined error`; a bare word or string is looked for in register names and notes.
   */
  'trace.view': v.strictObject({ filter: v.pipe(v.string(), v.maxLength(1000)) }),
  /** Rows of the view, by index in it; the records (56 bytes each) come with the answer. */
  'trace.rows': v.strictObject({
    from: row,
    count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2000, 'at most 2000 rows a call')),
  }),
  'trace.clear': v.strictObject({}),
  /** Text of the rows from..from+count of the view, one line each, for copying. */
  'trace.text': v.strictObject({
    from: row,
    count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000, 'at most 10000 rows a call')),
  }),
} as const;

export interface TraceResults {
  'trace.view': { readonly rows: number };
  /** `notes`: texts that the rows name. A row that is no longer kept is all zeroes. */
  'trace.rows': {
    readonly from: number;
    readonly count: number;
    readonly notes: Readonly<Record<number, string>>;
  };
  'trace.clear': Record<string, never>;
  'trace.text': { readonly text: string };
}

export interface TraceCount {
  /** Rows in the view so far. */
  readonly rows: number;
  /** Rows in the whole trace. */
  readonly total: number;
  /** First row of the whole trace that is still kept; 0 until the store is full. */
  readonly first: number;
  /** Events lost before they reached the trace. */
  readonly missed: number;
  /** Part of the trace that the filter has been through, 0 to 1. */
  readonly progress: number;
}

export interface TraceStreams {
  /** At most one a frame, only when it changed and the last was acknowledged. */
  trace: TraceCount;
}
