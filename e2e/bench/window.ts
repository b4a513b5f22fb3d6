/**
 * The window's figures of `make bench`: time to a usable window, frames while rows stream in, jumps in a large capture,
 * filtering and searching, memory, in Chromium on the real store. Adds them to the file of the other figures.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { root } from '../fixtures/shell.ts';
import { BenchPage } from './page.ts';
import type { Order } from './window-lab.ts';

interface Figure {
  name: string;
  value: number;
  unit: string;
  limit: number;
  ratio: number;
}

/** What is to be reached; each value is at most this. */
const LIMITS = {
  'window/usable': 3000,
  'window/frame-p95': 33,
  'window/frame-longest': 150,
  'window/jump-longest': 50,
  'window/filter-10M-first-rows': 100,
  'window/filter-10M': 1000,
  'window/search-10M': 1000,
  'window/bytes-per-row': 64,
  'window/rss-per-row': 0,
  'window/lab-thread-longest': 50,
  'window/idle-process-longest': 0,
  'window/missed': 0,
} as const;
type Name = keyof typeof LIMITS;
/** There to compare with. */
const UNJUDGED: readonly Name[] = ['window/rss-per-row', 'window/idle-process-longest'];

const RATE = 200_000;
const STREAM_MS = 10_000;
const SMALL = 10_000_000;
const LARGE = 20_000_000;
const JUMPS = 40;

const { values: flags } = parseArgs({
  options: { out: { type: 'string', default: 'out/bench.json' }, scale: { type: 'string', default: '1' } },
});
/** For trying the benchmark out on fewer rows. */
const scale = Number(flags.scale);
const figures: Figure[] = [];

function add(name: Name, value: number, unit: string): void {
  const limit = LIMITS[name];
  const ratio = limit === 0 ? value : value / limit;
  figures.push({ name, value: Number(value.toFixed(2)), unit, limit, ratio });
  const verdict = UNJUDGED.includes(name) ? '' : value <= limit ? 'reached' : `above ${limit}`;
  process.stdout.write(`${name.padEnd(32)}${value.toFixed(1).padStart(10)} ${unit.padEnd(6)} ${verdict}\n`);
}

class BenchLab {
  readonly #child: ChildProcess;
  readonly #waiting: ((line: Record<string, unknown>) => void)[] = [];
  /** Came before anybody waited for them. */
  readonly #early: Record<string, unknown>[] = [];

  constructor() {
    this.#child = spawn(process.execPath, [path.join(root, 'out/lab/window-lab.js')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (text) => {
      const line = JSON.parse(text) as Record<string, unknown>;
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#early.push(line);
      else waiting(line);
    });
  }

  answer(): Promise<Record<string, unknown>> {
    const early = this.#early.shift();
    if (early !== undefined) return Promise.resolve(early);
    return new Promise((resolve, reject) => {
      const failed = (code: number | null) => reject(new Error(`the lab ended with ${code}`));
      this.#child.once('exit', failed);
      this.#waiting.push((line) => {
        this.#child.off('exit', failed);
        if (typeof line.error === 'string') reject(new Error(line.error));
        else resolve(line);
      });
    });
  }

  order(order: Order): Promise<Record<string, unknown>> {
    const answer = this.answer();
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    return answer;
  }

  async figures(): Promise<{ total: number; bytes: number; longest: number; rss: number }> {
    return (await this.order({ order: 'figures' })) as never;
  }

  end(): void {
    this.#child.stdin!.end();
  }
}

/** A process that does nothing but look at the clock, as the lab's thread does: how long this machine keeps one waiting. */
class IdleProcess {
  readonly #child = spawn(
    process.execPath,
    [
      '-e',
      `let longest = 0, last = performance.now();
      setInterval(() => {
        const now = performance.now();
        longest = Math.max(longest, now - last - 2);
        last = now;
      }, 2);
      process.stdin.on('end', () => { process.stdout.write(String(longest)); process.exit(); }).resume();`,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );

  /** ms that it waited longest. */
  async end(): Promise<number> {
    this.#child.stdin.end();
    let text = '';
    for await (const part of this.#child.stdout) text += part;
    return Number(text);
  }
}

/** ms from `make run`, where all is built, until the window shows a device that its driver is using. */
async function timeToUse(): Promise<number> {
  const start = performance.now();
  // As `make run` has no window to open here, this one is opened as soon as there is an address.
  const { DISPLAY: _x, WAYLAND_DISPLAY: _wayland, ...env } = process.env;
  const make = spawn('make', ['-s', 'run', 'HOST=sim', 'PORT=0'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const starting = BenchPage.open();
  try {
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: make.stdout }).on('line', (line) => {
        const found = /http:\/\/\S+/.exec(line);
        if (found !== null) resolve(found[0]);
      });
      make.on('exit', (code) => reject(new Error(`make run ended with ${code}`)));
    });
    const page = await starting;
    await page.goto(url);
    await page.shown('trace-row');
    return performance.now() - start;
  } finally {
    process.kill(-make.pid!, 'SIGTERM');
    await (await starting).close();
  }
}

/** Times between frames of the page for `ms`. */
function frames(page: BenchPage, ms: number): Promise<number[]> {
  return page.evaluate(
    (length) =>
      new Promise<number[]>((resolve) => {
        const times: number[] = [];
        const start = performance.now();
        let last = start;
        const frame = (now: number) => {
          times.push(now - last);
          last = now;
          if (now - start < length) requestAnimationFrame(frame);
          else resolve(times.slice(1));
        };
        requestAnimationFrame(frame);
      }),
    ms,
  );
}

