import { expect, it } from 'vitest';
import { TransferContent } from '#devices/sdk/command-format.ts';
import { NO_PLACE } from './access-places.ts';
import { contentCode, DMA_CAPTURE_BYTES, DMA_LOG_BYTES, DMA_LOG_ENTRIES, DmaLog, PEER } from './dma-log.ts';

const memory = (): SharedArrayBuffer => new SharedArrayBuffer(DMA_LOG_BYTES);
const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
const words = new Uint32Array(bytes.buffer);
const none = new Uint32Array(0);

it('keeps the first bytes of a transfer, aligned or not', () => {
  const log = new DmaLog(memory());
  log.push(
    10,
    true,
    0x1000,
    100,
    0,
    7,
    bytes,
    words,
    8,
    contentCode(TransferContent.completions, 3),
    2 * 2 ** 44 + 0x1008,
    1500,
    2,
  );
  log.push(11, false, 0x2000, 5, 0, 8, bytes, words, 3, 0, NO_PLACE, -1, 1);
  log.push(
    12,
    false,
    0x3000,
    8,
    0,
    8,
    bytes,
    none,
    4,
    contentCode(TransferContent.data, 2) | PEER,
    NO_PLACE,
    -1,
    1,
  );
  expect(log.entry(1)).toEqual({
    id: 1,
    time: 10,
    direction: 'write',
    address: 0x1000,
    peer: false,
    length: 100,
    status: 'ok',
    cause: 7,
    captured: DMA_CAPTURE_BYTES,
    content: 'completions',
    queue: 3,
    place: { bar: 2, offset: 0x1008 },
    took: 1500,
    together: 2,
  });
  expect(log.entry(2)).toMatchObject({ content: '', queue: 0, took: -1 });
  expect(log.entry(3)).toMatchObject({ direction: 'read', peer: true, content: 'data', queue: 2 });
  expect(log.entry(2)).not.toHaveProperty('place');
  expect(log.bytes(1)).toEqual(bytes.slice(8, 8 + DMA_CAPTURE_BYTES));
  expect(log.bytes(2)).toEqual(bytes.slice(3, 8));
  expect(log.bytes(3)).toEqual(bytes.slice(4, 12));
});

it('keeps nothing of a transfer that was refused', () => {
  const log = new DmaLog(memory());
  // Of the largest queue: what is beside the status stays what it was.
  log.push(
    1,
    false,
    0x1000,
    64,
    1,
    0,
    bytes,
    words,
    0,
    contentCode(TransferContent.doorbells, 0xffff),
    NO_PLACE,
    -1,
    1,
  );
  expect(log.entry(1)).toMatchObject({
    status: 'unmapped',
    captured: 0,
    direction: 'read',
    content: 'doorbells',
    queue: 0xffff,
  });
});

it('is read by another thread through the same memory', () => {
  const shared = memory();
  new DmaLog(shared).push(1, true, 0x42, 4, 0, 0, bytes, words, 0, 0, NO_PLACE, -1, 1);
  expect(new DmaLog(shared).entry(1)?.address).toBe(0x42);
});

it('forgets the oldest entries', () => {
  const log = new DmaLog(memory());
  for (let index = 1; index <= DMA_LOG_ENTRIES + 1; index++)
    log.push(index, true, index, 4, 0, 0, bytes, words, 0, 0, NO_PLACE, -1, 1);
  expect(log.newest).toBe(DMA_LOG_ENTRIES + 1);
  expect(log.entry(1)).toBeUndefined();
  expect(log.entry(2)?.time).toBe(2);
  expect(log.entry(DMA_LOG_ENTRIES + 2)).toBeUndefined();
  expect(log.entry(0)).toBeUndefined();
});
