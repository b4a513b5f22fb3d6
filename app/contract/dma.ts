import * as v from 'valibot';
import { busAddress, deviceId } from './schemas.ts';

/** What a transfer carries, where the device says: commands and completions are entries of a queue. */
export type DmaContent = '' | 'data' | 'commands' | 'completions' | 'list' | 'doorbells';

export interface DmaEntry {
  /** Names the transfer in the session; of two transfers of a device the later one has the higher. */
  readonly id: number;
  readonly device: number;
  /** ns since the lab's start. */
  readonly time: number;
  /** `read`: the device read memory. */
  readonly direction: 'read' | 'write';
  readonly address: number;
  /** Not host memory, but another device's: `address` is as the CPU sees it. */
  readonly peer: boolean;
  readonly length: number;
  /** `ok`, `unmapped`, `not bus master`, `bad length`, `gone`, `wrong direction`. */
  readonly status: string;
  /** Sequence number of the access that caused it; 0: none. */
  readonly cause: number;
  /** Where that access went; absent: none, or not known any more. */
  readonly place?: { readonly bar: number | 'config'; readonly offset: number };
  readonly content: DmaContent;
  /** The queue that it is of. */
  readonly queue: number;
  /**
   * ns from when the device handed it to the host to when the host had done it, with what was handed over together; -1: not
   * measured, as no window was there.
   */
  readonly took: number;
  /** Transfers and interrupts that were handed over together, this one among them. */
  readonly together: number;
  /** How many of its first bytes were kept. */
  readonly captured: number;
}

export interface DmaMapping {
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  /** `to device`: the device may read it. */
  readonly direction: 'to device' | 'from device' | 'both';
  /** ns since it was mapped. */
  readonly age: number;
}

/** Memory of another device that a device may reach, peer to peer. */
export interface PeerWindow {
  /** As the CPU sees it. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  /** Whose BAR it is; 0: of a device that is not the lab's, which the administrator of the machine allowed. */
  readonly device: number;
  readonly bar: number;
  /** Command.Memory Space Enable of that device. */
  readonly decoding: boolean;
}

export const dmaCalls = {
  /** Newest first. `before`: an id, or 0 for the newest. */
  'dma.list': v.strictObject({
    /** Also one that is gone; absent: all that are there. */
    device: v.optional(deviceId),
    before: v.pipe(v.number(), v.integer(), v.minValue(0)),
    /** Only those that were not carried out. */
    refused: v.optional(v.boolean()),
    count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
  }),
  /** Of a device that is gone: its transfers are kept until its number is given again, or until this. */
  'dma.forget': v.strictObject({ device: deviceId }),
  /** What the driver has mapped for the device now. */
  'dma.mappings': v.strictObject({ device: deviceId }),
  /** The memory of other devices that this one may reach. */
  'dma.peers': v.strictObject({ device: deviceId }),
  /** The kept bytes come with the answer. */
  'dma.bytes': v.strictObject({ id: v.pipe(v.number(), v.integer(), v.minValue(1)) }),
  /** Memory through the device's DMA; the bytes come with the answer. `peer`: another device's instead of the host's. */
  'dma.readMemory': v.strictObject({
    device: deviceId,
    peer: v.optional(v.boolean()),
    address: busAddress,
    length: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65536, 'at most 65536 bytes a call')),
  }),
  'dma.writeMemory': v.strictObject({
    device: deviceId,
    peer: v.optional(v.boolean()),
    address: busAddress,
    bytes: v.pipe(
      v.string(),
      v.maxLength(8192),
      v.regex(/^([0-9a-f]{2})+$/i, 'bytes are pairs of hexadecimal digits, without spaces'),
    ),
  }),
} as const;

export interface DmaResults {
  /** `newest`: an id, which is no count. `transfers`: how many the device made, ever; `kept`: how many of them there are. */
  'dma.list': {
    readonly newest: number;
    readonly transfers: number;
    readonly kept: number;
    readonly entries: readonly DmaEntry[];
  };
  'dma.forget': Record<string, never>;
  /** `supported`: false where the host cannot tell. `total`: of all; the list has at most 1024. */
  'dma.mappings': {
    readonly supported: boolean;
    readonly total: number;
    readonly mappings: readonly DmaMapping[];
  };
  'dma.peers': { readonly windows: readonly PeerWindow[] };
  'dma.bytes': { readonly entry: DmaEntry };
  'dma.readMemory': { readonly address: number };
  'dma.writeMemory': Record<string, never>;
}
