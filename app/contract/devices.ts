import * as v from 'valibot';
import { deviceId, nothing } from './schemas.ts';

export interface WireField {
  readonly name: string;
  readonly lsb: number;
  readonly width: number;
  readonly description?: string;
  readonly values?: Readonly<Record<number, string>>;
}

/** `lsb` counts from the first bit of the entry; entries are little-endian. */
export interface WireEntryField extends WireField {
  readonly units?: readonly [one: string, many: string];
  /** It says one less than it means. */
  readonly zeroBased?: boolean;
}

export interface WireCommandFormat {
  readonly fields: readonly WireEntryField[];
  /** Bytes that it moves: `each`, as often as `count` or the field `field` says; `contiguous`: in one piece. */
  readonly data?: {
    readonly each: number | 'block' | 'page';
    readonly count?: number;
    readonly field?: string;
    readonly contiguous?: boolean;
  };
  /** What there is beside, by the value of one of the fields. */
  readonly by?: { readonly field: string; readonly formats: Readonly<Record<number, WireCommandFormat>> };
}

/** Entries of the queues of a device. */
export interface WireCommandFormats {
  readonly entryBytes: number;
  readonly completionBytes: number;
  readonly common: readonly WireEntryField[];
  readonly completion: readonly WireEntryField[];
  /** How much higher the opcodes of queue 0 are in `commands`, and in `commandNames`. */
  readonly adminOpcodes: number;
  readonly commands: Readonly<Record<number, WireCommandFormat>>;
  /** By status type and code. */
  readonly statusNames: Readonly<Record<number, string>>;
}

export interface WireRegister {
  readonly name: string;
  readonly title: string;
  readonly offset: number;
  readonly width: 1 | 2 | 4 | 8;
  /** Hexadecimal with `0x`. */
  readonly reset: string;
  readonly writable: string;
  readonly writeOneToClear: string;
  /** Absent: none. */
  readonly selfClearing?: string;
  readonly fields: readonly WireField[];
  readonly specification?: string;
}

export interface WireBar {
  readonly index: number;
  readonly size: number;
  readonly memory64: boolean;
  readonly prefetchable: boolean;
  readonly title: string;
  readonly trace: { readonly reads: boolean; readonly writes: boolean; readonly stopWrites: boolean };
  readonly registers: readonly WireRegister[];
}

/** A register of configuration space, as a capability or the header has it. */
export interface WireConfigRegister {
  /** With the capability's where several have one of that name, such as `MSI-X Message Control`. */
  readonly name: string;
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** Bits that a driver's write changes. */
  readonly writable: string;
  readonly writeOneToClear: string;
  readonly fields: readonly WireField[];
}

export interface WireDescription {
  readonly model: string;
  readonly title: string;
  readonly identity: {
    readonly vendorId: number;
    readonly deviceId: number;
    readonly subsystemVendorId: number;
    readonly subsystemId: number;
    readonly revision: number;
    readonly classCode: number;
  };
  readonly bars: readonly WireBar[];
  /** By their offsets, as they were at power-on. */
  readonly config: readonly WireConfigRegister[];
  readonly capabilities: readonly { readonly kind: string; readonly [key: string]: unknown }[];
  readonly vectorNames: readonly string[];
  /** What the opcodes of commands are called. */
  readonly commandNames?: Readonly<Record<number, string>>;
  readonly commandFormats?: WireCommandFormats;
  /** Of a display adapter: its largest picture, in pixels. */
  readonly display?: { readonly maxWidth: number; readonly maxHeight: number };
}

export type DeviceState = 'powering-on' | 'on' | 'removing' | 'failed';

