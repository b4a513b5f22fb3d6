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
}

export const interruptCalls = {
  'interrupts.list': v.strictObject({ device: deviceId }),
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
  };
  /** `reason` says why some were refused. */
  'interrupts.raise': { readonly raised: number; readonly refused: number; readonly reason?: string };
}