const click = (page: BenchPage, testId: string): Promise<void> =>
  page.run(`document.querySelector('[data-testid="${testId}"]').click()`);

/** Types into a field of the window and presses Enter, all in the page; ms until `ready` is true of the page. */
function enter(page: BenchPage, field: string, text: string, ready: string): Promise<number> {
  return page.evaluate(
    ([testId, value, condition]) =>
      new Promise<number>((resolve, reject) => {
        const input = document.querySelector<HTMLInputElement>(`[data-testid="${testId}"]`)!;
        const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')!.set!;
        set.call(input, value);
        input.dispatchEvent(new Event('input', { bubbles: true }));
        const isReady = new Function(`return ${condition}`) as () => boolean;
        requestAnimationFrame(() => {
          const start = performance.now();
          input.form!.requestSubmit();
          const look = () => {
            if (isReady()) resolve(performance.now() - start);
            else if (performance.now() - start > 20_000) reject(new Error(`"${value}": not within 20 s`));
            else setTimeout(look, 1);
          };
          look();
        });
      }),
    [field, text, ready] as const,
  );
}

const rowShown = (row: number) =>
  `document.querySelector('[data-testid="trace-row"][data-row="${row}"][data-loading="false"]') !== null`;
const number = (expression: string) => `Number(/[\\d,]+/.exec(${expression})[0].replaceAll(',', ''))`;
const COUNT = `document.querySelector('[data-testid="trace-count"]').textContent`;

async function run(page: BenchPage, lab: BenchLab): Promise<void> {
  const idle = new IdleProcess();
  const empty = await lab.figures();
  await lab.order({ order: 'fill', total: SMALL * scale });
  await page.until(`${number(COUNT)} >= ${SMALL * scale}`);

  const filter = 'bar == 0 && reg ~ "SQ*TDBL" && write && value > 3';
  const match = `${COUNT}.includes('rows match') && ${number(COUNT)} > 0`;
  const drawn = `${match} && document.querySelector('[data-testid="trace-row"][data-loading="false"] .cell-kind') !== null`;
  // The first time compiles the language's and the store's code.
  await enter(page, 'trace-filter', 'value == 5 && irq', `${COUNT}.includes('rows match')`);
  await enter(page, 'trace-filter', '', `!${COUNT}.includes('rows match')`);
  add('window/filter-10M-first-rows', await enter(page, 'trace-filter', filter, drawn), 'ms');
  await enter(page, 'trace-filter', '', `!${COUNT}.includes('rows match')`);
  const searched = `document.querySelector('[data-testid="trace-progress"]').textContent === ''`;
  add('window/filter-10M', await enter(page, 'trace-filter', filter, `${match} && ${searched}`), 'ms');
  await enter(page, 'trace-filter', '', `!${COUNT}.includes('rows match')`);

  // Nothing matches: the search goes through all rows, and around once.
  await click(page, 'trace-search-open');
  await page.shown('trace-search');
  const none = `[...document.querySelectorAll('[data-testid="toast"]')].some((one) => one.textContent.includes('none in the rows'))`;
  add('window/search-10M', await enter(page, 'trace-search', 'vector == 4000', none), 'ms');

  await lab.order({ order: 'fill', total: LARGE * scale });
  await page.until(`${number(COUNT)} >= ${LARGE * scale}`);
  let longest = 0;
  let seed = 1;
  for (let jump = 0; jump < JUMPS; jump++) {
    seed = (seed * 48_271) % 0x7fff_ffff;
    const row = Math.floor((seed / 0x7fff_ffff) * LARGE * scale);
    const time = await enter(page, 'trace-goto', `${row + 1}`, rowShown(row));
    // The first one compiles.
    if (jump > 0) longest = Math.max(longest, time);
  }
  add('window/jump-longest', longest, 'ms');
  const full = await lab.figures();
  add('window/bytes-per-row', full.bytes / full.total, 'B');
  add('window/rss-per-row', (full.rss - empty.rss) / full.total, 'B');

  await click(page, 'trace-follow');
  const streamed = lab.order({ order: 'stream', rate: RATE, ms: STREAM_MS + 1000 });
  await sleep(500);
  const times = (await frames(page, STREAM_MS)).sort((a, b) => a - b);
  add('window/frame-p95', times[Math.floor(times.length * 0.95)]!, 'ms');
  add('window/frame-longest', times.at(-1)!, 'ms');
  add('window/missed', Number((await streamed).missed), 'rows');
  const end = await lab.figures();
  add('window/lab-thread-longest', Math.max(full.longest, end.longest), 'ms');
  add('window/idle-process-longest', await idle.end(), 'ms');
}

// The first time reads programs from the disk.
await timeToUse();
add('window/usable', await timeToUse(), 'ms');
const lab = new BenchLab();
const page = await BenchPage.open();
try {
  const { url } = await lab.answer();
  await page.goto(String(url));
  await page.until(
    `document.querySelector('[data-testid="status-connection"]')?.textContent === 'Connected'`,
  );
  await run(page, lab);
} finally {
  await page.close();
  lab.end();
}
const file = path.resolve(root, flags.out);
mkdirSync(path.dirname(file), { recursive: true });
const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Figure[]) : [];
const kept = before.filter(({ name }) => !name.startsWith('window/'));
writeFileSync(file, `${JSON.stringify([...kept, ...figures], null, 2)}\n`);
