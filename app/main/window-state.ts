/** Where the window was, kept between runs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { app, type BrowserWindow, type Rectangle, screen } from 'electron';
import * as v from 'valibot';

const stateSchema = v.object({
  bounds: v.object({ x: v.number(), y: v.number(), width: v.number(), height: v.number() }),
  maximized: v.boolean(),
});

export interface WindowState {
  readonly bounds: Partial<Rectangle>;
  readonly maximized: boolean;
}

const DEFAULT: WindowState = { bounds: { width: 1440, height: 900 }, maximized: false };

const file = (): string => join(app.getPath('userData'), 'window.json');

/** A place on a screen that is still there, or the default. */
export function windowState(): WindowState {
  try {
    const state = v.parse(stateSchema, JSON.parse(readFileSync(file(), 'utf8')));
    const area = screen.getDisplayMatching(state.bounds).workArea;
    const { x, y, width, height } = state.bounds;
    const visible =
      x < area.x + area.width && x + width > area.x && y < area.y + area.height && y + height > area.y;
    return visible ? state : DEFAULT;
  } catch {
    return DEFAULT;
  }
}

export function keepWindowState(window: BrowserWindow): void {
  window.on('close', () => {
    const state: WindowState = { bounds: window.getNormalBounds(), maximized: window.isMaximized() };
    try {
      writeFileSync(file(), JSON.stringify(state));
    } catch {
      // The next run starts in the middle of the screen.
    }
  });
}
