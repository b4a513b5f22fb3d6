import { readFile } from 'node:fs/promises';
import { expect, test } from '../fixtures/test.ts';

/** Opens every group of the tree down to a node. */
async function openTree(panel: import('@playwright/test').Locator): Promise<void> {
  const closed = panel.locator('[data-testid="config-node"][aria-expanded="false"] button');
  while ((await closed.count()) > 0) await closed.first().click();
}

test('a byte and the tree are two views of one thing', async ({ window }) => {
  await window.quiet();
  const panel = await window.show('config');
  await window.byte('config-byte', 0x3c).click();
  // Selecting a byte opens the tree where it belongs.
  await expect(window.configNode('Interrupt Line')).toHaveAttribute('aria-selected', 'true');
  await window.page.keyboard.type('5a');
  await expect(window.byte('config-byte', 0x3c)).toHaveText('5a');
  await expect(window.configNode('Interrupt Line')).toContainText('0x5a');
  await expect(window.byte('config-byte', 0x3c)).toHaveAttribute('title', /Written last by you/);

  await window.configNode('Interrupt Line').dblclick();
  await window.get('config-edit').fill('0x2b');
  await window.get('config-edit').press('Enter');
  await expect(window.byte('config-byte', 0x3c)).toHaveText('2b');

  await openTree(panel);
  const node = panel.locator('[data-testid="config-node"]');
  await expect(node.filter({ hasText: 'MSI-X' }).first()).toBeVisible();
  const serr = node.filter({ hasText: 'SERR' }).first().getByTestId('config-bit');
  await expect(serr).not.toBeChecked();
  await serr.click();
  await expect(serr).toBeChecked();
  await expect(window.byte('config-byte', 5)).toHaveText(/^[0-9a-f][13579bdf]$/);
});

test('what a driver cannot write keeps its value, and the window says why', async ({ window }) => {
  await window.quiet();
  await window.show('config');
  const vendor = await window.text(window.byte('config-byte', 0));
  await window.get('config-as').selectOption('driver');
  await window.byte('config-byte', 0).click();
  await window.page.keyboard.type('ee');
  await expect(window.toast(/reads back/)).toContainText('cannot write');
  await expect(window.byte('config-byte', 0)).toHaveText(vendor);
  await window.get('config-as').selectOption('device');
  await window.byte('config-byte', 0).click();
  await window.page.keyboard.type('ee');
  await expect(window.byte('config-byte', 0)).toHaveText('ee');
});

test('it is exported as lspci prints it', async ({ window }) => {
  await window.quiet();
  await window.show('config');
  const vendor = `${await window.text(window.byte('config-byte', 0))} ${await window.text(window.byte('config-byte', 1))}`;
  const [download] = await Promise.all([
    window.page.waitForEvent('download'),
    window.get('config-export').click(),
  ]);
  const text = await readFile(await download.path(), 'utf8');
  expect(text).toMatch(/^(0000:)?01:00\.0 /);
  expect(text).toContain(`\n00: ${vendor} `);
});
