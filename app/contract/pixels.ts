/** Pixels as display adapters have them, and as canvases and files do: red, green, blue, 255 from the lowest byte up. */
import type { DisplayFormat } from './display.ts';

const OPAQUE = 0xff00_0000 | 0;
export const PIXEL_BYTES: Readonly<Record<DisplayFormat, number>> = {
  RGB24: 3,
  XRGB8888: 4,
  RGB565: 2,
  PALETTE8: 1,
};
export const PALETTE_COLORS = 256;

/**
 * Converts `rows` rows of `width` pixels. They begin at byte `at` of `from`, `pitch` bytes apart, and go to `to`, from
 * pixel `start`, `stride` pixels apart.
 */
export function convertPixels(
  format: DisplayFormat,
  palette: Int32Array,
  from: Uint8Array,
  at: number,
  pitch: number,
  to: Int32Array,
  start: number,
  stride: number,
  width: number,
  rows: number,
): void {
  const convert = converters[format];
  // Words where every row begins at one.
  const aligned = (from.byteOffset + at) % 4 === 0 && pitch % 4 === 0;
  const words = aligned
    ? new Int32Array(
        from.buffer,
        from.byteOffset + at,
        ((rows - 1) * pitch + width * PIXEL_BYTES[format]) >>> 2,
      )
    : none;
  for (let row = 0; row < rows; row++)
    convert(from, at + row * pitch, words, (row * pitch) >>> 2, to, start + row * stride, width, palette);
}

const none = new Int32Array(0);

function fromXrgb(pixel: number): number {
  return ((pixel >>> 16) & 0xff) | (pixel & 0xff00) | ((pixel & 0xff) << 16) | OPAQUE;
}

function from565(pixel: number): number {
  const red = pixel >>> 11;
  const green = (pixel >>> 5) & 0x3f;
  const blue = pixel & 0x1f;
  return (
    (red << 3) |
    (red >>> 2) |
    (((green << 2) | (green >>> 4)) << 8) |
    (((blue << 3) | (blue >>> 2)) << 16) |
    OPAQUE
  );
}

/** One pixel, whose bytes make `value`, the lowest first. */
export function convertPixel(format: DisplayFormat, palette: Int32Array, value: number): number {
  if (format === 'XRGB8888') return fromXrgb(value);
  if (format === 'RGB24') return value | OPAQUE;
  return format === 'RGB565' ? from565(value) : palette[value]!;
}

/** One row. `words` are its bytes from word `word` on, or none. */
type Converter = (
  bytes: Uint8Array,
  at: number,
  words: Int32Array,
  word: number,
  to: Int32Array,
  start: number,
  count: number,
  palette: Int32Array,
) => void;

const converters: Readonly<Record<DisplayFormat, Converter>> = {
  RGB24(bytes, at, words, word, to, start, count) {
    // Four pixels out of three words.
    const fast = words.length > 0 ? count & ~3 : 0;
    for (let i = 0, w = word; i < fast; i += 4, w += 3) {
      const first = words[w]!;
      const second = words[w + 1]!;
      const third = words[w + 2]!;
      to[start + i] = first | OPAQUE;
      to[start + i + 1] = (first >>> 24) | (second << 8) | OPAQUE;
      to[start + i + 2] = (second >>> 16) | (third << 16) | OPAQUE;
      to[start + i + 3] = (third >>> 8) | OPAQUE;
    }
    for (let i = fast, b = at + fast * 3; i < count; i++, b += 3)
      to[start + i] = bytes[b]! | (bytes[b + 1]! << 8) | (bytes[b + 2]! << 16) | OPAQUE;
  },
  XRGB8888(bytes, at, words, word, to, start, count) {
    const fast = words.length > 0 ? count : 0;
    for (let i = 0; i < fast; i++) to[start + i] = fromXrgb(words[word + i]!);
    for (let i = fast, b = at; i < count; i++, b += 4)
      to[start + i] = bytes[b + 2]! | (bytes[b + 1]! << 8) | (bytes[b]! << 16) | OPAQUE;
  },
  RGB565(bytes, at, _words, _word, to, start, count) {
    for (let i = 0, b = at; i < count; i++, b += 2) to[start + i] = from565(bytes[b]! | (bytes[b + 1]! << 8));
  },
  PALETTE8(bytes, at, _words, _word, to, start, count, palette) {
    for (let i = 0; i < count; i++) to[start + i] = palette[bytes[at + i]!]!;
  },
};

const channel = (over: number, below: number, rest: number): number =>
  Math.min(255, over + Math.round((below * rest) / 255));

/** A premultiplied pixel of ARGB8888 over an opaque one. */
export function blend(argb: number, below: number): number {
  const rest = 255 - (argb >>> 24);
  return (
    OPAQUE |
    channel((argb >>> 16) & 0xff, below & 0xff, rest) |
    (channel((argb >>> 8) & 0xff, (below >>> 8) & 0xff, rest) << 8) |
    (channel(argb & 0xff, (below >>> 16) & 0xff, rest) << 16)
  );
}
