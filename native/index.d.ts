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

export interface PciemVectorInfo {
  readonly flags: number;
  readonly irq: number;
  readonly address: number;
  readonly data: number;
  /** 0xffffffff when none. */
  readonly cpu: number;
  readonly count: number;
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
  traceBar(func: number, index: number, flags: number): void;
  start(): void;
  barInfo(func: number, index: number): { address: number; size: number; flags: number };
  injectIrq(func: number, vector: number): void;
  info(func: number): PciemInfo;
  vectorInfo(func: number, vector: number): PciemVectorInfo;
  configRead(func: number, offset: number, size: number): number;
  configWrite(func: number, offset: number, size: number, value: number, asDevice: boolean): void;

  /** BAR memory. Bounds are checked; aligned accesses of 1, 2, 4 or 8 bytes are single loads and stores. */
  barRead(index: number, offset: number, size: number): number;
  barRead64(index: number, offset: number): bigint;
  barWrite(index: number, offset: number, size: number, value: number): void;
  barWrite64(index: number, offset: number, value: bigint): void;
  barCopyOut(index: number, offset: number, into: Uint8Array): void;
  barCopyIn(index: number, offset: number, from: Uint8Array): void;

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
  /**
   * `steps` holds 6 doubles a step: address, buffer number, offset in it, length, flags (PCIEM_DMA_*), vector.
   * Returns the number of steps done; {@link batchError} is the errno of the step that failed, or 0.
   */
  dmaBatch(steps: Float64Array, count: number): number;
  readonly batchError: number;

  /**
   * Copies waiting events (48 bytes each) into `events`; waits for the first: spins `spinMicroseconds` on the ring,
   * then sleeps up to `timeoutMilliseconds`. Returns the number copied; 0 on time-out or wake.
   */
  wait(events: Uint8Array, timeoutMilliseconds: number, spinMicroseconds: number): number;
  /** Events lost so far, from the ring's header. */
  readonly lost: number;
  /** An eventfd: writing to it ends a `wait`. */
  readonly wakeFd: number;
  close(): void;
}

export declare const DmaFlags: { readonly read: 1; readonly write: 2; readonly irq: 4 };
export declare const TraceFlags: { readonly reads: 1; readonly writes: 2; readonly stopWrites: 4 };
export declare const BarFlags: { readonly io: 1; readonly memory64: 4; readonly prefetch: 8 };
