/**
 * From the bytes of a live function's configuration space back to what it was like at power-on: which bits a driver
 * writes is known for the header and for the capabilities named here (PCI 3.0, 6.1; PCIe 5.0, 7.5 to 7.7); everything
 * else stays as it was read.
 */
import { CapabilityId, CONFIG_BYTES, ConfigOffset, EXTENDED_CONFIG_BYTES } from '../sdk/config-space.ts';
import type { BarDescription, CapabilityDescription, ConfigImage, Identity } from '../sdk/device.ts';

export interface Clone {
  readonly identity: Identity;
  readonly bars: readonly Omit<BarDescription, 'title' | 'trace' | 'registers'>[];
  readonly capabilities: readonly CapabilityDescription[];
  readonly config: ConfigImage;
  /** Vectors that the function may raise. */
  readonly vectors: number;
}

const PAGE = 4096;
/** A BAR is at least aligned to its size; how large it is the address alone does not tell. */
const LARGEST_GUESS = 2 ** 20;

class Image implements ConfigImage {
  readonly bytes: Uint8Array;
  readonly writable: Uint8Array;
  readonly clearable: Uint8Array;

  constructor(dump: Uint8Array) {
    this.bytes = new Uint8Array(dump.length > CONFIG_BYTES ? EXTENDED_CONFIG_BYTES : CONFIG_BYTES);
    this.bytes.set(dump);
    this.writable = new Uint8Array(this.bytes.length);
    this.clearable = new Uint8Array(this.bytes.length);
  }

  get(offset: number, width: number): number {
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + (this.bytes[offset + i] ?? 0);
    return value;
  }

  put(offset: number, width: number, value: number): void {
    for (let i = 0; i < width; i++) this.bytes[offset + i] = Math.floor(value / 2 ** (8 * i)) & 0xff;
  }

  mask(offset: number, width: number, writable: number, clearable = 0): void {
    for (let i = 0; i < width && offset + i < this.bytes.length; i++) {
      this.writable[offset + i] = Math.floor(writable / 2 ** (8 * i)) & 0xff;
      this.clearable[offset + i] = Math.floor(clearable / 2 ** (8 * i)) & 0xff;
    }
  }
}

/** Largest power of two that divides `address`, within reason. */
function alignmentOf(address: number): number {
  let size = PAGE;
  while (size < LARGEST_GUESS && address !== 0 && address % (size * 2) === 0) size *= 2;
  return size;
}

/** `sizes`: of each BAR in bytes, 0 where it is not known. Throws an Error that says why these bytes are no endpoint's. */
export function cloneConfig(dump: Uint8Array, sizes: readonly number[]): Clone {
  const image = new Image(dump);
  const vendorId = image.get(ConfigOffset.vendorId, 2);
  if (vendorId === 0xffff || vendorId === 0) {
    throw new Error(`vendor ID 0x${vendorId.toString(16).padStart(4, '0')} is no device's`);
  }
  const layout = image.get(ConfigOffset.headerType, 1) & 0x7f;
  if (layout !== 0) {
    throw new Error(`header type ${layout} is a bridge's; accepted is an endpoint, which has header type 0`);
  }
  const identity: Identity = {
    vendorId,
    deviceId: image.get(ConfigOffset.deviceId, 2),
    subsystemVendorId: image.get(ConfigOffset.subsystemVendorId, 2),
    subsystemId: image.get(ConfigOffset.subsystemId, 2),
    revision: image.get(ConfigOffset.revision, 1),
    classCode: image.get(ConfigOffset.classCode, 3),
  };
  // One function, whatever it was.
  image.put(ConfigOffset.headerType, 1, 0);
  image.mask(ConfigOffset.command, 2, 0x0546);
  image.mask(ConfigOffset.status, 2, 0, 0xf900);
  image.mask(ConfigOffset.cacheLineSize, 1, 0xff);
  image.mask(ConfigOffset.interruptLine, 1, 0xff);
  image.put(ConfigOffset.expansionRom, 4, 0);
  if (dump.length < CONFIG_BYTES) {
    image.put(ConfigOffset.status, 2, image.get(ConfigOffset.status, 2) & ~0x10);
    image.put(ConfigOffset.capabilities, 1, 0);
  }
  const capabilities = readCapabilities(image);
  const bars = readBars(image, sizes, capabilities);
  for (let at = 0; at < image.bytes.length; at++) {
    image.bytes[at]! &= ~(image.writable[at]! | image.clearable[at]!);
  }
  const express = findCapability(capabilities, 'pcie');
  // Device Control at reset: relaxed ordering, no snoop, reads of 512 bytes (PCIe 5.0, 7.5.3.4).
  if (express !== undefined) {
    image.put(express.at + 8, 2, 0x2810);
    // Target Link Speed: the highest that the link has (7.5.3.19).
    if ((image.get(express.at + 2, 1) & 0xf) >= 2) {
      const speed = image.get(express.at + 12, 1) & 0xf;
      image.put(express.at + 48, 2, (image.get(express.at + 48, 2) & ~0xf) | speed);
    }
  }
  const msix = findCapability(capabilities, 'msix')?.capability;
  const msi = findCapability(capabilities, 'msi')?.capability;
  const pin = image.get(ConfigOffset.interruptPin, 1) === 0 ? 0 : 1;
  const vectors = msix?.kind === 'msix' ? msix.vectors : msi?.kind === 'msi' ? msi.vectors : pin;
  return {
    identity,
    bars,
    capabilities: capabilities.map(({ capability }) => capability),
    config: { bytes: image.bytes, writable: image.writable, clearable: image.clearable },
    vectors,
  };
}

