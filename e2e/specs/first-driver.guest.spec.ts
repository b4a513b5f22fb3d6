/** docs/debug-your-first-driver.md, followed in the window: what it says is shown is shown. One boot. */
import { cpSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Locator } from '@playwright/test';
import type { LabWindow } from '../fixtures/lab-window.ts';
import { buildMendedDriver, buildMistakenDriver } from '../fixtures/mended-driver.ts';
import { root } from '../fixtures/shell.ts';
import { expect, test } from '../fixtures/test.ts';

const KERNEL = '6.12';
test.use({
  labArguments: { host: 'guest', device: 'checksum', timeout: 180_000, more: ['--kernel', KERNEL] },
});

test.setTimeout(400_000);

const SLOW = { timeout: 60_000 };
const NOTE =
  /DMA read at 0x[\da-f]+, 13 bytes is outside of what the driver mapped; the nearest mapping is 0x[\da-f]+, 8 bytes/;

async function shell(window: LabWindow, command: string, answer: RegExp): Promise<void> {
  // An empty screen, so that what is found is of this command.
  await window.type(`printf '\\033c'; ${command}`);
  await expect.poll(() => window.screen(), SLOW).toMatch(answer);
}

function transfer(window: LabWindow, bytes: number, status: string): Locator {
  return window.page
    .locator(`[data-testid="dma-row"][data-status="${status}"]`)
    .filter({ hasText: `${bytes} B` });
}

/** What the last section of the page has one try, and what the window is to say. */
const MISTAKES = [
  {
    from: 'dma_unmap_single(card->dev, address, length, DMA_TO_DEVICE)',
    to: 'dma_unmap_single(card->dev, address, sizeof(card->text), DMA_TO_DEVICE)',
    title: 'Undefined behaviour',
    note: /The driver unmapped 0x[\da-f]+, 8 bytes, which is not mapped so/,
    status: 0,
  },
  {
    from: 'DMA_TO_DEVICE',
    to: 'DMA_FROM_DEVICE',
    title: 'DMA against the direction of its mapping',
    note: /DMA read at 0x[\da-f]+, 13 bytes goes against the direction of its mapping/,
    status: 1,
  },
  {
    from: 'pci_set_master(pdev);',
    to: '',
    title: 'DMA while bus mastering is off',
    note: /DMA read at 0x[\da-f]+, 13 bytes comes while bus mastering is off/,
    status: 1,
  },
] as const;

/** As build.sh leaves a module that it has built: the folder is replaced. */
function place(folder: string, module: string): void {
  cpSync(folder, `${folder}.mended`, { recursive: true, preserveTimestamps: true });
  cpSync(module, path.join(`${folder}.mended`, path.basename(module)), { preserveTimestamps: true });
  const kept = `${folder}.kept`;
  if (statSync(kept, { throwIfNoEntry: false }) === undefined) renameSync(folder, kept);
  else rmSync(folder, { recursive: true });
  renameSync(`${folder}.mended`, folder);
}

function putBack(folder: string): void {
  if (statSync(`${folder}.kept`, { throwIfNoEntry: false }) === undefined) return;
  rmSync(folder, { recursive: true, force: true });
  renameSync(`${folder}.kept`, folder);
}

