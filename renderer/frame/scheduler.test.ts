// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cancelFrame, onNextFrame } from './scheduler.ts';

let frames: FrameRequestCallback[] = [];
beforeEach(() => {
  vi.stubGlobal('requestAnimationFrame', (callback: FrameRequestCallback) => frames.push(callback));
});
afterEach(() => {
  frames = [];
  vi.unstubAllGlobals();
});

/** How many frames were asked for. */
function frame(): number {
  const due = frames;
  frames = [];
  for (const callback of due) callback(0);
  return due.length;
}

test('what follows from what is drawn is drawn in the same frame, and each task once', () => {
  const drawn: string[] = [];
  const follows = () => drawn.push('follows');
  const first = () => {
    drawn.push('first');
    onNextFrame(follows);
    onNextFrame(first);
  };
  onNextFrame(first);
  onNextFrame(first);
  expect(frame()).toBe(1);
  expect(drawn).toEqual(['first', 'follows']);
  expect(frame()).toBe(1);
  expect(drawn).toEqual(['first', 'follows', 'first', 'follows']);
  cancelFrame(first);
  frame();
  expect(drawn).toHaveLength(4);
  expect(frame()).toBe(0);
});

test('one that fails does not stop the others', () => {
  const report = vi.fn();
  vi.stubGlobal('reportError', report);
  const other = vi.fn();
  onNextFrame(() => {
    throw new Error('no');
  });
  onNextFrame(other);
  frame();
  expect(other).toHaveBeenCalledOnce();
  expect(report).toHaveBeenCalledOnce();
  expect(frame()).toBe(0);
});
