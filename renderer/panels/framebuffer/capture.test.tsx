// @vitest-environment happy-dom
import { cleanup } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { InputEvent } from '#contract/input.ts';
import type { FakeLab } from '#renderer/testing/fake-lab.ts';
import { renderWithLab } from '#renderer/testing/render.tsx';
import { capture, listen, release, take } from './capture.ts';
import { pictureCanvas } from './picture.ts';

vi.setConfig({ testTimeout: 30_000 });

let fake: FakeLab;
let stop: () => void;
const canvas = pictureCanvas();

beforeEach(async () => {
  fake = await renderWithLab(<div />);
  document.body.append(canvas);
  stop = listen(() => 7);
});
afterEach(() => {
  stop();
  canvas.remove();
  cleanup();
  fake.stop();
});

const calls = (name: string) => fake.called.filter(({ call }) => call === name);
const told = () =>
  calls('input.events').flatMap(({ params }) => (params as { events: readonly InputEvent[] }).events);
const key = (type: 'keydown' | 'keyup', code: string, more: KeyboardEventInit = {}) => {
  const event = new KeyboardEvent(type, { code, key: code, bubbles: true, cancelable: true, ...more });
  canvas.dispatchEvent(event);
  return event;
};

test('keys are the window’s until they are taken, and the machine’s then', async () => {
  expect(key('keydown', 'KeyA').defaultPrevented).toBe(false);
  await take(7);
  expect(calls('input.attach')).toEqual([{ call: 'input.attach', params: { device: 7 } }]);
  expect(document.activeElement).toBe(canvas);
  expect(key('keydown', 'KeyA').defaultPrevented).toBe(true);
  // A key that is held down repeats here; Linux does that by itself.
  key('keydown', 'KeyA', { repeat: true });
  key('keyup', 'KeyA');
  // None of a keyboard of 105 keys: the browser's.
  expect(key('keydown', 'MediaPlayPause').defaultPrevented).toBe(false);
  await expect.poll(told).toEqual([
    { kind: 'key', code: 'KeyA', down: true },
    { kind: 'key', code: 'KeyA', down: false },
  ]);
});

test('nothing of it reaches the window’s hotkeys', async () => {
  const heard = vi.fn();
  document.body.addEventListener('keydown', heard);
  await take(7);
  expect(canvas.closest('[data-captured]')).toBe(canvas);
  key('keydown', 'KeyK', { ctrlKey: true });
  expect(heard).not.toHaveBeenCalled();
  release();
  expect(canvas.closest('[data-captured]')).toBeNull();
  key('keydown', 'KeyK', { ctrlKey: true });
  expect(heard).toHaveBeenCalledOnce();
  document.body.removeEventListener('keydown', heard);
});

test('Enter on the picture takes them, Ctrl with the left Alt gives them back, AltGr does not', async () => {
  key('keydown', 'Enter', { key: 'Enter' });
  await expect.poll(() => capture.getState().keyboard).toBe(true);
  key('keydown', 'ControlLeft');
  key('keydown', 'AltRight');
  expect(capture.getState().keyboard).toBe(true);
  key('keyup', 'AltRight');
  key('keydown', 'AltLeft');
  expect(capture.getState()).toEqual({ keyboard: false, mouse: false });
  await expect.poll(() => calls('input.detach')).toHaveLength(1);
});

test.each([
  ['the picture loses the focus', () => canvas.dispatchEvent(new FocusEvent('blur'))],
  ['the window loses it', () => window.dispatchEvent(new FocusEvent('blur'))],
  ['the panel closes', () => stop()],
])('they are given back when %s', async (_, leave) => {
  await take(7);
  key('keydown', 'KeyW');
  leave();
  expect(capture.getState().keyboard).toBe(false);
  await expect.poll(() => calls('input.detach')).toHaveLength(1);
  // Nothing more is sent, whatever comes.
  const before = told().length;
  key('keyup', 'KeyW');
  expect(told()).toHaveLength(before);
});
