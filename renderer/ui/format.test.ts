import { describe, expect, test } from 'vitest';
import {
  bytes,
  count,
  duration,
  hex,
  hexGroups,
  instant,
  otherBases,
  parseBits,
  parseSize,
  parseValue,
  rate,
  setFormats,
} from './format.ts';

test('hexadecimal is lower case, padded, and grouped by four from eight digits up', () => {
  expect(hex(0xabcn, 4)).toBe('0x0abc');
  expect(hexGroups('0xabcdef')).toEqual(['0xabcdef']);
  expect(hexGroups('0xdeadbeef')).toEqual(['0xdead', 'beef']);
  expect(hexGroups('0x1234567890')).toEqual(['0x12', '3456', '7890']);
  expect(hexGroups('12345678')).toEqual(['12345678']);
  expect(hexGroups('0xfee01000 = 0x31')).toEqual(['0xfee01000 = 0x31']);
});

test('times carry units', () => {
  expect(duration(999)).toBe('999 ns');
  expect(duration(1500)).toBe('1.50 us');
  expect(duration(25_340_000)).toBe('25.3 ms');
  expect(duration(2e9)).toBe('2.00 s');
  expect(instant(1_234_567_890)).toBe('1.234568 s');
});

test('sizes, counts and rates', () => {
  expect(bytes(512)).toBe('512 B');
  expect(bytes(4096)).toBe('4 KiB');
  expect(bytes(1536)).toBe('1.50 KiB');
  expect(bytes(3 * 1024 ** 3)).toBe('3 GiB');
  expect(count(1234567)).toBe('1,234,567');
  expect(rate(950, 'events')).toBe('950 events/s');
  expect(rate(123_456, 'IRQ')).toBe('123 kIRQ/s');
});

describe('sizes as typed', () => {
  test.each([
    ['4096', 4096],
    ['0x1000', 4096],
    ['1GiB', 1024 ** 3],
    ['1 g', 1024 ** 3],
    ['512 MiB', 512 * 1024 ** 2],
    ['1MB', 1_000_000],
    ['1.5KiB', 1536],
  ])('%s', (text, size) => expect(parseSize(text)).toBe(size));
  test.each(['', 'big', '-1', '1 XiB', '1.0001KiB', '12ib'])('"%s" is none', (text) =>
    expect(parseSize(text)).toBeUndefined(),
  );
});

describe('values as typed', () => {
  test.each([
    ['0xFF', 1, 255n],
    ['255', 1, 255n],
    ['0b1010', 1, 10n],
    ['0xdead_beef', 4, 0xdeadbeefn],
    ['0xffffffffffffffff', 8, 2n ** 64n - 1n],
  ])('%s in %i bytes', (text, width, value) => expect(parseValue(text, width)).toEqual({ value }));
  test('what does not fit or is no number says so', () => {
    expect(parseValue('0x100', 1)).toEqual({ problem: '0x100 does not fit in 1 byte; at most 0xff (255)' });
    expect(parseValue('ten', 4)).toHaveProperty('problem');
    expect(parseBits('0xf', 4)).toEqual({ value: 15n });
    expect(parseBits('0x10', 4)).toEqual({ problem: '0x10 does not fit in 4 bits; at most 0xf (15)' });
    expect(parseBits('2', 1)).toEqual({ problem: '0x2 does not fit in 1 bit; at most 0x1 (1)' });
    expect(parseBits('0x100', 4)).toEqual({ problem: '0x100 does not fit in 4 bits; at most 0xf (15)' });
    expect(parseBits('0x100', 8)).toEqual(parseValue('0x100', 1));
    expect(parseValue('', 4)).toHaveProperty('problem');
    expect(parseValue('-1', 4)).toHaveProperty('problem');
  });
});

test('other bases', () => expect(otherBases(5n, 2)).toBe('5\n0b 00000000 00000101'));

test('numbers are written as the settings say', () => {
  setFormats({ groupDigits: false, sizes: 'decimal' });
  expect(bytes(4096)).toBe('4.10 kB');
  expect(hexGroups('0x0000000123456000')).toEqual(['0x0000000123456000']);
  setFormats({ groupDigits: true, sizes: 'binary' });
  expect(bytes(4096)).toBe('4 KiB');
});
