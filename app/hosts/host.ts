/**
 * What a device is plugged into. A host has two halves: {@link Host} lives in the lab's thread and knows the machine,
 * {@link DevicePort} lives in the device's worker thread and carries its traffic. Nothing here is particular to
 * `/dev/pciem`.
 */
import type { LabHealth } from '#contract/lab.ts';
import type { BarMemory, DeviceDescription } from '#devices/sdk/device.ts';
import type { DmaPort } from '#devices/sdk/dma.ts';

/** Words (32 bits) of one event record; the layout is `struct pciem_wide_event` of the ABI. */
export const EVENT_WORDS = 16;
export const EventWord = {
  sequenceLow: 0,
  sequenceHigh: 1,
  type: 2,
  bar: 3,
  offsetLow: 4,
  offsetHigh: 5,
  size: 6,
  /** CPU in bits 0-15, function in 16-18. */
  cpu: 7,
  dataLow: 8,
  dataHigh: 9,
  /** ns, monotonic. */
  timeLow: 10,
  timeHigh: 11,
  /** Thread that made the access, 0 for an interrupt. */
  pid: 12,
  flags: 13,
  extraLow: 14,
  extraHigh: 15,
} as const;

export const EventType = {
  mmioRead: 1,
  mmioWrite: 2,
  configRead: 3,
  configWrite: 4,
  msiAck: 5,
  /** Low word of the data: 1 function level reset, 2 power management. */
  reset: 6,
  /** Data: how many are missing before this one. */
  lost: 64,
  dmaFault: 65,
  /** Data and extra word: the driver's name. */
  driverBound: 66,
  driverUnbound: 67,
  /** Offset: bus address of a mapping that the driver left. */
  dmaLeak: 68,
  /** Bar, offset and size of a read that got no answer in time. */
  timeout: 69,
} as const;

/** Bits of {@link EventWord.flags}. */
export const EventFlag = {
  /** The driver waits for {@link DevicePort.respond}. */
  sync: 1,
} as const;

/** How the lab's thread wakes a device's thread out of {@link DevicePort.wait}. */
export type WakeHandle =
  /** Write 8 bytes (value 1) to this eventfd. */
  | { readonly kind: 'eventfd'; readonly fd: number }
  /** Atomics.add + Atomics.notify on word `index`. */
  | { readonly kind: 'atomics'; readonly words: Int32Array; readonly index: number };

export type InterruptMode = 'none' | 'intx' | 'msi' | 'msix';

export interface PortStatus {
  /** Such as `10000:00:00.0`. */
  readonly address: string;
  /** Bound driver, or empty. */
  readonly driver: string;
  readonly started: boolean;
  readonly busMaster: boolean;
  readonly interruptMode: InterruptMode;
  /** Vectors that the driver enabled. */
  readonly vectors: number;
  readonly events: number;
  readonly lost: number;
  readonly interrupts: number;
}

/** Mappings that a port lists at most. */
export const MAX_MAPPINGS = 1024;

export interface MappingState {
  readonly address: number;
  readonly size: number;
  /** 0 both, 1 to the device, 2 from the device. */
  readonly direction: number;
  /** ns, monotonic, when it was made. */
  readonly time: number;
}

export interface VectorState {
  readonly vector: number;
  readonly enabled: boolean;
  readonly masked: boolean;
  readonly pending: boolean;
  /** Linux interrupt number; 0 where there is none. */
  readonly irq: number;
  /** Message address and data as the driver programmed them. */
  readonly address: number;
  readonly data: number;
  /** -1 when unknown. */
  readonly cpu: number;
  readonly count: number;
}

/** Memory of devices, as the CPU sees it. */
export interface MemoryRange {
  readonly address: number;
  /** Bytes. */
  readonly size: number;
}

/** A host's DMA, which also tells what became of the interrupts in a batch. */
export interface HostDmaPort extends DmaPort {
  /** Why the interrupt that was step `index` of the last batch was not delivered: `InterruptRefusal`; 0: it was. */
  interruptRefusal(index: number): number;
}

