/** Feature values (NVMe 1.4, 5.21.1). None is saveable: what was set lasts until the controller is reset. */
import { Feature } from './wire.ts';

interface FeatureDescription {
  readonly initial: number;
  /** Bits of CDW11 that are stored. */
  readonly mask: number;
  readonly changeable: boolean;
}

const descriptions: Readonly<Record<number, FeatureDescription>> = {
  [Feature.arbitration]: { initial: 0x6, mask: 0xffff_ff07, changeable: true },
  [Feature.powerManagement]: { initial: 0, mask: 0xff, changeable: true },
  [Feature.temperatureThreshold]: { initial: 0, mask: 0, changeable: true },
  [Feature.errorRecovery]: { initial: 0, mask: 0xffff, changeable: true },
  [Feature.volatileWriteCache]: { initial: 1, mask: 1, changeable: true },
  [Feature.numberOfQueues]: { initial: 0, mask: 0, changeable: true },
  [Feature.interruptCoalescing]: { initial: 0, mask: 0xffff, changeable: true },
  [Feature.interruptVectorConfiguration]: {
    initial: 0,
    mask: 0,
    changeable: true,
  },
  [Feature.writeAtomicity]: { initial: 0, mask: 1, changeable: true },
  [Feature.asyncEventConfiguration]: {
    initial: 0,
    mask: 0x7fff,
    changeable: true,
  },
};

export function featureKnown(id: number): boolean {
  return descriptions[id] !== undefined;
}

export function featureChangeable(id: number): boolean {
  return descriptions[id]?.changeable ?? false;
}

/** Over and under temperature thresholds by default, in kelvin (5.21.1.4). */
export const DEFAULT_OVER = 343;
export const DEFAULT_UNDER = 0;

export class Features {
  private readonly values = new Map<number, number>();
  private readonly coalescingOff = new Set<number>();
  over = DEFAULT_OVER;
  under = DEFAULT_UNDER;
  /** I/O queues that the driver was granted, minus one in each half; undefined before it asked. */
  queuesGranted: number | undefined;

  reset(): void {
    this.values.clear();
    this.coalescingOff.clear();
    this.over = DEFAULT_OVER;
    this.under = DEFAULT_UNDER;
    this.queuesGranted = undefined;
  }

  get(id: number): number {
    return this.values.get(id) ?? descriptions[id]!.initial;
  }

  initial(id: number): number {
    return descriptions[id]!.initial;
  }

  set(id: number, value: number): void {
    this.values.set(id, (value & descriptions[id]!.mask) >>> 0);
  }

  coalescingDisabled(vector: number): boolean {
    return this.coalescingOff.has(vector);
  }

  setCoalescingDisabled(vector: number, disabled: boolean): void {
    if (disabled) this.coalescingOff.add(vector);
    else this.coalescingOff.delete(vector);
  }

  /** Critical warnings that the driver wants to hear of (5.21.1.11). */
  get warningMask(): number {
    return this.get(Feature.asyncEventConfiguration) & 0xff;
  }
}
