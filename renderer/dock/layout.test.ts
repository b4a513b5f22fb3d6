import { expect, test } from 'vitest';
import { keepNamed, keptLayout, LONGEST_NAME, namedLayouts, nameProblem } from './layout.ts';

const store = (text: string | null) => ({ getItem: () => text });
const layout = (panels: Record<string, unknown>, version = 1) =>
  JSON.stringify({ version, layout: { panels } });

test('a kept layout is taken when all its panels are known', () => {
  expect(keptLayout(['trace', 'dma'], store(layout({ trace: {} })))).toEqual({ panels: { trace: {} } });
});

test.each([
  ['none', null],
  ['torn', '{"version":1,"lay'],
  ['of another version', layout({ trace: {} }, 0)],
  ['with a panel that is no more', layout({ trace: {}, oscilloscope: {} })],
  ['empty', layout({})],
  ['with no layout in it', '{"version":1}'],
])('%s: the first layout instead', (_, text) => {
  expect(keptLayout(['trace', 'dma'], store(text))).toBeUndefined();
});

test('named layouts are kept, and those with unknown panels are left out', () => {
  let kept = '';
  const one = { name: 'debug', layout: { panels: { trace: {} } } } as never;
  const other = { name: 'old', layout: { panels: { oscilloscope: {} } } } as never;
  keepNamed([one, other], { setItem: (_, text) => (kept = text) });
  expect(namedLayouts(['trace'], store(kept))).toEqual([one]);
  expect(namedLayouts(['trace'], store('{'))).toEqual([]);
  expect(namedLayouts(['trace'], store(null))).toEqual([]);
});

test('a name is one', () => {
  expect(nameProblem('debug')).toBe('');
  expect(nameProblem('  ')).toContain('needs a name');
  expect(nameProblem('x'.repeat(LONGEST_NAME + 1))).toContain('at most');
});
