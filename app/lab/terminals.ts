/** Shells on this machine for one window, with a bound on what is on its way to it. */
import { homedir } from 'node:os';
import { type IPty, spawn } from '@lydell/node-pty';
import { LabError } from '../hosts/errors.ts';

/** Characters that the window has not drawn: stop reading above, go on below. */
const HIGH_WATER = 100_000;
const LOW_WATER = 5_000;
/** ms that output is gathered before it is sent. */
const GATHER = 5;
const MAX_TERMINALS = 16;

interface Terminal {
  readonly pty: IPty;
  outstanding: number;
  paused: boolean;
  gathered: string;
  timer: NodeJS.Timeout | undefined;
}

export interface TerminalEvents {
  data(terminal: number, data: string): void;
  exit(terminal: number, code: number): void;
}

export class Terminals {
  readonly #events: TerminalEvents;
  readonly #terminals = new Map<number, Terminal>();
  #nextId = 1;

  constructor(events: TerminalEvents) {
    this.#events = events;
  }

  open(kind: 'shell' | 'kernel-log', columns: number, rows: number): number {
    if (this.#terminals.size >= MAX_TERMINALS) {
      throw new LabError(
        'TOO_MANY_TERMINALS',
        `A window has at most ${MAX_TERMINALS} terminals.`,
        'Close one first.',
      );
    }
    const [file, args] =
      kind === 'shell' ? [process.env.SHELL ?? '/bin/sh', ['-i']] : ['dmesg', ['--follow', '--color=always']];
    let pty: IPty;
    try {
      pty = spawn(file, args, {
        name: 'xterm-256color',
        cols: columns,
        rows,
        cwd: process.env.HOME ?? homedir(),
        env: { ...process.env, TERM: 'xterm-256color', LANG: process.env.LANG ?? 'C.UTF-8' },
      });
    } catch (error) {
      throw new LabError('TERMINAL', `"${file}" could not be started: ${(error as Error).message}`);
    }
    const id = this.#nextId++;
    const terminal: Terminal = { pty, outstanding: 0, paused: false, gathered: '', timer: undefined };
    this.#terminals.set(id, terminal);
    pty.onData((data) => {
      terminal.gathered += data;
      terminal.timer ??= setTimeout(() => this.#flush(id, terminal), GATHER);
      if (!terminal.paused && terminal.outstanding + terminal.gathered.length > HIGH_WATER) {
        terminal.paused = true;
        pty.pause();
      }
    });
    pty.onExit(({ exitCode }) => {
      this.#flush(id, terminal);
      if (this.#terminals.delete(id)) this.#events.exit(id, exitCode);
    });
    return id;
  }

  write(id: number, data: string): void {
    this.#find(id).pty.write(data);
  }

  resize(id: number, columns: number, rows: number): void {
    this.#find(id).pty.resize(columns, rows);
  }

  drawn(id: number, characters: number): void {
    const terminal = this.#terminals.get(id);
    if (terminal === undefined) return;
    terminal.outstanding = Math.max(0, terminal.outstanding - characters);
    if (terminal.paused && terminal.outstanding < LOW_WATER) {
      terminal.paused = false;
      terminal.pty.resume();
    }
  }

  close(id: number): void {
    const terminal = this.#find(id);
    this.#terminals.delete(id);
    clearTimeout(terminal.timer);
    terminal.pty.kill();
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
