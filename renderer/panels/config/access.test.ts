import { expect, test } from 'vitest';
import type { ConfigNode } from '#contract/config.ts';
import { type Access, accessOf, refusals } from './access.ts';

const field = (name: string, lsb: number, bits: number, reserved = false): ConfigNode => ({
  name,
  offset: 4,
  length: 2,
  value: '0x0',
  lsb,
  bits,
  ...(reserved ? { reserved } : {}),
});
const header: ConfigNode = {
  name: 'Header',
  offset: 0,
  length: 64,
  children: [
    { name: 'Vendor ID', offset: 0, length: 2, value: '0x1b36' },
    {
      name: 'Command',
      offset: 4,
      length: 2,
      value: '0x0',
      children: [
        field('I/O Space', 0, 1),
        field('Memory Space', 1, 1),
        field('Bus Master', 2, 1),
        field('Reserved', 3, 3, true),
      ],
    },
    { name: 'Status', offset: 6, length: 2, value: '0x0' },
    { name: 'Base Address 0', offset: 16, length: 4, value: '0x0' },
  ],
};
const access: Access = { writable: new Uint8Array(64), clearable: new Uint8Array(64) };
access.writable.set([0x06, 0x04], 4);
access.clearable.set([0x00, 0xf9], 6);
access.writable.set([0x00, 0xc0, 0xff, 0xff], 16);

test('access types follow from the masks', () => {
  const [vendor, command, status, bar] = header.children!;
  expect(accessOf(vendor!, access)).toBe('RO');
  expect(accessOf(command!, access)).toBe('mixed');
  expect(accessOf(status!, access)).toBe('mixed');
  expect(accessOf(bar!, access)).toBe('mixed');
  expect(accessOf(field('Bus Master', 2, 1), access)).toBe('RW');
  expect(accessOf(field('Reserved', 3, 3, true), access)).toBe('Rsvd');
  expect(accessOf({ offset: 6, length: 2, lsb: 15, bits: 1 }, access)).toBe('RW1C');
});

test('a refused write names what is read-only, reserved or fixed', () => {
  expect(refusals([header], access, 0, 2, 0x9999n, 0x1b36n)).toEqual(['Vendor ID is read-only']);
  // Memory space is taken; I/O space and bits 5:3 are not.
  expect(refusals([header], access, 4, 1, 0x3bn, 0x02n)).toEqual([
    'I/O Space of Command is read-only',
    'bits 5:3 of Command are reserved',
  ]);
  expect(refusals([header], access, 16, 4, 0xffffffffn, 0xffffc000n)).toEqual([
    'bits 13:0 of Base Address 0 are fixed',
  ]);
  expect(refusals([header], access, 0x30, 1, 1n, 0n)).toEqual(['nothing is implemented there']);
});

test('write-1-to-clear is said in both directions', () => {
  expect(refusals([header], access, 6, 2, 0x8000n, 0n)).toEqual(['Status is cleared by writing 1']);
  expect(refusals([header], access, 6, 2, 0n, 0x8000n)).toEqual(['Status stays until 1 is written to it']);
});

test('what was taken needs no reason', () => {
  expect(refusals([header], access, 4, 1, 6n, 6n)).toEqual([]);
});
