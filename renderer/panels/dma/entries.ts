/** Entries of queues in words, by the formats that the device's description has. */
import type {
  WireCommandFormat,
  WireCommandFormats,
  WireDescription,
  WireEntryField,
} from '#contract/devices.ts';
import type { DmaEntry } from '#contract/dma.ts';
import { count, hex } from '#renderer/ui/format.ts';

export interface DecodedField {
  readonly name: string;
  readonly value: string;
  readonly text: string;
  /** What the field is, where `text` says what its value is. */
  readonly title?: string;
}

type Described = Pick<WireDescription, 'commandFormats' | 'commandNames'>;
type Field = Pick<WireEntryField, 'lsb' | 'width'>;

function bitsOf(bytes: Uint8Array, { lsb, width }: Field): bigint {
  let value = 0n;
  for (let at = (lsb + width - 1) >> 3; at >= lsb >> 3; at--) value = (value << 8n) | BigInt(bytes[at] ?? 0);
  return (value >> BigInt(lsb & 7)) & ((1n << BigInt(width)) - 1n);
}

/** What a field says, as a number that counts from 1 where it means that. */
function meant(bytes: Uint8Array, field: WireEntryField): number {
  return Number(bitsOf(bytes, field)) + (field.zeroBased === true ? 1 : 0);
}

function decoded(bytes: Uint8Array, field: WireEntryField, named?: string): DecodedField {
  const value = bitsOf(bytes, field);
  const { name, description = '', values, units } = field;
  const shown = { name, value: hex(value, Math.ceil(field.width / 4)) };
  const meaning =
    named ??
    (values !== undefined
      ? (values[Number(value)] ?? 'unknown')
      : units !== undefined
        ? `${count(meant(bytes, field))} ${units[meant(bytes, field) === 1 ? 0 : 1]}`.trimEnd()
        : undefined);
  return meaning === undefined
    ? { ...shown, text: description }
    : { ...shown, text: meaning, title: description };
}

/** Number of a command in the description's tables: opcodes of the admin queue are others. */
function codeOf(formats: WireCommandFormats, bytes: Uint8Array, queue: number): number {
  return Number(bitsOf(bytes, formats.common[0]!)) + (queue === 0 ? formats.adminOpcodes : 0);
}

/** Fields of this command beside those that all have, and the data that it names. */
function formatOf(
  formats: WireCommandFormats,
  bytes: Uint8Array,
  queue: number,
): Pick<WireCommandFormat, 'fields' | 'data'> | undefined {
  let format = formats.commands[codeOf(formats, bytes, queue)];
  if (format === undefined) return undefined;
  const fields: WireEntryField[] = [];
  let data: WireCommandFormat['data'];
  while (format !== undefined) {
    fields.push(...format.fields);
    data = format.data ?? data;
    const by: WireCommandFormat['by'] = format.by;
    const which: WireEntryField | undefined = fields.find(({ name }) => name === by?.field);
    format = which === undefined ? undefined : by?.formats[Number(bitsOf(bytes, which))];
  }
  return data === undefined ? { fields } : { fields, data };
}

export function commandName(described: Described, bytes: Uint8Array, queue: number): string {
  const { commandFormats: formats, commandNames: names } = described;
  if (formats === undefined) return '';
  return names?.[codeOf(formats, bytes, queue)] ?? 'unknown';
}

/** A field of a command by its name; undefined: this command has none. */
export function commandField(
  { commandFormats: formats }: Described,
  bytes: Uint8Array,
  queue: number,
  name: string,
): number | undefined {
  const field = formats && formatOf(formats, bytes, queue)?.fields.find((one) => one.name === name);
  return field && meant(bytes, field);
}

/** A command: what all have, what this one has, and words with bits that have no name. */
export function decodeCommand(
  described: Described,
  bytes: Uint8Array,
  queue: number,
): readonly DecodedField[] {
  const { commandFormats: formats } = described;
  if (formats === undefined) return [];
  const own = formatOf(formats, bytes, queue)?.fields ?? [];
  const fields = formats.common.map((field, at) =>
    at === 0 ? decoded(bytes, field, commandName(described, bytes, queue)) : decoded(bytes, field),
  );
  fields.push(...own.map((field) => decoded(bytes, field)));
  for (let word = 0; word < formats.entryBytes / 4; word++) {
    let rest = bitsOf(bytes, { lsb: word * 32, width: 32 });
    const value = rest;
    for (const { lsb, width } of [...formats.common, ...own]) {
      const shift = BigInt(Math.abs(lsb - word * 32));
      const mask = (1n << BigInt(width)) - 1n;
      rest &= ~(lsb < word * 32 ? mask >> shift : mask << shift);
    }
    if (rest !== 0n) {
      fields.push({ name: `CDW${word}`, value: hex(value, 8), text: `no name for bits ${hex(rest)}` });
    }
  }
  return fields;
}

