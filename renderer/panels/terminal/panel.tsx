import '@xterm/xterm/css/xterm.css';
import { ChevronDown, ChevronUp, Plus, Search, X } from 'lucide-react';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { commands } from '#renderer/app-commands.ts';
import { goToPart } from '#renderer/dock/focus.ts';
import { deviceName, type LabState, lab, selectedDevice } from '#renderer/state/lab.ts';
import { addNotice } from '#renderer/state/notices.ts';
import { count } from '#renderer/ui/format.ts';
import { Button, Empty, Panel, useConnected, useSelectedDevice } from '#renderer/ui/parts.tsx';
import { useShown } from '#renderer/ui/shown.ts';
import {
  clearSearch,
  closeTerminal,
  type Found,
  findInTerminal,
  focusTerminal,
  follow,
  narrowLog,
  newestLink,
  openTerminal,
  type Session,
  screen,
  sessions,
  terminalText,
} from './sessions.ts';
import './terminal.css';

function Screen({ id }: { id: number }) {
  const host = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const made = screen(id);
    const parent = host.current;
    if (made === undefined || parent === null) return;
    parent.append(made.element);
    if (made.xterm.element === undefined) made.xterm.open(made.element);
    const resize = () => {
      if (parent.clientHeight > 20 && parent.clientWidth > 40) made.fit.fit();
    };
    resize();
    // The font decides the size of a cell; it may not be there yet.
    void document.fonts?.ready.then(resize);
    const observer = new ResizeObserver(resize);
    observer.observe(parent);
    return () => {
      observer.disconnect();
      made.element.remove();
    };
  }, [id]);
  return <div ref={host} className="terminal-host" data-testid="terminal-screen" />;
}

function SearchField({ id }: { id: number }) {
  const [found, setFound] = useState<Found | undefined>(undefined);
  const input = useRef<HTMLInputElement>(null);
  const find = (forward: boolean) => setFound(findInTerminal(id, input.current?.value ?? '', forward));
  const close = () => {
    clearSearch(id);
    sessions.setState({ searching: false });
    focusTerminal(id);
  };
  return (
    <search
      className="terminal-search"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        close();
      }}
    >
      <input
        ref={input}
        className="input mono"
        aria-label="Search in the terminal"
        placeholder="Search upwards"
        data-testid="terminal-search"
        onChange={() => setFound(undefined)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') find(event.shiftKey);
        }}
      />
      <Button
        kind="icon quiet"
        aria-label="Match above"
        title="Match above (Enter)"
        onClick={() => find(false)}
        testId="terminal-find-previous"
      >
        <ChevronUp />
      </Button>
      <Button
        kind="icon quiet"
        aria-label="Match below"
        title="Match below (Shift+Enter)"
        onClick={() => find(true)}
        testId="terminal-find-next"
      >
        <ChevronDown />
      </Button>
      <span role="status" className={found?.total === 0 ? 'error-text' : 'dim'} data-testid="terminal-found">
        {found === undefined
          ? ''
          : found.total === 0
            ? 'Nothing matches'
            : `${count(found.number)} of ${count(found.total)}`}
      </span>
      <Button
        kind="icon quiet"
        aria-label="Close the search"
        title="Close the search (Escape)"
        onClick={close}
      >
        <X />
      </Button>
    </search>
  );
}

/** Why the serial console cannot be read; empty: it can. */
function noConsole({ hello }: LabState): string {
  if (hello === undefined || hello.abilities.serialConsole) return '';
  return hello.host.kind === 'sim'
    ? 'The simulated host has no machine, and so no serial console.'
    : 'The devices are on the machine of the lab itself, which has no outside to read its console from; a guest has one.';
}

/** Why a kernel log cannot be of one device; empty: it can. */
function noLogOfOne({ hello }: LabState, device: number | undefined): string {
  if (hello?.host.kind === 'sim') return 'No kernel knows the devices of the simulated host.';
  return device === undefined ? 'No device is selected.' : '';
}

