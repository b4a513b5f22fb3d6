/** Partition tables: MBR with logical partitions, and GPT (UEFI 2.10, 5). */
import { crc32 } from 'node:zlib';
import { ascii, type Blocks, guidText, u16, u32, u64 } from './blocks.ts';

export interface Partition {
  /** As Linux numbers it. */
  readonly number: number;
  /** Bytes. */
  readonly start: number;
  readonly size: number;
  readonly type: string;
  readonly name: string;
}

export interface PartitionTable {
  readonly scheme: 'gpt' | 'mbr' | 'none';
  readonly partitions: readonly Partition[];
  /** What is wrong with it. */
  readonly problems: readonly string[];
}

const mbrTypes: Readonly<Record<number, string>> = {
  1: 'FAT12',
  4: 'FAT16 below 32 MiB',
  5: 'extended',
  6: 'FAT16',
  7: 'NTFS or exFAT',
  11: 'FAT32',
  12: 'FAT32 (LBA)',
  14: 'FAT16 (LBA)',
  15: 'extended (LBA)',
  130: 'Linux swap',
  131: 'Linux',
  142: 'Linux LVM',
  238: 'GPT protective',
  239: 'EFI system',
  253: 'Linux RAID',
};
const gptTypes: Readonly<Record<string, string>> = {
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b': 'EFI system',
  '21686148-6449-6e6f-744e-656564454649': 'BIOS boot',
  'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7': 'Microsoft basic data',
  'e3c9e316-0b5c-4db8-817d-f92df00215ae': 'Microsoft reserved',
  '0fc63daf-8483-4772-8e79-3d69d8477de4': 'Linux filesystem',
  '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f': 'Linux swap',
  'e6d6d379-f507-44c2-a23c-238f2a3df928': 'Linux LVM',
  'a19d880f-05fc-4d3b-a006-743f0f84911e': 'Linux RAID',
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709': 'Linux root (x86-64)',
};
const EXTENDED = [5, 15, 133];
const MOST_LOGICAL = 64;
const MOST_GPT = 1024;

interface MbrEntry {
  readonly type: number;
  readonly start: number;
  readonly size: number;
}

function mbrEntries(sector: Uint8Array, block: number): MbrEntry[] {
  return [0, 1, 2, 3].map((index) => {
    const at = 446 + index * 16;
    return { type: sector[at + 4]!, start: u32(sector, at + 8) * block, size: u32(sector, at + 12) * block };
  });
}

/** `block`: bytes of a logical block. */
export async function readPartitions(disk: Blocks, block: number): Promise<PartitionTable> {
  const none: PartitionTable = { scheme: 'none', partitions: [], problems: [] };
  if (disk.size < 3 * block) return none;
  const first = await disk.read(0, block);
  if (u16(first, 510) !== 0xaa55) return none;
  const primaries = mbrEntries(first, block);
  // A boot sector of FAT or NTFS ends in the same signature; what would be its table is code.
  const plausible = primaries.every(
    ({ type, start, size }) => type === 0 || (start > 0 && size > 0 && start < disk.size),
  );
  if (!plausible || primaries.every(({ type }) => type === 0)) return none;
  if (primaries.some(({ type }) => type === 0xee)) return readGpt(disk, block);
  const problems: string[] = [];
  const partitions: Partition[] = [];
  const add = (number: number, { type, start, size }: MbrEntry): void => {
    if (start + size > disk.size) problems.push(`Partition ${number} ends behind the end of the disk`);
    partitions.push({
      number,
      start,
      size: Math.min(size, disk.size - start),
      type: mbrTypes[type] ?? `type 0x${type.toString(16).padStart(2, '0')}`,
      name: '',
    });
  };
  for (const [index, entry] of primaries.entries()) {
    if (entry.type === 0) continue;
    if (EXTENDED.includes(entry.type)) problems.push(...(await readLogical(disk, block, entry.start, add)));
    else add(index + 1, entry);
  }
  return { scheme: 'mbr', partitions: partitions.sort((a, b) => a.number - b.number), problems };
}

async function readLogical(
  disk: Blocks,
  block: number,
  base: number,
  add: (number: number, entry: MbrEntry) => void,
): Promise<string[]> {
  let at = base;
  const seen = new Set<number>();
  for (let number = 5; number < 5 + MOST_LOGICAL; number++) {
    if (seen.has(at)) return ['The list of logical partitions goes round in a circle'];
    seen.add(at);
    if (at + block > disk.size) return ['A logical partition is described behind the end of the disk'];
    const sector = await disk.read(at, block);
    if (u16(sector, 510) !== 0xaa55) return ['The list of logical partitions is broken'];
    const [own, next] = mbrEntries(sector, block);
    if (own!.type !== 0 && at + own!.start < disk.size) add(number, { ...own!, start: at + own!.start });
    if (next!.type === 0) return [];
    at = base + next!.start;
  }
  return [`There are more than ${MOST_LOGICAL} logical partitions`];
}

async function readGpt(disk: Blocks, block: number): Promise<PartitionTable> {
  const problems: string[] = [];
  const header = await disk.read(block, block);
  if (ascii(header, 0, 8) !== 'EFI PART') {
    return {
      scheme: 'gpt',
      partitions: [],
      problems: ['There is a protective MBR, and no GPT header behind it'],
    };
  }
  const length = Math.min(u32(header, 12), block);
  const cleared = header.slice(0, length);
  cleared.fill(0, 16, 20);
  if (crc32(cleared) !== u32(header, 16)) problems.push('The checksum of the GPT header is wrong');
  const count = Math.min(u32(header, 80), MOST_GPT);
  const entryBytes = u32(header, 84);
  const start = u64(header, 72) * block;
  if (entryBytes < 128 || entryBytes > 4096 || start + count * entryBytes > disk.size) {
    return { scheme: 'gpt', partitions: [], problems: [...problems, 'The GPT header describes no table'] };
  }
  const table = await disk.read(start, Math.ceil((count * entryBytes) / block) * block);
  if (crc32(table.subarray(0, count * entryBytes)) !== u32(header, 88)) {
    problems.push('The checksum of the GPT entries is wrong');
  }
  const partitions: Partition[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * entryBytes;
    const type = guidText(table, at);
    if (type === '00000000-0000-0000-0000-000000000000') continue;
    const from = u64(table, at + 32) * block;
    const size = (u64(table, at + 40) + 1) * block - from;
    if (from < 0 || size <= 0 || from + size > disk.size) {
      problems.push(`Partition ${index + 1} does not lie on the disk`);
      continue;
    }
    const name = new TextDecoder('utf-16le').decode(table.subarray(at + 56, at + 128)).replace(/\0.*$/s, '');
    partitions.push({ number: index + 1, start: from, size, type: gptTypes[type] ?? type, name });
  }
  return { scheme: 'gpt', partitions, problems };
}
