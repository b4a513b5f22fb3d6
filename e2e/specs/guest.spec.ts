/** The window outside, the lab inside a Linux guest, where the kernel's own driver owns the disk. One boot. */
import { Linux, SLOW } from '../fixtures/linux.ts';
import { expect, test } from '../fixtures/test.ts';

test.use({ labArguments: { host: 'guest', device: '', timeout: 180_000, more: ['--kernel', '6.12'] } });

test('a person formats, mounts, watches and pokes a disk that Linux drives', async ({ window }) => {
  const linux = new Linux(window);
  const ask = (command: string) => linux.ask(command);
  /** How often Linux has handled an interrupt of the disk. */
  const handled = (queue: number) => linux.handled(`nvme0q${queue}`);

  await test.step('the disk is powered on by clicking', async () => {
    await expect(window.get('status-host')).toContainText('Linux 6.12');
    await expect(window.get('devices-empty')).toBeVisible();
    await window.get('power-on').click();
    await window.get('option-size').fill('256MiB');
    await window.get('power-on-confirm').click();
    await expect(window.get('device-driver')).toHaveText('nvme', SLOW);
    await expect(window.devices()).toContainText('MSI-X');
    // No initiator here: what comes is what Linux does.
    await expect(window.get('workload-toggle')).toBeHidden();
  });
  const address = (await window.get('device-address').textContent()) ?? '';
  expect(address).toMatch(/^[\da-f]{4,8}:[\da-f]{2}:00\.0$/);

  await test.step('it is formatted and mounted by typing', async () => {
    await window.show('terminal');
    await expect.poll(() => window.screen(), SLOW).toMatch(/# ?$/m);
    await window.type('mkfs.ext4 -q /dev/nvme0n1 && mount /dev/nvme0n1 /mnt; echo status-$?-of-both');
    await expect.poll(() => window.screen(), SLOW).toMatch(/^status-0-of-both$/m);
    expect(await ask('findmnt -no SOURCE,FSTYPE /mnt | tr -s " "')).toBe('/dev/nvme0n1 ext4');
  });

  await test.step('the doorbells are in the trace by name', async () => {
    await window.filter('write && reg ~ "SQ*TDBL"');
    await expect
      .poll(async () => (await window.traceRows()).map(({ register }) => register).join('\n'))
      .toMatch(/^SQ[12]TDBL/m);
    await expect(window.get('trace-count')).toHaveText(/rows match/);
    const before = await window.number(window.get('trace-count'));
    expect(
      await ask('dd if=/dev/urandom of=/mnt/file bs=1M count=8 conv=fsync 2>/dev/null && wc -c < /mnt/file'),
    ).toBe('8388608');
    await expect.poll(() => window.number(window.get('trace-count'))).toBeGreaterThan(before + 5);
    expect((await window.traceRows()).every(({ kind }) => kind === 'write')).toBe(true);
    await expect(window.get('status-missed')).toHaveText(/^\s*0$/);
  });

  await test.step('the interrupts of both queues are counted, here and in Linux', async () => {
    for (const cpu of [0, 1]) {
      const { count } = window.vector(cpu + 1);
      const before = await window.number(count);
      const seen = await handled(cpu + 1);
      await ask(
        `taskset -c ${cpu} dd if=/dev/nvme0n1 of=/dev/null bs=64k count=64 iflag=direct 2>/dev/null; echo`,
      );
      await expect.poll(() => window.number(count)).toBeGreaterThan(before + 32);
      expect(await handled(cpu + 1)).toBeGreaterThan(seen + 32);
    }
  });

  await test.step('a vector that is raised by its button reaches the driver', async () => {
    // Nobody gives administration commands now, so that the count stands still.
    const before = await handled(0);
    expect(await handled(0)).toBe(before);
    const counted = await window.number(window.vector(0).count);
    await window.vector(0).button.click();
    await expect(window.vector(0).count).toHaveText(String(counted + 1));
    await expect.poll(() => handled(0)).toBe(before + 1);
    await window.vector(0).button.click();
    await expect.poll(() => handled(0)).toBe(before + 2);
  });

  await test.step('what is poked into configuration space, Linux reads, and the other way round', async () => {
    await window.show('config');
    await window.byte('config-byte', 0x2e).click();
    await window.page.keyboard.type('cafe');
    await expect(window.byte('config-byte', 0x2f)).toHaveText('fe');
    expect(await ask(`setpci -s ${address} 2e.w`)).toBe('feca');
    expect(await ask(`lspci -s ${address} -xxx | grep ^20:`)).toMatch(/^20: .* ca fe$/);
    await ask(`setpci -s ${address} 3c.b=5a; echo`);
    await expect(window.byte('config-byte', 0x3c)).toHaveText('5a');
    await expect(window.byte('config-byte', 0x3c)).toHaveAttribute('title', /Written last by the driver/);
  });

  await test.step('what is poked into a BAR, nvme reads', async () => {
    await window.show('registers');
    await window.setRegister('AQA', '0x00150013');
    await expect(window.registerValue('AQA')).toHaveText(/^0x0015\s?0013$/);
    const registers = await ask("nvme show-regs /dev/nvme0 | grep -i aqa | tr -s ' '");
    expect(registers).toMatch(/150013/);
  });

  await test.step('it is powered off by clicking, and Linux is well', async () => {
    expect(await ask('umount /mnt; echo $?')).toBe('0');
    await window.get('power-off').click();
    await expect(window.devices()).toHaveCount(0, SLOW);
    expect(await ask('ls /dev/nvme* 2>/dev/null | wc -l')).toBe('0');
    expect(await linux.trouble()).toBe(0);
  });
});
