import { everyPanel, type PanelName } from '../fixtures/lab-window.ts';
import { expect, isElectron, test } from '../fixtures/test.ts';

test('layouts are saved by name, loaded and forgotten', async ({ window }) => {
  await window.bound();
  await window.show('config');
  await window.run('Save and load layouts');
  await window.get('layout-name').fill('config first');
  await window.get('layout-save').click();
  await expect(window.get('layout-row')).toHaveCount(1);
  await window.page.keyboard.press('Escape');
  await window.run('Reset the layout');
  await expect(window.panel('config')).toBeHidden();
  // It is a command like any other, and outlives the page.
  await window.page.reload();
  await window.bound();
  await window.run('Layout: config first');
  await expect(window.panel('config')).toBeVisible();
  await window.run('Save and load layouts');
  await window.get('layout-forget').click();
  await expect(window.get('layouts-dialog')).toContainText('No layout is saved');
});

test('a layout without a name, or with too long a one, is not saved', async ({ window }) => {
  await window.run('Save and load layouts');
  const name = window.get('layout-name');
  for (const [typed, said] of [
    ['   ', 'A layout needs a name'],
    ['n'.repeat(41), 'A name has at most 40 characters'],
  ] as const) {
    await name.fill(typed);
    await expect(window.get('layouts-dialog').getByRole('alert')).toHaveText(said);
    await expect(name).toHaveAttribute('aria-invalid', 'true');
    await name.press('Enter');
  }
  await expect(window.get('layout-row')).toHaveCount(0);
});

test('panels are moved, split and gone through by keyboard alone', async ({ window }) => {
  await window.bound();
  const { keyboard } = window.page;
  const groups = () => window.page.locator('.dv-groupview').count();
  const before = await groups();
  await keyboard.press('Alt+4');
  await expect(window.panel('config')).toBeVisible();
  await keyboard.press('Control+Alt+ArrowDown');
  await expect.poll(groups).toBe(before + 1);
  await expect(window.panel('registers')).toBeVisible();
  await expect(window.panel('config')).toBeVisible();
  await window.run('Move the active panel to the previous group');
  await expect.poll(groups).toBe(before);
  await keyboard.press('Alt+6');
  await expect(window.panel('dma')).toBeVisible();
  await keyboard.press('Control+Alt+PageDown');
  await expect(window.panel('terminal')).toBeVisible();
  await keyboard.press('Control+Alt+PageUp');
  await expect(window.panel('dma')).toBeVisible();
});

test('a shortcut is changed, refused where another has it, and taken back', async ({ window }) => {
  await window.bound();
  const { keyboard } = window.page;
  await window.run('Show and change the keyboard shortcuts');
  await window.get('shortcut-search').fill('power on a device');
  const row = window.page.locator('[data-testid="shortcut-row"][data-command="device.powerOn"]');
  await row.getByTestId('shortcut-change').click();
  await keyboard.press('Control+k');
  await expect(row.getByTestId('shortcut-problem')).toHaveText('Ctrl+K is taken by "Find a command"');
  await keyboard.press('Control+Alt+j');
  await expect(row.getByTestId('shortcut-change')).toHaveText('Ctrl+Alt+J');
  await keyboard.press('Escape');
  await expect(window.get('shortcuts')).toBeHidden();
  await window.page.reload();
  await window.bound();
  await keyboard.press('Control+Alt+j');
  await expect(window.get('power-on-dialog')).toBeVisible();
  await keyboard.press('Escape');
  await keyboard.press('Control+Shift+P');
  await expect(window.get('power-on-dialog')).toBeHidden();
  await window.run('Show and change the keyboard shortcuts');
  await window.get('shortcut-search').fill('power on a device');
  await row.getByTestId('shortcut-reset').click();
  await expect(row.getByTestId('shortcut-change')).toHaveText('Ctrl+Shift+P');
});

test('settings take effect at once and are kept', async ({ window }) => {
  await window.bound();
  await window.page.keyboard.press('Control+,');
  await window.get('setting-theme-light').check();
  await window.get('setting-sizes-decimal').check();
  await window.page.keyboard.press('Escape');
  const root = window.page.locator('html');
  await expect(root).toHaveAttribute('data-theme', 'light');
  await expect(window.get('dma-row').filter({ hasText: '4.10 kB' }).first()).toBeVisible();
  await window.page.reload();
  await expect(root).toHaveAttribute('data-theme', 'light');
  await expect(window.get('status-dma')).toHaveText(/[kM]?B\/s$/);
});

