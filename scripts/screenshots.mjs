// Makes the pictures of README and docs, in docs/images/, from real runs: the window on the simulated host, with an NVMe disk at
// work; every panel, which also go to out/screenshots/ in two sizes, light and dark; the example driver and its bug in a
// guest; and DOOM on the ProtoPCIem card in a guest, with a short recording. `node scripts/screenshots.mjs panels` makes those
// alone, `panels 1280x800` those of that size; so do window, driver and doom.
import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { animation, picture } from './animation.mjs';

const root = resolve(import.meta.dirname, '..');
const folder = join(root, 'docs/images');
const all = join(root, 'out/screenshots');
const SIZE = { width: 1440, height: 900 };
/** Of the panels. */
const SIZES = [
  [1280, 800],
  [2560, 1440],
];
/** What the pages of the panels show, in both sizes and themes; the terminal's page has a guest's. */
const SHOWN = [
  'devices',
  'trace',
  'registers',
  'config',
  'interrupts',
  'dma',
  'log',
  'experts',
  'disk',
  'disk-contents',
  'framebuffer',
];
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

/** Ends a lab on purpose, and its browser. */
async function end(chrome, lab) {
  await chrome.close();
  lab.removeAllListeners('exit');
  const ended = new Promise((done) => lab.on('exit', done));
  lab.kill();
  await ended;
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

/** A command, by its id; `words` find it in the palette. */
async function runCommand(page, id, words) {
  await page.keyboard.press('Control+K');
  await page.getByTestId('palette-input').fill(words);
  await page.locator(`[data-testid="palette-item"][data-command="${id}"]`).click();
  await page.getByTestId('palette').waitFor({ state: 'hidden' });
}

async function setTheme(page, theme) {
  await runCommand(page, `theme.${theme}`, 'theme');
  await page.locator(`html[data-theme="${theme}"]`).waitFor();
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

/** Colours fade when the theme changes; what flashes anew all the time is not waited for. */
function still(page) {
  return page.evaluate(() =>
    Promise.race([
      Promise.allSettled(document.getAnimations().map((one) => one.finished)),
      new Promise((done) => setTimeout(done, 1000)),
    ]),
  );
}

/** A picture of few colours is a third as large. */
async function take(page, name) {
  await still(page);
  const shot = await page.screenshot();
  const decoder = await page.context().browser().newPage();
  const { width, height, text } = await decoder.evaluate(async (base64) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const pieces = [];
    const row = new Uint8Array(image.width * 3);
    for (let at = 0; at < data.length; ) {
      for (let x = 0; x < row.length; x += 3, at += 4) row.set(data.subarray(at, at + 3), x);
      pieces.push(String.fromCharCode(...row));
    }
    return { width: image.width, height: image.height, text: btoa(pieces.join('')) };
  }, shot.toString('base64'));
  await decoder.close();
  const file = picture(width, height, Buffer.from(text, 'base64'));
  writeFileSync(join(folder, name), file);
  process.stdout.write(`docs/images/${name} (${Math.round(file.length / 1024)} KiB)\n`);
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

    await setTheme(page, 'dark');
    await settle(page);
    await take(page, 'window-dark.png');
    await setTheme(page, 'light');
    await settle(page);
    await take(page, 'window-light.png');
    if (problems.length > 0) throw new Error(`the window complained:\n${problems.join('\n')}`);
  } finally {
    await end(chrome, lab);
  }
}

/** Shows a panel, over the whole window. */
async function maximize(page, name) {
  await page.getByTestId(`tab-${name}`).click();
  await runCommand(page, 'layout.maximize', 'maximize');
}

/** Lines on the terminal's screen. */
async function screen(page) {
  const lines = await page.getByTestId('terminal-screen').locator('.xterm-rows > div').allInnerTexts();
  return lines.map((line) => line.replaceAll('\u00a0', ' ').trimEnd()).join('\n');
}

/** Types a command into the terminal; resolves when the screen shows `answer`. */
async function shell(page, command, answer) {
  await page.getByTestId('terminal-screen').locator('.xterm-helper-textarea').focus();
  await page.keyboard.type(command);
  await page.keyboard.press('Enter');
  await shown(page, answer);
}

