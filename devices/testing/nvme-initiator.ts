/**
 * Drives an NVMe controller in the order in which a Linux driver does: reset, admin queue, Identify, Set Features,
 * I/O queues with an interrupt vector each, then reads and writes through PRPs. Independent of `devices/nvme`: the
 * numbers here are from the specification, so that a mistake there is not repeated here.
 */
import { Command } from '../sdk/config-space.ts';
import {
  type Initiator,
  type InitiatorBus,
  InitiatorError,
  type InitiatorFactory,
  type InitiatorProgress,
  type Workload,
} from './initiator.ts';
import { enableMsix } from './pci.ts';

const PAGE = 4096;
const ADMIN_ENTRIES = 32;
const IO_ENTRIES = 128;
const MAX_QUEUES = 4;
const COMMAND_TIMEOUT = 30_000;
const CC_EN = 1;
const CSTS_RDY = 1;
const CSTS_CFS = 2;

/** One queue pair as the driver holds it. */
class QueuePair {
  readonly id: number;
  readonly entries: number;
  readonly sq: number;
  readonly cq: number;
  readonly vector: number;
  readonly pages: number;
  tail = 0;
  head = 0;
  phase = 1;
  /** Free command identifiers. */
  readonly free: number[] = [];

  constructor(bus: InitiatorBus, id: number, entries: number, vector: number) {
    this.id = id;
    this.entries = entries;
    this.vector = vector;
    const sqPages = Math.ceil((entries * 64) / PAGE);
    const cqPages = Math.ceil((entries * 16) / PAGE);
    this.pages = sqPages + cqPages;
    this.sq = bus.allocatePages(this.pages);
    this.cq = this.sq + sqPages * PAGE;
    for (let i = entries - 2; i >= 0; i--) this.free.push(i);
  }
}

export interface Completion {
  readonly commandId: number;
  /** Status code type and code; 0 is success. */
  readonly status: number;
  readonly result: number;
}

export interface NvmeCommand {
  readonly opcode: number;
  readonly nsid?: number;
  readonly prp1?: number;
  readonly prp2?: number;
  readonly cdw10?: number;
  readonly cdw11?: number;
  readonly cdw12?: number;
  readonly cdw13?: number;
}

/** What is in flight in a workload. */
interface Slot {
  readonly buffer: number;
  readonly list: number;
  queue: QueuePair | null;
  commandId: number;
  write: boolean;
  flush: boolean;
  block: number;
  blocks: number;
}

const MAX_IO_PAGES = 64;

export class NvmeInitiator implements Initiator {
  readonly progress: InitiatorProgress = { phase: '', operations: 0, bytes: 0, errors: 0, lastError: '' };
  private readonly bus: InitiatorBus;
  private readonly view: DataView;
  private admin: QueuePair | null = null;
  private readonly io: QueuePair[] = [];
  private stride = 4;
  private ready = false;
  private canShare = false;
  /** Page of the shadow doorbells, with the event indexes behind it; 0: none. */
  private shadow = 0;
  /** Of the namespace. */
  blocks = 0;
  blockSize = 512;
  maxTransfer = 128 * 1024;
  serial = '';
  modelNumber = '';
  /** Generation written to each 4 KiB of the disk in this session; 0: not written, content unknown. */
  private generations = new Uint32Array(0);
  private generation = 0;

  constructor(bus: InitiatorBus) {
    this.bus = bus;
    this.view = new DataView(bus.memory.buffer, bus.memory.byteOffset, bus.memory.byteLength);
  }

  get ioQueues(): number {
    return this.io.length;
  }

