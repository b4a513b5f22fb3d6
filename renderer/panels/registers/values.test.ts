import { expect, test } from 'vitest';
import { BarValues, fieldClears, fieldWritable, matchesSearch, readRanges, searchProblem } from './values.ts';

test('near registers are read together, far ones apart', () => {
  const ranges = readRanges([
    { offset: 0x14, width: 4 },
    { offset: 0, width: 8 },
    { offset: 0x1000, width: 4 },
    { offset: 0x1004, width: 4 },
  ]);
  expect(ranges).toEqual([
    { offset: 0, length: 0x18 },
    { offset: 0x1000, length: 8 },
  ]);
});

test('no range is longer than one call allows', () => {
  const registers = Array.from({ length: 300 }, (_, at) => ({ offset: at * 512, width: 4 as const }));
  const ranges = readRanges(registers);
  expect(ranges.every((range) => range.length <= 65536)).toBe(true);
  expect(ranges.reduce((sum, range) => sum + range.length, 0)).toBeGreaterThan(300 * 500);
});

test('values come from the part that holds them whole', () => {
  const bytes = new Uint8Array([0xff, 1, 2, 3, 4, 5, 6, 7, 8]).subarray(1);
  const values = new BarValues([{ offset: 0x10, bytes }]);
  expect(values.value({ offset: 0x10, width: 4 })).toBe(0x04030201n);
  expect(values.value({ offset: 0x10, width: 8 })).toBe(0x0807060504030201n);
  expect(values.value({ offset: 0x14, width: 8 })).toBeUndefined();
  expect(values.value({ offset: 0xc, width: 4 })).toBeUndefined();
});

test('read-only fields are known', () => {
  const register = { writable: '0x1', writeOneToClear: '0x10' };
  expect(fieldWritable(register, { lsb: 0, width: 1 })).toBe(true);
  expect(fieldWritable(register, { lsb: 4, width: 1 })).toBe(true);
  expect(fieldWritable(register, { lsb: 1, width: 3 })).toBe(false);
  expect(fieldClears(register, { lsb: 4, width: 1 })).toBe(true);
  expect(fieldClears(register, { lsb: 0, width: 4 })).toBe(false);
});

test('search looks at names, titles, fields and offsets', () => {
  const register = {
    name: 'CC',
    title: 'Controller Configuration',
    offset: 0x14,
    width: 4 as const,
    reset: '0x0',
    writable: '0x0',
    writeOneToClear: '0x0',
    fields: [{ name: 'IOSQES', lsb: 16, width: 4 }],
  };
  expect(matchesSearch(register, 'iosq config')).toBe(true);
  expect(matchesSearch(register, '0x14')).toBe(true);
  expect(matchesSearch(register, 'csts')).toBe(false);
  expect(matchesSearch(register, ' ')).toBe(true);
});

test('a typed search looks at one thing, and says what it does not know', () => {
  const register = {
    name: 'CSTS',
    title: 'Controller Status',
    offset: 0x1c,
    width: 4 as const,
    reset: '0x0',
    writable: '0x0',
    writeOneToClear: '0x10',
    fields: [{ name: 'RDY', lsb: 0, width: 1, description: 'Ready' }],
  };
  const found = (search: string) => matchesSearch(register, search);
  expect(found('name:csts field:rdy')).toBe(true);
  expect(found('name:rdy')).toBe(false);
  expect(found('offset:0x1c')).toBe(true);
  expect(found('offset:0x1e')).toBe(true);
  expect(found('offset:0x20-')).toBe(false);
  expect(found('offset:0x10-0x1f width:4')).toBe(true);
  expect(found('access:w1c')).toBe(true);
  expect(found('access:ro')).toBe(false);
  expect(found('text:ready status')).toBe(true);
  expect(searchProblem('name:x access:ro plain')).toBe('');
  expect(searchProblem('nam:x')).toContain('no "nam:"; there are name:');
  expect(searchProblem('offset:ten')).toContain('write offset:0x14');
  expect(searchProblem('access:maybe')).toContain('access:w1c');
  expect(searchProblem('width:3')).toContain('width:1');
});
