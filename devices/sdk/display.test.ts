import { describe, expect, it } from 'vitest';
import { DisplayMemory, displayBytes, PixelFormat, TILE_HEIGHT, TILE_WIDTH } from './display.ts';

const limits = { maxWidth: 1920, maxHeight: 1080 };

function make(width = 640, height = 480, pitch = width * 4, format: number = PixelFormat.XRGB8888) {
  const memory = new SharedArrayBuffer(displayBytes(limits));
  const device = new DisplayMemory(memory, limits);
  device.setMode(width, height, pitch, format);
  return { device, reader: new DisplayMemory(memory, limits) };
}

describe('the display', () => {
  it('starts black, all of it new to a reader that has nothing', () => {
    const { device, reader } = make(100, 20);
    expect([reader.width, reader.height, reader.pitch, reader.frames]).toEqual([100, 20, 400, 0]);
    expect(reader.changedSince(0)).toEqual([{ x: 0, y: 0, width: 100, height: 20 }]);
    expect(device.bytes.subarray(0, 20 * 400).every((byte) => byte === 0)).toBe(true);
    expect(reader.changedSince(reader.sequence)).toEqual([]);
  });

  it('tells the tiles that were written, joined where they touch, and only those', () => {
    const { device, reader } = make();
    const before = reader.sequence;
    device.begin();
    device.changed(60, 20, 10, 20);
    device.changed(639, 479, 1, 1);
    device.end(true);
    expect(reader.changedSince(before)).toEqual([
      { x: 0, y: TILE_HEIGHT, width: 2 * TILE_WIDTH, height: 2 * TILE_HEIGHT },
      { x: 640 - TILE_WIDTH, y: 464, width: TILE_WIDTH, height: 16 },
    ]);
    expect(reader.frames).toBe(1);
    expect(reader.changedSince(0)).toEqual([{ x: 0, y: 0, width: 640, height: 480 }]);
  });

  it('a picture of which nothing was written is nothing new', () => {
    const { device, reader } = make();
    const before = reader.sequence;
    device.begin();
    device.end(true);
    expect(reader.sequence).toBe(before);
    expect(reader.frames).toBe(1);
  });

  it('a cursor that moves is something new, and no pixel of the picture', () => {
    const { device, reader } = make();
    device.setCursorImage(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 2, 1);
    const before = reader.sequence;
    device.moveCursor(true, 3, -2);
    expect(reader.sequence).toBe(before + 1);
    expect(reader.cursor).toEqual({ on: true, x: 3, y: -2, width: 2, height: 1, image: before });
    expect([...reader.cursorImage.subarray(0, 8)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(reader.changedSince(before)).toEqual([]);
  });

  it('a cursor that is where it was is nothing new', () => {
    const { device, reader } = make();
    device.moveCursor(true, 3, 2);
    const before = reader.sequence;
    device.moveCursor(true, 3, 2);
    expect(reader.sequence).toBe(before);
  });

  it('says when it is being drawn on', () => {
    const { device, reader } = make();
    const before = reader.writing;
    expect(before % 2).toBe(0);
    device.begin();
    expect(reader.writing % 2).toBe(1);
    device.end(false);
    expect(reader.writing).toBe(before + 2);
  });

  it('tells a reader that asked, once, and nobody else', () => {
    const { device, reader } = make();
    let told = 0;
    device.onChange = () => told++;
    const draw = () => {
      device.begin();
      device.changed(0, 0, 1, 1);
      device.end(true);
    };
    draw();
    expect(told).toBe(0);
    reader.arm();
    draw();
    draw();
    expect(told).toBe(1);
  });

  it('takes no mode that does not fit', () => {
    expect(() => make(1921, 10)).toThrow('does not fit');
    expect(() => make(10, 0)).toThrow('does not fit');
    expect(() => make(10, 10, 39)).toThrow('does not fit');
    expect(() => make(1920, 1080, 7684)).toThrow('does not fit');
    expect(() => make(10, 10, 40, 4)).toThrow('does not fit');
  });
});
