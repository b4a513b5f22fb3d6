import { startLab } from '../fixtures/lab-process.ts';
import { expect, isElectron, test } from '../fixtures/test.ts';

test('the status bar counts what happens', async ({ window }) => {
  await window.bound();
  await expect(window.get('status-host')).toHaveText('Simulated host');
  await expect(window.get('status-driver')).toHaveText('0000:01:00.0: driver initiator');
  await expect.poll(() => window.number(window.get('status-events'))).toBeGreaterThan(20);
  await expect.poll(() => window.number(window.get('status-irq'))).toBeGreaterThan(20);
  await expect(window.get('status-dma')).toHaveText(/[1-9].*iB\/s/);
  await window.grows(window.get('status-rows'));
  await expect(window.get('status-missed')).toHaveText(/^\s*0$/);
});

test('the palette reaches every command by name', async ({ window }) => {
  await window.bound();
  await window.run('Pause or resume the trace view');
  await expect(window.get('trace-state')).toHaveText(/Paused/);
  await window.run('theme light');
  await expect(window.page.locator('html')).toHaveAttribute('data-theme', 'light');
  await window.page.keyboard.press('Control+K');
  await window.get('palette-input').fill('no such thing at all');
  await expect(window.get('palette')).toContainText('No command is called that');
  await window.page.keyboard.press('Escape');
  await expect(window.get('palette')).toBeHidden();
});

test('everything can be done without a pointer', async ({ window }) => {
  await window.quiet();
  const { keyboard } = window.page;
  await keyboard.press('Control+Shift+P');
  await expect(window.get('power-on-confirm')).toBeVisible();
  await window.get('option-size').focus();
  await keyboard.press('Control+A');
  await keyboard.type('32MiB');
  await keyboard.press('Enter');
  await expect(window.devices()).toHaveCount(2);
  await expect(window.devices().nth(1).getByTestId('device-driver')).toHaveText('initiator');
  // Back to the first, which is quiet.
  await keyboard.press('Alt+n');
  await expect(window.devices().first()).toHaveAttribute('data-selected', 'true');

  await keyboard.press('Alt+5');
  const { button, count } = window.vector(12);
  await expect(count).toHaveText('0');
  const { button: first } = window.vector(0);
  for (let presses = 0; presses < 40; presses++) {
    if (await first.evaluate((element) => element === document.activeElement)) break;
    await keyboard.press('Tab');
  }
  for (let vector = 0; vector < 12; vector++) await keyboard.press('ArrowDown');
  await expect(button).toBeFocused();
  await keyboard.press('Enter');
  await expect(count).toHaveText('1');

  await keyboard.press('Alt+4');
  await expect(window.panel('config')).toBeVisible();
  await keyboard.press('Alt+2');
  await keyboard.press('Control+K');
  await keyboard.type('focus to the trace rows');
  await keyboard.press('Enter');
  await expect(window.get('trace-rows')).toBeFocused();
  await keyboard.press('Space');
  await expect(window.get('trace-state')).toHaveText(/Paused/);
  await keyboard.press('f');
  await expect(window.get('trace-state')).toHaveText('Following');
  await keyboard.press('/');
  await expect(window.get('trace-filter')).toBeFocused();
});

test('reloading keeps the session', async ({ window }) => {
  await window.quiet();
  await window.setRegister('AQA', '0x00030004');
  await window.grows(window.get('trace-count'), 10);
  const rows = await window.number(window.get('trace-count'));
  const address = await window.text(window.get('device-address'));
  await window.page.reload();
  await expect(window.get('status-connection')).toHaveText('Connected');
  await expect(window.get('device-address')).toHaveText(address);
  await expect(window.registerValue('AQA')).toHaveText(/^0x0003\s?0004$/);
  await expect.poll(() => window.number(window.get('trace-count'))).toBeGreaterThanOrEqual(rows);
  await expect.poll(async () => (await window.traceRows()).length).toBeGreaterThan(5);
});

test('what is looked at stays over a lost connection; selection, filter, bookmarks over a reload too', async ({
  window,
}) => {
  await window.quiet();
  await window.get('power-on').click();
  await window.get('power-on-confirm').click();
  const second = window.devices().nth(1);
  // It was asked for here.
  await expect(second).toHaveAttribute('data-selected', 'true');
  await expect(second.getByTestId('device-driver')).toHaveText('initiator');
  await window.show('registers');
  await window.register('CC').getByTestId('register-toggle').click();
  await window.show('config');
  await window.byte('config-byte', 0x3c).click();
  await window.configNode('Command').locator('button').first().click();
  const opened = await window.configNode('Command').getAttribute('aria-expanded');
  await window.get('trace-goto').fill('40');
  await window.get('trace-goto').press('Enter');
  await expect.poll(async () => (await window.traceRows()).some(({ index }) => index === 39)).toBe(true);
  await window.get('trace-rows').focus();
  await window.page.keyboard.press('b');
  await window.get('trace-details-toggle').click();
  await window.get('trace-bookmark-text').fill('here it begins');
  await window.filter('write && reg == CC');
  const bookmark = async () => {
    await window.get('trace-bookmarks').click();
    await expect(window.get('trace-bookmark-row')).toContainText('here it begins');
    await window.page.keyboard.press('Escape');
  };

  await window.run('Connect to the lab again');
  await expect(window.get('status-connection')).toHaveText('Connected');
  await expect(window.get('trace-count')).toHaveText(/rows match/);
  await expect(second).toHaveAttribute('data-selected', 'true');
  await expect(window.byte('config-byte', 0x3c)).toHaveAttribute('data-cursor', 'true');
  await expect(window.configNode('Command')).toHaveAttribute('aria-expanded', opened!);
  await window.show('registers');
  await expect(window.register('CC').getByTestId('register-toggle')).toHaveAttribute('aria-expanded', 'true');
  await bookmark();

  await window.page.reload();
  await expect(window.get('status-connection')).toHaveText('Connected');
  await expect(second).toHaveAttribute('data-selected', 'true');
  await expect(window.get('trace-filter')).toHaveValue('write && reg == CC');
  await expect(window.get('trace-count')).toHaveText(/rows match/);
  await bookmark();
});

