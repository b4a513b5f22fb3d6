/** Streams to one window: never more than one message under way, so that a slow window gets fewer, not later, ones. */
import type { StreamName, Streams } from '#contract/index.ts';

export interface StreamSink {
  /** What is in `bytes` is copied before this returns. */
  send(stream: StreamName, data: unknown, bytes?: Uint8Array): void;
}

/** Only the newest value matters. */
export class LatestStream<N extends StreamName> {
  readonly #name: N;
  readonly #sink: StreamSink;
  #value: Streams[N] | undefined;
  #underWay = false;

  constructor(name: N, sink: StreamSink) {
    this.#name = name;
    this.#sink = sink;
  }

  push(value: Streams[N]): void {
    if (this.#underWay) {
      this.#value = value;
      return;
    }
    this.#underWay = true;
    this.#sink.send(this.#name, value);
  }

  acknowledge(): void {
    this.#underWay = false;
    const value = this.#value;
    this.#value = undefined;
    if (value !== undefined) this.push(value);
  }
}

/** Every value matters; the producer must be bounded otherwise. */
export class QueueStream<N extends StreamName> {
  readonly #name: N;
  readonly #sink: StreamSink;
  readonly #queue: Streams[N][] = [];
  #underWay = false;

  constructor(name: N, sink: StreamSink) {
    this.#name = name;
    this.#sink = sink;
  }

  push(value: Streams[N]): void {
    if (this.#underWay) {
      this.#queue.push(value);
      return;
    }
    this.#underWay = true;
    this.#sink.send(this.#name, value);
  }

  acknowledge(): void {
    this.#underWay = false;
    const value = this.#queue.shift();
    if (value !== undefined) this.push(value);
  }
}
