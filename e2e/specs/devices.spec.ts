import { expect, test } from '../fixtures/test.ts';

test('a disk that is powered on shows its address, its driver and its traffic', async ({ window }) => {
  await window.bound();
  const disk = window.devices();
  await expect(disk).toHaveCount(1);
  await expect(window.get('device-state')).toHaveText('On');
  await expect(window.get('device-address')).toHaveText('0000:01:00.0');
  await expect(disk).toContainText('MSI-X, 65 vectors');
  await window.grows(window.get('device-events'));
});

test('a device is powered on by form, and a wrong option is said beside it', async ({ window }) => {
  await window.get('power-on').click();
  await window.get('option-size').fill('1 parsec');
  await expect(window.get('option-error-size')).toContainText('Accepted');
  await expect(window.get('option-size')).toHaveAttribute('aria-invalid', 'true');
  await expect(window.get('power-on-confirm')).toBeDisabled();

  await window.get('option-size').fill('64MiB');
  await expect(window.get('option-error-size')).toBeHidden();
  await window.get('option-device-name').fill('Second disk');
  // What only the lab can know is said in the form too, and the form stays.
  await window.get('option-image').fill('/no/such/folder/disk.img');
  await window.get('power-on-confirm').click();
  await expect(window.get('option-error-image')).toContainText('The folder /no/such/folder does not exist');
  await window.get('option-image').fill('');
  await window.get('power-on-confirm').click();

  const second = window.devices().filter({ hasText: 'Second disk' });
  await expect(second.getByTestId('device-state')).toHaveText('On');
  await expect(second.getByTestId('device-driver')).toHaveText('initiator');
  await expect(second.getByTestId('device-address')).toHaveText('0000:02:00.0');
  await expect(window.devices()).toHaveCount(2);
  // It is what the other panels show now.
  await expect(second).toHaveAttribute('data-selected', 'true');
});

test('powering off empties the bus, and every panel says what to do next', async ({ window }) => {
  await window.bound();
  await window.get('power-off').click();
  await expect(window.devices()).toHaveCount(0);
  await expect(window.get('devices-empty')).toContainText('Power one on');
  for (const name of ['registers', 'interrupts', 'config'] as const) {
    const panel = await window.show(name);
    await expect(panel).toContainText('Power one on');
    await expect(panel.getByRole('button', { name: /power on/i })).toBeVisible();
  }
  await expect(window.get('status-driver')).toHaveText('No device');
  // The trace of a device that is gone stays.
  expect(await window.number(window.get('trace-count'))).toBeGreaterThan(10);
  await expect.poll(async () => (await window.traceRows()).length).toBeGreaterThan(3);
});

test('a disk that is pulled out in the middle of its work leaves a driver that goes on', async ({
  window,
}) => {
  await window.bound();
  await window.grows(window.get('device-events'));
  await window.get('surprise-remove').click();
  await expect(window.devices()).toHaveCount(0);
  await window.show('log');
  await expect(window.get('log-line').filter({ hasText: 'removed by surprise' })).toHaveCount(1);
  await window.get('power-on').click();
  await window.get('power-on-confirm').click();
  await window.bound();
  await window.grows(window.get('device-events'));
});

test('the workload is stopped, paced and started', async ({ window }) => {
  await window.quiet();
  await expect(window.get('status-events')).toHaveText(/^0 ?\/s/);
  const rate = window.get('workload-rate');
  await rate.fill('-1');
  await expect(window.devices()).toContainText('whole number from 0 to 1000000');
  await expect(window.get('workload-toggle')).toBeDisabled();
  await rate.fill('50');
  await window.get('workload-toggle').click();
  await expect(window.devices()).toContainText('Workload');
  await window.grows(window.get('device-events'));
});

test('a device is reset and its driver comes back', async ({ window }) => {
  await window.quiet();
  await window.setRegister('AQA', '0x00030004');
  await window.get('device-reset').click();
  await expect(window.toast('was reset (FLR)')).toBeVisible();
  await window.bound();
  await expect(window.registerValue('AQA')).not.toHaveText(/^0x0003\s?0004$/);
});

test('a device is duplicated, in a colour of its own', async ({ window }) => {
  await window.bound();
  await window.get('device-duplicate').click();
  await expect(window.devices()).toHaveCount(2);
  await expect(window.get('device-name').nth(1)).toHaveText('NVMe disk 2');
  const color = (at: number) =>
    window
      .devices()
      .nth(at)
      .evaluate((row) => (row as HTMLElement).style.getPropertyValue('--device-color'));
  expect(await color(0)).not.toBe(await color(1));
});
