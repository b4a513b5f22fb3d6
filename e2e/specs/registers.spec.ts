import { expect, isElectron, test } from '../fixtures/test.ts';

test('values are live', async ({ window }) => {
  await window.bound();
  await expect(window.registerValue('VS')).toHaveText(/^0x0001\s?0400$/);
  await window.get('register-search').fill('SQ1TDBL');
  const doorbell = window.registerValue('SQ1TDBL');
  const before = await window.text(doorbell);
  await expect(doorbell).not.toHaveText(before);
});

test('an edit as the device is what the driver reads, as bytes too', async ({ window }) => {
  await window.quiet();
  await window.setRegister('AQA', '0x00070005');
  await expect(window.registerValue('AQA')).toHaveText(/^0x0007\s?0005$/);
  await window.get('registers-raw').click();
  for (const [offset, text] of [
    [0x24, '05'],
    [0x25, '00'],
    [0x26, '07'],
    [0x27, '00'],
  ] as const) {
    await expect(window.byte('bar-byte', offset)).toHaveText(text);
  }
  await window.byte('bar-byte', 0x24).click();
  await window.page.keyboard.type('1f');
  await expect(window.byte('bar-byte', 0x24)).toHaveText('1f');
  await expect(window.byte('bar-byte', 0x24)).toHaveAttribute('title', '31 = 0b00011111');
  await window.get('registers-raw').click();
  await expect(window.registerValue('AQA')).toHaveText(/^0x0007\s?001f$/);

  // As the driver would read it.
  await window.get('access-as').selectOption('driver');
  await window.get('access-offset').fill('0x24');
  await window.get('access-read').click();
  await expect(window.get('access-value')).toHaveValue(/^0x0007001f$/i);
  await window.filter('read && reg ~ "AQA"');
  await expect.poll(async () => (await window.traceRows()).length).toBe(1);
});

test('a write as the driver is one that the device acts on', async ({ window }) => {
  await window.quiet();
  await window.get('access-as').selectOption('driver');
  await expect(window.registerValue('CSTS')).toHaveText(/1$/);
  const enabled = (await window.text(window.registerValue('CC'))).replaceAll(/\s/g, '');
  await window.setRegister('CC', `0x${(Number(enabled) & ~1).toString(16)}`);
  // Enable cleared: the controller resets and is no longer ready.
  await expect(window.registerValue('CSTS')).toHaveText(/0$/);
});

test('bit fields are shown by name and set one by one', async ({ window }) => {
  await window.quiet();
  await window.register('CSTS').getByTestId('register-toggle').click();
  const field = (name: string) =>
    window.get('field-row').filter({ has: window.page.getByText(name, { exact: true }) });
  const failed = field('CFS').getByTestId('field-bit');
  await expect(failed).not.toBeChecked();
  await failed.click();
  await expect(window.registerValue('CSTS')).toHaveText(/3$/);
  await expect(failed).toBeChecked();
  await expect(field('RDY').getByTestId('field-bit')).toBeChecked();
});

test('what is no value is refused where it is typed', async ({ window }) => {
  await window.quiet();
  const before = await window.text(window.registerValue('AQA'));
  await window.registerValue('AQA').click();
  for (const [wrong, said] of [
    ['0x1ffffffff', '0x1ffffffff does not fit in 4 bytes; at most 0xffffffff (4294967295)'],
    ['twelve', '"twelve" is not a number; write 0x1f, 31 or 0b11111'],
    ['-1', '"-1" is not a number'],
    ['', '"" is not a number'],
  ] as const) {
    await window.get('register-edit').fill(wrong);
    await expect(window.get('register-edit')).toHaveAttribute('aria-invalid', 'true');
    await expect(window.get('register-edit-problem')).toContainText(said);
    await window.get('register-edit').press('Enter');
    await expect(window.get('register-edit')).toBeVisible();
  }
  await window.get('register-edit').press('Escape');
  await expect(window.registerValue('AQA')).toHaveText(before);

  // A field of four bits takes four.
  const sizes = await window.text(window.registerValue('CC'));
  await window.register('CC').getByTestId('register-toggle').click();
  const field = window.page.locator('[data-testid="field-row"][data-field="IOSQES"]');
  await field.getByRole('button').click();
  await window.get('register-edit').fill('0x16');
  await window.get('register-edit').press('Enter');
  await expect(window.get('register-edit-problem')).toHaveText(
    '0x16 does not fit in 4 bits; at most 0xf (15)',
  );
  await window.get('register-edit').press('Escape');
  await expect(window.registerValue('CC')).toHaveText(sizes);

  const problem = window.get('access-problem');
  for (const [offset, said] of [
    ['0x100000', 'Offset: BAR 0 is 16 KiB; the last 4 B start at 0x3ffc'],
    ['0x26', 'Offset: 0x26 is not aligned'],
    ['here', 'Offset: "here" is not a number'],
  ] as const) {
    await window.get('access-offset').fill(offset);
    await window.get('access-read').click();
    await expect(problem).toContainText(said);
    await expect(window.get('access-offset')).toHaveAttribute('aria-invalid', 'true');
  }
  await window.get('access-offset').fill('0x24');
  await window.get('access-width').selectOption('2');
  await window.get('access-value').fill('0x12345');
  await window.get('access-write').click();
  await expect(problem).toHaveText('Value: 0x12345 does not fit in 2 bytes; at most 0xffff (65535)');
  await expect(window.get('access-value')).toHaveAttribute('aria-invalid', 'true');
  await expect(window.registerValue('AQA')).toHaveText(before);
  await window.get('access-value').fill('0x1f');
  await window.get('access-write').click();
  await expect(problem).toBeHidden();
});

