import { expect, test } from 'vitest';
import { TRACE_RECORD_BYTES, TraceField } from '#contract/trace-record.ts';
import { CHUNK_ROWS, type FetchedRows, RowCache } from './row-cache.ts';

/** Rows whose time is their number. */
function setUp() {
  const asked: [from: number, count: number][] = [];
  const waiting: (() => void)[] = [];
  let changes = 0;
  const cache = new RowCache(
    (from, count) =>
      new Promise<FetchedRows>((resolve, reject) => {
        asked.push([from, count]);
        waiting.push(() => {
          if (from < 0) reject(new Error('no'));
          const bytes = new Uint8Array(count * TRACE_RECORD_BYTES);
          const view = new DataView(bytes.buffer);
          for (let at = 0; at < count; at++)
            view.setFloat64(at * TRACE_RECORD_BYTES + TraceField.time, from + at, true);
          resolve({ count, bytes });
        });
      }),
    () => changes++,
  );
  const answer = async () => {
    for (const one of waiting.splice(0)) one();
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { cache, asked, answer, changes: () => changes };
}

test('what is wanted is fetched once, and found', async () => {
  const { cache, asked, answer, changes } = setUp();
  cache.setCount(1000);
  cache.want(300, 330);
  cache.want(300, 330);
  expect(asked).toEqual([[256, 256]]);
  expect(cache.row(300)).toBeUndefined();
  await answer();
  expect(cache.row(300)!.time).toBe(300);
  expect(cache.has(300, 330)).toBe(true);
  expect(cache.has(200, 330)).toBe(false);
  expect(changes()).toBe(1);
});

test('the growing end is fetched from where it was left', async () => {
  const { cache, asked, answer } = setUp();
  cache.setCount(10);
  cache.want(0, 10);
  await answer();
  cache.setCount(25);
  cache.want(5, 25);
  await answer();
  expect(asked).toEqual([
    [0, 10],
    [10, 15],
  ]);
  expect(cache.row(24)!.time).toBe(24);
});

test('at most two requests at a time, the end first', async () => {
  const { cache, asked, answer } = setUp();
  cache.setCount(5 * CHUNK_ROWS);
  cache.want(0, 5 * CHUNK_ROWS);
  expect(asked.map(([from]) => from / CHUNK_ROWS)).toEqual([4, 3]);
  await answer();
  expect(asked.map(([from]) => from / CHUNK_ROWS)).toEqual([4, 3, 2, 1]);
});

test('answers from before a reset are not taken for rows of after', async () => {
  const { cache, answer } = setUp();
  cache.setCount(10);
  cache.want(0, 10);
  cache.want(0, 0);
  cache.reset();
  cache.setCount(10);
  await answer();
  expect(cache.row(0)).toBeUndefined();
});

test('fewer rows than before are other rows', async () => {
  const { cache, answer } = setUp();
  cache.setCount(10);
  cache.want(0, 10);
  await answer();
  cache.setCount(5);
  expect(cache.row(0)).toBeUndefined();
});

test('memory stays bounded however far one scrolls', async () => {
  const { cache, answer } = setUp();
  cache.setCount(200 * CHUNK_ROWS);
  for (let at = 0; at < 200; at++) {
    cache.want(at * CHUNK_ROWS, at * CHUNK_ROWS + 1);
    await answer();
  }
  let kept = 0;
  for (let at = 0; at < 200; at++) if (cache.row(at * CHUNK_ROWS) !== undefined) kept++;
  expect(kept).toBe(64);
  expect(cache.row(199 * CHUNK_ROWS)).toBeDefined();
});

test('the loaded end is where a whole page is here', async () => {
  const { cache, answer } = setUp();
  cache.setCount(CHUNK_ROWS + 10);
  cache.want(CHUNK_ROWS - 20, CHUNK_ROWS + 10);
  await answer();
  cache.setCount(CHUNK_ROWS + 500);
  expect(cache.loadedEnd(CHUNK_ROWS + 500, 30)).toBe(CHUNK_ROWS + 10);
  expect(cache.loadedEnd(CHUNK_ROWS + 5, 30)).toBe(CHUNK_ROWS + 5);
});
