import { configNames } from '#contract/config-names.ts';
import type { WireConfigRegister, WireField } from '#contract/devices.ts';
import { type ExpertSeverity, expertBits, expertNotes } from '#contract/expert.ts';
import { TRACE_RECORD_BYTES, TraceField, TraceFlag, TraceKind } from '#contract/trace-record.ts';
import type { RegisterIndex } from '#renderer/state/register-index.ts';
import { changedFields, setFields, type WriteEffect, writeEffects } from '#renderer/ui/bits.ts';
import { bytes, count, duration, hex, instant, otherBases } from '#renderer/ui/format.ts';

/** A register's name gets so much more before what is decoded does. */
const LONG_NAME = 60;
/** Those that only accesses have. */
const accessColumns: readonly ColumnId[] = ['width', 'bar', 'cpu'];
const COLUMN_GAP = 8;
/** px of a panel that has no room for the longest texts. */
const NARROW = 900;

/** px at the usual size of the type. */
export const MIN_WIDTH = 24;
export const MAX_WIDTH = 800;
/** Those that a person has chosen. */
export type ColumnWidths = Readonly<Partial<Record<ColumnId, number>>>;

export function clampWidth(width: number): number {
  return Math.max(MIN_WIDTH, Math.min(Math.round(width), MAX_WIDTH));
}

export interface ColumnLayout {
  readonly template: string;
  /** px of each column. */
  readonly widths: readonly number[];
  readonly minWidth: number;
  /** All columns are in view. */
  readonly fits: boolean;
  /** Columns that what is decoded takes in a row that is no access. */
  readonly span: number;
}

/**
 * Columns for the room there is: narrow panels give up what is the same in every row, or rarely long. What is decoded takes
 * what the others leave: all the rest, or, where they do not fit, as much as keeps the last one in view whole. A width that was
 * chosen stays.
 */
export function layoutColumns(
  width: number,
  shown: readonly Column[],
  scale = 1,
  chosen: ColumnWidths = {},
): ColumnLayout {
  const widths = shown.map((column) => {
    const usual = 'narrow' in column && width < NARROW * scale ? column.narrow : column.width;
    return Math.round((chosen[column.id] ?? usual) * scale);
  });
  const place = (id: ColumnId) => shown.findIndex((column) => column.id === id);
  const [register, decoded] = [place('register'), place('decoded')];
  const least = widths.reduce((sum, one) => sum + one + COLUMN_GAP, COLUMN_GAP);
  const fits = least <= width;
  let room = width - COLUMN_GAP;
  for (const [at, one] of widths.entries()) {
    if (at > decoded && room < one + COLUMN_GAP) break;
    room -= one + COLUMN_GAP;
  }
  room = Math.max(0, Math.floor(room));
  const grows = fits && register >= 0 && chosen.register === undefined;
  const longer = grows ? Math.min(room, Math.round(LONG_NAME * scale)) : 0;
  if (longer > 0) widths[register]! += longer;
  if (decoded >= 0) widths[decoded]! += room - longer;
  return {
    template: widths.map((one) => `${one}px`).join(' '),
    widths,
    minWidth: least + (decoded >= 0 ? room : longer),
    fits,
    span: 1 + shown.filter(({ id }) => accessColumns.includes(id)).length,
  };
}

/** One trace record, read. */
export interface TraceRow {
  readonly time: number;
  readonly address: number;
  readonly value: bigint;
  readonly length: number;
  readonly kind: number;
  readonly device: number;
  readonly bar: number;
  readonly flags: number;
  readonly aux: number;
  readonly cause: number;
  readonly cpu: number;
  readonly sequence: number;
  readonly previous: bigint;
  /** Number in the whole trace. */
  readonly row: number;
  readonly repeat: number;
  readonly rule: number;
  readonly latency: number;
}

function wide(view: DataView, low: number): bigint {
  return (BigInt(view.getUint32(low + 4, true)) << 32n) | BigInt(view.getUint32(low, true));
}