/** Such as `LBA Out of Range`; `status`: type and code, and what is above them. */
export function statusText(formats: WireCommandFormats | undefined, status: number): string {
  const code = status & 0x7ff;
  return formats?.statusNames[code] ?? `type ${code >> 8}, code ${hex(code & 0xff, 2)}`;
}

export function decodeCompletion(
  { commandFormats: formats }: Described,
  bytes: Uint8Array,
): readonly DecodedField[] {
  if (formats === undefined) return [];
  return formats.completion.map((field) =>
    field.name === 'SF'
      ? decoded(bytes, field, statusText(formats, Number(bitsOf(bytes, field))))
      : decoded(bytes, field),
  );
}

/** The addresses of a list, as far as its bytes were kept. */
function decodeList(bytes: Uint8Array): readonly DecodedField[] {
  return Array.from({ length: bytes.length >> 3 }, (_, at) => ({
    name: `PRP ${at}`,
    value: hex(bitsOf(bytes, { lsb: at * 64, width: 64 }), 16),
    text: '',
  }));
}

/** What a command names in host memory. */
export interface CommandData {
  readonly length: number;
  /** In one piece at the first pointer. */
  readonly contiguous: boolean;
}

/** Undefined: it moves no data, or how much is not known here. */
export function commandData(
  { commandFormats: formats }: Described,
  bytes: Uint8Array,
  queue: number,
  sizes: { readonly block: number; readonly page: number },
): CommandData | undefined {
  const format = formats && formatOf(formats, bytes, queue);
  if (format?.data === undefined) return undefined;
  const { each, count: times, field: name, contiguous = false } = format.data;
  const field = format.fields.find((one) => one.name === name);
  const unit = each === 'block' ? sizes.block : each === 'page' ? sizes.page : each;
  return { length: unit * (field === undefined ? (times ?? 1) : meant(bytes, field)), contiguous };
}

/** What a transfer carries: `SQ1 command`, `CQ2, 3 completions`, `data of SQ1`; `peer to peer`. */
export function contentText(entry: DmaEntry, formats: WireCommandFormats | undefined): string {
  const { content, queue, length, peer } = entry;
  if (peer) return 'peer to peer';
  const entries = (name: string, one: string, size: number | undefined) => {
    const many = size === undefined ? 1 : Math.floor(length / size);
    return many === 1 ? `${name}${queue} ${one}` : `${name}${queue}, ${count(many)} ${one}s`;
  };
  switch (content) {
    case 'commands':
      return entries('SQ', 'command', formats?.entryBytes);
    case 'completions':
      return entries('CQ', 'completion', formats?.completionBytes);
    case 'data':
      return `data of SQ${queue}`;
    case 'list':
      return `list of SQ${queue}`;
    default:
      return content;
  }
}

/** Fields under a heading: of an entry that came with others, or of a list. */
export interface DecodedPart {
  readonly title: string;
  readonly fields: readonly DecodedField[];
}

/** The parts of a transfer that were kept, in words; empty where nothing is known of it. */
export function decodeTransfer(
  entry: DmaEntry,
  bytes: Uint8Array,
  described: Described | undefined,
): readonly DecodedPart[] {
  const formats = described?.commandFormats;
  if (formats === undefined || bytes.length === 0) return [];
  if (entry.content === 'list') {
    const of = `${count(bytes.length >> 3)} of ${count(entry.length >> 3)} entries`;
    return [{ title: `PRP list, ${of}`, fields: decodeList(bytes) }];
  }
  const commands = entry.content === 'commands';
  if (!commands && entry.content !== 'completions') return [];
  const size = commands ? formats.entryBytes : formats.completionBytes;
  const all = Math.floor(entry.length / size);
  const what = commands ? 'submission' : 'completion';
  const queue = entry.queue === 0 ? 'admin queue' : `I/O queue ${entry.queue}`;
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, at) => {
    const one = bytes.subarray(at * size, (at + 1) * size);
    return {
      title: `NVMe ${what} queue entry${all === 1 ? '' : ` ${at + 1} of ${count(all)}`}, ${queue}`,
      fields: commands ? decodeCommand(described!, one, entry.queue) : decodeCompletion(described!, one),
    };
  });
}
