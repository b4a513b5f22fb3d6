/** ext2, ext3 and ext4, read-only, as far as a listing needs it (Documentation/filesystems/ext4 of Linux). */
import {
  type Blocks,
  type FileEntry,
  type FileSystem,
  type FolderContents,
  LayoutError,
  MOST_ENTRIES,
  notFound,
  pathNames,
  u16,
  u32,
  zeroText,
} from './blocks.ts';

const SUPER_AT = 1024;
const MAGIC = 0xef53;
const ROOT_INODE = 2;
const EXTENT_MAGIC = 0xf30a;
const MODE_MASK = 0xf000;
const FOLDER = 0x4000;
const FILE = 0x8000;
const LINK = 0xa000;
const INODE_EXTENTS = 0x80000;
const INODE_INLINE = 0x1000_0000;
const INODE_ENCRYPTED = 0x800;
/** Bytes of a folder that are read. */
const LONGEST_FOLDER = 16 * 1024 * 1024;

const Incompat = { filetype: 0x2, recover: 0x4, journalDevice: 0x8, bits64: 0x80 } as const;
/** Compression, journal device, meta block groups: where things lie is not known here. */
const NOT_READ = 0x1 | Incompat.journalDevice | 0x10;

export interface ExtInfo {
  readonly kind: 'ext2' | 'ext3' | 'ext4';
  readonly label: string;
  readonly uuid: string;
  readonly size: number;
  readonly free: number;
  readonly blockSize: number;
  readonly note: string;
}

interface Super {
  readonly info: ExtInfo;
  readonly blockSize: number;
  readonly firstDataBlock: number;
  readonly inodesPerGroup: number;
  readonly inodes: number;
  readonly inodeSize: number;
  readonly descriptorSize: number;
  readonly incompat: number;
}

async function readSuper(disk: Blocks): Promise<Super | undefined> {
  if (disk.size < 4096) return undefined;
  const bytes = (await disk.read(0, 4096)).subarray(SUPER_AT);
  if (u16(bytes, 56) !== MAGIC) return undefined;
  const shift = u32(bytes, 24);
  const inodesPerGroup = u32(bytes, 40);
  if (shift > 6 || inodesPerGroup === 0) return undefined;
  const blockSize = 1024 << shift;
  const compat = u32(bytes, 92);
  const incompat = u32(bytes, 96);
  const readOnly = u32(bytes, 100);
  const wide = (incompat & Incompat.bits64) !== 0;
  const blocks = u32(bytes, 4) + (wide ? u32(bytes, 336) * 2 ** 32 : 0);
  const free = u32(bytes, 12) + (wide ? u32(bytes, 344) * 2 ** 32 : 0);
  // Extents, 64 bits and flexible groups; or huge files and larger inodes.
  const ext4 = (incompat & 0x2c0) !== 0 || (readOnly & 0x78) !== 0;
  const uuid = Buffer.from(bytes.subarray(104, 120)).toString('hex');
  return {
    info: {
      kind: ext4 ? 'ext4' : (compat & 4) !== 0 ? 'ext3' : 'ext2',
      label: zeroText(bytes, 120, 16),
      uuid: uuid.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
      size: blocks * blockSize,
      free: free * blockSize,
      blockSize,
      note:
        (incompat & Incompat.recover) !== 0
          ? 'Its journal holds changes that are not in the file system yet; they are not shown'
          : '',
    },
    blockSize,
    firstDataBlock: u32(bytes, 20),
    inodesPerGroup,
    inodes: u32(bytes, 0),
    inodeSize: u32(bytes, 76) === 0 ? 128 : u16(bytes, 88),
    descriptorSize: wide ? Math.max(32, u16(bytes, 254)) : 32,
    incompat,
  };
}

export async function identifyExt(disk: Blocks): Promise<ExtInfo | undefined> {
  return (await readSuper(disk))?.info;
}

class Ext implements FileSystem {
  readonly #disk: Blocks;
  readonly #super: Super;

  constructor(disk: Blocks, superblock: Super) {
    this.#disk = disk;
    this.#super = superblock;
  }

  async list(path: string): Promise<FolderContents> {
    let inode = ROOT_INODE;
    for (const name of pathNames(path)) {
      const { names, more } = await this.#names(inode);
      const found = names.find((one) => one.name === name);
      if (found === undefined) throw notFound(path, more);
      inode = found.inode;
    }
    const entries: FileEntry[] = [];
    const { names, more } = await this.#names(inode);
    for (const { name, inode: at } of names) {
      const bytes = await this.#inode(at);
      const mode = u16(bytes, 0) & MODE_MASK;
      const wide = mode === FILE ? u32(bytes, 108) : 0;
      entries.push({
        name,
        kind: mode === FOLDER ? 'folder' : mode === FILE ? 'file' : mode === LINK ? 'link' : 'other',
        size: u32(bytes, 4) + wide * 2 ** 32,
        modified: u32(bytes, 16) * 1000,
      });
    }
    return { entries, more };
  }

