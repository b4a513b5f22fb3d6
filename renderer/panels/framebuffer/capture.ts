/** This window's keyboard and mouse, lent to the machine where the card is, until Ctrl+Alt or the focus goes elsewhere. */
import { createStore } from 'zustand/vanilla';
import {
  type InputEvent,
  KEY_CODES,
  type KeyCode,
  MAX_INPUT_EVENTS,
  MOUSE_BUTTONS,
} from '#contract/input.ts';
import { client, lab } from '#renderer/state/lab.ts';
import { noticeError } from '#renderer/state/notices.ts';
import { pictureCanvas } from './picture.ts';

export interface Capture {
  /** Keys go to the machine. */
  readonly keyboard: boolean;
  /** So does the mouse: the page has locked the pointer. */
  readonly mouse: boolean;
}
const FREE: Capture = { keyboard: false, mouse: false };
export const capture = createStore<Capture>(() => FREE);

const MAX_DISTANCE = 32767;
/** Pixels of a notch, where a wheel is told in pixels. */
const NOTCH = 100;

/** Keys and buttons that are down, as the machine has been told. */
const held = new Set<string>();
let waiting: InputEvent[] = [];
let sending = false;
/** Parts of a notch and of a pixel that were not told yet. */
let rest = { x: 0, y: 0, wheelX: 0, wheelY: 0 };

const captured = () => capture.getState().keyboard;
const isKey = (code: string): code is KeyCode => Object.hasOwn(KEY_CODES, code);

/** One call at a time: what happens meanwhile travels with the next, movements as one. */
async function send(): Promise<void> {
  if (sending) return;
  sending = true;
  try {
    while (waiting.length > 0 && captured()) {
      const events = waiting.splice(0, MAX_INPUT_EVENTS);
      await client.call('input.events', { events });
    }
  } catch (error) {
    if (captured()) {
      noticeError('Typing into the machine', error);
      release();
    }
  } finally {
    sending = false;
  }
}

function add(event: InputEvent): void {
  const last = waiting.at(-1);
  if (event.kind === 'motion' && last?.kind === 'motion') {
    const x = last.x + event.x;
    const y = last.y + event.y;
    if (Math.abs(x) <= MAX_DISTANCE && Math.abs(y) <= MAX_DISTANCE) {
      waiting[waiting.length - 1] = { kind: 'motion', x, y };
      return;
    }
  }
  waiting.push(event);
  void send();
}

function press(code: KeyCode): void {
  // Linux repeats keys by itself.
  if (held.has(code)) return;
  held.add(code);
  add({ kind: 'key', code, down: true });
}

function lift(code: KeyCode): void {
  if (held.delete(code)) add({ kind: 'key', code, down: false });
}

/** Whole numbers of what has moved; the rest is told with the next. */
function whole(kind: 'motion' | 'wheel', x: number, y: number): void {
  const [atX, atY] = kind === 'motion' ? (['x', 'y'] as const) : (['wheelX', 'wheelY'] as const);
  rest[atX] += x;
  rest[atY] += y;
  const wholeX = Math.trunc(rest[atX]);
  const wholeY = Math.trunc(rest[atY]);
  if (wholeX === 0 && wholeY === 0) return;
  rest[atX] -= wholeX;
  rest[atY] -= wholeY;
  const limit = (value: number) => Math.max(-MAX_DISTANCE, Math.min(MAX_DISTANCE, value));
  add({ kind, x: limit(wholeX), y: limit(wholeY) });
}

async function lockPointer(): Promise<void> {
  const canvas = pictureCanvas();
  if (document.pointerLockElement === canvas) return;
  try {
    await canvas.requestPointerLock?.();
  } catch {
    // Chromium refuses for a second after Esc has unlocked it; the keyboard is captured anyway, and a click tries again.
  }
}

/** In full screen the browser hands over its own shortcuts too, Esc included; elsewhere it keeps them. */
async function lockKeys(): Promise<void> {
  const { keyboard } = navigator as { keyboard?: { lock?(): Promise<void> } };
  if (document.fullscreenElement !== null) await keyboard?.lock?.().catch(() => {});
}

