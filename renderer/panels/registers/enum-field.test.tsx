// @vitest-environment happy-dom
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import { nextFrame } from '#renderer/frame/scheduler.ts';
import { Live } from '#renderer/state/live.ts';
import { EnumField } from './enum-field.tsx';

afterEach(cleanup);

function made(put = vi.fn(async (_: bigint) => {})) {
  const live = new Live(1n);
  render(
    <EnumField
      live={live}
      read={(value) => value}
      names={[
        ['0', 'none'],
        ['1', 'normal'],
        ['2', 'abrupt'],
      ]}
      label="CC.SHN"
      disabled={false}
      why=""
      put={put}
    />,
  );
  const select = screen.getByLabelText('CC.SHN') as HTMLSelectElement;
  act(() => select.focus());
  /** As a browser does with a closed list: the value changes while the key is down. */
  const browse = (key: string, value: string) => {
    fireEvent.keyDown(select, { key });
    fireEvent.change(select, { target: { value } });
    fireEvent.keyUp(select, { key });
  };
  const show = async (value: bigint) => {
    live.set(value);
    await act(() => nextFrame());
  };
  return { put, select, browse, show };
}

test('keys that go through the values write nothing; Enter writes the last one, once', async () => {
  const { put, select, browse, show } = made();
  browse('ArrowDown', '2');
  browse('ArrowUp', '1');
  expect(select.dataset.chosen).toBe('false');
  browse('ArrowUp', '0');
  await show(2n);
  expect(select.value).toBe('0');
  expect(put).not.toHaveBeenCalled();
  expect(screen.getByRole('status').textContent).toContain('Enter writes');
  await act(async () => {
    fireEvent.keyDown(select, { key: 'Enter' });
    fireEvent.keyDown(select, { key: 'Enter' });
  });
  expect(put.mock.calls).toEqual([[0n]]);
  expect(document.activeElement).toBe(select);
  // What the device holds is shown again.
  expect(select.value).toBe('2');
});

test('Escape and leaving give the choice back', () => {
  const { put, select, browse } = made();
  browse('a', '2');
  fireEvent.keyDown(select, { key: 'Escape' });
  expect(select.value).toBe('1');
  browse('End', '2');
  act(() => select.blur());
  expect(select.value).toBe('1');
  expect(put).not.toHaveBeenCalled();
});

test('a choice in the opened list is written at once', async () => {
  const { put, select } = made();
  await act(async () => {
    fireEvent.pointerDown(select);
    fireEvent.change(select, { target: { value: '2' } });
  });
  expect(put.mock.calls).toEqual([[2n]]);
  // Opened by a key.
  for (const opening of [{ key: ' ' }, { key: 'ArrowDown', altKey: true }, { key: 'Enter' }]) {
    put.mockClear();
    await act(async () => {
      fireEvent.keyDown(select, opening);
      fireEvent.change(select, { target: { value: '0' } });
    });
    expect(put.mock.calls).toEqual([[0n]]);
  }
});

test('what is chosen is shown until it is written, and what is chosen meanwhile stays', async () => {
  let written = () => {};
  const { put, select, browse, show } = made(
    vi.fn(
      (_: bigint) =>
        new Promise<void>((resolve) => {
          written = resolve;
        }),
    ),
  );
  browse('ArrowDown', '2');
  fireEvent.keyDown(select, { key: 'Enter' });
  await show(1n);
  expect(select.value).toBe('2');
  browse('Home', '0');
  await act(async () => written());
  expect(put).toHaveBeenCalledTimes(1);
  expect(select.value).toBe('0');
  expect(select.dataset.chosen).toBe('true');
});
