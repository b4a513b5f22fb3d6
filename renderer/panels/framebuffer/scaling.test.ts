import { expect, test } from 'vitest';
import { place } from './scaling.ts';

test.each([
  ['smooth', 960, 540, 1, { width: 720, height: 540, sharp: false }],
  ['smooth', 320, 500, 1, { width: 320, height: 240, sharp: false }],
  ['integer', 1300, 1000, 1, { width: 1280, height: 960, sharp: true }],
  ['integer', 960, 540, 1, { width: 640, height: 480, sharp: true }],
  ['integer', 960, 540, 2, { width: 640, height: 480, sharp: true }],
  ['integer', 320, 240, 1, { width: 320, height: 240, sharp: false }],
  ['1', 100, 100, 1, { width: 640, height: 480, sharp: true }],
  ['3', 100, 100, 2, { width: 960, height: 720, sharp: true }],
] as const)('%s in %i x %i at density %i', (scaling, width, height, density, expected) => {
  expect(place(scaling, 640, 480, width, height, density)).toEqual(expected);
});
