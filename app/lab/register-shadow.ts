/**
 * What each BAR word was last seen to hold, so that a trace row can show which bits an access changed. A write counts as the
 * register takes it: read-only bits stay, write-1-to-clear and self-clearing ones go.
 */
import type { BarMemory, DeviceDescription } from '#devices/sdk/device.ts';

/** Larger BARs (framebuffers) are not followed. */
const MAX_SHADOW_BYTES = 1 << 20;

interface Words {
  readonly values: Uint32Array;
  /** Bits that a write sets to what was written. */
  readonly stored: Uint32Array;
  /** Bits that a write leaves; of these, `cleared` are cleared by writing 1. */
  readonly kept: Uint32Array;
  readonly cleared: Uint32Array;
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
      const stored = new Uint32Array(size / 4).fill(0xffff_ffff);
      const kept = new Uint32Array(size / 4);
      const cleared = new Uint32Array(size / 4);
      for (const { offset, width, writable, writeOneToClear = 0n, selfClearing = 0n } of registers) {
        put(stored, offset, width, writable & ~selfClearing);
        put(kept, offset, width, ~(writable | selfClearing));
        put(cleared, offset, width, writeOneToClear);
      }
      this.#bars[index] = { values, stored, kept, cleared };
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
  #take({ values, stored, kept, cleared }: Words, word: number, value: number, mask: number, write: boolean) {
    const before = values[word]!;
    const now = write ? (before & kept[word]! & ~(value & cleared[word]!)) | (value & stored[word]!) : value;
    values[word] = (before & ~mask) | (now & mask);
  }
}
