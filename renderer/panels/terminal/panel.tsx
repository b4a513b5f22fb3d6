import '@xterm/xterm/css/xterm.css';
import { Plus, X } from 'lucide-react';
import { useEffect, useLayoutEffect, useRef } from 'react';
import { useStore } from 'zustand';
import { commands } from '#renderer/app-commands.ts';
import { lab } from '#renderer/state/lab.ts';
import { Button, Empty, Panel, useConnected } from '#renderer/ui/parts.tsx';
import { closeTerminal, focusTerminal, openTerminal, screen, sessions } from './sessions.ts';
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

export function TerminalPanel() {
  const all = useStore(sessions, (state) => state.all);
  const active = useStore(sessions, (state) => state.active);
  const able = useStore(lab, (state) => state.hello?.abilities.terminal === true);
  const host = useStore(lab, (state) => state.hello?.host.title ?? '');
  const connected = useConnected();
  useEffect(() => {
    // Looking at the panel is asking for a shell.
    if (able && connected && sessions.getState().all.length === 0) void openTerminal('shell', false);
  }, [able, connected]);
  const ended = all.find((session) => session.key === active)?.ended === true;
  return (
    <Panel
      name="terminal"
      title="Terminal"
      help={
        <>
          A shell where the device lives: {host || 'the lab'}. All keys go to the shell but <kbd>Ctrl+K</kbd>{' '}
          or <kbd>F1</kbd> for the commands and <kbd>F6</kbd> for the next panel; <kbd>Ctrl+Shift+C</kbd> and{' '}
          <kbd>Ctrl+Shift+V</kbd> copy and paste.
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
                    onClick={() => {
                      sessions.setState({ active: session.key });
                      focusTerminal(session.key);
                    }}
                  >
                    {session.title}
                    {session.ended && <span className="dim"> (ended)</span>}
                  </button>
                  <button
                    type="button"
                    aria-label={`Close ${session.title}`}
                    title={`Close ${session.title}`}
                    onClick={() => closeTerminal(session.key)}
                  >
                    <X aria-hidden />
                  </button>
                </span>
              ))}
            </div>
            <Button
              kind="quiet"
              onClick={() => void openTerminal('shell')}
              disabled={!connected}
              testId="terminal-open"
            >
              <Plus /> Shell
            </Button>
            <Button
              kind="quiet"
              onClick={() => void openTerminal('kernel-log')}
              disabled={!connected}
              testId="terminal-open-log"
            >
              <Plus /> Kernel log
            </Button>
            {ended && (
              <Button
                disabled={!connected}
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
        <Screen key={active} id={active} />
      )}
    </Panel>
  );
}

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
);
