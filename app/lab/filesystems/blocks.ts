/** Something that bytes are read from: a disk, or a part of one. */
export interface Blocks {
  /** Bytes. */
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** What is on the disk is not as it should be, or is of a kind that is not read here. Its message says which. */
export class LayoutError extends Error {
  override readonly name = 'LayoutError';
}

export interface FileEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** Bytes. */
  readonly size: number;
  /** ms since the epoch; 0: not known. */
  readonly modified: number;
}

/** Most entries of a folder that are listed. */
export const MOST_ENTRIES = 5000;

export interface FolderContents {
  readonly entries: readonly FileEntry[];
  /** There are more, which are not read. */
  readonly more: boolean;
}

export interface FileSystem {
  list(path: string): Promise<FolderContents>;
}

/** A name on the way to a folder was not found. */
export function notFound(path: string, more: boolean): LayoutError {
  return new LayoutError(
    more
      ? `There is no ${path} among the first ${MOST_ENTRIES} entries of its folder, and no more are read`
      : `There is no ${path}`,
  );
}

export function part(whole: Blocks, start: number, size: number): Blocks {
  return {
    size,
    read(offset, length) {
      if (offset < 0 || length < 0 || offset + length > size) {
        throw new LayoutError(`${length} bytes at ${offset} are outside of its ${size} bytes`);
      }
      return whole.read(start + offset, length);
    },
  };
}

export const u16 = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
export const u32 = (bytes: Uint8Array, at: number): number => u16(bytes, at) + u16(bytes, at + 2) * 65536;
/** Exact to 2^53. */
export const u64 = (bytes: Uint8Array, at: number): number => u32(bytes, at) + u32(bytes, at + 4) * 2 ** 32;
export const ascii = (bytes: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length));

/** Text up to the first zero. */
export function zeroText(bytes: Uint8Array, at: number, length: number): string {
  const end = bytes.subarray(at, at + length).indexOf(0);
  return new TextDecoder().decode(bytes.subarray(at, at + (end < 0 ? length : end)));
}

export function guidText(bytes: Uint8Array, at: number): string {
  const hex = (from: number, length: number): string =>
    Buffer.from(bytes.subarray(at + from, at + from + length)).toString('hex');
  const swapped = (from: number, length: number): string =>
    Buffer.from(bytes.slice(at + from, at + from + length).reverse()).toString('hex');
  return `${swapped(0, 4)}-${swapped(4, 2)}-${swapped(6, 2)}-${hex(8, 2)}-${hex(10, 6)}`;
}

/** The names of a path; `.` and `..` are none. */
export function pathNames(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}
