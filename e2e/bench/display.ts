/**
 * Pictures, from the driver's flip to the canvas of the window, beside a plain memcpy() of the same bytes in the same run.
 * The window is a real page in Chromium, which draws as often as it can.
 */
import { type Browser, chromium, type Page } from 'playwright-core';
import { browserBinary } from '../fixtures/shell.ts';

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
/** A square of pixels, at a place that is in few tiles. */
export const SMALL = { x: 128, y: 64, size: 64 } as const;
export const SIM_FRAMES_PER_SECOND = 120;

export const bytesOf = ({ width, height, damage }: Work): number =>
  damage === 'full' ? width * height * 4 : SMALL.size ** 2 * 4;
export const nameOf = ({ width, height, damage }: Work): string => `${width}x${height}-${damage}`;

export async function openPage(url: string): Promise<{ browser: Browser; page: Page }> {
  const browser = await chromium.launch({
    ...(browserBinary === undefined ? {} : { executablePath: browserBinary }),
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  // A screen's rate is no bound of ours: a frame of the window comes as soon as it is asked for.
  await page.addInitScript(() => {
    const tasks = new MessageChannel();
    const asked = new Map<number, FrameRequestCallback>();
    let number = 0;
    tasks.port1.onmessage = ({ data }) => {
      const draw = asked.get(data);
      asked.delete(data);
      draw?.(performance.now());
    };
    window.requestAnimationFrame = (draw) => {
      asked.set(++number, draw);
      tasks.port2.postMessage(number);
      return number;
    };
    window.cancelAnimationFrame = (one) => void asked.delete(one);
  });
  await page.goto(url);
  await page.getByTestId('framebuffer-canvas').waitFor({ state: 'visible', timeout: 30_000 });
  return { browser, page };
}

/** Copies a second as many bytes as the work's, best of five. */
export function memcpyRate(work: Work): number {
  const bytes = bytesOf(work);
  const from = Buffer.alloc(bytes, 1);
  const to = Buffer.alloc(bytes);
  const count = Math.max(10, Math.floor(2 ** 27 / bytes));
  let best = 0;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let at = 0; at < count; at++) from.copy(to);
    best = Math.max(best, (count * 1000) / (performance.now() - start));
  }
  return best;
}

interface SimResult {
  readonly framesPerSecond: number;
  readonly latencies: readonly number[];
  readonly dmaBytes: number;
  readonly sentBytes: number;
}

