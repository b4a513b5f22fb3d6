/** The picture of one device on its way to one window: what changed, when it changed, as fast as the window draws. */
import type { DisplayPart, DisplayUpdate } from '#contract/display.ts';
import { Packer } from '#contract/packing.ts';
import {
  type DisplayMemory,
  MAX_CURSOR,
  PALETTE_COLORS,
  PIXEL_BYTES,
  PIXEL_FORMAT_NAMES,
  PixelFormat,
  type Rectangle,
  TILE_HEIGHT,
  TILE_WIDTH,
} from '#devices/sdk/display.ts';
import type { StreamSink } from './stream.ts';

/** Where pictures come from; a device's handle is one. */
export interface DisplaySource {
  readonly display: DisplayMemory;
  /** Calls `listener` when the picture has changed after {@link arm}. */
  onDisplay(listener: () => void): () => void;
  /** Asks to be told, once. Whoever asks looks at the picture again afterwards. */
  arm(): void;
}

/** Updates that may be on their way: while a window draws one, the next is made. */
const MAX_UNDER_WAY = 2;
/** Looks, 1 ms apart, for a picture that is not being drawn on; then a torn one is better than none. */
const TRIES = 4;

const padded = (bytes: number): number => (bytes + 3) & ~3;

/** The picture as the window has it, so that what was written again as it was does not travel. */
class Sent {
  #display: DisplayMemory | undefined;
  #live: Buffer = Buffer.alloc(0);
  #liveWords: Int32Array = new Int32Array(0);
  #bytes: Buffer = Buffer.alloc(0);
  #words = new Int32Array(0);
  #differing = new Uint8Array(0);
  #width = 0;
  #height = 0;
  #pitch = 0;
  #format = 0;

