/**
 * Pictures, from the driver's flip to the canvas of the window, beside a plain memcpy() of the same bytes in the same run.
 * The window is a real page in Chromium, which draws as often as it can.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestLab } from '#app/hosts/guest/guest-lab.ts';
import type { Guest, GuestKernel, GuestProcess } from '#app/hosts/guest/qemu.ts';
import { relayConsole } from '#app/lab/console-relay.ts';
import { relayPictures } from '#app/lab/picture-relay.ts';
import { Access } from '#app/server/access.ts';
import { startServer } from '#app/server/server.ts';
import { type DriverAnswer, type DriverOrder, SMALL } from './display-protocol.ts';
import { BenchPage } from './page.ts';

export interface DisplayFigure {
  name: string;
  value: number;
  unit: string;
  limit: number;
  ratio: number;
  verdict?: string;
}

export interface Work {
  readonly width: number;
  readonly height: number;
  readonly damage: 'full' | 'small';
}

export const WORKS: readonly Work[] = [
  { width: 640, height: 480, damage: 'full' },
  { width: 640, height: 480, damage: 'small' },
  { width: 1920, height: 1080, damage: 'full' },
  { width: 1920, height: 1080, damage: 'small' },
];

export type HostName = 'sim' | 'guest';

/** What plays the driver of a card. */
export interface Driver {
  order(order: DriverOrder): Promise<DriverAnswer>;
  end(): Promise<void>;
}

/** And the page that shows it. */
export interface Rig extends Driver {
  readonly url: string;
}

/** Frames a second that 640 x 480 is to reach on the canvas. */
const SIM_SHOWN = 120;
/** Pictures a second that are drawn meanwhile: more than can be shown, but no more than leaves the emulated processors time. */
const OFFERED: Readonly<Record<HostName, number>> = { sim: 240, guest: 60 };
/** Copies of the same bytes that a picture may take in a guest. */
const GUEST_COPIES = 3;
const ROUNDS = 5;
/** Pictures before any is measured. */
const WARM_UP = 4000;
const LATENCIES = 40;
const ANSWER_TIMEOUT = 60_000;
const CLOCK_TRIES = 20;

const bytesOf = ({ width, height, damage }: Work): number =>
  damage === 'full' ? width * height * 4 : SMALL.size ** 2 * 4;
export const nameOf = ({ width, height, damage }: Work): string => `${width}x${height}-${damage}`;

/** Answers of one who is asked one thing after the other. */
class Answers<T> {
  readonly #waiting: { resolve: (answer: T) => void; reject: (error: Error) => void }[] = [];

  next(): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer in 60 s')), ANSWER_TIMEOUT);
      this.#waiting.push({
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  take(line: string): void {
    const answer = JSON.parse(line) as T & { error?: string };
    const first = this.#waiting.shift();
    if (answer.error === undefined) first?.resolve(answer);
    else first?.reject(new Error(answer.error));
  }

  fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** A lab in a process of its own, with a driver in a thread of that. */
export async function simRig(root: string): Promise<Rig> {
  const child: ChildProcess = spawn(process.execPath, [path.join(root, 'out/lab/display-lab.js')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = new Answers<DriverAnswer & { url: string }>();
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  void ended.then(() => answers.fail(new Error('the lab ended')));
  const first = answers.next();
  createInterface({ input: child.stdout! }).on('line', (line) => answers.take(line));
  const { url } = await first;
  return {
    url,
    order: (order) => {
      child.stdin!.write(`${JSON.stringify(order)}\n`);
      return answers.next();
    },
    end: async () => {
      child.stdin!.end();
      await ended;
    },
  };
}

/** A program in the guest that draws through our DRM driver. */
export class GuestDriver implements Driver {
  readonly #guest: Guest;
  #answers = new Answers<{ start: number; seconds: number }>();
  #program: GuestProcess | undefined;
  /** ms to be added to the guest's clock. */
  #ahead = 0;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  async order(order: DriverOrder): Promise<DriverAnswer> {
    if (order.order === 'begin') return this.#begin(order.width, order.height, order.small);
    const rate = order.order === 'draw' ? order.rate : 0;
    const { start, seconds } = await this.#ask(`${order.order} ${order.count} ${rate}`);
    return { start: start * 1000 + this.#ahead, seconds };
  }

  async end(): Promise<void> {
    this.#program?.endInput();
    await this.#program?.exited.catch(() => undefined);
    this.#program = undefined;
  }

  async #ask(line: string): Promise<{ start: number; seconds: number }> {
    const answer = this.#answers.next();
    await this.#program!.write(`${line}\n`);
    return answer;
  }

  async #begin(width: number, height: number, small: boolean): Promise<DriverAnswer> {
    await this.end();
    await this.#guest.output(
      'for i in $(seq 400); do [ -c /dev/protopciem ] && [ -c /dev/fb0 ] && exit 0; sleep 0.05; done; exit 1',
    );
    const answers = new Answers<{ start: number; seconds: number }>();
    this.#answers = answers;
    const ready = answers.next();
    let partial = '';
    const hear = (data: Buffer) => {
      const lines = (partial + data.toString('utf8')).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('{')) answers.take(line);
        else answers.fail(new Error(`in the guest: ${line}`));
      }
    };
    const size = [String(width), String(height)];
    const command = ['/lab/selftests/protopciem_draw', 'bench', ...size, small ? 'small' : 'full'];
    this.#program = this.#guest.spawn(command, { stdin: true, onStdout: hear, onStderr: hear });
    await ready;
    const started = performance.now();
    // The pair of clocks that were read nearest to each other tells their distance best.
    let nearest = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < CLOCK_TRIES; tries++) {
      const before = performance.now();
      const { start } = await this.#ask('time');
      const took = performance.now() - before;
      if (took >= nearest) continue;
      nearest = took;
      this.#ahead = performance.timeOrigin + before + took / 2 - start * 1000;
    }
    return { start: performance.timeOrigin + started, seconds: 0 };
  }
}

