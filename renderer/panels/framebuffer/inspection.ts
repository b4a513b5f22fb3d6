/** What the card says of itself; checked, as it comes from a device model. */
export interface CommandRecord {
  readonly offset: number;
  readonly name: string;
  readonly text: string;
  readonly color?: string;
}

export interface Inspection {
  readonly source: string;
  readonly address: number;
  readonly bytes: number;
  readonly records: readonly CommandRecord[];
  readonly total: number;
}

const isRecord = (value: unknown): value is CommandRecord =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as CommandRecord).offset === 'number' &&
  typeof (value as CommandRecord).name === 'string' &&
  typeof (value as CommandRecord).text === 'string';

/** Undefined for a device that says nothing of commands. */
export function readInspection(value: unknown): Inspection | undefined {
  const given = value as
    | {
        lastFrame?: { source?: unknown; address?: unknown; bytes?: unknown };
        commands?: unknown;
        commandCount?: unknown;
      }
    | null
    | undefined;
  if (typeof given !== 'object' || given === null || !Array.isArray(given.commands)) return undefined;
  const text = (one: unknown) => (typeof one === 'string' ? one : '');
  const number = (one: unknown) => (typeof one === 'number' ? one : 0);
  return {
    source: text(given.lastFrame?.source),
    address: number(given.lastFrame?.address),
    bytes: number(given.lastFrame?.bytes),
    records: given.commands.filter(isRecord),
    total: number(given.commandCount),
  };
}
