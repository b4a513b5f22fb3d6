/** axe-core over every panel and dialog, in every theme: nothing serious. */
import axe from 'axe-core';
import type { LabWindow, PanelName } from '../fixtures/lab-window.ts';
import { expect, test } from '../fixtures/test.ts';

const panels: readonly Exclude<PanelName, 'status'>[] = [
  'devices',
  'trace',
  'registers',
  'config',
  'interrupts',
  'dma',
  'disk',
  'framebuffer',
  'terminal',
  'experts',
  'log',
];
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

for (const theme of ['dark', 'light', 'contrast']) {
  test(`${theme}: every panel, the frame around it and every dialog`, async ({ window }) => {
    test.setTimeout(150_000);
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
    for (const frame of ['.title-bar', '.status-bar', '.dv-tabs-and-actions-container'])
      await look(frame, frame);
    for (const name of panels) {
      await window.show(name);
      await look(name, `[data-testid="panel-${name}"]`);
    }
    await window.show('disk');
    for (const view of ['commands', 'health', 'contents']) {
      await window.get(`disk-view-${view}`).click();
      await look(`disk ${view}`, '[data-testid="panel-disk"]');
    }
    await window.show('dma');
    for (const part of ['mappings', 'prp']) {
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
