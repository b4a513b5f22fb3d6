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

test('how often is checked before anything is raised', async ({ window }) => {
  await window.quiet();
  await window.get('vector-times').fill('0');
  await expect(window.panel('interrupts').getByRole('alert')).toContainText('1 to 100000');
});