/** A lab in a guest, as `make run HOST=guest` has it. */
export async function guestRig(
  root: string,
  kernel: GuestKernel,
  say: (line: string) => void,
): Promise<Rig & { readonly problems: readonly string[] }> {
  const lab = await GuestLab.boot({
    device: 'protopciem',
    kernel,
    relayPictures,
    relayConsole,
    say,
    version: 'bench',
  });
  const { guest } = lab;
  if (guest === undefined) throw new Error('the guest has ended');
  const driver = new GuestDriver(guest);
  const server = await startServer({
    lab,
    access: new Access(),
    renderer: path.join(root, 'out/renderer'),
    port: 0,
    address: '127.0.0.1',
  });
  return {
    url: server.url,
    problems: guest.problems,
    order: (order) => driver.order(order),
    end: async () => {
      await driver.end();
      await server.close();
      await lab.close();
    },
  };
}

// The page.

declare global {
  interface Window {
    /** Updates of the picture that came, and their pixels' bytes. */
    pictures: { count: number; bytes: number };
  }
}

/** In the page, before anything else. */
function instrument(): void {
  // As on a screen that shows 240 frames a second; the browser has none, and would take 60.
  const frame = 1000 / 240;
  const asked = new Map<number, FrameRequestCallback>();
  let number = 0;
  let last = 0;
  const run = () => {
    last = performance.now();
    const draws = [...asked.values()];
    asked.clear();
    for (const draw of draws) draw(last);
  };
  window.requestAnimationFrame = (draw) => {
    if (asked.size === 0) setTimeout(run, Math.max(0, last + frame - performance.now()));
    asked.set(++number, draw);
    return number;
  };
  window.cancelAnimationFrame = (one) => void asked.delete(one);
  window.pictures = { count: 0, bytes: 0 };
  const decoder = new TextDecoder();
  window.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener('message', ({ data }) => {
        if (!(data instanceof ArrayBuffer)) return;
        const length = new DataView(data).getUint32(0, true);
        if (!decoder.decode(new Uint8Array(data, 4, length)).startsWith('{"stream":"display"')) return;
        window.pictures.count++;
        window.pictures.bytes += data.byteLength - ((4 + length + 7) & ~7);
      });
    }
  };
}

async function openPage(url: string): Promise<BenchPage> {
  const page = await BenchPage.open();
  await page.before(instrument);
  await page.goto(url);
  await page.shown('framebuffer-canvas');
  return page;
}

/** Waits until the canvas has the mode's size and nothing is on its way any more. */
async function settled(page: BenchPage, { width, height }: Work): Promise<void> {
  const canvas = `document.querySelector('[data-testid="framebuffer-canvas"]')`;
  await page.until(`${canvas}.width === ${width} && ${canvas}.height === ${height}`, 30_000);
  for (let before = -1; ; ) {
    const { count } = await page.evaluate(() => window.pictures);
    if (count === before) return;
    before = count;
    await sleep(400);
  }
}

