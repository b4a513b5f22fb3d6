/**
 * The steps of a batch, kept beside the port so that a batch that stops early can go on: the command whose step
 * failed is marked, its other steps are dropped, everything behind it is queued again.
 *
 * The path without failures allocates nothing.
 */
import { TransferContent } from '../sdk/command-format.ts';
import type { DeviceHost } from '../sdk/device.ts';
import { type DmaBuffer, type DmaPort, DmaStatus, type DmaStatusCode } from '../sdk/dma.ts';

/** Who a step belongs to; commands are numbered from 0 in their batch. */
export const StepOwner = { fetch: -1, completion: -2, interrupt: -3, shadow: -4 } as const;

/** The host takes no more in one submission. */
export const MAX_STEPS = 4096;

const kindRead = 0;
const kindWrite = 1;
const kindInterrupt = 2;

export interface StepFailures {
  /** A step of command `owner` was refused. */
  commandFailed(owner: number, code: DmaStatusCode): void;
  /** A queue itself, or any memory, cannot be reached. */
  queueFailed(owner: number, address: number, code: DmaStatusCode): void;
}

export class TransferBatch {
  private readonly host: DeviceHost;
  private readonly dma: DmaPort;
  private readonly failures: StepFailures;
  private count = 0;
  private readonly kind = new Uint8Array(MAX_STEPS);
  private readonly owner = new Int16Array(MAX_STEPS);
  private readonly address = new Float64Array(MAX_STEPS);
  private readonly offset = new Int32Array(MAX_STEPS);
  private readonly length = new Int32Array(MAX_STEPS);
  /** Of each step, and of those that come: see {@link attribute}. */
  private readonly accesses = new Uint32Array(MAX_STEPS);
  private readonly contents = new Uint8Array(MAX_STEPS);
  private readonly queues = new Uint16Array(MAX_STEPS);
  private access = 0;
  private content: number = TransferContent.unknown;
  private queue = 0;
  private readonly buffer: (DmaBuffer | null)[] = new Array(MAX_STEPS).fill(null);
  /** Commands of the current batch with a failed step. */
  private readonly failed: Uint8Array;
  private anyFailed = false;
  private broken = false;

  constructor(host: DeviceHost, failures: StepFailures, maxCommands: number) {
    this.host = host;
    this.dma = host.dma;
    this.failures = failures;
    this.failed = new Uint8Array(maxCommands);
  }

  /** Begins a batch of commands, numbered from 0 again. */
  begin(): void {
    if (this.anyFailed) this.failed.fill(0);
    this.anyFailed = false;
    this.broken = false;
    this.access = this.host.access();
  }

  /** What is queued from here on: the access that asked for it, a `TransferContent`, and of which queue. */
  attribute(access: number, content: number, queue: number): void {
    this.access = access;
    this.content = content;
    this.queue = queue;
    this.host.attribute(access, content, queue);
  }

  /** The same, asked for by the same access. */
  carry(content: number, queue: number): void {
    this.attribute(this.access, content, queue);
  }

  /** Host memory to `buffer`. */
  read(address: number, buffer: DmaBuffer, offset: number, length: number, owner: number): void {
    if (this.refuses(owner)) return;
    this.dma.queueRead(address, buffer, offset, length);
    this.remember(kindRead, address, buffer, offset, length, owner);
  }

  /** `buffer` to host memory. */
  write(address: number, buffer: DmaBuffer, offset: number, length: number, owner: number): void {
    if (this.refuses(owner)) return;
    this.dma.queueWrite(address, buffer, offset, length);
    this.remember(kindWrite, address, buffer, offset, length, owner);
  }

  interrupt(vector: number): void {
    if (this.refuses(StepOwner.interrupt)) return;
    this.dma.queueInterrupt(vector);
    const i = this.count++;
    this.kind[i] = kindInterrupt;
    this.owner[i] = StepOwner.interrupt;
    this.offset[i] = vector;
    this.accesses[i] = this.access;
    this.contents[i] = TransferContent.unknown;
    this.queues[i] = 0;
  }

  /** Carries out everything queued. False when a queue could not be reached. */
  submit(): boolean {
    const count = this.count;
    if (count === 0) return !this.broken;
    this.count = 0;
    const done = this.dma.submit();
    if (done < count) this.recover(done, count);
    return !this.broken;
  }

  /** Drops what is queued in this batch; the port's own queue is emptied too. */
  abandon(): void {
    this.broken = true;
  }

  private refuses(owner: number): boolean {
    if (this.count === MAX_STEPS) this.submit();
    return this.broken || (owner >= 0 && this.failed[owner] !== 0);
  }

  private remember(
    kind: number,
    address: number,
    buffer: DmaBuffer,
    offset: number,
    length: number,
    owner: number,
  ): void {
    const i = this.count++;
    this.kind[i] = kind;
    this.address[i] = address;
    this.buffer[i] = buffer;
    this.offset[i] = offset;
    this.length[i] = length;
    this.owner[i] = owner;
    this.accesses[i] = this.access;
    this.contents[i] = this.content;
    this.queues[i] = this.queue;
  }

  private recover(done: number, count: number): void {
    let at = done;
    const again: number[] = [];
    for (let i = 0; i < count; i++) again.push(i);
    let rest = again;
    for (;;) {
      const step = rest[at]!;
      this.fail(step, this.dma.lastError);
      if (this.broken) return;
      rest = rest.slice(at + 1).filter((i) => this.owner[i]! < 0 || this.failed[this.owner[i]!] === 0);
      if (rest.length === 0) return;
      for (const i of rest) this.repeat(i);
      at = this.dma.submit();
      if (at >= rest.length) return;
    }
  }

  private fail(step: number, code: DmaStatusCode): void {
    const owner = this.owner[step]!;
    // Nothing else will get through either, completions included.
    const dead = code === DmaStatus.gone || code === DmaStatus.notBusMaster;
    if (owner >= 0 && !dead) {
      this.failed[owner] = 1;
      this.anyFailed = true;
      this.failures.commandFailed(owner, code);
    } else if (owner !== StepOwner.interrupt || dead) {
      this.broken = true;
      this.failures.queueFailed(owner, this.address[step]!, code);
    }
  }

  private repeat(i: number): void {
    this.host.attribute(this.accesses[i]!, this.contents[i]!, this.queues[i]!);
    if (this.kind[i] === kindInterrupt) this.dma.queueInterrupt(this.offset[i]!);
    else if (this.kind[i] === kindRead)
      this.dma.queueRead(this.address[i]!, this.buffer[i]!, this.offset[i]!, this.length[i]!);
    else this.dma.queueWrite(this.address[i]!, this.buffer[i]!, this.offset[i]!, this.length[i]!);
  }
}
