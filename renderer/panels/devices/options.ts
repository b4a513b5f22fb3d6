import type { WireOptionField } from '#contract/devices.ts';
import { bytes, parseSize } from '#renderer/ui/format.ts';

/** What a field of the form holds: text as typed, or a checkbox. */
export type Draft = string | boolean;
export type OptionValue = number | string | boolean;

export function firstDraft(field: WireOptionField): Draft {
  switch (field.type) {
    case 'boolean':
      return field.default;
    case 'size':
      return bytes(field.default);
    case 'dump':
      return '';
    default:
      return `${field.default}`;
  }
}

/** A value that another device has, as it is typed. */
export function draftOf(field: WireOptionField, value: OptionValue): Draft {
  if (field.type === 'boolean') return value === true;
  return field.type === 'size' && typeof value === 'number' ? bytes(value) : `${value}`;
}

export type Checked = { readonly value: OptionValue } | { readonly problem: string };

/** Checks what was typed against the model's schema, in the words of the schema. */
export function checkOption(field: WireOptionField, draft: Draft): Checked {
  switch (field.type) {
    case 'boolean':
      return { value: draft === true };
    case 'choice': {
      if (field.choices.some((choice) => choice.value === draft)) return { value: draft };
      return { problem: `one of ${field.choices.map((choice) => choice.label).join(', ')}` };
    }
    case 'text': {
      const text = String(draft);
      if (text.length > field.maxLength)
        return { problem: `at most ${field.maxLength} characters, this has ${text.length}` };
      if (/[^\x20-\x7e]/.test(text)) return { problem: 'printable ASCII characters' };
      return { value: text };
    }
    case 'image':
      return { value: String(draft).trim() };
    case 'dump':
      if (draft === '') return { problem: 'text of lspci -xxxx, or a file with it' };
      return { value: String(draft) };
    case 'integer': {
      const text = String(draft).trim();
      const number = Number(text);
      if (text === '' || !Number.isInteger(number)) return { problem: 'a whole number' };
      if (number < field.min || number > field.max) return { problem: `${field.min} to ${field.max}` };
      return { value: number };
    }
    case 'size': {
      const size = parseSize(String(draft));
      if (size === undefined) return { problem: 'a size such as 1GiB, 512MiB or 4096' };
      if (size < field.min || size > field.max)
        return { problem: `${bytes(field.min)} to ${bytes(field.max)}` };
      if (field.multipleOf !== undefined && size % field.multipleOf !== 0) {
        return { problem: `a multiple of ${bytes(field.multipleOf)}` };
      }
      return { value: size };
    }
  }
}
