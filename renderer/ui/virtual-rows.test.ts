// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from 'vitest';
import { nextFrame, onNextFrame } from '#renderer/frame/scheduler.ts';
import { VirtualRows, type VirtualRowsOptions } from './virtual-rows.ts';

beforeEach(() => {
  document.body.replaceChildren();
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, value: 200 });
});

async function made(count: number, options: Partial<VirtualRowsOptions> = {}) {
  const rendered: number[] = [];
  const rows = new VirtualRows(document.body, {
    label: 'Rows',
    rowHeight: 20,
    create: () => document.createElement('div'),
    render: (index, row) => {
      rendered.push(index);
      row.textContent = `row ${index}`;
    },
    ...options,
  });
  rows.setCount(count);
  await nextFrame();
  const shown = () =>
    [...document.querySelectorAll<HTMLElement>('.rows-row')]
      .filter((row) => row.style.display !== 'none')
      .map((row) => Number(row.dataset.row))
      .sort((a, b) => a - b);
  const key = async (name: string, more: KeyboardEventInit = {}) => {
    rows.viewport.dispatchEvent(
      new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true, ...more }),
    );
    await nextFrame();
  };
  return { rows, rendered, shown, key };
}

test('of a hundred million rows only those in view exist', async () => {
  const { rows, shown } = await made(100_000_000);
  expect(shown()[0]).toBe(0);
  expect(document.querySelectorAll('.rows-row').length).toBeLessThan(15);
  rows.scrollTo(77_777_777);
  await nextFrame();
  expect(shown()).toContain(77_777_777);
  expect(document.querySelectorAll('.rows-row').length).toBeLessThan(15);
});

test('held, what is seen stays until its rows are here, or for as long as it was held', async () => {
  const { rows, rendered, shown } = await made(1000);
  const before = shown();
  rendered.length = 0;
  rows.scrollTo(500);
  rows.hold(60_000);
  await nextFrame();
  rows.select(500);
  await nextFrame();
  expect(shown()).toEqual(before);
  expect(rendered).toEqual([]);
  rows.release();
  await nextFrame();
  expect(shown()).toContain(500);
  expect(rendered).toHaveLength(shown().length);

  rows.scrollTo(900);
  rows.hold(1);
  await vi.waitFor(() => expect(shown()).toContain(900));
});

test('released in a frame, they are drawn in that frame, whatever was asked for before', async () => {
  const { rows, shown } = await made(1000);
  rows.scrollTo(500);
  rows.hold(60_000);
  rows.select(500);
  onNextFrame(() => rows.release());
  await nextFrame();
  expect(shown()).toContain(500);
});

test('who moves on while they are held is not kept waiting', async () => {
  const { rows, shown, key } = await made(1000);
  for (const move of [
    () => key('End'),
    () => rows.viewport.dispatchEvent(new WheelEvent('wheel', { deltaY: 20_000, cancelable: true })),
  ]) {
    rows.scrollTo(500);
    rows.hold(60_000);
    await move();
    await nextFrame();
    expect(shown()).toContain(999);
  }
});

test('scrolling by one row draws only the new one', async () => {
  const { rows, rendered } = await made(1000);
  rendered.length = 0;
  rows.viewport.dispatchEvent(new WheelEvent('wheel', { deltaY: 20, cancelable: true }));
  await nextFrame();
  expect(rendered).toEqual([11]);
});

test('following stays at the end; going up stops it, coming back starts it', async () => {
  const followChanged = vi.fn();
  const { rows, shown, key } = await made(1000, { followChanged });
  rows.setFollow(true);
  await nextFrame();
  expect(shown().at(-1)).toBe(999);
  rows.setCount(1500);
  await nextFrame();
  expect(shown().at(-1)).toBe(1499);
  rows.viewport.dispatchEvent(new WheelEvent('wheel', { deltaY: -100, cancelable: true }));
  expect(rows.follow).toBe(false);
  rows.setCount(2000);
  await nextFrame();
  expect(shown()).not.toContain(1999);
  await key('End');
  expect(rows.follow).toBe(true);
});

test('the keyboard moves and extends the selection', async () => {
  const { rows, key, shown } = await made(1000);
  await key('ArrowDown');
  await key('ArrowDown');
  await key('ArrowDown', { shiftKey: true });
  expect(rows.selection).toEqual([1, 3]);
  const active = rows.viewport.getAttribute('aria-activedescendant')!;
  expect(document.getElementById(active)!.textContent).toBe('row 2');
  await key('PageDown');
  expect(rows.selection).toEqual([11, 12]);
  expect(shown()).toContain(11);
  await key('Escape');
  expect(rows.selection).toBeUndefined();
});

test('copying hands over the selected rows', async () => {
  const copy = vi.fn();
  const { rows, key } = await made(50, { copy });
  rows.select(3);
  await key('ArrowDown', { shiftKey: true });
  rows.viewport.dispatchEvent(new Event('copy', { cancelable: true }));
  expect(copy).toHaveBeenCalledWith(3, 5);
});

test('rows put before the first leave what is seen and chosen in place', async () => {
  const { rows, shown } = await made(100);
  rows.scrollTo(50);
  rows.select(52);
  await nextFrame();
  const before = shown()[0]!;
  rows.setCount(110);
  rows.shift(10);
  await nextFrame();
  expect(shown()[0]).toBe(before + 10);
  expect(rows.selection).toEqual([62, 63]);
});

test('fewer rows forget a selection that is gone', async () => {
  const { rows } = await made(100);
  rows.select(80);
  rows.setCount(10);
  await nextFrame();
  expect(rows.selection).toBeUndefined();
});

test('a row that is no longer shown is not the chosen one', async () => {
  const { rows } = await made(10);
  rows.select(8);
  await nextFrame();
  rows.setCount(3);
  rows.select(1);
  await nextFrame();
  const chosen = document.querySelectorAll<HTMLElement>('[data-selected="true"]');
  expect([...chosen].map((row) => row.dataset.row)).toEqual(['1']);
});

test('a row that is chosen before there is any height is the first in view', async () => {
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, value: 0 });
  const { rows } = await made(1000);
  rows.select(500);
  expect(rows.top).toBe(500);
});
