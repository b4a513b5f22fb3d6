/**
 * The figures of `make bench`: pictures on the simulated host and in a guest, each with a page; then from one guest our disk
 * beside a RAM disk, a trapped access beside an untrapped one, a burst, the card without a window, and the trace store.
 * Prints a table and writes out/bench.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bootGuest, buildGuest, type Guest, type GuestKernel } from '#app/hosts/guest/qemu.ts';
import { findRoot, run } from '#app/hosts/guest/qemu-files.ts';
import {
  type DisplayFigure,
  GuestDriver,
  guestRig,
  type HostName,
  measureCards,
  measurePages,
  nameOf,
  simRig,
  WORKS,
} from './display.ts';
import { reportProfiles, threadReport, threadTimes } from './profile.ts';

interface Figure {
  name: string;
  value: number;
  unit: string;
  limit: number;
  ratio: number;
}

interface DiskJob {
  name: string;
  rw: 'randread' | 'randwrite' | 'read' | 'write';
  bs: string;
  depth: number;
  /** Ratio to the RAM disk that is to be reached. */
  target: number;
}

const DISK_JOBS: DiskJob[] = [
  { name: 'fio/randread-4k-qd1', rw: 'randread', bs: '4k', depth: 1, target: 0.085 },
  { name: 'fio/randread-4k-qd8', rw: 'randread', bs: '4k', depth: 8, target: 0.2 },
  { name: 'fio/randread-4k-qd32', rw: 'randread', bs: '4k', depth: 32, target: 0.25 },
  { name: 'fio/randwrite-4k-qd1', rw: 'randwrite', bs: '4k', depth: 1, target: 0.1 },
  { name: 'fio/randwrite-4k-qd32', rw: 'randwrite', bs: '4k', depth: 32, target: 0.2 },
  { name: 'fio/read-128k-qd8', rw: 'read', bs: '128k', depth: 8, target: 0.35 },
  { name: 'fio/write-128k-qd8', rw: 'write', bs: '128k', depth: 8, target: 0.35 },
  { name: 'fio/read-1m-qd4', rw: 'read', bs: '1m', depth: 4, target: 0.4 },
];

/** eventfd round trips between two processes that an access may take which waits for its device. */
const SYNC_TARGET = 3;
const SYNC_ROUNDS = 2000;
/** Least share of memcpy(). */
const TRANSFER_TARGETS: Record<string, number> = { 'dma/read-1m': 0.8, 'dma/write-1m': 0.8 };
const INTERRUPTS = 1_000_000;

const BURST = 20_000;
/** Fewer than the ring has slots: the cost of a trap, not of waiting for the device. */
const TRAPS = 4000;
const SPAN = '256m';
const NAME_WIDTH = 42;

const { values: flags } = parseArgs({
  options: {
    kernel: { type: 'string', default: '6.12' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '2' },
    'no-build': { type: 'boolean', default: false },
    out: { type: 'string', default: 'out/bench.json' },
    /** Also says where the disk's process spends its time; slows it down. */
    profile: { type: 'boolean', default: false },
  },
});
const wanted = (name: string) => flags.only === '' || new RegExp(flags.only).test(name);
const say = (text: string) => void process.stderr.write(`bench: ${text}\n`);

/** Waits for a line of JSON with `key` in it. */
function lines(onLine: (line: Record<string, unknown>) => void): (data: Buffer) => void {
  let partial = '';
  return (data) => {
    const parts = (partial + data).split('\n');
    partial = parts.pop() ?? '';
    for (const part of parts) {
      if (part.startsWith('{')) onLine(JSON.parse(part) as Record<string, unknown>);
    }
  };
}

