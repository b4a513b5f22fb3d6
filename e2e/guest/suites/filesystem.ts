/** What is stored comes back: through a filesystem, and through the device's death and return. */
import { afterEach, expect, it } from 'vitest';
import type { Guest } from '#app/hosts/guest/qemu.ts';
import { endDevices, powerOn } from '../guest-lab.ts';

const IMAGE = '/var/tmp/disk.img';

export function filesystemSuite(guest: () => Guest): void {
  afterEach(() => endDevices(guest()));

  const run = (command: string, timeoutMs = 180_000) => guest().output(command, { timeoutMs });

  it('an ext4 tree of over 100 MB survives a power cycle with the same image', async () => {
    await run(`rm -f ${IMAGE}; mkdir -p /mnt/disk`);
    const first = await (await powerOn(guest(), { size: '1GiB', image: IMAGE })).waitForDisk();
    await run(`mkfs.ext4 -q ${first.node} && mount ${first.node} /mnt/disk`);
    await run('cd /usr && cp -a bin sbin lib/x86_64-linux-gnu /mnt/disk/');
    expect(Number((await run('du -sm --apparent-size /mnt/disk')).split('\t')[0])).toBeGreaterThanOrEqual(
      100,
    );
    // The sums are those of the originals, not of what came back from the disk.
    await run(`(cd /usr && find bin sbin -type f -print0 | xargs -0 md5sum
        cd /usr/lib && find x86_64-linux-gnu -type f -print0 | xargs -0 md5sum) > /tmp/sums`);
    expect(Number(await run('wc -l < /tmp/sums'))).toBeGreaterThan(300);
    await run('umount /mnt/disk');
    await first.powerOff();

    expect((await run(`stat -c %s ${IMAGE}`)).trim()).toBe(String(1024 ** 3));
    const second = await (await powerOn(guest(), { size: '1GiB', image: IMAGE })).waitForDisk();
    await run(`e2fsck -f -n ${second.node}`);
    await run(`mount ${second.node} /mnt/disk`);
    await run('cd /mnt/disk && md5sum --quiet -c /tmp/sums');
    await run(`umount /mnt/disk && e2fsck -f -n ${second.node}`);
    await second.powerOff();
  }, 300_000);

  it('its image is one that a loop mount accepts', async () => {
    await run('modprobe loop');
    await run(`mount -o loop,ro ${IMAGE} /mnt/disk`);
    await run('cmp /usr/bin/bash /mnt/disk/bin/bash; umount /mnt/disk');
    await run(`rm -f ${IMAGE}`);
  });
}
