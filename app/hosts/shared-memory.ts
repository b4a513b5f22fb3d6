/** Memory that threads, processes, or a guest and its host have in common: part of a file. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { mapFile } from '#native';

export interface MemoryPlace {
  readonly file: string;
  /** A multiple of the page size. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** Undefined where the runtime takes no memory but its own; throws when the file cannot be opened. */
export function mapPlace({ file, offset, length }: MemoryPlace): ArrayBuffer | undefined {
  const fd = openSync(file, 'r+');
  try {
    return mapFile(fd, offset, length);
  } finally {
    closeSync(fd);
  }
}

/** Kept in memory where there is that much of it. */
function folderFor(size: number): string {
  const inMemory = '/dev/shm';
  try {
    const { bavail, bsize } = statfsSync(inMemory);
    if (bavail * bsize >= size) return inMemory;
  } catch {
    // Not on this machine.
  }
  return tmpdir();
}

/** A file of its own, which whoever else is to have the memory opens before {@link forget}. */
export class SharedMemory {
  readonly file: string;
  readonly memory: ArrayBuffer;
  readonly #folder: string;

  private constructor(folder: string, file: string, memory: ArrayBuffer) {
    this.#folder = folder;
    this.file = file;
    this.memory = memory;
  }

  /** Undefined where this process cannot have such memory. */
  static make(size: number): SharedMemory | undefined {
    const folder = mkdtempSync(path.join(folderFor(size), 'pciem-memory-'));
    const file = path.join(folder, 'memory');
    let memory: ArrayBuffer | undefined;
    try {
      const fd = openSync(file, 'w+', 0o600);
      try {
        ftruncateSync(fd, size);
      } finally {
        closeSync(fd);
      }
      memory = mapPlace({ file, offset: 0, length: size });
      if (memory !== undefined) return new SharedMemory(folder, file, memory);
    } catch {
      // No binding, or no room: those who would share find another way.
    } finally {
      if (memory === undefined) rmSync(folder, { recursive: true, force: true });
    }
    return undefined;
  }

  /** Takes the file's name away; the memory stays for those who have it. */
  forget(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