test('a search leaves the registers that match', async ({ window }) => {
  await window.bound();
  await window.get('register-search').fill('CQ3HDBL');
  await expect(window.get('register-row')).toHaveCount(1);
  await window.get('register-search').fill('zzz');
  await expect(window.panel('registers')).toContainText('No register of BAR 0 matches');
});

test('registers are pinned to the watch list, and stay there', async ({ window }) => {
  await window.quiet();
  for (const name of ['CC', 'CSTS']) {
    await window.register(name).hover();
    await window.register(name).getByTestId('register-pin').click();
  }
  await window.get('bar-select').selectOption('watch');
  await expect(window.get('register-row')).toHaveCount(2);
  await expect(window.registerValue('CSTS')).toHaveText(/^0x0000\s?0001$/);
  await window.page.reload();
  await window.get('bar-select').selectOption('watch');
  await expect(window.get('register-row')).toHaveCount(2);
});

test('a bit is turned over, and a typed search says what it does not know', async ({ window }) => {
  await window.quiet();
  await window.get('register-search').fill('name:AQA');
  await expect(window.get('register-row')).toHaveCount(1);
  await window.register('AQA').getByTestId('register-toggle').click();
  const bit = window.get('register-bit').and(window.page.locator('[data-bit="31"]'));
  await expect(bit).toHaveText('0');
  await bit.click();
  await expect(bit).toHaveText('1');
  await expect(window.registerValue('AQA')).toHaveText(/^0x80/);
  await window.get('register-search').fill('nam:AQA');
  await expect(window.get('register-search-problem')).toContainText('There is no "nam:"');
});

test('a device without names gets them from a CMSIS-SVD file', async ({ window, openWindow, lab }) => {
  await window.quiet();
  await window.run('Power on a device');
  await window.get('model-scratch').click();
  await window.get('power-on-confirm').click();
  await expect(window.devices()).toHaveCount(2);
  await window.get('registers-svd').click();
  const svd = (
    size: string,
  ) => `<device><name>Card</name><peripherals><peripheral><name>GPIO</name><registers>
<register><name>OUT</name><addressOffset>0x4</addressOffset><size>${size}</size>
<fields><field><name>PIN0</name><bitOffset>0</bitOffset></field></fields></register>
</registers></peripheral></peripherals></device>`;
  const give = (name: string, text: string | Buffer) =>
    window.get('svd-file').setInputFiles({ name, mimeType: 'text/xml', buffer: Buffer.from(text) });
  const problem = window.get('svd-problem');
  await give('broken.svd', svd('32').replace('</fields>', ''));
  await expect(problem).toContainText('broken.svd, line 3: unexpected close tag');
  await give('odd.svd', svd('24'));
  await expect(problem).toContainText('odd.svd, line 2: OUT has 24 bits');
  await give('binary.svd', Buffer.from([0xff, 0xfe, 0]));
  await expect(problem).toContainText('is no text');
  await expect(window.get('svd-add')).toBeDisabled();
  await give('card.svd', svd('32'));
  await expect(problem).toBeHidden();
  await window.get('svd-at').fill('0xfffc');
  await expect(window.get('svd-at-problem')).toContainText('BAR 0 has 0x1000 bytes');
  await window.get('svd-at').fill('0');
  await window.get('svd-add').click();
  await expect(window.get('svd-dialog')).toBeHidden();
  await expect(window.register('OUT')).toBeVisible();
  await expect(window.register('SCRATCH')).toHaveCount(0);
  if (isElectron) return;
  const other = await openWindow(lab.url);
  await other.get('device-select').first().selectOption({ label: 'Scratch card' });
  await expect(other.register('OUT')).toBeVisible();
});