  probe(): void {
    const { bus } = this;
    this.phase('Enable');
    const command = bus.configRead(0x04, 2);
    bus.configWrite(0x04, 2, command | Command.memorySpace | Command.busMaster);
    const vectors = enableMsix(bus);
    this.phase('Reset');
    const capLow = bus.read32(0, 0x00);
    const capHigh = bus.read32(0, 0x04);
    if (capLow === 0xffff_ffff)
      throw new InitiatorError('the controller does not answer: CAP reads as all ones');
    this.stride = 4 << (capHigh & 0xf);
    const timeout = Math.max(1, capLow >>> 24) * 500;
    const most = (capLow & 0xffff) + 1;
    if (bus.read32(0, 0x14) & CC_EN) {
      bus.write32(0, 0x14, bus.read32(0, 0x14) & ~CC_EN);
      this.waitReady(0, timeout);
    }
    this.phase('Admin queue');
    const entries = Math.min(ADMIN_ENTRIES, most);
    this.admin = new QueuePair(bus, 0, entries, 0);
    bus.write32(0, 0x24, (entries - 1) | ((entries - 1) << 16));
    this.write64(0x28, this.admin.sq);
    this.write64(0x30, this.admin.cq);
    // 4 KiB pages, 64-byte and 16-byte entries.
    bus.write32(0, 0x14, CC_EN | (6 << 16) | (4 << 20));
    this.waitReady(CSTS_RDY, timeout);
    this.ready = true;
    this.phase('Identify');
    this.identify();
    this.phase('I/O queues');
    this.createQueues(Math.min(MAX_QUEUES, Math.max(1, vectors - 1)), vectors, Math.min(IO_ENTRIES, most));
    this.shareDoorbells();
    this.phase('Idle');
  }

  remove(): void {
    const { bus } = this;
    try {
      this.phase('Shutdown');
      if (this.ready && bus.read32(0, 0x1c) !== 0xffff_ffff) {
        for (const queue of this.io) {
          this.adminCommand({ opcode: 0x00, cdw10: queue.id });
          this.adminCommand({ opcode: 0x04, cdw10: queue.id });
        }
        const cc = bus.read32(0, 0x14);
        bus.write32(0, 0x14, (cc & ~0xc000) | 0x4000);
        const end = bus.now() + 5000;
        while ((bus.read32(0, 0x1c) & 0xc) !== 8 && bus.now() < end) bus.sleep(1);
        bus.configWrite(0x04, 2, bus.configRead(0x04, 2) & ~Command.busMaster);
      }
    } catch (error) {
      this.progress.lastError = error instanceof Error ? error.message : String(error);
    }
    for (const queue of this.io) bus.freePages(queue.sq, queue.pages);
    this.io.length = 0;
    if (this.admin) bus.freePages(this.admin.sq, this.admin.pages);
    this.admin = null;
    if (this.shadow !== 0) bus.freePages(this.shadow, 2);
    this.shadow = 0;
    this.ready = false;
    this.phase('Removed');
  }

  private phase(text: string): void {
    this.progress.phase = text;
  }

  private write64(offset: number, value: number): void {
    this.bus.write32(0, offset, value % 2 ** 32);
    this.bus.write32(0, offset + 4, Math.floor(value / 2 ** 32));
  }

  private waitReady(want: number, timeout: number): void {
    const { bus } = this;
    const end = bus.now() + timeout;
    for (;;) {
      const csts = bus.read32(0, 0x1c);
      if (csts === 0xffff_ffff) throw new InitiatorError('the controller is gone: CSTS reads as all ones');
      if (csts & CSTS_CFS)
        throw new InitiatorError(`the controller reports a fatal error: CSTS 0x${csts.toString(16)}`);
      if ((csts & CSTS_RDY) === want) return;
      if (bus.now() >= end) throw new InitiatorError(`device not ready: CSTS 0x${csts.toString(16)}`);
      bus.sleep(1);
    }
  }

