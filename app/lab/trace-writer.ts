/**
 * Fills record buffers in a device's thread and hands them to the trace store, at most one a frame unless full. The
 * buffers come back and are used again; when none is free the records are counted as missed and a row says so.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Expert } from '#contract/expert.ts';
import { TraceFlag, TraceKind } from '#contract/trace-record.ts';
import type { StoreBatch, StoreReturn } from './store-protocol.ts';
import { TraceColumns } from './trace-columns.ts';

/** Records in one buffer. */
export const BATCH_RECORDS = 4096;
/** Buffers that may be under way to the store: the bound on memory when it cannot keep up. */
const MAX_BUFFERS = 64;

export class TraceWriter {
  readonly #device: number;
  readonly #port: MessagePort;
  #columns: TraceColumns | undefined;
  #count = 0;
  #buffers = 0;
  #free: ArrayBuffer[] = [];
  #notes: [number, string][] = [];
  #nextNote = 1;
  #unrecorded = 0;
  /** Row of the newest access, while it can still be changed; -1: it has gone. */
  #access = -1;
  /** Records that found no buffer, ever. */
  missed = 0;

  constructor(device: number, port: MessagePort) {
    this.#device = device;
    this.#port = port;
  }

  /** Records that wait to be sent. */
  get pending(): number {
    return this.#count;
  }

  /** Starts a record and returns its row, or -1 when there is no room. */
  #begin(time: number, address: number, head: number): number {
    if (this.#count === BATCH_RECORDS || this.#columns === undefined) {
      this.flush();
      if (!this.#acquire()) {
        this.#unrecorded++;
        this.missed++;
        return -1;
      }
      if (this.#unrecorded > 0) {
        const lost = this.#unrecorded;
        this.#unrecorded = 0;
        this.recordMissed(time, lost);
      }
    }
    const row = this.#count++;
    const columns = this.#columns!;
    columns.time[row] = time;
    columns.address[row] = address;
    columns.head[row] = head | (this.#device << 8);
    return row;
  }

  #acquire(): boolean {
    let buffer = this.#free.pop();
    if (buffer === undefined) {
      let message = receiveMessageOnPort(this.#port) as { message: StoreReturn } | undefined;
      while (message !== undefined) {
        this.#free.push(message.message.buffer);
        message = receiveMessageOnPort(this.#port) as { message: StoreReturn } | undefined;
      }
      buffer = this.#free.pop();
    }
    if (buffer === undefined) {
      if (this.#buffers === MAX_BUFFERS) return false;
      this.#buffers++;
      this.#columns = new TraceColumns(BATCH_RECORDS);
    } else {
      this.#columns = new TraceColumns(BATCH_RECORDS, buffer);
    }
    this.#count = 0;
    return true;
  }

  /**
   * An MMIO or configuration access. `previousKnown`: the value before it is in `previousLow`/`previousHigh`. `expert`:
   * what is odd about it.
   */
  recordAccess(
    kind: number,
    time: number,
    bar: number,
    offset: number,
    width: number,
    low: number,
    high: number,
    cpu: number,
    sequence: number,
    flags: number,
    previousLow: number,
    previousHigh: number,
    expert: number,
  ): void {
    const row = this.#begin(time, offset, kind | (bar << 16) | (flags << 24));
    this.#access = row;
    if (row < 0) return;
    const columns = this.#columns!;
    columns.valueLow[row] = low;
    columns.valueHigh[row] = high;
    columns.previousLow[row] = previousLow;
    columns.previousHigh[row] = previousHigh;
    columns.length[row] = width;
    columns.aux[row] = expert;
    columns.cause[row] = 0;
    columns.sequence[row] = sequence;
    columns.cpu[row] = cpu;
  }

  /** Adds to what is odd about the newest access, if it is this one. True: something was already. */
  markAccess(sequence: number, expert: number): boolean {
    const row = this.#access;
    const columns = this.#columns;
    if (row < 0 || columns === undefined || columns.sequence[row] !== sequence) return false;
    const before = columns.aux[row]!;
    columns.aux[row] = before | expert;
    return (before & ~Expert.noted) !== 0;
  }

  recordDma(
    time: number,
    write: boolean,
    address: number,
    length: number,
    status: number,
    cause: number,
    peer = false,
  ): void {
    const kind = write ? TraceKind.dmaWrite : TraceKind.dmaRead;
    const flags = (status === 0 ? 0 : TraceFlag.refused | TraceFlag.error) | (peer ? TraceFlag.peer : 0);
    this.#recordOther(kind | (flags << 24), time, address, length, status, cause);
  }

  /** `refusal`: 0, or why it was not delivered. */
  recordInterrupt(time: number, vector: number, refusal: number, cause: number, flags: number): void {
    const all = flags | (refusal === 0 ? 0 : TraceFlag.refused);
    this.#recordOther(TraceKind.interrupt | (all << 24), time, 0, 0, vector | (refusal << 16), cause);
  }

  recordCommand(
    time: number,
    queue: number,
    id: number,
    opcode: number,
    status: number,
    address: number,
    length: number,
    cause: number,
  ): void {
    const head = TraceKind.command | ((status === 0 ? 0 : TraceFlag.error) << 24);
    const row = this.#recordOther(head, time, address, length, id | (queue << 16), cause);
    if (row < 0) return;
    this.#columns!.valueLow[row] = opcode;
    this.#columns!.valueHigh[row] = status;
  }

  recordMissed(time: number, count: number): void {
    this.#recordOther(TraceKind.missed | (TraceFlag.error << 24), time, 0, 0, count, 0);
  }

  recordReset(time: number): void {
    this.#recordOther(TraceKind.reset, time, 0, 0, 0, 0);
  }

  recordNote(time: number, text: string, flags: number, cause: number, expert: number): void {
    this.#recordText(TraceKind.note, time, text, flags, cause, expert);
  }

  recordDriver(time: number, text: string, flags: number, expert: number): void {
    this.#recordText(TraceKind.driver, time, text, flags, 0, expert);
  }

  #recordText(kind: number, time: number, text: string, flags: number, cause: number, expert: number): void {
    // Numbers of different devices do not meet: the device is part of the number.
    const id = ((this.#device << 24) | (this.#nextNote++ & 0xffffff)) >>> 0;
    const row = this.#recordOther(kind | (flags << 24), time, 0, expert, id, cause);
    if (row >= 0) this.#notes.push([id, text]);
  }

  #recordOther(
    head: number,
    time: number,
    address: number,
    length: number,
    aux: number,
    cause: number,
  ): number {
    const row = this.#begin(time, address, head);
    if (row < 0) return row;
    const columns = this.#columns!;
    columns.valueLow[row] = 0;
    columns.valueHigh[row] = 0;
    columns.previousLow[row] = 0;
    columns.previousHigh[row] = 0;
    columns.length[row] = length;
    columns.aux[row] = aux;
    columns.cause[row] = cause;
    columns.sequence[row] = 0;
    columns.cpu[row] = 0;
    return row;
  }

  /** Sends what is there. */
  flush(): void {
    if (this.#columns === undefined || this.#count === 0) return;
    const { buffer } = this.#columns;
    const batch: StoreBatch = { buffer, count: this.#count, notes: this.#notes };
    this.#notes = [];
    this.#columns = undefined;
    this.#count = 0;
    this.#access = -1;
    this.#port.postMessage(batch, [buffer]);
  }
}
