import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { MAX_MESSAGE_BYTES } from '#contract/wire.ts';
import { SimHost } from '../hosts/sim/host.ts';
import { Lab } from '../lab/session.ts';
import { attach, attached, type ContractClient } from '../testing/contract-client.ts';
import { Access } from './access.ts';
import { CLOSE_REFUSED, type RunningServer, startServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'pciem-lab-server-'));
const renderer = join(folder, 'renderer');
let lab: Lab;
let server: RunningServer;
let access: Access;
let client: ContractClient;

beforeAll(async () => {
  mkdirSync(join(renderer, 'assets'), { recursive: true });
  writeFileSync(join(renderer, 'index.html'), '<title>PCIem Lab</title>');
  writeFileSync(join(renderer, 'assets', 'index.js'), 'export {};');
  writeFileSync(join(folder, 'secret.txt'), 'not for everyone');
  // Its name begins as the served folder's does.
  mkdirSync(join(folder, 'renderer-private'));
  writeFileSync(join(folder, 'renderer-private', 'secret.txt'), 'not for everyone');
  lab = new Lab({ host: new SimHost(), shell: 'headless', version: 'test', terminal: true });
  access = new Access();
  server = await startServer({ lab, access, renderer, port: 0, address: '127.0.0.1' });
  client = await attached(server.port, { token: access.token });
  await client.call('devices.powerOn', { model: 'nvme', options: { size: '16MiB' } });
});

afterAll(async () => {
  await server.close();
  await lab.close();
  rmSync(folder, { recursive: true });
});

/** The lab still answers, and the device is still there. */
async function stillThere(): Promise<void> {
  const { result } = await client.call('devices.list', {});
  expect(result).toMatchObject([{ model: 'nvme', state: 'on' }]);
}

interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function http(path: string, options: { method?: string; host?: string } = {}): Promise<Response> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port: server.port,
        // As it is: an URL would be made tidy first.
        path,
        method: options.method ?? 'GET',
        headers: options.host === undefined ? {} : { host: options.host },
      },
      (response) => {
        let body = '';
        response.on('data', (data: Buffer) => {
          body += data.toString('utf8');
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

describe('the page', () => {
  it('is served with what a browser needs to keep it shut', async () => {
    const page = await http('/');
    expect(page).toMatchObject({ status: 200, body: '<title>PCIem Lab</title>' });
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toMatch(/default-src 'self'.*frame-ancestors 'none'/);
    expect(page.headers['x-content-type-options']).toBe('nosniff');
    expect(await http('/assets/index.js?v=1')).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/javascript; charset=utf-8' },
    });
    expect(await http('/', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
  });

  it.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/..%5csecret.txt',
    '/%2e%2e%2frenderer-private/secret.txt',
    '/../renderer-private/secret.txt',
    '//etc/passwd',
    '/%2fetc/passwd',
    '/assets',
    '/index.html%00.js',
    '/nothing.js',
  ])('does not serve %s', async (path) => {
    const answer = await http(path);
    expect(answer.status).toBe(404);
    expect(answer.body).toMatch(/^There is no .* here\.\n$/);
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
  });

  it('says that an address which is no URL is not one', async () => {
    expect(await http('/%zz')).toMatchObject({ status: 400, body: /not a valid URL/ });
    expect(await http('//')).toMatchObject({ status: 400, body: /not a valid URL/ });
  });

  it('takes nothing', async () => {
    expect(await http('/', { method: 'POST' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    });
  });

  it.each(['evil.example', 'evil.example:80', '127.0.0.1', '127.0.0.1.evil.example:80'])(
    'is not for the host name "%s"',
    async (host) => {
      expect(await http('/', { host })).toMatchObject({
        status: 421,
        body: /127\.0\.0\.1 and localhost only/,
      });
    },
  );

  it.each(['127.0.0.1', 'localhost', '[::1]'])('is for %s with its port', async (name) => {
    expect(await http('/', { host: `${name}:${server.port}` })).toMatchObject({ status: 200 });
  });
});

describe('who may attach', () => {
  it('keeps out a token that is missing, wrong or used, and says which', async () => {
    expect(await attach(server.port)).toEqual({
      kind: 'closed',
      code: CLOSE_REFUSED,
      reason: 'No token: open the address that the lab printed.',
    });
    expect(await attach(server.port, { token: 'stale' })).toMatchObject({
      kind: 'closed',
      code: CLOSE_REFUSED,
      reason: /stale token/,
    });
    expect(await attach(server.port, { token: access.token })).toMatchObject({
      kind: 'closed',
      reason: /used already/,
    });
    await stillThere();
  });

  it('takes the cookie of the browser that used the token', async () => {
    const fresh = new Access();
    const other = await startServer({ lab, access: fresh, renderer, port: 0, address: '127.0.0.1' });
    try {
      const first = await attach(other.port, { token: fresh.token });
      if (first.kind !== 'open' || first.cookie === undefined) throw new Error('no cookie');
      first.client.close();
      expect(await attach(other.port, { cookie: first.cookie })).toMatchObject({ kind: 'open' });
      expect(await attach(other.port, { cookie: `${first.cookie}x` })).toMatchObject({ kind: 'closed' });
    } finally {
      await other.close();
    }
  });

  it.each([
    'http://evil.example',
    'https://127.0.0.1',
    'null',
    'http://127.0.0.1',
    'http://127.0.0.1.evil.example',
  ])('keeps out a page of %s, even with a token', async (origin) => {
    expect(await attach(server.port, { token: access.token, origin })).toMatchObject({
      kind: 'refused',
      status: 403,
      body: /own page/,
    });
    await stillThere();
  });

  it('keeps out other host names', async () => {
    expect(await attach(server.port, { token: access.token, host: 'evil.example' })).toMatchObject({
      kind: 'refused',
      status: 421,
    });
    await stillThere();
  });

  it('takes its own page', async () => {
    const fresh = new Access();
    const other = await startServer({ lab, access: fresh, renderer, port: 0, address: '127.0.0.1' });
    try {
      const origin = `http://127.0.0.1:${other.port}`;
      expect(await attach(other.port, { token: fresh.token, origin })).toMatchObject({ kind: 'open' });
    } finally {
      await other.close();
    }
  });

  it('says that a WebSocket elsewhere or of another protocol is not for it', async () => {
    expect(await attach(server.port, { path: '/other' })).toMatchObject({ kind: 'refused', status: 404 });
    expect(await attach(server.port, { path: '//' })).toMatchObject({ kind: 'refused', status: 404 });
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/lab`, ['other']);
    const status = await new Promise((resolve) => {
      socket.on('error', () => undefined);
      socket.on('unexpected-response', (asked, response) => {
        resolve(response.statusCode);
        asked.destroy();
      });
    });
    expect(status).toBe(400);
    await stillThere();
  });

  it('goes on when a refused caller hangs up at once', async () => {
    for (let time = 0; time < 20; time++) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(server.port, '127.0.0.1', () => {
          socket.write(
            'GET /nowhere HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
              'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
            () => socket.resetAndDestroy(),
          );
        });
        socket.on('close', () => resolve());
        socket.on('error', reject);
      });
    }
    await stillThere();
  });
});

describe('messages that are none', () => {
  it.each([
    ['not JSON', 'hello', /not JSON/],
    ['nothing', '', /not JSON/],
    ['null', 'null', /A message is/],
    ['a list', '[]', /A message is/],
    ['a number', '1', /A message is/],
    ['without a call', '{"id":1}', /A message is/],
    ['with something more', '{"id":1,"call":"lab.hello","params":{},"more":1}', /A message is/],
    ['with id 0', '{"id":0,"call":"lab.hello","params":{}}', /A message is/],
    ['with a text as id', '{"id":"1","call":"lab.hello","params":{}}', /A message is/],
    ['deeply nested', `${'['.repeat(50_000)}${']'.repeat(50_000)}`, /A message is/],
  ])('are refused by name: %s', async (_what, text, message) => {
    expect(await client.sendBad(text)).toMatchObject({ code: 'BAD_MESSAGE', message });
    await stillThere();
  });

  it('are refused when they are binary', async () => {
    expect(await client.sendBad(new Uint8Array([1, 2, 3]).buffer)).toMatchObject({
      code: 'BAD_MESSAGE',
      message: /binary/,
    });
    await stillThere();
  });

  it('are refused when they are too long, and the connection goes on', async () => {
    expect(await client.sendBad(' '.repeat(MAX_MESSAGE_BYTES + 1))).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      message: `A message has at most ${MAX_MESSAGE_BYTES} bytes; this one has ${MAX_MESSAGE_BYTES + 1}.`,
    });
    // Fewer characters than bytes.
    expect(await client.sendBad('€'.repeat(MAX_MESSAGE_BYTES / 2))).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    });
    expect(await client.sendBad(new ArrayBuffer(MAX_MESSAGE_BYTES + 1))).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    });
    await stillThere();
  });

  it('cut only the connection that sends far too much', async () => {
    const fresh = new Access();
    const other = await startServer({ lab, access: fresh, renderer, port: 0, address: '127.0.0.1' });
    try {
      const hog = await attached(other.port, { token: fresh.token });
      hog.send(new ArrayBuffer(17 * MAX_MESSAGE_BYTES));
      await hog.closed;
    } finally {
      await other.close();
    }
    await stillThere();
  });

  it('say which streams there are', async () => {
    expect(await client.sendBad('{"ack":"nothing"}')).toMatchObject({
      code: 'NO_SUCH_STREAM',
      message: /there are devices, stats/,
    });
    expect(await client.sendBad('{"ack":"constructor"}')).toMatchObject({ code: 'NO_SUCH_STREAM' });
    await stillThere();
  });
});

it('says that a port is taken, and lives on', async () => {
  await expect(
    startServer({ lab, access: new Access(), renderer, port: server.port, address: '127.0.0.1' }),
  ).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: `Port ${server.port} is taken, perhaps by another lab.`,
    hint: /--port 0/,
  });
  await stillThere();
});

it('answers a window that came before the lab was ready', async () => {
  const fresh = new Access();
  let ready: () => void = () => undefined;
  const other = await startServer({
    lab: {
      accept: (channel) => {
        ready = () => lab.accept(channel);
      },
      close: async () => undefined,
    },
    access: fresh,
    renderer,
    port: 0,
    address: '127.0.0.1',
  });
  try {
    const socket = new WebSocket(`ws://127.0.0.1:${other.port}/lab`, ['pciem-lab', fresh.token]);
    await new Promise((resolve) => socket.on('open', resolve));
    const answer = new Promise<string>((resolve) => {
      socket.on('message', (data: Buffer) => {
        if (data.toString('utf8').startsWith('{"id":7')) resolve(data.toString('utf8'));
      });
    });
    socket.send('{"id":7,"call":"lab.hello","params":{}}');
    // A whole request later the message has arrived.
    await http('/');
    ready();
    expect(await answer).toContain('"contract"');
  } finally {
    await other.close();
  }
});

it.each([false, true])('compresses long messages where it is told to: %s', async (compress) => {
  const fresh = new Access();
  const bytes = new Uint8Array(100_000);
  const other = await startServer({
    lab: { accept: (channel) => channel.send(bytes.buffer), close: async () => undefined },
    access: fresh,
    renderer,
    port: 0,
    address: '127.0.0.1',
    compress,
  });
  try {
    const socket = new WebSocket(`ws://127.0.0.1:${other.port}/lab`, ['pciem-lab', fresh.token]);
    const got = await new Promise<Buffer>((resolve, reject) => {
      socket.on('message', (data: Buffer) => resolve(data));
      socket.on('error', reject);
    });
    expect(got.length).toBe(bytes.length);
    expect(socket.extensions).toBe(compress ? 'permessage-deflate' : '');
    socket.close();
  } finally {
    await other.close();
  }
});

it('tells its windows that it ends', async () => {
  const fresh = new Access();
  const other = await startServer({ lab, access: fresh, renderer, port: 0, address: '127.0.0.1' });
  const socket = new WebSocket(`ws://127.0.0.1:${other.port}/lab`, ['pciem-lab', fresh.token]);
  const closed = new Promise((resolve) =>
    socket.on('close', (code, reason) => resolve([code, String(reason)])),
  );
  await new Promise((resolve) => socket.on('open', resolve));
  await other.close();
  expect(await closed).toEqual([1001, 'The lab has ended.']);
});

it('tells why it closes a connection, as far as a close frame can carry it', async () => {
  const own = new Access();
  const closing = await startServer({
    lab: {
      accept: (channel) => {
        channel.onMessage(() => undefined);
        channel.close('ä'.repeat(200));
      },
      close: async () => undefined,
    },
    access: own,
    renderer,
    port: 0,
    address: '127.0.0.1',
  });
  const found = await attach(closing.port, { token: own.token });
  expect(found.kind).toBe('closed');
  if (found.kind === 'closed') {
    expect(found.reason).toMatch(/^ä{50,}…$/);
    expect(Buffer.byteLength(found.reason)).toBeLessThanOrEqual(123);
  }
  await closing.close();
});
