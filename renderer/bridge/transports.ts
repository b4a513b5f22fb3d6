import type { Channel } from '#contract/wire.ts';

/** Keeps messages that arrive before anyone listens. */
class Inbox {
  #listener: ((message: string | ArrayBuffer) => void) | undefined;
  readonly #early: (string | ArrayBuffer)[] = [];
  closed = false;
  refused = false;
  #onClose: (() => void)[] = [];

  listen(listener: (message: string | ArrayBuffer) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }
  push(message: string | ArrayBuffer): void {
    if (this.#listener !== undefined) this.#listener(message);
    else this.#early.push(message);
  }
  onClose(listener: () => void): void {
    if (this.closed) listener();
    else this.#onClose.push(listener);
  }
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const listener of this.#onClose.splice(0)) listener();
  }
}

/** A channel that knows why it was closed, and whether trying again is of use. */
export interface ReasonedChannel extends Channel {
  reason?(): string;
  refused?(): boolean;
}

export class ConnectError extends Error {
  /** The lab answered and said no: trying again with the same token is of no use. */
  readonly refused: boolean;
  constructor(message: string, refused: boolean) {
    super(message);
    this.refused = refused;
  }
}

/** Close codes with which the headless shell says that the token is no good. */
const REFUSED = new Set([1008, 4001, 4401, 4403]);

/** `token`: missing where the browser's session is to do. */
export function openWebSocket(
  url: string,
  token: string | undefined,
  timeout = 5000,
): Promise<ReasonedChannel> {
  return new Promise((resolve, reject) => {
    const inbox = new Inbox();
    const socket = new WebSocket(url, token === undefined ? ['pciem-lab'] : ['pciem-lab', token]);
    let reason = '';
    socket.binaryType = 'arraybuffer';
    const timer = setTimeout(() => {
      reject(new ConnectError('The lab does not answer', false));
      socket.close();
    }, timeout);
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => inbox.push(event.data);
    socket.onopen = () => {
      clearTimeout(timer);
      resolve({
        send: (message) => {
          if (socket.readyState === WebSocket.OPEN) socket.send(message);
        },
        onMessage: (listener) => inbox.listen(listener),
        onClose: (listener) => inbox.onClose(listener),
        close: () => socket.close(),
        reason: () => reason,
        refused: () => inbox.refused,
      });
    };
    socket.onclose = (event) => {
      clearTimeout(timer);
      const refused = REFUSED.has(event.code);
      reason = event.reason;
      if (refused) inbox.refused = true;
      reject(new ConnectError(event.reason || 'The lab cannot be reached', refused));
      inbox.close();
    };
  });
}

export function portChannel(port: MessagePort): Channel {
  const inbox = new Inbox();
  port.onmessage = (event: MessageEvent<string | ArrayBuffer | null>) => {
    // null: the other end says goodbye; a port has no close event that can be relied on.
    if (event.data === null) inbox.close();
    else inbox.push(event.data);
  };
  port.addEventListener('close', () => inbox.close());
  port.start();
  return {
    send: (message) => port.postMessage(message),
    onMessage: (listener) => inbox.listen(listener),
    onClose: (listener) => inbox.onClose(listener),
    close: () => {
      port.close();
      inbox.close();
    },
  };
}

const TOKEN_KEY = 'pciem-lab-token';

/** Takes the token out of the address, once, and keeps it for reloads of this tab. */
export function takeToken(
  location: Pick<Location, 'hash' | 'pathname' | 'search'>,
  history: Pick<History, 'replaceState'>,
  storage: Pick<Storage, 'getItem' | 'setItem'>,
): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token !== null && /^[\w.~-]+$/.test(token)) {
    history.replaceState(null, '', location.pathname + location.search);
    storage.setItem(TOKEN_KEY, token);
    return token;
  }
  return storage.getItem(TOKEN_KEY) ?? undefined;
}

export const PORT_MESSAGE = 'pciem-lab-port';

/** Resolves each time that the preload script hands over a port. */
export function listenForPorts(target: Window, take: (port: MessagePort) => void): () => void {
  const listener = (event: MessageEvent) => {
    if (event.source !== target || event.data !== PORT_MESSAGE) return;
    const port = event.ports[0];
    if (port !== undefined) take(port);
  };
  target.addEventListener('message', listener);
  return () => target.removeEventListener('message', listener);
}
