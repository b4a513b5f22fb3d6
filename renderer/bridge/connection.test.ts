import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LabHello } from '#contract/lab.ts';
import { createFakeLab } from '#renderer/testing/fake-lab.ts';
import { LabClient } from './client.ts';
import { Connection, type ConnectionState } from './connection.ts';
import { ConnectError, type ReasonedChannel, takeToken } from './transports.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(open: () => Promise<ReasonedChannel>) {
  const states: ConnectionState[] = [];
  const hellos: LabHello[] = [];
  const connection = new Connection(new LabClient(), open, {
    state: (state) => states.push(state),
    hello: (hello) => hellos.push(hello),
  });
  return { connection, states, hellos, kinds: () => states.map((state) => state.kind) };
}

test('says hello, and again after the connection was lost', async () => {
  const lab = createFakeLab();
  const { connection, kinds, hellos } = setUp(async () => lab.connect());
  await connection.start();
  expect(kinds()).toEqual(['connecting', 'connected']);
  lab.drop();
  expect(kinds().at(-1)).toBe('waiting');
  await vi.advanceTimersByTimeAsync(600);
  expect(kinds().at(-1)).toBe('connected');
  expect(hellos).toHaveLength(2);
  connection.stop();
});

test('a lab whose machine has ended is no lab, and is one again after it was started', async () => {
  let stopped: LabHello['stopped'] = { reason: 'it was ended by SIGKILL', starting: false };
  const lab = createFakeLab();
  const { connection, states, hellos, kinds } = setUp(async () => {
    const channel = lab.connect();
    if (stopped === undefined) return channel;
    const listeners: ((message: string) => void)[] = [];
    const said = stopped;
    return {
      ...channel,
      onMessage: (listener) => listeners.push(listener),
      send: (message) => {
        const { id } = JSON.parse(String(message)) as { id: number };
        queueMicrotask(() => {
          for (const hear of listeners) hear(JSON.stringify({ id, ok: { ...hellos[0], stopped: said } }));
        });
      },
    };
  });
  await connection.start();
  expect(states.at(-1)).toEqual({ kind: 'stopped', reason: 'it was ended by SIGKILL', starting: false });
  expect(hellos).toHaveLength(0);
  stopped = undefined;
  lab.drop();
  await vi.advanceTimersByTimeAsync(600);
  expect(kinds().at(-1)).toBe('connected');
  expect(hellos).toHaveLength(1);
  connection.stop();
});

test('pauses grow up to five seconds while nobody answers', async () => {
  let tries = 0;
  const { connection, states } = setUp(async () => {
    tries++;
    throw new ConnectError('The lab cannot be reached', false);
  });
  void connection.start();
  await vi.advanceTimersByTimeAsync(500 + 1000 + 2000 + 4000 + 100);
  expect(tries).toBe(5);
  await vi.advanceTimersByTimeAsync(5000);
  expect(tries).toBe(6);
  await vi.advanceTimersByTimeAsync(5000);
  expect(tries).toBe(7);
  expect(states.at(-1)).toMatchObject({ kind: 'waiting', reason: 'The lab cannot be reached' });
  connection.stop();
});

test('a refusal is final, and says why', async () => {
  let tries = 0;
  const { connection, states } = setUp(async () => {
    tries++;
    throw new ConnectError('Wrong token.', true);
  });
  await connection.start();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(tries).toBe(1);
  expect(states.at(-1)).toEqual({ kind: 'refused', reason: 'Wrong token.' });
});

test('a lab that takes the connection and then refuses it is a refusal too', async () => {
  let close: (() => void)[] = [];
  const { connection, states } = setUp(async () => ({
    send: () => {},
    onMessage: () => {},
    onClose: (listener) => close.push(listener),
    close: () => {},
    reason: () => 'This token was used already.',
    refused: () => true,
  }));
  void connection.start();
  await vi.advanceTimersByTimeAsync(1);
  for (const listener of close) listener();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(states.at(-1)).toEqual({ kind: 'refused', reason: 'This token was used already.' });
  close = [];
});

test('the token leaves the address and is kept for a reload', () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  const replaceState = vi.fn();
  const first = takeToken({ hash: '#token=abc-_1', pathname: '/', search: '?x' }, { replaceState }, storage);
  expect(first).toBe('abc-_1');
  expect(replaceState).toHaveBeenCalledWith(null, '', '/?x');
  expect(takeToken({ hash: '', pathname: '/', search: '' }, { replaceState }, storage)).toBe('abc-_1');
  expect(takeToken({ hash: '#token=a b', pathname: '/', search: '' }, { replaceState }, storage)).toBe(
    'abc-_1',
  );
});
