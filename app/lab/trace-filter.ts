/**
 * Filters of the trace, compiled: tree -> loops over the store's columns.
 *
 * A filter is asked about a block of rows at a time and marks those that match in a byte array, one loop a term.
 * Register names are resolved once, when a filter is compiled, to tables by offset, so that no row costs a string.
 */
import {
  type Comparison,
  FilterError,
  type FilterNode,
  type FilterVocabulary,
  globToRegExp,
  type NumericField,
  parseFilter,
} from '#contract/filter-language.ts';
import { TraceFlag, TraceKind } from '#contract/trace-record.ts';
import { LabError } from '../hosts/errors.ts';
import type { TraceColumns } from './trace-columns.ts';

/** Rows that a filter is asked about at once, at most: few enough to stay in the processor's nearest memory. */
export const FILTER_BLOCK = 4096;

/** What a filter needs to know of names. */
export interface FilterNames extends FilterVocabulary {
  /** Text of a note, in lower case for searching. */
  note(id: number): string | undefined;
}

/**
 * Marks rows `from`..`from + count` of `chunk`: 1 in `out[0..count)` where the row matches, else 0. `base` is the number
 * of the chunk's first row in the trace.
 */
export type RowFilter = (
  chunk: TraceColumns,
  base: number,
  from: number,
  count: number,
  out: Uint8Array,
) => void;

const ACCESSES = kindMask(
  TraceKind.mmioRead,
  TraceKind.mmioWrite,
  TraceKind.configRead,
  TraceKind.configWrite,
);
const MMIO = kindMask(TraceKind.mmioRead, TraceKind.mmioWrite);
const DMA = kindMask(TraceKind.dmaRead, TraceKind.dmaWrite);
const COMMAND = kindMask(TraceKind.command);
const ALL = 0x7fffffff;

function kindMask(...kinds: readonly number[]): number {
  let mask = 0;
  for (const kind of kinds) mask |= 1 << kind;
  return mask;
}

const MAX64 = (1n << 64n) - 1n;

/** Every comparison is one of being in an interval, or out of it. */
function interval(comparison: Comparison, value: bigint): { from: bigint; to: bigint; outside: boolean } {
  switch (comparison) {
    case '==':
      return { from: value, to: value, outside: false };
    case '!=':
      return { from: value, to: value, outside: true };
    case '<':
      return { from: 0n, to: value - 1n, outside: false };
    case '<=':
      return { from: 0n, to: value, outside: false };
    case '>':
      return { from: value + 1n, to: MAX64, outside: false };
    default:
      return { from: value, to: MAX64, outside: false };
  }
}

const never: RowFilter = (_chunk, _base, _from, count, out) => void out.fill(0, 0, count);

function byKind(mask: number): RowFilter {
  return ({ head }, _base, from, count, out) => {
    for (let at = 0; at < count; at++) out[at] = (mask >>> (head[from + at]! & 31)) & 1;
  };
}

function byFlag(flags: number): RowFilter {
  return ({ head }, _base, from, count, out) => {
    for (let at = 0; at < count; at++) out[at] = ((head[from + at]! >>> 24) & flags) !== 0 ? 1 : 0;
  };
}

/** As `expertBits`, without asking which. */
const byExpert: RowFilter = ({ head, aux, length }, _base, from, count, out) => {
  for (let at = 0; at < count; at++) {
    const word = head[from + at]!;
    const kind = word & 0xff;
    const flags = word >>> 24;
    let found: boolean;
    if (kind <= TraceKind.mmioWrite) found = aux[from + at] !== 0 || (flags & TraceFlag.error) !== 0;
    else if (kind === TraceKind.dmaRead || kind === TraceKind.dmaWrite) found = aux[from + at] !== 0;
    else if (kind === TraceKind.interrupt) found = (flags & TraceFlag.refused) !== 0;
    else if (kind === TraceKind.note || kind === TraceKind.driver) found = length[from + at] !== 0;
    else found = kind === TraceKind.missed;
    out[at] = found ? 1 : 0;
  }
};

type WordColumn = 'valueLow' | 'length' | 'aux' | 'cause' | 'sequence' | 'head';

