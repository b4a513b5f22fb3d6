// @vitest-environment happy-dom
import { expect, test } from 'vitest';
import { parsePins, pinOf, pins, togglePin } from './watch.ts';

test('a pin is set, kept and taken away', () => {
  const pin = pinOf('nvme', 0, 'CC');
  togglePin(pin);
  expect(pins.getState().all).toEqual(['nvme/0/CC']);
  expect(parsePins(localStorage.getItem('pciem-lab-watch'))).toEqual(['nvme/0/CC']);
  togglePin(pin);
  expect(pins.getState().all).toEqual([]);
});

test('what is torn is left out', () => {
  expect(parsePins('x')).toEqual([]);
  expect(parsePins('["nvme/0/CC","broken",""]')).toEqual(['nvme/0/CC']);
});
