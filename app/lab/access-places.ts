/** Where the last accesses of a device went, by their number: a transfer tells which register it was asked for by. */

/** A power of two. */
const KEPT = 4096;
/** One number for a BAR and an offset in it. */
const BAR = 2 ** 44;
/** As BAR: configuration space. */
export const CONFIG_PLACE = 7;
export const NO_PLACE = -1;

export class AccessPlaces {
  readonly #numbers = new Uint32Array(KEPT);
  readonly #places = new Float64Array(KEPT);

  note(access: number, bar: number, offset: number): void {
    const slot = access & (KEPT - 1);
    this.#numbers[slot] = access;
    this.#places[slot] = bar * BAR + offset;
  }

  /** {@link NO_PLACE}: none, or too long ago. */
  of(access: number): number {
    const slot = access & (KEPT - 1);
    return access !== 0 && this.#numbers[slot] === access ? this.#places[slot]! : NO_PLACE;
  }
}

export function placeOf(place: number): { bar: number | 'config'; offset: number } | undefined {
  if (place === NO_PLACE) return undefined;
  const bar = Math.floor(place / BAR);
  return { bar: bar === CONFIG_PLACE ? 'config' : bar, offset: place % BAR };
}
