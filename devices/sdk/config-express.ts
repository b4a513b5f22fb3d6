/** The PCI Express capability, as data (PCIe 5.0, 7.5.3; bits that 6.0 added by their names there). */
import { type ConfigRegister, field, flag, sw } from './config-tables.ts';

/** Device/Port Type (7.5.3.2). */
const PortType = {
  rootPort: 4,
  downstreamPort: 6,
  toExpressBridge: 8,
  integratedEndpoint: 9,
  eventCollector: 10,
} as const;

const payload = {
  0: '128 bytes',
  1: '256 bytes',
  2: '512 bytes',
  3: '1024 bytes',
  4: '2048 bytes',
  5: '4096 bytes',
};
const speeds = {
  1: '2.5 GT/s',
  2: '5 GT/s',
  3: '8 GT/s',
  4: '16 GT/s',
  5: '32 GT/s',
  6: '64 GT/s',
} as const;
const widths = { 1: 'x1', 2: 'x2', 4: 'x4', 8: 'x8', 12: 'x12', 16: 'x16', 32: 'x32' } as const;
const aspm = { 0: 'none', 1: 'L0s', 2: 'L1', 3: 'L0s and L1' } as const;

const l0sExit = {
  0: 'less than 64 ns',
  1: '64 to 128 ns',
  2: '128 to 256 ns',
  3: '256 to 512 ns',
  4: '512 ns to 1 us',
  5: '1 to 2 us',
  6: '2 to 4 us',
  7: 'more than 4 us',
};
const l1Exit = {
  0: 'less than 1 us',
  1: '1 to 2 us',
  2: '2 to 4 us',
  3: '4 to 8 us',
  4: '8 to 16 us',
  5: '16 to 32 us',
  6: '32 to 64 us',
  7: 'more than 64 us',
};
const timeouts = {
  0: '50 us to 50 ms',
  1: '50 to 100 us',
  2: '1 to 10 ms',
  5: '16 to 55 ms',
  6: '65 to 210 ms',
  9: '260 to 900 ms',
  10: '1 to 3.5 s',
  13: '4 to 13 s',
  14: '17 to 64 s',
};
const indicator = { 1: 'on', 2: 'blinking', 3: 'off' } as const;
const powerScale = { 0: '1 W', 1: '0.1 W', 2: '0.01 W', 3: '0.001 W' } as const;
const deemphasis = { 0: '-6 dB', 1: '-3.5 dB' } as const;

/** In every PCI Express capability. */
const device: readonly ConfigRegister[] = [
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
      flag('ERR_COR Subclass Capable', 16),
      field('Captured Slot Power Limit Value', 25, 18),
      field('Captured Slot Power Limit Scale', 27, 26, powerScale),
      flag('Function Level Reset Capability', 28),
      flag('TEE-IO Supported', 30),
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
      flag('Emergency Power Reduction Detected', 6),
    ],
  },
];

/** Of a function that has a link: not of one that is built into the root complex. */
const link: readonly ConfigRegister[] = [
  {
    name: 'Link Capabilities',
    offset: 0x0c,
    length: 4,
    fields: [
      field('Max Link Speed', 3, 0, speeds),
      field('Maximum Link Width', 9, 4, widths),
      field('ASPM Support', 11, 10, aspm),
      field('L0s Exit Latency', 14, 12, l0sExit),
      field('L1 Exit Latency', 17, 15, l1Exit),
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
      field('Read Completion Boundary', 3, 3, { 0: '64 bytes', 1: '128 bytes' }),
      sw('Link Disable', 4),
      flag('Retrain Link', 5),
      sw('Common Clock Configuration', 6),
      sw('Extended Synch', 7),
      sw('Enable Clock Power Management', 8),
      sw('Hardware Autonomous Width Disable', 9),
      sw('Link Bandwidth Management Interrupt Enable', 10),
      sw('Link Autonomous Bandwidth Interrupt Enable', 11),
      sw('SRIS Clocking', 12),
      sw('Flit Mode Disable', 13),
      field('DRS Signaling Control', 15, 14, { 0: 'not reported', 1: 'interrupt', 2: 'message' }),
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
      flag('Link Bandwidth Management Status', 14),
      flag('Link Autonomous Bandwidth Status', 15),
    ],
  },
];