  async #block(number: number): Promise<Uint8Array> {
    return this.#disk.read(number * this.#super.blockSize, this.#super.blockSize);
  }

  async #inode(number: number): Promise<Uint8Array> {
    const { inodesPerGroup, inodeSize, descriptorSize, blockSize, firstDataBlock, inodes } = this.#super;
    if (number < 1 || number > inodes) throw new LayoutError(`inode ${number} does not exist`);
    const group = Math.floor((number - 1) / inodesPerGroup);
    const index = (number - 1) % inodesPerGroup;
    const at = group * descriptorSize;
    const table = (firstDataBlock + 1) * blockSize + at;
    const sector = table - (table % 512);
    const descriptor = (await this.#disk.read(sector, 1024)).subarray(table - sector);
    const start = u32(descriptor, 8) + (descriptorSize >= 64 ? u32(descriptor, 40) * 2 ** 32 : 0);
    const place = start * blockSize + index * inodeSize;
    const from = place - (place % 512);
    return (await this.#disk.read(from, 1024)).slice(place - from, place - from + Math.max(128, inodeSize));
  }

  /** Without those of the folder itself and of the one above. */
  async #names(inode: number): Promise<{ names: { name: string; inode: number }[]; more: boolean }> {
    const bytes = await this.#inode(inode);
    if ((u16(bytes, 0) & MODE_MASK) !== FOLDER) throw new LayoutError('That is no folder');
    const flags = u32(bytes, 32);
    if ((flags & INODE_ENCRYPTED) !== 0) throw new LayoutError('This folder is encrypted');
    if ((flags & INODE_INLINE) !== 0)
      throw new LayoutError('This folder lies inside its inode, which is not read here');
    const whole = u32(bytes, 4);
    const size = Math.min(whole, LONGEST_FOLDER);
    const { blockSize, incompat } = this.#super;
    const names: { name: string; inode: number }[] = [];
    for await (const number of this.#blocks(bytes, Math.ceil(size / blockSize))) {
      const block = await this.#block(number);
      for (let at = 0; at + 8 <= block.length; ) {
        const length = u16(block, at + 4);
        if (length < 8 || at + length > block.length) throw new LayoutError('The folder is broken');
        const nameLength = (incompat & Incompat.filetype) !== 0 ? block[at + 6]! : u16(block, at + 6);
        const target = u32(block, at);
        if (target !== 0 && nameLength > 0 && nameLength <= length - 8) {
          const name = new TextDecoder().decode(block.subarray(at + 8, at + 8 + nameLength));
          if (name !== '.' && name !== '..') names.push({ name, inode: target });
        }
        at += length;
      }
      if (names.length > MOST_ENTRIES) return { names: names.slice(0, MOST_ENTRIES), more: true };
    }
    return { names, more: whole > size };
  }

  async *#blocks(inode: Uint8Array, count: number): AsyncGenerator<number> {
    const map = inode.subarray(40, 100);
    if ((u32(inode, 32) & INODE_EXTENTS) !== 0) {
      yield* this.#extents(map, 0);
      return;
    }
    let left = count;
    for (let index = 0; index < 15 && left > 0; index++) {
      const number = u32(map, index * 4);
      for await (const block of this.#mapped(number, Math.max(0, index - 11))) {
        if (left-- <= 0) return;
        yield block;
      }
    }
  }

  async *#mapped(number: number, depth: number): AsyncGenerator<number> {
    if (number === 0) return;
    if (depth === 0) {
      yield number;
      return;
    }
    const table = await this.#block(number);
    for (let at = 0; at < table.length; at += 4) yield* this.#mapped(u32(table, at), depth - 1);
  }

  async *#extents(node: Uint8Array, level: number): AsyncGenerator<number> {
    if (u16(node, 0) !== EXTENT_MAGIC || level > 5)
      throw new LayoutError('The extents of the folder are broken');
    const entries = u16(node, 2);
    const leaf = u16(node, 6) === 0;
    for (let index = 0; index < entries && 12 + index * 12 + 12 <= node.length; index++) {
      const at = 12 + index * 12;
      if (!leaf) {
        const next = u32(node, at + 4) + u16(node, at + 8) * 2 ** 32;
        yield* this.#extents(await this.#block(next), level + 1);
        continue;
      }
      const length = u16(node, at + 4);
      const start = u32(node, at + 8) + u16(node, at + 6) * 2 ** 32;
      // Longer ones are room that was never written.
      for (let block = 0; block < length && length <= 32768; block++) yield start + block;
    }
  }
}

export async function openExt(disk: Blocks): Promise<FileSystem> {
  const superblock = await readSuper(disk);
  if (superblock === undefined) throw new LayoutError('This is no ext file system');
  const strange = superblock.incompat & NOT_READ;
  if (strange !== 0)
    throw new LayoutError(`It has features that are not read here (0x${strange.toString(16)})`);
  return new Ext(disk, superblock);
}
