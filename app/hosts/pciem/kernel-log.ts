/**
 * The kernel's own messages from now on, read from `/dev/kmsg`, where a driver's oops or warning is seen while it is fresh.
 *
 * Each read gives one record: `priority,sequence,microseconds,flags;text`, and lines of properties that begin with a space.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { KernelTrouble } from '#contract/lab.ts';
import { kernelSign } from '../kernel-signs.ts';

/** Longer than any record. */
const RECORD_BYTES = 8192;
/** Records that one look takes, so that a kernel that never stops talking does not keep us. */
const MAX_RECORDS = 2000;
/** Lines after the one that tells of trouble; a report is about as long. */
const MORE_LINES = 40;
const KEPT = 20;

const MODULE = /\[(\w+)\]\s*$/;

/** The lines of a record that the kernel itself wrote; programs may write to the log as well. */
export function kernelText(record: string): string | undefined {
  const match = /^(\d+),[^;]*;(.*)/.exec(record);
  if (match === null || Number(match[1]) >= 8) return undefined;
  return match[2];
}

/** Gathers what belongs to one report of trouble. */
export class TroubleCollector {
  readonly #now: () => number;
  #all: KernelTrouble[] = [];
  #following = 0;
  #count = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The last ones; another array when any of them changed. */
  get all(): readonly KernelTrouble[] {
    return this.#all;
  }

  line(text: string): void {
    const kind = kernelSign(text);
    const last = this.#all.at(-1);
    if (last !== undefined && this.#following > 0) {
      this.#following--;
      // An oops is told in several such lines.
      const module = last.module || (/\bRIP: /.test(text) ? (MODULE.exec(text)?.[1] ?? '') : '');
      this.#all = [...this.#all.slice(0, -1), { ...last, module, more: [...last.more, text] }];
    } else if (kind !== undefined) {
      this.#following = MORE_LINES;
      const module = MODULE.exec(text)?.[1] ?? '';
      const trouble = { id: ++this.#count, time: this.#now(), kind, module, text, more: [] };
      this.#all = [...this.#all, trouble].slice(-KEPT);
    }
  }

  /** What comes next belongs to no earlier report. */
  end(): void {
    this.#following = 0;
  }
}

export class KernelLog {
  readonly #file: number;
  readonly #buffer = Buffer.alloc(RECORD_BYTES);
  readonly #troubles = new TroubleCollector();

  private constructor(file: number) {
    this.#file = file;
  }

  /** Undefined where this process may not read it. */
  static open(path = '/dev/kmsg'): KernelLog | undefined {
    let file: number;
    try {
      file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch {
      return undefined;
    }
    const log = new KernelLog(file);
    // What was said before is none of ours.
    while (log.#read() !== undefined);
    return log;
  }

  get troubles(): readonly KernelTrouble[] {
    return this.#troubles.all;
  }

  /** Reads what the kernel has said since. */
  poll(): void {
    let count = 0;
    for (let record = this.#read(); record !== undefined; record = this.#read()) {
      const text = kernelText(record);
      if (text !== undefined) this.#troubles.line(text);
      if (++count === MAX_RECORDS) return;
    }
    if (count === 0) this.#troubles.end();
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Undefined: there is none yet. */
  #read(): string | undefined {
    for (;;) {
      try {
        const length = readSync(this.#file, this.#buffer, 0, RECORD_BYTES, null);
        return length === 0 ? undefined : this.#buffer.toString('utf8', 0, length);
      } catch (error) {
        // EPIPE: records were overwritten before they were read; the next read goes on behind them.
        if ((error as NodeJS.ErrnoException).code === 'EPIPE') continue;
        return undefined;
      }
    }
  }
}