function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what}: not within ${ms / 1000} s`)), ms);
    }),
  ]).finally(() => clearTimeout(timer));
}

async function fio(guest: Guest, file: string, job: DiskJob, seconds: number): Promise<number> {
  const text = await guest.output(
    `fio --name=bench --filename=${file} --direct=1 --ioengine=libaio --rw=${job.rw} --bs=${job.bs} \
      --iodepth=${job.depth} --size=${SPAN} --time_based --runtime=${seconds} --ramp_time=0.5 \
      --randrepeat=0 --norandommap --output-format=json`,
    { timeoutMs: seconds * 1000 + 60_000 },
  );
  const result = JSON.parse(text.slice(text.indexOf('{'))) as {
    jobs: {
      error: number;
      read: { iops: number; bw_bytes: number };
      write: { iops: number; bw_bytes: number };
    }[];
  };
  const run = result.jobs[0]!;
  if (run.error !== 0) throw new Error(`${job.name} on ${file} ended with error ${run.error}`);
  const side = job.rw.endsWith('read') ? run.read : run.write;
  return job.bs === '4k' ? side.iops : side.bw_bytes / 1e6;
}

async function disks(guest: Guest, figures: Figure[]): Promise<void> {
  const jobs = DISK_JOBS.filter(({ name }) => wanted(name));
  if (jobs.length === 0) return;
  await guest.output('modprobe brd rd_nr=1 rd_size=524288 max_part=0 && modprobe nvme');
  let said = '';
  const profiling = flags.profile ? ['--cpu-prof', '--cpu-prof-dir=/tmp/profile'] : [];
  const device = guest.spawn(['node', ...profiling, '/lab/lab/cli.js', 'device', 'nvme', '--size', '1GiB'], {
    onStdout: (data) => (said += data),
    onStderr: (data) => (said += data),
  });
  const found = await guest.exec(
    'for i in $(seq 300); do [ -b /dev/nvme0n1 ] && exit 0; sleep 0.1; done; exit 1',
  );
  if (found.code !== 0) throw new Error(`the disk did not appear: ${said}`);
  // Memory that was never written reads faster than any disk.
  for (const file of ['/dev/ram0', '/dev/nvme0n1']) {
    await guest.output(`dd if=/dev/urandom of=/tmp/noise bs=1M count=16 status=none
      for i in $(seq 0 16 255); do dd if=/tmp/noise of=${file} bs=1M seek=$i oflag=direct status=none; done`);
  }
  // The controller's JavaScript is compiled as it gets hot: what is measured is how it runs, not how it starts.
  for (const { rw, bs } of [
    { rw: 'randread', bs: '4k' },
    { rw: 'randwrite', bs: '4k' },
    { rw: 'read', bs: '128k' },
    { rw: 'write', bs: '128k' },
  ] as const) {
    await fio(guest, '/dev/nvme0n1', { name: 'warm-up', rw, bs, depth: 32, target: 0 }, 3);
  }
  const rounds = Number(flags.rounds);
  const pid = await device.started;
  for (const job of jobs) {
    let value = 0;
    let limit = 0;
    // In turns, so that whatever else the machine does meets both.
    for (let round = 0; round < rounds; round++) {
      limit += (await fio(guest, '/dev/ram0', job, Number(flags.seconds))) / rounds;
      const before = flags.profile ? await threadTimes(guest, pid) : null;
      value += (await fio(guest, '/dev/nvme0n1', job, Number(flags.seconds))) / rounds;
      if (before) for (const line of threadReport(before, await threadTimes(guest, pid))) say(line);
    }
    add(figures, {
      name: job.name,
      value,
      unit: job.bs === '4k' ? 'IOPS' : 'MB/s',
      limit,
      ratio: value / limit,
    });
  }
  device.kill('SIGTERM');
  await within(60_000, 'the end of the device process', device.exited);
  if (flags.profile) await reportProfiles(guest, '/tmp/profile', path.join(root, 'out/bench/profile'));
  await guest.exec('rmmod brd');
}

async function traps(guest: Guest, figures: Figure[]): Promise<void> {
  if (!['trap/write', 'trap/read', 'burst/lost'].some(wanted)) return;
  let answer: (line: Record<string, unknown>) => void = () => {};
  let said = '';
  const card = guest.spawn(['node', '/lab/bench/trap-card.mjs'], {
    stdin: true,
    onStdout: lines((line) => answer(line)),
    onStderr: (data) => (said += data),
  });
  const next = () => new Promise<Record<string, unknown>>((resolve) => (answer = resolve));
  const ended = card.exited.then(({ code }) => {
    throw new Error(`the card's process ended with ${code}: ${said}`);
  });
  ended.catch(() => {});
  const address = String((await within(30_000, 'the card', Promise.race([next(), ended]))).address);
  const seen = async () => {
    const reply = next();
    await card.write('\n');
    return (await within(30_000, 'the card', Promise.race([reply, ended]))) as {
      reads: number;
      writes: number;
      lost: number;
    };
  };
  await guest.output('insmod /lab/modules/pciem_test.ko');
  const run = `/sys/kernel/debug/pciem_test/${address}/run`;
  /** ns of one access: the best of three, as the first warms caches and translated code. */
  const cost = async (command: string, count: number) => {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) {
      const text = await guest.output(`echo "${command} ${count}" > ${run} && cat ${run}`);
      const match = /ns=(\d+) count=(\d+)/.exec(text);
      if (!match) throw new Error(`pciem_test answered "${text.trim()}"`);
      best = Math.min(best, Number(match[1]) / Number(match[2]));
      // The ring is empty again before the next.
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    return best;
  };
  for (const way of ['write', 'read'] as const) {
    if (!wanted(`trap/${way}`)) continue;
    const limit = await cost(`${way}32 0 0`, 200_000);
    const value = await cost(`${way}32 2 0`, TRAPS);
    add(figures, { name: `trap/${way}`, value, unit: 'ns', limit, ratio: value / limit });
  }
  if (wanted('burst/lost')) {
    const before = await seen();
    await guest.output(`echo "write32 2 0 ${BURST}" > ${run} && cat ${run}`);
    let after = await seen();
    for (let i = 0; i < 20 && after.writes - before.writes < BURST; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      after = await seen();
    }
    // What did not arrive, not only what was counted as lost.
    const value = Math.max(BURST - (after.writes - before.writes), after.lost - before.lost);
    add(figures, { name: 'burst/lost', value, unit: 'events', limit: BURST, ratio: value / BURST });
  }
  await guest.output('rmmod pciem_test');
  card.kill('SIGTERM');
  await within(
    30_000,
    "the end of the card's process",
    card.exited.catch(() => {}),
  );
}

