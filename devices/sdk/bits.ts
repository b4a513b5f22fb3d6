/** Small arithmetic on register values. Hot paths use the number forms; `bigint` is for tables and decoding. */
import type { FieldDescription } from './register-map.ts';

const TWO_32 = 2 ** 32;

/** `high` and `low` words as one number; exact up to 2^53. */
export function join(low: number, high: number): number {
  return high * TWO_32 + (low >>> 0);
}

export function lowWord(value: number): number {
  return value >>> 0;
}

export function highWord(value: number): number {
  return Math.floor(value / TWO_32) >>> 0;
}

export function lowWordOf(value: bigint): number {
  return Number(value & 0xffff_ffffn);
}

export function highWordOf(value: bigint): number {
  return Number((value >> 32n) & 0xffff_ffffn);
}

/** `width` bits of a 32-bit value, from bit `lsb`. */
export function bits(value: number, lsb: number, width: number): number {
  return width >= 32 ? value >>> lsb : (value >>> lsb) & ((1 << width) - 1);
}

/** All ones in `width` bits. */
export function ones(width: number): bigint {
  return (1n << BigInt(width)) - 1n;
}

export function fieldValue(register: bigint, field: FieldDescription): bigint {
  return (register >> BigInt(field.lsb)) & ones(field.width);
}

export function withField(register: bigint, field: FieldDescription, value: bigint): bigint {
  const mask = ones(field.width) << BigInt(field.lsb);
  return (register & ~mask) | ((value << BigInt(field.lsb)) & mask);
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Math.log2(value) % 1 === 0;
}

/** `0x` and at least `width` bytes of lower-case digits. */
export function hex(value: number | bigint, width = 0): string {
  return `0x${value.toString(16).padStart(width * 2, '0')}`;
}
