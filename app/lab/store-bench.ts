/** How fast the trace store takes events and what one costs; JSON lines for `make bench`. */
import { TraceKind } from '#contract/trace-record.ts';
import { TraceColumns } from './trace-columns.ts';
import { compileFilter, type FilterNames } from './trace-filter.ts';
import { TraceStore } from './trace-store.ts';
import { TraceSearch, TraceView } from './trace-view.ts';
import { BATCH_RECORDS } from './trace-writer.ts';

const EVENTS = 4_000_000;
const SEARCHED = 10_000_000;
/** Rows that the store looks at between other work. */
const SLICE = 1 << 18;
/**
 * What the store has to take: events a second, bytes an event; ms to filter and to search {@link SEARCHED} rows, and ms
 * until the first of them are there.
 */
const LIMITS = {
  eventsPerSecond: 2_000_000,
  bytesPerEvent: 64,
  filter: 1000,
  firstRows: 100,
  slice: 50,
} as const;

const names: FilterNames = {
  *registers() {
    for (let queue = 0; queue < 8; queue++) {
      const name = queue % 2 === 0 ? `SQ${queue / 2}TDBL` : `CQ${(queue - 1) / 2}HDBL`;
      const fields = [{ name: 'SQT', lsb: 0, width: 16 }];
      yield { device: 1, bar: 0, offset: 0x1000 + queue * 4, width: 4, name, fields };
    }
  },
  *devices() {
    yield { id: 1, name: 'disk' };
  },
  note: () => undefined,
};

function line(name: string, value: number, unit: string, limit: number, ratio: number): void {
  process.stdout.write(`${JSON.stringify({ name, value, unit, limit, ratio })}\n`);
}

const columns = new TraceColumns(BATCH_RECORDS);
for (let row = 0; row < BATCH_RECORDS; row++) {
  columns.time[row] = row;
  columns.address[row] = 0x1000 + (row % 8) * 4;
  columns.valueLow[row] = row;
  columns.length[row] = 4;
  columns.head[row] = TraceKind.mmioWrite | (1 << 8);
  columns.sequence[row] = row + 1;
}

/** Events a second: into the store alone, or also past a filter that a window has set. */
function take(filter: string): { rate: number; store: TraceStore } {
  const store = new TraceStore();
  const view = new TraceView(store, compileFilter(filter, names));
  const start = performance.now();
  for (let done = 0; done < EVENTS; done += BATCH_RECORDS) {
    store.append(columns, BATCH_RECORDS);
    view.scan(BATCH_RECORDS);
  }
  return { rate: (EVENTS / (performance.now() - start)) * 1000, store };
}

take('write');
const { rate, store } = take('');
const bytes = store.bytes / (store.total - store.first);
line(
  'store/events-per-second',
  Math.round(rate),
  'events/s',
  LIMITS.eventsPerSecond,
  rate / LIMITS.eventsPerSecond,
);
line(
  'store/bytes-per-event',
  Number(bytes.toFixed(1)),
  'B',
  LIMITS.bytesPerEvent,
  bytes / LIMITS.bytesPerEvent,
);
const filtered = take('write && value > 4000').rate;
line('store/filtered-events-per-second', Math.round(filtered), 'events/s', Math.round(rate), filtered / rate);

const large = new TraceStore(SEARCHED + (1 << 18));
for (let done = 0; done < SEARCHED; done += BATCH_RECORDS) large.append(columns, BATCH_RECORDS);

/** ms until all rows were looked at, until the first slice was, and of the longest slice. */
function slices(step: () => boolean): { all: number; first: number; longest: number } {
  const start = performance.now();
  let first = 0;
  let longest = 0;
  for (let done = false; !done; ) {
    const begun = performance.now();
    done = step();
    const now = performance.now();
    longest = Math.max(longest, now - begun);
    if (first === 0) first = now - start;
  }
  return { all: performance.now() - start, first, longest };
}

for (const [name, text] of [
  ['filter', 'bar == 0 && reg ~ "SQ*TDBL" && write && value > 3'],
  ['field', 'reg.SQT >= 4000 || (irq && vector == 3)'],
] as const) {
  const view = new TraceView(large, compileFilter(text, names));
  const { all, first, longest } = slices(() => view.scan(SLICE));
  line(`store/${name}-10M`, Math.round(all), 'ms', LIMITS.filter, all / LIMITS.filter);
  line(
    `store/${name}-10M-first-rows`,
    Number(first.toFixed(1)),
    'ms',
    LIMITS.firstRows,
    first / LIMITS.firstRows,
  );
  line(`store/${name}-10M-slice`, Number(longest.toFixed(1)), 'ms', LIMITS.slice, longest / LIMITS.slice);
}
const search = new TraceSearch(
  large,
  new TraceView(large, undefined),
  compileFilter('irq', names)!,
  -1,
  true,
);
const found = slices(() => search.step(SLICE));
line('store/search-10M', Math.round(found.all), 'ms', LIMITS.filter, found.all / LIMITS.filter);
const million = (large.bytes / (large.total - large.first)) * 1e6;
line('store/bytes-per-million-rows', Math.round(million), 'B', 64e6, million / 64e6);
