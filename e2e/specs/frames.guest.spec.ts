/** `make run HOST=guest DEMO=frames`: what a program draws through /dev/protopciem reaches the panel, both ways. */
import type { LabWindow } from '../fixtures/lab-window.ts';
import { expect, test } from '../fixtures/test.ts';

test.use({
  labArguments: {
    host: 'guest',
    device: 'protopciem',
    timeout: 180_000,
    more: ['--kernel', '6.12', '--demo', 'frames'],
  },
});

test.beforeEach(({ allowed }) => {
  allowed.push(/willReadFrequently/);
});

const SLOW = { timeout: 60_000, intervals: [100] };

/** Shares of the canvas that are as kernel/guest/demo/frames.c draws frames, and command buffers. */
async function shares(window: LabWindow): Promise<{ frame: number; ground: number; lines: number }> {
  return window.get('framebuffer-canvas').evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, width, height);
    // The pixel in the corner tells which step it is.
    const step = data[1]!;
    const counts = { frame: 0, ground: 0, lines: 0 };
    const is = (at: number, red: number, green: number, blue: number) =>
      data[at] === (red & 0xff) && data[at + 1] === (green & 0xff) && data[at + 2] === (blue & 0xff);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += 4) {
        if (is(at, x + step * 2, y + step, (x ^ y) - step)) counts.frame++;
        if (is(at, 0x10, 0x14, 0x18)) counts.ground++;
        if (is(at, 0x5a, 0xa9, 0xff) || is(at, 0x3d, 0xd6, 0x8c)) counts.lines++;
      }
    }
    const all = width * height;
    return { frame: counts.frame / all, ground: counts.ground / all, lines: counts.lines / all };
  });
}

test('frames and command buffers of /dev/protopciem reach the panel', async ({ window, lab }) => {
  await expect(window.get('device-driver')).toHaveText('protopciem', SLOW);
  await expect(window.get('framebuffer-mode')).toHaveText('640 × 480 RGB24', SLOW);
  await window.get('framebuffer-list').click();
  const source = window.get('framebuffer-source');

  await expect.poll(async () => (await shares(window)).frame, SLOW).toBe(1);
  await expect(source).toHaveText('DMA_FRAME', SLOW);

  await expect
    .poll(async () => {
      const { ground, lines } = await shares(window);
      return ground > 0.8 && lines > 0.01;
    }, SLOW)
    .toBe(true);
  await expect(source).toHaveText('EXECUTE_CMDBUF', SLOW);
  await expect(window.get('framebuffer-record').nth(1)).toContainText('DRAW_LINE');

  await window.grows(window.get('framebuffer-frame'), await window.number(window.get('framebuffer-frame')));
  expect(lab.said()).not.toContain('The demo has ended');
});
