import { expect, test } from 'vitest';
import { matchScore } from './match.ts';

const dark = 'Theme: dark theme.dark';

test('every word that was typed is there, in any order and case', () => {
  expect(matchScore(dark, 'theme dark')).toBeGreaterThan(0);
  expect(matchScore(dark, 'DARK theme')).toBeGreaterThan(0);
  expect(matchScore(dark, 'Theme: dark')).toBe(1);
  expect(matchScore(dark, '')).toBeGreaterThan(0);
  expect(matchScore(dark, 'theme light')).toBe(0);
});

test('letters that are strewn over a name are no match', () => {
  expect(matchScore('Show or hide in the trace: Missed trace.kind.missed', 'theme dark', ['Trace', ''])).toBe(
    0,
  );
});

test('a start is better than a word, a word than a part of one, a keyword the least', () => {
  const scores = [
    matchScore('Follow the end', 'follow'),
    matchScore('Do not follow', 'follow'),
    matchScore('Unfollow it', 'follow'),
    matchScore('Stand still', 'follow', ['follow']),
  ];
  expect([...scores].sort((a, b) => b - a)).toEqual(scores);
  expect(new Set(scores).size).toBe(4);
});