test('a newcomer finds the bug in the example driver', async ({ window, lab }) => {
  const modules = path.join(
    process.env.PCIEM_LAB_GUEST_OUT ?? path.join(root, 'out/guest'),
    KERNEL,
    'modules',
  );

  await test.step('the driver is loaded and works', async () => {
    await window.show('terminal');
    await expect.poll(() => window.screen(), SLOW).toMatch(/# ?$/m);
    await shell(window, 'insmod /lab/modules/checksum.ko; echo status-$?', /^status-0$/m);
    await expect(window.get('device-driver')).toHaveText('checksum', SLOW);
    await shell(
      window,
      'cd /sys/bus/pci/drivers/checksum/*:*; echo hello > text; cat checksum',
      /^363a3020$/m,
    );
    await expect(window.get('trace-row').filter({ hasText: 'refused' })).toHaveCount(0);
  });

  await test.step('it fails, and the kernel says little', async () => {
    await shell(window, 'echo "hello, world" > text', /write error: Input\/output error/);
    await shell(window, 'dmesg | tail -1', /checksum 10000:00:00\.0: the card could not do 13 bytes/);
  });

  await test.step('expert notes name it, and lead to the row', async () => {
    await window.show('experts');
    await expect(window.get('expert-group')).toHaveCount(1);
    await expect(window.get('expert-group')).toContainText('DMA outside a mapping');
    await expect(window.get('expert-group')).toHaveAttribute('data-severity', 'error');
    await window.get('expert-toggle').click();
    await expect(window.panel('experts')).toContainText(
      'The address was never mapped for the device, or not any more',
    );
    await window.get('expert-first').click();
    await expect(window.get('trace-row').and(window.page.locator('[data-selected="true"]'))).toContainText(
      /DMA read.*13 B.*refused: unmapped/,
    );
  });

  await test.step('the rows around it tell the story in order', async () => {
    await window.filter(
      'row > 0 && (reg ~ "ADDRESS*" || reg == LENGTH || CONTROL.START == 1 || dma || irq || note || command)',
    );
    await expect
      .poll(async () => (await window.traceRows()).map(({ text }) => text).join('\n'))
      .toMatch(
        new RegExp(
          `LENGTH 0x000c 0x0000000d.*\\n.*CONTROL 0x0004 0x00000001.*\\n.*DMA read.*13 B.*refused.*\\n.*CHECKSUM.*status 0x001.*\\n.*interrupt.*\\n.*${NOTE.source}`,
        ),
      );
  });

  await test.step('eight bytes work, nine do not', async () => {
    await window.show('terminal');
    await shell(window, 'echo -n 12345678 > text; echo status-$?', /^status-0$/m);
    await shell(window, 'echo -n 123456789 > text; echo status-$?', /^status-1$/m);
    await window.show('dma');
    for (const [bytes, status] of [
      [6, 'ok'],
      [8, 'ok'],
      [13, 'unmapped'],
      [9, 'unmapped'],
    ] as const) {
      await expect(transfer(window, bytes, status), `${bytes} bytes`).toHaveCount(1);
    }
  });

  try {
    await test.step('mended as the page says and built outside, it reaches the guest', async () => {
      place(modules, buildMendedDriver(root, KERNEL));
      await expect
        .poll(() => lab.said(), SLOW)
        .toContain("Built anew and in the guest's /lab/modules: checksum.ko");
    });

    await test.step('and works', async () => {
      await window.show('terminal');
      await shell(
        window,
        'rmmod checksum && insmod /lab/modules/checksum.ko; cd /sys/bus/pci/drivers/checksum/*:*; echo "hello, world" > text; cat checksum',
        /^f4247453$/m,
      );
      await window.show('dma');
      await transfer(window, 13, 'ok').click();
      // As many columns as there is room for: the text may go over two lines.
      const lines = window.get('dma-detail').locator('.hex-text');
      await expect.poll(async () => (await lines.allTextContents()).join('')).toContain('hello, world');
      await window.show('experts');
      await expect(window.get('expert-group')).toHaveCount(1);
      await expect(window.get('expert-group')).toContainText('2 ×');
    });

    for (const [at, { from, to, title, note, status }] of MISTAKES.entries()) {
      await test.step(title, async () => {
        place(modules, buildMistakenDriver(root, KERNEL, from, to));
        await expect.poll(() => lab.said().split('checksum.ko').length - 1, SLOW).toBe(at + 2);
        await window.show('terminal');
        await shell(
          window,
          'rmmod checksum && insmod /lab/modules/checksum.ko; cd /sys/bus/pci/drivers/checksum/*:*; echo "hello, world" > text; echo status-$?',
          new RegExp(`^status-${status}$`, 'm'),
        );
        await window.show('experts');
        const group = window.get('expert-group').filter({ hasText: title });
        await expect(group).toHaveCount(1);
        await window.filter('note');
        await expect
          .poll(async () => (await window.traceRows()).map(({ text }) => text).join('\n'))
          .toMatch(note);
      });
    }

    await test.step('a filter shows one command after the other', async () => {
      await window.filter('reg == STATUS || dma');
      await expect(window.get('trace-filter-error')).toBeHidden();
      await expect
        .poll(async () => (await window.traceRows()).map(({ text }) => text).join('\n'))
        .toMatch(/DMA read.*\n.*read.*STATUS.*\n.*write.*STATUS.*DONE 1: clears/);
    });
  } finally {
    putBack(modules);
  }
});