/** Resolves when the canvas is drawn on next: ms on the scale of performance.timeOrigin. */
function nextDraw(page: BenchPage): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const canvas = document.querySelector('[data-testid="framebuffer-canvas"]')!;
        const timer = setTimeout(() => reject(new Error('a flip was not drawn in 10 s')), 10_000);
        const observer = new MutationObserver(() => {
          clearTimeout(timer);
          observer.disconnect();
          resolve(performance.timeOrigin + performance.now());
        });
        observer.observe(canvas, { attributeFilter: ['data-frame'] });
        // Whoever asked may flip from here on.
        document.documentElement.dataset.observing = String(performance.now());
      }),
  );
}

/** Draws on the canvas, and bytes that came for them, while `during` runs. */
async function watched(
  page: BenchPage,
  during: () => Promise<void>,
): Promise<{ draws: number; bytes: number }> {
  const look = () =>
    page.evaluate(() => {
      const all = window as Window & { draws?: number };
      if (all.draws === undefined) {
        all.draws = 0;
        const canvas = document.querySelector('[data-testid="framebuffer-canvas"]')!;
        new MutationObserver(() => all.draws!++).observe(canvas, { attributeFilter: ['data-frame'] });
      }
      return { draws: all.draws, bytes: window.pictures.bytes };
    });
  const before = await look();
  await during();
  const after = await look();
  return { draws: after.draws - before.draws, bytes: after.bytes - before.bytes };
}

/** In the page: bytes that the device has read by DMA since entry `after` of its log. */
async function dmaSince(after: number): Promise<{ newest: number; bytes: number }> {
  const socket = new WebSocket(`ws://${location.host}/lab`, ['pciem-lab']);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('the page cannot reach the lab'));
  });
  const call = <T>(id: number, name: string, params: unknown): Promise<T> =>
    new Promise((resolve, reject) => {
      socket.addEventListener('message', ({ data }) => {
        if (typeof data !== 'string') return;
        const head = JSON.parse(data);
        if (head.id !== id) return;
        if (head.error) reject(new Error(head.error.message));
        else resolve(head.ok);
      });
      socket.send(JSON.stringify({ id, call: name, params }));
    });
  const [device] = await call<{ id: number }[]>(1, 'devices.list', {});
  const { newest, entries } = await call<{
    newest: number;
    entries: { id: number; length: number; direction: string }[];
  }>(2, 'dma.list', { device: device!.id, before: 0, count: 100 });
  socket.close();
  const bytes = entries
    .filter(({ id, direction }) => id > after && direction === 'read')
    .reduce((sum, { length }) => sum + length, 0);
  return { newest, bytes };
}

// The figures.

interface Rates {
  /** Pictures a second that the card takes, and copies a second of the same bytes. */
  readonly card: number;
  readonly copies: number;
}

const median = (values: readonly number[]): number => quantile(values, 0.5);
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/** How many of `order` fill about `seconds`. */
async function countFor(rig: Driver, order: 'copy' | 'draw', seconds: number): Promise<number> {
  const { seconds: took } = await rig.order({ order, count: 10, rate: 0 });
  return Math.max(10, Math.ceil((10 * seconds) / Math.max(1e-6, took)));
}

const beginOf = ({ width, height, damage }: Work): DriverOrder => ({
  order: 'begin',
  width,
  height,
  small: damage === 'small',
});

/** What the card takes while nobody looks at the picture. */
async function measureCard(driver: Driver, work: Work, seconds: number): Promise<Rates> {
  await driver.order(beginOf(work));
  const copies = await countFor(driver, 'copy', seconds / ROUNDS);
  const draws = await countFor(driver, 'draw', seconds / ROUNDS);
  const rates: Rates[] = [];
  // In turns, so that whatever else the machine does meets both.
  for (let round = 0; round < ROUNDS; round++) {
    const copied = await driver.order({ order: 'copy', count: copies });
    const drawn = await driver.order({ order: 'draw', count: draws, rate: 0 });
    rates.push({ copies: copies / copied.seconds, card: draws / drawn.seconds });
  }
  return { card: median(rates.map(({ card }) => card)), copies: median(rates.map((one) => one.copies)) };
}

