/** Ways through the trace that other panels and commands take. */
import { TraceKind } from '#contract/trace-record.ts';
import { commands } from '#renderer/app-commands.ts';
import { bringForward } from '#renderer/dock/focus.ts';
import { client, registerIndex } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';
import { addNotice, noticeError } from '#renderer/state/notices.ts';
import { count } from '#renderer/ui/format.ts';
import { findRow, groupOf, knownIndex, locate, rows, shownRows, trace, traceCount } from './model.ts';
import { readRow, type TraceRow } from './row.ts';

/** The row of the view that the rows are to show and choose; they take it from here. */
export const wanted = new Live<number | undefined>(undefined);
/** The row of the view that a person chose; -1: none. */
export const chosen = new Live(-1);

/** Row `index` of the view, asked for where it is not here. */
export async function rowOf(index: number): Promise<TraceRow | undefined> {
  const here = rows.row(index);
  if (here !== undefined || index < 0) return here;
  const { result, bytes } = await client.ask('trace.rows', { from: index, count: 1 });
  if (result.count === 0 || bytes === undefined) return undefined;
  return readRow(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
}

export function goToIndex(index: number): void {
  void bringForward('trace');
  if (trace.getState().follow) trace.setState({ follow: false });
  wanted.set(index);
}

/** Shows a row of the whole trace; where the filter hides it, the next one that it does not. */
export async function goToTraceRow(row: number): Promise<void> {
  const known = knownIndex(row);
  if (known !== undefined && known < shownRows()) {
    goToIndex(known);
    return;
  }
  const index = await locate({ row });
  // On its way there already while it is asked which row it is.
  const there = index < shownRows();
  if (there) goToIndex(index);
  const found = await rowOf(index);
  const tell = (text: string, hint?: string) =>
    addNotice({ level: 'info', text, ...(hint === undefined ? {} : { hint }) }, true);
  const name = `Row ${count(row + 1)}`;
  const gone = row < traceCount.get().first ? 'no longer kept' : 'hidden';
  if (found === undefined) {
    tell(`${name} is ${gone}, and no row behind it is shown`);
  } else if (!there && trace.getState().pausedAt !== undefined) {
    tell(`${name} came after the view was paused`, 'Resume the view to see it');
  } else {
    if (found.row !== row) {
      tell(
        `${name} is ${gone}; this is the next one`,
        gone === 'hidden' ? 'Show all rows to see it' : undefined,
      );
    }
    if (!there) goToIndex(index);
  }
}

export async function openTraceRow(row: number): Promise<void> {
  await commands.run('view.trace');
  await goToTraceRow(row);
}

/**
 * Shows access `access` of a device, which caused something at `time`; of a command that it asked for, the command's own row
 * where the trace has one.
 */
export async function openAccess(
  device: number,
  access: number,
  time: number,
  command?: { readonly queue: number; readonly id: number },
): Promise<void> {
  try {
    const { row } = await client.call('trace.access', {
      device,
      access,
      time,
      ...(command === undefined ? {} : { command }),
    });
    if (row >= 0) return await openTraceRow(row);
  } catch (error) {
    noticeError('Show it in the trace', error);
    return;
  }
  addNotice(
    {
      level: 'info',
      text: `The trace does not have access #${access}`,
      hint: 'It was cleared since, or gave its oldest rows up',
    },
    true,
  );
}

/** Where a search begins: at what was chosen, or at what is in view. */
let searchFrom = (): number => -1;
export function setSearchOrigin(origin: () => number): void {
  searchFrom = origin;
}

/** The next row that matches; at the end it goes on at the other one, and says so. */
export async function search(filter: string, forward: boolean, what: string): Promise<void> {
  const from = chosen.get() >= 0 ? chosen.get() : searchFrom();
  let index = await findRow(filter, from, forward);
  if (index === -1) {
    index = await findRow(filter, forward ? -1 : Number.MAX_SAFE_INTEGER, forward);
    if (index === -1) {
      addNotice({ level: 'info', text: `${what}: none in the rows that are shown` }, true);
      return;
    }
    if (index !== undefined) {
      const end = forward ? 'the end; went on at the beginning' : 'the beginning; went on at the end';
      addNotice({ level: 'info', text: `${what}: reached ${end}` }, true);
    }
  }
  if (index !== undefined) goToIndex(index);
}

/** Widths with which an access may begin before a range and reach into it. */
const REACHES = [2, 4, 8] as const;

/**
 * Accesses to any byte of the register that an access met, whatever their width: a 64-bit register may be written by halves.
 * Where no register is described, to any byte of the access.
 */
export function sameRegisterFilter(row: TraceRow): string {
  const mmio = row.kind <= TraceKind.mmioWrite;
  const hit = mmio ? registerIndex(row.device)?.find(row.bar, row.address) : undefined;
  const first = hit?.register.offset ?? row.address;
  const end = first + (hit?.register.width ?? row.length);
  const begins = [
    `offset >= ${first}`,
    ...REACHES.map((width) => `(offset >= ${Math.max(0, first - width + 1)} && width == ${width})`),
  ];
  return [
    mmio ? `mmio && bar == ${row.bar}` : 'config',
    `device == ${row.device}`,
    `offset < ${end}`,
    `(${begins.join(' || ')})`,
  ].join(' && ');
}

/** The access before or behind the chosen one to the same register. */
export async function sameRegister(forward: boolean): Promise<void> {
  const row = await rowOf(chosen.get());
  if (row === undefined || row.kind > TraceKind.configWrite || row.kind === 0) {
    addNotice({ level: 'info', text: 'Choose a row with an access first' }, true);
    return;
  }
  await search(sameRegisterFilter(row), forward, 'Access to this register');
}

/** The row before or behind the chosen one that belongs together with it. */
export async function sameGroup(forward: boolean): Promise<void> {
  const row = await rowOf(chosen.get());
  const members = row === undefined ? [] : await groupOf(row.row);
  if (row === undefined || members.length < 2) {
    addNotice({ level: 'info', text: 'Nothing in the trace belongs together with this row' }, true);
    return;
  }
  const at = members.findIndex((member) => member.row === row.row);
  const next = members[at + (forward ? 1 : -1)];
  if (next === undefined) {
    addNotice({ level: 'info', text: `This is the ${forward ? 'last' : 'first'} row of its group` }, true);
    return;
  }
  await goToTraceRow(next.row);
}

/** The next bookmark in the trace. */
export async function nextBookmark(forward: boolean): Promise<void> {
  const marks = [...trace.getState().bookmarks.keys()].sort((a, b) => a - b);
  if (marks.length === 0) {
    addNotice({ level: 'info', text: 'There is no bookmark; B on a row sets one' }, true);
    return;
  }
  const row = (await rowOf(chosen.get()))?.row ?? -1;
  const next = forward ? marks.find((mark) => mark > row) : marks.findLast((mark) => mark < row);
  await goToTraceRow(next ?? (forward ? marks[0]! : marks.at(-1)!));
}
