/** The trace store's thread: takes record batches from devices, answers the lab's questions about rows. */

import { type MessagePort, parentPort } from 'node:worker_threads';
import { configMet, configNames } from '#contract/config-names.ts';
import type { WireDescription } from '#contract/devices.ts';
import { type RowKind, rowKinds } from '#contract/trace.ts';
import { TRACE_RECORD_BYTES, TraceField, TraceKind } from '#contract/trace-record.ts';
import { errorBody } from '../hosts/error-body.ts';
import { ExpertLog } from './expert-log.ts';
import type {
  StoreBatch,
  StoreMessage,
  StoreOverview,
  StoreReply,
  StoreRequest,
  StoreReturn,
  StoreRows,
} from './store-protocol.ts';
import { TraceColumns } from './trace-columns.ts';
import { both, compileFilter, type FilterNames, kindFilter, type RowFilter } from './trace-filter.ts';
import { groupOf, latencyOf, rowOfAccess } from './trace-groups.ts';
import { TraceStatistics } from './trace-statistics.ts';
import { CHUNK_ROWS, TraceStore } from './trace-store.ts';
import { recordText, type TextNames } from './trace-text.ts';
import { TraceSearch, TraceView } from './trace-view.ts';
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

interface ViewOptions {
  readonly filter: string;
  readonly kinds: readonly RowKind[] | undefined;
  readonly collapse: boolean;
}

interface ViewEntry {
  options: ViewOptions;
  view: TraceView;
  compiled: RowFilter | undefined;
  ruleTexts: readonly string[];
  rules: readonly (RowFilter | undefined)[];
  /** Ends what is under way for this window. */
  stop: (() => void) | undefined;
}

const EVERYTHING: ViewOptions = { filter: '', kinds: undefined, collapse: false };

const lab = parentPort!;
const store = new TraceStore();
const experts = new ExpertLog();
const devices = new Map<number, KnownDevice>();
const notes = new Map<number, string>();
const lowerNotes = new Map<number, string>();
const views = new Map<number, ViewEntry>();
const mark = new Uint8Array(1);
let countDue = false;
let scanDue = false;

const names: FilterNames & TextNames = {
  *registers() {
    for (const [device, { description }] of devices) {
      for (const bar of description.bars) {
        for (const { offset, width, name, fields } of bar.registers)
          yield { device, bar: bar.index, offset, width, name, fields };
      }
    }
  },
  *devices() {
    for (const [id, { name }] of devices) yield { id, name };
  },
  note: (id) => notes.get(id),
  deviceName: (device) => devices.get(device)?.name ?? `device ${device}`,
  registerName: (device, bar, offset) => devices.get(device)?.registers.get(bar * 2 ** 32 + offset),
  configNames: (device, offset, length) =>
    configNames(configMet(devices.get(device)?.description.config ?? [], offset, length), offset),
  commandName: (device, opcode) => devices.get(device)?.description.commandNames?.[opcode],
  vectorName: (device, vector) => devices.get(device)?.description.vectorNames[vector],
};
const filterNames: FilterNames = { ...names, note: (id) => lowerNotes.get(id) };

store.onExpert = (columns, at, row, bits) => experts.add(columns, at, row, bits, (id) => notes.get(id) ?? '');

function post(reply: StoreReply, transfer: ArrayBuffer[] = []): void {
  lab.postMessage(reply, transfer);
}

