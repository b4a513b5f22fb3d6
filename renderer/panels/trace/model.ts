import { createStore } from 'zustand/vanilla';
import { FilterError, type FilterVocabulary, parseFilter } from '#contract/filter-language.ts';
import type { TraceCount } from '#contract/trace.ts';
import { nextFrame } from '#renderer/frame/scheduler.ts';
import { keep, kept } from '#renderer/state/kept.ts';
import { client, deviceName, lab } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';
import { addNotice, errorText } from '#renderer/state/notices.ts';
import { allKinds, preferences } from './preferences.ts';
import { readRow, type TraceRow } from './row.ts';
import { RowCache } from './row-cache.ts';

export interface TraceState {
  readonly follow: boolean;
  /** Rows at which the view stands still; the trace itself goes on. */
  readonly pausedAt: number | undefined;
  readonly filter: string;
  readonly filterError: FilterProblem | undefined;
  readonly filtering: boolean;
  /** What is searched for, and whether a search is under way. */
  readonly search: string;
  readonly searching: boolean;
  readonly searchOpen: boolean;
  /** Times count from this row. */
  readonly reference: { readonly row: number; readonly time: number } | undefined;
  /** By row of the whole trace; with what a person wrote about it. */
  readonly bookmarks: ReadonlyMap<number, Bookmark>;
}

export interface Bookmark {
  readonly time: number;
  readonly text: string;
}

export interface FilterProblem {
  readonly text: string;
  readonly hint: string;
  /** Where in the filter, when that is known. */
  readonly filter?: string;
  readonly at?: number;
  readonly length?: number;
}

/** The trace as this window sees it. It lives as long as the window, whether a panel shows it or not. */
export const trace = createStore<TraceState>(() => ({
  follow: true,
  pausedAt: undefined,
  filter: '',
  filterError: undefined,
  filtering: false,
  search: '',
  searching: false,
  searchOpen: false,
  reference: undefined,
  bookmarks: new Map(),
}));

/** Names that a filter may use: of every device that this window has met. */
export const vocabulary: FilterVocabulary = {
  *registers() {
    for (const [device, { bars }] of lab.getState().descriptions) {
      for (const { index, registers } of bars) {
        for (const { offset, width, name, fields } of registers)
          yield { device, bar: index, offset, width, name, fields };
      }
    }
  },
  *devices() {
    for (const id of lab.getState().descriptions.keys()) yield { id, name: deviceName(id) };
  },
};

/** What is wrong with a filter, and where; undefined: nothing. */
export function filterProblem(filter: string): FilterProblem | undefined {
  try {
    parseFilter(filter, vocabulary);
    return undefined;
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    const { message, accepted, at, length } = error;
    return { text: message, hint: `Accepted here: ${accepted}`, filter, at, length };
  }
}

const nothingYet: TraceCount = { rows: 0, total: 0, first: 0, missed: 0, progress: 1, repeat: 1, experts: 0 };
export const traceCount = new Live<TraceCount>(nothingYet);
const notes = new Map<number, string>();
/** Bumped when rows arrived or went. */
export const traceChanged = new Live(0);
const changed = () => traceChanged.set(traceChanged.get() + 1);

/** Counts view changes: rows asked for before one mean nothing after it. */
let switching = 0;

export const rows = new RowCache(async (from, count) => {
  const { result, bytes } = await client.ask('trace.rows', { from, count });
  for (const [number, text] of Object.entries(result.notes)) notes.set(Number(number), text);
  return { count: result.count, bytes };
}, changed);

let view = 0;
/** Another number: the rows are others than before. */
export const viewNumber = () => view;

function resetRows(): void {
  view++;
  rows.reset();
}

export function noteText(number: number): string | undefined {
  return notes.get(number);
}

/** Rows to show: all of the view, or those there were at the pause. */
export function shownRows(): number {
  const { rows: all } = traceCount.get();
  const { pausedAt } = trace.getState();
  return pausedAt === undefined ? all : Math.min(pausedAt, all);
}

function takeCount(count: TraceCount): void {
  const before = traceCount.get();
  // The last row stands for more than it did.
  if (count.repeat !== before.repeat) rows.forget(before.rows - 1);
  traceCount.set(count);
  if (count.rows < before.rows) {
    resetRows();
    if (trace.getState().pausedAt !== undefined) trace.setState({ pausedAt: undefined });
  }
  rows.setCount(count.rows);
  changed();
}

client.on('trace', async (count) => {
  if (switching > 0) return;
  takeCount(count);
  // Acknowledged once it was drawn: a window that falls behind gets fewer counts. Nobody reads rows that stand for
  // less than two frames.
  await nextFrame();
  await nextFrame();
});

async function switchView(filter: string): Promise<void> {
  switching++;
  try {
    const { kinds, collapse } = preferences.getState();
    const { rows: found, progress } = await client.call('trace.view', {
      filter,
      collapse,
      ...(kinds.length === allKinds.length ? {} : { kinds: [...kinds] }),
    });
    resetRows();
    const isAll = filter === '' && !preferences.getState().collapse;
    const total =
      isAll && preferences.getState().kinds.length === allKinds.length
        ? found
        : Math.max(found, traceCount.get().total);
    traceCount.set({ ...traceCount.get(), rows: found, total, progress });
    rows.setCount(found);
  } finally {
    switching--;
    rows.setCount(traceCount.get().rows);
    changed();
  }
}

/** Looks through the trace anew, for what is wanted now; the row that was in view is found again by who calls. */
async function viewAgain(): Promise<void> {
  await switchView(trace.getState().filter);
  trace.setState({ pausedAt: undefined });
}

