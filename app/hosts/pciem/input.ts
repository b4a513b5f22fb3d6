/** A keyboard and a mouse on this machine, made with uinput. */
import { KEY_CODES, MOUSE_BUTTONS } from '#contract/input.ts';
import { InputDevice } from '#native';
import type { MachineEvent, MachineInput } from '../host.ts';
import { Button, Relative } from '../input-codes.ts';
import { explained } from './port.ts';

function create(name: string, keys: readonly number[], relative: readonly number[]): InputDevice {
  return explained('No keyboard and mouse can be made on this machine', () => {
    const device = new InputDevice();
    try {
      device.create(name, Float64Array.from(keys), Float64Array.from(relative));
    } catch (error) {
      device.close();
      throw error;
    }
    return device;
  });
}

/** Two devices, as programs expect: one that types, and one that points. */
export function openMachineInput(name: string): MachineInput {
  const keyboard = create(`${name} keyboard`, Object.values(KEY_CODES), []);
  let mouse: InputDevice;
  try {
    const buttons = Array.from({ length: MOUSE_BUTTONS }, (_, button) => Button.left + button);
    mouse = create(`${name} mouse`, buttons, Object.values(Relative));
  } catch (error) {
    keyboard.close();
    throw error;
  }
  const emit = (device: InputDevice, events: readonly MachineEvent[]) =>
    explained('The keyboard and mouse cannot be used', () => device.emit(Float64Array.from(events.flat())));
  return {
    keyboard: (events) => emit(keyboard, events),
    mouse: (events) => emit(mouse, events),
    close: () => {
      keyboard.close();
      mouse.close();
    },
  };
}
