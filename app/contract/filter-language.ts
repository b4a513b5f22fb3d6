/**
 * The language in which rows of the trace are filtered, searched and coloured: text -> tree. Window and lab read it with
 * the same parser: the window to complete and to point at what is wrong, the lab to compile it.
 *
 * `bar == 0 && reg ~ "SQ*TDBL" && write && value > 3`
 */
import { TraceFlag, TraceKind } from './trace-record.ts';

/** A register as far as the language knows it. */
export interface FilterRegister {
  readonly device: number;
  readonly bar: number;
  readonly offset: number;
  readonly width: number;
  readonly name: string;
  readonly fields: readonly {
    readonly name: string;
    readonly lsb: number;
    readonly width: number;
    readonly values?: Readonly<Record<number, string>> | undefined;
  }[];
}

/** Names that a filter may use, of every device of the session. */
export interface FilterVocabulary {
  registers(): Iterable<FilterRegister>;
  devices(): Iterable<{ readonly id: number; readonly name: string }>;
}

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | '&';
const COMPARISONS: readonly Comparison[] = ['==', '!=', '<', '<=', '>', '>=', '&'];

type Unit = 'none' | 'time' | 'size' | 'status';

/** Numbers that rows carry. A row without one matches no comparison of it. */
export const numericFields = {
  value: { unit: 'none', detail: 'value read or written' },
  previous: { unit: 'none', detail: "the register's value before" },
  bar: { unit: 'none', detail: 'BAR of an access' },
  offset: { unit: 'none', detail: 'offset in the BAR or in config space' },
  width: { unit: 'size', detail: 'bytes of an access' },
  cpu: { unit: 'none', detail: 'CPU that made the access' },
  time: { unit: 'time', detail: "since the lab's start, such as 1.5s or 20ms" },
  vector: { unit: 'none', detail: 'interrupt vector' },
  address: { unit: 'none', detail: 'bus address of a DMA' },
  length: { unit: 'size', detail: 'bytes of a DMA or a command' },
  status: { unit: 'status', detail: 'result of a DMA' },
  opcode: { unit: 'none', detail: 'opcode of a command' },
  queue: { unit: 'none', detail: 'queue of a command' },
  number: { unit: 'none', detail: 'number of an access' },
  cause: { unit: 'none', detail: 'number of the access that caused it' },
  row: { unit: 'none', detail: 'row of the whole trace' },
} as const satisfies Record<string, { unit: Unit; detail: string }>;
export type NumericField = keyof typeof numericFields;

export const kindWords: Readonly<
  Record<string, { readonly kinds: readonly number[]; readonly detail: string }>
> = {
  read: { kinds: [TraceKind.mmioRead, TraceKind.configRead], detail: 'accesses that read' },
  write: { kinds: [TraceKind.mmioWrite, TraceKind.configWrite], detail: 'accesses that write' },
  mmio: { kinds: [TraceKind.mmioRead, TraceKind.mmioWrite], detail: 'accesses to BARs' },
  config: { kinds: [TraceKind.configRead, TraceKind.configWrite], detail: 'config space accesses' },
  irq: { kinds: [TraceKind.interrupt], detail: 'interrupts' },
  interrupt: { kinds: [TraceKind.interrupt], detail: 'interrupts' },
  dma: { kinds: [TraceKind.dmaRead, TraceKind.dmaWrite], detail: 'transfers' },
  dmaread: { kinds: [TraceKind.dmaRead], detail: 'the device reads memory' },
  dmawrite: { kinds: [TraceKind.dmaWrite], detail: 'the device writes memory' },
  command: { kinds: [TraceKind.command], detail: 'commands that were carried out' },
  missed: { kinds: [TraceKind.missed], detail: 'events that were lost' },
  note: { kinds: [TraceKind.note], detail: 'notes' },
  reset: { kinds: [TraceKind.reset], detail: 'resets' },
  driver: { kinds: [TraceKind.driver], detail: 'a driver bound or let go' },
};

