import { describe, expect, it } from 'vitest';
import type { OptionField } from './device.ts';
import { checkOptions, formatSize, parseSize } from './options.ts';

const options: readonly OptionField[] = [
  {
    name: 'size',
    label: 'Size',
    type: 'size',
    default: 2 ** 30,
    min: 2 ** 20,
    max: 2 ** 40,
    multipleOf: 4096,
  },
  { name: 'queues', label: 'Queues', type: 'integer', default: 4, min: 1, max: 64 },
  {
    name: 'block',
    label: 'Block size',
    type: 'choice',
    default: '512',
    choices: [
      { value: '512', label: '512 bytes' },
      { value: '4096', label: '4096 bytes' },
    ],
  },
  { name: 'cache', label: 'Cache', type: 'boolean', default: true },
  { name: 'serial', label: 'Serial', type: 'text', default: '', maxLength: 8 },
  { name: 'image', label: 'Image', type: 'image', default: '' },
];
const model = { id: 'disk', options };

describe('sizes in words', () => {
  it.each([
    ['1GiB', 2 ** 30],
    ['1 gib', 2 ** 30],
    ['512M', 512 * 2 ** 20],
    ['1.5g', 1.5 * 2 ** 30],
    ['10 MB', 10_000_000],
    ['4096', 4096],
    ['0x1000', 4096],
    ['7b', 7],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes));
  it.each(['', 'GiB', '1XiB', '-1G', '1.3b', '1e9', '0x', '99999999999999999999'])('not %s', (text) =>
    expect(parseSize(text)).toBeUndefined(),
  );
  it('comes out short and exact', () => {
    expect([2 ** 30, 4096, 1000, 1.5 * 2 ** 20].map(formatSize)).toEqual([
      '1 GiB',
      '4 KiB',
      '1000 B',
      '1536 KiB',
    ]);
  });
});

describe('option checks', () => {
  it('fills in defaults and reads text', () => {
    expect(checkOptions(model, {})).toEqual({
      ok: true,
      values: { size: 2 ** 30, queues: 4, block: '512', cache: true, serial: '', image: '' },
    });
    expect(
      checkOptions(model, {
        size: '64MiB',
        queues: '8',
        block: 4096,
        cache: 'false',
        serial: 'A1',
        image: 'a.img',
      }),
    ).toEqual({
      ok: true,
      values: { size: 2 ** 26, queues: 8, block: '4096', cache: false, serial: 'A1', image: 'a.img' },
    });
  });

  it.each([
    [{ size: 'big' }, /"big" is not a size; accepted is a size from 1 MiB to 1 TiB/],
    [{ size: '1KiB' }, /1 KiB is too small; accepted is a size from 1 MiB/],
    [{ size: '2TiB' }, /2 TiB is too large/],
    [{ size: 2 ** 20 + 1 }, /1048577 B is no multiple of 4 KiB/],
    [{ queues: 0 }, /0 is not accepted; accepted is a whole number from 1 to 64/],
    [{ queues: 1.5 }, /whole number/],
    [{ queues: '' }, /whole number/],
    [{ block: '1024' }, /"1024" is not a choice; accepted is 512 or 4096/],
    [{ cache: 'maybe' }, /accepted is true or false/],
    [{ serial: '123456789' }, /9 characters are too many; accepted are at most 8/],
    [{ serial: 'é' }, /printable ASCII/],
    [{ image: 5 }, /accepted is a path/],
    [{ speed: 1 }, /disk has no option "speed"; its options are: size, queues/],
  ])('%j', (input, message) => {
    const checked = checkOptions(model, input);
    expect(checked.ok).toBe(false);
    if (checked.ok) return;
    expect(checked.errors).toHaveLength(1);
    expect(checked.errors[0]!.message).toMatch(message);
    expect(checked.errors[0]!.field).toBe(Object.keys(input)[0]);
  });

  it('reports every wrong option at once', () => {
    const checked = checkOptions(model, { size: 1, queues: 99, __proto__: null, toString: 1 });
    expect(checked.ok ? [] : checked.errors.map(({ field }) => field)).toEqual([
      'toString',
      'size',
      'queues',
    ]);
  });
});
