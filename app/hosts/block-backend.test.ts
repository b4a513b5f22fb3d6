import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { BlockBackend, Extent } from '#devices/sdk/device.ts';
import type { DmaBuffer, DmaPort } from '#devices/sdk/dma.ts';
import { FileBackend, MemoryBackend, openBlockBackend } from './block-backend.ts';
import { EXTENT_BYTES } from './block-backend-memory.ts';
import { LabError } from './errors.ts';

const MIB = 1 << 20;
const folder = mkdtempSync(join(tmpdir(), 'pciem-block-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Buffers only, and a count of what is held. */
class Buffers {
  readonly live = new Set<DmaBuffer>();
  limit = Number.POSITIVE_INFINITY;
  #next = 0;

  allocate(size: number): DmaBuffer {
    if (this.live.size >= this.limit) throw new RangeError('Array buffer allocation failed');
    const buffer = { id: this.#next++, bytes: new Uint8Array(size) };
    this.live.add(buffer);
    return buffer;
  }
  release(buffer: DmaBuffer): void {
    if (!this.live.delete(buffer)) throw new Error('released twice');
  }
  get port(): DmaPort {
    return this as unknown as DmaPort;
  }
}

function failure(call: () => unknown): LabError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(LabError);
    return error as LabError;
  }
  throw new Error('nothing was thrown');
}

function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0, state = seed; index < length; index++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    bytes[index] = state >> 16;
  }
  return bytes;
}

function loaded(backend: BlockBackend, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(0xee);
  backend.load(offset, bytes, 0, length);
  return bytes;
}

/** A file and memory must behave alike: the same random history on both, against a plain array. */
function behavesAsArray(backend: BlockBackend, size: number): void {
  const model = new Uint8Array(size);
  let state = 12345;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let step = 0; step < 120; step++) {
    const offset = random(size / 512) * 512;
    const length = Math.min(random(12) === 0 ? size : random(400) * 512, size - offset);
    switch (random(4)) {
      case 0: {
        backend.discard(offset, length);
        model.fill(0, offset, offset + length);
        break;
      }
      case 1: {
        expect(Buffer.compare(loaded(backend, offset, length), model.subarray(offset, offset + length))).toBe(
          0,
        );
        break;
      }
      default: {
        const bytes = pattern(length + 100, step + 1);
        backend.store(offset, bytes, 100, length);
        model.set(bytes.subarray(100, 100 + length), offset);
      }
    }
  }
  expect(Buffer.compare(loaded(backend, 0, size), model)).toBe(0);
}

describe('memory', () => {
  const none = {} as Extent;

  it('behaves as an array of bytes', () => {
    const buffers = new Buffers();
    const size = 2 * EXTENT_BYTES + 512;
    const backend = new MemoryBackend(size, buffers.port);
    behavesAsArray(backend, size);
    backend.close();
    expect(buffers.live.size).toBe(0);
  });

  it('takes nothing before it is written, whatever is read or discarded', () => {
    const buffers = new Buffers();
    const backend = new MemoryBackend(1024 * MIB, buffers.port);
    backend.discard(0, 1024 * MIB);
    expect(loaded(backend, 512 * MIB, 4096)).toEqual(new Uint8Array(4096));
    expect(buffers.live.size).toBe(0);
    backend.extent(0, false, none);
    backend.extent(700 * MIB, false, none);
    expect(buffers.live.size).toBe(1);
    expect(backend.touched).toBe(0);
    backend.store(900 * MIB, new Uint8Array(512), 0, 512);
    expect(backend.touched).toBe(EXTENT_BYTES);
  });

  it('gives extents that are the disk itself', () => {
    const backend = new MemoryBackend(16 * MIB, new Buffers().port);
    expect(backend.direct).toBe(true);
    const out = {} as Extent;
    expect(backend.extent(EXTENT_BYTES + 1024, true, out)).toBe(EXTENT_BYTES - 1024);
    out.buffer.bytes.set(pattern(4096), out.offset);
    expect(loaded(backend, EXTENT_BYTES + 1024, 4096)).toEqual(pattern(4096));
    const again = {} as Extent;
    backend.extent(EXTENT_BYTES + 1536, false, again);
    expect(again.buffer).toBe(out.buffer);
    expect(again.offset).toBe(1536);
  });

  it('reads untouched extents from one zero buffer, with room to the end of the extent', () => {
    const backend = new MemoryBackend(16 * MIB, new Buffers().port);
    const a = {} as Extent;
    const b = {} as Extent;
    expect(backend.extent(512, false, a)).toBe(EXTENT_BYTES - 512);
    expect(backend.extent(3 * EXTENT_BYTES, false, b)).toBe(EXTENT_BYTES);
    expect(b.buffer).toBe(a.buffer);
    expect(a.buffer.bytes.length).toBeGreaterThanOrEqual(a.offset + EXTENT_BYTES - 512);
    backend.store(512, pattern(512), 0, 512);
    expect(b.buffer.bytes.every((byte) => byte === 0)).toBe(true);
    backend.extent(512, false, a);
    expect(a.buffer).not.toBe(b.buffer);
  });

  it('ends its last extent at the end of the disk', () => {
    const backend = new MemoryBackend(EXTENT_BYTES + 1536, new Buffers().port);
    const out = {} as Extent;
    expect(backend.extent(EXTENT_BYTES + 512, true, out)).toBe(1024);
    expect(out.buffer.bytes.length).toBe(1536);
    expect(backend.extent(EXTENT_BYTES + 1535, false, out)).toBe(1);
  });

  it('gives whole extents back and clears parts', () => {
    const buffers = new Buffers();
    const backend = new MemoryBackend(3 * EXTENT_BYTES, buffers.port);
    const all = new Uint8Array(3 * EXTENT_BYTES).fill(7);
    backend.store(0, all, 0, all.length);
    expect(buffers.live.size).toBe(3);
    backend.discard(EXTENT_BYTES - 512, EXTENT_BYTES + 1024);
    expect(buffers.live.size).toBe(2);
    all.fill(0, EXTENT_BYTES - 512, 2 * EXTENT_BYTES + 512);
    expect(Buffer.compare(loaded(backend, 0, all.length), all)).toBe(0);
  });

  it('says so when memory is used up, and keeps what is there', () => {
    const buffers = new Buffers();
    const backend = new MemoryBackend(4 * EXTENT_BYTES, buffers.port);
    backend.store(0, pattern(512), 0, 512);
    buffers.limit = 1;
    const error = failure(() => backend.store(EXTENT_BYTES, pattern(512), 0, 512));
    expect(error.code).toBe('NO_MEMORY');
    expect(error.hint).toContain('image file');
    expect(loaded(backend, 0, 512)).toEqual(pattern(512));
  });

  it.each([0, -512, 511, 1000, 2 ** 60, Number.NaN])('refuses a size of %d bytes', (size) => {
    expect(failure(() => new MemoryBackend(size, new Buffers().port)).code).toBe('DISK_SIZE');
  });
});

