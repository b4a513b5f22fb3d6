/** Numbers as a person reads them. Hexadecimal is lower case with `0x`; units are always there. */

export function hex(value: number | bigint, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/** How numbers are written, as the settings say. */
const formats = { groupDigits: true, sizes: 'binary' as 'binary' | 'decimal' };

export function setFormats(to: typeof formats): void {
  Object.assign(formats, { groupDigits: to.groupDigits, sizes: to.sizes });
}

/** From eight digits up, groups of four, for setting them apart on the screen; joined they are the plain number. */
export function hexGroups(text: string): readonly string[] {
  if (!formats.groupDigits || text.length < 10 || !/^0x[0-9a-f]+$/.test(text)) return [text];
  const digits = text.slice(2);
  const first = digits.length % 4 || 4;
  const groups = [`0x${digits.slice(0, first)}`];
  for (let at = first; at < digits.length; at += 4) groups.push(digits.slice(at, at + 4));
  return groups;
}

/** Seconds with microseconds, for an instant. */
export function instant(ns: number): string {
  return `${(ns / 1e9).toFixed(6)} s`;
}

export function duration(ns: number): string {
  const size = Math.abs(ns);
  if (size < 1000) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${threeDigits(ns / 1e3)} us`;
  if (size < 1e9) return `${threeDigits(ns / 1e6)} ms`;
  return `${threeDigits(ns / 1e9)} s`;
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}

const UNITS = {
  binary: { step: 1024, names: ['B', 'KiB', 'MiB', 'GiB', 'TiB'] },
  decimal: { step: 1000, names: ['B', 'kB', 'MB', 'GB', 'TB'] },
} as const;

export function bytes(count: number): string {
  const { step, names } = UNITS[formats.sizes];
  let value = count;
  let unit = 0;
  while (value >= step && unit < names.length - 1) {
    value /= step;
    unit++;
  }
  if (unit === 0 || Number.isInteger(value)) return `${value} ${names[unit]}`;
  return `${threeDigits(value)} ${names[unit]}`;
}

/** `1234567` as `1,234,567`. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

export function rate(perSecond: number, what: string): string {
  if (perSecond < 10_000) return `${count(perSecond)}${what === '' ? '' : ` ${what}`}/s`;
  if (perSecond < 1e6) return `${threeDigits(perSecond / 1e3)} k${what}/s`;
  return `${threeDigits(perSecond / 1e6)} M${what}/s`;
}

/** Sizes as a person types them: `4096`, `0x1000`, `1GiB`, `512 MB`. Undefined: not a size. */
export function parseSize(text: string): number | undefined {
  const match = text.trim().match(/^(0x[0-9a-f]+|\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i);
  if (match === null) return undefined;
  const number = Number(match[1]);
  const power = ' kmgt'.indexOf((match[2] || ' ').toLowerCase());
  if (power === 0 && match[3] !== '') return undefined;
  const size =
    number * (match[2] !== '' && match[3] === '' && /b$/i.test(text.trim()) ? 1000 : 1024) ** power;
  return Number.isInteger(size) ? size : undefined;
}

export type ParsedValue = { readonly value: bigint } | { readonly problem: string };

function parseNumber(text: string, bits: number, room: string): ParsedValue {
  const clean = text.trim().toLowerCase().replaceAll(/[_\s]/g, '');
  if (!/^(0x[0-9a-f]+|0b[01]+|\d+)$/.test(clean)) {
    return { problem: `"${text.trim()}" is not a number; write 0x1f, 31 or 0b11111` };
  }
  const value = BigInt(clean);
  if (value >> BigInt(bits) !== 0n) {
    const most = (1n << BigInt(bits)) - 1n;
    return { problem: `${hex(value)} does not fit in ${room}; at most ${hex(most)} (${most})` };
  }
  return { value };
}

/** A value to write: hexadecimal with or without `0x` after `#`, decimal, or binary with `0b`. */
export function parseValue(text: string, width: number): ParsedValue {
  return parseNumber(text, width * 8, `${width} ${width === 1 ? 'byte' : 'bytes'}`);
}

/** The same for a field of so many bits. */
export function parseBits(text: string, bits: number): ParsedValue {
  return bits % 8 === 0
    ? parseValue(text, bits / 8)
    : parseNumber(text, bits, `${bits} ${bits === 1 ? 'bit' : 'bits'}`);
}

/** Decimal and binary of a value, for the pointer that rests on it. */
export function otherBases(value: bigint, width: number): string {
  const binary = value
    .toString(2)
    .padStart(Math.min(width * 8, 64), '0')
    .replace(/\B(?=([01]{8})+$)/g, ' ');
  return `${value.toString()}\n0b ${binary}`;
}

const byteTexts = Array.from(
  { length: 256 },
  (_, byte) => `${byte} = 0b${byte.toString(2).padStart(8, '0')}`,
);

/** A byte in decimal and binary, for the pointer that rests on it. */
export function byteText(byte: number): string {
  return byteTexts[byte]!;
}

export function readValue(view: DataView, at: number, width: number): bigint {
  switch (width) {
    case 1:
      return BigInt(view.getUint8(at));
    case 2:
      return BigInt(view.getUint16(at, true));
    case 4:
      return BigInt(view.getUint32(at, true));
    default:
      return view.getBigUint64(at, true);
  }
}

export function clockTime(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => value.toString().padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
