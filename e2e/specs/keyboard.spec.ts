/** Every panel by keyboard alone: no click, no focus that a key did not give. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator } from '@playwright/test';
import { partitionedDisk } from '../fixtures/disk-image.ts';
import { Hands } from '../fixtures/hands.ts';
import { expect, test } from '../fixtures/test.ts';

test('devices, registers and expert notes', async ({ window }) => {
  test.setTimeout(170_000);
  const hands = new Hands(window);
  await window.bound();

  await test.step('devices: the workload is paced and stopped', async () => {
    await hands.show('devices', 'Alt+1');
    await hands.fill(window.get('workload-rate'), '40');
    await hands.press('Enter');
    await hands.activate(window.get('workload-toggle'));
    await expect(window.get('workload-toggle')).toHaveText('Start');
    await expect(window.devices().first()).toContainText('Idle');
  });

  await test.step('registers: one is found and edited', async () => {
    await hands.show('registers', 'Alt+3');
    await hands.fill(window.get('register-search'), 'AQA');
    await expect(window.get('register-row')).toHaveCount(1);
    await hands.activate(window.page.getByRole('button', { name: 'Edit AQA' }));
    await expect(window.get('register-edit')).toBeFocused();
    await hands.press('Control+A');
    await window.page.keyboard.type('0x00150013');
    await hands.press('Enter');
    await expect(window.registerValue('AQA')).toHaveText(/^0x0015\s?0013$/);
    await expect(window.page.getByRole('button', { name: 'Edit AQA' })).toBeFocused();
    await hands.fill(window.get('register-search'), ' ');
    await hands.press('Backspace');
  });

  await test.step('experts: from a note to its row', async () => {
    await hands.reach(window.get('access-as'));
    await window.page.keyboard.type('As driver');
    await expect(window.get('access-as')).toHaveValue('driver');
    // Many registers are on the way to the form: a command leads there.
    await window.run('Read or write a register by its offset');
    await expect(window.get('access-offset')).toBeFocused();
    await window.page.keyboard.type('0x1c');
    await hands.tabTo(window.get('access-value'));
    await window.page.keyboard.type('0x1');
    await hands.tabTo(window.get('access-write'));
    await hands.press('Enter');
    const experts = await hands.show('experts', 'Alt+E');
    const group = window.get('expert-group').filter({ hasText: 'Write to a read-only register' });
    // Left out and shown again.
    await hands.activate(window.get('expert-error'));
    await hands.activate(window.get('expert-warning'));
    await hands.activate(window.get('expert-note'));
    await expect(window.get('expert-hidden')).toBeVisible();
    await hands.activate(window.get('expert-hidden').getByRole('button'));
    await hands.activate(group.getByTestId('expert-toggle'));
    await expect(experts).toContainText('Latest rows');
    await hands.activate(group.getByTestId('expert-last'));
    await expect(window.page.locator('[data-testid="trace-row"][data-selected="true"]')).toContainText(
      'CSTS',
    );
  });
});

test('devices: one is powered off, and another chosen in the gallery', async ({ window }) => {
  const hands = new Hands(window);
  await window.bound();
  await hands.show('devices', 'Alt+1');
  await hands.activate(window.get('power-off'));
  await expect(window.get('devices-empty')).toBeVisible();
  // Its button went away; the panel keeps the focus.
  await expect(window.get('power-on')).toBeFocused();
  await hands.press('Enter');
  await hands.tabTo(window.get('model-nvme'));
  await hands.pressUntil('ArrowDown', window.get('model-scratch').and(window.page.locator(':focus')));
  await hands.tabTo(window.get('power-on-confirm'));
  await hands.press('Enter');
  await expect(window.get('power-on-dialog')).toBeHidden();
  await expect(window.devices()).toHaveCount(1);
  await expect(window.get('device-state')).toHaveText('On');
  await expect(window.devices()).toContainText('Scratch');
});

test('config space: bytes, tree and differences', async ({ window }) => {
  test.setTimeout(120_000);
  const hands = new Hands(window);
  const { keyboard } = window.page;
  await window.bound();
  const config = await hands.show('config', 'Alt+4');
  const tree = config.getByRole('tree');
  const node = (name: string) =>
    config.locator(`[data-testid="config-node"][data-name="${name}"][aria-selected="true"]`);
  await hands.activate(window.get('config-snapshot'));
  await expect(window.toast('Kept the snapshot NVMe disk')).toBeVisible();

  await test.step('a byte is typed over, and the tree follows', async () => {
    await hands.reach(config.locator('.rows-viewport'));
    await hands.press('Control+Home');
    await hands.pressUntil('ArrowRight', config.locator('[data-offset="60"][data-cursor="true"]'));
    await expect(node('Interrupt Line')).toBeInViewport();
    await keyboard.type('5a');
    await expect(window.byte('config-byte', 0x3c)).toHaveText('5a');
    await expect(window.configNode('Interrupt Line')).toContainText('0x5a');
    // Half a byte is taken back.
    const pin = await window.text(window.byte('config-byte', 0x3d));
    await keyboard.type('f');
    await expect(window.byte('config-byte', 0x3d)).toHaveText('f_');
    await hands.press('Escape');
    await expect(window.byte('config-byte', 0x3d)).toHaveText(pin);
  });

  await test.step('a field is typed into, and the bytes follow', async () => {
    await hands.press('ArrowLeft', 'Tab');
    await expect(tree).toBeFocused();
    await hands.press('Enter');
    await expect(window.get('config-edit')).toBeFocused();
    await keyboard.type('0x77');
    await hands.press('Escape');
    await expect(tree).toBeFocused();
    await hands.press('Enter');
    await keyboard.type('0x2b');
    await hands.press('Enter');
    await expect(window.byte('config-byte', 0x3c)).toHaveText('2b');
    await expect(tree).toBeFocused();
  });

  await test.step('a group is opened and a bit of it turned', async () => {
    await hands.press('Home');
    await hands.pressUntil('ArrowDown', node('Command'));
    await hands.press('ArrowRight');
    await expect(node('Command')).toHaveAttribute('aria-expanded', 'true');
    await hands.press('ArrowRight');
    await expect(node('I/O Space Enable')).toBeVisible();
    await hands.pressUntil('ArrowDown', node('SERR# Enable'));
    await hands.press('Space');
    await expect(node('SERR# Enable').getByTestId('config-bit')).toBeChecked();
    await expect(window.byte('config-byte', 5)).toHaveText(/^.[13579bdf]$/);
    await hands.press('Space');
    await expect(node('SERR# Enable').getByTestId('config-bit')).not.toBeChecked();
    await expect(window.byte('config-byte', 5)).toHaveText(/^.[02468ace]$/);
    await hands.press('ArrowLeft');
    await expect(node('Command')).toBeVisible();
    await hands.press('ArrowLeft');
    await expect(node('Command')).toHaveAttribute('aria-expanded', 'false');
  });

  await test.step('it is compared with the snapshot, and set back', async () => {
    await hands.choose(window.get('config-compare'), 'NVMe disk, ');
    const line = window.get('config-difference').filter({ hasText: 'Interrupt Line' });
    await expect(line).toContainText('0x2b');
    await expect(window.get('config-difference')).toHaveCount(1);
    await hands.activate(line.getByRole('button'));
    await expect(window.byte('config-byte', 0x3c)).toHaveAttribute('data-lit', 'true');
    await hands.activate(window.get('config-restore'));
    await expect(window.get('config-same')).toBeVisible();
    await expect(window.byte('config-byte', 0x3c)).toHaveText('00');
    await hands.activate(window.get('config-forget'));
    await expect(tree).toBeVisible();
    await expect(config.locator(':focus')).toHaveCount(1);
  });
});

test('interrupts: vectors are raised, repeated and masked, a pin is held', async ({ window }) => {
  test.setTimeout(120_000);
  const hands = new Hands(window);
  await window.bound();
  await hands.stopWorkload();
  const interrupts = await hands.show('interrupts', 'Alt+5');
  const { button, count, state } = window.vector(9);
  /** The buttons are one stop for Tab; arrow keys lead from it to another. */
  const goTo = async (target: Locator, across: 'ArrowLeft' | 'ArrowRight') => {
    await hands.reach(interrupts.locator('.vector-list [tabindex="0"]'));
    await hands.press('Home', across);
    await hands.pressUntil('ArrowDown', target.and(window.page.locator(':focus')));
  };
  const raise = async () => {
    await goTo(button, 'ArrowLeft');
    await hands.press('Enter');
  };

  await test.step('raised, again and several times', async () => {
    await raise();
    await expect(count).toHaveText('1');
    await hands.press('Enter');
    await expect(count).toHaveText('2');
    await hands.press('Space');
    await expect(count).toHaveText('3');
    await hands.fill(window.get('vector-times'), '0');
    await expect(interrupts.getByRole('alert')).toContainText('1 to 100000');
    await hands.fill(window.get('vector-times'), '5');
    await raise();
    await expect(count).toHaveText('8');
  });

  await test.step('at a rate, until it is told to stop', async () => {
    await hands.fill(window.get('vector-repeat-rate'), '200');
    const row = interrupts.locator('[data-testid="vector-row"][data-vector="3"]');
    await goTo(row.getByTestId('vector-repeat'), 'ArrowRight');
    await hands.press('Enter');
    await window.grows(row.getByTestId('vector-count'));
    await hands.press('Enter');
    await expect(row.getByTestId('vector-repeat')).toHaveAttribute('aria-pressed', 'false');
    await expect(row.getByTestId('vector-rate')).toHaveText('0/s');
  });

  await test.step('masked, as a driver does it, and let through', async () => {
    const config = await hands.show('config', 'Alt+4');
    const node = (name: string) =>
      config.locator(`[data-testid="config-node"][data-name="${name}"][aria-selected="true"]`);
    await hands.reach(config.getByRole('tree'));
    await hands.press('Home');
    await hands.pressUntil('ArrowDown', node('MSI-X Capability'));
    await hands.pressUntil('ArrowDown', node('Message Control'));
    await hands.press('ArrowRight');
    await hands.pressUntil('ArrowDown', node('Function Mask'));
    await hands.press('Space');
    await expect(node('Function Mask').getByTestId('config-bit')).toBeChecked();
    await expect(state).toHaveText('masked');
    await hands.show('interrupts', 'Alt+5');
    await raise();
    await expect(state).toHaveText('masked, pending');
    await hands.show('config', 'Alt+4');
    await hands.reach(config.getByRole('tree'));
    await hands.press('Space');
    await expect(state).toHaveText('enabled');
  });

  await test.step('a pin is held and let go', async () => {
    await hands.press('Control+Shift+P');
    await hands.tabTo(window.get('model-nvme'));
    await hands.pressUntil('ArrowDown', window.get('model-scratch').and(window.page.locator(':focus')));
    await hands.tabTo(window.get('power-on-confirm'));
    await hands.press('Enter');
    await expect(window.get('intx-level')).toHaveText('deasserted');
    await hands.show('interrupts', 'Alt+5');
    await hands.activate(window.get('intx-toggle'));
    await expect(window.get('intx-level')).toHaveText('asserted');
    await hands.press('Enter');
    await expect(window.get('intx-level')).toHaveText('deasserted');
  });
});

