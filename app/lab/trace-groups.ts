/** What belongs together: an access, and the transfers and interrupts that it caused. Found by looking, not kept. */
import { TraceKind } from '#contract/trace-record.ts';
import { CHUNK_ROWS, type TraceStore } from './trace-store.ts';

/** Rows looked at before and behind a row for the other rows of its group. */
const GROUP_REACH = 1 << 18;
/** The same for the latency of one row of many that are shown at once. */
const LATENCY_REACH = 1 << 13;
const MAX_MEMBERS = 1000;

const CHUNK_MASK = CHUNK_ROWS - 1;

function isAccess(kind: number): boolean {
  return kind <= TraceKind.configWrite;
}

/** The row before `row` whose access has this number, or -1. */
function requestBefore(
  store: TraceStore,
  row: number,
  device: number,
  sequence: number,
  reach: number,
): number {
  const stop = Math.max(store.first, row - reach);
  let at = row - 1;
  while (at >= stop) {
    const { head, sequence: numbers } = store.chunk(at)!;
    const base = at - (at & CHUNK_MASK);
    const end = Math.max(stop, base);
    for (; at >= end; at--) {
      const index = at - base;
      if (numbers[index] === sequence && ((head[index]! >>> 8) & 0xff) === device) return at;
    }
  }
  return -1;
}

/** Calls `found` with every row behind `row` that this access caused, until it returns false. */
function effects(
  store: TraceStore,
  row: number,
  device: number,
  sequence: number,
  reach: number,
  found: (row: number, kind: number) => boolean,
): void {
  const stop = Math.min(store.total, row + reach);
  let at = row + 1;
  while (at < stop) {
    const { head, cause } = store.chunk(at)!;
    const base = at - (at & CHUNK_MASK);
    const end = Math.min(stop, base + CHUNK_ROWS);
    for (; at < end; at++) {
      const index = at - base;
      if (cause[index] !== sequence || ((head[index]! >>> 8) & 0xff) !== device) continue;
      const kind = head[index]! & 0xff;
      if (!isAccess(kind) && !found(at, kind)) return;
    }
  }
}

/**
 * The row of an access of a device that caused something near row `near`; of a command that it asked for, the command's own
 * row, where there is one. -1: it is not there.
 */
export function rowOfAccess(
  store: TraceStore,
  near: number,
  device: number,
  access: number,
  command?: { readonly queue: number; readonly id: number },
): number {
  // What has the same time as the access may stand before it.
  const behind = Math.min(store.total, near + LATENCY_REACH);
  const request = requestBefore(store, behind, device, access, GROUP_REACH);
  if (request < 0 || command === undefined) return request;
  const name = (command.id | (command.queue << 16)) >>> 0;
  let found = request;
  effects(store, request, device, access, GROUP_REACH, (row, kind) => {
    if (kind !== TraceKind.command || store.chunk(row)!.aux[row & CHUNK_MASK] !== name) return true;
    found = row;
    return false;
  });
  return found;
}

/** Rows of the group that `row` is in, in order, the access first; empty when it is in none. */
export function groupOf(store: TraceStore, row: number): number[] {
  const chunk = row >= 0 && row < store.total ? store.chunk(row) : undefined;
  if (chunk === undefined) return [];
  const index = row & CHUNK_MASK;
  const head = chunk.head[index]!;
  const device = (head >>> 8) & 0xff;
  const own = isAccess(head & 0xff);
  const sequence = own ? chunk.sequence[index]! : chunk.cause[index]!;
  if (sequence === 0) return [];
  const request = own ? row : requestBefore(store, row, device, sequence, GROUP_REACH);
  const rows = request < 0 ? [] : [request];
  effects(
    store,
    request < 0 ? Math.max(store.first, row - GROUP_REACH) - 1 : request,
    device,
    sequence,
    GROUP_REACH,
    (member) => rows.push(member) < MAX_MEMBERS,
  );
  return rows;
}

/**
 * ns from an access to the last interrupt that it caused, or to the last transfer to memory where there is none; the
 * same for that row. NaN for other rows.
 */
export function latencyOf(store: TraceStore, row: number): number {
  const chunk = store.chunk(row);
  if (chunk === undefined) return Number.NaN;
  const index = row & CHUNK_MASK;
  const head = chunk.head[index]!;
  const device = (head >>> 8) & 0xff;
  const kind = head & 0xff;
  const time = chunk.time[index]!;
  if (kind === TraceKind.mmioWrite) {
    const sequence = chunk.sequence[index]!;
    if (sequence === 0) return Number.NaN;
    let interrupt = -1;
    let write = -1;
    effects(store, row, device, sequence, LATENCY_REACH, (at, of) => {
      if (of === TraceKind.interrupt) interrupt = at;
      else if (of === TraceKind.dmaWrite) write = at;
      return true;
    });
    const last = interrupt >= 0 ? interrupt : write;
    return last < 0 ? Number.NaN : store.chunk(last)!.time[last & CHUNK_MASK]! - time;
  }
  if (kind !== TraceKind.interrupt && kind !== TraceKind.dmaWrite) return Number.NaN;
  const sequence = chunk.cause[index]!;
  if (sequence === 0) return Number.NaN;
  const request = requestBefore(store, row, device, sequence, LATENCY_REACH);
  return request < 0 ? Number.NaN : time - store.chunk(request)!.time[request & CHUNK_MASK]!;
}
