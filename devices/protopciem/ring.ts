/** Entries of the command ring, 32 bytes each. */
export const ENTRY_BYTES = 32;
const ENTRY_WORDS = ENTRY_BYTES / 4;

export const RingOpcode = {
  /** Only its fence. */
  NOP: 0,
  /** A command buffer: ADDRESS, LENGTH. */
  EXECUTE: 1,
  /** A part of the picture from ADDRESS (of the picture's first pixel): POSITION, SIZE; size 0: the whole picture. */
  UPDATE: 2,
  /** As UPDATE, at the next vertical blank; the ring waits for it. */
  FLIP: 3,
} as const;

/** Flags of an entry. */
export const RingFlag = { INTERRUPT: 1 } as const;

/** Words of an entry. */
const Word = { opcode: 0, fence: 1, addressLow: 2, addressHigh: 3, length: 4, position: 5, size: 6 } as const;

/** One entry at a time, where it lies. */
export class RingEntry {
  private readonly words: Uint32Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  }

  select(index: number): void {
    this.at = index * ENTRY_WORDS;
  }

  get opcode(): number {
    return this.words[this.at + Word.opcode]! & 0xffff;
  }

  get flags(): number {
    return this.words[this.at + Word.opcode]! >>> 16;
  }

  get fence(): number {
    return this.words[this.at + Word.fence]!;
  }

  get addressLow(): number {
    return this.words[this.at + Word.addressLow]!;
  }

  get addressHigh(): number {
    return this.words[this.at + Word.addressHigh]!;
  }

  get length(): number {
    return this.words[this.at + Word.length]!;
  }

  get position(): number {
    return this.words[this.at + Word.position]!;
  }

  get size(): number {
    return this.words[this.at + Word.size]!;
  }
}
