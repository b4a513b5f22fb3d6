/** Draws on the card's picture: lines, rectangles, images in every pixel format, and the cursor over all of them. */
import { BLACK, type Display } from '../sdk/display.ts';
import { Format, MAX_CURSOR, MAX_WIDTH } from './registers.ts';

const OPAQUE = BLACK | 0;

export class Raster {
  private readonly display: Display;
  private readonly row = new Int32Array(MAX_WIDTH);
  /** Colours of PALETTE8. */
  readonly palette = new Int32Array(256);
  /** Premultiplied, alpha in the highest byte. */
  private readonly cursor = new Int32Array(MAX_CURSOR * MAX_CURSOR);
  private readonly under = new Int32Array(MAX_CURSOR * MAX_CURSOR);
  /** The bytes last drawn from, and the same as words. */
  private bytes: Uint8Array | null = null;
  private words: Int32Array = new Int32Array(0);
  private cursorWidth = 0;
  private cursorHeight = 0;
  private cursorOn = false;
  private cursorX = 0;
  private cursorY = 0;
  /** What the cursor covers now; width 0: nothing. */
  private coveredX = 0;
  private coveredY = 0;
  private coveredWidth = 0;
  private coveredHeight = 0;

  constructor(display: Display) {
    this.display = display;
  }

  setMode(width: number, height: number): void {
    this.coveredWidth = 0;
    this.display.setMode(width, height);
    this.begin();
    this.end(false);
  }

  begin(): void {
    this.display.begin();
  }

  end(frame: boolean): void {
    this.cover();
    this.display.end(frame);
  }

  clear(pixel: number): void {
    const { width, height } = this.display;
    this.uncover(0, 0, width, height);
    this.row.fill(pixel, 0, width);
    for (let y = 0; y < height; y++) this.display.putRow(0, y, this.row, 0, width);
  }

  /** Bresenham's, both ends drawn; parts outside are left out. */
  line(x0: number, y0: number, x1: number, y1: number, pixel: number): void {
    const { display } = this;
    const { width, height } = display;
    this.uncover(0, 0, width, height);
    const dx = Math.abs(x1 - x0);
    const dy = -Math.abs(y1 - y0);
    const stepX = x0 < x1 ? 1 : -1;
    const stepY = y0 < y1 ? 1 : -1;
    let error = dx + dy;
    let x = x0;
    let y = y0;
    for (;;) {
      if (x < width && y < height) display.put(x, y, pixel);
      if (x === x1 && y === y1) return;
      const twice = 2 * error;
      if (twice >= dy) {
        error += dy;
        x += stepX;
      }
      if (twice <= dx) {
        error += dx;
        y += stepY;
      }
    }
  }

  /** RGB bytes without padding; parts outside are left out. */
  blit(bytes: Uint8Array, at: number, x: number, y: number, width: number, height: number): void {
    this.image(bytes, at, width * 3, Format.RGB24, x, y, width, height);
  }

  /** `at` is the place of the rectangle's first pixel. */
  image(
    bytes: Uint8Array,
    at: number,
    pitch: number,
    format: number,
    x: number,
    y: number,
    width: number,
    height: number,
  ): void {
    const { display } = this;
    const wide = Math.min(width, display.width - x);
    const tall = Math.min(height, display.height - y);
    if (wide <= 0 || tall <= 0) return;
    this.uncover(x, y, wide, tall);
    this.view(bytes);
    for (let line = 0; line < tall; line++) {
      const from = at + line * pitch;
      if (format === Format.RGB24) this.rgb24(bytes, from, wide);
      else if (format === Format.XRGB8888) this.xrgb8888(bytes, from, wide);
      else if (format === Format.RGB565) this.rgb565(bytes, from, wide);
      else this.palette8(bytes, from, wide);
      display.putRow(x, y + line, this.row, 0, wide);
    }
  }

  /** A row of RGB24, four pixels out of three words where they lie so. */
  private rgb24(bytes: Uint8Array, from: number, count: number): void {
    const { row, words } = this;
    const fast = from % 4 === 0 && words.length > 0 ? count & ~3 : 0;
    for (let i = 0, at = from >>> 2; i < fast; i += 4, at += 3) {
      const first = words[at]!;
      const second = words[at + 1]!;
      const third = words[at + 2]!;
      row[i] = first | OPAQUE;
      row[i + 1] = (first >>> 24) | (second << 8) | OPAQUE;
      row[i + 2] = (second >>> 16) | (third << 16) | OPAQUE;
      row[i + 3] = (third >>> 8) | OPAQUE;
    }
    for (let i = fast, at = from + fast * 3; i < count; i++, at += 3)
      row[i] = OPAQUE | bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  }

