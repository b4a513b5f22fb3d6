/** Configuration space, byte by byte, as a tree of named registers and fields; plain data for a panel. */

import { expressBody, isRootType } from './config-express.ts';
import { type ExtendedContext, extendedBody } from './config-extended.ts';
import { capabilityNames, className, extendedCapabilityNames } from './config-names.ts';
import { CapabilityId, ConfigOffset } from './config-space.ts';
import {
  advancedRegisters,
  allocationBuses,
  allocationEntries,
  allocationRegisters,
  bridgeSubsystemRegisters,
  bridgeTail,
  type ConfigRegister,
  endpointTail,
  headerRegisters,
  msiControl,
  msixRegisters,
  pmRegisters,
  vpdRegisters,
} from './config-tables.ts';
import type { FieldDescription } from './register-map.ts';

/** A register, a field of one, or a group of them. */
export interface ConfigNode {
  readonly name: string;
  /** Bytes from the start of configuration space; fields repeat their register's. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** Hexadecimal; absent for a group. */
  readonly value?: string;
  /** What the value means. */
  readonly text?: string;
  /** Of a field: lowest bit and width in its register. */
  readonly lsb?: number;
  readonly bits?: number;
  readonly description?: string;
  /** Bits that the specification keeps for later. */
  readonly reserved?: boolean;
  readonly children?: readonly ConfigNode[];
}

function word(bytes: Uint8Array, offset: number, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = value * 256 + (bytes[offset + i] ?? 0xff);
  return value;
}

