import type { Hotkey } from './hotkeys.ts';

/** Everything that a person can do is a command: menus, palette and hotkeys all run these. */
export interface Command {
  /** Dotted, such as `trace.pause`. */
  readonly id: string;
  /** Says what happens: `Pause the trace`. */
  readonly title: string;
  /** Heading in the palette. */
  readonly group: string;
  readonly hotkeys?: readonly Hotkey[];
  readonly keywords?: string;
  /** Missing: always. */
  readonly enabled?: () => boolean;
  run(): unknown;
}

export class CommandRegistry {
  readonly #commands = new Map<string, Command>();
  readonly #listeners = new Set<() => void>();
  #list: readonly Command[] = [];
  /** Told of a command that failed. */
  onError: (command: Command, error: unknown) => void = () => {};

  /** Returns what takes it away again. */
  register(...commands: readonly Command[]): () => void {
    for (const command of commands) {
      if (!/^[a-z][\w-]*(\.[\w-]+)+$/i.test(command.id))
        throw new Error(`"${command.id}" is not a dotted id`);
      if (this.#commands.has(command.id)) throw new Error(`command "${command.id}" is there already`);
      this.#commands.set(command.id, command);
    }
    this.#changed();
    return () => {
      for (const command of commands) {
        if (this.#commands.get(command.id) === command) this.#commands.delete(command.id);
      }
      this.#changed();
    };
  }

  get(id: string): Command | undefined {
    return this.#commands.get(id);
  }

  /** The same array until something changes. */
  list(): readonly Command[] {
    return this.#list;
  }

  async run(id: string): Promise<void> {
    const command = this.#commands.get(id);
    if (command === undefined) throw new Error(`there is no command "${id}"`);
    if (command.enabled?.() === false) return;
    try {
      await command.run();
    } catch (error) {
      this.onError(command, error);
    }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#list = [...this.#commands.values()];
    for (const listener of this.#listeners) listener();
  }
}
