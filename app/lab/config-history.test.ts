import { expect, it } from 'vitest';
import { ConfigWriter } from '#contract/config.ts';
import { ConfigHistory } from './config-history.ts';

const { powerOn, driver, you, device } = ConfigWriter;

const notes = () => ({ configWriters: new Uint8Array(4), configTimes: new Float64Array(4) });

it('tells what was there from what the driver and a person wrote', () => {
  const history = new ConfigHistory(Uint8Array.of(1, 2, 3, 4), notes());
  history.observe(Uint8Array.of(1, 2, 3, 4), 10);
  expect([...history.writers(4)]).toEqual([powerOn, powerOn, powerOn, powerOn]);
  expect(history.written(4)).toEqual([]);
  history.observe(Uint8Array.of(1, 9, 3, 4), 20);
  expect([...history.writers(4)]).toEqual([powerOn, driver, powerOn, powerOn]);
  history.wrote(2, 2, Uint8Array.of(1, 9, 8, 4), 30);
  // The last byte did not take the write; it is nobody's new value.
  expect([...history.writers(4)]).toEqual([powerOn, driver, you, powerOn]);
  history.observe(Uint8Array.of(1, 9, 7, 4), 40);
  expect([...history.writers(4)]).toEqual([powerOn, driver, driver, powerOn]);
  expect(history.written(4)).toEqual([
    { offset: 1, length: 1, writer: driver, time: 20 },
    { offset: 2, length: 1, writer: driver, time: 40 },
  ]);
});

it("keeps the time of the driver's access, not of the look that found it", () => {
  const seen = notes();
  const history = new ConfigHistory(Uint8Array.of(1, 2, 3, 4), seen);
  history.observe(Uint8Array.of(1, 2, 3, 4), 10);
  seen.configWriters.fill(driver, 0, 2);
  seen.configTimes.fill(15, 0, 2);
  history.observe(Uint8Array.of(7, 7, 3, 4), 20);
  expect(history.written(4)).toEqual([{ offset: 0, length: 2, writer: driver, time: 15 }]);
  // The next change has no access that tells of it.
  history.observe(Uint8Array.of(8, 7, 3, 4), 30);
  expect(history.written(4)[0]).toEqual({ offset: 0, length: 1, writer: driver, time: 30 });
});

it('a reset is the device changing its own bytes', () => {
  const history = new ConfigHistory(Uint8Array.of(1, 2, 3, 4), notes());
  history.wrote(0, 1, Uint8Array.of(9, 2, 3, 4), 10);
  history.changed(Uint8Array.of(1, 2, 3, 4), 20);
  expect(history.written(4)).toEqual([{ offset: 0, length: 1, writer: device, time: 20 }]);
});

it('keeps its own copy of the bytes', () => {
  const bytes = Uint8Array.of(1);
  const history = new ConfigHistory(bytes, notes());
  bytes[0] = 2;
  expect([...history.powerOn]).toEqual([1]);
  history.observe(bytes, 5);
  expect([...history.writers(1)]).toEqual([driver]);
});
