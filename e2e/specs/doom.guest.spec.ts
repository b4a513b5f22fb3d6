/**
 * DOOM on the card: Debian's chocolate-doom on an X server on our DRM driver in a guest, seen and played in the panel. What
 * is seen is compared with pictures of an earlier run, in references/; each run leaves its own in out/screenshots.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabWindow } from '../fixtures/lab-window.ts';
import { root } from '../fixtures/shell.ts';
import { expect, test } from '../fixtures/test.ts';

test.use({
  labArguments: {
    host: 'guest',
    device: 'protopciem',
    timeout: 180_000,
    more: ['--kernel', '6.12', '--demo', 'doom'],
  },
});

test.beforeEach(({ allowed }) => {
  allowed.push(/willReadFrequently/);
});

const folder = join(import.meta.dirname, 'references');
const pictures = join(root, 'out/screenshots');
mkdirSync(pictures, { recursive: true });
const SLOW = { timeout: 90_000, intervals: [200] };
/** In any colour, of 255. */
const TOLERANCE = 24;

/** The canvas, now, beside a reference: shares of pixels that are off, of all and of those in which it differs from `base`. */
async function compare(
  window: LabWindow,
  name: string,
  base = name,
): Promise<{ off: number; offInDifference: number }> {
  const [reference, behind] = [name, base].map((file) => readFileSync(join(folder, file)).toString('base64'));
  return window.get('framebuffer-canvas').evaluate(
    async (element, { reference, behind, tolerance }) => {
      const canvas = element as HTMLCanvasElement;
      const { width, height } = canvas;
      const pixels = async (png: string) => {
        const image = new Image();
        image.src = `data:image/png;base64,${png}`;
        await image.decode();
        const copy = new OffscreenCanvas(width, height).getContext('2d')!;
        copy.drawImage(image, 0, 0);
        return copy.getImageData(0, 0, width, height).data;
      };
      const wanted = await pixels(reference!);
      const other = await pixels(behind!);
      const shown = canvas.getContext('2d')!.getImageData(0, 0, width, height).data;
      const differ = (a: Uint8ClampedArray, b: Uint8ClampedArray, at: number) =>
        [0, 1, 2].some((color) => Math.abs(a[at + color]! - b[at + color]!) > tolerance);
      const counts = { all: 0, difference: 0, offInDifference: 0 };
      let differences = 0;
      for (let at = 0; at < wanted.length; at += 4) {
        const wrong = differ(wanted, shown, at);
        if (wrong) counts.all++;
        if (!differ(wanted, other, at)) continue;
        differences++;
        if (wrong) counts.offInDifference++;
      }
      return {
        off: counts.all / (width * height),
        offInDifference: counts.offInDifference / Math.max(1, differences),
      };
    },
    { reference, behind, tolerance: TOLERANCE },
  );
}

/** For who makes new references: the canvas alone, as it was. */
async function keep(window: LabWindow, name: string): Promise<void> {
  const url = await window
    .get('framebuffer-canvas')
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL('image/png'));
  writeFileSync(join(pictures, name), Buffer.from(url.slice(url.indexOf(',') + 1), 'base64'));
}

const frame = (window: LabWindow) => window.number(window.get('framebuffer-frame'));

test('doom is shown in the panel and played from it', async ({ window, lab }) => {
  const canvas = window.get('framebuffer-canvas');
  await test.step('the title', async () => {
    await expect(window.get('device-driver')).toHaveText('protopciem', SLOW);
    await expect(window.get('framebuffer-mode')).toHaveText('640 × 480 XRGB8888', SLOW);
    await expect.poll(async () => (await compare(window, 'doom-title.png')).off, SLOW).toBeLessThan(0.02);
    await keep(window, 'doom-title.png');
    await window.page.screenshot({ path: join(pictures, 'doom-title-window.png') });
  });

  await test.step('a click takes keyboard and mouse, and a key opens the menu', async () => {
    await expect(window.get('framebuffer-input')).toHaveAttribute('data-state', 'free');
    await canvas.click();
    await expect(window.get('framebuffer-input')).toHaveAttribute('data-state', 'mouse');
    await expect(window.get('framebuffer-input')).toContainText('Ctrl + Alt');
    await window.page.keyboard.press('Escape');
    // Whatever is behind it by now.
    await expect
      .poll(async () => (await compare(window, 'doom-menu.png', 'doom-title.png')).offInDifference, SLOW)
      .toBeLessThan(0.1);
    await keep(window, 'doom-menu.png');
  });

  await test.step('the game', async () => {
    // New game, the first episode, and the skill that it proposes.
    for (let at = 0; at < 3; at++) await window.page.keyboard.press('Enter');
    // Its first place; the face in the status bar looks about, and lamps flicker.
    await expect.poll(async () => (await compare(window, 'doom-game.png')).off, SLOW).toBeLessThan(0.1);
    await keep(window, 'doom-game.png');
  });

  await test.step('keys and mouse move the player', async () => {
    await window.page.keyboard.down('ArrowUp');
    await expect.poll(async () => (await compare(window, 'doom-game.png')).off, SLOW).toBeGreaterThan(0.2);
    await window.page.keyboard.up('ArrowUp');
    const before = await frame(window);
    const box = (await canvas.boundingBox())!;
    for (let at = 0; at < 10; at++) {
      await window.page.mouse.move(box.x + box.width / 2 + at * 10, box.y + box.height / 2);
    }
    await window.grows(window.get('framebuffer-frame'), before);
    await window.page.screenshot({ path: join(pictures, 'doom-game-window.png') });
  });

  await test.step('Ctrl+Alt gives them back, and keys are the window’s again', async () => {
    await window.page.keyboard.down('ControlLeft');
    await window.page.keyboard.down('AltLeft');
    await expect(window.get('framebuffer-input')).toHaveAttribute('data-state', 'free');
    await window.page.keyboard.up('AltLeft');
    await window.page.keyboard.up('ControlLeft');
    await window.page.keyboard.press('Control+K');
    await expect(window.get('palette')).toBeVisible();
    await window.page.keyboard.press('Escape');
    // So they are when another thing in the window is clicked.
    await canvas.click();
    await expect(window.get('framebuffer-input')).toHaveAttribute('data-state', 'mouse');
    await canvas.evaluate((element) => element.blur());
    await expect(window.get('framebuffer-input')).toHaveAttribute('data-state', 'free');
  });

  expect(lab.said()).not.toMatch(/The demo has ended/);
});
