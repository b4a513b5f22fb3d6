/**
 * The guest's serial console, as a terminal of one window. It is read here, where QEMU writes it, so that it goes on to the
 * last word of a kernel whose programs and network have stopped. All else that window and lab say to each other goes
 * through as it is.
 */
import * as v from 'valibot';
import { terminalCalls } from '#contract/terminal.ts';
import { type Channel, encodeServerMessage } from '#contract/wire.ts';
import { errorBody } from '../hosts/error-body.ts';
import { LabError } from '../hosts/errors.ts';
import type { WindowRelay } from '../hosts/guest/guest-lab.ts';
import { type TerminalSource, Terminals } from './terminals.ts';

/** The lab in the guest numbers its terminals from 1. */
const FIRST_TERMINAL = 2 ** 30;
/** Longest message that may be one for here. */
const MAX_LENGTH = 100_000;
/** Characters that are kept for a window that draws no further. */
const KEPT = 256 * 1024;

/** What is needed of a guest. */
export interface SerialConsole {
  /** The end of what it has written. */
  readonly console: string;
  onConsole(listener: (text: string) => void): () => void;
}

function consoleSource(guest: SerialConsole): TerminalSource {
  let listener: (data: string) => void = () => {};
  let waiting = '';
  let left = 0;
  let paused = false;
  const hear = (text: string): void => {
    if (!paused) {
      listener(text);
      return;
    }
    const all = waiting + text;
    waiting = all.slice(-KEPT);
    left += all.length - waiting.length;
  };
  const stop = guest.onConsole(hear);
  return {
    onData: (told) => {
      listener = told;
      // From the start of a line on.
      const before = guest.console;
      hear(before.slice(before.indexOf('\n') + 1));
    },
    // It ends with the guest, and the window's connection with both.
    onExit: () => {},
    write: () => {
      throw new LabError(
        'READ_ONLY',
        'Nothing in the guest reads from its serial console.',
        'Open a shell for commands.',
      );
    },
    resize: () => {},
    pause: () => {
      paused = true;
    },
    resume: () => {
      paused = false;
      const told = left === 0 ? '' : `\r\n[${left} characters are left out]\r\n`;
      const text = told + waiting;
      waiting = '';
      left = 0;
      hear(text);
    },
    kill: () => {
      stop();
    },
  };
}

export class ConsoleRelay implements WindowRelay {
  readonly #guest: SerialConsole;
  readonly #window: Pick<Channel, 'send'>;
  readonly #terminals: Terminals;

  constructor(guest: SerialConsole, window: Pick<Channel, 'send'>) {
    this.#guest = guest;
    this.#window = window;
    this.#terminals = new Terminals(
      {
        // An acknowledgement of it goes on to the lab, which then waits for none; what is drawn is what bounds it.
        data: (terminal, data) =>
          window.send(encodeServerMessage({ stream: 'terminalData', data: { terminal, data } })),
        exit: () => {},
      },
      FIRST_TERMINAL,
    );
  }

  fromWindow(message: string | ArrayBuffer): string | ArrayBuffer | undefined {
    if (typeof message !== 'string' || message.length > MAX_LENGTH || !message.includes('"terminal.'))
      return message;
    let told: { id?: unknown; call?: unknown; params?: unknown } | null;
    try {
      told = JSON.parse(message) as typeof told;
    } catch {
      // The lab says what is wrong with it.
      return message;
    }
    const { id, call, params } = told ?? {};
    if (typeof id !== 'number' || typeof call !== 'string' || !Object.hasOwn(terminalCalls, call))
      return message;
    const name = call as keyof typeof terminalCalls;
    if (!v.is(terminalCalls[name], params) || !isHere(params)) return message;
    try {
      this.#window.send(encodeServerMessage({ id, ok: this.#answer(name, params) }));
    } catch (error) {
      this.#window.send(encodeServerMessage({ id, error: errorBody(error) }));
    }
    return undefined;
  }

  fromLab(message: string): string {
    return message;
  }

  close(): void {
    this.#terminals.closeAll();
  }

  #answer(name: keyof typeof terminalCalls, params: object): object {
    const { terminal = 0, data = '', characters = 0 } = params as Partial<Record<string, never>>;
    switch (name) {
      case 'terminal.open':
        return { terminal: this.#terminals.open(() => consoleSource(this.#guest)) };
      case 'terminal.write':
        this.#terminals.write(terminal, data);
        break;
      case 'terminal.drawn':
        this.#terminals.drawn(terminal, characters);
        break;
      case 'terminal.close':
        this.#terminals.close(terminal);
        break;
      case 'terminal.resize':
        break;
    }
    return {};
  }
}

/** Of what the contract takes, what is for the console. */
function isHere(params: object): boolean {
  const { kind, terminal = 0 } = params as { kind?: string; terminal?: number };
  return kind === 'console' || terminal >= FIRST_TERMINAL;
}

export const relayConsole = (guest: SerialConsole, window: Pick<Channel, 'send'>) =>
  new ConsoleRelay(guest, window);
