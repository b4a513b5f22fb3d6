/**
 * Register descriptions out of a CMSIS-SVD file (CMSIS-SVD schema 1.3): peripherals, registers, clusters, arrays, derived
 * elements, fields and enumerated values. What is not understood is an error with its line; nothing is guessed.
 */
import { SaxesParser } from 'saxes';
import type { WireField, WireRegister } from '#contract/devices.ts';
import { hex } from '#renderer/ui/format.ts';

export interface SvdPeripheral {
  readonly name: string;
  readonly description: string;
  readonly registers: readonly WireRegister[];
}

export interface SvdDevice {
  readonly name: string;
  readonly peripherals: readonly SvdPeripheral[];
}

/** Bytes. The largest files of vendors are some 10 MiB. */
export const LONGEST_SVD = 32 * 1024 * 1024;
const MOST_REGISTERS = 20_000;
const DEEPEST = 32;
const CHUNK = 1 << 16;

export class SvdError extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  readonly line: number;
  text: string;
}

/** The XML as elements, in slices, so that a long file does not stop the window. */
async function readXml(text: string): Promise<Element> {
  const parser = new SaxesParser();
  const stack: Element[] = [];
  let root: Element | undefined;
  let failure: SvdError | undefined;
  parser.on('error', (error) => {
    const match = /^(?:.*?:)?(\d+):(\d+): (.*)$/s.exec(error.message);
    failure ??=
      match === null
        ? new SvdError(parser.line, error.message)
        : new SvdError(Number(match[1]), match[3]!.replace(/\.$/, ''));
  });
  parser.on('opentag', ({ name, attributes }) => {
    const element: Element = {
      name,
      attributes: attributes as Readonly<Record<string, string>>,
      children: [],
      line: parser.line,
      text: '',
    };
    if (stack.length >= DEEPEST) failure ??= new SvdError(parser.line, 'elements are nested too deeply');
    stack.at(-1)?.children.push(element);
    root ??= element;
    stack.push(element);
  });
  const add = (part: string): void => {
    const top = stack.at(-1);
    if (top !== undefined) top.text += part;
  };
  parser.on('text', add);
  parser.on('cdata', add);
  parser.on('closetag', () => stack.pop());
  let shown = performance.now();
  for (let at = 0; at < text.length && failure === undefined; at += CHUNK) {
    parser.write(text.slice(at, at + CHUNK));
    if (performance.now() - shown > 12) {
      await new Promise((resolve) => setTimeout(resolve));
      shown = performance.now();
    }
  }
  if (failure === undefined) parser.close();
  if (failure !== undefined) throw failure;
  if (root === undefined) throw new SvdError(1, 'the file is empty');
  if (root.name !== 'device') {
    throw new SvdError(root.line, `<${root.name}> is no CMSIS-SVD file; its first element is <device>`);
  }
  return root;
}

const child = (element: Element, name: string): Element | undefined =>
  element.children.find((one) => one.name === name);
const textOf = (element: Element, name: string): string =>
  child(element, name)?.text.replaceAll(/\s+/g, ' ').trim() ?? '';

function needed(element: Element, name: string): string {
  const text = textOf(element, name);
  if (text === '') throw new SvdError(element.line, `<${element.name}> has no <${name}>`);
  return text;
}

/** `0x1f`, `31`, `#11111`, `0b11111`. */
function numberIn(element: Element, name: string): number | undefined {
  const found = child(element, name);
  if (found === undefined) return undefined;
  return Number(bigOf(found));
}

