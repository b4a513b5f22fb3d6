/** Numbers and layouts of NVMe 1.4 as they stand in memory. All fields are little-endian. */

export const SQE_BYTES = 64;
export const SQE_WORDS = 16;
export const CQE_BYTES = 16;
export const CQE_WORDS = 4;

/** Words of a submission queue entry (figure 105). */
export const Sqe = {
  /** Opcode 7:0, FUSE 9:8, PSDT 15:14, command identifier 31:16. */
  cdw0: 0,
  nsid: 1,
  mptrLow: 4,
  mptrHigh: 5,
  prp1Low: 6,
  prp1High: 7,
  prp2Low: 8,
  prp2High: 9,
  cdw10: 10,
  cdw11: 11,
  cdw12: 12,
  cdw13: 13,
  cdw14: 14,
  cdw15: 15,
} as const;

/** Figure 139. */
export const AdminOpcode = {
  deleteSq: 0x00,
  createSq: 0x01,
  getLogPage: 0x02,
  deleteCq: 0x04,
  createCq: 0x05,
  identify: 0x06,
  abort: 0x08,
  setFeatures: 0x09,
  getFeatures: 0x0a,
  asyncEventRequest: 0x0c,
  doorbellBufferConfig: 0x7c,
  formatNvm: 0x80,
} as const;

/** Figure 346. */
export const IoOpcode = {
  flush: 0x00,
  write: 0x01,
  read: 0x02,
  compare: 0x05,
  writeZeroes: 0x08,
  datasetManagement: 0x09,
} as const;

/** Do Not Retry, in a status as held here: SC 7:0, SCT 10:8, DNR 14, which is the entry's DW3 shifted right by 17. */
export const DNR = 0x4000;
const generic = 0x000;
const specific = 0x100;
const media = 0x200;

/** Status values (figures 126 to 128), with Do Not Retry where a repeated command would fail alike. */
export const Status = {
  success: 0,
  invalidOpcode: generic | 0x01 | DNR,
  invalidField: generic | 0x02 | DNR,
  commandIdConflict: generic | 0x03 | DNR,
  dataTransferError: generic | 0x04,
  internalError: generic | 0x06,
  abortRequested: generic | 0x07,
  invalidNamespaceOrFormat: generic | 0x0b | DNR,
  commandSequenceError: generic | 0x0c | DNR,
  prpOffsetInvalid: generic | 0x13 | DNR,
  lbaOutOfRange: generic | 0x80 | DNR,
  capacityExceeded: generic | 0x81 | DNR,
  completionQueueInvalid: specific | 0x00 | DNR,
  invalidQueueIdentifier: specific | 0x01 | DNR,
  invalidQueueSize: specific | 0x02 | DNR,
  abortLimitExceeded: specific | 0x03,
  asyncEventLimitExceeded: specific | 0x05,
  invalidInterruptVector: specific | 0x08 | DNR,
  invalidLogPage: specific | 0x09 | DNR,
  invalidFormat: specific | 0x0a | DNR,
  invalidQueueDeletion: specific | 0x0c | DNR,
  featureNotSaveable: specific | 0x0d | DNR,
  featureNotChangeable: specific | 0x0e | DNR,
  featureNotNamespaceSpecific: specific | 0x0f | DNR,
  conflictingAttributes: specific | 0x80 | DNR,
  writeFault: media | 0x80,
  unrecoveredReadError: media | 0x81,
  compareFailure: media | 0x85 | DNR,
} as const;

/** Figure 271. */
export const Feature = {
  arbitration: 0x01,
  powerManagement: 0x02,
  temperatureThreshold: 0x04,
  errorRecovery: 0x05,
  volatileWriteCache: 0x06,
  numberOfQueues: 0x07,
  interruptCoalescing: 0x08,
  interruptVectorConfiguration: 0x09,
  writeAtomicity: 0x0a,
  asyncEventConfiguration: 0x0b,
} as const;

/** Figure 191. */
export const LogPage = {
  errorInformation: 0x01,
  smart: 0x02,
  firmwareSlot: 0x03,
  commandsSupported: 0x05,
} as const;

/** Figure 146 and following: type in bits 2:0 of the completion's DW0, information in 15:8, log page in 23:16. */
export const AsyncEvent = {
  errorType: 0,
  smartType: 1,
  noticeType: 2,
  invalidDoorbellRegister: 0,
  invalidDoorbellValue: 1,
  temperatureThreshold: 1,
} as const;

/** The one namespace. */
export const NSID = 1;
export const NSID_ALL = 0xffff_ffff;
export const IDENTIFY_BYTES = 4096;
/** Largest transfer: 2^MDTS pages of 4 KiB. */
export const MDTS = 9;
export const MAX_TRANSFER = 4096 << MDTS;
/** Entries kept in the Error Information log. */
export const ERROR_LOG_ENTRIES = 64;
/** Asynchronous Event Requests held at once. */
export const MAX_ASYNC_EVENT_REQUESTS = 4;

/** Little-endian stores into a structure that is being built. */
export function put16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
}

export function put32(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset, value);
  put16(bytes, offset + 2, value >>> 16);
}

/** A number up to 2^53 as 8 bytes. */
export function put64(bytes: Uint8Array, offset: number, value: number): void {
  put32(bytes, offset, value % 2 ** 32);
  put32(bytes, offset + 4, Math.floor(value / 2 ** 32));
}

/** ASCII text padded with spaces. */
export function putText(bytes: Uint8Array, offset: number, length: number, text: string): void {
  for (let i = 0; i < length; i++) bytes[offset + i] = i < text.length ? text.charCodeAt(i) : 0x20;
}
