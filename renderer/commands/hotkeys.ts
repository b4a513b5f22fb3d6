/**
 * Hotkeys as text: `Mod+K`, `Alt+1`, `Shift+F6`. `Mod` is Ctrl, or Command on a Mac. A leading `!` means that it also
 * works while typing in a field.
 */
export type Hotkey = string;

interface Parsed {
  readonly everywhere: boolean;
  readonly mod: boolean;
  readonly shift: boolean;
  readonly alt: boolean;
  readonly key: string;
}

export function parseHotkey(hotkey: Hotkey): Parsed {
  const everywhere = hotkey.startsWith('!');
  const parts = (everywhere ? hotkey.slice(1) : hotkey).split('+');
  const key = parts.pop() ?? '';
  for (const part of parts) {
    if (!['Mod', 'Shift', 'Alt'].includes(part)) throw new Error(`unknown modifier "${part}" in "${hotkey}"`);
  }
  if (key === '') throw new Error(`"${hotkey}" names no key`);
  return {
    everywhere,
    mod: parts.includes('Mod'),
    shift: parts.includes('Shift'),
    alt: parts.includes('Alt'),
    key: key.toLowerCase(),
  };
}

export interface KeyPress {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

/** `typing`: the focus is in a field that takes text. */
export function matchesHotkey(hotkey: Hotkey, press: KeyPress, typing: boolean, mac = false): boolean {
  const wanted = parseHotkey(hotkey);
  if (typing && !wanted.everywhere) return false;
  const mod = mac ? press.metaKey : press.ctrlKey;
  const other = mac ? press.ctrlKey : press.metaKey;
  if (mod !== wanted.mod || other || press.altKey !== wanted.alt) return false;
  const letter = /^[a-z0-9]$/.test(wanted.key);
  // A sign such as "?" needs Shift on some keyboards and not on others.
  if ((letter || wanted.key.length > 1) && press.shiftKey !== wanted.shift) return false;
  if (press.key.toLowerCase() === wanted.key) return true;
  // With Alt or Shift a digit's `key` depends on the keyboard; the key's place does not.
  return /^[0-9]$/.test(wanted.key) && press.code === `Digit${wanted.key}`;
}

/** A press as a hotkey that works everywhere; undefined: modifiers alone, or a key that one types with. */
export function hotkeyOf(press: KeyPress, mac = false): Hotkey | undefined {
  if (['Control', 'Shift', 'Alt', 'Meta', 'Dead', 'Process', 'Unidentified'].includes(press.key))
    return undefined;
  const mod = mac ? press.metaKey : press.ctrlKey;
  const digit = /^Digit([0-9])$/.exec(press.code)?.[1];
  const letter = press.altKey ? /^Key([A-Z])$/.exec(press.code)?.[1] : undefined;
  const key = digit ?? letter ?? (press.key.length === 1 ? press.key.toUpperCase() : press.key);
  if (key === ' ' || key === '+') return undefined;
  if (!mod && !press.altKey && !/^F\d+$/.test(key)) return undefined;
  return `!${[mod && 'Mod', press.altKey && 'Alt', press.shiftKey && 'Shift', key].filter(Boolean).join('+')}`;
}

export function hotkeyText(hotkey: Hotkey, mac = false): string {
  const { mod, shift, alt, key } = parseHotkey(hotkey);
  const name = key.length === 1 ? key.toUpperCase() : key[0]!.toUpperCase() + key.slice(1);
  return [mod && (mac ? '⌘' : 'Ctrl'), alt && 'Alt', shift && 'Shift', name].filter(Boolean).join('+');
}

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (
    target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  ) {
    return true;
  }
  return (
    target instanceof HTMLInputElement && !['checkbox', 'radio', 'button', 'range'].includes(target.type)
  );
}
