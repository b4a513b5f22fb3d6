/** Storage behind block devices, the same on every host. */
import type { BlockBackend } from '#devices/sdk/device.ts';
import type { DmaPort } from '#devices/sdk/dma.ts';
import { FileBackend } from './block-backend-file.ts';
import { MemoryBackend } from './block-backend-memory.ts';

export { FileBackend, MemoryBackend };

/**
 * Memory of `size` bytes when `image` is empty; otherwise that raw image file, which is made with `size` bytes if it
 * is not there, and keeps its own size if it is: the backend's `size` says which.
 */
export function openBlockBackend(
  image: string,
  size: number,
  dma: DmaPort,
): BlockBackend & { close(): void } {
  return image === '' ? new MemoryBackend(size, dma) : FileBackend.open(image, size);
}
