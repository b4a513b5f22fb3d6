import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { attached } from '../testing/contract-client.ts';
import { decodePng } from '../testing/png.ts';
import { modelOptions } from './device.ts';

const out = resolve(import.meta.dirname, '../../out/lab');
const folder = mkdtempSync(join(tmpdir(), 'pciem-lab-cli-'));
const children: ChildProcess[] = [];
const SLOW = 20_000;

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly child: ChildProcess;
  stdout: string;
  stderr: string;
  readonly ended: Promise<number | string>;
}

function run(program: 'cli' | 'server', ...args: string[]): Run {
  const child = spawn(process.execPath, [join(out, `${program}.js`), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const result: Run = {
    child,
    stdout: '',
    stderr: '',
    ended: new Promise((done) => child.on('close', (code, signal) => done(signal ?? code ?? -1))),
  };
  child.stdout!.on('data', (data: Buffer) => {
    result.stdout += data.toString('utf8');
  });
  child.stderr!.on('data', (data: Buffer) => {
    result.stderr += data.toString('utf8');
  });
  return result;
}

/** A run that is over with an error that a person can read: no stack, no undefined. */
async function failed(program: 'cli' | 'server', ...args: string[]): Promise<Run> {
  const result = run(program, ...args);
  expect(await result.ended).toBe(1);
  expect(result.stderr).not.toMatch(/\n\s+at |undefined|\[object/);
  return result;
}

const image = (name: string, length: number): string => {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, length);
  return path;
};

describe('options of a model', () => {
  it('are what stands behind two dashes', () => {
    expect(modelOptions(['--size', '1GiB', '--lba=4096', '--image=a=b', '--serial', '--x'])).toEqual({
      size: '1GiB',
      lbaSize: '4096',
      image: 'a=b',
      serial: '--x',
    });
  });

  it.each([
    [['disk.img'], /"disk.img" is not an option; an option is --name value/],
    [['--size'], /--size has no value/],
    [['-s', '1'], /"-s" is not an option/],
    [['--=1'], /"--=1" is not an option/],
  ])('are refused by name: %j', (rest, message) => {
    expect(() => modelOptions(rest)).toThrow(message);
  });
});

describe('device', () => {
  it.each([
    [['nvme', '--host', 'sim', '--size', '1 parsec'], 'BAD_OPTION', /is not a size; accepted is/],
    [['nvme', '--host', 'sim', '--colour', 'red'], 'BAD_OPTION', /no option "colour"; its options are/],
    [['nvme', '--host', 'sim', '--size'], 'BAD_OPTION', /--size has no value/],
    [['nvme', '--host', 'sim', 'extra'], 'BAD_OPTION', /"extra" is not an option/],
    [['toaster', '--host', 'sim'], 'NO_SUCH_MODEL', /there are nvme/],
    [['nvme', '--host', 'sim', '--image', image('odd.img', 1_000_001)], 'IMAGE_SIZE', /no multiple of 512/],
    [
      ['nvme', '--host', 'sim', '--lba', '4096', '--image', image('odd4k.img', 512 * 2049)],
      'BAD_OPTION',
      /no multiple of the block size/,
    ],
  ])(
    'refuses %j',
    async (args, code, message) => {
      const { stdout, stderr } = await failed('cli', 'device', ...args);
      expect(stderr).toMatch(/^pciem-lab: /);
      expect(stderr).toMatch(message);
      expect(JSON.parse(stdout)).toMatchObject({ event: 'error', error: { code, message } });
    },
    SLOW,
  );

  it(
    'refuses a host that there is none of',
    async () => {
      const { stderr } = await failed('cli', 'device', 'nvme', '--host', 'moon');
      expect(stderr).toMatch(/'moon' is invalid. Allowed choices are pciem, sim/);
    },
    SLOW,
  );

  it(
    'is on the bus until it is asked to end',
    async () => {
      const disk = run('cli', 'device', 'nvme', '--host', 'sim', '--size', '16MiB', '--name', 'Mine');
      await expect.poll(() => disk.stdout, { timeout: SLOW }).toMatch(/"powered-on"/);
      expect(JSON.parse(disk.stdout)).toMatchObject({
        event: 'powered-on',
        name: 'Mine',
        address: '0000:01:00.0',
      });
      disk.child.kill('SIGTERM');
      expect(await disk.ended).toBe(0);
      expect(disk.stdout).toMatch(/"event":"powered-off"/);
      expect(disk.stderr).toBe('');
    },
    SLOW,
  );
});

describe('a picture of the device', () => {
  it(
    'is written when asked for, and can be again',
    async () => {
      const path = join(folder, 'card.png');
      const card = run('cli', 'device', 'protopciem', '--host', 'sim', '--screenshot', path);
      await expect.poll(() => card.stdout, { timeout: SLOW }).toMatch(/"powered-on"/);
      // The initiator draws from power-on: black at first perhaps, a picture in the end.
      let times = 0;
      await expect
        .poll(
          async () => {
            times++;
            card.child.kill('SIGUSR2');
            await expect
              .poll(() => card.stdout.match(/"event":"screenshot"/g)?.length, { timeout: SLOW })
              .toBe(times);
            const { width, height, pixels } = decodePng(readFileSync(path));
            expect([width, height]).toEqual([640, 480]);
            rmSync(path);
            return times > 1 && pixels.some((value) => value !== 0);
          },
          { timeout: SLOW },
        )
        .toBe(true);
      expect(card.stdout).toMatch(/"width":640,"height":480,"frames":\d+/);
    },
    SLOW,
  );

  it(
    'is refused of one that has none',
    async () => {
      const { stderr } = await failed('cli', 'device', 'nvme', '--host', 'sim', '--screenshot', 'x.png');
      expect(stderr).toMatch(/has no picture; display adapters have/);
    },
    SLOW,
  );
});

describe('serve', () => {
  const serve = (...args: string[]) => ['serve', '--renderer', folder, ...args];

  it.skipIf(existsSync('/dev/pciem'))(
    'says that there is no node, and what to do',
    async () => {
      const { stderr } = await failed('cli', ...serve('--host', 'pciem', '--port', '0'));
      expect(stderr).toMatch(/There is no \/dev\/pciem on this machine/);
      expect(stderr).toMatch(/Load the kernel module/);
    },
    SLOW,
  );

  it.each([
    [['--host', 'moon'], /Allowed choices are auto, sim, pciem, guest/],
    [['--port', '65536'], /A port is a number from 0 .* to 65535/],
    [['--port', 'http'], /A port is a number/],
    [['--host', 'sim', '--port', '0', '--device', 'toaster'], /"toaster"; there are nvme/],
    [['--host', 'guest', '--port', '0', '--kernel', '2.4'], /no guest with Linux 2.4; there are 6.1, 6.12/],
    [['--spin'], /unknown option '--spin'/],
  ])(
    'refuses %j',
    async (args, message) => {
      const { stderr } = await failed('cli', ...serve(...args));
      expect(stderr).toMatch(message);
    },
    SLOW,
  );

  it(
    'says that the page is not built',
    async () => {
      const { stderr } = await failed(
        'cli',
        'serve',
        '--host',
        'sim',
        '--port',
        '0',
        '--renderer',
        '/no/page',
      );
      expect(stderr).toMatch(/The page is not built.*\nRun `make build`/);
    },
    SLOW,
  );

  it(
    'leaves a port that is taken to whoever has it',
    async () => {
      const first = run('server', '--renderer', folder, '--host', 'sim', '--port', '0', '--device', 'nvme');
      await expect.poll(() => first.stdout, { timeout: SLOW }).toMatch(/PCIem Lab is at http:/);
      const url = new URL(/http:\S+/.exec(first.stdout)![0]);
      const second = await failed('server', '--renderer', folder, '--host', 'sim', '--port', url.port);
      expect(second.stderr).toMatch(/Port \d+ is taken, perhaps by another lab/);
      expect(second.stderr).toMatch(/--port 0 takes any that is free/);
      const client = await attached(Number(url.port), { token: url.hash.slice('#token='.length) });
      expect((await client.call('devices.list', {})).result).toHaveLength(1);
      client.close();
      first.child.kill('SIGINT');
      expect(await first.ended).toBe(0);
    },
    SLOW,
  );

  it(
    'says so of a port that another program has',
    async () => {
      const other = createServer();
      await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
      const address = other.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      const { stderr } = await failed('cli', ...serve('--host', 'sim', '--port', String(address.port)));
      expect(stderr).toMatch(/is taken/);
      other.close();
    },
    SLOW,
  );
});