test('DMA: a transfer, a mapping, its memory and a PRP list', async ({ window }) => {
  test.setTimeout(120_000);
  const hands = new Hands(window);
  const clipboard = () => window.page.evaluate(() => navigator.clipboard.readText());
  await window.bound();
  await hands.stopWorkload();
  const dma = await hands.show('dma', 'Alt+6');
  const detail = window.get('dma-detail');

  await test.step('transfers are gone through and copied', async () => {
    await expect(window.get('dma-rows')).toBeFocused();
    await hands.press('Space');
    await expect(window.get('dma-pause')).toHaveText('Resume');
    await hands.press('Home');
    const chosen = dma.locator('[data-testid="dma-row"][data-selected="true"]');
    await expect(chosen).toHaveAttribute('data-row', '0');
    await expect(detail).toBeVisible();
    await hands.pressUntil('ArrowDown', chosen.filter({ hasText: 'DMA read' }).filter({ hasText: '64 B' }));
    await expect(window.get('dma-decoded')).toContainText('NVMe submission queue entry');
    await hands.press('Control+C');
    await expect.poll(clipboard).toMatch(/\tDMA read\t0x[0-9a-f]+\t64 B\t/);
    await hands.tabTo(detail.getByRole('button', { name: 'Close the bytes' }));
    await hands.press('Enter');
    await expect(detail).toBeHidden();
    await expect(window.get('dma-rows')).toBeFocused();
  });

  await test.step('a mapping is followed, and its memory poked', async () => {
    await hands.choose(window.get('dma-part'), 'Mappings');
    const mapping = window.get('mapping').first();
    await hands.activate(mapping.getByRole('button'));
    const address = Number(await mapping.getAttribute('data-address'))
      .toString(16)
      .padStart(8, '0');
    await expect(detail).toContainText(`0x${address}`);
    await hands.fill(window.get('memory-bytes'), 'c0 ff ee');
    await hands.press('Enter');
    await expect(window.byte('dma-byte', 0)).toHaveText('c0');
    await expect(window.byte('dma-byte', 2)).toHaveText('ee');
    await hands.reach(detail.locator('.rows-viewport'));
    await hands.press('ArrowRight');
    await expect(window.byte('dma-byte', 0)).toHaveAttribute('data-cursor', 'true');
    await hands.press('Control+C');
    await expect.poll(clipboard).toBe('c0');
    await hands.press('Escape');
    await expect(detail).toBeHidden();
    // The same one again.
    await hands.activate(mapping.getByRole('button'));
    await expect(window.byte('dma-byte', 1)).toHaveText('ff');
    await hands.fill(window.get('memory-address'), '0xffffffff00');
    await hands.press('Enter');
    await expect(window.get('memory-problem')).toContainText('was refused');
  });

  await test.step('a PRP list is walked', async () => {
    const address = await window.get('mapping').first().getAttribute('data-address');
    await hands.choose(window.get('dma-part'), 'PRP or SGL walk');
    await hands.fill(window.get('prp1'), `0x${Number(address).toString(16)}`);
    await hands.fill(window.get('prp-length'), '512');
    await hands.press('Enter');
    await expect(window.get('prp-piece')).toHaveCount(1);
    await hands.press('Escape');
    await expect(detail).toBeHidden();
    await hands.activate(window.get('prp-piece').getByRole('button'));
    await expect(window.byte('dma-byte', 0)).toHaveText('c0');
  });
});

