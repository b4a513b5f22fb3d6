import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { DisplayUpdate } from '#contract/display.ts';
import { DisplayMemory, displayBytes } from '#devices/sdk/display.ts';
import { DisplayStream } from './display-stream.ts';

interface Sent {
  readonly head: DisplayUpdate;
  readonly bytes: Uint8Array;
}

function make() {
  const memory = new SharedArrayBuffer(displayBytes(640, 480));
  const device = new DisplayMemory(memory, 640, 480);
  device.setMode(128, 32);
  const display = new DisplayMemory(memory, 640, 480);
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
  };
  const sent: Sent[] = [];
  const stream = new DisplayStream({
    send: (_name, head, bytes) => sent.push({ head: head as DisplayUpdate, bytes: bytes! }),
  });
  const draw = (x: number, y: number, pixel: number) => {
    device.begin();
    device.put(x, y, pixel);
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
  expect(sent[0]!.head).toEqual({ device: 3, width: 128, height: 32, frame: 0, parts: [[0, 0, 128, 32]] });
  expect(sent[0]!.bytes.length).toBe(128 * 32 * 4);
  stream.acknowledge();
  draw(64, 16, 0xff00_00fe);
  expect(sent).toHaveLength(2);
  expect(sent[1]!.head).toEqual({ device: 3, width: 128, height: 32, frame: 1, parts: [[64, 16, 64, 16]] });
  expect([...sent[1]!.bytes.subarray(0, 4)]).toEqual([0xfe, 0, 0, 0xff]);
  expect(sent[1]!.bytes.length).toBe(64 * 16 * 4);
});

it('a window that is slow gets fewer updates, and all of the changes', () => {
  const { source, sent, stream, draw } = make();
  stream.watch(1, source);
  draw(0, 0, 0xff00_0001);
  draw(127, 0, 0xff00_0002);
  expect(sent).toHaveLength(1);
  stream.acknowledge();
  expect(sent).toHaveLength(2);
  expect(sent[1]!.head).toMatchObject({ frame: 2, parts: [[0, 0, 128, 16]] });
});

it('a screen that does not change costs neither side anything', () => {
  const { source, sent, stream, draw, told } = make();
  stream.watch(1, source);
  stream.acknowledge();
  draw(5, 5, 0xff00_0009);
  stream.acknowledge();
  const before = [sent.length, told()];
  for (let i = 0; i < 100; i++) draw(5, 5, 0xff00_0009);
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
  device.put(0, 0, 0xff00_0005);
  device.end(true);
  stream.acknowledge();
  expect(sent[1]!.head.parts).toEqual([[0, 0, 64, 16]]);
});

it('a picture that is drawn on while it is read is read again', () => {
  const { display, source, sent, stream, draw } = make();
  const copy = display.copy.bind(display);
  display.copy = (...given) => {
    display.copy = copy;
    draw(3, 0, 0xff00_0007);
    return copy(...given);
  };
  stream.watch(1, source);
  expect(sent).toHaveLength(0);
  vi.advanceTimersByTime(1);
  expect(sent).toHaveLength(1);
  expect(sent[0]!.head.frame).toBe(1);
  expect(sent[0]!.bytes[3 * 4]).toBe(7);
});

it('another size is another whole picture', () => {
  const { device, source, sent, stream } = make();
  stream.watch(1, source);
  stream.acknowledge();
  device.setMode(64, 48);
  expect(sent[1]!.head).toMatchObject({ width: 64, height: 48, parts: [[0, 0, 64, 48]] });
});

it('ends when nobody watches', () => {
  const { source, sent, stream, draw, listeners } = make();
  stream.watch(1, source);
  stream.acknowledge();
  stream.watch(0, undefined);
  draw(1, 1, 0xff00_0001);
  expect(sent).toHaveLength(1);
  expect(listeners.size).toBe(0);
});
