import { configMet } from '#contract/config-names.ts';
import type { WireBar, WireConfigRegister, WireDescription, WireRegister } from '#contract/devices.ts';

export interface RegisterHit {
  readonly register: WireRegister;
  /** Bytes from the register's start: 4 in the upper half of an 8-byte register. */
  readonly delta: number;
}

/** Finds the register that an access met. */
export class RegisterIndex {
  readonly description: WireDescription;
  readonly #bars = new Map<number, readonly WireRegister[]>();

  constructor(description: WireDescription) {
    this.description = description;
    for (const bar of description.bars) {
      this.#bars.set(
        bar.index,
        [...bar.registers].sort((a, b) => a.offset - b.offset),
      );
    }
  }

  bar(index: number): WireBar | undefined {
    return this.description.bars.find((bar) => bar.index === index);
  }

  /** The registers of configuration space that an access meets, the lowest first. */
  config(offset: number, length: number): readonly WireConfigRegister[] {
    return configMet(this.description.config, offset, length);
  }

  find(bar: number, offset: number): RegisterHit | undefined {
    const registers = this.#bars.get(bar);
    if (registers === undefined) return undefined;
    let low = 0;
    let high = registers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (registers[middle]!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    const register = registers[low - 1];
    if (register === undefined || offset >= register.offset + register.width) return undefined;
    return { register, delta: offset - register.offset };
  }
}