export interface DeviceSummary {
  /** 1 to 255; never used twice in a session while any trace row names it. */
  readonly id: number;
  readonly model: string;
  readonly title: string;
  readonly name: string;
  readonly state: DeviceState;
  /** Such as `10000:00:00.0`; empty before it is on the bus. */
  readonly address: string;
  /** Bound driver, or empty. */
  readonly driver: string;
  readonly busMaster: boolean;
  readonly interruptMode: 'none' | 'intx' | 'msi' | 'msix';
  readonly vectors: number;
  readonly events: number;
  readonly lost: number;
  readonly interrupts: number;
  /** Why it failed. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  /** What the initiator of a simulated host does with it; absent elsewhere. */
  readonly workload?: WorkloadState;
  /** Why its driver gave it up, where the host knows. */
  readonly driverError?: string;
  /** Counts how often its description was changed. */
  readonly revision: number;
}

export interface WorkloadState {
  readonly running: boolean;
  /** Operations per second asked for; 0: as fast as it goes. */
  readonly rate: number;
  readonly operations: number;
  readonly bytes: number;
  readonly errors: number;
  readonly phase: string;
}

export type WireOptionField = {
  readonly name: string;
  readonly label: string;
  readonly help?: string;
} & (
  | {
      readonly type: 'size';
      readonly default: number;
      readonly min: number;
      readonly max: number;
      readonly multipleOf?: number;
    }
  | { readonly type: 'integer'; readonly default: number; readonly min: number; readonly max: number }
  | {
      readonly type: 'choice';
      readonly default: string;
      readonly choices: readonly { readonly value: string; readonly label: string }[];
    }
  | { readonly type: 'boolean'; readonly default: boolean }
  | { readonly type: 'text'; readonly default: string; readonly maxLength: number }
  | { readonly type: 'image'; readonly default: string }
  | { readonly type: 'dump' }
);

export interface ModelInfo {
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly options: readonly WireOptionField[];
}

/** Numbers may come as text with a unit for sizes: `1GiB`. */
const optionValues = v.record(
  v.pipe(v.string(), v.maxLength(64)),
  v.union([v.number(), v.boolean(), v.pipe(v.string(), v.maxLength(8192))]),
);

export const deviceCalls = {
  'devices.list': nothing,
  /** Those that are gone, whose numbers nobody else has yet: the trace may hold rows of theirs. */
  'devices.past': nothing,
  'devices.powerOn': v.strictObject({
    model: v.pipe(v.string(), v.maxLength(64)),
    name: v.optional(v.pipe(v.string(), v.maxLength(64))),
    options: optionValues,
  }),
  /** Orderly: as the power button would, after the driver let go where the host can ask it to. */
  'devices.powerOff': v.strictObject({ device: deviceId }),
  'devices.surpriseRemove': v.strictObject({ device: deviceId }),
  /** Function level reset, as the operating system makes it: the driver lets go before and comes back after. */
  'devices.reset': v.strictObject({ device: deviceId }),
  /** What it was powered on with. */
  'devices.options': v.strictObject({ device: deviceId }),
  /** Also of one that is gone. */
  'devices.describe': v.strictObject({ device: deviceId }),
  'devices.inspect': v.strictObject({ device: deviceId }),
  /** Simulated host only: starts, stops or paces the initiator. */
  'devices.workload': v.strictObject({
    device: deviceId,
    running: v.boolean(),
    rate: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000)),
  }),
} as const;

/** One that is gone. */
export interface PastDevice {
  readonly device: number;
  readonly name: string;
  /** What it transferred last is still kept. */
  readonly transfers: boolean;
}

export interface DeviceResults {
  'devices.list': readonly DeviceSummary[];
  'devices.past': readonly PastDevice[];
  'devices.powerOn': { readonly device: number };
  'devices.powerOff': Record<string, never>;
  'devices.surpriseRemove': Record<string, never>;
  'devices.reset': Record<string, never>;
  'devices.options': {
    readonly model: string;
    readonly name: string;
    readonly options: Readonly<Record<string, number | boolean | string>>;
  };
  'devices.describe': WireDescription;
  'devices.inspect': unknown;
  'devices.workload': Record<string, never>;
}

export interface DeviceStreams {
  /** The whole list, whenever any of it changes, at most 10 times a second. */
  devices: readonly DeviceSummary[];
}
