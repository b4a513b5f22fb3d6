import { expect, test } from '../fixtures/test.ts';

test('transfers are listed as they happen', async ({ window }) => {
  await window.bound();
  await expect(window.get('dma-row').first()).toContainText(/DMA (read|write)/);
  await window.grows(window.get('dma-total'));
  // A number of transfers, not of something else.
  expect(await window.number(window.get('dma-total'))).toBeLessThan(1e6);
});

test('a transfer shows its bytes, and a command is decoded', async ({ window }) => {
  await window.quiet();
  await window.get('dma-pause').click();
  // Rows are recycled: their order in the document is not the one on the screen.
  const numbers = await window
    .get('dma-row')
    .filter({ hasText: /SQ\d+ command/ })
    .evaluateAll((rows) => rows.map((row) => Number((row as HTMLElement).dataset.row)));
  await window.page.locator(`[data-testid="dma-row"][data-row="${Math.min(...numbers)}"]`).click();
  await expect(window.get('dma-detail')).toContainText('64 B');
  await expect(window.byte('dma-byte', 7)).toHaveText(/^[0-9a-f]{2}$/);
  await expect(window.get('dma-decoded')).toContainText('NVMe submission queue entry');
  const opcode = await window.text(window.byte('dma-byte', 0));
  await expect(window.get('dma-decoded')).toContainText(`0x${opcode}`);
});

test('memory is written and read by hand, through the device', async ({ window }) => {
  await window.quiet();
  // Where the device has just been: memory that the driver gave it.
  const row = window.get('dma-row').first();
  await expect(row).toContainText('0x');
  const place = row.getByRole('gridcell').filter({ hasText: /^0x/ });
  const address = (await window.text(place)).replaceAll(/\s/g, '');
  await window.get('memory-address').fill(address);
  await window.get('memory-length').fill('16');
  await window.get('memory-bytes').fill('c0 ff ee');
  await window.get('memory-write').click();
  await expect(window.byte('dma-byte', 0)).toHaveText('c0');
  await expect(window.byte('dma-byte', 2)).toHaveText('ee');

  await window.get('memory-address').fill('0xffffffff00');
  await window.get('memory-read').click();
  await expect(window.get('memory-problem')).toContainText('was refused');
  await window.get('memory-address').fill('somewhere');
  await window.get('memory-read').click();
  await expect(window.get('memory-problem')).toContainText('Address');
  await window.get('memory-address').fill(address);
  await window.get('memory-bytes').fill('abc');
  await window.get('memory-write').click();
  await expect(window.get('memory-problem')).toContainText('pairs of hexadecimal digits');
  await window.get('memory-address').fill('0x10000000000000');
  await window.get('memory-read').click();
  await expect(window.get('memory-problem')).toHaveText('Address: a bus address has at most 52 bits');
  await window.get('memory-address').fill(address);
  await window.get('memory-length').fill('1 MiB');
  await window.get('memory-read').click();
  await expect(window.get('memory-problem')).toHaveText('Length: 1 B to 64 KiB');
  // What was read before is still there.
  await expect(window.byte('dma-byte', 0)).toHaveText('c0');
});

test('mappings are listed, and what lies outside is refused and shown', async ({ window }) => {
  await window.quiet();
  await window.get('dma-part').selectOption('mappings');
  await expect(window.get('mapping').first()).toContainText('both');
  const address = await window.get('mapping').first().getAttribute('data-address');
  await window.get('mapping').first().getByRole('button').click();
  await expect(window.get('dma-detail')).toContainText(`0x${Number(address).toString(16).padStart(8, '0')}`);
  await window.get('dma-part').selectOption('refused');
  await expect(window.get('dma-empty')).toContainText('No transfer was refused');
  await window.get('memory-address').fill('0x3ff0000');
  await window.get('memory-read').click();
  await expect(window.get('memory-problem')).toContainText('was refused');
  await expect(window.get('dma-row').filter({ visible: true })).toHaveCount(1);
  await expect(window.get('dma-row').first()).toContainText('unmapped');
});

