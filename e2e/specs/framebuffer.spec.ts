import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TEST_CARD_HEIGHT, TEST_CARD_WIDTH, testCardPixel } from '#devices/testing/test-card.ts';
import type { LabWindow } from '../fixtures/lab-window.ts';
import { root } from '../fixtures/shell.ts';
import { expect, test } from '../fixtures/test.ts';

test.use({ labArguments: { device: 'protopciem' } });

// Reading the canvas back is the test's doing, not the window's.
test.beforeEach(({ allowed }) => {
  allowed.push(/willReadFrequently/);
});

const folder = join(root, 'out/screenshots');
mkdirSync(folder, { recursive: true });

/** Size of the canvas, and its pixels. */
async function picture(window: LabWindow): Promise<{ width: number; height: number; pixels: Uint8Array }> {
  const { width, height, text } = await window.get('framebuffer-canvas').evaluate((element) => {
    const { width, height } = element as HTMLCanvasElement;
    const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
    let text = '';
    for (let at = 0; at < data.length; at += 8192)
      text += String.fromCharCode(...data.subarray(at, at + 8192));
    return { width, height, text: btoa(text) };
  });
  return { width, height, pixels: new Uint8Array(Buffer.from(text, 'base64')) };
}

/** Share of pixels that are off the test card by more than 2 in any colour. */
async function wrong(window: LabWindow): Promise<number> {
  const { width, height, pixels } = await picture(window);
  if (width !== TEST_CARD_WIDTH || height !== TEST_CARD_HEIGHT) return 1;
  let off = 0;
  for (let at = 0; at < width * height; at++) {
    const expected = testCardPixel(at % width, Math.floor(at / width));
    if (expected.some((value, color) => Math.abs(value - pixels[at * 4 + color]!) > 2)) off++;
  }
  return off / (width * height);
}

const frame = (window: LabWindow) => window.number(window.get('framebuffer-frame'));

