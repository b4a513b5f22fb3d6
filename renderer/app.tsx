import { Command as CommandIcon, X } from 'lucide-react';
import { Menubar } from 'radix-ui';
import { Fragment, useEffect, useRef, useState } from 'react';
import { useStore } from 'zustand';
import type { DeviceSummary } from '#contract/devices.ts';
import { commands } from './app-commands.ts';
import { hotkeyText, isTyping, matchesHotkey } from './commands/hotkeys.ts';
import { isMac, Palette, useCommands } from './commands/palette.tsx';
import { Dock } from './dock/dock.tsx';
import { panelIds } from './dock/panels.tsx';
import { PowerOnDialog } from './panels/devices/power-on.tsx';
import { LayoutsDialog } from './settings/layouts-dialog.tsx';
import { SettingsDialog } from './settings/settings-dialog.tsx';
import { ShortcutsDialog } from './settings/shortcuts-dialog.tsx';
import { devicesLive, lab, stats } from './state/lab.ts';
import { dismissNotice, notices } from './state/notices.ts';
import { settings } from './state/settings.ts';
import { ui } from './state/ui.ts';
import { applyTheme, densities, themes } from './theme/theme.ts';
import { bytes, count, rate, setFormats } from './ui/format.ts';
import { Button, LiveText, useLiveDraw } from './ui/parts.tsx';
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

function Banner() {
  const connection = useStore(lab, (state) => state.connection);
  const known = useStore(lab, (state) => state.hello !== undefined);
  const [now, setNow] = useState(Date.now());
  const waiting = connection.kind === 'waiting';
  useEffect(() => {
    if (!waiting) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [waiting]);
  if (connection.kind === 'connected' || (connection.kind === 'connecting' && !known)) return null;
  const seconds = waiting ? Math.max(0, Math.ceil((connection.retryAt - now) / 1000)) : 0;
  return (
    <div className="banner" role="status" data-kind={connection.kind} data-testid="connection-banner">
      <span className="grow">
        {connection.kind === 'connecting'
          ? 'Connecting again. What is shown is the last known state.'
          : connection.kind === 'waiting'
            ? `${connection.reason.replace(/\.$/, '')}. ${known ? 'What is shown is the last known state. ' : ''}Trying again${
                seconds > 0 ? ` in ${seconds} s` : ''
              }.`
            : connection.reason}
      </span>
      <Button onClick={() => void commands.run('lab.reconnect')}>Connect now</Button>
    </div>
  );
}

function StatusBar() {
  const connection = useStore(lab, (state) => state.connection.kind);
  const hello = useStore(lab, (state) => state.hello);
  const missed = useRef<HTMLSpanElement>(null);
  useLiveDraw(stats, (value) => {
    if (missed.current !== null) missed.current.dataset.warn = `${(value?.missed ?? 0) > 0}`;
  });
  const words = {
    connected: 'Connected',
    connecting: 'Connecting',
    waiting: 'Disconnected',
    refused: 'Refused',
  };
  return (
    <footer className="status-bar" data-testid="panel-status">
      <span
        className="status-connection"
        data-kind={connection}
        data-testid="status-connection"
        role="status"
      >
        {words[connection]}
      </span>
      <span title={hello?.host.detail} data-testid="status-host">
        {hello?.host.title ?? 'No lab'}
      </span>
      <LiveText live={devicesLive} text={driverText} className="status-driver" testId="status-driver" />
      <span className="grow" />
      <span className="status-figure">
        Events{' '}
        <LiveText
          live={stats}
          testId="status-events"
          text={(v) => rate(v?.eventsPerSecond ?? 0, '')}
          title={(v) => `${count(v?.events ?? 0)} events so far`}
        />
      </span>
      <span className="status-figure">
        Interrupts{' '}
        <LiveText live={stats} testId="status-irq" text={(v) => rate(v?.interruptsPerSecond ?? 0, '')} />
      </span>
      <span className="status-figure">
        DMA{' '}
        <LiveText
          live={stats}
          testId="status-dma"
          text={(v) => `${bytes(Math.round(v?.dmaBytesPerSecond ?? 0))}/s`}
        />
      </span>
      <span className="status-figure">
        Trace{' '}
        <LiveText
          live={stats}
          testId="status-rows"
          text={(v) => `${count(v?.traceRows ?? 0)} rows`}
          title={(v) => `${bytes(v?.traceBytes ?? 0)} of memory`}
        />
      </span>
      <span className="status-figure" ref={missed}>
        Missed <LiveText live={stats} testId="status-missed" text={(v) => count(v?.missed ?? 0)} />
      </span>
    </footer>
  );
}

function driverText(devices: readonly DeviceSummary[]): string {
  if (devices.length === 0) return 'No device';
  const bound = devices.filter((device) => device.driver !== '');
  if (devices.length === 1) {
    const device = devices[0]!;
    return `${device.address || device.title}: ${device.driver === '' ? 'no driver bound' : `driver ${device.driver}`}`;
  }
  return `${devices.length} devices, ${bound.length} with a driver bound`;
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
      <Banner />
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
