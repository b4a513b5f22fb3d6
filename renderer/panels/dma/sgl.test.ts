import { expect, test } from 'vitest';
import { parseDescriptor, type SglDescriptor, SglType, walkSgl } from './sgl.ts';

const memory = new Map<number, number>();
const put = (at: number, ...descriptors: readonly (Partial<SglDescriptor> & { readonly type: number })[]) => {
  for (const [index, { address = 0, length = 0, type, subtype = 0 }] of descriptors.entries()) {
    const view = new DataView(new ArrayBuffer(16));
    view.setBigUint64(0, BigInt(address), true);
    view.setUint32(8, length, true);
    view.setUint8(15, (type << 4) | subtype);
    for (let byte = 0; byte < 16; byte++) memory.set(at + index * 16 + byte, view.getUint8(byte));
  }
};
const reads: [number, number][] = [];
const read = async (address: number, length: number): Promise<Uint8Array> => {
  reads.push([address, length]);
  return Uint8Array.from({ length }, (_, at) => {
    const byte = memory.get(address + at);
    if (byte === undefined) throw new Error(`0x${(address + at).toString(16)} is not mapped`);
    return byte;
  });
};
const { dataBlock, bitBucket, segment, lastSegment } = SglType;
const one = (what: Partial<SglDescriptor> & { readonly type: number }): SglDescriptor => ({
  address: 0,
  length: 0,
  subtype: 0,
  ...what,
});
const walk = (first: SglDescriptor, length: number, discards = true) =>
  walkSgl(first, { length, discards }, read);
const problems = async (first: SglDescriptor, length: number) =>
  (await walk(first, length)).map(({ problem }) => problem);

test('a descriptor is 16 bytes', () => {
  const bytes = new Uint8Array(20);
  bytes.set([0x78, 0x56, 0x34, 0x12, 1, 0, 0, 0, 0x00, 0x02, 0, 0, 0, 0, 0, 0x31], 4);
  expect(parseDescriptor(bytes, 4)).toEqual({ address: 0x1_1234_5678, length: 512, type: 3, subtype: 1 });
});

test('one block of data', async () => {
  expect(await walk(one({ type: dataBlock, address: 0x1004, length: 512 }), 512)).toEqual([
    { from: 'SGL1', address: 0x1004, length: 512, problem: '' },
  ]);
});

test('segments lead on to the last one', async () => {
  put(
    0x2000,
    { type: dataBlock, address: 0x10000, length: 4096 },
    { type: dataBlock, address: 0x30000, length: 100 },
    { type: lastSegment, address: 0x5000, length: 32 },
  );
  put(0x5000, { type: bitBucket, length: 412 }, { type: dataBlock, address: 0x40000, length: 512 });
  const first = one({ type: segment, address: 0x2000, length: 48 });
  const pieces = await walk(first, 4096 + 1024);
  expect(pieces).toEqual([
    { from: 'segment 0x2000 descriptor 0', address: 0x10000, length: 4096, problem: '' },
    { from: 'segment 0x2000 descriptor 1', address: 0x30000, length: 100, problem: '' },
    { from: 'last segment 0x5000 descriptor 0, bit bucket', address: undefined, length: 412, problem: '' },
    { from: 'last segment 0x5000 descriptor 1', address: 0x40000, length: 512, problem: '' },
  ]);
  // Of data that the device fetches, none lies in a bucket.
  const fetched = await walk(first, 4096 + 1024, false);
  expect(fetched.at(-1)).toMatchObject({
    length: 4708,
    problem: 'the descriptors are 412 bytes less than the command transfers',
  });
  expect((await walk(first, 4000)).at(-1)!.problem).toContain('1,120 bytes more');
});

test('a long segment is read in pieces that the lab gives', async () => {
  const blocks = Array.from({ length: 4100 }, (_, at) => ({
    type: dataBlock,
    address: 0x100000 + at * 4096,
    length: 1,
  }));
  put(0x80000, ...blocks);
  reads.length = 0;
  const pieces = await walk(one({ type: lastSegment, address: 0x80000, length: 4100 * 16 }), 4100);
  expect(pieces).toHaveLength(4100);
  expect(pieces.at(-1)!.address).toBe(0x100000 + 4099 * 4096);
  expect(reads).toEqual([
    [0x80000, 65536],
    [0x90000, 64],
  ]);
});

test('what is wrong is said where it is', async () => {
  expect(await problems(one({ type: segment, address: 0x2004, length: 16 }), 16)).toEqual([
    'a segment lies at a multiple of 8',
  ]);
  expect(await problems(one({ type: segment, address: 0x2000, length: 40 }), 16)).toEqual([
    'a segment of 40 bytes is no whole number of descriptors',
  ]);
  expect(await problems(one({ type: 4, address: 0x2000, length: 16 }), 16)).toEqual([
    'descriptor type 0x4 is none of a command in host memory',
  ]);
  expect(await problems(one({ type: dataBlock, subtype: 1, length: 16 }), 16)).toEqual([
    'subtype 0x1: the address is none of host memory',
  ]);
  put(0x6000, { type: segment, address: 0x6000, length: 16 });
  expect(await problems(one({ type: segment, address: 0x6000, length: 16 }), 16)).toEqual([
    'the segments go round in a circle',
  ]);
  put(0x7000, { type: lastSegment, address: 0x5000, length: 32 }, { type: dataBlock, address: 8, length: 8 });
  expect(await problems(one({ type: segment, address: 0x7000, length: 32 }), 16)).toEqual([
    'only the last descriptor of a segment leads to another one',
  ]);
  expect(await problems(one({ type: lastSegment, address: 0x7000, length: 16 }), 16)).toEqual([
    'a last segment leads to no other one',
  ]);
  expect(await problems(one({ type: segment, address: 0x7010, length: 16 }), 8)).toEqual([
    'the last descriptor of a segment leads to the next one',
  ]);
  expect(await problems(one({ type: segment, address: 0x7000, length: 16 * 65537 }), 8)).toEqual([
    'more than 65,536 descriptors',
  ]);
  await expect(walk(one({ type: segment, address: 0x9000, length: 16 }), 8)).rejects.toThrow('0x9000 is not');
});
