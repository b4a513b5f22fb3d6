import type { LabWindow } from '../fixtures/lab-window.ts';
import { expect, test } from '../fixtures/test.ts';

/** Messages that the window itself makes; the same one twice is one line, as they are on a busy machine. */
async function twoMessages(window: LabWindow, times: number): Promise<void> {
  await window.show('config');
  for (let at = 0; at < times; at++) {
    await window.get('config-snapshot').dispatchEvent('click');
    await window.get('copy-config').dispatchEvent('click');
    await expect(window.toast('Copied').last()).toBeVisible();
  }
}

test('levels and the search leave lines out; Copy takes those that are shown', async ({ window }) => {
  await window.quiet();
  await window.get('device-reset').click();
  await window.run('Copy a link to the active panel');
  const log = await window.show('log');
  const line = window.get('log-line');
  const reset = line.filter({ hasText: 'was reset (FLR)' });
  await expect(reset).toBeVisible();
  await expect(reset.locator('.log-level')).toHaveText('● info');

  await window.get('log-copy').focus();
  await window.run('Search the log');
  await expect(window.get('log-search')).toBeFocused();
  await window.page.keyboard.type('RESET flr');
  await expect(line).toHaveCount(1);
  await expect(line.locator('mark')).toHaveText(['reset', 'FLR']);
  await expect(window.get('log-show-info')).toHaveText(/Info 1$/);
  await window.get('log-copy').click();
  await expect
    .poll(() => window.page.evaluate(() => navigator.clipboard.readText()))
    .toMatch(/^[\d:.]+ info NVMe disk was reset \(FLR\)\.$/);

  await window.get('log-show-info').click();
  const none = window.get('log-none');
  await expect(none).toContainText('messages matches the search and the levels above');
  // It is kept while the panel is behind another.
  await window.show('dma');
  await window.show('log');
  await expect(window.get('log-search')).toHaveValue('RESET flr');
  await none.getByRole('button').click();
  await expect(reset).toBeVisible();
  await expect(window.get('log-search')).toHaveValue('');
  await expect(log.getByTestId('log-show-info')).toHaveAttribute('aria-pressed', 'true');
});

test('the newest line stays in view until one looks further up; few of many lines exist', async ({
  window,
}) => {
  test.setTimeout(60_000);
  await window.quiet();
  await twoMessages(window, 40);
  await window.show('log');
  const line = window.get('log-line');
  await expect(line.last()).toBeInViewport();
  const newest = () => window.get('log-list').locator('[aria-posinset]').last().getAttribute('aria-posinset');
  const all = Number(
    await window.get('log-list').locator('[aria-posinset]').last().getAttribute('aria-setsize'),
  );
  expect(all).toBeGreaterThan(30);
  expect(await line.count()).toBeLessThan(all);
  // A further one comes into view.
  await window.run('Copy the active panel as text');
  await expect.poll(newest).toBe(`${all + 1}`);
  await expect(line.last()).toBeInViewport();
  await expect(line.last()).toContainText('Copied the log');
  // By keyboard to the first, which stays when another line comes.
  const first = window.get('log-list').locator('[aria-posinset="1"]');
  await expect(first).toHaveCount(0);
  await window.get('log-list').locator('..').focus();
  await window.page.keyboard.press('Home');
  await expect(first).toBeInViewport();
  await window.get('device-reset').click();
  await expect(window.get('log-show-info')).not.toHaveText(new RegExp(`Info ${all + 1}$`));
  await expect(first).toBeInViewport();
  await expect(line.filter({ hasText: 'was reset' })).toHaveCount(0);
});
