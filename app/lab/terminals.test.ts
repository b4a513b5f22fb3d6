import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Terminals } from './terminals.ts';

let terminals: Terminals;
let said: Map<number, string>;
let exits: [number, number][];
const FAST = { interval: 10, timeout: 5000 };

beforeEach(() => {
  // A plain shell, whoever runs the tests.
  vi.stubEnv('SHELL', '/bin/sh');
  vi.stubEnv('PS1', '$ ');
  said = new Map();
  exits = [];
  terminals = new Terminals({
    data: (terminal, data) => said.set(terminal, (said.get(terminal) ?? '') + data),
    exit: (terminal, code) => exits.push([terminal, code]),
  });
});

afterEach(() => {
  terminals.closeAll();
  vi.unstubAllEnvs();
});

it('runs a shell of the size that the window has', async () => {
  const id = terminals.openShell(91, 17);
  terminals.write(id, 'stty size\n');
  await expect.poll(() => said.get(id), FAST).toMatch(/17 91/);
  terminals.resize(id, 120, 40);
  terminals.write(id, 'stty size\n');
  await expect.poll(() => said.get(id), FAST).toMatch(/40 120/);
});

it('keeps terminals apart, and says how each ended', async () => {
  const [one, two] = [terminals.openShell(80, 24), terminals.openShell(80, 24)];
  terminals.write(one, 'echo $((40+2))-one; exit 5\n');
  await expect.poll(() => exits, FAST).toEqual([[one, 5]]);
  expect(said.get(one)).toContain('42-one');
  expect(said.get(two) ?? '').not.toContain('one');
  expect(() => terminals.write(one, 'x')).toThrow(/There is no terminal 1; it may have ended/);
  terminals.write(two, 'echo $((1+1))-two\n');
  await expect.poll(() => said.get(two), FAST).toMatch(/2-two/);
});

it('stops reading what the window does not draw, and goes on when it has', async () => {
  const id = terminals.openShell(80, 24);
  terminals.write(id, 'seq 1 200000; echo the-$((1))-end\n');
  await expect.poll(() => (said.get(id) ?? '').length, FAST).toBeGreaterThan(90_000);
  const bound = 400_000;
  let seen = 0;
  let stalls = 0;
  // Nothing is drawn: what comes is bounded, however long one waits.
  await expect
    .poll(
      () => {
        const length = said.get(id)!.length;
        stalls = length === seen ? stalls + 1 : 0;
        seen = length;
        return stalls;
      },
      { interval: 30, timeout: 5000 },
    )
    .toBeGreaterThan(5);
  expect(said.get(id)!.length).toBeLessThan(bound);
  expect(said.get(id)).not.toContain('the-1-end');
  let drawn = 0;
  await expect
    .poll(
      () => {
        const { length } = said.get(id)!;
        terminals.drawn(id, length - drawn);
        drawn = length;
        return said.get(id)!.includes('the-1-end');
      },
      { interval: 10, timeout: 10_000 },
    )
    .toBe(true);
  expect(said.get(id)).toContain('200000');
}, 30_000);

it('has a bound on how many there are', () => {
  for (let number = 0; number < 16; number++) terminals.openShell(80, 24);
  expect(() => terminals.openShell(80, 24)).toThrow(/at most 16 terminals/);
  terminals.close(1);
  terminals.openShell(80, 24);
});

it('says that there is no such terminal', () => {
  expect(() => terminals.write(9, 'x')).toThrow(/There is no terminal 9/);
  expect(() => terminals.resize(9, 80, 24)).toThrow(/There is no terminal 9/);
  expect(() => terminals.close(9)).toThrow(/There is no terminal 9/);
  // It may have ended while the window was drawing.
  terminals.drawn(9, 100);
});

it('shows what a filter leaves, and counts only that as on its way', async () => {
  let say: (data: string) => void = () => {};
  const id = terminals.open(
    () => ({
      onData: (listener) => (say = listener),
      onExit: () => {},
      write: () => {},
      resize: () => {},
      pause: () => said.set(id, 'paused'),
      resume: () => {},
      kill: () => {},
    }),
    (data) => data.replaceAll('x', ''),
  );
  say('x'.repeat(200_000));
  say('xax');
  await expect.poll(() => said.get(id), FAST).toBe('a');
});
