import type { ModelInfo } from './devices.ts';
import { nothing } from './schemas.ts';

export const CONTRACT_VERSION = 1;

export interface LabHello {
  readonly contract: number;
  readonly version: string;
  /** Of this start of the lab: in another one the same numbers mean other devices and rows. */
  readonly instance: string;
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
    /** The machine's serial console can be read. */
    readonly serialConsole: boolean;
    /** A keyboard and a mouse can be made on the machine where the devices are. */
    readonly input: boolean;
  };
  /** The machine that this lab ran in has ended: nothing but `lab.hello` and `lab.restart` has an answer. */
  readonly stopped?: { readonly reason: string; readonly starting: boolean };
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
  /** Oldest rows that went because the trace was full. */
  readonly traceDropped: number;
  /** Rows that the trace keeps. */
  readonly traceLimit: number;
}

/** What a kernel says that a healthy one does not. */
export interface KernelTrouble {
  /** Counts from 1. */
  readonly id: number;
  /** ms since the epoch. */
  readonly time: number;
  /** Such as `oops` or `WARNING`. */
  readonly kind: string;
  /** The module that it names; empty where it names none. */
  readonly module: string;
  /** The line of the log, and those that follow it. */
  readonly text: string;
  readonly more: readonly string[];
}

/** What stands in the way, whoever caused it. */
export interface LabHealth {
  /** Why no device can be powered on now. */
  readonly host?: { readonly message: string; readonly hint: string };
  /** The last ones, oldest first. */
  readonly kernel: readonly KernelTrouble[];
}

export interface LabLogLine {
  /** ms since the epoch. */
  readonly time: number;
  readonly level: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly device?: number;
}

export const labCalls = {
  'lab.hello': nothing,
  /** Starts the machine of a lab that has stopped; the connection closes when that is under way. */
  'lab.restart': nothing,
} as const;
export interface LabResults {
  'lab.hello': LabHello;
  'lab.restart': Record<string, never>;
}
export interface LabStreams {
  health: LabHealth;
  stats: LabStats;
  log: LabLogLine;
}
