import { readFile, truncate, writeFile } from 'node:fs/promises';
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
  await expect(window.byte('config-byte', 0x3c)).toHaveAttribute('title', /Written last by you at \d/);

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
  await window.configNode('Vendor ID').click();
  await expect(window.byte('config-byte', 5)).toHaveText(/^[0-9a-f][13579bdf]$/);
});

test('what a driver cannot write keeps its value, and the window says why', async ({ window }) => {
  await window.quiet();
  await window.show('config');
  const vendor = await window.text(window.byte('config-byte', 0));
  await window.get('config-as').selectOption('driver');
  await window.byte('config-byte', 0).click();
  await window.page.keyboard.type('ee');
  await expect(window.toast(/reads back/)).toContainText('Vendor ID is read-only');
  await expect(window.byte('config-byte', 0)).toHaveText(vendor);
  await window.get('config-as').selectOption('device');
  await window.byte('config-byte', 0).click();
  await window.page.keyboard.type('ee');
  await expect(window.byte('config-byte', 0)).toHaveText('ee');
});

test('as the driver one bit is cleared by writing 1, and no other', async ({ window }) => {
  await window.quiet();
  const panel = await window.show('config');
  await window.byte('config-byte', 7).click();
  await window.page.keyboard.type('f9');
  await expect(window.byte('config-byte', 7)).toHaveText('f9');
  await openTree(panel);
  await window.get('config-as').selectOption('driver');
  const bit = window.configNode('Received Master Abort').getByTestId('config-bit');
  await expect(bit).toBeChecked();
  await bit.click();
  await expect(window.byte('config-byte', 7)).toHaveText('d9');
  await expect(bit).not.toBeChecked();
  await expect(window.toast(/reads back/)).toBeHidden();
  // The driver turned bus mastering on; the bit beside it leaves that alone.
  await window.configNode('SERR# Enable').getByTestId('config-bit').click();
  await expect(window.byte('config-byte', 5)).toHaveText(/^[0-9a-f][13579bdf]$/);
  await expect(window.byte('config-byte', 4)).toHaveText('06');
  // A bit that is not set cannot be set by a driver.
  await bit.click();
  await expect(window.toast(/reads back/)).toContainText(
    'Received Master Abort of Status is cleared by writing 1',
  );
  await expect(window.byte('config-byte', 7)).toHaveText('d9');
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

test('who wrote a byte, when, and what a driver may do with it', async ({ window }) => {
  await window.quiet();
  await window.show('config');
  await window.byte('config-byte', 4).click();
  await expect(window.get('config-byte-line')).toContainText(
    /0x04 written last by the driver at [\d.]+ s, driver writes 0x46/,
  );
  await window.byte('config-byte', 7).click();
  await expect(window.get('config-byte-line')).toContainText('clears 0xf9');
  await expect(window.byte('config-byte', 4)).toHaveAttribute('data-mark', 'rw');
  await expect(window.byte('config-byte', 7)).toHaveAttribute('data-mark', 'w1c');
  await expect(window.byte('config-byte', 0)).toHaveAttribute('data-mark', 'ro');
  await expect(window.configNode('Vendor ID')).toHaveAttribute('data-access', 'RO');
});

test('a value that is too wide for its field is refused where it is typed', async ({ window }) => {
  await window.quiet();
  await window.show('config');
  await window.configNode('Interrupt Line').dblclick();
  await window.get('config-edit').fill('0x1ff');
  await expect(window.get('config-edit-problem')).toHaveText(
    '0x1ff does not fit in 1 byte; at most 0xff (255)',
  );
  await window.get('config-edit').press('Enter');
  await window.get('config-edit').press('Escape');
  await expect(window.byte('config-byte', 0x3c)).toHaveText('00');
});

test('a file of a gigabyte is refused unread, and one that is dropped elsewhere opens nothing', async ({
  window,
}, info) => {
  await window.quiet();
  const huge = info.outputPath('huge.txt');
  await writeFile(huge, '');
  // Sparse: it takes no room on the disk.
  await truncate(huge, 2 ** 30);
  await window.page.evaluate(() => {
    for (const read of ['arrayBuffer', 'text', 'stream', 'bytes', 'slice'] as const) {
      Blob.prototype[read] = () => {
        throw new Error(`the file was read by ${read}`);
      };
    }
  });
  await window.show('config');
  await window.get('config-import').click();
  await window.get('import-text-file').setInputFiles(huge);
  await expect(window.get('import-text-problem')).toHaveText(
    'huge.txt is 1 GiB; text of lspci is at most 938 KiB',
  );
  await expect(window.get('import-text')).toHaveValue('');
  await expect(window.get('import-load')).toBeDisabled();
  await window.page.keyboard.press('Escape');
  await window.show('registers');
  await window.get('registers-svd').click();
  await window.get('svd-file').setInputFiles(huge);
  await expect(window.get('svd-problem')).toContainText('huge.txt is 1 GiB; an SVD file is at most');
  await expect(window.get('svd-add')).toBeDisabled();

  const drop = (testId: string) =>
    window.get(testId).evaluate((element) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(['<svd/>'], 'card.svd'));
      const one = { bubbles: true, cancelable: true, dataTransfer };
      const [over, dropped] = [new DragEvent('dragover', one), new DragEvent('drop', one)];
      element.dispatchEvent(over);
      element.dispatchEvent(dropped);
      return over.defaultPrevented && dropped.defaultPrevented;
    });
  expect(await drop('svd-dialog')).toBe(true);
  await expect(window.get('svd-problem')).toContainText('1 GiB');
  expect(await drop('trace-rows')).toBe(true);
});