/** Bits of a 32-bit column, from `shift` on, under `mask`, in an interval. */
function words(
  column: WordColumn,
  shift: number,
  mask: number,
  kinds: number,
  comparison: Comparison,
  value: bigint,
): RowFilter {
  if (comparison === '&') {
    const bits = Number(value & 0xffffffffn) | 0;
    return (chunk, _base, from, count, out) => {
      const { head } = chunk;
      const words = chunk[column];
      for (let at = 0; at < count; at++) {
        const found = ((words[from + at]! >>> shift) & mask & bits) !== 0 ? 1 : 0;
        out[at] = (kinds >>> (head[from + at]! & 31)) & 1 & found;
      }
    };
  }
  const range = interval(comparison, value);
  if (range.to < range.from && !range.outside) return never;
  // Beyond 32 bits a bound is one that no word reaches; as doubles they compare exactly.
  const low = Number(range.from);
  const high = Number(range.to);
  const outside = range.outside ? 1 : 0;
  return (chunk, _base, from, count, out) => {
    const { head } = chunk;
    const words = chunk[column];
    for (let at = 0; at < count; at++) {
      const word = ((words[from + at]! >>> shift) & mask) >>> 0;
      const inside = word >= low && word <= high ? 1 : 0;
      out[at] = (kinds >>> (head[from + at]! & 31)) & 1 & (inside ^ outside);
    }
  };
}

/** A column of doubles, or the number of the row. */
function doubles(
  column: 'time' | 'address' | 'row',
  kinds: number,
  comparison: Comparison,
  value: bigint,
): RowFilter {
  const range = interval(comparison === '&' ? '==' : comparison, value);
  if (range.to < range.from && !range.outside) return never;
  const outside = range.outside ? 1 : 0;
  if (comparison === '&') {
    return (chunk, base, from, count, out) => {
      const { head } = chunk;
      for (let at = 0; at < count; at++) {
        const number = column === 'row' ? base + from + at + 1 : chunk[column][from + at]!;
        const found = (BigInt(Math.trunc(number)) & value) !== 0n ? 1 : 0;
        out[at] = (kinds >>> (head[from + at]! & 31)) & 1 & found;
      }
    };
  }
  // Times have fractions of a nanosecond: what is shown as 5 ns equals 5 ns.
  const low = column === 'time' ? Number(range.from) - 0.5 : Number(range.from);
  const high = column === 'time' ? Number(range.to) + 0.5 : Number(range.to);
  if (column === 'row') {
    return ({ head }, base, from, count, out) => {
      for (let at = 0; at < count; at++) {
        const row = base + from + at + 1;
        const inside = row >= low && row <= high ? 1 : 0;
        out[at] = (kinds >>> (head[from + at]! & 31)) & 1 & (inside ^ outside);
      }
    };
  }
  return (chunk, _base, from, count, out) => {
    const { head } = chunk;
    const numbers = chunk[column];
    for (let at = 0; at < count; at++) {
      const number = numbers[from + at]!;
      const inside = number >= low && number <= high ? 1 : 0;
      out[at] = (kinds >>> (head[from + at]! & 31)) & 1 & (inside ^ outside);
    }
  };
}

function cpus(comparison: Comparison, value: bigint): RowFilter {
  const range = interval(comparison === '&' ? '==' : comparison, value);
  const low = Number(range.from);
  const high = Number(range.to);
  const outside = range.outside ? 1 : 0;
  const bits = comparison === '&' ? Number(value & 0xffffn) : 0;
  return ({ head, cpu }, _base, from, count, out) => {
    for (let at = 0; at < count; at++) {
      const number = cpu[from + at]!;
      const inside = number >= low && number <= high ? 1 : 0;
      const found = bits !== 0 ? ((number & bits) !== 0 ? 1 : 0) : inside ^ outside;
      out[at] = (ACCESSES >>> (head[from + at]! & 31)) & 1 & found;
    }
  };
}

/** Bits of a field in a value, for one offset that an access can have. */
interface Slice {
  readonly lsb: number;
  /** Bytes that the access has at least for the field to be in it. */
  readonly bytes: number;
  readonly maskLow: number;
  readonly maskHigh: number;
  /** Bounds of the value; none where `never`. */
  readonly fromLow: number;
  readonly fromHigh: number;
  readonly toLow: number;
  readonly toHigh: number;
  readonly outside: number;
  readonly bits: boolean;
}

