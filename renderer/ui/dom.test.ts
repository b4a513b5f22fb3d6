// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { flash, stopFlash } from './dom.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('what changed is lit, then fades; what goes on changing stays lit', () => {
  const once = document.createElement('span');
  const always = document.createElement('span');
  flash(once);
  flash(always);
  for (let time = 0; time < 1000; time += 50) {
    vi.advanceTimersByTime(50);
    flash(always);
    expect(always.dataset.flash).toBe('on');
    if (time < 250) expect(once.dataset.flash).toBe('on');
  }
  expect(once.dataset.flash).toBe('off');
  vi.advanceTimersByTime(1000);
  expect(always.dataset.flash).toBe('off');
  // Nothing is lit, nothing is looked at.
  expect(vi.getTimerCount()).toBe(0);
  flash(once);
  expect(once.dataset.flash).toBe('on');
  stopFlash(once);
  expect(once.dataset.flash).toBeUndefined();
});