  private xrgb8888(bytes: Uint8Array, from: number, count: number): void {
    const { row, words } = this;
    const fast = from % 4 === 0 && words.length > 0 ? count : 0;
    for (let i = 0, at = from >>> 2; i < fast; i++, at++) {
      const pixel = words[at]!;
      row[i] = OPAQUE | ((pixel >>> 16) & 0xff) | (pixel & 0xff00) | ((pixel & 0xff) << 16);
    }
    for (let i = fast, at = from + fast * 4; i < count; i++, at += 4)
      row[i] = OPAQUE | bytes[at + 2]! | (bytes[at + 1]! << 8) | (bytes[at]! << 16);
  }

  private rgb565(bytes: Uint8Array, from: number, count: number): void {
    const { row } = this;
    for (let i = 0, at = from; i < count; i++, at += 2) {
      const pixel = bytes[at]! | (bytes[at + 1]! << 8);
      const red = pixel >>> 11;
      const green = (pixel >>> 5) & 0x3f;
      const blue = pixel & 0x1f;
      row[i] =
        OPAQUE |
        ((red << 3) | (red >>> 2)) |
        (((green << 2) | (green >>> 4)) << 8) |
        (((blue << 3) | (blue >>> 2)) << 16);
    }
  }

  private palette8(bytes: Uint8Array, from: number, count: number): void {
    const { row, palette } = this;
    for (let i = 0; i < count; i++) row[i] = palette[bytes[from + i]!]!;
  }

  /** Makes {@link words} those of `bytes`; none where they are not aligned. */
  private view(bytes: Uint8Array): void {
    if (bytes === this.bytes) return;
    this.bytes = bytes;
    this.words =
      bytes.byteOffset % 4 === 0
        ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
        : new Int32Array(0);
  }

  /** An image of ARGB8888 pixels without padding. Within {@link begin} and {@link end}. */
  loadCursor(bytes: Uint8Array, width: number, height: number): void {
    this.uncover(0, 0, this.display.width, this.display.height);
    this.cursorWidth = width;
    this.cursorHeight = height;
    for (let i = 0, at = 0; i < width * height; i++, at += 4)
      this.cursor[i] = bytes[at + 2]! | (bytes[at + 1]! << 8) | (bytes[at]! << 16) | (bytes[at + 3]! << 24);
  }

  /** Of the image's corner, which may be outside. Within {@link begin} and {@link end}. */
  moveCursor(on: boolean, x: number, y: number): void {
    this.uncover(0, 0, this.display.width, this.display.height);
    this.cursorOn = on;
    this.cursorX = x;
    this.cursorY = y;
  }

  /** Gives back what the cursor covers, where that part of the picture is about to change. */
  private uncover(x: number, y: number, width: number, height: number): void {
    const { coveredX, coveredY, coveredWidth, coveredHeight } = this;
    if (coveredWidth === 0) return;
    if (coveredX >= x + width || coveredX + coveredWidth <= x) return;
    if (coveredY >= y + height || coveredY + coveredHeight <= y) return;
    this.coveredWidth = 0;
    for (let line = 0; line < coveredHeight; line++)
      this.display.putRow(coveredX, coveredY + line, this.under, line * coveredWidth, coveredWidth);
  }

  private cover(): void {
    if (!this.cursorOn || this.coveredWidth !== 0) return;
    const { display, cursor, under, row } = this;
    const left = Math.max(0, this.cursorX);
    const top = Math.max(0, this.cursorY);
    const width = Math.min(display.width, this.cursorX + this.cursorWidth) - left;
    const height = Math.min(display.height, this.cursorY + this.cursorHeight) - top;
    if (width <= 0 || height <= 0) return;
    this.coveredX = left;
    this.coveredY = top;
    this.coveredWidth = width;
    this.coveredHeight = height;
    for (let line = 0; line < height; line++) {
      const from = (top - this.cursorY + line) * this.cursorWidth + (left - this.cursorX);
      for (let i = 0; i < width; i++) {
        const below = display.get(left + i, top + line);
        under[line * width + i] = below;
        row[i] = blend(cursor[from + i]!, below);
      }
      display.putRow(left, top + line, row, 0, width);
    }
  }
}

/** A premultiplied pixel over an opaque one. */
function blend(over: number, below: number): number {
  const rest = 255 - (over >>> 24);
  if (rest === 0) return over;
  return (
    BLACK |
    channel(over & 0xff, below & 0xff, rest) |
    (channel((over >>> 8) & 0xff, (below >>> 8) & 0xff, rest) << 8) |
    (channel((over >>> 16) & 0xff, (below >>> 16) & 0xff, rest) << 16)
  );
}

function channel(over: number, below: number, rest: number): number {
  return Math.min(255, over + Math.round((below * rest) / 255));
}
