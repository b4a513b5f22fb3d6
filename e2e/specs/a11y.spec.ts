/** axe-core over every panel and dialog, in every theme: nothing serious. */
import axe from 'axe-core';
import { everyPanel, type LabWindow } from '../fixtures/lab-window.ts';
import { expect, test } from '../fixtures/test.ts';

const dialogs = [
  ['Power on a device', 'power-on-dialog'],
  ['Open the settings', 'settings-dialog'],
  ['Save and load layouts', 'layouts-dialog'],
  ['Show and change the keyboard shortcuts', 'shortcuts'],
  ['Import configuration space from lspci text', 'import-dialog'],
  ['Name the registers of a BAR', 'svd-dialog'],
] as const;

/** In the page itself, once: axe's own driver opens a further page for every look. */
async function loadAxe({ page }: LabWindow): Promise<void> {
  await page.evaluate(axe.source);
}

async function serious({ page }: LabWindow, selector: string): Promise<string[]> {
  return page.evaluate(async (include) => {
    // Colours fade when something changes.
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run(
      // What xterm draws is its own affair; its text is on a live region beside.
      { include: [include], exclude: ['.xterm'] },
      { resultTypes: ['violations'] },
    );
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(
        ({ id, help, nodes }) =>
          `${id}: ${help}: ${nodes
            .slice(0, 3)
            .map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ''}`)
            .join(' | ')}`,
      );
  }, selector);
}

const themes = ['dark', 'light', 'contrast'] as const;

/** At rest, in a theme, with axe in the page: looks at parts of it, and says what it found. */
async function prepare(window: LabWindow, theme: (typeof themes)[number]) {
  await window.bound();
  await window.run(`theme ${theme}`);
  await expect(window.page.locator('html')).toHaveAttribute('data-theme', theme);
  await window.grows(window.get('trace-count'), 100);
  // What changes under its hands, axe looks at again and again.
  await window.quiet();
  await loadAxe(window);
  const found: string[] = [];
  const look = async (what: string, selector: string) => {
    for (const one of await serious(window, selector)) found.push(`${what}: ${one}`);
  };
  return { found, look };
}

for (const theme of themes) {
  test(`${theme}: every panel, the frame around it and every dialog`, async ({ window }) => {
    test.setTimeout(150_000);
    const { found, look } = await prepare(window, theme);
    for (const frame of ['.title-bar', '.status-bar', '.dv-tabs-and-actions-container'])
      await look(frame, frame);
    for (const name of everyPanel) {
      await window.show(name);
      await look(name, `[data-testid="panel-${name}"]`);
    }
    await window.show('disk');
    for (const view of ['commands', 'health', 'contents']) {
      await window.get(`disk-view-${view}`).click();
      await look(`disk ${view}`, '[data-testid="panel-disk"]');
    }
    await window.show('dma');
    for (const part of ['mappings', 'prp', 'peers']) {
      await window.get('dma-part').selectOption(part);
      await look(`dma ${part}`, '[data-testid="panel-dma"]');
    }
    await window.show('config');
    await window.get('config-compare').selectOption('power-on');
    await expect(window.get('config-differences')).toBeVisible();
    await look('config differences', '[data-testid="panel-config"]');
    for (const [command, id] of dialogs) {
      await window.run(command);
      await expect(window.get(id)).toBeVisible();
      await look(command, `[data-testid="${id}"]`);
      await window.page.keyboard.press('Escape');
      await expect(window.get(id)).toBeHidden();
    }
    expect(found).toEqual([]);
  });

  test(`${theme}: what opens in and above the panels`, async ({ window }) => {
    test.setTimeout(150_000);
    const { found, look } = await prepare(window, theme);
    const { keyboard } = window.page;
    await keyboard.press('Control+K');
    await expect(window.get('palette')).toBeVisible();
    await look('palette', '[data-testid="palette"]');
    await keyboard.type('trace');
    await look('palette, searched', '[data-testid="palette"]');
    await keyboard.press('Escape');
    for (const menu of ['lab', 'device', 'view']) {
      await window.get(`menu-${menu}`).click();
      await expect(window.page.getByRole('menu')).toBeVisible();
      await look(`menu ${menu}`, '[role="menu"]');
      await keyboard.press('Escape');
      await expect(window.page.getByRole('menu')).toBeHidden();
    }
    await window.show('trace');
    await window.filter('write');
    await expect(window.get('trace-count')).toHaveText(/ match$/);
    await window.get('trace-rows').press('Home');
    await window.run('Set or remove a bookmark');
    await window.run('Show or hide the details of the trace row');
    await window.run('Search in the trace');
    await window.get('trace-search').fill('val');
    await expect(window.get('trace-search-completions')).toBeVisible();
    await look('trace with details, search and completions', '[data-testid="panel-trace"]');
    await window.get('trace-search').fill('value ==');
    await window.get('trace-search').press('Enter');
    await expect(window.get('trace-search-error')).toBeVisible();
    await look('trace with a search that is wrong', '[data-testid="panel-trace"]');
    for (const menu of ['columns', 'rules', 'bookmarks', 'statistics']) {
      await window.get(`trace-${menu}`).click();
      await expect(window.get(`trace-${menu}-menu`)).toBeVisible();
      await look(`trace ${menu}`, `[data-testid="trace-${menu}-menu"]`);
      await keyboard.press('Escape');
    }
    await window.show('registers');
    for (const name of ['CAP', 'CC', 'CSTS'])
      await window.register(name).getByTestId('register-toggle').click();
    await look('registers opened', '[data-testid="panel-registers"]');
    await window.get('register-search').fill('width:x');
    await expect(window.get('register-search-problem')).toBeVisible();
    await look('registers, a search that is wrong', '[data-testid="panel-registers"]');
    await window.run('Show the bytes of the BAR');
    await expect(window.byte('bar-byte', 0)).toBeVisible();
    await look('registers raw', '[data-testid="panel-registers"]');
    await window.run('Show the watched registers');
    await look('registers watched', '[data-testid="panel-registers"]');
    await window.show('dma');
    await window.get('dma-row').filter({ visible: true }).filter({ hasText: '64 B' }).first().click();
    await expect(window.get('dma-detail')).toBeVisible();
    await look('dma bytes', '[data-testid="panel-dma"]');
    await window.run('Raise or repeat a vector');
    await look('interrupts, a number asked for', '[data-testid="panel-interrupts"]');
    await window.run('Show or hide the help line of every panel');
    for (const name of everyPanel) {
      await window.show(name);
      await look(`help of ${name}`, `[data-testid="help-line-${name}"]`);
    }
    await window.addCard();
    await window.show('dma');
    await window.panel('dma').getByTestId('device-select').selectOption({ label: 'NVMe disk' });
    await window.get('dma-part').selectOption('peers');
    await window.get('peer-window').first().getByRole('button').click();
    await expect(window.get('dma-peer')).toBeVisible();
    await look('dma, memory of another device', '[data-testid="panel-dma"]');
    await window.get('dma-part').selectOption('prp');
    await window.get('walk-by').selectOption('sgl');
    await look('dma, an SGL', '[data-testid="panel-dma"]');
    await window.panel('dma').getByTestId('device-select').selectOption({ label: 'ProtoPCIem card' });
    await window.show('framebuffer');
    await window.run('Show or hide the commands of the last picture');
    await look('a picture and how it was made', '[data-testid="panel-framebuffer"]');
    expect(found).toEqual([]);
  });
}

test('an empty bus: every panel says what to do next, and says it well', async ({ window }) => {
  await window.bound();
  await window.get('power-off').click();
  await expect(window.get('devices-empty')).toBeVisible();
  await loadAxe(window);
  for (const name of [
    'devices',
    'registers',
    'config',
    'interrupts',
    'dma',
    'disk',
    'framebuffer',
  ] as const) {
    const panel = await window.show(name);
    // Here what the disk did last stays until it is told to go.
    if (name === 'dma') await window.get('dma-forget').click();
    await expect(panel.locator('.empty').filter({ visible: true }).first()).toBeVisible();
    await expect(panel.getByRole('button', { name: /Power on/ }).first(), name).toBeVisible();
    expect(await serious(window, `[data-testid="panel-${name}"]`), name).toEqual([]);
  }
});
