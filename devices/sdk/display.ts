/**
 * A display adapter's picture, in memory that may be shared between threads: the device writes it, anybody reads it. It
 * lies there in the adapter's own format, as the driver's memory has it, so that DMA can put it there; whoever looks at
 * it converts what is looked at. What was written is known by tile: each carries the sequence number of the picture that
 * wrote it last, so that any number of readers can each ask for what is new to them, and the device need not know them.
 */

/** How pixels lie in memory; the bytes of one from the lowest address up. */
export const PixelFormat = {
  /** Red, green, blue. */
  RGB24: 0,
  /** Blue, green, red, anything. */
  XRGB8888: 1,
  /** 16 bits, red in the highest five. */
  RGB565: 2,
  /** A number in the palette. */
  PALETTE8: 3,
} as const;
/** By number of the format. */
export const PIXEL_FORMAT_NAMES = ['RGB24', 'XRGB8888', 'RGB565', 'PALETTE8'] as const;
export const PIXEL_BYTES: readonly number[] = [3, 4, 2, 1];
export const PALETTE_COLORS = 256;
/** Of the cursor, each way. */
export const MAX_CURSOR = 64;

/** What a model draws on. Colours are red, green, blue, 255 from the lowest byte up. */
export interface Display {
  readonly width: number;
  readonly height: number;
  /** Bytes from a row to the next. */
  readonly pitch: number;
  /** One of {@link PixelFormat}. */
  readonly format: number;
  /** Pictures finished so far. */
  readonly frames: number;
  /** The picture's memory. What is written there between {@link begin} and {@link end} is told to {@link changed}. */
  readonly bytes: Uint8Array;
  /** Another size or format, all zeroes. Not within a picture. */
  setMode(width: number, height: number, pitch: number, format: number): void;
  /** A picture begins: readers wait for {@link end}. */
  begin(): void;
  /** These pixels, which are within the picture, were written. */
  changed(x: number, y: number, width: number, height: number): void;
  color(entry: number): number;
  setColor(entry: number, color: number): void;
  /** An image of premultiplied ARGB8888, blue in the lowest byte, without padding. Shown above the picture. */
  setCursorImage(bytes: Uint8Array, width: number, height: number): void;
  /** Where its corner is, which may be outside. */
  moveCursor(on: boolean, x: number, y: number): void;
  /** The picture is whole. `frame` false: it is the one before, with something moved over it. */
  end(frame: boolean): void;
}

export interface DisplayLimits {
  readonly maxWidth: number;
  readonly maxHeight: number;
  /** Bytes of the longest row; by default that of the widest picture. */
  readonly maxPitch?: number;
}

export const TILE_WIDTH = 64;
export const TILE_HEIGHT = 16;
export const BLACK = 0xff00_0000;

const Word = {
  sequence: 0,
  writing: 1,
  width: 2,
  height: 3,
  frames: 4,
  armed: 5,
  pitch: 6,
  format: 7,
  /** Pictures that changed these last. */
  palette: 8,
  cursorImage: 9,
  cursorOn: 10,
  cursorX: 11,
  cursorY: 12,
  cursorWidth: 13,
  cursorHeight: 14,
} as const;
const HEAD_BYTES = 64;
const PALETTE_BYTES = PALETTE_COLORS * 4;
const CURSOR_BYTES = MAX_CURSOR * MAX_CURSOR * 4;

const columnsOf = (width: number): number => Math.ceil(width / TILE_WIDTH);
const rowsOf = (height: number): number => Math.ceil(height / TILE_HEIGHT);
const tileBytes = ({ maxWidth, maxHeight }: DisplayLimits): number =>
  (columnsOf(maxWidth) * rowsOf(maxHeight) * 4 + 63) & ~63;
const pixelBytes = ({ maxWidth, maxHeight, maxPitch = maxWidth * 4 }: DisplayLimits): number =>
  maxPitch * maxHeight;

/** Bytes of memory for pictures within the limits. */
export function displayBytes(limits: DisplayLimits): number {
  return HEAD_BYTES + PALETTE_BYTES + CURSOR_BYTES + tileBytes(limits) + pixelBytes(limits);
}