/** Accesses that wait for the device, a C program of its own, beside an eventfd round trip in the same run. */
async function synchronous(guest: Guest, figures: Figure[]): Promise<void> {
  if (!['sync/read', 'sync/write', 'sync/read-polling', 'sync/write-polling'].some(wanted)) return;
  const text = await guest.output(`/lab/bench/access ${SYNC_ROUNDS}`, { timeoutMs: 180_000 });
  const values = new Map<string, number>();
  for (const line of text.split('\n').filter((part) => part.startsWith('{'))) {
    const { name, value } = JSON.parse(line) as { name: string; value: number };
    values.set(name, value);
  }
  for (const [device, suffix] of [
    ['spinning-device', ''],
    ['polling-device', '-polling'],
  ] as const) {
    const limit = values.get(`access/${device}/eventfd-round-trip`)!;
    for (const way of ['read', 'write'] as const) {
      const value = values.get(`access/${device}/synchronous-${way}`)!;
      const name = `sync/${way}${suffix}`;
      if (wanted(name)) add(figures, { name, value, unit: 'ns', limit, ratio: value / limit }, SYNC_TARGET);
    }
  }
}

async function store(guest: Guest, figures: Figure[]): Promise<void> {
  if (!['store/events-per-second', 'store/bytes-per-event'].some(wanted)) return;
  const result = await guest.exec('node /lab/lab/store-bench.js', { timeoutMs: 180_000 });
  if (result.code !== 0) throw new Error(`the store's benchmark ended with ${result.code}: ${result.stderr}`);
  for (const line of result.stdout.split('\n').filter((text) => text.startsWith('{'))) {
    const figure = JSON.parse(line) as Figure;
    if (wanted(figure.name)) add(figures, figure);
  }
}

/** DMA and interrupts, by C programs that say what bound they measured beside each. */
async function transfers(guest: Guest, figures: Figure[]): Promise<void> {
  const names = [...Object.keys(TRANSFER_TARGETS), 'dma/calls-64', 'dma/segments-64'];
  const interrupts = ['irq/one-injector', 'irq/four-injectors', 'irq/missing', 'irq/latency-other-cpu'];
  for (const [program, produced] of [
    ['dma', names],
    [`irq ${INTERRUPTS}`, interrupts],
  ] as const) {
    if (!produced.some(wanted)) continue;
    const text = await guest.output(`/lab/bench/${program}`, { timeoutMs: 180_000 });
    for (const line of text.split('\n').filter((part) => part.startsWith('{'))) {
      const { name, value, unit, limit } = JSON.parse(line) as Omit<Figure, 'ratio'>;
      if (wanted(name)) add(figures, { name, value, unit, limit, ratio: value / limit });
    }
  }
}

const worksFor = (host: HostName, part: 'rate' | 'shown') =>
  WORKS.filter((work) => wanted(`display/${host}/${nameOf(work)}/${part}`));

/** Pictures, on each host in a lab of its own, with a page. */
async function displays(figures: Figure[]): Promise<void> {
  const seconds = Number(flags.seconds);
  const add = (figure: DisplayFigure) => show(figures, figure);
  const onSim = worksFor('sim', 'shown');
  if (onSim.length > 0) {
    const rig = await simRig(root);
    try {
      await measureCards('sim', rig, onSim, seconds, add);
      await measurePages('sim', rig, onSim, seconds, add);
    } finally {
      await rig.end();
    }
  }
  const onGuest = worksFor('guest', 'shown');
  if (onGuest.length > 0) {
    const rig = await guestRig(root, kernel, say);
    try {
      await measurePages('guest', rig, onGuest, seconds, add);
    } finally {
      await rig.end();
    }
    for (const problem of rig.problems) {
      status = 1;
      say(`the guest's kernel reported:\n${problem}`);
    }
  }
}

