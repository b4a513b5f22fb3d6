import { createStore } from 'zustand/vanilla';

/** Bytes of a configuration space that are kept to compare with; in this browser. */
export interface Snapshot {
  readonly id: number;
  readonly name: string;
  /** Hexadecimal digits. */
  readonly bytes: string;
}

const KEY = 'pciem-lab-snapshots';
export const KEPT_SNAPSHOTS = 30;

export function parseSnapshots(text: string | null): readonly Snapshot[] {
  try {
    const kept = JSON.parse(text ?? '[]') as readonly Snapshot[];
    return kept
      .filter(
        ({ id, name, bytes }) =>
          Number.isInteger(id) && typeof name === 'string' && /^([0-9a-f]{2}){1,4096}$/.test(bytes),
      )
      .slice(-KEPT_SNAPSHOTS);
  } catch {
    return [];
  }
}

export const snapshots = createStore<{ readonly all: readonly Snapshot[] }>(() => ({
  all: parseSnapshots(localStorage.getItem(KEY)),
}));
snapshots.subscribe(({ all }) => localStorage.setItem(KEY, JSON.stringify(all)));

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** The oldest goes where there are too many. */
export function keepSnapshot(name: string, bytes: Uint8Array): Snapshot {
  const { all } = snapshots.getState();
  const kept: Snapshot = { id: (all.at(-1)?.id ?? 0) + 1, name, bytes: hexOf(bytes) };
  snapshots.setState({ all: [...all, kept].slice(-KEPT_SNAPSHOTS) });
  return kept;
}

export function forgetSnapshot(id: number): void {
  snapshots.setState(({ all }) => ({ all: all.filter((one) => one.id !== id) }));
}
