/** What each BAR word was last seen to hold, so that a trace row can show which bits an access changed. */
import type { BarMemory, DeviceDescription } from '#devices/sdk/device.ts';

/** Larger BARs (framebuffers) are not followed. */
const MAX_SHADOW_BYTES = 1 << 20;

export class RegisterShadow {
  readonly #bars: (Uint32Array | undefined)[] = [];
  /** The value before the last {@link exchange}. */
  previousLow = 0;
  previousHigh = 0;

  constructor(description: DeviceDescription, memory: BarMemory) {
    for (const { index, size } of description.bars) {
      if (size > MAX_SHADOW_BYTES) continue;
      const words = new Uint32Array(size / 4);
      memory.readBytes(index, 0, new Uint8Array(words.buffer));
      this.#bars[index] = words;
    }
  }

  /** Remembers the value; true when {@link previousLow} and {@link previousHigh} hold the one before it. */
  exchange(bar: number, offset: number, width: number, low: number, high: number): boolean {
    const words = this.#bars[bar];
    const word = offset >>> 2;
    if (words === undefined || word >= words.length) return false;
    this.previousHigh = 0;
    if (width >= 4) {
      if ((offset & 3) !== 0) return false;
      this.previousLow = words[word]!;
      words[word] = low;
      if (width === 8) {
        if (word + 1 >= words.length) return false;
        this.previousHigh = words[word + 1]!;
        words[word + 1] = high;
      }
      return true;
    }
    const shift = (offset & 3) * 8;
    const mask = (1 << (width * 8)) - 1;
    if (shift + width * 8 > 32) return false;
    this.previousLow = (words[word]! >>> shift) & mask;
    words[word] = (words[word]! & ~(mask << shift)) | ((low & mask) << shift);
    return true;
  }
}
