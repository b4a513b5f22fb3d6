/** A host without a machine, for unit tests: memory, DMA, BAR memory, interrupts that are counted, time by hand. */
import type {
  BarMemory,
  BlockBackend,
  Clock,
  DeviceDescription,
  DeviceHost,
  NoteLevel,
} from '../sdk/device.ts';
import { DisplayMemory, displayBytes } from '../sdk/display.ts';
import { type DmaBuffer, type DmaPort, DmaStatus, type DmaStatusCode } from '../sdk/dma.ts';
import { MemoryBackend } from './memory-backend.ts';

export const PAGE = 4096;

export class FakeClock implements Clock {
  private time = 0;
  private nextHandle = 1;
  private readonly alarms = new Map<number, { at: number; callback: () => void }>();

  now(): number {
    return this.time;
  }

  schedule(delay: number, callback: () => void): number {
    const handle = this.nextHandle++;
    this.alarms.set(handle, { at: this.time + delay, callback });
    return handle;
  }

  cancel(handle: number): void {
    this.alarms.delete(handle);
  }

  /** Lets time pass; callbacks run in the order of their times. */
  advance(nanoseconds: number): void {
    const end = this.time + nanoseconds;
    for (;;) {
      let first: [number, { at: number; callback: () => void }] | undefined;
      for (const alarm of this.alarms) {
        if (alarm[1].at <= end && (first === undefined || alarm[1].at < first[1].at)) first = alarm;
      }
      if (first === undefined) break;
      this.alarms.delete(first[0]);
      this.time = first[1].at;
      first[1].callback();
    }
    this.time = end;
  }
}

/** Host memory from bus address `base`. */
export class FakeMemory {
  readonly base: number;
  readonly bytes: Uint8Array;
  private next: number;

  constructor(size = 8 * 2 ** 20, base = 0x1_0000_0000) {
    this.base = base;
    this.bytes = new Uint8Array(size);
    this.next = base;
  }

  /** `count` contiguous zeroed pages. */
  allocatePages(count: number): number {
    const address = this.next;
    if (address + count * PAGE > this.base + this.bytes.length) throw new Error('host memory is exhausted');
    this.next += count * PAGE;
    this.bytes.fill(0, address - this.base, this.next - this.base);
    return address;
  }

  /** Forgets everything allocated since `address`. */
  rewind(address: number): void {
    this.next = address;
  }

  get mark(): number {
    return this.next;
  }

  slice(address: number, length: number): Uint8Array {
    const at = address - this.base;
    if (at < 0 || at + length > this.bytes.length) throw new RangeError('outside host memory');
    return this.bytes.subarray(at, at + length);
  }

  read32(address: number): number {
    const b = this.slice(address, 4);
    return (b[0]! | (b[1]! << 8) | (b[2]! << 16) | (b[3]! << 24)) >>> 0;
  }

  write32(address: number, value: number): void {
    const b = this.slice(address, 4);
    b[0] = value;
    b[1] = value >>> 8;
    b[2] = value >>> 16;
    b[3] = value >>> 24;
  }

  write64(address: number, value: number): void {
    this.write32(address, value % 2 ** 32);
    this.write32(address + 4, Math.floor(value / 2 ** 32));
  }
}

interface Step {
  kind: 'read' | 'write' | 'interrupt';
  address: number;
  buffer: DmaBuffer | null;
  offset: number;
  length: number;
}

export class FakeDma implements DmaPort {
  private readonly memory: FakeMemory;
  private readonly interrupt: (vector: number) => void;
  private readonly steps: Step[] = [];
  private count = 0;
  private nextId = 1;
  lastError: DmaStatusCode = DmaStatus.ok;
  readonly live = new Set<number>();
  busMaster = true;
  gone = false;
  /** Pages, by address, that the driver did not map. */
  readonly unmapped = new Set<number>();
  /** Memory of another device. */
  readonly peerBase = 0x8000_0000;
  readonly peerMemory = new Uint8Array(PAGE);
  /** Called before each step of a submission: what the rest of the machine does meanwhile. */
  onStep: (() => void) | null = null;
  submissions = 0;
  stepsDone = 0;
  immediate = 0;

