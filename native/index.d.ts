/**
 * One open `/dev/pciem`. Mechanism only: each method is one ioctl or one copy. Not thread-safe: one thread uses it,
 * but for {@link PciemDevice.wakeFd}, which any thread may write to.
 *
 * Every failure throws a {@link PciemError}.
 */
export interface PciemError extends Error {
  /** errno name, such as `ENOENT`. */
  readonly code: string;
  readonly errno: number;
  /** The call that failed, such as `PCIEM_IOC_REGISTER`. */
  readonly syscall: string;
  /** What a person can do about it. */
  readonly hint: string;
}

export interface PciemInfo {
  readonly domain: number;
  readonly bus: number;
  readonly devfn: number;
  /** 0 none, 1 INTx, 2 MSI, 3 MSI-X. */
  readonly irqMode: number;
  /** PCIEM_STATE_* bits. */
  readonly state: number;
  readonly vectors: number;
  readonly events: number;
  readonly lost: number;
  readonly waits: number;
  readonly interrupts: number;
  readonly driver: string;
}

export interface PciemStats {
  readonly events: number;
  readonly lost: number;
  /** Accesses that had to wait for room in the ring. */
  readonly waits: number;
  readonly syncReads: number;
  readonly syncWrites: number;
  /** Got no answer in time. */
  readonly syncTimeouts: number;
  /** Their process was killed while it waited. */
  readonly syncAbandoned: number;
  readonly lateResponses: number;
}

export interface PciemVectorInfo {
  readonly flags: number;
  readonly irq: number;
  readonly address: number;
  readonly data: number;
  /** 0xffffffff when none. */
  readonly cpu: number;
  readonly count: number;
}

export interface PciemMapping {
  readonly address: number;
  readonly size: number;
  /** ns, to a tick of the kernel's clock. */
  readonly age: number;
  /** What the device may do: {@link DmaFlags}. */
  readonly access: number;
  /** PCIEM_DMA_KIND_*. */
  readonly kind: number;
}

export interface PciemMappings {
  /** All live ones, and their bytes. */
  readonly total: number;
  readonly bytes: number;
  /** Accesses refused and mappings undone wrongly, ever. */
  readonly faults: number;
  /** Mappings that drivers left behind, ever. */
  readonly leaks: number;
  /** By rising address. */
  readonly mappings: readonly PciemMapping[];
}

export declare class PciemDevice {
  /** Opens the node; default `/dev/pciem`. */
  constructor(path?: string);
  version(): { abiVersion: number; features: number };
  create(func: number, flags: number): void;
  setConfig(config: {
    func: number;
    vendorId: number;
    deviceId: number;
    subsystemVendorId: number;
    subsystemId: number;
    revision: number;
    classCode: number;
    headerType: number;
  }): void;
  addBar(func: number, index: number, size: number, flags: number): void;
  addCapabilityPm(func: number): void;
  addCapabilityPcie(func: number): void;
  addCapabilityMsi(func: number, vectorsLog2: number, address64: boolean, masking: boolean): void;
  addCapabilityMsix(func: number, vectors: number, bar: number, tableOffset: number, pbaOffset: number): void;
  setupRing(slots: number): void;
  /** Registers the device and maps the ring and every BAR. */
  register(): void;
  /** {@link EventKinds} to be told beside MMIO accesses. After `setupRing`. */
  setEvents(mask: number): void;
  /** How long a driver waits for {@link respond}: 1 to 10 000 000. */
  setCompletionTimeout(microseconds: number): void;
  traceBar(func: number, index: number, flags: number): void;
  /** The same for a part of a BAR, any number of times; flags 0 for none. After `setupRing` where flags are synchronous. */
  traceRange(func: number, index: number, offset: number, length: number, flags: number): void;
  /**
   * Answers the event with this sequence number, which has {@link EventFlags}.sync; each half of the value is 32 bits. False:
   * the driver waits no more.
   */
  respond(sequence: number, low: number, high: number): boolean;
  stats(): PciemStats;
  start(): void;
  barInfo(func: number, index: number): { address: number; size: number; flags: number };
  /** Written to by the module with every event; -1 removes it. `wait` needs none. */
  setEventFd(fd: number): void;
  /** Writing to `fd` raises `vector` in the kernel; flags are PCIEM_IRQFD_*. */
  setIrqFd(func: number, vector: number, fd: number, flags: number): void;
  injectIrq(func: number, vector: number): void;
  /** The same without an exception: 0 or the errno. */
  tryInjectIrq(func: number, vector: number): number;
  info(func: number): PciemInfo;
  vectorInfo(func: number, vector: number): PciemVectorInfo;
  /** Holds the INTx pin, or lets it go. */
  setIntx(func: number, asserted: boolean): void;
  /** What the driver has mapped at `start` and above: the first `count`, at most 65536. */
  dmaMappings(func: number, start: number, count: number): PciemMappings;
  configRead(func: number, offset: number, size: number): number;
  configWrite(func: number, offset: number, size: number, value: number, asDevice: boolean): void;

  /**
   * BAR memory. Bounds are checked; aligned accesses of 1, 2, 4 or 8 bytes are single loads and stores. A BAR of
   * another function than 0 is named `func << 3 | index`.
   */
  barRead(index: number, offset: number, size: number): number;
  barRead64(index: number, offset: number): bigint;
  barWrite(index: number, offset: number, size: number, value: number): void;
  barWrite64(index: number, offset: number, value: bigint): void;
  barCopyOut(index: number, offset: number, into: Uint8Array): void;
  barCopyIn(index: number, offset: number, from: Uint8Array): void;
  /** The memory of a BAR itself; empty once the device is closed. Undefined where {@link mapFile} has nothing either. */
  barMemory(index: number): ArrayBuffer | undefined;