const low32 = (value: bigint): number => Number(value & 0xffffffffn);
const high32 = (value: bigint): number => Number((value >> 32n) & 0xffffffffn);

function slice(lsb: number, width: number, comparison: Comparison, value: bigint): Slice | undefined {
  const range = interval(comparison === '&' ? '==' : comparison, value);
  if (range.to < range.from && !range.outside) return undefined;
  const mask = (1n << BigInt(width)) - 1n;
  return {
    lsb,
    bytes: Math.ceil((lsb + width) / 8),
    maskLow: low32(mask) | 0,
    maskHigh: high32(mask) | 0,
    fromLow: low32(range.from),
    fromHigh: high32(range.from),
    toLow: low32(range.to),
    toHigh: high32(range.to),
    outside: range.outside ? 1 : 0,
    bits: comparison === '&',
  };
}

function sliceMatches(slice: Slice, low: number, high: number): number {
  const { lsb } = slice;
  let a = low;
  let b = high;
  if (lsb >= 32) {
    a = high >>> (lsb - 32);
    b = 0;
  } else if (lsb > 0) {
    a = (low >>> lsb) | (high << (32 - lsb));
    b = high >>> lsb;
  }
  a = (a & slice.maskLow) >>> 0;
  b = (b & slice.maskHigh) >>> 0;
  if (slice.bits) return ((a & slice.fromLow) | (b & slice.fromHigh)) !== 0 ? 1 : 0;
  const above = b > slice.fromHigh || (b === slice.fromHigh && a >= slice.fromLow);
  const below = b < slice.toHigh || (b === slice.toHigh && a <= slice.toLow);
  return (above && below ? 1 : 0) ^ slice.outside;
}

/** `value` and `previous`, all 64 bits of them. */
function values(column: 'value' | 'previous', comparison: Comparison, value: bigint): RowFilter {
  const whole = slice(0, 64, comparison, value);
  if (whole === undefined) return never;
  const { fromLow, fromHigh, toLow, toHigh, outside, bits } = whole;
  return (chunk, _base, from, count, out) => {
    const { head } = chunk;
    const lows = column === 'value' ? chunk.valueLow : chunk.previousLow;
    const highs = column === 'value' ? chunk.valueHigh : chunk.previousHigh;
    const flags = column === 'value' ? 0 : TraceFlag.previousKnown;
    for (let at = 0; at < count; at++) {
      const word = head[from + at]!;
      const a = lows[from + at]!;
      const b = highs[from + at]!;
      const above = b > fromHigh || (b === fromHigh && a >= fromLow);
      const below = b < toHigh || (b === toHigh && a <= toLow);
      const found = bits
        ? ((a & fromLow) | (b & fromHigh)) !== 0
          ? 1
          : 0
        : (above && below ? 1 : 0) ^ outside;
      const has = ((word >>> 24) & flags) === flags ? (ACCESSES >>> (word & 31)) & 1 : 0;
      out[at] = has & found;
    }
  };
}

const tableOf = (device: number, bar: number): number => device * 8 + bar;
/** Registers beyond this offset are looked up in a map: a table of a large BAR would be one. */
const TABLE_BYTES = 1 << 20;

/** A byte for every offset of a register that a name matches, by device and BAR. */
function registerTables(names: FilterNames, matches: (name: string) => boolean): (Uint8Array | undefined)[] {
  const ends: number[] = [];
  const matching = [...names.registers()].filter(
    ({ name, offset, width }) => matches(name) && offset + width <= TABLE_BYTES,
  );
  for (const { device, bar, offset, width } of matching) {
    const table = tableOf(device, bar);
    ends[table] = Math.max(ends[table] ?? 0, offset + width);
  }
  const tables: (Uint8Array | undefined)[] = new Array(256 * 8).fill(undefined);
  ends.forEach((end, table) => {
    tables[table] = new Uint8Array(end);
  });
  for (const { device, bar, offset, width } of matching) {
    tables[tableOf(device, bar)]!.fill(1, offset, offset + width);
  }
  return tables;
}