const flagWords: Readonly<Record<string, { readonly flags: number; readonly detail: string }>> = {
  undefined: { flags: TraceFlag.undefinedBehaviour, detail: 'undefined behaviour of the driver' },
  error: { flags: TraceFlag.error, detail: 'errors' },
  refused: { flags: TraceFlag.refused, detail: 'refused transfers and interrupts' },
  peer: { flags: TraceFlag.peer, detail: 'transfers to and from the memory of another device' },
  byhand: { flags: TraceFlag.byHand, detail: 'done by a person' },
};

/** By code; `status == unmapped`. */
export const dmaStatusWords = ['ok', 'unmapped', 'busmaster', 'badlength', 'gone', 'direction'] as const;

export type FilterNode =
  | { readonly op: 'and' | 'or'; readonly left: FilterNode; readonly right: FilterNode }
  | { readonly op: 'not'; readonly of: FilterNode }
  | { readonly op: 'kind'; readonly kinds: readonly number[] }
  | { readonly op: 'flag'; readonly flags: number }
  /** Rows with an expert note. */
  | { readonly op: 'expert' }
  | { readonly op: 'text'; readonly text: string }
  | { readonly op: 'register'; readonly glob: string; readonly negated: boolean }
  | { readonly op: 'device'; readonly glob: string; readonly negated: boolean }
  | {
      readonly op: 'compare';
      readonly field: NumericField | 'device';
      readonly comparison: Comparison;
      /** ns for times, rounded; a fraction makes no difference between whole numbers but for its side. */
      readonly value: bigint;
    }
  | {
      readonly op: 'field';
      readonly register: string;
      readonly field: string;
      readonly comparison: Comparison;
      /** A name: whatever value has it. */
      readonly value: bigint | string;
    };

export class FilterError extends Error {
  /** First character that is wrong, and how many are. */
  readonly at: number;
  readonly length: number;
  /** What may stand there. */
  readonly accepted: string;

  constructor(message: string, accepted: string, at: number, length: number) {
    super(message);
    this.at = at;
    this.length = Math.max(1, length);
    this.accepted = accepted;
  }
}

interface Token {
  readonly kind: 'word' | 'string' | 'number' | 'operator' | 'end';
  readonly text: string;
  readonly at: number;
  readonly end: number;
}

const OPERATORS = ['&&', '||', '==', '!=', '!~', '<=', '>=', '(', ')', '!', '<', '>', '~', '&'];

const TIME_UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 60e9 };
const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const push = (kind: Token['kind'], content: string, length: number): void => {
    tokens.push({ kind, text: content, at, end: at + length });
    at += length;
  };
  while (at < text.length) {
    const character = text[at]!;
    if (/\s/.test(character)) {
      at++;
      continue;
    }
    if (character === '"') {
      const close = text.indexOf('"', at + 1);
      if (close < 0) {
        throw new FilterError(
          'A string without its closing quote',
          'text between "quotes"',
          at,
          text.length - at,
        );
      }
      push('string', text.slice(at + 1, close), close + 1 - at);
      continue;
    }
    const operator = OPERATORS.find((candidate) => text.startsWith(candidate, at));
    if (operator !== undefined) {
      push('operator', operator, operator.length);
      continue;
    }
    const rest = text.slice(at);
    const number = /^(0x[0-9a-f_]+|0b[01_]+|\d[\d_]*(\.\d+)?)[a-z]*/i.exec(rest)?.[0];
    if (number !== undefined) {
      push('number', number, number.length);
      continue;
    }
    const word = /^[a-z_*?][\w*?]*(\.[\w*?]*)?/i.exec(rest)?.[0];
    if (word === undefined) {
      const single: Readonly<Record<string, string>> = { '=': '== to compare', '|': '|| for "or"' };
      throw new FilterError(
        `"${character}" is not part of the filter language`,
        single[character] ?? 'a word, a number, a "string" or an operator',
        at,
        1,
      );
    }
    push('word', word, word.length);
  }
  tokens.push({ kind: 'end', text: '', at: text.length, end: text.length });
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

