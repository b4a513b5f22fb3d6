import type { ConfigNode } from '#contract/config.ts';

export interface FlatNode {
  /** Place in the tree, such as `2/0/1`. */
  readonly path: string;
  readonly depth: number;
  readonly node: ConfigNode;
  readonly parent: ConfigNode | undefined;
}

export function flatten(
  tree: readonly ConfigNode[],
  open: ReadonlySet<string>,
  depth = 0,
  prefix = '',
  parent?: ConfigNode,
): FlatNode[] {
  const flat: FlatNode[] = [];
  tree.forEach((node, at) => {
    const path = `${prefix}${at}`;
    flat.push({ path, depth, node, parent });
    if (node.children !== undefined && open.has(path)) {
      flat.push(...flatten(node.children, open, depth + 1, `${path}/`, node));
    }
  });
  return flat;
}

/** Paths of the deepest node that holds a byte, outermost first; bit fields stand beside one another, so their register is meant. */
export function pathOfByte(tree: readonly ConfigNode[], offset: number): readonly string[] {
  const paths: string[] = [];
  let level = tree;
  let prefix = '';
  for (;;) {
    const at = level.findIndex(
      (node) => node.lsb === undefined && offset >= node.offset && offset < node.offset + node.length,
    );
    if (at < 0) return paths;
    const path = `${prefix}${at}`;
    paths.push(path);
    level = level[at]!.children ?? [];
    prefix = `${path}/`;
  }
}

/** Groups of the first level are open at first. */
export function firstOpen(tree: readonly ConfigNode[]): ReadonlySet<string> {
  return new Set(
    tree.flatMap((node, at) => (node.children !== undefined && node.value === undefined ? [`${at}`] : [])),
  );
}

export function allBits(bytes: number): bigint {
  return (1n << BigInt(bytes * 8)) - 1n;
}

export interface ConfigWrite {
  readonly offset: number;
  readonly width: 1 | 2 | 4;
  readonly value: bigint;
  /** Bits that count. */
  readonly mask: bigint;
}

/**
 * Accesses that write the bits of `mask` into `length` bytes at `offset`, each aligned to its width as the bus wants it.
 */
export function splitWrite(
  offset: number,
  length: number,
  value: bigint,
  mask: bigint = allBits(length),
): readonly ConfigWrite[] {
  const writes: ConfigWrite[] = [];
  let at = 0;
  while (at < length) {
    const left = length - at;
    const place = offset + at;
    const width = left >= 4 && place % 4 === 0 ? 4 : left >= 2 && place % 2 === 0 ? 2 : 1;
    const all = allBits(width);
    const counts = (mask >> BigInt(at * 8)) & all;
    if (counts !== 0n)
      writes.push({ offset: place, width, value: (value >> BigInt(at * 8)) & counts, mask: counts });
    at += width;
  }
  return writes;
}

/** A little-endian number out of the bytes. */
export function numberAt(bytes: Uint8Array, offset: number, length: number): bigint {
  let value = 0n;
  for (let at = length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[offset + at] ?? 0);
  return value;
}
