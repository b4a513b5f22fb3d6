import { expect, test } from 'vitest';
import { bitRange, changedFields, fieldMask, fieldValue, setFields, turned, withField } from './bits.ts';

const cc = [
  { name: 'EN', lsb: 0, width: 1 },
  { name: 'SHN', lsb: 14, width: 2, values: { 0: 'none', 1: 'normal', 2: 'abrupt' } },
  { name: 'IOSQES', lsb: 16, width: 4 },
  { name: 'IOCQES', lsb: 20, width: 4 },
];

test('a field is cut out and put back without touching its neighbours', () => {
  expect(fieldValue(0x00460001n, cc[2]!)).toBe(6n);
  expect(withField(0x00460001n, cc[3]!, 5n)).toBe(0x00560001n);
  expect(withField(0xffff_ffff_ffff_ffffn, { lsb: 63, width: 1 }, 0n)).toBe(0x7fff_ffff_ffff_ffffn);
});

test('a set bit that is cleared by writing 1 is turned over by a 1', () => {
  expect(fieldMask({ lsb: 14, width: 2 })).toBe(0xc000n);
  expect([turned(0n, false), turned(1n, false)]).toEqual([1n, 0n]);
  expect([turned(0n, true), turned(1n, true)]).toEqual([1n, 1n]);
});

test('a value wider than its field does not spill', () => {
  expect(withField(0n, { lsb: 4, width: 4 }, 0xffn)).toBe(0xf0n);
});

test('changes name the fields, old and new', () => {
  expect(changedFields(cc, 0x00460000n, 0x00460001n)).toBe('EN 0→1');
  expect(changedFields(cc, 0n, 0x00464000n)).toBe('SHN none→normal, IOSQES 0→6, IOCQES 0→4');
  expect(changedFields(cc, 5n, 5n)).toBe('');
});

test('bits that no field covers are not hidden', () => {
  expect(changedFields(cc, 0n, 0x8000_0000n)).toBe('other bits 0x80000000');
});

test('set fields', () => {
  expect(setFields(cc, 0x00460001n)).toBe('EN=1, IOSQES=6, IOCQES=4');
  expect(setFields(cc, 0n)).toBe('');
});

test('bit ranges', () => {
  expect(bitRange(cc[0]!)).toBe('0');
  expect(bitRange(cc[2]!)).toBe('19:16');
});
