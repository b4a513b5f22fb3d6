/** How fast the trace store takes events and what one costs; JSON lines for `make bench`. */
import { TRACE_RECORD_BYTES, TRACE_RECORD_WORDS, TraceKind } from '#contract/trace-record.ts';
import { compileFilter } from './trace-filter.ts';
import { TraceStore } from './trace-store.ts';
import { TraceView } from './trace-view.ts';
import { BATCH_RECORDS } from './trace-writer.ts';

const EVENTS = 8_000_000;
/** What the store has to take: events a second, and bytes an event. */
const LIMITS = { eventsPerSecond: 2_000_000, bytesPerEvent: 64 } as const;

function line(name: string, value: number, unit: string, limit: number, ratio: number): void {
  process.stdout.write(`${JSON.stringify({ name, value, unit, limit, ratio })}\n`);
}

const buffer = new ArrayBuffer(BATCH_RECORDS * TRACE_RECORD_BYTES);
const words = new Uint32Array(buffer);
const doubles = new Float64Array(buffer);
for (let record = 0; record < BATCH_RECORDS; record++) {
  const word = record * TRACE_RECORD_WORDS;
  doubles[word / 2] = record;
  doubles[word / 2 + 1] = 0x1000 + (record % 8) * 4;
  words[word + 4] = record;
  words[word + 6] = 4;
  words[word + 7] = TraceKind.mmioWrite | (1 << 8);
  words[word + 11] = record + 1;
}

function take(store: TraceStore): number {
  const view = new TraceView(
    store,
    compileFilter('write && value > 4000', { registers: () => [], note: () => undefined }),
  );
  const start = performance.now();
  for (let done = 0; done < EVENTS; done += BATCH_RECORDS) {
    store.append(words, doubles, BATCH_RECORDS);
    view.scan(BATCH_RECORDS);
  }
  return (performance.now() - start) / 1000;
}

take(new TraceStore());
const store = new TraceStore();
const seconds = take(store);
const rate = EVENTS / seconds;
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
