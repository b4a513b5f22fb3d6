import { describe, expect, it } from 'vitest';
import type { DisplayFormat } from './display.ts';
import { Packer, unpackPixels } from './packing.ts';
import { convertPixels, PIXEL_BYTES } from './pixels.ts';

const formats: readonly DisplayFormat[] = ['RGB24', 'XRGB8888', 'RGB565', 'PALETTE8'];
const palette = Int32Array.from({ length: 256 }, (_, index) => index * 0x010305);

/** Numbers that look random, the same ones every time. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** `pixel` gives the value of each; what is left of a format's bytes is not part of a pixel, and differs. */
function picture(
  format: DisplayFormat,
  width: number,
  rows: number,
  pixel: (x: number, y: number) => number,
): Uint8Array {
  const step = PIXEL_BYTES[format];
  const bytes = new Uint8Array(width * rows * step);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < width; x++) {
      const value = pixel(x, y);
      for (let byte = 0; byte < step; byte++)
        bytes[(y * width + x) * step + byte] = byte < 3 ? value >>> (8 * byte) : x + y;
    }
  }
  return bytes;
}

const same = (one: Int32Array, other: Int32Array): boolean =>
  one.length === other.length && one.every((word, index) => word === other[index]);

/** Packs, unpacks, compares with what was not packed. Bytes of the packed part; 0: it is left as it is. */
function roundTrip(format: DisplayFormat, width: number, rows: number, bytes: Uint8Array): number {
  const start = 3;
  const packed = new Uint8Array(start + bytes.length + Packer.slack(width));
  const length = new Packer().pack(format, bytes, 0, width, rows, packed, start);
  expect(length).toBeLessThan(bytes.length);
  if (length === 0) return 0;
  const stride = width + 5;
  const expected = new Int32Array(stride * rows + 7);
  const unpacked = expected.slice();
  convertPixels(format, palette, bytes, 0, width * PIXEL_BYTES[format], expected, 7, stride, width, rows);
  unpackPixels(format, palette, packed.subarray(0, start + length), start, unpacked, 7, stride, width, rows);
  expect(same(unpacked, expected)).toBe(true);
  return length;
}

describe.each(formats)('%s', (format) => {
  it('one colour takes some bytes a row', () => {
    expect(
      roundTrip(
        format,
        640,
        48,
        picture(format, 640, 48, () => 0xa1b2c3),
      ),
    ).toBeLessThan(48 * 8);
  });

  it('a picture that is scaled up takes a byte for two pixels of every other row', () => {
    const random = randomNumbers(1);
    const small = Uint8Array.from({ length: 320 * 24 }, () => random(200));
    const scaled = picture(
      format,
      640,
      48,
      (x, y) => small[(y >> 1) * 320 + (x >> 1)]! * (format === 'PALETTE8' ? 1 : 0x0103),
    );
    const length = roundTrip(format, 640, 48, scaled);
    expect(length).toBeGreaterThan(0);
    expect(length).toBeLessThan(320 * 24 * 1.2);
  });

  it('runs, rows, pairs and single pixels of any length, mixed', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomNumbers(seed);
      const width = 1 + random(200);
      const rows = 1 + random(40);
      const colors = 1 + random(seed % 3 === 0 ? 400 : 40);
      let value = 0;
      let left = 0;
      const above = new Map<number, number>();
      const mixed = picture(format, width, rows, (x) => {
        if (left-- <= 0) {
          left = random(random(4) === 0 ? 150 : 4);
          value = random(3) === 0 ? -1 : random(colors) * (format === 'PALETTE8' ? 1 : 37);
        }
        const one = value < 0 ? (above.get(x) ?? 5) : value;
        above.set(x, one);
        return one;
      });
      roundTrip(format, width, rows, mixed);
    }
  });

  it('noise is left as it is', () => {
    const random = randomNumbers(3);
    const noise = picture(format, 128, 64, () => random(2 ** 24));
    expect(roundTrip(format, 128, 64, noise)).toBe(0);
  });
});

it.each([255, 256, 257])('%i colours', (count) => {
  const bytes = picture('XRGB8888', 64, 64, (x, y) => (((y * 64 + x) >> 1) % count) * 0x10101);
  const length = roundTrip('XRGB8888', 64, 64, bytes);
  // With few of them a pair is a byte, and each colour comes once.
  const few = (64 * 64) / 2 + count * 3 + 64 * 3;
  if (count <= 256) expect(length).toBeLessThanOrEqual(few);
  else expect(length).toBeGreaterThan(few);
});

it('keeps its memory from one part to the next, of any width', () => {
  const packer = new Packer();
  const to = new Uint8Array(64 * 64 * 4 + Packer.slack(64));
  for (const [width, color] of [
    [64, 1],
    [10, 2],
    [33, 3],
  ] as const) {
    const bytes = picture('RGB24', width, 20, (x) => color * (1 + (x >> 3)));
    const length = packer.pack('RGB24', bytes, 0, width, 20, to, 0);
    const expected = new Int32Array(width * 20);
    const unpacked = expected.slice();
    convertPixels('RGB24', palette, bytes, 0, width * 3, expected, 0, width, width, 20);
    unpackPixels('RGB24', palette, to.subarray(0, length), 0, unpacked, 0, width, width, 20);
    expect(same(unpacked, expected)).toBe(true);
  }
});

it('bytes that are no packed part end', () => {
  const random = randomNumbers(9);
  const to = new Int32Array(64 * 16);
  for (let tries = 0; tries < 200; tries++) {
    const bytes = Uint8Array.from({ length: random(300) }, () => random(256));
    unpackPixels('RGB565', palette, bytes, 0, to, 0, 64, 64, 16);
  }
  expect(to.length).toBe(64 * 16);
});
