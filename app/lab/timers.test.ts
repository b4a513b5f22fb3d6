import { expect, it } from 'vitest';
import { Timers } from './timers.ts';

it('runs what is due, earliest first, once', () => {
  const timers = new Timers();
  const ran: string[] = [];
  timers.schedule(30, () => ran.push('c'));
  timers.schedule(10, () => ran.push('a'));
  timers.schedule(20, () => ran.push('b'));
  expect(timers.nextDue).toBe(10);
  timers.run(20);
  expect(ran).toEqual(['a', 'b']);
  expect(timers.nextDue).toBe(30);
  timers.run(100);
  timers.run(100);
  expect(ran).toEqual(['a', 'b', 'c']);
  expect(timers.nextDue).toBe(Number.POSITIVE_INFINITY);
});

it('does not run what was cancelled, not even by an earlier timer', () => {
  const timers = new Timers();
  const ran: string[] = [];
  const second = timers.schedule(20, () => ran.push('second'));
  timers.schedule(10, () => timers.cancel(second));
  timers.run(50);
  expect(ran).toEqual([]);
});

it('leaves a timer that was set meanwhile to the next run', () => {
  const timers = new Timers();
  let runs = 0;
  const again = (): void => {
    runs++;
    timers.schedule(0, again);
  };
  timers.schedule(0, again);
  timers.run(1);
  expect(runs).toBe(1);
  timers.run(1);
  expect(runs).toBe(2);
});
