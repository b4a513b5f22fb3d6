/**
 * The NVM command set (NVMe 1.4, 6). This is the hot path: a batch of commands is three submissions to the host at
 * most (entries, PRP lists, data with completions and interrupts), and nothing is allocated for a command.
 *
 * The state of a batch lies in typed arrays, indexed by the command's number in the batch. A command is accepted
 * when it is fetched and ends in {@link IoProcessor.finish}, once.
 */
import { join } from '../sdk/bits.ts';
import { TransferContent } from '../sdk/command-format.ts';
import type { BlockBackend, DeviceHost, Extent } from '../sdk/device.ts';
import { type DmaBuffer, DmaStatus, type DmaStatusCode } from '../sdk/dma.ts';
import { describeIo } from './command.ts';
import type { CompletionPoster } from './completion.ts';
import type { Health } from './health.ts';
import { statusName } from './names.ts';
import type { Namespace } from './namespace.ts';
import { checkCommandPrps, entriesBehindFirst, PrpLists, PrpMover } from './prp.ts';
import type { QueueSet, SubmissionQueue } from './queue.ts';
import { ShadowDoorbells } from './shadow.ts';
import { type StepFailures, StepOwner, TransferBatch } from './transfer.ts';
import type { CommandWatch } from './watch.ts';
import { IoOpcode, MAX_TRANSFER, NSID, NSID_ALL, SQE_BYTES, SQE_WORDS, Sqe, Status } from './wire.ts';

/** Commands in one batch, and of one queue before the next queue is served. */
export const MAX_BATCH = 128;
const MAX_PER_QUEUE = 64;

/**
 * Completions go to the host after so many commands or bytes, in the middle of a submission, so that the driver
 * works on them while the rest is moved.
 */
const FLUSH_COMMANDS = 16;
const FLUSH_BYTES = 128 * 1024;

/** Buffer for backends that are not memory. */
const POOL_BYTES = 2 * MAX_TRANSFER;

/** Bit 30 of CDW12. */
const FORCE_UNIT_ACCESS = 0x4000_0000;

const DSM_RANGE_BYTES = 16;
const DSM_DEALLOCATE = 4;

export class IoProcessor implements StepFailures {
  private readonly host: DeviceHost;
  private readonly queues: QueueSet;
  private readonly namespace: Namespace;
  private readonly backend: BlockBackend;
  private readonly health: Health;
  private readonly watch: CommandWatch;
  private readonly poster: CompletionPoster;
  private readonly onFatal: (text: string) => void;
  readonly batch: TransferBatch;
  private readonly lists: PrpLists;
  private readonly mover: PrpMover;
  private readonly pool: DmaBuffer | null;
  private poolUsed = 0;
  private scratch: DmaBuffer | null = null;
  private readonly extent: Extent;
  private readonly unknownSource: DmaBuffer;
  pageSize = 4096;
  /** The volatile write cache is on (feature 06h). */
  cache = true;
  readonly shadow: ShadowDoorbells;
  /** A doorbell was rung: look at the shadows. */
  look = false;
  /** Queue that is served first in the next batch. */
  private turn = 0;

  private readonly queue: SubmissionQueue[];
  /** First word of the entry in its queue's mirror. */
  private readonly at = new Int32Array(MAX_BATCH);
  private readonly status = new Uint16Array(MAX_BATCH);
  private readonly length = new Int32Array(MAX_BATCH);
  private readonly entries = new Int32Array(MAX_BATCH);
  private readonly disk = new Float64Array(MAX_BATCH);
  /** Last word of its completion entry; -1 before that is filled. */
  private readonly entry = new Int32Array(MAX_BATCH);
  private readonly poolAt = new Int32Array(MAX_BATCH);
  /** Writes whose data is in the pool and not yet in the backend. */
  private readonly pending = new Int16Array(MAX_BATCH);
  private pendingCount = 0;
  private flushCount = 0;
  private flushBytes = 0;

