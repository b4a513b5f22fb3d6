/** A controller with its driver, and queues by hand, for the tests of `devices/nvme`. */
import { nvmeModel } from '../nvme/model.ts';
import { FakeMachine } from './fake-bus.ts';
import { type FakeHost, FakeMemory } from './fake-host.ts';
import { type Completion, NvmeInitiator } from './nvme-initiator.ts';

export interface RawCompletion extends Completion {
  readonly queue: number;
  readonly head: number;
}

/** A queue pair that submits what it is told, right or wrong. */
export class RawQueue {
  readonly id: number;
  readonly entries: number;
  readonly sq: number;
  readonly cq: number;
  tail = 0;
  head = 0;
  phase = 1;
  private readonly machine: FakeMachine;

  constructor(machine: FakeMachine, id: number, entries: number) {
    this.machine = machine;
    this.id = id;
    this.entries = entries;
    this.sq = machine.allocatePages(Math.ceil((entries * 64) / 4096));
    this.cq = machine.allocatePages(Math.ceil((entries * 16) / 4096));
  }

  /** Writes an entry of up to 16 words, without the doorbell. */
  put(words: readonly number[]): void {
    const { memory } = this.machine.host;
    for (let i = 0; i < 16; i++) memory.write32(this.sq + this.tail * 64 + i * 4, words[i] ?? 0);
    this.tail = (this.tail + 1) % this.entries;
  }

  ring(): void {
    this.machine.write32(0, 0x1000 + this.id * 8, this.tail);
  }

  /** What has arrived, without the doorbell. */
  take(): RawCompletion[] {
    const { memory } = this.machine.host;
    const found: RawCompletion[] = [];
    for (;;) {
      const at = this.cq + this.head * 16;
      const dw3 = memory.read32(at + 12);
      if (((dw3 >>> 16) & 1) !== this.phase) return found;
      const dw2 = memory.read32(at + 8);
      found.push({
        queue: dw2 >>> 16,
        head: dw2 & 0xffff,
        commandId: dw3 & 0xffff,
        status: (dw3 >>> 17) & 0x7ff,
        result: memory.read32(at),
      });
      this.head = (this.head + 1) % this.entries;
      if (this.head === 0) this.phase ^= 1;
    }
  }

  acknowledge(): void {
    this.machine.write32(0, 0x1000 + this.id * 8 + 4, this.head);
  }
}

interface QueueFigures {
  readonly id: number;
  readonly head: number;
  readonly tail: number;
  readonly inFlight: number;
  readonly fetched: number;
  readonly completed: number;
}

/** The part of `inspect()` that tests look at. */
export interface Inspection {
  readonly enabled: boolean;
  readonly csts: number;
  readonly namespace: { readonly blocks: number; readonly blockSize: number };
  readonly submissionQueues: readonly QueueFigures[];
  readonly completionQueues: readonly {
    readonly id: number;
    readonly used: number;
    readonly vector: number;
  }[];
  readonly asyncEventRequests: number;
  readonly counters: Readonly<Record<string, number>>;
}

export interface Rig {
  readonly machine: FakeMachine;
  readonly host: FakeHost;
  readonly driver: NvmeInitiator;
  /** Fresh pages. */
  pages(count: number): number;
  bytes(address: number, length: number): Uint8Array;
  inspect(): Inspection;
  /** Notes of what the driver did wrong, since the last call. */
  undefinedBehaviour(): string[];
  rawQueue(id: number, entries: number): RawQueue;
}

export function nvmeRig(
  options: Readonly<Record<string, unknown>> = {},
  prepare: (host: FakeHost) => void = () => {},
  memoryBytes = 16 * 2 ** 20,
): Rig {
  const machine = new FakeMachine(
    nvmeModel,
    { size: '16MiB', ...options },
    prepare,
    new FakeMemory(memoryBytes),
  );
  const driver = new NvmeInitiator(machine);
  driver.probe();
  const { host } = machine;
  return {
    machine,
    host,
    driver,
    pages: (count) => host.memory.allocatePages(count),
    bytes: (address, length) => host.memory.slice(address, length),
    inspect: () => machine.device.inspect!() as Inspection,
    undefinedBehaviour: () => {
      const texts = host.notes
        .filter((note) => note.level === 'undefined-behaviour')
        .map((note) => note.text);
      host.notes.length = 0;
      return texts;
    },
    rawQueue: (id, entries) => {
      // In place of the one that the driver made.
      driver.adminCommand({ opcode: 0x00, cdw10: id });
      driver.adminCommand({ opcode: 0x04, cdw10: id });
      const queue = new RawQueue(machine, id, entries);
      const size = (entries - 1) << 16;
      const cq = driver.adminCommand({
        opcode: 0x05,
        prp1: queue.cq,
        cdw10: size | id,
        cdw11: (id << 16) | 3,
      });
      const sq = driver.adminCommand({
        opcode: 0x01,
        prp1: queue.sq,
        cdw10: size | id,
        cdw11: (id << 16) | 1,
      });
      if (cq.status !== 0 || sq.status !== 0) throw new Error(`queue ${id} was not made`);
      return queue;
    },
  };
}

/** Words 6 to 9 of an entry. */
export function prps(prp1: number, prp2: number): [number, number, number, number] {
  return [prp1 % 2 ** 32, Math.floor(prp1 / 2 ** 32), prp2 % 2 ** 32, Math.floor(prp2 / 2 ** 32)];
}

/** Every command that was fetched is completed, but for event requests that are held. */
export function leaks(inspection: Inspection): string[] {
  const found: string[] = [];
  for (const queue of inspection.submissionQueues) {
    const held = queue.id === 0 ? inspection.asyncEventRequests : 0;
    if (queue.fetched !== queue.completed + held)
      found.push(`SQ${queue.id}: ${queue.fetched} fetched, ${queue.completed} completed, ${held} held`);
    if (queue.inFlight !== held) found.push(`SQ${queue.id}: ${queue.inFlight} in flight, ${held} held`);
  }
  return found;
}
