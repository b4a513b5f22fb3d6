import { expect, test } from 'vitest';
import type { ConfigNode } from '#contract/config.ts';
import { type Access, accessOf, differing, refusals } from './access.ts';

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

const write = (offset: number, width: 1 | 2 | 4, value: bigint, mask = (1n << BigInt(width * 8)) - 1n) => ({
  offset,
  width,
  value,
  mask,
});
const reasons = (one: ReturnType<typeof write>, before: bigint, after: bigint) =>
  refusals([header], access, one, differing(one, before, after, access));

test('a refused write names what is read-only, reserved or fixed', () => {
  expect(reasons(write(0, 2, 0x9999n), 0x1b36n, 0x1b36n)).toEqual(['Vendor ID is read-only']);
  // Memory space is taken; I/O space and bits 5:3 are not.
  expect(reasons(write(4, 1, 0x3bn), 0n, 0x02n)).toEqual([
    'I/O Space of Command is read-only',
    'bits 5:3 of Command are reserved',
  ]);
  expect(reasons(write(16, 4, 0xffffffffn), 0n, 0xffffc000n)).toEqual([
    'bits 13:0 of Base Address 0 are fixed',
  ]);
  expect(reasons(write(0x30, 1, 1n), 0n, 0n)).toEqual(['nothing is implemented there']);
});

test('a bit that a write cleared is as it was meant; one that it could not set or left is not', () => {
  expect(reasons(write(6, 2, 0x8000n), 0x8000n, 0n)).toEqual([]);
  expect(reasons(write(6, 2, 0x8000n), 0n, 0n)).toEqual(['Status is cleared by writing 1']);
  expect(reasons(write(6, 2, 0n), 0x8000n, 0x8000n)).toEqual(['Status stays until 1 is written to it']);
  // As the device, a bit that is gone was not meant to go.
  expect(differing(write(6, 2, 0x8000n), 0x8000n, 0n, undefined)).toBe(0x8000n);
});

test('only the bits that a write is about are looked at', () => {
  expect(differing(write(6, 2, 0x2000n, 0x2000n), 0x6000n, 0x4000n, access)).toBe(0n);
  expect(differing(write(4, 2, 0x100n, 0x100n), 0n, 0x6n, access)).toBe(0x100n);
});

test('what was taken needs no reason', () => {
  expect(reasons(write(4, 1, 6n), 0n, 6n)).toEqual([]);
});
