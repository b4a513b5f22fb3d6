import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { DisplayUpdate } from '#contract/display.ts';
import { unpackPixels } from '#contract/packing.ts';
import { convertPixels } from '#contract/pixels.ts';
import { DisplayMemory, displayBytes, PIXEL_BYTES, PixelFormat } from '#devices/sdk/display.ts';
import { DisplayStream } from './display-stream.ts';

interface Sent {
  readonly head: DisplayUpdate;
  readonly bytes: Uint8Array;
}

const limits = { maxWidth: 640, maxHeight: 480 };

function make(format: number = PixelFormat.XRGB8888) {
  const memory = new SharedArrayBuffer(displayBytes(limits));
  const device = new DisplayMemory(memory, limits);
  const step = PIXEL_BYTES[format]!;
  device.setMode(128, 32, 128 * step, format);
  const display = new DisplayMemory(memory, limits);
  const listeners = new Set<() => void>();
  let told = 0;
  device.onChange = () => {
    told++;
    for (const listener of listeners) listener();
  };
  const source = {
    display,
    onDisplay: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    arm: () => display.arm(),
  };
  const sent: Sent[] = [];
  const stream = new DisplayStream({
    send: (_name, head, bytes) => sent.push({ head: head as DisplayUpdate, bytes: bytes!.slice() }),
  });
  /** Writes the first byte of a pixel, and says that its row from there to the right edge was written. */
  const draw = (x: number, y: number, value: number) => {
    device.begin();
    device.bytes[(y * 128 + x) * step] = value;
    device.changed(x, y, 128 - x, 1);
    device.end(true);
  };
  return { device, display, source, sent, stream, draw, told: () => told, listeners };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('begins with the whole picture, then sends what changed', () => {
  const { source, sent, stream, draw } = make();
  stream.watch(3, source);
  const about = { device: 3, width: 128, height: 32, format: 'XRGB8888', palette: false, image: false };
  expect(sent[0]!.head).toEqual({ ...about, frame: 0, parts: [[0, 0, 128, 32]] });
  expect(sent[0]!.bytes.length).toBe(128 * 32 * 4);
  stream.acknowledge();
  draw(64, 16, 0xfe);
  expect(sent).toHaveLength(2);
  expect(sent[1]!.head).toEqual({ ...about, frame: 1, parts: [[64, 16, 64, 16]] });
  expect([...sent[1]!.bytes.subarray(0, 4)]).toEqual([0xfe, 0, 0, 0]);
  expect(sent[1]!.bytes.length).toBe(64 * 16 * 4);
});

it.each([
  [PixelFormat.RGB24, 3],
  [PixelFormat.RGB565, 2],
  [PixelFormat.PALETTE8, 1],
])('pixels of format %i travel as they are', (format, step) => {
  const { source, sent, stream, draw } = make(format);
  stream.watch(1, source);
  stream.acknowledge();
  draw(70, 3, 9);
  const { head, bytes } = sent.at(-1)!;
  expect(head.parts).toEqual([[64, 0, 64, 16]]);
  expect(bytes.length).toBe(64 * 16 * step);
  expect(bytes[(3 * 64 + 6) * step]).toBe(9);
});

it('a window that can unpack gets packed what gets smaller', () => {
  const { device, source, sent, stream } = make(PixelFormat.RGB565);
  stream.watch(2, source, true);
  const whole = sent[0]!;
  expect(whole.head.packed).toEqual([expect.any(Number)]);
  expect(whole.bytes.length).toBeLessThan(200);
  stream.acknowledge();

  // One tile of one colour, and one of noise that is not next to it.
  device.begin();
  for (let y = 0; y < 16; y++) device.bytes.fill(0x5a, y * 256, y * 256 + 128);
  for (let y = 16; y < 32; y++) {
    for (let at = y * 256 + 128; at < y * 256 + 256; at++)
      device.bytes[at] = Math.imul(at, 0x9e3779b1) >>> 13;
  }
  device.changed(0, 0, 64, 16);
  device.changed(64, 16, 64, 16);
  device.end(true);
  const { head, bytes } = sent[1]!;
  expect(head.parts).toEqual([
    [0, 0, 64, 16],
    [64, 16, 64, 16],
  ]);
  const [flat, noise] = head.packed!;
  expect(flat).toBeGreaterThan(0);
  expect(flat).toBeLessThan(60);
  expect(noise).toBe(0);
  const noiseAt = (flat! + 3) & ~3;
  expect(bytes.length).toBe(noiseAt + 64 * 16 * 2);

  const expected = new Int32Array(128 * 32);
  const shown = expected.slice();
  const none = new Int32Array(0);
  convertPixels('RGB565', none, device.bytes, 0, 256, expected, 0, 128, 128, 32);
  unpackPixels('RGB565', none, whole.bytes, 0, shown, 0, 128, 128, 32);
  unpackPixels('RGB565', none, bytes, 0, shown, 0, 128, 64, 16);
  convertPixels('RGB565', none, bytes, noiseAt, 128, shown, 16 * 128 + 64, 128, 64, 16);
  expect(shown).toEqual(expected);

  stream.acknowledge();
  stream.watch(2, source);
  expect(sent[2]!.head.packed).toBeUndefined();
  expect(sent[2]!.bytes.length).toBe(128 * 32 * 2);
});

it('the palette and the cursor go before what is packed', () => {
  const { device, source, sent, stream } = make(PixelFormat.PALETTE8);
  device.setColor(3, 0xff00_0007);
  device.begin();
  device.bytes.fill(3, 0, 128 * 32);
  device.end(true);
  stream.watch(1, source, true);
  const { head, bytes } = sent[0]!;
  expect(head).toMatchObject({ palette: true, packed: [expect.any(Number)] });
  const palette = new Int32Array(bytes.buffer, 0, 256);
  const shown = new Int32Array(128 * 32);
  unpackPixels('PALETTE8', palette, bytes, 1024, shown, 0, 128, 128, 32);
  expect(shown.every((pixel) => pixel === (0xff00_0007 | 0))).toBe(true);
});

it('a window that is slow gets fewer updates, and all of the changes', () => {
  const { source, sent, stream, draw } = make();
  stream.watch(1, source);
  draw(0, 0, 1);
  // While it draws one, the next may be on its way.
  expect(sent.map(({ head }) => head.frame)).toEqual([0, 1]);
  draw(0, 0, 2);
  draw(127, 16, 3);
  expect(sent).toHaveLength(2);
  stream.acknowledge();
  expect(sent).toHaveLength(3);
  expect(sent[2]!.head).toMatchObject({
    frame: 3,
    parts: [
      [0, 0, 64, 16],
      [64, 16, 64, 16],
    ],
  });
  draw(0, 0, 4);
  expect(sent).toHaveLength(3);
  stream.acknowledge();
  stream.acknowledge();
  expect(sent.map(({ head }) => head.frame)).toEqual([0, 1, 3, 4]);
});

it('what was written is not sent where it is what it was', () => {
  const { device, source, sent, stream, draw } = make();
  stream.watch(1, source);
  stream.acknowledge();
  // All of a row is written, one pixel differs.
  draw(0, 31, 0);
  expect(sent).toHaveLength(1);
  device.begin();
  device.bytes[(20 * 128 + 127) * 4 + 3] = 1;
  device.changed(0, 0, 128, 32);
  device.end(true);
  expect(sent[1]!.head.parts).toEqual([[64, 16, 64, 16]]);
  stream.acknowledge();
  draw(64, 16, 7);
  draw(64, 16, 7);
  expect(sent).toHaveLength(3);
});

it('a screen that does not change costs neither side anything', () => {
  const { source, sent, stream, draw, told } = make();
  stream.watch(1, source);
  stream.acknowledge();
  draw(5, 5, 9);
  stream.acknowledge();
  const before = [sent.length, told()];
  vi.advanceTimersByTime(1000);
  expect([sent.length, told()]).toEqual(before);
  expect(vi.getTimerCount()).toBe(0);
});

it('waits for a picture to be whole, but not for ever', () => {
  const { device, source, sent, stream } = make();
  device.begin();
  stream.watch(1, source);
  vi.advanceTimersByTime(3);
  expect(sent).toHaveLength(0);
  vi.advanceTimersByTime(20);
  expect(sent).toHaveLength(1);
  device.bytes[0] = 5;
  device.changed(0, 0, 1, 1);
  device.end(true);
  stream.acknowledge();
  expect(sent[1]!.head.parts).toEqual([[0, 0, 64, 16]]);
});

it('a picture that is drawn on while it is read is read again', () => {
  const { display, source, sent, stream, draw } = make();
  const { bytes } = display;
  let asked = false;
  Object.defineProperty(display, 'bytes', {
    get: () => {
      if (!asked) draw(3, 0, 7);
      asked = true;
      return bytes;
    },
  });
  stream.watch(1, source);
  expect(sent).toHaveLength(0);
  vi.advanceTimersByTime(1);
  expect(sent).toHaveLength(1);
  expect(sent[0]!.head.frame).toBe(1);
  expect(sent[0]!.bytes[3 * 4]).toBe(7);
});

it('another size, or another format, is another whole picture', () => {
  const { device, source, sent, stream } = make();
  stream.watch(1, source);
  stream.acknowledge();
  device.setMode(64, 48, 256, PixelFormat.XRGB8888);
  expect(sent[1]!.head).toMatchObject({ width: 64, height: 48, parts: [[0, 0, 64, 48]] });
  stream.acknowledge();
  device.setMode(64, 48, 192, PixelFormat.RGB24);
  expect(sent[2]!.head).toMatchObject({ format: 'RGB24', parts: [[0, 0, 64, 48]] });
});

it('another colour in the palette is all of the picture anew, with the palette', () => {
  const { device, source, sent, stream } = make(PixelFormat.PALETTE8);
  device.setColor(0, 0xff00_0001);
  stream.watch(1, source);
  expect(sent[0]!.head).toMatchObject({ palette: true, parts: [[0, 0, 128, 32]] });
  stream.acknowledge();
  device.setColor(200, 0xff00_00fe);
  expect(sent[1]!.head).toMatchObject({ palette: true, parts: [[0, 0, 128, 32]] });
  expect([...sent[1]!.bytes.subarray(800, 804)]).toEqual([0xfe, 0, 0, 0xff]);
  expect(sent[1]!.bytes.length).toBe(1024 + 128 * 32);
});

it('the palette of a picture that has none does not travel', () => {
  const { device, source, sent, stream } = make();
  stream.watch(1, source);
  stream.acknowledge();
  device.setColor(200, 0xff00_00fe);
  expect(sent).toHaveLength(1);
});

it('a cursor travels beside the picture: its image once, then where it is', () => {
  const { device, source, sent, stream } = make();
  device.setCursorImage(
    Uint8Array.from({ length: 32 }, (_, i) => i),
    4,
    2,
  );
  stream.watch(1, source);
  expect(sent[0]!.head.cursor).toBeUndefined();
  stream.acknowledge();
  device.moveCursor(true, -3, 9);
  expect(sent[1]!.head).toMatchObject({
    parts: [],
    image: true,
    cursor: { x: -3, y: 9, width: 4, height: 2 },
  });
  expect([...sent[1]!.bytes]).toEqual(Array.from({ length: 32 }, (_, i) => i));
  stream.acknowledge();
  device.moveCursor(true, 5, 9);
  expect(sent[2]!.head).toMatchObject({ parts: [], image: false, cursor: { x: 5 } });
  expect(sent[2]!.bytes.length).toBe(0);
  stream.acknowledge();
  device.moveCursor(false, 5, 9);
  expect(sent[3]!.head.cursor).toBeUndefined();
});

it('ends when nobody watches', () => {
  const { source, sent, stream, draw, listeners } = make();
  stream.watch(1, source);
  stream.acknowledge();
  stream.watch(0, undefined);
  draw(1, 1, 1);
  expect(sent).toHaveLength(1);
  expect(listeners.size).toBe(0);
});
