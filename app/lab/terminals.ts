/** Shells on this machine for one window, with a bound on what is on its way to it. */
import { homedir } from 'node:os';
import { type IPty, spawn } from '@lydell/node-pty';
import { LabError } from '../hosts/errors.ts';
import { KernelLines } from './kernel-lines.ts';

/** Characters that the window has not drawn: stop reading above, go on below. */
const HIGH_WATER = 100_000;
const LOW_WATER = 5_000;
/** ms that output is gathered before it is sent. */
const GATHER = 5;
const MAX_TERMINALS = 16;

/** What a terminal shows, and who takes what is typed. A pty is one. */
export interface TerminalSource {
  onData(listener: (data: string) => void): unknown;
  onExit(listener: (exit: { readonly exitCode: number }) => void): unknown;
  write(data: string): void;
  resize(columns: number, rows: number): void;
  pause(): void;
  resume(): void;
  kill(): void;
}

interface Terminal {
  readonly source: TerminalSource;
  outstanding: number;
  paused: boolean;
  gathered: string;
  timer: NodeJS.Timeout | undefined;
}

export interface TerminalEvents {
  data(terminal: number, data: string): void;
  exit(terminal: number, code: number): void;
}

function start(file: string, args: readonly string[], columns: number, rows: number): IPty {
  try {
    return spawn(file, [...args], {
      name: 'xterm-256color',
      cols: columns,
      rows,
      cwd: process.env.HOME ?? homedir(),
      env: { ...process.env, TERM: 'xterm-256color', LANG: process.env.LANG ?? 'C.UTF-8' },
    });
  } catch (error) {
    throw new LabError('TERMINAL', `"${file}" could not be started: ${(error as Error).message}`);
  }
}

export class Terminals {
  readonly #events: TerminalEvents;
  readonly #terminals = new Map<number, Terminal>();
  #nextId: number;

  /** `firstId`: where others number terminals of the same window too. */
  constructor(events: TerminalEvents, firstId = 1) {
    this.#events = events;
    this.#nextId = firstId;
  }

  openShell(columns: number, rows: number): number {
    return this.open(() => start(process.env.SHELL ?? '/bin/sh', ['-i'], columns, rows));
  }

  /** `names`: only lines that name one of them. */
  openKernelLog(columns: number, rows: number, names?: () => readonly string[]): number {
    const lines = names && new KernelLines(names);
    return this.open(
      () => start('dmesg', ['--follow', '--color=always'], columns, rows),
      lines && ((data) => lines.take(data)),
    );
  }

  /** `shown`: what goes to the window of what the source says. */
  open(make: () => TerminalSource, shown: (data: string) => string = (data) => data): number {
    if (this.#terminals.size >= MAX_TERMINALS) {
      throw new LabError(
        'TOO_MANY_TERMINALS',
        `A window has at most ${MAX_TERMINALS} terminals.`,
        'Close one first.',
      );
    }
    const source = make();
    const id = this.#nextId++;
    const terminal: Terminal = { source, outstanding: 0, paused: false, gathered: '', timer: undefined };
    this.#terminals.set(id, terminal);
    source.onData((data) => {
      // It may say more after it was closed.
      if (this.#terminals.get(id) !== terminal) return;
      terminal.gathered += shown(data);
      terminal.timer ??= setTimeout(() => this.#flush(id, terminal), GATHER);
      if (!terminal.paused && terminal.outstanding + terminal.gathered.length > HIGH_WATER) {
        terminal.paused = true;
        source.pause();
      }
    });
    source.onExit(({ exitCode }) => {
      this.#flush(id, terminal);
      if (this.#terminals.delete(id)) this.#events.exit(id, exitCode);
    });
    return id;
  }

  write(id: number, data: string): void {
    this.#find(id).source.write(data);
  }

  resize(id: number, columns: number, rows: number): void {
    this.#find(id).source.resize(columns, rows);
  }

  drawn(id: number, characters: number): void {
    const terminal = this.#terminals.get(id);
    if (terminal === undefined) return;
    terminal.outstanding = Math.max(0, terminal.outstanding - characters);
    if (terminal.paused && terminal.outstanding < LOW_WATER) {
      terminal.paused = false;
      terminal.source.resume();
    }
  }

  close(id: number): void {
    const terminal = this.#find(id);
    this.#terminals.delete(id);
    clearTimeout(terminal.timer);
    terminal.source.kill();
  }

  closeAll(): void {
    for (const id of [...this.#terminals.keys()]) this.close(id);
  }

  #flush(id: number, terminal: Terminal): void {
    clearTimeout(terminal.timer);
    terminal.timer = undefined;
    const data = terminal.gathered;
    if (data === '') return;
    terminal.gathered = '';
    terminal.outstanding += data.length;
    this.#events.data(id, data);
  }

  #find(id: number): Terminal {
    const terminal = this.#terminals.get(id);
    if (terminal === undefined)
      throw new LabError('NO_SUCH_TERMINAL', `There is no terminal ${id}; it may have ended.`);
    return terminal;
  }
}