/** What may come next, for completion. */
type Expected =
  | { readonly what: 'term' }
  | { readonly what: 'join' }
  | { readonly what: 'comparison'; readonly of: string }
  | { readonly what: 'match'; readonly of: 'reg' | 'device' | 'kind' }
  | { readonly what: 'register' }
  | { readonly what: 'device' }
  | { readonly what: 'kind' }
  | { readonly what: 'number'; readonly of: string }
  | { readonly what: 'fieldValue'; readonly register: string; readonly field: string };

const TERMS = 'a field such as value, a word such as write, a register field such as CC.EN, or "text"';

class Parser {
  readonly #tokens: readonly Token[];
  readonly #registers: readonly FilterRegister[];
  readonly #devices: readonly { readonly id: number; readonly name: string }[];
  #position = 0;
  /** Of the last token looked at. */
  expected: Expected = { what: 'term' };

  constructor(text: string, vocabulary: FilterVocabulary) {
    this.#tokens = tokenize(text);
    this.#registers = [...vocabulary.registers()];
    this.#devices = [...vocabulary.devices()];
  }

  parse(): FilterNode {
    const node = this.#or();
    const token = this.#peek();
    if (token.kind !== 'end') this.#fail(token, `"${token.text}" is unexpected`, '&&, || or the end');
    return node;
  }