/** The card's figures, one a work. */
export async function measureCards(
  host: HostName,
  driver: Driver,
  works: readonly Work[],
  seconds: number,
  show: (figure: DisplayFigure) => void,
): Promise<void> {
  // JavaScript is compiled as it gets hot: what is measured is how it runs then.
  if (works[0] !== undefined) await driver.order(beginOf(works[0]));
  await driver.order({ order: 'draw', count: WARM_UP, rate: 0 });
  for (const work of works) {
    const { card, copies } = await measureCard(driver, work, seconds);
    const figure = {
      name: `display/${host}/${nameOf(work)}/rate`,
      value: card,
      unit: 'frames/s',
      limit: copies,
    };
    const good = card * GUEST_COPIES >= copies;
    const judged = host === 'guest' && work.damage === 'full';
    show({
      ...figure,
      ratio: card / copies,
      ...(judged ? { verdict: `${good ? 'within' : 'beyond'} ${GUEST_COPIES} times memcpy` } : {}),
    });
  }
}

interface Shown {
  readonly copies: number;
  readonly rate: number;
  readonly latencies: readonly number[];
  readonly dmaBytes: number;
  readonly sentBytes: number;
}

async function measurePage(
  host: HostName,
  rig: Rig,
  page: BenchPage,
  work: Work,
  seconds: number,
): Promise<Shown> {
  await rig.order(beginOf(work));
  await settled(page, work);
  const copied = await countFor(rig, 'copy', seconds / ROUNDS);
  const copies = copied / (await rig.order({ order: 'copy', count: copied })).seconds;
  // At a rate of its own: what draws as fast as it can leaves no processor to those who show it.
  const rate = OFFERED[host];
  const paced = { order: 'draw', count: Math.ceil(rate * seconds), rate } as const;
  await rig.order(paced);
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let took = 0;
    const { draws } = await watched(page, async () => {
      took = (await rig.order(paced)).seconds;
    });
    rates.push(draws / took);
  }
  await settled(page, work);
  const latencies: number[] = [];
  for (let at = 0; at < LATENCIES; at++) {
    await page.evaluate(() => {
      delete document.documentElement.dataset.observing;
    });
    const drawn = nextDraw(page);
    await page.until('document.documentElement.dataset.observing');
    const { start } = await rig.order({ order: 'draw', count: 1, rate: 0 });
    latencies.push((await drawn) - start);
  }
  await settled(page, work);
  // One more, by itself: what it made the card read, and what travelled for it.
  const { newest } = await page.evaluate(dmaSince, 0);
  const { bytes: sentBytes } = await watched(page, async () => {
    const drawn = nextDraw(page);
    await rig.order({ order: 'draw', count: 1, rate: 0 });
    await drawn;
  });
  const { bytes: dmaBytes } = await page.evaluate(dmaSince, newest);
  return { copies, rate: median(rates), latencies, dmaBytes, sentBytes };
}

function figuresOf(host: HostName, work: Work, shown: Shown): DisplayFigure[] {
  const bytes = bytesOf(work);
  const copyMs = 1000 / shown.copies;
  const figure = (part: string, value: number, unit: string, limit: number): DisplayFigure => ({
    name: `display/${host}/${nameOf(work)}/${part}`,
    value,
    unit,
    limit,
    ratio: value / limit,
  });
  const rate = figure('shown', shown.rate, 'frames/s', shown.copies);
  if (host === 'sim' && work.width === 640)
    rate.verdict = `${shown.rate >= SIM_SHOWN ? 'reaches' : 'below'} ${SIM_SHOWN} frames/s`;
  return [
    rate,
    figure('bytes-read', shown.dmaBytes, 'bytes', bytes),
    figure('bytes-sent', shown.sentBytes, 'bytes', bytes),
    figure('latency-median', median(shown.latencies), 'ms', copyMs),
    figure('latency-p95', quantile(shown.latencies, 0.95), 'ms', copyMs),
  ];
}

/** The card's picture does not change: what comes to the window in `ms`. */
async function idle(host: HostName, page: BenchPage, ms: number): Promise<DisplayFigure> {
  const before = await page.evaluate(() => window.pictures.count);
  const { draws } = await watched(page, () => sleep(ms));
  const value = draws + (await page.evaluate(() => window.pictures.count)) - before;
  return {
    name: `display/${host}/idle-updates`,
    value,
    unit: 'updates',
    limit: 1,
    ratio: value,
    verdict: value === 0 ? 'costs nothing' : 'is not idle',
  };
}

/** What reaches the canvas. */
export async function measurePages(
  host: HostName,
  rig: Rig,
  works: readonly Work[],
  seconds: number,
  show: (figure: DisplayFigure) => void,
): Promise<void> {
  const page = await openPage(rig.url);
  try {
    for (const work of works) {
      for (const figure of figuresOf(host, work, await measurePage(host, rig, page, work, seconds)))
        show(figure);
    }
    show(await idle(host, page, 2000));
  } finally {
    await page.close();
  }
}
