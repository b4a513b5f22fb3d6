import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '../fixtures/test.ts';

const folder = mkdtempSync(join(tmpdir(), 'pciem-lab-disk-'));
test.afterAll(() => rmSync(folder, { recursive: true }));

const env = { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin` };

/** A disk with a GPT, one ext4 partition with files, and one without a file system. */
function partitioned(): string {
  const path = join(folder, 'disk.img');
  writeFileSync(path, '');
  truncateSync(path, 32 * 2 ** 20);
  execFileSync('sfdisk', ['-q', path], {
    env,
    input: 'label: gpt\nsize=16MiB, type=L, name="root"\nsize=8MiB, type=S\n',
  });
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'notes'), { recursive: true });
  writeFileSync(join(tree, 'hello.txt'), 'hello, disk\n');
  writeFileSync(join(tree, 'notes', 'second.txt'), 'x'.repeat(5000));
  const options = [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-L',
    'LABDISK',
    '-d',
    tree,
    '-E',
    'offset=1048576',
    path,
    '16M',
  ];
  execFileSync('mke2fs', options, { env });
  return path;
}

test('queues, rates, blocks and commands follow the traffic', async ({ window }) => {
  await window.bound();
  const panel = await window.show('disk');
  await expect(window.get('disk-queue')).toHaveCount(5);
  await expect(panel.locator('[data-queue="1"]')).toContainText('I/O 1');
  await expect.poll(() => window.number(window.get('disk-iops'))).toBeGreaterThan(10);
  await expect(window.get('disk-heat-words')).toHaveText(/^[1-9][\d,]* of 1,024 parts touched, 1 MiB each$/);
  await expect(panel.locator('.disk-plot canvas')).toHaveCount(2);

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

  await window.get('disk-view-health').click();
  await window.grows(window.get('disk-read-commands'));
  await expect(window.get('disk-backing')).toHaveText('memory');
});

test('what is on the disk is recognised, and its folders are listed', async ({ window }) => {
  await window.quiet();
  await window.run('Power on a device');
  await window.get('option-image').fill(partitioned());
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
