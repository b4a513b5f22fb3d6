import { FitAddon } from '@xterm/addon-fit';
import { type ILinkProvider, Terminal } from '@xterm/xterm';
import { createStore } from 'zustand/vanilla';
import { commands } from '#renderer/app-commands.ts';
import { client, deviceName, lab, selectDevice } from '#renderer/state/lab.ts';
import { errorText, noticeError } from '#renderer/state/notices.ts';
import { settings } from '#renderer/state/settings.ts';
import { ui } from '#renderer/state/ui.ts';
import { pixels, token } from '#renderer/theme/theme.ts';
import { copyText } from '#renderer/ui/clipboard.ts';
import { findLinks, type LinkTarget, type TextLink } from './links.ts';
import { findText, type Match, type PrintedLine, printedLine, printedText } from './text.ts';

export type TerminalKind = 'shell' | 'kernel-log' | 'console';
const kindNames: Readonly<Record<TerminalKind, string>> = {
  shell: 'Shell',
  'kernel-log': 'Kernel log',
  console: 'Serial console',
};

export interface Session {
  /** Of this window; the lab's number is {@link terminal}. */
  readonly key: number;
  readonly kind: TerminalKind;
  readonly title: string;
  /** The only one that a kernel log is of; undefined: it is of everything. */
  readonly device: number | undefined;
  /** 0 before it is open and after it ended. */
  readonly terminal: number;
  readonly ended: boolean;
}

interface Sessions {
  readonly all: readonly Session[];
  readonly active: number;
  /** The field for a search is shown. */
  readonly searching: boolean;
}

/** Terminals outlive the panel: closing or hiding it leaves the shell running. */
export const sessions = createStore<Sessions>(() => ({ all: [], active: 0, searching: false }));
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

