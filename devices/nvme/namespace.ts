/** The one namespace: a block backend, seen in logical blocks. */

import type { BlockBackend } from '../sdk/device.ts';
import { OptionError } from '../sdk/options.ts';

/** LBA formats, by index (NVMe 1.4, figure 246): no metadata. */
export const LBA_SHIFTS = [9, 12] as const;

export class Namespace {
  readonly backend: BlockBackend;
  /** Index in {@link LBA_SHIFTS}. */
  format: number;
  shift: number;
  blocks: number;

  constructor(backend: BlockBackend, blockSize: number) {
    this.backend = backend;
    this.format = blockSize === 4096 ? 1 : 0;
    this.shift = LBA_SHIFTS[this.format]!;
    if (backend.size === 0 || backend.size % blockSize !== 0) {
      throw new OptionError(
        'image',
        `the image holds ${backend.size} bytes, which is no multiple of the block size; accepted are multiples of ${blockSize}`,
      );
    }
    this.blocks = backend.size / blockSize;
  }

  get blockSize(): number {
    return 1 << this.shift;
  }

  /** Format NVM: everything is gone. An end that is no whole block is not used. */
  reformat(format: number): void {
    this.format = format;
    this.shift = LBA_SHIFTS[format]!;
    this.blocks = Math.floor(this.backend.size / (1 << this.shift));
    this.backend.discard(0, this.backend.size);
  }
}