export async function setFilter(filter: string): Promise<void> {
  const problem = filterProblem(filter);
  if (problem !== undefined && lab.getState().descriptions.size > 0) {
    trace.setState({ filterError: problem });
    return;
  }
  trace.setState({ filtering: true });
  try {
    await switchView(filter);
    trace.setState({ filter, filterError: undefined, pausedAt: undefined });
  } catch (error) {
    trace.setState({ filterError: errorText(error) });
  } finally {
    trace.setState({ filtering: false });
  }
}

export function setPaused(paused: boolean): void {
  trace.setState({ pausedAt: paused ? traceCount.get().rows : undefined });
  changed();
}

export function setFollow(follow: boolean): void {
  if (follow && trace.getState().pausedAt !== undefined) setPaused(false);
  trace.setState({ follow });
}

/** {@link locate} without asking: where all are shown, a row of the trace is that row of the view. */
export function knownIndex(row: number): number | undefined {
  const { rows: shown, total } = traceCount.get();
  return switching === 0 && shown === total ? Math.min(row, total) : undefined;
}

/** Row `row` of the whole trace in the view: the row itself, or the first behind it that is shown. */
export async function locate(place: { readonly row: number } | { readonly time: number }): Promise<number> {
  const known = 'row' in place ? knownIndex(place.row) : undefined;
  return known ?? (await client.call('trace.locate', place)).index;
}

/** The next row of the view that matches, or -1. A further search ends this one: undefined. */
export async function findRow(filter: string, from: number, forward: boolean): Promise<number | undefined> {
  trace.setState({ searching: true });
  try {
    const found = await client.call('trace.find', { filter, from, forward });
    return found.stopped ? undefined : found.row;
  } finally {
    trace.setState({ searching: false });
  }
}

/** What belongs together with a row of the trace: an access and what it caused. */
export async function groupOf(row: number): Promise<readonly TraceRow[]> {
  const { result, bytes } = await client.ask('trace.group', { row });
  for (const [number, text] of Object.entries(result.notes)) notes.set(Number(number), text);
  if (bytes === undefined) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: result.count }, (_, at) => readRow(view, at));
}

export function setBookmark(row: TraceRow, text: string | undefined): void {
  const bookmarks = new Map(trace.getState().bookmarks);
  if (text === undefined) bookmarks.delete(row.row);
  else bookmarks.set(row.row, { time: row.time, text });
  trace.setState({ bookmarks });
}

function sendRules(): void {
  client
    .call('trace.rules', { filters: preferences.getState().rules.map(({ filter }) => filter) })
    .then(() => {
      resetRows();
      rows.setCount(traceCount.get().rows);
      changed();
    })
    .catch((error) => addNotice({ level: 'warning', ...errorText(error) }));
}

preferences.subscribe((now, before) => {
  if (now.rules !== before.rules) sendRules();
  if (now.kinds !== before.kinds || now.collapse !== before.collapse) void viewAgain().catch(() => {});
});

export async function clearTrace(): Promise<void> {
  await client.call('trace.clear', {});
  notes.clear();
  trace.setState({ pausedAt: undefined, reference: undefined, bookmarks: new Map() });
  await switchView(trace.getState().filter);
}

/** Rows as text, for the clipboard; at most 10,000 a call. */
export async function rowsText(from: number, to: number): Promise<string> {
  const parts: string[] = [];
  for (let at = from; at < to; at += 10_000) {
    const { text } = await client.call('trace.text', { from: at, count: Math.min(10_000, to - at) });
    parts.push(text.replace(/\n$/, ''));
  }
  return parts.join('\n');
}

trace.subscribe((now, before) => {
  if (now.filter !== before.filter) keep('filter', now.filter);
  if (now.reference !== before.reference) keep('reference', now.reference);
  if (now.bookmarks !== before.bookmarks) keep('bookmarks', [...now.bookmarks]);
});

const isPlace = (value: unknown): value is { readonly row: number; readonly time: number } => {
  const { row, time } = (value ?? {}) as { row?: unknown; time?: unknown };
  return typeof row === 'number' && typeof time === 'number';
};

function bookmarksIn(value: unknown): TraceState['bookmarks'] {
  if (!Array.isArray(value)) return new Map();
  return new Map(
    (value as [number, Partial<Bookmark> | null][]).flatMap((entry) => {
      const { time, text } = entry?.[1] ?? {};
      const whole = isPlace({ row: entry?.[0], time }) && typeof text === 'string';
      return whole ? [[entry[0], { time: time!, text }]] : [];
    }),
  );
}

/** Rows of another lab have the same numbers; what this window kept of that lab takes the place of what it had. */
function takeKept(): void {
  notes.clear();
  const [filter, reference] = [kept('filter'), kept('reference')];
  trace.setState({
    ...(typeof filter === 'string' ? { filter } : {}),
    pausedAt: undefined,
    reference: isPlace(reference) ? reference : undefined,
    bookmarks: bookmarksIn(kept('bookmarks')),
  });
  keep('filter', trace.getState().filter);
  traceCount.set(nothingYet);
}

lab.subscribe((state, before) => {
  if (state.hello === before.hello || state.hello === undefined) return;
  if (state.hello.instance !== before.hello?.instance) takeKept();
  const { filter, pausedAt } = trace.getState();
  // A new connection starts without a filter.
  if (preferences.getState().rules.length > 0) sendRules();
  void setFilter(filter).then(() => {
    if (lab.getState().hello === state.hello) trace.setState({ pausedAt });
  });
});
