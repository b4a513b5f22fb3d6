/** The picture of one device on its way to one window: what changed, when it changed, as fast as the window draws. */
import type { DisplayPart, DisplayUpdate } from '#contract/display.ts';
import type { DisplayMemory } from '#devices/sdk/display.ts';
import type { StreamSink } from './stream.ts';

/** Where pictures come from; a device's handle is one. */
export interface DisplaySource {
  readonly display: DisplayMemory;
  /** Calls `listener` when the picture has changed after {@link DisplayMemory.arm}. */
  onDisplay(listener: () => void): () => void;
}

/** Looks, 1 ms apart, for a picture that is not being drawn on; then a torn one is better than none. */
const TRIES = 8;

export class DisplayStream {
  readonly #sink: StreamSink;
  #device = 0;
  #source: DisplaySource | undefined;
  #stop: () => void = () => {};
  /** Picture that the window has. */
  #sent = 0;
  #underWay = false;
  #tries = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(sink: StreamSink) {
    this.#sink = sink;
  }

  watch(device: number, source: DisplaySource | undefined): void {
    this.#stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#device = device;
    this.#source = source;
    this.#sent = 0;
    this.#tries = 0;
    this.#stop = source?.onDisplay(() => this.#look()) ?? (() => {});
    this.#look();
  }

  acknowledge(): void {
    this.#underWay = false;
    this.#look();
  }

  #look(): void {
    const source = this.#source;
    if (source === undefined || this.#underWay || this.#timer !== undefined) return;
    const { display } = source;
    if (display.sequence === this.#sent) {
      display.arm();
      // It may have changed just before.
      if (display.sequence === this.#sent) return;
    }
    const update = this.#read(display, this.#tries >= TRIES);
    if (update === undefined) {
      this.#tries++;
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#look();
      }, 1);
      return;
    }
    this.#tries = 0;
    this.#underWay = true;
    this.#sink.send('display', update.head, update.bytes);
  }

  #read(display: DisplayMemory, torn: boolean): { head: DisplayUpdate; bytes: Uint8Array } | undefined {
    const before = display.writing;
    if (before % 2 !== 0 && !torn) return undefined;
    const { sequence, width, height, frames } = display;
    const found = display.changedSince(this.#sent);
    const bytes = new Uint8Array(found.reduce((sum, part) => sum + part.width * part.height * 4, 0));
    let at = 0;
    for (const part of found) at = display.copy(part, width, bytes, at);
    if (display.width !== width || display.height !== height) return undefined;
    if (display.writing !== before && !torn) return undefined;
    this.#sent = sequence;
    const parts = found.map((part): DisplayPart => [part.x, part.y, part.width, part.height]);
    return { head: { device: this.#device, width, height, frame: frames, parts }, bytes };
  }
}
