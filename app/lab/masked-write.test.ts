import { expect, it } from 'vitest';
import { bitsWithin, maskedWrite } from './masked-write.ts';

it('without a mask every bit counts', () => {
  expect(maskedWrite(0x1234n, 2, undefined, 0xff00n)).toEqual({ value: 0x1234n, keep: 0n });
});

it('with a mask the others are kept, but for those that a 1 would clear', () => {
  expect(maskedWrite(0xffffn, 2, 0x00f0n, 0n)).toEqual({ value: 0x00f0n, keep: 0xff0fn });
  // PMCSR: PowerState is written, PME_Status stays pending.
  expect(maskedWrite(0x0003n, 2, 0x0003n, 0x8000n)).toEqual({ value: 0x0003n, keep: 0x7ffcn });
  // One of the error bits of Status: a 1 for it, none for the others.
  expect(maskedWrite(0x2000n, 2, 0x2000n, 0xf900n)).toEqual({ value: 0x2000n, keep: 0x06ffn });
});

it('refuses what is too wide, value and mask', () => {
  expect(() => maskedWrite(0x100n, 1, undefined, 0n)).toThrow('0x100 does not fit in 1 byte; at most 0xff.');
  expect(() => maskedWrite(0n, 2, 0x1_0000n, 0n)).toThrow('0x10000 does not fit in 2 bytes; at most 0xffff.');
});

it('finds the bits of registers that an access meets in part', () => {
  const registers = [
    { offset: 0, bits: 0xf0n },
    { offset: 4, bits: 0xaabb_ccddn },
    { offset: 8, bits: 0x11n },
  ];
  expect(bitsWithin(registers, 4, 4)).toBe(0xaabb_ccddn);
  expect(bitsWithin(registers, 5, 1)).toBe(0xccn);
  expect(bitsWithin(registers, 0, 8)).toBe(0xaabb_ccdd_0000_00f0n);
  expect(bitsWithin(registers, 12, 4)).toBe(0n);
});
