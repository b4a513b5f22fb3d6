/** A device process may die at any time; the kernel goes on. */
import { afterEach, expect, it } from 'vitest';
import type { Guest } from '#app/hosts/guest/qemu.ts';
import { endDevices, powerOn, withTimeout } from '../guest-lab.ts';

export function removalSuite(guest: () => Guest, rounds: number): void {
  afterEach(() => endDevices(guest()));

  it(`the device process is killed in the middle of fio, ${rounds} times`, async () => {
    for (let round = 1; round <= rounds; round++) {
      const device = await (await powerOn(guest(), { size: '256MiB' })).waitForDisk();
      let said = '';
      const fio = guest().spawn(
        `fio --name=load --filename=${device.node} --direct=1 --ioengine=libaio --rw=randrw --bs=4k --iodepth=16 \
           --size=64m --time_based --runtime=60 --numjobs=2 --status-interval=1`,
        { onStdout: (data) => (said += data), onStderr: (data) => (said += data) },
      );
      await fio.started;
      // Once it has really moved data, and at another moment each time.
      await guest().output(
        `for i in $(seq 200); do set -- $(cat /sys/block/${device.disk}/stat); [ $1 -gt 200 ] && [ $5 -gt 200 ] && exit 0
         sleep 0.05; done; echo "fio does not move anything" >&2; exit 1`,
      );
      await new Promise((resolve) => setTimeout(resolve, round * 37));
      await device.killProcess();
      const { code } = await withTimeout(fio.exited, 60_000, `round ${round}: fio hangs after the removal`);
      expect(code, `round ${round}: fio did not notice: ${said.slice(-500)}`).not.toBe(0);
      expect((await guest().exec(`ls -d /dev/${device.disk} 2>/dev/null`)).stdout).toBe('');
    }
    // And the next one works.
    const next = await (await powerOn(guest(), { size: '256MiB' })).waitForDisk();
    await guest().output(
      `fio --name=after --filename=${next.node} --direct=1 --ioengine=libaio --rw=randwrite --bs=4k --iodepth=16 --size=8m --verify=crc32c`,
    );
    await next.powerOff();
  }, 400_000);

  it('the device process is killed under a mounted filesystem', async () => {
    const device = await (await powerOn(guest(), { size: '256MiB' })).waitForDisk();
    await guest().output(
      `mkdir -p /mnt/lost && mkfs.ext4 -q ${device.node} && mount ${device.node} /mnt/lost`,
    );
    await guest().output('cp -a /usr/sbin /mnt/lost/');
    await device.killProcess();
    await guest().output('umount -l /mnt/lost', { timeoutMs: 60_000 });
    expect((await guest().exec('sync; echo alive', { timeoutMs: 60_000 })).stdout).toBe('alive\n');
  });

  it('the module unloads when no device is left, and loads again', async () => {
    await guest().output('rmmod pciem');
    await guest().output('insmod /lab/modules/pciem.ko');
    const device = await (await powerOn(guest())).waitForDisk();
    await device.powerOff();
  });
}
