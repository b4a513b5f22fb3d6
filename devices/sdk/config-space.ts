/**
 * Configuration space of a function with a type 0 header (PCI 3.0, 6.1): bytes, and for every byte the bits that a
 * driver writes (`writable`) or clears by writing 1 (`clearable`). One table and one generic access, so that every
 * register behaves by its masks; BAR size probing falls out of them (6.2.5.1).
 */
import { isPowerOfTwo } from './bits.ts';
import type { CapabilityDescription, DeviceDescription } from './device.ts';

export const CONFIG_BYTES = 256;
export const EXTENDED_CONFIG_BYTES = 4096;

export const ConfigOffset = {
  vendorId: 0x00,
  deviceId: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  classCode: 0x09,
  cacheLineSize: 0x0c,
  latencyTimer: 0x0d,
  headerType: 0x0e,
  bist: 0x0f,
  bar0: 0x10,
  cardbusCis: 0x28,
  subsystemVendorId: 0x2c,
  subsystemId: 0x2e,
  expansionRom: 0x30,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
  firstCapability: 0x40,
} as const;

export const Command = {
  ioSpace: 1 << 0,
  memorySpace: 1 << 1,
  busMaster: 1 << 2,
  interruptDisable: 1 << 10,
} as const;

export const CapabilityId = { pm: 0x01, msi: 0x05, vendorSpecific: 0x09, pcie: 0x10, msix: 0x11 } as const;

export class ConfigSpace {
  readonly bytes: Uint8Array;
  readonly writable: Uint8Array;
  readonly clearable: Uint8Array;
  private readonly powerOnBytes: Uint8Array;

  constructor(bytes: Uint8Array, writable: Uint8Array, clearable: Uint8Array) {
    this.bytes = bytes;
    this.writable = writable;
    this.clearable = clearable;
    this.powerOnBytes = bytes.slice();
  }

  get size(): number {
    return this.bytes.length;
  }

  /** A configuration read; beyond the end all ones, as from nothing. */
  read(offset: number, width: number): number {
    if (!accessible(offset, width, this.size)) return 2 ** (8 * width) - 1;
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + this.bytes[offset + i]!;
    return value;
  }

  /** A driver's write. Returns true when any bit changed. */
  write(offset: number, width: number, value: number): boolean {
    if (!accessible(offset, width, this.size)) return false;
    let changed = false;
    for (let i = 0; i < width; i++) {
      const at = offset + i;
      const byte = Math.floor(value / 2 ** (8 * i)) & 0xff;
      const was = this.bytes[at]!;
      const rw = this.writable[at]!;
      const now = ((was & ~rw) | (byte & rw)) & ~(byte & this.clearable[at]!);
      this.bytes[at] = now;
      if (now !== was) changed = true;
    }
    return changed;
  }

  /** The device's own write: read-only bits too. */
  poke(offset: number, width: number, value: number): void {
    if (!accessible(offset, width, this.size)) return;
    for (let i = 0; i < width; i++) this.bytes[offset + i] = Math.floor(value / 2 ** (8 * i)) & 0xff;
  }

  /** Back to what power-on gave. */
  reset(): void {
    this.bytes.set(this.powerOnBytes);
  }

  /** Offset of a capability, or 0. */
  find(id: number): number {
    if ((this.read(ConfigOffset.status, 2) & 0x10) === 0) return 0;
    let at = this.bytes[ConfigOffset.capabilities]! & 0xfc;
    for (let i = 0; at !== 0 && i < 48; i++) {
      if (this.bytes[at] === id) return at;
      at = this.bytes[at + 1]! & 0xfc;
    }
    return 0;
  }
}

function accessible(offset: number, width: number, size: number): boolean {
  return (
    (width === 1 || width === 2 || width === 4) &&
    offset >= 0 &&
    offset % width === 0 &&
    offset + width <= size
  );
}