test('a link opens its panel and its device', async ({ window, lab, openWindow }) => {
  test.skip(isElectron, 'of the headless shell only');
  await window.bound();
  await window.run('Power on a device');
  await window.get('model-scratch').click();
  await window.get('power-on-confirm').click();
  await expect(window.devices()).toHaveCount(2);
  await window.page.keyboard.press('Alt+4');
  await expect(window.panel('config')).toBeVisible();
  await window.run('Copy a link to the active panel');
  const link = await window.page.evaluate(() => navigator.clipboard.readText());
  expect(link).toBe(`http://127.0.0.1:${lab.port}/#panel=config&device=Scratch+card`);
  await window.run('Reset the layout');
  const other = await openWindow(link);
  await expect(other.panel('config')).toBeVisible();
  await expect(other.panel('config').getByTestId('device-select')).toHaveValue('2');
  for (const panel of [...everyPanel, 'config'] as const) {
    await other.page.evaluate((hash) => {
      location.hash = hash;
    }, `#panel=${panel}&device=NVMe+disk`);
    await expect(other.panel(panel)).toBeVisible();
    await other.run('Copy a link to the active panel');
    expect(await other.page.evaluate(() => navigator.clipboard.readText())).toContain(`#panel=${panel}&`);
  }
  await expect(other.panel('config').getByTestId('device-select')).toHaveValue('1');
  await other.page.evaluate(() => {
    location.hash = '#panel=oscilloscope';
  });
  await expect(other.toast('names a panel "oscilloscope"')).toBeVisible();
});

test('every panel copies as text', async ({ window }) => {
  await window.bound();
  const clipboard = () => window.page.evaluate(() => navigator.clipboard.readText());
  const shown: Record<Exclude<PanelName, 'status' | 'framebuffer'>, RegExp> = {
    devices: /NVMe disk\t.*0000:01:00\.0\tinitiator/,
    registers: /BAR 0\t0x0014\tCC\t0x00460001/,
    config: /Vendor ID\t0x1f0c/,
    interrupts: /vector 1\tI\/O queue 1\t\d+\tenabled/,
    dma: /DMA (read|write)\t0x/,
    disk: /Serial number\t/,
    trace: /NVMe disk\tDMA [RW]\t0x/,
    terminal: /copied-42-whole/,
    experts: /^warning\tWrite to a read-only register\t/m,
    log: /info Copied /,
  };
  // A note for the expert notes.
  await window.get('access-as').selectOption('driver');
  await window.get('access-offset').fill('0x1c');
  await window.get('access-value').fill('0x1');
  await window.get('access-write').click();
  const copies = async (name: Exclude<PanelName, 'status'>, text: RegExp) => {
    await window.show(name);
    await window.page.waitForFunction(
      (id) => document.querySelector(`[data-testid="panel-${id}"] .empty`) === null,
      name,
    );
    if (name === 'terminal') await window.type('echo copied-$((6*7))-whole');
    await expect(async () => {
      await window.run('Copy the active panel as text');
      expect(await clipboard()).toMatch(text);
    }, name).toPass({ timeout: 15_000 });
  };
  for (const [name, text] of Object.entries(shown)) await copies(name as keyof typeof shown, text);
  await window.run('Power on a device');
  await window.get('model-protopciem').click();
  await window.get('power-on-confirm').click();
  await expect(window.devices()).toHaveCount(2);
  await copies('framebuffer', /^Mode\t\d+ × \d+ \w+\nFrame\t.*\nRate\t.*\nPitch\t/m);
});

test('the DMA panel copies the part that is shown, and says where it is cut', async ({ window }) => {
  await window.bound();
  await window.show('dma');
  const copied = async () => {
    await window.get('copy-dma').click();
    return window.page.evaluate(() => navigator.clipboard.readText());
  };
  await expect.poll(() => window.number(window.get('dma-total'))).toBeGreaterThan(1500);
  expect(await copied()).toMatch(/\nThese are the newest [\d,]+ of [\d,]+ transfers$/);
  await window.get('dma-part').selectOption('mappings');
  await expect(window.get('mapping').first()).toBeVisible();
  expect(await copied()).toMatch(/^0x[\da-f]+\t[\d.]+ [KM]?i?B\t(both|to device|from device)\t/);
  await window.get('dma-part').selectOption('prp');
  await window.get('prp1').fill('0x1000');
  expect(await copied()).toBe('PRP1 0x1000\tPRP2 0x0\tLength 4096');
  await window.get('walk-by').selectOption('sgl');
  await window.get('sgl-address').fill('0x2000');
  expect(await copied()).toBe('SGL1 Data Block 0x2000, 16 bytes\tLength 4096');
  await window.addCard();
  await window.show('dma');
  await window.panel('dma').getByTestId('device-select').selectOption({ label: 'NVMe disk' });
  await window.get('dma-part').selectOption('peers');
  await expect(window.get('peer-window')).toHaveCount(2);
  expect(await copied()).toMatch(
    /^ProtoPCIem card, BAR2\t0x[\da-f]+\t1 MiB\nProtoPCIem card, BAR0\t0x[\da-f]+\t64 KiB$/,
  );
});

