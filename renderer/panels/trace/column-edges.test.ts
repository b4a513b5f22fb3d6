// @vitest-environment happy-dom
import { beforeEach, expect, test } from 'vitest';
import { nextFrame } from '#renderer/frame/scheduler.ts';
import { ColumnEdges, keepWidth } from './column-edges.ts';
import { defaultPreferences, parsePreferences, preferences } from './preferences.ts';
import { columns, layoutColumns, MAX_WIDTH, MIN_WIDTH } from './row.ts';

const ROOM = 2000;
let edges: ColumnEdges;
let arranged = 0;
let left = 0;

function arrange(): void {
  arranged++;
  edges.arranged(columns, layoutColumns(ROOM, columns, 1, edges.widths).widths);
}

beforeEach(() => {
  document.body.replaceChildren();
  preferences.setState(defaultPreferences);
  HTMLElement.prototype.setPointerCapture = () => {};
  HTMLElement.prototype.releasePointerCapture = function (this: HTMLElement) {
    this.dispatchEvent(new Event('lostpointercapture'));
  };
  left = 0;
  edges = new ColumnEdges({ scale: () => 1, arrange, needed: () => 117, leave: () => left++ });
  for (const column of columns) {
    const head = document.createElement('span');
    document.body.append(head);
    if (column.id !== 'decoded') edges.add(head, column, column.id === 'latency' ? 'left' : 'right');
  }
  arrange();
  arranged = 0;
});

const edge = (id: string) => document.querySelector<HTMLElement>(`[data-testid="column-edge-${id}"]`)!;
const now = (id: string) => Number(edge(id).getAttribute('aria-valuenow'));
const key = (id: string, name: string, more: KeyboardEventInit = {}) =>
  edge(id).dispatchEvent(new KeyboardEvent('keydown', { key: name, cancelable: true, ...more }));
const pointer = (id: string, type: string, clientX: number) =>
  edge(id).dispatchEvent(new PointerEvent(type, { clientX, button: 0, cancelable: true }));
const kept = () => preferences.getState().widths;

test('an edge is a separator that says what it separates and how wide it is', () => {
  expect(edge('time').getAttribute('role')).toBe('separator');
  expect(edge('time').getAttribute('aria-label')).toBe('Width of Time');
  expect(edge('marks').getAttribute('aria-label')).toBe('Width of Marks');
  expect(now('time')).toBe(90);
  // As wide as it is shown: a long name has more room.
  expect(now('register')).toBe(200);
});

test('while an edge is dragged nothing is kept, and the columns are laid out once a frame', async () => {
  pointer('time', 'pointerdown', 100);
  for (let at = 101; at <= 130; at++) pointer('time', 'pointermove', at);
  expect(arranged).toBe(0);
  await nextFrame();
  expect(arranged).toBe(1);
  expect(now('time')).toBe(120);
  expect(kept()).toEqual({});
  edge('time').releasePointerCapture(1);
  expect(kept()).toEqual({ time: 120 });
});

test('an edge at the left makes its column wider to the left, and a drag is given up by Escape', async () => {
  pointer('latency', 'pointerdown', 100);
  pointer('latency', 'pointermove', 70);
  await nextFrame();
  expect(now('latency')).toBe(92);
  key('latency', 'Escape');
  await nextFrame();
  expect(now('latency')).toBe(62);
  expect(kept()).toEqual({});
  expect(left).toBe(0);
});

test('keys resize, fit, reset and go from edge to edge', () => {
  key('time', 'ArrowRight');
  expect(kept()).toEqual({ time: 94 });
  arrange();
  key('time', 'ArrowLeft', { shiftKey: true });
  expect(kept()).toEqual({ time: 62 });
  key('time', 'Enter');
  expect(kept()).toEqual({ time: 119 });
  key('time', 'Home');
  expect(kept()).toEqual({});
  key('time', 'ArrowDown');
  expect(document.activeElement).toBe(edge('delta'));
  expect([...document.querySelectorAll('[tabindex="0"]')]).toEqual([edge('delta')]);
  key('delta', 'ArrowUp');
  key('time', 'ArrowUp');
  key('marks', 'ArrowUp');
  expect(document.activeElement).toBe(edge('marks'));
  key('marks', 'Escape');
  expect(left).toBe(1);
});

test('widths are kept within bounds, and only of columns that have one', () => {
  keepWidth('time', 3);
  expect(kept()).toEqual({ time: MIN_WIDTH });
  keepWidth('time', 1e6);
  expect(kept()).toEqual({ time: MAX_WIDTH });
  const parse = (widths: unknown) => parsePreferences(JSON.stringify({ widths })).widths;
  expect(parse({ time: 120.4, value: 5, decoded: 300, nothing: 7, cpu: '40', bar: null })).toEqual({
    time: 120,
    value: MIN_WIDTH,
  });
  for (const wrong of ['wide', null, [1, 2], 7]) expect(parse(wrong)).toEqual({});
});
