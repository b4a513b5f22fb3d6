import { expect, test } from '../fixtures/test.ts';

test('what is odd is noted in its row and in the panel, most severe first, and Enter leads there', async ({
  window,
}) => {
  test.setTimeout(120_000);
  const { page } = window;
  await window.quiet();

  await test.step('accesses that a driver should not make', async () => {
    await window.show('registers');
    await window.get('access-as').selectOption('driver');
    for (const [offset, width, value] of [
      ['0xf01', '2', '0x0'],
      ['0x24', '2', '0x1f'],
      ['0x1c', '4', '0x1'],
      ['0x11f8', '4', '0x5'],
    ] as const) {
      await window.writeAt(offset, width, value);
      await expect(window.get('access-problem')).toHaveCount(0);
    }
  });

  await test.step('an interrupt that is masked', async () => {
    await window.show('config');
    await window.get('config-as').selectOption('driver');
    await window.configNode('Message Control').click();
    await page.keyboard.press('ArrowRight');
    await window.configNode('Function Mask').getByTestId('config-bit').click();
    await expect(window.vector(9).state).toHaveText('masked');
    await window.vector(9).button.click();
    await expect(window.vector(9).state).toHaveText('masked, pending');
  });

  await test.step('a transfer and an access of a function that is off', async () => {
    // Brings its bytes into view.
    await window.configNode('Command').click();
    await window.byte('config-byte', 4).click();
    await page.keyboard.type('00');
    await expect(window.byte('config-byte', 4)).toHaveText('00');
    await window.get('memory-address').fill('0x10000');
    await window.get('memory-read').click();
    await expect(window.get('memory-problem')).toContainText('not bus master');
    await window.show('registers');
    await window.get('access-offset').fill('0x8');
    await window.get('access-width').selectOption('4');
    await window.get('access-read').click();
  });

  const notes = [
    ['DMA while bus mastering is off', 'error', ''],
    ['Access while memory decoding is off', 'error', 'VS'],
    ['Doorbell out of range', 'error', 'no such queue'],
    ['Unaligned access', 'warning', 'BAR0+0xf01'],
    ['Access of the wrong size', 'warning', 'AQA'],
    ['Write to a read-only register', 'warning', 'CSTS'],
    ['Interrupt raised while masked', 'note', ''],
  ] as const;
  const glyphs = { error: '✖', warning: '▲', note: '●' } as const;
  await window.show('experts');
  const groups = window.get('expert-group');
  await expect(groups.locator('b')).toHaveText(notes.map(([title]) => title));
  await expect(window.get('expert-error')).toContainText('Errors 3');
  await expect(window.get('expert-warning')).toContainText('Warnings 3');
  await expect(window.get('expert-note')).toContainText('Notes 1');

  const row = page.locator('[data-testid="trace-row"][data-selected="true"]');
  for (const [title, severity, place] of notes) {
    await test.step(title, async () => {
      const group = groups.filter({ hasText: title });
      await expect(group).toHaveAttribute('data-severity', severity);
      await expect(group).toContainText(place);
      const last = group.getByTestId('expert-last');
      const number = await window.text(last);
      await last.focus();
      await page.keyboard.press('Enter');
      await expect(row.locator('.cell-row')).toHaveText(number);
      await expect(row).toHaveAttribute('data-expert', severity);
      await expect(row.locator('.cell-marks')).toHaveText(glyphs[severity]);
      await expect(row.locator('.cell-marks')).toHaveAttribute('aria-label', new RegExp(`^${title}: `));
    });
  }
});
