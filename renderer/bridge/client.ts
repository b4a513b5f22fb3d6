import type { Answer, CallName, CallParams, CallResult, StreamName, Streams } from '#contract/index.ts';
import { type Channel, decodeServerMessage, type ErrorBody, MAX_MESSAGE_BYTES } from '#contract/wire.ts';

/** A call that the lab refused, or that could not reach it. */
export class CallError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly field: string;
  readonly call: string;

  constructor(call: string, body: ErrorBody) {
    super(body.message);
    this.name = 'CallError';
    this.call = call;
    this.code = body.code;
    this.hint = body.hint ?? '';
    this.field = body.field ?? '';
  }
}

export const DISCONNECTED = 'disconnected';

interface Waiting {
  readonly call: string;
  resolve(answer: { result: unknown; bytes: Uint8Array | undefined }): void;
  reject(error: CallError): void;
}

type Listener = (data: never, bytes: Uint8Array | undefined) => unknown;

/** The window's end of the contract. It outlives connections: {@link attach} gives it a new one. */
export class LabClient {
  #channel: Channel | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Map<string, Set<Listener>>();
  /** Called when a message cannot be understood; the connection goes on. */
  onProtocolError: (text: string) => void = () => {};

  get connected(): boolean {
    return this.#channel !== undefined;
  }

  attach(channel: Channel): void {
    this.detach();
    this.#channel = channel;
    channel.onMessage((message) => {
      if (this.#channel === channel) this.#receive(message);
    });
    channel.onClose(() => {
      if (this.#channel === channel) this.detach();
    });
  }

  /** Fails everything that waits for an answer. */
  detach(): void {
    this.#channel = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const one of waiting) one.reject(notConnected(one.call));
  }

  /** A call's result; rejects with {@link CallError}. */
  async call<N extends CallName>(name: N, params: CallParams<N>): Promise<CallResult<N>> {
    return (await this.ask(name, params)).result;
  }

  /** As {@link call}, with the bytes that came along. */
  ask<N extends CallName>(name: N, params: CallParams<N>): Promise<Answer<N>> {
    const channel = this.#channel;
    if (channel === undefined) return Promise.reject(notConnected(name));
    const id = this.#nextId++;
    const text = JSON.stringify({ id, call: name, params });
    if (text.length > MAX_MESSAGE_BYTES) {
      return Promise.reject(
        new CallError(name, {
          code: 'too-long',
          message: `The request is ${text.length} bytes; the lab takes ${MAX_MESSAGE_BYTES}`,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { call: name, resolve: resolve as Waiting['resolve'], reject });
      channel.send(text);
    });
  }

  /** Listens to a stream. The lab sends the next message once every listener's promise is settled. */
  on<S extends StreamName>(
    stream: S,
    listener: (data: Streams[S], bytes: Uint8Array | undefined) => unknown,
  ): () => void {
    let all = this.#listeners.get(stream);
    if (all === undefined) this.#listeners.set(stream, (all = new Set()));
    all.add(listener as Listener);
    return () => all.delete(listener as Listener);
  }

  #receive(message: string | ArrayBuffer): void {
    let decoded: ReturnType<typeof decodeServerMessage>;
    try {
      decoded = decodeServerMessage(message);
    } catch (error) {
      this.onProtocolError(`A message from the lab could not be read: ${(error as Error).message}`);
      return;
    }
    const { head, bytes } = decoded;
    if ('stream' in head) {
      void this.#deliver(head.stream, head.data, bytes);
      return;
    }
    const waiting = this.#waiting.get(head.id);
    if (waiting === undefined) return;
    this.#waiting.delete(head.id);
    if ('error' in head) waiting.reject(new CallError(waiting.call, head.error));
    else waiting.resolve({ result: head.ok, bytes });
  }

  async #deliver(stream: string, data: unknown, bytes: Uint8Array | undefined): Promise<void> {
    const channel = this.#channel;
    const listeners = [...(this.#listeners.get(stream) ?? [])];
    await Promise.allSettled(listeners.map(async (listener) => listener(data as never, bytes)));
    if (channel !== undefined && this.#channel === channel) channel.send(JSON.stringify({ ack: stream }));
  }
}

function notConnected(call: string): CallError {
  return new CallError(call, {
    code: DISCONNECTED,
    message: 'The lab is not connected',
    hint: 'The window tries again by itself; what was asked for was not done or its answer was lost',
  });
}
