/** Opens the page as an application window of whatever is there: Electron is another shell, this is the rest. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const BROWSERS = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'microsoft-edge',
  'brave-browser',
];

export function findProgram(names: readonly string[]): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of names) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Look further.
      }
    }
  }
  return undefined;
}

/** Undefined when there is no display or no browser that has application windows. */
export function openWindow(url: string): ChildProcess | undefined {
  if (!process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return undefined;
  const browser = findProgram(BROWSERS);
  if (browser === undefined) return undefined;
  const profile = mkdtempSync(join(tmpdir(), 'pciem-lab-window-'));
  const root = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const child = spawn(
    browser,
    [`--app=${url}`, `--user-data-dir=${profile}`, '--no-first-run', '--no-default-browser-check', ...root],
    { stdio: 'ignore' },
  );
  child.on('exit', () => rmSync(profile, { recursive: true, force: true }));
  return child;
}
