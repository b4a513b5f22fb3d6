/** The picture of the device that the panel shows: drawn as it arrives, beside React. */
import { createStore } from 'zustand/vanilla';
import type { DisplayCursor, DisplayFormat, DisplayUpdate } from '#contract/display.ts';
import { unpackPixels } from '#contract/packing.ts';
import { blend, convertPixels, PALETTE_COLORS, PIXEL_BYTES } from '#contract/pixels.ts';
import { nextFrame } from '#renderer/frame/scheduler.ts';
import { client } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';

/** What a person chose, and the size of the picture: changes seldom. */
export interface View {
  readonly paused: boolean;
  /** Of the picture; 0 before the first update. */
  readonly width: number;
  readonly height: number;
  /** As the card has it. */
  readonly format: DisplayFormat;
}
export const view = createStore<View>(() => ({ paused: false, width: 0, height: 0, format: 'RGB24' }));

/** Changes with every picture. */
export interface Figures {
  /** Of the picture on the screen, as the card counts. */
  readonly frame: number;
  /** Pictures a second that the card finishes, and that are drawn here. */
  readonly made: number;
  readonly drawn: number;
}
export const figures = new Live<Figures>({ frame: 0, made: 0, drawn: 0 });

/** ms between what is said of pictures that follow each other quickly: a number is read no faster. */
const FIGURES_INTERVAL = 100;
/** Seconds over which a rate is worth telling. */
const SHORTEST = 0.4;

let canvas: HTMLCanvasElement | undefined;
/** The picture without the cursor, as the canvas takes it, and the same as words. */
let image: ImageData | undefined;
let pixels = new Int32Array(0);
const palette = new Int32Array(PALETTE_COLORS);
let cursorImage = new Int32Array(0);
/** Where the cursor is on the canvas. */
let covered: DisplayCursor | undefined;
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
  await client.call('display.watch', { device, packed: true });
}

export function setPaused(paused: boolean): void {
  view.setState({ paused });
  stepping = false;
  if (!paused) release?.(true);
}

/** Shows the next picture of those that come, now or once there is one, and pauses again. */
export function step(): void {
  view.setState({ paused: true });
  if (release === undefined) stepping = true;
  else release(true);
}

/** While paused the lab's messages are kept unanswered, so that nothing more is sent. */
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

/** Draws what changed on the picture, and on the canvas. */
function paint(target: HTMLCanvasElement, update: DisplayUpdate, bytes: Uint8Array): void {
  const { width, height, format, parts, packed, cursor } = update;
  const context = target.getContext('2d', { alpha: false });
  if (context === null) return;
  if (image === undefined || image.width !== width || image.height !== height) {
    image = new ImageData(width, height);
    pixels = new Int32Array(image.data.buffer);
  }
  let at = 0;
  if (update.palette) {
    palette.set(new Int32Array(bytes.buffer, bytes.byteOffset, PALETTE_COLORS));
    at += palette.byteLength;
  }
  if (update.image && cursor !== undefined) {
    const count = cursor.width * cursor.height;
    cursorImage = new Int32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset + at, count);
    at += count * 4;
  }
  for (const [part, [x, y, wide, tall]] of parts.entries()) {
    const row = wide * PIXEL_BYTES[format];
    const length = packed?.[part] ?? 0;
    const to = y * width + x;
    if (length > 0) unpackPixels(format, palette, bytes, at, pixels, to, width, wide, tall);
    else convertPixels(format, palette, bytes, at, row, pixels, to, width, wide, tall);
    context.putImageData(image, 0, 0, x, y, wide, tall);
    at += ((length > 0 ? length : row * tall) + 3) & ~3;
  }
  if (covered !== undefined) {
    context.putImageData(image, 0, 0, covered.x, covered.y, covered.width, covered.height);
  }
  covered = cursor === undefined ? undefined : within(cursor, width, height);
  if (cursor !== undefined && covered !== undefined) paintCursor(context, cursor, covered, width);
}

/** The part of the cursor that is inside the picture. */
function within(cursor: DisplayCursor, width: number, height: number): DisplayCursor | undefined {
  const x = Math.max(0, cursor.x);
  const y = Math.max(0, cursor.y);
  const wide = Math.min(width, cursor.x + cursor.width) - x;
  const tall = Math.min(height, cursor.y + cursor.height) - y;
  return wide > 0 && tall > 0 ? { x, y, width: wide, height: tall } : undefined;
}

function paintCursor(
  context: CanvasRenderingContext2D,
  cursor: DisplayCursor,
  { x, y, width, height }: DisplayCursor,
  stride: number,
): void {
  const mixed = new ImageData(width, height);
  const words = new Int32Array(mixed.data.buffer);
  for (let row = 0; row < height; row++) {
    const over = (y - cursor.y + row) * cursor.width + x - cursor.x;
    const below = (y + row) * stride + x;
    for (let column = 0; column < width; column++)
      words[row * width + column] = blend(cursorImage[over + column]!, pixels[below + column]!);
  }
  context.putImageData(mixed, x, y);
}

function draw(update: DisplayUpdate, bytes: Uint8Array): void {
  const { width, height, format, frame } = update;
  const target = pictureCanvas();
  if (target.width !== width || target.height !== height || shown !== update.device) {
    target.width = width;
    target.height = height;
    covered = undefined;
    view.setState({ width, height });
  }
  if (view.getState().format !== format) view.setState({ format });
  paint(target, update, bytes);
  if (shown !== update.device) counted = { time: performance.now(), frame, draws };
  shown = update.device;
  draws++;
  target.dataset.frame = String(frame);
  if (telling) return;
  telling = true;
  setTimeout(() => {
    telling = false;
    figures.set({ ...figures.get(), frame: shownFrame() });
  }, FIGURES_INTERVAL);
}

let telling = false;

/** Number of the picture on the canvas. */
export function shownFrame(): number {
  return Number(canvas?.dataset.frame ?? 0);
}

/** While a picture was drawn in this frame of the window already. */
let drawn: Promise<void> | undefined;
/** Settles when the update before is shown: they build on each other. */
let before: Promise<void> = Promise.resolve();

async function show(update: DisplayUpdate, bytes: Uint8Array | undefined): Promise<void> {
  if (update.device !== watched || bytes === undefined) return;
  if (!(await whenAllowed(update.device))) return;
  // The first of a frame is drawn at once: it need not wait for the screen, and the lab need not wait for it.
  await drawn;
  if (update.device !== watched) return;
  draw(update, bytes);
  drawn = nextFrame().then(() => {
    drawn = undefined;
  });
}

client.on('display', (update, bytes) => {
  const shown = before.then(() => show(update, bytes));
  before = shown.catch(() => undefined);
  return shown;
});

/** Rates since the last call. */
export function countRates(now = performance.now()): void {
  const seconds = (now - counted.time) / 1000;
  // A timer that was late is followed by one that is early.
  if (seconds < SHORTEST) return;
  const frame = shownFrame();
  figures.set({
    frame,
    made: Math.max(0, (frame - counted.frame) / seconds),
    drawn: (draws - counted.draws) / seconds,
  });
  counted = { time: now, frame, draws };
}
