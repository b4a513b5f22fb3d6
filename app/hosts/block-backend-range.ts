/** Checks that both kinds of storage share. */
import { LabError } from './errors.ts';

export const SECTOR = 512;

export function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size <= 0 || size % SECTOR !== 0) {
    throw new LabError(
      'DISK_SIZE',
      `A disk of ${size} bytes cannot be made.`,
      `Give a size above 0 that is a multiple of ${SECTOR} bytes.`,
    );
  }
}

/** A wrong range is a mistake of the model, so it is no LabError. */
export function checkRange(size: number, offset: number, length: number): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
    throw new RangeError(`${length} bytes at ${offset} are outside a disk of ${size} bytes`);
  }
}

export function checkBuffer(buffer: Uint8Array, bufferOffset: number, length: number): void {
  if (!(bufferOffset >= 0 && length >= 0 && bufferOffset + length <= buffer.length)) {
    throw new RangeError(`${length} bytes at ${bufferOffset} are outside a buffer of ${buffer.length} bytes`);
  }
}
