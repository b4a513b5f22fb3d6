import { expect, test } from 'vitest';
import type { DmaEntry } from '#contract/dma.ts';
import { commandFormats } from '#renderer/testing/command-formats.ts';
import {
  commandData,
  commandField,
  contentText,
  decodeCommand,
  decodeCompletion,
  decodeTransfer,
} from './entries.ts';

const zeroBased = { units: ['block', 'blocks'], zeroBased: true } as const;
const formats = commandFormats({
  common: [
    { name: 'CID', lsb: 16, width: 16, description: 'command identifier' },
    { name: 'PRP1', lsb: 192, width: 64, description: 'first PRP entry' },
  ],
  completion: [
    { name: 'SF', lsb: 113, width: 11 },
    { name: 'CRD', lsb: 124, width: 2, values: { 0: 'no delay', 2: 'CRDT2' } },
  ],
  commands: {
    2: {
      fields: [
        { name: 'SLBA', lsb: 320, width: 64, description: 'first block' },
        { name: 'NLB', lsb: 384, width: 16, ...zeroBased },
      ],
      data: { each: 'block', field: 'NLB' },
    },
    257: {
      fields: [{ name: 'QSIZE', lsb: 336, width: 16, units: ['entry', 'entries'], zeroBased: true }],
      data: { each: 64, field: 'QSIZE', contiguous: true },
    },
    262: { fields: [{ name: 'CNS', lsb: 320, width: 8, values: { 1: 'Controller' } }], data: { each: 4096 } },
    265: {
      fields: [{ name: 'FID', lsb: 320, width: 8, values: { 7: 'Number of Queues', 14: 'Timestamp' } }],
      by: {
        field: 'FID',
        formats: {
          7: { fields: [{ name: 'NSQR', lsb: 352, width: 16, units: ['queue', 'queues'], zeroBased: true }] },
          14: { fields: [], data: { each: 8 } },
        },
      },
    },
    280: { fields: [] },
  },
  statusNames: { 128: 'LBA Out of Range' },
});
const described = {
  commandFormats: formats,
  commandNames: { 2: 'Read', 6: 'another', 262: 'Identify', 265: 'Set Features', 280: 'Keep Alive' },
};

function bytes(size: number, fill: (view: DataView) => void): Uint8Array {
  // Not at the start of its buffer, as bytes out of a message are.
  const made = new Uint8Array(size + 8).subarray(8);
  fill(new DataView(made.buffer, made.byteOffset));
  return made;
}
const command = (opcode: number, dw10 = 0, dw11 = 0, dw12 = 0) =>
  bytes(64, (view) => {
    view.setUint32(0, 0x0102_0000 | opcode, true);
    view.setBigUint64(24, 0x1_2345_6000n, true);
    view.setUint32(40, dw10, true);
    view.setUint32(44, dw11, true);
    view.setUint32(48, dw12, true);
  });
const fields = (entry: Uint8Array, queue: number) =>
  Object.fromEntries(decodeCommand(described, entry, queue).map((one) => [one.name, one]));
const sizes = { block: 4096, page: 16384 };
const transfer = (what: Partial<DmaEntry>): DmaEntry => ({
  id: 1,
  device: 1,
  time: 0,
  direction: 'read',
  address: 0,
  peer: false,
  length: 64,
  status: 'ok',
  cause: 1,
  content: 'commands',
  queue: 1,
  took: -1,
  together: 1,
  captured: 64,
  ...what,
});

test('a read of 8 blocks at block 2048', () => {
  const named = fields(command(2, 2048, 1, 7), 1);
  expect(named.OPC).toMatchObject({ value: '0x02', text: 'Read' });
  expect(named.CID).toMatchObject({ value: '0x0102', text: 'command identifier' });
  expect(named.PRP1!.value).toBe('0x0000000123456000');
  expect(named.SLBA!.value).toBe('0x0000000100000800');
  expect(named.NLB).toMatchObject({ value: '0x0007', text: '8 blocks' });
  expect(commandField(described, command(2, 0, 0, 7), 1, 'NLB')).toBe(8);
  expect(named).not.toHaveProperty('CDW10');
});

