/** Every panel by keyboard alone: no click, no focus that a key did not give. (Trace and terminal: in their own specs.) */
import type { Locator } from '@playwright/test';
import type { LabWindow, PanelName } from '../fixtures/lab-window.ts';
import { expect, test } from '../fixtures/test.ts';

/** Furthest that one has to tab in a panel. */
const MAX_TABS = 120;

async function press(window: LabWindow, ...keys: string[]): Promise<void> {
  for (const key of keys) await window.page.keyboard.press(key);
}

async function show(window: LabWindow, name: PanelName, key: string): Promise<Locator> {
  await press(window, key);
  await expect(window.panel(name)).toBeVisible();
  return window.panel(name);
}

/** Tabs until the focus is there. */
async function reach(window: LabWindow, to: Locator): Promise<void> {
  await expect(to).toBeVisible();
  for (let tabs = 0; tabs < MAX_TABS; tabs++) {
    if (await to.evaluate((element) => element === document.activeElement)) return;
    await press(window, 'Tab');
  }
  throw new Error(`${to} is not reached in ${MAX_TABS} tabs`);
}

/** Reaches a field and writes over what is in it. */
async function fill(window: LabWindow, field: Locator, text: string): Promise<void> {
  await reach(window, field);
  await press(window, 'Control+A');
  await window.page.keyboard.type(text);
}

async function activate(window: LabWindow, button: Locator): Promise<void> {
  await reach(window, button);
  await press(window, 'Enter');
}

test('devices: power off and on again, and pace the workload', async ({ window }) => {
  await window.bound();
  await show(window, 'devices', 'Alt+1');
  await fill(window, window.get('workload-rate'), '40');
  await press(window, 'Enter');
  await activate(window, window.get('workload-toggle'));
  await expect(window.get('workload-toggle')).toHaveText('Start');
  await show(window, 'devices', 'Alt+1');
  await activate(window, window.get('power-off'));
  await expect(window.get('devices-empty')).toBeVisible();
  await show(window, 'devices', 'Alt+1');
  await activate(window, window.get('power-on'));
  await activate(window, window.get('power-on-confirm'));
  await window.bound();
});

test('registers, configuration space and DMA: read, edit, look at a transfer', async ({ window }) => {
  await window.quiet();
  await show(window, 'registers', 'Alt+3');
  await fill(window, window.get('register-search'), 'AQA');
  await expect(window.get('register-row')).toHaveCount(1);
  await activate(window, window.page.getByRole('button', { name: 'Edit AQA' }));
  await expect(window.get('register-edit')).toBeFocused();
  await press(window, 'Control+A');
  await window.page.keyboard.type('0x00150013');
  await press(window, 'Enter');
  await expect(window.registerValue('AQA')).toHaveText(/^0x0015\s?0013$/);

  const config = await show(window, 'config', 'Alt+4');
  await reach(window, config.locator('.rows-viewport'));
  await press(window, 'Control+Home', 'ArrowDown', 'ArrowDown');
  for (let column = 0; column < 14; column++) await press(window, 'ArrowRight');
  await window.page.keyboard.type('cafe');
  await expect(window.byte('config-byte', 0x2e)).toHaveText('ca');
  await expect(window.byte('config-byte', 0x2f)).toHaveText('fe');
  await reach(window, config.getByRole('tree'));
  await press(window, 'Home', 'ArrowDown');
  await expect(window.configNode('Vendor ID')).toHaveAttribute('aria-selected', 'true');
  await press(window, 'Enter');
  await expect(window.get('config-edit')).toBeFocused();
  await press(window, 'Control+A');
  await window.page.keyboard.type('0x1234');
  await press(window, 'Enter');
  await expect(window.byte('config-byte', 0)).toHaveText('34');

  await show(window, 'dma', 'Alt+6');
  await reach(window, window.get('dma-rows'));
  await press(window, 'Home', 'ArrowDown');
  await expect(window.get('dma-detail')).toBeVisible();
  const address = /0x[\da-f]+/.exec(
    (await window.text(window.get('dma-row').first())).replaceAll(' ', ''),
  )![0];
  await show(window, 'dma', 'Alt+6');
  await fill(window, window.get('memory-address'), address);
  await press(window, 'Enter');
  await expect(window.get('memory-problem').or(window.get('dma-byte').first()).first()).toBeVisible();
});

test('interrupts: raised, at a rate, and stopped', async ({ window }) => {
  await window.quiet();
  await show(window, 'interrupts', 'Alt+5');
  const { button, count } = window.vector(3);
  await fill(window, window.get('vector-times'), '5');
  await activate(window, button);
  await expect(count).toHaveText(/^\d+$/);
  const before = await window.number(count);
  await press(window, 'Enter');
  await expect(count).toHaveText(String(before + 5));
});

test('disk: every view is reached, and a folder is opened', async ({ window }) => {
  await window.bound();
  await window.grows(window.get('device-events'));
  for (const view of ['commands', 'health', 'contents', 'activity']) {
    await show(window, 'disk', 'Alt+D');
    await activate(window, window.get(`disk-view-${view}`));
    await expect(window.get(`disk-view-${view}`)).toHaveAttribute('aria-selected', 'true');
  }
});

test('experts and log: from a note to its row, and the messages away', async ({ window }) => {
  await window.quiet();
  await show(window, 'registers', 'Alt+3');
  await reach(window, window.get('access-as'));
  await window.page.keyboard.type('As driver');
  await expect(window.get('access-as')).toHaveValue('driver');
  await fill(window, window.get('access-offset'), '0x1c');
  await fill(window, window.get('access-value'), '0x1');
  await activate(window, window.get('access-write'));
  const experts = await show(window, 'experts', 'Alt+E');
  const group = window.get('expert-group').filter({ hasText: 'Write to a read-only register' });
  await activate(window, group.getByTestId('expert-toggle'));
  await expect(experts).toContainText('Latest rows');
  await activate(window, group.getByTestId('expert-last'));
  await expect(window.page.locator('[data-testid="trace-row"][data-selected="true"]')).toContainText('CSTS');

  await show(window, 'log', 'Alt+8');
  await reach(window, window.page.getByRole('log'));
  await show(window, 'log', 'Alt+8');
  await activate(window, window.get('log-clear'));
  await expect(window.panel('log')).toContainText('Nothing to report');
});

test.describe('a display', () => {
  test.use({ labArguments: { device: 'protopciem' } });

  test('framebuffer: paused, stepped, and its list opened', async ({ window }) => {
    await window.bound();
    await show(window, 'framebuffer', 'Alt+9');
    await window.grows(window.get('framebuffer-frame'));
    await activate(window, window.get('framebuffer-pause'));
    await expect(window.get('framebuffer-paused')).toBeVisible();
    const before = await window.number(window.get('framebuffer-frame'));
    await activate(window, window.get('framebuffer-step'));
    await expect.poll(() => window.number(window.get('framebuffer-frame'))).toBeGreaterThan(before);
    await activate(window, window.get('framebuffer-list'));
    await expect(window.get('framebuffer-records')).toBeVisible();
  });
});
