import { expect, test } from '../fixtures/test.ts';

test('rows scroll by, with registers by name and values decoded', async ({ window }) => {
  await window.bound();
  const count = window.get('trace-count');
  await window.grows(count);
  await expect
    .poll(async () => (await window.traceRows()).map(({ register }) => register).join('\n'))
    .toMatch(/^SQ[1-4]TDBL/m);
  const doorbell = (await window.traceRows()).find(({ register }) => /SQ[1-4]TDBL/.test(register));
  expect(doorbell?.kind).toBe('write');
  expect(doorbell?.text).toMatch(/SQT 0x[\da-f]+→0x[\da-f]+/);
  // It follows: the newest rows are the ones in view.
  const last = (await window.traceRows()).at(-1)!.index;
  await expect.poll(async () => (await window.traceRows()).at(-1)?.index ?? 0).toBeGreaterThan(last + 100);
});

test('scrolling back leaves the end, and following comes back to it', async ({ window }) => {
  await window.grows(window.get('trace-count'), 500);
  await window.get('trace-rows').hover();
  await window.page.mouse.wheel(0, -1000);
  await expect(window.get('trace-state')).toHaveText('Standing');
  await expect(window.get('trace-follow')).toHaveAttribute('aria-pressed', 'false');
  await expect.poll(async () => (await window.traceRows()).length).toBeGreaterThan(5);
  const standing = await window.traceRows();
  await window.grows(window.get('trace-count'));
  expect(await window.traceRows()).toEqual(standing);
  await window.get('trace-goto').fill('1');
  await window.get('trace-goto').press('Enter');
  await expect.poll(async () => (await window.traceRows())[0]?.index).toBe(0);
  await window.get('trace-follow').click();
  await expect(window.get('trace-state')).toHaveText('Following');
  await expect.poll(async () => (await window.traceRows())[0]?.index).toBeGreaterThan(500);
});

test('a filter leaves what matches, and an unclear one says where', async ({ window }) => {
  await window.bound();
  await window.grows(window.get('trace-count'), 300);
  await window.filter('write && reg ~ "CQ*HDBL" && value > 0');
  await expect(window.get('trace-count')).toHaveText(/[\d,]+ of [\d,]+ rows match/);
  const matching = async (): Promise<boolean> => {
    const rows = await window.traceRows();
    return (
      rows.length > 3 && rows.every(({ kind, register }) => kind === 'write' && /^CQ\d+HDBL/.test(register))
    );
  };
  await expect.poll(matching).toBe(true);

  await window.filter('write && bar ==');
  await expect(window.get('trace-filter-error')).toBeVisible();
  await expect(window.get('trace-filter-error')).toContainText(/bar ==|after|expected|number/i);
  await expect(window.get('trace-filter')).toHaveAttribute('aria-invalid', 'true');
  // The rows of the last clear filter are still there, and still come.
  expect(await matching()).toBe(true);
  await window.grows(window.get('trace-count'));

  await window.get('trace-filter').press('Escape');
  await expect(window.get('trace-filter-error')).toBeHidden();
  await expect(window.get('trace-count')).toHaveText(/^[\d,]+ rows$/);
  await window.filter('vector == 999');
  await expect(window.get('trace-empty')).toContainText('No row matches');
  await window.get('trace-empty').getByRole('button').click();
  await expect.poll(async () => (await window.traceRows()).length).toBeGreaterThan(5);
});

