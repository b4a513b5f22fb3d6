import { expect, test, vi } from 'vitest';
import { type Command, CommandRegistry } from './registry.ts';

const command = (id: string, rest: Partial<Command> = {}): Command => ({
  id,
  title: id,
  group: 'Test',
  run: () => {},
  ...rest,
});

test('commands come and go', () => {
  const registry = new CommandRegistry();
  const changed = vi.fn();
  registry.onChange(changed);
  const remove = registry.register(command('a.one'), command('a.two'));
  expect(registry.list().map((one) => one.id)).toEqual(['a.one', 'a.two']);
  remove();
  expect(registry.list()).toEqual([]);
  expect(changed).toHaveBeenCalledTimes(2);
});

test('the list is the same array until something changes', () => {
  const registry = new CommandRegistry();
  registry.register(command('a.one'));
  expect(registry.list()).toBe(registry.list());
});

test('an id is dotted and there once', () => {
  const registry = new CommandRegistry();
  registry.register(command('a.one'));
  expect(() => registry.register(command('a.one'))).toThrow('is there already');
  expect(() => registry.register(command('one'))).toThrow('not a dotted id');
});

test('a disabled command does not run, a failing one is reported', async () => {
  const registry = new CommandRegistry();
  const run = vi.fn();
  const failed = vi.fn();
  registry.onError = failed;
  const error = new Error('no');
  registry.register(
    command('a.off', { enabled: () => false, run }),
    command('a.bad', { run: () => Promise.reject(error) }),
  );
  await registry.run('a.off');
  expect(run).not.toHaveBeenCalled();
  await registry.run('a.bad');
  expect(failed).toHaveBeenCalledWith(expect.objectContaining({ id: 'a.bad' }), error);
  await expect(registry.run('a.none')).rejects.toThrow('no command "a.none"');
});

test("hotkeys of one's own take the place of those that came with a command", () => {
  const registry = new CommandRegistry();
  registry.register(command('a.one', { hotkeys: ['Mod+K'] }), command('a.two', { hotkeys: ['Mod+L'] }));
  registry.setHotkeys({ 'a.one': ['Mod+J'], 'a.two': [] });
  expect(registry.list().map(({ hotkeys }) => hotkeys)).toEqual([['Mod+J'], []]);
  expect(registry.get('a.one')!.hotkeys).toEqual(['Mod+J']);
  expect(registry.original('a.one')!.hotkeys).toEqual(['Mod+K']);
  registry.setHotkeys({});
  expect(registry.get('a.two')!.hotkeys).toEqual(['Mod+L']);
});
