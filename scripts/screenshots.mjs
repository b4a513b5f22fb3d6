// Makes the README's pictures: the window on the simulated host, with an NVMe disk at work. Writes docs/images/.
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { chromium } from 'playwright-core';

const root = resolve(import.meta.dirname, '..');
const folder = join(root, 'docs/images');
const SIZE = { width: 1440, height: 900 };

function browser() {
  for (const path of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
      try {
        accessSync(join(path, name), constants.X_OK);
        return join(path, name);
      } catch {
        // Look further.
      }
    }
  }
  return undefined;
}

/** Starts the lab and resolves with its address. */
function startLab() {
  const lab = spawn(
    process.execPath,
    [join(root, 'out/lab/server.js'), '--host', 'sim', '--port', '0', '--device', 'nvme'],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, SHELL: '/bin/sh', PS1: '$ ' } },
  );
  let said = '';
  const url = new Promise((done, fail) => {
    lab.stdout.on('data', (data) => {
      said += data;
      const match = /PCIem Lab is at (http:\S+)/.exec(said);
      if (match !== null) done(match[1]);
    });
    lab.on('exit', (code) => fail(new Error(`the lab ended with ${code}: ${said}`)));
  });
  return { lab, url };
}

/** Rows that are worth a picture: the driver has bound, queues are at work, nothing floats over the panels. */
async function settle(page) {
  await page.getByTestId('device-driver').filter({ hasText: 'initiator' }).waitFor();
  await page.waitForFunction(() => {
    const rows = document.querySelector('[data-testid="trace-count"]')?.textContent ?? '';
    return Number(/[\d,]+/.exec(rows)?.[0].replaceAll(',', '')) > 3000;
  });
  await page.waitForFunction(() => document.querySelector('[data-testid="toast"]') === null);
  await page.evaluate(() => document.fonts.ready);
}

async function runCommand(page, name) {
  await page.keyboard.press('Control+K');
  await page.getByTestId('palette-input').fill(name);
  await page.keyboard.press('Enter');
  await page.getByTestId('palette').waitFor({ state: 'hidden' });
}

mkdirSync(folder, { recursive: true });
const { lab, url } = startLab();
const executablePath = browser();
const chrome = await chromium.launch({
  ...(executablePath === undefined ? {} : { executablePath }),
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  const page = await chrome.newPage({ viewport: SIZE });
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(await url);
  await settle(page);
  // A transfer's bytes, decoded, rather than an empty half of the panel.
  await page.getByTestId('dma-pause').click();
  await page
    .getByTestId('dma-row')
    .filter({ hasText: 'DMA read' })
    .filter({ hasText: '64 B' })
    .first()
    .click();
  await page.getByTestId('dma-decoded').waitFor();

  const take = async (name) => {
    // Colours fade when the theme changes.
    await page.evaluate(() => Promise.allSettled(document.getAnimations().map((one) => one.finished)));
    await page.screenshot({ path: join(folder, name) });
    process.stdout.write(`docs/images/${name}\n`);
  };
  await runCommand(page, 'theme dark');
  await settle(page);
  await take('window-dark.png');
  await runCommand(page, 'theme light');
  await settle(page);
  await take('window-light.png');
  await runCommand(page, 'theme dark');
  await page.getByTestId('tab-config').click();
  await page.getByTestId('config-byte').first().waitFor();
  await settle(page);
  await take('config-space.png');
  if (problems.length > 0) throw new Error(`the window complained:\n${problems.join('\n')}`);
} finally {
  await chrome.close();
  lab.removeAllListeners('exit');
  lab.kill();
}
