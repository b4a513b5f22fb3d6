/** Requests from the lab's thread to a device's thread, and what comes back. */

import type { ErrorBody } from '#contract/wire.ts';
import type { DeviceDescription, OptionValues } from '#devices/sdk/device.ts';
import type { RegisterDescription } from '#devices/sdk/register-map.ts';
import type { MappingState, Peer, PortStatus, PortTicket, VectorState, WakeHandle } from '../hosts/host.ts';
import type { MemoryPlace } from '../hosts/shared-memory.ts';

export interface DeviceWorkerData {
  readonly device: number;
  readonly model: string;
  readonly options: OptionValues;
  readonly ticket: PortTicket;
  readonly shared: SharedArrayBuffer;
  /** Of a display adapter: its picture. */
  readonly display: SharedArrayBuffer | MemoryPlace | undefined;
  /** CLOCK_MONOTONIC at the lab's start, ns. */
  readonly epoch: number;
  readonly control: import('node:worker_threads').MessagePort;
  readonly store: import('node:worker_threads').MessagePort;
}

export type DeviceRequest =
  | { readonly op: 'status' }
  | { readonly op: 'barRead'; readonly bar: number; readonly offset: number; readonly length: number }
  | {
      readonly op: 'registerWrite';
      readonly bar: number;
      readonly offset: number;
      readonly width: number;
      readonly value: bigint;
      /** Bits that keep what they hold then; the value has none of them. */
      readonly keep: bigint;
      readonly asDriver: boolean;
    }
  | {
      readonly op: 'registerRead';
      readonly bar: number;
      readonly offset: number;
      readonly width: number;
      readonly asDriver: boolean;
    }
  /** Names for the registers of a BAR, instead of those that it had. */
  | {
      readonly op: 'describeRegisters';
      readonly bar: number;
      readonly registers: readonly RegisterDescription[];
    }
  | { readonly op: 'configRead' }
  /** Configuration space as of a time on the lab's scale. */
  | { readonly op: 'configAt'; readonly time: number }
  | {
      readonly op: 'configWrite';
      readonly offset: number;
      readonly width: number;
      readonly value: number;
      /** Bits that keep what they hold then; the value has none of them. */
      readonly keep: number;
      readonly asDevice: boolean;
    }
  | { readonly op: 'raise'; readonly vector: number; readonly count: number }
  | { readonly op: 'repeat'; readonly vector: number; readonly rate: number }
  | { readonly op: 'level'; readonly asserted: boolean }
  | { readonly op: 'mappings' }
  | { readonly op: 'bars' }
  | { readonly op: 'peers'; readonly peers: readonly Peer[] }
  | { readonly op: 'vectors' }
  | {
      readonly op: 'dmaRead';
      readonly address: number;
      readonly length: number;
      readonly peer: boolean;
    }
  | {
      readonly op: 'dmaWrite';
      readonly address: number;
      readonly bytes: Uint8Array;
      readonly peer: boolean;
    }
  | { readonly op: 'inspect'; readonly quiet: boolean }
  | { readonly op: 'mediaSize' }
  | { readonly op: 'mediaRead'; readonly offset: number; readonly length: number }
  /** Leaves the bus and ends the thread. */
  | { readonly op: 'close' };

export interface DeviceResults {
  /** `probeError`: why the last driver that came did not take the device. */
  status: PortStatus & { readonly probeError?: string };
  barRead: Uint8Array;
  registerWrite: undefined;
  registerRead: bigint;
  describeRegisters: undefined;
  configRead: Uint8Array;
  /** `bytes` undefined: it is known from `from` on only; `cut`: there were more changes than are kept. */
  configAt: { readonly bytes: Uint8Array | undefined; readonly from: number; readonly cut: boolean };
  configWrite: number;
  raise: { readonly raised: number; readonly refused: number; readonly reason: string };
  repeat: undefined;
  level: undefined;
  /** `time` is on the lab's scale. Undefined: the host cannot tell. */
  mappings: { readonly total: number; readonly mappings: readonly MappingState[] } | undefined;
  /** `addresses`: of the BARs in the order of the description, 0 where one is nowhere. */
  bars: { readonly decoding: boolean; readonly addresses: readonly number[] };
  peers: undefined;
  vectors: {
    readonly vectors: readonly (VectorState & {
      readonly repeating: number;
      readonly latency: number | undefined;
    })[];
    readonly asserted: boolean | undefined;
  };
  dmaRead: Uint8Array;
  dmaWrite: undefined;
  inspect: unknown;
  /** Bytes; undefined: it is no disk. */
  mediaSize: number | undefined;
  mediaRead: Uint8Array;
  close: undefined;
}

export interface DeviceControl {
  readonly id: number;
  readonly request: DeviceRequest;
}

export type DeviceReply =
  | {
      readonly kind: 'ready';
      readonly description: DeviceDescription;
      readonly wake: WakeHandle;
      readonly status: PortStatus;
      /** Configuration space before a driver saw it. */
      readonly config: Uint8Array;
    }
  | { readonly kind: 'failed'; readonly error: ErrorBody }
  | { readonly kind: 'answer'; readonly id: number; readonly result?: unknown; readonly error?: ErrorBody }
  /** The picture changed, and somebody asked to be told. */
  | { readonly kind: 'display' }
  /** The model threw, or the host took the device away. */
  | { readonly kind: 'fault'; readonly error: ErrorBody };
