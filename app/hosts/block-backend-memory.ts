import type { BlockBackend, Extent } from '#devices/sdk/device.ts';
import type { DmaBuffer, DmaPort } from '#devices/sdk/dma.ts';
import { checkBuffer, checkRange, checkSize } from './block-backend-range.ts';
import { LabError } from './errors.ts';

/**
 * Bytes of one extent. Its pages take memory only when touched, so a large one costs nothing, and transfers rarely
 * straddle two.
 */
export const EXTENT_BYTES = 4 << 20;

/** A disk in memory, allocated as it is written. DMA reaches it directly. */
export class MemoryBackend implements BlockBackend {
  readonly size: number;
  readonly direct = true;
  readonly #dma: DmaPort;
  readonly #extents: (DmaBuffer | undefined)[];
  /** What untouched ranges read as; never written. */
  #zeroes: DmaBuffer | undefined;
  #touched = 0;

  constructor(size: number, dma: DmaPort) {
    checkSize(size);
    this.size = size;
    this.#dma = dma;
    this.#extents = new Array<DmaBuffer | undefined>(Math.ceil(size / EXTENT_BYTES)).fill(undefined);
  }

  /** Bytes of extents allocated so far. */
  get touched(): number {
    return this.#touched;
  }

  extent(offset: number, forWrite: boolean, out: Extent): number {
    checkRange(this.size, offset, 1);
    const index = Math.floor(offset / EXTENT_BYTES);
    const within = offset - index * EXTENT_BYTES;
    out.buffer = this.#extents[index] ?? (forWrite ? this.#allocate(index) : this.#zero());
    out.offset = within;
    return this.#extentSize(index) - within;
  }

  load(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void {
    checkRange(this.size, offset, length);
    checkBuffer(buffer, bufferOffset, length);
    for (let done = 0; done < length; ) {
      const index = Math.floor((offset + done) / EXTENT_BYTES);
      const within = offset + done - index * EXTENT_BYTES;
      const part = Math.min(length - done, EXTENT_BYTES - within);
      const bytes = this.#extents[index]?.bytes;
      const target = bufferOffset + done;
      if (bytes === undefined) buffer.fill(0, target, target + part);
      else buffer.set(bytes.subarray(within, within + part), target);
      done += part;
    }
  }

  store(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void {
    checkRange(this.size, offset, length);
    checkBuffer(buffer, bufferOffset, length);
    for (let done = 0; done < length; ) {
      const index = Math.floor((offset + done) / EXTENT_BYTES);
      const within = offset + done - index * EXTENT_BYTES;
      const part = Math.min(length - done, EXTENT_BYTES - within);
      const { bytes } = this.#extents[index] ?? this.#allocate(index);
      bytes.set(buffer.subarray(bufferOffset + done, bufferOffset + done + part), within);
      done += part;
    }
  }

  discard(offset: number, length: number): void {
    checkRange(this.size, offset, length);
    for (let done = 0; done < length; ) {
      const index = Math.floor((offset + done) / EXTENT_BYTES);
      const within = offset + done - index * EXTENT_BYTES;
      const part = Math.min(length - done, EXTENT_BYTES - within);
      const extent = this.#extents[index];
      done += part;
      if (extent === undefined) continue;
      if (part === extent.bytes.length) this.#release(index, extent);
      else extent.bytes.fill(0, within, within + part);
    }
  }

  flush(): void {
    // Memory is as durable as it gets.
  }

  /** Gives everything back; the disk reads as zeroes afterwards. */
  close(): void {
    this.discard(0, this.size);
    if (this.#zeroes !== undefined) this.#dma.release(this.#zeroes);
    this.#zeroes = undefined;
  }

  #extentSize(index: number): number {
    return Math.min(EXTENT_BYTES, this.size - index * EXTENT_BYTES);
  }

  #zero(): DmaBuffer {
    return (this.#zeroes ??= this.#take(this.#extentSize(0)));
  }

  #allocate(index: number): DmaBuffer {
    const buffer = this.#take(this.#extentSize(index));
    this.#extents[index] = buffer;
    this.#touched += buffer.bytes.length;
    return buffer;
  }

  #release(index: number, extent: DmaBuffer): void {
    this.#extents[index] = undefined;
    this.#touched -= extent.bytes.length;
    this.#dma.release(extent);
  }

  #take(size: number): DmaBuffer {
    try {
      return this.#dma.allocate(size);
    } catch (cause) {
      throw new LabError(
        'NO_MEMORY',
        `The disk needs ${size} bytes more, and there is no memory left (${this.#touched} bytes are in use).`,
        'Use an image file, or a smaller disk.',
        { cause },
      );
    }
  }
}
