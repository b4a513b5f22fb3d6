/** A window without a screen: the other end of the contract, for tests. */
import { WebSocket } from 'ws';
import type { Answer, CallName, CallParams, StreamName, Streams } from '#contract/index.ts';
import { type Channel, decodeServerMessage, type ErrorBody, type ServerHead } from '#contract/wire.ts';

/** An error that the lab answered with, so that a test can look at its parts. */
export class AnswerError extends Error {
  readonly body: ErrorBody;

  constructor(body: ErrorBody) {
    super(`${body.code}: ${body.message}`);
    this.body = body;
  }
}

interface Waiting {
  resolve(answer: { result: unknown; bytes: Uint8Array | undefined }): void;
  reject(error: Error): void;
}

export class ContractClient {
  readonly #channel: Channel;
  readonly #calls = new Map<number, Waiting>();
  readonly #listeners = new Set<(head: ServerHead) => void>();
  #nextId = 1;
  /** False: no stream is acknowledged, as by a window that hangs. */
  acknowledging = true;
  /** Every stream message so far. */
  readonly streamed: { stream: string; data: unknown }[] = [];
  /** Errors that belong to no call. */
  readonly errors: ErrorBody[] = [];
  readonly closed: Promise<void>;

  constructor(channel: Channel) {
    this.#channel = channel;
    this.closed = new Promise((resolve) => {
      channel.onClose(() => {
        for (const waiting of this.#calls.values()) waiting.reject(new Error('the connection was closed'));
        this.#calls.clear();
        resolve();
      });
    });
    channel.onMessage((message) => this.#receive(message));
  }

  call<N extends CallName>(name: N, params: CallParams<N>): Promise<Answer<N>> {
    return this.ask(name, params) as Promise<Answer<N>>;
  }

  /** As {@link call}, for what the contract does not allow. */
  ask(name: string, params: unknown): Promise<{ result: unknown; bytes: Uint8Array | undefined }> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#calls.set(id, { resolve, reject });
      this.#channel.send(JSON.stringify({ id, call: name, params }));
    });
  }

  /** The error that a call is refused with. */
  async refusal(name: string, params: unknown): Promise<ErrorBody> {
    try {
      await this.ask(name, params);
    } catch (error) {
      if (error instanceof AnswerError) return error.body;
      throw error;
    }
    throw new Error(`${name} was not refused`);
  }

  send(message: string | ArrayBuffer): void {
    this.#channel.send(message);
  }

  acknowledge(stream: StreamName): void {
    this.send(JSON.stringify({ ack: stream }));
  }

  /** Sends what is no call and resolves with the error that comes back. */
  async sendBad(message: string | ArrayBuffer): Promise<ErrorBody & { id: number }> {
    const answered = this.#next((head) => ('error' in head ? { id: head.id, ...head.error } : undefined));
    this.send(message);
    return answered;
  }

  /** The next message of a stream for which `wanted` is true; what was sent already does not count. */
  stream<N extends StreamName>(
    name: N,
    wanted: (data: Streams[N]) => boolean = () => true,
  ): Promise<Streams[N]> {
    return this.#next((head) => {
      if (!('stream' in head) || head.stream !== name) return undefined;
      const data = head.data as Streams[N];
      return wanted(data) ? data : undefined;
    });
  }

  close(): void {
    this.#channel.close();
  }

  #next<T>(take: (head: ServerHead) => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const listener = (head: ServerHead): void => {
        const taken = take(head);
        if (taken === undefined) return;
        this.#listeners.delete(listener);
        resolve(taken);
      };
      this.#listeners.add(listener);
    });
  }

  #receive(message: string | ArrayBuffer): void {
    const { head, bytes } = decodeServerMessage(message);
    if ('stream' in head) {
      this.streamed.push({ stream: head.stream, data: head.data });
      if (this.acknowledging) this.acknowledge(head.stream as StreamName);
    } else {
      const waiting = this.#calls.get(head.id);
      this.#calls.delete(head.id);
      if ('error' in head) {
        if (waiting === undefined) this.errors.push(head.error);
        else waiting.reject(new AnswerError(head.error));
      } else waiting?.resolve({ result: head.ok, bytes });
    }
    for (const listener of [...this.#listeners]) listener(head);
  }
}

