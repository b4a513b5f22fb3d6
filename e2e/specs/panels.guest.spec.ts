/** Every panel on Linux and its own drivers, by mouse and again by keyboard alone. One boot for both. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Download, Locator } from '@playwright/test';
import { Hands } from '../fixtures/hands.ts';
import type { LabWindow } from '../fixtures/lab-window.ts';
import { Linux, SLOW } from '../fixtures/linux.ts';
import { expect, testOnOneLab } from '../fixtures/test.ts';

const test = testOnOneLab({ host: 'guest', device: '', timeout: 180_000, more: ['--kernel', '6.12'] });

// Reading the canvas back is the test's doing, not the window's.
test.beforeEach(({ allowed }) => {
  allowed.push(/willReadFrequently/);
});

const NAMESPACES = 'ls -d /dev/nvme?n1 2>/dev/null | wc -l';
const QUEUES_ARE_UP = 'default/read/poll queues';
const SERR = 0x100;
const BUS_MASTER = 4;
const ADMIN_ENTRIES = 32;
/** Get Features of the number of queues, by one command. */
const GET_FEATURE = 'nvme admin-passthru /dev/nvme0 --opcode=0x0a --cdw10=7';

const WRITE_BLOCK_1000 =
  'echo made-in-the-guest | dd of=/dev/nvme0n1 bs=512 seek=1000 conv=sync oflag=direct 2>/dev/null; echo $?';
const MAKE_FILES =
  'mkfs.ext4 -q /dev/nvme0n1 && mount /dev/nvme0n1 /mnt && echo of-linux > /mnt/file.txt && sync; echo $?';
const HOST_READS = "nvme smart-log /dev/nvme0 | awk -F: '/host_read_commands/ { print $2 }' | tr -dc 0-9";

/** Linux and the window count the same reads; both anew each time, as something may read the disk in between. */
async function sameReads(window: LabWindow, linux: Linux): Promise<void> {
  await expect
    .poll(async () => {
      const reads = await linux.number(HOST_READS);
      return (await window.number(window.get('disk-read-commands'))) - reads;
    }, SLOW)
    .toBe(0);
}

/** Red, green, blue. */
type Color = readonly [number, number, number];
const RED: Color = [0xe0, 0x40, 0x20];
const BLUE: Color = [0x20, 0x60, 0xf0];

/** Fills the screen of a DRM driver. */
function paint([red, green, blue]: Color): string {
  const pixel = [blue, green, red, 0xff].map((byte) => `\\x${byte.toString(16)}`).join('');
  return `printf '%0307200d' 0 | LC_ALL=C sed 's/0/${pixel}/g' > /dev/fb0; echo $?`;
}

/** Share of the picture that has a colour. */
function share(window: LabWindow, color: Color): Promise<number> {
  return window.get('framebuffer-canvas').evaluate((element, color) => {
    const { width, height } = element as HTMLCanvasElement;
    const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
    let same = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (color.every((value, part) => data[at + part] === value)) same++;
    }
    return same / (width * height);
  }, color);
}

/** Of the bytes in text of lspci. */
const DIGEST = `grep -E '^[0-9a-f]+: ' | md5sum | cut -c1-32`;
async function digest(download: Download): Promise<string> {
  const text = readFileSync(await download.path(), 'utf8');
  const lines = text.split('\n').filter((line) => /^[\da-f]+: /.test(line));
  return createHash('md5')
    .update(lines.map((line) => `${line}\n`).join(''))
    .digest('hex');
}

/** What is seen in the window, and what Linux says of the same. */
class Bench {
  readonly window: LabWindow;
  readonly linux: Linux;
  address = '';