  constructor(memory: FakeMemory, interrupt: (vector: number) => void) {
    this.memory = memory;
    this.interrupt = interrupt;
  }

  allocate(size: number): DmaBuffer {
    return this.attach(new Uint8Array(size));
  }

  attach(bytes: Uint8Array): DmaBuffer {
    const id = this.nextId++;
    this.live.add(id);
    return { id, bytes };
  }

  release(buffer: DmaBuffer): void {
    if (!this.live.delete(buffer.id)) throw new Error(`buffer ${buffer.id} is released twice`);
  }

  read(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode {
    this.immediate++;
    return this.transfer('read', address, to, offset, length);
  }

  readRows(
    address: number,
    to: DmaBuffer,
    offset: number,
    length: number,
    pitch: number,
    count: number,
  ): DmaStatusCode {
    this.immediate++;
    for (let row = 0; row < count; row++) {
      const status = this.transfer('read', address + row * pitch, to, offset + row * pitch, length);
      if (status !== DmaStatus.ok) return status;
    }
    return DmaStatus.ok;
  }

  write(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode {
    this.immediate++;
    return this.transfer('write', address, from, offset, length);
  }

  peerRead(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const peer = this.peer(address, length);
    if (peer === null) return DmaStatus.unmapped;
    to.bytes.set(peer, offset);
    return DmaStatus.ok;
  }

  peerWrite(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const peer = this.peer(address, length);
    if (peer === null) return DmaStatus.unmapped;
    peer.set(from.bytes.subarray(offset, offset + length));
    return DmaStatus.ok;
  }

  private peer(address: number, length: number): Uint8Array | null {
    const at = address - this.peerBase;
    if (!this.busMaster || at < 0 || at + length > this.peerMemory.length) return null;
    return this.peerMemory.subarray(at, at + length);
  }

  queueRead(address: number, to: DmaBuffer, offset: number, length: number): number {
    return this.queue('read', address, to, offset, length);
  }

  queueWrite(address: number, from: DmaBuffer, offset: number, length: number): number {
    return this.queue('write', address, from, offset, length);
  }

  queueInterrupt(vector: number): number {
    return this.queue('interrupt', vector, null, 0, 0);
  }

  get queued(): number {
    return this.count;
  }

  submit(): number {
    this.submissions++;
    const count = this.count;
    this.count = 0;
    this.lastError = DmaStatus.ok;
    for (let i = 0; i < count; i++) {
      const step = this.steps[i]!;
      this.onStep?.();
      if (step.kind === 'interrupt') this.interrupt(step.address);
      else {
        const code = this.transfer(step.kind, step.address, step.buffer!, step.offset, step.length);
        if (code !== DmaStatus.ok) {
          this.lastError = code;
          return i;
        }
      }
      this.stepsDone++;
    }
    return count;
  }

  private queue(
    kind: Step['kind'],
    address: number,
    buffer: DmaBuffer | null,
    offset: number,
    length: number,
  ): number {
    const i = this.count++;
    // Records are used again, so that measurements of a model do not count the fake's garbage.
    const step = (this.steps[i] ??= { kind, address, buffer, offset, length });
    step.kind = kind;
    step.address = address;
    step.buffer = buffer;
    step.offset = offset;
    step.length = length;
    return i;
  }

  private transfer(
    kind: 'read' | 'write',
    address: number,
    buffer: DmaBuffer,
    offset: number,
    length: number,
  ): DmaStatusCode {
    if (this.gone) return DmaStatus.gone;
    if (!this.busMaster) return DmaStatus.notBusMaster;
    if (!this.live.has(buffer.id)) throw new Error(`buffer ${buffer.id} was released`);
    if (!(length > 0) || offset < 0 || offset + length > buffer.bytes.length) return DmaStatus.badLength;
    const at = address - this.memory.base;
    if (!(at >= 0) || at + length > this.memory.bytes.length) return DmaStatus.unmapped;
    if (this.unmapped.size > 0) {
      for (let page = address - (address % PAGE); page < address + length; page += PAGE) {
        if (this.unmapped.has(page)) return DmaStatus.unmapped;
      }
    }
    const mine = buffer.bytes;
    const host = this.memory.bytes;
    if (kind === 'read') copy(host, at, mine, offset, length);
    else copy(mine, offset, host, at, length);
    return DmaStatus.ok;
  }
}

function copy(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  if (length > 64) to.set(from.subarray(fromAt, fromAt + length), toAt);
  else for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i]!;
}

export class FakeBars implements BarMemory {
  private readonly bars: (DataView | null)[] = [null, null, null, null, null, null];
  writes = 0;

