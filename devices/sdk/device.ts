/**
 * What a device model is: a description (data) and a class that answers accesses.
 *
 * A model knows no host, no window and no Node API. Everything it may do to the outside goes through
 * {@link DeviceHost}. Bus addresses are numbers: x86 physical addresses fit in 52 bits, a double holds 53.
 */
import type { CommandFormats } from './command-format.ts';
import type { Display, DisplayLimits } from './display.ts';
import type { DmaPort } from './dma.ts';
import type { RegisterDescription } from './register-map.ts';

export interface Identity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly subsystemVendorId: number;
  readonly subsystemId: number;
  readonly revision: number;
  /** 24 bits: base class, sub-class, programming interface. */
  readonly classCode: number;
}

export interface BarDescription {
  /** 0 to 5; a 64-bit BAR also takes the next index. */
  readonly index: number;
  /** Bytes, a power of two, at least 4096. */
  readonly size: number;
  readonly memory64: boolean;
  readonly prefetchable: boolean;
  readonly title: string;
  /** What the host reports to the model. `stopWrites`: a write reaches the model, not the BAR's memory. */
  readonly trace: { readonly reads: boolean; readonly writes: boolean; readonly stopWrites: boolean };
  readonly registers: readonly RegisterDescription[];
}

export type CapabilityDescription =
  | { readonly kind: 'pm' }
  | { readonly kind: 'pcie' }
  | {
      readonly kind: 'msi';
      readonly vectors: 1 | 2 | 4 | 8 | 16 | 32;
      readonly address64: boolean;
      readonly masking: boolean;
    }
  | {
      readonly kind: 'msix';
      /** 1 to 2048. */
      readonly vectors: number;
      readonly tableBar: number;
      readonly tableOffset: number;
      readonly pbaBar: number;
      readonly pbaOffset: number;
    };

/** Everything static about one powered-on device; plain data that can cross any boundary. */
export interface DeviceDescription {
  readonly model: string;
  readonly title: string;
  readonly identity: Identity;
  readonly bars: readonly BarDescription[];
  readonly capabilities: readonly CapabilityDescription[];
  /** What each interrupt vector is for, by index. */
  readonly vectorNames: readonly string[];
  /** What the opcodes of {@link DeviceHost.command} are called. */
  readonly commandNames?: Readonly<Record<number, string>>;
  /** What its commands and completions consist of, for a device with queues of them. */
  readonly commandFormats?: CommandFormats;
  /** Of a display adapter: its largest picture, in pixels. */
  readonly display?: DisplayLimits;
  /** Configuration space byte by byte, for a device that copies another; else it follows from the rest. */
  readonly config?: ConfigImage;
}

export interface ConfigImage {
  /** At power-on. */
  readonly bytes: Uint8Array;
  /** Bits that a driver writes, and bits that it clears by writing 1. */
  readonly writable: Uint8Array;
  readonly clearable: Uint8Array;
}

/** One option of a model, from which a form is built and by which input is checked. */
export type OptionField = {
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
  /** Bytes of a configuration space as hexadecimal digits: 64, 256 or 4096 of them. */
  | { readonly type: 'dump' }
  /** A path of an image file; empty means memory. The host opens it, the model sees a {@link BlockBackend}. */
  | { readonly type: 'image'; readonly default: string }
);

export type OptionValue = number | string | boolean;
export type OptionValues = Readonly<Record<string, OptionValue>>;

/** Host-driven time, in nanoseconds. */
export interface Clock {
  now(): number;
  /** Calls `callback` once, `delay` ns from now, in the device's thread. Returns a handle for {@link cancel}. */
  schedule(delay: number, callback: () => void): number;
  cancel(handle: number): void;
}

/** BAR memory: what a driver's read returns without asking the model. Offsets in bytes. */
export interface BarMemory {
  read32(bar: number, offset: number): number;
  write32(bar: number, offset: number, value: number): void;
  read64(bar: number, offset: number): bigint;
  write64(bar: number, offset: number, value: bigint): void;
  readBytes(bar: number, offset: number, into: Uint8Array): void;
  writeBytes(bar: number, offset: number, from: Uint8Array): void;
}

/**
 * Storage behind a block device; given by the host, so that a model needs no file API. Offsets and lengths are
 * bytes and multiples of 512. Data lives in buffers that DMA can reach, so that nothing is copied in JavaScript.
 */