  #peek(): Token {
    return this.#tokens[this.#position]!;
  }

  #take(expected: Expected): Token {
    const token = this.#peek();
    this.expected = expected;
    if (token.kind !== 'end') this.#position++;
    return token;
  }

  #fail(token: Token, message: string, accepted: string): never {
    throw new FilterError(message, accepted, token.at, token.end - token.at);
  }

  #takeOperator(...texts: readonly string[]): boolean {
    const token = this.#peek();
    const word = token.kind === 'word' ? token.text.toLowerCase() : '';
    const found =
      token.kind === 'operator' ? texts.includes(token.text) : word !== '' && texts.includes(word);
    if (found) this.#position++;
    return found;
  }

  #or(): FilterNode {
    let left = this.#and();
    while (this.#takeOperator('||', 'or')) left = { op: 'or', left, right: this.#and() };
    return left;
  }

  #and(): FilterNode {
    let left = this.#not();
    for (;;) {
      this.expected = { what: 'join' };
      const token = this.#peek();
      if (!this.#takeOperator('&&', 'and')) {
        // Terms side by side are both meant.
        const word = token.kind === 'word' ? token.text.toLowerCase() : '';
        const adjacent =
          (token.kind === 'word' && word !== 'or') ||
          token.kind === 'string' ||
          (token.kind === 'operator' && (token.text === '(' || token.text === '!'));
        if (!adjacent) return left;
      }
      left = { op: 'and', left, right: this.#not() };
    }
  }

  #not(): FilterNode {
    this.expected = { what: 'term' };
    if (this.#takeOperator('!', 'not')) return { op: 'not', of: this.#not() };
    if (this.#takeOperator('(')) {
      const inner = this.#or();
      const token = this.#peek();
      if (!this.#takeOperator(')')) {
        if (token.kind === 'end')
          this.#fail(token, 'A closing parenthesis is missing', ') or a further term');
        this.#fail(token, `"${token.text}" is unexpected`, ')');
      }
      return inner;
    }
    return this.#term();
  }

  #term(): FilterNode {
    const token = this.#take({ what: 'term' });
    if (token.kind === 'string') {
      if (token.text === '') this.#fail(token, 'The text to look for is empty', 'at least one character');
      return { op: 'text', text: token.text };
    }
    if (token.kind === 'end') this.#fail(token, 'A term is missing', TERMS);
    if (token.kind !== 'word') this.#fail(token, `"${token.text}" is unexpected`, TERMS);
    const dot = token.text.indexOf('.');
    if (dot >= 0) return this.#registerField(token, token.text.slice(0, dot), token.text.slice(dot + 1));
    const word = token.text.toLowerCase();
    switch (word) {
      case 'reg':
      case 'register':
        return this.#register();
      case 'device':
        return this.#device();
      case 'kind':
        return this.#kind();
      case 'expert':
        return { op: 'expert' };
    }
    if (Object.hasOwn(numericFields, word)) return this.#comparison(word as NumericField);
    if (Object.hasOwn(kindWords, word)) return { op: 'kind', kinds: kindWords[word]!.kinds };
    if (Object.hasOwn(flagWords, word)) return { op: 'flag', flags: flagWords[word]!.flags };
    const pattern = globToRegExp(token.text);
    if (/[*?]/.test(word) || this.#registers.some(({ name }) => pattern.test(name))) {
      return { op: 'register', glob: token.text, negated: false };
    }
    const near = nearest(word, [
      ...termWords().map(({ text }) => text),
      ...this.#registers.map(({ name }) => name),
    ]);
    this.#fail(
      token,
      `"${token.text}" is neither a word of the filter language nor a register`,
      near === undefined
        ? `${TERMS}; text to look for stands in "quotes"`
        : `${near}, or "${token.text}" in quotes to look for the text`,
    );
  }

  #register(): FilterNode {
    const operator = this.#take({ what: 'match', of: 'reg' });
    if (operator.kind !== 'operator' || !['~', '!~', '==', '!='].includes(operator.text)) {
      this.#fail(operator, '"reg" is followed by an operator', '~, !~, == or !=, then a name with * and ?');
    }
    const name = this.#take({ what: 'register' });
    if (name.kind === 'operator' || name.kind === 'end' || name.text === '') {
      this.#fail(name, 'A register name is missing', 'a name with * and ?, such as "SQ*TDBL"');
    }
    return { op: 'register', glob: name.text, negated: operator.text.startsWith('!') };
  }

  #device(): FilterNode {
    const operator = this.#take({ what: 'match', of: 'device' });
    const comparison = operator.text as Comparison;
    const matches = operator.kind === 'operator' && ['~', '!~'].includes(operator.text);
    if (!matches && (operator.kind !== 'operator' || !COMPARISONS.includes(comparison))) {
      this.#fail(operator, '"device" is followed by an operator', '==, !=, ~ or !~, then a number or a name');
    }
    const name = this.#take({ what: 'device' });
    if (name.kind === 'number' && !matches) {
      return { op: 'compare', field: 'device', comparison, value: this.#number(name, 'none') };
    }
    if (name.kind === 'operator' || name.kind === 'end' || name.text === '') {
      this.#fail(name, 'A device is missing', 'a number such as 1, or a name such as "NVMe*"');
    }
    if (!matches && comparison !== '==' && comparison !== '!=') {
      this.#fail(operator, 'Names have no order', '==, !=, ~ or !~');
    }
    return { op: 'device', glob: name.text, negated: operator.text.startsWith('!') };
  }

  #kind(): FilterNode {
    const operator = this.#take({ what: 'match', of: 'kind' });
    if (operator.kind !== 'operator' || !['==', '!='].includes(operator.text)) {
      this.#fail(operator, '"kind" is followed by an operator', '== or !=');
    }
    const name = this.#take({ what: 'kind' });
    const word = name.text.toLowerCase().replaceAll(' ', '');
    if (!(name.kind === 'word' || name.kind === 'string') || !Object.hasOwn(kindWords, word)) {
      this.#fail(
        name,
        name.kind === 'end' ? 'A kind is missing' : `"${name.text}" is no kind`,
        Object.keys(kindWords).join(', '),
      );
    }
    const node: FilterNode = { op: 'kind', kinds: kindWords[word]!.kinds };
    return operator.text === '!=' ? { op: 'not', of: node } : node;
  }

  #comparison(field: NumericField): FilterNode {
    const operator = this.#takeComparison(field);
    const token = this.#take({ what: 'number', of: field });
    const { unit } = numericFields[field];
    if (unit === 'status' && token.kind === 'word') {
      const code = (dmaStatusWords as readonly string[]).indexOf(token.text.toLowerCase());
      if (code < 0) this.#fail(token, `"${token.text}" is no result of a DMA`, dmaStatusWords.join(', '));
      return { op: 'compare', field, comparison: operator, value: BigInt(code) };
    }
    if (token.kind !== 'number') {
      const example = {
        none: '3 or 0x1f',
        time: '20ms or 1.5s',
        size: '64 or 4KiB',
        status: '1 or unmapped',
      }[unit];
      this.#fail(
        token,
        token.kind === 'end' ? 'A number is missing' : `"${token.text}" is not a number`,
        `a number such as ${example}`,
      );
    }
    return { op: 'compare', field, comparison: operator, value: this.#number(token, unit) };
  }

  #takeComparison(of: string): Comparison {
    const token = this.#take({ what: 'comparison', of });
    if (token.kind !== 'operator' || !COMPARISONS.includes(token.text as Comparison)) {
      this.#fail(
        token,
        `"${of}" is followed by a comparison`,
        '==, !=, <, <=, >, >= or & (any of these bits)',
      );
    }
    return token.text as Comparison;
  }

  #registerField(token: Token, register: string, field: string): FilterNode {
    const any = /^(reg|register)$/i.test(register);
    const glob = any ? '*' : register;
    const pattern = globToRegExp(glob);
    const registers = this.#registers.filter(({ name }) => pattern.test(name));
    const fieldAt = { ...token, at: token.at + register.length + 1 };
    const registerAt = { ...token, end: token.at + register.length };
    if (registers.length === 0 && !any && !/[*?]/.test(glob)) {
      const near = nearest(
        register,
        this.#registers.map(({ name }) => name),
      );
      this.#fail(
        registerAt,
        `There is no register "${register}"`,
        near ?? 'the name of a register of a device that is or was on',
      );
    }
    const fields = registers.flatMap((one) => one.fields.map(({ name }) => name));
    const fieldPattern = globToRegExp(field);
    if (field === '' || !fields.some((name) => fieldPattern.test(name))) {
      if (this.#peek().kind === 'end' && field === '')
        this.#fail(fieldAt, 'A field is missing', unique(fields).join(', '));
      const names = unique(fields);
      const of = any ? 'No register' : `"${register}"`;
      this.#fail(
        fieldAt,
        `${of} has ${any ? 'a' : 'no'} field "${field}"`,
        names.length === 0 ? 'a register that has fields' : names.slice(0, 12).join(', '),
      );
    }
    const comparison = this.#takeComparison(token.text);
    const value = this.#take({ what: 'fieldValue', register: glob, field });
    if (value.kind === 'number') {
      return { op: 'field', register: glob, field, comparison, value: this.#number(value, 'none') };
    }
    const named = unique(
      registers.flatMap((one) =>
        one.fields
          .filter(({ name }) => fieldPattern.test(name))
          .flatMap(({ values }) => Object.values(values ?? {})),
      ),
    );
    const known = named.find((name) => name.toLowerCase() === value.text.toLowerCase());
    if (known === undefined || !(value.kind === 'word' || value.kind === 'string')) {
      const names = named.length === 0 ? '' : `, or ${named.map((name) => `"${name}"`).join(', ')}`;
      this.#fail(
        value,
        value.kind === 'end' ? 'A value is missing' : `"${value.text}" is no value of ${token.text}`,
        `a number such as 3 or 0x1f${names}`,
      );
    }
    if (comparison !== '==' && comparison !== '!=')
      this.#fail(value, 'Names of values have no order', 'a number');
    return { op: 'field', register: glob, field, comparison, value: known };
  }

  /** With its unit, which may stand apart: `1.5 ms`. */
  #number(token: Token, unit: Unit): bigint {
    const match = /^(0x[0-9a-f_]+|0b[01_]+|\d[\d_]*(?:\.\d+)?)([a-z]*)$/i.exec(token.text);
    if (match === null) this.#fail(token, `"${token.text}" is not a number`, '31, 0x1f or 0b11111');
    const digits = match[1]!.replaceAll('_', '');
    const units = unit === 'time' ? TIME_UNITS : unit === 'size' ? SIZE_UNITS : {};
    let suffix = match[2]!.toLowerCase();
    const suffixAt = { ...token, at: token.end - suffix.length };
    const next = this.#peek();
    if (suffix === '' && next.kind === 'word' && Object.hasOwn(units, next.text.toLowerCase())) {
      suffix = next.text.toLowerCase();
      this.#position++;
    }
    if (suffix !== '' && !Object.hasOwn(units, suffix)) {
      const known = Object.keys(units);
      this.#fail(
        suffixAt,
        `"${suffix}" is no unit here`,
        known.length === 0 ? 'a number without a unit' : `a unit: ${known.join(', ')}`,
      );
    }
    if (suffix === '' && unit === 'time' && digits !== '0') {
      this.#fail(token, 'A time has a unit', `${digits}us, ${digits}ms or ${digits}s`);
    }
    const scale = suffix === '' ? 1 : units[suffix]!;
    if (digits.includes('.')) {
      if (unit !== 'time') this.#fail(token, `"${digits}" is not a whole number`, '31, 0x1f or 0b11111');
      return BigInt(Math.round(Number(digits) * scale));
    }
    const value = BigInt(digits) * BigInt(scale);
    if (value >= 1n << 64n) this.#fail(token, 'The number has more than 64 bits', 'up to 0xffffffffffffffff');
    return value;
  }

  /** What fits at the end of the text, which stops before the word that is being typed. */
  suggestions(): readonly Suggestion[] {
    const { expected } = this;
    switch (expected.what) {
      case 'term':
        return [
          ...termWords(),
          ...unique(this.#registers.map(({ name }) => name)).map(
            (text): Suggestion => ({ text, detail: 'register' }),
          ),
        ];
      case 'join':
        return [
          { text: '&&', detail: 'and' },
          { text: '||', detail: 'or' },
        ];
      case 'comparison':
        return [
          { text: '==', detail: 'is' },
          { text: '!=', detail: 'is another than' },
          { text: '<', detail: 'less' },
          { text: '<=', detail: 'at most' },
          { text: '>', detail: 'more' },
          { text: '>=', detail: 'at least' },
          { text: '&', detail: 'has any of the bits' },
        ];
      case 'match':
        return [
          ...(expected.of === 'kind'
            ? []
            : [
                { text: '~', detail: 'matches, with * and ?' },
                { text: '!~', detail: 'does not match' },
              ]),
          { text: '==', detail: 'is' },
          { text: '!=', detail: 'is another than' },
        ];
      case 'register':
        return unique(this.#registers.map(({ name }) => name)).map((text) => ({ text, detail: 'register' }));
      case 'device':
        return this.#devices.map(({ id, name }) => ({
          text: /^\w+$/.test(name) ? name : `"${name}"`,
          detail: `device ${id}`,
        }));
      case 'kind':
        return Object.entries(kindWords).map(([text, { detail }]) => ({ text, detail }));
      case 'number':
        return expected.of === 'status' ? dmaStatusWords.map((text) => ({ text, detail: 'result' })) : [];
      case 'fieldValue': {
        const values = this.#fieldsOf(expected.register)
          .filter(({ name }) => globToRegExp(expected.field).test(name))
          .flatMap((field) => Object.entries(field.values ?? {}));
        return unique(values.map(([, name]) => name)).map((name) => ({
          text: /^[a-z_]\w*$/i.test(name) ? name : `"${name}"`,
          detail: `value ${values.find(([, other]) => other === name)![0]}`,
        }));
      }
    }
  }

  #fieldsOf(register: string): FilterRegister['fields'] {
    const pattern = globToRegExp(register);
    return this.#registers.filter(({ name }) => pattern.test(name)).flatMap(({ fields }) => fields);
  }

  /** Fields after the dot of `register.`. */
  fieldSuggestions(register: string): readonly Suggestion[] {
    const glob = /^(reg|register)$/i.test(register) ? '*' : register;
    return unique(this.#fieldsOf(glob).map(({ name }) => name)).map((name) => ({
      text: `${register}.${name}`,
      detail: 'field',
    }));
  }
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

