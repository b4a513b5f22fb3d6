import { createStore } from 'zustand/vanilla';

/** Registers that are pinned to the watch list, as `model/bar/name`; in this browser. */
const KEY = 'pciem-lab-watch';
export const MOST_PINS = 200;

export function parsePins(text: string | null): readonly string[] {
  try {
    const kept = JSON.parse(text ?? '[]') as readonly string[];
    return kept.filter((pin) => /^[^/]+\/\d\/.+$/.test(pin)).slice(0, MOST_PINS);
  } catch {
    return [];
  }
}

export const pins = createStore<{ readonly all: readonly string[] }>(() => ({
  all: parsePins(localStorage.getItem(KEY)),
}));
pins.subscribe(({ all }) => localStorage.setItem(KEY, JSON.stringify(all)));

export function pinOf(model: string, bar: number, name: string): string {
  return `${model}/${bar}/${name}`;
}

export function togglePin(pin: string): void {
  pins.setState(({ all }) => ({
    all: all.includes(pin) ? all.filter((one) => one !== pin) : [...all, pin].slice(-MOST_PINS),
  }));
}
