/** Scatter gather lists (NVM Express 1.4, 4.4): where the data of a command lies in host memory. */
import { count, hex } from '#renderer/ui/format.ts';
import type { MemoryPiece } from './prp.ts';

/** SGL Descriptor Type, bits 7:4 of the SGL identifier. */
export const SglType = { dataBlock: 0, bitBucket: 1, segment: 2, lastSegment: 3 } as const;

export const sglTypes: readonly { readonly type: number; readonly title: string }[] = [
  { type: SglType.dataBlock, title: 'Data Block' },
  { type: SglType.bitBucket, title: 'Bit Bucket' },
  { type: SglType.segment, title: 'Segment' },
  { type: SglType.lastSegment, title: 'Last Segment' },
];

export interface SglDescriptor {
  readonly address: number;
  /** Bytes. */
  readonly length: number;
  readonly type: number;
  readonly subtype: number;
}

export const DESCRIPTOR_BYTES = 16;
/** Descriptors that are followed at most. */
const MOST_DESCRIPTORS = 65536;
/** Read at once. */
const MOST_BYTES = 65536;

/** 16 bytes: address, length, three that are reserved, identifier. */
export function parseDescriptor(bytes: Uint8Array, at = 0): SglDescriptor {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, DESCRIPTOR_BYTES);
  const identifier = view.getUint8(15);
  return {
    address: Number(view.getBigUint64(0, true)),
    length: view.getUint32(8, true),
    type: identifier >> 4,
    subtype: identifier & 0xf,
  };
}

function isSegment({ type }: SglDescriptor): boolean {
  return type === SglType.segment || type === SglType.lastSegment;
}

/** What the specification does not allow of a descriptor by itself. */
function problemOf(one: SglDescriptor): string {
  if (!sglTypes.some(({ type }) => type === one.type))
    return `descriptor type ${hex(one.type)} is none of a command in host memory`;
  if (one.subtype !== 0) return `subtype ${hex(one.subtype)}: the address is none of host memory`;
  if (!isSegment(one)) return '';
  if (one.address % 8 !== 0) return 'a segment lies at a multiple of 8';
  if (one.length === 0 || one.length % DESCRIPTOR_BYTES !== 0)
    return `a segment of ${count(one.length)} bytes is no whole number of descriptors`;
  return '';
}

async function readAll(
  { address, length }: SglDescriptor,
  read: (address: number, length: number) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += MOST_BYTES)
    bytes.set(await read(address + at, Math.min(MOST_BYTES, length - at)), at);
  return bytes;
}

/**
 * The pieces that a command's SGL descriptor leads to. `length`: bytes that the command transfers; `discards`: they go to the
 * host, so that what falls into a bit bucket is among them. `read` gives host memory; what it throws ends the walk there.
 */
export async function walkSgl(
  first: SglDescriptor,
  { length, discards }: { readonly length: number; readonly discards: boolean },
  read: (address: number, length: number) => Promise<Uint8Array>,
): Promise<readonly MemoryPiece[]> {
  const pieces: MemoryPiece[] = [];
  let found = 0;
  const add = (one: SglDescriptor, from: string, problem: string) => {
    const bucket = one.type === SglType.bitBucket;
    pieces.push({
      from: bucket ? `${from}, bit bucket` : from,
      address: bucket ? undefined : one.address,
      length: one.length,
      problem,
    });
    if (!bucket || discards) found += one.length;
  };
  let next: SglDescriptor | undefined = first;
  let from = 'SGL1';
  const seen = new Set<number>();
  let followed = 0;
  while (next !== undefined) {
    const segment: SglDescriptor = next;
    const problem = problemOf(segment);
    if (problem !== '' || !isSegment(segment)) {
      add(segment, from, problem);
      if (problem !== '') return pieces;
      break;
    }
    const last = segment.type === SglType.lastSegment;
    const name = `${last ? 'last segment' : 'segment'} ${hex(segment.address)}`;
    const descriptors = segment.length / DESCRIPTOR_BYTES;
    followed += descriptors;
    const stop = (why: string) => {
      pieces.push({ from: name, address: segment.address, length: 0, problem: why });
      return pieces;
    };
    if (seen.has(segment.address)) return stop('the segments go round in a circle');
    if (followed > MOST_DESCRIPTORS) return stop(`more than ${count(MOST_DESCRIPTORS)} descriptors`);
    seen.add(segment.address);
    next = undefined;
    const bytes = await readAll(segment, read);
    for (let at = 0; at < descriptors; at++) {
      const one = parseDescriptor(bytes, at * DESCRIPTOR_BYTES);
      from = `${name} descriptor ${at}`;
      const end = at === descriptors - 1;
      if (isSegment(one)) {
        if (last) return stop('a last segment leads to no other one');
        if (!end) return stop('only the last descriptor of a segment leads to another one');
        next = one;
        break;
      }
      const open = end && !last ? 'the last descriptor of a segment leads to the next one' : '';
      add(one, from, problemOf(one) || open);
    }
  }
  if (found !== length) {
    const difference = count(Math.abs(found - length));
    const problem = `the descriptors are ${difference} bytes ${found < length ? 'less' : 'more'} than the command transfers`;
    pieces.push({ from: 'all', address: undefined, length: found, problem });
  }
  return pieces;
}