  constructor(
    host: DeviceHost,
    queues: QueueSet,
    namespace: Namespace,
    health: Health,
    watch: CommandWatch,
    onFatal: (text: string) => void,
    makePoster: (batch: TransferBatch) => CompletionPoster,
  ) {
    this.host = host;
    this.queues = queues;
    this.namespace = namespace;
    this.backend = namespace.backend;
    this.health = health;
    this.watch = watch;
    this.onFatal = onFatal;
    this.batch = new TransferBatch(host, this, MAX_BATCH);
    this.poster = makePoster(this.batch);
    this.shadow = new ShadowDoorbells(host, queues);
    this.lists = new PrpLists(host.dma, MAX_BATCH);
    this.mover = new PrpMover(host);
    this.pool = this.backend.direct ? null : host.dma.allocate(POOL_BYTES);
    this.unknownSource = this.lists.buffer;
    this.extent = { buffer: this.unknownSource, offset: 0 };
    this.queue = new Array<SubmissionQueue>(MAX_BATCH);
  }

  /** Serves every I/O queue once. True when there was anything to do. */
  round(): boolean {
    const { shadow, batch } = this;
    if (this.look) {
      this.look = false;
      if (shadow.active && !this.lookNow()) return false;
    }
    const count = this.fetch();
    if (count === 0) {
      if (!shadow.active || !shadow.unwatched()) return false;
      shadow.queueEvents(batch);
      return batch.submit() && this.lookNow();
    }
    if (!batch.submit()) return false;
    this.parse(count);
    this.execute(count);
    if (this.watch.on) this.noteCommands(count);
    return true;
  }

  /** Only while somebody watches. */
  private noteCommands(count: number): void {
    const { watch } = this;
    const now = this.host.clock.now();
    for (let i = 0; i < count; i++) {
      const queue = this.queue[i]!;
      watch.note(
        queue.id,
        queue.words,
        this.at[i]!,
        this.status[i]!,
        queue.rungAt || now,
        now,
        this.namespace.blocks,
        queue.rungBy,
      );
    }
  }

  /** Looks at the shadow doorbells. False when they cannot be reached. */
  private lookNow(): boolean {
    this.batch.begin();
    this.shadow.queueLook(this.batch);
    if (!this.batch.submit()) return false;
    this.shadow.absorb();
    return true;
  }

  /** Puts the entries of a batch into the queues' mirrors: two reads a queue at most, one submission for all. */
  private fetch(): number {
    const { io } = this.queues;
    const { batch } = this;
    batch.begin();
    let count = 0;
    const queues = io.length;
    // Queues may have been deleted since.
    if (this.turn >= queues) this.turn = 0;
    for (let i = 0; i < queues && count < MAX_BATCH; i++) {
      const at = this.turn + i;
      const queue = io[at < queues ? at : at - queues]!;
      const waiting = queue.waiting();
      if (waiting === 0) continue;
      let take = Math.min(waiting, queue.completion.room(), MAX_PER_QUEUE, MAX_BATCH - count);
      if (take <= 0) continue;
      const head = queue.head;
      batch.attribute(queue.rungBy, TransferContent.commands, queue.id);
      if (queue.prefetched > 0) {
        take = Math.min(take, queue.prefetched);
        queue.prefetched = 0;
      } else {
        const first = Math.min(take, queue.size - head);
        const at = head * SQE_BYTES;
        batch.read(queue.base + at, queue.buffer, at, first * SQE_BYTES, StepOwner.fetch);
        if (take > first)
          batch.read(queue.base, queue.buffer, 0, (take - first) * SQE_BYTES, StepOwner.fetch);
      }
      for (let k = 0; k < take; k++) {
        const slot = head + k;
        this.queue[count] = queue;
        this.at[count] = (slot < queue.size ? slot : slot - queue.size) * SQE_WORDS;
        count++;
      }
      const next = head + take;
      queue.head = next < queue.size ? next : next - queue.size;
      queue.taken = take;
      queue.inFlight += take;
      queue.fetched += take;
      queue.completion.reserved += take;
    }
    this.turn++;
    return count;
  }

