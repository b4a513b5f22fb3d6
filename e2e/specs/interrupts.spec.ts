import { expect, test } from '../fixtures/test.ts';

test('a button raises its vector, and the count says so', async ({ window }) => {
  await window.quiet();
  await expect(window.get('interrupt-mode')).toHaveText('MSI-X');
  const { button, count } = window.vector(9);
  await expect(count).toHaveText('0');
  await button.click();
  await expect(count).toHaveText('1');
  await window.get('vector-times').fill('5');
  await button.click();
  await expect(count).toHaveText('6');
  await window.filter('irq && vector == 9');
  await expect.poll(async () => (await window.traceRows()).length).toBe(6);
  expect((await window.traceRows())[0]).toMatchObject({ kind: 'interrupt', register: 'vector 9' });
});

test('counts rise with the traffic, by queue', async ({ window }) => {
  await window.bound();
  await window.grows(window.vector(1).count);
  await expect(window.vector(1).state).toHaveText('enabled');
  await expect(window.panel('interrupts')).toContainText('I/O queue 1');
});

test.describe('in a wide window', () => {
  test.use({ windowSize: { width: 2400, height: 900 } });

  test('the last latency to the handler is shown where it is known', async ({ window }) => {
    await window.bound();
    const latency = (vector: number) =>
      window.page.locator(`[data-vector="${vector}"] [data-testid="vector-latency"]`);
    await expect(latency(1)).toHaveText(/^[\d.]+ (ns|us|ms)$/);
    await expect(latency(1)).toHaveAttribute('title', /head doorbell/);
    await expect(latency(9)).toHaveText('—');
    await expect(latency(9)).toHaveAttribute('title', /not known/);
    await window.page.getByTestId('copy-interrupts').click();
    const text = await window.page.evaluate(() => navigator.clipboard.readText());
    expect(text).toMatch(/^vector 1\t.*\tlatency [\d.]+ (ns|us|ms)\t/m);
    expect(text).toContain('latency unknown');
  });
});

test('how often is checked before anything is raised', async ({ window }) => {
  await window.quiet();
  const { button } = window.vector(9);
  for (const wrong of ['0', '100001', '1.5', 'many']) {
    await window.get('vector-times').fill(wrong);
    await expect(window.panel('interrupts').getByRole('alert')).toContainText('1 to 100000');
    await expect(window.get('vector-times')).toHaveAttribute('aria-invalid', 'true');
    await expect(button).toBeDisabled();
  }
  await window.get('vector-times').fill('2');
  await expect(button).toBeEnabled();
});

test('a vector is raised at a rate until it is told to stop', async ({ window }) => {
  await window.quiet();
  await window.get('vector-repeat-rate').fill('much');
  await expect(window.get('vector-rate-problem')).toContainText('at most 100000 a second');
  await window.get('vector-repeat-rate').fill('200');
  const row = window.page.locator('[data-testid="vector-row"][data-vector="3"]');
  const repeat = row.getByTestId('vector-repeat');
  await repeat.click();
  await expect(repeat).toHaveAttribute('aria-pressed', 'true');
  await window.grows(window.vector(3).count);
  await expect(row.getByTestId('vector-rate')).toHaveText(/^1[89]\d|^2[01]\d/);
  await repeat.click();
  await expect(repeat).toHaveAttribute('aria-pressed', 'false');
  await expect(row.getByTestId('vector-rate')).toHaveText('0/s');
});

test('the INTx pin is held and let go', async ({ window }) => {
  await window.bound();
  await window.run('Power on a device');
  await window.get('model-scratch').click();
  await window.get('power-on-confirm').click();
  await expect(window.get('intx-level')).toHaveText('deasserted');
  await window.get('intx-toggle').click();
  await expect(window.get('intx-level')).toHaveText('asserted');
  await expect(window.get('intx')).toContainText('no driver listens to it');
  await window.get('intx-toggle').click();
  await expect(window.get('intx-level')).toHaveText('deasserted');
  await window.run('Hold the INTx pin');
  await expect(window.get('intx-level')).toHaveText('asserted');
});

