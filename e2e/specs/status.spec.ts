/** States in which something has given way: each is seen at once, in words, with the way out. */
import { expect, test } from '../fixtures/test.ts';

test('a full trace says how many rows went, and is given more memory from there', async ({ window }) => {
  test.setTimeout(120_000);
  await window.bound();
  await window.run('Open the settings');
  await expect(window.get('setting-trace-limit')).toHaveValue(String(1 << 23));
  await window.get('setting-trace-limit').selectOption(String(1 << 17));
  await expect(window.get('setting-trace-limit')).toHaveValue(String(1 << 17));
  await window.page.keyboard.press('Escape');
  await window.get('workload-rate').fill('0');
  await window.get('workload-rate').press('Enter');
  await expect(window.get('trace-dropped')).toContainText(/the oldest [\d,]+ rows are gone/, {
    timeout: 90_000,
  });
  await expect(window.get('status-trace')).toHaveAttribute('data-warn', 'true');
  await expect(window.get('status-rows')).toContainText(/full: oldest [\d,]+ gone/);
  // What went is said where it was.
  await window.get('trace-goto').fill('1');
  await window.get('trace-goto').press('Enter');
  await expect(window.panel('trace')).toContainText('no longer kept');
  await window.get('trace-keep-more').click();
  await window.get('setting-trace-limit').selectOption(String(1 << 22));
  await window.page.keyboard.press('Escape');
  // It is kept, and a lab that the window meets later is told.
  await window.page.reload();
  await expect(window.get('status-connection')).toHaveText('Connected');
  await window.run('Open the settings');
  await expect(window.get('setting-trace-limit')).toHaveValue(String(1 << 22));
});