  /** `show` brings the terminal to the front, with the focus in it. */
  constructor(window: LabWindow, show: () => Promise<unknown>) {
    this.window = window;
    this.linux = new Linux(window, async (command) => {
      await show();
      await expect.poll(() => window.screen(), SLOW).toMatch(/# ?$/m);
      // At once, on an empty line: that a key is a character is for the test of the terminal.
      await window.page.keyboard.press('Control+U');
      await window.page.keyboard.insertText(command);
      await window.page.keyboard.press('Enter');
    });
  }

  setpci(register: string): Promise<string> {
    return this.linux.ask(`setpci -s ${this.address} ${register}`);
  }

  async command(): Promise<number> {
    return Number.parseInt(await this.setpci('COMMAND'), 16);
  }

  /** A register as the driver reads it, by its name in nvme-cli. */
  async readByDriver(name: string): Promise<number> {
    return Number.parseInt(
      await this.linux.ask(`nvme show-regs /dev/nvme0 | awk '$1 == "${name}" { print $3 }'`),
      16,
    );
  }

  /** Writes a register as any program of root may. */
  async poke(offset: number, value: number): Promise<void> {
    const bar = `$(cut -d' ' -f1 /sys/bus/pci/devices/${this.address}/resource | head -1)`;
    expect(await this.linux.ask(`busybox devmem $((${bar} + ${offset})) 32 ${value}; echo $?`)).toBe('0');
  }

  /** The newest entry of the administration queue, from the address that the driver gave. */
  async newestEntry(queue: number): Promise<string> {
    const tail = Number((await this.window.text(this.window.registerValue('SQ0TDBL'))).replaceAll(/\s/g, ''));
    return `0x${(queue + ((tail + ADMIN_ENTRIES - 1) % ADMIN_ENTRIES) * 64).toString(16)}`;
  }

  mapping(address: number): Locator {
    return this.window.page.locator(`[data-testid="mapping"][data-address="${address}"]`);
  }

  /** The registers of the disk, where Linux put them. */
  async peerWindow(): Promise<Locator> {
    const bar = await this.linux.ask(`cut -d' ' -f1 /sys/bus/pci/devices/${this.address}/resource | head -1`);
    return this.window.page.locator(`[data-testid="peer-window"][data-address="${Number(bar)}"]`);
  }

  /** What was read begins with CAP and VS: NVMe 1.4. */
  async showsVersion(): Promise<void> {
    for (const [at, byte] of ['00', '04', '01', '00'].entries())
      await expect(this.window.byte('dma-byte', 8 + at)).toHaveText(byte);
  }

  vectorRow(vector: number): Locator {
    return this.window.page.locator(`[data-testid="vector-row"][data-vector="${vector}"]`);
  }

  difference(name: string): Locator {
    return this.window.page.locator(`[data-testid="config-difference"][data-name="${name}"]`);
  }

  chosenRow(): Locator {
    return this.window.page.locator('[data-testid="trace-row"][data-selected="true"]');
  }

  /** The disk is on the bus, and bound. */
  async diskIsUp(bytes: number): Promise<void> {
    const { window, linux } = this;
    await expect(window.get('device-driver')).toHaveText('nvme', SLOW);
    this.address = await window.text(window.get('device-address'));
    expect(await linux.ask(`lspci -ks ${this.address} | grep -o 'in use: .*'`)).toBe('in use: nvme');
    expect(await linux.number('blockdev --getsize64 /dev/nvme0n1')).toBe(bytes);
  }
}

test('by mouse', async ({ window }) => {
  const { page } = window;
  const bench = new Bench(window, async () => {
    await window.show('terminal');
    await window.get('terminal-screen').click();
  });
  const { linux } = bench;

  await test.step('devices: powered on, duplicated, pulled out, reset', async () => {
    await expect(window.get('devices-empty')).toBeVisible();
    await window.get('power-on').click();
    await window.get('model-nvme').click();
    await window.get('option-size').fill('256MiB');
    await window.get('power-on-confirm').click();
    await bench.diskIsUp(256 * 2 ** 20);
    await window.get('device-duplicate').click();
    await expect(window.get('device-driver').nth(1)).toHaveText('nvme', SLOW);
    await expect.poll(() => linux.number(NAMESPACES), SLOW).toBe(2);
    await window.get('surprise-remove').nth(1).click();
    await expect(window.devices()).toHaveCount(1, SLOW);
    await expect.poll(() => linux.number(NAMESPACES), SLOW).toBe(1);
    const ups = await linux.logged(QUEUES_ARE_UP);
    await window.get('device-reset').click();
    await expect.poll(() => linux.logged(QUEUES_ARE_UP), SLOW).toBe(ups + 1);
    await expect(window.get('device-driver')).toHaveText('nvme', SLOW);
    await expect(window.get('status-driver')).toHaveText(`${bench.address}: driver nvme`);
  });

  await test.step('config space: bytes, tree, differences and export', async () => {
    await window.show('config');
    await window.get('config-snapshot').click();
    const [subsystem, command] = [await bench.setpci('2e.w'), await bench.command()];
    await window.byte('config-byte', 0x2e).click();
    await page.keyboard.type('cafe');
    await expect(window.byte('config-byte', 0x2f)).toHaveText('fe');
    expect(await bench.setpci('2e.w')).toBe('feca');
    await window.configNode('Command').getByRole('button').click();
    await window.configNode('SERR# Enable').getByTestId('config-bit').click();
    await expect(window.configNode('SERR# Enable').getByTestId('config-bit')).toBeChecked();
    expect((await bench.command()) ^ command).toBe(SERR);
    const compare = window.get('config-compare');
    await compare.selectOption('power-on');
    await expect(bench.difference('Command / Bus Master Enable')).toContainText('0x1');
    expect(command & BUS_MASTER).toBe(BUS_MASTER);
    const kept = compare.locator('option', { hasText: 'NVMe disk, ' });
    await compare.selectOption(await kept.getAttribute('value'));
    await expect(window.get('config-difference')).toHaveCount(2);
    await expect(bench.difference('Command / SERR# Enable')).toBeVisible();
    await window.get('config-restore').click();
    await expect(window.get('config-same')).toBeVisible();
    expect([await bench.setpci('2e.w'), await bench.command()]).toEqual([subsystem, command]);
    const saved = page.waitForEvent('download');
    await window.get('config-export').click();
    expect(await digest(await saved)).toBe(await linux.ask(`lspci -s ${bench.address} -xxxx | ${DIGEST}`));
  });

  await test.step('registers: what the driver wrote, an edit, the watch list', async () => {
    await window.show('registers');
    await expect(window.registerValue('AQA')).toHaveText(/^0x001f\s?001f$/);
    expect(await bench.readByDriver('aqa')).toBe(0x001f001f);
    await window.setRegister('AQA', '0x00150013');
    await expect(window.registerValue('AQA')).toHaveText(/^0x0015\s?0013$/);
    expect(await bench.readByDriver('aqa')).toBe(0x00150013);
    await window.setRegister('AQA', '0x001f001f');
    for (const name of ['CSTS', 'SQ0TDBL']) {
      await window.get('register-search').fill(name);
      await window.register(name).hover();
      await window.register(name).getByTestId('register-pin').click();
    }
    await window.get('bar-select').selectOption('watch');
    await expect(window.get('register-row')).toHaveCount(2);
    // The driver's next command is seen where it rings.
    const tail = await window.text(window.registerValue('SQ0TDBL'));
    expect(await linux.adminCommands(GET_FEATURE)).toBe(1);
    await expect(window.registerValue('SQ0TDBL')).not.toHaveText(tail);
    await window.get('bar-select').selectOption('0');
  });

  await test.step('trace: a filter, places, details and a bookmark', async () => {
    await window.filter('write && reg == SQ0TDBL');
    await expect(window.get('trace-count')).toHaveText(/rows match/);
    const before = await window.number(window.get('trace-count'));
    const given = await linux.adminCommands('nvme id-ctrl /dev/nvme0');
    expect(given).toBeGreaterThan(0);
    await expect.poll(() => window.number(window.get('trace-count'))).toBe(before + given);
    await window.get('trace-goto').fill('1');
    await window.get('trace-goto').press('Enter');
    await expect.poll(async () => (await window.traceRows())[0]?.index).toBe(0);
    await window.get('trace-details-toggle').click();
    const row = (index: number) => page.locator(`[data-testid="trace-row"][data-row="${index}"]`);
    await row(1).click();
    await expect(window.get('trace-details')).toContainText('SQ0TDBL');
    await window.get('trace-register-next').click();
    await expect(bench.chosenRow()).toHaveAttribute('data-row', '2');
    await window.get('trace-register-previous').click();
    await expect(bench.chosenRow()).toHaveAttribute('data-row', '1');
    await window.get('trace-bookmark').click();
    await window.get('trace-bookmark-text').fill('the second command');
    await row(3).click();
    await expect(window.get('trace-bookmark-text')).toBeHidden();
    await window.get('trace-bookmarks').click();
    await window.get('trace-bookmark-row').filter({ hasText: 'the second command' }).locator('.link').click();
    await expect(bench.chosenRow()).toHaveAttribute('data-row', '1');
    await window.get('trace-details-toggle').click();
    await window.run('Show all trace rows');
  });

  await test.step('expert notes: a program that writes what is read-only', async () => {
    await bench.poke(0x1c, 1);
    await window.show('experts');
    const group = window.get('expert-group').filter({ hasText: 'CSTS' });
    await expect(group).toContainText('Write to a read-only register');
    await expect(group).toContainText('1 ×');
    await window.get('expert-warning').click();
    await expect(group).toBeHidden();
    await window.get('expert-warning').click();
    await group.getByTestId('expert-toggle').click();
    await group.getByTestId('expert-row').click();
    await expect(bench.chosenRow()).toContainText('CSTS');
    await expect(bench.chosenRow()).toHaveAttribute('data-expert', 'warning');
  });

  await test.step('interrupts: Linux handles what is raised, where it says', async () => {
    await expect(bench.vectorRow(1)).toHaveAttribute('title', new RegExp(await linux.route('nvme0q1')));
    const [handled, counted] = [await linux.handled('nvme0q1'), await window.number(window.vector(1).count)];
    await window.get('vector-times').fill('3');
    await window.vector(1).button.click();
    await expect(window.vector(1).count).toHaveText(`${counted + 3}`);
    await expect.poll(() => linux.handled('nvme0q1')).toBe(handled + 3);
    await window.get('vector-times').fill('1');
    // The administration queue's interrupt may go to any CPU.
    const before = await linux.route('nvme0q0');
    const [, irq, cpu] = /IRQ (\d+)\nCPU (\d)/.exec(before)!;
    await linux.ask(`echo ${1 - Number(cpu)} > /proc/irq/${irq}/smp_affinity_list; echo`);
    const after = await linux.route('nvme0q0');
    expect(after).not.toBe(before);
    await expect(bench.vectorRow(0)).toHaveAttribute('title', new RegExp(after));
    await linux.ask(`echo ${cpu} > /proc/irq/${irq}/smp_affinity_list; echo`);
    // Of this queue Linux rings the doorbell itself; those of the others are in memory.
    expect(await linux.adminCommands(GET_FEATURE)).toBe(1);
    await expect(bench.vectorRow(0)).toHaveAttribute('title', /Served [\d.]+ (us|ms) after it was raised/);
    await expect(bench.vectorRow(1)).not.toHaveAttribute('title', /Served/);
  });

  await test.step('DMA: bytes of the guest, mappings, memory by hand', async () => {
    expect(await linux.ask(WRITE_BLOCK_1000)).toBe('0');
    await window.show('dma');
    const data = window.get('dma-row').filter({ hasText: 'DMA read' }).filter({ hasText: '512 B' });
    await data.first().click();
    const lines = window.get('dma-detail').locator('.hex-text');
    await expect.poll(async () => (await lines.allTextContents()).join('')).toContain('made-in-the-guest');
    // Data of a length of its own is no command, whatever of it was kept.
    await expect(window.get('dma-decoded')).toBeHidden();
    // The newest first: what was read before the data is the command.
    const entry = Number(await data.first().getAttribute('data-row')) + 1;
    await page.locator(`[data-testid="dma-row"][data-row="${entry}"]`).click();
    await expect(window.get('dma-decoded')).toContainText('NVMe submission queue entry');
    await expect(window.get('dma-decoded')).toContainText(/SLBA0x0*3e81,000NLB/);
    await expect(window.byte('dma-byte', 0)).toHaveText('01');

    const queue = await bench.readByDriver('asq');
    expect(await linux.adminCommands(GET_FEATURE)).toBe(1);
    await window.show('dma');
    await window.get('dma-part').selectOption('mappings');
    await bench.mapping(queue).getByRole('button').click();
    await expect(window.get('dma-detail')).toContainText(`0x${queue.toString(16).padStart(8, '0')}`);
    await window.get('memory-address').fill(await bench.newestEntry(queue));
    await window.get('memory-length').fill('64');
    await window.get('memory-read').click();
    await expect(window.byte('dma-byte', 0)).toHaveText('0a');
    await expect(window.byte('dma-byte', 40)).toHaveText('07');
    await window.get('memory-address').fill('0xffffffff00');
    await window.get('memory-read').click();
    await expect(window.get('memory-problem')).toContainText('was refused');
  });

  await test.step('disk: queues, commands, contents, health', async () => {
    expect(await linux.ask(MAKE_FILES)).toBe('0');
    await window.show('disk');
    await expect(window.get('disk-queue')).toHaveCount(
      1 + (await linux.number('ls /sys/block/nvme0n1/mq | wc -l')),
    );
    await expect(window.get('disk-queue').nth(1)).toContainText(
      `of ${1 + (await linux.number('cat /sys/block/nvme0n1/queue/nr_requests'))}`,
    );
    await window.get('disk-view-commands').click();
    await window.get('disk-command').filter({ hasText: 'Flush' }).first().getByRole('button').click();
    await expect(window.get('disk-command-fields')).toContainText('CID');
    await window.get('disk-view-contents').click();
    await expect(window.get('disk-file').filter({ hasText: 'file.txt' })).toContainText('9 B');
    await expect(window.get('disk-partition')).toContainText('ext4');
    await window.get('disk-view-health').click();
    await sameReads(window, linux);
    expect(await linux.ask('umount /mnt; echo $?')).toBe('0');
  });

  await test.step('framebuffer: what a DRM driver draws, paused and stepped', async () => {
    await window.get('power-on').click();
    await window.get('model-protopciem').click();
    await window.get('option-device-name').fill('Screen');
    await window.get('option-preferredMode').selectOption('640x480');
    await window.get('power-on-confirm').click();
    const card = window.devices().filter({ hasText: 'Screen' });
    await expect(card.getByTestId('device-driver')).toHaveText('protopciem', SLOW);
    await expect(window.get('framebuffer-mode')).toHaveText('640 × 480 XRGB8888', SLOW);
    expect(await linux.ask('cat /sys/class/graphics/fb0/virtual_size')).toBe('640,480');
    // The console's cursor would go on drawing.
    await linux.ask('echo 0 > /sys/class/graphics/fbcon/cursor_blink; echo');
    expect(await linux.ask(paint(RED))).toBe('0');
    await expect.poll(() => share(window, RED), SLOW).toBe(1);
    // Of the card's thread and of the lab: memory that is this machine's too.
    expect(await linux.number("cat /proc/$(pgrep -f lab/server.js)/maps | grep -c '/resource2'")).toBe(2);
    await window.get('framebuffer-pause').click();
    await expect(window.get('framebuffer-paused')).toBeVisible();
    const handled = await linux.handled('protopciem');
    expect(await linux.ask(paint(BLUE))).toBe('0');
    await expect.poll(() => linux.handled('protopciem'), SLOW).toBeGreaterThan(handled);
    expect(await share(window, RED)).toBe(1);
    await expect
      .poll(async () => {
        await window.get('framebuffer-step').click();
        return share(window, BLUE);
      }, SLOW)
      .toBe(1);

    // Peer to peer: the card reads registers of the disk.
    const peer = await bench.peerWindow();
    await window.show('dma');
    await window.panel('dma').getByTestId('device-select').selectOption({ label: 'Screen' });
    await window.get('dma-part').selectOption('peers');
    await peer.getByRole('button').click();
    await expect(window.get('dma-peer')).toHaveText('NVMe disk, BAR0+0x0');
    await bench.showsVersion();
    const command = await bench.setpci('COMMAND');
    await linux.ask(`setpci -s ${bench.address} COMMAND=0:2; echo`);
    await window.show('dma');
    await expect(peer).toContainText('memory decoding is off');
    await linux.ask(`setpci -s ${bench.address} COMMAND=${command}; echo`);
    await window.show('dma');
    await expect(peer).not.toContainText('memory decoding is off');
    await window.get('dma-part').selectOption('transfers');
    await window.get('dma-newest').click();
    await expect(window.get('dma-row').filter({ hasText: 'peer to peer' }).first()).toBeVisible();
    await card.getByTestId('power-off').click();
    await expect(window.devices()).toHaveCount(1, SLOW);
    expect(await linux.ask('ls /dev/fb0 2>/dev/null | wc -l')).toBe('0');
  });

  await test.step("terminal: the shell is the guest's, and so is the log of the kernel", async () => {
    expect(await linux.ask('uname -r')).toBe(
      /Linux (\S+)/.exec(await window.text(window.get('status-host')))![1],
    );
    await window.type('clear; echo said-to-the-kernel > /dev/kmsg; echo typed-$((40 + 2))');
    await expect.poll(() => window.screen(), SLOW).toMatch(/^typed-42$/m);
    await window.get('terminal-open-log').click();
    await expect.poll(() => window.screen(), SLOW).toContain('said-to-the-kernel');
    await window.panel('terminal').getByRole('button', { name: 'Close Kernel log' }).click();
    await expect(window.get('terminal-tab')).toHaveCount(1);
  });

  await test.step('log: what happened, copied and cleared', async () => {
    const log = await window.show('log');
    await expect(window.get('log-line').filter({ hasText: 'was removed by surprise' })).toBeVisible();
    await window.get('log-copy').click();
    await expect
      .poll(() => page.evaluate(() => navigator.clipboard.readText()))
      .toMatch(/info .*was reset \(FLR\)\.$/m);
    await window.get('log-clear').click();
    await expect(log).toContainText('Nothing to report');
  });

  await test.step('devices: powered off, and Linux is well', async () => {
    await window.get('power-off').click();
    await expect(window.get('devices-empty')).toBeVisible(SLOW);
    expect(await linux.number(NAMESPACES)).toBe(0);
    expect(await linux.trouble()).toBe(0);
  });
});

test('by keyboard alone', async ({ window }) => {
  const { page } = window;
  const { keyboard } = page;
  const hands = new Hands(window);
  const bench = new Bench(window, () => hands.show('terminal', 'Alt+7'));
  const { linux } = bench;
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());

  await test.step('devices: powered on, duplicated, pulled out, reset', async () => {
    await hands.show('devices', 'Alt+1');
    await hands.activate(window.get('power-on'));
    await hands.tabTo(window.get('option-size'));
    await hands.press('Control+A');
    await keyboard.type('192MiB');
    await hands.press('Enter');
    await bench.diskIsUp(192 * 2 ** 20);
    await hands.show('devices', 'Alt+1');
    await hands.activate(window.get('device-duplicate'));
    await expect(window.get('device-driver').nth(1)).toHaveText('nvme', SLOW);
    await expect.poll(() => linux.number(NAMESPACES), SLOW).toBe(2);
    // The new one is the selected one.
    await hands.run('Surprise-remove the selected device');
    await expect(window.devices()).toHaveCount(1, SLOW);
    await expect.poll(() => linux.number(NAMESPACES), SLOW).toBe(1);
    const ups = await linux.logged(QUEUES_ARE_UP);
    await hands.show('devices', 'Alt+1');
    await hands.activate(window.get('device-reset'));
    await expect.poll(() => linux.logged(QUEUES_ARE_UP), SLOW).toBe(ups + 1);
    await expect(window.get('device-driver')).toHaveText('nvme', SLOW);
  });

  await test.step('config space: bytes, tree, differences and export', async () => {
    const [subsystem, command] = [await bench.setpci('2e.w'), await bench.command()];
    const config = await hands.show('config', 'Alt+4');
    const node = (name: string) =>
      config.locator(`[data-testid="config-node"][data-name="${name}"][aria-selected="true"]`);
    await hands.activate(window.get('config-snapshot'));
    await hands.reach(config.locator('.rows-viewport'));
    await hands.press('Control+Home');
    await hands.pressUntil('ArrowRight', config.locator('[data-offset="46"][data-cursor="true"]'));
    await keyboard.type('cafe');
    await expect(window.byte('config-byte', 0x2f)).toHaveText('fe');
    await hands.reach(config.getByRole('tree'));
    await hands.press('Home');
    await hands.pressUntil('ArrowDown', node('Command'));
    await hands.press('ArrowRight');
    await hands.pressUntil('ArrowDown', node('SERR# Enable'));
    await hands.press('Space');
    await expect(node('SERR# Enable').getByTestId('config-bit')).toBeChecked();
    expect(await bench.setpci('2e.w')).toBe('feca');
    expect((await bench.command()) ^ command).toBe(SERR);
    await hands.show('config', 'Alt+4');
    await hands.choose(window.get('config-compare'), 'NVMe disk, ');
    await expect(window.get('config-difference')).toHaveCount(2);
    await hands.activate(bench.difference('Command / SERR# Enable').getByRole('button'));
    await expect(window.byte('config-byte', 5)).toHaveAttribute('data-lit', 'true');
    await hands.activate(window.get('config-restore'));
    await expect(window.get('config-same')).toBeVisible();
    expect([await bench.setpci('2e.w'), await bench.command()]).toEqual([subsystem, command]);
    await hands.show('config', 'Alt+4');
    const saved = page.waitForEvent('download');
    await hands.activate(window.get('config-export'));
    expect(await digest(await saved)).toBe(await linux.ask(`lspci -s ${bench.address} -xxxx | ${DIGEST}`));
  });

  await test.step('registers: an edit that the driver reads, the watch list', async () => {
    const edit = async (value: string) => {
      await hands.activate(page.getByRole('button', { name: 'Edit AQA' }));
      await expect(window.get('register-edit')).toBeFocused();
      await hands.press('Control+A');
      await keyboard.type(value);
      await hands.press('Enter');
      await expect(page.getByRole('button', { name: 'Edit AQA' })).toBeFocused();
    };
    await hands.show('registers', 'Alt+3');
    await hands.fill(window.get('register-search'), 'AQA');
    await expect(window.get('register-row')).toHaveCount(1);
    await expect(window.registerValue('AQA')).toHaveText(/^0x001f\s?001f$/);
    await edit('0x00150013');
    expect(await bench.readByDriver('aqa')).toBe(0x00150013);
    await hands.show('registers', 'Alt+3');
    await edit('0x001f001f');
    await hands.fill(window.get('register-search'), 'SQ0TDBL');
    await expect(window.get('register-row')).toHaveCount(1);
    await hands.activate(window.get('register-pin'));
    await hands.choose(window.get('bar-select'), 'Watch');
    await expect(window.get('register-search')).toBeHidden();
    await expect(window.get('register-row')).toHaveCount(1);
    const tail = await window.text(window.registerValue('SQ0TDBL'));
    expect(await linux.adminCommands(GET_FEATURE)).toBe(1);
    await expect(window.registerValue('SQ0TDBL')).not.toHaveText(tail);
  });

  await test.step('trace: a filter, places, details and a bookmark', async () => {
    const chosen = (row: number) => expect(bench.chosenRow()).toHaveAttribute('data-row', `${row}`);
    await hands.show('trace', 'Alt+2');
    await hands.press('/');
    await keyboard.type('write && reg == SQ0TDBL');
    await hands.press('Enter');
    await expect(window.get('trace-count')).toHaveText(/rows match/);
    const before = await window.number(window.get('trace-count'));
    const given = await linux.adminCommands('nvme id-ctrl /dev/nvme0');
    expect(given).toBeGreaterThan(0);
    await expect.poll(() => window.number(window.get('trace-count'))).toBe(before + given);
    await hands.show('trace', 'Alt+2');
    await hands.press('Home');
    const second = page.locator('[data-testid="trace-row"][data-row="1"][data-loading="false"]');
    const number = await window.number(second.locator('.cell-row'));
    await hands.press('Control+G');
    await keyboard.type(`${number}`);
    await hands.press('Enter');
    await chosen(1);
    await hands.show('trace', 'Alt+2');
    await hands.press('d');
    await expect(window.get('trace-details')).toContainText('SQ0TDBL');
    await hands.press(']');
    await chosen(2);
    await hands.press('[');
    await chosen(1);
    await hands.press('b');
    await hands.tabTo(window.get('trace-bookmark-text'));
    await keyboard.type('the second command');
    await hands.show('trace', 'Alt+2');
    await hands.press('End');
    await chosen(before + given - 1);
    await hands.press('M');
    await chosen(1);
    await expect(window.get('trace-bookmark-text')).toHaveValue('the second command');
    await hands.press('d');
    await hands.run('Show all trace rows');
  });

  await test.step('expert notes: a program that writes what is read-only', async () => {
    await bench.poke(8, 1);
    await hands.show('experts', 'Alt+E');
    const group = window.get('expert-group').filter({ hasText: 'Write to a read-only register' });
    const of = group.filter({ has: page.getByText('VS', { exact: true }) });
    await expect(of).toContainText('1 ×');
    await hands.activate(window.get('expert-warning'));
    await expect(of).toBeHidden();
    await hands.activate(window.get('expert-warning'));
    await hands.activate(of.getByTestId('expert-toggle'));
    await hands.activate(of.getByTestId('expert-row'));
    await expect(bench.chosenRow()).toContainText('VS');
    await expect(bench.chosenRow()).toHaveAttribute('data-expert', 'warning');
  });

  await test.step('interrupts: Linux handles what is raised, where it says', async () => {
    await expect(bench.vectorRow(1)).toHaveAttribute('title', new RegExp(await linux.route('nvme0q1')));
    const handled = await linux.handled('nvme0q1');
    const { button, count } = window.vector(1);
    const counted = await window.number(count);
    const interrupts = await hands.show('interrupts', 'Alt+5');
    await hands.fill(window.get('vector-times'), '3');
    await hands.reach(interrupts.locator('.vector-list [tabindex="0"]'));
    await hands.pressUntil('ArrowDown', button.and(page.locator(':focus')));
    await hands.press('Enter');
    await expect(count).toHaveText(`${counted + 3}`);
    await hands.press('Space');
    await expect(count).toHaveText(`${counted + 6}`);
    await expect.poll(() => linux.handled('nvme0q1')).toBe(handled + 6);
  });

  await test.step('DMA: bytes of the guest, mappings, memory by hand', async () => {
    expect(await linux.ask(WRITE_BLOCK_1000)).toBe('0');
    const queue = await bench.readByDriver('asq');
    const dma = await hands.show('dma', 'Alt+6');
    const detail = window.get('dma-detail');
    await hands.press('Space', 'Home');
    const chosen = dma.locator('[data-testid="dma-row"][data-selected="true"]');
    await hands.pressUntil('ArrowDown', chosen.filter({ hasText: 'DMA read' }).filter({ hasText: '512 B' }));
    const lines = detail.locator('.hex-text');
    await expect.poll(async () => (await lines.allTextContents()).join('')).toContain('made-in-the-guest');
    await hands.press('ArrowDown');
    await expect(window.get('dma-decoded')).toContainText(/SLBA0x0*3e81,000NLB/);
    await hands.press('Escape');
    await expect(detail).toBeHidden();

    expect(await linux.adminCommands(GET_FEATURE)).toBe(1);
    await hands.show('dma', 'Alt+6');
    await hands.choose(window.get('dma-part'), 'Mappings');
    await hands.activate(bench.mapping(queue).getByRole('button'));
    await expect(detail).toContainText(`0x${queue.toString(16).padStart(8, '0')}`);
    await hands.fill(window.get('memory-length'), '64');
    await hands.fill(window.get('memory-address'), await bench.newestEntry(queue));
    await hands.press('Enter');
    await expect(window.byte('dma-byte', 0)).toHaveText('0a');
    await expect(window.byte('dma-byte', 40)).toHaveText('07');
    await hands.fill(window.get('memory-address'), '0xffffffff00');
    await hands.press('Enter');
    await expect(window.get('memory-problem')).toContainText('was refused');
  });

  await test.step('disk: queues, commands, contents, health', async () => {
    expect(await linux.ask(MAKE_FILES)).toBe('0');
    await hands.show('disk', 'Alt+D');
    await expect(window.get('disk-queue')).toHaveCount(3);
    await hands.reach(window.get('disk-view-activity'));
    await hands.press('ArrowRight');
    await expect(window.get('disk-view-commands')).toBeFocused();
    await hands.tabTo(window.get('disk-command').first().getByRole('button'));
    await hands.press('ArrowDown', 'Enter');
    await expect(window.get('disk-command-fields')).toContainText('CID');
    await hands.press('Escape');
    await expect(window.get('disk-command-fields')).toBeHidden();
    await hands.reach(window.get('disk-view-commands'));
    await hands.press('ArrowRight');
    await expect(window.get('disk-file').filter({ hasText: 'file.txt' })).toContainText('9 B');
    await hands.press('End');
    await expect(window.get('disk-view-health')).toBeFocused();
    await sameReads(window, linux);
    expect(await linux.ask('umount /mnt; echo $?')).toBe('0');
  });

  await test.step('framebuffer: what a DRM driver draws, paused and stepped', async () => {
    await hands.press('Control+Shift+P');
    await hands.tabTo(window.get('model-nvme'));
    await hands.pressUntil('ArrowDown', window.get('model-protopciem').and(page.locator(':focus')));
    await hands.tabTo(window.get('option-device-name'));
    await keyboard.type('Screen');
    await hands.tabTo(window.get('option-preferredMode'));
    await keyboard.type('640');
    await hands.tabTo(window.get('power-on-confirm'));
    await hands.press('Enter');
    const card = window.devices().filter({ hasText: 'Screen' });
    await expect(card.getByTestId('device-driver')).toHaveText('protopciem', SLOW);
    await expect(window.get('framebuffer-mode')).toHaveText('640 × 480 XRGB8888', SLOW);
    await linux.ask('echo 0 > /sys/class/graphics/fbcon/cursor_blink; echo');
    expect(await linux.ask(paint(BLUE))).toBe('0');
    await expect.poll(() => share(window, BLUE), SLOW).toBe(1);
    await hands.show('framebuffer', 'Alt+9');
    await hands.activate(window.get('framebuffer-pause'));
    await expect(window.get('framebuffer-paused')).toBeVisible();
    const handled = await linux.handled('protopciem');
    expect(await linux.ask(paint(RED))).toBe('0');
    await expect.poll(() => linux.handled('protopciem'), SLOW).toBeGreaterThan(handled);
    expect(await share(window, BLUE)).toBe(1);
    await hands.show('framebuffer', 'Alt+9');
    await hands.reach(window.get('framebuffer-step'));
    await expect
      .poll(async () => {
        await hands.press('Enter');
        return share(window, RED);
      }, SLOW)
      .toBe(1);

    const peer = await bench.peerWindow();
    await hands.show('dma', 'Alt+6');
    await hands.choose(window.get('dma-part'), 'Peer-to-peer windows');
    await hands.activate(peer.getByRole('button'));
    await bench.showsVersion();
    await hands.choose(window.get('dma-part'), 'Transfers');
    await hands.run('Power off the selected device');
    await expect(window.devices()).toHaveCount(1, SLOW);
    expect(await linux.ask('ls /dev/fb0 2>/dev/null | wc -l')).toBe('0');
  });

  await test.step("terminal: a search, and the kernel's log", async () => {
    await hands.show('terminal', 'Alt+7');
    await keyboard.type('clear; echo said-to-the-kernel > /dev/kmsg; echo typed-$((40 + 2))');
    await hands.press('Enter');
    await expect.poll(() => window.screen(), SLOW).toMatch(/^typed-42$/m);
    await hands.run('Open the kernel log');
    await expect.poll(() => window.screen(), SLOW).toContain('said-to-the-kernel');
    await hands.press('Control+Shift+F');
    await keyboard.type('said-to-the-kernel');
    await hands.press('Enter');
    await expect(window.get('terminal-found')).toHaveText(/^\d of \d$/);
    await hands.press('Escape');
    await expect(window.get('terminal-search')).toBeHidden();
    await hands.run('Go to the next terminal');
    await expect(window.get('terminal-tab').first()).toHaveAttribute('aria-pressed', 'true');
    expect(await linux.ask('uname -s')).toBe('Linux');
    await hands.run('Go to the next terminal');
    await expect(window.get('terminal-tab').last()).toHaveAttribute('aria-pressed', 'true');
    await hands.run('Close the terminal in front');
    await expect(window.get('terminal-tab')).toHaveCount(1);
    expect(await linux.ask('uname -r')).toBe(
      /Linux (\S+)/.exec(await window.text(window.get('status-host')))![1],
    );
  });

  await test.step('log: what happened, copied and cleared', async () => {
    const log = await hands.show('log', 'Alt+8');
    await expect(window.get('log-line').filter({ hasText: 'was removed by surprise' })).toBeVisible();
    await hands.activate(window.get('log-copy'));
    await expect.poll(clipboard).toMatch(/info .*was reset \(FLR\)\.$/m);
    await hands.activate(window.get('log-clear'));
    await expect(log).toContainText('Nothing to report');
  });

  await test.step('devices: powered off, and Linux is well', async () => {
    await hands.show('devices', 'Alt+1');
    await hands.activate(window.get('power-off'));
    await expect(window.get('devices-empty')).toBeVisible(SLOW);
    expect(await linux.number(NAMESPACES)).toBe(0);
    expect(await linux.trouble()).toBe(0);
  });
});
