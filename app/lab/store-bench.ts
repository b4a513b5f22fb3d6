/** How fast the trace store takes events and what one costs; JSON lines for `make bench`. */
import { TraceKind } from '#contract/trace-record.ts';
import { TraceColumns } from './trace-columns.ts';
import { compileFilter } from './trace-filter.ts';
import { TraceStore } from './trace-store.ts';
import { TraceView } from './trace-view.ts';
import { BATCH_RECORDS } from './trace-writer.ts';

const EVENTS = 4_000_000;
/** What the store has to take: events a second, and bytes an event. */
const LIMITS = { eventsPerSecond: 2_000_000, bytesPerEvent: 64 } as const;

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
  const view = new TraceView(store, compileFilter(filter, { registers: () => [], note: () => undefined }));
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
