/** Hands out parts of shared memory to display adapters. */
import type { MemoryPlace } from '../hosts/shared-memory.ts';

const PAGE = 4096;

export class PicturePool {
  readonly #file: string;
  readonly #size: number;
  /** By offset, ascending. */
  #taken: MemoryPlace[] = [];
  /** Where the last one ended: what was given back rests, as somebody may still look at it. */
  #next = 0;

  constructor(file: string, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Undefined when there is no room. */
  take(bytes: number): MemoryPlace | undefined {
    const length = Math.ceil(bytes / PAGE) * PAGE;
    const offset = this.#find(length, this.#next) ?? this.#find(length, 0);
    if (offset === undefined) return undefined;
    const place = { file: this.#file, offset, length };
    this.#taken = [...this.#taken, place].sort((a, b) => a.offset - b.offset);
    this.#next = offset + length;
    return place;
  }

  giveBack(place: MemoryPlace): void {
    this.#taken = this.#taken.filter((one) => one !== place);
  }

  #find(length: number, from: number): number | undefined {
    let at = from;
    for (const { offset, length: taken } of this.#taken) {
      if (offset + taken <= at) continue;
      if (at + length <= offset) break;
      at = offset + taken;
    }
    return at + length <= this.#size ? at : undefined;
  }
}
