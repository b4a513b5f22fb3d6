import * as v from 'valibot';
import { deviceId } from './schemas.ts';

export interface VectorInfo {
  readonly vector: number;
  readonly name: string;
  readonly enabled: boolean;
  readonly masked: boolean;
  readonly pending: boolean;
  /** Linux interrupt number; 0 where there is none. */
  readonly irq: number;
  readonly address: number;
  readonly data: number;
  /** -1 when unknown. */
  readonly cpu: number;
  readonly count: number;
  /** How often a second the lab raises it by itself; 0: not. */
  readonly repeating: number;
  /** ns from the device's newest interrupt that was served to the access that served it; absent: not known. */
  readonly latency?: number | undefined;
}

export const interruptCalls = {
  'interrupts.list': v.strictObject({ device: deviceId }),
  /** Raises a vector again and again, `rate` times a second, until it is told 0 or the device leaves. */
  'interrupts.repeat': v.strictObject({
    device: deviceId,
    vector: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2047, 'a vector is 0 to 2047')),
    rate: v.pipe(v.number(), v.minValue(0), v.maxValue(100_000, 'at most 100000 a second')),
  }),
  /** Holds the INTx pin, or lets it go. */
  'interrupts.level': v.strictObject({ device: deviceId, asserted: v.boolean() }),
  'interrupts.raise': v.strictObject({
    device: deviceId,
    vector: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2047, 'a vector is 0 to 2047')),
    count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100_000, 'at most 100000 at once')),
  }),
} as const;

export interface InterruptResults {
  'interrupts.list': {
    readonly mode: 'none' | 'intx' | 'msi' | 'msix';
    readonly vectors: readonly VectorInfo[];
    /** The INTx pin is held; absent where the function has none or the host cannot hold it. */
    readonly asserted?: boolean;
  };
  'interrupts.repeat': Record<string, never>;
  'interrupts.level': Record<string, never>;
  /** `reason` says why some were refused. */
  'interrupts.raise': { readonly raised: number; readonly refused: number; readonly reason?: string };
}