test('the vectors are one stop for Tab, and their buttons are reached by arrow keys', async ({ window }) => {
  await window.quiet();
  const panel = await window.show('interrupts');
  const { keyboard } = window.page;
  const focused = (vector: number, what: 'button' | 'repeat') =>
    expect(
      window.page
        .locator(`[data-testid="vector-row"][data-vector="${vector}"]`)
        .getByTestId(`vector-${what}`),
    ).toBeFocused();
  const stops = panel.locator('.vector-list [tabindex="0"]');
  await expect(stops).toHaveCount(1);
  await stops.focus();
  await focused(0, 'button');
  for (const [key, vector, what] of [
    ['ArrowUp', 0, 'button'],
    ['ArrowDown', 1, 'button'],
    ['ArrowRight', 1, 'repeat'],
    ['ArrowDown', 2, 'repeat'],
    ['PageDown', 12, 'repeat'],
    ['Home', 0, 'repeat'],
    ['ArrowLeft', 0, 'button'],
    ['PageDown', 10, 'button'],
    ['ArrowUp', 9, 'button'],
  ] as const) {
    await keyboard.press(key);
    await focused(vector, what);
  }
  await expect(stops).toHaveCount(1);
  await keyboard.press('Space');
  await expect(window.vector(9).count).toHaveText('1');
  // Tab leaves them, and comes back to the same one.
  await keyboard.press('Shift+Tab');
  await expect(panel.locator('.vector-list :focus')).toHaveCount(0);
  await keyboard.press('Tab');
  await focused(9, 'button');
});

test('a vector is asked for by its number, raised and repeated', async ({ window }) => {
  await window.quiet();
  await window.show('disk');
  await window.run('Raise or repeat a vector');
  const number = window.get('vector-number');
  await expect(number).toBeFocused();
  await window.page.keyboard.type('100000');
  await expect(window.get('vector-ask').getByRole('alert')).toHaveText(/^Accepted: 0 to \d+\.$/);
  await number.fill('7');
  await number.press('Enter');
  await expect(window.vector(7).count).toHaveText('1');
  await window.get('vector-number-repeat').click();
  await expect(window.get('vector-number-repeat')).toHaveAttribute('aria-pressed', 'true');
  await window.grows(window.vector(7).count);
  await window.get('vector-number-repeat').click();
  await expect(window.get('vector-number-repeat')).toHaveAttribute('aria-pressed', 'false');
  await number.press('Escape');
  await expect(number).toBeHidden();
});

test.describe('in the smallest window', () => {
  test.use({ windowSize: { width: 1280, height: 800 } });

  test('the tools are one line, whatever the device is called', async ({ window }) => {
    await window.bound();
    const tools = window.panel('interrupts').getByRole('toolbar');
    const lines = () =>
      tools.evaluate((bar) => {
        const middles = [...bar.children].map((child) => {
          const { top, bottom } = child.getBoundingClientRect();
          return Math.round((top + bottom) / 2);
        });
        return { lines: new Set(middles).size, over: bar.scrollWidth - bar.clientWidth };
      });
    await expect(window.get('interrupt-mode')).toHaveText('MSI-X');
    expect(await lines()).toEqual({ lines: 1, over: 0 });
    await window.run('Power on a device');
    await window.get('model-nvme').click();
    await window.get('option-device-name').fill('The disk of the second machine in the rack');
    await window.get('power-on-confirm').click();
    await expect(window.devices()).toHaveCount(2);
    await expect(window.get('interrupt-mode')).toHaveText('MSI-X');
    expect(await lines()).toEqual({ lines: 1, over: 0 });
    // Six digits show in full.
    await window.get('vector-times').fill('100000');
    expect(await window.get('vector-times').evaluate((field) => field.scrollWidth <= field.clientWidth)).toBe(
      true,
    );
  });
});

test('in a wide panel a name stays near its count, and the message is in view', async ({ window }) => {
  await window.bound();
  const row = window.page.locator('[data-testid="vector-row"][data-vector="1"]');
  const look = () =>
    row.evaluate((element) => {
      const name = element.querySelector('.vector-name')!.getBoundingClientRect();
      const message = element.querySelector('.vector-message')!;
      return {
        near: name.width < 320,
        cut: message.scrollWidth > message.clientWidth,
        message: message.textContent,
      };
    });
  await window.page.setViewportSize({ width: 2560, height: 1440 });
  await window.run('Reset the layout');
  const seen = { near: true, cut: false, message: expect.stringMatching(/^0xfee0\s?0000 = 0x01$/) };
  await expect.poll(look).toEqual(seen);
  await window.get('tab-interrupts').click();
  await window.run('Maximize or restore the active panel');
  await expect.poll(look).toEqual(seen);
});