test('it is compared with power-on and with a snapshot, and set back', async ({ window }) => {
  await window.quiet();
  await window.show('config');
  await window.get('config-compare').selectOption('power-on');
  const difference = (name: string) =>
    window.page.locator(`[data-testid="config-difference"][data-name="${name}"]`);
  await expect(difference('Command / Bus Master Enable')).toContainText('0x1');
  await expect(window.byte('config-byte', 4)).toHaveAttribute('data-mark', 'differs');
  await window.get('config-snapshot').click();
  const kept = window.get('config-compare').locator('option', { hasText: 'NVMe disk, ' });
  await window.get('config-compare').selectOption(await kept.getAttribute('value'));
  await expect(window.get('config-same')).toContainText('Nothing differs from NVMe disk');
  await window.byte('config-byte', 0x3c).click();
  await window.page.keyboard.type('77');
  await expect(difference('Interrupt Line')).toContainText('0x00');
  await window.get('config-restore').click();
  await expect(window.get('config-same')).toBeVisible();
  await expect(window.byte('config-byte', 0x3c)).toHaveText('00');
});

test('any two are compared, and the bytes as of a trace row are one of them', async ({ window }) => {
  await window.quiet();
  await window.show('config');
  const difference = (name: string) =>
    window.page.locator(`[data-testid="config-difference"][data-name="${name}"]`);
  const compare = window.get('config-compare');
  const against = window.get('config-against');
  await expect(against).toHaveCount(0);
  await compare.selectOption('row');
  await expect(window.get('config-compare-problem')).toHaveText(
    'No trace row is chosen; choose one in the MMIO trace.',
  );
  await window.byte('config-byte', 0x3c).click();
  await window.page.keyboard.type('77');
  await expect(window.byte('config-byte', 0x3c)).toHaveText('77');
  await window.get('config-snapshot').click();
  const kept = await compare.locator('option', { hasText: 'NVMe disk, ' }).getAttribute('value');
  await window.byte('config-byte', 0x3c).click();
  await window.page.keyboard.type('78');

  // Power-on and a snapshot, whatever the device holds now.
  await compare.selectOption('power-on');
  await against.selectOption(kept);
  await expect(difference('Interrupt Line')).toContainText('0x77');
  await expect(difference('Interrupt Line')).toContainText('0x00');
  await against.selectOption('power-on');
  await expect(window.get('config-same')).toHaveText('Nothing differs between power-on and power-on.');

  // The row that wrote 0x77, chosen in the trace.
  await window.show('trace');
  await window.get('trace-follow').click();
  await window.filter('config && write && value == 0x77');
  const row = window.page.locator('[data-testid="trace-row"][data-row="0"]');
  await expect(row).toContainText('0x77');
  await row.click();
  await window.show('config');
  await against.selectOption('row');
  await expect(window.get('config-differences').locator('th').nth(3)).toHaveText(/^row [\d,]+ at [\d.]+ s$/);
  await expect(difference('Interrupt Line')).toContainText('0x77');
  await compare.selectOption('row');
  await against.selectOption('');
  await expect(difference('Interrupt Line')).toContainText('0x78');
});

test('a dump is imported: broken text is refused by its line, a good one becomes a device', async ({
  window,
}) => {
  await window.quiet();
  await window.show('config');
  const [download] = await Promise.all([
    window.page.waitForEvent('download'),
    window.get('config-export').click(),
  ]);
  const text = await readFile(await download.path(), 'utf8');
  await window.get('config-import').click();
  const problem = window.get('import-text-problem');
  await window.get('import-text').fill(text.replace('\n10: ', '\n30: '));
  await expect(problem).toContainText(/^Line 3: offset 30 is out of order/);
  await expect(window.get('import-clone')).toBeDisabled();
  await window.get('import-text-file').setInputFiles({
    name: 'huge.txt',
    mimeType: 'text/plain',
    buffer: Buffer.alloc(2 * 1024 * 1024, 0x30),
  });
  await expect(problem).toContainText('huge.txt is 2 MiB; text of lspci is at most');
  await window.get('import-text-file').setInputFiles({
    name: 'disk.txt',
    mimeType: 'text/plain',
    buffer: Buffer.from(text),
  });
  await expect(problem).toBeHidden();
  await expect(window.get('import-text-function')).toContainText('NVMe disk');
  await window.get('import-clone').click();
  await expect(window.get('option-dump-given')).toHaveText('4096 bytes, 1f0c:0010');
  await window.get('option-barSizes').fill('0=3KiB');
  await window.get('power-on-confirm').click();
  await expect(window.get('option-error-barSizes')).toContainText('"0=3KiB" is no size of a BAR');
  await window.get('option-barSizes').fill('0=16KiB');
  await window.get('power-on-confirm').click();
  await expect(window.get('power-on-dialog')).toBeHidden();
  await expect(window.devices()).toHaveCount(2);
  await expect(window.byte('config-byte', 0)).toHaveText('0c');
  await window.get('config-compare').selectOption({ label: 'NVMe disk' });
  await expect(window.get('config-differences')).toContainText('Base Address 1');
});
