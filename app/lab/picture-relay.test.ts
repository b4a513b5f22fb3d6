import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { DisplayUpdate } from '#contract/display.ts';
import { decodeServerMessage, type ServerMessage } from '#contract/wire.ts';
import { DisplayMemory, PixelFormat } from '#devices/sdk/display.ts';
import { PictureRelay } from './picture-relay.ts';

const OFFSET = 4096;
const limits = { maxWidth: 128, maxHeight: 64 };

function make() {
  const memory = new ArrayBuffer(1 << 20);
  // The card in the guest, whose end of the memory this is.
  const card = new DisplayMemory(memory, limits, OFFSET);
  card.setMode(64, 32, 256, PixelFormat.XRGB8888);
  const seen: ServerMessage[] = [];
  const relay = new PictureRelay(memory, {
    send: (message) => seen.push(decodeServerMessage(message)),
    onMessage: () => {},
    onClose: () => {},
    close: () => {},
  });
  const draw = (value: number) => {
    card.begin();
    card.bytes[0] = value;
    card.changed(0, 0, 1, 1);
    card.end(true);
  };
  const watch = (id: number, device: number) =>
    relay.fromWindow(
      JSON.stringify({ id, call: 'display.watch', params: { device, packed: false } }),
    ) as string;
  const answer = (id: number, ok: unknown) => relay.fromLab(JSON.stringify({ id, ok }));
  const updates = () => seen.map(({ head }) => ('stream' in head ? (head.data as DisplayUpdate) : undefined));
  return { card, relay, seen, draw, watch, answer, updates };
}

const place = { memory: { offset: OFFSET, ...limits } };
const ack = '{"ack":"display"}';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('asks where the picture lies, and shows it from there', () => {
  const { relay, draw, watch, answer, seen, updates } = make();
  draw(5);
  expect(JSON.parse(watch(7, 3))).toEqual({
    id: 7,
    call: 'display.watch',
    params: { device: 3, packed: false, shared: true },
  });
  expect(seen).toEqual([]);
  expect(answer(7, place)).toBe('{"id":7,"ok":{}}');
  expect(updates()).toMatchObject([{ device: 3, width: 64, height: 32, frame: 1, parts: [[0, 0, 64, 32]] }]);
  expect(seen[0]!.bytes!.slice(0, 1)).toEqual(Uint8Array.of(5));

  draw(6);
  vi.advanceTimersByTime(20);
  expect(seen).toHaveLength(2);
  expect(seen[1]!.bytes!.slice(0, 1)).toEqual(Uint8Array.of(6));
  // Two are under way: the third waits until the window has taken one, which the lab is not told.
  draw(7);
  vi.advanceTimersByTime(20);
  expect(seen).toHaveLength(2);
  expect(relay.fromWindow(ack)).toBeUndefined();
  expect(seen).toHaveLength(3);
});

it('finds a change long after the last one', () => {
  const { relay, draw, watch, answer, seen } = make();
  watch(1, 3);
  answer(1, place);
  relay.fromWindow(ack);
  vi.advanceTimersByTime(60_000);
  draw(1);
  vi.advanceTimersByTime(20);
  expect(seen).toHaveLength(2);
  relay.close();
  expect(vi.getTimerCount()).toBe(0);
});

it('leaves it to the lab where the picture lies nowhere here, and everything else', () => {
  const { relay, watch, answer, seen } = make();
  watch(1, 3);
  expect(answer(1, {})).toBe('{"id":1,"ok":{}}');
  expect(relay.fromWindow(ack)).toBe(ack);
  const refused = '{"id":2,"error":{"code":"NO_DISPLAY","message":"no picture"}}';
  watch(2, 4);
  expect(relay.fromLab(refused)).toBe(refused);
  for (const message of ['{"id":3,"call":"input.attach","params":{"device":3}}', '"display', '{}', 'x']) {
    expect(relay.fromWindow(message)).toBe(message);
    expect(relay.fromLab(message)).toBe(message);
  }
  expect(seen).toEqual([]);
});

it('shows the device that was asked for last, and none that is gone', () => {
  const { relay, draw, watch, answer, updates } = make();
  watch(1, 3);
  watch(2, 4);
  answer(1, place);
  expect(updates()).toEqual([]);
  answer(2, place);
  expect(updates()).toMatchObject([{ device: 4 }]);
  relay.fromWindow(ack);

  relay.fromLab('{"stream":"devices","data":[{"id":4},{"id":9}]}');
  draw(1);
  vi.advanceTimersByTime(20);
  expect(updates()).toHaveLength(2);
  relay.fromWindow(ack);
  relay.fromLab('{"stream":"devices","data":[{"id":9}]}');
  draw(2);
  vi.advanceTimersByTime(1000);
  expect(updates()).toHaveLength(2);
});

it('shows nothing of memory that holds no picture', () => {
  const { card, watch, answer, seen } = make();
  const words = new Int32Array(card.bytes.buffer, OFFSET, 16);
  words.fill(0x7fff_fffe);
  watch(1, 3);
  answer(1, place);
  vi.advanceTimersByTime(100);
  expect(seen).toEqual([]);
});
