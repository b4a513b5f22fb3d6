/** Commands and completions as data: what their bits are called, and how much memory a command leads to. */
import type { FieldDescription } from './register-map.ts';

/** `lsb` counts from the first bit of the entry; entries are little-endian. */
export interface EntryField extends FieldDescription {
  /** What the number counts: one of it, and several. Empty: a person reads it in decimal. */
  readonly units?: readonly [one: string, many: string];
  /** It says one less than it means. */
  readonly zeroBased?: boolean;
}

/** How many bytes a command moves, or otherwise names: `each`, as often as `count` or the field `field` says. */
export interface CommandData {
  readonly each: number | 'block' | 'page';
  readonly count?: number;
  readonly field?: string;
  /** They lie in one piece where the first pointer leads. */
  readonly contiguous?: boolean;
}

export interface CommandFormat {
  readonly fields: readonly EntryField[];
  readonly data?: CommandData;
  /** What there is beside, by the value of one of the fields. */
  readonly by?: { readonly field: string; readonly formats: Readonly<Record<number, CommandFormat>> };
}

export interface CommandFormats {
  /** Bytes of a command, and of its completion. */
  readonly entryBytes: number;
  readonly completionBytes: number;
  /** Fields of every command, the opcode first. */
  readonly common: readonly EntryField[];
  readonly completion: readonly EntryField[];
  /** How much higher the opcodes of queue 0 are in what follows, and in the description's `commandNames`. */
  readonly adminOpcodes: number;
  readonly commands: Readonly<Record<number, CommandFormat>>;
  /** By status type and code, without Do Not Retry and what else is beside them. */
  readonly statusNames: Readonly<Record<number, string>>;
}

/** What a transfer carries; commands and completions are entries of a queue. */
export const TransferContent = {
  unknown: 0,
  data: 1,
  commands: 2,
  completions: 3,
  /** Addresses of where data is. */
  list: 4,
  /** Positions of queues. */
  doorbells: 5,
} as const;