test('a PRP list is walked from a submission entry, and by hand', async ({ window }) => {
  await window.bound();
  await window.get('dma-pause').click();
  const entry = window.get('dma-row').filter({ hasText: /SQ[1-9]\d* command/ });
  await entry.first().click();
  await expect(window.get('dma-decoded')).toContainText('PRP1');
  await window.get('dma-part').selectOption('prp');
  await expect(window.get('prp-about')).toHaveText(/^(Read|Write): \d+ [KM]iB$/);
  await expect(window.get('prp-page')).toHaveValue('4096');
  await window.get('prp-walk').click();
  await expect(window.get('prp-piece').first()).toContainText('PRP1');
  // Memory on the way is looked at without losing the walk.
  await window.get('prp-piece').first().getByRole('button').click();
  await expect(window.get('dma-detail')).toContainText('Host memory through NVMe disk, at');
  await expect(window.get('prp-piece').first()).toContainText('PRP1');
  await window.get('prp-page').fill('5000');
  await window.get('prp-walk').click();
  await expect(window.get('prp-problem')).toContainText('Page: a power of two');
  await window.get('prp-page').fill('4096');
  await window.get('prp1').fill('0x10000');
  await window.get('prp2').fill('0x123400000');
  await window.get('prp-length').fill('64KiB');
  await window.get('prp-walk').click();
  await expect(window.get('prp-problem')).toContainText('was refused');
  await window.get('prp1').fill('first');
  await window.get('prp-walk').click();
  await expect(window.get('prp-problem')).toContainText('PRP1: "first" is not a number');
  await window.get('prp1').fill('0x10000');
  await window.get('prp-length').fill('lots');
  await window.get('prp-walk').click();
  await expect(window.get('prp-problem')).toContainText('Length: 1 B to 64 MiB');
});

test('an SGL is walked, segment by segment', async ({ window }) => {
  await window.quiet();
  await window.get('dma-part').selectOption('mappings');
  // Memory that the driver gave the device: a segment is put there.
  const mapping = window.get('mapping').filter({ hasText: /both/ }).first();
  const at = Number(await mapping.getAttribute('data-address'));
  const hex = (value: number, bytes: number) =>
    Array.from({ length: bytes }, (_, byte) =>
      (Math.floor(value / 2 ** (8 * byte)) & 0xff).toString(16).padStart(2, '0'),
    ).join('');
  const descriptor = (address: number, length: number, type: number) =>
    `${hex(address, 8)}${hex(length, 4)}000000${type.toString(16)}0`;
  const place = `0x${at.toString(16)}`;
  await window.get('memory-address').fill(place);
  await window.get('memory-bytes').fill(descriptor(at + 64, 512, 0) + descriptor(0, 100, 1));
  await window.get('memory-write').click();
  await expect(window.byte('dma-byte', 31)).toHaveText('10');

  await window.get('dma-part').selectOption('prp');
  await window.get('walk-by').selectOption('sgl');
  await window.get('sgl-address').fill(place);
  await window.get('prp-length').fill('612');
  await window.get('sgl-length').fill('32');
  await window.get('sgl-type').selectOption('Last Segment');
  await window.get('prp-walk').click();
  const pieces = window.get('prp-piece');
  await expect(pieces).toHaveCount(2);
  await expect(pieces.first()).toContainText(`last segment ${place} descriptor 0`);
  await expect(pieces.last()).toContainText('bit bucket');
  await expect(pieces.last().getByRole('button')).toHaveCount(0);
  await window.get('prp-length').fill('600');
  await window.get('prp-length').press('Enter');
  await expect(pieces.last()).toContainText('12 bytes more than the command transfers');
  await window.get('sgl-type').selectOption('Segment');
  await window.get('prp-walk').click();
  await expect(pieces.nth(1)).toContainText('the last descriptor of a segment leads to the next one');
  await pieces.first().getByRole('button').click();
  await expect(window.get('dma-detail')).toContainText(`0x${(at + 64).toString(16).padStart(8, '0')}`);
  await window.get('sgl-address').fill('0x10000000000000');
  await window.get('prp-walk').click();
  await expect(window.get('prp-problem')).toHaveText('A bus address has at most 52 bits');
  // What was walked is still there.
  await expect(pieces).toHaveCount(3);
});

