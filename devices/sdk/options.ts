/** Checks of what a person or a script gives as a model's options. */
import type { DeviceModel, OptionField, OptionValue, OptionValues } from './device.ts';

export interface OptionProblem {
  readonly field: string;
  readonly message: string;
}

export type OptionCheck =
  | { readonly ok: true; readonly values: OptionValues }
  | { readonly ok: false; readonly errors: readonly OptionProblem[] };

/** A model refuses its options when powering on, for something that only then can be known. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  kib: 2 ** 10,
  kb: 1000,
  m: 2 ** 20,
  mib: 2 ** 20,
  mb: 1000 ** 2,
  g: 2 ** 30,
  gib: 2 ** 30,
  gb: 1000 ** 3,
  t: 2 ** 40,
  tib: 2 ** 40,
  tb: 1000 ** 4,
};

/** Bytes in text such as `1GiB`, `512 MiB`, `1.5g`, `4096`, `0x1000`; undefined when it is not a size. */
export function parseSize(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^0x[0-9a-f]+$/i.test(trimmed)) {
    const value = Number(trimmed);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(trimmed);
  if (match === null) return undefined;
  const unit = UNITS[match[2]!.toLowerCase()];
  if (unit === undefined) return undefined;
  const value = Number(match[1]) * unit;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The shortest exact text: `1 GiB`, `4 KiB`, `1000 B`. */
export function formatSize(bytes: number): string {
  const names = ['TiB', 'GiB', 'MiB', 'KiB'];
  for (let i = 0; i < names.length; i++) {
    const unit = 2 ** (10 * (names.length - i));
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit} ${names[i]}`;
  }
  return `${bytes} B`;
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? `"${value}"` : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function checkField(field: OptionField, value: unknown): OptionValue | OptionProblem {
  const bad = (message: string): OptionProblem => ({
    field: field.name,
    message: `${field.label}: ${message}`,
  });
  switch (field.type) {
    case 'size': {
      const accepted = `a size from ${formatSize(field.min)} to ${formatSize(field.max)}, such as 512MiB`;
      const bytes =
        typeof value === 'number' ? value : typeof value === 'string' ? parseSize(value) : undefined;
      if (bytes === undefined || !Number.isSafeInteger(bytes))
        return bad(`${show(value)} is not a size; accepted is ${accepted}`);
      if (bytes < field.min || bytes > field.max)
        return bad(
          `${formatSize(bytes)} is too ${bytes < field.min ? 'small' : 'large'}; accepted is ${accepted}`,
        );
      if (field.multipleOf !== undefined && bytes % field.multipleOf !== 0)
        return bad(
          `${formatSize(bytes)} is no multiple of ${formatSize(field.multipleOf)}; accepted is ${accepted}, in steps of ${formatSize(field.multipleOf)}`,
        );
      return bytes;
    }
    case 'integer': {
      const text = typeof value === 'string' ? value.trim() : '';
      const number =
        typeof value === 'number' ? value : /^(-?\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : undefined;
      if (number === undefined || !Number.isSafeInteger(number) || number < field.min || number > field.max)
        return bad(
          `${show(value)} is not accepted; accepted is a whole number from ${field.min} to ${field.max}`,
        );
      return number;
    }
    case 'choice': {
      const chosen = field.choices.find((choice) => choice.value === String(value));
      if (chosen === undefined)
        return bad(
          `${show(value)} is not a choice; accepted is ${field.choices.map((c) => c.value).join(' or ')}`,
        );
      return chosen.value;
    }
    case 'boolean':
      if (value === true || value === 'true') return true;
      if (value === false || value === 'false') return false;
      return bad(`${show(value)} is not accepted; accepted is true or false`);
    case 'text':
      if (typeof value !== 'string') return bad(`${show(value)} is not text`);
      if (value.length > field.maxLength)
        return bad(`${value.length} characters are too many; accepted are at most ${field.maxLength}`);
      // Specifications store such text as ASCII.
      if (/[^\x20-\x7e]/.test(value))
        return bad(
          `${show(value)} holds a character that is not accepted; accepted are printable ASCII characters`,
        );
      return value;
    case 'dump':
      if (
        typeof value !== 'string' ||
        !/^[0-9a-f]+$/i.test(value) ||
        ![128, 512, 8192].includes(value.length)
      ) {
        return bad(
          `${show(value)} is no configuration space; accepted are 64, 256 or 4096 bytes as hexadecimal digits`,
        );
      }
      return value;
    case 'image':
      if (typeof value !== 'string')
        return bad(
          `${show(value)} is not a path; accepted is a path of an image file, or nothing for memory`,
        );
      if (value.includes('\0')) return bad('a path cannot hold a zero character');
      return value;
  }
}

/** Fills in defaults, turns text into values, and says of each wrong option what is accepted. */
export function checkOptions(
  model: Pick<DeviceModel, 'id' | 'options'>,
  input: Readonly<Record<string, unknown>>,
): OptionCheck {
  const errors: OptionProblem[] = [];
  const values: Record<string, OptionValue> = {};
  for (const name of Object.keys(input)) {
    if (!model.options.some((field) => field.name === name)) {
      const known = model.options.map((field) => field.name).join(', ') || 'none';
      errors.push({
        field: name,
        message: `${model.id} has no option ${show(name)}; its options are: ${known}`,
      });
    }
  }
  for (const field of model.options) {
    const given = Object.hasOwn(input, field.name) ? input[field.name] : undefined;
    if (given === undefined || given === null) {
      if (field.type === 'dump') {
        errors.push({ field: field.name, message: `${field.label}: it is needed` });
        continue;
      }
      values[field.name] = field.default;
      continue;
    }
    const checked = checkField(field, given);
    if (typeof checked === 'object') errors.push(checked);
    else values[field.name] = checked;
  }
  return errors.length > 0 ? { ok: false, errors } : { ok: true, values };
}