  /** Checks every command, and reads the PRP lists of those that have one. */
  private parse(count: number): void {
    let lists = 0;
    for (let i = 0; i < count; i++) {
      this.entry[i] = -1;
      this.entries[i] = 0;
      this.length[i] = 0;
      this.disk[i] = 0;
      const status = this.check(i);
      this.status[i] = status;
      if (status === Status.success && this.entries[i]! > 1) {
        const { words, rungBy, id } = this.queue[i]!;
        const at = this.at[i]!;
        this.batch.attribute(rungBy, TransferContent.list, id);
        this.lists.queue(
          this.batch,
          i,
          words[at + Sqe.prp2Low]!,
          words[at + Sqe.prp2High]!,
          this.entries[i]!,
          this.pageSize,
        );
        lists++;
      }
    }
    if (lists === 0) return;
    this.batch.submit();
    for (let i = 0; i < count; i++) {
      if (this.entries[i]! > 1 && this.status[i] === Status.success) {
        const { words, rungBy, id } = this.queue[i]!;
        const low = words[this.at[i]! + Sqe.prp2Low]!;
        this.batch.attribute(rungBy, TransferContent.list, id);
        this.status[i] = this.lists.complete(i, low, this.entries[i]!, this.pageSize);
      }
    }
  }

  /** Status of command `i` as far as its entry tells; fills in where its data is. */
  private check(i: number): number {
    const { words } = this.queue[i]!;
    const at = this.at[i]!;
    const dw0 = words[at]!;
    // Fused operations and SGLs are not supported (Identify FUSES and SGLS are 0).
    if ((dw0 & 0xc300) !== 0) return Status.invalidField;
    const opcode = dw0 & 0xff;
    const nsid = words[at + Sqe.nsid]!;
    if (nsid !== NSID && !(nsid === NSID_ALL && opcode === IoOpcode.flush)) {
      return isKnown(opcode) ? Status.invalidNamespaceOrFormat : Status.invalidOpcode;
    }
    switch (opcode) {
      case IoOpcode.read:
      case IoOpcode.write:
      case IoOpcode.compare: {
        const bad = this.checkRange(i, words, at);
        if (bad !== Status.success) return bad;
        const length = this.length[i]!;
        if (length > MAX_TRANSFER) return Status.invalidField;
        const entries = entriesBehindFirst(words[at + Sqe.prp1Low]!, length, this.pageSize);
        this.entries[i] = entries;
        return checkCommandPrps(words, at, entries, this.pageSize);
      }
      case IoOpcode.writeZeroes:
        return this.checkRange(i, words, at);
      case IoOpcode.flush:
      case IoOpcode.datasetManagement:
        return Status.success;
      default:
        return Status.invalidOpcode;
    }
  }

  /** SLBA and NLB of a command (6.9 and others). */
  private checkRange(i: number, words: Uint32Array, at: number): number {
    const start = join(words[at + Sqe.cdw10]!, words[at + Sqe.cdw11]!);
    const blocks = (words[at + Sqe.cdw12]! & 0xffff) + 1;
    if (start + blocks > this.namespace.blocks) return Status.lbaOutOfRange;
    const size = 1 << this.namespace.shift;
    this.disk[i] = start * size;
    this.length[i] = blocks * size;
    return Status.success;
  }

  private execute(count: number): void {
    this.pendingCount = 0;
    this.poolUsed = 0;
    this.flushCount = 0;
    this.flushBytes = 0;
    for (let i = 0; i < count; i++) {
      this.carryData(i);
      if (this.status[i] !== Status.success) {
        this.finish(i, 0);
        continue;
      }
      const opcode = this.queue[i]!.words[this.at[i]!]! & 0xff;
      if (opcode === IoOpcode.read) this.read(i);
      else if (opcode === IoOpcode.write) this.write(i);
      else this.executeRare(i, opcode);
      if (this.flushCount >= FLUSH_COMMANDS || this.flushBytes >= FLUSH_BYTES) this.flushCompletions();
    }
    if (this.pendingCount > 0) this.settle();
    if (!this.shadow.active) {
      this.flushCompletions();
      this.batch.submit();
      return;
    }
    // Interrupts are raised between the two, which orders the store before the load.
    this.shadow.queueEvents(this.batch);
    this.flushCompletions();
    this.shadow.queueLook(this.batch);
    if (this.batch.submit()) this.shadow.absorb();
  }

