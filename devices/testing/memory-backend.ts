/** Storage in memory: direct (extents that DMA reaches) or, to play an image file, through load and store. */
import type { BlockBackend, Extent } from '../sdk/device.ts';
import type { DmaBuffer, DmaPort } from '../sdk/dma.ts';

/** Extents are made when they are first written. */
export class MemoryBackend implements BlockBackend {
  readonly size: number;
  readonly direct = true;
  readonly extentBytes: number;
  private readonly dma: DmaPort;
  private readonly extents: (DmaBuffer | null)[];
  private readonly zeroes: DmaBuffer;
  flushes = 0;

  constructor(dma: DmaPort, size: number, extentBytes = 256 * 1024) {
    this.dma = dma;
    this.size = size;
    this.extentBytes = extentBytes;
    this.extents = new Array<DmaBuffer | null>(Math.ceil(size / extentBytes)).fill(null);
    this.zeroes = dma.allocate(extentBytes);
  }

  get allocated(): number {
    return this.extents.filter((extent) => extent !== null).length;
  }

  extent(offset: number, forWrite: boolean, out: Extent): number {
    if (offset < 0 || offset >= this.size) throw new RangeError(`offset ${offset} is outside the disk`);
    const index = Math.floor(offset / this.extentBytes);
    let buffer = this.extents[index]!;
    if (buffer === null && forWrite) {
      buffer = this.dma.allocate(this.extentBytes);
      this.extents[index] = buffer;
    }
    out.buffer = buffer ?? this.zeroes;
    out.offset = offset - index * this.extentBytes;
    return Math.min(this.extentBytes - out.offset, this.size - offset);
  }

  load(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void {
    this.each(offset, length, false, (bytes, from, done) => {
      buffer.set(bytes, bufferOffset + done);
      void from;
    });
  }

  store(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void {
    this.each(offset, length, true, (bytes, _from, done) => {
      bytes.set(buffer.subarray(bufferOffset + done, bufferOffset + done + bytes.length));
    });
  }

  discard(offset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = offset + done;
      const index = Math.floor(at / this.extentBytes);
      const from = at - index * this.extentBytes;
      const piece = Math.min(this.extentBytes - from, length - done);
      const buffer = this.extents[index]!;
      if (buffer !== null) {
        if (piece === this.extentBytes) {
          this.dma.release(buffer);
          this.extents[index] = null;
        } else buffer.bytes.fill(0, from, from + piece);
      }
      done += piece;
    }
  }

  flush(): void {
    this.flushes++;
  }

  private each(
    offset: number,
    length: number,
    forWrite: boolean,
    visit: (bytes: Uint8Array, offset: number, done: number) => void,
  ): void {
    const out: Extent = { buffer: this.zeroes, offset: 0 };
    for (let done = 0; done < length; ) {
      const piece = Math.min(length - done, this.extent(offset + done, forWrite, out));
      visit(out.buffer.bytes.subarray(out.offset, out.offset + piece), offset + done, done);
      done += piece;
    }
  }
}

/** Bytes that a model may only load and store, as an image file is. Can be told to fail. */
export class FileLikeBackend implements BlockBackend {
  readonly size: number;
  readonly direct = false;
  readonly bytes: Uint8Array;
  flushes = 0;
  failReads = false;
  failWrites = false;

  constructor(size: number) {
    this.size = size;
    this.bytes = new Uint8Array(size);
  }

  extent(): number {
    throw new Error('this backend has no extents');
  }

  load(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void {
    this.check(offset, length);
    if (this.failReads) throw new Error('input/output error');
    buffer.set(this.bytes.subarray(offset, offset + length), bufferOffset);
  }

  store(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void {
    this.check(offset, length);
    if (this.failWrites) throw new Error('no space left on device');
    this.bytes.set(buffer.subarray(bufferOffset, bufferOffset + length), offset);
  }

  discard(offset: number, length: number): void {
    this.check(offset, length);
    this.bytes.fill(0, offset, offset + length);
  }

  flush(): void {
    if (this.failWrites) throw new Error('no space left on device');
    this.flushes++;
  }

  private check(offset: number, length: number): void {
    if (offset < 0 || length <= 0 || offset + length > this.size)
      throw new RangeError(`${length} bytes at ${offset} are outside the disk of ${this.size}`);
  }
}
