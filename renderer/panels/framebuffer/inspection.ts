/** What the card says of itself; checked, as it comes from a device model. */
import { bytes, count, hex } from '#renderer/ui/format.ts';

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
  /** Bytes from one line of the picture to the next; 0: the card does not say. */
  readonly pitch: number;
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
        mode?: { pitch?: unknown };
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
    pitch: number(given.mode?.pitch),
  };
}

export function recordText({ offset, name, text }: CommandRecord): string {
  return `${hex(offset, 6)}  ${name.padEnd(9)}  ${text}`;
}

/** How the last picture was made, line by line. */
export function inspectionText(inspection: Inspection | undefined): readonly string[] {
  if (inspection === undefined) return [];
  const { source, address, records, total, pitch } = inspection;
  const lines = pitch > 0 ? [`Pitch\t${bytes(pitch)}`] : [];
  if (source !== '') lines.push(`Last picture\t${source}, ${bytes(inspection.bytes)} at ${hex(address, 8)}`);
  if (records.length > 0) lines.push(`Commands\t${count(total)}`, ...records.map(recordText));
  if (total > records.length) lines.push(`and ${count(total - records.length)} more`);
  return lines;
}
