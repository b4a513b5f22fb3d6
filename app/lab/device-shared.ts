/**
 * Memory that a device's thread and the lab's thread share: counters, who wrote configuration space, the DMA log, and
 * the word that calls attention.
 */
import { DMA_LOG_BYTES, DmaLog } from './dma-log.ts';

const COUNTER_BYTES = 128;
const CONFIG_BYTES = 4096;

/** Doubles at the start of the shared memory; the device's thread alone writes them. */
export const Counter = {
  events: 1,
  interrupts: 2,
  dmaBytes: 3,
  dmaTransfers: 4,
  /** Events that the host or the trace had no room for. */
  missed: 5,
} as const;

export class DeviceShared {
  readonly memory: SharedArrayBuffer;
  readonly counters: Float64Array;
  /** Word 0: requests posted by the lab so far; word 1: see {@link windows}. */
  readonly attention: Int32Array;
  readonly dmaLog: DmaLog;
  /** Of every byte of configuration space: when it was written last (ns), and by whom. */
  readonly configTimes: Float64Array;
  readonly configWriters: Uint8Array;

  constructor(memory = new SharedArrayBuffer(COUNTER_BYTES + 9 * CONFIG_BYTES + DMA_LOG_BYTES)) {
    this.memory = memory;
    this.attention = new Int32Array(memory, 0, 2);
    this.counters = new Float64Array(memory, 0, COUNTER_BYTES / 8);
    this.configTimes = new Float64Array(memory, COUNTER_BYTES, CONFIG_BYTES);
    this.configWriters = new Uint8Array(memory, COUNTER_BYTES + 8 * CONFIG_BYTES, CONFIG_BYTES);
    this.dmaLog = new DmaLog(memory, COUNTER_BYTES + 9 * CONFIG_BYTES);
  }

  /** Windows that show the trace while it grows. */
  get windows(): number {
    return Atomics.load(this.attention, 1);
  }

  set windows(count: number) {
    Atomics.store(this.attention, 1, count);
  }
}
