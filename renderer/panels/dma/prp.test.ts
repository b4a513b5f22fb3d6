import { expect, test } from 'vitest';
import { type MemoryPiece, walkPrps } from './prp.ts';

const PAGE = 4096;
const memory = new Map<number, bigint[]>();
const read = async (address: number, length: number): Promise<Uint8Array> => {
  const entries = memory.get(address);
  if (entries === undefined) throw new Error(`0x${address.toString(16)} is not mapped`);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < length / 8; at++) view.setBigUint64(at * 8, entries[at] ?? 0n, true);
  return bytes;
};
const lengths = (pieces: readonly MemoryPiece[]) => pieces.map(({ address, length }) => [address, length]);

test('one page, with an offset, and a second one', async () => {
  expect(lengths(await walkPrps({ prp1: 0x1200, prp2: 0 }, 512, PAGE, read))).toEqual([[0x1200, 512]]);
  const two = await walkPrps({ prp1: 0x1200, prp2: 0x5000 }, 4096, PAGE, read);
  expect(lengths(two)).toEqual([
    [0x1200, 0xe00],
    [0x5000, 0x200],
  ]);
  expect((await walkPrps({ prp1: 0x1200, prp2: 0x5008 }, 4096, PAGE, read))[1]!.problem).toContain(
    'only PRP1',
  );
});

test('a list, and one that goes on in another', async () => {
  memory.set(0x9000, [0xa000n, 0xb000n]);
  expect(lengths(await walkPrps({ prp1: 0x1000, prp2: 0x9000 }, 3 * PAGE, PAGE, read))).toEqual([
    [0x1000, PAGE],
    [0xa000, PAGE],
    [0xb000, PAGE],
  ]);
  // Two entries are left in the page: one of data, one that leads on.
  memory.set(0x9ff0, [0xc000n, 0xd000n]);
  memory.set(0xd000, [0xe000n, 0xf000n]);
  const pieces = await walkPrps({ prp1: 0x1000, prp2: 0x9ff0 }, 3 * PAGE + 100, PAGE, read);
  expect(lengths(pieces)).toEqual([
    [0x1000, PAGE],
    [0xc000, PAGE],
    [0xe000, PAGE],
    [0xf000, 100],
  ]);
  expect(pieces[2]!.from).toBe('list 0xd000 entry 0');
});

test('what is wrong is said where it is', async () => {
  memory.set(0x9ff8, [0x9ff8n]);
  expect((await walkPrps({ prp1: 0x1000, prp2: 0x9ff8 }, 4 * PAGE, PAGE, read)).at(-1)!.problem).toContain(
    'circle',
  );
  expect((await walkPrps({ prp1: 0x1000, prp2: 0x9001 }, 4 * PAGE, PAGE, read)).at(-1)!.problem).toContain(
    'multiple of 8',
  );
  memory.set(0x8000, [0xa010n, 0n]);
  const pieces = await walkPrps({ prp1: 0x1000, prp2: 0x8000 }, 3 * PAGE, PAGE, read);
  expect(pieces.map(({ problem }) => problem)).toEqual(['', 'an entry of a list has no offset', 'it is 0']);
  await expect(walkPrps({ prp1: 0x1000, prp2: 0x7000 }, 3 * PAGE, PAGE, read)).rejects.toThrow(
    '0x7000 is not mapped',
  );
});