export function readRow(view: DataView, index: number): TraceRow {
  const at = index * TRACE_RECORD_BYTES;
  return {
    time: view.getFloat64(at + TraceField.time, true),
    address: view.getFloat64(at + TraceField.address, true),
    value: wide(view, at + TraceField.valueLow),
    length: view.getUint32(at + TraceField.length, true),
    kind: view.getUint8(at + TraceField.kind),
    device: view.getUint8(at + TraceField.device),
    bar: view.getUint8(at + TraceField.bar),
    flags: view.getUint8(at + TraceField.flags),
    aux: view.getUint32(at + TraceField.aux, true),
    cause: view.getUint32(at + TraceField.cause, true),
    cpu: view.getUint16(at + TraceField.cpu, true),
    sequence: view.getUint32(at + TraceField.sequence, true),
    previous: wide(view, at + TraceField.previousLow),
    row: view.getFloat64(at + TraceField.row, true),
    repeat: view.getUint32(at + TraceField.repeat, true),
    rule: view.getUint8(at + TraceField.rule),
    latency: view.getFloat64(at + TraceField.latency, true),
  };
}

export type Tone = 'read' | 'write' | 'config' | 'irq' | 'dma' | 'note' | 'warn' | 'error' | 'plain';

export const columns = [
  { id: 'marks', title: '', width: 30, narrow: 24, name: 'Marks' },
  { id: 'row', title: 'Row', width: 66, narrow: 52, align: 'right' },
  { id: 'time', title: 'Time', width: 90, align: 'right' },
  { id: 'delta', title: 'Delta', width: 60, align: 'right' },
  { id: 'device', title: 'Device', width: 68 },
  { id: 'kind', title: 'Kind', width: 70 },
  { id: 'register', title: 'Register', width: 140, narrow: 124 },
  { id: 'value', title: 'Value', width: 134, narrow: 90 },
  { id: 'decoded', title: 'Decoded', width: 180 },
  { id: 'width', title: 'Width', width: 58, align: 'right' },
  { id: 'bar', title: 'BAR', width: 30, align: 'right' },
  { id: 'cpu', title: 'CPU', width: 30, align: 'right' },
  { id: 'latency', title: 'Latency', width: 62, align: 'right' },
  { id: 'cause', title: 'Number', width: 92, align: 'right' },
] as const satisfies readonly {
  readonly id: string;
  readonly title: string;
  readonly width: number;
  /** In a narrow panel. */
  readonly narrow?: number;
  readonly align?: 'right';
  /** Where the head has no room for one. */
  readonly name?: string;
}[];
export type Column = (typeof columns)[number];
export type ColumnId = Column['id'];
/** Its width is what the others leave. */
export const elastic: ColumnId = 'decoded';
/** Those without which a row says nothing. */
export const fixedColumns: readonly ColumnId[] = ['kind', 'register'];

export function columnName(column: Column): string {
  return 'name' in column ? column.name : column.title;
}

export interface FormattedRow {
  readonly tone: Tone;
  readonly cells: Readonly<Record<ColumnId, string>>;
  /** The value in other bases. */
  readonly hint: string;
  /** The text spans all columns but the time: a note, missed events. */
  readonly wide: boolean;
  /** It has nothing in the columns of accesses: what is decoded may take them. */
  readonly bare: boolean;
  /** The most severe of its expert notes, and all of them in words. */
  readonly expert: ExpertSeverity | undefined;
  readonly expertText: string;
}

export interface RowContext {
  index(device: number): RegisterIndex | undefined;
  name(device: number): string;
  note(number: number): string | undefined;
  /** Time of the row before; undefined: not known. */
  readonly before: number | undefined;
  /** Times count from here; undefined: from the lab's start. */
  readonly reference?: number | undefined;
  /** They count from this row. */
  readonly isReference?: boolean;
  readonly bookmarked?: boolean;
}

/** Devices have clocks of their own: a row can be a little earlier than the one before it. */
function signed(ns: number): string {
  return ns < 0 ? `−${duration(-ns)}` : `+${duration(ns)}`;
}

/** Expert notes of a row; {@link TraceRow.length} of a note is what it is about. */
export function rowExperts(row: TraceRow): number {
  return expertBits(row.kind | (row.flags << 24), row.aux, row.length);
}

export const severityGlyph: Readonly<Record<ExpertSeverity, string>> = {
  error: '✖',
  warning: '▲',
  note: '●',
};

export interface ConfigPart {
  readonly register: WireConfigRegister;
  readonly value: bigint;
  readonly previous: bigint;
  /** What a driver's write does. */
  readonly effect: ((field: WireField) => WriteEffect) | undefined;
}

