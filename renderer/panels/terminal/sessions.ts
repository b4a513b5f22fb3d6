import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { createStore } from 'zustand/vanilla';
import { client, lab } from '#renderer/state/lab.ts';
import { errorText, noticeError } from '#renderer/state/notices.ts';
import { settings } from '#renderer/state/settings.ts';
import { pixels, token } from '#renderer/theme/theme.ts';
import { copyText } from '#renderer/ui/clipboard.ts';

export type TerminalKind = 'shell' | 'kernel-log';

export interface Session {
  /** Of this window; the lab's number is {@link terminal}. */
  readonly key: number;
  readonly kind: TerminalKind;
  readonly title: string;
  /** 0 before it is open and after it ended. */
  readonly terminal: number;
  readonly ended: boolean;
}

interface Sessions {
  readonly all: readonly Session[];
  readonly active: number;
}

/** Terminals outlive the panel: closing or hiding it leaves the shell running. */
export const sessions = createStore<Sessions>(() => ({ all: [], active: 0 }));
interface Screen {
  readonly xterm: Terminal;
  readonly fit: FitAddon;
  readonly element: HTMLElement;
}
const screens = new Map<number, Screen>();
let nextKey = 1;

function colors() {
  const dark = settings.getState().theme !== 'light';
  return {
    background: token('--bg'),
    foreground: token('--text'),
    cursor: token('--accent'),
    cursorAccent: token('--bg'),
    selectionBackground: token('--accent'),
    selectionForeground: token('--on-accent'),
    black: dark ? '#3b4652' : '#1b222a',
    red: token('--error'),
    green: token('--note'),
    yellow: token('--warn'),
    blue: token('--read'),
    magenta: token('--irq'),
    cyan: token('--dma'),
    white: dark ? '#c9d3dd' : '#57626e',
    brightBlack: token('--text-2'),
    brightRed: token('--error'),
    brightGreen: token('--note'),
    brightYellow: token('--config'),
    brightBlue: token('--accent'),
    brightMagenta: token('--irq'),
    brightCyan: token('--dma'),
    brightWhite: token('--text'),
  };
}

export function screen(key: number): Screen | undefined {
  return screens.get(key);
}

function update(key: number, change: Partial<Session>): void {
  sessions.setState((state) => ({
    all: state.all.map((session) => (session.key === key ? { ...session, ...change } : session)),
  }));
}

function byTerminal(terminal: number): Session | undefined {
  return sessions.getState().all.find((session) => session.terminal === terminal);
}

/** Once the panel has put it on the screen. */
export function focusTerminal(key: number): void {
  requestAnimationFrame(() => screens.get(key)?.xterm.focus());
}

export async function openTerminal(kind: TerminalKind, focus = true): Promise<void> {
  const key = nextKey++;
  const xterm = new Terminal({
    fontFamily: token('--font-mono') || 'monospace',
    fontSize: pixels('--size', 12),
    theme: colors(),
    scrollback: 10_000,
    cursorBlink: false,
    minimumContrastRatio: 4.5,
  });
  xterm.attachCustomKeyEventHandler((event) => {
    if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
    const key = event.key.toLowerCase();
    if (key !== 'c' && key !== 'v') return true;
    if (event.type === 'keydown') {
      event.preventDefault();
      if (key === 'c') void copyText(xterm.getSelection()).catch((error) => noticeError('Copy', error));
      else
        navigator.clipboard?.readText().then(
          (text) => xterm.paste(text),
          (error) => noticeError('Paste', error),
        );
    }
    return false;
  });
  const fit = new FitAddon();
  xterm.loadAddon(fit);
  const element = document.createElement('div');
  element.className = 'terminal-screen';
  screens.set(key, { xterm, fit, element });
  const number = sessions.getState().all.filter((session) => session.kind === kind).length + 1;
  const name = kind === 'shell' ? 'Shell' : 'Kernel log';
  sessions.setState((state) => ({
    all: [
      ...state.all,
      { key, kind, title: number === 1 ? name : `${name} ${number}`, terminal: 0, ended: false },
    ],
    active: key,
  }));
  if (focus) focusTerminal(key);
  xterm.onData((data) => {
    const session = sessions.getState().all.find((one) => one.key === key);
    if (session === undefined || session.terminal === 0) return;
    client
      .call('terminal.write', { terminal: session.terminal, data })
      .catch((error) => noticeError('Terminal', error));
  });
  xterm.onResize(({ cols, rows }) => {
    const session = sessions.getState().all.find((one) => one.key === key);
    if (session === undefined || session.terminal === 0) return;
    client.call('terminal.resize', { terminal: session.terminal, columns: cols, rows }).catch(() => {});
  });
  try {
    const { terminal } = await client.call('terminal.open', { kind, columns: xterm.cols, rows: xterm.rows });
    update(key, { terminal });
    for (const data of early.get(terminal) ?? []) draw(key, terminal, data);
    early.delete(terminal);
    client.call('terminal.resize', { terminal, columns: xterm.cols, rows: xterm.rows }).catch(() => {});
  } catch (error) {
    const { text, hint } = errorText(error);
    xterm.write(`\x1b[31m${text}\x1b[0m\r\n${hint}\r\n`);
    update(key, { ended: true });
  }
}

export function closeTerminal(key: number): void {
  const { all, active } = sessions.getState();
  const at = all.findIndex((session) => session.key === key);
  const session = all[at];
  if (session === undefined) return;
  if (session.terminal !== 0) client.call('terminal.close', { terminal: session.terminal }).catch(() => {});
  screens.get(key)?.xterm.dispose();
  screens.get(key)?.element.remove();
  screens.delete(key);
  const rest = all.filter((one) => one.key !== key);
  sessions.setState({ all: rest, active: active === key ? (rest[Math.max(0, at - 1)]?.key ?? 0) : active });
}

/** Output may come before the answer that says which terminal it is of. */
const early = new Map<number, string[]>();

function draw(key: number, terminal: number, data: string): void {
  screens.get(key)?.xterm.write(data, () => {
    if (data.length > 0) client.call('terminal.drawn', { terminal, characters: data.length }).catch(() => {});
  });
}

client.on('terminalData', ({ terminal, data }) => {
  const session = byTerminal(terminal);
  if (session === undefined) {
    const kept = early.get(terminal);
    if (kept === undefined) early.set(terminal, [data]);
    else kept.push(data);
    return;
  }
  draw(session.key, terminal, data);
});

client.on('terminalExit', ({ terminal, code }) => {
  const session = byTerminal(terminal);
  if (session === undefined) return;
  screens.get(session.key)?.xterm.write(`\r\n\x1b[2m[ended with exit code ${code}]\x1b[0m\r\n`);
  update(session.key, { terminal: 0, ended: true });
});

settings.subscribe(() => {
  // The tokens change with the document's attributes, which React sets after this.
  setTimeout(() => {
    for (const { xterm, fit } of screens.values()) {
      xterm.options.theme = colors();
      xterm.options.fontSize = pixels('--size', 12);
      fit.fit();
    }
  });
});

lab.subscribe((state, before) => {
  if (state.connection.kind === 'connected' || before.connection.kind !== 'connected') return;
  for (const session of sessions.getState().all) {
    if (session.terminal === 0) continue;
    screens.get(session.key)?.xterm.write('\r\n\x1b[2m[the connection to the lab was lost]\x1b[0m\r\n');
    update(session.key, { terminal: 0, ended: true });
  }
  early.clear();
});
