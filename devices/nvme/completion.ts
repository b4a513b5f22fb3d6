/** Completion queue entries on their way to the host (NVMe 1.4, 4.6). */
import { TransferContent } from '../sdk/command-format.ts';
import type { CompletionQueue, SubmissionQueue } from './queue.ts';
import { StepOwner, type TransferBatch } from './transfer.ts';
import { CQE_BYTES, CQE_WORDS } from './wire.ts';

export class CompletionPoster {
  private readonly batch: TransferBatch;
  private readonly dirty: CompletionQueue[] = [];
  private dirtyCount = 0;
  /** INTMS: vectors 0 to 31 that are masked by register. */
  mask = 0;

  constructor(batch: TransferBatch) {
    this.batch = batch;
  }

  /** Fills the next entry in the mirror. Returns the index of its last word, for {@link amend}. */
  post(queue: SubmissionQueue, commandId: number, status: number, dw0: number): number {
    const cq = queue.completion;
    const slot = cq.tail;
    const word = slot * CQE_WORDS;
    const { words } = cq;
    words[word] = dw0;
    words[word + 1] = 0;
    words[word + 2] = queue.head | (queue.id << 16);
    words[word + 3] = commandId | (cq.phase << 16) | (status << 17);
    if (slot + 1 === cq.size) {
      cq.tail = 0;
      cq.phase ^= 1;
    } else cq.tail = slot + 1;
    cq.reserved--;
    queue.inFlight--;
    queue.completed++;
    cq.askedBy = queue.rungBy;
    if (cq.dirty++ === 0) {
      cq.dirtyFrom = slot;
      this.dirty[this.dirtyCount++] = cq;
    }
    return word + 3;
  }

  /** Changes the status of an entry that has not reached the host. */
  amend(cq: CompletionQueue, lastWord: number, status: number): void {
    cq.words[lastWord] = (cq.words[lastWord]! & 0x1ffff) | (status << 17);
  }

  /** Queues the filled entries, contiguous ones as one step, and one interrupt a queue. */
  flush(): void {
    for (let i = 0; i < this.dirtyCount; i++) {
      const cq = this.dirty[i]!;
      const from = cq.dirtyFrom;
      const first = Math.min(cq.dirty, cq.size - from);
      const bytes = CQE_BYTES;
      this.batch.attribute(cq.askedBy, TransferContent.completions, cq.id);
      this.batch.write(cq.base + from * bytes, cq.buffer, from * bytes, first * bytes, StepOwner.completion);
      if (cq.dirty > first)
        this.batch.write(cq.base, cq.buffer, 0, (cq.dirty - first) * bytes, StepOwner.completion);
      cq.dirty = 0;
      if (cq.interrupts && !this.masked(cq.vector)) this.batch.interrupt(cq.vector);
    }
    this.dirtyCount = 0;
  }

  masked(vector: number): boolean {
    return vector < 32 && ((this.mask >>> vector) & 1) !== 0;
  }

  clear(): void {
    this.dirtyCount = 0;
    this.mask = 0;
  }
}