test('a place that is not there and a search with a typo are said where they are typed', async ({
  window,
}) => {
  await window.quiet();
  await window.get('trace-follow').click();
  const goTo = window.get('trace-goto');
  await expect.poll(async () => (await window.traceRows()).length).toBeGreaterThan(0);
  const standing = await window.traceRows();
  for (const [place, said] of [
    ['0', /Rows are numbered 1 to [\d,]+; an access is #17, a time 1.5s/],
    ['999999999', /Rows are numbered 1 to/],
    ['1.5 parsecs', /a time 1.5s/],
  ] as const) {
    await goTo.fill(place);
    await goTo.press('Enter');
    await expect(window.get('trace-goto-problem')).toHaveText(said);
    await expect(goTo).toHaveAttribute('aria-invalid', 'true');
  }
  expect(await window.traceRows()).toEqual(standing);
  await goTo.fill('1');
  await expect(window.get('trace-goto-problem')).toBeHidden();
  await window.get('trace-search-open').click();
  await window.get('trace-search').fill('valeu == 3');
  await window.get('trace-search').press('Enter');
  await expect(window.get('trace-search-error')).toContainText('valeu');
  await expect(window.get('trace-search')).toHaveAttribute('aria-invalid', 'true');
});

test('a row keeps its number under a filter, and one that is hidden leads to the next', async ({
  window,
}) => {
  await window.quiet();
  await window.filter('write && reg == SQ1TDBL');
  await expect(window.get('trace-count')).toHaveText(/rows match/);
  await window.get('trace-follow').click();
  await window.get('trace-rows').focus();
  await window.page.keyboard.press('Home');
  const numbers = () =>
    window.page
      .locator('[data-testid="trace-row"][data-loading="false"]:visible .cell-row')
      .evaluateAll((cells) => cells.map((cell) => Number(cell.textContent!.replaceAll(',', ''))));
  await expect.poll(async () => (await numbers())[3] ?? 0).toBeGreaterThan(4);
  const [, , third, fourth] = (await numbers()).toSorted((a, b) => a - b);
  const goTo = async (row: number) => {
    await window.page.keyboard.press('Control+G');
    await window.page.keyboard.type(`${row}`);
    await window.page.keyboard.press('Enter');
  };
  const chosen = window.page.locator('[data-testid="trace-row"][data-selected="true"]');
  const format = (row: number) => row.toLocaleString('en-US');
  await goTo(fourth!);
  await expect(chosen).toHaveAttribute('data-row', '3');
  await expect(chosen.locator('.cell-row')).toHaveText(format(fourth!));
  await expect(window.get('toast')).toHaveCount(0);
  await goTo(third! + 1);
  await expect(window.toast(`Row ${format(third! + 1)} is hidden; this is the next one`)).toBeVisible();
  await expect(chosen).toHaveAttribute('data-row', '3');
  await goTo(third!);
  await expect(chosen).toHaveAttribute('data-row', '2');
  // The same numbers without a filter.
  await window.filter('');
  await expect(window.get('trace-count')).toHaveText(/^[\d,]+ rows$/);
  await goTo(fourth!);
  await expect(chosen).toHaveAttribute('data-row', `${fourth! - 1}`);
  await expect(chosen).toContainText('SQ1TDBL');
});

test('the halves of a 64-bit register are accesses to the same register', async ({ window }) => {
  await window.quiet();
  await window.show('registers');
  await window.get('access-as').selectOption('driver');
  await window.writeAt('0x30', '4', '0x5000');
  await window.writeAt('0x34', '4', '0x1');
  await window.writeAt('0x38', '4', '0x0');
  await window.writeAt('0x30', '8', '0x6000');
  await window.filter('mmio && write && offset >= 0x30 && offset < 0x3c');
  const rows = async () => (await window.traceRows()).map(({ register }) => register);
  await expect
    .poll(async () => (await rows()).slice(-4))
    .toEqual(['ACQ 0x0030', 'ACQ+4 0x0034', 'CMBLOC 0x0038', 'ACQ 0x0030']);
  await window.get('trace-rows').focus();
  await window.page.keyboard.press('End');
  const chosen = window.page.locator('[data-testid="trace-row"][data-selected="true"]');
  const last = Number(await chosen.getAttribute('data-row'));
  await window.page.keyboard.press('[');
  await expect(chosen).toHaveAttribute('data-row', `${last - 2}`);
  await expect(chosen).toContainText('ACQ+4');
  await window.page.keyboard.press('[');
  await expect(chosen).toHaveAttribute('data-row', `${last - 3}`);
  await window.page.keyboard.press(']');
  await expect(chosen).toHaveAttribute('data-row', `${last - 2}`);
  await window.page.keyboard.press(']');
  await expect(chosen).toHaveAttribute('data-row', `${last}`);
});

test('Enter on a row leads to the transfer, the vector or the bytes that it is about', async ({ window }) => {
  await window.quiet();
  await window.show('config');
  await window.get('config-as').selectOption('driver');
  await window.byte('config-byte', 0x3c).click();
  await window.page.keyboard.type('2a');
  await expect(window.byte('config-byte', 0x3c)).toHaveText('2a');
  await window.get('trace-follow').click();
  /** First row that is left, by keyboard. */
  const enter = async (filter: string, kind: string) => {
    await window.filterKind(filter, kind);
    await window.get('trace-rows').focus();
    await window.page.keyboard.press('Home');
    const row = window.page.locator('[data-testid="trace-row"][data-row="0"][data-selected="true"]');
    await expect(row).toHaveAttribute('data-loading', 'false');
    await window.page.keyboard.press('Enter');
    return row;
  };
  // Far from the newest.
  const row = await enter('dmawrite && length == 16', 'DMA write');
  const transfer = window.panel('dma').locator('[data-testid="dma-row"][data-selected="true"]');
  await expect(transfer).toContainText((await row.locator('.cell-time').textContent())!);
  await expect(transfer).toContainText((await row.locator('.cell-register').textContent())!);
  await expect(transfer).toHaveAttribute('data-direction', 'write');
  await expect(window.get('dma-detail')).toContainText('Device wrote');
  await expect(window.get('dma-rows')).toBeFocused();

  await enter('irq && vector == 3', 'interrupt');
  const vector = window.panel('interrupts').locator('[aria-current="true"]');
  await expect(vector).toHaveAttribute('data-vector', '3');
  await expect(vector.getByTestId('vector-button')).toBeFocused();
  // Once one goes on, the row is one of many again.
  await window.page.keyboard.press('ArrowUp');
  await expect(vector).toHaveCount(0);

  await enter('config && write && offset == 0x3c', 'config write');
  await expect(window.panel('config').getByRole('treeitem', { selected: true })).toContainText(
    'Interrupt Line',
  );
  await expect(window.get('config-byte-line')).toContainText('0x3c');
  // The bytes have the focus, at that place.
  await window.page.keyboard.press('ArrowRight');
  await expect(window.get('config-byte-line')).toContainText('0x3d');
});

test('pausing keeps the rows in view while the trace goes on', async ({ window }) => {
  await window.grows(window.get('trace-count'), 300);
  await window.get('trace-pause').click();
  await expect(window.get('trace-state')).toHaveText(/Paused at row/);
  await expect.poll(async () => (await window.traceRows()).length).toBeGreaterThan(5);
  let before = await window.traceRows();
  await expect
    .poll(async () => {
      // What was on its way at the click may still be drawn.
      const now = await window.traceRows();
      const same = JSON.stringify(now) === JSON.stringify(before);
      before = now;
      return same;
    })
    .toBe(true);
  const total = await window.number(window.get('trace-count'));
  await window.grows(window.get('trace-count'), total + 200);
  expect(await window.traceRows()).toEqual(before);
  await window.get('trace-pause').click();
  await expect
    .poll(async () => (await window.traceRows())[0]?.index ?? 0)
    .toBeGreaterThan(before.at(-1)!.index);
});

test('rows are copied as text, and clearing begins anew', async ({ window }) => {
  await window.quiet();
  await window.filter('mmio && write');
  await expect(window.get('trace-count')).toHaveText(/rows match/);
  await window.get('trace-goto').fill('1');
  await window.get('trace-goto').press('Enter');
  await expect.poll(async () => (await window.traceRows())[0]?.index).toBe(0);
  await window.get('trace-rows').focus();
  await window.page.keyboard.press('Home');
  await window.page.keyboard.press('Shift+ArrowDown');
  await window.page.keyboard.press('Shift+ArrowDown');
  await window.get('trace-copy').click();
  await expect(window.toast('3 trace rows')).toBeVisible();
  const copied = await window.page.evaluate(() => navigator.clipboard.readText());
  expect(copied.trimEnd().split('\n')).toHaveLength(3);
  expect(copied).toMatch(/\tW\tBAR0\+0x[\da-f]+\t\w+\t4 B\t0x/);

  await window.get('trace-filter').press('Escape');
  await window.get('trace-clear').click();
  await expect(window.get('trace-count')).toHaveText('0 rows');
  await expect(window.get('trace-empty')).toContainText('Rows appear as soon as a driver');
  await window.get('workload-toggle').click();
  await window.grows(window.get('trace-count'), 10);
});

test('the filter is completed as one types, and an error points at its place', async ({ window }) => {
  await window.bound();
  const field = window.get('trace-filter');
  const completions = window.get('trace-filter-completions');
  await field.click();
  await window.page.keyboard.type('reg ~ SQ1T');
  await expect(completions.getByRole('option').first()).toContainText('SQ1TDBL');
  await completions.getByRole('option').first().click();
  await expect(field).toHaveValue('reg ~ SQ1TDBL ');
  await expect(completions).toContainText('&&');
  await window.page.keyboard.press('Enter');
  await expect
    .poll(async () => (await window.traceRows()).map(({ register }) => register.split(' ')[0]))
    .toEqual(expect.arrayContaining(['SQ1TDBL']));

  await window.filter('write && bar == x');
  const error = window.get('trace-filter-error');
  await expect(error).toContainText('"x" is not a number');
  await expect(error).toContainText('Accepted here: a number such as 3 or 0x1f');
  await expect(window.get('trace-filter-error-caret')).toHaveText(`${' '.repeat(16)}^`);
});

test('by keyboard alone: complete, filter, search both ways, walk a register and a group', async ({
  window,
}) => {
  await window.quiet();
  const { keyboard } = window.page;
  await window.get('trace-rows').focus();
  await keyboard.press('/');
  await keyboard.type('CC.');
  await expect(window.get('trace-filter-completions')).toContainText('CC.EN');
  await keyboard.press('ArrowDown');
  await keyboard.press('Enter');
  await expect(window.get('trace-filter')).toHaveValue(/^CC\.\w+ $/);
  await keyboard.press('Control+A');
  await keyboard.type('CC.EN == 1 && write');
  await keyboard.press('Escape');
  await keyboard.type('CC.EN == 1 && write');
  await keyboard.press('Enter');
  await expect(window.get('trace-count')).toHaveText(/^\d of [\d,]+ rows match$/);
  await keyboard.press('Control+A');
  await keyboard.press('Delete');
  await expect(window.get('trace-count')).toHaveText(/^[\d,]+ rows$/);
  await keyboard.press('Escape');
  await expect(window.get('trace-rows')).toBeFocused();

  const selected = async () => {
    const row = window.page.locator('[data-testid="trace-row"][data-selected="true"]');
    if ((await row.count()) !== 1) return { index: -1, text: '' };
    return { index: Number(await row.getAttribute('data-row')), text: (await row.textContent()) ?? '' };
  };
  await keyboard.press('Home');
  await keyboard.press('Control+F');
  await keyboard.type('reg == SQ2TDBL');
  await keyboard.press('Enter');
  await expect.poll(async () => (await selected()).text).toContain('SQ2TDBL');
  const first = (await selected()).index;
  await keyboard.press('Enter');
  await expect.poll(async () => (await selected()).index).toBeGreaterThan(first);
  await keyboard.press('Shift+Enter');
  await expect.poll(async () => (await selected()).index).toBe(first);
  await keyboard.press('Escape');
  await expect(window.get('trace-search')).toBeHidden();
  await expect(window.get('trace-rows')).toBeFocused();
  await keyboard.press('n');
  await expect.poll(async () => (await selected()).index).toBeGreaterThan(first);
  await keyboard.press('[');
  await expect.poll(async () => (await selected()).index).toBe(first);
  await keyboard.press(']');
  await expect.poll(async () => (await selected()).index).toBeGreaterThan(first);
  const doorbell = (await selected()).index;

  // The doorbell, its transfers, and the interrupt.
  await keyboard.press('.');
  await expect.poll(async () => (await selected()).text).toContain('DMA read');
  await keyboard.press(',');
  await expect.poll(async () => (await selected()).index).toBe(doorbell);
  await keyboard.press('d');
  await expect(window.get('trace-group').getByRole('listitem').first()).toContainText('SQ2TDBL');
  await expect(
    window.get('trace-group').getByRole('listitem').filter({ hasText: 'command' }).first(),
  ).toHaveText(/(Read|Write|Compare|Flush)/);
  await expect(window.get('trace-group').getByRole('listitem').last()).toContainText('vector 2');
  await expect(window.get('trace-latency')).toHaveText(/[\d.]+ (ns|us|ms)/);
  await expect(window.get('trace-fields').locator('[data-field="SQT"]')).toHaveAttribute(
    'data-changed',
    'true',
  );
});

test('kinds are shown and left out; polls become one row; columns, bookmarks, colours and a reference', async ({
  window,
}) => {
  await window.quiet();
  // The last rows have come.
  await expect(window.get('status-events')).toHaveText(/^0 ?\/s/);
  const all = await window.number(window.get('trace-count'));
  await window.get('trace-kind-dma').click();
  await expect(window.get('trace-kind-dma')).toHaveAttribute('aria-pressed', 'false');
  await expect(window.get('trace-count')).toHaveText(/rows match/);
  const without = await window.number(window.get('trace-count'));
  expect(without).toBeLessThan(all);
  await window.get('trace-kind-config').click({ modifiers: ['Shift'] });
  await expect
    .poll(async () => {
      const rows = await window.traceRows();
      return rows.length > 0 && rows.every(({ kind }) => kind.startsWith('config'));
    })
    .toBe(true);
  await window.get('trace-kind-config').click({ modifiers: ['Shift'] });
  await expect.poll(() => window.number(window.get('trace-count'))).toBe(all);

  // The driver polls CSTS while the controller comes up.
  await window.filter('read && reg == CSTS');
  await expect(window.get('trace-count')).toHaveText(/rows match/);
  const polls = await window.number(window.get('trace-count'));
  await window.get('trace-collapse').click();
  await expect.poll(() => window.number(window.get('trace-count'))).toBeLessThan(polls);
  await expect
    .poll(async () => (await window.traceRows()).map(({ text }) => text).join('\n'))
    .toMatch(/\d+ times/);
  await window.get('trace-collapse').click();
  await window.get('trace-filter').press('Escape');

  await window.get('trace-columns').click();
  await window.get('column-delta').uncheck();
  await window.page.keyboard.press('Escape');
  await expect(window.page.locator('.trace-head .cell-delta')).toHaveCount(0);
  await expect(window.page.locator('.trace-head .cell-register')).toHaveCount(1);

  await window.get('trace-goto').fill('40');
  await window.get('trace-goto').press('Enter');
  await expect.poll(async () => (await window.traceRows()).some(({ index }) => index === 39)).toBe(true);
  await window.get('trace-rows').focus();
  await window.page.keyboard.press('b');
  await window.page.keyboard.press('t');
  const row = window.page.locator('[data-testid="trace-row"][data-row="39"]');
  await expect(row.locator('.cell-marks')).toContainText('★');
  await expect(row.locator('.cell-time')).toHaveText('reference');
  await window.get('trace-details-toggle').click();
  await window.get('trace-bookmark-text').fill('here it begins');
  await window.get('trace-bookmarks').click();
  await expect(window.get('trace-bookmark-row')).toContainText('here it begins');
  await window.page.keyboard.press('Escape');

  await window.get('trace-rules').click();
  await window.get('trace-rule-color').selectOption('error');
  await window.get('trace-rule-filter').fill('row == 40');
  await window.get('trace-rule-filter').press('Enter');
  await expect(window.get('trace-rule')).toContainText('row == 40');
  await window.get('trace-rule-filter').fill('row == forty');
  await window.get('trace-rule-filter').press('Enter');
  await expect(window.get('trace-rule-error')).toContainText('"forty" is not a number');
  await window.page.keyboard.press('Escape');
  await window.page.keyboard.press('Escape');
  await expect(row).toHaveAttribute('data-rule', 'error');

  await window.get('trace-statistics').click();
  const statistics = window.get('trace-statistics-table');
  await expect(statistics.locator('[data-register="SQ1TDBL"]')).toContainText('NVMe disk');
});

test('what is odd has a mark in its row and a line among the expert notes, which leads to it', async ({
  window,
}) => {
  await window.quiet();
  await window.show('registers');
  await window.get('access-as').selectOption('driver');
  // CSTS is read-only; a queue that does not exist; vector 60 belongs to no queue.
  await window.writeAt('0x1c', '4', '0x1');
  await window.writeAt('0x11f8', '4', '0x5');
  await window.show('experts');
  const group = (title: string) => window.get('expert-group').filter({ hasText: title });
  await expect(group('Write to a read-only register')).toContainText('CSTS');
  await expect(group('Doorbell out of range')).toContainText('no such queue');
  await expect(group('Doorbell out of range')).toHaveAttribute('data-severity', 'error');
  const severities = await window
    .get('expert-group')
    .evaluateAll((groups) => groups.map((one) => (one as HTMLElement).dataset.severity));
  expect(severities).toEqual(severities.toSorted((a, b) => 'ewn'.indexOf(a![0]!) - 'ewn'.indexOf(b![0]!)));

  await group('Write to a read-only register').getByTestId('expert-last').click();
  const row = window.page.locator('[data-testid="trace-row"][data-selected="true"]');
  await expect(row).toContainText('CSTS');
  await expect(row).toHaveAttribute('data-expert', 'warning');
  await expect(row.locator('.cell-marks')).toHaveText('▲');
  // By keyboard from one to the next.
  await window.get('trace-rows').focus();
  await window.page.keyboard.press('e');
  await expect(row).toHaveAttribute('data-expert', /error|note/);
});

test('a write says which bits it clears, and which clear themselves', async ({ window }) => {
  await window.bound();
  await window.run('Power on a device');
  await window.get('model-scratch').click();
  await window.get('power-on-confirm').click();
  await window.show('registers');
  await window.get('access-as').selectOption('driver');
  const write = async (offset: string, value: string) => {
    await window.get('access-offset').fill(offset);
    await window.get('access-value').fill(value);
    await window.get('access-write').click();
  };
  await window.filter('write && (reg == INTERRUPT || reg == STATUS)');
  await expect(window.get('trace-count')).toHaveText(/^0 of [\d,]+ rows match$/);
  await expect.poll(() => window.traceRows()).toEqual([]);
  const rows = window.get('trace-row');
  for (const [offset, value, said] of [
    ['0x0c', '1', 'RAISE 1: self-clearing'],
    ['0x10', '0', 'unchanged'],
    ['0x10', '1', 'RAISED 1: clears'],
    ['0x10', '1', 'RAISED 1: clears'],
  ] as const) {
    const before = (await window.traceRows()).length;
    await write(offset, value);
    await expect.poll(async () => (await window.traceRows()).length).toBe(before + 1);
    await expect(rows.locator('visible=true').last().locator('.cell-decoded')).toHaveText(said);
  }
  const field = window.get('trace-fields').locator('[data-field="RAISED"]');
  await window.get('trace-details-toggle').click();
  await rows.filter({ hasText: 'RAISED 1: clears' }).first().click();
  await expect(field).toContainText('1: clears');
  await expect(field).toHaveAttribute('data-changed', 'true');
  await rows.filter({ hasText: 'unchanged' }).click();
  await expect(field).toContainText('0: unchanged');
  await expect(field).toHaveAttribute('data-changed', 'false');
});

test('accesses while decoding is off and DMA while bus mastering is off are told', async ({ window }) => {
  await window.bound();
  await window.show('config');
  await window.get('config-as').selectOption('driver');
  // Memory Space and Bus Master off under a driver at work.
  await window.byte('config-byte', 4).click();
  await window.page.keyboard.type('00');
  await window.show('experts');
  const group = (title: string) => window.get('expert-group').filter({ hasText: title });
  await expect(group('Access while memory decoding is off').first()).toBeVisible();
  await expect(group('DMA while bus mastering is off').first()).toBeVisible();
});

test('the driver is a row when it binds and when it lets go', async ({ window }) => {
  await window.bound();
  await window.filter('driver');
  await expect
    .poll(async () => (await window.traceRows()).map(({ text }) => text).join())
    .toContain('is bound');
  await window.get('power-off').click();
  await expect
    .poll(async () => (await window.traceRows()).map(({ text }) => text).join())
    .toContain('let go of the device');
});

test('the plot and the minimap lead to any place of the trace', async ({ window }) => {
  await window.grows(window.get('trace-count'), 3000);
  const plot = window.get('trace-plot');
  const box = (await plot.boundingBox())!;
  await window.page.mouse.click(box.x + 2, box.y + 20);
  await expect(window.get('trace-state')).toHaveText('Standing');
  await expect.poll(async () => (await window.traceRows())[0]?.index ?? 1e9).toBeLessThan(600);
  const map = (await window.get('trace-minimap').boundingBox())!;
  await window.page.mouse.click(map.x + 8, map.y + map.height / 2);
  await expect.poll(async () => (await window.traceRows())[0]?.index ?? 0).toBeGreaterThan(1000);
  await plot.focus();
  await window.page.keyboard.press('Home');
  await expect.poll(async () => (await window.traceRows())[0]?.index ?? 1e9).toBeLessThan(600);
});

test('what is decoded takes the room that the other columns leave', async ({ window }) => {
  await window.quiet();
  await window.filter('command');
  await window.run('Maximize');
  await window.get('trace-goto').fill('1');
  await window.get('trace-goto').press('Enter');
  const row = window.page.locator('[data-testid="trace-row"][data-row="0"]');
  await expect(row.locator('.cell-decoded')).toContainText('queue');
  /** Whether text is cut, and how much is unused between the last column and the edge. */
  const look = () =>
    row.evaluate((element) => {
      const decoded = element.querySelector('.cell-decoded')!;
      const last = element.querySelector('.cell-cause')!.getBoundingClientRect().right;
      const edge = element.closest('.rows-scroll')!.getBoundingClientRect().right;
      return { cut: decoded.scrollWidth > decoded.clientWidth, left: edge - last };
    });
  for (const [width, height] of [
    [1280, 800],
    [2560, 1440],
  ] as const) {
    await window.page.setViewportSize({ width, height });
    await expect.poll(look).toEqual({ cut: false, left: 8 });
  }
});

test('columns are resized by pointer and by keyboard, and stay so', async ({ window }) => {
  test.setTimeout(60_000);
  const { page } = window;
  await window.quiet();
  await window.show('trace');
  await window.run('Maximize');
  const edge = (id: string) => window.get(`column-edge-${id}`);
  const head = (id: string) => page.locator(`.trace-head > .cell-${id}`);
  const box = async (id: string) => {
    // While the window is being laid out it has no box.
    await expect(head(id)).toBeVisible();
    return (await head(id).boundingBox())!;
  };
  const width = async (id: string) => Math.round((await box(id)).width);
  const drag = async (id: string, by: number) => {
    await expect(edge(id)).toBeVisible();
    const at = (await edge(id).boundingBox())!;
    await page.mouse.move(at.x + at.width / 2, at.y + at.height / 2);
    await page.mouse.down();
    for (let step = 1; step <= 4; step++)
      await page.mouse.move(at.x + at.width / 2 + (by * step) / 4, at.y + at.height / 2);
  };
  const usual = {
    time: await width('time'),
    decoded: await width('decoded'),
    latency: await width('latency'),
  };
  // What is decoded gives what another column takes; the rows follow the head, and are not made anew.
  const row = window.get('trace-row').filter({ visible: true }).first();
  await row.evaluate((element) => element.setAttribute('data-seen', 'true'));
  await drag('time', 60);
  await expect.poll(() => width('time')).toBe(usual.time + 60);
  await expect.poll(() => width('decoded')).toBe(usual.decoded - 60);
  expect(Math.round((await row.locator('.cell-time').boundingBox())!.width)).toBe(usual.time + 60);
  await page.keyboard.press('Escape');
  await expect.poll(() => width('time')).toBe(usual.time);
  await page.mouse.up();
  expect(await width('time')).toBe(usual.time);
  await drag('time', 40);
  await page.mouse.up();
  await expect.poll(() => width('time')).toBe(usual.time + 40);
  await expect(row).toHaveAttribute('data-seen', 'true');
  // Behind it, the left edge follows the pointer, and the right one stays where it is.
  const right = (await box('latency')).x + (await box('latency')).width;
  await drag('latency', -30);
  await page.mouse.up();
  await expect.poll(() => width('latency')).toBe(usual.latency + 30);
  expect((await box('latency')).x + (await box('latency')).width).toBeCloseTo(right);
  await edge('time').dblclick();
  const fitted = await width('time');
  expect(fitted).toBeLessThan(usual.time + 40);
  const cut = await page
    .locator('[data-testid="trace-row"]:visible .cell-time')
    .evaluateAll((cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).length);
  expect(cut).toBe(0);

  await window.get('trace-filter').focus();
  await window.run('Resize the trace columns');
  await expect(edge('time')).toBeFocused();
  await page.keyboard.press('ArrowRight');
  await expect(edge('time')).toHaveAttribute('aria-valuenow', `${fitted + 4}`);
  expect(await width('time')).toBe(fitted + 4);
  await page.keyboard.press('ArrowDown');
  await expect(edge('delta')).toBeFocused();
  for (let presses = 0; presses < 4; presses++) await page.keyboard.press('Shift+ArrowLeft');
  await expect(edge('delta')).toHaveAttribute('aria-valuenow', '24');
  await expect(edge('delta')).toHaveAttribute('aria-valuemin', '24');
  await page.keyboard.press('Home');
  await expect(edge('delta')).toHaveAttribute('aria-valuenow', '60');
  await page.keyboard.press('Escape');
  await expect(window.get('trace-rows')).toBeFocused();

  await page.reload();
  await expect.poll(() => width('time')).toBe(fitted + 4);
  await window.get('trace-columns').click();
  await window.get('column-widths-reset').click();
  await page.keyboard.press('Escape');
  await expect.poll(() => width('time')).toBe(usual.time);
  expect(await width('latency')).toBe(usual.latency);
});
