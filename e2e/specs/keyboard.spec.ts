/** By keyboard alone: no click, no focus that a key did not give. (Trace and terminal: in their own specs.) */
import type { Locator } from '@playwright/test';
import type { LabWindow, PanelName } from '../fixtures/lab-window.ts';
import { expect, test } from '../fixtures/test.ts';

/** Furthest that one has to tab from where a panel's shortcut leads. */
const MAX_TABS = 40;

class Hands {
  readonly #window: LabWindow;
  #panel = '';

  constructor(window: LabWindow) {
    this.#window = window;
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.#window.page.keyboard.press(key);
  }

  /** Brings a panel to the front by its shortcut, which moves the focus there in the next frame. */
  async show(name: Exclude<PanelName, 'status'>, key: string): Promise<Locator> {
    const panel = this.#window.panel(name);
    this.#panel = key;
    await this.#home();
    await expect(panel).toBeVisible();
    await expect.poll(() => panel.evaluate((one) => one.contains(document.activeElement))).toBe(true);
    return panel;
  }

  async #home(): Promise<void> {
    await this.press(this.#panel);
    await this.#window.page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
    );
  }

  /** Tabs on from where the focus is; true when it came there. */
  async #tab(to: Locator, key: 'Tab' | 'Shift+Tab'): Promise<boolean> {
    for (let tabs = 0; tabs <= MAX_TABS; tabs++) {
      if (await to.evaluate((element) => element === document.activeElement)) return true;
      await this.press(key);
    }
    return false;
  }

  async tabTo(to: Locator): Promise<void> {
    await expect(to).toBeVisible();
    if (!(await this.#tab(to, 'Tab'))) throw new Error(`${to} is not reached in ${MAX_TABS} tabs`);
  }

  /** Tabs forward or back in the panel until the focus is there. */
  async reach(to: Locator): Promise<void> {
    await expect(to).toBeVisible();
    await this.#home();
    if (await this.#tab(to, 'Tab')) return;
    await this.#home();
    if (!(await this.#tab(to, 'Shift+Tab'))) throw new Error(`${to} is not reached in ${MAX_TABS} tabs`);
  }

  /** Reaches a field and writes over what is in it. */
  async fill(field: Locator, text: string): Promise<void> {
    await this.reach(field);
    await this.press('Control+A');
    await this.#window.page.keyboard.type(text);
  }

  async activate(button: Locator): Promise<void> {
    await this.reach(button);
    await this.press('Enter');
  }
}

test('devices, registers and expert notes', async ({ window }) => {
  test.setTimeout(170_000);
  const hands = new Hands(window);
  await window.bound();

  await test.step('devices: the workload is paced and stopped', async () => {
    await hands.show('devices', 'Alt+1');
    await hands.fill(window.get('workload-rate'), '40');
    await hands.press('Enter');
    await hands.activate(window.get('workload-toggle'));
    await expect(window.get('workload-toggle')).toHaveText('Start');
    await expect(window.devices().first()).toContainText('Idle');
  });

  await test.step('registers: one is found and edited', async () => {
    await hands.show('registers', 'Alt+3');
    await hands.fill(window.get('register-search'), 'AQA');
    await expect(window.get('register-row')).toHaveCount(1);
    await hands.activate(window.page.getByRole('button', { name: 'Edit AQA' }));
    await expect(window.get('register-edit')).toBeFocused();
    await hands.press('Control+A');
    await window.page.keyboard.type('0x00150013');
    await hands.press('Enter');
    await expect(window.registerValue('AQA')).toHaveText(/^0x0015\s?0013$/);
    await hands.fill(window.get('register-search'), ' ');
    await hands.press('Backspace');
  });

  await test.step('experts: from a note to its row', async () => {
    await hands.reach(window.get('access-as'));
    await window.page.keyboard.type('As driver');
    await expect(window.get('access-as')).toHaveValue('driver');
    // Many registers are on the way to the form: a command leads there.
    await window.run('Read or write a register by its offset');
    await expect(window.get('access-offset')).toBeFocused();
    await window.page.keyboard.type('0x1c');
    await hands.tabTo(window.get('access-value'));
    await window.page.keyboard.type('0x1');
    await hands.tabTo(window.get('access-write'));
    await hands.press('Enter');
    const experts = await hands.show('experts', 'Alt+E');
    const group = window.get('expert-group').filter({ hasText: 'Write to a read-only register' });
    // Left out and shown again.
    await hands.activate(window.get('expert-error'));
    await hands.activate(window.get('expert-warning'));
    await hands.activate(window.get('expert-note'));
    await expect(window.get('expert-hidden')).toBeVisible();
    await hands.activate(window.get('expert-hidden').getByRole('button'));
    await hands.activate(group.getByTestId('expert-toggle'));
    await expect(experts).toContainText('Latest rows');
    await hands.activate(group.getByTestId('expert-last'));
    await expect(window.page.locator('[data-testid="trace-row"][data-selected="true"]')).toContainText(
      'CSTS',
    );
  });
});

test.describe('a display', () => {
  test.use({ labArguments: { device: 'protopciem' } });

  test('framebuffer: paused, stepped, and its list opened', async ({ window }) => {
    const hands = new Hands(window);
    await window.bound();
    await hands.show('framebuffer', 'Alt+9');
    await window.grows(window.get('framebuffer-frame'));
    await hands.activate(window.get('framebuffer-pause'));
    await expect(window.get('framebuffer-paused')).toBeVisible();
    const before = await window.number(window.get('framebuffer-frame'));
    await hands.activate(window.get('framebuffer-step'));
    await expect.poll(() => window.number(window.get('framebuffer-frame'))).toBeGreaterThan(before);
    const list = window.get('framebuffer-list');
    const shown = (await list.getAttribute('aria-pressed')) === 'true';
    await hands.activate(list);
    await expect(list).toHaveAttribute('aria-pressed', String(!shown));
    await expect(window.get('framebuffer-source')).toHaveCount(shown ? 0 : 1);
  });
});