  /** What is moved now is the data of command `i`. */
  private carryData(i: number): void {
    const { rungBy, id } = this.queue[i]!;
    this.batch.attribute(rungBy, TransferContent.data, id);
  }

  private flushCompletions(): void {
    this.poster.flush();
    this.flushCount = 0;
    this.flushBytes = 0;
  }

  private read(i: number): void {
    if (this.pool !== null) {
      const at = this.takePool(i);
      try {
        this.backend.load(this.disk[i]!, this.pool.bytes, at, this.length[i]!);
      } catch (error) {
        this.fail(i, Status.unrecoveredReadError, error);
        return;
      }
    }
    this.move(i, true);
    this.finish(i, 0);
  }

  private write(i: number): void {
    if (!this.cache || (this.queue[i]!.words[this.at[i]! + Sqe.cdw12]! & FORCE_UNIT_ACCESS) !== 0) {
      this.writeThrough(i);
      return;
    }
    if (this.pool !== null) {
      this.takePool(i);
      this.move(i, false);
      // Completed when the backend has it.
      this.pending[this.pendingCount++] = i;
      return;
    }
    this.move(i, false);
    this.finish(i, 0);
  }

  /** A write that is durable before it is completed (6.15, FUA; or the write cache is off). */
  private writeThrough(i: number): void {
    if (this.pool !== null) this.takePool(i);
    this.move(i, false);
    this.settle();
    if (this.status[i] === Status.success) {
      try {
        if (this.pool !== null)
          this.backend.store(this.disk[i]!, this.pool.bytes, this.poolAt[i]!, this.length[i]!);
        this.backend.flush();
      } catch (error) {
        this.fail(i, Status.writeFault, error);
        return;
      }
    }
    this.finish(i, 0);
  }

  /** Room in the pool for command `i`. */
  private takePool(i: number): number {
    const length = this.length[i]!;
    if (this.poolUsed + length > POOL_BYTES) {
      this.settle();
      this.poolUsed = 0;
    }
    const at = this.poolUsed;
    this.poolUsed += length;
    this.poolAt[i] = at;
    return at;
  }

  /**
   * Queues the data of command `i`: pages that follow each other in host memory are one step, as far as the disk's
   * memory is contiguous too.
   */
  private move(i: number, toHost: boolean): void {
    const { words } = this.queue[i]!;
    const at = this.at[i]!;
    const pageSize = this.pageSize;
    const { batch, extent } = this;
    const list = this.entries[i]! > 1 ? this.lists.words : words;
    let entry = this.entries[i]! > 1 ? this.lists.at(i) : at + Sqe.prp2Low;
    let remaining = this.length[i]!;
    let behind = remaining;
    let disk = this.disk[i]!;
    let diskLeft = 0;
    let host = join(words[at + Sqe.prp1Low]!, words[at + Sqe.prp1High]!);
    let hostLeft = Math.min(remaining, pageSize - (words[at + Sqe.prp1Low]! & (pageSize - 1)));
    behind -= hostLeft;
    if (this.pool !== null) {
      extent.buffer = this.pool;
      extent.offset = this.poolAt[i]!;
      diskLeft = remaining;
    }
    for (;;) {
      while (behind > 0) {
        const next = join(list[entry]!, list[entry + 1]!);
        if (next !== host + hostLeft) break;
        const more = Math.min(behind, pageSize);
        hostLeft += more;
        behind -= more;
        entry += 2;
      }
      while (hostLeft > 0) {
        if (diskLeft === 0) {
          diskLeft = this.backend.extent(disk, !toHost, extent);
          if (diskLeft > remaining) diskLeft = remaining;
        }
        const piece = Math.min(hostLeft, diskLeft);
        if (toHost) batch.write(host, extent.buffer, extent.offset, piece, i);
        else batch.read(host, extent.buffer, extent.offset, piece, i);
        extent.offset += piece;
        host += piece;
        hostLeft -= piece;
        diskLeft -= piece;
        disk += piece;
        remaining -= piece;
      }
      if (behind === 0) return;
      host = join(list[entry]!, list[entry + 1]!);
      hostLeft = Math.min(behind, pageSize);
      behind -= hostLeft;
      entry += 2;
    }
  }