test.describe('a disk with files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pciem-lab-keyboard-'));
  test.afterAll(() => rmSync(folder, { recursive: true }));

  test('disk: its views, a command, its partitions and folders', async ({ window }) => {
    test.setTimeout(120_000);
    const hands = new Hands(window);
    await window.bound();
    const disk = await hands.show('disk', 'Alt+D');
    const view = (name: string) => window.get(`disk-view-${name}`);

    await test.step('a command is looked at, and let go', async () => {
      await hands.reach(view('activity'));
      await hands.press('ArrowRight');
      await expect(view('commands')).toBeFocused();
      const command = window.get('disk-command');
      await expect(command.first()).toBeVisible();
      await hands.tabTo(command.first().getByRole('button'));
      // With the focus in it, the list stands still.
      const time = await window.text(command.first().getByRole('button'));
      const before = await window.number(window.get('status-rows'));
      await window.grows(window.get('status-rows'), before);
      await expect(command.first()).toContainText(time);
      await hands.press('ArrowDown', 'Enter');
      await expect(window.get('disk-command-fields')).toContainText('CID');
      await expect(command.nth(1)).toHaveAttribute('data-selected', 'true');
      await hands.press('Escape');
      await expect(window.get('disk-command-fields')).toBeHidden();
      await expect(command.nth(1).getByRole('button')).toBeFocused();
      await hands.press('Enter');
      await hands.tabTo(window.get('disk-command-fields').getByRole('button', { name: 'Go on' }));
      await hands.press('Enter');
      await expect(window.get('disk-command-fields')).toBeHidden();
      await expect(disk.locator(':focus')).toHaveCount(1);
    });

    await test.step('health', async () => {
      await hands.reach(view('commands'));
      await hands.press('End');
      await expect(view('health')).toBeFocused();
      await window.grows(window.get('disk-read-commands'));
      await hands.press('ArrowLeft');
      await expect(window.get('disk-blank')).toBeVisible();
    });

    await test.step('partitions and folders', async () => {
      await hands.press('Control+Shift+P');
      await hands.tabTo(window.get('option-image'));
      await window.page.keyboard.type(partitionedDisk(folder));
      await hands.press('Enter');
      await expect(window.devices()).toHaveCount(2);
      await hands.show('disk', 'Alt+D');
      const partition = window.get('disk-partition');
      await expect(partition).toHaveCount(2);
      await hands.reach(partition.first());
      await hands.press('ArrowDown');
      await expect(partition.last()).toBeFocused();
      await expect(disk).toContainText('No file system that is known is on it');
      await hands.press('ArrowUp');
      const file = window.get('disk-file');
      await expect(file.filter({ hasText: 'hello.txt' })).toContainText('12 B');
      await hands.tabTo(file.getByRole('button', { name: 'notes' }));
      await hands.press('Enter');
      await expect(file).toHaveCount(1);
      await expect(file).toContainText('second.txt');
      // The focus is on the folder in the path, and one goes up from there.
      await expect(disk.getByRole('button', { name: 'notes/' })).toBeFocused();
      await hands.press('Shift+Tab', 'Enter');
      await expect(file.filter({ hasText: 'hello.txt' })).toBeVisible();
    });
  });
});

