// @vitest-environment happy-dom
import { beforeEach, expect, test } from 'vitest';
import type { Notice } from '#renderer/state/notices.ts';
import {
  lineText,
  logFilter,
  noticeLine,
  pieces,
  showAll,
  shownLines,
  toggleLevel,
  wordsOf,
} from './lines.ts';

function notice(id: number, level: Notice['level'], text: string, more: Partial<Notice> = {}): Notice {
  return { id, level, text, time: 0, hint: '', device: 0, source: 'lab', times: 1, ...more };
}

const all = [
  notice(1, 'info', 'NVMe disk is on the bus'),
  notice(2, 'warning', 'The driver did not let go', { device: 7 }),
  notice(3, 'error', 'Write CC: not connected', { hint: 'Wait for the lab.', times: 12 }),
  notice(4, 'error', 'The device failed'),
];
const shown = (hidden: readonly Notice['level'][], search: string) =>
  shownLines(all, { hidden, search }).lines.map(({ id }) => id);

beforeEach(showAll);

test('lines are left out by level, and counted by level all the same', () => {
  expect(shown([], '')).toEqual([1, 2, 3, 4]);
  expect(shown(['error'], '')).toEqual([1, 2]);
  expect(shownLines(all, { hidden: ['error', 'info'], search: '' }).counts).toEqual({
    error: 2,
    warning: 1,
    info: 1,
  });
});

test('a search wants every word, in any order and case, in the device, the text and the hint', () => {
  expect(shown([], 'CONNECTED write')).toEqual([3]);
  expect(shown([], 'wait cc')).toEqual([3]);
  expect(shown([], '12 times')).toEqual([3]);
  expect(shown([], 'Device 7 go')).toEqual([2]);
  expect(shown([], 'the')).toEqual([1, 2, 3, 4]);
  expect(shown([], 'write bus')).toEqual([]);
  expect(shownLines(all, { hidden: [], search: 'device fail' }).counts).toEqual({
    error: 1,
    warning: 0,
    info: 0,
  });
});

test('a device is named once in a line', () => {
  expect(noticeLine(notice(5, 'info', 'device 7 was reset (FLR).', { device: 7 }))).toMatch(
    / info device 7 was reset \(FLR\)\.$/,
  );
  expect(noticeLine(notice(6, 'error', 'No answer', { device: 7 }))).toMatch(/ error device 7: No answer$/);
  expect(lineText(notice(5, 'info', 'device 7 was reset (FLR).', { device: 7 })).device).toBe('');
  expect(lineText(notice(6, 'info', 'The driver let go', { device: 7 })).device).toBe('device 7: ');
});

test('what was searched for is marked where it is', () => {
  expect(pieces('Write CC: cc', wordsOf('cc write'))).toEqual([
    { text: 'Write', hit: true },
    { text: ' ', hit: false },
    { text: 'CC', hit: true },
    { text: ': ', hit: false },
    { text: 'cc', hit: true },
  ]);
  expect(pieces('aaa', wordsOf('aa'))).toEqual([{ text: 'aaa', hit: true }]);
  expect(pieces('İ is two in lower case', wordsOf('is'))).toEqual([
    { text: 'İ is two in lower case', hit: false },
  ]);
  expect(pieces('', wordsOf('a'))).toEqual([]);
});

test('levels are left out and shown again one by one, and all at once', () => {
  toggleLevel('info');
  toggleLevel('error');
  expect(logFilter.getState().hidden).toEqual(['info', 'error']);
  toggleLevel('info');
  expect(logFilter.getState().hidden).toEqual(['error']);
  logFilter.setState({ search: 'x' });
  showAll();
  expect(logFilter.getState()).toEqual({ hidden: [], search: '' });
});
