import { expect, test } from 'vitest';
import { findCommands } from './find.ts';
import type { Command } from './registry.ts';

const command = (id: string, title: string, group: string): Command => ({ id, title, group, run: () => {} });
const list = [
  command('trace.kind.missed', 'Show or hide in the trace: Missed', 'Trace'),
  command('trace.clear', 'Clear the trace', 'Trace'),
  command('theme.light', 'Theme: light', 'View'),
  command('theme.dark', 'Theme: dark', 'View'),
  command('view.trace', 'Show MMIO trace', 'View'),
];
const ids = (wanted: string) =>
  findCommands(list, wanted).map(([group, found]) => [group, found.map(({ id }) => id)]);

test('without a text they are all there, as they were registered', () => {
  expect(ids(' ')).toEqual([
    ['Trace', ['trace.kind.missed', 'trace.clear']],
    ['View', ['theme.light', 'theme.dark', 'view.trace']],
  ]);
});

test('the best one is first, whatever group comes before its own', () => {
  // Its letters are in the first one as well, in this order.
  expect(ids('theme dark')).toEqual([['View', ['theme.dark']]]);
  expect(ids('clear')[0]).toEqual(['Trace', ['trace.clear']]);
  expect(ids('zzz')).toEqual([]);
});
