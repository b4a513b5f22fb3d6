import * as v from 'valibot';
import { deviceId } from './schemas.ts';

export interface DiskQueue {
  readonly id: number;
  readonly size: number;
  readonly base: number;
  readonly head: number;
  readonly tail: number;
}

/** An NVMe controller as it is now. What is under `heat`, `latency` and `commands` counts from the first look on. */
export interface DiskState {
  readonly enabled: boolean;
  readonly serial: string;
  readonly modelNumber: string;
  readonly pageSize: number;
  readonly doorbells: number;
  readonly asyncEventRequests: number;
  readonly namespace: {
    readonly id: number;
    readonly blocks: number;
    readonly blockSize: number;
    readonly bytes: number;
    /** Path of the image file; empty: memory. */
    readonly image: string;
  };
  readonly submissionQueues: readonly (DiskQueue & {
    readonly waiting: number;
    readonly inFlight: number;
    readonly completionQueue: number;
    readonly priority: number;
    readonly fetched: number;
    readonly completed: number;
  })[];
  readonly completionQueues: readonly (DiskQueue & {
    readonly used: number;
    readonly phase: number;
    readonly vector: number;
    readonly interrupts: boolean;
  })[];
  readonly counters: {
    readonly temperatureKelvin: number;
    readonly criticalWarning: number;
    /** Percent. */
    readonly availableSpare: number;
    readonly availableSpareThreshold: number;
    readonly percentageUsed: number;
    /** Of 512,000 bytes each. */
    readonly dataUnitsRead: number;
    readonly dataUnitsWritten: number;
    readonly readCommands: number;
    readonly writeCommands: number;
    readonly bytesRead: number;
    readonly bytesWritten: number;
    readonly flushes: number;
    readonly otherCommands: number;
    readonly failedCommands: number;
    readonly mediaErrors: number;
    readonly unsafeShutdowns: number;
    readonly powerCycles: number;
    readonly powerOnNanoseconds: number;
    readonly errorLogEntries: number;
  };
  /** ns, when this was read. */
  readonly time: number;
  /** Commands that touched each of the equal parts of the disk. */
  readonly heat: { readonly reads: readonly number[]; readonly writes: readonly number[] };
  /** Commands by how long they took: bucket n begins at `first * 2^(n / perOctave)` ns. */
  readonly latency: {
    readonly first: number;
    readonly perOctave: number;
    readonly reads: readonly number[];
    readonly writes: readonly number[];
    readonly others: readonly number[];
  };
  /** The last ones, newest first. */
  readonly commands: readonly DiskCommand[];
}

export interface DiskCommand {
  readonly number: number;
  readonly time: number;
  readonly queue: number;
  /** Status field of its completion, without the phase. */
  readonly status: number;
  /** Number of the access that rang the doorbell; 0: not known. */
  readonly cause: number;
  /** ns from the doorbell to the completion. */
  readonly latency: number;
  /** Its submission queue entry: 16 words of 8 hexadecimal digits. */
  readonly entry: string;
}

export interface DiskFileSystem {
  readonly kind: string;
  readonly label: string;
  readonly uuid: string;
  /** Bytes; 0: not known. */
  readonly size: number;
  /** -1: not known. */
  readonly free: number;
  readonly blockSize: number;
  /** Its folders can be listed. */
  readonly listable: boolean;
  readonly note: string;
}

export interface DiskPartition {
  /** 0: the whole disk. */
  readonly number: number;
  readonly start: number;
  readonly size: number;
  readonly type: string;
  readonly name: string;
  readonly fileSystem?: DiskFileSystem;
}

export interface DiskFile {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly size: number;
  /** ms since the epoch; 0: not known. */
  readonly modified: number;
}

export const diskCalls = {
  /** While it is asked for, the controller counts where commands go and how long they take; 3 s after the last time it stops. */
  'disk.inspect': v.strictObject({
    device: deviceId,
    /** Only what the controller is set to is wanted: nothing begins to be counted. */
    quiet: v.optional(v.boolean()),
  }),
  /** Partition table and file systems, as they are on the disk now. */
  'disk.layout': v.strictObject({ device: deviceId }),
  /** A folder; read-only, beneath whatever has the disk mounted. */
  'disk.list': v.strictObject({
    device: deviceId,
    partition: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1024)),
    path: v.pipe(v.string(), v.maxLength(4096, 'a path has at most 4096 characters')),
  }),
} as const;

export interface DiskResults {
  'disk.inspect': DiskState;
  'disk.layout': {
    readonly scheme: 'gpt' | 'mbr' | 'none';
    readonly partitions: readonly DiskPartition[];
    readonly problems: readonly string[];
  };
  /** `more`: the folder has more entries, which are not read. */
  'disk.list': { readonly entries: readonly DiskFile[]; readonly more: boolean };
}