/** Writes registers at ascending places, with their masks. */
class Builder {
  readonly bytes: Uint8Array;
  readonly writable: Uint8Array;
  readonly clearable: Uint8Array;
  private next: number = ConfigOffset.firstCapability;
  private link: number = ConfigOffset.capabilities;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.writable = new Uint8Array(size);
    this.clearable = new Uint8Array(size);
  }

  put(offset: number, width: number, value: number, writable = 0, clearable = 0): void {
    for (let i = 0; i < width; i++) {
      const at = offset + i;
      this.bytes[at] = Math.floor(value / 2 ** (8 * i)) & 0xff;
      this.writable[at] = Math.floor(writable / 2 ** (8 * i)) & 0xff;
      this.clearable[at] = Math.floor(clearable / 2 ** (8 * i)) & 0xff;
    }
  }

  /** Appends a capability of `length` bytes to the list; returns where it is. */
  capability(id: number, length: number): number {
    const at = this.next;
    const end = at + length;
    if (end > CONFIG_BYTES)
      throw new Error('the capabilities do not fit into 256 bytes of configuration space');
    this.next = (end + 3) & ~3;
    this.put(at, 1, id);
    this.bytes[this.link] = at;
    this.link = at + 1;
    return at;
  }
}

/** 256 bytes, or 4096 for a PCI Express function. Throws for a description that no function could have. */
export function buildConfigSpace(description: DeviceDescription): ConfigSpace {
  const { config } = description;
  if (config !== undefined) {
    return new ConfigSpace(config.bytes.slice(), config.writable.slice(), config.clearable.slice());
  }
  const { identity, capabilities } = description;
  const express = capabilities.some((capability) => capability.kind === 'pcie');
  const b = new Builder(express ? EXTENDED_CONFIG_BYTES : CONFIG_BYTES);
  b.put(ConfigOffset.vendorId, 2, identity.vendorId);
  b.put(ConfigOffset.deviceId, 2, identity.deviceId);
  // I/O and memory space, bus master, parity error response, SERR# enable, interrupt disable.
  b.put(ConfigOffset.command, 2, 0, 0x0546);
  // Capabilities list; the error bits are cleared by writing 1.
  b.put(ConfigOffset.status, 2, capabilities.length > 0 ? 0x10 : 0, 0, 0xf900);
  b.put(ConfigOffset.revision, 1, identity.revision);
  b.put(ConfigOffset.classCode, 3, identity.classCode);
  b.put(ConfigOffset.cacheLineSize, 1, 0, 0xff);
  b.put(ConfigOffset.headerType, 1, 0);
  putBars(b, description);
  b.put(ConfigOffset.subsystemVendorId, 2, identity.subsystemVendorId);
  b.put(ConfigOffset.subsystemId, 2, identity.subsystemId);
  b.put(ConfigOffset.interruptLine, 1, 0, 0xff);
  b.put(ConfigOffset.interruptPin, 1, description.vectorNames.length > 0 ? 1 : 0);
  for (const capability of capabilities) putCapability(b, capability, description);
  return new ConfigSpace(b.bytes, b.writable, b.clearable);
}

function putBars(b: Builder, description: DeviceDescription): void {
  const taken = new Set<number>();
  for (const bar of description.bars) {
    const last = bar.memory64 ? bar.index + 1 : bar.index;
    if (!Number.isInteger(bar.index) || bar.index < 0 || last > 5)
      throw new Error(`BAR ${bar.index} does not exist; accepted are 0 to ${bar.memory64 ? 4 : 5}`);
    for (let index = bar.index; index <= last; index++) {
      if (taken.has(index)) throw new Error(`BAR ${index} is used twice`);
      taken.add(index);
    }
    if (!isPowerOfTwo(bar.size) || bar.size < 4096 || (!bar.memory64 && bar.size > 2 ** 31))
      throw new Error(
        `BAR ${bar.index}: ${bar.size} bytes is no size of a BAR; accepted are powers of two from 4096`,
      );
    const offset = ConfigOffset.bar0 + bar.index * 4;
    const mask = 2 ** 32 - (bar.size % 2 ** 32 || 2 ** 32);
    const flags = (bar.memory64 ? 4 : 0) | (bar.prefetchable ? 8 : 0);
    b.put(offset, 4, flags, bar.size >= 2 ** 32 ? 0 : mask);
    if (bar.memory64)
      b.put(offset + 4, 4, 0, bar.size > 2 ** 32 ? 2 ** 32 - bar.size / 2 ** 32 : 0xffff_ffff);
  }
}

