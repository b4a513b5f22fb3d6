import { expect, test } from 'vitest';
import type { ConfigNode } from '#contract/config.ts';
import { firstOpen, flatten, numberAt, pathOfByte, splitWrite } from './tree.ts';

const tree: readonly ConfigNode[] = [
  {
    name: 'Header',
    offset: 0,
    length: 64,
    children: [
      { name: 'Vendor ID', offset: 0, length: 2, value: '0x1b36' },
      {
        name: 'Command',
        offset: 4,
        length: 2,
        value: '0x6',
        children: [
          { name: 'Memory Space', offset: 4, length: 2, lsb: 1, bits: 1, value: '0x1' },
          { name: 'Bus Master', offset: 4, length: 2, lsb: 2, bits: 1, value: '0x1' },
        ],
      },
    ],
  },
  { name: 'MSI-X Capability', offset: 0x40, length: 12, children: [] },
];

test('closed groups hide their children', () => {
  expect(flatten(tree, new Set()).map((flat) => flat.node.name)).toEqual(['Header', 'MSI-X Capability']);
  expect(flatten(tree, new Set(['0', '0/1'])).map((flat) => flat.path)).toEqual([
    '0',
    '0/0',
    '0/1',
    '0/1/0',
    '0/1/1',
    '1',
  ]);
});

test('groups open at first, registers with bit fields do not', () => {
  expect([...firstOpen(tree)]).toEqual(['0', '1']);
});

test('a byte leads to its register, not to one of its bits', () => {
  expect(pathOfByte(tree, 5)).toEqual(['0', '0/1']);
  expect(pathOfByte(tree, 0x30)).toEqual(['0']);
  expect(pathOfByte(tree, 0x41)).toEqual(['1']);
  expect(pathOfByte(tree, 0x90)).toEqual([]);
});

test('writes are split into aligned accesses', () => {
  expect(splitWrite(0x09, 3, 0x010802n)).toEqual([
    { offset: 0x09, width: 1, value: 0x02n, mask: 0xffn },
    { offset: 0x0a, width: 2, value: 0x0108n, mask: 0xffffn },
  ]);
  expect(splitWrite(0x10, 8, 0x1122334455667788n)).toEqual([
    { offset: 0x10, width: 4, value: 0x55667788n, mask: 0xffffffffn },
    { offset: 0x14, width: 4, value: 0x11223344n, mask: 0xffffffffn },
  ]);
  expect(splitWrite(0x04, 2, 0x6n)).toEqual([{ offset: 4, width: 2, value: 6n, mask: 0xffffn }]);
  // Parts that have none of the bits are not written.
  expect(splitWrite(0x10, 8, 0xffn << 40n, 0xf0n << 40n)).toEqual([
    { offset: 0x14, width: 4, value: 0xf000n, mask: 0xf000n },
  ]);
});

test('numbers are little endian', () => {
  expect(numberAt(new Uint8Array([0, 0x36, 0x1b]), 1, 2)).toBe(0x1b36n);
});
