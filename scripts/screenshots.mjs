// Makes the README's pictures, in docs/images/: the window on the simulated host, with an NVMe disk at work; and DOOM on the
// ProtoPCIem card in a guest, with a short recording. `node scripts/screenshots.mjs doom` or `window` makes those alone.
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { animation } from './animation.mjs';

const root = resolve(import.meta.dirname, '..');
const folder = join(root, 'docs/images');
const SIZE = { width: 1440, height: 900 };
/** Frames of the recording, and how many there are a second. */
const RECORDED = 48;
const RECORDED_RATE = 8;

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
function startLab(...options) {
  const lab = spawn(process.execPath, [join(root, 'out/lab/server.js'), '--port', '0', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, SHELL: '/bin/sh', PS1: '$ ' },
  });
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

function launch() {
  const executablePath = browser();
  return chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

function problemsOf(page) {
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  return problems;
}

async function take(page, name) {
  // Colours fade when the theme changes; what flashes anew all the time is not waited for.
  await page.evaluate(() =>
    Promise.race([
      Promise.allSettled(document.getAnimations().map((one) => one.finished)),
      new Promise((done) => setTimeout(done, 1000)),
    ]),
  );
  await page.screenshot({ path: join(folder, name) });
  process.stdout.write(`docs/images/${name}\n`);
}

async function takeWindow() {
  const { lab, url } = startLab('--host', 'sim', '--device', 'nvme');
  const chrome = await launch();
  try {
    const page = await chrome.newPage({ viewport: SIZE });
    const problems = problemsOf(page);
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

    await runCommand(page, 'theme dark');
    await settle(page);
    await take(page, 'window-dark.png');
    await runCommand(page, 'theme light');
    await settle(page);
    await take(page, 'window-light.png');
    await runCommand(page, 'theme dark');
    await page.getByTestId('tab-config').click();
    await page.getByTestId('config-byte').first().waitFor();
    await settle(page);
    await take(page, 'config-space.png');
    if (problems.length > 0) throw new Error(`the window complained:\n${problems.join('\n')}`);
  } finally {
    await chrome.close();
    lab.removeAllListeners('exit');
    lab.kill();
  }
}

/** The card's picture at the size that DOOM draws: 320 x 200, of which X shows each pixel two wide and 2.4 tall. */
function nativePicture(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, 640, 480);
  let text = '';
  for (let y = 0; y < 200; y++) {
    const row = new Uint8Array(320 * 3);
    for (let x = 0; x < 320; x++) {
      const at = (Math.floor((y + 0.5) * 2.4) * 640 + x * 2) * 4;
      row.set(data.subarray(at, at + 3), x * 3);
    }
    text += String.fromCharCode(...row);
  }
  return btoa(text);
}

async function takeDoom() {
  const { lab, url } = startLab('--host', 'guest', '--device', 'protopciem', '--demo', 'doom');
  lab.stdout.pipe(process.stderr);
  const chrome = await launch();
  try {
    const page = await chrome.newPage({ viewport: { width: 1280, height: 800 } });
    const problems = problemsOf(page);
    await page.goto(await url);
    const canvas = page.getByTestId('framebuffer-canvas');
    const shows = (what, test) =>
      page.waitForFunction(test, undefined, { timeout: 180_000, polling: 200 }).catch(() => {
        throw new Error(`${what} was not shown`);
      });
    // The title is red; X's screen and the console's are not.
    await shows("DOOM's title", () => {
      const picture = document.querySelector('[data-testid="framebuffer-canvas"]');
      if (picture?.width !== 640) return false;
      const [red, green, blue] = picture.getContext('2d').getImageData(600, 20, 1, 1).data;
      return red > 60 && green < 40 && blue < 40;
    });
    await canvas.click();
    await page.locator('[data-testid="framebuffer-input"][data-state="mouse"]').waitFor();
    // New game, the first episode, and the skill that it proposes.
    for (const key of ['Escape', 'Enter', 'Enter', 'Enter']) {
      // A menu that is not drawn yet takes no choice.
      await page.keyboard.press(key);
      await page.waitForTimeout(1500);
    }
    // Its status bar has grey at the foot of the picture, where the title has none.
    await shows('the game', () => {
      const picture = document.querySelector('[data-testid="framebuffer-canvas"]');
      const [red, green, blue] = picture.getContext('2d').getImageData(340, 474, 1, 1).data;
      return Math.abs(red - green) < 12 && Math.abs(green - blue) < 12 && red > 20;
    });
    await page.waitForTimeout(3000);
    const frames = [];
    const walk = [
      [0, 'down', 'ArrowUp'],
      [22, 'down', 'ArrowLeft'],
      [27, 'up', 'ArrowLeft'],
      [30, 'down', 'ControlLeft'],
      [38, 'up', 'ControlLeft'],
      [40, 'down', 'ArrowRight'],
      [46, 'up', 'ArrowRight'],
    ];
    for (let at = 0; at < RECORDED; at++) {
      for (const [when, how, key] of walk) if (when === at) await page.keyboard[how](key);
      const next = page.waitForTimeout(1000 / RECORDED_RATE);
      frames.push(Buffer.from(await canvas.evaluate(nativePicture), 'base64'));
      if (at === 34) await take(page, 'doom.png');
      await next;
    }
    await page.keyboard.up('ArrowUp');
    const file = animation(320, 200, frames, 1000 / RECORDED_RATE);
    writeFileSync(join(folder, 'doom-recording.png'), file);
    process.stdout.write(`docs/images/doom-recording.png (${Math.round(file.length / 1024)} KiB)\n`);
    if (problems.length > 0) throw new Error(`the window complained:\n${problems.join('\n')}`);
  } finally {
    await chrome.close();
    lab.removeAllListeners('exit');
    const ended = new Promise((done) => lab.on('exit', done));
    lab.kill();
    await ended;
  }
}

const PARTS = { window: takeWindow, doom: takeDoom };
const asked = process.argv.slice(2);
for (const name of asked) {
  if (Object.hasOwn(PARTS, name)) continue;
  process.stderr.write(`screenshots: ${name} is not known; ${Object.keys(PARTS).join(' and ')} are\n`);
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
for (const [name, part] of Object.entries(PARTS))
  if (asked.length === 0 || asked.includes(name)) await part();