describe('ranges', () => {
  const make: [string, () => BlockBackend][] = [
    ['memory', () => new MemoryBackend(8192, new Buffers().port)],
    ['file', () => FileBackend.open(join(folder, 'ranges.img'), 8192)],
  ];
  it.each(make)('outside the disk or the buffer are refused: %s', (_kind, open) => {
    const backend = open();
    const buffer = new Uint8Array(1024);
    expect(() => backend.load(7680, buffer, 0, 1024)).toThrow(/outside a disk/);
    expect(() => backend.store(-512, buffer, 0, 512)).toThrow(/outside a disk/);
    expect(() => backend.discard(0, 8704)).toThrow(/outside a disk/);
    expect(() => backend.load(0, buffer, 512, 1024)).toThrow(/outside a buffer/);
    expect(() => backend.store(0, buffer, 0, -1)).toThrow(RangeError);
    expect(() => backend.load(Number.NaN, buffer, 0, 1)).toThrow(RangeError);
    backend.load(0, buffer, 0, 0);
    backend.discard(8192, 0);
    if (backend.direct) expect(() => backend.extent(8192, true, {} as Extent)).toThrow(/outside a disk/);
    (backend as FileBackend | MemoryBackend).close();
  });
});

describe('image file', () => {
  let open: FileBackend[] = [];
  const image = (path: string, size = MIB) => {
    const backend = FileBackend.open(path, size);
    open.push(backend);
    return backend;
  };
  afterEach(() => {
    for (const backend of open) backend.close();
    open = [];
  });
  let count = 0;
  const fresh = () => join(folder, `disk-${count++}.img`);

  it('behaves as an array of bytes, and keeps it', () => {
    const path = fresh();
    const backend = image(path);
    behavesAsArray(backend, MIB);
    const all = loaded(backend, 0, MIB);
    backend.flush();
    backend.close();
    expect(Buffer.compare(readFileSync(path), all)).toBe(0);
    expect(Buffer.compare(loaded(image(path), 0, MIB), all)).toBe(0);
  });

  it('is made sparse when it is not there', () => {
    const path = fresh();
    const backend = image(path, 1024 * MIB);
    expect(backend.size).toBe(1024 * MIB);
    expect(backend.direct).toBe(false);
    expect(statSync(path).size).toBe(1024 * MIB);
    expect(statSync(path).blocks * 512).toBeLessThan(MIB);
    expect(loaded(backend, 1023 * MIB, 4096)).toEqual(new Uint8Array(4096));
  });

  it('keeps its own size when it is there, and takes the given one when empty', () => {
    const path = fresh();
    writeFileSync(path, pattern(8192));
    expect(image(path, 4 * MIB).size).toBe(8192);
    expect(statSync(path).size).toBe(8192);
    const empty = fresh();
    writeFileSync(empty, '');
    expect(image(empty, 4 * MIB).size).toBe(4 * MIB);
  });

  it('gives space back on discard', () => {
    const path = fresh();
    const backend = image(path);
    const bytes = pattern(MIB);
    backend.store(0, bytes, 0, MIB);
    backend.flush();
    const before = statSync(path).blocks;
    backend.discard(MIB / 4, MIB / 2);
    backend.flush();
    expect(statSync(path).size).toBe(MIB);
    expect(statSync(path).blocks).toBeLessThanOrEqual(before);
    bytes.fill(0, MIB / 4, MIB - MIB / 4);
    expect(Buffer.compare(loaded(backend, 0, MIB), bytes)).toBe(0);
  });

  it('belongs to one disk at a time', () => {
    const path = fresh();
    const first = image(path);
    first.store(0, pattern(512), 0, 512);
    const error = failure(() => image(path));
    expect(error.code).toBe('IMAGE_LOCKED');
    expect(error.message).toContain(path);
    symlinkSync(path, `${path}.link`);
    expect(failure(() => image(`${path}.link`)).code).toBe('IMAGE_LOCKED');
    expect(loaded(first, 0, 512)).toEqual(pattern(512));
    first.close();
    expect(loaded(image(path), 0, 512)).toEqual(pattern(512));
  });

  it('that is no whole number of blocks is refused and left as it is', () => {
    const path = fresh();
    writeFileSync(path, 'not a disk');
    const error = failure(() => image(path));
    expect(error.code).toBe('IMAGE_SIZE');
    expect(error.message).toContain('10 bytes');
    expect(readFileSync(path, 'utf8')).toBe('not a disk');
  });

  it('in a folder that does not exist is refused, and no folder made', () => {
    const path = join(folder, 'no', 'such', 'disk.img');
    const error = failure(() => image(path));
    expect(error.code).toBe('IMAGE_FOLDER');
    expect(error.message).toContain(join(folder, 'no', 'such'));
    expect(existsSync(join(folder, 'no'))).toBe(false);
    writeFileSync(join(folder, 'plain'), '');
    expect(failure(() => image(join(folder, 'plain', 'disk.img'))).code).toBe('IMAGE_FOLDER');
  });

  it('that is a folder or a device is refused', () => {
    mkdirSync(join(folder, 'folder'));
    expect(failure(() => image(join(folder, 'folder'))).message).toContain('is a folder');
    expect(failure(() => image('/dev/zero')).code).toBe('IMAGE_NOT_A_FILE');
  });

  it.skipIf(process.getuid?.() === 0)('that may not be written is refused', () => {
    const path = fresh();
    writeFileSync(path, new Uint8Array(512));
    chmodSync(path, 0o400);
    const error = failure(() => image(path));
    expect(error.code).toBe('IMAGE_ACCESS');
    expect(error.hint).toContain('permissions');
  });

  it('where even root may make no file is refused', () => {
    expect(failure(() => image('/sys/disk.img')).code).toBe('IMAGE_ACCESS');
  });

  it('that cannot be made as long as asked is not left behind', () => {
    const path = fresh();
    const error = failure(() => image(path, 2 ** 53 - 512));
    expect(error.code).toBe('IMAGE_TOO_LARGE');
    expect(existsSync(path)).toBe(false);
  });

  it('with a NUL in its name is refused', () => {
    expect(failure(() => image('a\0b')).code).toBe('IMAGE_OPEN');
  });

  it('cut short while in use is an error of the read, not of the disk', () => {
    const path = fresh();
    const backend = image(path);
    truncateSync(path, 4096);
    expect(failure(() => loaded(backend, 4096, 512)).code).toBe('IMAGE_SHRUNK');
    expect(loaded(backend, 0, 4096)).toEqual(new Uint8Array(4096));
  });

  it('closed, says so', () => {
    const backend = image(fresh());
    backend.close();
    backend.close();
    expect(failure(() => loaded(backend, 0, 512)).code).toBe('IMAGE_CLOSED');
    expect(failure(() => backend.store(0, new Uint8Array(512), 0, 512)).code).toBe('IMAGE_CLOSED');
    expect(failure(() => backend.flush()).code).toBe('IMAGE_CLOSED');
    expect(failure(() => backend.discard(0, 512)).code).toBe('IMAGE_CLOSED');
  });

  it('has no extents', () => {
    expect(() => image(fresh()).extent(0, false, {} as Extent)).toThrow(/load and store/);
  });

  it('leaves no file open when it is refused', () => {
    const path = fresh();
    writeFileSync(path, 'odd');
    const next = openSync('/dev/null', 'r');
    closeSync(next);
    for (let round = 0; round < 5; round++) failure(() => image(path));
    const after = openSync('/dev/null', 'r');
    closeSync(after);
    expect(after).toBe(next);
  });
});

describe('openBlockBackend', () => {
  it('takes memory for an empty name and a file otherwise', () => {
    const memory = openBlockBackend('', MIB, new Buffers().port);
    expect(memory).toBeInstanceOf(MemoryBackend);
    expect(memory.size).toBe(MIB);
    const file = openBlockBackend(join(folder, 'named.img'), MIB, new Buffers().port);
    expect(file).toBeInstanceOf(FileBackend);
    file.close();
  });
});
