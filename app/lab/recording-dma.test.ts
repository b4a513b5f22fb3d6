import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { InterruptRefusal, TraceFlag, TraceKind } from '#contract/trace-record.ts';
import { TransferContent } from '#devices/sdk/command-format.ts';
import { type DmaBuffer, DmaStatus, type DmaStatusCode } from '#devices/sdk/dma.ts';
import type { HostDmaPort } from '../hosts/host.ts';
import { Counter, DeviceShared } from './device-shared.ts';
import { contentCode } from './dma-log.ts';
import { InterruptLatency } from './interrupt-latency.ts';
import { RecordingDma } from './recording-dma.ts';
import type { StoreBatch } from './store-protocol.ts';
import { TraceColumns } from './trace-columns.ts';
import { BATCH_RECORDS, TraceWriter } from './trace-writer.ts';

/** A port that does what it is told, up to a step that fails. */
class FakePort implements HostDmaPort {
  queued = 0;
  lastError: DmaStatusCode = DmaStatus.ok;
  /** Steps that succeed. */
  good = Number.POSITIVE_INFINITY;
  #buffers = 0;
  allocate(size: number): DmaBuffer {
    return this.attach(new Uint8Array(size));
  }
  attach(bytes: Uint8Array): DmaBuffer {
    return { id: this.#buffers++, bytes };
  }
  release(): void {}
  read(_address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode {
    to.bytes.fill(0xab, offset, offset + length);
    return DmaStatus.ok;
  }
  readRows(
    _address: number,
    to: DmaBuffer,
    offset: number,
    length: number,
    pitch: number,
    count: number,
  ): DmaStatusCode {
    for (let row = 0; row < count; row++)
      to.bytes.fill(0xcd, offset + row * pitch, offset + row * pitch + length);
    return DmaStatus.ok;
  }
  write(): DmaStatusCode {
    return DmaStatus.notBusMaster;
  }
  peerRead(): DmaStatusCode {
    return DmaStatus.unmapped;
  }

  peerWrite(): DmaStatusCode {
    return DmaStatus.unmapped;
  }

  queueRead(): number {
    return this.queued++;
  }
  queueWrite(): number {
    return this.queued++;
  }
  queueInterrupt(): number {
    return this.queued++;
  }
  /** Steps whose interrupt is masked. */
  masked: number[] = [];
  interruptRefusal(index: number): number {
    return this.masked.includes(index) ? InterruptRefusal.masked : 0;
  }
  submit(): number {
    const done = Math.min(this.queued, this.good);
    this.lastError = done < this.queued ? DmaStatus.unmapped : DmaStatus.ok;
    this.queued = 0;
    return done;
  }
}

let channel: MessageChannel;
let port: FakePort;
let shared: DeviceShared;
let writer: TraceWriter;
let dma: RecordingDma;
let looks = 0;
const moment = {
  now: () => 1000,
  read: () => 2000,
  /** Half a microsecond passes between two looks. */
  look: () => 2000 + 500 * looks++,
  place: (access: number) => access * 4,
  cause: 77,
  content: 0,
};
let latency: InterruptLatency;

beforeEach(() => {
  looks = 0;
  channel = new MessageChannel();
  port = new FakePort();
  shared = new DeviceShared();
  writer = new TraceWriter(1, channel.port1);
  latency = new InterruptLatency(16);
  dma = new RecordingDma(port, writer, shared, moment, latency);
});

afterEach(() => {
  channel.port1.close();
  channel.port2.close();
});

function rows(): {
  kind: number;
  flags: number;
  aux: number;
  address: number;
  length: number;
  cause: number;
  time: number;
}[] {
  writer.flush();
  const batch = (receiveMessageOnPort(channel.port2) as { message: StoreBatch } | undefined)?.message;
  if (batch === undefined) return [];
  const columns = new TraceColumns(BATCH_RECORDS, batch.buffer);
  return Array.from({ length: batch.count }, (_, row) => ({
    kind: columns.head[row]! & 0xff,
    flags: columns.head[row]! >>> 24,
    aux: columns.aux[row]!,
    address: columns.address[row]!,
    length: columns.length[row]!,
    cause: columns.cause[row]!,
    time: columns.time[row]!,
  }));
}

it('records a transfer with the access that caused it, and its first bytes', () => {
  const buffer = dma.allocate(128);
  expect(dma.read(0x5000, buffer, 4, 8)).toBe(DmaStatus.ok);
  expect(rows()).toEqual([
    { kind: TraceKind.dmaRead, flags: 0, aux: 0, address: 0x5000, length: 8, cause: 77, time: 1000 },
  ]);
  expect(shared.dmaLog.entry(1)).toMatchObject({ direction: 'read', address: 0x5000, length: 8, cause: 77 });
  expect([...shared.dmaLog.bytes(1)]).toEqual(Array(8).fill(0xab));
  expect(shared.counters[Counter.dmaBytes]).toBe(8);
});

it('records the rows of a rectangle as one transfer', () => {
  const buffer = dma.allocate(128);
  expect(dma.readRows(0x5000, buffer, 4, 8, 32, 3)).toBe(DmaStatus.ok);
  expect(rows()).toMatchObject([{ kind: TraceKind.dmaRead, address: 0x5000, length: 24, cause: 77 }]);
  expect(shared.counters[Counter.dmaTransfers]).toBe(1);
});

it('records a refusal, and counts nothing for it', () => {
  const buffer = dma.allocate(64);
  expect(dma.write(0x5000, buffer, 0, 16)).toBe(DmaStatus.notBusMaster);
  expect(rows()).toMatchObject([
    { kind: TraceKind.dmaWrite, flags: TraceFlag.refused | TraceFlag.error, aux: DmaStatus.notBusMaster },
  ]);
  expect(shared.dmaLog.entry(1)).toMatchObject({ status: 'not bus master', captured: 0 });
  expect(shared.counters[Counter.dmaBytes]).toBe(0);
  expect(shared.counters[Counter.dmaTransfers]).toBe(0);
});

it('records a batch in its order, once it was done', () => {
  const buffer = dma.allocate(64);
  dma.queueRead(0x1000, buffer, 0, 64);
  dma.queueWrite(0x2000, buffer, 0, 16);
  dma.queueInterrupt(3);
  expect(rows()).toEqual([]);
  expect(dma.submit()).toBe(3);
  expect(rows().map(({ kind, address, aux }) => [kind, address, aux])).toEqual([
    [TraceKind.dmaRead, 0x1000, 0],
    [TraceKind.dmaWrite, 0x2000, 0],
    [TraceKind.interrupt, 0, 3],
  ]);
  expect(shared.counters[Counter.interrupts]).toBe(1);
  // Counted from before it went out: the driver may have served it when that returns.
  latency.served(3, 2500);
  expect(latency.last(3)).toBe(500);
  expect(shared.counters[Counter.dmaTransfers]).toBe(2);
});

it('records where a batch stopped, and nothing of what was dropped', () => {
  const buffer = dma.allocate(64);
  for (const address of [0x1000, 0x2000, 0x3000]) dma.queueWrite(address, buffer, 0, 16);
  dma.queueInterrupt(1);
  port.good = 1;
  expect(dma.submit()).toBe(1);
  expect(rows().map(({ address, flags }) => [address, flags])).toEqual([
    [0x1000, 0],
    [0x2000, TraceFlag.refused | TraceFlag.error],
  ]);
  expect(shared.counters[Counter.interrupts]).toBe(0);
});

it('takes batches of any length', () => {
  const buffer = dma.allocate(64);
  for (let step = 0; step < 1000; step++) dma.queueWrite(step * 64, buffer, 0, 4);
  dma.submit();
  expect(rows().map(({ address }) => address)).toEqual(Array.from({ length: 1000 }, (_, step) => step * 64));
  // A buffer's number may be given again.
  dma.release(buffer);
});

it('gives every step to the access that asked for it, and what the driver waits for the time when it was done', () => {
  const buffer = dma.allocate(64);
  moment.cause = 5;
  dma.queueRead(0x1000, buffer, 0, 64);
  dma.submit();
  moment.cause = 6;
  dma.queueWrite(0x2000, buffer, 0, 16);
  moment.cause = 7;
  dma.queueInterrupt(3);
  moment.cause = 77;
  dma.submit();
  expect(rows().map(({ cause, time }) => [cause, time])).toEqual([
    [5, 1000],
    [6, 2000],
    [7, 2000],
  ]);
});

it('tells an interrupt that was masked from one that was delivered', () => {
  port.masked = [1];
  dma.queueInterrupt(3);
  dma.queueInterrupt(4);
  dma.submit();
  expect(rows().map(({ flags, aux }) => [flags, aux & 0xffff, aux >>> 16])).toEqual([
    [0, 3, 0],
    [TraceFlag.refused, 4, InterruptRefusal.masked],
  ]);
  expect(shared.counters[Counter.interrupts]).toBe(1);
});

it('tells what each transfer carries, and where the access went that asked for it', () => {
  const buffer = dma.allocate(64);
  moment.content = contentCode(TransferContent.commands, 4);
  dma.queueRead(0x1000, buffer, 0, 64);
  moment.content = contentCode(TransferContent.data, 4);
  dma.queueWrite(0x2000, buffer, 0, 16);
  moment.content = 0;
  dma.submit();
  dma.read(0x3000, buffer, 0, 8);
  expect([1, 2, 3].map((id) => shared.dmaLog.entry(id))).toMatchObject([
    { content: 'commands', queue: 4, place: { bar: 0, offset: 77 * 4 } },
    { content: 'data', queue: 4 },
    { content: '', queue: 0 },
  ]);
});

it('measures how long the host took, only while a window is there', () => {
  const buffer = dma.allocate(64);
  dma.read(0x1000, buffer, 0, 8);
  expect(looks).toBe(0);
  shared.windows = 1;
  dma.read(0x1000, buffer, 0, 8);
  dma.queueRead(0x1000, buffer, 0, 8);
  dma.queueRead(0x2000, buffer, 0, 8);
  dma.submit();
  // The clock was read when this was handed over.
  looks = 7;
  dma.queueWrite(0x1000, buffer, 0, 8);
  dma.queueInterrupt(1);
  dma.submit();
  expect(
    [1, 2, 3, 4, 5].map((id) => shared.dmaLog.entry(id)).map((one) => [one?.took, one?.together]),
  ).toEqual([
    [-1, 1],
    [500, 1],
    [500, 2],
    [500, 2],
    [3500, 2],
  ]);
});