/** What an access to configuration space holds of each register that it meets; what it does not meet of one is 0. */
export function configParts(registers: readonly WireConfigRegister[], row: TraceRow): readonly ConfigPart[] {
  // By hand it may have been the device's own write, which sets bits.
  const driver = row.kind === TraceKind.configWrite && (row.flags & TraceFlag.byHand) === 0;
  return registers.map((register) => {
    const shift = BigInt((register.offset - row.address) * 8);
    const within = (1n << BigInt(register.length * 8)) - 1n;
    const part = (bits: bigint) => (shift >= 0n ? bits >> shift : bits << -shift) & within;
    const [value, previous] = [part(row.value), part(row.previous)];
    if (!driver) return { register, value, previous, effect: undefined };
    const effect = writeEffects(register, value);
    if ((row.flags & TraceFlag.previousKnown) === 0) return { register, value, previous, effect };
    // The others keep what they hold.
    const takes = BigInt(register.writable) | BigInt(register.writeOneToClear);
    return { register, value: (value & takes) | (previous & ~takes), previous, effect };
  });
}

function configDecoded(parts: readonly ConfigPart[], row: TraceRow): string {
  const known = (row.flags & TraceFlag.previousKnown) !== 0;
  const was = (bits: bigint, length: number) => `was ${hex(bits, length * 2)}`;
  if (known && parts.length === 0)
    return row.previous === row.value ? 'unchanged' : was(row.previous, row.length);
  const texts = parts.map(({ register: { name, length, fields }, value, previous, effect }) => {
    if (!known) return setFields(fields, value, effect);
    if (fields.length > 0) return changedFields(fields, previous, value, effect);
    if (previous === value) return '';
    return `${parts.length > 1 ? `${name} ` : ''}${was(previous, length)}`;
  });
  return texts.filter((text) => text !== '').join(', ') || (known ? 'unchanged' : '');
}

const dmaStatus = ['ok', 'unmapped', 'not bus master', 'bad length', 'gone', 'wrong direction'];