class ChannelEnd implements Channel {
  peer: ChannelEnd | undefined;
  #listener: ((message: string | ArrayBuffer) => void) | undefined;
  readonly #early: (string | ArrayBuffer)[] = [];
  readonly #closers: (() => void)[] = [];
  #open = true;

  send(message: string | ArrayBuffer): void {
    const { peer } = this;
    if (this.#open && peer !== undefined) queueMicrotask(() => peer.#deliver(message));
  }

  onMessage(listener: (message: string | ArrayBuffer) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  onClose(listener: () => void): void {
    this.#closers.push(listener);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const closer of this.#closers) closer();
    this.peer?.close();
  }

  #deliver(message: string | ArrayBuffer): void {
    if (this.#listener === undefined) this.#early.push(message);
    else this.#listener(message);
  }
}

/** The two ends of a connection inside this process. */
export function channelPair(): [lab: Channel, window: Channel] {
  const lab = new ChannelEnd();
  const window = new ChannelEnd();
  lab.peer = window;
  window.peer = lab;
  return [lab, window];
}

export interface SocketOptions {
  readonly token?: string;
  readonly cookie?: string;
  readonly origin?: string;
  readonly host?: string;
  readonly path?: string;
}

export type Attached =
  | { readonly kind: 'open'; readonly client: ContractClient; readonly cookie: string | undefined }
  /** The lab took the WebSocket and closed it at once. */
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string }
  /** The lab refused the WebSocket. */
  | { readonly kind: 'refused'; readonly status: number; readonly body: string };

/** Attaches as a browser or a script would; resolves once the lab has said yes or no. */
export function attach(port: number, options: SocketOptions = {}): Promise<Attached> {
  const protocols = options.token === undefined ? ['pciem-lab'] : ['pciem-lab', options.token];
  const socket = new WebSocket(`ws://127.0.0.1:${port}${options.path ?? '/lab'}`, protocols, {
    perMessageDeflate: false,
    headers: {
      ...(options.cookie === undefined ? {} : { cookie: options.cookie }),
      ...(options.origin === undefined ? {} : { origin: options.origin }),
      ...(options.host === undefined ? {} : { host: options.host }),
    },
  });
  return new Promise((resolve, reject) => {
    let cookie: string | undefined;
    socket.on('upgrade', (response) => {
      cookie = response.headers['set-cookie']?.[0]?.split(';')[0];
    });
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (data: Buffer) => {
        body += data.toString('utf8');
      });
      response.on('end', () => resolve({ kind: 'refused', status: response.statusCode ?? 0, body }));
    });
    socket.on('error', reject);
    socket.on('close', (code, reason) => resolve({ kind: 'closed', code, reason: reason.toString('utf8') }));
    const client = new ContractClient({
      send: (message) => socket.send(message),
      onMessage: (listener) => {
        socket.on('message', (data: Buffer, binary: boolean) => {
          listener(binary ? new Uint8Array(data).buffer : data.toString('utf8'));
        });
      },
      onClose: (listener) => socket.on('close', listener),
      close: () => socket.close(),
    });
    // The lab greets with the list of devices; a refused socket is closed instead.
    void client.stream('devices').then(() => resolve({ kind: 'open', client, cookie }));
  });
}

/** As {@link attach}, where a yes is expected. */
export async function attached(port: number, options: SocketOptions): Promise<ContractClient> {
  const answer = await attach(port, options);
  if (answer.kind !== 'open') throw new Error(`the lab refused: ${JSON.stringify(answer)}`);
  return answer.client;
}
