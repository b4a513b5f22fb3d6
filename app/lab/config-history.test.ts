import { expect, it } from 'vitest';
import { ConfigWriter } from '#contract/config.ts';
import { ConfigHistory } from './config-history.ts';

const { powerOn, driver, you } = ConfigWriter;

it('tells what was there from what the driver and a person wrote', () => {
  const history = new ConfigHistory(Uint8Array.of(1, 2, 3, 4));
  expect([...history.observe(Uint8Array.of(1, 2, 3, 4))]).toEqual([powerOn, powerOn, powerOn, powerOn]);
  expect([...history.observe(Uint8Array.of(1, 9, 3, 4))]).toEqual([powerOn, driver, powerOn, powerOn]);
  history.wrote(2, 2, Uint8Array.of(1, 9, 8, 4));
  // The last byte did not take the write; it is nobody's new value.
  expect([...history.observe(Uint8Array.of(1, 9, 8, 4))]).toEqual([powerOn, driver, you, powerOn]);
  expect([...history.observe(Uint8Array.of(1, 9, 7, 4))]).toEqual([powerOn, driver, driver, powerOn]);
});

it('keeps its own copy of the bytes', () => {
  const bytes = Uint8Array.of(1);
  const history = new ConfigHistory(bytes);
  bytes[0] = 2;
  expect([...history.observe(bytes)]).toEqual([driver]);
});
