import { expect, it } from 'vitest';
import { models } from '#devices/catalogue.ts';
import { checkOptions } from '#devices/sdk/options.ts';
import { wireDescription } from './wire-description.ts';

it('names the registers of configuration space as their tree does, with the capability where it takes one', () => {
  const model = models.find(({ id }) => id === 'nvme')!;
  const checked = checkOptions(model, {});
  if (!checked.ok) throw new Error('the defaults are refused');
  const { config } = wireDescription(model.describe(checked.values));
  const at = (offset: number) => config.find((one) => one.offset === offset)?.name;
  expect([at(0), at(0x04), at(0x09), at(0x10), at(0x14)]).toEqual([
    'Vendor ID',
    'Command',
    'Class Code',
    'Base Address 0',
    'Base Address 1',
  ]);
  const status = config.find(({ name }) => name === 'Status')!;
  expect(status).toMatchObject({ offset: 6, length: 2, writeOneToClear: '0xf900' });
  expect(status.fields).toContainEqual({ name: 'Received Master Abort', lsb: 13, width: 1 });
  const names = config.map(({ name }) => name);
  expect(names).toContain('MSI-X Message Control');
  expect(names).toContain('MSI-X Capability ID');
  expect(names).toContain('Device Control');
  expect(names).toContain('Power Management Control/Status');
  expect(config.map(({ offset }) => offset)).toEqual(
    config.map(({ offset }) => offset).sort((a, b) => a - b),
  );
});
