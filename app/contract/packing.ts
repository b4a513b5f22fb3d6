/**
 * Pixels made small for the way to a window. What adapters show has few colours, rows like the one above and, where a game
 * is scaled up, every pixel twice; noise is left as it is.
 *
 * A packed part is a byte that says how literals are written, then its rows, each a sequence of steps. A step is a byte:
 * its kind in bits 7:6, its count less one in bits 5:0; 63 says that the count follows, 16 bits, the lower byte first.
 *
 * - Kind 0: the pixel before, `count` times.
 * - Kind 1: `count` pixels of the row above.
 * - Kind 2: `count` literals, a pixel each.
 * - Kind 3: `count` literals, two equal pixels each.
 *
 * A literal is a pixel as the adapter has it (of XRGB8888 three bytes), or the index of a colour: one that is as large as
 * there are colours so far brings the next, whose bytes follow.
 */
import type { DisplayFormat } from './display.ts';
import { convertPixel, PIXEL_BYTES } from './pixels.ts';

const Kind = { before: 0x00, above: 0x40, literals: 0x80, doubled: 0xc0 } as const;
const Literals = { pixels: 0, colors: 1 } as const;
const LONG = 63;
/** Shorter ones are cheaper as literals. */
const SHORTEST_COPY = 4;
const MAX_COLORS = 256;
/** Ten bits of a hash. */
const SLOTS = 1024;
/** Rows after which a part that does not get smaller is given up. */
const TRIAL_ROWS = 16;

/** Share of its bytes that a part may have packed: packing and unpacking are work as well. */
const WORTH = 2 / 3;

const literalBytes = (format: DisplayFormat): number => Math.min(3, PIXEL_BYTES[format]);

/** Keeps its memory, as pictures come one after the other. */
export class Packer {
  #row = new Int32Array(0);
  #above = new Int32Array(0);
  readonly #colors = new Int32Array(SLOTS);
  readonly #indexes = new Uint8Array(SLOTS);
  #colorCount = 0;
  #indexed = false;
  #bytes = 0;
  #out: Uint8Array = new Uint8Array(0);
  #end = 0;

  // A row is at most a literal of an index and a colour for every pixel, and some steps.
  /** Bytes that `to` needs beyond those of the pixels, so that a part is never given up for want of room. */
  static slack(width: number): number {
    return width * 5 + 8;
  }

