/** fio writes, reads back and compares, in all sizes and depths, on one disk and on two. */
import { afterEach, expect, it } from 'vitest';
import type { Guest } from '#app/hosts/guest/qemu.ts';
import { endDevices, type LabDevice, powerOn } from '../guest-lab.ts';

const BASE =
  '--direct=1 --ioengine=libaio --verify=crc32c --verify_fatal=1 --group_reporting --output-format=json';

interface Job {
  name: string;
  args: string;
}

const JOBS: Job[] = [
  { name: 'single blocks, one at a time', args: '--rw=randwrite --bs=512 --iodepth=1 --size=512k' },
  { name: '4 KiB at depth 32', args: '--rw=randwrite --bs=4k --iodepth=32 --size=8m' },
  {
    name: 'mixed odd sizes at depth 8',
    args: '--rw=randwrite --bsrange=512-256k --bs_unaligned=0 --iodepth=8 --size=16m',
  },
  { name: 'larger than one command', args: '--rw=write --bs=2m --iodepth=4 --size=32m' },
  {
    name: 'two jobs at once, reading and writing',
    args: '--rw=randrw --bsrange=4k-64k --iodepth=16 --size=4m --numjobs=2 --offset_increment=32m',
  },
];

async function fio(guest: Guest, device: LabDevice, { name, args }: Job): Promise<void> {
  const result = await guest.exec(`fio --name='${name}' --filename=${device.node} ${BASE} ${args}`, {
    timeoutMs: 150_000,
  });
  expect(result.code, `${name}: ${result.stderr}${result.stdout.slice(0, 2000)}`).toBe(0);
  const jobs = (
    JSON.parse(result.stdout.slice(result.stdout.indexOf('{'))) as {
      jobs: { error: number; read: { io_bytes: number } }[];
    }
  ).jobs;
  for (const job of jobs) {
    expect(job.error).toBe(0);
    // Nothing was compared if nothing was read.
    expect(job.read.io_bytes).toBeGreaterThan(0);
  }
}

export function fioSuite(guest: () => Guest): void {
  afterEach(() => endDevices(guest()));

  for (const lba of [512, 4096] as const) {
    it(`fio --verify over mixed sizes and depths, ${lba}-byte blocks`, async () => {
      const device = await (await powerOn(guest(), { size: '1GiB', lba })).waitForDisk();
      expect((await guest().output(`blockdev --getss ${device.node}`)).trim()).toBe(String(lba));
      try {
        for (const job of JOBS) {
          const args = lba === 4096 ? job.args.replace(/(bs|bsrange)=512(?=[ -])/, '$1=4096') : job.args;
          await fio(guest(), device, { ...job, args });
        }
      } finally {
        await device.powerOff();
      }
    }, 300_000);
  }

  it('two disks at once keep their data apart', async () => {
    const disks = [await powerOn(guest(), { name: 'left' }), await powerOn(guest(), { name: 'right' })];
    try {
      for (const disk of disks) await disk.waitForDisk();
      expect(disks[0]!.disk).not.toBe(disks[1]!.disk);
      expect(disks[0]!.address).not.toBe(disks[1]!.address);
      await Promise.all(disks.map((disk) => fio(guest(), disk, JOBS[2]!)));
      // The same place of each, with its own pattern.
      for (const [i, disk] of disks.entries()) {
        await guest().output(
          `head -c 1M /dev/zero | tr '\\0' '${'AB'[i]}' | dd of=${disk.node} bs=1M oflag=direct status=none iflag=fullblock`,
        );
      }
      for (const [i, disk] of disks.entries()) {
        const other = await guest().output(
          `dd if=${disk.node} bs=1M count=1 iflag=direct status=none | tr -d '${'AB'[i]}' | wc -c`,
        );
        expect(other.trim()).toBe('0');
      }
    } finally {
      for (const disk of disks) await disk.powerOff();
    }
  }, 300_000);
}
