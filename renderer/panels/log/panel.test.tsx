// @vitest-environment happy-dom
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addNotice, clearNotices, KEPT_NOTICES } from '#renderer/state/notices.ts';
import { showAll } from './lines.ts';
import { LogPanel } from './panel.tsx';

beforeEach(() => {
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, value: 220 });
  Object.defineProperty(HTMLElement.prototype, 'offsetHeight', { configurable: true, value: 22 });
  clearNotices();
  showAll();
});
afterEach(cleanup);

const lines = () => screen.queryAllByTestId('log-line').map((line) => line.textContent);

test('levels have a glyph, a word, a count and a button; what matches nothing says so', () => {
  addNotice({ level: 'info', text: 'on the bus' });
  addNotice({ level: 'warning', text: 'did not let go' });
  addNotice({ level: 'error', text: 'Write CC failed', hint: 'Try again.' });
  render(<LogPanel />);
  expect(lines()).toHaveLength(3);
  expect(lines()[2]).toContain('✖ errorWrite CC failed Try again.');
  expect(screen.getByTestId('log-show-error').textContent).toContain('Errors 1');
  fireEvent.click(screen.getByTestId('log-show-error'));
  expect(screen.getByTestId('log-show-error').getAttribute('aria-pressed')).toBe('false');
  expect(lines()).toHaveLength(2);
  fireEvent.change(screen.getByTestId('log-search'), { target: { value: 'write' } });
  expect(screen.getByTestId('log-none').textContent).toContain('None of 3 messages matches');
  // It can be found among the errors.
  expect(screen.getByTestId('log-show-error').textContent).toContain('Errors 1');
  fireEvent.click(screen.getByText('Show all messages'));
  expect(lines()).toHaveLength(3);
  fireEvent.change(screen.getByTestId('log-search'), { target: { value: 'write' } });
  expect(screen.getByTestId('log-line').querySelector('mark')?.textContent).toBe('Write');
  fireEvent.keyDown(screen.getByTestId('log-search'), { key: 'Escape' });
  expect(lines()).toHaveLength(3);
});

test('of many lines only those in view exist, and only the newest is news', () => {
  render(<LogPanel />);
  expect(screen.getByText(/Nothing to report/)).toBeTruthy();
  act(() => {
    for (let at = 0; at < KEPT_NOTICES; at++) addNotice({ level: 'info', text: `message ${at}` });
  });
  expect(lines().length).toBeLessThan(30);
  expect(screen.getByRole('log').textContent).toMatch(/message 499$/);
});
