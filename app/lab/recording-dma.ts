/** A host's DMA port, with every transfer and interrupt in the trace and in the DMA log. */
import { InterruptRefusal } from '#contract/trace-record.ts';
import type { DmaBuffer, DmaPort, DmaStatusCode } from '#devices/sdk/dma.ts';
import type { HostDmaPort } from '../hosts/host.ts';
import { Counter, type DeviceShared } from './device-shared.ts';
import { PEER } from './dma-log.ts';
import type { InterruptLatency } from './interrupt-latency.ts';
import type { TraceWriter } from './trace-writer.ts';

/** As a duration: nobody looked at the clock. */
const NOT_MEASURED = -1;

const Step = { read: 0, write: 1, interrupt: 2 } as const;

/** What is being handled: the time and the access that DMA is caused by. */
export interface Moment {
  /** ns since the lab's start. */
  now(): number;
  /** The same, after a look at the clock. */
  read(): number;
  /** Number of the access that what is done now belongs to; 0: none. */
  cause: number;
  /** What is transferred now: see `contentCode`. */
  content: number;
  /** A look at the clock, ns, that changes nothing. */
  look(): number;
  /** Where the access went: see `AccessPlaces`. */
  place(access: number): number;
}

export class RecordingDma implements DmaPort {
  readonly #port: HostDmaPort;
  readonly #writer: TraceWriter;
  readonly #shared: DeviceShared;
  readonly #moment: Moment;
  readonly #latency: InterruptLatency;
  #kinds = new Uint8Array(256);
  #addresses = new Float64Array(256);
  #offsets = new Float64Array(256);
  /** Bytes, or the vector of an interrupt. */
  #lengths = new Uint32Array(256);
  /** The access that asked for it. */
  #causes = new Uint32Array(256);
  #contents = new Uint32Array(256);
  readonly #buffers: DmaBuffer[] = [];
  /** Something is queued that the driver waits for. */
  #answers = false;
  /** Word views by buffer number, for the capture. */
  readonly #words: (Uint32Array | undefined)[] = [];

  constructor(
    port: HostDmaPort,
    writer: TraceWriter,
    shared: DeviceShared,
    moment: Moment,
    latency: InterruptLatency,
  ) {
    this.#port = port;
    this.#writer = writer;
    this.#shared = shared;
    this.#moment = moment;
    this.#latency = latency;
  }

  get queued(): number {
    return this.#port.queued;
  }

  get lastError(): DmaStatusCode {
    return this.#port.lastError;
  }

  allocate(size: number): DmaBuffer {
    return this.#port.allocate(size);
  }

  attach(bytes: Uint8Array): DmaBuffer {
    return this.#port.attach(bytes);
  }

  release(buffer: DmaBuffer): void {
    this.#words[buffer.id] = undefined;
    this.#port.release(buffer);
  }

  read(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const began = this.#begin();
    const status = this.#port.read(address, to, offset, length);
    this.#one(began, false, address, to, offset, length, status);
    return status;
  }

  readRows(
    address: number,
    to: DmaBuffer,
    offset: number,
    length: number,
    pitch: number,
    count: number,
  ): DmaStatusCode {
    const began = this.#begin();
    const status = this.#port.readRows(address, to, offset, length, pitch, count);
    this.#one(began, false, address, to, offset, length * count, status);
    return status;
  }

  write(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const began = this.#begin();
    const status = this.#port.write(address, from, offset, length);
    this.#one(began, true, address, from, offset, length, status);
    return status;
  }

  peerRead(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const began = this.#begin();
    const status = this.#port.peerRead(address, to, offset, length);
    this.#one(began, false, address, to, offset, length, status, PEER);
    return status;
  }

  peerWrite(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const began = this.#begin();
    const status = this.#port.peerWrite(address, from, offset, length);
    this.#one(began, true, address, from, offset, length, status, PEER);
    return status;
  }

  queueRead(address: number, to: DmaBuffer, offset: number, length: number): number {
    const index = this.#port.queueRead(address, to, offset, length);
    this.#note(index, Step.read, address, to, offset, length);
    return index;
  }

  queueWrite(address: number, from: DmaBuffer, offset: number, length: number): number {
    const index = this.#port.queueWrite(address, from, offset, length);
    this.#note(index, Step.write, address, from, offset, length);
    this.#answers = true;
    return index;
  }

