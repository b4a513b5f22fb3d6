import { expect, test } from 'vitest';
import { readText } from './files.ts';

const file = (content: BlobPart, name = 'dump.txt') => new File([content], name);

test('text is read', async () => {
  expect(await readText(file('00: 12\n'), 100, 'a dump')).toEqual({ text: '00: 12\n' });
});

test('a file that is too long is not read at all', async () => {
  const long = file('');
  Object.defineProperty(long, 'size', { value: 2 ** 30 });
  long.arrayBuffer = () => Promise.reject(new Error('read'));
  expect(await readText(long, 1024, 'a dump')).toEqual({
    problem: 'dump.txt is 1 GiB; a dump is at most 1 KiB',
  });
});

test('what is no text is refused', async () => {
  expect(await readText(file(new Uint8Array([0x7f, 0x45, 0xff, 0xfe])), 100, 'a dump')).toEqual({
    problem: 'dump.txt is no text: it is not in UTF-8',
  });
  expect(await readText(file('a\0b'), 100, 'a dump')).toHaveProperty('problem');
});