  /** Makes `bytes` known under a number, so that a batch can name it; the memory is held until released. */
  registerBuffer(bytes: Uint8Array): number;
  releaseBuffer(id: number): void;
  /** 0, or the errno of a transfer that was refused. Throws only for bad arguments. */
  dmaRead(address: number, buffer: number, offset: number, length: number): number;
  dmaWrite(address: number, buffer: number, offset: number, length: number): number;
  /** NVMe PRP pair in one call; `toHost` writes host memory. 0 or errno. */
  dmaIndirect(
    prp1: number,
    prp2: number,
    buffer: number,
    offset: number,
    length: number,
    pageSize: number,
    toHost: boolean,
  ): number;
  /** One 64-bit read-modify-write of host memory ({@link AtomicOperation}); returns the value before it. */
  dmaAtomic(address: number, operation: number, operand: bigint, compare: bigint): bigint;
  /** Another device's memory, by physical address. 0 or errno. */
  p2pRead(address: number, buffer: number, offset: number, length: number): number;
  p2pWrite(address: number, buffer: number, offset: number, length: number): number;
  /**
   * `steps` holds 6 doubles a step: address, buffer number, offset in it, length, flags (PCIEM_DMA_*), vector.
   * Returns the number of steps done; {@link batchError} is the errno of the step that failed, or 0.
   */
  dmaBatch(steps: Float64Array, count: number): number;
  readonly batchError: number;

  /**
   * Copies waiting events (64 bytes each) into `events`; waits for the first: spins `spinMicroseconds` on the ring,
   * then sleeps up to `timeoutMilliseconds` (fractions count; below 0 without end). Returns the number copied; 0 on
   * time-out or wake. Spinning is left out while it has not been paying.
   */
  wait(events: Uint8Array, timeoutMilliseconds: number, spinMicroseconds: number): number;
  /** Events lost so far, from the ring's header. */
  readonly lost: number;
  /** How waits ended so far, for measurements. */
  readonly waitCounters: {
    readonly spinHits: number;
    readonly spinMisses: number;
    readonly sleeps: number;
    readonly wakeUpMicroseconds: number;
  };
  /**
   * An eventfd: writing to it ends a `wait`. It stays open after `close`, and is lent to the next device, so that a
   * late write from another thread hits no stranger's file.
   */
  readonly wakeFd: number;
  /** The device leaves the bus. Every other method throws from here on. Idempotent. */
  close(): void;
}

/** One input device made with uinput. What it has and says are numbers of `linux/input-event-codes.h`. */
export declare class InputDevice {
  /** Opens the node; default `/dev/uinput`. */
  constructor(path?: string);
  /** From here on programs see it: with these keys and buttons (`KEY_*`, `BTN_*`) and these axes (`REL_*`). */
  create(name: string, keys: Float64Array, relative: Float64Array): void;
  /** Type, code and value of each event, in one report; 256 events at most. */
  emit(events: Float64Array): void;
  /** It goes, and what it holds down is released. Every other method throws from here on. Idempotent. */
  close(): void;
}

/**
 * Locks an open file for writing, for as long as it stays open, against every other opener, in this process too.
 * False when another one has it.
 */
export declare function lockFile(fd: number): boolean;
/** The range reads as zeroes and takes no space. False when the file system cannot. */
export declare function punchHole(fd: number, offset: number, length: number): boolean;
/**
 * The memory that part of an open file stands for, shared with all who map it; it stays when the file is closed. `offset`
 * is a multiple of the page size. What lies beyond the file's end must not be touched. Undefined where the runtime takes
 * no memory but its own, as Electron's does.
 */
export declare function mapFile(fd: number, offset: number, length: number): ArrayBuffer | undefined;

/**
 * CLOCK_MONOTONIC in ns, the scale of event timestamps, without a system call: a few microseconds true at worst, and
 * never going back within a thread.
 */
export declare function monotonicNow(): number;

export declare const DmaFlags: { readonly read: 1; readonly write: 2; readonly irq: 4 };
export declare const TraceFlags: {
  readonly reads: 1;
  readonly writes: 2;
  readonly stopWrites: 4;
  /** `traceRange` alone: the device answers, with `respond`. */
  readonly syncReads: 8;
  readonly syncWrites: 16;
};
/** Of an event. */
export declare const EventFlags: { readonly sync: 1 };
export declare const EventKinds: {
  readonly config: 1;
  readonly reset: 2;
  readonly driver: 4;
  readonly dma: 8;
  readonly lost: 16;
  readonly timeout: 32;
  readonly all: 63;
};
export declare const BarFlags: { readonly io: 1; readonly memory64: 4; readonly prefetch: 8 };
export declare const StateFlags: {
  readonly registered: 1;
  readonly started: 2;
  readonly driver: 4;
  readonly busMaster: 8;
};
export declare const VectorFlags: { readonly enabled: 1; readonly masked: 2; readonly pending: 4 };
export declare const AtomicOperation: {
  readonly add: 1;
  readonly sub: 2;
  readonly swap: 3;
  readonly cas: 4;
  readonly and: 5;
  readonly or: 6;
  readonly xor: 7;
};
export declare const Features: {
  readonly setupRing: 1;
  readonly dmaBatch: 2;
  readonly configAccess: 4;
  readonly deviceInfo: 8;
  readonly vectorInfo: 16;
  readonly events: 32;
  readonly traceRange: 64;
  readonly sync: 128;
  readonly dmaMappings: 256;
  readonly setIntx: 262144;
};