test('a transfer says which register asked for it, and leads to its row of the trace', async ({ window }) => {
  await window.quiet();
  await window.get('dma-pause').click();
  await window
    .get('dma-row')
    .filter({ hasText: /SQ\d+ command.*SQ\d+TDBL/ })
    .first()
    .click();
  await expect(window.get('dma-took')).toHaveText(/^took [\d.]+ (ns|us|ms)$/);
  await expect(window.get('dma-cause')).toHaveText(/SQ\d+TDBL #\d+/);
  await window.page.keyboard.press('Enter');
  await expect(window.page.locator('[data-testid="trace-row"][data-selected="true"]')).toContainText(
    /SQ\d+TDBL/,
  );
});

test('an admin command is read as one, without being told', async ({ window }) => {
  await window.quiet();
  // The first transfers of all are of the admin queue.
  await window.get('dma-rows').focus();
  await expect(async () => {
    await window.page.keyboard.press('End');
    await expect(window.get('dma-end')).toBeVisible({ timeout: 200 });
  }).toPass({ intervals: [50] });
  await expect(window.get('dma-end')).toContainText('Nothing was transferred before');
  await window.get('dma-row').filter({ hasText: 'SQ0 command' }).first().click();
  await expect(window.get('dma-decoded')).toContainText('admin queue');
  await expect(window.get('dma-decoded')).toContainText(/Identify|Set Features|Get Features|Create I\/O/);
});

test('memory of another device is listed, read and written peer to peer', async ({ window }) => {
  await window.quiet();
  const dma = window.panel('dma');
  await window.get('dma-part').selectOption('peers');
  await expect(window.get('peers-none')).toBeVisible();
  await window.addCard();
  await window.get('workload-toggle').last().click();
  await window.show('dma');
  await dma.getByTestId('device-select').selectOption({ label: 'NVMe disk' });
  const buffer = window.get('peer-window').filter({ hasText: 'ProtoPCIem card, BAR2' });
  await expect(buffer).toContainText('Data buffer of the peer-to-peer commands');
  await expect(buffer).not.toContainText('decoding is off');
  await buffer.getByRole('button').click();
  await expect(window.get('memory-space')).toHaveValue('peer');
  await expect(window.get('dma-detail')).toContainText('Peer memory through NVMe disk');
  await expect(window.get('dma-peer')).toHaveText('ProtoPCIem card, BAR2+0x0');
  await window.get('memory-bytes').fill('c0 ff ee');
  await window.get('memory-bytes').press('Enter');
  await expect(window.byte('dma-byte', 2)).toHaveText('ee');

  await window.get('dma-part').selectOption('transfers');
  const row = window.get('dma-row').filter({ hasText: 'peer to peer' }).filter({ hasText: 'DMA write' });
  await row.first().click();
  await expect(window.get('dma-detail')).toContainText('Device wrote');
  await expect(window.byte('dma-byte', 0)).toHaveText('c0');
  await window.show('trace');
  await window.filter('peer && dmawrite');
  await window.show('dma');
  await expect(window.get('trace-row').filter({ hasText: 'peer to peer' }).first()).toBeVisible();

  // Neither memory has the other's addresses.
  const address = await window.get('memory-address').inputValue();
  await window.get('memory-space').selectOption('host');
  await window.get('memory-read').click();
  await expect(window.get('memory-problem')).toContainText(`DMA at ${address} was refused: unmapped`);
  await window.get('memory-space').selectOption('peer');
  await window.get('memory-address').fill('0x10000');
  await window.get('memory-read').click();
  await expect(window.get('memory-problem')).toContainText(
    'A peer-to-peer transfer at 0x10000 was refused: it is in no memory of another device',
  );

  // It is the card's.
  await window.show('registers');
  await window.panel('registers').getByTestId('device-select').selectOption({ label: 'ProtoPCIem card' });
  await window.get('bar-select').selectOption('2');
  await window.get('registers-raw').click();
  await expect(window.byte('bar-byte', 2)).toHaveText('ee');
});

test('bytes of one device are not shown under another, and those of one that is gone stay', async ({
  window,
}) => {
  await window.quiet();
  await window.get('dma-row').first().click();
  await expect(window.get('dma-detail')).toBeVisible();
  await window.run('Power on a device');
  await window.get('model-scratch').click();
  await window.get('power-on-confirm').click();
  await expect(window.get('power-on-confirm')).toBeHidden();
  await expect(window.devices()).toHaveCount(2);
  await expect(window.get('dma-detail')).toBeHidden();
  await window.panel('dma').getByTestId('device-select').selectOption({ label: 'NVMe disk' });
  // The other device transfers nothing: these are the disk's.
  await expect(window.get('dma-row').first()).toBeVisible();
  await window.devices().filter({ hasText: 'NVMe disk' }).getByTestId('surprise-remove').click();
  await expect(window.get('dma-removed')).toContainText('NVMe disk was removed');
  await window.get('dma-row').first().click();
  await expect(window.get('dma-detail')).toBeVisible();

  // It is one of those to choose from, also when the page is loaded again, and its rows in the trace lead to it.
  const select = window.panel('dma').getByTestId('device-select');
  const disk = { label: 'NVMe disk (removed)' };
  await select.selectOption({ label: 'Scratch card' });
  await expect(window.get('dma-removed')).toBeHidden();
  await select.selectOption(disk);
  await expect(window.get('dma-removed')).toBeVisible();
  await window.page.reload();
  await expect(window.get('dma-removed')).toContainText('NVMe disk was removed');
  await expect(window.get('dma-row').first()).toBeVisible();
  await select.selectOption({ label: 'Scratch card' });
  await window.filterKind('dmawrite && length == 16', 'DMA write');
  await window.get('trace-rows').focus();
  await window.page.keyboard.press('End');
  const row = window.page.locator('[data-testid="trace-row"][data-selected="true"]');
  await expect(row).toHaveAttribute('data-loading', 'false');
  const time = await row.locator('.cell-time').textContent();
  await window.page.keyboard.press('Enter');
  await expect(window.get('dma-removed')).toBeVisible();
  await expect(window.panel('dma').locator('[data-testid="dma-row"][data-selected="true"]')).toContainText(
    time!,
  );
  await window.get('dma-forget').click();
  await expect(window.get('dma-removed')).toBeHidden();
  await expect(select.getByText('(removed)')).toHaveCount(0);
});
