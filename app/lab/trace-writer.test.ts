import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Expert } from '#contract/expert.ts';
import { InterruptRefusal, TraceField, TraceFlag, TraceKind } from '#contract/trace-record.ts';
import type { StoreBatch, StoreReturn } from './store-protocol.ts';
import { TraceColumns } from './trace-columns.ts';
import { BATCH_RECORDS, TraceWriter } from './trace-writer.ts';

const DEVICE = 7;
/** Buffers that the writer may have on their way. */
const BUFFERS = 64;
let store: MessagePort;
let writer: TraceWriter;
let ports: MessageChannel;

beforeEach(() => {
  ports = new MessageChannel();
  store = ports.port2;
  writer = new TraceWriter(DEVICE, ports.port1);
});

afterEach(() => {
  ports.port1.close();
  ports.port2.close();
});

function next(): StoreBatch | undefined {
  return (receiveMessageOnPort(store) as { message: StoreBatch } | undefined)?.message;
}

function giveBack(batch: StoreBatch): void {
  const back: StoreReturn = { buffer: batch.buffer };
  store.postMessage(back, [batch.buffer]);
}

function access(value: number): void {
  writer.recordAccess(TraceKind.mmioWrite, value, 0, 0x1008, 4, value, 0, 1, value, 0, 0, 0, 0);
}

/** Reads one field of one record. */
/** What a device's thread writes of a row. */
type WrittenField = Exclude<keyof typeof TraceField, 'row' | 'repeat' | 'rule' | 'latency'>;

function field(batch: StoreBatch, record: number, name: WrittenField): number {
  const columns = new TraceColumns(BATCH_RECORDS, batch.buffer);
  const head = columns.head[record]!;
  switch (name) {
    case 'kind':
      return head & 0xff;
    case 'device':
      return (head >>> 8) & 0xff;
    case 'bar':
      return (head >>> 16) & 0xff;
    case 'flags':
      return head >>> 24;
    case 'reserved':
      return 0;
    default:
      return columns[name][record]!;
  }
}