function putCapability(b: Builder, capability: CapabilityDescription, description: DeviceDescription): void {
  switch (capability.kind) {
    case 'pm': {
      const at = b.capability(CapabilityId.pm, 8);
      b.put(at + 2, 2, 0x0003); // PMC: version 3, no PME
      b.put(at + 4, 2, 0x0008, 0x0003); // PMCSR: PowerState; No_Soft_Reset
      b.put(at + 6, 2, 0);
      break;
    }
    case 'pcie': {
      const at = b.capability(CapabilityId.pcie, 60);
      b.put(at + 2, 2, 0x0002); // version 2, endpoint
      // Max_Payload 256, role-based error reporting, FLR.
      b.put(at + 4, 4, 0x1000_8001);
      b.put(at + 8, 2, 0x2810, 0x7fff); // relaxed ordering, no snoop, Max_Read_Request 512
      b.put(at + 10, 2, 0, 0, 0x000f);
      b.put(at + 12, 4, 0x0000_0013); // x1, 8 GT/s
      b.put(at + 16, 2, 0, 0x01fb);
      b.put(at + 18, 2, 0x0013); // negotiated: x1, 8 GT/s
      b.put(at + 36, 4, 0x0000_0010); // completion timeout disable supported
      b.put(at + 40, 2, 0, 0x001f);
      b.put(at + 44, 4, 0x0000_000e); // 2.5 to 8 GT/s
      b.put(at + 48, 2, 0x0003, 0x000f);
      break;
    }
    case 'msi': {
      const length = 10 + (capability.address64 ? 4 : 0) + (capability.masking ? 10 : 0);
      const at = b.capability(CapabilityId.msi, length);
      const log2 = Math.log2(capability.vectors);
      if (log2 % 1 !== 0 || log2 > 5)
        throw new Error(`${capability.vectors} MSI vectors: accepted are 1, 2, 4, 8, 16 or 32`);
      const control = (log2 << 1) | (capability.address64 ? 0x80 : 0) | (capability.masking ? 0x100 : 0);
      b.put(at + 2, 2, control, 0x0071);
      b.put(at + 4, 4, 0, 0xffff_fffc);
      let next = at + 8;
      if (capability.address64) {
        b.put(next, 4, 0, 0xffff_ffff);
        next += 4;
      }
      b.put(next, 2, 0, 0xffff);
      if (capability.masking) {
        b.put(next + 4, 4, 0, 2 ** capability.vectors - 1);
        b.put(next + 8, 4, 0);
      }
      break;
    }
    case 'msix': {
      const { vectors, tableBar, tableOffset, pbaBar, pbaOffset } = capability;
      if (!Number.isInteger(vectors) || vectors < 1 || vectors > 2048)
        throw new Error(`${vectors} MSI-X vectors: accepted are 1 to 2048`);
      checkInside(description, 'MSI-X table', tableBar, tableOffset, vectors * 16);
      checkInside(description, 'MSI-X pending bits', pbaBar, pbaOffset, Math.ceil(vectors / 64) * 8);
      const at = b.capability(CapabilityId.msix, 12);
      b.put(at + 2, 2, vectors - 1, 0xc000);
      b.put(at + 4, 4, tableOffset + tableBar);
      b.put(at + 8, 4, pbaOffset + pbaBar);
      break;
    }
  }
}

function checkInside(
  description: DeviceDescription,
  what: string,
  bar: number,
  offset: number,
  length: number,
): void {
  const size = description.bars.find((candidate) => candidate.index === bar)?.size;
  if (size === undefined) throw new Error(`${what}: there is no BAR ${bar}`);
  if (offset % 8 !== 0 || offset < 0 || offset + length > size)
    throw new Error(`${what}: ${length} bytes at ${offset} are not inside BAR ${bar} of ${size} bytes`);
}
