import type { WireField, WireRegister } from '#contract/devices.ts';
import { hex } from './format.ts';

export function fieldValue(value: bigint, field: Pick<WireField, 'lsb' | 'width'>): bigint {
  return (value >> BigInt(field.lsb)) & ((1n << BigInt(field.width)) - 1n);
}

/** The bits of a field in its register. */
export function fieldMask(field: Pick<WireField, 'lsb' | 'width'>): bigint {
  return ((1n << BigInt(field.width)) - 1n) << BigInt(field.lsb);
}

export function withField(value: bigint, field: Pick<WireField, 'lsb' | 'width'>, to: bigint): bigint {
  const mask = fieldMask(field);
  return (value & ~mask) | ((to << BigInt(field.lsb)) & mask);
}

/** What to write to one bit to turn it over: a set bit that a 1 clears takes a 1. */
export function turned(now: bigint, clears: boolean): bigint {
  return now === 0n || clears ? 1n : 0n;
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

/** What writing a field does where it does not keep the value; empty: it keeps it. */
export type WriteEffect = '' | 'clears' | 'self-clearing' | 'unchanged';

/** Of a register's fields, by what a driver writes to the register. */
export function writeEffects(
  { writeOneToClear, selfClearing = '0x0' }: Pick<WireRegister, 'writeOneToClear' | 'selfClearing'>,
  written: bigint,
): (field: WireField) => WriteEffect {
  const [clears, own] = [BigInt(writeOneToClear), BigInt(selfClearing)];
  return (field) => {
    if (fieldValue(clears, field) !== 0n)
      return fieldValue(clears & written, field) === 0n ? 'unchanged' : 'clears';
    return fieldValue(own & written, field) === 0n ? '' : 'self-clearing';
  };
}

const keeps = (): WriteEffect => '';

/** What changed between two values of a register: `EN 0→1, IOSQES 0→6`; or what a write of the second does. */
export function changedFields(
  fields: readonly WireField[],
  before: bigint,
  after: bigint,
  effect: (field: WireField) => WriteEffect = keeps,
): string {
  const changes: string[] = [];
  let covered = 0n;
  for (const field of fields) {
    const [old, now] = [fieldValue(before, field), fieldValue(after, field)];
    covered = withField(covered, field, -1n);
    const does = effect(field);
    if (does === 'unchanged') continue;
    if (does !== '') changes.push(`${field.name} ${fieldText(field, now)}: ${does}`);
    else if (old !== now) changes.push(`${field.name} ${fieldText(field, old)}→${fieldText(field, now)}`);
  }
  const other = (before ^ after) & ~covered;
  if (other !== 0n) changes.push(`other bits ${hex(other)}`);
  return changes.join(', ');
}

/** Fields that are not zero: `EN=1, IOSQES=6`; of a write, with what it does. */
export function setFields(
  fields: readonly WireField[],
  value: bigint,
  effect: (field: WireField) => WriteEffect = keeps,
): string {
  const set: string[] = [];
  for (const field of fields) {
    const now = fieldValue(value, field);
    if (now === 0n) continue;
    const does = effect(field);
    set.push(`${field.name}=${fieldText(field, now)}${does === '' ? '' : `: ${does}`}`);
  }
  return set.join(', ');
}
