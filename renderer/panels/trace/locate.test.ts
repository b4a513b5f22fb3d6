// @vitest-environment happy-dom
import { afterEach, expect, test, vi } from 'vitest';
import { client } from '#renderer/state/lab.ts';
import { locate, setFilter, traceCount } from './model.ts';

const before = traceCount.get();
afterEach(() => {
  traceCount.set(before);
  vi.restoreAllMocks();
});

test('where all rows are shown, a row is found without asking; else the lab finds it', async () => {
  const call = vi.spyOn(client, 'call').mockResolvedValue({ index: 7 });
  // The first thousand are no longer kept, and count all the same.
  traceCount.set({ ...before, rows: 5000, total: 5000, first: 1000 });
  expect(await locate({ row: 4321 })).toBe(4321);
  expect(await locate({ row: 9000 })).toBe(5000);
  expect(call).not.toHaveBeenCalled();
  expect(await locate({ time: 12 })).toBe(7);
  traceCount.set({ ...before, rows: 4999, total: 5000, first: 0 });
  expect(await locate({ row: 4321 })).toBe(7);
  expect(call).toHaveBeenCalledTimes(2);
});

test('a view that the lab still looks through says how far it is, from its first rows on', async () => {
  const call = vi.spyOn(client, 'call').mockResolvedValue({ rows: 3, progress: 0.25 });
  await setFilter('irq');
  expect(traceCount.get()).toMatchObject({ rows: 3, progress: 0.25 });
  call.mockResolvedValue({ rows: 9, progress: 1 });
  await setFilter('');
  expect(traceCount.get()).toMatchObject({ rows: 9, progress: 1 });
});
