/** Which lines of the log are shown, and as what text. */
import { createStore } from 'zustand/vanilla';
import { deviceName } from '#renderer/state/lab.ts';
import type { Notice, NoticeLevel } from '#renderer/state/notices.ts';
import { clockTime } from '#renderer/ui/format.ts';

/** Most severe first. */
export const levels: readonly NoticeLevel[] = ['error', 'warning', 'info'];

export interface LogFilter {
  readonly hidden: readonly NoticeLevel[];
  readonly search: string;
}

/** Outlives the panel, which is not there behind another tab. */
export const logFilter = createStore<LogFilter>(() => ({ hidden: [], search: '' }));

export function showAll(): void {
  logFilter.setState({ hidden: [], search: '' });
}

export function toggleLevel(level: NoticeLevel): void {
  logFilter.setState(({ hidden }) => ({
    hidden: hidden.includes(level) ? hidden.filter((one) => one !== level) : [...hidden, level],
  }));
}

export function wordsOf(search: string): readonly string[] {
  return search.toLowerCase().split(/\s+/).filter(Boolean);
}

/** The device that a line is about, where its text does not begin with it. */
function devicePart({ device, text }: Notice): string {
  const name = device > 0 ? deviceName(device) : '';
  return name === '' || text.startsWith(name) ? '' : `${name}: `;
}

/** The words of a line, without its time and level. */
export function lineText(notice: Notice): {
  readonly device: string;
  readonly text: string;
  readonly after: string;
} {
  return {
    device: devicePart(notice),
    text: notice.text,
    after: `${notice.times > 1 ? ` (${notice.times} times)` : ''}${notice.hint === '' ? '' : ` ${notice.hint}`}`,
  };
}

/** Every word is in the line. */
export function matches(notice: Notice, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const { device, text, after } = lineText(notice);
  const all = `${device}${text}${after}`.toLowerCase();
  return words.every((word) => all.includes(word));
}

export interface Shown {
  readonly lines: readonly Notice[];
  /** Lines of each level that match the search, whether their level is shown or not. */
  readonly counts: Readonly<Record<NoticeLevel, number>>;
}

export function shownLines(all: readonly Notice[], { hidden, search }: LogFilter): Shown {
  const words = wordsOf(search);
  const counts = { error: 0, warning: 0, info: 0 };
  const lines = all.filter((notice) => {
    if (!matches(notice, words)) return false;
    counts[notice.level]++;
    return !hidden.includes(notice.level);
  });
  return { lines, counts };
}

/** Text in pieces, of which those that were searched for are `hit`. */
export function pieces(
  text: string,
  words: readonly string[],
): readonly { readonly text: string; readonly hit: boolean }[] {
  const lower = text.toLowerCase();
  // Lower case of another length would not tell where the words are.
  if (words.length === 0 || lower.length !== text.length) return [{ text, hit: false }];
  const hit = new Uint8Array(text.length);
  for (const word of words) {
    for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + 1)) {
      hit.fill(1, at, at + word.length);
    }
  }
  const found: { text: string; hit: boolean }[] = [];
  for (let from = 0; from < text.length; ) {
    let to = from + 1;
    while (to < text.length && hit[to] === hit[from]) to++;
    found.push({ text: text.slice(from, to), hit: hit[from] === 1 });
    from = to;
  }
  return found;
}

/** A line as it is copied. */
export function noticeLine(notice: Notice): string {
  const times = notice.times > 1 ? ` (${notice.times} times)` : '';
  const hint = notice.hint === '' ? '' : ` - ${notice.hint}`;
  return `${clockTime(notice.time)} ${notice.level} ${devicePart(notice)}${notice.text}${times}${hint}`;
}
