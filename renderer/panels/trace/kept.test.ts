// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from 'vitest';
import type { LabHello } from '#contract/lab.ts';
import { openKept } from '#renderer/state/kept.ts';
import { client, lab } from '#renderer/state/lab.ts';
import { groupOf, noteText, setBookmark, trace, traceCount } from './model.ts';
import type { TraceRow } from './row.ts';

async function meet(instance: string): Promise<void> {
  openKept(instance);
  lab.setState({ hello: { instance } as LabHello });
  await vi.waitFor(() => expect(trace.getState().filtering).toBe(false));
}
const row = (number: number) => ({ row: number, time: number * 10 }) as TraceRow;
const count = { rows: 5, total: 50, first: 0, missed: 0, progress: 1, repeat: 1, experts: 0 };

beforeEach(async () => {
  sessionStorage.clear();
  vi.spyOn(client, 'call').mockResolvedValue({ rows: 5, progress: 1 });
  await meet('before');
});

test('what was marked in a trace stays over a lost connection, and goes with the lab whose trace it was', async () => {
  await meet('one');
  setBookmark(row(7), 'here it breaks');
  trace.setState({ filter: 'irq', reference: { row: 7, time: 70 }, pausedAt: 4 });
  traceCount.set(count);
  vi.spyOn(client, 'ask').mockResolvedValue({
    result: { from: 0, count: 0, notes: { 3: 'said of one' } },
    bytes: undefined,
  } as never);
  await groupOf(3);
  expect(noteText(3)).toBe('said of one');

  await meet('one');
  expect(traceCount.get().total).toBe(50);
  expect(trace.getState().bookmarks.get(7)).toEqual({ time: 70, text: 'here it breaks' });
  expect(trace.getState().reference).toEqual({ row: 7, time: 70 });
  expect(trace.getState().pausedAt).toBe(4);

  await meet('two');
  expect(trace.getState()).toMatchObject({ bookmarks: new Map(), reference: undefined, pausedAt: undefined });
  expect(noteText(3)).toBeUndefined();
  expect(traceCount.get().total).toBe(5);
  // What a person looks for is looked for here too.
  expect(client.call).toHaveBeenLastCalledWith('trace.view', expect.objectContaining({ filter: 'irq' }));
});

test('a page that is loaded again finds its filter, its bookmarks and the row that times count from', async () => {
  await meet('one');
  setBookmark(row(7), 'here it breaks');
  setBookmark(row(9), '');
  trace.setState({ filter: 'irq', reference: { row: 7, time: 70 } });
  const { bookmarks, reference } = trace.getState();
  openKept('');
  trace.setState({ filter: '', bookmarks: new Map(), reference: undefined });
  lab.setState({ hello: undefined });
  await meet('one');
  expect(trace.getState()).toMatchObject({ filter: 'irq', bookmarks, reference });
  expect(client.call).toHaveBeenLastCalledWith('trace.view', expect.objectContaining({ filter: 'irq' }));
});

test('what another version of the page kept does no harm', async () => {
  for (const bookmarks of [
    7,
    [null],
    [[1]],
    [[1, null]],
    [[1, { time: 'x', text: '' }]],
    [['1', { time: 1, text: '' }]],
  ]) {
    const parts = { filter: 3, reference: { row: 1 }, bookmarks };
    sessionStorage.setItem('pciem-lab-session', JSON.stringify({ instance: 'odd', parts }));
    lab.setState({ hello: undefined });
    await meet('odd');
    expect(trace.getState()).toMatchObject({ bookmarks: new Map(), reference: undefined });
  }
});