function byRegister(names: FilterNames, matches: (name: string) => boolean, negated: boolean): RowFilter {
  const tables = registerTables(names, matches);
  const flip = negated ? 1 : 0;
  return ({ head, address }, _base, from, count, out) => {
    for (let at = 0; at < count; at++) {
      const word = head[from + at]!;
      let found = 0;
      if ((word & 0xff) <= TraceKind.mmioWrite) {
        const table = tables[(((word >>> 8) & 0xff) << 3) | ((word >>> 16) & 7)];
        const offset = address[from + at]!;
        found = (table !== undefined && offset < table.length ? table[offset]! : 0) ^ flip;
      }
      out[at] = found;
    }
  };
}

function byField(names: FilterNames, node: Extract<FilterNode, { op: 'field' }>): RowFilter {
  const register = globToRegExp(node.register);
  const field = globToRegExp(node.field);
  /** By table and offset: what to look at in the value of an access there. */
  const slices: (Map<number, Slice[]> | undefined)[] = new Array(256 * 8).fill(undefined);
  for (const one of names.registers()) {
    if (!register.test(one.name)) continue;
    for (const { name, lsb, width, values: named } of one.fields) {
      if (!field.test(name)) continue;
      let { value } = node;
      if (typeof value === 'string') {
        const text = value.toLowerCase();
        const code = Object.entries(named ?? {}).find(([, other]) => other.toLowerCase() === text)?.[0];
        if (code === undefined) continue;
        value = BigInt(code);
      }
      for (let delta = 0; delta < one.width; delta++) {
        if (lsb < delta * 8) break;
        const made = slice(lsb - delta * 8, width, node.comparison, value);
        if (made === undefined) continue;
        const table = (slices[tableOf(one.device, one.bar)] ??= new Map());
        const list = table.get(one.offset + delta);
        if (list === undefined) table.set(one.offset + delta, [made]);
        else list.push(made);
      }
    }
  }
  return ({ head, address, length, valueLow, valueHigh }, _base, from, count, out) => {
    for (let at = 0; at < count; at++) {
      const word = head[from + at]!;
      out[at] = 0;
      if ((word & 0xff) > TraceKind.mmioWrite) continue;
      const list = slices[(((word >>> 8) & 0xff) << 3) | ((word >>> 16) & 7)]?.get(address[from + at]!);
      if (list === undefined) continue;
      for (let index = 0; index < list.length; index++) {
        const one = list[index]!;
        if (length[from + at]! < one.bytes) continue;
        if (sliceMatches(one, valueLow[from + at]!, valueHigh[from + at]!) === 1) out[at] = 1;
      }
    }
  };
}

function byDeviceName(names: FilterNames, glob: string, negated: boolean): RowFilter {
  const pattern = globToRegExp(glob);
  const table = new Uint8Array(256).fill(negated ? 1 : 0);
  for (const { id, name } of names.devices()) if (pattern.test(name)) table[id] = negated ? 0 : 1;
  return ({ head }, _base, from, count, out) => {
    for (let at = 0; at < count; at++) out[at] = table[(head[from + at]! >>> 8) & 0xff]!;
  };
}

function byText(names: FilterNames, text: string): RowFilter {
  const needle = text.toLowerCase();
  const register = byRegister(names, (name) => name.toLowerCase().includes(needle), false);
  return (chunk, base, from, count, out) => {
    register(chunk, base, from, count, out);
    for (let at = 0; at < count; at++) {
      const kind = chunk.head[from + at]! & 0xff;
      if (kind !== TraceKind.note && kind !== TraceKind.driver) continue;
      out[at] = names.note(chunk.aux[from + at]!)?.includes(needle) === true ? 1 : 0;
    }
  };
}

