/** What is odd about an access, as far as the device's registers tell: one look-up in a table. */
import { Expert } from '#contract/expert.ts';
import { TraceKind } from '#contract/trace-record.ts';
import type { DeviceDescription } from '#devices/sdk/device.ts';

/** Registers beyond this offset are not looked at. */
const MAX_BYTES = 1 << 20;

export class AccessRules {
  /** By BAR and offset: 1 + number of the register that holds the byte. */
  readonly #at: (Uint32Array | undefined)[] = [];
  readonly #offset: number[] = [];
  readonly #width: number[] = [];
  readonly #readOnly: boolean[] = [];

  constructor(description: DeviceDescription) {
    for (const { index, registers } of description.bars) {
      const known = registers.filter(({ offset, width }) => offset + width <= MAX_BYTES);
      const end = known.reduce((most, { offset, width }) => Math.max(most, offset + width), 0);
      const table = new Uint32Array(end);
      for (const { offset, width, writable, writeOneToClear = 0n } of known) {
        this.#offset.push(offset);
        this.#width.push(width);
        this.#readOnly.push(writable === 0n && writeOneToClear === 0n);
        table.fill(this.#offset.length, offset, offset + width);
      }
      this.#at[index] = table;
    }
  }

  /** {@link Expert} bits of an access. */
  check(kind: number, bar: number, offset: number, width: number): number {
    let bits = offset % width === 0 ? 0 : Expert.unaligned;
    const table = this.#at[bar];
    const number = table === undefined || offset >= table.length ? 0 : table[offset]!;
    if (number === 0) return bits;
    const start = this.#offset[number - 1]!;
    const size = this.#width[number - 1]!;
    // Halves of an 8-byte register are what 32-bit drivers use.
    const neighbour = offset + width - 1 < table!.length ? table![offset + width - 1]! : 0;
    if (width < Math.min(size, 4) || (offset + width > start + size && neighbour !== number))
      bits |= Expert.wrongSize;
    if (kind === TraceKind.mmioWrite && this.#readOnly[number - 1]) bits |= Expert.readOnly;
    return bits;
  }
}
