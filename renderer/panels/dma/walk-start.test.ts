import { expect, test } from 'vitest';
import type { DmaEntry } from '#contract/dma.ts';
import { commandFormats } from '#renderer/testing/command-formats.ts';
import { walkOf } from './walk-start.ts';

const formats = commandFormats({
  common: [
    { name: 'PSDT', lsb: 14, width: 2 },
    { name: 'PRP1', lsb: 192, width: 64 },
    { name: 'PRP2', lsb: 256, width: 64 },
  ],
  commands: {
    1: {
      fields: [{ name: 'NLB', lsb: 384, width: 16, units: ['block', 'blocks'], zeroBased: true }],
      data: { each: 'block', field: 'NLB' },
    },
  },
});
const described = { commandFormats: formats, commandNames: { 1: 'Write', 0: 'Flush' } };
const entry = { content: 'commands', queue: 1, length: 64 } as DmaEntry;
const sizes = { block: 512, page: 4096 };
const command = (opcode: number, flags: number, fill: (view: DataView) => void) => {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint8(0, opcode);
  view.setUint8(1, flags);
  fill(view);
  return new Uint8Array(view.buffer);
};

test('a command with PRP entries', () => {
  const bytes = command(1, 0, (view) => {
    view.setBigUint64(24, 0x1_0000n, true);
    view.setBigUint64(32, 0x2_0000n, true);
    view.setUint16(48, 7, true);
  });
  expect(walkOf(entry, bytes, described, sizes)).toMatchObject({
    by: 'prp',
    prp1: '0x10000',
    prp2: '0x20000',
    length: '4096',
    page: '4096',
    contiguous: false,
    about: 'Write: 4 KiB',
  });
});

test('a command with an SGL descriptor', () => {
  const bytes = command(1, 0x40, (view) => {
    view.setBigUint64(24, 0x1_2340n, true);
    view.setUint32(32, 48, true);
    view.setUint8(39, 0x31);
  });
  expect(walkOf(entry, bytes, described, sizes)).toMatchObject({
    by: 'sgl',
    sgl: '0x12340',
    sglLength: '48',
    sglType: 3,
    sglSubtype: 1,
    length: '512',
    discards: false,
  });
  bytes[0] = 2;
  expect(walkOf(entry, bytes, described, sizes)).toMatchObject({ discards: true, length: '' });
});

test('what is no command, or none that is known, begins no walk', () => {
  const bytes = command(0, 0, () => {});
  expect(walkOf({ ...entry, content: 'data' }, bytes, described, sizes)).toBeUndefined();
  expect(walkOf(entry, bytes.subarray(0, 32), described, sizes)).toBeUndefined();
  expect(walkOf(entry, bytes, undefined, sizes)).toBeUndefined();
  expect(walkOf(entry, bytes, described, sizes)!.about).toBe('Flush moves no data, or how much is not known');
});
