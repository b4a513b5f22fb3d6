import { createStore } from 'zustand/vanilla';
import type { Density, Theme } from '#renderer/theme/theme.ts';

export interface Settings {
  readonly theme: Theme;
  readonly density: Density;
  /** Panels whose help line is shown. */
  readonly help: Readonly<Record<string, boolean>>;
}

const KEY = 'pciem-lab-settings';
const defaults: Settings = { theme: 'dark', density: 'normal', help: {} };

/** Settings as they were kept; anything unknown falls back to its default. */
export function parseSettings(text: string | null): Settings {
  try {
    const kept = JSON.parse(text ?? '{}') as Partial<Settings>;
    return {
      theme: ['dark', 'light', 'contrast'].includes(kept.theme ?? '') ? kept.theme! : defaults.theme,
      density: ['compact', 'normal', 'comfortable'].includes(kept.density ?? '')
        ? kept.density!
        : defaults.density,
      help: typeof kept.help === 'object' && kept.help !== null ? kept.help : {},
    };
  } catch {
    return defaults;
  }
}

export const settings = createStore<Settings>(() => parseSettings(localStorage.getItem(KEY)));
settings.subscribe((state) => localStorage.setItem(KEY, JSON.stringify(state)));
