import * as v from 'valibot';
import { deviceId } from './schemas.ts';
import { TraceKind } from './trace-record.ts';

const row = v.pipe(v.number(), v.integer(), v.minValue(0));
const filter = v.pipe(v.string(), v.maxLength(1000, 'a filter has at most 1000 characters'));

/** Kinds of rows that a window shows or leaves out together. */
export const rowKinds = {
  mmio: [TraceKind.mmioRead, TraceKind.mmioWrite],
  interrupt: [TraceKind.interrupt],
  dma: [TraceKind.dmaRead, TraceKind.dmaWrite],
  command: [TraceKind.command],
  config: [TraceKind.configRead, TraceKind.configWrite],
  note: [TraceKind.note, TraceKind.reset, TraceKind.driver],
  missed: [TraceKind.missed],
} as const satisfies Record<string, readonly number[]>;
export type RowKind = keyof typeof rowKinds;

/** What an overview counts apart. */
export const OVERVIEW_CLASSES = ['read', 'write', 'config', 'irq', 'dma', 'note'] as const;
/** Numbers of one bucket: rows of each class, rows with expert notes, least and greatest rows a second. */
export const OVERVIEW_FIELDS = OVERVIEW_CLASSES.length + 3;

const CLASS_OF_KIND = new Uint8Array(32).fill(5);
CLASS_OF_KIND[TraceKind.mmioRead] = 0;
CLASS_OF_KIND[TraceKind.mmioWrite] = 1;
CLASS_OF_KIND[TraceKind.configRead] = 2;
CLASS_OF_KIND[TraceKind.configWrite] = 2;
CLASS_OF_KIND[TraceKind.interrupt] = 3;
CLASS_OF_KIND[TraceKind.dmaRead] = 4;
CLASS_OF_KIND[TraceKind.dmaWrite] = 4;

/** Number of its class in {@link OVERVIEW_CLASSES}. */
export function overviewClass(kind: number): number {
  return CLASS_OF_KIND[kind & 31]!;
}

export const MAX_RULES = 8;
/** Rows that the trace may be told to keep, and the bytes that each takes. */
export const TRACE_LIMIT = { least: 1 << 17, most: 1 << 27, default: 1 << 23, rowBytes: 54 } as const;

export const traceCalls = {
  /**
   * Sets what this window looks at: rows of the kinds that match `filter` (empty: all), `collapse`: identical polls in a
   * row as one. An unclear filter is an error that says where. The stream `trace` then counts in this view.
   * The language is in `filter-language.ts`.
   */
  'trace.view': v.strictObject({
    filter,
    kinds: v.optional(
      v.array(
        v.picklist(
          Object.keys(rowKinds) as RowKind[],
          `a kind is one of ${Object.keys(rowKinds).join(', ')}`,
        ),
      ),
    ),
    collapse: v.optional(v.boolean()),
  }),
  /** Rows of the view, by index in it; the records come with the answer. */
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
  /** The next row of the view that matches, behind or before row `from` of it. A further search ends the one before. */
  'trace.find': v.strictObject({
    filter: v.pipe(filter, v.minLength(1, 'a search has something to look for')),
    from: v.pipe(v.number(), v.integer(), v.minValue(-1)),
    forward: v.boolean(),
  }),
  /** Ends a search and a count of this window that are under way. */
  'trace.cancel': v.strictObject({}),
  /** The row of the view at or after a row of the trace, or a time (ns). */
  'trace.locate': v.union([
    v.strictObject({ row }),
    v.strictObject({ time: v.pipe(v.number(), v.minValue(0)) }),
  ]),
  /**
   * The row of the whole trace that has access `access` of a device, which caused something at `time` (ns). `command`: the row
   * that tells of this command, which it asked for, where there is one.
   */
  'trace.access': v.strictObject({
    device: deviceId,
    access: v.pipe(v.number(), v.integer(), v.minValue(1)),
    time: v.pipe(v.number(), v.minValue(0)),
    command: v.optional(
      v.strictObject({
        queue: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff)),
        id: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff)),
      }),
    ),
  }),
  /**
   * Rows in `buckets` parts of the whole trace, by time or by row, or of a part of it: {@link OVERVIEW_FIELDS} 32-bit
   * floats each come with the answer.
   */
  'trace.overview': v.strictObject({
    by: v.picklist(['time', 'row']),
    buckets: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096, 'at most 4096 buckets')),
    from: v.optional(v.pipe(v.number(), v.minValue(0))),
    to: v.optional(v.pipe(v.number(), v.minValue(0))),
  }),
  'trace.experts': v.strictObject({}),
  /** Rows that belong together with row `row` of the trace; their records come with the answer. */
  'trace.group': v.strictObject({ row }),
  /** Accesses by register, over the rows of the view. */
  'trace.statistics': v.strictObject({}),
  /** Filters by which rows are coloured; the first that matches counts. */
  'trace.rules': v.strictObject({
    filters: v.pipe(v.array(filter), v.maxLength(MAX_RULES, `at most ${MAX_RULES} rules`)),
  }),
  /** How many rows the trace keeps before the oldest go. */
  'trace.limit': v.strictObject({
    rows: v.pipe(
      v.number(),
      v.integer(),
      v.minValue(TRACE_LIMIT.least, `a trace keeps at least ${TRACE_LIMIT.least} rows`),
      v.maxValue(TRACE_LIMIT.most, `a trace keeps at most ${TRACE_LIMIT.most} rows`),
    ),
  }),
} as const;

