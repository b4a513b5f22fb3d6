import { expect, test } from 'vitest';
import { decodeCommands } from './protopciem.ts';

const clear = [1, 0, 0, 0, 12, 0, 0, 0, 255, 16, 1, 255];
const line = [2, 0, 0, 0, 20, 0, 0, 0, 1, 0, 2, 0, 3, 0, 0, 1, 9, 9, 9, 255];
// Not at the start of its buffer, as bytes out of a message are.
const kept = (...bytes: number[]) => new Uint8Array([0, 0, 0, 0, ...bytes]).subarray(4);

test('records, each with its offset', () => {
  expect(decodeCommands(kept(...clear, ...line), 32)).toEqual([
    { name: 'CLEAR', value: '0x00', text: '#ff1001' },
    { name: 'DRAW_LINE', value: '0x0c', text: '1,2 to 3,256 #090909' },
  ]);
});

test('a record of which only the start was kept is named', () => {
  const blit = [3, 0, 0, 0, 40, 0, 0, 0, 5, 0, 6, 0, 4, 0, 2, 0];
  expect(decodeCommands(kept(...clear, ...blit), 52)?.[1]).toEqual({
    name: 'BLIT_RECT',
    value: '0x0c',
    text: '4 × 2 at 5,6',
  });
  expect(decodeCommands(kept(...clear, ...line.slice(0, 12)), 32)?.[1]?.text).toBe('20 bytes');
});

test.each([
  ['pixels', kept(...new Array(64).fill(0)), 921_600],
  ['an unknown opcode', kept(4, 0, 0, 0, 8, 0, 0, 0), 8],
  ['a record beyond the transfer', kept(...line), 16],
  ['a record that is too short', kept(1, 0, 0, 0, 8, 0, 0, 0), 8],
  ['nothing', kept(), 0],
])('%s are not taken for commands', (_, bytes, length) => {
  expect(decodeCommands(bytes, length)).toBeUndefined();
});
