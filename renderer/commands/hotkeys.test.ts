import { expect, test } from 'vitest';
import { hotkeyOf, hotkeyText, type KeyPress, matchesHotkey, parseHotkey } from './hotkeys.ts';

const press = (key: string, modifiers: Partial<KeyPress> = {}, code = ''): KeyPress => ({
  key,
  code,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...modifiers,
});

test('Mod is Ctrl here and Command on a Mac', () => {
  expect(matchesHotkey('Mod+K', press('k', { ctrlKey: true }), false)).toBe(true);
  expect(matchesHotkey('Mod+K', press('k', { metaKey: true }), false)).toBe(false);
  expect(matchesHotkey('Mod+K', press('k', { metaKey: true }), false, true)).toBe(true);
  expect(matchesHotkey('Mod+K', press('k', { ctrlKey: true }), false, true)).toBe(false);
});

test('a modifier too many or too few is another key', () => {
  expect(matchesHotkey('Mod+K', press('k'), false)).toBe(false);
  expect(matchesHotkey('Mod+K', press('K', { ctrlKey: true, shiftKey: true }), false)).toBe(false);
  expect(matchesHotkey('Mod+Shift+P', press('P', { ctrlKey: true, shiftKey: true }), false)).toBe(true);
  expect(matchesHotkey('F6', press('F6', { shiftKey: true }), false)).toBe(false);
  expect(matchesHotkey('Shift+F6', press('F6', { shiftKey: true }), false)).toBe(true);
});

test('while typing only those marked with ! work', () => {
  expect(matchesHotkey('Mod+P', press('p', { ctrlKey: true }), true)).toBe(false);
  expect(matchesHotkey('!Mod+K', press('k', { ctrlKey: true }), true)).toBe(true);
});

test('a digit is where it stands on the keyboard, a sign is what it is', () => {
  expect(matchesHotkey('Alt+1', press('¡', { altKey: true }, 'Digit1'), false)).toBe(true);
  expect(matchesHotkey('?', press('?', { shiftKey: true }), false)).toBe(true);
});

test('nonsense is refused when it is written down', () => {
  expect(() => parseHotkey('Ctl+K')).toThrow('unknown modifier "Ctl"');
  expect(() => parseHotkey('Mod+')).toThrow('names no key');
});

test('text for menus', () => {
  expect(hotkeyText('!Mod+Shift+P')).toBe('Ctrl+Shift+P');
  expect(hotkeyText('F1')).toBe('F1');
  expect(hotkeyText('Mod+Enter', true)).toBe('⌘+Enter');
});

test('a press becomes a hotkey that matches it', () => {
  for (const one of [
    press('k', { ctrlKey: true }, 'KeyK'),
    press('K', { ctrlKey: true, shiftKey: true }, 'KeyK'),
    press('¡', { altKey: true }, 'Digit1'),
    press('F7'),
    press('ArrowLeft', { ctrlKey: true, altKey: true }),
  ]) {
    expect(matchesHotkey(hotkeyOf(one)!, one, true)).toBe(true);
  }
  expect(hotkeyOf(press('a'))).toBeUndefined();
  expect(hotkeyOf(press('Control', { ctrlKey: true }))).toBeUndefined();
  expect(hotkeyOf(press('k', { metaKey: true }, 'KeyK'), true)).toBe('!Mod+K');
});