/** Of a downstream port that leads to a slot. */
const slot: readonly ConfigRegister[] = [
  {
    name: 'Slot Capabilities',
    offset: 0x14,
    length: 4,
    fields: [
      flag('Attention Button Present', 0),
      flag('Power Controller Present', 1),
      flag('MRL Sensor Present', 2),
      flag('Attention Indicator Present', 3),
      flag('Power Indicator Present', 4),
      flag('Hot-Plug Surprise', 5),
      flag('Hot-Plug Capable', 6),
      field('Slot Power Limit Value', 14, 7),
      field('Slot Power Limit Scale', 16, 15, powerScale),
      flag('Electromechanical Interlock Present', 17),
      flag('No Command Completed Support', 18),
      field('Physical Slot Number', 31, 19),
    ],
  },
  {
    name: 'Slot Control',
    offset: 0x18,
    length: 2,
    fields: [
      sw('Attention Button Pressed Enable', 0),
      sw('Power Fault Detected Enable', 1),
      sw('MRL Sensor Changed Enable', 2),
      sw('Presence Detect Changed Enable', 3),
      sw('Command Completed Interrupt Enable', 4),
      sw('Hot-Plug Interrupt Enable', 5),
      field('Attention Indicator Control', 7, 6, indicator),
      field('Power Indicator Control', 9, 8, indicator),
      field('Power Controller Control', 10, 10, { 0: 'power on', 1: 'power off' }),
      flag('Electromechanical Interlock Control', 11, 'Writing 1 toggles the interlock; reads as 0'),
      sw('Data Link Layer State Changed Enable', 12),
      sw('Auto Slot Power Limit Disable', 13),
      sw('In-Band PD Disable', 14),
    ],
  },
  {
    name: 'Slot Status',
    offset: 0x1a,
    length: 2,
    fields: [
      flag('Attention Button Pressed', 0),
      flag('Power Fault Detected', 1),
      flag('MRL Sensor Changed', 2),
      flag('Presence Detect Changed', 3),
      flag('Command Completed', 4),
      field('MRL Sensor State', 5, 5, { 0: 'closed', 1: 'open' }),
      field('Presence Detect State', 6, 6, { 0: 'empty', 1: 'present' }),
      field('Electromechanical Interlock Status', 7, 7, { 0: 'disengaged', 1: 'engaged' }),
      flag('Data Link Layer State Changed', 8),
    ],
  },
];

/** Of a root port and of a root complex event collector. */
const root: readonly ConfigRegister[] = [
  {
    name: 'Root Control',
    offset: 0x1c,
    length: 2,
    fields: [
      sw('System Error on Correctable Error Enable', 0),
      sw('System Error on Non-Fatal Error Enable', 1),
      sw('System Error on Fatal Error Enable', 2),
      sw('PME Interrupt Enable', 3),
      sw('CRS Software Visibility Enable', 4),
    ],
  },
  {
    name: 'Root Capabilities',
    offset: 0x1e,
    length: 2,
    fields: [flag('CRS Software Visibility', 0)],
  },
  {
    name: 'Root Status',
    offset: 0x20,
    length: 4,
    fields: [field('PME Requester ID', 15, 0), flag('PME Status', 16), flag('PME Pending', 17)],
  },
];

const device2: readonly ConfigRegister[] = [
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
      flag('No RO-enabled PR-PR Passing', 10),
      flag('LTR Mechanism Supported', 11),
      field('TPH Completer Supported', 13, 12, { 0: 'none', 1: 'TPH', 3: 'TPH and Extended TPH' }),
      field('LN System CLS', 15, 14, { 0: 'none', 1: '64 bytes', 2: '128 bytes' }),
      flag('10-Bit Tag Completer Supported', 16),
      flag('10-Bit Tag Requester Supported', 17),
      field('OBFF Supported', 19, 18, { 0: 'none', 1: 'message', 2: 'WAKE#', 3: 'WAKE# and message' }),
      flag('Extended Fmt Field Supported', 20),
      flag('End-End TLP Prefix Supported', 21),
      field('Max End-End TLP Prefixes', 23, 22, { 0: '4', 1: '1', 2: '2', 3: '3' }),
      field('Emergency Power Reduction Supported', 25, 24, {
        0: 'none',
        1: 'by a device specific mechanism',
        2: 'by the form factor or a device specific mechanism',
      }),
      flag('Emergency Power Reduction Initialization Required', 26),
      flag('DMWr Completer Supported', 28),
      field('DMWr Lengths Supported', 30, 29, { 0: '64 bytes', 1: '128 bytes' }),
      flag('FRS Supported', 31),
    ],
  },
  {
    name: 'Device Control 2',
    offset: 0x28,
    length: 2,
    fields: [
      field('Completion Timeout Value', 3, 0, timeouts),
      sw('Completion Timeout Disable', 4),
      sw('ARI Forwarding Enable', 5),
      sw('AtomicOp Requester Enable', 6),
      sw('AtomicOp Egress Blocking', 7),
      sw('IDO Request Enable', 8),
      sw('IDO Completion Enable', 9),
      sw('LTR Mechanism Enable', 10),
      sw('Emergency Power Reduction Request', 11),
      sw('10-Bit Tag Requester Enable', 12),
      field('OBFF Enable', 14, 13, {
        0: 'off',
        1: 'message, variation A',
        2: 'message, variation B',
        3: 'WAKE#',
      }),
      sw('End-End TLP Prefix Blocking', 15),
    ],
  },
  { name: 'Device Status 2', offset: 0x2a, length: 2 },
];

