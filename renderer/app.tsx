import { Command as CommandIcon, X } from 'lucide-react';
import { Menubar } from 'radix-ui';
import { Fragment, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { commands } from './app-commands.ts';
import { hotkeyText, isTyping, matchesHotkey } from './commands/hotkeys.ts';
import { isMac, Palette, useCommands } from './commands/palette.tsx';
import { Dock } from './dock/dock.tsx';
import { panelIds } from './dock/panels.tsx';
import { PowerOnDialog } from './panels/devices/power-on.tsx';
import { LayoutsDialog } from './settings/layouts-dialog.tsx';
import { SettingsDialog } from './settings/settings-dialog.tsx';
import { ShortcutsDialog } from './settings/shortcuts-dialog.tsx';
import { dismissNotice, notices } from './state/notices.ts';
import { settings } from './state/settings.ts';
import { ui } from './state/ui.ts';
import { ConnectionBanner, HealthBanner, StatusBar } from './status.tsx';
import { applyTheme, densities, themes } from './theme/theme.ts';
import { setFormats } from './ui/format.ts';
import { Button } from './ui/parts.tsx';
import './app.css';

interface MenuEntry {
  readonly command?: string;
  readonly line?: true;
  readonly label?: string;
  readonly checked?: boolean;
  readonly title?: string;
}

function Menu({ title, entries }: { title: string; entries: readonly MenuEntry[] }) {
  return (
    <Menubar.Menu>
      <Menubar.Trigger className="menu-trigger" data-testid={`menu-${title.toLowerCase()}`}>
        {title}
      </Menubar.Trigger>
      <Menubar.Portal>
        <Menubar.Content className="menu" align="start" sideOffset={4}>
          {entries.map((entry, at) => {
            // biome-ignore lint/suspicious/noArrayIndexKey: the menu is the same list each time
            if (entry.line) return <Menubar.Separator key={at} className="menu-line" />;
            if (entry.label !== undefined) {
              return (
                <Menubar.Label key={entry.label} className="menu-label">
                  {entry.label}
                </Menubar.Label>
              );
            }
            const command = commands.get(entry.command!);
            if (command === undefined) return <Fragment key={entry.command} />;
            return (
              <Menubar.Item
                key={command.id}
                className="menu-item"
                data-command={command.id}
                disabled={command.enabled?.() === false}
                onSelect={() => setTimeout(() => void commands.run(command.id))}
              >
                {entry.checked !== undefined && <span className="check">{entry.checked ? '✓' : ''}</span>}
                <span className="grow">{entry.title ?? command.title}</span>
                {command.hotkeys?.[0] !== undefined && <kbd>{hotkeyText(command.hotkeys[0], isMac)}</kbd>}
              </Menubar.Item>
            );
          })}
        </Menubar.Content>
      </Menubar.Portal>
    </Menubar.Menu>
  );
}

function TitleBar() {
  useCommands();
  const theme = useStore(settings, (state) => state.theme);
  const density = useStore(settings, (state) => state.density);
  return (
    <header className="title-bar">
      <h1>PCIem Lab</h1>
      <Menubar.Root style={{ display: 'flex' }} aria-label="Menus">
        <Menu
          title="Lab"
          entries={[
            { command: 'palette.open' },
            { command: 'lab.reconnect' },
            { command: 'lab.restart' },
            { command: 'settings.open' },
            { line: true },
            { command: 'log.clear' },
          ]}
        />
        <Menu
          title="Device"
          entries={[
            { command: 'device.powerOn' },
            { line: true },
            { command: 'device.powerOff' },
            { command: 'device.surpriseRemove' },
            { command: 'device.reset' },
            { command: 'device.duplicate' },
            { line: true },
            { command: 'device.next' },
            { command: 'device.workload' },
          ]}
        />
        <Menu
          title="View"
          entries={[
            ...panelIds.map((id) => ({ command: `view.${id}` })),
            { line: true },
            { command: 'layout.maximize' },
            { command: 'layout.float' },
            { command: 'layout.manage' },
            { command: 'layout.reset' },
            { line: true },
            { command: 'panel.copy' },
            { command: 'panel.link' },
            { line: true },
            { label: 'Theme' },
            ...themes.map(({ id, title }) => ({ command: `theme.${id}`, checked: theme === id, title })),
            { label: 'Density' },
            ...densities.map(({ id, title }) => ({
              command: `density.${id}`,
              checked: density === id,
              title,
            })),
          ]}
        />
        <Menu title="Help" entries={[{ command: 'help.shortcuts' }, { command: 'help.panels' }]} />
      </Menubar.Root>
      <span className="grow" />
      <Button className="palette-button" onClick={() => ui.setState({ palette: true })} testId="palette-open">
        <span style={{ display: 'inline-flex', gap: 6, alignItems: 'center' }}>
          <CommandIcon /> Commands
        </span>
        <kbd>{hotkeyText('Mod+K', isMac)}</kbd>
      </Button>
    </header>
  );
}

const SHOWN_FOR = { info: 2500, warning: 8000, error: 12_000 } as const;

function Toast({ id }: { id: number }) {
  const notice = useStore(notices, (state) => state.all.find((one) => one.id === id));
  const [held, setHeld] = useState(false);
  const level = notice?.level ?? 'info';
  const times = notice?.times;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same text again starts the time anew
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => dismissNotice(id), SHOWN_FOR[level]);
    return () => clearTimeout(timer);
  }, [id, level, held, times]);
  if (notice === undefined) return null;
  return (
    <div
      className="toast"
      data-level={notice.level}
      data-testid="toast"
      role={notice.level === 'error' ? 'alert' : 'status'}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
    >
      <div className="grow">
        <p>
          {notice.text}
          {notice.times > 1 && <span className="dim"> ({notice.times} times)</span>}
        </p>
        {notice.hint !== '' && <p className="dim">{notice.hint}</p>}
      </div>
      <Button kind="icon quiet" aria-label="Dismiss" onClick={() => dismissNotice(id)}>
        <X />
      </Button>
    </div>
  );
}

