import { expect, it } from 'vitest';
import { PicturePool } from './picture-pool.ts';

const PAGE = 4096;

it('gives whole pages that nobody else has, until there are none', () => {
  const pool = new PicturePool('/memory', 4 * PAGE);
  expect(pool.take(PAGE + 1)).toEqual({ file: '/memory', offset: 0, length: 2 * PAGE });
  expect(pool.take(PAGE)).toMatchObject({ offset: 2 * PAGE, length: PAGE });
  expect(pool.take(2 * PAGE)).toBeUndefined();
  expect(pool.take(1)).toMatchObject({ offset: 3 * PAGE, length: PAGE });
  expect(pool.take(1)).toBeUndefined();
});

it('gives what came back as late as it can', () => {
  const pool = new PicturePool('/memory', 4 * PAGE);
  const first = pool.take(PAGE)!;
  const second = pool.take(PAGE)!;
  pool.giveBack(first);
  expect(pool.take(PAGE)).toMatchObject({ offset: 2 * PAGE });
  expect(pool.take(PAGE)).toMatchObject({ offset: 3 * PAGE });
  expect(pool.take(PAGE)).toMatchObject({ offset: 0 });
  expect(pool.take(PAGE)).toBeUndefined();
  pool.giveBack(second);
  expect(pool.take(PAGE)).toMatchObject({ offset: PAGE });
});