function announce(): void {
  if (countDue) return;
  countDue = true;
  setTimeout(() => {
    countDue = false;
    let bytes = store.bytes;
    for (const { view } of views.values()) bytes += view.bytes;
    post({
      kind: 'count',
      total: store.total,
      first: store.first,
      missed: store.missed,
      experts: experts.count,
      bytes,
      limit: store.limit,
      views: [...views].map(([view, entry]) => ({
        view,
        rows: entry.view.rows,
        progress: entry.view.progress,
        repeat: entry.view.repeatsAt(entry.view.rows - 1),
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

function entryOf(id: number): ViewEntry {
  let entry = views.get(id);
  if (entry === undefined) {
    entry = {
      options: EVERYTHING,
      view: new TraceView(store, undefined),
      compiled: undefined,
      ruleTexts: [],
      rules: [],
      stop: undefined,
    };
    views.set(id, entry);
  }
  return entry;
}

function kindBits(kinds: readonly RowKind[]): number {
  let bits = 0;
  for (const kind of kinds) for (const code of rowKinds[kind]) bits |= 1 << code;
  return bits;
}

function setView(id: number, options: ViewOptions): { rows: number; progress: number } {
  const filter = both(
    options.kinds === undefined ? undefined : kindFilter(kindBits(options.kinds)),
    compileFilter(options.filter, filterNames),
  );
  const entry = entryOf(id);
  entry.stop?.();
  entry.options = options;
  entry.compiled = filter;
  entry.view = new TraceView(store, filter, options.collapse);
  entry.view.scan(SCAN_ROWS);
  scheduleScan();
  return { rows: entry.view.rows, progress: entry.view.progress };
}

/** `step` until it has done all, between other work; undefined when something else took its place. */
function inSlices<T>(entry: ViewEntry, step: () => boolean, result: () => T): Promise<T | undefined> {
  entry.stop?.();
  return new Promise((resolve, reject) => {
    let stopped = false;
    const end = (value: T | undefined): void => {
      stopped = true;
      if (entry.stop === stop) entry.stop = undefined;
      resolve(value);
    };
    const stop = (): void => {
      if (!stopped) end(undefined);
    };
    entry.stop = stop;
    const slice = (): void => {
      if (stopped) return;
      try {
        if (step()) end(result());
        else setImmediate(slice);
      } catch (error) {
        reject(error as Error);
      }
    };
    slice();
  });
}

async function find(id: number, text: string, from: number, forward: boolean): Promise<unknown> {
  const filter = compileFilter(text, filterNames);
  const entry = entryOf(id);
  if (filter === undefined) return { row: -1, stopped: false };
  const search = new TraceSearch(store, entry.view, filter, from, forward);
  const row = await inSlices(
    entry,
    () => search.step(SCAN_ROWS),
    () => search.found,
  );
  return { row: row ?? -1, stopped: row === undefined };
}

async function statistics(id: number): Promise<unknown> {
  const entry = entryOf(id);
  const counting = new TraceStatistics(store, entry.compiled);
  const registers = await inSlices(
    entry,
    () => counting.step(SCAN_ROWS),
    () => counting.result(),
  );
  return { registers: registers ?? [], stopped: registers === undefined };
}

/** Number of the first rule that a row matches, plus one. */
function ruleOf(rules: ViewEntry['rules'], row: number): number {
  const chunk = store.chunk(row);
  if (chunk === undefined) return 0;
  const base = Math.floor(row / CHUNK_ROWS) * CHUNK_ROWS;
  for (let rule = 0; rule < rules.length; rule++) {
    const filter = rules[rule];
    if (filter === undefined) continue;
    filter(chunk, base, row - base, 1, mark);
    if (mark[0] === 1) return rule + 1;
  }
  return 0;
}

function records(entry: ViewEntry | undefined, rows: readonly number[]): Omit<StoreRows, 'from'> {
  const bytes = new Uint8Array(rows.length * TRACE_RECORD_BYTES);
  const data = new DataView(bytes.buffer);
  const named: Record<number, string> = {};
  for (let index = 0; index < rows.length; index++) {
    const at = index * TRACE_RECORD_BYTES;
    const row = rows[index]!;
    if (!store.record(row, data, at)) continue;
    data.setFloat64(at + TraceField.latency, latencyOf(store, row), true);
    if (entry !== undefined) data.setUint8(at + TraceField.rule, ruleOf(entry.rules, row));
    const kind = data.getUint8(at + TraceField.kind);
    if (kind !== TraceKind.note && kind !== TraceKind.driver) continue;
    const note = data.getUint32(at + TraceField.aux, true);
    named[note] = notes.get(note) ?? '';
  }
  return { count: rows.length, notes: named, bytes };
}

function rowsOf(id: number, from: number, count: number): StoreRows {
  const entry = entryOf(id);
  const { view } = entry;
  const available = Math.max(0, Math.min(count, view.rows - from));
  const rows = Array.from({ length: available }, (_, index) => view.rowAt(from + index));
  const made = records(entry, rows);
  if (entry.options.collapse) {
    const data = new DataView(made.bytes.buffer);
    for (let index = 0; index < available; index++) {
      const at = index * TRACE_RECORD_BYTES;
      data.setUint32(at + TraceField.repeat, view.repeatsAt(from + index), true);
    }
  }
  return { from, ...made };
}

function textOf(id: number, from: number, count: number): { text: string } {
  const { bytes, count: available } = rowsOf(id, from, count);
  const data = new DataView(bytes.buffer);
  const lines: string[] = [];
  for (let index = 0; index < available; index++)
    lines.push(recordText(data, index * TRACE_RECORD_BYTES, names));
  return { text: lines.join('\n') };
}

/** First row that is as late as `time`, of which the summary knows only the neighbourhood. */
function rowAt(time: number): number {
  let row = Math.max(store.first, store.summary.rowAtTime(time));
  while (row < store.total && store.chunk(row)!.time[row % CHUNK_ROWS]! < time) row++;
  return row;
}

function overview(request: Extract<StoreRequest, { op: 'overview' }>): StoreOverview {
  const { by, buckets } = request;
  const { summary } = store;
  const from = request.from ?? (by === 'time' ? summary.start : 0);
  const to = request.to ?? (by === 'time' ? summary.end : store.total);
  const floats = by === 'time' ? summary.byTime(from, to, buckets) : summary.byRow(from, to, buckets);
  return { from, to, bytes: new Uint8Array(floats.buffer) };
}

function addDevice({ device, name, description }: Extract<StoreRequest, { op: 'device' }>): void {
  const registers = new Map<number, string>();
  for (const bar of description.bars) {
    for (const register of bar.registers) registers.set(bar.index * 2 ** 32 + register.offset, register.name);
  }
  devices.set(device, { name, description, registers });
  // A filter on a register name also means the registers of devices that came later.
  for (const [id, entry] of views) {
    if (entry.options.filter !== '') setView(id, entry.options);
    setRules(entry, entry.ruleTexts);
  }
}

function setRules(entry: ViewEntry, filters: readonly string[]): void {
  entry.ruleTexts = filters;
  entry.rules = filters.map((filter) => {
    try {
      return compileFilter(filter, filterNames);
    } catch {
      // The window says what is wrong with it; a register may yet come.
      return undefined;
    }
  });
}

function answer(request: StoreRequest): unknown {
  switch (request.op) {
    case 'device':
      addDevice(request);
      return {};
    case 'view':
      return setView(request.view, request);
    case 'closeView':
      views.get(request.view)?.stop?.();
      views.delete(request.view);
      return {};
    case 'rows':
      return rowsOf(request.view, request.from, request.count);
    case 'text':
      return textOf(request.view, request.from, request.count);
    case 'find':
      return find(request.view, request.filter, request.from, request.forward);
    case 'cancel':
      views.get(request.view)?.stop?.();
      return {};
    case 'locate':
      return { index: entryOf(request.view).view.indexOf(request.row ?? rowAt(request.time ?? 0)) };
    case 'access':
      return {
        row: rowOfAccess(store, rowAt(request.time), request.device, request.access, request.command),
      };
    case 'overview':
      return overview(request);
    case 'experts':
      return { groups: experts.groups() };
    case 'group':
      return { from: 0, ...records(undefined, groupOf(store, request.row)) };
    case 'statistics':
      return statistics(request.view);
    case 'rules':
      setRules(entryOf(request.view), request.filters);
      return {};
    case 'limit':
      store.limit = request.rows;
      announce();
      return { rows: store.limit };
    case 'clear':
      store.clear();
      experts.clear();
      for (const [id, entry] of views) setView(id, entry.options);
      announce();
      return {};
    case 'settle':
      for (const { view } of views.values()) while (!view.scan(SCAN_ROWS));
      return { total: store.total };
  }
}

lab.on('message', async (message: StoreMessage) => {
  if (message.kind === 'port') {
    const { port } = message;
    port.on('message', (batch: StoreBatch) => take(port, batch));
    return;
  }
  try {
    const made = answer(message.request);
    const result = made instanceof Promise ? await made : made;
    const { bytes } = result as { bytes?: Uint8Array };
    post(
      { kind: 'answer', id: message.id, result },
      bytes === undefined ? [] : [bytes.buffer as ArrayBuffer],
    );
  } catch (error) {
    post({ kind: 'answer', id: message.id, error: errorBody(error) });
  }
});
