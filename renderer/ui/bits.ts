import type { WireField } from '#contract/devices.ts';
import { hex } from './format.ts';

export function fieldValue(value: bigint, field: Pick<WireField, 'lsb' | 'width'>): bigint {
  return (value >> BigInt(field.lsb)) & ((1n << BigInt(field.width)) - 1n);
}

export function withField(value: bigint, field: Pick<WireField, 'lsb' | 'width'>, to: bigint): bigint {
  const mask = ((1n << BigInt(field.width)) - 1n) << BigInt(field.lsb);
  return (value & ~mask) | ((to << BigInt(field.lsb)) & mask);
}

/** Bits as the specification writes them: `23:20`, `5`. */
export function bitRange(field: Pick<WireField, 'lsb' | 'width'>): string {
  return field.width === 1 ? `${field.lsb}` : `${field.lsb + field.width - 1}:${field.lsb}`;
}

/** A field's value: its name where it has one, small numbers in decimal, others in hexadecimal. */
export function fieldText(field: WireField, value: bigint): string {
  const name = field.values?.[Number(value)];
  if (name !== undefined) return name;
  return value < 10n ? value.toString() : hex(value);
}

/** What changed between two values of a register: `EN 0→1, IOSQES 0→6`. */
export function changedFields(fields: readonly WireField[], before: bigint, after: bigint): string {
  const changes: string[] = [];
  let covered = 0n;
  for (const field of fields) {
    const [old, now] = [fieldValue(before, field), fieldValue(after, field)];
    covered = withField(covered, field, -1n);
    if (old !== now) changes.push(`${field.name} ${fieldText(field, old)}→${fieldText(field, now)}`);
  }
  const other = (before ^ after) & ~covered;
  if (other !== 0n) changes.push(`other bits ${hex(other)}`);
  return changes.join(', ');
}

/** Fields that are not zero: `EN=1, IOSQES=6`. */
export function setFields(fields: readonly WireField[], value: bigint): string {
  const set: string[] = [];
  for (const field of fields) {
    const now = fieldValue(value, field);
    if (now !== 0n) set.push(`${field.name}=${fieldText(field, now)}`);
  }
  return set.join(', ');
}
