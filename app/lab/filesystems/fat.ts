/** FAT12, FAT16 and FAT32, read-only, as far as a listing needs it (Microsoft's FAT32 specification 1.03). */
import {
  ascii,
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
} from './blocks.ts';

const ENTRY = 32;
const Attribute = { volume: 0x08, folder: 0x10, longName: 0x0f } as const;
const MOST_CLUSTERS = 4096;

export interface FatInfo {
  readonly kind: 'FAT12' | 'FAT16' | 'FAT32';
  readonly label: string;
  readonly uuid: string;
  readonly size: number;
  readonly blockSize: number;
}

interface Boot {
  readonly info: FatInfo;
  readonly sector: number;
  readonly cluster: number;
  readonly fatAt: number;
  readonly rootAt: number;
  readonly rootBytes: number;
  readonly dataAt: number;
  /** First cluster of the root folder; 0: it has a place of its own. */
  readonly rootCluster: number;
  readonly clusters: number;
}

async function readBoot(disk: Blocks): Promise<Boot | undefined> {
  if (disk.size < 4096) return undefined;
  const bytes = await disk.read(0, 512);
  if (u16(bytes, 510) !== 0xaa55 || (bytes[0] !== 0xeb && bytes[0] !== 0xe9)) return undefined;
  const sector = u16(bytes, 11);
  const perCluster = bytes[13]!;
  const reserved = u16(bytes, 14);
  const fats = bytes[16]!;
  const rootEntries = u16(bytes, 17);
  const sectors = u16(bytes, 19) || u32(bytes, 32);
  const fatSectors = u16(bytes, 22) || u32(bytes, 36);
  const power = (value: number): boolean => value > 0 && (value & (value - 1)) === 0;
  if (![512, 1024, 2048, 4096].includes(sector) || !power(perCluster) || reserved === 0 || fats === 0)
    return undefined;
  if (fatSectors === 0 || sectors === 0) return undefined;
  const rootAt = (reserved + fats * fatSectors) * sector;
  const rootBytes = rootEntries * ENTRY;
  const dataAt = rootAt + Math.ceil(rootBytes / sector) * sector;
  const cluster = perCluster * sector;
  const clusters = Math.floor((sectors * sector - dataAt) / cluster);
  if (clusters < 1) return undefined;
  // The count of clusters alone decides.
  const kind = clusters < 4085 ? 'FAT12' : clusters < 65525 ? 'FAT16' : 'FAT32';
  const tail = kind === 'FAT32' ? 64 : 36;
  return {
    info: {
      kind,
      label: bytes[tail + 2] === 0x29 ? ascii(bytes, tail + 7, 11).trim() : '',
      uuid: u32(bytes, tail + 3)
        .toString(16)
        .padStart(8, '0')
        .replace(/^(.{4})/, '$1-')
        .toUpperCase(),
      size: sectors * sector,
      blockSize: cluster,
    },
    sector,
    cluster,
    fatAt: reserved * sector,
    rootAt,
    rootBytes,
    dataAt,
    rootCluster: kind === 'FAT32' ? u32(bytes, 44) : 0,
    clusters,
  };
}

export async function identifyFat(disk: Blocks): Promise<FatInfo | undefined> {
  return (await readBoot(disk))?.info;
}

interface Found extends FileEntry {
  readonly cluster: number;
}

/** 2 s steps, from 1980, in no time zone; taken as UTC. */
function timeOf(date: number, time: number): number {
  if (date === 0) return 0;
  const [year, month, day] = [1980 + (date >> 9), ((date >> 5) & 15) - 1, date & 31];
  return Date.UTC(year, month, day, time >> 11, (time >> 5) & 63, (time & 31) * 2);
}

class Fat implements FileSystem {
  readonly #disk: Blocks;
  readonly #boot: Boot;

  constructor(disk: Blocks, boot: Boot) {
    this.#disk = disk;
    this.#boot = boot;
  }

