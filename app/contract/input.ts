import * as v from 'valibot';
import { deviceId, nothing } from './schemas.ts';

/**
 * Keys by their place, as `KeyboardEvent.code` names them, and the number that Linux has for each
 * (linux/input-event-codes.h).
 */
export const KEY_CODES = {
  Escape: 1,
  Digit1: 2,
  Digit2: 3,
  Digit3: 4,
  Digit4: 5,
  Digit5: 6,
  Digit6: 7,
  Digit7: 8,
  Digit8: 9,
  Digit9: 10,
  Digit0: 11,
  Minus: 12,
  Equal: 13,
  Backspace: 14,
  Tab: 15,
  KeyQ: 16,
  KeyW: 17,
  KeyE: 18,
  KeyR: 19,
  KeyT: 20,
  KeyY: 21,
  KeyU: 22,
  KeyI: 23,
  KeyO: 24,
  KeyP: 25,
  BracketLeft: 26,
  BracketRight: 27,
  Enter: 28,
  ControlLeft: 29,
  KeyA: 30,
  KeyS: 31,
  KeyD: 32,
  KeyF: 33,
  KeyG: 34,
  KeyH: 35,
  KeyJ: 36,
  KeyK: 37,
  KeyL: 38,
  Semicolon: 39,
  Quote: 40,
  Backquote: 41,
  ShiftLeft: 42,
  Backslash: 43,
  KeyZ: 44,
  KeyX: 45,
  KeyC: 46,
  KeyV: 47,
  KeyB: 48,
  KeyN: 49,
  KeyM: 50,
  Comma: 51,
  Period: 52,
  Slash: 53,
  ShiftRight: 54,
  NumpadMultiply: 55,
  AltLeft: 56,
  Space: 57,
  CapsLock: 58,
  F1: 59,
  F2: 60,
  F3: 61,
  F4: 62,
  F5: 63,
  F6: 64,
  F7: 65,
  F8: 66,
  F9: 67,
  F10: 68,
  NumLock: 69,
  ScrollLock: 70,
  Numpad7: 71,
  Numpad8: 72,
  Numpad9: 73,
  NumpadSubtract: 74,
  Numpad4: 75,
  Numpad5: 76,
  Numpad6: 77,
  NumpadAdd: 78,
  Numpad1: 79,
  Numpad2: 80,
  Numpad3: 81,
  Numpad0: 82,
  NumpadDecimal: 83,
  IntlBackslash: 86,
  F11: 87,
  F12: 88,
  IntlRo: 89,
  Convert: 92,
  KanaMode: 93,
  NonConvert: 94,
  NumpadEnter: 96,
  ControlRight: 97,
  NumpadDivide: 98,
  PrintScreen: 99,
  AltRight: 100,
  Home: 102,
  ArrowUp: 103,
  PageUp: 104,
  ArrowLeft: 105,
  ArrowRight: 106,
  End: 107,
  ArrowDown: 108,
  PageDown: 109,
  Insert: 110,
  Delete: 111,
  NumpadEqual: 117,
  Pause: 119,
  NumpadComma: 121,
  Lang1: 122,
  Lang2: 123,
  IntlYen: 124,
  MetaLeft: 125,
  MetaRight: 126,
  ContextMenu: 127,
} as const;
export type KeyCode = keyof typeof KEY_CODES;

/** As `MouseEvent.button` counts: left, middle, right, back, forward. */
export const MOUSE_BUTTONS = 5;
/** Events of one call. */
export const MAX_INPUT_EVENTS = 64;

const down = v.boolean();
const distance = v.pipe(
  v.number('a distance is a number'),
  v.integer('a distance is whole'),
  v.minValue(-32767),
  v.maxValue(32767),
);
const event = v.variant('kind', [
  v.strictObject({
    kind: v.literal('key'),
    code: v.picklist(
      Object.keys(KEY_CODES) as KeyCode[],
      'a key is named as in KeyboardEvent.code, such as "KeyA", and is on a keyboard of 105 keys',
    ),
    down,
  }),
  v.strictObject({
    kind: v.literal('button'),
    button: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MOUSE_BUTTONS - 1)),
    down,
  }),
  /** Pixels, to the right and down. */
  v.strictObject({ kind: v.literal('motion'), x: distance, y: distance }),
  /** Notches, to the right and down. */
  v.strictObject({ kind: v.literal('wheel'), x: distance, y: distance }),
]);
export type InputEvent = v.InferOutput<typeof event>;

export const inputCalls = {
  /** What this window's keyboard and mouse say goes to the machine where this display adapter is, until `input.detach`. */
  'input.attach': v.strictObject({ device: deviceId }),
  /** What is held down is released; so it is when the connection ends, and when the device goes. */
  'input.detach': nothing,
  'input.events': v.strictObject({ events: v.pipe(v.array(event), v.maxLength(MAX_INPUT_EVENTS)) }),
} as const;

export interface InputResults {
  'input.attach': Record<string, never>;
  'input.detach': Record<string, never>;
  'input.events': Record<string, never>;
}
