import { expect, test } from 'vitest';
import type { WireOptionField } from '#contract/devices.ts';
import { checkOption, firstDraft } from './options.ts';

const size: WireOptionField = {
  name: 'size',
  label: 'Size',
  type: 'size',
  default: 1024 ** 3,
  min: 1024 ** 2,
  max: 1024 ** 4,
  multipleOf: 4096,
};

test('a default passes its own check', () => {
  expect(firstDraft(size)).toBe('1 GiB');
  expect(checkOption(size, firstDraft(size))).toEqual({ value: 1024 ** 3 });
});

test('a size says what is accepted', () => {
  expect(checkOption(size, 'large')).toEqual({ problem: 'a size such as 1GiB, 512MiB or 4096' });
  expect(checkOption(size, '1KiB')).toEqual({ problem: '1 MiB to 1 TiB' });
  expect(checkOption(size, '1048577')).toEqual({ problem: 'a multiple of 4 KiB' });
});

test('integers, choices and text', () => {
  const integer: WireOptionField = { name: 'n', label: 'N', type: 'integer', default: 4, min: 1, max: 64 };
  expect(checkOption(integer, '64')).toEqual({ value: 64 });
  expect(checkOption(integer, '65')).toEqual({ problem: '1 to 64' });
  expect(checkOption(integer, '')).toEqual({ problem: 'a whole number' });
  expect(checkOption(integer, '1.5')).toEqual({ problem: 'a whole number' });
  const choice: WireOptionField = {
    name: 'block',
    label: 'Block',
    type: 'choice',
    default: '512',
    choices: [
      { value: '512', label: '512 B' },
      { value: '4096', label: '4 KiB' },
    ],
  };
  expect(checkOption(choice, '4096')).toEqual({ value: '4096' });
  expect(checkOption(choice, '1')).toEqual({ problem: 'one of 512 B, 4 KiB' });
  const text: WireOptionField = { name: 't', label: 'T', type: 'text', default: '', maxLength: 3 };
  expect(checkOption(text, 'four')).toEqual({ problem: 'at most 3 characters, this has 4' });
});
