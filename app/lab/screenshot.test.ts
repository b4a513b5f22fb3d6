import { expect, it } from 'vitest';
import { DisplayMemory, displayBytes, PIXEL_BYTES, PIXEL_FORMAT_NAMES } from '#devices/sdk/display.ts';
import { pixelAt } from '#devices/testing/display-pixel.ts';
import { decodePng } from '../testing/png.ts';
import { encodePng, takePicture } from './screenshot.ts';

const limits = { maxWidth: 64, maxHeight: 64, maxPitch: 400 };

function display(width = 5, height = 3, pitch = 20, format = 1) {
  const made = new DisplayMemory(new SharedArrayBuffer(displayBytes(limits)), limits);
  made.setMode(width, height, pitch, format);
  return made;
}

it('has every pixel where it is', async () => {
  const device = display();
  device.begin();
  device.bytes.set([0, 0, 255], 0);
  device.bytes.set([3, 2, 1], 2 * 20 + 4 * 4);
  device.end(true);
  const picture = await takePicture(device);
  expect(picture.frames).toBe(1);
  const { width, height, pixels } = decodePng(encodePng(picture));
  expect([width, height]).toEqual([5, 3]);
  const expected = new Uint8Array(45);
  expected[0] = 255;
  expected.set([1, 2, 3], 42);
  expect(pixels).toEqual(expected);
});

it.each(
  PIXEL_FORMAT_NAMES.flatMap((name, format) =>
    // Word by word and byte by byte.
    [0, 1].map((odd): [string, number, number] => [name, odd, format]),
  ),
)(
  '%s, rows padded by %i: each pixel is what the display says of it, cursor and all',
  async (_, odd, format) => {
    const width = 40 - odd;
    const pitch = width * PIXEL_BYTES[format]! + odd;
    const device = display(width, 3, pitch, format);
    for (let entry = 0; entry < 256; entry++) device.setColor(entry, 0xff00_0000 + entry * 0x01_01_0b);
    for (let at = 0; at < pitch * 3; at++) device.bytes[at] = (at * 37) ^ (at >>> 3);
    const image = Uint8Array.from({ length: 4 * 4 * 4 }, (_, i) => (i % 4 === 3 ? 128 : i));
    device.setCursorImage(image, 4, 4);
    device.moveCursor(true, width - 2, -1);
    const picture = await takePicture(device);
    const colors = new Uint32Array(picture.pixels.buffer);
    for (let y = 0; y < 3; y++)
      for (let x = 0; x < width; x++) expect(colors[y * width + x], `${x},${y}`).toBe(pixelAt(device, x, y));
  },
);

it('waits for a picture that is being drawn', async () => {
  const device = display();
  device.begin();
  device.bytes[2] = 255;
  const taken = takePicture(device);
  device.bytes[6] = 255;
  device.end(true);
  const { pixels } = await taken;
  expect([...pixels.subarray(0, 8)]).toEqual([255, 0, 0, 255, 255, 0, 0, 255]);
});