/** Part of a picture, in pixels. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export class DisplayMemory implements Display {
  readonly #limits: DisplayLimits;
  readonly #head: Int32Array;
  readonly #palette: Int32Array;
  readonly #tiles: Int32Array;
  readonly cursorImage: Uint8Array;
  readonly bytes: Uint8Array;
  #columns: number;
  #next = 0;
  #changed = false;
  /** Called by {@link end} when a reader asked to hear of the next change. */
  onChange: () => void = () => {};

  /** `start`: where it begins in `memory`, in bytes; a multiple of 8. */
  constructor(memory: ArrayBufferLike, limits: DisplayLimits, start = 0) {
    let at = start + HEAD_BYTES;
    const take = (bytes: number): number => {
      const from = at;
      at += bytes;
      return from;
    };
    this.#limits = limits;
    this.#head = new Int32Array(memory, start, HEAD_BYTES / 4);
    this.#palette = new Int32Array(memory, take(PALETTE_BYTES), PALETTE_COLORS);
    this.cursorImage = new Uint8Array(memory, take(CURSOR_BYTES), CURSOR_BYTES);
    const tiles = tileBytes(limits);
    this.#tiles = new Int32Array(memory, take(tiles), tiles / 4);
    const pixels = pixelBytes(limits);
    this.bytes = new Uint8Array(memory, take(pixels), pixels);
    this.#columns = columnsOf(this.width);
  }

  get width(): number {
    return Atomics.load(this.#head, Word.width);
  }

  get height(): number {
    return Atomics.load(this.#head, Word.height);
  }

  get pitch(): number {
    return Atomics.load(this.#head, Word.pitch);
  }

  get format(): number {
    return Atomics.load(this.#head, Word.format);
  }

  get frames(): number {
    return Atomics.load(this.#head, Word.frames);
  }

  // The device's side.

  setMode(width: number, height: number, pitch: number, format: number): void {
    if (!this.#fit(width, height, pitch, format))
      throw new RangeError(`a picture of ${width} x ${height}, format ${format}, does not fit`);
    this.begin();
    this.#columns = columnsOf(width);
    Atomics.store(this.#head, Word.width, width);
    Atomics.store(this.#head, Word.height, height);
    Atomics.store(this.#head, Word.pitch, pitch);
    Atomics.store(this.#head, Word.format, format);
    this.bytes.fill(0, 0, pitch * height);
    this.changed(0, 0, width, height);
    this.end(false);
  }

  #fit(width: number, height: number, pitch: number, format: number): boolean {
    const { maxWidth, maxHeight } = this.#limits;
    return (
      width >= 1 &&
      height >= 1 &&
      width <= maxWidth &&
      height <= maxHeight &&
      pitch >= width * (PIXEL_BYTES[format] ?? Number.POSITIVE_INFINITY) &&
      pitch * height <= this.bytes.length
    );
  }

  begin(): void {
    Atomics.add(this.#head, Word.writing, 1);
    this.#next = Atomics.load(this.#head, Word.sequence) + 1;
    this.#changed = false;
  }

  changed(x: number, y: number, width: number, height: number): void {
    this.#changed = true;
    const first = Math.floor(x / TILE_WIDTH);
    const last = Math.floor((x + width - 1) / TILE_WIDTH);
    const end = Math.floor((y + height - 1) / TILE_HEIGHT);
    for (let row = Math.floor(y / TILE_HEIGHT); row <= end; row++) {
      const at = row * this.#columns;
      for (let column = first; column <= last; column++) this.#tiles[at + column] = this.#next;
    }
  }

  color(entry: number): number {
    return this.#palette[entry]! >>> 0;
  }

  setColor(entry: number, color: number): void {
    this.begin();
    this.#palette[entry] = color;
    Atomics.store(this.#head, Word.palette, this.#next);
    this.#changed = true;
    this.end(false);
  }

  setCursorImage(bytes: Uint8Array, width: number, height: number): void {
    this.begin();
    this.cursorImage.set(bytes.subarray(0, width * height * 4));
    Atomics.store(this.#head, Word.cursorWidth, width);
    Atomics.store(this.#head, Word.cursorHeight, height);
    Atomics.store(this.#head, Word.cursorImage, this.#next);
    this.#changed = true;
    this.end(false);
  }

  moveCursor(on: boolean, x: number, y: number): void {
    const before = this.cursor;
    if (on === before.on && (!on || (x === before.x && y === before.y))) return;
    this.begin();
    Atomics.store(this.#head, Word.cursorOn, on ? 1 : 0);
    Atomics.store(this.#head, Word.cursorX, x);
    Atomics.store(this.#head, Word.cursorY, y);
    this.#changed = true;
    this.end(false);
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

  /** Whether size and format, as they are now, are of a picture that can be there. */
  get fits(): boolean {
    const { width, height } = this.cursor;
    const known = width >= 0 && height >= 0 && width <= MAX_CURSOR && height <= MAX_CURSOR;
    return known && this.#fit(this.width, this.height, this.pitch, this.format);
  }

  /** Picture that changed the palette last. */
  get paletteSequence(): number {
    return Atomics.load(this.#head, Word.palette);
  }

  /** The cursor; `image` is the picture that changed its image last. */
  get cursor(): Rectangle & { readonly on: boolean; readonly image: number } {
    const head = this.#head;
    return {
      on: Atomics.load(head, Word.cursorOn) !== 0,
      x: Atomics.load(head, Word.cursorX),
      y: Atomics.load(head, Word.cursorY),
      width: Atomics.load(head, Word.cursorWidth),
      height: Atomics.load(head, Word.cursorHeight),
      image: Atomics.load(head, Word.cursorImage),
    };
  }

  /** Asks for {@link onChange}, once. The reader looks at {@link sequence} again afterwards. */
  arm(): void {
    Atomics.store(this.#head, Word.armed, 1);
  }

  /** Parts that were written after picture `since`: runs of tiles, those that lie under each other joined. */
  changedSince(since: number): Rectangle[] {
    const columns = columnsOf(this.width);
    return this.joinTiles((column, row) => this.#tiles[row * columns + column]! > since);
  }

  /** The tiles that `holds` is true of, asked for row by row from the left: runs, those that lie under each other joined. */
  joinTiles(holds: (column: number, row: number) => boolean): Rectangle[] {
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
        if (!holds(column, row)) continue;
        const first = column;
        while (column + 1 < columns && holds(column + 1, row)) column++;
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
        column++;
      }
      above = here;
    }
    return found;
  }
}
