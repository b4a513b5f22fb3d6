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
  #own: Readonly<Record<string, readonly Hotkey[]>> = {};
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
    const command = this.#commands.get(id);
    return command === undefined ? undefined : this.#withOwn(command);
  }

  /** As it was registered, without hotkeys of one's own. */
  original(id: string): Command | undefined {
    return this.#commands.get(id);
  }

  /** Hotkeys instead of those that commands were registered with. */
  setHotkeys(own: Readonly<Record<string, readonly Hotkey[]>>): void {
    this.#own = own;
    this.#changed();
  }

  #withOwn(command: Command): Command {
    const hotkeys = Object.hasOwn(this.#own, command.id) ? this.#own[command.id] : undefined;
    return hotkeys === undefined ? command : { ...command, hotkeys };
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
    this.#list = [...this.#commands.values()].map((command) => this.#withOwn(command));
    for (const listener of this.#listeners) listener();
  }
}
