import type { ConfigNode } from '#contract/config.ts';
import { hex } from '#renderer/ui/format.ts';
import { numberAt } from './tree.ts';

export interface Difference {
  /** Such as `PCI Express Capability / Device Control / Max_Payload_Size`. */
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly lsb?: number;
  readonly bits?: number;
  /** Hexadecimal; empty where it is on one side only. */
  readonly before: string;
  readonly now: string;
  readonly beforeText: string;
  readonly nowText: string;
}

interface Leaf {
  readonly name: string;
  readonly node: ConfigNode;
}

function leaves(tree: readonly ConfigNode[], prefix = ''): Leaf[] {
  return tree.flatMap((node) => {
    const name = `${prefix}${node.name}`;
    if (node.children === undefined || node.children.length === 0) return [{ name, node }];
    // The header is where everybody expects it.
    return leaves(node.children, prefix === '' && node.offset === 0 ? '' : `${name} / `);
  });
}

function textOf(node: ConfigNode, bytes: Uint8Array): string {
  const register = numberAt(bytes, node.offset, node.length);
  if (node.lsb === undefined) return hex(register, node.length * 2);
  const bits = node.bits ?? 1;
  return hex((register >> BigInt(node.lsb)) & ((1n << BigInt(bits)) - 1n), Math.ceil(bits / 4));
}

const key = ({ name, node }: Leaf): string => `${node.offset} ${node.length} ${node.lsb ?? ''} ${name}`;

export function differingBytes(base: Uint8Array, now: Uint8Array): number[] {
  const found: number[] = [];
  const end = Math.max(base.length, now.length);
  for (let at = 0; at < end; at++) if (base[at] !== now[at]) found.push(at);
  return found;
}

/** Every field that is not the same, in order; bytes that only one side has a name for are under that name. */
export function compareConfig(
  base: { readonly tree: readonly ConfigNode[]; readonly bytes: Uint8Array },
  now: { readonly tree: readonly ConfigNode[]; readonly bytes: Uint8Array },
): Difference[] {
  const left = new Set(differingBytes(base.bytes, now.bytes));
  const differences: Difference[] = [];
  const baseTexts = new Map(leaves(base.tree).map((leaf) => [key(leaf), leaf.node.text ?? '']));
  const nowTexts = new Map(leaves(now.tree).map((leaf) => [key(leaf), leaf.node.text ?? '']));
  const take = (list: readonly Leaf[]): void => {
    for (const leaf of list) {
      const { node } = leaf;
      const bytes = Array.from({ length: node.length }, (_, at) => node.offset + at);
      if (!bytes.some((at) => left.has(at))) continue;
      const before = textOf(node, base.bytes);
      const after = textOf(node, now.bytes);
      if (before === after) continue;
      differences.push({
        name: leaf.name,
        offset: node.offset,
        length: node.length,
        ...(node.lsb === undefined ? {} : { lsb: node.lsb, bits: node.bits ?? 1 }),
        before,
        now: after,
        beforeText: baseTexts.get(key(leaf)) ?? '',
        nowText: nowTexts.get(key(leaf)) ?? '',
      });
    }
    for (const { node } of list) for (let at = 0; at < node.length; at++) left.delete(node.offset + at);
  };
  take(leaves(now.tree));
  take(leaves(base.tree));
  const rest = [...left].sort((a, b) => a - b);
  for (let at = 0; at < rest.length; ) {
    const offset = rest[at]!;
    let length = 1;
    while (length < 4 && rest[at + length] === offset + length) length++;
    const text = (bytes: Uint8Array): string =>
      offset < bytes.length ? hex(numberAt(bytes, offset, length), length * 2) : '';
    differences.push({
      name: 'Bytes without a name',
      offset,
      length,
      before: text(base.bytes),
      now: text(now.bytes),
      beforeText: '',
      nowText: '',
    });
    at += length;
  }
  return differences.sort((a, b) => a.offset - b.offset || (a.lsb ?? 0) - (b.lsb ?? 0));
}
