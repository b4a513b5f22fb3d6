/**
 * What this window remembers of one lab when its page is loaded again. Another lab gives the same numbers to other
 * devices and rows, so that nothing of it is handed out there.
 */
const KEY = 'pciem-lab-session';

let instance = '';
let parts: Record<string, unknown> = {};

/** From now on it is this lab. */
export function openKept(of: string): void {
  instance = of;
  parts = {};
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as { instance?: unknown; parts?: unknown };
    if (kept.instance === of && typeof kept.parts === 'object' && kept.parts !== null)
      parts = kept.parts as Record<string, unknown>;
  } catch {
    // Torn: as if there were none.
  }
}

/** As it was given to {@link keep}, or undefined; a page of another version may have written it. */
export function kept(part: string): unknown {
  return parts[part];
}

export function keep(part: string, value: unknown): void {
  // Before a lab has answered there is nothing of it.
  if (instance === '') return;
  parts[part] = value;
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ instance, parts }));
  } catch {
    // No room: a reload forgets, nothing else does.
  }
}
