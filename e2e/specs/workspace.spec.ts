import { expect, isElectron, test } from '../fixtures/test.ts';

test('layouts are saved by name, loaded and forgotten', async ({ window }) => {
  await window.bound();
  await window.show('config');
  await window.run('Save and load layouts');
  await window.get('layout-name').fill('config first');
  await window.get('layout-save').click();
  await expect(window.get('layout-row')).toHaveCount(1);
  await window.page.keyboard.press('Escape');
  await window.run('Reset the layout');
  await expect(window.panel('config')).toBeHidden();
  // It is a command like any other, and outlives the page.
  await window.page.reload();
  await window.bound();
  await window.run('Layout: config first');
  await expect(window.panel('config')).toBeVisible();
  await window.run('Save and load layouts');
  await window.get('layout-forget').click();
  await expect(window.get('layouts-dialog')).toContainText('No layout is saved');
});

test('a layout without a name, or with too long a one, is not saved', async ({ window }) => {
  await window.run('Save and load layouts');
  const name = window.get('layout-name');
  for (const [typed, said] of [
    ['   ', 'A layout needs a name'],
    ['n'.repeat(41), 'A name has at most 40 characters'],
  ] as const) {
    await name.fill(typed);
    await expect(window.get('layouts-dialog').getByRole('alert')).toHaveText(said);
    await expect(name).toHaveAttribute('aria-invalid', 'true');
    await name.press('Enter');
  }
  await expect(window.get('layout-row')).toHaveCount(0);
});

test('panels are moved, split and gone through by keyboard alone', async ({ window }) => {
  await window.bound();
  const { keyboard } = window.page;
  const groups = () => window.page.locator('.dv-groupview').count();
  const before = await groups();
  await keyboard.press('Alt+4');
  await expect(window.panel('config')).toBeVisible();
  await keyboard.press('Control+Alt+ArrowDown');
  await expect.poll(groups).toBe(before + 1);
  await expect(window.panel('registers')).toBeVisible();
  await expect(window.panel('config')).toBeVisible();
  await window.run('Move the active panel to the previous group');
  await expect.poll(groups).toBe(before);
  await keyboard.press('Alt+6');
  await expect(window.panel('dma')).toBeVisible();
  await keyboard.press('Control+Alt+PageDown');
  await expect(window.panel('terminal')).toBeVisible();
  await keyboard.press('Control+Alt+PageUp');
  await expect(window.panel('dma')).toBeVisible();
});

test('a shortcut is changed, refused where another has it, and taken back', async ({ window }) => {
  await window.bound();
  const { keyboard } = window.page;
  await window.run('Show and change the keyboard shortcuts');
  await window.get('shortcut-search').fill('power on a device');
  const row = window.page.locator('[data-testid="shortcut-row"][data-command="device.powerOn"]');
  await row.getByTestId('shortcut-change').click();
  await keyboard.press('Control+k');
  await expect(row.getByTestId('shortcut-problem')).toHaveText('Ctrl+K is taken by "Find a command"');
  await keyboard.press('Control+Alt+j');
  await expect(row.getByTestId('shortcut-change')).toHaveText('Ctrl+Alt+J');
  await keyboard.press('Escape');
  await expect(window.get('shortcuts')).toBeHidden();
  await window.page.reload();
  await window.bound();
  await keyboard.press('Control+Alt+j');
  await expect(window.get('power-on-dialog')).toBeVisible();
  await keyboard.press('Escape');
  await keyboard.press('Control+Shift+P');
  await expect(window.get('power-on-dialog')).toBeHidden();
  await window.run('Show and change the keyboard shortcuts');
  await window.get('shortcut-search').fill('power on a device');
  await row.getByTestId('shortcut-reset').click();
  await expect(row.getByTestId('shortcut-change')).toHaveText('Ctrl+Shift+P');
});

test('settings take effect at once and are kept', async ({ window }) => {
  await window.bound();
  await window.page.keyboard.press('Control+,');
  await window.get('setting-theme-light').check();
  await window.get('setting-sizes-decimal').check();
  await window.page.keyboard.press('Escape');
  const root = window.page.locator('html');
  await expect(root).toHaveAttribute('data-theme', 'light');
  await expect(window.get('dma-row').filter({ hasText: '4.10 kB' }).first()).toBeVisible();
  await window.page.reload();
  await expect(root).toHaveAttribute('data-theme', 'light');
  await expect(window.get('status-dma')).toHaveText(/[kM]?B\/s$/);
});

test('a link opens its panel and its device', async ({ window, lab, openWindow }) => {
  test.skip(isElectron, 'of the headless shell only');
  await window.bound();
  await window.run('Power on a device');
  await window.get('model-scratch').click();
  await window.get('power-on-confirm').click();
  await expect(window.devices()).toHaveCount(2);
  await window.page.keyboard.press('Alt+4');
  await expect(window.panel('config')).toBeVisible();
  await window.run('Copy a link to the active panel');
  const link = await window.page.evaluate(() => navigator.clipboard.readText());
  expect(link).toBe(`http://127.0.0.1:${lab.port}/#panel=config&device=Scratch+card`);
  await window.run('Reset the layout');
  const other = await openWindow(link);
  await expect(other.panel('config')).toBeVisible();
  await expect(other.panel('config').getByTestId('device-select')).toHaveValue('2');
  await other.page.evaluate(() => {
    location.hash = '#panel=oscilloscope';
  });
  await expect(other.toast('names a panel "oscilloscope"')).toBeVisible();
});

test('every panel copies as text', async ({ window }) => {
  await window.bound();
  const clipboard = () => window.page.evaluate(() => navigator.clipboard.readText());
  const shown = {
    devices: /NVMe disk\t.*0000:01:00\.0\tinitiator/,
    registers: /BAR 0\t0x0014\tCC\t0x00460001/,
    config: /Vendor ID\t0x1f0c/,
    interrupts: /vector 1\tI\/O queue 1\t\d+\tenabled/,
    dma: /DMA (read|write)\t0x/,
    disk: /Serial number\t/,
  } as const;
  for (const [name, text] of Object.entries(shown)) {
    await window.show(name as keyof typeof shown);
    await window.page.waitForFunction(
      (id) => document.querySelector(`[data-testid="panel-${id}"] .empty`) === null,
      name,
    );
    await window.get(`copy-${name}`).click();
    await expect.poll(clipboard, name).toMatch(text);
  }
});
