/** A device's picture as a PNG file (ISO/IEC 15948). */
import { rename, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32, deflateSync } from 'node:zlib';
import { blend, convertPixels, PALETTE_COLORS } from '#contract/pixels.ts';
import { type DisplayMemory, PIXEL_FORMAT_NAMES } from '#devices/sdk/display.ts';

/** Looks, 1 ms apart, for a picture that is not being drawn on; then a torn one is better than none. */
const TRIES = 100;
const SIGNATURE = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Pictures that the device had finished. */
  readonly frames: number;
  /** Red, green, blue, alpha. */
  readonly pixels: Uint8Array;
}

function snapshot(display: DisplayMemory): { picture: Picture; whole: boolean } {
  const before = display.writing;
  const { width, height, pitch, format, frames, cursor, bytes } = display;
  const colors = new Int32Array(width * height);
  const palette = Int32Array.from({ length: PALETTE_COLORS }, (_, entry) => display.color(entry));
  convertPixels(PIXEL_FORMAT_NAMES[format]!, palette, bytes, 0, pitch, colors, 0, width, width, height);
  if (cursor.on) {
    const image = new Int32Array(display.cursorImage.slice().buffer);
    for (let y = Math.max(0, cursor.y); y < Math.min(height, cursor.y + cursor.height); y++) {
      for (let x = Math.max(0, cursor.x); x < Math.min(width, cursor.x + cursor.width); x++) {
        const over = image[(y - cursor.y) * cursor.width + x - cursor.x]!;
        colors[y * width + x] = blend(over, colors[y * width + x]!);
      }
    }
  }
  return {
    picture: { width, height, frames, pixels: new Uint8Array(colors.buffer) },
    whole: before % 2 === 0 && display.writing === before,
  };
}

export async function takePicture(display: DisplayMemory): Promise<Picture> {
  for (let tries = 0; ; tries++) {
    const { picture, whole } = snapshot(display);
    if (whole || tries === TRIES) return picture;
    await delay(1);
  }
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

/** Colours without alpha: the picture is opaque. */
export function encodePng({ width, height, pixels }: Picture): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  // 8 bits a sample, true colour.
  header.set([8, 2], 8);
  const pitch = 1 + width * 3;
  const rows = new Uint8Array(pitch * height);
  for (let y = 0; y < height; y++) {
    // The first byte of a row is its filter: none.
    for (let from = y * width * 4, to = y * pitch + 1; to < (y + 1) * pitch; from += 4, to += 3) {
      rows[to] = pixels[from]!;
      rows[to + 1] = pixels[from + 1]!;
      rows[to + 2] = pixels[from + 2]!;
    }
  }
  const body = deflateSync(rows, { level: 1 });
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', body),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

/** Writes it so that whoever waits for the file never finds half of it. */
export async function writePng(path: string, picture: Picture): Promise<void> {
  const part = `${path}.part`;
  await writeFile(part, encodePng(picture));
  await rename(part, path);
}
