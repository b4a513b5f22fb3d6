/**
 * What a window that looks at the disk wants to know of its commands: where on the disk they went, how long they took,
 * and the last of them. Nothing is counted while nobody looks: {@link CommandWatch.look} turns it on for a while.
 */
import { join } from '../sdk/bits.ts';
import type { Clock } from '../sdk/device.ts';
import { IoOpcode, SQE_WORDS, Sqe } from './wire.ts';

/** Parts of the disk that are counted apart. */
export const HEAT_CELLS = 1024;
/** Latencies are counted in quarters of an octave, from 256 ns up. */
export const LATENCY_BUCKETS = 96;
const PER_OCTAVE = 4;
const FIRST_OCTAVE = 8;
/** Last commands that are kept. */
export const KEPT_COMMANDS = 64;
/** ns after the last look. */
const WATCH_TIME = 3e9;

export function latencyBucket(latency: number): number {
  if (latency < 2 ** FIRST_OCTAVE) return 0;
  const bucket = Math.floor((Math.log2(latency) - FIRST_OCTAVE) * PER_OCTAVE);
  return Math.min(bucket, LATENCY_BUCKETS - 1);
}

export class CommandWatch {
  on = false;
  private readonly clock: Clock;
  private until = 0;
  private readonly reads = new Float64Array(HEAT_CELLS);
  private readonly writes = new Float64Array(HEAT_CELLS);
  private readonly latency = new Float64Array(3 * LATENCY_BUCKETS);
  private next = 0;
  private readonly entries = new Uint32Array(KEPT_COMMANDS * SQE_WORDS);
  private readonly queue = new Uint16Array(KEPT_COMMANDS);
  private readonly status = new Uint16Array(KEPT_COMMANDS);
  private readonly cause = new Uint32Array(KEPT_COMMANDS);
  private readonly time = new Float64Array(KEPT_COMMANDS);
  private readonly took = new Float64Array(KEPT_COMMANDS);

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Somebody looks: counts from here on, until nobody has looked for 3 s. */
  look(): void {
    this.until = this.clock.now() + WATCH_TIME;
    if (this.on) return;
    this.on = true;
    this.reads.fill(0);
    this.writes.fill(0);
    this.latency.fill(0);
    this.expire();
  }

  private expire(): void {
    this.clock.schedule(WATCH_TIME, () => {
      if (this.clock.now() >= this.until) this.on = false;
      else this.expire();
    });
  }

  /** A command is complete. `words` from `at`: its entry. `blocks`: of the namespace. `cause`: the access that asked. */
  note(
    queue: number,
    words: Uint32Array,
    at: number,
    status: number,
    rungAt: number,
    now: number,
    blocks: number,
    cause: number,
  ): void {
    const slot = this.next % KEPT_COMMANDS;
    this.next++;
    for (let word = 0; word < SQE_WORDS; word++) this.entries[slot * SQE_WORDS + word] = words[at + word]!;
    const took = Math.max(0, now - rungAt);
    this.queue[slot] = queue;
    this.status[slot] = status;
    this.cause[slot] = cause;
    this.time[slot] = now;
    this.took[slot] = took;
    const opcode = words[at]! & 0xff;
    const kind = queue === 0 ? 2 : opcode === IoOpcode.read ? 0 : opcode === IoOpcode.write ? 1 : 2;
    this.latency[kind * LATENCY_BUCKETS + latencyBucket(took)]!++;
    if (kind === 2 || status !== 0) return;
    const start = join(words[at + Sqe.cdw10]!, words[at + Sqe.cdw11]!);
    const end = start + (words[at + Sqe.cdw12]! & 0xffff);
    const heat = kind === 0 ? this.reads : this.writes;
    const last = Math.min(HEAT_CELLS - 1, Math.floor((end * HEAT_CELLS) / blocks));
    for (let cell = Math.floor((start * HEAT_CELLS) / blocks); cell <= last; cell++) heat[cell]!++;
  }

  inspect() {
    const kept = Math.min(this.next, KEPT_COMMANDS);
    return {
      heat: { reads: Array.from(this.reads), writes: Array.from(this.writes) },
      latency: {
        first: 2 ** FIRST_OCTAVE,
        perOctave: PER_OCTAVE,
        reads: Array.from(this.latency.subarray(0, LATENCY_BUCKETS)),
        writes: Array.from(this.latency.subarray(LATENCY_BUCKETS, 2 * LATENCY_BUCKETS)),
        others: Array.from(this.latency.subarray(2 * LATENCY_BUCKETS)),
      },
      /** Newest first. */
      commands: Array.from({ length: kept }, (_, back) => {
        const number = this.next - 1 - back;
        const slot = number % KEPT_COMMANDS;
        const entry = this.entries.subarray(slot * SQE_WORDS, (slot + 1) * SQE_WORDS);
        return {
          number,
          time: this.time[slot]!,
          queue: this.queue[slot]!,
          status: this.status[slot]!,
          cause: this.cause[slot]!,
          latency: this.took[slot]!,
          entry: Array.from(entry, (word) => word.toString(16).padStart(8, '0')).join(''),
        };
      }),
    };
  }
}
