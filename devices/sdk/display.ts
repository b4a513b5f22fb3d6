/**
 * A display adapter's picture, in memory that may be shared between threads: the device writes it, anybody reads it.
 * What changed is known by tile: each carries the sequence number of the picture that changed it last, so that any
 * number of readers can each ask for what is new to them, and the device need not know them.
 */

/** What a model draws on. Pixels are red, green, blue, 255 from the lowest byte up. */
export interface Display {
  readonly width: number;
  readonly height: number;
  /** Pictures finished so far. */
  readonly frames: number;
  /** Another size, all black. Not within a picture. */
  setMode(width: number, height: number): void;
  /** A picture begins: readers wait for {@link end}. */
  begin(): void;
  /** `count` pixels from `at` of `line`; the place is within the picture. */
  putRow(x: number, y: number, line: Int32Array, at: number, count: number): void;
  put(x: number, y: number, pixel: number): void;
  get(x: number, y: number): number;
  /** The picture is whole. `frame` false: it is the one before, with something moved over it. */
  end(frame: boolean): void;
}

export const TILE_WIDTH = 64;
export const TILE_HEIGHT = 16;
export const BLACK = 0xff00_0000;

const Word = { sequence: 0, writing: 1, width: 2, height: 3, frames: 4, armed: 5 } as const;
const HEAD_BYTES = 64;

const columnsOf = (width: number): number => Math.ceil(width / TILE_WIDTH);
const rowsOf = (height: number): number => Math.ceil(height / TILE_HEIGHT);
const tileBytes = (width: number, height: number): number =>
  (columnsOf(width) * rowsOf(height) * 4 + 63) & ~63;

/** Bytes of memory for pictures of at most that size. */
export function displayBytes(maxWidth: number, maxHeight: number): number {
  return HEAD_BYTES + tileBytes(maxWidth, maxHeight) + maxWidth * maxHeight * 4;
}

