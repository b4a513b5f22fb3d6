/** Which file system lies somewhere, by its marks; ext and FAT can be listed. */
import type { DiskFileSystem } from '#contract/disk.ts';
import { ascii, type Blocks, type FileSystem, LayoutError } from './blocks.ts';
import { identifyExt, openExt } from './ext.ts';
import { identifyFat, openFat } from './fat.ts';

/** Marks of file systems that are only recognised. */
const marks: readonly (readonly [kind: string, offset: number, text: string])[] = [
  ['XFS', 0, 'XFSB'],
  ['LUKS', 0, 'LUKS\xba\xbe'],
  ['squashfs', 0, 'hsqs'],
  ['NTFS', 3, 'NTFS    '],
  ['exFAT', 3, 'EXFAT   '],
  ['LVM physical volume', 512, 'LABELONE'],
  ['F2FS', 1024, '\x10\x20\xf5\xf2'],
  ['Linux swap', 4086, 'SWAPSPACE2'],
  ['ISO 9660', 32769, 'CD001'],
  ['btrfs', 65600, '_BHRfS_M'],
];

export async function identify(disk: Blocks): Promise<DiskFileSystem | undefined> {
  const ext = await identifyExt(disk);
  if (ext !== undefined) return { ...ext, listable: true };
  const head = await disk.read(0, Math.min(disk.size - (disk.size % 512), 66_048));
  for (const [kind, offset, text] of marks) {
    if (ascii(head, offset, text.length) !== text) continue;
    return { kind, label: '', uuid: '', size: 0, free: -1, blockSize: 0, listable: false, note: '' };
  }
  const fat = await identifyFat(disk);
  return fat === undefined ? undefined : { ...fat, free: -1, listable: true, note: '' };
}

export async function openFileSystem(disk: Blocks): Promise<FileSystem> {
  const found = await identify(disk);
  if (found === undefined) throw new LayoutError('There is no file system that is known here');
  if (!found.listable) throw new LayoutError(`The files of ${found.kind} are not read here`);
  return found.kind.startsWith('ext') ? openExt(disk) : openFat(disk);
}
