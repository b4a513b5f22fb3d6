import { expect, test } from 'vitest';
import { keptLayout } from './layout.ts';

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
