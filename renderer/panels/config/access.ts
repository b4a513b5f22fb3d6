import type { ConfigNode } from '#contract/config.ts';
import { allBits, type ConfigWrite, numberAt } from './tree.ts';

/** Of every byte: bits that a driver writes, and bits that it clears by writing 1. */
export interface Access {
  readonly writable: Uint8Array;
  readonly clearable: Uint8Array;
}

export type AccessKind = 'RO' | 'RW' | 'RW1C' | 'mixed' | 'Rsvd';

export const accessWords: Readonly<Record<AccessKind, string>> = {
  RO: 'Read-only for a driver',
  RW: 'A driver reads and writes it',
  RW1C: 'A driver clears it by writing 1',
  mixed: 'Some of its bits can be written by a driver',
  Rsvd: 'Reserved: a driver leaves it as it is',
};

function maskOf(node: Pick<ConfigNode, 'length' | 'lsb' | 'bits'>): bigint {
  if (node.lsb === undefined) return allBits(node.length);
  return ((1n << BigInt(node.bits ?? 1)) - 1n) << BigInt(node.lsb);
}

/** What a driver's write does to a register or a field. */
export function accessOf(
  node: Pick<ConfigNode, 'offset' | 'length' | 'lsb' | 'bits' | 'reserved'>,
  access: Access,
): AccessKind {
  const mask = maskOf(node);
  const writable = numberAt(access.writable, node.offset, node.length) & mask;
  const clearable = numberAt(access.clearable, node.offset, node.length) & mask;
  if (writable === mask) return 'RW';
  if (clearable === mask) return 'RW1C';
  if (writable === 0n && clearable === 0n) return node.reserved ? 'Rsvd' : 'RO';
  return 'mixed';
}

export function byteAccess(offset: number, access: Access): string {
  if ((access.writable[offset] ?? 0) !== 0) return 'rw';
  return (access.clearable[offset] ?? 0) !== 0 ? 'w1c' : 'ro';
}

function bitsText(bits: bigint): string {
  const runs: string[] = [];
  for (let bit = 63; bit >= 0; bit--) {
    if (((bits >> BigInt(bit)) & 1n) === 0n) continue;
    let low = bit;
    while (low > 0 && ((bits >> BigInt(low - 1)) & 1n) === 1n) low--;
    runs.push(low === bit ? `${bit}` : `${bit}:${low}`);
    bit = low;
  }
  return runs.join(', ');
}

/** Leaves that lie in bytes offset..offset+width, with those bits of the access that they take. */
function leavesIn(
  tree: readonly ConfigNode[],
  offset: number,
  width: number,
): { node: ConfigNode; register: ConfigNode; bits: bigint }[] {
  const found: { node: ConfigNode; register: ConfigNode; bits: bigint }[] = [];
  const visit = (node: ConfigNode, register: ConfigNode): void => {
    if (node.offset >= offset + width || node.offset + node.length <= offset) return;
    if (node.children !== undefined && node.children.length > 0) {
      for (const child of node.children) visit(child, node.value === undefined ? child : node);
      return;
    }
    const shift = (node.offset - offset) * 8;
    const mask = maskOf(node);
    const bits = (shift >= 0 ? mask << BigInt(shift) : mask >> BigInt(-shift)) & allBits(width);
    if (bits !== 0n) found.push({ node, register, bits });
  };
  for (const node of tree) visit(node, node);
  return found;
}

/**
 * Bits of a write that read back otherwise. `access`: of a driver's write, which clears bits by writing 1; what was set
 * before and was cleared is as it was meant.
 */
export function differing(
  write: ConfigWrite,
  before: bigint,
  after: bigint,
  access: Access | undefined,
): bigint {
  const wrong = (write.value ^ after) & write.mask;
  if (access === undefined) return wrong;
  return wrong & ~(numberAt(access.clearable, write.offset, write.width) & write.value & before);
}

/** Why bits of a driver's write did not come back as they were written: one sentence a register or field. */
export function refusals(
  tree: readonly ConfigNode[],
  access: Access,
  { offset, width, value: wrote }: ConfigWrite,
  wrong: bigint,
): string[] {
  const writable = numberAt(access.writable, offset, width);
  const clearable = numberAt(access.clearable, offset, width);
  const reasons: string[] = [];
  let named = 0n;
  for (const { node, register, bits } of leavesIn(tree, offset, width)) {
    const here = wrong & bits;
    if (here === 0n) continue;
    named |= here;
    const name = node === register ? node.name : `${node.name} of ${register.name}`;
    const cleared = here & clearable & wrote;
    if (cleared !== 0n) reasons.push(`${name} is cleared by writing 1`);
    if ((here & clearable & ~wrote) !== 0n) reasons.push(`${name} stays until 1 is written to it`);
    const fixed = here & ~writable & ~clearable;
    if (fixed === 0n) continue;
    if (node.reserved) reasons.push(`bits ${bitsText(fixed)} of ${register.name} are reserved`);
    else if ((bits & writable) === 0n) reasons.push(`${name} is read-only`);
    else reasons.push(`bits ${bitsText(fixed)} of ${name} are fixed`);
  }
  const rest = wrong & ~named & ~writable & ~clearable;
  if (rest !== 0n) reasons.push('nothing is implemented there');
  return reasons;
}
