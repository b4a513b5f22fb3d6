import { beforeEach, expect, test } from 'vitest';
import { KEY_CODES } from '#contract/input.ts';
import type { MachineEvent, MachineInput } from '../hosts/host.ts';
import { WindowInput } from './input.ts';

const KEY = 1;
const REL = 2;
let said: string[];
let machine: MachineInput;
let input: WindowInput;

const text = (events: readonly MachineEvent[]) => events.map((event) => event.join(' ')).join(', ');
beforeEach(() => {
  said = [];
  machine = {
    keyboard: (events) => said.push(`keyboard ${text(events)}`),
    mouse: (events) => said.push(`mouse ${text(events)}`),
    close: () => said.push('close'),
  };
  input = new WindowInput();
  input.attach(1, machine);
});

test('keys are the numbers that Linux has for their place', () => {
  // linux/input-event-codes.h: KEY_ESC, KEY_A, KEY_ENTER, KEY_LEFTCTRL, KEY_SPACE, KEY_F12, KEY_RIGHTCTRL, KEY_UP, KEY_DOWN.
  expect(
    (
      [
        'Escape',
        'KeyA',
        'Enter',
        'ControlLeft',
        'Space',
        'F12',
        'ControlRight',
        'ArrowUp',
        'ArrowDown',
      ] as const
    ).map((code) => KEY_CODES[code]),
  ).toEqual([1, 30, 28, 29, 57, 88, 97, 103, 108]);
  const numbers = Object.values(KEY_CODES);
  expect(new Set(numbers).size).toBe(numbers.length);
});

test('a press and a release in one call are two reports, in order', () => {
  input.send([
    { kind: 'key', code: 'KeyA', down: true },
    { kind: 'key', code: 'KeyA', down: false },
  ]);
  expect(said).toEqual([`keyboard ${KEY} 30 1`, `keyboard ${KEY} 30 0`]);
});

test('a press that is repeated, or a release of what is up, is not told', () => {
  input.send([{ kind: 'key', code: 'KeyA', down: false }]);
  input.send([{ kind: 'key', code: 'KeyA', down: true }]);
  input.send([{ kind: 'key', code: 'KeyA', down: true }]);
  expect(said).toEqual([`keyboard ${KEY} 30 1`]);
});

test('the mouse moves, clicks in the order of its buttons, and its wheel turns away from the person', () => {
  input.send([
    { kind: 'motion', x: 3, y: -4 },
    { kind: 'button', button: 2, down: true },
    { kind: 'wheel', x: 0, y: 1 },
  ]);
  expect(said).toEqual([
    `mouse ${REL} 0 3, ${REL} 1 -4`,
    `mouse ${KEY} ${0x111} 1`,
    `mouse ${REL} 6 0, ${REL} 8 -1`,
  ]);
});

test('what is held is released when the window lets go, and then nothing is', () => {
  input.send([
    { kind: 'key', code: 'ShiftLeft', down: true },
    { kind: 'key', code: 'KeyW', down: true },
    { kind: 'key', code: 'KeyW', down: false },
    { kind: 'button', button: 0, down: true },
  ]);
  said.length = 0;
  input.detach();
  expect(said).toEqual([`keyboard ${KEY} 42 0`, `mouse ${KEY} ${0x110} 0`]);
  input.detach();
  expect(said).toHaveLength(2);
  expect(() => input.send([])).toThrow(/not attached/);
});

test('a device that is gone is told nothing; another one going changes nothing', () => {
  input.send([{ kind: 'key', code: 'KeyA', down: true }]);
  input.deviceGone(2);
  input.send([{ kind: 'key', code: 'KeyB', down: true }]);
  expect(said).toHaveLength(2);
  input.deviceGone(1);
  input.detach();
  expect(said).toHaveLength(2);
  expect(() => input.send([{ kind: 'key', code: 'KeyC', down: true }])).toThrow(
    expect.objectContaining({ code: 'INPUT_DETACHED' }),
  );
});
