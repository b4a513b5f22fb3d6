// @vitest-environment happy-dom
import { expect, test } from 'vitest';
import type { VectorInfo } from '#contract/interrupts.ts';
import { vectorText } from './panel.tsx';

const vector: VectorInfo = {
  vector: 3,
  name: 'I/O queue 3',
  enabled: true,
  masked: false,
  pending: false,
  irq: 27,
  address: 0xfee01000,
  data: 0x31,
  cpu: 1,
  count: 1234,
  repeating: 0,
  latency: 12_500,
};

test('a vector as text has what is known, and says what is not', () => {
  expect(vectorText(vector)).toBe(
    'vector 3\tI/O queue 3\t1234\tenabled\tlatency 12.5 us\tIRQ 27\tCPU 1\t0xfee01000 = 0x31',
  );
  const unknown = { ...vector, irq: 0, cpu: -1, address: 0, data: 0, latency: undefined };
  expect(vectorText(unknown)).toBe(
    'vector 3\tI/O queue 3\t1234\tenabled\tlatency unknown\tIRQ unknown\tCPU unknown\tno message',
  );
});
