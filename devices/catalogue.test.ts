import { expect, it } from 'vitest';
import { models } from './catalogue.ts';
import { FakeMachine } from './testing/fake-bus.ts';

/** Bits that registers of a model say to be self-clearing, one machine each. */
const selfClearing = models.flatMap((model) => {
  if (model.options.some(({ type }) => type === 'dump')) return [];
  return new FakeMachine(model).description.bars.flatMap(({ index, registers }) =>
    registers.flatMap(({ name, offset, selfClearing = 0n }) =>
      Array.from({ length: 32 }, (_, bit) => bit)
        .filter((bit) => (selfClearing >> BigInt(bit)) & 1n)
        .map((bit) => ({ model, bar: index, name, offset, bit })),
    ),
  );
});

it.each(selfClearing)('$model.id clears bit $bit of $name by itself', ({ model, bar, offset, bit }) => {
  const machine = new FakeMachine(model);
  const before = machine.read32(bar, offset);
  machine.write32(bar, offset, 2 ** bit);
  machine.sleep(100);
  expect(machine.read32(bar, offset)).toBe(before);
});
