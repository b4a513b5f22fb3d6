import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { partitionedDisk } from '../fixtures/disk-image.ts';
import { expect, test } from '../fixtures/test.ts';

const folder = mkdtempSync(join(tmpdir(), 'pciem-lab-disk-'));
test.afterAll(() => rmSync(folder, { recursive: true }));

test('queues, rates, blocks and commands follow the traffic', async ({ window }) => {
  await window.bound();
  const panel = await window.show('disk');
  await expect(window.get('disk-queue')).toHaveCount(5);
  await expect(panel.locator('[data-queue="1"]')).toContainText('I/O 1');
  await expect.poll(() => window.number(window.get('disk-iops'))).toBeGreaterThan(10);
  await expect(window.get('disk-heat-words')).toHaveText(/^[1-9][\d,]* of 1,024 parts touched, 1 MiB each$/);
  await expect(panel.locator('.disk-plot canvas')).toHaveCount(2);

  const heat = window.get('disk-heat');
  await heat.focus();
  await window.page.keyboard.press('ArrowRight');
  await expect(window.get('disk-heat-words')).toHaveText(
    /^Blocks 2,048 to 4,095: [\d,]+ reads?, [\d,]+ writes?$/,
  );
  await expect(heat).toHaveAttribute('aria-valuetext', /^Blocks 2,048 to 4,095/);

  await window.get('disk-view-commands').click();
  await expect(window.get('disk-latency-words')).toHaveText(/commands, half within [\d.]+ (ns|us|ms)/);
  await expect(window.get('disk-command').filter({ hasText: 'Write' }).first()).toBeVisible();
  await window.get('disk-commands').hover({ position: { x: 20, y: 40 } });
  await expect(panel.locator('.disk-command-list')).toHaveAttribute('data-held', 'true');
  await window.get('disk-command').filter({ hasText: 'Read' }).first().getByRole('button').click();
  await expect(window.get('disk-command-fields')).toContainText('SLBA');
  const held = await window.get('disk-command').allTextContents();
  await window.grows(window.get('trace-count').or(window.get('status-rows')).first(), 0);
  expect(await window.get('disk-command').allTextContents()).toEqual(held);

  await window.get('disk-command-trace').click();
  await expect(window.page.locator('[data-testid="trace-row"][data-selected="true"]')).toContainText('Read');
  await window.show('disk');
  await window.get('disk-view-health').click();
  await expect(window.get('disk-available-spare')).toHaveText('100 % (threshold 10 %)');
  await expect(window.get('disk-data-units-read')).toHaveText(/^[\d,]+$/);
  await window.grows(window.get('disk-read-commands'));
  await expect(window.get('disk-backing')).toHaveText('memory');
});

test('what is on the disk is recognised, and its folders are listed', async ({ window }) => {
  await window.quiet();
  await window.run('Power on a device');
  await window.get('option-image').fill(partitionedDisk(folder));
  await window.get('power-on-confirm').click();
  await expect(window.devices()).toHaveCount(2);
  // Nothing writes over what is to be read before somebody says so.
  await expect(window.get('workload-toggle').nth(1)).toHaveText('Start');
  await window.show('disk');
  await window.get('disk-view-contents').click();
  const partition = window.get('disk-partition');
  await expect(partition).toHaveCount(2);
  await expect(partition.first()).toContainText('ext4, "LABDISK"');
  await expect(partition.last()).toContainText('Linux swap');
  const file = window.get('disk-file');
  await expect(file.filter({ hasText: 'hello.txt' })).toContainText('12 B');
  await file.getByRole('button', { name: 'notes' }).click();
  await expect(file).toHaveCount(1);
  await expect(file).toContainText('second.txt');
  await partition.last().click();
  await expect(window.panel('disk')).toContainText('No file system that is known is on it');
});

test('a disk without a file system says so, and a device that is no disk too', async ({ window }) => {
  await window.bound();
  await window.show('disk');
  await window.get('disk-view-contents').click();
  await expect(window.get('disk-blank')).toContainText('no file system that is known');
  await window.run('Power on a device');
  await window.get('model-scratch').click();
  await window.get('power-on-confirm').click();
  await expect(window.get('disk-none')).toContainText('The selected device is no NVMe disk');
  await window.run('Select the first NVMe disk');
  await expect(window.get('disk-none')).toBeHidden();
});
