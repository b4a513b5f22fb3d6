import { expect, it } from 'vitest';
import type { BarMemory, DeviceDescription } from '#devices/sdk/device.ts';
import type { RegisterDescription } from '#devices/sdk/register-map.ts';
import { RegisterShadow } from './register-shadow.ts';

function shadow(
  bars: readonly { index: number; size: number }[],
  fill = 0,
  registers: readonly Partial<RegisterDescription>[] = [],
): RegisterShadow {
  const memory = {
    readBytes: (_bar: number, _offset: number, into: Uint8Array) => into.fill(fill),
  } as unknown as BarMemory;
  const description = { bars: bars.map((bar) => ({ ...bar, registers })) };
  return new RegisterShadow(description as unknown as DeviceDescription, memory);
}

it('knows the value before, from power-on on', () => {
  const one = shadow([{ index: 0, size: 64 }], 0x11);
  expect(one.exchange(0, 8, 4, 5, 0, false)).toBe(true);
  expect(one.previousLow).toBe(0x11111111);
  expect(one.exchange(0, 8, 4, 6, 0, false)).toBe(true);
  expect(one.previousLow).toBe(5);
});

it('keeps 64 bits as two words', () => {
  const one = shadow([{ index: 0, size: 64 }]);
  one.exchange(0, 16, 8, 0xffff_fffe, 7, false);
  one.exchange(0, 16, 8, 1, 2, false);
  expect([one.previousLow, one.previousHigh]).toEqual([0xffff_fffe, 7]);
  one.exchange(0, 20, 4, 9, 0, false);
  expect([one.previousLow, one.previousHigh]).toEqual([2, 0]);
});

it('keeps the neighbours of a narrow access', () => {
  const one = shadow([{ index: 2, size: 64 }]);
  one.exchange(2, 0, 4, 0x44332211, 0, false);
  expect(one.exchange(2, 1, 1, 0xaa, 0, false)).toBe(true);
  expect(one.previousLow).toBe(0x22);
  expect(one.exchange(2, 2, 2, 0xbeef, 0, false)).toBe(true);
  expect(one.previousLow).toBe(0x4433);
  one.exchange(2, 0, 4, 0, 0, false);
  expect(one.previousLow >>> 0).toBe(0xbeefaa11);
});

it.each([
  ['another BAR', 1, 0, 4],
  ['past the end', 0, 64, 4],
  ['a 64-bit access at the end', 0, 60, 8],
  ['not aligned', 0, 2, 4],
  ['over the edge of a word', 0, 3, 2],
])('says that it does not know: %s', (_what, bar, offset, width) => {
  expect(shadow([{ index: 0, size: 64 }]).exchange(bar, offset, width, 0, 0, false)).toBe(false);
});

it('does not follow a framebuffer', () => {
  expect(shadow([{ index: 0, size: 2 ** 21 }]).exchange(0, 0, 4, 0, 0, false)).toBe(false);
});

it('a write counts as the register takes it', () => {
  const one = shadow([{ index: 0, size: 64 }], 0, [
    { offset: 8, width: 4, writable: 0xff_00ffn, writeOneToClear: 0xff00n, selfClearing: 0x80n },
    { offset: 20, width: 2, writable: 0n, writeOneToClear: 0x3n },
    { offset: 24, width: 8, writable: 0n, writeOneToClear: 0x1_0000_0000n },
  ]);
  const previous = (offset: number, width: number, low: number, high = 0, write = true): number => {
    one.exchange(0, offset, width, low, high, write);
    return one.previousLow >>> 0;
  };
  previous(8, 4, 0xaa00_3300, 0, false);
  // Writable bits are stored, read-only ones stay, what was 1 and is written 1 goes, and so does what started.
  previous(8, 4, 0x5512_1081);
  expect(previous(8, 4, 0)).toBe(0xaa12_2301);
  expect(previous(8, 4, 0)).toBe(0xaa00_2300);
  expect(previous(9, 1, 0x03)).toBe(0x23);
  expect(previous(8, 4, 0)).toBe(0xaa00_2000);

  previous(20, 2, 3, 0, false);
  previous(20, 2, 2);
  expect(previous(20, 2, 0)).toBe(1);

  previous(24, 8, 7, 3, false);
  previous(24, 8, 0, 1);
  previous(24, 8, 0, 0);
  expect([one.previousLow, one.previousHigh]).toEqual([7, 2]);
});
