// @vitest-environment happy-dom
import { expect, test } from 'vitest';
import './app.tsx';
import { commands } from './app-commands.ts';
import { panelIds } from './dock/panels.tsx';

test('no two commands have the same shortcut: the later one would be dead', () => {
  const owners = new Map<string, string[]>();
  for (const { id, hotkeys } of commands.list()) {
    for (const key of hotkeys ?? []) {
      const plain = key.replace(/^!/, '');
      owners.set(plain, [...(owners.get(plain) ?? []), id]);
    }
  }
  expect([...owners].filter(([, ids]) => ids.length > 1)).toEqual([]);
});

test('every panel has a command with a shortcut', () => {
  for (const id of panelIds) expect(commands.get(`view.${id}`)?.hotkeys?.length, id).toBe(1);
});