  constructor(description: DeviceDescription) {
    for (const bar of description.bars) this.bars[bar.index] = new DataView(new ArrayBuffer(bar.size));
  }

  private view(bar: number): DataView {
    const view = this.bars[bar];
    if (!view) throw new RangeError(`no BAR ${bar}`);
    return view;
  }

  read32(bar: number, offset: number): number {
    return this.view(bar).getUint32(offset, true);
  }

  write32(bar: number, offset: number, value: number): void {
    this.writes++;
    this.view(bar).setUint32(offset, value, true);
  }

  read64(bar: number, offset: number): bigint {
    return this.view(bar).getBigUint64(offset, true);
  }

  write64(bar: number, offset: number, value: bigint): void {
    this.writes++;
    this.view(bar).setBigUint64(offset, value, true);
  }

  readBytes(bar: number, offset: number, into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.view(bar).getUint8(offset + i);
  }

  writeBytes(bar: number, offset: number, from: Uint8Array): void {
    this.writes++;
    for (let i = 0; i < from.length; i++) this.view(bar).setUint8(offset + i, from[i]!);
  }
}

export class FakeHost implements DeviceHost {
  readonly clock = new FakeClock();
  readonly memory: FakeMemory;
  readonly dma: FakeDma;
  readonly bars: FakeBars;
  readonly display: DisplayMemory | undefined;
  readonly notes: { level: NoteLevel; text: string }[] = [];
  /** Deliveries by vector. */
  readonly interrupts: number[] = [];
  /** What `openBlockBackend` gives; default: a {@link MemoryBackend} of the size asked for. */
  backend: BlockBackend | null = null;

  constructor(description: DeviceDescription, memory = new FakeMemory()) {
    this.memory = memory;
    this.bars = new FakeBars(description);
    if (description.display !== undefined) {
      const limits = description.display;
      this.display = new DisplayMemory(new ArrayBuffer(displayBytes(limits)), limits);
    }
    this.dma = new FakeDma(memory, (vector) => this.raiseInterrupt(vector));
  }

  /** Vectors that the model saw served. */
  readonly served: number[] = [];
  /** Those of which it does not know when. */
  readonly taken = new Set<number>();

  interruptServed(vector: number, timed = true): void {
    if (timed) this.served.push(vector);
    else this.taken.add(vector);
  }

  raiseInterrupt(vector: number): boolean {
    this.interrupts[vector] = (this.interrupts[vector] ?? 0) + 1;
    return true;
  }

  /** What a test says is being handled, and what the model attributes its work to. */
  handled = 0;
  attributed = 0;
  content = 0;

  readonly commands: { queue: number; id: number; opcode: number; status: number; length: number }[] = [];

  command(queue: number, id: number, opcode: number, status: number, _address: number, length: number): void {
    this.commands.push({ queue, id, opcode, status, length });
  }

  access(): number {
    return this.handled;
  }

  attribute(access: number, content = 0): void {
    this.attributed = access;
    this.content = content;
  }

  note(level: NoteLevel, text: string): void {
    this.notes.push({ level, text });
  }

  openBlockBackend(_image: string, size: number): BlockBackend {
    this.backend ??= new MemoryBackend(this.dma, size);
    return this.backend;
  }
}