  /** Does all that is queued now, so that what follows sees its effects. */
  private settle(): void {
    this.batch.submit();
    const count = this.pendingCount;
    this.pendingCount = 0;
    for (let k = 0; k < count; k++) {
      const i = this.pending[k]!;
      if (this.status[i] === Status.success) {
        try {
          this.backend.store(this.disk[i]!, this.pool!.bytes, this.poolAt[i]!, this.length[i]!);
        } catch (error) {
          this.fail(i, Status.writeFault, error);
          continue;
        }
      }
      this.finish(i, 0);
    }
  }

  private executeRare(i: number, opcode: number): void {
    this.settle();
    this.poolUsed = 0;
    try {
      if (opcode === IoOpcode.flush) {
        this.backend.flush();
        this.health.flushes++;
      } else if (opcode === IoOpcode.writeZeroes) this.writeZeroes(i);
      else if (opcode === IoOpcode.compare) this.status[i] = this.compare(i);
      else this.status[i] = this.datasetManagement(i);
    } catch (error) {
      this.fail(i, opcode === IoOpcode.compare ? Status.unrecoveredReadError : Status.writeFault, error);
      return;
    }
    this.finish(i, 0);
  }

  private writeZeroes(i: number): void {
    this.backend.discard(this.disk[i]!, this.length[i]!);
  }

  private compare(i: number): number {
    const length = this.length[i]!;
    const buffer = this.scratchOf(2 * MAX_TRANSFER);
    const status = this.mover.move(this.queue[i]!, this.at[i]!, buffer, 0, length, false, this.pageSize);
    if (status !== Status.success) return status;
    this.copyFromDisk(this.disk[i]!, buffer, MAX_TRANSFER, length);
    const { bytes } = buffer;
    for (let k = 0; k < length; k++) {
      if (bytes[k] !== bytes[MAX_TRANSFER + k]) return Status.compareFailure;
    }
    return Status.success;
  }

  private copyFromDisk(offset: number, buffer: DmaBuffer, at: number, length: number): void {
    if (!this.backend.direct) {
      this.backend.load(offset, buffer.bytes, at, length);
      return;
    }
    for (let done = 0; done < length; ) {
      const piece = Math.min(length - done, this.backend.extent(offset + done, false, this.extent));
      const { bytes } = this.extent.buffer;
      buffer.bytes.set(bytes.subarray(this.extent.offset, this.extent.offset + piece), at + done);
      done += piece;
    }
  }

  /** Deallocation of ranges (6.7); every other attribute is advice. All ranges are checked before any is given back. */
  private datasetManagement(i: number): number {
    const queue = this.queue[i]!;
    const { words } = queue;
    const at = this.at[i]!;
    const ranges = (words[at + Sqe.cdw10]! & 0xff) + 1;
    const buffer = this.scratchOf(2 * MAX_TRANSFER);
    const status = this.mover.move(queue, at, buffer, 0, ranges * DSM_RANGE_BYTES, false, this.pageSize);
    if (status !== Status.success) return status;
    if ((words[at + Sqe.cdw11]! & DSM_DEALLOCATE) === 0) return Status.success;
    const { bytes } = buffer;
    const word = (offset: number) =>
      (bytes[offset]! |
        (bytes[offset + 1]! << 8) |
        (bytes[offset + 2]! << 16) |
        (bytes[offset + 3]! << 24)) >>>
      0;
    const size = 1 << this.namespace.shift;
    for (const apply of [false, true]) {
      for (let r = 0; r < ranges; r++) {
        const range = r * DSM_RANGE_BYTES;
        const blocks = word(range + 4);
        const start = join(word(range + 8), word(range + 12));
        if (blocks === 0) continue;
        if (start + blocks > this.namespace.blocks) return Status.lbaOutOfRange;
        if (apply) this.backend.discard(start * size, blocks * size);
      }
    }
    return Status.success;
  }

