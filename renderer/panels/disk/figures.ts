import type { DiskState } from '#contract/disk.ts';

/** Seconds of history that the plots show. */
export const SHOWN_SECONDS = 60;

/** Where the axis of a plot has its labels: whole tens of seconds before its end, as many as there is room for. */
export function secondsShown(end: number, width: number): number[] {
  const step = width < 400 ? 20 : 10;
  return Array.from({ length: SHOWN_SECONDS / step + 1 }, (_, at) => end - SHOWN_SECONDS + at * step);
}

/** Rates over time, from counters that only grow. */
export class RateHistory {
  /** Seconds on the device's clock, and per second: reads, writes, bytes read, bytes written. */
  readonly columns: [number[], number[], number[], number[], number[]] = [[], [], [], [], []];
  #last: { time: number; counters: DiskState['counters'] } | undefined;

  /** Forgets everything when the counters step back: another device, or one that was powered on anew. */
  take({ time, counters }: Pick<DiskState, 'time' | 'counters'>): void {
    const last = this.#last;
    this.#last = { time, counters };
    if (last === undefined) return;
    const seconds = (time - last.time) / 1e9;
    if (seconds <= 0 || counters.readCommands < last.counters.readCommands) {
      for (const column of this.columns) column.length = 0;
      return;
    }
    const rate = (name: 'readCommands' | 'writeCommands' | 'bytesRead' | 'bytesWritten'): number =>
      (counters[name] - last.counters[name]) / seconds;
    const values = [
      time / 1e9,
      rate('readCommands'),
      rate('writeCommands'),
      rate('bytesRead'),
      rate('bytesWritten'),
    ];
    for (const [at, value] of values.entries()) this.columns[at]!.push(value);
    const from = time / 1e9 - SHOWN_SECONDS;
    while (this.columns[0][0]! < from) for (const column of this.columns) column.shift();
  }

  get latest(): { reads: number; writes: number; bytesRead: number; bytesWritten: number } {
    const [, reads, writes, bytesRead, bytesWritten] = this.columns.map((column) => column.at(-1) ?? 0);
    return { reads: reads!, writes: writes!, bytesRead: bytesRead!, bytesWritten: bytesWritten! };
  }
}

/** ns at which bucket `at` begins. */
export function bucketStart(latency: Pick<DiskState['latency'], 'first' | 'perOctave'>, at: number): number {
  return latency.first * 2 ** (at / latency.perOctave);
}

/** Upper edge of the bucket that holds the given part of all commands, in ns; 0 where there are none. */
export function percentile(latency: DiskState['latency'], counts: readonly number[], share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  let seen = 0;
  for (const [at, count] of counts.entries()) {
    seen += count;
    if (seen >= total * share) return bucketStart(latency, at + 1);
  }
  return bucketStart(latency, counts.length);
}

/** Pieces of a ring from `from` to `to`, as parts of its whole: one, or two where it goes round. */
export function ringPieces(from: number, to: number, size: number): readonly (readonly [number, number])[] {
  if (from === to || size === 0) return [];
  if (from < to) return [[from / size, to / size]];
  return to === 0
    ? [[from / size, 1]]
    : [
        [from / size, 1],
        [0, to / size],
      ];
}

/** How strongly a cell is drawn, 0 to 1: a hundred times as many commands are three times as strong. */
export function heatStrength(count: number, most: number): number {
  return count === 0 || most === 0 ? 0 : 0.2 + 0.8 * (Math.log1p(count) / Math.log1p(most));
}

/** The 64 bytes of a submission queue entry. */
export function entryBytes(entry: string): Uint8Array {
  const bytes = new Uint8Array(entry.length / 2);
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < entry.length / 8; word++) {
    view.setUint32(word * 4, Number.parseInt(entry.slice(word * 8, word * 8 + 8), 16), true);
  }
  return bytes;
}