  /** The parts of `display` that the window does not have, of those written after picture `since`. */
  missing(display: DisplayMemory, since: number): Rectangle[] {
    const { width, height } = display;
    if (!this.#like(display)) return [{ x: 0, y: 0, width, height }];
    const columns = Math.ceil(width / TILE_WIDTH);
    this.#differing.fill(0);
    for (const part of display.changedSince(since)) {
      for (let y = part.y; y < part.y + part.height; y += TILE_HEIGHT) this.#compare(part, y, columns);
    }
    return display.joinTiles((column, row) => this.#differing[row * columns + column] !== 0);
  }

  /** The window gets these parts, whose bytes are in `from` from `start` on. */
  take(display: DisplayMemory, parts: readonly Rectangle[], from: Uint8Array, start: number): void {
    if (!this.#like(display)) this.#remember(display);
    const step = PIXEL_BYTES[this.#format]!;
    let at = start;
    for (const { x, y, width, height } of parts) {
      copyRows(
        from,
        at,
        width * step,
        this.#bytes,
        y * this.#pitch + x * step,
        this.#pitch,
        width * step,
        height,
      );
      at += padded(width * height * step);
    }
  }

  forget(): void {
    this.#display = undefined;
  }

  #like(display: DisplayMemory): boolean {
    return (
      display === this.#display &&
      display.width === this.#width &&
      display.height === this.#height &&
      display.pitch === this.#pitch &&
      display.format === this.#format
    );
  }

  #remember(display: DisplayMemory): void {
    const { width, height, pitch, format, bytes } = display;
    this.#display = display;
    this.#width = width;
    this.#height = height;
    this.#pitch = pitch;
    this.#format = format;
    const size = padded(pitch * height);
    this.#live = Buffer.from(bytes.buffer, bytes.byteOffset, size);
    this.#liveWords = new Int32Array(bytes.buffer, bytes.byteOffset, size / 4);
    const memory = new ArrayBuffer(size);
    this.#bytes = Buffer.from(memory);
    this.#words = new Int32Array(memory);
    this.#differing = new Uint8Array(Math.ceil(width / TILE_WIDTH) * Math.ceil(height / TILE_HEIGHT));
  }

  /** Marks the tiles of `part` in the row of tiles at `y` that differ. */
  #compare(part: Rectangle, y: number, columns: number): void {
    const step = PIXEL_BYTES[this.#format]!;
    const end = Math.min(y + TILE_HEIGHT, part.y + part.height);
    const length = part.width * step;
    for (let row = y; row < end; row++) {
      const at = row * this.#pitch + part.x * step;
      if (this.#live.compare(this.#bytes, at, at + length, at, at + length) === 0) continue;
      const first = part.x / TILE_WIDTH;
      const last = Math.ceil((part.x + part.width) / TILE_WIDTH);
      for (let column = first; column < last; column++) {
        const x = column * TILE_WIDTH;
        const wide = Math.min(TILE_WIDTH, this.#width - x);
        if (this.#tileDiffers(x * step, wide * step, row, end))
          this.#differing[(y / TILE_HEIGHT) * columns + column] = 1;
      }
      return;
    }
  }

  /** Whether `length` bytes from byte `x` differ in any of these rows. */
  #tileDiffers(x: number, length: number, from: number, end: number): boolean {
    const pitch = this.#pitch;
    if (pitch % 4 === 0 && length % 4 === 0) {
      const live = this.#liveWords;
      const words = this.#words;
      for (let row = from; row < end; row++) {
        const at = (row * pitch + x) >>> 2;
        for (let word = at; word < at + (length >>> 2); word++) if (live[word] !== words[word]) return true;
      }
      return false;
    }
    for (let row = from; row < end; row++) {
      const at = row * pitch + x;
      if (this.#live.compare(this.#bytes, at, at + length, at, at + length) !== 0) return true;
    }
    return false;
  }
}

/** `count` rows of `length` bytes, in one piece where they lie together on both sides. */
function copyRows(
  from: Uint8Array,
  fromAt: number,
  fromPitch: number,
  to: Uint8Array,
  toAt: number,
  toPitch: number,
  length: number,
  count: number,
): void {
  if (fromPitch === length && toPitch === length) {
    to.set(from.subarray(fromAt, fromAt + length * count), toAt);
    return;
  }
  for (let row = 0; row < count; row++) {
    const at = fromAt + row * fromPitch;
    to.set(from.subarray(at, at + length), toAt + row * toPitch);
  }
}

export class DisplayStream {
  readonly #sink: StreamSink;
  #device = 0;
  #source: DisplaySource | undefined;
  #stop: () => void = () => {};
  /** Picture that the window has. */
  #sent = 0;
  readonly #picture = new Sent();
  #palette = 0;
  #image = 0;
  #cursor = '';
  #underWay = 0;
  #tries = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The bytes of an update, and with its parts packed; kept, as updates come one after the other. */
  #bytes = new Uint8Array(0);
  #packedBytes = new Uint8Array(0);
  /** Absent where whoever watches cannot unpack. */
  #packer: Packer | undefined;

  constructor(sink: StreamSink) {
    this.#sink = sink;
  }

  watch(device: number, source: DisplaySource | undefined, packed = false): void {
    this.#packer = packed ? (this.#packer ?? new Packer()) : undefined;
    this.#stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#device = device;
    this.#source = source;
    this.#sent = 0;
    this.#picture.forget();
    this.#palette = 0;
    this.#image = 0;
    this.#cursor = '';
    this.#tries = 0;
    this.#stop = source?.onDisplay(() => this.#look()) ?? (() => {});
    this.#look();
  }

  acknowledge(): void {
    this.#underWay = Math.max(0, this.#underWay - 1);
    this.#look();
  }

  #look(): void {
    const source = this.#source;
    if (source === undefined || this.#timer !== undefined) return;
    const { display } = source;
    while (this.#underWay < MAX_UNDER_WAY) {
      if (display.sequence === this.#sent) {
        source.arm();
        // It may have changed just before.
        if (display.sequence === this.#sent) return;
      }
      const whole = this.#send(display, this.#tries >= TRIES);
      if (!whole) {
        this.#tries++;
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#look();
        }, 1);
        return;
      }
      this.#tries = 0;
    }
  }

  /** Sends what the window lacks, if anything; false: it was being drawn on, and `torn` pictures are not wanted. */
  #send(display: DisplayMemory, torn: boolean): boolean {
    const before = display.writing;
    if (before % 2 !== 0 && !torn) return false;
    // On another machine it may be anything.
    if (!display.fits) return false;
    const { sequence, width, height, pitch, format, frames, cursor } = display;
    const step = PIXEL_BYTES[format]!;
    const palette = format === PixelFormat.PALETTE8 && display.paletteSequence > this.#palette;
    // Other colours change pixels that are what they were.
    if (palette) this.#picture.forget();
    const parts = this.#picture.missing(display, this.#sent);
    const image = cursor.on && cursor.image > this.#image;
    const place = cursor.on ? [cursor.x, cursor.y, cursor.width, cursor.height].join() : '';
    const moved = image || place !== this.#cursor;
    let size = parts.reduce((sum, part) => sum + padded(part.width * part.height * step), 0);
    size += (palette ? PALETTE_COLORS : 0) * 4 + (image ? MAX_CURSOR * MAX_CURSOR : 0) * 4;
    if (this.#bytes.length < size) this.#bytes = new Uint8Array(size);
    const bytes = this.#bytes;
    let at = 0;
    if (palette) {
      const colors = new Int32Array(bytes.buffer, at, PALETTE_COLORS);
      for (let entry = 0; entry < PALETTE_COLORS; entry++) colors[entry] = display.color(entry);
      at += PALETTE_COLORS * 4;
    }
    if (image) {
      const length = cursor.width * cursor.height * 4;
      bytes.set(display.cursorImage.subarray(0, length), at);
      at += length;
    }
    const pixelsAt = at;
    for (const { x, y, width: wide, height: tall } of parts) {
      const row = wide * step;
      copyRows(display.bytes, y * pitch + x * step, pitch, bytes, at, row, row, tall);
      at += padded(row * tall);
    }
    if (display.width !== width || display.height !== height || display.format !== format) return false;
    if (display.writing !== before && !torn) return false;
    this.#picture.take(display, parts, bytes, pixelsAt);
    this.#sent = sequence;
    if (palette) this.#palette = sequence;
    if (image) this.#image = sequence;
    this.#cursor = place;
    if (parts.length === 0 && !palette && !moved) return true;
    const packed = this.#packer === undefined ? undefined : this.#pack(parts, format, pixelsAt, at);
    const update: DisplayUpdate = {
      device: this.#device,
      width,
      height,
      format: PIXEL_FORMAT_NAMES[format]!,
      frame: frames,
      parts: parts.map((part): DisplayPart => [part.x, part.y, part.width, part.height]),
      ...(packed === undefined ? {} : { packed: packed.lengths }),
      palette,
      ...(cursor.on
        ? { cursor: { x: cursor.x, y: cursor.y, width: cursor.width, height: cursor.height } }
        : {}),
      image,
    };
    this.#underWay++;
    this.#sink.send('display', update, packed?.bytes ?? bytes.subarray(0, at));
    return true;
  }

  /** The update in `#bytes`, whose parts lie from `pixelsAt` to `end`, with those packed that get smaller. */
  #pack(
    parts: readonly Rectangle[],
    format: number,
    pixelsAt: number,
    end: number,
  ): { lengths: number[]; bytes: Uint8Array } {
    const name = PIXEL_FORMAT_NAMES[format]!;
    const widest = parts.reduce((width, part) => Math.max(width, part.width), 0);
    const room = end + Packer.slack(widest);
    if (this.#packedBytes.length < room) this.#packedBytes = new Uint8Array(room);
    const packed = this.#packedBytes;
    packed.set(this.#bytes.subarray(0, pixelsAt));
    let from = pixelsAt;
    let to = pixelsAt;
    const lengths = parts.map(({ width, height }) => {
      const plain = width * height * PIXEL_BYTES[format]!;
      const length = this.#packer!.pack(name, this.#bytes, from, width, height, packed, to);
      if (length === 0) packed.set(this.#bytes.subarray(from, from + plain), to);
      from += padded(plain);
      to += padded(length === 0 ? plain : length);
      return length;
    });
    return { lengths, bytes: packed.subarray(0, to) };
  }
}
