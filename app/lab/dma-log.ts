/**
 * The last DMA transfers of one device, with their first bytes. One thread writes, any thread reads: the memory is
 * shared, so that looking at it costs the device nothing and it outlives the device's thread.
 */
import type { DmaContent } from '#contract/dma.ts';
import { placeOf } from './access-places.ts';
import { DMA_STATUS_TEXT } from './trace-text.ts';

/** Entries kept; a power of two. */
export const DMA_LOG_ENTRIES = 8192;
/** Bytes of a transfer that are kept. */
export const DMA_CAPTURE_BYTES = 64;

/** By `TransferContent`. */
const CONTENTS: readonly DmaContent[] = ['', 'data', 'commands', 'completions', 'list', 'doorbells'];

const HEAD_BYTES = 8;
const ENTRY_BYTES = 8 + 8 + 8 + 4 + 4 + 4 + 4 + 4 + 4;
export const DMA_LOG_BYTES = HEAD_BYTES + DMA_LOG_ENTRIES * (ENTRY_BYTES + DMA_CAPTURE_BYTES);

export interface DmaLogEntry {
  /** Counts up from 1. */
  readonly id: number;
  readonly time: number;
  readonly direction: 'read' | 'write';
  readonly address: number;
  readonly peer: boolean;
  readonly length: number;
  readonly status: string;
  readonly cause: number;
  readonly captured: number;
  readonly content: DmaContent;
  readonly queue: number;
  readonly place?: { readonly bar: number | 'config'; readonly offset: number };
  readonly took: number;
  readonly together: number;
}

/** In a content code: it is not host memory, but another device's. */
export const PEER = 2;

/** What a transfer carries, of which queue, as one number. */
export function contentCode(content: number, queue: number): number {
  return (content << 4) | (queue << 16);
}

export class DmaLog {
  readonly #head: Float64Array;
  readonly #time: Float64Array;
  readonly #address: Float64Array;
  readonly #length: Uint32Array;
  readonly #place: Float64Array;
  /** bit 0: write; bit 1: peer to peer; bits 4-7: content; bits 8-15: status; bits 16-31: queue. */
  readonly #info: Uint32Array;
  readonly #cause: Uint32Array;
  readonly #captured: Uint32Array;
  readonly #took: Float32Array;
  readonly #together: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;

  constructor(memory: SharedArrayBuffer, offset = 0) {
    let at = offset;
    const take = (bytes: number): number => {
      const start = at;
      at += bytes;
      return start;
    };
    this.#head = new Float64Array(memory, take(HEAD_BYTES), 1);
    this.#time = new Float64Array(memory, take(8 * DMA_LOG_ENTRIES), DMA_LOG_ENTRIES);
    this.#address = new Float64Array(memory, take(8 * DMA_LOG_ENTRIES), DMA_LOG_ENTRIES);
    this.#place = new Float64Array(memory, take(8 * DMA_LOG_ENTRIES), DMA_LOG_ENTRIES);
    this.#length = new Uint32Array(memory, take(4 * DMA_LOG_ENTRIES), DMA_LOG_ENTRIES);
    this.#info = new Uint32Array(memory, take(4 * DMA_LOG_ENTRIES), DMA_LOG_ENTRIES);
    this.#cause = new Uint32Array(memory, take(4 * DMA_LOG_ENTRIES), DMA_LOG_ENTRIES);
    this.#captured = new Uint32Array(memory, take(4 * DMA_LOG_ENTRIES), DMA_LOG_ENTRIES);
    this.#took = new Float32Array(memory, take(4 * DMA_LOG_ENTRIES), DMA_LOG_ENTRIES);
    this.#together = new Uint32Array(memory, take(4 * DMA_LOG_ENTRIES), DMA_LOG_ENTRIES);
    const bytesAt = take(DMA_CAPTURE_BYTES * DMA_LOG_ENTRIES);
    this.#bytes = new Uint8Array(memory, bytesAt, DMA_CAPTURE_BYTES * DMA_LOG_ENTRIES);
    this.#words = new Uint32Array(memory, bytesAt, (DMA_CAPTURE_BYTES / 4) * DMA_LOG_ENTRIES);
  }

  /** Id of the newest entry; 0 when there is none. */
  get newest(): number {
    return this.#head[0]!;
  }

  /** How many there are. */
  get kept(): number {
    return Math.min(this.newest, DMA_LOG_ENTRIES);
  }

  /**
   * Appends a transfer; `words` views the bytes of its buffer (or is empty), `offset` is a byte offset in it. `content`: see
   * {@link contentCode} and {@link PEER}; `place`: of the access that caused it; `took`: ns, of `together` transfers and interrupts.
   */
  push(
    time: number,
    write: boolean,
    address: number,
    length: number,
    status: number,
    cause: number,
    bytes: Uint8Array,
    words: Uint32Array,
    offset: number,
    content: number,
    place: number,
    took: number,
    together: number,
  ): void {
    const id = this.newest + 1;
    const slot = id & (DMA_LOG_ENTRIES - 1);
    this.#time[slot] = time;
    this.#address[slot] = address;
    this.#length[slot] = length;
    this.#info[slot] = (write ? 1 : 0) | (status << 8) | content;
    this.#cause[slot] = cause;
    this.#place[slot] = place;
    this.#took[slot] = took;
    this.#together[slot] = together;
    const captured = status !== 0 ? 0 : Math.min(length, DMA_CAPTURE_BYTES);
    this.#captured[slot] = captured;
    if (words.length > 0 && ((offset | captured) & 3) === 0) {
      const from = offset >>> 2;
      const to = slot * (DMA_CAPTURE_BYTES / 4);
      for (let word = 0; word < captured >>> 2; word++) this.#words[to + word] = words[from + word]!;
    } else {
      const to = slot * DMA_CAPTURE_BYTES;
      for (let byte = 0; byte < captured; byte++) this.#bytes[to + byte] = bytes[offset + byte]!;
    }
    this.#head[0] = id;
  }

  /** Undefined when it was never written or is overwritten. */
  entry(id: number): DmaLogEntry | undefined {
    const newest = this.newest;
    if (id < 1 || id > newest || id <= newest - DMA_LOG_ENTRIES) return undefined;
    const slot = id & (DMA_LOG_ENTRIES - 1);
    const info = this.#info[slot]!;
    const status = (info >>> 8) & 0xff;
    const place = placeOf(this.#place[slot]!);
    return {
      id,
      time: this.#time[slot]!,
      direction: (info & 1) === 0 ? 'read' : 'write',
      address: this.#address[slot]!,
      peer: (info & PEER) !== 0,
      length: this.#length[slot]!,
      status: DMA_STATUS_TEXT[status] ?? `status ${status}`,
      cause: this.#cause[slot]!,
      captured: this.#captured[slot]!,
      content: CONTENTS[(info >>> 4) & 0xf] ?? '',
      queue: info >>> 16,
      ...(place === undefined ? {} : { place }),
      took: this.#took[slot]!,
      together: this.#together[slot]!,
    };
  }

  bytes(id: number): Uint8Array {
    const slot = id & (DMA_LOG_ENTRIES - 1);
    const start = slot * DMA_CAPTURE_BYTES;
    return new Uint8Array(this.#bytes.subarray(start, start + this.#captured[slot]!));
  }
}
