/** Registers of the type 0 header and of the capabilities, as data (PCI 3.0, 6.1 and 6.7; PCIe 5.0, 7.5 to 7.7). */
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
      field('DEVSEL Timing', 10, 9, { 0: 'fast', 1: 'medium', 2: 'slow' }),
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

export const headerTail: readonly ConfigRegister[] = [
  { name: 'CardBus CIS Pointer', offset: 0x28, length: 4 },
  { name: 'Subsystem Vendor ID', offset: 0x2c, length: 2 },
  { name: 'Subsystem ID', offset: 0x2e, length: 2 },
  {
    name: 'Expansion ROM Base Address',
    offset: 0x30,
    length: 4,
    fields: [sw('Enable', 0), field('Base Address', 31, 11)],
  },
  { name: 'Capabilities Pointer', offset: 0x34, length: 1 },
  { name: 'Interrupt Line', offset: 0x3c, length: 1 },
  {
    name: 'Interrupt Pin',
    offset: 0x3d,
    length: 1,
    values: { 0: 'none', 1: 'INTA#', 2: 'INTB#', 3: 'INTC#', 4: 'INTD#' },
  },
  { name: 'Min_Gnt', offset: 0x3e, length: 1 },
  { name: 'Max_Lat', offset: 0x3f, length: 1 },
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

const payload = {
  0: '128 bytes',
  1: '256 bytes',
  2: '512 bytes',
  3: '1024 bytes',
  4: '2048 bytes',
  5: '4096 bytes',
};
const speeds = { 1: '2.5 GT/s', 2: '5 GT/s', 3: '8 GT/s', 4: '16 GT/s', 5: '32 GT/s', 6: '64 GT/s' } as const;
const widths = { 1: 'x1', 2: 'x2', 4: 'x4', 8: 'x8', 12: 'x12', 16: 'x16', 32: 'x32' } as const;
const aspm = { 0: 'none', 1: 'L0s', 2: 'L1', 3: 'L0s and L1' } as const;

/** The first 20 bytes are in every PCI Express capability; the rest depends on its version and port type. */
export const pcieRegisters: readonly ConfigRegister[] = [
  {
    name: 'PCI Express Capabilities',
    offset: 0x02,
    length: 2,
    fields: [
      field('Capability Version', 3, 0),
      field('Device/Port Type', 7, 4, {
        0: 'endpoint',
        1: 'legacy endpoint',
        4: 'root port',
        5: 'upstream switch port',
        6: 'downstream switch port',
        7: 'PCIe to PCI bridge',
        8: 'PCI to PCIe bridge',
        9: 'root complex integrated endpoint',
        10: 'root complex event collector',
      }),
      flag('Slot Implemented', 8),
      field('Interrupt Message Number', 13, 9),
    ],
  },
  {
    name: 'Device Capabilities',
    offset: 0x04,
    length: 4,
    fields: [
      field('Max_Payload_Size Supported', 2, 0, payload),
      field('Phantom Functions Supported', 4, 3),
      flag('Extended Tag Field Supported', 5),
      field('Endpoint L0s Acceptable Latency', 8, 6),
      field('Endpoint L1 Acceptable Latency', 11, 9),
      flag('Role-Based Error Reporting', 15),
      field('Captured Slot Power Limit Value', 25, 18),
      field('Captured Slot Power Limit Scale', 27, 26),
      flag('Function Level Reset Capability', 28),
    ],
  },
  {
    name: 'Device Control',
    offset: 0x08,
    length: 2,
    fields: [
      sw('Correctable Error Reporting Enable', 0),
      sw('Non-Fatal Error Reporting Enable', 1),
      sw('Fatal Error Reporting Enable', 2),
      sw('Unsupported Request Reporting Enable', 3),
      sw('Enable Relaxed Ordering', 4),
      field('Max_Payload_Size', 7, 5, payload),
      sw('Extended Tag Field Enable', 8),
      sw('Phantom Functions Enable', 9),
      sw('Aux Power PM Enable', 10),
      sw('Enable No Snoop', 11),
      field('Max_Read_Request_Size', 14, 12, payload),
      flag('Initiate Function Level Reset', 15, 'Writing 1 resets the function; reads as 0'),
    ],
  },
  {
    name: 'Device Status',
    offset: 0x0a,
    length: 2,
    fields: [
      flag('Correctable Error Detected', 0),
      flag('Non-Fatal Error Detected', 1),
      flag('Fatal Error Detected', 2),
      flag('Unsupported Request Detected', 3),
      flag('AUX Power Detected', 4),
      flag('Transactions Pending', 5),
    ],
  },
  {
    name: 'Link Capabilities',
    offset: 0x0c,
    length: 4,
    fields: [
      field('Max Link Speed', 3, 0, speeds),
      field('Maximum Link Width', 9, 4, widths),
      field('ASPM Support', 11, 10, aspm),
      field('L0s Exit Latency', 14, 12),
      field('L1 Exit Latency', 17, 15),
      flag('Clock Power Management', 18),
      flag('Surprise Down Error Reporting Capable', 19),
      flag('Data Link Layer Link Active Reporting Capable', 20),
      flag('Link Bandwidth Notification Capability', 21),
      flag('ASPM Optionality Compliance', 22),
      field('Port Number', 31, 24),
    ],
  },
  {
    name: 'Link Control',
    offset: 0x10,
    length: 2,
    fields: [
      field('ASPM Control', 1, 0, aspm),
      flag('Read Completion Boundary', 3),
      sw('Link Disable', 4),
      flag('Retrain Link', 5),
      sw('Common Clock Configuration', 6),
      sw('Extended Synch', 7),
      sw('Enable Clock Power Management', 8),
      sw('Hardware Autonomous Width Disable', 9),
    ],
  },
  {
    name: 'Link Status',
    offset: 0x12,
    length: 2,
    fields: [
      field('Current Link Speed', 3, 0, speeds),
      field('Negotiated Link Width', 9, 4, widths),
      flag('Link Training', 11),
      flag('Slot Clock Configuration', 12),
      flag('Data Link Layer Link Active', 13),
    ],
  },
];

export const pcieRegisters2: readonly ConfigRegister[] = [
  {
    name: 'Device Capabilities 2',
    offset: 0x24,
    length: 4,
    fields: [
      field('Completion Timeout Ranges Supported', 3, 0),
      flag('Completion Timeout Disable Supported', 4),
      flag('ARI Forwarding Supported', 5),
      flag('AtomicOp Routing Supported', 6),
      flag('32-bit AtomicOp Completer Supported', 7),
      flag('64-bit AtomicOp Completer Supported', 8),
      flag('128-bit CAS Completer Supported', 9),
      flag('LTR Mechanism Supported', 11),
      field('OBFF Supported', 19, 18),
      flag('Extended Fmt Field Supported', 20),
      flag('End-End TLP Prefix Supported', 21),
    ],
  },
  {
    name: 'Device Control 2',
    offset: 0x28,
    length: 2,
    fields: [
      field('Completion Timeout Value', 3, 0),
      sw('Completion Timeout Disable', 4),
      sw('ARI Forwarding Enable', 5),
      sw('AtomicOp Requester Enable', 6),
      sw('LTR Mechanism Enable', 10),
      field('OBFF Enable', 14, 13),
    ],
  },
  { name: 'Device Status 2', offset: 0x2a, length: 2 },
  {
    name: 'Link Capabilities 2',
    offset: 0x2c,
    length: 4,
    fields: [field('Supported Link Speeds Vector', 7, 1), flag('Crosslink Supported', 8)],
  },
  {
    name: 'Link Control 2',
    offset: 0x30,
    length: 2,
    fields: [field('Target Link Speed', 3, 0, speeds), sw('Enter Compliance', 4)],
  },
  { name: 'Link Status 2', offset: 0x32, length: 2 },
];