function Toasts() {
  const floating = useStore(notices, (state) => state.floating);
  return (
    <div className="toasts">
      {floating.map((id) => (
        <Toast key={id} id={id} />
      ))}
    </div>
  );
}

commands.register(
  {
    id: 'palette.open',
    title: 'Find a command',
    group: 'Lab',
    hotkeys: ['!Mod+K', '!F1'],
    run: () => ui.setState((state) => ({ palette: !state.palette })),
  },
  {
    id: 'settings.open',
    title: 'Open the settings',
    group: 'Lab',
    hotkeys: ['!Mod+,'],
    run: () => ui.setState({ settings: true }),
  },
  {
    id: 'layout.manage',
    title: 'Save and load layouts',
    group: 'View',
    run: () => ui.setState({ layouts: true }),
  },
  {
    id: 'help.shortcuts',
    title: 'Show and change the keyboard shortcuts',
    group: 'Help',
    run: () => ui.setState({ shortcuts: true }),
  },
  {
    id: 'help.panels',
    title: 'Show or hide the help line of every panel',
    group: 'Help',
    run: () =>
      settings.setState((state) => {
        const show = !panelIds.every((id) => state.help[id]);
        return { help: Object.fromEntries(panelIds.map((id) => [id, show])) };
      }),
  },
  ...themes.map(({ id, title }) => ({
    id: `theme.${id}`,
    title: `Theme: ${title.toLowerCase()}`,
    group: 'View',
    run: () => settings.setState({ theme: id }),
  })),
  ...densities.map(({ id, title }) => ({
    id: `density.${id}`,
    title: `Density: ${title.toLowerCase()}`,
    group: 'View',
    run: () => settings.setState({ density: id }),
  })),
);

function useHotkeys(): void {
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      // Lent to a machine, keys are that machine's.
      if (event.target instanceof Element && event.target.closest('[data-captured]') !== null) return;
      // Keys that are to become a shortcut.
      if (event.target instanceof Element && event.target.closest('[data-recording="true"]') !== null) return;
      // A shell needs its Ctrl keys; only the palette is everywhere.
      const inTerminal = event.target instanceof Element && event.target.closest('.xterm') !== null;
      const forShell = inTerminal && event.ctrlKey && !event.shiftKey && !event.altKey;
      if (forShell && event.key.toLowerCase() !== 'k') return;
      const typing = isTyping(event.target);
      for (const command of commands.list()) {
        if (!command.hotkeys?.some((key) => matchesHotkey(key, event, typing, isMac))) continue;
        event.preventDefault();
        event.stopPropagation();
        void commands.run(command.id);
        return;
      }
    };
    window.addEventListener('keydown', listener, { capture: true });
    return () => window.removeEventListener('keydown', listener, { capture: true });
  }, []);
}

export function App() {
  const theme = useStore(settings, (state) => state.theme);
  const density = useStore(settings, (state) => state.density);
  applyTheme(theme, density);
  const format = useStore(settings, ({ groupDigits, sizes }) => `${groupDigits} ${sizes}`);
  const own = useStore(settings, (state) => state.hotkeys);
  useEffect(() => commands.setHotkeys(own), [own]);
  setFormats(settings.getState());
  useHotkeys();
  return (
    <>
      <TitleBar />
      <ConnectionBanner />
      <HealthBanner />
      <Dock key={format} />
      <StatusBar />
      <Toasts />
      <Palette />
      <PowerOnDialog />
      <ShortcutsDialog />
      <SettingsDialog />
      <LayoutsDialog />
    </>
  );
}