test('registers of several BARs are watched under the headings of their BARs', async ({ window }) => {
  await window.quiet();
  const space = Buffer.alloc(64);
  space.writeUInt32LE(0x00ff_1f0c, 0);
  space.writeUInt32LE(0xff00_0000, 8);
  space.writeUInt32LE(0xfe00_0000, 0x10);
  space.writeUInt32LE(0xfe10_0000, 0x18);
  const lines = [0, 16, 32, 48].map((at) => {
    const bytes = [...space.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, '0'));
    return `${at.toString(16).padStart(2, '0')}: ${bytes.join(' ')}`;
  });
  await window.show('config');
  await window.get('config-import').click();
  await window.get('import-text').fill(['00:01.0 Two BARs', ...lines, ''].join('\n'));
  await window.get('import-clone').click();
  await window.get('option-barSizes').fill('0=4KiB, 2=4KiB');
  await window.get('power-on-confirm').click();
  await expect(window.devices()).toHaveCount(2);
  await window.show('registers');
  for (const bar of [0, 2]) {
    await window.get('registers-svd').click();
    await window.get('svd-file').setInputFiles({
      name: `bar${bar}.svd`,
      mimeType: 'text/xml',
      buffer: Buffer.from(`<device><name>Card</name><peripherals><peripheral><name>P${bar}</name><registers>
<register><name>CONTROL${bar}</name><addressOffset>0</addressOffset><size>32</size></register>
<register><name>STATUS${bar}</name><addressOffset>4</addressOffset><size>32</size></register>
</registers></peripheral></peripherals></device>`),
    });
    await window.get('svd-bar').selectOption(`${bar}`);
    await window.get('svd-add').click();
    await expect(window.get('svd-dialog')).toBeHidden();
  }

  const headings = window.panel('registers').locator('.watch-bar');
  const watch = async (bar: number, name: string) => {
    await window.get('bar-select').selectOption(`${bar}`);
    await window.register(name).hover();
    await window.register(name).getByTestId('register-pin').click();
    await window.get('bar-select').selectOption('watch');
  };
  await watch(2, 'STATUS2');
  await expect(window.get('register-row')).toHaveCount(1);
  await expect(headings).toHaveCount(0);
  await watch(0, 'CONTROL0');
  await watch(2, 'CONTROL2');
  await expect(headings).toHaveText(['BAR 0', 'BAR 2']);
  // Each heading is above the first of its BAR, and nothing is drawn over anything.
  await expect(window.get('register-row')).toHaveCount(3);
  const boxes = await Promise.all(
    [
      headings.nth(0),
      window.register('CONTROL0'),
      headings.nth(1),
      window.register('CONTROL2'),
      window.register('STATUS2'),
    ].map((one) => one.boundingBox()),
  );
  for (const [at, box] of boxes.slice(1).entries()) {
    const above = boxes[at]!;
    expect(box!.y).toBeGreaterThanOrEqual(above.y + above.height - 0.5);
  }
  await window.setRegister('CONTROL2', '0x12');
  await expect(window.registerValue('CONTROL2')).toHaveText(/^0x0000\s?0012$/);
  await expect(window.registerValue('CONTROL0')).toHaveText(/^0x0000\s?0000$/);
  await window.get('bar-select').selectOption('2');
  await expect(window.registerValue('CONTROL2')).toHaveText(/^0x0000\s?0012$/);
});

