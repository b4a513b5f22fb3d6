import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Blocks, LayoutError, MOST_ENTRIES, part } from './blocks.ts';
import { identify, openFileSystem } from './identify.ts';
import { readPartitions } from './partitions.ts';

const folder = mkdtempSync(join(tmpdir(), 'pciem-lab-fs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MIB = 2 ** 20;

/** Tools of the system lie where not every path looks. */
const env = { ...process.env, PATH: `${process.env.PATH}:/sbin:/usr/sbin`, MTOOLS_SKIP_CHECK: '1' };
const run = (command: string, args: readonly string[], input = ''): string =>
  execFileSync(command, args, { encoding: 'utf8', env, input, stdio: ['pipe', 'pipe', 'pipe'] });

function image(name: string, size: number): string {
  const path = join(folder, name);
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  closeSync(fd);
  return path;
}

/** Reads as a disk is read: whole sectors only. */
function blocksOf(path: string): Blocks {
  const { size } = statSync(path);
  return {
    size,
    async read(offset, length) {
      if (offset % 512 !== 0 || length % 512 !== 0)
        throw new Error(`${length} bytes at ${offset}: no sectors`);
      if (offset + length > size) throw new LayoutError('behind the end');
      const bytes = new Uint8Array(length);
      const fd = openSync(path, 'r');
      readSync(fd, bytes, 0, length, offset);
      closeSync(fd);
      return bytes;
    },
  };
}

/** A tree that needs several blocks and a second level. */
const tree = join(folder, 'tree');
mkdirSync(join(tree, 'many'), { recursive: true });
writeFileSync(join(tree, 'hello.txt'), 'hello, disk\n');
for (let at = 0; at < 300; at++) writeFileSync(join(tree, 'many', `a file with a long name ${at}.bin`), '');

describe.each([
  ['ext2', ['-b', '1024'], 'ext2'],
  ['ext2', ['-b', '4096', '-O', '^dir_index'], 'ext2'],
  ['ext3', [], 'ext3'],
  ['ext4', [], 'ext4'],
  ['ext4', ['-O', '^64bit', '-I', '128'], 'ext4'],
] as const)('%s %j', (type, options, kind) => {
  it('is recognised and listed', async () => {
    const path = image(`${type}${options.join('')}.img`, 16 * MIB);
    run('mke2fs', ['-q', '-F', '-t', type, ...options, '-L', 'LABDISK', '-d', tree, path]);
    const disk = blocksOf(path);
    expect(await identify(disk)).toMatchObject({ kind, label: 'LABDISK', listable: true, size: 16 * MIB });
    const files = await openFileSystem(disk);
    const { entries: root } = await files.list('/');
    expect(root.map(({ name, kind: what }) => `${what} ${name}`).sort()).toEqual([
      'file hello.txt',
      'folder lost+found',
      'folder many',
    ]);
    expect(root.find(({ name }) => name === 'hello.txt')).toMatchObject({ size: 12 });
    const { entries: many, more } = await files.list('/many');
    expect(more).toBe(false);
    expect(many).toHaveLength(300);
    expect(many.map(({ name }) => name)).toContain('a file with a long name 299.bin');
    await expect(files.list('/hello.txt')).rejects.toThrow('no folder');
    await expect(files.list('/nothing')).rejects.toThrow('There is no /nothing');
  });
});

it('a folder with more entries than are read says so, and so does a path that leads through it', async () => {
  const path = image('crowd.img', 32 * MIB);
  run('mkfs.fat', ['-F', '16', '-r', '6000', path]);
  // One entry more than are read, straight into the root folder behind the reserved sectors and the tables.
  const boot = await blocksOf(path).read(0, 512);
  const root = (boot[14]! + boot[16]! * (boot[22]! + boot[23]! * 256)) * 512;
  const entry = (at: number) => Buffer.from(`${at}`.padEnd(11).padEnd(32, '\0'), 'latin1');
  const fd = openSync(path, 'r+');
  writeSync(
    fd,
    Buffer.concat(Array.from({ length: MOST_ENTRIES + 1 }, (_, at) => entry(at))),
    0,
    undefined,
    root,
  );
  closeSync(fd);
  const files = await openFileSystem(blocksOf(path));
  const { entries, more } = await files.list('/');
  expect(entries).toHaveLength(MOST_ENTRIES);
  expect(more).toBe(true);
  await expect(files.list('/nothing')).rejects.toThrow('among the first 5000 entries');
});

describe.each([
  ['FAT12', 2 * MIB, ['-F', '12']],
  ['FAT16', 32 * MIB, ['-F', '16']],
  ['FAT32', 64 * MIB, ['-F', '32', '-s', '1']],
] as const)('%s', (kind, size, options) => {
  it('is recognised and listed', async () => {
    const path = image(`${kind}.img`, size);
    run('mkfs.fat', [...options, '-n', 'LABDISK', path]);
    run('mmd', ['-i', path, '::/many']);
    run('mcopy', ['-i', path, join(tree, 'hello.txt'), '::/']);
    const names = Array.from({ length: 60 }, (_, at) =>
      join(tree, 'many', `a file with a long name ${at}.bin`),
    );
    run('mcopy', ['-i', path, ...names, '::/many']);
    const disk = blocksOf(path);
    expect(await identify(disk)).toMatchObject({ kind, label: 'LABDISK', listable: true });
    const files = await openFileSystem(disk);
    expect(
      (await files.list('/')).entries.map(({ name, kind: what }) => `${what} ${name.toLowerCase()}`).sort(),
    ).toEqual(['file hello.txt', 'folder many']);
    expect(
      (await files.list('/')).entries.find(({ name }) => name.toLowerCase() === 'hello.txt'),
    ).toMatchObject({
      size: 12,
    });
    const { entries: many, more } = await files.list('/many');
    expect(more).toBe(false);
    expect(many).toHaveLength(60);
    expect(many[59]!.name).toBe('a file with a long name 59.bin');
    expect(Math.abs(many[0]!.modified - Date.now())).toBeLessThan(2 * 86_400_000);
  });
});

describe('partition tables', () => {
  it('GPT, with names and types, and says when its checksum is wrong', async () => {
    const path = image('gpt.img', 32 * MIB);
    run(
      'sfdisk',
      ['-q', path],
      'label: gpt\nsize=8MiB, type=U, name="EFI"\nsize=16MiB, type=L, name="root"\n',
    );
    const table = await readPartitions(blocksOf(path), 512);
    expect(table).toMatchObject({
      scheme: 'gpt',
      problems: [],
      partitions: [
        { number: 1, start: MIB, size: 8 * MIB, type: 'EFI system', name: 'EFI' },
        { number: 2, size: 16 * MIB, type: 'Linux filesystem', name: 'root' },
      ],
    });
    run('dd', [`of=${path}`, 'bs=1', 'seek=1100', 'conv=notrunc', 'status=none'], 'x');
    const broken = await readPartitions(blocksOf(path), 512);
    expect(broken.problems).toEqual(['The checksum of the GPT entries is wrong']);
  });

  it('MBR, with logical partitions', async () => {
    const path = image('mbr.img', 64 * MIB);
    run(
      'sfdisk',
      ['-q', path],
      'label: dos\n1 : size=8MiB, type=c\n2 : size=40MiB, type=5\n5 : size=8MiB, type=83\n6 : size=8MiB, type=82\n',
    );
    const table = await readPartitions(blocksOf(path), 512);
    expect(table.partitions.map(({ number, type, size }) => [number, type, size])).toEqual([
      [1, 'FAT32 (LBA)', 8 * MIB],
      [5, 'Linux', 8 * MIB],
      [6, 'Linux swap', 8 * MIB],
    ]);
    const first = blocksOf(path);
    expect(await identify(part(first, MIB, 8 * MIB))).toBeUndefined();
  });

  it('an empty disk and a FAT without a table have none', async () => {
    expect(await readPartitions(blocksOf(image('empty.img', MIB)), 512)).toMatchObject({ scheme: 'none' });
    const fat = image('plain.img', 2 * MIB);
    run('mkfs.fat', [fat]);
    expect(await readPartitions(blocksOf(fat), 512)).toMatchObject({ scheme: 'none' });
  });
});

it('other file systems are recognised, and not listed', async () => {
  const swap = image('swap.img', MIB);
  run('mkswap', ['-q', swap]);
  expect(await identify(blocksOf(swap))).toMatchObject({ kind: 'Linux swap', listable: false });
  await expect(openFileSystem(blocksOf(swap))).rejects.toThrow('The files of Linux swap are not read here');
});

it('noise is read to an end, whatever it says', async () => {
  let state = 3;
  const noise = new Uint8Array(256 * 1024);
  for (let round = 0; round < 60; round++) {
    for (let at = 0; at < noise.length; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      noise[at] = state >>> 24;
    }
    // Marks that lead the readers on.
    noise.set([0x53, 0xef], 1024 + 56);
    noise.set([0, 0, 0, 0], 1024 + 24);
    if (round % 3 === 0) noise.set([0x55, 0xaa], 510);
    if (round % 3 === 1) {
      noise.fill(0, 1024, 1100);
      noise.set([0xeb, 0, 0], 0);
      noise.set([0, 2, 1, 1, 0, 1], 11);
      noise.set([0x55, 0xaa], 510);
    }
    const disk: Blocks = {
      size: noise.length,
      read: async (offset, length) => {
        if (offset < 0 || offset + length > noise.length) throw new LayoutError('behind the end');
        return noise.slice(offset, offset + length);
      },
    };
    for (const read of [
      () => readPartitions(disk, 512),
      () => identify(disk),
      async () => (await openFileSystem(disk)).list('/'),
    ]) {
      try {
        await read();
      } catch (error) {
        expect(error).toBeInstanceOf(LayoutError);
      }
    }
  }
});
