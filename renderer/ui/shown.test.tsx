// @vitest-environment happy-dom
import { act, cleanup, render } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lab } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';
import { LiveText, usePolling } from './parts.tsx';
import { Shown } from './shown.ts';

const live = new Live(0);
const ask = vi.fn(async () => live.set(live.get() + 1));

function Reader() {
  usePolling(ask, 100);
  return <LiveText live={live} testId="value" text={(value) => `${value}`} />;
}

const shown = (on: boolean) => (
  <Shown value={on}>
    <Reader />
  </Shown>
);

beforeEach(() => {
  vi.useFakeTimers();
  lab.setState({ connection: { kind: 'connected' } });
  live.set(0);
  ask.mockClear();
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

test('a hidden panel asks for nothing, and asks at once when it is shown again', async () => {
  const panel = render(shown(true));
  await pass(250);
  expect(ask).toHaveBeenCalledTimes(3);
  panel.rerender(shown(false));
  await pass(5000);
  expect(ask).toHaveBeenCalledTimes(3);
  panel.rerender(shown(true));
  await pass(0);
  expect(ask).toHaveBeenCalledTimes(4);
});

test('a panel that starts hidden asks for nothing', async () => {
  render(shown(false));
  await pass(5000);
  expect(ask).not.toHaveBeenCalled();
});

test('a hidden panel draws nothing, and is drawn as it is now in the moment it is shown', async () => {
  const panel = render(shown(true));
  const text = () => panel.getByTestId('value').textContent;
  panel.rerender(shown(false));
  act(() => live.set(77));
  panel.rerender(shown(false));
  await pass(500);
  expect(text()).toBe('0');
  panel.rerender(shown(true));
  expect(text()).toBe('77');
});
