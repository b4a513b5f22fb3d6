/** What command buffers draw: lines, rectangles and images, in the pixel format of the mode. */
import { type Display, PIXEL_BYTES, PixelFormat } from '../sdk/display.ts';

export class Raster {
  private readonly display: Display;
  /** One pixel of the mode's format. */
  private readonly pixel = new Uint8Array(4);
  private step = 0;

  constructor(display: Display) {
    this.display = display;
  }

  clear(red: number, green: number, blue: number): void {
    const { width, height, pitch, bytes } = this.display;
    this.pack(red, green, blue);
    const row = width * this.step;
    for (let at = 0; at < row; at += this.step) this.store(at);
    for (let y = 1; y < height; y++) bytes.copyWithin(y * pitch, 0, row);
    this.display.changed(0, 0, width, height);
  }

  /** Bresenham's, both ends drawn; parts outside are left out. */
  line(x0: number, y0: number, x1: number, y1: number, red: number, green: number, blue: number): void {
    const { display } = this;
    const { width, height, pitch } = display;
    this.pack(red, green, blue);
    const dx = Math.abs(x1 - x0);
    const dy = -Math.abs(y1 - y0);
    const stepX = x0 < x1 ? 1 : -1;
    const stepY = y0 < y1 ? 1 : -1;
    let error = dx + dy;
    let x = x0;
    let y = y0;
    for (;;) {
      if (x < width && y < height) {
        this.store(y * pitch + x * this.step);
        display.changed(x, y, 1, 1);
      }
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
  blit(from: Uint8Array, at: number, x: number, y: number, width: number, height: number): void {
    const { display } = this;
    const { pitch, bytes, format } = display;
    const wide = Math.min(width, display.width - x);
    const tall = Math.min(height, display.height - y);
    if (wide <= 0 || tall <= 0) return;
    const step = PIXEL_BYTES[format]!;
    for (let row = 0; row < tall; row++) {
      let source = at + row * width * 3;
      let target = (y + row) * pitch + x * step;
      if (format === PixelFormat.RGB24) bytes.set(from.subarray(source, source + wide * 3), target);
      else {
        for (let pixel = 0; pixel < wide; pixel++, source += 3, target += step) {
          this.pack(from[source]!, from[source + 1]!, from[source + 2]!);
          this.store(target);
        }
      }
    }
    display.changed(x, y, wide, tall);
  }

  private store(at: number): void {
    const { pixel, step } = this;
    const { bytes } = this.display;
    for (let byte = 0; byte < step; byte++) bytes[at + byte] = pixel[byte]!;
  }

  /** Makes {@link pixel} that colour. */
  private pack(red: number, green: number, blue: number): void {
    const { pixel } = this;
    const { format } = this.display;
    this.step = PIXEL_BYTES[format]!;
    switch (format) {
      case PixelFormat.RGB24:
        pixel[0] = red;
        pixel[1] = green;
        pixel[2] = blue;
        break;
      case PixelFormat.XRGB8888:
        pixel[0] = blue;
        pixel[1] = green;
        pixel[2] = red;
        pixel[3] = 255;
        break;
      case PixelFormat.RGB565: {
        const value = ((red >>> 3) << 11) | ((green >>> 2) << 5) | (blue >>> 3);
        pixel[0] = value;
        pixel[1] = value >>> 8;
        break;
      }
      default:
        pixel[0] = this.nearest(red, green, blue);
    }
  }

  /** The entry of the palette whose colour is nearest. */
  private nearest(red: number, green: number, blue: number): number {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let entry = 0; entry < 256 && least > 0; entry++) {
      const color = this.display.color(entry);
      const distance =
        ((color & 0xff) - red) ** 2 +
        (((color >>> 8) & 0xff) - green) ** 2 +
        (((color >>> 16) & 0xff) - blue) ** 2;
      if (distance < least) {
        least = distance;
        best = entry;
      }
    }
    return best;
  }
}
