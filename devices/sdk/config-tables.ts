/** Registers of the headers and of the capabilities, as data (PCI 3.0, 6.1 and 6.7; PCIe 5.0, 7.5 to 7.9). */
import type { FieldDescription } from './register-map.ts';

export interface ConfigRegister {
  readonly name: string;
  /** From the start of its structure. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  readonly description?: string;
  readonly fields?: readonly FieldDescription[];
  readonly values?: Readonly<Record<number, string>>;
}

export const field = (
  name: string,
  msb: number,
  lsb: number,
  values?: Readonly<Record<number, string>>,
  description?: string,
): FieldDescription => ({
  name,
  lsb,
  width: msb - lsb + 1,
  ...(values === undefined ? {} : { values }),
  ...(description === undefined ? {} : { description }),
});
export const flag = (name: string, bit: number, description?: string): FieldDescription =>
  field(name, bit, bit, undefined, description);
const on = { 0: 'off', 1: 'on' } as const;
export const sw = (name: string, bit: number, description?: string): FieldDescription =>
  field(name, bit, bit, on, description);

const devselTiming = { 0: 'fast', 1: 'medium', 2: 'slow' } as const;

/** The registers of entry 0, 1, ... of a table. */
export function perEntry(
  count: number,
  registers: (entry: number) => readonly ConfigRegister[],
): readonly ConfigRegister[] {
  return Array.from({ length: count }, (_, entry) => registers(entry)).flat();
}

export const headerRegisters: readonly ConfigRegister[] = [
  { name: 'Vendor ID', offset: 0x00, length: 2 },
  { name: 'Device ID', offset: 0x02, length: 2 },
  {
    name: 'Command',
    offset: 0x04,
    length: 2,
    fields: [
      sw('I/O Space Enable', 0, 'The function answers accesses to its I/O BARs'),
      sw('Memory Space Enable', 1, 'The function answers accesses to its memory BARs'),
      sw('Bus Master Enable', 2, 'The function may access memory and send MSI and MSI-X messages'),
      sw('Special Cycle Enable', 3),
      sw('Memory Write and Invalidate', 4),
      sw('VGA Palette Snoop', 5),
      sw('Parity Error Response', 6),
      sw('SERR# Enable', 8),
      sw('Fast Back-to-Back Enable', 9),
      sw('Interrupt Disable', 10, 'The function may not assert INTx'),
    ],
  },
  {
    name: 'Status',
    offset: 0x06,
    length: 2,
    fields: [
      flag('Immediate Readiness', 0),
      flag('Interrupt Status', 3, 'An INTx interrupt is pending'),
      flag('Capabilities List', 4, 'There is a list of capabilities'),
      flag('66 MHz Capable', 5),
      flag('Fast Back-to-Back Capable', 7),
      flag('Master Data Parity Error', 8),
      field('DEVSEL Timing', 10, 9, devselTiming),
      flag('Signaled Target Abort', 11),
      flag('Received Target Abort', 12),
      flag('Received Master Abort', 13),
      flag('Signaled System Error', 14),
      flag('Detected Parity Error', 15),
    ],
  },
  { name: 'Revision ID', offset: 0x08, length: 1 },
  { name: 'Class Code', offset: 0x09, length: 3 },
  { name: 'Cache Line Size', offset: 0x0c, length: 1, description: 'In units of 4 bytes' },
  { name: 'Latency Timer', offset: 0x0d, length: 1 },
  {
    name: 'Header Type',
    offset: 0x0e,
    length: 1,
    fields: [
      field('Header Layout', 6, 0, { 0: 'type 0, endpoint', 1: 'type 1, bridge', 2: 'CardBus bridge' }),
      flag('Multi-Function Device', 7),
    ],
  },
  { name: 'BIST', offset: 0x0f, length: 1 },
];

const expansionRom = (offset: number): ConfigRegister => ({
  name: 'Expansion ROM Base Address',
  offset,
  length: 4,
  fields: [
    sw('Enable', 0),
    field('Validation Status', 3, 1),
    field('Validation Details', 7, 4),
    field('Base Address', 31, 11),
  ],
});
const interrupt: readonly ConfigRegister[] = [
  { name: 'Interrupt Line', offset: 0x3c, length: 1 },
  {
    name: 'Interrupt Pin',
    offset: 0x3d,
    length: 1,
    values: { 0: 'none', 1: 'INTA#', 2: 'INTB#', 3: 'INTC#', 4: 'INTD#' },
  },
];

/** Behind the six BARs of a type 0 header. */
export const endpointTail: readonly ConfigRegister[] = [
  { name: 'CardBus CIS Pointer', offset: 0x28, length: 4 },
  { name: 'Subsystem Vendor ID', offset: 0x2c, length: 2 },
  { name: 'Subsystem ID', offset: 0x2e, length: 2 },
  expansionRom(0x30),
  { name: 'Capabilities Pointer', offset: 0x34, length: 1 },
  ...interrupt,
  { name: 'Min_Gnt', offset: 0x3e, length: 1 },
  { name: 'Max_Lat', offset: 0x3f, length: 1 },
];

const ioWindow = (name: string, offset: number): ConfigRegister => ({
  name,
  offset,
  length: 1,
  fields: [
    field('I/O Addressing Capability', 3, 0, { 0: '16-bit', 1: '32-bit' }),
    field('Address Bits 15:12', 7, 4),
  ],
});
const memoryWindow = (name: string, offset: number): ConfigRegister => ({
  name,
  offset,
  length: 2,
  fields: [field('Address Bits 31:20', 15, 4)],
});
const prefetchableWindow = (name: string, offset: number): ConfigRegister => ({
  name,
  offset,
  length: 2,
  fields: [
    field('Addressing Capability', 3, 0, { 0: '32-bit', 1: '64-bit' }),
    field('Address Bits 31:20', 15, 4),
  ],
});

/** Behind the two BARs of a type 1 header (PCIe 5.0, 7.5.1.3). */
export const bridgeTail: readonly ConfigRegister[] = [
  { name: 'Primary Bus Number', offset: 0x18, length: 1 },
  { name: 'Secondary Bus Number', offset: 0x19, length: 1 },
  { name: 'Subordinate Bus Number', offset: 0x1a, length: 1 },
  { name: 'Secondary Latency Timer', offset: 0x1b, length: 1 },
  ioWindow('I/O Base', 0x1c),
  ioWindow('I/O Limit', 0x1d),
  {
    name: 'Secondary Status',
    offset: 0x1e,
    length: 2,
    fields: [
      flag('66 MHz Capable', 5),
      flag('Fast Back-to-Back Capable', 7),
      flag('Master Data Parity Error', 8),
      field('DEVSEL Timing', 10, 9, devselTiming),
      flag('Signaled Target Abort', 11),
      flag('Received Target Abort', 12),
      flag('Received Master Abort', 13),
      flag('Received System Error', 14),
      flag('Detected Parity Error', 15),
    ],
  },
  memoryWindow('Memory Base', 0x20),
  memoryWindow('Memory Limit', 0x22),
  prefetchableWindow('Prefetchable Memory Base', 0x24),
  prefetchableWindow('Prefetchable Memory Limit', 0x26),
  { name: 'Prefetchable Base Upper 32 Bits', offset: 0x28, length: 4 },
  { name: 'Prefetchable Limit Upper 32 Bits', offset: 0x2c, length: 4 },
  { name: 'I/O Base Upper 16 Bits', offset: 0x30, length: 2 },
  { name: 'I/O Limit Upper 16 Bits', offset: 0x32, length: 2 },
  { name: 'Capabilities Pointer', offset: 0x34, length: 1 },
  expansionRom(0x38),
  ...interrupt,
  {
    name: 'Bridge Control',
    offset: 0x3e,
    length: 2,
    fields: [
      sw('Parity Error Response Enable', 0),
      sw('SERR# Enable', 1),
      sw('ISA Enable', 2),
      sw('VGA Enable', 3),
      sw('VGA 16-bit Decode', 4),
      flag('Master Abort Mode', 5),
      sw('Secondary Bus Reset', 6),
      sw('Fast Back-to-Back Transactions Enable', 7),
      flag('Primary Discard Timer', 8),
      flag('Secondary Discard Timer', 9),
      flag('Discard Timer Status', 10),
      sw('Discard Timer SERR# Enable', 11),
    ],
  },
];

export const pmRegisters: readonly ConfigRegister[] = [
  {
    name: 'Power Management Capabilities',
    offset: 2,
    length: 2,
    fields: [
      field('Version', 2, 0),
      flag('PME Clock', 3),
      flag('Immediate Readiness on Return to D0', 4),
      flag('Device Specific Initialization', 5),
      field('Aux Current', 8, 6),
      flag('D1 Support', 9),
      flag('D2 Support', 10),
      field('PME Support', 15, 11),
    ],
  },
  {
    name: 'Power Management Control/Status',
    offset: 4,
    length: 2,
    fields: [
      field('PowerState', 1, 0, { 0: 'D0', 1: 'D1', 2: 'D2', 3: 'D3hot' }),
      flag('No_Soft_Reset', 3, 'The function keeps its state from D3hot to D0'),
      sw('PME_En', 8),
      field('Data_Select', 12, 9),
      field('Data_Scale', 14, 13),
      flag('PME_Status', 15),
    ],
  },
  { name: 'Bridge Support Extensions', offset: 6, length: 1 },
  { name: 'Data', offset: 7, length: 1 },
];

const vectorCounts = { 0: '1', 1: '2', 2: '4', 3: '8', 4: '16', 5: '32' } as const;

export const msiControl: ConfigRegister = {
  name: 'Message Control',
  offset: 2,
  length: 2,
  fields: [
    sw('MSI Enable', 0),
    field('Multiple Message Capable', 3, 1, vectorCounts, 'Vectors that the function asks for'),
    field('Multiple Message Enable', 6, 4, vectorCounts, 'Vectors that the driver allotted'),
    flag('64-bit Address Capable', 7),
    flag('Per-Vector Masking Capable', 8),
    flag('Extended Message Data Capable', 9),
    sw('Extended Message Data Enable', 10),
  ],
};

export const msixRegisters: readonly ConfigRegister[] = [
  {
    name: 'Message Control',
    offset: 2,
    length: 2,
    fields: [
      field('Table Size', 10, 0, undefined, 'Vectors, minus one'),
      sw('Function Mask', 14, 'All vectors are masked'),
      sw('MSI-X Enable', 15),
    ],
  },
  {
    name: 'Table Offset/BIR',
    offset: 4,
    length: 4,
    fields: [field('Table BIR', 2, 0), field('Table Offset', 31, 3, undefined, 'In units of 8 bytes')],
  },
  {
    name: 'PBA Offset/BIR',
    offset: 8,
    length: 4,
    fields: [field('PBA BIR', 2, 0), field('PBA Offset', 31, 3, undefined, 'In units of 8 bytes')],
  },
];

export const vpdRegisters: readonly ConfigRegister[] = [
  {
    name: 'VPD Address',
    offset: 2,
    length: 2,
    fields: [
      field('VPD Address', 14, 0),
      flag('F', 15, 'Turns over when the transfer between VPD Data and the storage is done'),
    ],
  },
  { name: 'VPD Data', offset: 4, length: 4 },
];

export const bridgeSubsystemRegisters: readonly ConfigRegister[] = [
  { name: 'Subsystem Vendor ID', offset: 4, length: 2 },
  { name: 'Subsystem ID', offset: 6, length: 2 },
];

export const advancedRegisters: readonly ConfigRegister[] = [
  { name: 'Length', offset: 2, length: 1 },
  {
    name: 'AF Capabilities',
    offset: 3,
    length: 1,
    fields: [flag('Transactions Pending Supported', 0), flag('Function Level Reset Supported', 1)],
  },
  {
    name: 'AF Control',
    offset: 4,
    length: 1,
    fields: [flag('Initiate Function Level Reset', 0, 'Writing 1 resets the function; reads as 0')],
  },
  { name: 'AF Status', offset: 5, length: 1, fields: [flag('Transactions Pending', 0)] },
];

export const allocationEntries: ConfigRegister = {
  name: 'Enhanced Allocation Entries',
  offset: 2,
  length: 1,
  fields: [field('Num Entries', 5, 0)],
};
/** Of a bridge only. */
export const allocationBuses: readonly ConfigRegister[] = [
  { name: 'Fixed Secondary Bus Number', offset: 4, length: 1 },
  { name: 'Fixed Subordinate Bus Number', offset: 5, length: 1 },
];

const allocated: Readonly<Record<number, string>> = {
  0: 'memory',
  1: 'memory, prefetchable',
  2: 'I/O',
  3: 'memory of virtual functions, prefetchable',
  4: 'memory of virtual functions',
  5: 'memory behind the bridge',
  6: 'memory behind the bridge, prefetchable',
  7: 'I/O behind the bridge',
  253: 'memory, not to be used',
  254: 'I/O, not to be used',
  255: 'not available',
};

/** One entry of Enhanced Allocation; `wide` says which of base and limit have 64 bits. */
export function allocationRegisters(
  entry: number,
  offset: number,
  wide: { readonly base: boolean; readonly limit: boolean },
): ConfigRegister[] {
  const registers: ConfigRegister[] = [
    {
      name: `Entry ${entry}`,
      offset,
      length: 4,
      fields: [
        field('Entry Size', 2, 0, undefined, 'Words of 4 bytes behind this one'),
        field('BAR Equivalent Indicator', 7, 4),
        field('Primary Properties', 15, 8, allocated),
        field('Secondary Properties', 23, 16, allocated),
        flag('Writable', 30),
        sw('Enable', 31),
      ],
    },
    {
      name: `Base ${entry}`,
      offset: offset + 4,
      length: 4,
      fields: [flag('64-bit', 1), field('Base', 31, 2)],
    },
    {
      name: `MaxOffset ${entry}`,
      offset: offset + 8,
      length: 4,
      fields: [flag('64-bit', 1), field('MaxOffset', 31, 2)],
    },
  ];
  if (wide.base) registers.push({ name: `Base ${entry} Upper 32 Bits`, offset: offset + 12, length: 4 });
  if (wide.limit) {
    registers.push({
      name: `MaxOffset ${entry} Upper 32 Bits`,
      offset: offset + (wide.base ? 16 : 12),
      length: 4,
    });
  }
  return registers;
}