  private identify(): void {
    const { bus } = this;
    const page = bus.allocatePages(1);
    const data = bus.memory.subarray(page - bus.memoryBase, page - bus.memoryBase + PAGE);
    const text = (at: number, length: number) =>
      String.fromCharCode(...data.subarray(at, at + length)).replace(/[\s\0]+$/, '');
    this.adminOk('Identify controller', { opcode: 0x06, prp1: page, cdw10: 1 });
    this.serial = text(4, 20);
    this.modelNumber = text(24, 40);
    const mdts = data[77]!;
    this.canShare = (data[257]! & 1) !== 0;
    this.maxTransfer = Math.min(MAX_IO_PAGES * PAGE, mdts === 0 ? MAX_IO_PAGES * PAGE : PAGE << mdts);
    this.adminOk('Identify active namespaces', { opcode: 0x06, prp1: page, cdw10: 2 });
    const nsid = this.view.getUint32(page - bus.memoryBase, true);
    if (nsid === 0) throw new InitiatorError('the controller has no namespace');
    this.adminOk('Identify namespace', { opcode: 0x06, nsid, prp1: page, cdw10: 0 });
    const at = page - bus.memoryBase;
    this.blocks = this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * 2 ** 32;
    const format = data[26]! & 0xf;
    this.blockSize = 1 << data[128 + format * 4 + 2]!;
    bus.freePages(page, 1);
    bus.log?.(
      `nvme: ${this.modelNumber}, serial ${this.serial}: ${this.blocks} blocks of ${this.blockSize} bytes`,
    );
  }

  private createQueues(wanted: number, vectors: number, entries: number): void {
    const granted = this.adminOk('Set Features, number of queues', {
      opcode: 0x09,
      cdw10: 0x07,
      cdw11: (wanted - 1) | ((wanted - 1) << 16),
    }).result;
    const count = Math.min(wanted, (granted & 0xffff) + 1, (granted >>> 16) + 1);
    for (let id = 1; id <= count; id++) {
      const queue = new QueuePair(this.bus, id, entries, vectors > 1 ? id : 0);
      const size = (queue.entries - 1) << 16;
      // Physically contiguous, interrupts enabled.
      this.adminOk('Create I/O Completion Queue', {
        opcode: 0x05,
        prp1: queue.cq,
        cdw10: size | id,
        cdw11: (queue.vector << 16) | 3,
      });
      this.adminOk('Create I/O Submission Queue', {
        opcode: 0x01,
        prp1: queue.sq,
        cdw10: size | id,
        cdw11: (id << 16) | 1,
      });
      this.io.push(queue);
    }
    this.bus.log?.(`nvme: ${count} I/O queues`);
  }

  private adminOk(what: string, command: NvmeCommand): Completion {
    const completion = this.adminCommand(command);
    if (completion.status !== 0)
      throw new InitiatorError(`${what} failed with status 0x${completion.status.toString(16)}`);
    return completion;
  }

  /** One admin command, to its end. */
  adminCommand(command: NvmeCommand): Completion {
    if (this.admin === null) throw new InitiatorError('the controller is not up');
    return this.command(this.admin, command);
  }

  /** One I/O command, to its end; `queue` from 1. */
  ioCommand(queue: number, command: NvmeCommand): Completion {
    const pair = this.io[queue - 1];
    if (pair === undefined) throw new InitiatorError(`there is no I/O queue ${queue}`);
    return this.command(pair, command);
  }

  private command(queue: QueuePair, command: NvmeCommand): Completion {
    const commandId = queue.free.pop();
    if (commandId === undefined) throw new InitiatorError(`queue ${queue.id} is full`);
    this.submit(queue, commandId, command);
    this.ringTail(queue);
    const end = this.bus.now() + COMMAND_TIMEOUT;
    for (;;) {
      const completion = this.take(queue);
      if (completion !== null) {
        this.ringHead(queue);
        queue.free.push(completion.commandId);
        if (completion.commandId !== commandId)
          throw new InitiatorError(
            `queue ${queue.id}: command ${completion.commandId} completed, not ${commandId}`,
          );
        return completion;
      }
      if (this.bus.now() >= end)
        throw new InitiatorError(`queue ${queue.id}: command ${commandId} timed out`);
      this.bus.waitInterrupt(queue.vector, 100);
      this.checkAlive();
    }
  }

