import { expect, test } from 'vitest';
import { formatLink, parseLink } from './links.ts';

test('a link comes back as it was', () => {
  const link = { panel: 'config', device: 'NVMe disk & co' };
  expect(parseLink(formatLink(link))).toEqual(link);
  expect(formatLink({ panel: 'trace' })).toBe('#panel=trace');
});

test('a token or nothing is no link', () => {
  expect(parseLink('#token=abc')).toBeUndefined();
  expect(parseLink('')).toBeUndefined();
});