  queueInterrupt(vector: number): number {
    const index = this.#port.queueInterrupt(vector);
    if (index >= this.#kinds.length) this.#grow();
    this.#kinds[index] = Step.interrupt;
    this.#lengths[index] = vector;
    this.#causes[index] = this.#moment.cause;
    this.#answers = true;
    return index;
  }

  submit(): number {
    const queued = this.#port.queued;
    // How long the driver waited is told by what it waits for. Afterwards it may have reacted already.
    const answers = this.#answers;
    this.#answers = false;
    const time = answers ? this.#moment.read() : this.#moment.now();
    const began = answers && this.#shared.windows > 0 ? time : this.#begin();
    const done = this.#port.submit();
    const took = this.#since(began);
    const error = done < queued ? this.#port.lastError : 0;
    const recorded = done < queued ? done + 1 : done;
    for (let index = 0; index < recorded; index++) {
      const status = index < done ? 0 : error;
      const kind = this.#kinds[index]!;
      if (kind === Step.interrupt) {
        const refusal = status === 0 ? this.#port.interruptRefusal(index) : InterruptRefusal.off;
        this.#writer.recordInterrupt(time, this.#lengths[index]!, refusal, this.#causes[index]!, 0);
        if (refusal === 0) {
          this.#shared.counters[Counter.interrupts]!++;
          this.#latency.raised(this.#lengths[index]!, time);
        }
      } else {
        this.#record(
          time,
          kind === Step.write,
          this.#addresses[index]!,
          this.#buffers[index]!,
          this.#offsets[index]!,
          this.#lengths[index]!,
          status,
          this.#causes[index]!,
          this.#contents[index]!,
          took,
          recorded,
        );
      }
    }
    return done;
  }

  #note(
    index: number,
    kind: number,
    address: number,
    buffer: DmaBuffer,
    offset: number,
    length: number,
  ): void {
    if (index >= this.#kinds.length) this.#grow();
    this.#kinds[index] = kind;
    this.#addresses[index] = address;
    this.#offsets[index] = offset;
    this.#lengths[index] = length;
    this.#causes[index] = this.#moment.cause;
    this.#contents[index] = this.#moment.content;
    this.#buffers[index] = buffer;
  }

  #grow(): void {
    const size = this.#kinds.length * 2;
    const grow = <T extends Uint8Array | Uint32Array | Float64Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    this.#kinds = grow(this.#kinds, new Uint8Array(size));
    this.#addresses = grow(this.#addresses, new Float64Array(size));
    this.#offsets = grow(this.#offsets, new Float64Array(size));
    this.#lengths = grow(this.#lengths, new Uint32Array(size));
    this.#causes = grow(this.#causes, new Uint32Array(size));
    this.#contents = grow(this.#contents, new Uint32Array(size));
  }

  /** Looking at the clock costs time: only while a window may show what it gives. */
  #begin(): number {
    return this.#shared.windows > 0 ? this.#moment.look() : NOT_MEASURED;
  }

  #since(began: number): number {
    return began === NOT_MEASURED ? NOT_MEASURED : this.#moment.look() - began;
  }

  /** One that was not queued, handed over at `began`. */
  #one(
    began: number,
    write: boolean,
    address: number,
    buffer: DmaBuffer,
    offset: number,
    length: number,
    status: number,
    peer = 0,
  ): void {
    const { cause } = this.#moment;
    const content = this.#moment.content | peer;
    const took = this.#since(began);
    const time = this.#moment.now();
    this.#record(time, write, address, buffer, offset, length, status, cause, content, took, 1);
  }

  #record(
    time: number,
    write: boolean,
    address: number,
    buffer: DmaBuffer,
    offset: number,
    length: number,
    status: number,
    cause: number,
    content: number,
    took: number,
    together: number,
  ): void {
    this.#writer.recordDma(time, write, address, length, status, cause, (content & PEER) !== 0);
    let words = this.#words[buffer.id];
    if (words === undefined) {
      const { bytes } = buffer;
      words =
        bytes.byteOffset % 4 === 0 && bytes.byteLength % 4 === 0
          ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
          : new Uint32Array(0);
      this.#words[buffer.id] = words;
    }
    this.#shared.dmaLog.push(
      time,
      write,
      address,
      length,
      status,
      cause,
      buffer.bytes,
      words,
      offset,
      content,
      this.#moment.place(cause),
      took,
      together,
    );
    if (status === 0) {
      this.#shared.counters[Counter.dmaBytes]! += length;
      this.#shared.counters[Counter.dmaTransfers]!++;
    }
  }
}
