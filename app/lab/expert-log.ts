/** Expert notes of the trace, added up by what they say and where: their number does not depend on how often. */
import { Expert, expertKinds } from '#contract/expert.ts';
import type { ExpertGroup } from '#contract/trace.ts';
import { TraceKind } from '#contract/trace-record.ts';
import type { TraceColumns } from './trace-columns.ts';

/** More places than these are one. */
const MAX_GROUPS = 2000;
/** Rows that a group names. */
const RECENT = 32;

interface Group {
  readonly kind: number;
  readonly device: number;
  readonly bar: number;
  /** Offset or vector; -1: several. */
  readonly place: number;
  readonly text: string;
  readonly access: boolean;
  count: number;
  first: number;
  last: number;
  readonly recent: Float64Array;
}

export class ExpertLog {
  readonly #groups = new Map<number, Group>();
  /** Notes that differ by their numbers only say the same. */
  readonly #patterns = new Map<string, number>();
  count = 0;

  add(columns: TraceColumns, at: number, row: number, bits: number, note: (id: number) => string): void {
    // The note that it points to is counted.
    if (bits === Expert.noted) return;
    this.count++;
    const head = columns.head[at]!;
    const kind = head & 0xff;
    const device = (head >>> 8) & 0xff;
    const bar = (head >>> 16) & 0xff;
    const access = kind <= TraceKind.mmioWrite;
    let place = 0;
    let text = '';
    if (access) place = columns.address[at]!;
    else if (kind === TraceKind.interrupt) place = columns.aux[at]! & 0xffff;
    else if (kind === TraceKind.note || kind === TraceKind.driver) {
      text = note(columns.aux[at]!);
      place = this.#pattern(text);
    }
    for (let index = 0; index < expertKinds.length; index++) {
      if ((bits & expertKinds[index]!.bit) === 0) continue;
      this.#count(index, device, bar, place, text, access, row);
    }
  }

  clear(): void {
    this.#groups.clear();
    this.#patterns.clear();
    this.count = 0;
  }

  /** Most severe first, then most often. */
  groups(): ExpertGroup[] {
    return [...this.#groups.values()]
      .sort((a, b) => a.kind - b.kind || b.count - a.count)
      .map(({ kind, device, bar, place, text, access, count, first, last, recent }) => ({
        bit: expertKinds[kind]!.bit,
        device,
        ...(access && place >= 0 ? { bar, offset: place } : {}),
        text,
        count,
        first,
        last,
        recent: [...recent.subarray(0, Math.min(count, RECENT))].sort((a, b) => a - b),
      }));
  }

  #pattern(text: string): number {
    const pattern = text.replaceAll(/0x[\da-f]+|\d+/gi, '#');
    let id = this.#patterns.get(pattern);
    if (id === undefined) {
      id = this.#patterns.size < MAX_GROUPS ? this.#patterns.size : -1;
      if (id >= 0) this.#patterns.set(pattern, id);
    }
    return id;
  }

  #count(
    kind: number,
    device: number,
    bar: number,
    place: number,
    text: string,
    access: boolean,
    row: number,
  ): void {
    const key = (((kind * 256 + device) * 8 + bar) * 2 + (access ? 1 : 0)) * 2 ** 30 + (place % 2 ** 30);
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= MAX_GROUPS && place >= 0) {
        this.#count(kind, device, bar, -1, 'at further places', access, row);
        return;
      }
      group = {
        kind,
        device,
        bar,
        place,
        text,
        access,
        count: 0,
        first: row,
        last: row,
        recent: new Float64Array(RECENT),
      };
      this.#groups.set(key, group);
    }
    group.recent[group.count % RECENT] = row;
    group.count++;
    group.last = row;
  }
}
