import { describe, expect, it } from 'vitest';
import { CommandWatch, HEAT_CELLS, KEPT_COMMANDS, LATENCY_BUCKETS, latencyBucket } from './watch.ts';
import { SQE_WORDS } from './wire.ts';

/** Time that a test moves. */
class HandClock {
  time = 0;
  private timers: { due: number; callback: () => void }[] = [];
  now(): number {
    return this.time;
  }
  schedule(delay: number, callback: () => void): number {
    this.timers.push({ due: this.time + delay, callback });
    return this.timers.length;
  }
  cancel(): void {}
  advance(by: number): void {
    this.time += by;
    const due = this.timers.filter((one) => one.due <= this.time);
    this.timers = this.timers.filter((one) => one.due > this.time);
    for (const { callback } of due) callback();
  }
}

const entry = (opcode: number, block: number, blocks: number): Uint32Array => {
  const words = new Uint32Array(SQE_WORDS);
  words.set([opcode, 1], 0);
  words.set([block, 0, blocks - 1], 10);
  return words;
};
const WRITE = 1;
const READ = 2;

describe('what is seen of commands', () => {
  it('is counted only while somebody looks', () => {
    const clock = new HandClock();
    const watch = new CommandWatch(clock);
    expect(watch.on).toBe(false);
    watch.look();
    expect(watch.on).toBe(true);
    clock.advance(2e9);
    watch.look();
    clock.advance(1.5e9);
    expect(watch.on).toBe(true);
    clock.advance(3e9);
    clock.advance(3e9);
    expect(watch.on).toBe(false);
  });

  it('has the parts of the disk that each command touched', () => {
    const watch = new CommandWatch(new HandClock());
    watch.look();
    const blocks = HEAT_CELLS * 8;
    watch.note(1, entry(READ, 0, 1), 0, 0, 0, 100, blocks, 21);
    watch.note(1, entry(WRITE, 7, 2), 0, 0, 0, 100, blocks, 21);
    watch.note(1, entry(WRITE, blocks - 1, 1), 0, 0, 0, 100, blocks, 21);
    // One that failed touched nothing.
    watch.note(1, entry(READ, 16, 1), 0, 0x80, 0, 100, blocks, 21);
    const { heat } = watch.inspect();
    expect(heat.reads.flatMap((n, at) => (n > 0 ? [at] : []))).toEqual([0]);
    expect(heat.writes.flatMap((n, at) => (n > 0 ? [at] : []))).toEqual([0, 1, HEAT_CELLS - 1]);
  });

  it('has latencies in quarters of an octave', () => {
    expect(latencyBucket(0)).toBe(0);
    expect(latencyBucket(256)).toBe(0);
    expect(latencyBucket(512)).toBe(4);
    expect(latencyBucket(1e12)).toBe(LATENCY_BUCKETS - 1);
    const watch = new CommandWatch(new HandClock());
    watch.look();
    watch.note(1, entry(READ, 0, 1), 0, 0, 1000, 2024, 100, 21);
    watch.note(0, entry(6, 0, 1), 0, 0, 1000, 1100, 100, 21);
    const { latency } = watch.inspect();
    expect(latency.reads[8]).toBe(1);
    expect(latency.others[0]).toBe(1);
  });

  it('has the last commands, newest first', () => {
    const watch = new CommandWatch(new HandClock());
    watch.look();
    for (let at = 0; at < KEPT_COMMANDS + 5; at++) watch.note(1, entry(READ, at, 1), 0, 0, 0, at, 1000, 21);
    const { commands } = watch.inspect();
    expect(commands).toHaveLength(KEPT_COMMANDS);
    expect(commands[0]).toMatchObject({
      number: KEPT_COMMANDS + 4,
      queue: 1,
      latency: KEPT_COMMANDS + 4,
      cause: 21,
    });
    expect(Number.parseInt(commands[0]!.entry.slice(80, 88), 16)).toBe(KEPT_COMMANDS + 4);
  });
});
