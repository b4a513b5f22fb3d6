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

test('an address, a path and a register in the text lead to their panels', async ({ window }) => {
  await window.bound();
  await window.show('terminal');
  await expect.poll(() => window.screen()).toMatch(/[$#]/);
  const address = await window.text(window.get('device-address').first());
  const link = (text: string) =>
    window.get('terminal-screen').locator('.xterm-rows > div', { hasText: new RegExp(`^${text}$`) });
  const follow = async (text: string): Promise<void> => {
    await window.type(`clear; printf '%s\\n' ${text}`);
    await expect(link(text)).toHaveCount(1);
    const box = (await link(text).boundingBox())!;
    // The pointer arrives first, as a hand's does: then the link is underlined.
    await window.page.mouse.move(box.x + 20, box.y + box.height / 2);
    await window.page.mouse.move(box.x + 12, box.y + box.height / 2);
    await expect(window.get('terminal-screen').locator('.xterm-cursor-pointer')).toHaveCount(1);
    await window.page.mouse.click(box.x + 12, box.y + box.height / 2);
  };
  await follow(address);
  await expect(window.panel('config')).toBeVisible();
  await follow(`/sys/bus/pci/devices/${address}/resource0`);
  await expect(window.panel('registers')).toBeVisible();
  await window.show('config');
  await follow('CSTS');
  await expect(window.panel('registers')).toBeVisible();
  await expect(window.register('CSTS')).toBeInViewport();
});

test('links and the search need no pointer', async ({ window }) => {
  await window.bound();
  await window.show('terminal');
  await expect.poll(() => window.screen()).toMatch(/[$#]/);
  const address = await window.text(window.get('device-address').first());
  await window.type(`clear; seq 1 3000 | sed s/^/line-/; echo ${address}`);
  await expect.poll(() => window.screen()).toMatch(/line-3000\n/);
  await window.page.keyboard.press('Control+Shift+F');
  await expect(window.get('terminal-search')).toBeFocused();
  await window.page.keyboard.type('LINE-120');
  // line-120 and line-1200 to line-1209, from the end up.
  await window.page.keyboard.press('Enter');
  await expect(window.get('terminal-found')).toHaveText('11 of 11');
  await expect.poll(() => window.screen()).toMatch(/^line-1209$/m);
  await window.page.keyboard.press('Enter');
  await expect(window.get('terminal-found')).toHaveText('10 of 11');
  await window.page.keyboard.press('Shift+Enter');
  await expect(window.get('terminal-found')).toHaveText('11 of 11');
  await window.page.keyboard.press('Shift+Enter');
  await expect(window.get('terminal-found')).toHaveText('1 of 11');
  await expect.poll(() => window.screen()).toMatch(/^line-120$/m);
  await window.get('terminal-search').fill('not there');
  await window.page.keyboard.press('Enter');
  await expect(window.get('terminal-found')).toHaveText('Nothing matches');
  await window.page.keyboard.press('Escape');
  await expect(window.get('terminal-search')).toBeHidden();
  await window.run('Follow the newest link in the terminal');
  await expect(window.panel('config')).toBeVisible();
});

test('what the simulated host has no log and no console of is said', async ({ window }) => {
  await window.bound();
  await window.show('terminal');
  await expect.poll(() => window.screen()).toMatch(/[$#]/);
  await expect(window.get('terminal-open-console')).toBeDisabled();
  await expect(window.get('terminal-open-console')).toHaveAttribute('title', /no machine/);
  await window.get('terminal-open-log').click();
  await expect(window.get('terminal-log-all')).toHaveAttribute('aria-pressed', 'true');
  await expect(window.get('terminal-log-device')).toBeDisabled();
  await expect(window.get('terminal-log-device')).toHaveAttribute('title', /No kernel knows/);
});
