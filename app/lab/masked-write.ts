/** A write of some bits of a register: the others keep what is there at the moment of the write. */
import { LabError } from '../hosts/errors.ts';

export interface MaskedWrite {
  readonly value: bigint;
  /** Bits that keep what they hold then; `value` has none of them. */
  readonly keep: bigint;
}

/**
 * `mask`: the bits that count; undefined: all. `clears`: bits that this write would clear by a 1; outside the mask they
 * are written as 0, which leaves them as they are.
 */
export function maskedWrite(
  value: bigint,
  width: number,
  mask: bigint | undefined,
  clears: bigint,
): MaskedWrite {
  for (const bits of [value, mask ?? 0n]) {
    if (bits >> BigInt(width * 8) === 0n) continue;
    throw new LabError(
      'VALUE_TOO_WIDE',
      `0x${bits.toString(16)} does not fit in ${width} ${width === 1 ? 'byte' : 'bytes'}; at most 0x${'ff'.repeat(width)}.`,
    );
  }
  if (mask === undefined) return { value, keep: 0n };
  const all = (1n << BigInt(width * 8)) - 1n;
  return { value: value & mask, keep: all & ~mask & ~clears };
}

/** Of registers that lie anywhere, the bits that belong to `width` bytes at `offset`. */
export function bitsWithin(
  registers: Iterable<{ readonly offset: number; readonly bits: bigint }>,
  offset: number,
  width: number,
): bigint {
  const all = (1n << BigInt(width * 8)) - 1n;
  let found = 0n;
  for (const { offset: at, bits } of registers) {
    const shift = BigInt((at - offset) * 8);
    found |= (shift >= 0n ? bits << shift : bits >> -shift) & all;
  }
  return found;
}