  /**
   * Packs `rows` rows of `width` pixels, which lie together from byte `at` of `from` on, to `to` from `start` on. Bytes
   * of the packed part; 0: it would not be smaller.
   */
  pack(
    format: DisplayFormat,
    from: Uint8Array,
    at: number,
    width: number,
    rows: number,
    to: Uint8Array,
    start: number,
  ): number {
    if (this.#row.length < width) {
      this.#row = new Int32Array(width);
      this.#above = new Int32Array(width);
    }
    this.#bytes = literalBytes(format);
    this.#out = to;
    // Indexes of one byte are as long as the pixels of a palette.
    if (this.#bytes > 1 && this.#packAs(true, format, from, at, width, rows, start)) return this.#end - start;
    return this.#packAs(false, format, from, at, width, rows, start) ? this.#end - start : 0;
  }

  #packAs(
    indexed: boolean,
    format: DisplayFormat,
    from: Uint8Array,
    at: number,
    width: number,
    rows: number,
    start: number,
  ): boolean {
    this.#indexed = indexed;
    if (indexed) this.#colors.fill(-1);
    this.#colorCount = 0;
    this.#out[start] = indexed ? Literals.colors : Literals.pixels;
    this.#end = start + 1;
    const pitch = width * PIXEL_BYTES[format];
    const aligned = (from.byteOffset + at) % 4 === 0 && pitch % 4 === 0;
    const words = aligned ? new Int32Array(from.buffer, from.byteOffset + at, (pitch * rows) / 4) : none;
    for (let row = 0; row < rows; row++) {
      const begin = at + row * pitch;
      if (aligned && row > 0 && sameAsAbove(words, (row * pitch) / 4, pitch / 4)) {
        this.#step(Kind.above, width);
        continue;
      }
      const before = this.#row;
      this.#row = this.#above;
      this.#above = before;
      gather(format, from, begin, this.#row, width);
      if (this.#end + Packer.slack(width) > this.#out.length) return false;
      if (!this.#packRow(width, row > 0)) return false;
      if (row === TRIAL_ROWS && this.#end - start >= row * pitch * WORTH) return false;
    }
    return this.#end - start < rows * pitch * WORTH;
  }

  /** False: there are too many colours. */
  #packRow(width: number, below: boolean): boolean {
    const pixels = this.#row;
    const above = this.#above;
    const out = this.#out;
    const colors = this.#colors;
    const indexes = this.#indexes;
    const indexed = this.#indexed;
    const last = width - 1;
    // Where the step of literals begins that is being written, and its count; 0: there is none.
    let header = 0;
    let kind = 0;
    let count = 0;
    let x = 0;
    while (x < width) {
      const pixel = pixels[x]!;
      let end = x;
      let copy: number = Kind.above;
      if (below && pixel === above[x]) {
        end++;
        while (end < width && pixels[end] === above[end]) end++;
      }
      if (end - x < SHORTEST_COPY && x > 0 && pixel === pixels[x - 1]) {
        end = x + 1;
        while (end < width && pixels[end] === pixel) end++;
        copy = Kind.before;
      }
      if (end - x >= SHORTEST_COPY) {
        if (count > 0) out[header] = kind | (count - 1);
        count = 0;
        this.#step(copy, end - x);
        x = end;
        continue;
      }
      // One pair by itself is not worth a step of pairs, nor the end of one of single pixels.
      const pair = x < last && pixels[x + 1] === pixel;
      const doubled = pair && (kind === Kind.doubled || (x + 2 < last && pixels[x + 2] === pixels[x + 3]));
      const wanted = doubled ? Kind.doubled : Kind.literals;
      if (count === 0 || count === LONG || kind !== wanted) {
        if (count > 0) out[header] = kind | (count - 1);
        kind = wanted;
        count = 0;
        header = this.#end++;
      }
      count++;
      x += doubled ? 2 : 1;
      if (!indexed) {
        this.#color(pixel);
        continue;
      }
      const slot = Math.imul(pixel, 0x9e3779b1) >>> 22;
      if (colors[slot] === pixel) out[this.#end++] = indexes[slot]!;
      else if (!this.#newOrFurther(pixel, slot)) return false;
    }
    if (count > 0) out[header] = kind | (count - 1);
    return true;
  }

  #step(kind: number, count: number): void {
    const out = this.#out;
    if (count <= LONG) {
      out[this.#end++] = kind | (count - 1);
      return;
    }
    out[this.#end++] = kind | LONG;
    out[this.#end++] = count & 0xff;
    out[this.#end++] = count >>> 8;
  }

  /** Writes the index of a colour that is not in its slot. False: it is one too many. */
  #newOrFurther(pixel: number, first: number): boolean {
    const colors = this.#colors;
    let slot = first;
    for (let color = colors[slot]!; color !== pixel; color = colors[slot]!) {
      if (color === -1) {
        if (this.#colorCount === MAX_COLORS) return false;
        colors[slot] = pixel;
        this.#indexes[slot] = this.#colorCount;
        this.#out[this.#end++] = this.#colorCount++;
        this.#color(pixel);
        return true;
      }
      slot = (slot + 1) % SLOTS;
    }
    this.#out[this.#end++] = this.#indexes[slot]!;
    return true;
  }

  #color(pixel: number): void {
    const out = this.#out;
    out[this.#end++] = pixel & 0xff;
    if (this.#bytes > 1) out[this.#end++] = (pixel >>> 8) & 0xff;
    if (this.#bytes > 2) out[this.#end++] = (pixel >>> 16) & 0xff;
  }
}

const none = new Int32Array(0);

function sameAsAbove(words: Int32Array, begin: number, length: number): boolean {
  for (let word = begin; word < begin + length; word++)
    if (words[word] !== words[word - length]) return false;
  return true;
}

/** A row's pixels as numbers. */
function gather(format: DisplayFormat, from: Uint8Array, at: number, row: Int32Array, width: number): void {
  if (format === 'PALETTE8') {
    for (let x = 0; x < width; x++) row[x] = from[at + x]!;
    return;
  }
  if (format === 'RGB565') {
    for (let x = 0, b = at; x < width; x++, b += 2) row[x] = from[b]! | (from[b + 1]! << 8);
    return;
  }
  if (format === 'XRGB8888' && (from.byteOffset + at) % 4 === 0) {
    const words = new Int32Array(from.buffer, from.byteOffset + at, width);
    for (let x = 0; x < width; x++) row[x] = words[x]! & 0xff_ffff;
    return;
  }
  const step = PIXEL_BYTES[format];
  for (let x = 0, b = at; x < width; x++, b += step)
    row[x] = from[b]! | (from[b + 1]! << 8) | (from[b + 2]! << 16);
}

const colors = new Int32Array(MAX_COLORS);

/**
 * Unpacks a part that begins at byte `at` of `from`, and converts it as `convertPixels` does: to `to`, from pixel `start`,
 * rows `stride` pixels apart.
 */
export function unpackPixels(
  format: DisplayFormat,
  palette: Int32Array,
  from: Uint8Array,
  at: number,
  to: Int32Array,
  start: number,
  stride: number,
  width: number,
  rows: number,
): void {
  const indexed = from[at] === Literals.colors;
  const bytes = literalBytes(format);
  let colorCount = 0;
  let next = at + 1;
  const color = (): number => {
    let value = from[next++]!;
    if (bytes > 1) value |= from[next++]! << 8;
    if (bytes > 2) value |= from[next++]! << 16;
    return convertPixel(format, palette, value);
  };
  for (let row = 0; row < rows; row++) {
    const end = start + row * stride + width;
    for (let pixel = end - width; pixel < end; ) {
      const step = from[next++]!;
      const kind = step & 0xc0;
      let count = (step & LONG) + 1;
      if (count > LONG) {
        count = from[next]! | (from[next + 1]! << 8);
        next += 2;
      }
      if (kind === Kind.before) {
        to.fill(to[pixel - 1]!, pixel, pixel + count);
        pixel += count;
      } else if (kind === Kind.above) {
        to.copyWithin(pixel, pixel - stride, pixel - stride + count);
        pixel += count;
      } else {
        for (; count > 0; count--) {
          let word: number;
          if (indexed) {
            const index = from[next++]!;
            if (index === colorCount && colorCount < MAX_COLORS) colors[colorCount++] = color();
            word = colors[index]!;
          } else word = color();
          to[pixel++] = word;
          if (kind === Kind.doubled) to[pixel++] = word;
        }
      }
    }
  }
}
