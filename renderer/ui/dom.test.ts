// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { flash, setHexText, setText, stopFlash } from './dom.ts';

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

test('text is written over where it differs; hexadecimal digits are in groups', () => {
  const cell = document.createElement('span');
  setText(cell, 'CSTS');
  const text = cell.firstChild;
  setText(cell, 'CC');
  expect(cell.firstChild).toBe(text);
  expect(cell.innerHTML).toBe('CC');
  setHexText(cell, '0x12345678');
  expect([...cell.children].map((group) => group.textContent)).toEqual(['0x1234', '5678']);
  const [group] = cell.children;
  setHexText(cell, '0x9abcdef0');
  expect(cell.firstElementChild).toBe(group);
  expect(cell.textContent).toBe('0x9abcdef0');
  setHexText(cell, '0x123456789abcdef0');
  expect([...cell.children].map((one) => one.textContent)).toEqual(['0x1234', '5678', '9abc', 'def0']);
  setHexText(cell, '0x1');
  expect(cell.innerHTML).toBe('0x1');
  setText(cell, '');
  expect(cell.textContent).toBe('');
});
