/** The trace store's thread: takes record batches from devices, answers the lab's questions about rows. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { WireDescription } from '#contract/devices.ts';
import { TRACE_RECORD_BYTES, TraceKind } from '#contract/trace-record.ts';
import { errorBody } from '../hosts/error-body.ts';
import type {
  StoreBatch,
  StoreMessage,
  StoreReply,
  StoreRequest,
  StoreReturn,
  StoreRows,
} from './store-protocol.ts';
import { TraceColumns } from './trace-columns.ts';
import { compileFilter, type FilterNames } from './trace-filter.ts';
import { TraceStore } from './trace-store.ts';
import { recordText, type TextNames } from './trace-text.ts';
import { TraceView } from './trace-view.ts';
import { BATCH_RECORDS } from './trace-writer.ts';

/** Rows that a filter looks at before the thread turns to other work. */
const SCAN_ROWS = 1 << 18;
/** ms between counts sent to the lab: one frame. */
const FRAME = 16;

interface KnownDevice {
  readonly name: string;
  readonly description: WireDescription;
  /** bar * 2^32 + offset -> name. */
  readonly registers: ReadonlyMap<number, string>;
}

const lab = parentPort!;
const store = new TraceStore();
const devices = new Map<number, KnownDevice>();
const notes = new Map<number, string>();
const lowerNotes = new Map<number, string>();
const views = new Map<number, { filter: string; view: TraceView }>();
let countDue = false;
let scanDue = false;

const names: FilterNames & TextNames = {
  *registers() {
    for (const [device, { description }] of devices) {
      for (const bar of description.bars) {
        for (const { offset, width, name } of bar.registers)
          yield { device, bar: bar.index, offset, width, name };
      }
    }
  },
  note: (id) => notes.get(id),
  deviceName: (device) => devices.get(device)?.name ?? `device ${device}`,
  registerName: (device, bar, offset) => devices.get(device)?.registers.get(bar * 2 ** 32 + offset),
  vectorName: (device, vector) => devices.get(device)?.description.vectorNames[vector],
};
const filterNames: FilterNames = { ...names, note: (id) => lowerNotes.get(id) };

function post(reply: StoreReply, transfer: ArrayBuffer[] = []): void {
  lab.postMessage(reply, transfer);
}

function announce(): void {
  if (countDue) return;
  countDue = true;
  setTimeout(() => {
    countDue = false;
    post({
      kind: 'count',
      total: store.total,
      first: store.first,
      missed: store.missed,
      bytes: store.bytes,
      views: [...views].map(([view, entry]) => ({
        view,
        rows: entry.view.rows,
        progress: entry.view.progress,
      })),
    });
  }, FRAME);
}

function scan(): void {
  scanDue = false;
  let more = false;
  for (const { view } of views.values()) more = !view.scan(SCAN_ROWS) || more;
  if (more) scheduleScan();
  announce();
}

function scheduleScan(): void {
  if (scanDue) return;
  scanDue = true;
  setImmediate(scan);
}

function take(port: MessagePort, batch: StoreBatch): void {
  for (const [id, text] of batch.notes) {
    notes.set(id, text);
    lowerNotes.set(id, text.toLowerCase());
  }
  store.append(new TraceColumns(BATCH_RECORDS, batch.buffer), batch.count);
  const answer: StoreReturn = { buffer: batch.buffer };
  port.postMessage(answer, [batch.buffer]);
  scheduleScan();
}

function viewOf(id: number): TraceView {
  let entry = views.get(id);
  if (entry === undefined) {
    entry = { filter: '', view: new TraceView(store, undefined) };
    views.set(id, entry);
  }
  return entry.view;
}

function setView(id: number, filter: string): { rows: number } {
  const view = new TraceView(store, compileFilter(filter, filterNames));
  views.set(id, { filter, view });
  view.scan(SCAN_ROWS);
  scheduleScan();
  return { rows: view.rows };
}

function rowsOf(id: number, from: number, count: number): StoreRows {
  const view = viewOf(id);
  const available = Math.max(0, Math.min(count, view.rows - from));
  const bytes = new Uint8Array(available * TRACE_RECORD_BYTES);
  const data = new DataView(bytes.buffer);
  const named: Record<number, string> = {};
  for (let index = 0; index < available; index++) {
    const at = index * TRACE_RECORD_BYTES;
    if (!store.record(view.rowAt(from + index), data, at)) continue;
    if (data.getUint8(at + 28) === TraceKind.note) {
      const note = data.getUint32(at + 32, true);
      named[note] = notes.get(note) ?? '';
    }
  }
  return { from, count: available, notes: named, bytes };
}

function textOf(id: number, from: number, count: number): { text: string } {
  const { bytes, count: available } = rowsOf(id, from, count);
  const data = new DataView(bytes.buffer);
  const lines: string[] = [];
  for (let index = 0; index < available; index++)
    lines.push(recordText(data, index * TRACE_RECORD_BYTES, names));
  return { text: lines.join('\n') };
}

function answer(request: StoreRequest): unknown {
  switch (request.op) {
    case 'device': {
      const registers = new Map<number, string>();
      for (const bar of request.description.bars) {
        for (const register of bar.registers)
          registers.set(bar.index * 2 ** 32 + register.offset, register.name);
      }
      devices.set(request.device, { name: request.name, description: request.description, registers });
      // A filter on a register name also means the registers of devices that came later.
      for (const [id, entry] of views) if (entry.filter !== '') setView(id, entry.filter);
      return {};
    }
    case 'view':
      return setView(request.view, request.filter);
    case 'closeView':
      views.delete(request.view);
      return {};
    case 'rows':
      return rowsOf(request.view, request.from, request.count);
    case 'text':
      return textOf(request.view, request.from, request.count);
    case 'clear':
      store.clear();
      for (const [id, entry] of views) setView(id, entry.filter);
      announce();
      return {};
    case 'settle':
      for (const { view } of views.values()) while (!view.scan(SCAN_ROWS));
      return { total: store.total };
  }
}

lab.on('message', (message: StoreMessage) => {
  if (message.kind === 'port') {
    const { port } = message;
    port.on('message', (batch: StoreBatch) => take(port, batch));
    return;
  }
  try {
    const result = answer(message.request);
    const transfer = message.request.op === 'rows' ? [(result as StoreRows).bytes.buffer as ArrayBuffer] : [];
    post({ kind: 'answer', id: message.id, result }, transfer);
  } catch (error) {
    post({ kind: 'answer', id: message.id, error: errorBody(error) });
  }
});