/** Whether the log in front is of the selected device, or of everything. */
function LogChoice({ session }: { session: Session }) {
  const device = useSelectedDevice();
  const connected = useConnected();
  const cannot = useStore(lab, (state) => noLogOfOne(state, device?.id));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div className="terminal-choice" role="group" aria-label="Lines of the kernel log">
      <Button
        aria-pressed={session.device !== undefined && session.device === device?.id}
        title={cannot || `Lines that name ${device?.name}'s address, its driver or pciem`}
        disabled={!connected || cannot !== ''}
        onClick={() => void narrowLog(session.key, device?.id)}
        testId="terminal-log-device"
      >
        This device
      </Button>
      <Button
        aria-pressed={session.device === undefined}
        title="All that the kernel says"
        disabled={!connected}
        onClick={() => void narrowLog(session.key, undefined)}
        testId="terminal-log-all"
      >
        All
      </Button>
    </div>
  );
}

export function TerminalPanel() {
  const all = useStore(sessions, (state) => state.all);
  const active = useStore(sessions, (state) => state.active);
  const searching = useStore(sessions, (state) => state.searching);
  const able = useStore(lab, (state) => state.hello?.abilities.terminal === true);
  const host = useStore(lab, (state) => state.hello?.host.title ?? '');
  const connected = useConnected();
  const unreadable = useStore(lab, noConsole);
  const shown = useShown();
  useEffect(() => {
    // Looking at the panel is asking for a shell.
    if (shown && able && connected && sessions.getState().all.length === 0) void openTerminal('shell', false);
  }, [shown, able, connected]);
  const front = all.find((session) => session.key === active);
  const ended = front?.ended === true;
  return (
    <Panel
      name="terminal"
      title="Terminal"
      {...(active === 0 ? {} : { copy: () => terminalText(active) })}
      help={
        <>
          A shell where the device lives: {host || 'the lab'}. All keys go to the shell but <kbd>Ctrl+K</kbd>{' '}
          or <kbd>F1</kbd> for the commands and <kbd>F6</kbd> for the next panel; <kbd>Ctrl+Shift+C</kbd> and{' '}
          <kbd>Ctrl+Shift+V</kbd> copy and paste, <kbd>Ctrl+Shift+F</kbd> searches. Addresses of pages, PCI
          addresses of devices and names of registers are links. The kernel log is of everything or of the
          selected device; a guest also has its serial console, which goes on to the last word of its kernel.
          Copy as text takes what is selected, or all that the terminal holds.
        </>
      }
      tools={
        able && (
          <>
            {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms */}
            <div className="terminal-tabs" role="group" aria-label="Terminals">
              {all.map((session) => (
                <span key={session.key} className="terminal-tab" data-active={session.key === active}>
                  <button
                    type="button"
                    aria-pressed={session.key === active}
                    data-testid="terminal-tab"
                    data-runs="terminal.next"
                    onClick={() => {
                      sessions.setState({ active: session.key });
                      focusTerminal(session.key);
                    }}
                  >
                    {session.title}
                    {session.device !== undefined && ` of ${deviceName(session.device)}`}
                    {session.ended && <span className="dim"> (ended)</span>}
                  </button>
                  <button
                    type="button"
                    aria-label={`Close ${session.title}`}
                    title={`Close ${session.title}`}
                    data-runs="terminal.close"
                    onClick={() => closeTerminal(session.key)}
                  >
                    <X aria-hidden />
                  </button>
                </span>
              ))}
            </div>
            <Button kind="quiet" command="terminal.shell" disabled={!connected} testId="terminal-open">
              <Plus /> Shell
            </Button>
            <Button
              kind="quiet"
              command="terminal.kernelLog"
              disabled={!connected}
              testId="terminal-open-log"
            >
              <Plus /> Kernel log
            </Button>
            <Button
              kind="quiet"
              command="terminal.console"
              disabled={!connected || unreadable !== ''}
              title={unreadable || 'What the guest writes to its serial port, read only'}
              testId="terminal-open-console"
            >
              <Plus /> Serial console
            </Button>
            {front?.kind === 'kernel-log' && <LogChoice key={front.key} session={front} />}
            <Button
              kind="icon quiet"
              aria-label="Search in the terminal"
              aria-pressed={searching}
              title="Search in the terminal (Ctrl+Shift+F)"
              command="terminal.find"
              disabled={active === 0}
              onClick={() =>
                searching ? sessions.setState({ searching: false }) : void commands.run('terminal.find')
              }
              testId="terminal-search-open"
            >
              <Search />
            </Button>
            {ended && (
              <Button
                disabled={!connected}
                command="terminal.shell"
                onClick={() => {
                  closeTerminal(active);
                  void openTerminal('shell');
                }}
              >
                Open a new shell
              </Button>
            )}
          </>
        )
      }
    >
      {!able ? (
        <Empty>
          This lab offers no terminal. One started with a terminal has a shell here, where the device lives.
        </Empty>
      ) : active === 0 ? (
        <Empty action={<Button onClick={() => void openTerminal('shell')}>Open a shell</Button>}>
          No terminal is open.
        </Empty>
      ) : (
        <>
          {searching && <SearchField key={`search ${active}`} id={active} />}
          <Screen key={active} id={active} />
        </>
      )}
    </Panel>
  );
}

