import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildGuest, type Guest } from '#app/hosts/guest/qemu.ts';
import { findRoot, run } from '#app/hosts/guest/qemu-files.ts';
import { bootLab, KERNELS, kernelProblems } from './guest-lab.ts';
import { answersSuite } from './suites/answers.ts';
import { desktopSuite } from './suites/desktop.ts';
import { driverSuite } from './suites/driver.ts';
import { filesystemSuite } from './suites/filesystem.ts';
import { fioSuite } from './suites/fio.ts';
import { firstDriverSuite } from './suites/first-driver.ts';
import { machineEndSuite, machineSuite } from './suites/machine.ts';
import { protopciemSuite } from './suites/protopciem.ts';
import { removalSuite } from './suites/removal.ts';
import { selftestsSuite } from './suites/selftests.ts';

const root = findRoot(path.dirname(import.meta.filename));

let selftestsBuilt: Error | null = null;

beforeAll(async () => {
  // Static programs; the guest has no compiler.
  selftestsBuilt = await run(
    'make',
    ['-k', '-s', '-C', path.join(root, 'kernel/selftests')],
    'SELFTESTS',
  ).then(
    () => null,
    (error: Error) => error,
  );
  if (process.env.PCIEM_LAB_NO_BUILD) return;
  await buildGuest(KERNELS, { root, onProgress: (text) => void process.stderr.write(text) });
}, 1_800_000);

for (const kernel of KERNELS) {
  describe(`Linux ${kernel}`, () => {
    let guest: Guest;
    const it = () => guest;
    /** What is repeated to meet another moment each time, is repeated most often there. */
    const newest = kernel === KERNELS.at(-1);

    beforeAll(async () => {
      // Else Debian's kernels refuse resource0 of a device that has a driver.
      guest = await bootLab(kernel, { appendCmdline: 'iomem=relaxed' });
      process.stderr.write(`guest: Linux ${guest.release} (${guest.accel}) in ${guest.bootMs} ms\n`);
    });
    afterAll(async () => {
      await guest?.shutdown();
    });
    // The log is part of every test's result.
    afterEach(async () => {
      if (guest) expect(await kernelProblems(guest), 'the kernel log').toEqual([]);
    });

    describe('the machine', () => machineSuite(it));
    describe('the module', () => {
      test('loads', async () => {
        await guest.output('insmod /lab/modules/pciem.ko && modprobe nvme && [ -c /dev/pciem ]');
      });
      test('has selftests that build', () => expect(selftestsBuilt).toBeNull());
      selftestsSuite(it, root, newest);
    });
    describe('answers', () => answersSuite(it));
    describe('the nvme driver', () => driverSuite(it));
    describe('the filesystem', () => filesystemSuite(it));
    describe('fio', () => fioSuite(it));
    describe('the first driver', () => firstDriverSuite(it, root));
    describe('the ProtoPCIem driver', () => protopciemSuite(it, newest ? 20 : 6));
    describe('the desktop', () => desktopSuite(it));
    describe('surprise', () => removalSuite(it, newest ? 10 : 4));
  });
}

describe('the end of a machine', () =>
  machineEndSuite((options) => bootLab('6.12', { logPath: 'out/guest/console-end.log', ...options }), root));
