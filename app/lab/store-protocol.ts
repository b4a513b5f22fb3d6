/** Messages between the lab's thread, the devices' threads and the store's thread. */
import type { WireDescription } from '#contract/devices.ts';
import type { RowKind } from '#contract/trace.ts';
import type { ErrorBody } from '#contract/wire.ts';

/** From a device's thread: full record buffers. They come back as {@link StoreReturn}. */
export interface StoreBatch {
  readonly buffer: ArrayBuffer;
  readonly count: number;
  /** Texts of the notes in the batch: number, text. */
  readonly notes: readonly (readonly [number, string])[];
}

/** To a device's thread: a buffer to fill again. */
export interface StoreReturn {
  readonly buffer: ArrayBuffer;
}

export type StoreRequest =
  | {
      readonly op: 'device';
      readonly device: number;
      readonly name: string;
      readonly description: WireDescription;
    }
  | {
      readonly op: 'view';
      readonly view: number;
      readonly filter: string;
      readonly kinds: readonly RowKind[] | undefined;
      readonly collapse: boolean;
    }
  | { readonly op: 'closeView'; readonly view: number }
  | { readonly op: 'rows'; readonly view: number; readonly from: number; readonly count: number }
  | { readonly op: 'text'; readonly view: number; readonly from: number; readonly count: number }
  | {
      readonly op: 'find';
      readonly view: number;
      readonly filter: string;
      readonly from: number;
      readonly forward: boolean;
    }
  | { readonly op: 'cancel'; readonly view: number }
  | { readonly op: 'locate'; readonly view: number; readonly row?: number; readonly time?: number }
  | {
      readonly op: 'access';
      readonly device: number;
      readonly access: number;
      readonly time: number;
      readonly command: { readonly queue: number; readonly id: number } | undefined;
    }
  | {
      readonly op: 'overview';
      readonly by: 'time' | 'row';
      readonly buckets: number;
      readonly from: number | undefined;
      readonly to: number | undefined;
    }
  | { readonly op: 'experts' }
  | { readonly op: 'group'; readonly row: number }
  | { readonly op: 'statistics'; readonly view: number }
  | { readonly op: 'rules'; readonly view: number; readonly filters: readonly string[] }
  | { readonly op: 'limit'; readonly rows: number }
  | { readonly op: 'clear' }
  /** Answered once everything that devices have sent so far is in the store. */
  | { readonly op: 'settle' };

export type StoreMessage =
  | { readonly kind: 'request'; readonly id: number; readonly request: StoreRequest }
  /** `port` carries {@link StoreBatch} in and {@link StoreReturn} out. */
  | {
      readonly kind: 'port';
      readonly device: number;
      readonly port: import('node:worker_threads').MessagePort;
    };

export interface StoreRows {
  readonly from: number;
  readonly count: number;
  readonly notes: Readonly<Record<number, string>>;
  readonly bytes: Uint8Array;
}

export interface StoreOverview {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

export interface ViewCount {
  readonly view: number;
  readonly rows: number;
  readonly progress: number;
  readonly repeat: number;
}

export type StoreReply =
  | { readonly kind: 'answer'; readonly id: number; readonly result?: unknown; readonly error?: ErrorBody }
  | {
      readonly kind: 'count';
      readonly total: number;
      readonly first: number;
      readonly missed: number;
      readonly experts: number;
      readonly bytes: number;
      readonly limit: number;
      readonly views: readonly ViewCount[];
    };
