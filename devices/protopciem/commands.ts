/** Command buffers: records of {opcode u16, reserved u16, length u32 with the header}, each at a multiple of 4. */
import type { Raster } from './raster.ts';

export const Opcode = { NOP: 0, CLEAR: 1, DRAW_LINE: 2, BLIT_RECT: 3 } as const;

const HEADER_BYTES = 8;
const CLEAR_BYTES = 12;
const LINE_BYTES = 20;
const BLIT_BYTES = 16;

const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const u32 = (bytes: Uint8Array, at: number): number => (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;

/** Bytes that a record needs for what its opcode and header promise; 0: there is no such opcode. */
function needed(bytes: Uint8Array, at: number, length: number): number {
  switch (u16(bytes, at)) {
    case Opcode.NOP:
      return HEADER_BYTES;
    case Opcode.CLEAR:
      return CLEAR_BYTES;
    case Opcode.DRAW_LINE:
      return LINE_BYTES;
    case Opcode.BLIT_RECT:
      return length < BLIT_BYTES ? BLIT_BYTES : BLIT_BYTES + u16(bytes, at + 12) * u16(bytes, at + 14) * 3;
    default:
      return 0;
  }
}

/** Whether the record at `at` is one that can be carried out. `end` is where the buffer ends. */
function wellFormed(bytes: Uint8Array, at: number, end: number): boolean {
  if (at % 4 !== 0) return false;
  const length = u32(bytes, at + 4);
  if (length < HEADER_BYTES || at + length > end) return false;
  const least = needed(bytes, at, length);
  return least !== 0 && length >= least;
}

/** What {@link execute} returns when every record was carried out. */
export const COMPLETE = -1;

/**
 * Carries the records in the first `end` bytes out, in order. Returns {@link COMPLETE}, or the offset of the record
 * that is malformed; those before it are drawn. Fewer bytes at the end than a header has are no record.
 */
export function execute(bytes: Uint8Array, end: number, raster: Raster): number {
  let at = 0;
  while (at + HEADER_BYTES <= end) {
    if (!wellFormed(bytes, at, end)) return at;
    switch (u16(bytes, at)) {
      case Opcode.CLEAR:
        raster.clear(bytes[at + 8]!, bytes[at + 9]!, bytes[at + 10]!);
        break;
      case Opcode.DRAW_LINE:
        raster.line(
          u16(bytes, at + 8),
          u16(bytes, at + 10),
          u16(bytes, at + 12),
          u16(bytes, at + 14),
          bytes[at + 16]!,
          bytes[at + 17]!,
          bytes[at + 18]!,
        );
        break;
      case Opcode.BLIT_RECT:
        raster.blit(
          bytes,
          at + BLIT_BYTES,
          u16(bytes, at + 8),
          u16(bytes, at + 10),
          u16(bytes, at + 12),
          u16(bytes, at + 14),
        );
        break;
    }
    at += u32(bytes, at + 4);
  }
  return COMPLETE;
}

/** A record for people to read. */
export interface DecodedRecord {
  readonly offset: number;
  readonly name: string;
  readonly text: string;
  /** `#rrggbb` of what it draws with. */
  readonly color?: string;
}

/** The first `limit` records, and how many there are; a malformed one is the last. */
export function decode(
  bytes: Uint8Array,
  end: number,
  limit: number,
): { readonly records: DecodedRecord[]; readonly total: number } {
  const records: DecodedRecord[] = [];
  let total = 0;
  const color = (at: number) =>
    `#${[0, 1, 2].map((byte) => bytes[at + byte]!.toString(16).padStart(2, '0')).join('')}`;
  for (let at = 0; at + HEADER_BYTES <= end; at += u32(bytes, at + 4)) {
    total++;
    const good = wellFormed(bytes, at, end);
    if (records.length < limit) {
      const offset = at;
      const word = (byte: number) => u16(bytes, at + byte);
      if (!good) {
        records.push({
          offset,
          name: 'malformed',
          text: `opcode ${word(0)}, length ${u32(bytes, at + 4)}`,
        });
      } else if (word(0) === Opcode.NOP) records.push({ offset, name: 'NOP', text: '' });
      else if (word(0) === Opcode.CLEAR) {
        records.push({ offset, name: 'CLEAR', text: color(at + 8), color: color(at + 8) });
      } else if (word(0) === Opcode.DRAW_LINE) {
        records.push({
          offset,
          name: 'DRAW_LINE',
          text: `${word(8)},${word(10)} to ${word(12)},${word(14)}`,
          color: color(at + 16),
        });
      } else {
        records.push({
          offset,
          name: 'BLIT_RECT',
          text: `${word(12)} x ${word(14)} at ${word(8)},${word(10)}`,
        });
      }
    }
    if (!good) break;
  }
  return { records, total };
}
