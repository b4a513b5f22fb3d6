/** Submission and completion queues (NVMe 1.4, 4.1), each with a mirror of its memory that DMA can reach. */
import type { DmaBuffer, DmaPort } from '../sdk/dma.ts';
import { CQE_BYTES, SQE_BYTES } from './wire.ts';

/** 32-bit view of a buffer. Hosts give buffers that are aligned to 8 bytes at least. */
export function wordsOf(buffer: DmaBuffer): Uint32Array {
  const { bytes } = buffer;
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
}

export class CompletionQueue {
  readonly id: number;
  readonly size: number;
  readonly base: number;
  readonly vector: number;
  readonly interrupts: boolean;
  readonly buffer: DmaBuffer;
  readonly words: Uint32Array;
  /** First entry that the driver has not taken. */
  head = 0;
  /** Next entry to fill. */
  tail = 0;
  phase = 1;
  /** Room promised to commands that were fetched and are not completed. */
  reserved = 0;
  /** Submission queues that complete here. */
  users = 0;
  /** Entries filled in the mirror and not queued for the host, from `dirtyFrom`. */
  dirty = 0;
  dirtyFrom = 0;
  /** Number of the access that asked for what was completed last. */
  askedBy = 0;

  constructor(dma: DmaPort, id: number, size: number, base: number, vector: number, interrupts: boolean) {
    this.id = id;
    this.size = size;
    this.base = base;
    this.vector = vector;
    this.interrupts = interrupts;
    this.buffer = dma.allocate(size * CQE_BYTES);
    this.words = wordsOf(this.buffer);
  }

  /** Entries that hold a completion which the driver has not taken. */
  used(): number {
    const used = this.tail - this.head;
    return used < 0 ? used + this.size : used;
  }

  /** Commands that may be accepted; a queue is full with one entry free (4.1.2). */
  room(): number {
    return this.size - 1 - this.used() - this.reserved;
  }
}

export class SubmissionQueue {
  readonly id: number;
  readonly size: number;
  readonly base: number;
  readonly completion: CompletionQueue;
  readonly priority: number;
  readonly buffer: DmaBuffer;
  readonly words: Uint32Array;
  /** Next entry to fetch. */
  head = 0;
  /** As the driver rang it. */
  tail = 0;
  /** Number of the access that rang it last. */
  rungBy = 0;
  /** Commands fetched and not completed. */
  inFlight = 0;
  fetched = 0;
  completed = 0;
  /** Entries from `head` that the mirror holds already; see shadow doorbells. */
  prefetched = 0;
  /** Had commands lately. */
  hot = false;
  /** Commands in the last batch. */
  taken = 0;

  constructor(
    dma: DmaPort,
    id: number,
    size: number,
    base: number,
    completion: CompletionQueue,
    priority: number,
  ) {
    this.id = id;
    this.size = size;
    this.base = base;
    this.completion = completion;
    this.priority = priority;
    this.buffer = dma.allocate(size * SQE_BYTES);
    this.words = wordsOf(this.buffer);
    completion.users++;
  }

  /** Commands that wait to be fetched. */
  waiting(): number {
    const waiting = this.tail - this.head;
    return waiting < 0 ? waiting + this.size : waiting;
  }
}

/** All queues of a controller, by identifier. */
export class QueueSet {
  private readonly dma: DmaPort;
  readonly submission: (SubmissionQueue | null)[];
  readonly completion: (CompletionQueue | null)[];
  /** I/O submission queues in the order in which they are served. */
  readonly io: SubmissionQueue[] = [];

  constructor(dma: DmaPort, ioQueues: number) {
    this.dma = dma;
    this.submission = new Array<SubmissionQueue | null>(ioQueues + 1).fill(null);
    this.completion = new Array<CompletionQueue | null>(ioQueues + 1).fill(null);
  }

  createCompletion(
    id: number,
    size: number,
    base: number,
    vector: number,
    interrupts: boolean,
  ): CompletionQueue {
    const queue = new CompletionQueue(this.dma, id, size, base, vector, interrupts);
    this.completion[id] = queue;
    return queue;
  }

  createSubmission(
    id: number,
    size: number,
    base: number,
    completion: CompletionQueue,
    priority: number,
  ): SubmissionQueue {
    const queue = new SubmissionQueue(this.dma, id, size, base, completion, priority);
    this.submission[id] = queue;
    if (id !== 0) {
      this.io.push(queue);
      this.io.sort((a, b) => a.id - b.id);
    }
    return queue;
  }

  deleteSubmission(queue: SubmissionQueue): void {
    this.submission[queue.id] = null;
    const at = this.io.indexOf(queue);
    if (at >= 0) this.io.splice(at, 1);
    queue.completion.users--;
    this.dma.release(queue.buffer);
  }

  deleteCompletion(queue: CompletionQueue): void {
    this.completion[queue.id] = null;
    this.dma.release(queue.buffer);
  }

  clear(): void {
    for (const queue of this.submission) if (queue !== null) this.deleteSubmission(queue);
    for (const queue of this.completion) if (queue !== null) this.deleteCompletion(queue);
  }
}
