/**
 * The pictures of a guest's devices on their way to one window, without the guest's processors: the guest's display
 * adapters draw into memory that this machine shares, and it is read here. All else that window and lab say to each other
 * goes through as it is.
 */
import type { DisplayResults } from '#contract/display.ts';
import { type Channel, encodeServerMessage } from '#contract/wire.ts';
import { DisplayMemory } from '#devices/sdk/display.ts';
import type { WindowRelay } from '../hosts/guest/guest-lab.ts';
import { type DisplaySource, DisplayStream } from './display-stream.ts';

/** ms between looks at a picture that changes, and at one that has not for {@link QUIET} looks. */
const LOOK_INTERVAL = 4;
const QUIET_INTERVAL = 16;
const QUIET = 250;
/** Longest message that may be one for here. */
const MAX_LENGTH = 1000;

/** A picture that nobody tells of: it is looked at again and again while somebody waits for it. */
class WatchedPicture implements DisplaySource {
  readonly display: DisplayMemory;
  #listener: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #seen = 0;
  #looks = 0;

  constructor(display: DisplayMemory) {
    this.display = display;
  }

  onDisplay(listener: () => void): () => void {
    this.#listener = listener;
    return () => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#listener = () => {};
    };
  }

  arm(): void {
    this.#seen = this.display.sequence;
    this.#looks = 0;
    this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        if (this.display.sequence !== this.#seen) {
          this.#listener();
          return;
        }
        this.#looks++;
        this.#wait();
      },
      this.#looks < QUIET ? LOOK_INTERVAL : QUIET_INTERVAL,
    );
  }
}

interface Watch {
  readonly device: number;
  readonly packed: boolean;
}

export class PictureRelay implements WindowRelay {
  readonly #memory: ArrayBuffer;
  readonly #stream: DisplayStream;
  /** Calls that the lab has not answered, by their number. */
  readonly #asked = new Map<number, Watch>();
  /** The device whose picture goes from here to the window; 0: none. */
  #device = 0;

  constructor(memory: ArrayBuffer, window: Channel) {
    this.#memory = memory;
    this.#stream = new DisplayStream({
      send: (stream, data, bytes) => window.send(encodeServerMessage({ stream, data }, bytes)),
    });
  }

  /** What goes on to the lab of a window's message; undefined: it was for here. */
  fromWindow(message: string | ArrayBuffer): string | ArrayBuffer | undefined {
    if (typeof message !== 'string' || message.length > MAX_LENGTH || !message.includes('"display'))
      return message;
    const told = parsed(message);
    if (told.ack === 'display' && this.#device !== 0) {
      this.#stream.acknowledge();
      return undefined;
    }
    if (told.call !== 'display.watch' || typeof told.id !== 'number' || typeof told.params !== 'object')
      return message;
    this.#show(0, undefined, false);
    const { device, packed } = told.params as Watch;
    this.#asked.set(told.id, { device, packed: packed === true });
    return JSON.stringify({ ...told, params: { ...told.params, shared: true } });
  }

  /** What goes on to the window of a message of the lab. */
  fromLab(message: string): string {
    if (this.#device !== 0 && message.startsWith('{"stream":"devices"')) {
      const devices = parsed(message).data as readonly { id: number }[];
      if (!devices.some(({ id }) => id === this.#device)) this.#show(0, undefined, false);
    }
    if (this.#asked.size === 0 || !message.startsWith('{"id":') || message.length > MAX_LENGTH)
      return message;
    const told = parsed(message);
    const asked = this.#asked.get(told.id as number);
    if (asked === undefined) return message;
    this.#asked.delete(told.id as number);
    const place = (told.ok as DisplayResults['display.watch'] | undefined)?.memory;
    // An older call: the window has asked for another one since.
    if (place === undefined || this.#asked.size > 0) return message;
    const { offset, ...limits } = place;
    this.#show(asked.device, new DisplayMemory(this.#memory, limits, offset), asked.packed);
    return JSON.stringify({ id: told.id, ok: {} });
  }

  close(): void {
    this.#asked.clear();
    this.#show(0, undefined, false);
  }

  #show(device: number, display: DisplayMemory | undefined, packed: boolean): void {
    this.#device = device;
    this.#stream.watch(device, display === undefined ? undefined : new WatchedPicture(display), packed);
  }
}

export const relayPictures = (memory: ArrayBuffer, window: Channel) => new PictureRelay(memory, window);

function parsed(message: string): Record<string, unknown> {
  try {
    const told: unknown = JSON.parse(message);
    return typeof told === 'object' && told !== null ? (told as Record<string, unknown>) : {};
  } catch {
    // The lab says what is wrong with it.
    return {};
  }
}
