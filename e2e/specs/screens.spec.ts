import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../fixtures/shell.ts';
import { expect, test } from '../fixtures/test.ts';

const folder = join(root, 'out/screenshots');
mkdirSync(folder, { recursive: true });

for (const [width, height] of [
  [1280, 800],
  [2560, 1440],
] as const) {
  test.describe(`${width}x${height}`, () => {
    test.use({ windowSize: { width, height } });

    test('the default layout fits and every panel has room', async ({ window }) => {
      await window.bound();
      await window.grows(window.get('trace-count'), 500);
      for (const name of ['devices', 'trace', 'registers', 'interrupts', 'dma'] as const) {
        const panel = window.panel(name);
        await expect(panel).toBeVisible();
        const box = (await panel.boundingBox())!;
        expect(box.width, name).toBeGreaterThan(200);
        expect(box.height, name).toBeGreaterThan(150);
        expect(box.x + box.width, name).toBeLessThanOrEqual(width);
        expect(box.y + box.height, name).toBeLessThanOrEqual(height);
      }
      const overflow = await window.page.evaluate(() => [
        document.documentElement.scrollWidth - globalThis.innerWidth,
        document.documentElement.scrollHeight - globalThis.innerHeight,
      ]);
      expect(overflow).toEqual([0, 0]);
      await window.page.screenshot({ path: join(folder, `default-${width}x${height}.png`) });
      await window.show('config');
      await expect(window.byte('config-byte', 0)).toHaveText(/^[0-9a-f]{2}$/);
      await window.show('terminal');
      await expect.poll(() => window.screen()).toMatch(/[$#]/);
      await window.page.screenshot({ path: join(folder, `config-terminal-${width}x${height}.png`) });
    });
  });
}
