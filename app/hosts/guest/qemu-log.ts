/** Watches a guest's console for what a healthy kernel never prints. */
import { kernelSign } from '../kernel-signs.ts';

const LINES_BEFORE = 3;
const LINES_AFTER = 30;
const MAX_PROBLEMS = 50;

export interface KernelLogOptions {
  /** Lines that a test provokes on purpose. */
  allow?: RegExp[];
}

export class KernelLogWatcher {
  readonly allow: RegExp[];
  #partial = '';
  #recent: string[] = [];
  #problems: string[][] = [];
  #collecting = 0;
  #more = 0;

  constructor(options: KernelLogOptions = {}) {
    this.allow = options.allow ?? [];
  }

  /** Each problem: its name, the line, and what the kernel printed around it. */
  get problems(): string[] {
    const list = this.#problems.map((lines) => lines.join('\n'));
    if (this.#more > 0) list.push(`and ${this.#more} more`);
    return list;
  }

  /** Hands the problems over, so that the next test starts with none. */
  take(): string[] {
    const list = this.problems;
    this.#problems = [];
    this.#collecting = 0;
    this.#more = 0;
    return list;
  }

  push(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.#line(line.replace(/\r$/, ''));
  }

  /** What stood in the last, unfinished line counts too (a machine that dies does not end its line). */
  end(): void {
    if (this.#partial) this.push('\n');
  }

  #line(line: string): void {
    const sign = this.#sign(line);
    if (sign && this.#collecting === 0) {
      if (this.#problems.length < MAX_PROBLEMS) {
        this.#problems.push([`${sign}:`, ...this.#recent, line]);
        this.#collecting = LINES_AFTER;
      } else {
        this.#more++;
      }
    } else if (this.#collecting > 0) {
      this.#problems.at(-1)!.push(line);
      // A second report begins within the first one's text: count it on from here.
      this.#collecting = sign ? LINES_AFTER : this.#collecting - 1;
    }
    this.#recent.push(line);
    if (this.#recent.length > LINES_BEFORE) this.#recent.shift();
  }

  #sign(line: string): string | undefined {
    const sign = kernelSign(line);
    return this.allow.some((pattern) => pattern.test(line)) ? undefined : sign;
  }
}