test('a layout that was changed is kept, and can be reset', async ({ window }) => {
  await window.show('config');
  const kept = () => window.page.evaluate(() => localStorage.getItem('pciem-lab-layout'));
  await expect.poll(kept).toContain('"activeView":"config"');
  await window.page.reload();
  await expect(window.panel('config')).toBeVisible();
  await expect(window.panel('registers')).toBeHidden();
  await window.run('Reset the layout');
  await expect(window.panel('registers')).toBeVisible();
});

test('two windows look at one lab, each with a filter of its own', async ({ window, lab, openWindow }) => {
  test.skip(isElectron, 'of the headless shell only');
  await window.bound();
  const other = await openWindow(lab.url);
  await other.bound();
  await other.filter('irq');
  await expect(other.get('trace-count')).toHaveText(/match/);
  await expect(window.get('trace-count')).not.toHaveText(/match/);
  await other.get('workload-toggle').click();
  await expect(window.get('workload-toggle')).toHaveText('Start');
  // What one powers on, the other sees, and goes on looking at what it looked at.
  await other.get('power-on').click();
  await other.get('power-on-confirm').click();
  await expect(other.devices().nth(1)).toHaveAttribute('data-selected', 'true');
  await expect(window.devices().nth(1).getByTestId('device-driver')).toHaveText('initiator');
  await expect(window.devices().first()).toHaveAttribute('data-selected', 'true');
});

test('a token that is used, stale or missing is said, with what to do', async ({
  window,
  lab,
  openWindow,
}) => {
  test.skip(isElectron, 'of the headless shell only');
  await window.bound();
  const page = `http://127.0.0.1:${lab.port}/`;
  for (const [url, reason] of [
    [lab.url, 'This token was used already: it opens one browser. Start the lab again for another.'],
    [`${page}#token=stale`, 'Wrong or stale token: open the address that the running lab printed.'],
    [page, 'No token: open the address that the lab printed.'],
  ] as const) {
    const refused = await openWindow(url, true);
    await expect(refused.get('connection-banner')).toContainText(reason);
    await expect(refused.get('status-connection')).toHaveText('Refused');
    await refused.page.close();
  }
  await window.grows(window.get('trace-count'));
});

test('a lab that ends leaves a window that says so and comes back', async ({ lab, openWindow, allowed }) => {
  test.skip(isElectron, 'of the headless shell only');
  allowed.push(/WebSocket connection to .* failed/, /ERR_CONNECTION_REFUSED/);
  // Fixed, so that the second lab can be found where the first was.
  const token = 'a-token-that-both-labs-know';
  const first = await startLab({ more: ['--token', token] });
  const window = await openWindow(first.url, true);
  await window.bound();
  await window.grows(window.get('trace-count'));
  await window.get('trace-goto').fill('40');
  await window.get('trace-goto').press('Enter');
  await expect.poll(async () => (await window.traceRows()).some(({ index }) => index === 39)).toBe(true);
  await window.get('trace-rows').focus();
  await window.page.keyboard.press('b');
  const marks = window.page.locator('[data-testid="trace-row"] .cell-marks', { hasText: '★' });
  await expect(marks).toHaveCount(1);
  await window.filter('write && reg ~ "SQ*TDBL"');
  await window.show('config');
  expect(await first.stop()).toBe(0);
  await expect(window.get('connection-banner')).toContainText('last known state');
  await expect(window.get('status-connection')).toHaveText('Disconnected');
  // What was there can still be read; what would act cannot be pressed.
  expect((await window.traceRows()).length).toBeGreaterThan(3);
  await expect(window.get('power-off')).toBeDisabled();
  await expect(window.vector(1).button).toBeDisabled();

  const second = await startLab({ port: first.port, more: ['--token', token] });
  try {
    await expect(window.get('status-connection')).toHaveText('Connected');
    await expect(window.get('connection-banner')).toBeHidden();
    await window.bound();
    await window.grows(window.get('trace-count'));
    // Looked at as before: the panel in front, and the filter, which the new lab holds to as well.
    await expect(window.panel('config')).toBeVisible();
    await expect(window.get('trace-filter')).toHaveValue('write && reg ~ "SQ*TDBL"');
    await expect(window.get('trace-count')).toHaveText(/rows match/);
    await expect
      .poll(async () => (await window.traceRows()).every(({ register }) => /^SQ\d+TDBL/.test(register)))
      .toBe(true);
    // Its rows have the same numbers, and are others.
    await window.get('trace-bookmarks').click();
    await expect(window.get('trace-bookmark-row')).toHaveCount(0);
    expect(lab.port).not.toBe(first.port);
  } finally {
    await window.page.close();
    await second.stop();
  }
});