let words: readonly Suggestion[] | undefined;

/** What a term may begin with. */
function termWords(): readonly Suggestion[] {
  words ??= [
    { text: 'reg', detail: 'register by name, with * and ?' },
    { text: 'device', detail: 'device by number or name' },
    { text: 'kind', detail: 'kind of row' },
    ...Object.entries(numericFields).map(([text, { detail }]) => ({ text, detail })),
    ...Object.entries(kindWords).map(([text, { detail }]) => ({ text, detail })),
    ...Object.entries(flagWords).map(([text, { detail }]) => ({ text, detail })),
    { text: 'expert', detail: 'rows with an expert note' },
    { text: 'not', detail: 'the contrary' },
  ];
  return words;
}

/** The word with at most two letters changed, if there is one. */
function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.min(3, word.length);
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Letters added, taken, changed, or swapped with their neighbour; 3 stands for more. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  const rows = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i++) {
    const before = rows[i - 1]!;
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      let least = Math.min(before[j]! + 1, row[j - 1]! + 1, before[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** Undefined for an empty filter: every row. Throws {@link FilterError}. */
export function parseFilter(text: string, vocabulary: FilterVocabulary): FilterNode | undefined {
  return text.trim() === '' ? undefined : new Parser(text, vocabulary).parse();
}

export interface Suggestion {
  readonly text: string;
  readonly detail: string;
}

export interface Completion {
  /** The characters that a suggestion replaces. */
  readonly from: number;
  readonly to: number;
  readonly suggestions: readonly Suggestion[];
}

const SUGGESTIONS = 50;

/** What may stand at `caret`, what begins as typed first. */
export function completeFilter(text: string, caret: number, vocabulary: FilterVocabulary): Completion {
  const before = text.slice(0, caret);
  const quotes = before.split('"').length - 1;
  const open = quotes % 2 === 1 ? before.lastIndexOf('"') : -1;
  const typed = open >= 0 ? before.slice(open) : (/[\w*?.]*$/.exec(before)?.[0] ?? '');
  const from = caret - typed.length;
  const rest = open >= 0 ? /^[^"]*"?/ : /^[\w*?.]*/;
  const to = caret + (rest.exec(text.slice(caret))?.[0].length ?? 0);
  let all: readonly Suggestion[];
  try {
    const parser = new Parser(text.slice(0, from), vocabulary);
    const dot = typed.indexOf('.');
    if (dot > 0 && open < 0) all = parser.fieldSuggestions(typed.slice(0, dot));
    else {
      try {
        parser.parse();
      } catch (error) {
        // It ends where more is wanted: that is what is completed. Anything before that is wrong is told elsewhere.
        if (!(error instanceof FilterError) || error.at < from) return { from, to, suggestions: [] };
      }
      all = parser.suggestions();
      if (open >= 0)
        all = all.map(({ text: name, detail }) => ({
          text: name.startsWith('"') ? name : `"${name}"`,
          detail,
        }));
    }
  } catch {
    return { from, to, suggestions: [] };
  }
  const needle = typed.toLowerCase();
  const starts = all.filter((one) => one.text.toLowerCase().startsWith(needle));
  const holds = needle === '' ? [] : all.filter((one) => one.text.toLowerCase().indexOf(needle) > 0);
  const suggestions = [...starts, ...holds].filter((one) => one.text !== typed);
  return { from, to, suggestions: suggestions.slice(0, SUGGESTIONS) };
}