/** What is selected in a terminal; without that all that it holds, what has scrolled away too. */
export function terminalText(key: number): string {
  const xterm = screens.get(key)?.xterm;
  if (xterm === undefined) return '';
  return xterm.getSelection() || printedText(xterm.buffer.active);
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

function linksIn(line: PrintedLine): TextLink[] {
  const { devices, descriptions, selected } = lab.getState();
  const bars = descriptions.get(selected)?.bars;
  const names = bars?.flatMap(({ index, registers }) => registers.map(({ name }) => ({ bar: index, name })));
  return findLinks(line.text, devices, names && { device: selected, names });
}

export async function follow(target: LinkTarget): Promise<void> {
  switch (target.kind) {
    case 'url':
      window.open(target.url, '_blank', 'noopener,noreferrer');
      return;
    case 'device':
      selectDevice(target.device);
      return commands.run(`view.${target.panel}`);
    case 'register':
      selectDevice(target.device);
      ui.setState({ register: target });
      return commands.run('view.registers');
  }
}

function targetTitle(target: LinkTarget): string {
  return target.kind === 'url' ? `Open ${target.url}` : `Show the ${target.kind} in its panel`;
}

function linkProvider(xterm: Terminal): ILinkProvider {
  return {
    provideLinks: (row, callback) => {
      const line = printedLine(xterm.buffer.active, row - 1);
      callback(
        line &&
          linksIn(line).flatMap(({ start, end, target }) => {
            const from = line.places[start];
            const to = line.places[end - 1];
            if (from === undefined || to === undefined) return [];
            return [
              {
                text: line.text.slice(start, end),
                range: { start: { x: from[0] + 1, y: from[1] + 1 }, end: { x: to[0] + 1, y: to[1] + 1 } },
                activate: () => void follow(target),
                hover: () => {
                  if (xterm.element !== undefined) xterm.element.title = targetTitle(target);
                },
                leave: () => xterm.element?.removeAttribute('title'),
              },
            ];
          }),
      );
    },
  };
}

/** The last link above the end of what is printed. */
export function newestLink(key: number): LinkTarget | undefined {
  const buffer = screens.get(key)?.xterm.buffer.active;
  if (buffer === undefined) return undefined;
  for (let y = buffer.length - 1; y >= 0; ) {
    const line = printedLine(buffer, y)!;
    const link = linksIn(line).at(-1);
    if (link !== undefined) return link.target;
    y = line.firstRow - 1;
  }
  return undefined;
}

/** Where a search in a terminal has come to. */
export interface Found {
  /** From 1; 0: nothing matches. */
  readonly number: number;
  readonly total: number;
}

/** Chooses the match above or below the chosen one, at the end of them the one at the other end. */
export function findInTerminal(key: number, wanted: string, forward: boolean): Found {
  const xterm = screens.get(key)?.xterm;
  if (xterm === undefined) return { number: 0, total: 0 };
  const matches = findText(xterm.buffer.active, xterm.cols, wanted);
  const chosen = xterm.getSelectionPosition()?.start;
  const here = chosen === undefined ? Number.POSITIVE_INFINITY : chosen.y * xterm.cols + chosen.x;
  const at = (match: Match) => match.y * xterm.cols + match.x;
  const next = forward
    ? matches.findIndex((match) => at(match) > here)
    : matches.findLastIndex((match) => at(match) < here);
  const index = next !== -1 ? next : forward ? 0 : matches.length - 1;
  const match = matches[index];
  if (match === undefined) {
    xterm.clearSelection();
    return { number: 0, total: 0 };
  }
  xterm.select(match.x, match.y, match.length);
  xterm.scrollToLine(Math.max(0, match.y - Math.floor(xterm.rows / 2)));
  return { number: index + 1, total: matches.length };
}

export function clearSearch(key: number): void {
  screens.get(key)?.xterm.clearSelection();
}

export async function openTerminal(kind: TerminalKind, focus = true): Promise<void> {
  const key = nextKey++;
  const xterm = new Terminal({
    fontFamily: token('--font-mono') || 'monospace',
    fontSize: pixels('--size', 12),
    theme: colors(),
    scrollback: 10_000,
    cursorBlink: false,
    // Nothing takes what is typed into a log.
    disableStdin: kind !== 'shell',
    minimumContrastRatio: 4.5,
  });
  xterm.attachCustomKeyEventHandler((event) => {
    if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
    const key = event.key.toLowerCase();
    if (key !== 'c' && key !== 'v' && key !== 'f') return true;
    if (event.type === 'keydown') {
      event.preventDefault();
      if (key === 'f') void commands.run('terminal.find');
      else if (key === 'c') void copyText(xterm.getSelection()).catch((error) => noticeError('Copy', error));
      else
        navigator.clipboard?.readText().then(
          (text) => xterm.paste(text),
          (error) => noticeError('Paste', error),
        );
    }
    return false;
  });
  xterm.registerLinkProvider(linkProvider(xterm));
  const fit = new FitAddon();
  xterm.loadAddon(fit);
  const element = document.createElement('div');
  element.className = 'terminal-screen';
  screens.set(key, { xterm, fit, element });
  const number = sessions.getState().all.filter((session) => session.kind === kind).length + 1;
  const name = kindNames[kind];
  const title = number === 1 ? name : `${name} ${number}`;
  sessions.setState((state) => ({
    all: [...state.all, { key, kind, title, device: undefined, terminal: 0, ended: false }],
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
  await begin(key);
}

/** Asks the lab for what the session shows. */
async function begin(key: number): Promise<void> {
  const xterm = screens.get(key)?.xterm;
  const session = sessions.getState().all.find((one) => one.key === key);
  if (xterm === undefined || session === undefined) return;
  const { kind, device } = session;
  const { cols: columns, rows } = xterm;
  if (kind === 'console') {
    xterm.write(
      "\x1b[2m[the guest's serial console, read only: nothing in the guest reads from it]\x1b[0m\r\n",
    );
  }
  if (device !== undefined) {
    const name = deviceName(device);
    xterm.write(`\x1b[2m[lines that name ${name}'s address, its driver or pciem]\x1b[0m\r\n`);
  }
  try {
    const { terminal } = await client.call('terminal.open', {
      kind,
      columns,
      rows,
      ...(device === undefined ? {} : { device }),
    });
    const now = sessions.getState().all.find((one) => one.key === key);
    // It was closed meanwhile, or is to show something else.
    if (now === undefined || now.device !== device || now.terminal !== 0) {
      early.delete(terminal);
      client.call('terminal.close', { terminal }).catch(() => {});
      return;
    }
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

/** Shows a kernel log anew, of one device or, undefined, of everything. */
export async function narrowLog(key: number, device: number | undefined): Promise<void> {
  const session = sessions.getState().all.find((one) => one.key === key);
  if (session?.kind !== 'kernel-log' || session.device === device) return;
  if (session.terminal !== 0) {
    client.call('terminal.close', { terminal: session.terminal }).catch(() => {});
  }
  update(key, { device, terminal: 0, ended: false });
  screens.get(key)?.xterm.reset();
  await begin(key);
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