test('a panel that is not on the screen asks the lab for nothing, and is current once it is', async ({
  window,
}) => {
  test.skip(isElectron, 'reads what the page sends');
  const sent: { call?: string; params?: { device?: number } }[] = [];
  window.page.on('websocket', (socket) =>
    socket.on('framesent', ({ payload }) => sent.push(JSON.parse(`${payload}`))),
  );
  await window.page.reload();
  await window.bound();
  const calls = (name: string) => sent.filter(({ call }) => call === name).length;
  const goesOn = (name: string) => {
    const before = calls(name);
    return expect.poll(() => calls(name), name).toBeGreaterThan(before + 3);
  };
  const hidden: Partial<Record<PanelName, string>> = {
    disk: 'disk.inspect',
    config: 'config.read',
    experts: 'trace.experts',
    terminal: 'terminal.open',
    dma: 'dma.list',
    interrupts: 'interrupts.list',
    registers: 'bars.read',
  };
  await goesOn('trace.rows');
  expect(calls('terminal.open'), 'a shell that nobody has looked at').toBe(0);
  for (const [name, call] of Object.entries(hidden)) {
    await window.show(name as Exclude<PanelName, 'status'>);
    await expect.poll(() => calls(call), call).toBeGreaterThan(0);
  }
  await window.show('log');
  await window.show('trace');
  await window.run('Maximize or restore the active panel');
  for (const name of Object.keys(hidden)) await expect(window.panel(name as PanelName)).toBeHidden();
  sent.length = 0;
  for (let times = 0; times < 5; times++) await goesOn('trace.rows');
  for (const [name, call] of Object.entries(hidden)) expect(calls(call), name).toBe(0);
  await window.run('Raise vector 1 of');
  await window.run('Maximize or restore the active panel');
  await expect(window.vector(1).count).not.toHaveText('0');
  await goesOn('interrupts.list');
});

test.describe('a card with a picture', () => {
  test.use({ labArguments: { device: 'protopciem' } });

  test('its picture comes only while the panel is on the screen', async ({ window }) => {
    test.skip(isElectron, 'reads what the page sends');
    const watched: number[] = [];
    window.page.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => {
        const { call, params } = JSON.parse(`${payload}`);
        if (call === 'display.watch') watched.push(params.device);
      }),
    );
    await window.page.reload();
    await window.bound();
    await window.show('framebuffer');
    await window.grows(window.get('framebuffer-frame'));
    expect(watched.at(-1)).toBe(1);
    await window.show('trace');
    await expect.poll(() => watched.at(-1)).toBe(0);
    await window.show('framebuffer');
    await window.grows(window.get('framebuffer-frame'));
    // One that stands still stays as it is.
    await window.get('framebuffer-pause').click();
    await expect(window.get('framebuffer-paused')).toBeVisible();
    const canvas = window.get('framebuffer-canvas');
    const frame = await canvas.getAttribute('data-frame');
    const before = watched.length;
    await window.show('trace');
    await window.grows(window.get('trace-count'));
    await window.show('framebuffer');
    expect(watched.length).toBe(before);
    await expect(canvas).toHaveAttribute('data-frame', `${frame}`);
  });
});

test('a command of a panel behind another tab, or of a closed one, brings it to the front and leads to its field', async ({
  window,
}) => {
  await window.bound();
  const { keyboard } = window.page;
  await window.show('disk');
  await expect(window.panel('trace')).toBeHidden();
  await keyboard.press('Control+G');
  await keyboard.type('12');
  await expect(window.get('trace-goto')).toBeFocused();
  await expect(window.get('trace-goto')).toHaveValue('12');
  const fields = [
    ['trace', 'Filter the trace', 'trace-filter'],
    ['trace', 'Search in the trace', 'trace-search'],
    ['registers', 'Search the registers', 'register-search'],
    ['registers', 'Read or write a register by its offset', 'access-offset'],
    ['log', 'Search the log', 'log-search'],
  ] as const;
  for (const [panel, command, field] of fields) {
    for (const other of ['disk', 'config', 'dma'] as const) await window.show(other);
    await expect(window.panel(panel)).toBeHidden();
    await window.run(command);
    await expect(window.get(field), command).toBeFocused();
    await window.run('Close the active panel');
    await expect(window.get(`tab-${panel}`)).toHaveCount(0);
    await window.run(command);
    await expect(window.get(field), `${command}, closed`).toBeFocused();
  }
  // One that does something to the rows shows them.
  await window.show('disk');
  await window.run('Next row with an expert note');
  await window.run('Trace: columns');
  await expect(window.get('trace-columns-menu')).toBeVisible();
  await keyboard.press('Escape');
  await window.show('disk');
  await window.run('Copy the selected trace rows, or those in view');
  await expect(window.toast(/Copied \d+ trace rows/)).toBeVisible();
  const copied = await window.page.evaluate(() => navigator.clipboard.readText());
  expect(copied.split('\n').length).toBeGreaterThan(5);
});