interface Found {
  readonly at: number;
  readonly capability: CapabilityDescription;
}

function findCapability(found: readonly Found[], kind: CapabilityDescription['kind']): Found | undefined {
  return found.find(({ capability }) => capability.kind === kind);
}

function readCapabilities(image: Image): Found[] {
  const found: Found[] = [];
  if ((image.get(ConfigOffset.status, 2) & 0x10) === 0) return found;
  let at = image.get(ConfigOffset.capabilities, 1) & 0xfc;
  for (let count = 0; at >= 0x40 && count < 48; count++) {
    const capability = readCapability(image, at);
    if (capability !== undefined) found.push({ at, capability });
    at = image.get(at + 1, 1) & 0xfc;
  }
  return found;
}

function readCapability(image: Image, at: number): CapabilityDescription | undefined {
  switch (image.get(at, 1)) {
    case CapabilityId.pm: {
      const pme = (image.get(at + 2, 2) & 0xf800) !== 0;
      image.mask(at + 4, 2, pme ? 0x0103 : 0x0003, pme ? 0x8000 : 0);
      return { kind: 'pm' };
    }
    case CapabilityId.pcie:
      image.mask(at + 8, 2, 0x7fff);
      image.mask(at + 10, 2, 0, 0x000f);
      image.mask(at + 16, 2, 0x01fb);
      if ((image.get(at + 2, 1) & 0xf) >= 2) {
        image.mask(at + 40, 2, 0x001f);
        image.mask(at + 48, 2, 0x000f);
      }
      return { kind: 'pcie' };
    case CapabilityId.msi: {
      const control = image.get(at + 2, 2);
      const address64 = (control & 0x80) !== 0;
      const masking = (control & 0x100) !== 0;
      const vectors = (1 << Math.min(5, (control >>> 1) & 7)) as 1 | 2 | 4 | 8 | 16 | 32;
      image.mask(at + 2, 2, 0x0071);
      image.mask(at + 4, 4, 0xffff_fffc);
      let next = at + 8;
      if (address64) {
        image.mask(next, 4, 0xffff_ffff);
        next += 4;
      }
      image.mask(next, 2, 0xffff);
      if (masking) image.mask(next + 4, 4, 2 ** vectors - 1);
      return { kind: 'msi', vectors, address64, masking };
    }
    case CapabilityId.msix: {
      image.mask(at + 2, 2, 0xc000);
      const table = image.get(at + 4, 4);
      const pba = image.get(at + 8, 4);
      return {
        kind: 'msix',
        vectors: (image.get(at + 2, 2) & 0x7ff) + 1,
        tableBar: table & 7,
        tableOffset: table - (table & 7),
        pbaBar: pba & 7,
        pbaOffset: pba - (pba & 7),
      };
    }
    default:
      return undefined;
  }
}

/** Bytes of `bar` that the MSI-X structures need. */
function msixEnd(capabilities: readonly Found[], bar: number): number {
  const capability = findCapability(capabilities, 'msix')?.capability;
  if (capability?.kind !== 'msix') return 0;
  const { vectors, tableBar, tableOffset, pbaBar, pbaOffset } = capability;
  const table = tableBar === bar ? tableOffset + vectors * 16 : 0;
  const pba = pbaBar === bar ? pbaOffset + Math.ceil(vectors / 64) * 8 : 0;
  return Math.max(table, pba);
}

function readBars(image: Image, sizes: readonly number[], capabilities: readonly Found[]): Clone['bars'] {
  const bars: Omit<BarDescription, 'title' | 'trace' | 'registers'>[] = [];
  for (let index = 0; index < 6; index++) {
    const offset = ConfigOffset.bar0 + index * 4;
    const low = image.get(offset, 4);
    const io = (low & 1) !== 0;
    const memory64 = !io && (low & 6) === 4 && index < 5;
    const high = memory64 ? image.get(offset + 4, 4) : 0;
    const address = high * 2 ** 32 + (low - (low % 16));
    const needed = msixEnd(capabilities, index);
    if (io || (address === 0 && !memory64 && (sizes[index] ?? 0) === 0 && needed === 0)) {
      // No I/O space here; and nothing where nothing was.
      image.put(offset, 4, 0);
      continue;
    }
    let size = sizes[index] || alignmentOf(address);
    size = 2 ** Math.ceil(Math.log2(Math.max(size, needed, PAGE)));
    if (!memory64 && size > 2 ** 31) throw new Error(`BAR ${index}: a 32-bit BAR has at most 2 GiB`);
    const prefetchable = (low & 8) !== 0;
    image.put(offset, 4, low % 16);
    image.mask(offset, 4, size >= 2 ** 32 ? 0 : 2 ** 32 - size);
    if (memory64) {
      image.put(offset + 4, 4, 0);
      image.mask(offset + 4, 4, size > 2 ** 32 ? 2 ** 32 - size / 2 ** 32 : 0xffff_ffff);
    }
    bars.push({ index, size, memory64, prefetchable });
    if (memory64) index++;
  }
  const missing = findCapability(capabilities, 'msix')?.capability;
  if (missing?.kind === 'msix') {
    for (const bar of [missing.tableBar, missing.pbaBar]) {
      if (!bars.some(({ index }) => index === bar)) {
        throw new Error(`its MSI-X table is in BAR ${bar}, which is not there`);
      }
    }
  }
  return bars;
}
