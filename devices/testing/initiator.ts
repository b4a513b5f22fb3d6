/**
 * The driver's side of a device, as a test or a simulated host plays it. Everything is synchronous: an initiator
 * runs in a thread of its own and blocks where a driver would sleep.
 */

/** What an initiator sees of the machine that it runs on. */
export interface InitiatorBus {
  /** MMIO as the driver does it. A device that is gone reads as all ones. */
  read32(bar: number, offset: number): number;
  write32(bar: number, offset: number, value: number): void;
  /** Configuration cycles; `width` is 1, 2 or 4 bytes. */
  configRead(offset: number, width: number): number;
  configWrite(offset: number, width: number, value: number): void;
  /** All of host memory; byte 0 is bus address {@link memoryBase}. */
  readonly memory: Uint8Array;
  readonly memoryBase: number;
  /** `count` contiguous zeroed pages of 4096 bytes; returns their bus address. Throws when memory is exhausted. */
  allocatePages(count: number): number;
  freePages(address: number, count: number): void;
  /**
   * Blocks until interrupt `vector` was delivered since the last call for it, or `timeout` ms have passed (0 polls).
   * False: time is over.
   */
  waitInterrupt(vector: number, timeout: number): boolean;
  /** Milliseconds, from any origin. */
  now(): number;
  /** Blocks for `milliseconds`. */
  sleep(milliseconds: number): void;
  /** A line that the kernel log would hold. */
  log?(text: string): void;
}

export interface Workload {
  /** 0 to 100: share of reads. */
  readonly readPercent: number;
  /** Bytes; each a multiple of the device's block size. One is drawn for every command. */
  readonly blockSizes: readonly number[];
  /** Commands in flight, over all queues. */
  readonly queueDepth: number;
  /** Operations a second; 0: as fast as it goes. Asked again and again, so that a person can turn it. */
  rate(): number;
  /** Send a Flush after this many writes; 0: never. */
  readonly flushEvery: number;
  /** Bytes of the device that are used, from its start; 0: all of it. */
  readonly span: number;
  readonly seed: number;
}

/** Counters that only grow; read by another thread through whatever the host copies them to. */
export interface InitiatorProgress {
  /** Such as `Reset`, `Identify`, `Idle`, `Workload`; empty before `probe`. */
  phase: string;
  operations: number;
  bytes: number;
  /** Commands that failed, and reads that returned something else than was written. */
  errors: number;
  lastError: string;
}

export interface Initiator {
  readonly progress: InitiatorProgress;
  /** Brings the device up as its driver's `probe` would. Throws an {@link InitiatorError}. */
  probe(): void;
  /** Real, verified traffic until `shouldStop` says so; asked at least every 100 ms. Throws when the device is dead. */
  runWorkload(workload: Workload, shouldStop: () => boolean): void;
  /** Shuts the device down as its driver's `remove` would. Never throws. */
  remove(): void;
}

/** An initiator for a model; the simulated host picks by `model`. */
export interface InitiatorFactory {
  /** {@link DeviceModel.id} */
  readonly model: string;
  readonly title: string;
  /** Operations a second of the workload that begins when a device is powered on; the host's own where absent. */
  readonly defaultRate?: number;
  create(bus: InitiatorBus): Initiator;
}

export class InitiatorError extends Error {
  override readonly name = 'InitiatorError';
}

export const defaultWorkload: Workload = {
  readPercent: 70,
  blockSizes: [4096, 4096, 4096, 16384, 65536],
  queueDepth: 4,
  rate: () => 200,
  flushEvery: 64,
  span: 0,
  seed: 1,
};