test('what a command leads to is shown, also where another panel is maximized', async ({ window }) => {
  await window.bound();
  await window.show('trace');
  await window.run('Maximize or restore the active panel');
  await expect(window.panel('dma')).toBeHidden();
  await window.run('DMA: show mappings');
  await expect(window.panel('dma')).toBeVisible();
  await expect(window.get('dma-part')).toHaveValue('mappings');
});

test('what a button of a tool bar does is a command', async ({ window }) => {
  await window.bound();
  await window.addCard();
  const used = new Set<string>();
  for (const name of everyPanel) {
    if (name === 'disk') await window.devices().first().click();
    const panel = await window.show(name);
    if (name === 'config') await window.run('Compare configuration space with power-on');
    const buttons = await panel
      .locator('.panel-bar button')
      .evaluateAll((all) =>
        all.map((one) => [(one as HTMLElement).dataset.runs ?? '', one.outerHTML.slice(0, 120)] as const),
      );
    for (const [command, html] of buttons) {
      expect(command, `${name}: ${html}`).not.toBe('');
      used.add(command);
    }
  }
  expect(used.size).toBeGreaterThan(45);
  await window.page.keyboard.press('Control+K');
  await expect(window.get('palette-item').first()).toBeVisible();
  const known = await window
    .get('palette-item')
    .evaluateAll((items) => items.map((item) => (item as HTMLElement).dataset.command));
  expect([...used].filter((command) => !known.includes(command))).toEqual([]);
});

test('what panels offer is reached from the palette, behind another tab too', async ({ window }) => {
  await window.bound();
  const { keyboard } = window.page;
  await window.run('NVMe disk: health');
  await expect(window.get('disk-view-health')).toHaveAttribute('aria-selected', 'true');
  await window.show('log');
  await window.run('DMA: show mappings');
  await expect(window.get('mapping').first()).toBeVisible();
  await window.run('DMA: show transfers');
  await window.run('Pause or resume the DMA list');
  await expect(window.get('dma-pause')).toHaveText('Resume');
  await window.show('log');
  await window.run('Go to the newest DMA transfer');
  await expect(window.get('dma-pause')).toHaveText('Pause');
  await window.show('log');
  await window.run('Read memory at an address');
  await expect(window.get('memory-address')).toBeFocused();
  await window.run('Write bytes to memory');
  await expect(window.get('memory-bytes')).toBeFocused();
  await window.show('config');
  await window.run('Show the bytes of the BAR');
  await expect(window.byte('bar-byte', 0)).toBeVisible();
  await window.run('Show the bytes of the BAR');
  await window.register('CC').getByTestId('register-value').focus();
  await window.run('Watch the register that has the focus');
  await window.run('Show the watched registers');
  await expect(window.get('bar-select')).toHaveValue('watch');
  await expect(window.get('register-row')).toHaveCount(1);
  await window.run('Show the registers of BAR 0');
  await expect(window.get('bar-select')).toHaveValue('0');
  await window.run('Access registers as driver');
  await expect(window.get('access-as')).toHaveValue('driver');
  await window.run('Write configuration space as driver');
  await window.run('Compare configuration space with power-on');
  await expect(window.get('config-as')).toHaveValue('driver');
  await expect(window.get('config-differences')).toBeVisible();
  await window.run('Forget the snapshot');
  await expect(window.toast('Compare with the snapshot')).toBeVisible();
  await window.run('Keep a snapshot of configuration space');
  await window.run('Choose what configuration space is compared with');
  await expect(window.get('config-compare')).toBeFocused();
  await keyboard.press('End');
  await expect(window.get('config-compare')).toHaveValue(/^snapshot:/);
  await window.run('Forget the snapshot');
  await expect(window.get('config-compare')).toHaveValue('');
  await window.run('Show or leave out expert notes: notes');
  await window.show('experts');
  await expect(window.get('expert-note')).toHaveAttribute('aria-pressed', 'false');
  await window.run('Show the rows with an expert note alone');
  await expect(window.get('trace-filter')).toHaveValue('expert');
  await window.run('Show or leave out in the log: info');
  await window.show('log');
  await expect(window.get('log-show-info')).toHaveAttribute('aria-pressed', 'false');
});
