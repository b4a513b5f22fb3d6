import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { BlockBackend, Extent } from '#devices/sdk/device.ts';
import { lockFile, punchHole } from '#native';
import { checkBuffer, checkRange, checkSize, SECTOR } from './block-backend-range.ts';
import { LabError } from './errors.ts';

/** Bytes written at once where a file system cannot punch holes. */
const ZERO_CHUNK = 1 << 20;

/**
 * A disk in a raw image file, byte for byte, as `mount -o loop` takes it. One disk at a time: the file is locked
 * while it is open.
 */
export class FileBackend implements BlockBackend {
  readonly path: string;
  readonly size: number;
  readonly direct = false;
  #fd: number;
  #zeroes: Uint8Array | undefined;

  private constructor(path: string, size: number, fd: number) {
    this.path = path;
    this.size = size;
    this.#fd = fd;
  }

  /** Throws a {@link LabError} that says what is wrong with the file. `size` counts for a new or empty one only. */
  static open(image: string, size: number): FileBackend {
    checkSize(size);
    const path = resolve(image);
    const { fd, created } = openImage(path);
    try {
      return new FileBackend(path, prepare(path, fd, size), fd);
    } catch (error) {
      closeSync(fd);
      if (created) unlinkSync(path);
      throw error;
    }
  }

  extent(_offset: number, _forWrite: boolean, _out: Extent): number {
    throw new Error('a disk in a file has no extents in memory: use load and store');
  }

  load(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void {
    checkRange(this.size, offset, length);
    checkBuffer(buffer, bufferOffset, length);
    for (let done = 0; done < length; ) {
      const part = this.#io('read', () =>
        readSync(this.#fd, buffer, bufferOffset + done, length - done, offset + done),
      );
      if (part === 0) {
        throw new LabError('IMAGE_SHRUNK', `${this.path} has been cut short while it was in use.`);
      }
      done += part;
    }
  }

  store(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void {
    checkRange(this.size, offset, length);
    checkBuffer(buffer, bufferOffset, length);
    for (let done = 0; done < length; ) {
      done += this.#io('write', () =>
        writeSync(this.#fd, buffer, bufferOffset + done, length - done, offset + done),
      );
    }
  }

  discard(offset: number, length: number): void {
    checkRange(this.size, offset, length);
    if (length === 0) return;
    if (this.#io('discard', () => punchHole(this.#fd, offset, length))) return;
    this.#zeroes ??= new Uint8Array(ZERO_CHUNK);
    for (let done = 0; done < length; done += ZERO_CHUNK) {
      this.store(offset + done, this.#zeroes, 0, Math.min(ZERO_CHUNK, length - done));
    }
  }

  flush(): void {
    this.#io('flush', () => fdatasyncSync(this.#fd));
  }

  /** Gives the lock back. Idempotent. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #io<T>(what: string, call: () => T): T {
    if (this.#fd < 0) throw new LabError('IMAGE_CLOSED', `${this.path} is closed.`);
    try {
      return call();
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      const hint =
        code === 'ENOSPC' || code === 'EDQUOT' ? 'Make room on the file system that holds it.' : '';
      throw new LabError('IMAGE_IO', `${this.path}: ${what} failed: ${message}`, hint, { cause });
    }
  }
}

function openImage(path: string): { fd: number; created: boolean } {
  try {
    // Before opening: a pipe would be waited for, a device node may do anything.
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined) {
      if (!stat.isFile()) throw notAFile(path, stat.isDirectory());
      return { fd: openSync(path, 'r+'), created: false };
    }
    return { fd: openSync(path, 'wx+'), created: true };
  } catch (error) {
    throw explain(path, error);
  }
}

function notAFile(path: string, folder: boolean): LabError {
  return new LabError(
    'IMAGE_NOT_A_FILE',
    `${path} is ${folder ? 'a folder' : 'no regular file'}.`,
    'Give the path of a raw image file, or of a new file.',
  );
}

function explain(path: string, cause: unknown): unknown {
  if (cause instanceof LabError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new LabError(
        'IMAGE_FOLDER',
        `The folder ${dirname(path)} does not exist.`,
        'Make it first, or choose another place for the image.',
        { cause },
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new LabError(
        'IMAGE_ACCESS',
        `${path} cannot be opened for reading and writing (${code}).`,
        'Change its permissions, or choose another place for the image.',
        { cause },
      );
    default:
      return new LabError('IMAGE_OPEN', `${path} cannot be opened: ${message}`, '', { cause });
  }
}

/** Locks the image and returns the size of its disk. */
function prepare(path: string, fd: number, size: number): number {
  let locked: boolean;
  try {
    locked = lockFile(fd);
  } catch (cause) {
    const { message, hint } = cause as Error & { hint?: string };
    throw new LabError('IMAGE_LOCK', `${path} cannot be locked: ${message}`, hint ?? '', { cause });
  }
  if (!locked) {
    throw new LabError('IMAGE_LOCKED', `${path} is in use by another disk.`, 'Power that one off first.');
  }
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw notAFile(path, stat.isDirectory());
  if (stat.size === 0) {
    try {
      ftruncateSync(fd, size);
    } catch (cause) {
      throw new LabError(
        'IMAGE_TOO_LARGE',
        `${path} cannot be made ${size} bytes long: ${(cause as Error).message}`,
        'Choose a smaller disk, or another file system.',
        { cause },
      );
    }
    return size;
  }
  if (stat.size % SECTOR !== 0) {
    throw new LabError(
      'IMAGE_SIZE',
      `${path} is ${stat.size} bytes long, which is no multiple of ${SECTOR}.`,
      'A raw image holds whole blocks. Is it of another format, or cut short?',
    );
  }
  return stat.size;
}