test('of many registers only those in view exist; the focus stays, and a jump finds its register', async ({
  window,
}) => {
  await window.quiet();
  const { page } = window;
  const list = window.get('register-list');
  const rows = window.get('register-row');
  await expect(list.getByRole('listitem').first()).toHaveAttribute('aria-setsize', '410');
  expect(await rows.count()).toBeLessThan(60);
  // The list is as long as all of them.
  const all = await list.evaluate((element) => element.getBoundingClientRect().height);
  const one = await rows.first().evaluate((element) => element.getBoundingClientRect().height);
  expect(all).toBe(410 * one);

  const wheel = async (by: number) => {
    await rows.first().hover({ force: true });
    await page.mouse.wheel(0, by);
  };
  const edit = page.getByRole('button', { name: 'Edit CC', exact: true });
  await edit.focus();
  await wheel(4000);
  await expect(window.register('CC')).not.toBeInViewport();
  await expect(window.register('CAP')).toHaveCount(0);
  await expect(edit).toBeFocused();
  // A key leads back to where it is.
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('button', { name: 'Edit CSTS' })).toBeFocused();
  await expect(window.register('CSTS')).toBeInViewport();
  await page.keyboard.press('End');
  const last = rows.last();
  await expect(last).toBeInViewport();
  await expect(last.getByRole('button', { name: /^Edit/ })).toBeFocused();
  await page.keyboard.press('Home');
  await expect(page.getByRole('button', { name: 'Edit CAP' })).toBeFocused();

  // Rows that are opened are higher, and stay open out of view.
  await window.register('CAP').getByTestId('register-toggle').click();
  await expect(window.get('field-row').first()).toBeVisible();
  const gap = async () => {
    const [cap, next] = [
      await window.register('CAP').boundingBox(),
      await window.register('VS').boundingBox(),
    ];
    return next!.y - cap!.y;
  };
  const opened = await gap();
  expect(opened).toBeGreaterThan(5 * one);
  await page.keyboard.press('End');
  await expect(last).toBeInViewport();
  await window.get('access-offset').focus();
  await expect(window.register('CAP')).toHaveCount(0);

  // From a row of the trace, twice: the second time after it was scrolled away.
  await window.filter('write && reg == AQA');
  for (let times = 0; times < 2; times++) {
    await window.get('trace-row').first().dblclick();
    await expect(window.register('AQA')).toBeInViewport();
    await wheel(6000);
    await expect(window.register('AQA')).toHaveCount(0);
  }
  await wheel(-20_000);
  await expect(window.register('CAP')).toBeInViewport();
  expect(await gap()).toBe(opened);
});

test('the watch list shows registers of a device as the list of a BAR does', async ({ window }) => {
  await window.quiet();
  const names = await window
    .get('register-row')
    .evaluateAll((rows) => rows.slice(0, 12).map((row) => (row as HTMLElement).dataset.register!));
  await window.page.evaluate(
    (pins) => localStorage.setItem('pciem-lab-watch', JSON.stringify(pins)),
    names.map((name) => `nvme/0/${name}`),
  );
  await window.page.reload();
  await window.get('bar-select').selectOption('watch');
  await expect(window.get('register-row')).toHaveCount(12);
  await window.setRegister('AQA', '0x00070005');
  await expect(window.registerValue('AQA')).toHaveText(/^0x0007\s?0005$/);
});

test('of a list of values the arrow keys write nothing; Enter writes once, Escape and leaving give it back', async ({
  window,
}) => {
  await window.quiet();
  const { page } = window;
  await window.get('register-search').fill('name:CC');
  await window.get('access-as').selectOption('driver');
  await window.register('CC').getByTestId('register-toggle').click();
  const row = page.locator('[data-testid="field-row"][data-field="AMS"]');
  const list = row.getByTestId('field-select');
  await expect(list.locator('option:checked')).toHaveText('round robin');
  // Every write as the driver is a row of the trace.
  await window.filter('write && reg == CC');
  await expect(window.get('trace-count')).toHaveText(/rows match/);
  await expect
    .poll(async () => (await window.traceRows()).every(({ register }) => register.startsWith('CC')))
    .toBe(true);
  const writes = () => window.number(window.get('trace-count'));
  const before = await writes();

  await list.focus();
  await page.keyboard.press('ArrowDown');
  await expect(list).toHaveAttribute('data-chosen', 'true');
  await expect(row).toContainText('Enter writes');
  await expect(list).not.toHaveValue('0');
  // What the device holds is read all the while, and does not take the choice away.
  await page.waitForTimeout(400);
  await expect(list).not.toHaveValue('0');
  await page.keyboard.press('Escape');
  await expect(list).toHaveValue('0');
  await expect(list).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Tab');
  await expect(list).toHaveValue('0');
  expect(await writes()).toBe(before);

  await list.focus();
  await page.keyboard.press('ArrowDown');
  const value = await list.inputValue();
  await page.keyboard.press('ArrowUp');
  await expect(list).toHaveAttribute('data-chosen', 'false');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(list).toHaveAttribute('data-chosen', 'false');
  await expect(list).toHaveValue(value);
  await expect(list).toBeFocused();
  await expect.poll(writes).toBe(before + 1);

  // In the opened list, by pointer, the choice is the write.
  await list.selectOption('0');
  await expect(list).toHaveValue('0');
  await expect.poll(writes).toBe(before + 2);
});
