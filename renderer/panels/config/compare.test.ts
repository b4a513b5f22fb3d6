import { expect, test } from 'vitest';
import type { ConfigNode } from '#contract/config.ts';
import { compareConfig, differingBytes } from './compare.ts';

const tree = (text: string): ConfigNode[] => [
  {
    name: 'Type 0 Header',
    offset: 0,
    length: 16,
    children: [
      { name: 'Vendor ID', offset: 0, length: 2, value: '0x0', text },
      {
        name: 'Command',
        offset: 4,
        length: 2,
        value: '0x0',
        children: [
          { name: 'Memory Space', offset: 4, length: 2, value: '0x0', lsb: 1, bits: 1 },
          { name: 'Bus Master', offset: 4, length: 2, value: '0x0', lsb: 2, bits: 1 },
        ],
      },
    ],
  },
];
const bytes = (...values: number[]) => {
  const all = new Uint8Array(16);
  all.set(values);
  return all;
};

test('differences are told by field, with what both sides mean', () => {
  const before = bytes(0x36, 0x1b, 0, 0, 2);
  const now = bytes(0x37, 0x1b, 0, 0, 4, 0, 0, 9, 9);
  expect(differingBytes(before, now)).toEqual([0, 4, 7, 8]);
  expect(compareConfig({ tree: tree('one'), bytes: before }, { tree: tree('two'), bytes: now })).toEqual([
    {
      name: 'Vendor ID',
      offset: 0,
      length: 2,
      before: '0x1b36',
      now: '0x1b37',
      beforeText: 'one',
      nowText: 'two',
    },
    {
      name: 'Command / Memory Space',
      offset: 4,
      length: 2,
      lsb: 1,
      bits: 1,
      before: '0x1',
      now: '0x0',
      beforeText: '',
      nowText: '',
    },
    {
      name: 'Command / Bus Master',
      offset: 4,
      length: 2,
      lsb: 2,
      bits: 1,
      before: '0x0',
      now: '0x1',
      beforeText: '',
      nowText: '',
    },
    {
      name: 'Bytes without a name',
      offset: 7,
      length: 2,
      before: '0x0000',
      now: '0x0909',
      beforeText: '',
      nowText: '',
    },
  ]);
});

test('nothing differs from itself, and a longer space has more bytes', () => {
  const same = { tree: tree(''), bytes: bytes(1, 2, 3) };
  expect(compareConfig(same, same)).toEqual([]);
  const longer = { tree: tree(''), bytes: new Uint8Array(18) };
  expect(compareConfig({ tree: tree(''), bytes: bytes() }, longer)).toMatchObject([
    { offset: 16, length: 2, before: '', now: '0x0000' },
  ]);
});
