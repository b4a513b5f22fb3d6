import { expect, test } from 'vitest';
import { decodeCompletion, decodeSubmission } from './nvme.ts';

function entry(size: number, fill: (view: DataView) => void): Uint8Array {
  // Not at the start of its buffer, as bytes out of a message are.
  const bytes = new Uint8Array(size + 8).subarray(8);
  fill(new DataView(bytes.buffer, bytes.byteOffset));
  return bytes;
}

test('a read of 8 blocks at block 2048', () => {
  const fields = decodeSubmission(
    entry(64, (view) => {
      view.setUint32(0, 0x0102_0002, true);
      view.setUint32(4, 1, true);
      view.setBigUint64(24, 0x1_2345_6000n, true);
      view.setBigUint64(40, 2048n, true);
      view.setUint16(48, 7, true);
    }),
    false,
  );
  const named = Object.fromEntries(fields.map((field) => [field.name, field]));
  expect(named.OPC).toEqual({ name: 'OPC', value: '0x02', text: 'Read' });
  expect(named.CID!.text).toBe('command 258');
  expect(named.PRP1!.value).toBe('0x0000000123456000');
  expect(named.SLBA!.text).toBe('block 2048');
  expect(named.NLB!.text).toBe('8 blocks');
});

test('the same opcode is another command on the admin queue', () => {
  const bytes = entry(64, (view) => view.setUint32(0, 6, true));
  expect(decodeSubmission(bytes, true)[0]!.text).toBe('Identify');
  expect(decodeSubmission(bytes, false)[0]!.text).toBe('unknown');
});

test('a completion: status beside phase, more and do-not-retry', () => {
  const fields = decodeCompletion(
    entry(16, (view) => {
      view.setUint16(8, 5, true);
      view.setUint16(10, 1, true);
      // DNR, status type 0 code 0x80, phase 1, CID 9
      view.setUint32(12, (0x8000_0000 | (0x080 << 17) | (1 << 16) | 9) >>> 0, true);
    }),
  );
  const named = Object.fromEntries(fields.map((field) => [field.name, field]));
  expect(named.SF).toEqual({ name: 'SF', value: '0x080', text: 'LBA Out of Range' });
  expect(named.P!.value).toBe('0x1');
  expect(named.DNR!.text).toBe('do not retry');
  expect(named.M!.value).toBe('0x0');
  expect(named.SQID!.text).toBe('submission queue 1');
  expect(named.CID!.text).toBe('command 9');
});