  private checkAlive(): void {
    const csts = this.bus.read32(0, 0x1c);
    if (csts === 0xffff_ffff) throw new InitiatorError('the controller is gone: CSTS reads as all ones');
    if (csts & CSTS_CFS)
      throw new InitiatorError(`the controller reports a fatal error: CSTS 0x${csts.toString(16)}`);
  }

  /** Writes an entry; the doorbell is the caller's. */
  private submit(queue: QueuePair, commandId: number, command: NvmeCommand): void {
    const { view } = this;
    const at = queue.sq + queue.tail * 64 - this.bus.memoryBase;
    for (let i = 0; i < 64; i += 4) view.setUint32(at + i, 0, true);
    view.setUint32(at, command.opcode | (commandId << 16), true);
    view.setUint32(at + 4, command.nsid ?? 0, true);
    this.put64(at + 24, command.prp1 ?? 0);
    this.put64(at + 32, command.prp2 ?? 0);
    view.setUint32(at + 40, command.cdw10 ?? 0, true);
    view.setUint32(at + 44, command.cdw11 ?? 0, true);
    view.setUint32(at + 48, command.cdw12 ?? 0, true);
    view.setUint32(at + 52, command.cdw13 ?? 0, true);
    queue.tail = (queue.tail + 1) % queue.entries;
  }

