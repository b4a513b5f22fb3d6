import { expect, it } from 'vitest';
import { DisplayMemory, displayBytes, PixelFormat } from '../sdk/display.ts';
import { pixelAt } from './display-pixel.ts';

const limits = { maxWidth: 64, maxHeight: 64 };

function make(pitch: number, format: number): DisplayMemory {
  const display = new DisplayMemory(new ArrayBuffer(displayBytes(limits)), limits);
  display.setMode(10, 5, pitch, format);
  return display;
}

it.each([
  ['RGB24', PixelFormat.RGB24, [0x12, 0x34, 0x56], 0xff56_3412],
  ['XRGB8888', PixelFormat.XRGB8888, [0x56, 0x34, 0x12, 0x99], 0xff56_3412],
  ['RGB565', PixelFormat.RGB565, [0xe0, 0xff], 0xff00_ffff],
  ['PALETTE8', PixelFormat.PALETTE8, [200], 0xffef_cdab],
])('knows the colour of a pixel of %s', (_, format, bytes, color) => {
  const pitch = 10 * bytes.length + 3;
  const display = make(pitch, format);
  display.setColor(200, 0xffef_cdab);
  display.bytes.set(bytes, 3 * pitch + 9 * bytes.length);
  expect(pixelAt(display, 9, 3)).toBe(color);
});

it('shows a cursor above, partly clear, partly outside', () => {
  const display = make(40, PixelFormat.XRGB8888);
  display.setCursorImage(Uint8Array.of(0, 0, 255, 255, 64, 0, 0, 128), 2, 1);
  display.moveCursor(true, 3, 2);
  display.bytes.fill(100);
  const shown = (...places: [number, number][]) => places.map(([x, y]) => pixelAt(display, x, y));
  expect(shown([3, 2], [4, 2], [5, 2])).toEqual([0xff00_00ff, 0xff72_3232, 0xff64_6464]);
  display.moveCursor(true, -1, 0);
  expect(shown([0, 0], [3, 2])).toEqual([0xff72_3232, 0xff64_6464]);
  display.moveCursor(false, -1, 0);
  expect(shown([0, 0])).toEqual([0xff64_6464]);
});