/** Expert notes that say the same about the same place. */
export interface ExpertGroup {
  readonly bit: number;
  readonly device: number;
  /** Of an access. */
  readonly bar?: number;
  readonly offset?: number;
  /** Of a note. */
  readonly text: string;
  readonly count: number;
  /** Rows of the trace. */
  readonly first: number;
  readonly last: number;
  /** The last ones, in order. */
  readonly recent: readonly number[];
}

export interface RegisterStatistics {
  readonly device: number;
  readonly bar: number;
  readonly offset: number;
  readonly reads: number;
  readonly writes: number;
  /** How often the value was another than at the access before. */
  readonly changes: number;
  /** Times of the first and the last access, ns. */
  readonly first: number;
  readonly last: number;
  /** Last value, and the row of the trace that has it. */
  readonly value: string;
  readonly lastRow: number;
}

export interface TraceResults {
  /** `progress`: share of the trace that was searched for them so far; `trace` events tell how it goes on. */
  'trace.view': { readonly rows: number; readonly progress: number };
  /** `notes`: texts that the rows name. A row that is no longer kept is all zeroes. */
  'trace.rows': {
    readonly from: number;
    readonly count: number;
    readonly notes: Readonly<Record<number, string>>;
  };
  'trace.clear': Record<string, never>;
  'trace.text': { readonly text: string };
  /** -1: none. `stopped`: another search took its place. */
  'trace.find': { readonly row: number; readonly stopped: boolean };
  'trace.cancel': Record<string, never>;
  'trace.locate': { readonly index: number };
  /** -1: the trace does not have it. */
  'trace.access': { readonly row: number };
  'trace.overview': {
    /** What the buckets span: ns, or rows. */
    readonly from: number;
    readonly to: number;
  };
  'trace.experts': { readonly groups: readonly ExpertGroup[] };
  'trace.group': { readonly count: number; readonly notes: Readonly<Record<number, string>> };
  'trace.statistics': { readonly registers: readonly RegisterStatistics[]; readonly stopped: boolean };
  'trace.rules': Record<string, never>;
  'trace.limit': { readonly rows: number };
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
  /** Rows that the last row of the view stands for. */
  readonly repeat: number;
  /** Rows with expert notes, ever. */
  readonly experts: number;
}

export interface TraceStreams {
  /** At most one a frame, only when it changed and the last was acknowledged. */
  trace: TraceCount;
}
