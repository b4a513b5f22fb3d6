import { createStore } from 'zustand/vanilla';
import type { TraceCount } from '#contract/trace.ts';
import { nextFrame } from '#renderer/frame/scheduler.ts';
import { client, lab } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';
import { errorText } from '#renderer/state/notices.ts';
import { RowCache } from './row-cache.ts';

export interface TraceState {
  readonly follow: boolean;
  /** Rows at which the view stands still; the trace itself goes on. */
  readonly pausedAt: number | undefined;
  readonly filter: string;
  readonly filterError: { readonly text: string; readonly hint: string } | undefined;
  readonly filtering: boolean;
}

/** The trace as this window sees it. It lives as long as the window, whether a panel shows it or not. */
export const trace = createStore<TraceState>(() => ({
  follow: true,
  pausedAt: undefined,
  filter: '',
  filterError: undefined,
  filtering: false,
}));

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
  // Acknowledged once it was drawn: a window that falls behind gets fewer counts.
  await nextFrame();
});

async function switchView(filter: string): Promise<void> {
  switching++;
  try {
    const { rows: found } = await client.call('trace.view', { filter });
    resetRows();
    const total = filter === '' ? found : Math.max(found, traceCount.get().total);
    traceCount.set({ ...traceCount.get(), rows: found, total });
    rows.setCount(found);
  } finally {
    switching--;
    rows.setCount(traceCount.get().rows);
    changed();
  }
}

export async function setFilter(filter: string): Promise<void> {
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

export async function clearTrace(): Promise<void> {
  await client.call('trace.clear', {});
  notes.clear();
  trace.setState({ pausedAt: undefined });
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

lab.subscribe((state, before) => {
  if (state.hello === before.hello || state.hello === undefined) return;
  // A new connection starts without a filter.
  notes.clear();
  traceCount.set(nothingYet);
  void setFilter(trace.getState().filter);
});
