/**
 * One trace record: 56 bytes, little endian. It is written by a device's thread, kept in columns by the trace store and
 * sent to the window as it is.
 */
export const TRACE_RECORD_BYTES = 56;
export const TRACE_RECORD_WORDS = TRACE_RECORD_BYTES / 4;

/** Byte offsets in a record. */
export const TraceField = {
  /** f64, ns since the lab's start. */
  time: 0,
  /** f64: offset in the BAR or in config space, or the bus address of a DMA. */
  address: 8,
  /** u32 each: value read or written. */
  valueLow: 16,
  valueHigh: 20,
  /** u32: access width or DMA length, bytes. */
  length: 24,
  /** u8, {@link TraceKind}. */
  kind: 28,
  /** u8, device id. */
  device: 29,
  /** u8. */
  bar: 30,
  /** u8, {@link TraceFlag} bits. */
  flags: 31,
  /** u32: vector, DMA status, number of missed events, or note number. */
  aux: 32,
  /** u32: sequence number (low 32 bits) of the access that caused this. 0: none. */
  cause: 36,
  /** u16. */
  cpu: 40,
  /** u16, reserved. */
  reserved: 42,
  /** u32: the device's event sequence number, low 32 bits; 0 for what is not an access. */
  sequence: 44,
  /** u32 each: the register's value before this access, as last seen. */
  previousLow: 48,
  previousHigh: 52,
} as const;

export const TraceKind = {
  mmioRead: 1,
  mmioWrite: 2,
  configRead: 3,
  configWrite: 4,
  interrupt: 5,
  /** The device reads host memory. */
  dmaRead: 6,
  /** The device writes host memory. */
  dmaWrite: 7,
  /** `aux` events were lost here. */
  missed: 8,
  /** Text number `aux`. */
  note: 9,
  reset: 10,
} as const;
export type TraceKindCode = (typeof TraceKind)[keyof typeof TraceKind];

export const TraceFlag = {
  /** Refused: a DMA outside memory, an interrupt that is masked or off. */
  refused: 1,
  /** Done by a person, not by the model or the driver. */
  byHand: 2,
  /** A note about undefined behaviour of the driver. */
  undefinedBehaviour: 4,
  error: 8,
  /** `previousLow`/`previousHigh` are known. */
  previousKnown: 16,
} as const;
