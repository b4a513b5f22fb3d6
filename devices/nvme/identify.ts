/** The data structures of Identify (NVMe 1.4, 5.15.2). */
import { LBA_SHIFTS, type Namespace } from './namespace.ts';
import {
  ERROR_LOG_ENTRIES,
  IDENTIFY_BYTES,
  MAX_ASYNC_EVENT_REQUESTS,
  MDTS,
  NSID,
  put16,
  put32,
  put64,
  putText,
} from './wire.ts';

export const FIRMWARE_REVISION = '1.0';

export interface ControllerNames {
  readonly vendorId: number;
  readonly subsystemVendorId: number;
  readonly serial: string;
  readonly model: string;
}

/** 16 bytes that stay the same for a serial number; version and variant as an RFC 9562 version 8 UUID has them. */
export function uuidOf(serial: string): Uint8Array {
  const uuid = new Uint8Array(16);
  let hash = 0x811c9dc5;
  for (let i = 0; i < 16; i++) {
    for (const char of `${i}:${serial}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
    uuid[i] = hash >>> 13;
  }
  uuid[6] = (uuid[6]! & 0x0f) | 0x80;
  uuid[8] = (uuid[8]! & 0x3f) | 0x80;
  return uuid;
}

function uuidText(uuid: Uint8Array): string {
  const digits = Array.from(uuid, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** CNS 01h, figure 247. */
export function identifyController(names: ControllerNames, shadowDoorbells: boolean): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES);
  put16(data, 0, names.vendorId); // VID
  put16(data, 2, names.subsystemVendorId); // SSVID
  putText(data, 4, 20, names.serial); // SN
  putText(data, 24, 40, names.model); // MN
  putText(data, 64, 8, FIRMWARE_REVISION); // FR
  data[72] = 6; // RAB: 2^6 commands
  data[77] = MDTS;
  put16(data, 78, 0); // CNTLID
  put32(data, 80, 0x0001_0400); // VER
  put32(data, 92, 0); // OAES: no notices
  put32(data, 96, 0); // CTRATT
  data[111] = 1; // CNTRLTYPE: I/O controller
  put16(data, 256, (1 << 1) | (shadowDoorbells ? 1 << 8 : 0)); // OACS: Format NVM, Doorbell Buffer Config
  data[258] = 3; // ACL: four aborts at once
  data[259] = MAX_ASYNC_EVENT_REQUESTS - 1; // AERL
  data[260] = (1 << 1) | 1; // FRMW: one slot, read-only
  data[261] = (1 << 1) | (1 << 2); // LPA: commands supported and effects, extended data
  data[262] = ERROR_LOG_ENTRIES - 1; // ELPE
  data[263] = 0; // NPSS: one power state
  put16(data, 266, 343); // WCTEMP
  put16(data, 268, 353); // CCTEMP
  data[512] = 0x66; // SQES: 64 bytes
  data[513] = 0x44; // CQES: 16 bytes
  put16(data, 514, 0); // MAXCMD
  put32(data, 516, 1); // NN
  // ONCS: Compare, Dataset Management, Write Zeroes, Select field of features.
  put16(data, 520, (1 << 0) | (1 << 2) | (1 << 3) | (1 << 4));
  put16(data, 522, 0); // FUSES
  data[524] = 0; // FNA: format and erase reach all namespaces, of which there is one
  data[525] = 1 | (3 << 1); // VWC: present; Flush takes the broadcast namespace
  put16(data, 526, 0); // AWUN
  put16(data, 528, 0); // AWUPF
  put32(data, 536, 0); // SGLS
  const nqn = `nqn.2014-08.org.nvmexpress:uuid:${uuidText(uuidOf(names.serial))}`;
  for (let i = 0; i < nqn.length; i++) data[768 + i] = nqn.charCodeAt(i);
  put16(data, 2048, 500); // PSD0: 5 W
  return data;
}

/** CNS 00h, figure 245. */
export function identifyNamespace(namespace: Namespace): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES);
  put64(data, 0, namespace.blocks); // NSZE
  put64(data, 8, namespace.blocks); // NCAP
  put64(data, 16, namespace.blocks); // NUSE
  data[24] = 0; // NSFEAT
  data[25] = LBA_SHIFTS.length - 1; // NLBAF
  data[26] = namespace.format; // FLBAS
  // DLFEAT: deallocated blocks read as zeroes.
  data[33] = 1;
  LBA_SHIFTS.forEach((shift, i) => {
    put32(data, 128 + i * 4, (shift << 16) | ((shift === 12 ? 0 : 1) << 24));
  });
  return data;
}

/** CNS 02h: namespaces above `after`. */
export function activeNamespaces(after: number): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES);
  if (after < NSID) put32(data, 0, NSID);
  return data;
}

/** CNS 03h, figure 249: one UUID. */
export function namespaceDescriptors(serial: string): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES);
  data[0] = 3; // NIDT: UUID
  data[1] = 16; // NIDL
  data.set(uuidOf(`${serial}/${NSID}`), 4);
  return data;
}

/** Log page 05h, figure 201: CSUPP and what a command changes. */
export function commandEffects(admin: readonly number[], io: readonly number[]): Uint8Array {
  const data = new Uint8Array(4096);
  for (const opcode of admin) put32(data, opcode * 4, 1);
  for (const opcode of io) put32(data, 1024 + opcode * 4, 1);
  // Write, Write Zeroes and Dataset Management change content; Format too, and changes what Identify says.
  for (const opcode of [0x01, 0x08, 0x09]) put32(data, 1024 + opcode * 4, 1 | (1 << 1));
  put32(data, 0x80 * 4, 1 | (1 << 1) | (1 << 2) | (1 << 16));
  return data;
}

/** Log page 03h, figure 197. */
export function firmwareSlots(): Uint8Array {
  const data = new Uint8Array(512);
  data[0] = 1; // AFI: slot 1 is active
  putText(data, 8, 8, FIRMWARE_REVISION);
  return data;
}