function hexDigits(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

function fieldNode(field: FieldDescription, offset: number, length: number, register: number): ConfigNode {
  const value = Math.floor(register / 2 ** field.lsb) % 2 ** field.width;
  const text = field.values?.[value];
  return {
    name: field.name,
    offset,
    length,
    value: hexDigits(value, Math.ceil(field.width / 4)),
    ...(text === undefined ? {} : { text }),
    lsb: field.lsb,
    bits: field.width,
    ...(field.description === undefined ? {} : { description: field.description }),
  };
}

/** The fields of a register, and the bits between them. */
function fieldNodes(
  fields: readonly FieldDescription[],
  offset: number,
  length: number,
  register: number,
): ConfigNode[] {
  const nodes: ConfigNode[] = [];
  const gap = (from: number, to: number): void => {
    if (to <= from) return;
    const reserved = { name: 'Reserved', lsb: from, width: to - from };
    nodes.push({ ...fieldNode(reserved, offset, length, register), reserved: true });
  };
  let next = 0;
  for (const field of [...fields].sort((a, b) => a.lsb - b.lsb)) {
    gap(next, field.lsb);
    nodes.push(fieldNode(field, offset, length, register));
    next = field.lsb + field.width;
  }
  gap(next, length * 8);
  return nodes;
}

function registerNode(bytes: Uint8Array, base: number, register: ConfigRegister, text?: string): ConfigNode {
  const offset = base + register.offset;
  const value = word(bytes, offset, register.length);
  const meaning = text ?? register.values?.[value];
  return {
    name: register.name,
    offset,
    length: register.length,
    value: hexDigits(value, register.length * 2),
    ...(meaning === undefined ? {} : { text: meaning }),
    ...(register.description === undefined ? {} : { description: register.description }),
    ...(register.fields === undefined
      ? {}
      : { children: fieldNodes(register.fields, offset, register.length, value) }),
  };
}

function headerNode(bytes: Uint8Array): ConfigNode {
  const known = (register: ConfigRegister) => {
    if (register.name === 'Class Code') return registerNode(bytes, 0, register, className(word(bytes, 9, 3)));
    return registerNode(bytes, 0, register);
  };
  const children = headerRegisters.map(known);
  const layout = bytes[ConfigOffset.headerType]! & 0x7f;
  if (layout === 0) {
    children.push(...barNodes(bytes, 6), ...endpointTail.map(known));
  } else if (layout === 1) {
    const windows = bridgeWindows(bytes);
    children.push(...barNodes(bytes, 2));
    children.push(...bridgeTail.map((register) => registerNode(bytes, 0, register, windows[register.name])));
  } else {
    children.push(...rawWords(bytes, 0x10, 0x40));
  }
  return { name: layout < 2 ? `Type ${layout} Header` : 'Header', offset: 0, length: 0x40, children };
}

/** What a bridge passes on, beside the register in which it begins. */
function bridgeWindows(bytes: Uint8Array): Readonly<Record<string, string>> {
  const range = (base: number, limit: number, last: number, digits: number): string =>
    base > limit ? 'no window' : `${hexDigits(base, digits)} to ${hexDigits(limit + last, digits)}`;
  const address = (offset: number, length: number, mask: number, shift: number, upper: number): number =>
    upper * 2 ** (length === 1 ? 16 : 32) + (word(bytes, offset, length) & mask) * 2 ** shift;
  const [io, wide] = [(bytes[0x1c]! & 0xf) === 1, (bytes[0x24]! & 0xf) === 1];
  const above = (offset: number, length: number, there: boolean): number =>
    there ? word(bytes, offset, length) : 0;
  return {
    'I/O Base': range(
      address(0x1c, 1, 0xf0, 8, above(0x30, 2, io)),
      address(0x1d, 1, 0xf0, 8, above(0x32, 2, io)),
      0xfff,
      io ? 8 : 4,
    ),
    'Memory Base': range(address(0x20, 2, 0xfff0, 16, 0), address(0x22, 2, 0xfff0, 16, 0), 0xf_ffff, 8),
    'Prefetchable Memory Base': range(
      address(0x24, 2, 0xfff0, 16, above(0x28, 4, wide)),
      address(0x26, 2, 0xfff0, 16, above(0x2c, 4, wide)),
      0xf_ffff,
      wide ? 16 : 8,
    ),
  };
}

function barNodes(bytes: Uint8Array, count: number): ConfigNode[] {
  const nodes: ConfigNode[] = [];
  for (let index = 0; index < count; index++) {
    const offset = ConfigOffset.bar0 + index * 4;
    const value = word(bytes, offset, 4);
    const io = (value & 1) !== 0;
    const wide = !io && (value & 6) === 4 && index < count - 1;
    const fields: FieldDescription[] = io
      ? [
          { name: 'Space', lsb: 0, width: 1, values: { 0: 'memory', 1: 'I/O' } },
          { name: 'Base Address', lsb: 2, width: 30 },
        ]
      : [
          { name: 'Space', lsb: 0, width: 1, values: { 0: 'memory', 1: 'I/O' } },
          { name: 'Type', lsb: 1, width: 2, values: { 0: '32-bit', 2: '64-bit' } },
          { name: 'Prefetchable', lsb: 3, width: 1, values: { 0: 'no', 1: 'yes' } },
          { name: 'Base Address', lsb: 4, width: 28 },
        ];
    const upper = wide ? word(bytes, offset + 4, 4) : 0;
    const base = upper * 2 ** 32 + (value - (value % (io ? 4 : 16)));
    const kind = io ? 'I/O' : `${wide ? '64' : '32'}-bit memory${value & 8 ? ', prefetchable' : ''}`;
    nodes.push({
      name: `Base Address ${index}`,
      offset,
      length: 4,
      value: hexDigits(value, 8),
      text: value === 0 && upper === 0 ? 'not used' : `${kind} at ${hexDigits(base, wide ? 16 : 8)}`,
      children: fieldNodes(fields, offset, 4, value),
    });
    if (wide) {
      index++;
      nodes.push({
        name: `Base Address ${index}`,
        offset: offset + 4,
        length: 4,
        value: hexDigits(upper, 8),
        text: `upper half of base address ${index - 1}`,
      });
    }
  }
  return nodes;
}

function rawWords(bytes: Uint8Array, from: number, to: number): ConfigNode[] {
  const nodes: ConfigNode[] = [];
  let length = 0;
  for (let offset = from; offset < to; offset += length) {
    length = Math.min(4 - (offset % 4), to - offset);
    nodes.push({
      name: `Bytes ${hexDigits(offset, 2)}`,
      offset,
      length,
      value: hexDigits(word(bytes, offset, length), length * 2),
    });
  }
  return nodes;
}

function linkNodes(bytes: Uint8Array, at: number): ConfigNode[] {
  const id = bytes[at]!;
  const next = bytes[at + 1]!;
  return [
    {
      name: 'Capability ID',
      offset: at,
      length: 1,
      value: hexDigits(id, 2),
      text: capabilityNames[id] ?? 'unknown',
    },
    {
      name: 'Next Capability Pointer',
      offset: at + 1,
      length: 1,
      value: hexDigits(next, 2),
      ...(next === 0 ? { text: 'end of the list' } : {}),
    },
  ];
}

/** Capabilities that no device model here has, but cards that are cloned do. */
const OldCapability = {
  vpd: 0x03,
  bridgeSubsystem: 0x0d,
  advancedFeatures: 0x13,
  enhancedAllocation: 0x14,
} as const;

/** Registers and length of the capability at `at`; `end` is where the next one or the space ends. */
function capabilityBody(
  bytes: Uint8Array,
  at: number,
  end: number,
): { length: number; registers: ConfigRegister[] } {
  switch (bytes[at]!) {
    case CapabilityId.pm:
      return { length: 8, registers: [...pmRegisters] };
    case CapabilityId.msi:
      return msiBody(word(bytes, at + 2, 2));
    case CapabilityId.msix:
      return { length: 12, registers: [...msixRegisters] };
    case CapabilityId.pcie:
      return expressBody(word(bytes, at + 2, 2));
    case OldCapability.vpd:
      return { length: 8, registers: [...vpdRegisters] };
    case OldCapability.bridgeSubsystem:
      return { length: 8, registers: [...bridgeSubsystemRegisters] };
    case OldCapability.advancedFeatures:
      return { length: 6, registers: [...advancedRegisters] };
    case OldCapability.enhancedAllocation:
      return allocationBody(bytes, at);
    case CapabilityId.vendorSpecific: {
      const length = Math.max(3, bytes[at + 2]!);
      return { length, registers: [{ name: 'Length', offset: 2, length: 1 }] };
    }
    default:
      return { length: Math.min(4, end - at), registers: [] };
  }
}

function allocationBody(bytes: Uint8Array, at: number): { length: number; registers: ConfigRegister[] } {
  const bridge = (bytes[ConfigOffset.headerType]! & 0x7f) === 1;
  const registers = [allocationEntries, ...(bridge ? allocationBuses : [])];
  let offset = bridge ? 8 : 4;
  for (let entry = 0; entry < (bytes[at + 2]! & 0x3f) && at + offset + 12 <= 256; entry++) {
    const wide = { base: (bytes[at + offset + 4]! & 2) !== 0, limit: (bytes[at + offset + 8]! & 2) !== 0 };
    const end = offset + 4 + (bytes[at + offset]! & 7) * 4;
    registers.push(
      ...allocationRegisters(entry, offset, wide).filter((one) => one.offset + one.length <= end),
    );
    offset = end;
  }
  return { length: offset, registers };
}

function msiBody(control: number): { length: number; registers: ConfigRegister[] } {
  const wide = (control & 0x80) !== 0;
  const masking = (control & 0x100) !== 0;
  const registers: ConfigRegister[] = [msiControl, { name: 'Message Address', offset: 4, length: 4 }];
  let offset = 8;
  if (wide) {
    registers.push({ name: 'Message Upper Address', offset, length: 4 });
    offset += 4;
  }
  registers.push({ name: 'Message Data', offset, length: 2 });
  if (!masking) return { length: offset + 2, registers };
  registers.push({ name: 'Extended Message Data', offset: offset + 2, length: 2 });
  registers.push({ name: 'Mask Bits', offset: offset + 4, length: 4 });
  registers.push({ name: 'Pending Bits', offset: offset + 8, length: 4 });
  return { length: offset + 12, registers };
}

function capabilityText(bytes: Uint8Array, at: number): string | undefined {
  const control = word(bytes, at + 2, 2);
  switch (bytes[at]!) {
    case CapabilityId.msi:
      return `${1 << ((control >>> 1) & 7)} vectors, ${control & 1 ? 'enabled' : 'off'}`;
    case CapabilityId.msix: {
      const masked = control & 0x4000 ? ', all masked' : '';
      return `${(control & 0x7ff) + 1} vectors, ${control & 0x8000 ? 'enabled' : 'off'}${masked}`;
    }
    case CapabilityId.pm:
      return ['D0', 'D1', 'D2', 'D3hot'][bytes[at + 4]! & 3];
    default:
      return undefined;
  }
}

function capabilityNodes(bytes: Uint8Array): ConfigNode[] {
  const nodes: ConfigNode[] = [];
  if ((word(bytes, ConfigOffset.status, 2) & 0x10) === 0) return nodes;
  const seen = new Set<number>();
  let at = bytes[ConfigOffset.capabilities]! & 0xfc;
  while (at !== 0) {
    if (at < 0x40 || seen.has(at)) {
      nodes.push({
        name: 'Broken list',
        offset: at,
        length: 1,
        text: at < 0x40 ? 'a pointer into the header' : 'a pointer back to an earlier capability',
      });
      break;
    }
    seen.add(at);
    const start = at;
    const { length, registers } = capabilityBody(bytes, start, 256);
    const text = capabilityText(bytes, start);
    const end = Math.min(256, start + length);
    const children = [
      ...linkNodes(bytes, start),
      ...registers
        .filter(({ offset, length: bytesOfIt }) => start + offset + bytesOfIt <= 256)
        .map((register) => registerNode(bytes, start, register)),
    ];
    if (registers.length <= 1)
      children.push(...rawWords(bytes, start + (registers.length === 1 ? 3 : 2), end));
    nodes.push({
      name: `${capabilityNames[bytes[start]!] ?? `Unknown (${hexDigits(bytes[start]!, 2)})`} Capability`,
      offset: start,
      length: end - start,
      ...(text === undefined ? {} : { text }),
      children,
    });
    at = bytes[start + 1]! & 0xfc;
  }
  return nodes;
}

/** What the PCI Express capability says (PCIe 5.0, 7.5.3.2 and 7.5.3.6). */
function extendedContext(bytes: Uint8Array): ExtendedContext {
  const seen = new Set<number>();
  for (let at = bytes[ConfigOffset.capabilities]! & 0xfc; at >= 0x40 && !seen.has(at); ) {
    seen.add(at);
    if (bytes[at] === CapabilityId.pcie) {
      const lanes = (word(bytes, at + 12, 2) >>> 4) & 0x3f;
      return { root: isRootType(bytes[at + 2]! >>> 4), lanes: Math.min(32, Math.max(1, lanes)) };
    }
    at = bytes[at + 1]! & 0xfc;
  }
  return { root: false, lanes: 1 };
}

function extendedNodes(bytes: Uint8Array): ConfigNode[] {
  const nodes: ConfigNode[] = [];
  const context = extendedContext(bytes);
  const seen = new Set<number>();
  let at = 0x100;
  while (at >= 0x100 && at + 4 <= bytes.length && !seen.has(at)) {
    seen.add(at);
    const header = word(bytes, at, 4);
    if (header === 0 || header === 0xffff_ffff) break;
    const id = header % 65536;
    const next = Math.floor(header / 2 ** 20) & 0xffc;
    const name = extendedCapabilityNames[id] ?? `Unknown (${hexDigits(id, 4)})`;
    const fields: FieldDescription[] = [
      { name: 'Capability ID', lsb: 0, width: 16, values: { [id]: name } },
      { name: 'Capability Version', lsb: 16, width: 4 },
      {
        name: 'Next Capability Offset',
        lsb: 20,
        width: 12,
        ...(next === 0 ? { values: { 0: 'end of the list' } } : {}),
      },
    ];
    const start = at;
    const body = extendedBody(id, context, (offset, length) => word(bytes, start + offset, length));
    // How long an unknown one is only its own specification tells; show up to the next one, within reason.
    const end =
      body === undefined
        ? Math.min(bytes.length, next > at ? next : at + 64, at + 64)
        : Math.min(bytes.length, at + body.length);
    const registers = body?.registers.filter(({ offset, length }) => start + offset + length <= end) ?? [];
    nodes.push({
      name: `${name} Extended Capability`,
      offset: at,
      length: end - at,
      ...(body?.text === undefined ? {} : { text: body.text }),
      children: [
        {
          name: 'Extended Capability Header',
          offset: at,
          length: 4,
          value: hexDigits(header, 8),
          children: fields.map((field) => fieldNode(field, at, 4, header)),
        },
        ...registers.map((register) => registerNode(bytes, start, register)),
        ...(body === undefined
          ? rawWords(bytes, at + 4, end)
          : body.raw === undefined
            ? []
            : rawWords(bytes, at + body.raw, end)),
      ],
    });
    at = next;
  }
  return nodes;
}

/** Header, capabilities in list order, extended capabilities. Takes 64, 256 or 4096 bytes, or anything between. */
export function decodeConfigSpace(bytes: Uint8Array): ConfigNode[] {
  const nodes = [headerNode(bytes)];
  if (bytes.length >= 256) nodes.push(...capabilityNodes(bytes));
  if (bytes.length > 256) nodes.push(...extendedNodes(bytes));
  return nodes;
}
