/**
 * What each BAR word was last seen to hold, so that a trace row can show which bits an access changed. A write counts as the
 * register takes it: read-only bits stay, write-1-to-clear and self-clearing ones go.
 */
import type { BarMemory, DeviceDescription } from '#devices/sdk/device.ts';
import { afterWrite } from '#devices/sdk/register-map.ts';

/** Larger BARs (framebuffers) are not followed. */
const MAX_SHADOW_BYTES = 1 << 20;

interface Words {
  readonly values: Uint32Array;
  /** Of the registers there. */
  readonly writable: Uint32Array;
  readonly writeOneToClear: Uint32Array;
  readonly selfClearing: Uint32Array;
}

/** Bytes `offset` to `offset + width` of `words` become those of `bits`. */
function put(words: Uint32Array, offset: number, width: number, bits: bigint): void {
  const bytes = new Uint8Array(words.buffer);
  for (let at = 0; at < width; at++) bytes[offset + at] = Number((bits >> BigInt(8 * at)) & 0xffn);
}

export class RegisterShadow {
  readonly #bars: (Words | undefined)[] = [];
  /** The value before the last {@link exchange}. */
  previousLow = 0;
  previousHigh = 0;

  constructor(description: DeviceDescription, memory: BarMemory) {
    for (const { index, size, registers } of description.bars) {
      if (size > MAX_SHADOW_BYTES) continue;
      const values = new Uint32Array(size / 4);
      memory.readBytes(index, 0, new Uint8Array(values.buffer));
      // Where there is no register, a write is what is there.
      const writable = new Uint32Array(size / 4).fill(0xffff_ffff);
      const writeOneToClear = new Uint32Array(size / 4);
      const selfClearing = new Uint32Array(size / 4);
      for (const register of registers) {
        const { offset, width } = register;
        put(writable, offset, width, register.writable);
        put(writeOneToClear, offset, width, register.writeOneToClear ?? 0n);
        put(selfClearing, offset, width, register.selfClearing ?? 0n);
      }
      this.#bars[index] = { values, writable, writeOneToClear, selfClearing };
    }
  }

  /** Remembers an access; true when {@link previousLow} and {@link previousHigh} hold the value before it. */
  exchange(bar: number, offset: number, width: number, low: number, high: number, write: boolean): boolean {
    const words = this.#bars[bar];
    const word = offset >>> 2;
    if (words === undefined || word >= words.values.length) return false;
    this.previousHigh = 0;
    if (width >= 4) {
      if ((offset & 3) !== 0) return false;
      this.previousLow = words.values[word]!;
      if (width === 8) {
        if (word + 1 >= words.values.length) return false;
        this.previousHigh = words.values[word + 1]!;
        this.#take(words, word + 1, high, -1, write);
      }
      this.#take(words, word, low, -1, write);
      return true;
    }
    const shift = (offset & 3) * 8;
    const mask = (1 << (width * 8)) - 1;
    if (shift + width * 8 > 32) return false;
    this.previousLow = (words.values[word]! >>> shift) & mask;
    this.#take(words, word, (low & mask) << shift, mask << shift, write);
    return true;
  }

  /** An access of those bits of a word that `mask` has. */
  #take(words: Words, word: number, value: number, mask: number, write: boolean): void {
    const { values, writable, writeOneToClear, selfClearing } = words;
    const before = values[word]!;
    const now = write
      ? afterWrite(before, value, writable[word]!, writeOneToClear[word]!) & ~selfClearing[word]!
      : value;
    values[word] = (before & ~mask) | (now & mask);
  }
}
