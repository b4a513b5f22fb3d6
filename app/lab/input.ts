/** What one window's keyboard and mouse say, on its way to the machine where a device is. */
import { type InputEvent, KEY_CODES } from '#contract/input.ts';
import { LabError } from '../hosts/errors.ts';
import type { MachineEvent, MachineInput } from '../hosts/host.ts';
import { Button, EventKind, Relative } from '../hosts/input-codes.ts';

/** By `MouseEvent.button`. */
const BUTTONS = [Button.left, Button.middle, Button.right, Button.side, Button.extra];
const isButton = (code: number) => code >= Button.left;

export class WindowInput {
  #device = 0;
  #machine: MachineInput | undefined;
  /** Keys and buttons that this window holds down. */
  readonly #held = new Set<number>();

  attach(device: number, machine: MachineInput): void {
    this.detach();
    this.#device = device;
    this.#machine = machine;
  }

  /** Releases what is held. */
  detach(): void {
    const machine = this.#machine;
    this.#machine = undefined;
    const up = [...this.#held].map((code): MachineEvent => [EventKind.key, code, 0]);
    this.#held.clear();
    const keys = up.filter(([, code]) => !isButton(code));
    const buttons = up.filter(([, code]) => isButton(code));
    if (keys.length > 0) machine?.keyboard(keys);
    if (buttons.length > 0) machine?.mouse(buttons);
  }

  /** The device is gone, and its keyboard and mouse with it: there is nothing left to release. */
  deviceGone(device: number): void {
    if (device !== this.#device) return;
    this.#machine = undefined;
    this.#held.clear();
  }

  send(events: readonly InputEvent[]): void {
    const machine = this.#machine;
    if (machine === undefined) {
      throw new LabError(
        'INPUT_DETACHED',
        'This window is not attached to a machine: the device may be gone.',
        'Attach it with input.attach first.',
      );
    }
    let keys: MachineEvent[] = [];
    let mouse: MachineEvent[] = [];
    const flush = () => {
      if (keys.length > 0) machine.keyboard(keys);
      if (mouse.length > 0) machine.mouse(mouse);
      keys = [];
      mouse = [];
    };
    for (const event of events) {
      if (event.kind === 'motion') {
        mouse.push([EventKind.relative, Relative.x, event.x], [EventKind.relative, Relative.y, event.y]);
        continue;
      }
      if (event.kind === 'wheel') {
        // Linux counts away from the person.
        mouse.push(
          [EventKind.relative, Relative.wheelX, event.x],
          [EventKind.relative, Relative.wheelY, -event.y],
        );
        continue;
      }
      // Each press and release is a report of its own: within one, they would be one moment.
      flush();
      const code = event.kind === 'key' ? KEY_CODES[event.code] : BUTTONS[event.button]!;
      if (event.down === this.#held.has(code)) continue;
      if (event.down) this.#held.add(code);
      else this.#held.delete(code);
      (event.kind === 'key' ? keys : mouse).push([EventKind.key, code, event.down ? 1 : 0]);
      flush();
    }
    flush();
  }
}
