/** What goes wrong on a real kernel, and what the window says of it. One boot, and one more after the guest has died. */
import { Linux, SLOW } from '../fixtures/linux.ts';
import { expect, test } from '../fixtures/test.ts';

test.use({ labArguments: { host: 'guest', device: '', timeout: 180_000, more: ['--kernel', '6.12'] } });

/** A scratch card's ids, which the selftests' driver takes on when it is told to. */
const CARD = '1f0c 0002';
const DRIVER = '/sys/bus/pci/drivers/pciem_test';

test('a failed probe, mappings, the pin, a warning, a node that is gone, and a guest that dies', async ({
  window,
  allowed,
}) => {
  // The window tries to come back while the guest is away.
  allowed.push(/WebSocket connection to .* failed/);
  let address = '';
  const linux = new Linux(window);
  const ask = (command: string) => linux.ask(command);

  await test.step('a driver whose probe fails is said on the device', async () => {
    await window.get('power-on').click();
    await window.get('model-scratch').click();
    await window.get('power-on-confirm').click();
    await expect(window.get('device-address')).toHaveText(/^[\da-f]+:[\da-f]{2}:00\.0$/, SLOW);
    address = await window.text(window.get('device-address'));
    await window.show('terminal');
    await expect.poll(() => window.screen(), SLOW).toMatch(/# ?$/m);
    // The card has MSI and no MSI-X.
    await ask(`insmod /lab/modules/pciem_test.ko irq=msix; echo ${CARD} > ${DRIVER}/new_id; echo`);
    await expect(window.get('device-driver-error')).toContainText(
      'Driver pciem_test did not take the device: its probe failed',
      SLOW,
    );
    await expect(window.get('device-driver-error').getByRole('button', { name: /kernel log/ })).toBeVisible();
    await ask('rmmod pciem_test; echo');
  });

  await test.step('a driver that binds takes that back, and what it maps is listed', async () => {
    await ask(`insmod /lab/modules/pciem_test.ko irq=intx; echo ${CARD} > ${DRIVER}/new_id; echo`);
    await expect(window.get('device-driver')).toHaveText('pciem_test', SLOW);
    await expect(window.get('device-driver-error')).toHaveCount(0);
    await window.show('dma');
    await window.get('dma-part').selectOption('mappings');
    await expect(window.get('mapping')).toHaveCount(1, SLOW);
    await expect(window.get('mapping')).toContainText('64 KiB');
    await window.show('terminal');
    // Number 0, streaming, to the device, 4096 bytes.
    await ask(`echo dmamap 0 2 1 4096 > /sys/kernel/debug/pciem_test/${address}/run; echo`);
    await window.show('dma');
    await expect(window.get('mapping')).toHaveCount(2, SLOW);
    await expect(window.panel('dma')).toContainText('to device');
    await window.show('terminal');
    await ask(`echo dmaunmap 0 > /sys/kernel/debug/pciem_test/${address}/run; echo`);
    await window.show('dma');
    await expect(window.get('mapping')).toHaveCount(1, SLOW);
  });

  await test.step('the INTx pin is held, and Linux sees its level', async () => {
    await expect(window.get('intx-level')).toHaveText('deasserted', SLOW);
    await window.show('terminal');
    // As a driver of shared pins: it masks the pin at the function.
    await ask(`echo irqmode 3 > /sys/kernel/debug/pciem_test/${address}/run; echo`);
    const status = () => ask(`setpci -s ${address} STATUS`);
    expect(Number.parseInt(await status(), 16) & 8).toBe(0);
    await window.panel('interrupts').getByRole('button', { name: 'Hold the pin' }).click();
    await expect(window.get('intx-level')).toHaveText('asserted', SLOW);
    expect(Number.parseInt(await status(), 16) & 8).toBe(8);
    expect(await ask(`grep -o 'irqs=.*' /sys/kernel/debug/pciem_test/${address}/state | head -1`)).toMatch(
      /^irqs=[1-9]/,
    );
    await window.panel('interrupts').getByRole('button', { name: 'Let the pin go' }).click();
    await expect(window.get('intx-level')).toHaveText('deasserted', SLOW);
    expect(Number.parseInt(await status(), 16) & 8).toBe(0);
  });

  await test.step('a warning of the driver is seen wherever one looks', async () => {
    await ask(`echo warn > /sys/kernel/debug/pciem_test/${address}/run; echo`);
    const banner = window.get('kernel-banner');
    await expect(banner).toContainText('The kernel reports a WARNING in the module pciem_test', SLOW);
    await banner.getByRole('button', { name: 'Open the kernel log' }).click();
    await expect.poll(() => window.screen(), SLOW).toMatch(/WARNING: CPU: \d|Call Trace|end trace/);
    await banner.getByRole('button', { name: 'Dismiss' }).click();
    await expect(banner).toBeHidden();
    await window.get('terminal-tab').first().click();
  });

  await test.step('the kernel log is of one device, or of everything', async () => {
    await ask('echo of-nothing-here > /dev/kmsg; echo');
    await window.get('terminal-tab').last().click();
    await expect.poll(() => window.screen(), SLOW).toContain('of-nothing-here');
    await window.get('terminal-log-device').click();
    await expect.poll(() => window.screen(), SLOW).toContain(address);
    await window.get('terminal-tab').first().click();
    await ask(`echo of-nothing-more > /dev/kmsg; echo ${address}: of-it > /dev/kmsg; echo`);
    await window.get('terminal-tab').last().click();
    await expect.poll(() => window.screen(), SLOW).toContain(`${address}: of-it`);
    expect(await window.screen()).not.toContain('of-nothing');
    await window.get('terminal-log-all').click();
    await expect.poll(() => window.screen(), SLOW).toContain('of-nothing-more');
    await window.panel('terminal').getByRole('button', { name: 'Close Kernel log' }).click();
    await window.get('terminal-open-console').click();
    await expect.poll(() => window.screen(), SLOW).toContain('of-nothing-more');
    await window.get('terminal-tab').first().click();
  });

  await test.step('a node that is gone is said, with what to do, until it is back', async () => {
    await ask('mv /dev/pciem /dev/pciem.away; echo');
    await expect(window.get('host-banner')).toContainText(
      'No device can be powered on: There is no /dev/pciem on this machine. Load the kernel module',
      SLOW,
    );
    await window.get('power-on').click();
    await window.get('power-on-confirm').click();
    await expect(window.get('power-on-error')).toContainText('There is no /dev/pciem');
    await window.page.keyboard.press('Escape');
    await ask('mv /dev/pciem.away /dev/pciem; echo');
    await expect(window.get('host-banner')).toBeHidden(SLOW);
  });

  await test.step('a guest whose kernel dies says why, and is started again from the window', async () => {
    await window.type('echo c > /proc/sysrq-trigger');
    const banner = window.get('connection-banner');
    await expect(banner).toContainText('kernel panic: sysrq triggered crash', SLOW);
    await expect(window.get('status-connection')).toHaveText('Stopped');
    // What was there can still be read.
    await expect(window.devices()).toHaveCount(1);
    await expect(window.get('power-off')).toBeDisabled();
    await window.get('terminal-tab').last().click();
    // The last that a kernel says which panics.
    await expect.poll(() => window.screen()).toContain('Kernel Offset: ');
    await window.get('lab-restart').click();
    await expect(banner).toContainText('The guest is starting again');
    await expect(window.get('status-connection')).toHaveText('Connected', { timeout: 120_000 });
    await expect(banner).toBeHidden();
    await expect(window.get('devices-empty')).toBeVisible();
    await window.get('power-on').click();
    await window.get('model-nvme').click();
    await window.get('power-on-confirm').click();
    await expect(window.get('device-driver')).toHaveText('nvme', SLOW);
  });
});