test('log: read, copied and cleared', async ({ window }) => {
  const hands = new Hands(window);
  const clipboard = () => window.page.evaluate(() => navigator.clipboard.readText());
  await window.bound();
  const log = await hands.show('log', 'Alt+8');
  await hands.activate(window.get('log-clear'));
  await expect(log).toContainText('Nothing to report');
  await hands.show('devices', 'Alt+1');
  await hands.activate(window.get('device-reset'));
  await hands.show('log', 'Alt+8');
  await expect(window.get('log-line').filter({ hasText: 'was reset (FLR)' })).toBeVisible();
  await hands.activate(window.get('log-copy'));
  await expect.poll(clipboard).toMatch(/info .* was reset \(FLR\)\.$/m);
  await window.run('Copy the active panel as text');
  await expect.poll(clipboard).toMatch(/info Copied the log/);
  await hands.activate(window.get('log-clear'));
  await expect(log).toContainText('Nothing to report');
  await expect(window.get('log-clear')).toBeFocused();
});

test('trace and terminal: from one to the other', async ({ window }) => {
  const hands = new Hands(window);
  const { keyboard } = window.page;
  await window.bound();
  await hands.stopWorkload();
  await hands.show('trace', 'Alt+2');
  await expect(window.get('trace-rows')).toBeFocused();
  await hands.press('/');
  await keyboard.type('CC.EN == 1 && write');
  await hands.press('Enter');
  await expect(window.get('trace-count')).toHaveText(/^\d of [\d,]+ rows match$/);
  await hands.show('trace', 'Alt+2');
  await expect(window.get('trace-rows')).toBeFocused();
  await hands.press('Home', 'd');
  await expect(window.get('trace-details')).toContainText('CC');
  await hands.show('terminal', 'Alt+7');
  await expect.poll(() => window.screen()).toMatch(/[$#]/);
  await keyboard.type('echo keys-$((40 + 2))');
  await hands.press('Enter');
  await expect.poll(() => window.screen()).toMatch(/^keys-42$/m);
  await hands.press('Control+Shift+F');
  await keyboard.type('keys-42');
  await hands.press('Enter');
  await expect(window.get('terminal-found')).toHaveText('1 of 1');
  await hands.press('Escape');
  await expect(window.get('terminal-search')).toBeHidden();
  // A terminal keeps what one types, not the way out of it.
  await hands.show('trace', 'Alt+2');
  await expect(window.get('trace-rows')).toBeFocused();
});

test.describe('a display', () => {
  test.use({ labArguments: { device: 'protopciem' } });

  test('framebuffer: paused, stepped, and its list opened', async ({ window }) => {
    const hands = new Hands(window);
    await window.bound();
    await hands.show('framebuffer', 'Alt+9');
    await window.grows(window.get('framebuffer-frame'));
    await hands.activate(window.get('framebuffer-pause'));
    await expect(window.get('framebuffer-paused')).toBeVisible();
    const before = await window.number(window.get('framebuffer-frame'));
    await hands.activate(window.get('framebuffer-step'));
    await expect.poll(() => window.number(window.get('framebuffer-frame'))).toBeGreaterThan(before);
    const list = window.get('framebuffer-list');
    const shown = (await list.getAttribute('aria-pressed')) === 'true';
    await hands.activate(list);
    await expect(list).toHaveAttribute('aria-pressed', String(!shown));
    await expect(window.get('framebuffer-source')).toHaveCount(shown ? 0 : 1);
  });
});
