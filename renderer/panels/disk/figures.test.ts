import { expect, test } from 'vitest';
import type { DiskState } from '#contract/disk.ts';
import {
  entryBytes,
  heatStrength,
  percentile,
  RateHistory,
  ringPieces,
  SHOWN_SECONDS,
  secondsShown,
} from './figures.ts';

const at = (seconds: number, commands: number) => ({
  time: seconds * 1e9,
  counters: {
    readCommands: commands,
    writeCommands: commands * 2,
    bytesRead: commands * 4096,
    bytesWritten: 0,
  } as DiskState['counters'],
});

test('rates are differences, a minute of them', () => {
  const history = new RateHistory();
  history.take(at(10, 100));
  expect(history.latest.reads).toBe(0);
  history.take(at(10.5, 150));
  expect(history.latest).toEqual({ reads: 100, writes: 200, bytesRead: 409600, bytesWritten: 0 });
  for (let second = 11; second < 200; second++) history.take(at(second, second * 100));
  expect(history.columns[0].length).toBeLessThanOrEqual(SHOWN_SECONDS + 1);
  history.take(at(201, 0));
  expect(history.columns[0]).toEqual([]);
});

test('a percentile is the upper edge of its bucket', () => {
  const latency = { first: 256, perOctave: 4, reads: [], writes: [], others: [] };
  expect(percentile(latency, [0, 0, 0, 0, 8, 0, 0, 2], 0.5)).toBeCloseTo(256 * 2 ** 1.25);
  expect(percentile(latency, [0, 0, 0, 0, 8, 0, 0, 2], 0.99)).toBe(1024);
  expect(percentile(latency, [0, 0], 0.5)).toBe(0);
});

test('a ring that goes round is two pieces', () => {
  expect(ringPieces(2, 4, 8)).toEqual([[0.25, 0.5]]);
  expect(ringPieces(6, 2, 8)).toEqual([
    [0.75, 1],
    [0, 0.25],
  ]);
  expect(ringPieces(6, 0, 8)).toEqual([[0.75, 1]]);
  expect(ringPieces(3, 3, 8)).toEqual([]);
});

test('heat is seen from the first command on', () => {
  expect(heatStrength(0, 9)).toBe(0);
  expect(heatStrength(1, 1000)).toBeGreaterThan(0.2);
  expect(heatStrength(1000, 1000)).toBe(1);
});

test('an entry is its words, little endian', () => {
  expect([...entryBytes('0102030400000010').slice(0, 8)]).toEqual([4, 3, 2, 1, 0x10, 0, 0, 0]);
});

test('labels of a plot are whole tens of seconds back from its end', () => {
  expect(secondsShown(71.5, 600)).toEqual([11.5, 21.5, 31.5, 41.5, 51.5, 61.5, 71.5]);
  expect(secondsShown(71.5, 300)).toEqual([11.5, 31.5, 51.5, 71.5]);
});
