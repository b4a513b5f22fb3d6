/** Bus-master access to host memory. */

/** Memory that the host can move by DMA without copying in JavaScript. */
export interface DmaBuffer {
  /** Number that the host knows the buffer by. */
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** Why a transfer was refused. Codes travel in trace records. */
export const DmaStatus = {
  ok: 0,
  /** No live mapping, or not memory. */
  unmapped: 1,
  /** The driver has not enabled bus mastering. */
  notBusMaster: 2,
  /** Outside the buffer, zero or negative length. */
  badLength: 3,
  /** The device has gone from the bus. */
  gone: 4,
  /** The driver mapped it for the other direction. */
  wrongDirection: 5,
} as const;
export type DmaStatusCode = (typeof DmaStatus)[keyof typeof DmaStatus];

export interface DmaPort {
  /** A buffer of `size` zero bytes. */
  allocate(size: number): DmaBuffer;
  /** Memory that exists already, as a buffer. */
  attach(bytes: Uint8Array): DmaBuffer;
  release(buffer: DmaBuffer): void;
  /** Host memory to buffer, at once. */
  read(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode;
  /**
   * A rectangle: `count` rows of `length` bytes, at most `pitch`, that lie so far apart both in host memory and in the
   * buffer. One transfer of count * length bytes; what lies between the rows is left alone.
   */
  readRows(
    address: number,
    to: DmaBuffer,
    offset: number,
    length: number,
    pitch: number,
    count: number,
  ): DmaStatusCode;
  /** Buffer to host memory, at once. */
  write(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode;
  /** Another device's memory to buffer, and back, at once. Unmapped where the host allows no device that. */
  peerRead(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode;
  peerWrite(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode;
  /** Adds a transfer to the batch; returns its index. Nothing moves before {@link submit}. */
  queueRead(address: number, to: DmaBuffer, offset: number, length: number): number;
  queueWrite(address: number, from: DmaBuffer, offset: number, length: number): number;
  /** Raises `vector` once all that was queued before is done. */
  queueInterrupt(vector: number): number;
  /** Steps queued and not yet submitted. */
  readonly queued: number;
  /**
   * Carries the batch out in order, in one crossing, and stops at the first step that fails. Returns how many steps
   * were done; the batch is empty afterwards, steps after a failed one are dropped. See {@link lastError}.
   */
  submit(): number;
  /** Why the last {@link submit} stopped early. */
  readonly lastError: DmaStatusCode;
}