  private put64(at: number, value: number): void {
    this.view.setUint32(at, value % 2 ** 32, true);
    this.view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  private ringTail(queue: QueuePair): void {
    this.ring(queue.id * 2, queue.tail);
  }

  private ringHead(queue: QueuePair): void {
    this.ring(queue.id * 2 + 1, queue.head);
  }

  /** A doorbell, or its shadow, and then the doorbell only when the controller asked for it (B.5). */
  private ring(number: number, value: number): void {
    if (this.shadow !== 0 && number > 1) {
      const at = this.shadow - this.bus.memoryBase + number * this.stride;
      const was = this.view.getUint32(at, true);
      this.view.setUint32(at, value, true);
      const event = this.view.getUint32(at + PAGE, true);
      if (((value - event - 1) & 0xffff) >= ((value - was) & 0xffff)) return;
    }
    this.bus.write32(0, 0x1000 + number * this.stride, value);
  }

  /** Shadow doorbells, where the controller has them (Identify, OACS bit 8). */
  private shareDoorbells(): void {
    if (!this.canShare) return;
    const pages = this.bus.allocatePages(2);
    this.adminOk('Doorbell Buffer Config', { opcode: 0x7c, prp1: pages, prp2: pages + PAGE });
    this.shadow = pages;
  }

  /** The next completion, or null; the doorbell is the caller's. */
  private take(queue: QueuePair): Completion | null {
    const { view } = this;
    const at = queue.cq + queue.head * 16 - this.bus.memoryBase;
    const dw3 = view.getUint32(at + 12, true);
    if (((dw3 >>> 16) & 1) !== queue.phase) return null;
    queue.head = (queue.head + 1) % queue.entries;
    if (queue.head === 0) queue.phase ^= 1;
    return { commandId: dw3 & 0xffff, status: (dw3 >>> 17) & 0x7ff, result: view.getUint32(at, true) };
  }

  runWorkload(workload: Workload, shouldStop: () => boolean): void {
    const { bus } = this;
    if (this.io.length === 0) throw new InitiatorError('the controller has no I/O queues');
    this.phase('Workload');
    const span = Math.min(workload.span || Infinity, this.blocks * this.blockSize);
    const units = Math.floor(span / PAGE);
    if (units < 1) throw new InitiatorError('the disk is smaller than 4096 bytes');
    if (this.generations.length !== units) this.generations = new Uint32Array(units);
    const sizes = workload.blockSizes
      .map((size) => Math.min(size, this.maxTransfer, units * PAGE))
      .map((size) => Math.max(PAGE, size - (size % PAGE)));
    const depth = Math.max(1, Math.min(workload.queueDepth, this.io.length * (IO_ENTRIES - 2)));
    const slots: Slot[] = [];
    for (let i = 0; i < depth; i++) {
      slots.push({
        buffer: bus.allocatePages(MAX_IO_PAGES),
        list: bus.allocatePages(1),
        queue: null,
        commandId: 0,
        write: false,
        flush: false,
        block: 0,
        blocks: 0,
      });
    }
    const random = generator(workload.seed);
    const idle = [...slots];
    const busyUnits = new Set<number>();
    const inFlight = new Map<number, Slot>();
    let writes = 0;
    let turn = 0;
    let due = bus.now();
    let lastProgress = bus.now();
    try {
      for (;;) {
        const stopping = shouldStop();
        if (stopping && inFlight.size === 0) break;
        const rung = new Set<QueuePair>();
        while (!stopping && idle.length > 0) {
          const rate = workload.rate();
          const now = bus.now();
          if (rate > 0 && now < due) break;
          // After a pause the missed operations are not made up for.
          if (rate > 0) due = Math.max(due + 1000 / rate, now - 1000 / rate);
          const slot = idle.pop()!;
          const queue = this.io[turn++ % this.io.length]!;
          const flush = workload.flushEvery > 0 && writes >= workload.flushEvery;
          if (flush) writes = 0;
          const size = sizes[Math.floor(random() * sizes.length)]!;
          this.prepare(
            slot,
            queue,
            flush,
            random() * 100 >= workload.readPercent,
            size,
            random,
            units,
            busyUnits,
          );
          if (slot.write) writes++;
          inFlight.set(queue.id * 65536 + slot.commandId, slot);
          rung.add(queue);
        }
        for (const queue of rung) this.ringTail(queue);
        let any = false;
        for (const queue of this.io) {
          let taken = 0;
          for (let completion = this.take(queue); completion !== null; completion = this.take(queue)) {
            const key = queue.id * 65536 + completion.commandId;
            const slot = inFlight.get(key);
            if (slot === undefined)
              throw new InitiatorError(
                `queue ${queue.id}: command ${completion.commandId} was not in flight`,
              );
            inFlight.delete(key);
            queue.free.push(completion.commandId);
            this.finish(slot, completion.status, busyUnits);
            idle.push(slot);
            taken++;
          }
          if (taken > 0) {
            this.ringHead(queue);
            any = true;
          }
        }
        if (any) {
          lastProgress = bus.now();
          continue;
        }
        if (inFlight.size > 0) {
          const first: Slot = inFlight.values().next().value!;
          bus.waitInterrupt(first.queue!.vector, 20);
          if (bus.now() - lastProgress > 1000) this.checkAlive();
          if (bus.now() - lastProgress > COMMAND_TIMEOUT)
            throw new InitiatorError(`queue ${first.queue!.id}: command ${first.commandId} timed out`);
        } else {
          lastProgress = bus.now();
          bus.sleep(Math.max(1, Math.min(50, due - bus.now())));
        }
      }
    } finally {
      for (const slot of slots) {
        bus.freePages(slot.buffer, MAX_IO_PAGES);
        bus.freePages(slot.list, 1);
      }
    }
    this.phase('Idle');
  }

  private prepare(
    slot: Slot,
    queue: QueuePair,
    flush: boolean,
    write: boolean,
    size: number,
    random: () => number,
    units: number,
    busy: Set<number>,
  ): void {
    slot.queue = queue;
    slot.commandId = queue.free.pop()!;
    slot.flush = flush;
    slot.write = false;
    if (flush) {
      this.submit(queue, slot.commandId, { opcode: 0x00, nsid: 1 });
      return;
    }
    let count = Math.min(size / PAGE, units);
    let unit = 0;
    // Commands in flight must not overlap: the order of their effects is not defined.
    for (let attempt = 0; ; attempt++) {
      unit = Math.floor(random() * (units - count + 1));
      let free = true;
      for (let i = 0; i < count && free; i++) free = !busy.has(unit + i);
      if (free) break;
      if (attempt === 8) {
        count = 1;
        unit = 0;
        while (busy.has(unit)) unit = (unit + 1) % units;
        break;
      }
    }
    slot.write = write;
    for (let i = 0; i < count; i++) busy.add(unit + i);
    slot.block = (unit * PAGE) / this.blockSize;
    slot.blocks = (count * PAGE) / this.blockSize;
    const at = slot.buffer - this.bus.memoryBase;
    if (write) {
      this.generation = (this.generation % 0xffff_fffe) + 1;
      for (let i = 0; i < count; i++) {
        this.fill(at + i * PAGE, unit + i, this.generation);
        this.generations[unit + i] = this.generation;
      }
    } else {
      this.bus.memory.fill(0xee, at, at + count * PAGE);
    }
    let prp2 = 0;
    if (count === 2) prp2 = slot.buffer + PAGE;
    else if (count > 2) {
      prp2 = slot.list;
      const list = slot.list - this.bus.memoryBase;
      for (let i = 1; i < count; i++) this.put64(list + (i - 1) * 8, slot.buffer + i * PAGE);
    }
    this.submit(queue, slot.commandId, {
      opcode: write ? 0x01 : 0x02,
      nsid: 1,
      prp1: slot.buffer,
      prp2,
      cdw10: slot.block % 2 ** 32,
      cdw11: Math.floor(slot.block / 2 ** 32),
      cdw12: slot.blocks - 1,
    });
  }

  private finish(slot: Slot, status: number, busy: Set<number>): void {
    const { progress } = this;
    progress.operations++;
    const bytes = slot.flush ? 0 : slot.blocks * this.blockSize;
    const unit = (slot.block * this.blockSize) / PAGE;
    const count = bytes / PAGE;
    for (let i = 0; i < count; i++) busy.delete(unit + i);
    if (status !== 0) {
      progress.errors++;
      progress.lastError = `${slot.flush ? 'Flush' : slot.write ? 'Write' : 'Read'} of block ${slot.block} failed with status 0x${status.toString(16)}`;
      if (slot.write) this.generations.fill(0, unit, unit + count);
      return;
    }
    progress.bytes += bytes;
    if (slot.write || slot.flush) return;
    for (let i = 0; i < count; i++) {
      const generation = this.generations[unit + i]!;
      if (
        generation === 0 ||
        this.matches(slot.buffer + i * PAGE - this.bus.memoryBase, unit + i, generation)
      )
        continue;
      progress.errors++;
      progress.lastError = `block ${((unit + i) * PAGE) / this.blockSize} does not hold what was written`;
    }
  }

  /** 4 KiB that say where they belong and which write they are of. */
  private fill(at: number, unit: number, generation: number): void {
    let x = seedOf(unit, generation);
    for (let i = 0; i < PAGE; i += 4) {
      x = (Math.imul(x, 1664525) + 1013904223) | 0;
      this.view.setInt32(at + i, x, true);
    }
  }

  private matches(at: number, unit: number, generation: number): boolean {
    let x = seedOf(unit, generation);
    for (let i = 0; i < PAGE; i += 4) {
      x = (Math.imul(x, 1664525) + 1013904223) | 0;
      if (this.view.getInt32(at + i, true) !== x) return false;
    }
    return true;
  }
}

function seedOf(unit: number, generation: number): number {
  return Math.imul(unit ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(generation, 0xc2b2ae35);
}

/** Numbers in [0, 1), the same for a seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const nvmeInitiator: InitiatorFactory = {
  model: 'nvme',
  title: 'NVMe initiator',
  create: (bus) => new NvmeInitiator(bus),
};
