import { expect, it } from 'vitest';
import { InterruptLatency } from './interrupt-latency.ts';

it('is from the first interrupt that was not served to the access that serves it', () => {
  const latency = new InterruptLatency(2);
  expect(latency.last(1)).toBeUndefined();
  latency.raised(1, 1000);
  latency.raised(1, 4000);
  latency.served(1, 6000);
  expect(latency.last(1)).toBe(5000);
  expect(latency.last(0)).toBeUndefined();
  latency.raised(1, 10_000);
  latency.served(1, 10_700);
  expect(latency.last(1)).toBe(700);
});

it('counts no access that no interrupt called for, nor one of before it', () => {
  const latency = new InterruptLatency(1);
  latency.served(0, 50);
  expect(latency.last(0)).toBeUndefined();
  latency.raised(0, 1000);
  latency.served(0, 900);
  // The handler may find nothing left to do: this one was called for by something else.
  latency.served(0, 9000);
  expect(latency.last(0)).toBeUndefined();
});

it('is not from an interrupt that was served nobody knows when', () => {
  const latency = new InterruptLatency(1);
  latency.raised(0, 1000);
  latency.taken(0);
  latency.raised(0, 8000);
  latency.served(0, 8500);
  expect(latency.last(0)).toBe(500);
});

it('starts anew with another driver, and has only the vectors that there are', () => {
  const latency = new InterruptLatency(1);
  latency.raised(0, 1000);
  latency.served(0, 1500);
  latency.raised(0, 2000);
  latency.forget();
  latency.served(0, 9000);
  latency.raised(5, 1);
  latency.served(5, 2);
  expect([latency.last(0), latency.last(5)]).toEqual([undefined, undefined]);
});