/** Part of a picture, in pixels. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export class DisplayMemory implements Display {
  readonly #head: Int32Array;
  readonly #tiles: Int32Array;
  readonly #pixels: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #maxWidth: number;
  readonly #maxHeight: number;
  #width: number;
  #columns: number;
  #next = 0;
  #changed = false;
  /** Called by {@link end} when a reader asked to hear of the next change. */
  onChange: () => void = () => {};

  constructor(memory: ArrayBufferLike, maxWidth: number, maxHeight: number) {
    const tiles = tileBytes(maxWidth, maxHeight);
    this.#maxWidth = maxWidth;
    this.#maxHeight = maxHeight;
    this.#head = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.#tiles = new Int32Array(memory, HEAD_BYTES, tiles / 4);
    this.#pixels = new Int32Array(memory, HEAD_BYTES + tiles, maxWidth * maxHeight);
    this.#bytes = new Uint8Array(memory, HEAD_BYTES + tiles, maxWidth * maxHeight * 4);
    this.#width = this.width;
    this.#columns = columnsOf(this.#width);
  }

  get width(): number {
    return Atomics.load(this.#head, Word.width);
  }

  get height(): number {
    return Atomics.load(this.#head, Word.height);
  }

  get frames(): number {
    return Atomics.load(this.#head, Word.frames);
  }

  // The device's side.

  setMode(width: number, height: number): void {
    if (width < 1 || height < 1 || width > this.#maxWidth || height > this.#maxHeight)
      throw new RangeError(`a picture of ${width} x ${height} does not fit`);
    this.begin();
    this.#width = width;
    this.#columns = columnsOf(width);
    Atomics.store(this.#head, Word.width, width);
    Atomics.store(this.#head, Word.height, height);
    this.#pixels.fill(BLACK, 0, width * height);
    this.#tiles.fill(this.#next);
    this.#changed = true;
    this.end(false);
  }

  begin(): void {
    Atomics.add(this.#head, Word.writing, 1);
    this.#next = Atomics.load(this.#head, Word.sequence) + 1;
    this.#changed = false;
  }

  putRow(x: number, y: number, line: Int32Array, at: number, count: number): void {
    const pixels = this.#pixels;
    const row = y * this.#width;
    const tileRow = Math.floor(y / TILE_HEIGHT) * this.#columns;
    const end = x + count;
    let from = at;
    for (let left = x; left < end; ) {
      const column = Math.floor(left / TILE_WIDTH);
      const right = Math.min(end, (column + 1) * TILE_WIDTH);
      let different = 0;
      for (let to = row + left; to < row + right; to++, from++) {
        const pixel = line[from]!;
        different |= pixels[to]! ^ pixel;
        pixels[to] = pixel;
      }
      if (different !== 0) {
        this.#tiles[tileRow + column] = this.#next;
        this.#changed = true;
      }
      left = right;
    }
  }

  put(x: number, y: number, pixel: number): void {
    const at = y * this.#width + x;
    if (this.#pixels[at] === (pixel | 0)) return;
    this.#pixels[at] = pixel;
    this.#tiles[Math.floor(y / TILE_HEIGHT) * this.#columns + Math.floor(x / TILE_WIDTH)] = this.#next;
    this.#changed = true;
  }

  get(x: number, y: number): number {
    return this.#pixels[y * this.#width + x]! >>> 0;
  }

  end(frame: boolean): void {
    if (frame) Atomics.add(this.#head, Word.frames, 1);
    if (this.#changed) Atomics.store(this.#head, Word.sequence, this.#next);
    Atomics.add(this.#head, Word.writing, 1);
    if (this.#changed && Atomics.exchange(this.#head, Word.armed, 0) === 1) this.onChange();
  }

  // A reader's side.

  /** Of the newest picture; 0 before the first. */
  get sequence(): number {
    return Atomics.load(this.#head, Word.sequence);
  }

  /** Odd while a picture is being drawn; what was read is whole when it is even, and the same before and after. */
  get writing(): number {
    return Atomics.load(this.#head, Word.writing);
  }

  /** Asks for {@link onChange}, once. The reader looks at {@link sequence} again afterwards. */
  arm(): void {
    Atomics.store(this.#head, Word.armed, 1);
  }

  /** Parts that changed after picture `since`: runs of tiles, those that lie under each other joined. */
  changedSince(since: number): Rectangle[] {
    const { width, height } = this;
    const columns = columnsOf(width);
    const found: { x: number; y: number; width: number; height: number }[] = [];
    /** Runs of the row of tiles above, that may go on. */
    let above: typeof found = [];
    for (let row = 0; row < rowsOf(height); row++) {
      const y = row * TILE_HEIGHT;
      const tall = Math.min(TILE_HEIGHT, height - y);
      const here: typeof found = [];
      for (let column = 0; column < columns; column++) {
        if (this.#tiles[row * columns + column]! <= since) continue;
        const first = column;
        while (column + 1 < columns && this.#tiles[row * columns + column + 1]! > since) column++;
        const x = first * TILE_WIDTH;
        const wide = Math.min(width, (column + 1) * TILE_WIDTH) - x;
        const joined = above.find((run) => run.x === x && run.width === wide);
        if (joined === undefined) {
          const run = { x, y, width: wide, height: tall };
          found.push(run);
          here.push(run);
        } else {
          joined.height += tall;
          here.push(joined);
        }
      }
      above = here;
    }
    return found;
  }

  /** Copies a part, row by row, four bytes a pixel; returns the place after it. */
  copy(part: Rectangle, width: number, into: Uint8Array, at: number): number {
    const bytes = part.width * 4;
    for (let y = part.y; y < part.y + part.height; y++, at += bytes) {
      const from = (y * width + part.x) * 4;
      into.set(this.#bytes.subarray(from, from + bytes), at);
    }
    return at;
  }
}