async function shown(page, answer) {
  const end = Date.now() + 60_000;
  while (!answer.test((await screen(page)).trim())) {
    if (Date.now() > end) throw new Error(`the terminal does not show ${answer}:\n${await screen(page)}`);
    await page.waitForTimeout(100);
  }
}

async function select(page, device) {
  await page.getByTestId('device-name').filter({ hasText: device }).first().click();
}

/** What each panel shows in its picture; those with `whole` in the window as it is, the others over all of it. */
const PANELS = {
  rail: {
    whole: true,
    show: (page) => page.getByTestId('device-driver').filter({ hasText: 'initiator' }).first().waitFor(),
  },
  devices: {
    whole: true,
    async show(page) {
      await page.getByTestId('power-on').click();
      await page.getByTestId('model-nvme').click();
      await page.getByTestId('option-size').waitFor();
    },
    leave: (page) => page.keyboard.press('Escape'),
  },
  trace: {
    async show(page) {
      const doorbell = page.getByTestId('trace-row').filter({ hasText: /SQ[1-4]TDBL/ });
      // Rows go by; those that stand still when it is paused need not have one.
      for (let tries = 0; tries < 20; tries++) {
        const follow = page.getByTestId('trace-follow');
        if ((await follow.getAttribute('aria-pressed')) !== 'true') await follow.click();
        await page.waitForTimeout(300);
        await page.getByTestId('trace-pause').click();
        await page.waitForTimeout(300);
        if (await doorbell.first().isVisible()) break;
      }
      await doorbell.first().click();
      if (!(await page.getByTestId('trace-details').first().isVisible())) await page.keyboard.press('d');
      await page.getByTestId('trace-group').waitFor();
    },
    async leave(page) {
      await page.getByTestId('trace-details-toggle').click();
      await page.getByTestId('trace-pause').click();
    },
  },
  registers: {
    async show(page) {
      const row = page.locator('[data-testid="register-row"][data-register="CC"]');
      const toggle = row.getByTestId('register-toggle');
      if ((await toggle.getAttribute('aria-expanded')) !== 'true') await toggle.click();
      await page.getByTestId('field-row').first().waitFor();
    },
  },
  config: {
    async show(page) {
      await page.locator('[data-testid="config-byte"][data-offset="4"]').click();
      await page.getByTestId('config-byte-line').waitFor();
    },
  },
  interrupts: { show: (page) => page.getByTestId('vector-row').first().waitFor() },
  dma: {
    async show(page) {
      if ((await page.getByTestId('dma-pause').getAttribute('aria-pressed')) !== 'true')
        await page.getByTestId('dma-pause').click();
      const entry = page.getByTestId('dma-row').filter({ hasText: 'DMA read' }).filter({ hasText: '64 B' });
      await entry.first().click();
      await page.getByTestId('dma-decoded').waitFor();
    },
    leave: (page) => page.getByTestId('dma-newest').click(),
  },
  terminal: {
    async show(page) {
      await shown(page, /[$#]/);
      await shell(page, 'clear; uname -srm; nproc', /x86_64\n\d+$/m);
    },
  },
  log: { show: (page) => page.getByTestId('panel-log').waitFor() },
  experts: {
    async show(page) {
      const toggle = page.getByTestId('expert-toggle').first();
      await toggle.waitFor();
      if ((await toggle.getAttribute('aria-expanded')) !== 'true') await toggle.click();
    },
  },
  disk: {
    async show(page) {
      await page.getByTestId('disk-view-activity').click();
      // A plot with nothing in it says nothing.
      await page.waitForTimeout(3000);
    },
  },
  'disk-commands': {
    panel: 'disk',
    async show(page) {
      await page.getByTestId('disk-view-commands').click();
      await page.getByTestId('disk-command').first().waitFor();
    },
  },
  'disk-health': {
    panel: 'disk',
    async show(page) {
      await page.getByTestId('disk-view-health').click();
      await page.getByTestId('disk-serial-number').filter({ hasText: /\S/ }).waitFor();
    },
  },
  'disk-contents': {
    panel: 'disk',
    device: 'Files',
    async show(page) {
      await page.getByTestId('disk-view-contents').click();
      await page.getByTestId('disk-file').first().waitFor();
    },
  },
  framebuffer: {
    device: 'ProtoPCIem card',
    show: pictured,
  },
  'framebuffer-list': {
    panel: 'framebuffer',
    device: 'ProtoPCIem card',
    async show(page) {
      await pictured(page);
      await page.getByTestId('framebuffer-list').click();
      await page.getByTestId('framebuffer-source').waitFor();
    },
    leave: (page) => page.getByTestId('framebuffer-list').click(),
  },
};

/** The card shows a picture of more than one colour, whichever it is just now. */
function pictured(page) {
  return page.waitForFunction(() => {
    const canvas = document.querySelector('[data-testid="framebuffer-canvas"]');
    if (canvas?.width !== 640) return false;
    const row = canvas.getContext('2d').getImageData(0, 240, 640, 1).data;
    return new Set(new Uint32Array(row.buffer)).size > 16;
  });
}

/** A disk that has something on it: the documentation. */
function diskWithFiles(place) {
  const image = join(place, 'disk.img');
  const files = join(place, 'files');
  cpSync(join(root, 'docs'), files, { recursive: true });
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-L', 'documents', '-d', files, image, '64M'], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
  return image;
}

async function powerOn(page, model, name, options) {
  await page.getByTestId('power-on').click();
  await page.getByTestId(`model-${model}`).click();
  for (const [option, value] of Object.entries(options))
    await page.getByTestId(`option-${option}`).fill(value);
  await page.getByTestId('option-device-name').fill(name);
  await page.getByTestId('power-on-confirm').click();
  await page.getByTestId('device-row').filter({ hasText: name }).waitFor();
  await page.getByTestId('power-on-dialog').waitFor({ state: 'hidden' });
}

async function takePanels() {
  const place = mkdtempSync(join(tmpdir(), 'pciem-lab-'));
  const { lab, url } = startLab('--host', 'sim', '--device', 'nvme');
  const chrome = await launch();
  mkdirSync(all, { recursive: true });
  try {
    const page = await chrome.newPage({ viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(20_000);
    const problems = problemsOf(page);
    await page.goto(await url);
    await settle(page);
    // What an expert notes: memory that nobody mapped.
    await page.getByTestId('memory-address').fill('0x10');
    await page.getByTestId('memory-read').click();
    await page.getByTestId('memory-problem').waitFor();
    await page.getByTestId('memory-address').fill('0x10000');
    await page.getByTestId('memory-read').click();
    await page.getByTestId('memory-problem').waitFor({ state: 'hidden' });
    await powerOn(page, 'protopciem', 'ProtoPCIem card', {});
    await powerOn(page, 'nvme', 'Files', { image: diskWithFiles(place) });
    let pictures = 0;
    for (const [width, height] of SIZES) {
      if (askedSizes.length > 0 && !askedSizes.includes(`${width}x${height}`)) continue;
      await page.setViewportSize({ width, height });
      for (const theme of ['dark', 'light']) {
        await setTheme(page, theme);
        for (const [name, { panel = name, device = 'NVMe', whole = false, show, leave }] of Object.entries(
          PANELS,
        )) {
          await select(page, device);
          if (!whole) await maximize(page, panel);
          await show(page);
          await page.waitForFunction(() => document.querySelector('[data-testid="toast"]') === null);
          await page.mouse.move(0, height - 1);
          await still(page);
          await page.screenshot({ path: join(all, `${name}-${theme}-${width}x${height}.png`) });
          pictures++;
          if (SHOWN.includes(name)) await take(page, `panel-${name}-${theme}-${width}.png`);
          await leave?.(page);
          if (!whole) await runCommand(page, 'layout.maximize', 'maximize');
        }
      }
    }
    process.stdout.write(`out/screenshots: ${pictures} pictures, light and dark\n`);
    if (problems.length > 0) throw new Error(`the window complained:\n${problems.join('\n')}`);
  } finally {
    await end(chrome, lab);
    rmSync(place, { recursive: true, force: true });
  }
}

/** As docs/getting-started.md goes, once there is a disk. */
async function startedOnDisk(page) {
  await powerOn(page, 'nvme', 'NVMe disk', { size: '256MiB' });
  await page.getByTestId('device-driver').filter({ hasText: 'nvme' }).waitFor();
  await select(page, 'NVMe disk');
  await page.locator('[data-register="CC"]').getByTestId('register-toggle').click();
  await page.getByTestId('field-row').first().waitFor();
  const vector = page.locator('[data-testid="vector-row"][data-vector="1"]');
  const before = await vector.getByTestId('vector-count').textContent();
  await vector.getByTestId('vector-button').click();
  await vector.getByTestId('vector-count').filter({ hasNotText: before }).waitFor();
  await page.getByTestId('tab-config').click();
  await page.locator('[data-testid="config-byte"][data-offset="4"]').click();
  await page.getByTestId('config-byte-line').filter({ hasText: 'written last by the driver' }).waitFor();
  await page.getByTestId('tab-terminal').click();
  await shell(page, 'cd; printf "\\033c"', /^guest# ?$/);
  await shell(page, 'mkfs.ext4 /dev/nvme0n1', /accounting information: .*done\s+guest# ?$/m);
  await shell(page, 'mount /dev/nvme0n1 /mnt', /mnt\nguest# ?$/m);
  await shell(page, 'echo hello > /mnt/hello.txt', /txt\nguest# ?$/m);
  await shell(page, 'sync', /sync\nguest# ?$/m);
  await page.keyboard.press('Alt+D');
  await page.getByTestId('disk-view-contents').click();
  await page.getByTestId('disk-file').filter({ hasText: 'hello.txt' }).waitFor();
  await take(page, 'getting-started.png');
}

/** As docs/debug-your-first-driver.md goes, until the bug is found; and a disk in the same guest. */
async function takeDriver() {
  const { lab, url } = startLab('--host', 'guest', '--device', 'checksum');
  lab.stdout.pipe(process.stderr);
  const chrome = await launch();
  try {
    const page = await chrome.newPage({ viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(60_000);
    const problems = problemsOf(page);
    await page.goto(await url);
    await page.getByTestId('device-row').waitFor();
    await page.getByTestId('tab-terminal').click();
    await shown(page, /# ?$/m);
    await shell(page, 'insmod /lab/modules/checksum.ko', /checksum.ko\n.*# ?$/m);
    await page.getByTestId('device-driver').filter({ hasText: 'checksum' }).waitFor();
    await shell(page, 'cd /sys/bus/pci/drivers/checksum/*:*', /0# ?$/m);
    // A short prompt on an empty screen.
    await shell(page, 'PS1="guest# "; printf "\\033c"', /^guest# ?$/);
    await shell(page, 'echo hello > text', /text\nguest# ?$/m);
    await shell(page, 'cat checksum', /^363a3020$/m);
    await shell(page, 'echo "hello, world" > text', /write error: Input\/output error/);
    await shell(page, 'dmesg | tail -1', /the card could not do 13 bytes/);
    const refused = page.getByTestId('trace-row').filter({ hasText: 'refused' });
    await refused.waitFor();
    await take(page, 'first-driver-failed.png');
    await runCommand(page, 'layout.maximize', 'maximize');
    for (const [width, height] of SIZES) {
      await page.setViewportSize({ width, height });
      for (const theme of ['light', 'dark']) {
        await setTheme(page, theme);
        await take(page, `panel-terminal-${theme}-${width}.png`);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await runCommand(page, 'layout.maximize', 'maximize');

    await page.getByTestId('tab-experts').click();
    await page.getByTestId('expert-toggle').click();
    await page.getByTestId('expert-first').click();
    await page.getByTestId('tab-experts').click();
    await take(page, 'first-driver-notes.png');

    await page.getByTestId('tab-dma').click();
    await page.getByTestId('dma-row').filter({ hasText: '13 B' }).waitFor();
    await take(page, 'first-driver-dma.png');
    await startedOnDisk(page);
    if (problems.length > 0) throw new Error(`the window complained:\n${problems.join('\n')}`);
  } finally {
    await end(chrome, lab);
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
    await end(chrome, lab);
  }
}

const PARTS = { window: takeWindow, panels: takePanels, driver: takeDriver, doom: takeDoom };
const isSize = (word) => /^\d+x\d+$/.test(word);
const askedSizes = process.argv.slice(2).filter(isSize);
const asked = process.argv.slice(2).filter((word) => !isSize(word));
for (const name of asked) {
  if (Object.hasOwn(PARTS, name)) continue;
  process.stderr.write(`screenshots: ${name} is not known; ${Object.keys(PARTS).join(', ')} are\n`);
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
for (const [name, part] of Object.entries(PARTS))
  if (asked.length === 0 || asked.includes(name)) await part();
