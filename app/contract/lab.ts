import type { ModelInfo } from './devices.ts';
import { nothing } from './schemas.ts';

export const CONTRACT_VERSION = 1;

export interface LabHello {
  readonly contract: number;
  readonly version: string;
  readonly shell: 'electron' | 'headless';
  readonly host: {
    readonly kind: 'sim' | 'pciem' | 'guest' | 'remote';
    readonly title: string;
    readonly detail: string;
  };
  readonly models: readonly ModelInfo[];
  /** What this host can do beyond the common part. */
  readonly abilities: {
    readonly driverAccess: boolean;
    readonly workload: boolean;
    readonly terminal: boolean;
    /** A keyboard and a mouse can be made on the machine where the devices are. */
    readonly input: boolean;
  };
}

/** Figures of the status bar; rates are per second over the last interval. */
export interface LabStats {
  readonly eventsPerSecond: number;
  readonly interruptsPerSecond: number;
  readonly dmaBytesPerSecond: number;
  readonly events: number;
  readonly missed: number;
  readonly traceRows: number;
  readonly traceBytes: number;
}

export interface LabLogLine {
  /** ms since the epoch. */
  readonly time: number;
  readonly level: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly device?: number;
}

export const labCalls = { 'lab.hello': nothing } as const;
export interface LabResults {
  'lab.hello': LabHello;
}
export interface LabStreams {
  stats: LabStats;
  log: LabLogLine;
}
