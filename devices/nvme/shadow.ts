/**
 * Shadow doorbells (NVMe 1.4, 5.7 and B.5): the driver leaves tails and heads in memory, and rings a doorbell only
 * when it passes the index that the controller asked for. I/O queues only, as drivers use it.
 *
 * A controller writes the event index before it looks at the doorbell for the last time; a driver writes the doorbell
 * before it looks at the event index. So one of the two sees the other, and no command is left lying.
 */
import { TransferContent } from '../sdk/command-format.ts';
import type { DeviceHost } from '../sdk/device.ts';
import type { DmaBuffer } from '../sdk/dma.ts';
import { type QueueSet, wordsOf } from './queue.ts';
import { StepOwner, type TransferBatch } from './transfer.ts';
import { SQE_BYTES } from './wire.ts';

/** Entries read together with the doorbells, in case that they are new: twice as many as came last, within these. */
const PREFETCH_LEAST = 2;
const PREFETCH_MOST = 32;
/** Tail of submission queue `y` at 2y, head of completion queue `y` behind it, 4 bytes each. */
const PAIR_BYTES = 8;

export class ShadowDoorbells {
  private readonly queues: QueueSet;
  private readonly host: DeviceHost;
  /** What the driver wrote, and behind it what the controller asks for. */
  private readonly buffer: DmaBuffer;
  private readonly words: Uint32Array;
  private readonly half: number;
  private doorbells = 0;
  private events = 0;
  active = false;

  constructor(host: DeviceHost, queues: QueueSet) {
    this.host = host;
    this.queues = queues;
    this.half = queues.submission.length * 2;
    this.buffer = host.dma.allocate(this.half * 2 * 4);
    this.words = wordsOf(this.buffer);
  }

  /** Doorbell Buffer Config. Queues that exist go on from where they are. */
  configure(doorbells: number, events: number): void {
    this.doorbells = doorbells;
    this.events = events;
    this.active = true;
    for (const queue of this.queues.io) this.adopt(queue.id);
  }

  off(): void {
    this.active = false;
  }

  /** A queue begins with the positions that the controller holds. */
  adopt(id: number): void {
    if (!this.active || id === 0) return;
    const at = id * 2;
    const tail = this.queues.submission[id]?.tail ?? 0;
    const head = this.queues.completion[id]?.head ?? 0;
    this.words[at] = tail;
    this.words[at + 1] = head;
    this.words[this.half + at] = tail;
    this.words[this.half + at + 1] = head;
    const { host } = this;
    host.attribute(this.queues.submission[0]?.rungBy ?? 0, TransferContent.doorbells);
    host.dma.write(this.doorbells + id * PAIR_BYTES, this.buffer, at * 4, PAIR_BYTES);
    host.dma.write(this.events + id * PAIR_BYTES, this.buffer, (this.half + at) * 4, PAIR_BYTES);
  }

  /**
   * Queues the event indexes: a doorbell for the next command; none for completions that are taken, unless commands
   * wait for their room.
   */
  queueEvents(batch: TransferBatch): void {
    const { io } = this.queues;
    if (io.length === 0) return;
    for (let i = 0; i < io.length; i++) {
      const queue = io[i]!;
      this.words[this.half + queue.id * 2] = queue.tail;
      this.words[this.half + queue.completion.id * 2 + 1] = queue.completion.tail;
    }
    for (let i = 0; i < io.length; i++) {
      const cq = io[i]!.completion;
      if (io[i]!.head !== io[i]!.tail && cq.room() <= 0) this.words[this.half + cq.id * 2 + 1] = cq.head;
    }
    const last = this.highest();
    const from = (this.half + 2) * 4;
    batch.carry(TransferContent.doorbells, 0);
    batch.write(this.events + PAIR_BYTES, this.buffer, from, last * PAIR_BYTES, StepOwner.shadow);
  }

  /** True when a completion queue without room is not being watched. */
  unwatched(): boolean {
    const { io } = this.queues;
    for (let i = 0; i < io.length; i++) {
      const cq = io[i]!.completion;
      if (io[i]!.head !== io[i]!.tail && this.words[this.half + cq.id * 2 + 1] !== cq.head) return true;
    }
    return false;
  }

  /** Queues a look at the doorbells, and behind it the entries that are next in queues with traffic. */
  queueLook(batch: TransferBatch): void {
    const { io } = this.queues;
    if (io.length === 0) return;
    const last = this.highest();
    batch.carry(TransferContent.doorbells, 0);
    batch.read(this.doorbells + PAIR_BYTES, this.buffer, PAIR_BYTES, last * PAIR_BYTES, StepOwner.shadow);
    for (let i = 0; i < io.length; i++) {
      const queue = io[i]!;
      queue.prefetched = 0;
      if (!queue.hot) continue;
      const at = queue.head * SQE_BYTES;
      const likely = Math.min(PREFETCH_MOST, Math.max(PREFETCH_LEAST, queue.taken * 2));
      const count = Math.min(likely, queue.size - queue.head);
      queue.prefetched = count;
      batch.carry(TransferContent.commands, queue.id);
      batch.read(queue.base + at, queue.buffer, at, count * SQE_BYTES, StepOwner.fetch);
    }
  }

  /** Highest queue identifier; completion queues may be numbered above the submission queues that use them. */
  private highest(): number {
    const { io } = this.queues;
    let last = 0;
    for (let i = 0; i < io.length; i++) last = Math.max(last, io[i]!.id, io[i]!.completion.id);
    return last;
  }

  /** Takes over what the look found. */
  absorb(): void {
    const { io } = this.queues;
    for (let i = 0; i < io.length; i++) {
      const queue = io[i]!;
      const tail = this.words[queue.id * 2]!;
      if (tail !== queue.tail) {
        if (tail < queue.size) {
          queue.tail = tail;
          queue.hot = true;
        } else
          this.refuse(
            queue.id * 2,
            `shadow of SQ${queue.id}TDBL holds ${tail}; the queue has ${queue.size} entries`,
          );
      } else if (queue.head === tail) queue.hot = false;
      const cq = queue.completion;
      const head = this.words[cq.id * 2 + 1]!;
      if (head === cq.head) continue;
      let taken = head - cq.head;
      if (taken < 0) taken += cq.size;
      if (head < cq.size && taken <= cq.used()) {
        cq.head = head;
        if (cq.interrupts) this.host.interruptServed(cq.vector, false);
      } else this.refuse(cq.id * 2 + 1, `shadow of CQ${cq.id}HDBL holds ${head}, beyond the last completion`);
    }
  }

  private refuse(word: number, text: string): void {
    // Said once for a value: it stays in memory.
    if (this.refused[word] === this.words[word]) return;
    this.refused[word] = this.words[word]!;
    this.host.note('undefined-behaviour', text);
  }

  private readonly refused: Record<number, number> = {};
}
