/** What is shown at a place of a display, worked out pixel by pixel: what faster ways are compared with. */
import { BLACK, type DisplayMemory, PIXEL_BYTES, PixelFormat } from '../sdk/display.ts';

/** The colour, cursor included: red, green, blue, 255 from the lowest byte up. */
export function pixelAt(display: DisplayMemory, x: number, y: number): number {
  const { on, x: left, y: top, width, height } = display.cursor;
  const below = pictureAt(display, x, y);
  const inside = on && x >= left && x < left + width && y >= top && y < top + height;
  return inside ? blend(display.cursorImage, ((y - top) * width + x - left) * 4, below) : below;
}

function pictureAt(display: DisplayMemory, x: number, y: number): number {
  const { bytes, format, pitch } = display;
  const at = y * pitch + x * PIXEL_BYTES[format]!;
  const byte = (offset: number): number => bytes[at + offset]!;
  const color = (red: number, green: number, blue: number): number =>
    (BLACK | red | (green << 8) | (blue << 16)) >>> 0;
  switch (format) {
    case PixelFormat.RGB24:
      return color(byte(0), byte(1), byte(2));
    case PixelFormat.XRGB8888:
      return color(byte(2), byte(1), byte(0));
    case PixelFormat.RGB565: {
      const value = byte(0) | (byte(1) << 8);
      const five = (bits: number): number => (bits << 3) | (bits >>> 2);
      const green = (value >>> 5) & 0x3f;
      return color(five(value >>> 11), (green << 2) | (green >>> 4), five(value & 0x1f));
    }
    default:
      return display.color(byte(0));
  }
}

/** A premultiplied pixel over an opaque colour. */
function blend(image: Uint8Array, at: number, below: number): number {
  const rest = 255 - image[at + 3]!;
  const channel = (over: number, shift: number): number =>
    Math.min(255, over + Math.round((((below >>> shift) & 0xff) * rest) / 255)) << shift;
  return (BLACK | channel(image[at + 2]!, 0) | channel(image[at + 1]!, 8) | channel(image[at]!, 16)) >>> 0;
}
