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

  await window.get('trace-clear').click();
  await expect(window.get('trace-count')).toHaveText('0 rows');
  await expect(window.get('trace-empty')).toContainText('Rows appear as soon as a driver');
  await window.get('workload-toggle').click();
  await window.grows(window.get('trace-count'), 10);
});