const isOpen = () => sessions.getState().active !== 0;
const logInFront = () => {
  const { all, active } = sessions.getState();
  return all.find(({ key, kind }) => key === active && kind === 'kernel-log');
};
const able = () => lab.getState().hello?.abilities.terminal === true;
commands.register(
  {
    id: 'terminal.shell',
    title: 'Open a shell where the device lives',
    group: 'Terminal',
    enabled: able,
    run: async () => {
      await commands.run('view.terminal');
      await openTerminal('shell');
    },
  },
  {
    id: 'terminal.find',
    title: 'Search in the terminal',
    group: 'Terminal',
    enabled: isOpen,
    run: () => {
      sessions.setState({ searching: true });
      return goToPart('terminal', '[data-testid="terminal-search"]');
    },
  },
  {
    id: 'terminal.next',
    title: 'Go to the next terminal',
    group: 'Terminal',
    enabled: isOpen,
    run: async () => {
      await commands.run('view.terminal');
      const { all, active } = sessions.getState();
      const at = all.findIndex(({ key }) => key === active);
      const next = all[(at + 1) % all.length]!.key;
      sessions.setState({ active: next });
      focusTerminal(next);
    },
  },
  {
    id: 'terminal.close',
    title: 'Close the terminal in front',
    group: 'Terminal',
    enabled: isOpen,
    run: async () => {
      await commands.run('view.terminal');
      closeTerminal(sessions.getState().active);
      focusTerminal(sessions.getState().active);
    },
  },
  {
    id: 'terminal.link',
    title: 'Follow the newest link in the terminal',
    group: 'Terminal',
    enabled: isOpen,
    run: async () => {
      const target = newestLink(sessions.getState().active);
      if (target === undefined) addNotice({ level: 'info', text: 'There is no link in the terminal' }, true);
      else await follow(target);
    },
  },
  {
    id: 'terminal.kernelLog',
    title: 'Open the kernel log',
    group: 'Terminal',
    keywords: 'dmesg',
    enabled: able,
    run: async () => {
      await commands.run('view.terminal');
      await openTerminal('kernel-log');
    },
  },
  {
    id: 'terminal.kernelLogDevice',
    title: 'Kernel log: only of the selected device, or all of it',
    group: 'Terminal',
    keywords: 'dmesg filter',
    enabled: () => logInFront() !== undefined && noLogOfOne(lab.getState(), selectedDevice()?.id) === '',
    run: async () => {
      const { key, device } = logInFront()!;
      const selected = selectedDevice()!.id;
      await commands.run('view.terminal');
      await narrowLog(key, device === selected ? undefined : selected);
    },
  },
  {
    id: 'terminal.console',
    title: "Open the guest's serial console",
    group: 'Terminal',
    keywords: 'tty panic',
    enabled: () => able() && noConsole(lab.getState()) === '',
    run: async () => {
      await commands.run('view.terminal');
      await openTerminal('console');
    },
  },
);
