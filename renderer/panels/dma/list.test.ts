import { expect, test } from 'vitest';
import type { DmaEntry } from '#contract/dma.ts';
import { mergeEntries, newestText } from './list.ts';

const entries = (...ids: number[]): DmaEntry[] =>
  ids.map((id) => ({
    id,
    device: 1,
    time: id,
    direction: 'read',
    address: 0,
    peer: false,
    length: 64,
    status: 'ok',
    cause: 0,
    captured: 0,
    content: '',
    queue: 0,
    took: -1,
    together: 1,
  }));
const ids = (list: readonly DmaEntry[]) => list.map((entry) => entry.id);

test('newer ones go before, each once', () => {
  expect(ids(mergeEntries(entries(3, 2, 1), entries(5, 4, 3, 2)))).toEqual([5, 4, 3, 2, 1]);
});

test('older ones go after', () => {
  expect(ids(mergeEntries(entries(5, 4), entries(3, 2)))).toEqual([5, 4, 3, 2]);
});

test('a gap that cannot be filled starts the list anew', () => {
  expect(ids(mergeEntries(entries(3, 2, 1), entries(9, 8)))).toEqual([9, 8]);
});

test('nothing new changes nothing', () => {
  const known = entries(2, 1);
  expect(mergeEntries(known, [])).toBe(known);
  expect(ids(mergeEntries(known, entries(2, 1)))).toEqual([2, 1]);
});

test('a copy that is cut says so', () => {
  const text = ({ id }: DmaEntry) => `${id}`;
  expect(newestText(entries(2, 1), 2, text)).toBe('2\n1');
  expect(newestText(entries(9, 8), 9, text)).toBe('9\n8\nThese are the newest 2 of 9 transfers');
  const many = entries(...Array.from({ length: 1500 }, (_, at) => 1500 - at));
  const lines = newestText(many, many.length, text).split('\n');
  expect(lines).toHaveLength(1001);
  expect(lines.at(-1)).toBe('These are the newest 1,000 of 1,500 transfers');
  expect(newestText(entries(9, 8), undefined, text)).toBe(
    '9\n8\nThese are the newest 2; scroll to the end of the list for older ones',
  );
  expect(newestText([], 0, text)).toBe('');
});
