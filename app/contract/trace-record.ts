/**
 * One row of the trace as the window gets it: 80 bytes, little endian. The first 56 are kept in columns by the trace
 * store, the rest is worked out when a row is asked for.
 */
export const TRACE_RECORD_BYTES = 80;

/** Byte offsets in a record. */
export const TraceField = {
  /** f64, ns since the lab's start. */
  time: 0,
  /** f64: offset in the BAR or in config space, or the bus address of a DMA. */
  address: 8,
  /** u32 each: value read or written. */
  valueLow: 16,
  valueHigh: 20,
  /** u32: access width or DMA length, bytes; of a note {@link Expert} bits. */
  length: 24,
  /** u8, {@link TraceKind}. */
  kind: 28,
  /** u8, device id. */
  device: 29,
  /** u8. */
  bar: 30,
  /** u8, {@link TraceFlag} bits. */
  flags: 31,
  /**
   * u32. Of an access {@link Expert} bits; of an interrupt the vector, and {@link InterruptRefusal} in the upper half; else
   * DMA status, number of missed events, or note number.
   */
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
  /** f64: number of the row in the whole trace, from 0. */
  row: 56,
  /** u32: rows that this one stands for where identical polls are one row; 1 elsewhere. */
  repeat: 64,
  /** u8: 1 + number of the colour rule that the row matches; 0: none. */
  rule: 68,
  /** f64: ns from a request to its completion, on either of them; NaN: the row is neither, or its partner is not known. */
  latency: 72,
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
  /** A driver was bound or let go: text number `aux`. */
  driver: 11,
  /**
   * The device carried a command out: opcode and status are the value's halves, `aux` is its id and, in the upper half, its
   * queue, `address` and `length` what it was about.
   */
  command: 12,
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
  /** A transfer to or from another device's memory: the address is as the CPU sees it. */
  peer: 32,
} as const;

/** Why an interrupt was not delivered: upper half of `aux`. */
export const InterruptRefusal = { masked: 1, off: 2 } as const;
