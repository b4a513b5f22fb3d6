// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from 'vitest';
import { nextFrame } from '#renderer/frame/scheduler.ts';
import { HexGrid, hexDump, moveByte } from './hex-grid.ts';

test('arrow keys move by byte and by row, and stop at the ends', () => {
  expect(moveByte('ArrowRight', 5, 64, 4)).toBe(6);
  expect(moveByte('ArrowDown', 5, 64, 4)).toBe(21);
  expect(moveByte('ArrowUp', 5, 64, 4)).toBe(5);
  expect(moveByte('ArrowLeft', 0, 64, 4)).toBe(0);
  expect(moveByte('ArrowRight', 63, 64, 4)).toBe(63);
  expect(moveByte('PageDown', 5, 64, 4)).toBe(63);
  expect(moveByte('PageUp', 37, 64, 4)).toBe(5);
  expect(moveByte('Home', 21, 64, 4)).toBe(16);
  expect(moveByte('End', 21, 64, 4, true)).toBe(63);
  expect(moveByte('ArrowDown', 5, 64, 4, false, 8)).toBe(13);
  expect(moveByte('x', 5, 64, 4)).toBeUndefined();
});

test('a dump has address, bytes and text', () => {
  const bytes = new TextEncoder().encode('NVMe\x00disk');
  expect(hexDump(bytes, 0x1000)).toBe('00001000: 4e 56 4d 65 00 64 69 73 6b                       NVMe.disk');
});

beforeEach(() => {
  document.body.replaceChildren();
  // happy-dom lays nothing out; a viewport needs a height to have rows.
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, value: 220 });
});

async function made(edit?: (offset: number, value: number) => void) {
  const selected: number[] = [];
  const grid = new HexGrid(document.body, {
    label: 'Bytes',
    rowHeight: 22,
    byteTestId: 'byte',
    selected: (offset) => selected.push(offset),
    ...(edit === undefined ? {} : { edit }),
  });
  grid.setData(Uint8Array.from({ length: 40 }, (_, at) => at));
  await nextFrame();
  const byte = (offset: number) => document.querySelector<HTMLElement>(`[data-offset="${offset}"]`);
  const key = (name: string) =>
    grid.rows.viewport.dispatchEvent(
      new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }),
    );
  return { grid, byte, key, selected };
}

test('a grid without rows says that it waits for them', async () => {
  const grid = new HexGrid(document.body, { label: 'Bytes', rowHeight: 22, byteTestId: 'byte' });
  await nextFrame();
  expect(grid.rows.viewport.ariaBusy).toBe('true');
  grid.setData(new Uint8Array(4));
  await nextFrame();
  expect(grid.rows.viewport.ariaBusy).toBeNull();
});

test('bytes are where they belong, and nothing after the last', async () => {
  const { byte } = await made();
  expect(byte(0)!.textContent).toBe('00');
  expect(byte(39)!.textContent).toBe('27');
  expect(byte(40)).toBeNull();
});

test('two digits write a byte and go on to the next', async () => {
  const edit = vi.fn();
  const { grid, byte, key, selected } = await made(edit);
  byte(5)!.dispatchEvent(new MouseEvent('mousedown', { bubbles: true }));
  key('a');
  await nextFrame();
  expect(byte(5)!.textContent).toBe('a_');
  expect(edit).not.toHaveBeenCalled();
  key('B');
  expect(edit).toHaveBeenCalledWith(5, 0xab);
  expect(grid.cursor).toBe(6);
  expect(selected).toEqual([5, 6]);
});

test('Escape takes back the first digit', async () => {
  const edit = vi.fn();
  const { byte, key } = await made(edit);
  byte(5)!.dispatchEvent(new MouseEvent('mousedown', { bubbles: true }));
  key('a');
  key('Escape');
  key('1');
  key('2');
  expect(edit).toHaveBeenCalledExactlyOnceWith(5, 0x12);
});

test('another grid of the same bytes goes on where one was, with the focus', async () => {
  const { grid, byte, key } = await made();
  byte(5)!.dispatchEvent(new MouseEvent('mousedown', { bubbles: true }));
  key('ArrowRight');
  grid.light(8, 12);
  const { place } = grid;
  grid.dispose();
  const next = await made();
  next.grid.resume(place);
  await nextFrame();
  expect(next.grid.cursor).toBe(6);
  expect(document.activeElement).toBe(next.grid.rows.viewport);
  expect(next.byte(8)!.dataset.lit).toBe('true');
  expect(next.selected).toEqual([]);

  next.grid.rows.viewport.blur();
  next.grid.resume({ ...next.grid.place, cursor: 99, anchor: 99 });
  expect(next.grid.cursor).toBe(6);
  expect(document.activeElement).toBe(document.body);
});

test('without an editor digits do nothing', async () => {
  const { byte, key } = await made();
  byte(5)!.dispatchEvent(new MouseEvent('mousedown', { bubbles: true }));
  key('a');
  await nextFrame();
  expect(byte(5)!.textContent).toBe('05');
});
