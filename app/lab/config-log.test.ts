import { expect, it } from 'vitest';
import { ConfigLog } from './config-log.ts';

/** Bytes 0 to 3 are written by a driver, bit 7 of byte 5 is cleared by writing 1. */
function log(limit?: number): ConfigLog {
  const writable = Uint8Array.of(0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0);
  const clearable = Uint8Array.of(0, 0, 0, 0, 0, 0x80, 0, 0);
  const bytes = Uint8Array.of(0, 0, 0, 0, 0x10, 0x90, 0, 0);
  return new ConfigLog(bytes, { bytes, writable, clearable }, 100, limit);
}
const at = (one: ConfigLog, time: number) => [...one.at(time)!];

it('knows the bytes at every write, as a driver would have read them then', () => {
  const one = log();
  one.written(0, 4, 0xffff_ffff, 110);
  one.written(0, 4, 0x1122_3344, 120);
  one.written(4, 2, 0x8000, 130);
  expect(at(one, 100)).toEqual([0, 0, 0, 0, 0x10, 0x90, 0, 0]);
  expect(at(one, 110)).toEqual([0xff, 0xff, 0xff, 0xf0, 0x10, 0x90, 0, 0]);
  expect(at(one, 129)).toEqual([0x44, 0x33, 0x22, 0x10, 0x10, 0x90, 0, 0]);
  expect(at(one, 130)).toEqual([0x44, 0x33, 0x22, 0x10, 0x10, 0x10, 0, 0]);
  expect(one.at(99)).toBeUndefined();
  expect(one.cut).toBe(false);
});

it('what a device changed is known from when it was seen', () => {
  const one = log();
  one.seen(6, 1, 0x42, 110);
  one.look(Uint8Array.of(0, 0, 0, 0, 0x10, 0x90, 0x42, 0x80), 120);
  expect(at(one, 115).slice(6)).toEqual([0x42, 0]);
  expect(at(one, 120).slice(6)).toEqual([0x42, 0x80]);
});

it('a look that is ahead of the word of an access does not hide when it was', () => {
  const one = log();
  one.look(Uint8Array.of(5, 0, 0, 0, 0x10, 0x90, 0, 0), 130);
  one.written(0, 1, 9, 110);
  one.written(0, 1, 5, 120);
  expect(at(one, 105)[0]).toBe(0);
  expect(at(one, 110)[0]).toBe(9);
  expect(at(one, 125)[0]).toBe(5);
  expect(at(one, 140)[0]).toBe(5);
});

it('tells what an access found, also where a look was ahead of the word of it', () => {
  const one = log();
  one.written(0, 2, 0x0605, 110);
  expect(one.before(0, 2, 120)).toBe(0x0605);
  expect(one.before(4, 4, 120)).toBe(0x9010);
  expect(one.before(8, 1, 120)).toBe(0xff);
  one.look(Uint8Array.of(9, 6, 0, 0, 0x10, 0x90, 0, 0), 130);
  expect(one.before(0, 2, 120)).toBe(0x0605);
  expect(one.before(0, 2, 110)).toBe(0);
  expect(one.before(0, 2, 130)).toBe(0x0609);
  expect(one.before(0, 4, 130)).toBe(0x0609);
});

it('a reset gives back what power-on gave, and what is restored afterwards is another change', () => {
  const one = log();
  one.written(0, 1, 6, 110);
  one.look(Uint8Array.of(6, 0, 0, 0, 0x18, 0x90, 0, 0), 140);
  one.reset(120);
  one.written(0, 1, 6, 130);
  expect(at(one, 119)[0]).toBe(6);
  expect(at(one, 120)[0]).toBe(0);
  expect(one.before(0, 1, 130)).toBe(0);
  expect(at(one, 130)[0]).toBe(6);
});

it('what was read before a look does not undo what the look found', () => {
  const one = log();
  one.look(Uint8Array.of(0, 0, 0, 0, 0x18, 0x90, 0, 0), 120);
  one.seen(4, 2, 0x9010, 110);
  expect(at(one, 120)[4]).toBe(0x18);
  expect(at(one, 119)[4]).toBe(0x10);
});

it('what is read again and again is no change', () => {
  const one = log(3);
  one.written(0, 1, 1, 101);
  one.look(Uint8Array.of(1, 0, 0, 0, 0x10, 0x90, 0, 0), 200);
  for (let time = 110; time < 120; time++) one.seen(0, 4, 1, time);
  expect(one.cut).toBe(false);
});

it('keeps so many changes, and says from when on', () => {
  const one = log(3);
  for (let write = 1; write <= 5; write++) one.written(0, 1, write, 100 + write);
  expect(one.cut).toBe(true);
  expect(one.from).toBe(102);
  expect(one.at(101)).toBeUndefined();
  expect([102, 103, 104, 105].map((time) => at(one, time)[0])).toEqual([2, 3, 4, 5]);
});

it('leaves out what lies behind the end', () => {
  const one = log();
  one.written(8, 4, 1, 110);
  expect(at(one, 120)).toHaveLength(8);
});