/** Lends keyboard and mouse to the machine of `device`. */
export async function take(device: number): Promise<void> {
  const canvas = pictureCanvas();
  if (!captured()) {
    await client.call('input.attach', { device });
    held.clear();
    waiting = [];
    rest = { x: 0, y: 0, wheelX: 0, wheelY: 0 };
    canvas.focus({ preventScroll: true });
    // The window's hotkeys keep off.
    canvas.dataset.captured = '';
    capture.setState({ keyboard: true });
  }
  await lockKeys();
  await lockPointer();
}

/** Gives them back; what is held down is released. */
export function release(): void {
  if (!captured()) return;
  capture.setState(FREE);
  delete pictureCanvas().dataset.captured;
  held.clear();
  waiting = [];
  if (document.pointerLockElement === pictureCanvas()) document.exitPointerLock();
  (navigator as { keyboard?: { unlock?(): void } }).keyboard?.unlock?.();
  // Without a connection the lab has released them already.
  client.call('input.detach', {}).catch(() => {});
}

lab.subscribe(({ connection }) => {
  if (connection.kind !== 'connected') release();
});

function onKey(event: KeyboardEvent): void {
  if (!captured()) return;
  const { code } = event;
  if (!isKey(code)) return;
  // Neither the browser's shortcuts nor the panel's.
  event.preventDefault();
  event.stopPropagation();
  if (event.type === 'keyup') {
    lift(code);
    return;
  }
  press(code);
  // The left Alt alone: the right one is AltGr on many keyboards, and some systems say Ctrl with it.
  if (held.has('AltLeft') && (held.has('ControlLeft') || held.has('ControlRight'))) release();
}

/** `device`: whose machine a click lends them to; undefined while there is none. */
export function listen(device: () => number | undefined): () => void {
  const canvas = pictureCanvas();
  const stop = new AbortController();
  const on = { signal: stop.signal };
  const begin = () => {
    const id = device();
    if (id !== undefined) take(id).catch((error) => noticeError('Typing into the machine', error));
  };
  const button = (event: MouseEvent, down: boolean) => {
    if (!capture.getState().mouse) return;
    event.preventDefault();
    const { button } = event;
    const name = `button ${button}`;
    if (button >= MOUSE_BUTTONS || held.has(name) === down) return;
    if (down) held.add(name);
    else held.delete(name);
    add({ kind: 'button', button, down });
  };
  for (const type of ['keydown', 'keyup'] as const) canvas.addEventListener(type, onKey, on);
  canvas.addEventListener(
    'keydown',
    (event) => {
      if (captured() || event.key !== 'Enter' || event.repeat || device() === undefined) return;
      event.preventDefault();
      begin();
    },
    on,
  );
  canvas.addEventListener(
    'mousedown',
    (event) => {
      if (event.button === 0 && !capture.getState().mouse) begin();
      else button(event, true);
    },
    on,
  );
  document.addEventListener('mouseup', (event) => button(event, false), on);
  canvas.addEventListener(
    'mousemove',
    (event) => {
      if (capture.getState().mouse) whole('motion', event.movementX, event.movementY);
    },
    on,
  );
  canvas.addEventListener(
    'wheel',
    (event) => {
      if (!capture.getState().mouse) return;
      event.preventDefault();
      const notch = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? NOTCH : 1;
      whole('wheel', event.deltaX / notch, event.deltaY / notch);
    },
    { passive: false, ...on },
  );
  canvas.addEventListener(
    'contextmenu',
    (event) => {
      if (captured()) event.preventDefault();
    },
    on,
  );
  canvas.addEventListener('blur', release, on);
  window.addEventListener('blur', release, on);
  document.addEventListener(
    'pointerlockchange',
    () => {
      const mouse = document.pointerLockElement === canvas;
      const before = capture.getState();
      if (!before.keyboard) {
        // It was asked for, and came after Ctrl+Alt.
        if (mouse) document.exitPointerLock();
        return;
      }
      if (mouse === before.mouse) return;
      capture.setState({ mouse });
      if (mouse || !document.hasFocus() || document.activeElement !== canvas) return;
      // The browser kept an Esc to unlock the pointer, which was meant for the machine.
      for (const name of [...held]) {
        if (!name.startsWith('button ')) continue;
        held.delete(name);
        add({ kind: 'button', button: Number(name.slice(7)), down: false });
      }
      press('Escape');
      lift('Escape');
    },
    on,
  );
  document.addEventListener('fullscreenchange', () => captured() && void lockKeys(), on);
  return () => {
    stop.abort();
    release();
  };
}