  async list(path: string): Promise<FolderContents> {
    let { entries, more } = await this.#folder(this.#boot.rootCluster);
    for (const name of pathNames(path)) {
      const found = entries.find((one) => one.name.toLowerCase() === name.toLowerCase());
      if (found === undefined) throw notFound(path, more);
      if (found.kind !== 'folder') throw new LayoutError('That is no folder');
      ({ entries, more } = await this.#folder(found.cluster));
    }
    return {
      entries: entries.map(({ name, kind, size, modified }) => ({ name, kind, size, modified })),
      more,
    };
  }

  async #folder(cluster: number): Promise<{ entries: Found[]; more: boolean }> {
    const { bytes, more } =
      cluster === 0
        ? { bytes: await this.#read(this.#boot.rootAt, this.#boot.rootBytes), more: false }
        : await this.#chain(cluster);
    const entries: Found[] = [];
    let long: string[] = [];
    for (let at = 0; at + ENTRY <= bytes.length && bytes[at] !== 0; at += ENTRY) {
      const attributes = bytes[at + 11]!;
      if (bytes[at] === 0xe5) {
        long = [];
        continue;
      }
      if ((attributes & 0x3f) === Attribute.longName) {
        const order = bytes[at]! & 0x1f;
        if ((bytes[at]! & 0x40) !== 0) long = [];
        const units = [...[1, 3, 5, 7, 9], ...[14, 16, 18, 20, 22, 24], ...[28, 30]].map((place) =>
          u16(bytes, at + place),
        );
        const end = units.indexOf(0);
        long[order - 1] = String.fromCharCode(...(end < 0 ? units : units.slice(0, end)));
        continue;
      }
      const base = ascii(bytes, at, 8).trimEnd();
      const extension = ascii(bytes, at + 8, 3).trimEnd();
      const name = long.join('') || (extension === '' ? base : `${base}.${extension}`);
      long = [];
      if ((attributes & Attribute.volume) !== 0 || base === '.' || base === '..') continue;
      if (entries.length === MOST_ENTRIES) return { entries, more: true };
      entries.push({
        name,
        kind: (attributes & Attribute.folder) !== 0 ? 'folder' : 'file',
        size: u32(bytes, at + 28),
        modified: timeOf(u16(bytes, at + 24), u16(bytes, at + 22)),
        cluster: u16(bytes, at + 26) + (this.#boot.info.kind === 'FAT32' ? u16(bytes, at + 20) * 65536 : 0),
      });
    }
    return { entries, more };
  }

  async #chain(first: number): Promise<{ bytes: Uint8Array; more: boolean }> {
    const { cluster, dataAt, clusters } = this.#boot;
    const parts: Uint8Array[] = [];
    const seen = new Set<number>();
    for (let at = first; at >= 2 && at < clusters + 2; at = await this.#next(at)) {
      if (seen.has(at)) throw new LayoutError('The clusters of the folder go round in a circle');
      if (seen.size >= MOST_CLUSTERS) return { bytes: Buffer.concat(parts), more: true };
      seen.add(at);
      parts.push(await this.#disk.read(dataAt + (at - 2) * cluster, cluster));
    }
    return { bytes: Buffer.concat(parts), more: false };
  }

  async #next(cluster: number): Promise<number> {
    const { info, fatAt } = this.#boot;
    if (info.kind === 'FAT32') return u32(await this.#read(fatAt + cluster * 4, 4), 0) & 0x0fff_ffff;
    if (info.kind === 'FAT16') return u16(await this.#read(fatAt + cluster * 2, 2), 0);
    const pair = u16(await this.#read(fatAt + Math.floor(cluster * 1.5), 2), 0);
    return cluster & 1 ? pair >> 4 : pair & 0xfff;
  }

  /** Any bytes, read as whole sectors. */
  async #read(offset: number, length: number): Promise<Uint8Array> {
    const start = offset - (offset % 512);
    const end = Math.ceil((offset + length) / 512) * 512;
    return (await this.#disk.read(start, end - start)).subarray(offset - start, offset - start + length);
  }
}

export async function openFat(disk: Blocks): Promise<FileSystem> {
  const boot = await readBoot(disk);
  if (boot === undefined) throw new LayoutError('This is no FAT file system');
  return new Fat(disk, boot);
}
