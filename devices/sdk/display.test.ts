import { describe, expect, it } from 'vitest';
import { BLACK, DisplayMemory, displayBytes, TILE_HEIGHT, TILE_WIDTH } from './display.ts';

function make(width = 640, height = 480) {
  const memory = new SharedArrayBuffer(displayBytes(1920, 1080));
  const device = new DisplayMemory(memory, 1920, 1080);
  device.setMode(width, height);
  return { device, reader: new DisplayMemory(memory, 1920, 1080) };
}

const line = (pixel: number, count: number) => new Int32Array(count).fill(pixel);

describe('the display', () => {
  it('starts black, all of it new to a reader that has nothing', () => {
    const { device, reader } = make(100, 20);
    expect([reader.width, reader.height, reader.frames]).toEqual([100, 20, 0]);
    expect(reader.changedSince(0)).toEqual([{ x: 0, y: 0, width: 100, height: 20 }]);
    expect(device.get(99, 19)).toBe(BLACK);
    expect(reader.changedSince(reader.sequence)).toEqual([]);
  });

  it('tells the tiles that changed, joined where they touch, and only those', () => {
    const { device, reader } = make();
    const before = reader.sequence;
    device.begin();
    for (let y = 20; y < 40; y++) device.putRow(60, y, line(0xff00_00ff, 10), 0, 10);
    device.put(639, 479, 0xff12_3456);
    device.end(true);
    expect(reader.changedSince(before)).toEqual([
      { x: 0, y: TILE_HEIGHT, width: 2 * TILE_WIDTH, height: 2 * TILE_HEIGHT },
      { x: 640 - TILE_WIDTH, y: 464, width: TILE_WIDTH, height: 16 },
    ]);
    expect(reader.frames).toBe(1);
    expect(reader.changedSince(0)).toEqual([{ x: 0, y: 0, width: 640, height: 480 }]);
  });

  it('a picture that is the same is nothing new', () => {
    const { device, reader } = make();
    const before = reader.sequence;
    device.begin();
    device.putRow(0, 0, line(BLACK, 640), 0, 640);
    device.put(5, 5, BLACK);
    device.end(true);
    expect(reader.sequence).toBe(before);
    expect(reader.frames).toBe(1);
  });

  it('copies parts as bytes, red first', () => {
    const { device, reader } = make(70, 20);
    device.begin();
    device.put(65, 17, 0xff30_2010);
    device.end(true);
    const [part] = reader.changedSince(1);
    expect(part).toEqual({ x: 64, y: 16, width: 6, height: 4 });
    const bytes = new Uint8Array(6 * 4 * 4 + 1);
    expect(reader.copy(part!, 70, bytes, 1)).toBe(bytes.length);
    expect([...bytes.subarray(1 + (6 + 1) * 4, 1 + (6 + 2) * 4)]).toEqual([0x10, 0x20, 0x30, 0xff]);
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
    const draw = (pixel: number) => {
      device.begin();
      device.put(0, 0, pixel);
      device.end(true);
    };
    draw(0xff00_0001);
    expect(told).toBe(0);
    reader.arm();
    draw(0xff00_0001);
    expect(told).toBe(0);
    draw(0xff00_0002);
    draw(0xff00_0003);
    expect(told).toBe(1);
  });

  it('takes no mode that does not fit', () => {
    expect(() => make(1921, 10)).toThrow('does not fit');
    expect(() => make(10, 0)).toThrow('does not fit');
  });
});
