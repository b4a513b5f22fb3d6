import { createStore } from 'zustand/vanilla';
import { TRACE_LIMIT } from '#contract/trace.ts';
import type { Density, Theme } from '#renderer/theme/theme.ts';

export interface Settings {
  readonly theme: Theme;
  readonly density: Density;
  /** Panels whose help line is shown. */
  readonly help: Readonly<Record<string, boolean>>;
  /** Hexadecimal numbers of eight digits and more in groups of four. */
  readonly groupDigits: boolean;
  /** KiB of 1024 bytes, or kB of 1000. */
  readonly sizes: 'binary' | 'decimal';
  /** Rows that the trace is to keep; 0: as many as the lab does by itself. */
  readonly traceRows: number;
  /** Hotkeys of one's own, by command. */
  readonly hotkeys: Readonly<Record<string, readonly string[]>>;
}

const KEY = 'pciem-lab-settings';
const defaults: Settings = {
  theme: 'dark',
  density: 'normal',
  help: {},
  groupDigits: true,
  sizes: 'binary',
  traceRows: 0,
  hotkeys: {},
};

function oneOf<T extends string>(value: unknown, accepted: readonly T[], otherwise: T): T {
  return accepted.includes(value as T) ? (value as T) : otherwise;
}

function hotkeysIn(value: unknown): Settings['hotkeys'] {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      ([, keys]) =>
        Array.isArray(keys) &&
        keys.every((key) => typeof key === 'string' && /^!?([A-Z]\w*\+)*[^+]+$/.test(key)),
    ),
  ) as Settings['hotkeys'];
}

/** Settings as they were kept; anything unknown falls back to its default. */
export function parseSettings(text: string | null): Settings {
  try {
    const kept = JSON.parse(text ?? '{}') as Partial<Settings>;
    return {
      theme: oneOf(kept.theme, ['dark', 'light', 'contrast'], defaults.theme),
      density: oneOf(kept.density, ['compact', 'normal', 'comfortable'], defaults.density),
      help: typeof kept.help === 'object' && kept.help !== null ? kept.help : {},
      groupDigits: kept.groupDigits !== false,
      sizes: oneOf(kept.sizes, ['binary', 'decimal'], defaults.sizes),
      traceRows:
        Number.isInteger(kept.traceRows) &&
        kept.traceRows! >= TRACE_LIMIT.least &&
        kept.traceRows! <= TRACE_LIMIT.most
          ? kept.traceRows!
          : defaults.traceRows,
      hotkeys: hotkeysIn(kept.hotkeys),
    };
  } catch {
    return defaults;
  }
}

export const settings = createStore<Settings>(() => parseSettings(localStorage.getItem(KEY)));
settings.subscribe((state) => localStorage.setItem(KEY, JSON.stringify(state)));