test('the picture moves, and is the test card when the driver rests', async ({ window }) => {
  await window.bound();
  // A display that is powered on shows itself.
  await expect(window.get('framebuffer-canvas')).toBeVisible();
  await window.grows(window.get('framebuffer-frame'));
  const first = Buffer.from((await picture(window)).pixels);
  await expect.poll(async () => first.equals(Buffer.from((await picture(window)).pixels))).toBe(false);
  await expect.poll(() => window.number(window.get('framebuffer-rate'))).toBeGreaterThan(5);

  await window.quiet();
  await expect.poll(() => wrong(window)).toBeLessThan(0.001);
  await expect(window.devices().first()).not.toContainText('error');
  await expect(window.get('framebuffer-mode')).toHaveText('640 × 480 RGB24');
  await expect(window.get('framebuffer-rate')).toHaveText('0 frames/s');

  await window.get('framebuffer-list').click();
  await expect(window.get('framebuffer-source')).toHaveText('EXECUTE_CMDBUF');
  await expect(window.get('framebuffer-record').first()).toContainText('CLEAR#101418');
  await expect(window.get('framebuffer-record').nth(1)).toContainText('0,0 to 79,0');

  const saved = window.page.waitForEvent('download');
  await window.get('framebuffer-screenshot').click();
  const download = await saved;
  expect(download.suggestedFilename()).toMatch(/^framebuffer-\d+\.png$/);
  expect([...readFileSync(await download.path()).subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
});

test('paused it stands still, and goes picture by picture', async ({ window }) => {
  await window.bound();
  await window.grows(window.get('framebuffer-frame'));
  await window.get('framebuffer-pause').click();
  await expect(window.get('framebuffer-paused')).toBeVisible();
  // What was being drawn when it was clicked may still come; the card goes on all the while, as its interrupts say.
  const interrupts = window.get('vector-count').first();
  const goesOn = async () => window.grows(interrupts, (await window.number(interrupts)) + 10);
  await goesOn();
  const before = await picture(window);
  const number = await frame(window);
  await goesOn();
  expect(await frame(window)).toBe(number);
  expect(Buffer.from((await picture(window)).pixels).equals(Buffer.from(before.pixels))).toBe(true);
  await window.get('framebuffer-step').click();
  await expect.poll(() => frame(window)).toBeGreaterThan(number);
  const stepped = await frame(window);
  await goesOn();
  expect(await frame(window)).toBe(stepped);
  await window.get('framebuffer-pause').click();
  await window.grows(window.get('framebuffer-frame'), stepped + 5);
});

test('it is scaled as chosen, and recorded', async ({ window }) => {
  await window.quiet();
  await expect.poll(() => wrong(window)).toBeLessThan(0.001);
  const canvas = window.get('framebuffer-canvas');
  for (const [scaling, width] of [
    ['1', 640],
    ['2', 1280],
  ] as const) {
    await window.get('framebuffer-scaling').selectOption(scaling);
    await expect.poll(async () => (await canvas.boundingBox())?.width).toBe(width);
  }
  await window.get('framebuffer-scaling').selectOption('smooth');
  const stage = (await window.get('framebuffer-stage').boundingBox())!;
  await expect
    .poll(async () => {
      const box = (await canvas.boundingBox())!;
      return Math.min(stage.width - box.width, stage.height - box.height);
    })
    .toBeLessThan(1);

  await window.get('framebuffer-record-video').click();
  await expect(window.get('framebuffer-record-video')).toHaveAttribute('aria-pressed', 'true');
  await window.get('workload-toggle').first().click();
  await window.grows(window.get('framebuffer-frame'), (await frame(window)) + 20);
  const saved = window.page.waitForEvent('download');
  await window.get('framebuffer-record-video').click();
  const video = readFileSync(await (await saved).path());
  // EBML, of which WebM is made.
  expect(video.readUInt32BE(0)).toBe(0x1a45dfa3);
  expect(video.length).toBeGreaterThan(10_000);
});

for (const [width, height] of [
  [1280, 800],
  [1440, 900],
] as const) {
  test.describe(`${width}x${height}`, () => {
    test.use({ windowSize: { width, height } });

    test('the panel fits, with and without its list', async ({ window }) => {
      await window.bound();
      await window.grows(window.get('framebuffer-frame'), 60);
      await window.page.screenshot({ path: join(folder, `framebuffer-${width}x${height}.png`) });
      await window.quiet();
      await window.get('framebuffer-list').click();
      await expect(window.get('framebuffer-record').first()).toBeVisible();
      const stage = (await window.get('framebuffer-stage').boundingBox())!;
      const canvas = (await window.get('framebuffer-canvas').boundingBox())!;
      expect(stage.width).toBeGreaterThan(250);
      expect(canvas.x).toBeGreaterThanOrEqual(stage.x - 1);
      expect(canvas.x + canvas.width).toBeLessThanOrEqual(stage.x + stage.width + 1);
      expect(canvas.y + canvas.height).toBeLessThanOrEqual(stage.y + stage.height + 1);
      await window.run('Theme: light');
      await window.page.screenshot({
        path: join(folder, `framebuffer-list-light-${width}x${height}.png`),
        animations: 'disabled',
      });
    });
  });
}

test('a reload leaves the panels as they were', async ({ window }) => {
  await window.bound();
  await expect(window.get('framebuffer-canvas')).toBeVisible();
  const layout = () => window.page.evaluate(() => localStorage.getItem('pciem-lab-layout'));
  await window.show('trace');
  // It is kept a moment after it changed.
  await expect.poll(layout).toContain('"activeView":"trace"');
  await window.page.reload();
  await expect(window.get('status-connection')).toHaveText('Connected');
  await window.grows(window.get('trace-count'));
  await expect(window.get('framebuffer-canvas')).toBeHidden();
  await window.show('framebuffer');
  await window.grows(window.get('framebuffer-frame'));
});

test('a device without a picture says so, and the way back', async ({ window }) => {
  await window.bound();
  await window.get('power-on').click();
  await window.get('model-scratch').click();
  await window.get('power-on-confirm').click();
  await expect(window.get('framebuffer-none')).toContainText('has no picture');
  await window.get('framebuffer-none').getByRole('button').click();
  await expect(window.get('framebuffer-canvas')).toBeVisible();
  await window.grows(window.get('framebuffer-frame'));
});