/** One device's connection to its host. Used from one thread; every call returns without waiting, but for `wait`. */
export interface DevicePort {
  readonly bars: BarMemory;
  readonly dma: HostDmaPort;
  readonly wakeHandle: WakeHandle;
  /** Puts the function on the bus; not yet visible to drivers' probe. BAR memory can be written from here on. */
  register(description: DeviceDescription): void;
  /** Lets drivers bind. */
  start(): void;
  /**
   * Copies waiting events, at most `events.length / EVENT_WORDS`, oldest first; waits up to `timeout` ms for the
   * first. 0: time is over, or the port was woken.
   */
  wait(events: Uint32Array, timeout: number): number;
  /** Answers an event with {@link EventFlag.sync}: the words that the driver reads. False: it waits no more. */
  respond(sequence: number, low: number, high: number): boolean;
  /** False: masked (now pending), not enabled, or no such vector. */
  raiseInterrupt(vector: number): boolean;
  vectorState(vector: number): VectorState;
  status(): PortStatus;
  /** `width` 1, 2 or 4 bytes. */
  configRead(offset: number, width: number): number;
  /** `asDevice` also changes read-only bits and has no side effects; otherwise it is what a driver's write does. */
  configWrite(offset: number, width: number, value: number, asDevice: boolean): void;
  /** An access as the driver would make it, where the host can; traps and all. */
  driverRead?(bar: number, offset: number, width: number): bigint;
  driverWrite?(bar: number, offset: number, width: number, value: bigint): void;
  /** Drives the INTx pin, where the host can; undefined: the function has no pin. */
  setLevel?(asserted: boolean): void;
  level?(): boolean | undefined;
  /** What the driver has mapped, where the host can tell; at most `MAX_MAPPINGS` of them. */
  mappings?(): { readonly total: number; readonly mappings: readonly MappingState[] };
  /** Where a BAR is, as the CPU sees it; 0: nowhere yet. */
  barAddress(bar: number): number;
  /** Which other devices' memory its device reaches, where the port has to be told. */
  setPeers?(peers: readonly Peer[]): void;
  /** The device leaves the bus at once (surprise removal). Idempotent. */
  close(): void;
}

/** What the lab's thread hands to a worker so that it can open its port there. Structured-cloneable. */
export type PortTicket =
  | { readonly kind: 'pciem'; readonly path: string }
  | {
      readonly kind: 'sim';
      readonly machine: SharedArrayBuffer;
      readonly memory: SharedArrayBuffer;
      readonly address: string;
    };

/** Another device of the host. */
export interface Peer {
  readonly ticket: PortTicket;
  readonly description: DeviceDescription;
}

export interface HostInfo {
  readonly kind: 'sim' | 'pciem' | 'guest' | 'remote';
  /** Shown to a person: `Simulated host`, `/dev/pciem on Linux 6.12`. */
  readonly title: string;
  readonly detail: string;
}

export interface WorkloadControl {
  readonly running: boolean;
  /** Operations per second; 0: as fast as it goes. */
  readonly rate: number;
  readonly operations: number;
  readonly bytes: number;
  readonly errors: number;
  readonly phase: string;
  set(running: boolean, rate: number): void;
}

/** Type, code and value of one event, as linux/input-event-codes.h numbers them. */
export type MachineEvent = readonly [type: number, code: number, value: number];

/** A keyboard and a mouse on the machine of the host; they are there from when they are made until they are closed. */
export interface MachineInput {
  /** In one report each, so that one is made of what happened at once. */
  keyboard(events: readonly MachineEvent[]): void;
  mouse(events: readonly MachineEvent[]): void;
  /** What is held down is released. Idempotent. */
  close(): void;
}

export interface Host {
  readonly info: HostInfo;
  /** Reserves what one device needs. Throws a {@link LabError} when the host cannot take it. */
  openPort(description: DeviceDescription): PortTicket;
  /** The device's worker reports that the port is started; a simulated host lets its initiator probe now. */
  deviceStarted(ticket: PortTicket, description: DeviceDescription): void;
  /** Asks the driver to let go in an orderly way before the device leaves; returns when it has, or cannot. */
  detachDriver?(ticket: PortTicket, address: string): Promise<void>;
  /** Function level reset as the operating system makes it. */
  resetFunction?(ticket: PortTicket, address: string): Promise<void>;
  /** What the initiator of a simulated host does with the device; undefined where a real driver decides. */
  workload?(ticket: PortTicket): WorkloadControl | undefined;
  /** Throws a {@link LabError} where the machine does not let us; undefined where there is no machine to type into. */
  openInput?(name: string): MachineInput;
  /** What stands in the way of devices, as far as the host can see; asked about once a second. */
  health?(): LabHealth;
  /** The other devices, where a port has to be told of them: {@link DevicePort.setPeers}. */
  peers?(ticket: PortTicket): readonly Peer[];
  /** Memory of devices that are not the lab's which its devices may reach all the same. */
  peerRegions?(): readonly MemoryRange[];
  /** The port was closed, by its worker or because the worker died. */
  deviceClosed(ticket: PortTicket): void;
  close(): Promise<void>;
}
