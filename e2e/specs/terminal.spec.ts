import { expect, test } from '../fixtures/test.ts';

test('a shell takes a command and shows what it prints', async ({ window }) => {
  await window.show('terminal');
  await expect.poll(() => window.screen()).toMatch(/[$#]/);
  await window.type('echo $((6*7))-of-$((50+3))');
  await expect.poll(() => window.screen()).toMatch(/^42-of-53$/m);
});

test('it knows its size, also after the panel has another', async ({ window }) => {
  await window.show('terminal');
  await expect.poll(() => window.screen()).toMatch(/[$#]/);
  const size = async (): Promise<string> => {
    await window.type('clear; echo size $(stty size) end');
    await expect.poll(() => window.screen()).toMatch(/^size \d+ \d+ end$/m);
    return /^size (\d+ \d+) end$/m.exec(await window.screen())![1]!;
  };
  const before = await size();
  await window.page.setViewportSize({ width: 1300, height: 900 });
  await expect.poll(size).not.toBe(before);
});

test('much output arrives whole', async ({ window }) => {
  await window.show('terminal');
  await expect.poll(() => window.screen()).toMatch(/[$#]/);
  // Several times what may be on its way at once.
  await window.type('seq 1 60000 | sed s/^/line-/; echo the-$((1))-end');
  await expect.poll(() => window.screen(), { timeout: 20_000 }).toMatch(/line-60000\nthe-1-end/);
});

test('a shell that ends says so, and another is a button away', async ({ window }) => {
  await window.show('terminal');
  await expect.poll(() => window.screen()).toMatch(/[$#]/);
  await window.type('exit 3');
  await expect.poll(() => window.screen()).toMatch(/ended with exit code 3/);
  await expect(window.get('terminal-tab')).toContainText('(ended)');
  await window.panel('terminal').getByRole('button', { name: 'Open a new shell' }).click();
  await expect.poll(() => window.screen()).toMatch(/^[$#] ?$/m);
  await window.type('echo again-$((2+2))');
  await expect.poll(() => window.screen()).toMatch(/^again-4$/m);
});
