/** The headless shell: the renderer over HTTP and the contract over a WebSocket, on loopback only. */
import { readFile, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize, sep } from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Channel, MAX_MESSAGE_BYTES } from '#contract/wire.ts';
import type { LabEndpoint } from '../hosts/endpoint.ts';
import { LabError } from '../hosts/errors.ts';
import type { Access } from './access.ts';

/** Fast rather than small; each message by itself. */
const COMPRESSION = {
  threshold: 4096,
  zlibDeflateOptions: { level: 1 },
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
} as const;

/** A WebSocket close code of ours: the token was refused. */
export const CLOSE_REFUSED = 4401;
/** Above this the connection is cut; up to it the sender is told what was wrong. */
const MAX_FRAME_BYTES = 16 * MAX_MESSAGE_BYTES;

const WRONG_HOST = 'This lab answers to 127.0.0.1 and localhost only.';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};

const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data: blob:; " +
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const;

export interface ServerOptions {
  readonly lab: LabEndpoint;
  readonly access: Access;
  /** Folder of the built renderer. */
  readonly renderer: string;
  /** 0: any free port. */
  readonly port: number;
  /** Address to listen on; other than loopback only inside a guest, where the network ends at QEMU. */
  readonly address: string;
  /** Long messages travel compressed, to clients that take that: a guest's network costs more than the work. */
  readonly compress?: boolean;
}

export interface RunningServer {
  readonly port: number;
  /** With the token. */
  readonly url: string;
  close(): Promise<void>;
}

/** A close frame carries at most 123 bytes of text. */
function clipped(reason: string): string {
  const bytes = Buffer.from(reason);
  return bytes.length <= 123 ? reason : `${bytes.toString('utf8', 0, 119).replace(/\ufffd+$/, '')}…`;
}

function socketChannel(socket: WebSocket): Channel {
  // A lab that is still starting listens later; nothing is taken from the socket before.
  socket.pause();
  return {
    send: (message) => {
      if (socket.readyState === socket.OPEN) socket.send(message);
    },
    onMessage: (listener) => {
      socket.on('message', (data: Buffer, binary: boolean) => {
        listener(binary ? new Uint8Array(data).buffer : data.toString('utf8'));
      });
      socket.resume();
    },
    onClose: (listener) => socket.on('close', listener),
    close: (reason = 'The lab has ended.') => socket.close(1001, clipped(reason)),
  };
}

/** Loopback names only: a page of another site that resolves to this address has another Host. */
function isOurHost(host: string | undefined, port: number): boolean {
  return host === `127.0.0.1:${port}` || host === `localhost:${port}` || host === `[::1]:${port}`;
}

function isOurOrigin(origin: string | undefined, port: number): boolean {
  // Programs that are no browser send none; they still need the token.
  if (origin === undefined) return true;
  return origin.startsWith('http://') && isOurHost(origin.slice('http://'.length), port);
}

async function serveFile(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { ...SECURITY_HEADERS, Allow: 'GET, HEAD' }).end();
    return;
  }
  let path: string;
  try {
    path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
  } catch {
    response.writeHead(400, SECURITY_HEADERS).end('The address is not a valid URL.\n');
    return;
  }
  const file = normalize(join(root, path === '/' ? 'index.html' : path));
  if (!file.startsWith(root + sep)) {
    notFound(path, response);
    return;
  }
  try {
    if (!(await stat(file)).isFile()) throw new Error('not a file');
    const body = await readFile(file);
    response
      .writeHead(200, {
        ...SECURITY_HEADERS,
        'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
        'Cache-Control': 'no-cache',
      })
      .end(request.method === 'HEAD' ? undefined : body);
  } catch {
    notFound(path, response);
  }
}

function notFound(path: string, response: ServerResponse): void {
  response
    .writeHead(404, { ...SECURITY_HEADERS, 'Content-Type': 'text/plain; charset=utf-8' })
    .end(`There is no ${path} here.\n`);
}

/** Throws {@link LabError} `PORT_IN_USE` and the like. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { lab, access, renderer } = options;
  let port = options.port;
  const server = createServer((request, response) => {
    if (options.address === '127.0.0.1' && !isOurHost(request.headers.host, port)) {
      response.writeHead(421, SECURITY_HEADERS).end(`${WRONG_HOST}\n`);
      return;
    }
    void serveFile(normalize(renderer), request, response);
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: options.compress === true && COMPRESSION,
    handleProtocols: () => 'pciem-lab',
  });
  const cookies = new WeakMap<IncomingMessage, string>();
  sockets.on('headers', (headers, request) => {
    const cookie = cookies.get(request);
    if (cookie !== undefined) headers.push(`Set-Cookie: ${cookie}`);
  });
  server.on('upgrade', (request, socket, head) => {
    const refuseHttp = (status: string, reason: string): void => {
      // It may be gone already; that is no concern of the lab's.
      socket.on('error', () => socket.destroy());
      const body = `${reason}\n`;
      socket.end(
        `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
          `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    };
    if (request.url?.split('?')[0] !== '/lab') {
      return refuseHttp('404 Not Found', 'The lab is at /lab.');
    }
    if (options.address === '127.0.0.1' && !isOurHost(request.headers.host, port)) {
      return refuseHttp('421 Misdirected Request', WRONG_HOST);
    }
    if (!isOurOrigin(request.headers.origin, port)) {
      return refuseHttp('403 Forbidden', "Only this lab's own page may attach from a browser.");
    }
    const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((part) => part.trim());
    if (protocols[0] !== 'pciem-lab') {
      return refuseHttp('400 Bad Request', 'The WebSocket protocols are "pciem-lab" and the token.');
    }
    const verdict = access.check(protocols[1], request.headers.cookie, port);
    if (verdict.ok && verdict.setCookie !== undefined) cookies.set(request, verdict.setCookie);
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      if (verdict.ok) lab.accept(socketChannel(webSocket));
      else webSocket.close(CLOSE_REFUSED, verdict.reason);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        reject(
          new LabError(
            'PORT_IN_USE',
            `Port ${port} is taken, perhaps by another lab.`,
            'Use that one, or choose another port: --port 0 takes any that is free.',
          ),
        );
      } else if (error.code === 'EACCES') {
        reject(new LabError('PORT_DENIED', `Port ${port} is reserved for root.`, 'Choose one from 1024 up.'));
      } else {
        reject(error);
      }
    });
    server.listen(port, options.address, resolve);
  });
  port = (server.address() as AddressInfo).port;
  return {
    port,
    url: `http://127.0.0.1:${port}/#token=${access.token}`,
    close: async () => {
      for (const socket of sockets.clients) socket.close(1001, 'The lab has ended.');
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
        server.closeAllConnections();
      }, 500).unref();
      await closed;
    },
  };
}
