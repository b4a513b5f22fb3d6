import type { WireRegister } from '#contract/devices.ts';
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

/**
 * What to write so that only one field changes. As the driver, other bits that clear when written as 1 are written as 0.
 */
export function fieldWrite(
  register: Pick<WireRegister, 'writeOneToClear'>,
  field: { readonly lsb: number; readonly width: number },
  now: bigint,
  to: bigint,
  asDriver: boolean,
): bigint {
  const mask = ((1n << BigInt(field.width)) - 1n) << BigInt(field.lsb);
  const clears = asDriver ? BigInt(register.writeOneToClear) : 0n;
  return (now & ~mask & ~clears) | ((to << BigInt(field.lsb)) & mask);
}

/** Whether a driver's write changes any bit of the field. */
export function fieldWritable(
  register: Pick<WireRegister, 'writable' | 'writeOneToClear'>,
  field: { readonly lsb: number; readonly width: number },
): boolean {
  const mask = ((1n << BigInt(field.width)) - 1n) << BigInt(field.lsb);
  return ((BigInt(register.writable) | BigInt(register.writeOneToClear)) & mask) !== 0n;
}

/** Search over names, titles, fields and offsets. Every word has to be found. */
export function matchesSearch(register: WireRegister, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
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
