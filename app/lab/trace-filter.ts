/**
 * The filter language of the trace: text -> tree -> predicate over the store's columns.
 *
 * `bar == 0 && reg ~ "SQ*TDBL" && write && value > 3`. Register names are resolved once, when the filter is compiled,
 * to the offsets that they match, so that a row costs a few comparisons of numbers.
 */
import { TraceFlag, TraceKind } from '#contract/trace-record.ts';
import { LabError } from '../hosts/errors.ts';
import type { TraceColumns } from './trace-columns.ts';

export type TracePredicate = (chunk: TraceColumns, index: number) => boolean;

/** What a filter needs to know of names. */
export interface FilterNames {
  /** Every register of every device that was ever powered on. */
  registers(): Iterable<{ device: number; bar: number; offset: number; width: number; name: string }>;
  /** Text of a note, in lower case for searching. */
  note(id: number): string | undefined;
}

type Token = { kind: 'word' | 'string' | 'number' | 'operator' | 'end'; text: string; at: number };

const OPERATORS = ['&&', '||', '==', '!=', '<=', '>=', '(', ')', '!', '<', '>', '~'];

const KIND_WORDS: Readonly<Record<string, readonly number[]>> = {
  read: [TraceKind.mmioRead, TraceKind.configRead],
  write: [TraceKind.mmioWrite, TraceKind.configWrite],
  mmio: [TraceKind.mmioRead, TraceKind.mmioWrite],
  config: [TraceKind.configRead, TraceKind.configWrite],
  irq: [TraceKind.interrupt],
  interrupt: [TraceKind.interrupt],
  dma: [TraceKind.dmaRead, TraceKind.dmaWrite],
  missed: [TraceKind.missed],
  note: [TraceKind.note],
  reset: [TraceKind.reset],
};

const FLAG_WORDS: Readonly<Record<string, number>> = {
  undefined: TraceFlag.undefinedBehaviour,
  error: TraceFlag.error,
  refused: TraceFlag.refused,
};

type NumericField = (chunk: TraceColumns, index: number) => number;

/** NaN where a row has no such field, so that every comparison fails. */
const FIELDS: Readonly<Record<string, NumericField>> = {
  bar: (c, i) => ((c.head[i]! & 0xff) <= TraceKind.mmioWrite ? (c.head[i]! >>> 16) & 0xff : Number.NaN),
  device: (c, i) => (c.head[i]! >>> 8) & 0xff,
  value: (c, i) =>
    (c.head[i]! & 0xff) <= TraceKind.configWrite ? c.valueHigh[i]! * 2 ** 32 + c.valueLow[i]! : Number.NaN,
  offset: (c, i) => ((c.head[i]! & 0xff) <= TraceKind.configWrite ? c.address[i]! : Number.NaN),
  width: (c, i) => ((c.head[i]! & 0xff) <= TraceKind.configWrite ? c.length[i]! : Number.NaN),
  length: (c, i) => (isDma(c.head[i]! & 0xff) ? c.length[i]! : Number.NaN),
  address: (c, i) => (isDma(c.head[i]! & 0xff) ? c.address[i]! : Number.NaN),
  vector: (c, i) => ((c.head[i]! & 0xff) === TraceKind.interrupt ? c.aux[i]! : Number.NaN),
  cpu: (c, i) => ((c.head[i]! & 0xff) <= TraceKind.configWrite ? c.cpu[i]! : Number.NaN),
  time: (c, i) => c.time[i]!,
};

function isDma(kind: number): boolean {
  return kind === TraceKind.dmaRead || kind === TraceKind.dmaWrite;
}

