import type { WireRegister } from '#contract/devices.ts';
import { fieldMask } from '#renderer/ui/bits.ts';
import { readValue } from '#renderer/ui/format.ts';

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Most bytes of one `bars.read`. */
export const MAX_READ = 65536;
/** Reading a gap is cheaper than another request. */
const GAP = 1024;

/** The fewest reads that cover the registers. */
export function readRanges(
  registers: readonly Pick<WireRegister, 'offset' | 'width'>[],
): readonly ByteRange[] {
  const sorted = [...registers].sort((a, b) => a.offset - b.offset);
  const ranges: { offset: number; length: number }[] = [];
  for (const { offset, width } of sorted) {
    const last = ranges.at(-1);
    const end = offset + width;
    if (last !== undefined && offset - (last.offset + last.length) <= GAP && end - last.offset <= MAX_READ) {
      last.length = Math.max(last.length, end - last.offset);
    } else {
      ranges.push({ offset, length: width });
    }
  }
  return ranges;
}

/** What was read of a BAR, at one time. */
export class BarValues {
  readonly #parts: readonly { readonly offset: number; readonly view: DataView }[];

  constructor(parts: readonly { readonly offset: number; readonly bytes: Uint8Array }[]) {
    this.#parts = parts.map(({ offset, bytes }) => ({
      offset,
      view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    }));
  }

  value(register: Pick<WireRegister, 'offset' | 'width'>): bigint | undefined {
    for (const { offset, view } of this.#parts) {
      const at = register.offset - offset;
      if (at >= 0 && at + register.width <= view.byteLength) return readValue(view, at, register.width);
    }
    return undefined;
  }
}

/** Whether a driver's write changes any bit of the field. */
export function fieldWritable(
  register: Pick<WireRegister, 'writable' | 'writeOneToClear'>,
  field: { readonly lsb: number; readonly width: number },
): boolean {
  return ((BigInt(register.writable) | BigInt(register.writeOneToClear)) & fieldMask(field)) !== 0n;
}

/** Whether a driver clears the field by writing 1. */
export function fieldClears(
  register: Pick<WireRegister, 'writeOneToClear'>,
  field: { readonly lsb: number; readonly width: number },
): boolean {
  return (BigInt(register.writeOneToClear) & fieldMask(field)) !== 0n;
}

const searchKeys = ['name', 'field', 'offset', 'access', 'width', 'text'] as const;

/** What is wrong with a typed search; empty: nothing. */
export function searchProblem(search: string): string {
  for (const word of search.split(/\s+/)) {
    const at = word.indexOf(':');
    if (at < 0) continue;
    const [key, value] = [word.slice(0, at).toLowerCase(), word.slice(at + 1)];
    if (!(searchKeys as readonly string[]).includes(key)) {
      return `There is no "${key}:"; there are ${searchKeys.map((one) => `${one}:`).join(' ')}`;
    }
    if (key === 'offset' && value !== '' && !/^(0x[0-9a-f]+|\d+)(-(0x[0-9a-f]+|\d+)?)?$/i.test(value)) {
      return `"${value}" is no offset; write offset:0x14 or offset:0x1000-0x1fff`;
    }
    if (key === 'access' && value !== '' && !['ro', 'rw', 'w1c'].includes(value.toLowerCase())) {
      return `"${value}" is no access; write access:ro, access:rw or access:w1c`;
    }
    if (key === 'width' && value !== '' && !['1', '2', '4', '8'].includes(value)) {
      return `"${value}" is no width; write width:1, 2, 4 or 8`;
    }
  }
  return '';
}

function matchesKey(register: WireRegister, key: string, value: string): boolean {
  if (value === '') return true;
  switch (key) {
    case 'name':
      return register.name.toLowerCase().includes(value);
    case 'field':
      return register.fields.some(({ name }) => name.toLowerCase().includes(value));
    case 'width':
      return register.width === Number(value);
    case 'offset': {
      const [from, to = from] = value.split('-');
      const last = to === '' ? Number.POSITIVE_INFINITY : Number(to);
      return register.offset + register.width > Number(from) && register.offset <= last;
    }
    case 'access': {
      const clears = BigInt(register.writeOneToClear) !== 0n;
      const writes = BigInt(register.writable) !== 0n;
      return value === 'w1c' ? clears : value === 'rw' ? writes : !writes && !clears;
    }
    default:
      return [register.title, ...register.fields.map(({ description }) => description ?? '')]
        .join(' ')
        .toLowerCase()
        .includes(value);
  }
}

/**
 * Search over names, titles, fields and offsets; every word has to be found. `name:`, `field:`, `offset:`, `access:`,
 * `width:` and `text:` look at one of them.
 */
export function matchesSearch(register: WireRegister, search: string): boolean {
  const words: string[] = [];
  for (const word of search.toLowerCase().split(/\s+/).filter(Boolean)) {
    const at = word.indexOf(':');
    if (at < 0) words.push(word);
    else if (!matchesKey(register, word.slice(0, at), word.slice(at + 1))) return false;
  }
  if (words.length === 0) return true;
  const text = [
    register.name,
    register.title,
    `0x${register.offset.toString(16)}`,
    ...register.fields.map((field) => `${field.name} ${field.description ?? ''}`),
  ]
    .join(' ')
    .toLowerCase();
  return words.every((word) => text.includes(word));
}