describe('records', () => {
  it('hold every part of an access where the store looks for it', () => {
    const flags = TraceFlag.previousKnown;
    writer.recordAccess(TraceKind.mmioRead, 12.5, 4, 0x2_0000_0000, 8, 1, 2, 300, 99, flags, 3, 4, 6);
    writer.flush();
    const batch = next()!;
    expect(batch.count).toBe(1);
    const workedOut = ['row', 'repeat', 'rule', 'latency'];
    const names = Object.keys(TraceField).filter((name) => !workedOut.includes(name)) as WrittenField[];
    expect(Object.fromEntries(names.map((name) => [name, field(batch, 0, name)]))).toEqual({
      time: 12.5,
      address: 0x2_0000_0000,
      valueLow: 1,
      valueHigh: 2,
      length: 8,
      kind: TraceKind.mmioRead,
      device: DEVICE,
      bar: 4,
      flags,
      aux: 6,
      cause: 0,
      cpu: 300,
      reserved: 0,
      sequence: 99,
      previousLow: 3,
      previousHigh: 4,
    });
  });

  it('say of a refused DMA and of an interrupt that was not delivered that it went wrong', () => {
    writer.recordDma(1, true, 0x1000, 16, 3, 42);
    writer.recordDma(1, false, 0x1000, 16, 0, 42);
    writer.recordInterrupt(2, 5, InterruptRefusal.masked, 42, TraceFlag.byHand);
    writer.flush();
    const batch = next()!;
    expect(field(batch, 0, 'kind')).toBe(TraceKind.dmaWrite);
    expect(field(batch, 0, 'flags')).toBe(TraceFlag.refused | TraceFlag.error);
    expect(field(batch, 0, 'aux')).toBe(3);
    expect(field(batch, 0, 'cause')).toBe(42);
    expect(field(batch, 1, 'kind')).toBe(TraceKind.dmaRead);
    expect(field(batch, 1, 'flags')).toBe(0);
    expect(field(batch, 2, 'flags')).toBe(TraceFlag.byHand | TraceFlag.refused);
    expect(field(batch, 2, 'aux')).toBe(5 | (InterruptRefusal.masked << 16));
  });

  it('carry the text of notes beside them, numbered apart from those of other devices', () => {
    writer.recordNote(1, 'first', TraceFlag.undefinedBehaviour, 0, 9);
    writer.recordNote(2, 'second', 0, 0, 0);
    writer.flush();
    const batch = next()!;
    expect(batch.notes.map(([, text]) => text)).toEqual(['first', 'second']);
    expect(field(batch, 0, 'length')).toBe(9);
    expect(batch.notes.map(([id]) => id)).toEqual([field(batch, 0, 'aux'), field(batch, 1, 'aux')]);
    expect(batch.notes.map(([id]) => id >>> 24)).toEqual([DEVICE, DEVICE]);
    writer.recordNote(3, 'third', 0, 0, 0);
    writer.flush();
    expect(next()!.notes.map(([, text]) => text)).toEqual(['third']);
  });

  it('take a mark as long as they are here, and say whether they had one', () => {
    writer.recordAccess(TraceKind.mmioWrite, 1, 0, 8, 4, 1, 0, 0, 41, 0, 0, 0, 0);
    expect(writer.markAccess(40, Expert.noted)).toBe(false);
    expect(writer.markAccess(41, Expert.noted)).toBe(false);
    expect(writer.markAccess(41, Expert.noted)).toBe(false);
    writer.recordAccess(TraceKind.mmioWrite, 1, 0, 8, 4, 1, 0, 0, 42, 0, 0, 0, Expert.readOnly);
    expect(writer.markAccess(42, Expert.noted)).toBe(true);
    writer.flush();
    expect(writer.markAccess(42, Expert.noted)).toBe(false);
    const batch = next()!;
    expect([0, 1].map((row) => field(batch, row, 'aux'))).toEqual([
      Expert.noted,
      Expert.readOnly | Expert.noted,
    ]);
  });

  it('leave nothing of what was in a buffer before', () => {
    writer.recordAccess(TraceKind.mmioWrite, 1, 5, 8, 4, 0xffffffff, 0xffffffff, 3, 9, 0xff, 1, 1, 1);
    writer.flush();
    giveBack(next()!);
    // The buffer comes back only once a new one is needed.
    for (let number = 0; number <= BATCH_RECORDS; number++) writer.recordReset(number);
    writer.flush();
    const batch = next()!;
    for (const name of ['valueLow', 'valueHigh', 'bar', 'flags', 'cpu', 'sequence', 'previousLow'] as const) {
      expect(field(batch, 0, name), name).toBe(0);
    }
  });
});

describe('buffers', () => {
  it('go when they are full, in order', () => {
    for (let number = 1; number <= BATCH_RECORDS + 1; number++) access(number);
    expect(writer.pending).toBe(1);
    const full = next()!;
    expect(full.count).toBe(BATCH_RECORDS);
    expect(field(full, BATCH_RECORDS - 1, 'valueLow')).toBe(BATCH_RECORDS);
    expect(next()).toBeUndefined();
    writer.flush();
    expect(field(next()!, 0, 'valueLow')).toBe(BATCH_RECORDS + 1);
    writer.flush();
    expect(next()).toBeUndefined();
  });

  it('are bounded: what finds none is counted, and a row says so', () => {
    const room = BUFFERS * BATCH_RECORDS;
    for (let number = 0; number < room + 5; number++) access(number);
    expect(writer.missed).toBe(5);
    const batches: StoreBatch[] = [];
    for (let batch = next(); batch !== undefined; batch = next()) batches.push(batch);
    expect(batches).toHaveLength(BUFFERS);
    for (const batch of batches) giveBack(batch);
    access(1);
    writer.flush();
    const after = next()!;
    expect(after.count).toBe(2);
    const kinds = [field(after, 0, 'kind'), field(after, 1, 'kind')];
    expect(kinds.toSorted()).toEqual([TraceKind.mmioWrite, TraceKind.missed]);
    expect(field(after, kinds.indexOf(TraceKind.missed), 'aux')).toBe(5);
    expect(field(after, kinds.indexOf(TraceKind.mmioWrite), 'valueLow')).toBe(1);
    // In the order of what happened: the gap first.
    expect(kinds[0]).toBe(TraceKind.missed);
    expect(writer.missed).toBe(5);
  });
});
