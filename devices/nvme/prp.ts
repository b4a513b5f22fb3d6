/**
 * Physical Region Pages (NVMe 1.4, 4.3). PRP 1 may start anywhere in a page; the rest are whole pages, given by PRP 2
 * or by a list. A list may start anywhere in a page; when it does not fit there, its last entry in that page points
 * to the page where it goes on.
 */
import { join } from '../sdk/bits.ts';
import { TransferContent } from '../sdk/command-format.ts';
import type { DeviceHost } from '../sdk/device.ts';
import { type DmaBuffer, type DmaPort, DmaStatus } from '../sdk/dma.ts';
import { type SubmissionQueue, wordsOf } from './queue.ts';
import type { TransferBatch } from './transfer.ts';
import { MAX_TRANSFER, Sqe, Status } from './wire.ts';

const ENTRY_BYTES = 8;
/** Most entries behind PRP 1, when that leaves only 4 bytes for its page. */
export const MAX_LIST_ENTRIES = MAX_TRANSFER / 4096 + 1;

/** Entries needed behind PRP 1 for `length` bytes. */
export function entriesBehindFirst(prp1Low: number, length: number, pageSize: number): number {
  const first = pageSize - (prp1Low & (pageSize - 1));
  return length <= first ? 0 : Math.ceil((length - first) / pageSize);
}

/** Status of the entries in the command itself, before any list is read. */
export function checkCommandPrps(words: Uint32Array, at: number, entries: number, pageSize: number): number {
  if ((words[at + Sqe.prp1Low]! & 3) !== 0) return Status.prpOffsetInvalid;
  const low = words[at + Sqe.prp2Low]!;
  if (entries === 1 && (low & (pageSize - 1)) !== 0) return Status.prpOffsetInvalid;
  if (entries > 1 && (low & (ENTRY_BYTES - 1)) !== 0) return Status.prpOffsetInvalid;
  return Status.success;
}

/** The lists of all commands of a batch, flattened: entries of one command are contiguous, without chain pointers. */
export class PrpLists {
  private readonly dma: DmaPort;
  readonly buffer: DmaBuffer;
  readonly words: Uint32Array;

  constructor(dma: DmaPort, maxCommands: number) {
    this.dma = dma;
    this.buffer = dma.allocate(maxCommands * MAX_LIST_ENTRIES * ENTRY_BYTES);
    this.words = wordsOf(this.buffer);
  }

  /** Index in {@link words} of entry 0 of a command. */
  at(command: number): number {
    return command * MAX_LIST_ENTRIES * 2;
  }

  /** Queues the read of the first page of a list. */
  queue(
    batch: TransferBatch,
    command: number,
    low: number,
    high: number,
    entries: number,
    pageSize: number,
  ): void {
    const room = (pageSize - (low & (pageSize - 1))) / ENTRY_BYTES;
    const count = Math.min(entries, room);
    batch.read(join(low, high), this.buffer, this.at(command) * 4, count * ENTRY_BYTES, command);
  }

  /** Reads what {@link queue} could not, follows the chain, and checks every entry. */
  complete(command: number, low: number, entries: number, pageSize: number): number {
    const { words } = this;
    const at = this.at(command);
    const mask = pageSize - 1;
    let have = (pageSize - (low & mask)) / ENTRY_BYTES;
    while (have < entries) {
      // The last entry read points on; the next page's entries take its place.
      const pointer = at + (have - 1) * 2;
      const nextLow = words[pointer]!;
      if ((nextLow & mask) !== 0) return Status.prpOffsetInvalid;
      const missing = entries - (have - 1);
      const count = Math.min(missing, pageSize / ENTRY_BYTES);
      const code = this.dma.read(
        join(nextLow, words[pointer + 1]!),
        this.buffer,
        pointer * 4,
        count * ENTRY_BYTES,
      );
      if (code !== DmaStatus.ok) return Status.dataTransferError;
      have += count - 1;
    }
    let offsets = 0;
    for (let i = at; i < at + entries * 2; i += 2) offsets |= words[i]!;
    return (offsets & mask) === 0 ? Status.success : Status.prpOffsetInvalid;
  }
}

/** Moves a command's data at once; for commands that are rare. */
export class PrpMover {
  private readonly host: DeviceHost;
  private readonly dma: DmaPort;
  private readonly list: DmaBuffer;
  private readonly words: Uint32Array;

  constructor(host: DeviceHost) {
    this.host = host;
    this.dma = host.dma;
    this.list = host.dma.allocate(65536);
    this.words = wordsOf(this.list);
  }

  /** Between `length` bytes of `buffer` and what the entry at word `at` of `queue` describes. Returns a status. */
  move(
    queue: SubmissionQueue,
    at: number,
    buffer: DmaBuffer,
    offset: number,
    length: number,
    toHost: boolean,
    pageSize: number,
  ): number {
    const { words: sqe, rungBy, id } = queue;
    const low = sqe[at + Sqe.prp1Low]!;
    const entries = entriesBehindFirst(low, length, pageSize);
    const bad = checkCommandPrps(sqe, at, entries, pageSize);
    if (bad !== Status.success) return bad;
    const mask = pageSize - 1;
    this.host.attribute(rungBy, TransferContent.data, id);
    let done = Math.min(length, pageSize - (low & mask));
    if (!this.piece(join(low, sqe[at + Sqe.prp1High]!), buffer, offset, done, toHost))
      return Status.dataTransferError;
    if (entries === 0) return Status.success;
    let nextLow = sqe[at + Sqe.prp2Low]!;
    let nextHigh = sqe[at + Sqe.prp2High]!;
    if (entries === 1) {
      return this.piece(join(nextLow, nextHigh), buffer, offset + done, length - done, toHost)
        ? Status.success
        : Status.dataTransferError;
    }
    let left = entries;
    for (;;) {
      const room = (pageSize - (nextLow & mask)) / ENTRY_BYTES;
      const count = Math.min(left, room);
      this.host.attribute(rungBy, TransferContent.list, id);
      if (this.dma.read(join(nextLow, nextHigh), this.list, 0, count * ENTRY_BYTES) !== DmaStatus.ok)
        return Status.dataTransferError;
      const data = left > room ? count - 1 : count;
      this.host.attribute(rungBy, TransferContent.data, id);
      for (let i = 0; i < data; i++) {
        const entryLow = this.words[i * 2]!;
        if ((entryLow & mask) !== 0) return Status.prpOffsetInvalid;
        const piece = Math.min(pageSize, length - done);
        if (!this.piece(join(entryLow, this.words[i * 2 + 1]!), buffer, offset + done, piece, toHost))
          return Status.dataTransferError;
        done += piece;
      }
      left -= data;
      if (left === 0) return Status.success;
      nextLow = this.words[data * 2]!;
      nextHigh = this.words[data * 2 + 1]!;
      if ((nextLow & mask) !== 0) return Status.prpOffsetInvalid;
    }
  }

  private piece(
    address: number,
    buffer: DmaBuffer,
    offset: number,
    length: number,
    toHost: boolean,
  ): boolean {
    const code = toHost
      ? this.dma.write(address, buffer, offset, length)
      : this.dma.read(address, buffer, offset, length);
    return code === DmaStatus.ok;
  }
}