/** The card in the guest without a window: what the driver, DMA and the model take. */
async function cards(guest: Guest, figures: Figure[]): Promise<void> {
  const works = worksFor('guest', 'rate');
  if (works.length === 0) return;
  let said = '';
  const hear = (data: Buffer) => (said += data);
  const profiling = flags.profile ? ['--cpu-prof', '--cpu-prof-dir=/tmp/profile-card'] : [];
  const device = guest.spawn(['node', ...profiling, '/lab/lab/cli.js', 'device', 'protopciem'], {
    onStdout: hear,
    onStderr: hear,
  });
  await guest.output('modprobe -a drm_kms_helper drm_shmem_helper && insmod /lab/modules/protopciem.ko');
  const driver = new GuestDriver(guest);
  try {
    await measureCards('guest', driver, works, Number(flags.seconds), (figure) => show(figures, figure));
  } catch (error) {
    throw new Error(`${(error as Error).message}; the card's process said: ${said}`);
  } finally {
    await driver.end();
    device.kill('SIGTERM');
    await within(60_000, "the end of the card's process", device.exited);
  }
  if (flags.profile)
    await reportProfiles(guest, '/tmp/profile-card', path.join(root, 'out/bench/profile-card'));
  await guest.output('for i in $(seq 100); do rmmod protopciem && exit 0; sleep 0.1; done; exit 1');
}

function show(figures: Figure[], { verdict, ...figure }: DisplayFigure): void {
  figures.push(figure);
  print(figure, verdict ?? '');
}

/** `atMost`: the ratio that is not to be exceeded. */
function add(figures: Figure[], figure: Figure, atMost?: number): void {
  figures.push(figure);
  const target = DISK_JOBS.find(({ name }) => name === figure.name)?.target ?? TRANSFER_TARGETS[figure.name];
  let verdict = '';
  if (atMost !== undefined) verdict = figure.ratio <= atMost ? `within ${atMost}` : `above ${atMost}`;
  else if (target !== undefined) verdict = figure.ratio >= target ? `reaches ${target}` : `below ${target}`;
  print(figure, verdict);
}

function print(figure: Figure, verdict: string): void {
  process.stdout.write(
    `${figure.name.padEnd(NAME_WIDTH)}${amount(figure.value).padStart(12)} ${figure.unit.padEnd(9)}${amount(figure.limit).padStart(12)}${figure.ratio.toFixed(3).padStart(10)}  ${verdict}\n`,
  );
}

function amount(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Math.round(value * 100) / 100);
}

async function inOneGuest(): Promise<void> {
  const guest = await bootGuest({
    root,
    kernel,
    memoryMiB: 4096,
    // An emulated CPU takes up to 100 us to come out of a halt, several times what the path under test takes.
    appendCmdline: 'idle=poll',
    logPath: path.join(root, 'out/guest/console-bench.log'),
    extraFiles: [
      { host: path.join(root, 'e2e/bench/trap-card.mjs'), guest: '/lab/bench/trap-card.mjs' },
      { host: path.join(root, 'out/selftests/bench'), guest: '/lab/bench/access' },
      { host: path.join(root, 'out/selftests/bench_dma'), guest: '/lab/bench/dma' },
      { host: path.join(root, 'out/selftests/bench_irq'), guest: '/lab/bench/irq' },
    ],
  });
  try {
    say(`Linux ${guest.release} (${guest.accel}), started in ${guest.bootMs} ms`);
    await guest.output('insmod /lab/modules/pciem.ko');
    for (const part of [cards, traps, synchronous, transfers, disks, store]) {
      try {
        await part(guest, figures);
      } catch (error) {
        status = 1;
        say((error as Error).message);
      }
    }
    await guest.shutdown();
    for (const problem of guest.problems) {
      status = 1;
      say(`the guest's kernel reported:\n${problem}`);
    }
  } finally {
    await guest.kill();
  }
}

const root = findRoot(path.resolve('.'));
const kernel = flags.kernel as GuestKernel;
const figures: Figure[] = [];
let status = 0;
process.stdout.write(
  `${'name'.padEnd(NAME_WIDTH)}${'value'.padStart(12)} ${'unit'.padEnd(9)}${'limit'.padStart(12)}${'ratio'.padStart(10)}\n`,
);
if (!flags['no-build']) await buildGuest([kernel], { root, onProgress: (text) => say(text.trim()) });
// Static programs; the guest has no compiler.
await run('make', ['-s', '-C', path.join(root, 'kernel/selftests')], 'SELFTESTS');
try {
  await displays(figures);
} catch (error) {
  status = 1;
  say((error as Error).message);
}
if (!flags.only.startsWith('display/sim')) await inOneGuest();
const file = path.resolve(root, flags.out);
mkdirSync(path.dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
say(`written to ${path.relative(root, file)}`);
process.exitCode = status;