const link2: readonly ConfigRegister[] = [
  {
    name: 'Link Capabilities 2',
    offset: 0x2c,
    length: 4,
    fields: [
      field('Supported Link Speeds Vector', 7, 1, undefined, 'Bits 0 to 5: 2.5, 5, 8, 16, 32 and 64 GT/s'),
      flag('Crosslink Supported', 8),
      field('Lower SKP OS Generation Supported Speeds Vector', 15, 9),
      field('Lower SKP OS Reception Supported Speeds Vector', 22, 16),
      flag('Retimer Presence Detect Supported', 23),
      flag('Two Retimers Presence Detect Supported', 24),
      flag('DRS Supported', 31),
    ],
  },
  {
    name: 'Link Control 2',
    offset: 0x30,
    length: 2,
    fields: [
      field('Target Link Speed', 3, 0, speeds),
      sw('Enter Compliance', 4),
      sw('Hardware Autonomous Speed Disable', 5),
      field('Selectable De-emphasis', 6, 6, deemphasis),
      field('Transmit Margin', 9, 7, { 0: 'normal operating range' }),
      sw('Enter Modified Compliance', 10),
      sw('Compliance SOS', 11),
      field('Compliance Preset/De-emphasis', 15, 12),
    ],
  },
  {
    name: 'Link Status 2',
    offset: 0x32,
    length: 2,
    fields: [
      field('Current De-emphasis Level', 0, 0, deemphasis),
      flag('Equalization 8.0 GT/s Complete', 1),
      flag('Equalization 8.0 GT/s Phase 1 Successful', 2),
      flag('Equalization 8.0 GT/s Phase 2 Successful', 3),
      flag('Equalization 8.0 GT/s Phase 3 Successful', 4),
      flag('Link Equalization Request 8.0 GT/s', 5),
      flag('Retimer Presence Detected', 6),
      flag('Two Retimers Presence Detected', 7),
      field('Crosslink Resolution', 9, 8, {
        0: 'not supported',
        1: 'upstream port',
        2: 'downstream port',
        3: 'not completed',
      }),
      flag('Flit Mode Status', 10),
      field('Downstream Component Presence', 14, 12, {
        0: 'link down, not determined',
        1: 'link down, not present',
        2: 'link down, present',
        4: 'link up, present',
        5: 'link up, present and DRS received',
      }),
      flag('DRS Message Received', 15),
    ],
  },
];

const slot2: readonly ConfigRegister[] = [
  {
    name: 'Slot Capabilities 2',
    offset: 0x34,
    length: 4,
    fields: [flag('In-Band PD Disable Supported', 0)],
  },
  { name: 'Slot Control 2', offset: 0x38, length: 2 },
  { name: 'Slot Status 2', offset: 0x3a, length: 2 },
];

/** Registers by the PCI Express Capabilities register: its version, what kind of function it is, whether it has a slot. */
export function expressBody(capabilities: number): {
  readonly length: number;
  readonly registers: ConfigRegister[];
} {
  const type = (capabilities >>> 4) & 0xf;
  const inComplex = type === PortType.integratedEndpoint || type === PortType.eventCollector;
  const hasSlot = isDownstream(capabilities) && (capabilities & 0x100) !== 0;
  const registers = [...device];
  if (!inComplex) registers.push(...link);
  if (hasSlot) registers.push(...slot);
  if (isRootType(type)) registers.push(...root);
  if ((capabilities & 0xf) < 2) {
    const last = registers.at(-1)!;
    return { length: last.offset + last.length, registers };
  }
  registers.push(...device2);
  if (!inComplex) registers.push(...link2);
  if (hasSlot) registers.push(...slot2);
  return { length: 60, registers };
}

/** A root port or a root complex event collector. */
export function isRootType(type: number): boolean {
  return type === PortType.rootPort || type === PortType.eventCollector;
}

/** A port that leads away from the root, by its PCI Express Capabilities register. */
function isDownstream(capabilities: number): boolean {
  const type = (capabilities >>> 4) & 0xf;
  return type === PortType.rootPort || type === PortType.downstreamPort || type === PortType.toExpressBridge;
}
