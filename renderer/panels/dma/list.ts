import type { DmaEntry } from '#contract/dma.ts';
import type { WantedTransfer } from '#renderer/state/ui.ts';
import { count } from '#renderer/ui/format.ts';

/** Most transfers kept in the window; older ones are asked for again when one scrolls there. */
export const KEPT = 8192;

/** Puts what was just read (newest first) before or after what is there, each transfer once, newest first. */
export function mergeEntries(known: readonly DmaEntry[], read: readonly DmaEntry[]): readonly DmaEntry[] {
  if (read.length === 0) return known;
  if (known.length === 0) return read;
  const [newest, oldest] = [read[0]!.id, read.at(-1)!.id];
  if (oldest > known[0]!.id + 1) {
    // More happened than one answer holds: what lies between is not known, so the list starts anew.
    return read;
  }
  if (newest > known[0]!.id) {
    const added = read.filter((entry) => entry.id > known[0]!.id);
    return [...added, ...known].slice(0, KEPT);
  }
  const last = known.at(-1)!.id;
  return [...known, ...read.filter((entry) => entry.id < last)];
}

/** Lines that a copy of the list has at most. */
const COPIED = 1000;

/**
 * The newest transfers as text, and how many there are where that is not all. `total`: of the device; undefined: not known, and
 * older ones than those listed may be kept.
 */
export function newestText(
  entries: readonly DmaEntry[],
  total: number | undefined,
  text: (entry: DmaEntry) => string,
): string {
  const lines = entries.slice(0, COPIED).map(text);
  const shown = count(lines.length);
  if (total === undefined)
    lines.push(`These are the newest ${shown}; scroll to the end of the list for older ones`);
  else if (total > lines.length) lines.push(`These are the newest ${shown} of ${count(total)} transfers`);
  return lines.join('\n');
}

/** Both are records of the same transfer, made at the same time. */
export function isTransfer(entry: DmaEntry, wanted: WantedTransfer): boolean {
  return (
    entry.time === wanted.time &&
    entry.address === wanted.address &&
    entry.direction === wanted.direction &&
    entry.device === wanted.device
  );
}
