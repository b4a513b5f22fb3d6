import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { CallName } from '#contract/index.ts';
import { decodeServerMessage, type ServerMessage } from '#contract/wire.ts';
import { ConsoleRelay } from './console-relay.ts';

let seen: ServerMessage['head'][];
let listeners: Set<(text: string) => void>;
let relay: ConsoleRelay;
let nextId: number;

const ask = (call: CallName, params: unknown) =>
  relay.fromWindow(JSON.stringify({ id: nextId++, call, params }));
const say = (text: string) => {
  for (const listener of listeners) listener(text);
  vi.advanceTimersByTime(10);
};
const text = () =>
  seen.map((head) => ('stream' in head ? (head.data as { data: string }).data : '')).join('');
const open = (): number => {
  expect(ask('terminal.open', { kind: 'console', columns: 80, rows: 24 })).toBeUndefined();
  const { ok } = seen.pop() as unknown as { ok: { terminal: number } };
  vi.advanceTimersByTime(10);
  return ok.terminal;
};

beforeEach(() => {
  vi.useFakeTimers();
  seen = [];
  listeners = new Set();
  nextId = 1;
  const guest = {
    console: 'of a line\r\n[    1.0] booted\r\n',
    onConsole: (listener: (text: string) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  relay = new ConsoleRelay(guest, { send: (message) => seen.push(decodeServerMessage(message).head) });
});
afterEach(() => {
  relay.close();
  vi.useRealTimers();
});

it('shows what the console wrote before, from the start of a line, and what it writes', () => {
  const terminal = open();
  expect(seen).toEqual([{ stream: 'terminalData', data: { terminal, data: '[    1.0] booted\r\n' } }]);
  say('[    2.0] Kernel panic - not syncing\r\n');
  expect(text()).toContain('Kernel panic');
});

it('leaves to the lab what is not of the console', () => {
  for (const message of [
    '{"id":1,"call":"terminal.open","params":{"kind":"shell","columns":80,"rows":24}}',
    '{"id":2,"call":"terminal.write","params":{"terminal":1,"data":"x"}}',
    '{"id":3,"call":"terminal.open","params":{"kind":"console","columns":80}}',
    '{"id":4,"call":"terminal.open',
    '{"ack":"terminalData"}',
  ])
    expect(relay.fromWindow(message)).toBe(message);
  expect(seen).toEqual([]);
});

it('takes no keys, and says so', () => {
  const terminal = open();
  seen = [];
  ask('terminal.resize', { terminal, columns: 100, rows: 30 });
  ask('terminal.write', { terminal, data: 'ls\r' });
  expect(seen).toMatchObject([
    { ok: {} },
    { error: { code: 'READ_ONLY', hint: 'Open a shell for commands.' } },
  ]);
});

it('is bounded by what the window draws, and keeps the end', () => {
  const terminal = open();
  for (let at = 0; at < 40; at++) say(`${at} `.padEnd(20_000, '.'));
  expect(text().length).toBeLessThan(150_000);
  ask('terminal.drawn', { terminal, characters: text().length });
  vi.advanceTimersByTime(10);
  expect(text().length).toBeLessThan(450_000);
  expect(text()).toContain('39 ..');
  expect(text()).toMatch(/\r\n\[\d{5,6} characters are left out\]\r\n/);
});

it('listens no longer to a console that is closed, or whose window is gone', () => {
  const terminal = open();
  open();
  expect(listeners.size).toBe(2);
  ask('terminal.close', { terminal });
  expect(listeners.size).toBe(1);
  relay.close();
  expect(listeners.size).toBe(0);
  seen = [];
  ask('terminal.close', { terminal });
  expect(seen).toMatchObject([{ error: { code: 'NO_SUCH_TERMINAL' } }]);
});
