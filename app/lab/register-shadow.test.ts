import { expect, it } from 'vitest';
import type { BarMemory, DeviceDescription } from '#devices/sdk/device.ts';
import { RegisterShadow } from './register-shadow.ts';

function shadow(bars: readonly { index: number; size: number }[], fill = 0): RegisterShadow {
  const memory = {
    readBytes: (_bar: number, _offset: number, into: Uint8Array) => into.fill(fill),
  } as unknown as BarMemory;
  return new RegisterShadow({ bars } as unknown as DeviceDescription, memory);
}

it('knows the value before, from power-on on', () => {
  const one = shadow([{ index: 0, size: 64 }], 0x11);
  expect(one.exchange(0, 8, 4, 5, 0)).toBe(true);
  expect(one.previousLow).toBe(0x11111111);
  expect(one.exchange(0, 8, 4, 6, 0)).toBe(true);
  expect(one.previousLow).toBe(5);
});

it('keeps 64 bits as two words', () => {
  const one = shadow([{ index: 0, size: 64 }]);
  one.exchange(0, 16, 8, 0xffff_fffe, 7);
  one.exchange(0, 16, 8, 1, 2);
  expect([one.previousLow, one.previousHigh]).toEqual([0xffff_fffe, 7]);
  one.exchange(0, 20, 4, 9, 0);
  expect([one.previousLow, one.previousHigh]).toEqual([2, 0]);
});

it('keeps the neighbours of a narrow access', () => {
  const one = shadow([{ index: 2, size: 64 }]);
  one.exchange(2, 0, 4, 0x44332211, 0);
  expect(one.exchange(2, 1, 1, 0xaa, 0)).toBe(true);
  expect(one.previousLow).toBe(0x22);
  expect(one.exchange(2, 2, 2, 0xbeef, 0)).toBe(true);
  expect(one.previousLow).toBe(0x4433);
  one.exchange(2, 0, 4, 0, 0);
  expect(one.previousLow >>> 0).toBe(0xbeefaa11);
});

it.each([
  ['another BAR', 1, 0, 4],
  ['past the end', 0, 64, 4],
  ['a 64-bit access at the end', 0, 60, 8],
  ['not aligned', 0, 2, 4],
  ['over the edge of a word', 0, 3, 2],
])('says that it does not know: %s', (_what, bar, offset, width) => {
  expect(shadow([{ index: 0, size: 64 }]).exchange(bar, offset, width, 0, 0)).toBe(false);
});

it('does not follow a framebuffer', () => {
  expect(shadow([{ index: 0, size: 2 ** 21 }]).exchange(0, 0, 4, 0, 0)).toBe(false);
});