function bigOf(element: Element): bigint {
  const text = element.text.trim();
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return BigInt(text);
  const binary = /^(?:#|0b)([01]+)$/i.exec(text);
  if (binary === null)
    throw new SvdError(element.line, `<${element.name}> holds "${text}", which is no number`);
  return BigInt(`0b${binary[1]}`);
}

/** Properties that inner elements take from outer ones. */
interface Properties {
  readonly size: number;
  readonly access: string;
  readonly reset: bigint;
}

const accesses = ['read-only', 'write-only', 'read-write', 'writeOnce', 'read-writeOnce'];

function propertiesOf(element: Element, outer: Properties): Properties {
  const reset = child(element, 'resetValue');
  const access = textOf(element, 'access');
  if (access !== '' && !accesses.includes(access)) {
    const { line } = child(element, 'access')!;
    throw new SvdError(line, `<access> is "${access}"; accepted are ${accesses.join(', ')}`);
  }
  return {
    size: numberIn(element, 'size') ?? outer.size,
    access: access || outer.access,
    reset: reset === undefined ? outer.reset : bigOf(reset),
  };
}

/** An element with what it is derived from under it: its own children win. */
function derived(element: Element, siblings: readonly Element[], seen = 0): Element {
  const from = element.attributes.derivedFrom;
  if (from === undefined) return element;
  const base = siblings.find((one) => one !== element && textOf(one, 'name') === from.split('.').at(-1));
  if (base === undefined || seen > DEEPEST) {
    throw new SvdError(element.line, `<${element.name}> is derived from "${from}", which is not there`);
  }
  const whole = derived(base, siblings, seen + 1);
  const own = new Set(element.children.map(({ name }) => name));
  return {
    ...element,
    children: [...element.children, ...whole.children.filter(({ name }) => !own.has(name))],
  };
}

/** The places of an array's elements; one for what is no array. */
function places(element: Element): { readonly name: string; readonly offset: number }[] {
  const name = needed(element, 'name');
  const count = numberIn(element, 'dim');
  if (count === undefined) return [{ name, offset: 0 }];
  const step = numberIn(element, 'dimIncrement');
  if (step === undefined) throw new SvdError(element.line, `${name}: <dim> without <dimIncrement>`);
  if (count < 1 || count > MOST_REGISTERS) throw new SvdError(element.line, `${name}: <dim> is ${count}`);
  const indexes = indexesOf(element, name, count);
  return indexes.map((index, at) => ({
    name: name.replace('[%s]', index).replace('%s', index),
    offset: at * step,
  }));
}

function indexesOf(element: Element, name: string, count: number): string[] {
  const text = textOf(element, 'dimIndex');
  if (text === '') return Array.from({ length: count }, (_, at) => `${at}`);
  const range = /^(\d+)-(\d+)$/.exec(text);
  const letters = /^([A-Z])-([A-Z])$/.exec(text);
  const list =
    range !== null
      ? Array.from({ length: Number(range[2]) - Number(range[1]) + 1 }, (_, at) => `${Number(range[1]) + at}`)
      : letters !== null
        ? Array.from({ length: letters[2]!.charCodeAt(0) - letters[1]!.charCodeAt(0) + 1 }, (_, at) =>
            String.fromCharCode(letters[1]!.charCodeAt(0) + at),
          )
        : text.split(',').map((part) => part.trim());
  if (list.length !== count) {
    throw new SvdError(
      element.line,
      `${name}: <dimIndex> names ${list.length} elements and <dim> says ${count}`,
    );
  }
  return list;
}

function bitsOf(field: Element, name: string): { lsb: number; width: number } {
  const range = textOf(field, 'bitRange');
  if (range !== '') {
    const match = /^\[(\d+):(\d+)\]$/.exec(range);
    if (match === null) {
      throw new SvdError(
        child(field, 'bitRange')!.line,
        `<bitRange> is "${range}"; accepted is such as [7:4]`,
      );
    }
    return { lsb: Number(match[2]), width: Number(match[1]) - Number(match[2]) + 1 };
  }
  const lsb = numberIn(field, 'bitOffset') ?? numberIn(field, 'lsb');
  if (lsb === undefined) throw new SvdError(field.line, `field ${name} does not say where its bits are`);
  const msb = numberIn(field, 'msb');
  return { lsb, width: msb === undefined ? (numberIn(field, 'bitWidth') ?? 1) : msb - lsb + 1 };
}

function valuesOf(field: Element, width: number): Readonly<Record<number, string>> | undefined {
  const list = child(field, 'enumeratedValues');
  if (list === undefined) return undefined;
  const values: Record<number, string> = {};
  for (const one of list.children) {
    if (one.name !== 'enumeratedValue') continue;
    const value = child(one, 'value');
    if (value === undefined) continue;
    const name = needed(one, 'name');
    const text = value.text.trim();
    const loose = /^(?:#|0b)([01x]+)$/i.exec(text)?.[1]?.toLowerCase();
    if (loose?.includes('x')) {
      // Bits that do not matter: every value that they stand for, where that are few.
      if (width > 8) continue;
      for (let at = 0; at < 2 ** width; at++) {
        const digits = at.toString(2).padStart(loose.length, '0');
        if ([...loose].every((digit, bit) => digit === 'x' || digit === digits[bit])) values[at] = name;
      }
    } else values[Number(bigOf(value))] = name;
  }
  return values;
}

interface Bits {
  readonly fields: readonly WireField[];
  readonly writable: bigint;
  readonly clearable: bigint;
}

function fieldsOf(register: Element, name: string, size: number, access: string): Bits {
  const list = child(register, 'fields')?.children.filter((one) => one.name === 'field') ?? [];
  const all = (1n << BigInt(size)) - 1n;
  const clears = (element: Element): boolean => textOf(element, 'modifiedWriteValues') === 'oneToClear';
  const fields: WireField[] = [];
  let writable = 0n;
  let clearable = 0n;
  for (const raw of list) {
    const field = derived(raw, list);
    const first = bitsOf(field, needed(field, 'name'));
    const kind = textOf(field, 'access') || access;
    for (const place of places(field)) {
      const lsb = first.lsb + place.offset;
      const { width } = first;
      if (width < 1 || lsb < 0 || lsb + width > size) {
        throw new SvdError(
          field.line,
          `field ${place.name} has bits ${lsb + width - 1}:${lsb}, and ${name} has ${size}`,
        );
      }
      const description = textOf(field, 'description');
      const values = valuesOf(field, width);
      fields.push({
        name: place.name,
        lsb,
        width,
        ...(description === '' ? {} : { description }),
        ...(values === undefined ? {} : { values }),
      });
      const mask = ((1n << BigInt(width)) - 1n) << BigInt(lsb);
      if (clears(field)) clearable |= mask;
      else if (kind !== 'read-only') writable |= mask;
    }
  }
  if (list.length === 0 && access !== 'read-only') {
    if (clears(register)) clearable = all;
    else writable = all;
  }
  return { fields, writable, clearable };
}

function registersOf(
  holder: Element,
  base: number,
  prefix: string,
  outer: Properties,
  into: WireRegister[],
): void {
  for (const raw of holder.children) {
    if (raw.name !== 'register' && raw.name !== 'cluster') continue;
    const element = derived(
      raw,
      holder.children.filter(({ name }) => name === raw.name),
    );
    const properties = propertiesOf(element, outer);
    const offset = numberIn(element, 'addressOffset');
    if (offset === undefined) throw new SvdError(element.line, `<${element.name}> has no <addressOffset>`);
    for (const place of places(element)) {
      const name = `${prefix}${place.name}`;
      const at = base + offset + place.offset;
      if (element.name === 'cluster') {
        registersOf(element, at, `${name}_`, properties, into);
        continue;
      }
      const { size, access, reset } = properties;
      if (![8, 16, 32, 64].includes(size)) {
        throw new SvdError(element.line, `${name} has ${size} bits; accepted are 8, 16, 32 and 64`);
      }
      const { fields, writable, clearable } = fieldsOf(element, name, size, access);
      if (into.length >= MOST_REGISTERS) {
        throw new SvdError(element.line, `there are more than ${MOST_REGISTERS} registers`);
      }
      into.push({
        name,
        title: textOf(element, 'displayName') || textOf(element, 'description') || name,
        offset: at,
        width: (size / 8) as WireRegister['width'],
        reset: hex(reset & ((1n << BigInt(size)) - 1n)),
        writable: hex(writable),
        writeOneToClear: hex(clearable),
        fields,
      });
    }
  }
}

/** Throws an {@link SvdError} that names the line. */
export async function parseSvd(text: string): Promise<SvdDevice> {
  const root = await readXml(text);
  const holder = child(root, 'peripherals');
  if (holder === undefined) throw new SvdError(root.line, '<device> has no <peripherals>');
  const defaults = propertiesOf(root, { size: 32, access: 'read-write', reset: 0n });
  const list = holder.children.filter(({ name }) => name === 'peripheral');
  const peripherals = list.map((raw): SvdPeripheral => {
    const peripheral = derived(raw, list);
    const registers: WireRegister[] = [];
    const block = child(peripheral, 'registers');
    if (block !== undefined) registersOf(block, 0, '', propertiesOf(peripheral, defaults), registers);
    return {
      name: needed(peripheral, 'name'),
      description: textOf(peripheral, 'description'),
      registers: registers.sort((a, b) => a.offset - b.offset),
    };
  });
  if (peripherals.length === 0) throw new SvdError(holder.line, '<peripherals> is empty');
  return { name: textOf(root, 'name') || 'device', peripherals };
}
