import { describe, expect, it } from 'vitest';
import { completeFilter, FilterError, type FilterVocabulary, parseFilter } from './filter-language.ts';

const vocabulary: FilterVocabulary = {
  *registers() {
    const at = (name: string, offset: number) => ({ device: 1, bar: 0, offset, width: 4, name, fields: [] });
    yield {
      ...at('CC', 0x14),
      fields: [
        { name: 'EN', lsb: 0, width: 1, values: { 0: 'disabled', 1: 'enabled' } },
        { name: 'SHN', lsb: 14, width: 2, values: { 1: 'normal shutdown' } },
      ],
    };
    yield at('SQ0TDBL', 0x1000);
    yield at('SQ1TDBL', 0x1008);
  },
  *devices() {
    yield { id: 1, name: 'NVMe disk' };
    yield { id: 2, name: 'card' };
  },
};

function problem(text: string): FilterError {
  try {
    parseFilter(text, vocabulary);
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  throw new Error(`"${text}" was accepted`);
}

describe('filter language', () => {
  it.each([
    ['wirte', 0, 5, '"wirte" is neither', 'write'],
    ['bar = 0', 4, 1, '"=" is not part', '== to compare'],
    ['bar ==', 6, 1, 'A number is missing', '3 or 0x1f'],
    ['bar == x', 7, 1, '"x" is not a number', '3 or 0x1f'],
    ['value > 0x1_0000_0000_0000_0000', 8, 23, 'more than 64 bits', '0xffffffffffffffff'],
    ['value > 1.5', 8, 3, 'not a whole number', '31'],
    ['time > 5', 7, 1, 'A time has a unit', '5ms'],
    ['time > 5kg', 8, 2, '"kg" is no unit', 'ns, us, ms, s'],
    ['write && (read', 14, 1, 'closing parenthesis', ')'],
    ['write )', 6, 1, '")" is unexpected', '&&, ||'],
    ['CC.ENN == 1', 3, 3, 'has no field "ENN"', 'EN, SHN'],
    ['CX.EN == 1', 0, 2, 'no register "CX"', 'CC'],
    ['CC.EN == maybe', 9, 5, 'no value of CC.EN', '"enabled"'],
    ['CC.EN < enabled', 8, 7, 'no order', 'number'],
    ['"open', 0, 5, 'closing quote', 'quotes'],
    ['kind == blue', 8, 4, '"blue" is no kind', 'irq'],
    ['device < card', 7, 1, 'no order', '=='],
    ['status == bad', 10, 3, 'no result', 'unmapped'],
    ['""', 0, 2, 'empty', 'one character'],
  ])('%s: points at character %i', (text, at, length, message, accepted) => {
    const error = problem(text);
    expect([error.at, error.length]).toEqual([at, length]);
    expect(error.message).toContain(message);
    expect(error.accepted).toContain(accepted);
  });

  it('binds "and" closer than "or", and terms side by side', () => {
    expect(parseFilter('read or write and irq', vocabulary)).toEqual(
      parseFilter('read || (write irq)', vocabulary),
    );
    expect(parseFilter('not read write', vocabulary)).toEqual(parseFilter('(!read) && write', vocabulary));
  });

  it('reads numbers with their units', () => {
    const value = (text: string) => (parseFilter(text, vocabulary) as { value: bigint }).value;
    expect(value('time > 1.5 ms')).toBe(1_500_000n);
    expect(value('time > 20us')).toBe(20_000n);
    expect(value('length == 4KiB')).toBe(4096n);
    expect(value('value == 0b1010')).toBe(10n);
    expect(value('value == 0xffff_ffff_ffff_ffff')).toBe(0xffff_ffff_ffff_ffffn);
    expect(value('status == direction')).toBe(5n);
  });
});

describe('completion', () => {
  const complete = (text: string) => {
    const caret = text.indexOf('^');
    return completeFilter(text.replace('^', ''), caret, vocabulary);
  };
  const texts = (text: string) => complete(text).suggestions.map((one) => one.text);

  it.each([
    ['^', ['reg', 'value', 'write', 'CC']],
    ['wri^', ['write', 'dmawrite']],
    ['write ^', ['&&', '||']],
    ['write && ^', ['reg', 'CC']],
    ['reg ~ ^', ['CC', 'SQ0TDBL']],
    ['reg ~ "SQ^', ['"SQ0TDBL"', '"SQ1TDBL"']],
    ['value ^', ['==', '&']],
    ['CC.^', ['CC.EN', 'CC.SHN']],
    ['reg.S^', ['reg.SHN']],
    ['CC.EN == ^', ['enabled']],
    ['CC.SHN == ^', ['"normal shutdown"']],
    ['device == ^', ['"NVMe disk"', 'card']],
    ['kind == d^', ['dma', 'dmaread']],
    ['status != un^', ['unmapped']],
    ['(read || wr^) && irq', ['write']],
  ])('%s', (text, expected) => {
    expect(texts(text)).toEqual(expect.arrayContaining(expected));
  });

  it('replaces the whole word that the caret is in', () => {
    expect(complete('wr^ong && read')).toMatchObject({ from: 0, to: 5 });
    expect(complete('reg ~ "SQ^1" && read')).toMatchObject({ from: 6, to: 11 });
  });

  it('has nothing to say behind an error', () => {
    expect(texts('bar = wr^')).toEqual([]);
    expect(texts('value > 3x && wr^')).toEqual([]);
  });
});
