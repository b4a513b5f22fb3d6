import { createStore } from 'zustand/vanilla';
import { CallError } from '#renderer/bridge/client.ts';

export type NoticeLevel = 'info' | 'warning' | 'error';

export interface Notice {
  readonly id: number;
  /** ms since the epoch. */
  readonly time: number;
  readonly level: NoticeLevel;
  readonly text: string;
  readonly hint: string;
  readonly device: number;
  /** From the lab's log, or from something done in this window. */
  readonly source: 'lab' | 'window';
  /** Same text again, right after. */
  readonly times: number;
}

export const KEPT_NOTICES = 500;

interface Notices {
  readonly all: readonly Notice[];
  /** Ids of those that float above the window. */
  readonly floating: readonly number[];
}

export const notices = createStore<Notices>(() => ({ all: [], floating: [] }));

let nextId = 1;

export function addNotice(
  notice: Pick<Notice, 'level' | 'text'> & Partial<Notice>,
  float = notice.level !== 'info',
): number {
  const { all, floating } = notices.getState();
  const last = all.at(-1);
  const hint = notice.hint ?? '';
  if (last !== undefined && last.text === notice.text && last.hint === hint && last.level === notice.level) {
    const again = { ...last, times: last.times + 1, time: notice.time ?? Date.now() };
    notices.setState({
      all: [...all.slice(0, -1), again],
      floating: float && !floating.includes(last.id) ? [...floating, last.id] : floating,
    });
    return last.id;
  }
  const id = nextId++;
  const added: Notice = {
    id,
    time: notice.time ?? Date.now(),
    level: notice.level,
    text: notice.text,
    hint,
    device: notice.device ?? 0,
    source: notice.source ?? 'window',
    times: 1,
  };
  notices.setState({
    all: [...all, added].slice(-KEPT_NOTICES),
    floating: float ? [...floating, id].slice(-4) : floating,
  });
  return id;
}

/** What the lab said of a device last floats too: it answers what was done here. */
export function floatLatest(device: number): void {
  const { all, floating } = notices.getState();
  const latest = all.findLast((one) => one.source === 'lab' && one.device === device);
  if (latest !== undefined && !floating.includes(latest.id))
    notices.setState({ floating: [...floating, latest.id].slice(-4) });
}

export function dismissNotice(id: number): void {
  notices.setState((state) => ({ floating: state.floating.filter((one) => one !== id) }));
}

export function clearNotices(): void {
  notices.setState({ all: [], floating: [] });
}

/** What a failed action says: the message and what to do about it. */
export function errorText(error: unknown): { readonly text: string; readonly hint: string } {
  if (error instanceof CallError) return { text: error.message, hint: error.hint };
  return { text: error instanceof Error ? error.message : String(error), hint: '' };
}

/** `what`: what was tried, such as `Power off disk0`. */
export function noticeError(what: string, error: unknown): void {
  const { text, hint } = errorText(error);
  addNotice({ level: 'error', text: what === '' ? text : `${what}: ${text}`, hint });
}
