/**
 * What configuration space held at any time: the bytes at the start, and every change since. Driver's accesses tell most of
 * it as they happen; what a device or its host changes is known from when it was next looked at. The memory is bounded: the
 * oldest changes become part of the start.
 */
import type { ConfigImage } from '#devices/sdk/device.ts';

/** Changes that are kept. */
export const KEPT_CHANGES = 8192;

export class ConfigLog {
  /** From when on the bytes are known. */
  from: number;
  /** Changes are no longer all kept. */
  cut = false;
  readonly #start: Uint8Array;
  readonly #now: Uint8Array;
  readonly #powerOn: Uint8Array;
  readonly #access: ConfigImage;
  /** Newest time at which all bytes were looked at. */
  #looked: number;
  readonly #limit: number;
  readonly #times: Float64Array;
  readonly #values: Uint32Array;
  readonly #places: Uint16Array;
  readonly #widths: Uint8Array;
  #first = 0;
  #count = 0;

  constructor(start: Uint8Array, access: ConfigImage, time: number, limit = KEPT_CHANGES) {
    this.#powerOn = start.slice();
    this.#start = start.slice();
    this.#now = start.slice();
    this.#access = access;
    this.from = time;
    this.#looked = time;
    this.#limit = limit;
    this.#times = new Float64Array(limit);
    this.#values = new Uint32Array(limit);
    this.#places = new Uint16Array(limit);
    this.#widths = new Uint8Array(limit);
  }

  get size(): number {
    return this.#now.length;
  }

  /** When all bytes were looked at last. */
  get looked(): number {
    return this.#looked;
  }

  /** What an access at this time found there. */
  before(offset: number, width: number, time: number): number {
    let value = 0;
    for (let at = width - 1; at >= 0; at--) value = (value << 8) | this.#byteBefore(offset + at, time);
    return value >>> 0;
  }

  #byteBefore(offset: number, time: number): number {
    if (time >= this.#looked) return this.#now[offset] ?? 0xff;
    // A look was ahead of the word of this access.
    let byte = this.#start[offset] ?? 0xff;
    for (let index = 0; index < this.#count; index++) {
      const slot = (this.#first + index) % this.#limit;
      const at = offset - this.#places[slot]!;
      if (at >= 0 && at < this.#widths[slot]! && this.#times[slot]! < time)
        byte = (this.#values[slot]! >>> (at * 8)) & 0xff;
    }
    return byte;
  }

  /** The function was reset at this time: all is as power-on gave it. */
  reset(time: number): void {
    this.#differing(this.#powerOn, time);
  }

  /** A driver wrote; bits are taken as configuration space takes them. */
  written(offset: number, width: number, value: number, time: number): void {
    let now = 0;
    for (let at = width - 1; at >= 0; at--) {
      const was = this.#now[offset + at] ?? 0xff;
      const writable = this.#access.writable[offset + at] ?? 0;
      const clearable = this.#access.clearable[offset + at] ?? 0;
      const byte = (value >>> (at * 8)) & 0xff;
      now = (now << 8) | (((was & ~writable) | (byte & writable)) & ~(byte & clearable));
    }
    // A look that came before the word of this write found it already: it is as old as it says.
    this.#take(offset, width, now, time, time < this.#looked);
  }

  /** These bytes were there at this time. What is older than the last look tells nothing new. */
  seen(offset: number, width: number, value: number, time: number): void {
    if (time >= this.#looked) this.#take(offset, width, value, time, false);
  }

  #take(offset: number, width: number, value: number, time: number, always: boolean): void {
    if (offset + width > this.#now.length) return;
    let changed = false;
    for (let at = 0; at < width; at++) {
      const byte = (value >>> (at * 8)) & 0xff;
      if (this.#now[offset + at] === byte) continue;
      this.#now[offset + at] = byte;
      changed = true;
    }
    if (changed || always) this.#push(offset, width, value, time);
  }

  /** All bytes, as they are at this time. */
  look(bytes: Uint8Array, time: number): void {
    this.#looked = Math.max(this.#looked, time);
    this.#differing(bytes, this.#looked);
  }

  #differing(bytes: Uint8Array, time: number): void {
    const now = this.#now;
    for (let offset = 0; offset < now.length; offset += 4) {
      if (
        bytes[offset] === now[offset] &&
        bytes[offset + 1] === now[offset + 1] &&
        bytes[offset + 2] === now[offset + 2] &&
        bytes[offset + 3] === now[offset + 3]
      )
        continue;
      const value =
        bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24);
      this.#take(offset, 4, value, time, false);
    }
  }

  /** The bytes as of a time, with what happened at that time; undefined: from before what is kept. */
  at(time: number): Uint8Array | undefined {
    if (time < this.from) return undefined;
    const bytes = this.#start.slice();
    for (let index = 0; index < this.#count; index++) {
      const slot = (this.#first + index) % this.#limit;
      if (this.#times[slot]! <= time) this.#put(bytes, slot);
    }
    return bytes;
  }

  #push(offset: number, width: number, value: number, time: number): void {
    if (this.#count === this.#limit) {
      this.#put(this.#start, this.#first);
      this.from = Math.max(this.from, this.#times[this.#first]!);
      this.cut = true;
      this.#first = (this.#first + 1) % this.#limit;
      this.#count--;
    }
    const slot = (this.#first + this.#count++) % this.#limit;
    this.#times[slot] = time;
    this.#values[slot] = value;
    this.#places[slot] = offset;
    this.#widths[slot] = width;
  }

  #put(bytes: Uint8Array, slot: number): void {
    const offset = this.#places[slot]!;
    const width = this.#widths[slot]!;
    const value = this.#values[slot]!;
    for (let at = 0; at < width; at++) bytes[offset + at] = (value >>> (at * 8)) & 0xff;
  }
}
