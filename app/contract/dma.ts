import * as v from 'valibot';
import { busAddress, deviceId } from './schemas.ts';

export interface DmaEntry {
  /** Names the transfer in the session; of two transfers of a device the later one has the higher. */
  readonly id: number;
  readonly device: number;
  /** ns since the lab's start. */
  readonly time: number;
  /** `read`: the device read host memory. */
  readonly direction: 'read' | 'write';
  readonly address: number;
  readonly length: number;
  /** `ok`, `unmapped`, `not bus master`, `bad length`, `gone`, `wrong direction`. */
  readonly status: string;
  /** Sequence number of the access that caused it; 0: none. */
  readonly cause: number;
  /** How many of its first bytes were kept. */
  readonly captured: number;
}

export const dmaCalls = {
  /** Newest first. `before`: an id, or 0 for the newest. */
  'dma.list': v.strictObject({
    device: v.optional(deviceId),
    before: v.pipe(v.number(), v.integer(), v.minValue(0)),
    count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
  }),
  /** The kept bytes come with the answer. */
  'dma.bytes': v.strictObject({ id: v.pipe(v.number(), v.integer(), v.minValue(1)) }),
  /** Host memory through the device's DMA; the bytes come with the answer. */
  'dma.readMemory': v.strictObject({
    device: deviceId,
    address: busAddress,
    length: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65536, 'at most 65536 bytes a call')),
  }),
  'dma.writeMemory': v.strictObject({
    device: deviceId,
    address: busAddress,
    bytes: v.pipe(
      v.string(),
      v.maxLength(8192),
      v.regex(/^([0-9a-f]{2})+$/i, 'bytes are pairs of hexadecimal digits, without spaces'),
    ),
  }),
} as const;

export interface DmaResults {
  /** `newest`: an id, which is no count. `transfers`: how many the device made, ever. */
  'dma.list': { readonly newest: number; readonly transfers: number; readonly entries: readonly DmaEntry[] };
  'dma.bytes': { readonly entry: DmaEntry };
  'dma.readMemory': { readonly address: number };
  'dma.writeMemory': Record<string, never>;
}
