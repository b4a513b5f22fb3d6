/** What is on a device's disk: read through the device's thread, beneath whatever driver has it. */
import type { DiskPartition, DiskResults } from '#contract/disk.ts';
import { LabError } from '../hosts/errors.ts';
import type { DeviceHandle } from './device-handle.ts';
import { type Blocks, LayoutError, part } from './filesystems/blocks.ts';
import { identify, openFileSystem } from './filesystems/identify.ts';
import { type PartitionTable, readPartitions } from './filesystems/partitions.ts';

/** Bytes of one request to the device's thread, so that it is never away from its driver for long. */
const PIECE = 256 * 1024;

async function mediaOf(handle: DeviceHandle, name: string): Promise<Blocks> {
  const size = await handle.request({ op: 'mediaSize' });
  if (size === undefined) throw new LabError('NO_DISK', `${name} is no disk.`);
  return {
    size,
    async read(offset, length) {
      if (offset < 0 || length < 0 || offset + length > size) {
        throw new LayoutError(
          `${length} bytes at ${offset} are outside of the disk, which has ${size} bytes`,
        );
      }
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; done += PIECE) {
        const piece = Math.min(PIECE, length - done);
        bytes.set(await handle.request({ op: 'mediaRead', offset: offset + done, length: piece }), done);
      }
      return bytes;
    },
  };
}

async function tableOf(disk: Blocks): Promise<PartitionTable> {
  for (const block of [512, 4096]) {
    const table = await readPartitions(disk, block);
    if (table.scheme === 'mbr' || (table.scheme === 'gpt' && table.partitions.length > 0)) return table;
    if (table.scheme === 'gpt' && block === 4096) return table;
  }
  return readPartitions(disk, 512);
}

/** What a broken disk makes go wrong is an answer, and no failure of the lab. */
async function explained<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LayoutError) throw new LabError('DISK_LAYOUT', `${error.message}.`);
    throw error;
  }
}

export async function diskLayout(handle: DeviceHandle, name: string): Promise<DiskResults['disk.layout']> {
  const disk = await mediaOf(handle, name);
  return explained(async () => {
    const table = await tableOf(disk);
    const whole: Omit<DiskPartition, 'fileSystem'> = {
      number: 0,
      start: 0,
      size: disk.size,
      type: '',
      name: '',
    };
    const partitions: DiskPartition[] = [];
    for (const one of table.scheme === 'none' ? [whole] : table.partitions) {
      const fileSystem = await identify(part(disk, one.start, one.size));
      partitions.push(fileSystem === undefined ? one : { ...one, fileSystem });
    }
    return { scheme: table.scheme, partitions, problems: table.problems };
  });
}

export async function diskList(
  handle: DeviceHandle,
  name: string,
  partition: number,
  path: string,
): Promise<DiskResults['disk.list']> {
  const disk = await mediaOf(handle, name);
  return explained(async () => {
    if (partition === 0) return (await openFileSystem(disk)).list(path);
    const found = (await tableOf(disk)).partitions.find(({ number }) => number === partition);
    if (found === undefined) throw new LayoutError(`There is no partition ${partition}`);
    return (await openFileSystem(part(disk, found.start, found.size))).list(path);
  });
}
