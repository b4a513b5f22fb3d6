import { expect, it } from 'vitest';
import { edid, preferredModes } from './edid.ts';

it.each(preferredModes)('%s: header, checksum and preferred timing (VESA E-EDID 1.4, 3)', (mode) => {
  const block = edid(mode);
  expect(block.length).toBe(128);
  expect([...block.subarray(0, 8)]).toEqual([0, 255, 255, 255, 255, 255, 255, 0]);
  expect(block.reduce((sum, byte) => (sum + byte) & 0xff, 0)).toBe(0);
  expect([...block.subarray(18, 20)]).toEqual([1, 4]);
  // Table 3.21: the active pixels of the first detailed timing.
  const width = block[56]! | ((block[58]! >> 4) << 8);
  const height = block[59]! | ((block[61]! >> 4) << 8);
  expect(`${width}x${height}`).toBe(mode);
  // Clock over total pixels is 60 Hz, within 0.5 %.
  const clock = (block[54]! | (block[55]! << 8)) * 10_000;
  const total =
    (width + block[57]! + ((block[58]! & 15) << 8)) * (height + block[60]! + ((block[61]! & 15) << 8));
  expect(Math.abs(clock / total - 60)).toBeLessThan(0.3);
  expect(String.fromCharCode(...block.subarray(95, 104))).toBe('PCIem Lab');
});