function fail(text: string, at: number, message: string): never {
  throw new LabError(
    'BAD_FILTER',
    `${message} at column ${at + 1} of the filter "${text}"`,
    'for example: write && reg ~ "SQ*TDBL" && value > 3',
  );
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    if (/\s/.test(character)) {
      at++;
      continue;
    }
    if (character === '"') {
      const close = text.indexOf('"', at + 1);
      if (close < 0) fail(text, at, 'A string without its closing quote');
      tokens.push({ kind: 'string', text: text.slice(at + 1, close), at });
      at = close + 1;
      continue;
    }
    const operator = OPERATORS.find((candidate) => text.startsWith(candidate, at));
    if (operator !== undefined) {
      tokens.push({ kind: 'operator', text: operator, at });
      at += operator.length;
      continue;
    }
    const word = /^[\w.*?[\]-]+/.exec(text.slice(at))?.[0];
    if (word === undefined) fail(text, at, `"${character}" is not part of the filter language`);
    tokens.push({ kind: /^(0x[0-9a-f]+|\d+)$/i.test(word) ? 'number' : 'word', text: word, at });
    at += word.length;
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

/** A glob with `*` and `?`, case ignored, as a regular expression over the whole name. */
export function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`, 'i');
}

const keyOf = (device: number, bar: number, offset: number): number => (device * 8 + bar) * 2 ** 32 + offset;

function registerPredicate(names: FilterNames, matches: (name: string) => boolean): TracePredicate {
  const keys = new Set<number>();
  for (const register of names.registers()) {
    if (!matches(register.name)) continue;
    for (let byte = 0; byte < register.width; byte++) {
      keys.add(keyOf(register.device, register.bar, register.offset + byte));
    }
  }
  return (chunk, index) => {
    const head = chunk.head[index]!;
    const kind = head & 0xff;
    if (kind !== TraceKind.mmioRead && kind !== TraceKind.mmioWrite) return false;
    return keys.has(keyOf((head >>> 8) & 0xff, (head >>> 16) & 0xff, chunk.address[index]!));
  };
}

function kindPredicate(kinds: readonly number[]): TracePredicate {
  let mask = 0;
  for (const kind of kinds) mask |= 1 << kind;
  return (chunk, index) => ((mask >>> (chunk.head[index]! & 0xff)) & 1) !== 0;
}

function textPredicate(names: FilterNames, text: string): TracePredicate {
  const needle = text.toLowerCase();
  const register = registerPredicate(names, (name) => name.toLowerCase().includes(needle));
  return (chunk, index) => {
    if ((chunk.head[index]! & 0xff) === TraceKind.note) {
      return names.note(chunk.aux[index]!)?.includes(needle) ?? false;
    }
    return register(chunk, index);
  };
}

class Parser {
  readonly #text: string;
  readonly #tokens: Token[];
  readonly #names: FilterNames;
  #position = 0;

  constructor(text: string, names: FilterNames) {
    this.#text = text;
    this.#tokens = tokenize(text);
    this.#names = names;
  }

  parse(): TracePredicate {
    const predicate = this.#or();
    const token = this.#peek();
    if (token.kind !== 'end') fail(this.#text, token.at, `"${token.text}" is unexpected`);
    return predicate;
  }

  #peek(): Token {
    return this.#tokens[this.#position]!;
  }

  #take(): Token {
    return this.#tokens[this.#position++]!;
  }

  #takeOperator(text: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'operator' || token.text !== text) return false;
    this.#position++;
    return true;
  }

  #or(): TracePredicate {
    let left = this.#and();
    while (this.#takeOperator('||')) {
      const a = left;
      const b = this.#and();
      left = (chunk, index) => a(chunk, index) || b(chunk, index);
    }
    return left;
  }

  #and(): TracePredicate {
    let left = this.#not();
    for (;;) {
      const token = this.#peek();
      const joined = this.#takeOperator('&&');
      const adjacent =
        !joined &&
        token.kind !== 'end' &&
        (token.kind !== 'operator' || token.text === '(' || token.text === '!');
      if (!joined && !adjacent) return left;
      const a = left;
      const b = this.#not();
      left = (chunk, index) => a(chunk, index) && b(chunk, index);
    }
  }

  #not(): TracePredicate {
    if (this.#takeOperator('!')) {
      const inner = this.#not();
      return (chunk, index) => !inner(chunk, index);
    }
    if (this.#takeOperator('(')) {
      const inner = this.#or();
      const token = this.#peek();
      if (!this.#takeOperator(')')) fail(this.#text, token.at, 'A closing parenthesis is missing');
      return inner;
    }
    return this.#term();
  }

  #term(): TracePredicate {
    const token = this.#take();
    if (token.kind === 'string') return textPredicate(this.#names, token.text);
    if (token.kind !== 'word') {
      fail(
        this.#text,
        token.at,
        token.kind === 'end' ? 'A term is missing' : `"${token.text}" is unexpected`,
      );
    }
    const word = token.text.toLowerCase();
    if (word === 'reg' || word === 'register') {
      const operator = this.#take();
      const name = this.#take();
      if (operator.kind !== 'operator' || !['~', '==', '!='].includes(operator.text)) {
        fail(this.#text, operator.at, '"reg" is followed by ~, == or !=');
      }
      if (name.kind === 'operator' || name.kind === 'end')
        fail(this.#text, name.at, 'A register name is missing');
      const pattern = globToRegExp(name.text);
      const found = registerPredicate(this.#names, (candidate) => pattern.test(candidate));
      return operator.text === '!=' ? (chunk, index) => !found(chunk, index) : found;
    }
    const field = FIELDS[word];
    if (field !== undefined) return this.#comparison(word, field);
    const kinds = KIND_WORDS[word];
    if (kinds !== undefined) return kindPredicate(kinds);
    const flag = FLAG_WORDS[word];
    if (flag !== undefined) return (chunk, index) => ((chunk.head[index]! >>> 24) & flag) !== 0;
    if (/[*?]/.test(token.text)) {
      const pattern = globToRegExp(token.text);
      return registerPredicate(this.#names, (candidate) => pattern.test(candidate));
    }
    return textPredicate(this.#names, token.text);
  }

  #comparison(word: string, field: NumericField): TracePredicate {
    const operator = this.#take();
    if (operator.kind !== 'operator' || !['==', '!=', '<', '<=', '>', '>='].includes(operator.text)) {
      fail(this.#text, operator.at, `"${word}" is followed by ==, !=, <, <=, > or >=`);
    }
    const number = this.#take();
    if (number.kind !== 'number') fail(this.#text, number.at, 'A number such as 3 or 0x1f is missing');
    const value = Number(number.text);
    switch (operator.text) {
      case '==':
        return (chunk, index) => field(chunk, index) === value;
      case '!=':
        return (chunk, index) => {
          const actual = field(chunk, index);
          return !Number.isNaN(actual) && actual !== value;
        };
      case '<':
        return (chunk, index) => field(chunk, index) < value;
      case '<=':
        return (chunk, index) => field(chunk, index) <= value;
      case '>':
        return (chunk, index) => field(chunk, index) > value;
      default:
        return (chunk, index) => field(chunk, index) >= value;
    }
  }
}

/** Undefined for an empty filter: every row. Throws {@link LabError} `BAD_FILTER`, saying where. */
export function compileFilter(text: string, names: FilterNames): TracePredicate | undefined {
  return text.trim() === '' ? undefined : new Parser(text, names).parse();
}