test('the same opcode is another command on the admin queue', () => {
  expect(fields(command(6, 1), 0)).toMatchObject({ OPC: { text: 'Identify' }, CNS: { text: 'Controller' } });
  expect(fields(command(6, 1), 3)).toMatchObject({ OPC: { text: 'another' } });
  expect(fields(command(0x77), 0).OPC!.text).toBe('unknown');
});

test('a feature has fields of its own, and bits without a name are shown', () => {
  const named = fields(command(9, 7, 0x0003_0001), 0);
  expect(named.FID!.text).toBe('Number of Queues');
  expect(named.NSQR!.text).toBe('2 queues');
  expect(named.CDW11).toEqual({ name: 'CDW11', value: '0x00030001', text: 'no name for bits 0x30000' });
  expect(fields(command(0x77, 5), 0).CDW10!.value).toBe('0x00000005');
});

test('how much a command moves follows from the command, the block and the page', () => {
  expect(commandData(described, command(2, 0, 0, 7), 1, sizes)).toEqual({ length: 32768, contiguous: false });
  expect(commandData(described, command(6), 0, sizes)).toEqual({ length: 4096, contiguous: false });
  expect(commandData(described, command(1, 0x003f_0001), 0, sizes)).toEqual({
    length: 4096,
    contiguous: true,
  });
  expect(commandData(described, command(9, 14), 0, sizes)!.length).toBe(8);
  for (const [opcode, dw10] of [
    [9, 7],
    [0x18, 0],
    [0x77, 0],
  ] as const)
    expect(commandData(described, command(opcode, dw10), 0, sizes)).toBeUndefined();
});

test('a completion: status by name or by number, and when to try again', () => {
  const completion = (status: number) =>
    decodeCompletion(
      described,
      bytes(16, (view) => view.setUint32(12, ((2 << 28) | (status << 17) | 0x1_0009) >>> 0, true)),
    );
  expect(completion(0x80)).toMatchObject([
    { name: 'SF', value: '0x080', text: 'LBA Out of Range' },
    { name: 'CRD', value: '0x2', text: 'CRDT2' },
  ]);
  expect(completion(0x199)[0]!.text).toBe('type 1, code 0x99');
});

test('a transfer is what the device says, not what its length looks like', () => {
  const entry = command(2, 1, 0, 0);
  const parts = (what: Partial<DmaEntry>) => decodeTransfer(transfer(what), entry, described);
  expect(parts({})[0]!.title).toBe('NVMe submission queue entry, I/O queue 1');
  expect(parts({ queue: 0 })[0]!.title).toBe('NVMe submission queue entry, admin queue');
  expect(parts({ length: 256 })[0]!.title).toBe('NVMe submission queue entry 1 of 4, I/O queue 1');
  expect(parts({ content: 'data' })).toEqual([]);
  expect(parts({ content: '' })).toEqual([]);
  expect(parts({ content: 'completions', length: 64 })).toHaveLength(4);
  const [list] = parts({ content: 'list', length: 4096 });
  expect(list!.title).toBe('PRP list, 8 of 512 entries');
  expect(list!.fields[3]).toMatchObject({ name: 'PRP 3', value: '0x0000000123456000' });
  expect(decodeTransfer(transfer({ captured: 0 }), new Uint8Array(), described)).toEqual([]);
});

test('what a transfer carries, in a few words', () => {
  const text = (what: Partial<DmaEntry>) => contentText(transfer(what), formats);
  expect(text({ content: '', peer: true })).toBe('peer to peer');
  expect(text({})).toBe('SQ1 command');
  expect(text({ length: 320, queue: 0 })).toBe('SQ0, 5 commands');
  expect(text({ content: 'completions', length: 16 })).toBe('CQ1 completion');
  expect(text({ content: 'data', length: 4096 })).toBe('data of SQ1');
  expect(text({ content: 'doorbells' })).toBe('doorbells');
  expect(text({ content: '' })).toBe('');
});