export interface BlockBackend {
  readonly size: number;
  /** True when `extent` gives memory that is the disk itself; false when `load`/`store` move data through a buffer. */
  readonly direct: boolean;
  /**
   * The buffer that holds byte `offset` of the disk. Fills `out` and returns how many bytes are contiguous from
   * there. Untouched extents come as a shared zero buffer unless `forWrite`.
   */
  extent(offset: number, forWrite: boolean, out: Extent): number;
  /** Non-direct backends: copy `length` bytes at `offset` into or out of `buffer`. Throws on an I/O error. */
  load(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void;
  store(offset: number, buffer: Uint8Array, bufferOffset: number, length: number): void;
  /** Gives memory back; the range reads as zeroes afterwards. */
  discard(offset: number, length: number): void;
  /** Makes everything stored so far durable. */
  flush(): void;
}

export interface Extent {
  buffer: import('./dma.ts').DmaBuffer;
  offset: number;
}

/** `undefined-behaviour`: the driver did something that the specification leaves undefined or forbids. */
export type NoteLevel = 'info' | 'undefined-behaviour' | 'error';

/** What a note is about, where that has a kind of its own in the list of expert notes. */
export type NoteSubject = 'doorbell';

export interface DeviceHost {
  readonly clock: Clock;
  readonly dma: DmaPort;
  readonly bars: BarMemory;
  /** What a model draws on, whose description has a display. */
  readonly display: Display | undefined;
  /** Raises an interrupt vector after all DMA queued before it has been submitted. False: masked, off or refused. */
  raiseInterrupt(vector: number): boolean;
  /**
   * The access being handled is one that a driver's handler of this vector makes, such as the one that acknowledges it: the lab
   * tells how long the interrupt took to get there. Not `timed`: it was served, and nobody knows when, as where a driver says so
   * in memory.
   */
  interruptServed(vector: number, timed?: boolean): void;
  /** A line in the trace, beside the access being handled. */
  note(level: NoteLevel, text: string, about?: NoteSubject): void;
  /**
   * A command that the driver put in queue `queue` is done; `address` and `length` are what it was about, `status` 0 says that
   * it went well. A row of the trace, between the doorbell and the completion.
   */
  command(queue: number, id: number, opcode: number, status: number, address: number, length: number): void;
  /** Number of the access being handled; 0: none. */
  access(): number;
  /**
   * What is transferred and raised from here on, until the next access, belongs to access `access`. For work that is
   * done later, or for several at once: the trace shows which doorbell it was asked for by. `content`: what the transfers
   * carry, a `TransferContent`, and of which queue.
   */
  attribute(access: number, content?: number, queue?: number): void;
  /** Storage for an `image` option, or memory of `size` bytes when its value is empty. */
  openBlockBackend(image: string, size: number): BlockBackend;
}

export type ResetKind = 'flr' | 'bus' | 'pm';

/** One powered-on device. All methods run in the device's own thread and must not throw for anything a driver does. */
export interface Device {
  /** Writes the reset values of registers to BAR memory; called before the driver can see the device. */
  powerOn(): void;
  /** A driver's write, after the fact. `value` holds the low 32 bits, `high` the upper 32 of an 8-byte access. */
  mmioWrite(bar: number, offset: number, width: number, value: number, high: number): void;
  /** A driver's read, answered from BAR memory already. For read side effects that need no answer. */
  mmioRead?(bar: number, offset: number, width: number): void;
  /**
   * A driver's read that touches a register marked `answered`: the driver waits, and gets what this returns, cut to `width`
   * bytes; in time, or it sees all ones. After every write that it made before.
   */
  answerRead?(bar: number, offset: number, width: number): number | bigint;
  reset?(kind: ResetKind): void;
  /** Called after each batch of accesses: the place to run queued work, so that doorbells coalesce. */
  run?(): void;
  powerOff?(): void;
  /** Of a disk: its contents. */
  readonly media?: BlockBackend;
  /**
   * Model-specific state for the window (NVMe: queues); plain JSON data. `quiet`: nobody goes on looking, so that nothing
   * need be counted from here on.
   */
  inspect?(quiet?: boolean): unknown;
}

export interface DeviceModel {
  /** Short name, such as `nvme`. */
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly options: readonly OptionField[];
  /** Description for checked options. */
  describe(options: OptionValues): DeviceDescription;
  create(options: OptionValues, host: DeviceHost): Device;
}
