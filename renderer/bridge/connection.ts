import type { LabHello } from '#contract/lab.ts';
import type { CallError, LabClient } from './client.ts';
import { ConnectError, type ReasonedChannel } from './transports.ts';

export type ConnectionState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected' }
  /** What answers is no lab any more: its machine has ended, and can be started again. */
  | { readonly kind: 'stopped'; readonly reason: string; readonly starting: boolean }
  | { readonly kind: 'waiting'; readonly reason: string; readonly retryAt: number }
  /** Needs a person: no token, or a refused one. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface ConnectionEvents {
  state(state: ConnectionState): void;
  hello(hello: LabHello): void;
}

const FIRST_DELAY = 500;
const LONGEST_DELAY = 5000;

/** Keeps the client connected: opens a channel, says hello, and tries again with growing pauses when it is lost. */
export class Connection {
  readonly #client: LabClient;
  readonly #open: () => Promise<ReasonedChannel>;
  readonly #events: ConnectionEvents;
  #delay = FIRST_DELAY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #channel: ReasonedChannel | undefined;
  #attempt = 0;

  constructor(client: LabClient, open: () => Promise<ReasonedChannel>, events: ConnectionEvents) {
    this.#client = client;
    this.#open = open;
    this.#events = events;
  }

  /** Connects now, whatever the state. */
  async start(): Promise<void> {
    clearTimeout(this.#timer);
    const attempt = ++this.#attempt;
    this.#channel?.close();
    this.#channel = undefined;
    this.#events.state({ kind: 'connecting' });
    try {
      const channel = await this.#open();
      if (attempt !== this.#attempt) return channel.close();
      this.#channel = channel;
      this.#client.attach(channel);
      channel.onClose(() => {
        if (attempt !== this.#attempt) return;
        const reason = channel.reason?.() || 'The connection to the lab was lost';
        if (channel.refused?.() === true) this.#refuse(reason);
        else this.#lost(reason);
      });
      const hello = await this.#client.call('lab.hello', {});
      if (attempt !== this.#attempt) return;
      this.#delay = FIRST_DELAY;
      if (hello.stopped !== undefined) return this.#events.state({ kind: 'stopped', ...hello.stopped });
      this.#events.hello(hello);
      this.#events.state({ kind: 'connected' });
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (error instanceof ConnectError && error.refused) {
        this.#events.state({ kind: 'refused', reason: error.message });
      } else {
        this.#lost((error as Error | CallError).message);
      }
    }
  }

  stop(): void {
    this.#attempt++;
    clearTimeout(this.#timer);
    this.#channel?.close();
    this.#channel = undefined;
  }

  #refuse(reason: string): void {
    this.#attempt++;
    this.#channel = undefined;
    this.#events.state({ kind: 'refused', reason });
  }

  #lost(reason: string): void {
    this.#attempt++;
    this.#channel?.close();
    this.#channel = undefined;
    clearTimeout(this.#timer);
    this.#events.state({ kind: 'waiting', reason, retryAt: Date.now() + this.#delay });
    this.#timer = setTimeout(() => void this.start(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY);
  }
}