function compileComparison(field: NumericField | 'device', comparison: Comparison, value: bigint): RowFilter {
  switch (field) {
    case 'value':
    case 'previous':
      return values(field, comparison, value);
    case 'bar':
      return words('head', 16, 0xff, MMIO, comparison, value);
    case 'device':
      return words('head', 8, 0xff, ALL, comparison, value);
    case 'offset':
      return doubles('address', ACCESSES, comparison, value);
    case 'address':
      return doubles('address', DMA, comparison, value);
    case 'time':
      return doubles('time', ALL, comparison, value);
    case 'row':
      return doubles('row', ALL, comparison, value);
    case 'width':
      return words('length', 0, -1, ACCESSES, comparison, value);
    case 'length':
      return words('length', 0, -1, DMA | COMMAND, comparison, value);
    case 'opcode':
      return words('valueLow', 0, -1, COMMAND, comparison, value);
    case 'queue':
      return words('aux', 16, 0xffff, COMMAND, comparison, value);
    case 'vector':
      return words('aux', 0, 0xffff, kindMask(TraceKind.interrupt), comparison, value);
    case 'status':
      return words('aux', 0, -1, DMA, comparison, value);
    case 'number':
      return words('sequence', 0, -1, ACCESSES, comparison, value);
    case 'cause':
      return words('cause', 0, -1, ALL & ~ACCESSES, comparison, value);
    case 'cpu':
      return cpus(comparison, value);
  }
}

function any(out: Uint8Array, count: number): boolean {
  const first = out.indexOf(1);
  return first >= 0 && first < count;
}

function compile(node: FilterNode, names: FilterNames): RowFilter {
  switch (node.op) {
    case 'and': {
      const left = compile(node.left, names);
      const right = compile(node.right, names);
      const scratch = new Uint8Array(FILTER_BLOCK);
      return (chunk, base, from, count, out) => {
        left(chunk, base, from, count, out);
        if (!any(out, count)) return;
        right(chunk, base, from, count, scratch);
        for (let at = 0; at < count; at++) out[at]! &= scratch[at]!;
      };
    }
    case 'or': {
      const left = compile(node.left, names);
      const right = compile(node.right, names);
      const scratch = new Uint8Array(FILTER_BLOCK);
      return (chunk, base, from, count, out) => {
        left(chunk, base, from, count, out);
        right(chunk, base, from, count, scratch);
        for (let at = 0; at < count; at++) out[at]! |= scratch[at]!;
      };
    }
    case 'not': {
      const inner = compile(node.of, names);
      return (chunk, base, from, count, out) => {
        inner(chunk, base, from, count, out);
        for (let at = 0; at < count; at++) out[at]! ^= 1;
      };
    }
    case 'kind':
      return byKind(kindMask(...node.kinds));
    case 'flag':
      return byFlag(node.flags);
    case 'expert':
      return byExpert;
    case 'text':
      return byText(names, node.text);
    case 'register': {
      const pattern = globToRegExp(node.glob);
      return byRegister(names, (name) => pattern.test(name), node.negated);
    }
    case 'device':
      return byDeviceName(names, node.glob, node.negated);
    case 'compare':
      return compileComparison(node.field, node.comparison, node.value);
    case 'field':
      return byField(names, node);
  }
}

/** Undefined for an empty filter: every row. Throws {@link LabError} `BAD_FILTER`, saying where. */
export function compileFilter(text: string, names: FilterNames): RowFilter | undefined {
  try {
    const node = parseFilter(text, names);
    return node === undefined ? undefined : compile(node, names);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new LabError(
      'BAD_FILTER',
      `${error.message} at column ${error.at + 1} of the filter "${text}"`,
      `accepted: ${error.accepted}`,
    );
  }
}

/** Both; undefined stands for every row. */
export function both(a: RowFilter | undefined, b: RowFilter | undefined): RowFilter | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const scratch = new Uint8Array(FILTER_BLOCK);
  return (chunk, base, from, count, out) => {
    a(chunk, base, from, count, out);
    if (!any(out, count)) return;
    b(chunk, base, from, count, scratch);
    for (let at = 0; at < count; at++) out[at]! &= scratch[at]!;
  };
}

/** Rows of these kinds; undefined when they are all there are. */
export function kindFilter(kinds: number): RowFilter | undefined {
  return kinds === ALL_KINDS ? undefined : byKind(kinds);
}

/** Bit 1 << kind of every kind. */
export const ALL_KINDS = kindMask(...Object.values(TraceKind));
