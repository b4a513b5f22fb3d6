/**
 * Registers as data: one table serves the model, the decoder, the register panel and the documentation.
 */

/** A range of bits of a register, by its specification name. */
export interface FieldDescription {
  readonly name: string;
  /** Lowest bit. */
  readonly lsb: number;
  /** Width in bits. */
  readonly width: number;
  readonly description?: string;
  /** Names of values, where the specification names them. */
  readonly values?: Readonly<Record<number, string>>;
}

/** Register width in bytes. */
export type RegisterWidth = 1 | 2 | 4 | 8;

export interface RegisterDescription {
  /** Specification name, such as `CC` or `SQ3TDBL`. */
  readonly name: string;
  readonly title: string;
  /** Bytes from the start of the BAR. */
  readonly offset: number;
  readonly width: RegisterWidth;
  /** Value after reset. */
  readonly reset: bigint;
  /** Bits that a driver's write changes. */
  readonly writable: bigint;
  /** Bits that a driver clears by writing 1. */
  readonly writeOneToClear?: bigint;
  /** Writable bits that the device clears by itself once a driver wrote 1: they start something. */
  readonly selfClearing?: bigint;
  /**
   * The model answers a driver's read (`Device.answerRead`), which waits for it: for a register that reading changes, or
   * whose value is made when it is read. Others are read from BAR memory.
   */
  readonly answered?: boolean;
  readonly fields?: readonly FieldDescription[];
  /** Section of the specification, such as `NVMe 1.4, 3.1.5`. */
  readonly specification?: string;
}

/** 32 bits of a register after a driver's write: read-only bits stay, write-1-to-clear ones go where 1 is written. */
export function afterWrite(
  before: number,
  written: number,
  writable: number,
  writeOneToClear: number,
): number {
  return ((before & ~writable) | (written & writable)) & ~(written & writeOneToClear);
}

/** Bytes `offset` to `offset + length` of a BAR. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Where the model answers reads; neighbouring registers are one range. */
export function answeredRanges(registers: readonly RegisterDescription[]): ByteRange[] {
  const ranges: ByteRange[] = [];
  for (const { offset, width, answered } of registers) {
    if (answered !== true) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last.offset + last.length === offset)
      ranges[ranges.length - 1] = { offset: last.offset, length: last.length + width };
    else ranges.push({ offset, length: width });
  }
  return ranges;
}
