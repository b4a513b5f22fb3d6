/** The picture of the device that the panel shows: drawn as it arrives, beside React. */
import { createStore } from 'zustand/vanilla';
import type { DisplayUpdate } from '#contract/display.ts';
import { nextFrame } from '#renderer/frame/scheduler.ts';
import { client } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';

/** What a person chose, and the size of the picture: changes seldom. */
export interface View {
  readonly paused: boolean;
  /** Of the picture; 0 before the first update. */
  readonly width: number;
  readonly height: number;
}
export const view = createStore<View>(() => ({ paused: false, width: 0, height: 0 }));

/** Changes with every picture. */
export interface Figures {
  /** Of the picture on the screen, as the card counts. */
  readonly frame: number;
  /** Pictures a second that the card finishes, and that are drawn here. */
  readonly made: number;
  readonly drawn: number;
}
export const figures = new Live<Figures>({ frame: 0, made: 0, drawn: 0 });

/** Seconds over which a rate is worth telling. */
const SHORTEST = 0.4;

let canvas: HTMLCanvasElement | undefined;
let watched = 0;
/** Device whose picture is on the canvas; 0: none. */
let shown = 0;
let draws = 0;
let release: ((draw: boolean) => void) | undefined;
/** One picture may be shown although paused. */
let stepping = false;
let counted = { time: 0, frame: 0, draws: 0 };

/** One for the window: it keeps the picture while the panel is closed and opened. */
export function pictureCanvas(): HTMLCanvasElement {
  if (canvas === undefined) {
    canvas = document.createElement('canvas');
    canvas.className = 'fb-canvas';
    canvas.dataset.testid = 'framebuffer-canvas';
    canvas.setAttribute('role', 'img');
    canvas.tabIndex = 0;
  }
  return canvas;
}

/** Asks for a device's picture; 0: none. */
export async function watch(device: number): Promise<void> {
  watched = device;
  shown = 0;
  stepping = false;
  release?.(false);
  counted = { time: performance.now(), frame: 0, draws };
  await client.call('display.watch', { device });
}

export function setPaused(paused: boolean): void {
  view.setState({ paused });
  stepping = false;
  if (!paused) release?.(true);
}

/** Shows the next picture, and pauses again. */
export function step(): void {
  view.setState({ paused: true });
  if (release === undefined) stepping = true;
  else release(true);
}

/** While paused the lab's message is kept unanswered, so that nothing more is sent. */
function whenAllowed(device: number): Promise<boolean> {
  if (!view.getState().paused || shown !== device) return Promise.resolve(true);
  if (stepping) {
    stepping = false;
    return Promise.resolve(true);
  }
  return new Promise((resolve) => {
    release = (draw) => {
      release = undefined;
      resolve(draw);
    };
  });
}

function draw(update: DisplayUpdate, bytes: Uint8Array): void {
  const { width, height, parts, frame } = update;
  const target = pictureCanvas();
  if (target.width !== width || target.height !== height || shown !== update.device) {
    target.width = width;
    target.height = height;
    view.setState({ width, height });
  }
  const context = target.getContext('2d', { alpha: false });
  let at = bytes.byteOffset;
  for (const [x, y, wide, tall] of parts) {
    const pixels = new Uint8ClampedArray(bytes.buffer as ArrayBuffer, at, wide * tall * 4);
    if (context !== null) context.putImageData(new ImageData(pixels, wide, tall), x, y);
    at += pixels.length;
  }
  if (shown !== update.device) counted = { time: performance.now(), frame, draws };
  shown = update.device;
  draws++;
  target.dataset.frame = String(frame);
  figures.set({ ...figures.get(), frame });
}

client.on('display', async (update, bytes) => {
  if (update.device !== watched || bytes === undefined) return;
  if (!(await whenAllowed(update.device))) return;
  await nextFrame();
  if (update.device === watched) draw(update, bytes);
});

/** Rates since the last call. */
export function countRates(now = performance.now()): void {
  const seconds = (now - counted.time) / 1000;
  // A timer that was late is followed by one that is early.
  if (seconds < SHORTEST) return;
  const { frame } = figures.get();
  figures.set({
    frame,
    made: Math.max(0, (frame - counted.frame) / seconds),
    drawn: (draws - counted.draws) / seconds,
  });
  counted = { time: now, frame, draws };
}
