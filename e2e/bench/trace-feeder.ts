/**
 * A device's thread without a device: writes rows into the trace store as a busy NVMe disk would, through the same writer.
 * A request {@link FeedRequest} comes in; `done` goes back.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { BATCH_RECORDS, TraceWriter } from '#app/lab/trace-writer.ts';
import { TraceFlag, TraceKind } from '#contract/trace-record.ts';

export interface FeederData {
  readonly device: number;
  readonly store: MessagePort;
}

export type FeedRequest =
  /** So many rows at once; few enough for the buffers that may be under way. */
  | { readonly rows: number }
  /** So many rows a second, for so many ms. */
  | { readonly rate: number; readonly ms: number };

const TICK = 4;
const FLUSH = 16;
/** ns between rows of a fill. */
const GAP = 5000;

const { device, store } = workerData as FeederData;
const writer = new TraceWriter(device, store);
let sequence = 0;
let time = performance.now() * 1e6;

/** A doorbell, the command, its data, the completion, the interrupt, the completion queue's doorbell. */
function row(now: number): void {
  const queue = 1 + (Math.floor(sequence / 6) % 4);
  const entry = Math.floor(sequence / 24) & 0x3ff;
  const cause = sequence - (sequence % 6) + 1;
  switch (sequence++ % 6) {
    case 0:
      writer.recordAccess(
        TraceKind.mmioWrite,
        now,
        0,
        0x1000 + queue * 8,
        4,
        entry,
        0,
        queue - 1,
        sequence,
        TraceFlag.previousKnown,
        entry === 0 ? 0 : entry - 1,
        0,
        0,
      );
      break;
    case 1:
      writer.recordDma(now, false, 0x1_0000 + entry * 64, 64, 0, cause);
      break;
    case 2:
      writer.recordDma(now, true, 0x20_0000 + entry * 4096, 4096, 0, cause);
      break;
    case 3:
      writer.recordDma(now, true, 0x8_0000 + entry * 16, 16, 0, cause);
      break;
    case 4:
      writer.recordInterrupt(now, queue, 0, cause, 0);
      break;
    default:
      writer.recordAccess(
        TraceKind.mmioWrite,
        now,
        0,
        0x1004 + queue * 8,
        4,
        entry,
        0,
        queue - 1,
        sequence,
        0,
        0,
        0,
        0,
      );
  }
}

function done(): void {
  parentPort!.postMessage({ missed: writer.missed });
}

function fill(rows: number): void {
  for (let at = 0; at < rows; at++) row((time += GAP));
  writer.flush();
  done();
}

function stream(rate: number, ms: number): void {
  const start = performance.now();
  const first = time;
  let sent = 0;
  let flushed = start;
  const timer = setInterval(() => {
    const now = performance.now();
    const due = Math.floor((Math.min(now - start, ms) / 1000) * rate);
    for (; sent < due; sent++) row((time = first + (sent / rate) * 1e9));
    if (now - flushed >= FLUSH) {
      flushed = now;
      writer.flush();
    }
    if (now - start < ms) return;
    clearInterval(timer);
    writer.flush();
    done();
  }, TICK);
}

parentPort!.on('message', (request: FeedRequest) => {
  if ('rows' in request) {
    if (request.rows > 32 * BATCH_RECORDS) throw new RangeError(`at most ${32 * BATCH_RECORDS} rows at once`);
    fill(request.rows);
  } else stream(request.rate, request.ms);
});
