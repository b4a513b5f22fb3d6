// @vitest-environment happy-dom
import { waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FilterNode, parseFilter } from '#contract/filter-language.ts';
import { TRACE_RECORD_BYTES, TraceField, TraceKind } from '#contract/trace-record.ts';
import { commands } from '#renderer/app-commands.ts';
import { client, registerIndex } from '#renderer/state/lab.ts';
import { clearNotices, notices } from '#renderer/state/notices.ts';
import { renderWithLab } from '#renderer/testing/render.tsx';
import { trace, traceCount } from './model.ts';
import { goToTraceRow, sameRegisterFilter, wanted } from './navigate.ts';
import { readRow, type TraceRow } from './row.ts';

commands.register({ id: 'view.trace', title: 'MMIO trace', group: 'View', run: () => {} });

const before = traceCount.get();
beforeEach(() => {
  wanted.set(undefined);
  clearNotices();
});
afterEach(() => {
  traceCount.set(before);
  trace.setState({ pausedAt: undefined });
  vi.restoreAllMocks();
});

/** A lab whose view has row `row` of the trace at `index`. */
function labHas(index: number, row: number) {
  const bytes = new Uint8Array(TRACE_RECORD_BYTES);
  new DataView(bytes.buffer).setFloat64(TraceField.row, row, true);
  vi.spyOn(client, 'call').mockResolvedValue({ index });
  return vi.spyOn(client, 'ask').mockImplementation(async (_name, params) => {
    const count = (params as { from: number }).from === index && row >= 0 ? 1 : 0;
    return { result: { count, notes: {} }, bytes } as never;
  });
}
const said = () => notices.getState().all.map(({ text }) => text);

test('where all rows are shown, a row is on its way at once, and nobody is asked', () => {
  const call = vi.spyOn(client, 'call');
  const ask = vi.spyOn(client, 'ask');
  traceCount.set({ ...before, rows: 6000, total: 6000 });
  void goToTraceRow(5011);
  expect(wanted.get()).toBe(5011);
  expect(call).not.toHaveBeenCalled();
  expect(ask).not.toHaveBeenCalled();
});

test('with a filter, a row keeps the number that it has in the trace', async () => {
  traceCount.set({ ...before, rows: 3, total: 6000, first: 100 });
  labHas(1, 5011);
  await goToTraceRow(5011);
  expect(wanted.get()).toBe(1);
  expect(said()).toEqual([]);
  await goToTraceRow(4000);
  expect(said()).toEqual(['Row 4,001 is hidden; this is the next one']);
  await goToTraceRow(7);
  expect(said()).toContain('Row 8 is no longer kept; this is the next one');
});

test('a row that cannot be gone to says why, and the view stays', async () => {
  traceCount.set({ ...before, rows: 3, total: 6000 });
  labHas(3, -1);
  await goToTraceRow(5999);
  expect(said()).toEqual(['Row 6,000 is hidden, and no row behind it is shown']);
  traceCount.set({ ...before, rows: 6000, total: 6000 });
  trace.setState({ pausedAt: 100 });
  labHas(5011, 5011);
  await goToTraceRow(5011);
  expect(said()).toContain('Row 5,012 came after the view was paused');
  expect(wanted.get()).toBeUndefined();
});

const names = { registers: () => [], devices: () => [] };

/** Whether a filter of comparisons and kinds takes an access. */
function takes(node: FilterNode, access: Readonly<Record<string, number>>): boolean {
  switch (node.op) {
    case 'and':
      return takes(node.left, access) && takes(node.right, access);
    case 'or':
      return takes(node.left, access) || takes(node.right, access);
    case 'kind':
      return node.kinds.includes(access.kind!);
    case 'compare': {
      const [value, bound] = [access[node.field]!, Number(node.value)];
      if (node.comparison === '==') return value === bound;
      return node.comparison === '<' ? value < bound : value >= bound;
    }
    default:
      throw new Error(`${node.op} is not expected`);
  }
}

test('accesses to any part of a register are to the same one, those to its neighbours are not', async () => {
  await renderWithLab(<i />);
  await waitFor(() =>
    expect(registerIndex(1)?.find(0, 0x2c)?.register).toMatchObject({ offset: 0x28, width: 8 }),
  );
  const row = (offset: number, length: number, kind: number = TraceKind.mmioWrite): TraceRow => ({
    ...readRow(new DataView(new ArrayBuffer(TRACE_RECORD_BYTES)), 0),
    kind,
    device: 1,
    bar: 0,
    address: offset,
    length,
  });
  const same = (of: TraceRow, offset: number, width: number, more: Readonly<Record<string, number>> = {}) =>
    takes(parseFilter(sameRegisterFilter(of), names)!, {
      kind: TraceKind.mmioRead,
      device: 1,
      bar: 0,
      offset,
      width,
      ...more,
    });
  for (const of of [row(0x28, 8), row(0x2c, 4), row(0x2f, 1)]) {
    expect(same(of, 0x28, 4)).toBe(true);
    expect(same(of, 0x2c, 4)).toBe(true);
    expect(same(of, 0x2e, 2)).toBe(true);
    // From before it into it, and up to it.
    expect(same(of, 0x24, 8)).toBe(true);
    expect(same(of, 0x27, 2)).toBe(true);
    expect(same(of, 0x24, 4)).toBe(false);
    expect(same(of, 0x20, 8)).toBe(false);
    expect(same(of, 0x30, 4)).toBe(false);
    expect(same(of, 0x28, 4, { bar: 2 })).toBe(false);
    expect(same(of, 0x28, 4, { device: 2 })).toBe(false);
    expect(same(of, 0x28, 4, { kind: TraceKind.configWrite })).toBe(false);
  }
  // No register there: what the access itself has.
  expect(same(row(0x900, 4), 0x903, 1)).toBe(true);
  expect(same(row(0x900, 4), 0x904, 4)).toBe(false);
  const command = row(4, 2, TraceKind.configWrite);
  expect(same(command, 4, 4, { kind: TraceKind.configRead })).toBe(true);
  expect(same(command, 6, 2, { kind: TraceKind.configRead })).toBe(false);
  expect(same(command, 4, 2)).toBe(false);
});