export function formatRow(row: TraceRow, context: RowContext): FormattedRow {
  const bits = rowExperts(row);
  const experts = bits === 0 ? [] : expertNotes(bits);
  const severity = experts[0]?.severity ?? (bits === 0 ? undefined : 'note');
  const reference = context.reference;
  const cells: Record<ColumnId, string> = {
    marks: `${context.bookmarked ? '★' : ''}${severity === undefined ? '' : severityGlyph[severity]}`,
    row: count(row.row + 1),
    latency: Number.isNaN(row.latency) ? '' : duration(row.latency),
    time:
      reference === undefined
        ? instant(row.time)
        : context.isReference === true
          ? 'reference'
          : signed(row.time - reference),
    delta: context.before === undefined ? '' : signed(row.time - context.before),
    cpu: '',
    device: context.name(row.device),
    kind: '',
    bar: '',
    register: '',
    width: '',
    value: '',
    decoded: '',
    cause: row.sequence > 0 ? `#${row.sequence}` : row.cause > 0 ? `from #${row.cause}` : '',
  };
  let tone: Tone = 'plain';
  let isWide = false;
  const index = context.index(row.device);

  switch (row.kind) {
    case TraceKind.mmioRead:
    case TraceKind.mmioWrite: {
      const write = row.kind === TraceKind.mmioWrite;
      tone = write ? 'write' : 'read';
      cells.kind = write ? 'write' : 'read';
      cells.cpu = `${row.cpu}`;
      cells.bar = `${row.bar}`;
      cells.width = bytes(row.length);
      cells.value = hex(row.value, row.length * 2);
      const hit = index?.find(row.bar, row.address);
      if (hit === undefined) {
        cells.register = hex(row.address, 4);
        break;
      }
      const { register, delta } = hit;
      cells.register = `${register.name}${delta === 0 ? '' : `+${delta}`} ${hex(row.address, 4)}`;
      // An access to part of a register shows that part's fields.
      const at = BigInt(delta * 8);
      const value = row.value << at;
      if (register.fields.length > 0) {
        const known = (row.flags & TraceFlag.previousKnown) !== 0;
        const effect = write ? writeEffects(register, value) : undefined;
        const changed = known ? changedFields(register.fields, row.previous << at, value, effect) : '';
        cells.decoded = changed !== '' ? changed : setFields(register.fields, value, effect);
        if (known && changed === '' && write) cells.decoded = 'unchanged';
      } else {
        cells.decoded = register.title;
      }
      break;
    }
    case TraceKind.configRead:
    case TraceKind.configWrite: {
      tone = 'config';
      cells.kind = row.kind === TraceKind.configWrite ? 'config write' : 'config read';
      cells.width = bytes(row.length);
      cells.value = hex(row.value, row.length * 2);
      const registers = index?.config(row.address, row.length) ?? [];
      cells.register = `${configNames(registers, row.address)} ${hex(row.address, 3)}`.trimStart();
      cells.decoded = configDecoded(configParts(registers, row), row);
      break;
    }
    case TraceKind.interrupt: {
      tone = 'irq';
      const vector = row.aux & 0xffff;
      cells.kind = 'interrupt';
      cells.register = `vector ${vector}`;
      cells.decoded = index?.description.vectorNames[vector] ?? '';
      break;
    }
    case TraceKind.dmaRead:
    case TraceKind.dmaWrite: {
      tone = 'dma';
      cells.kind = row.kind === TraceKind.dmaRead ? 'DMA read' : 'DMA write';
      cells.register = hex(row.address, 8);
      const status = dmaStatus[row.aux] ?? `status ${row.aux}`;
      cells.value = bytes(row.length);
      if ((row.flags & TraceFlag.peer) !== 0) cells.decoded = 'peer to peer';
      if (row.aux !== 0) cells.decoded = cells.decoded === '' ? status : `${status}, ${cells.decoded}`;
      break;
    }
    case TraceKind.missed:
      tone = 'warn';
      cells.kind = 'missed';
      cells.register = `${count(row.aux)} ${row.aux === 1 ? 'event is' : 'events are'} missing here`;
      isWide = true;
      break;
    case TraceKind.note:
      tone = 'note';
      cells.kind = 'note';
      cells.register = context.note(row.aux) ?? `note ${row.aux}`;
      isWide = true;
      break;
    case TraceKind.command: {
      const [opcode, status] = [Number(row.value & 0xffffffffn), Number(row.value >> 32n)];
      tone = 'plain';
      cells.kind = 'command';
      cells.register = index?.description.commandNames?.[opcode] ?? `opcode ${hex(opcode, 2)}`;
      cells.value = row.length === 0 ? '' : bytes(row.length);
      cells.decoded = [
        status === 0 ? '' : `status ${hex(status, 3)}`,
        `queue ${row.aux >>> 16}, command ${row.aux & 0xffff}`,
        row.length === 0 ? '' : `at ${hex(row.address)}`,
      ]
        .filter((part) => part !== '')
        .join(', ');
      break;
    }
    case TraceKind.driver:
      tone = 'note';
      cells.kind = 'driver';
      cells.register = context.note(row.aux) ?? '';
      isWide = true;
      break;
    case TraceKind.reset:
      tone = 'config';
      cells.kind = 'reset';
      break;
    case 0:
      // All zeroes: the store gave the row up for newer ones.
      return {
        tone: 'plain',
        wide: true,
        bare: false,
        hint: '',
        expert: undefined,
        expertText: '',
        cells: {
          ...cells,
          marks: '',
          row: '',
          latency: '',
          time: '',
          delta: '',
          kind: '',
          register: 'no longer kept',
        },
      };
    default:
      cells.kind = `kind ${row.kind}`;
  }

  if (row.flags & TraceFlag.undefinedBehaviour) {
    tone = 'warn';
    cells.kind = 'undefined';
  }
  if (row.flags & (TraceFlag.error | TraceFlag.refused)) {
    tone = 'error';
    if (row.flags & TraceFlag.refused && !isWide) {
      cells.decoded = cells.decoded === '' ? 'refused' : `refused: ${cells.decoded}`;
    }
  }
  if (row.flags & TraceFlag.byHand && !isWide) {
    cells.decoded = cells.decoded === '' ? 'by hand' : `${cells.decoded} (by hand)`;
  }
  if (row.repeat > 1) {
    const times = `${count(row.repeat)} times`;
    cells.decoded = cells.decoded === '' ? times : `${times}, ${cells.decoded}`;
  }
  const expertText =
    experts.length > 0
      ? experts.map(({ title, detail }) => `${title}: ${detail}`).join('\n')
      : bits === 0
        ? ''
        : 'See the note about it';
  const hint = row.kind <= TraceKind.configWrite ? otherBases(row.value, row.length) : '';
  const bare = !isWide && accessColumns.every((id) => cells[id] === '');
  return { tone, cells, hint, wide: isWide, bare, expert: severity, expertText };
}
