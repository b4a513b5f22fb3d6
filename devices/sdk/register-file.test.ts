import { describe, expect, it } from 'vitest';
import { FakeBars } from '../testing/fake-host.ts';
import type { DeviceDescription } from './device.ts';
import { RegisterFile, registerTableError } from './register-file.ts';
import type { RegisterDescription } from './register-map.ts';

const table: readonly RegisterDescription[] = [
  { name: 'A', title: '', offset: 0, width: 4, reset: 0x1234_5678n, writable: 0xffff_0000n },
  { name: 'B', title: '', offset: 4, width: 4, reset: 0xffn, writable: 0n, writeOneToClear: 0x0fn },
  { name: 'C', title: '', offset: 8, width: 8, reset: 0x1_0000_0002n, writable: 0xffff_ffff_ffff_ff00n },
  { name: 'D', title: '', offset: 16, width: 1, reset: 1n, writable: 0xffn },
  { name: 'E', title: '', offset: 17, width: 1, reset: 2n, writable: 0x0fn },
  { name: 'F', title: '', offset: 18, width: 2, reset: 0xabcdn, writable: 0xffffn },
];

function make() {
  const bars = new FakeBars({ bars: [{ index: 0, size: 4096 }] } as unknown as DeviceDescription);
  const written: [string, number, number, number][] = [];
  const file = new RegisterFile(0, table, bars, (index, low, high, was) =>
    written.push([table[index]!.name, low, high, was]),
  );
  file.reset();
  bars.writes = 0;
  /** As a host does it: memory first, then the model. */
  const write = (offset: number, width: number, value: number, high = 0) => {
    const bytes = Uint8Array.from({ length: width }, (_, i) =>
      i < 4 ? value >>> (8 * i) : high >>> (8 * (i - 4)),
    );
    bars.writeBytes(0, offset, bytes);
    bars.writes = 0;
    written.length = 0;
    file.write(offset, width, value, high);
  };
  return { bars, file, written, write };
}

describe('the register file', () => {
  it('puts reset values into BAR memory', () => {
    const { bars } = make();
    expect(bars.read32(0, 0)).toBe(0x1234_5678);
    expect(bars.read64(0, 8)).toBe(0x1_0000_0002n);
    expect(bars.read32(0, 16)).toBe(0xabcd_0201);
  });

  it('keeps read-only bits, in BAR memory too', () => {
    const { bars, file, written, write } = make();
    write(0, 4, 0xaaaa_bbbb);
    expect(file.get(0)).toBe(0xaaaa_5678);
    expect(bars.read32(0, 0)).toBe(0xaaaa_5678);
    expect(written).toEqual([['A', 0xaaaa_5678, 0, 0x1234_5678]]);
  });

  it.each([
    ['A', 0, 4, 0x7777_5678, 0, 0xeeee_5678, 0],
    ['C', 8, 8, 0x0000_0302, 7, 0x0000_0402, 9],
    ['F', 18, 2, 0x1111, 0, 0x2222, 0],
    ['D', 16, 1, 0x11, 0, 0x22, 0],
  ])(
    'keeps in BAR memory what the driver wrote to %s before the model got to its reset',
    (_name, offset, width, value, high, later, laterHigh) => {
      const { bars, file } = make();
      const bytesOf = (low: number, up: number) =>
        Uint8Array.from({ length: width }, (_, i) => (i < 4 ? low >>> (8 * i) : up >>> (8 * (i - 4))));
      const store = (low: number, up: number) => bars.writeBytes(0, offset, bytesOf(low, up));
      const stored = () => {
        const bytes = new Uint8Array(width);
        bars.readBytes(0, offset, bytes);
        return bytes;
      };
      store(value, high);
      store(later, laterHigh);
      file.reset();
      file.write(offset, width, value, high);
      file.write(offset, width, later, laterHigh);
      expect(stored()).toEqual(bytesOf(later, laterHigh));

      // From here on memory is ahead of the model again: what the driver has stored since is not touched.
      store(value, high);
      file.write(offset, width, value, high);
      store(value, high);
      store(later, laterHigh);
      file.write(offset, width, value, high);
      expect(stored()).toEqual(bytesOf(later, laterHigh));
    },
  );

  it('leaves what the driver stored after the reset, while the model is at what came before', () => {
    const { bars, file } = make();
    file.reset();
    bars.write32(0, 0, 0x1111_5678);
    file.write(0, 4, 0x2222_5678, 0);
    expect(bars.read32(0, 0)).toBe(0x1111_5678);
  });

  it('clears bits by writing 1, and only those', () => {
    const { bars, write } = make();
    write(4, 4, 0xff05);
    expect(bars.read32(0, 4)).toBe(0xfa);
    write(4, 4, 0);
    expect(bars.read32(0, 4)).toBe(0xfa);
  });

  it('changes no byte that a narrow write does not reach', () => {
    const { file, bars, write } = make();
    write(3, 1, 0x99);
    expect(file.get(0)).toBe(0x9934_5678);
    write(0, 2, 0xffff);
    expect(bars.read32(0, 0)).toBe(0x9934_5678);
    write(5, 1, 0xff);
    expect(bars.read32(0, 4)).toBe(0xff);
    write(12, 4, 0xdead_beef);
    expect([file.get(2), file.getHigh(2)]).toEqual([2, 0xdead_beef]);
  });

  it('gives each register of a straddling write its part, once', () => {
    const { written, write } = make();
    write(0, 8, 0x1111_2222, 0x0000_0003);
    expect(written.map(([name, low]) => [name, low])).toEqual([
      ['A', 0x1111_5678],
      ['B', 0xfc],
    ]);
    write(16, 4, 0x4321_ff77);
    expect(written.map(([name, low]) => [name, low])).toEqual([
      ['D', 0x77],
      ['E', 0x0f],
      ['F', 0x4321],
    ]);
  });

  it('does not write a value that BAR memory holds already: the driver may have stored a newer one', () => {
    const { bars, write } = make();
    write(0, 4, 0x7777_5678);
    expect(bars.writes).toBe(0);
    write(0, 4, 0x7777_0000);
    expect(bars.writes).toBe(1);
  });

  it('takes writes where there is no register', () => {
    const { written, write } = make();
    write(20, 4, 1);
    write(4000, 8, 1);
    expect(written).toEqual([]);
  });
});

it('says what is wrong with a table', () => {
  const at = (
    offset: number,
    width: 1 | 2 | 4 | 8,
    fields: { name: string; lsb: number; width: number }[] = [],
  ) => ({
    name: `R${offset}`,
    title: '',
    offset,
    width,
    reset: 0n,
    writable: 0n,
    fields,
  });
  expect(registerTableError([at(0, 4), at(4, 4)], 8)).toBeNull();
  expect(registerTableError([at(0, 4), at(2, 2)], 8)).toMatch(/R2 overlaps R0/);
  expect(registerTableError([at(2, 4)], 8)).toMatch(/not aligned/);
  expect(registerTableError([at(8, 4)], 8)).toMatch(/beyond the BAR/);
  const starts = { ...at(0, 4), writable: 6n, selfClearing: 2n };
  expect(registerTableError([starts], 4)).toBeNull();
  expect(registerTableError([{ ...starts, selfClearing: 3n }], 4)).toMatch(/R0 has self-clearing bits/);
  expect(registerTableError([at(0, 1, [{ name: 'X', lsb: 6, width: 3 }])], 8)).toMatch(/R0.X ends beyond/);
});
