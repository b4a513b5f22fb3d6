import { expect, it } from 'vitest';
import { Expert } from '#contract/expert.ts';
import { TraceKind } from '#contract/trace-record.ts';
import { models } from '#devices/catalogue.ts';
import { checkOptions } from '#devices/sdk/options.ts';
import { AccessRules } from './access-rules.ts';

const nvme = models.find(({ id }) => id === 'nvme')!;
const options = checkOptions(nvme, {});
if (!options.ok) throw new Error('the defaults are not accepted');
const rules = new AccessRules(nvme.describe(options.values));
const { mmioRead, mmioWrite } = TraceKind;

it.each([
  ['CC, whole', mmioWrite, 0x14, 4, 0],
  ['the upper half of CAP', mmioRead, 0x04, 4, 0],
  ['CAP, whole', mmioRead, 0x00, 8, 0],
  ['a doorbell', mmioWrite, 0x1008, 4, 0],
  ['nothing that has a name', mmioRead, 0x3ff0, 4, 0],
  ['CC, a byte of it', mmioWrite, 0x14, 1, Expert.wrongSize],
  ['two doorbells at once', mmioWrite, 0x1008, 8, Expert.wrongSize],
  ['CC, one byte on', mmioRead, 0x15, 4, Expert.unaligned | Expert.wrongSize],
  ['CSTS, which is read-only', mmioWrite, 0x1c, 4, Expert.readOnly],
  ['CSTS', mmioRead, 0x1c, 4, 0],
  ['between registers, unaligned', mmioRead, 0x3ff1, 2, Expert.unaligned],
])('%s', (_what, kind, offset, width, bits) => {
  expect(rules.check(kind, 0, offset, width)).toBe(bits);
});
