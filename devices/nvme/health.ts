/** What the controller counts about itself: SMART figures and the error log (NVMe 1.4, 5.14.1.1 and 5.14.1.2). */
import type { Clock } from '../sdk/device.ts';
import { ERROR_LOG_ENTRIES, NSID_ALL, put16, put32, put64 } from './wire.ts';

const NS_PER_HOUR = 3_600_000_000_000;

export interface ErrorEntry {
  readonly count: number;
  readonly queue: number;
  readonly commandId: number;
  readonly status: number;
  readonly lba: number;
  readonly nsid: number;
}

export class Health {
  private readonly clock: Clock;
  private readonly startedAt: number;
  readCommands = 0;
  writeCommands = 0;
  bytesRead = 0;
  bytesWritten = 0;
  flushes = 0;
  otherCommands = 0;
  failedCommands = 0;
  mediaErrors = 0;
  unsafeShutdowns = 0;
  powerCycles = 1;
  /** Kelvin. */
  temperature = 310;
  criticalWarning = 0;
  /** Percent: memory does not wear. */
  readonly availableSpare = 100;
  readonly availableSpareThreshold = 10;
  readonly percentageUsed = 0;
  errors: ErrorEntry[] = [];
  errorCount = 0;

  constructor(clock: Clock) {
    this.clock = clock;
    this.startedAt = clock.now();
  }

  /** `queue` 0xffff and `commandId` 0xffff: not about one command. */
  recordError(queue: number, commandId: number, status: number, nsid: number, lba: number): void {
    this.errorCount++;
    this.errors.unshift({ count: this.errorCount, queue, commandId, status, lba, nsid });
    if (this.errors.length > ERROR_LOG_ENTRIES) this.errors.length = ERROR_LOG_ENTRIES;
  }

  get powerOnNanoseconds(): number {
    return this.clock.now() - this.startedAt;
  }

  /** Figure 192, newest first. */
  errorLog(): Uint8Array {
    const log = new Uint8Array(ERROR_LOG_ENTRIES * 64);
    this.errors.forEach((entry, i) => {
      const at = i * 64;
      put64(log, at, entry.count);
      put16(log, at + 8, entry.queue);
      put16(log, at + 10, entry.commandId);
      // Status Field with the phase tag in bit 0; no parameter is named.
      put16(log, at + 12, entry.status << 1);
      put16(log, at + 14, 0xffff);
      put64(log, at + 16, entry.lba);
      put32(log, at + 24, entry.nsid);
    });
    return log;
  }

  /** Figure 194. */
  smartLog(): Uint8Array {
    const log = new Uint8Array(512);
    log[0] = this.criticalWarning;
    put16(log, 1, this.temperature);
    log[3] = this.availableSpare;
    log[4] = this.availableSpareThreshold;
    log[5] = this.percentageUsed;
    put64(log, 32, dataUnits(this.bytesRead));
    put64(log, 48, dataUnits(this.bytesWritten));
    put64(log, 64, this.readCommands);
    put64(log, 80, this.writeCommands);
    put64(log, 112, this.powerCycles);
    put64(log, 128, Math.floor(this.powerOnNanoseconds / NS_PER_HOUR));
    put64(log, 144, this.unsafeShutdowns);
    put64(log, 160, this.mediaErrors);
    put64(log, 176, this.errorCount);
    return log;
  }

  inspect() {
    return {
      temperatureKelvin: this.temperature,
      criticalWarning: this.criticalWarning,
      availableSpare: this.availableSpare,
      availableSpareThreshold: this.availableSpareThreshold,
      percentageUsed: this.percentageUsed,
      dataUnitsRead: dataUnits(this.bytesRead),
      dataUnitsWritten: dataUnits(this.bytesWritten),
      readCommands: this.readCommands,
      writeCommands: this.writeCommands,
      bytesRead: this.bytesRead,
      bytesWritten: this.bytesWritten,
      flushes: this.flushes,
      otherCommands: this.otherCommands,
      failedCommands: this.failedCommands,
      mediaErrors: this.mediaErrors,
      unsafeShutdowns: this.unsafeShutdowns,
      powerCycles: this.powerCycles,
      powerOnNanoseconds: this.powerOnNanoseconds,
      errorLogEntries: this.errorCount,
    };
  }
}

/** Thousands of 512-byte units, rounded up. */
function dataUnits(bytes: number): number {
  return Math.ceil(bytes / 512_000);
}

export const NO_LBA = 0;
export const NO_NSID = NSID_ALL;