  private scratchOf(size: number): DmaBuffer {
    this.scratch ??= this.host.dma.allocate(size);
    return this.scratch;
  }

  /** The backend could not do it. */
  private fail(i: number, status: number, error: unknown): void {
    this.status[i] = status;
    this.health.mediaErrors++;
    this.host.note('error', `disk: ${error instanceof Error ? error.message : String(error)}`);
    this.finish(i, 0);
  }

  /** Completes command `i`. */
  private finish(i: number, dw0: number): void {
    const queue = this.queue[i]!;
    if (this.entry[i] !== -1) throw new Error(`command ${i} of the batch is completed twice`);
    const status = this.status[i]!;
    const dw = queue.words[this.at[i]!]!;
    this.entry[i] = this.poster.post(queue, dw >>> 16, status, dw0);
    this.host.command(queue.id, dw >>> 16, dw & 0xff, status, this.disk[i]!, this.length[i]!);
    const { health } = this;
    if (status !== Status.success) this.reportFailure(i);
    else {
      const opcode = dw & 0xff;
      const length = this.length[i]!;
      if (opcode === IoOpcode.read) {
        health.readCommands++;
        health.bytesRead += length;
      } else if (opcode === IoOpcode.write) {
        health.writeCommands++;
        health.bytesWritten += length;
      } else health.otherCommands++;
      this.flushBytes += length;
    }
    this.flushCount++;
  }

  private reportFailure(i: number): void {
    const queue = this.queue[i]!;
    const { words } = queue;
    const at = this.at[i]!;
    const status = this.status[i]!;
    const lba = join(words[at + Sqe.cdw10]!, words[at + Sqe.cdw11]!);
    this.health.failedCommands++;
    this.health.recordError(queue.id, words[at]! >>> 16, status, words[at + Sqe.nsid]!, lba);
    this.host.note('info', `SQ${queue.id} ${describeIo(words, at)}: ${statusName(status)}`);
  }

  commandFailed(i: number, code: DmaStatusCode): void {
    const queue = this.queue[i]!;
    const was = this.status[i];
    this.status[i] = Status.dataTransferError;
    this.host.note(
      'undefined-behaviour',
      `SQ${queue.id} ${describeIo(queue.words, this.at[i]!)}: ${dmaReason(code)}`,
    );
    if (this.entry[i] === -1) return;
    // Filled already, but its step is behind the data in the submission.
    this.poster.amend(queue.completion, this.entry[i]!, Status.dataTransferError);
    if (was !== Status.success) return;
    const opcode = queue.words[this.at[i]!]! & 0xff;
    if (opcode === IoOpcode.read) {
      this.health.readCommands--;
      this.health.bytesRead -= this.length[i]!;
    } else if (opcode === IoOpcode.write) {
      this.health.writeCommands--;
      this.health.bytesWritten -= this.length[i]!;
    }
    this.reportFailure(i);
  }

  queueFailed(owner: number, address: number, code: DmaStatusCode): void {
    const what = unreachable(owner);
    this.onFatal(`${what} at 0x${address.toString(16)} cannot be reached: ${dmaReason(code)}`);
  }
}

function unreachable(owner: number): string {
  switch (owner) {
    case StepOwner.fetch:
      return 'a submission queue';
    case StepOwner.completion:
      return 'a completion queue';
    case StepOwner.shadow:
      return 'a doorbell buffer';
    default:
      return 'memory';
  }
}

function isKnown(opcode: number): boolean {
  return (
    opcode <= IoOpcode.read ||
    opcode === IoOpcode.compare ||
    opcode === IoOpcode.writeZeroes ||
    opcode === IoOpcode.datasetManagement
  );
}

export function dmaReason(code: DmaStatusCode): string {
  switch (code) {
    case DmaStatus.unmapped:
      return 'not memory that the driver mapped';
    case DmaStatus.notBusMaster:
      return 'bus mastering is off';
    case DmaStatus.badLength:
      return 'bad length';
    case DmaStatus.gone:
      return 'the device has gone from the bus';
    case DmaStatus.wrongDirection:
      return 'mapped for the other direction';
    default:
      return 'refused';
  }
}