/** In the page: plays the driver by calls of the contract, and sees what becomes of it on the canvas. */
async function driveFromPage(work: Work & { small: typeof SMALL; seconds: number }): Promise<SimResult> {
  const { width, height, damage, small } = work;
  const MEMORY = 0x1_0000 + 0x100_0000;
  const canvas = document.querySelector<HTMLCanvasElement>('[data-testid="framebuffer-canvas"]')!;
  const socket = new WebSocket(`ws://${location.host}/lab`, ['pciem-lab']);
  socket.binaryType = 'arraybuffer';
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  let nextId = 1;
  let onDisplay: (bytes: number) => void = () => {};
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('the page cannot reach the lab'));
  });
  socket.onmessage = ({ data }) => {
    const length = typeof data === 'string' ? 0 : new DataView(data).getUint32(0, true);
    const head = JSON.parse(
      typeof data === 'string' ? data : new TextDecoder().decode(new Uint8Array(data, 4, length)),
    );
    if (head.stream !== undefined) {
      socket.send(JSON.stringify({ ack: head.stream }));
      if (head.stream === 'display') onDisplay(data.byteLength - ((4 + length + 7) & ~7));
    } else if (head.error) {
      waiting.get(head.id)?.reject(new Error(head.error.message));
    } else {
      waiting.get(head.id)?.resolve(head.ok as never);
    }
    waiting.delete(head.id);
  };
  const call = <T>(name: string, params: unknown): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ id, call: name, params }));
    });
  const devices = await call<{ id: number }[]>('devices.list', {});
  const device = devices[0]!.id;
  await call('devices.workload', { device, running: false, rate: 0 });
  for (;;) {
    const [now] = await call<{ workload: { phase: string } }[]>('devices.list', {});
    if (now!.workload.phase === 'Idle') break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const write = (offset: number, value: number) =>
    call('registers.write', {
      device,
      bar: 0,
      offset,
      width: 4,
      value: `0x${(value >>> 0).toString(16)}`,
      as: 'driver',
    });
  const size = width * height * 4;
  const frames = [MEMORY, MEMORY + size];
  const chunk = 4096;
  for (const [number, address] of frames.entries()) {
    let calls: Promise<unknown>[] = [];
    for (let at = 0; at < size; at += chunk) {
      const length = Math.min(chunk, size - at);
      let bytes = '';
      // Every pixel of one differs from the other's.
      for (let pixel = 0; pixel < length; pixel += 4) {
        const value = ((at + pixel) / 4 + number * 0x55) & 0xff;
        bytes += `${value.toString(16).padStart(2, '0')}${number === 0 ? '20' : 'd0'}8000`;
      }
      calls.push(call('dma.writeMemory', { device, address: address + at, bytes }));
      if (calls.length < 64) continue;
      await Promise.all(calls);
      calls = [];
    }
    await Promise.all(calls);
  }
  // VSYNC_RATE 0: flips are shown at once. MODE_SIZE, MODE_PITCH, MODE_FORMAT (XRGB8888), MODE_CONTROL.
  await write(0x13c, 0);
  await write(0x120, width | (height << 16));
  await write(0x124, width * 4);
  await write(0x128, 1);
  await write(0x12c, 1);
  let turn = 0;
  const flip = async (all = false) => {
    turn ^= 1;
    const writes = [write(0x130, frames[turn]!), write(0x134, 0)];
    if (damage === 'small' && !all) {
      writes.push(write(0x150, small.x | (small.y << 16)), write(0x154, small.size | (small.size << 16)));
    }
    await Promise.all([...writes, write(0x138, 1)]);
  };
  const drawn = () =>
    new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('a flip was not drawn in 10 s')), 10_000);
      const observer = new MutationObserver(() => {
        clearTimeout(timer);
        observer.disconnect();
        resolve(performance.now());
      });
      observer.observe(canvas, { attributeFilter: ['data-frame'] });
    });
  const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  // Nothing of the mode's change is on its way any more when the first flip is timed.
  await flip(true);
  while (canvas.width !== width || canvas.height !== height) await rest(50);
  await rest(500);
  await flip(true);
  await rest(500);

  const latencies: number[] = [];
  for (let at = 0; at < 40; at++) {
    const next = drawn();
    const start = performance.now();
    await flip();
    latencies.push((await next) - start);
  }

  let draws = 0;
  const observer = new MutationObserver(() => draws++);
  observer.observe(canvas, { attributeFilter: ['data-frame'] });
  const start = performance.now();
  while (performance.now() - start < work.seconds * 1000) await flip();
  const seconds = (performance.now() - start) / 1000;
  observer.disconnect();

  // One more, by itself: what it made the card read, and what travelled for it.
  const whole = new Promise<number>((resolve) => (onDisplay = resolve));
  await call('display.watch', { device });
  await whole;
  const newest = async () =>
    await call<{ newest: number; entries: { id: number; length: number }[] }>('dma.list', {
      device,
      before: 0,
      count: 100,
    });
  const before = (await newest()).newest;
  const sent = new Promise<number>((resolve) => (onDisplay = resolve));
  await flip();
  const sentBytes = await sent;
  const dmaBytes = (await newest()).entries
    .filter(({ id }) => id > before)
    .reduce((sum, { length }) => sum + length, 0);
  await call('display.watch', { device: 0 });
  socket.close();
  return { framesPerSecond: draws / seconds, latencies, dmaBytes, sentBytes };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/** What every host's figures have in common; `limit` is copies a second of the same bytes. */
export function figuresOf(
  host: string,
  work: Work,
  result: SimResult,
  limit: number,
  verdict?: (rate: number, ratio: number) => string,
): DisplayFigure[] {
  const name = `display/${host}/${nameOf(work)}`;
  const bytes = bytesOf(work);
  const rate = result.framesPerSecond;
  const figure = (part: string, value: number, unit: string, bound: number): DisplayFigure => ({
    name: `${name}/${part}`,
    value,
    unit,
    limit: bound,
    ratio: value / bound,
  });
  const copyMs = 1000 / limit;
  const said = verdict?.(rate, rate / limit);
  return [
    { ...figure('rate', rate, 'frames/s', limit), ...(said === undefined ? {} : { verdict: said }) },
    figure('bytes-read', result.dmaBytes, 'bytes', bytes),
    figure('bytes-sent', result.sentBytes, 'bytes', bytes),
    figure('latency-median', quantile(result.latencies, 0.5), 'ms', copyMs),
    figure('latency-p95', quantile(result.latencies, 0.95), 'ms', copyMs),
  ];
}

export async function driveSim(page: Page, work: Work, seconds: number): Promise<SimResult> {
  return page.evaluate(driveFromPage, { ...work, small: SMALL, seconds });
}

/** Draws on the canvas in `ms` while the card's picture does not change. */
export async function idleDraws(page: Page, ms: number): Promise<number> {
  return page.evaluate(async (time) => {
    const canvas = document.querySelector('[data-testid="framebuffer-canvas"]')!;
    let draws = 0;
    const observer = new MutationObserver(() => draws++);
    observer.observe(canvas, { attributeFilter: ['data-frame'] });
    await new Promise((resolve) => setTimeout(resolve, time));
    observer.disconnect();
    return draws;
  }, ms);
}
