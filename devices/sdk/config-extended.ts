/** What stands behind the headers of extended capabilities, as data (PCIe 5.0, 7.7 to 7.9; 10.5; 9.3.3). */
import {
  dataLinkRegisters,
  marginingRegisters,
  physical16Registers,
  physical32Registers,
  secondaryRegisters,
} from './config-lanes.ts';
import {
  barSizeText,
  channelRegisters,
  containmentRegisters,
  designatedRegisters,
  hintRegisters,
  powerRegisters,
  resizableRegisters,
} from './config-resources.ts';
import { type ConfigRegister, field, flag, sw } from './config-tables.ts';
import type { FieldDescription } from './register-map.ts';

export interface ExtendedBody {
  /** Bytes, the header included. */
  readonly length: number;
  readonly registers: readonly ConfigRegister[];
  /** What the capability says in short. */
  readonly text?: string;
  /** Where bytes begin that only the vendor can name. */
  readonly raw?: number;
}

/** Reads `length` bytes from the start of the capability. */
export type ReadExtended = (offset: number, length: number) => number;

export const ExtendedId = {
  aer: 0x01,
  virtualChannel: 0x02,
  serialNumber: 0x03,
  powerBudgeting: 0x04,
  virtualChannelMfvc: 0x09,
  vendorSpecific: 0x0b,
  acs: 0x0d,
  ari: 0x0e,
  ats: 0x0f,
  sriov: 0x10,
  pri: 0x13,
  resizableBar: 0x15,
  tph: 0x17,
  ltr: 0x18,
  secondary: 0x19,
  pasid: 0x1b,
  dpc: 0x1d,
  l1pm: 0x1e,
  ptm: 0x1f,
  designated: 0x23,
  resizableVfBar: 0x24,
  dataLink: 0x25,
  physical16: 0x26,
  margining: 0x27,
  physical32: 0x2a,
} as const;

const UNCORRECTABLE: readonly (readonly [number, string])[] = [
  [4, 'Data Link Protocol Error'],
  [5, 'Surprise Down Error'],
  [12, 'Poisoned TLP Received'],
  [13, 'Flow Control Protocol Error'],
  [14, 'Completion Timeout'],
  [15, 'Completer Abort'],
  [16, 'Unexpected Completion'],
  [17, 'Receiver Overflow'],
  [18, 'Malformed TLP'],
  [19, 'ECRC Error'],
  [20, 'Unsupported Request Error'],
  [21, 'ACS Violation'],
  [22, 'Uncorrectable Internal Error'],
  [23, 'MC Blocked TLP'],
  [24, 'AtomicOp Egress Blocked'],
  [25, 'TLP Prefix Blocked Error'],
  [26, 'Poisoned TLP Egress Blocked'],
];
const CORRECTABLE: readonly (readonly [number, string])[] = [
  [0, 'Receiver Error'],
  [6, 'Bad TLP'],
  [7, 'Bad DLLP'],
  [8, 'REPLAY_NUM Rollover'],
  [12, 'Replay Timer Timeout'],
  [13, 'Advisory Non-Fatal Error'],
  [14, 'Corrected Internal Error'],
  [15, 'Header Log Overflow'],
];
const severity = { 0: 'non-fatal', 1: 'fatal' } as const;
const errors = (
  which: readonly (readonly [number, string])[],
  suffix: string,
  values?: Readonly<Record<number, string>>,
): FieldDescription[] => which.map(([bit, name]) => field(`${name} ${suffix}`, bit, bit, values));

const aerRegisters: readonly ConfigRegister[] = [
  {
    name: 'Uncorrectable Error Status',
    offset: 0x04,
    length: 4,
    fields: errors(UNCORRECTABLE, 'Status'),
    description: 'A bit is cleared by writing 1 to it',
  },
  { name: 'Uncorrectable Error Mask', offset: 0x08, length: 4, fields: errors(UNCORRECTABLE, 'Mask') },
  {
    name: 'Uncorrectable Error Severity',
    offset: 0x0c,
    length: 4,
    fields: errors(UNCORRECTABLE, 'Severity', severity),
  },
  {
    name: 'Correctable Error Status',
    offset: 0x10,
    length: 4,
    fields: errors(CORRECTABLE, 'Status'),
    description: 'A bit is cleared by writing 1 to it',
  },
  { name: 'Correctable Error Mask', offset: 0x14, length: 4, fields: errors(CORRECTABLE, 'Mask') },
  {
    name: 'Advanced Error Capabilities and Control',
    offset: 0x18,
    length: 4,
    fields: [
      field('First Error Pointer', 4, 0, undefined, 'Bit number of the first uncorrectable error reported'),
      flag('ECRC Generation Capable', 5),
      sw('ECRC Generation Enable', 6),
      flag('ECRC Check Capable', 7),
      sw('ECRC Check Enable', 8),
      flag('Multiple Header Recording Capable', 9),
      sw('Multiple Header Recording Enable', 10),
      flag('TLP Prefix Log Present', 11),
      flag('Completion Timeout Prefix/Header Log Capable', 12),
    ],
  },
  ...words('Header Log', 0x1c, 4),
];
const aerRoot: readonly ConfigRegister[] = [
  {
    name: 'Root Error Command',
    offset: 0x2c,
    length: 4,
    fields: [
      sw('Correctable Error Reporting Enable', 0),
      sw('Non-Fatal Error Reporting Enable', 1),
      sw('Fatal Error Reporting Enable', 2),
    ],
  },
  {
    name: 'Root Error Status',
    offset: 0x30,
    length: 4,
    fields: [
      flag('ERR_COR Received', 0),
      flag('Multiple ERR_COR Received', 1),
      flag('ERR_FATAL/NONFATAL Received', 2),
      flag('Multiple ERR_FATAL/NONFATAL Received', 3),
      flag('First Uncorrectable Fatal', 4),
      flag('Non-Fatal Error Messages Received', 5),
      flag('Fatal Error Messages Received', 6),
      field('Advanced Error Interrupt Message Number', 31, 27),
    ],
  },
  { name: 'ERR_COR Source Identification', offset: 0x34, length: 2 },
  { name: 'ERR_FATAL/NONFATAL Source Identification', offset: 0x36, length: 2 },
];
const aerPrefix: readonly ConfigRegister[] = words('TLP Prefix Log', 0x38, 4);

function words(name: string, offset: number, count: number): ConfigRegister[] {
  return Array.from({ length: count }, (_, at) => ({
    name: `${name} ${at + 1}`,
    offset: offset + at * 4,
    length: 4,
  }));
}

const acsRegisters: readonly ConfigRegister[] = [
  {
    name: 'ACS Capability',
    offset: 0x04,
    length: 2,
    fields: [
      flag('ACS Source Validation', 0),
      flag('ACS Translation Blocking', 1),
      flag('ACS P2P Request Redirect', 2),
      flag('ACS P2P Completion Redirect', 3),
      flag('ACS Upstream Forwarding', 4),
      flag('ACS P2P Egress Control', 5),
      flag('ACS Direct Translated P2P', 6),
      flag('ACS Enhanced Capability', 7),
      field('Egress Control Vector Size', 15, 8, undefined, 'Bits of the vector; 0 stands for 256'),
    ],
  },
  {
    name: 'ACS Control',
    offset: 0x06,
    length: 2,
    fields: [
      sw('ACS Source Validation Enable', 0),
      sw('ACS Translation Blocking Enable', 1),
      sw('ACS P2P Request Redirect Enable', 2),
      sw('ACS P2P Completion Redirect Enable', 3),
      sw('ACS Upstream Forwarding Enable', 4),
      sw('ACS P2P Egress Control Enable', 5),
      sw('ACS Direct Translated P2P Enable', 6),
      sw('ACS I/O Request Blocking Enable', 7),
      field('ACS DSP Memory Target Access Control', 9, 8),
      field('ACS USP Memory Target Access Control', 11, 10),
      sw('ACS Unclaimed Request Redirect Control', 12),
    ],
  },
];

const ariRegisters: readonly ConfigRegister[] = [
  {
    name: 'ARI Capability',
    offset: 0x04,
    length: 2,
    fields: [
      flag('MFVC Function Groups Capability', 0),
      flag('ACS Function Groups Capability', 1),
      field('Next Function Number', 15, 8),
    ],
  },
  {
    name: 'ARI Control',
    offset: 0x06,
    length: 2,
    fields: [
      sw('MFVC Function Groups Enable', 0),
      sw('ACS Function Groups Enable', 1),
      field('Function Group', 6, 4),
    ],
  },
];

const atsRegisters: readonly ConfigRegister[] = [
  {
    name: 'ATS Capability',
    offset: 0x04,
    length: 2,
    fields: [
      field('Invalidate Queue Depth', 4, 0, { 0: '32' }),
      flag('Page Aligned Request', 5),
      flag('Global Invalidate Supported', 6),
      flag('Relaxed Ordering Supported', 7),
    ],
  },
  {
    name: 'ATS Control',
    offset: 0x06,
    length: 2,
    fields: [
      field('Smallest Translation Unit', 4, 0, undefined, '4096 bytes times 2 to the power of this'),
      sw('Enable', 15),
    ],
  },
];

const sriovRegisters: readonly ConfigRegister[] = [
  {
    name: 'SR-IOV Capabilities',
    offset: 0x04,
    length: 4,
    fields: [
      flag('VF Migration Capable', 0),
      flag('ARI Capable Hierarchy Preserved', 1),
      flag('VF 10-Bit Tag Requester Supported', 2),
      field('VF Migration Interrupt Message Number', 31, 21),
    ],
  },
  {
    name: 'SR-IOV Control',
    offset: 0x08,
    length: 2,
    fields: [
      sw('VF Enable', 0),
      sw('VF Migration Enable', 1),
      sw('VF Migration Interrupt Enable', 2),
      sw('VF MSE', 3, 'The virtual functions answer accesses to their memory BARs'),
      sw('ARI Capable Hierarchy', 4),
      sw('VF 10-Bit Tag Requester Enable', 5),
    ],
  },
  { name: 'SR-IOV Status', offset: 0x0a, length: 2, fields: [flag('VF Migration Status', 0)] },
  { name: 'InitialVFs', offset: 0x0c, length: 2 },
  { name: 'TotalVFs', offset: 0x0e, length: 2 },
  { name: 'NumVFs', offset: 0x10, length: 2 },
  { name: 'Function Dependency Link', offset: 0x12, length: 1 },
  { name: 'First VF Offset', offset: 0x14, length: 2 },
  { name: 'VF Stride', offset: 0x16, length: 2 },
  { name: 'VF Device ID', offset: 0x1a, length: 2 },
  {
    name: 'Supported Page Sizes',
    offset: 0x1c,
    length: 4,
    description: 'Bit n stands for pages of 4096 bytes times 2 to the power of n',
  },
  { name: 'System Page Size', offset: 0x20, length: 4 },
  ...Array.from({ length: 6 }, (_, bar) => ({ name: `VF BAR${bar}`, offset: 0x24 + bar * 4, length: 4 })),
  {
    name: 'VF Migration State Array Offset',
    offset: 0x3c,
    length: 4,
    fields: [field('VF Migration State BIR', 2, 0), field('VF Migration State Offset', 31, 3)],
  },
];

const priRegisters: readonly ConfigRegister[] = [
  {
    name: 'Page Request Control',
    offset: 0x04,
    length: 2,
    fields: [sw('Enable', 0), flag('Reset', 1)],
  },
  {
    name: 'Page Request Status',
    offset: 0x06,
    length: 2,
    fields: [
      flag('Response Failure', 0),
      flag('Unexpected Page Request Group Index', 1),
      flag('Stopped', 8),
      flag('PRG Response PASID Required', 15),
    ],
  },
  { name: 'Outstanding Page Request Capacity', offset: 0x08, length: 4 },
  { name: 'Outstanding Page Request Allocation', offset: 0x0c, length: 4 },
];

/** Bits 10 to 12 multiply the value by 32 to their power, in ns. */
const latencyScale = {
  0: '1 ns',
  1: '32 ns',
  2: '1024 ns',
  3: '32768 ns',
  4: '1048576 ns',
  5: '33554432 ns',
} as const;
const latency = (name: string, offset: number): ConfigRegister => ({
  name: `${name} Latency`,
  offset,
  length: 2,
  fields: [field(`${name} LatencyValue`, 9, 0), field(`${name} LatencyScale`, 12, 10, latencyScale)],
});

const pasidRegisters: readonly ConfigRegister[] = [
  {
    name: 'PASID Capability',
    offset: 0x04,
    length: 2,
    fields: [
      flag('Execute Permission Supported', 1),
      flag('Privileged Mode Supported', 2),
      field('Max PASID Width', 12, 8),
    ],
  },
  {
    name: 'PASID Control',
    offset: 0x06,
    length: 2,
    fields: [sw('PASID Enable', 0), sw('Execute Permission Enable', 1), sw('Privileged Mode Enable', 2)],
  },
];

const powerOnScale = { 0: '2 us', 1: '10 us', 2: '100 us' } as const;
const l1Registers: readonly ConfigRegister[] = [
  {
    name: 'L1 PM Substates Capabilities',
    offset: 0x04,
    length: 4,
    fields: [
      flag('PCI-PM L1.2 Supported', 0),
      flag('PCI-PM L1.1 Supported', 1),
      flag('ASPM L1.2 Supported', 2),
      flag('ASPM L1.1 Supported', 3),
      flag('L1 PM Substates Supported', 4),
      flag('Link Activation Supported', 5),
      field('Port Common_Mode_Restore_Time', 15, 8, undefined, 'In microseconds'),
      field('Port T_POWER_ON Scale', 17, 16, powerOnScale),
      field('Port T_POWER_ON Value', 23, 19),
    ],
  },
  {
    name: 'L1 PM Substates Control 1',
    offset: 0x08,
    length: 4,
    fields: [
      sw('PCI-PM L1.2 Enable', 0),
      sw('PCI-PM L1.1 Enable', 1),
      sw('ASPM L1.2 Enable', 2),
      sw('ASPM L1.1 Enable', 3),
      sw('Link Activation Interrupt Enable', 4),
      flag('Link Activation Control', 5),
      field('Common_Mode_Restore_Time', 15, 8, undefined, 'In microseconds'),
      field('LTR_L1.2_THRESHOLD_Value', 25, 16),
      field('LTR_L1.2_THRESHOLD_Scale', 31, 29, latencyScale),
    ],
  },
  {
    name: 'L1 PM Substates Control 2',
    offset: 0x0c,
    length: 4,
    fields: [field('T_POWER_ON Scale', 1, 0, powerOnScale), field('T_POWER_ON Value', 7, 3)],
  },
];

const ptmRegisters: readonly ConfigRegister[] = [
  {
    name: 'PTM Capability',
    offset: 0x04,
    length: 4,
    fields: [
      flag('PTM Requester Capable', 0),
      flag('PTM Responder Capable', 1),
      flag('PTM Root Capable', 2),
      field('Local Clock Granularity', 15, 8, { 0: 'no local clock', 255: 'more than 254 ns' }, 'In ns'),
    ],
  },
  {
    name: 'PTM Control',
    offset: 0x08,
    length: 4,
    fields: [
      sw('PTM Enable', 0),
      sw('Root Select', 1),
      field('Effective Granularity', 15, 8, { 0: 'unknown', 255: 'more than 254 ns' }, 'In ns'),
    ],
  },
];

const vendorHeader: ConfigRegister = {
  name: 'Vendor-Specific Header',
  offset: 0x04,
  length: 4,
  fields: [field('VSEC ID', 15, 0), field('VSEC Rev', 19, 16), field('VSEC Length', 31, 20)],
};

const hex4 = (value: number): string => value.toString(16).padStart(4, '0');
const bit = (value: number, at: number): boolean => Math.floor(value / 2 ** at) % 2 === 1;
const raised = (status: number, which: readonly (readonly [number, string])[]): string[] =>
  which.filter(([at]) => bit(status, at)).map(([, name]) => name);

function aer(read: ReadExtended, root: boolean): ExtendedBody {
  const registers = [...aerRegisters];
  const prefix = bit(read(0x18, 4), 11);
  if (root) registers.push(...aerRoot);
  if (prefix) registers.push(...aerPrefix);
  const found = [...raised(read(0x04, 4), UNCORRECTABLE), ...raised(read(0x10, 4), CORRECTABLE)];
  return {
    length: prefix ? 0x48 : root ? 0x38 : 0x2c,
    registers,
    text: found.length === 0 ? 'no error reported' : found.join(', '),
  };
}

function acs(read: ReadExtended): ExtendedBody {
  const capability = read(0x04, 2);
  if (!bit(capability, 5)) return { length: 8, registers: acsRegisters };
  const vector = Math.ceil((capability >>> 8 || 256) / 32);
  return {
    length: 8 + vector * 4,
    registers: [...acsRegisters, ...words('Egress Control Vector', 0x08, vector)],
  };
}

function serialNumber(read: ReadExtended): ExtendedBody {
  const bytes = Array.from({ length: 8 }, (_, at) =>
    read(0x0b - at, 1)
      .toString(16)
      .padStart(2, '0'),
  );
  return {
    length: 12,
    registers: [
      { name: 'Serial Number Register (Lower DW)', offset: 0x04, length: 4 },
      { name: 'Serial Number Register (Upper DW)', offset: 0x08, length: 4 },
    ],
    text: bytes.join('-'),
  };
}

function resizable(read: ReadExtended, kind: string): ExtendedBody {
  const count = Math.max(1, (read(0x08, 1) >>> 5) & 7);
  const sizes = Array.from({ length: count }, (_, entry) => {
    const control = read(0x08 + entry * 8, 2);
    return `${kind} ${control & 7}: ${barSizeText((control >>> 8) & 0x3f)}`;
  });
  return { length: 4 + count * 8, registers: resizableRegisters(kind, count), text: sizes.join(', ') };
}

function channels(read: ReadExtended): ExtendedBody {
  const count = 1 + (read(0x04, 1) & 7);
  return {
    length: 0x10 + count * 12,
    registers: channelRegisters(count),
    text: count === 1 ? '1 channel' : `${count} channels`,
  };
}

function hints(read: ReadExtended): ExtendedBody {
  const capability = read(0x04, 4);
  const here = (Math.floor(capability / 2 ** 9) & 3) === 1;
  const entries = here ? Math.min(64, 1 + (Math.floor(capability / 2 ** 16) & 0x7ff)) : 0;
  return {
    length: 0x0c + entries * 2,
    registers: hintRegisters(entries),
    text: (read(0x08, 2) & 0x300) === 0 ? 'off' : 'enabled',
  };
}

function containment(read: ReadExtended): ExtendedBody {
  const capability = read(0x04, 2);
  const extensions = bit(capability, 5);
  const log = (capability >>> 8) & 0xf;
  return {
    length: extensions ? 0x20 + log * 4 : 0x0c,
    registers: containmentRegisters(extensions, log),
    text: bit(read(0x08, 2), 0) ? 'triggered' : (read(0x06, 2) & 3) === 0 ? 'off' : 'enabled',
  };
}

/** What the PCI Express capability says of the function that has an extended capability. */
export interface ExtendedContext {
  /** A root port or a root complex event collector. */
  readonly root: boolean;
  /** Of the widest link. */
  readonly lanes: number;
}

/** Undefined for a capability whose layout is not known here. */
export function extendedBody(
  id: number,
  { root, lanes }: ExtendedContext,
  read: ReadExtended,
): ExtendedBody | undefined {
  switch (id) {
    case ExtendedId.aer:
      return aer(read, root);
    case ExtendedId.virtualChannel:
    case ExtendedId.virtualChannelMfvc:
      return channels(read);
    case ExtendedId.powerBudgeting:
      return { length: 16, registers: powerRegisters };
    case ExtendedId.resizableBar:
      return resizable(read, 'BAR');
    case ExtendedId.resizableVfBar:
      return resizable(read, 'VF BAR');
    case ExtendedId.tph:
      return hints(read);
    case ExtendedId.dpc:
      return containment(read);
    case ExtendedId.secondary:
      return { length: 0x0c + lanes * 2, registers: secondaryRegisters(lanes) };
    case ExtendedId.dataLink:
      return { length: 12, registers: dataLinkRegisters };
    case ExtendedId.physical16:
      return { length: 0x20 + lanes, registers: physical16Registers(lanes) };
    case ExtendedId.physical32:
      return { length: 0x20 + lanes, registers: physical32Registers(lanes) };
    case ExtendedId.margining:
      return { length: 8 + lanes * 4, registers: marginingRegisters(lanes) };
    case ExtendedId.designated: {
      const header = read(0x04, 4);
      const [vendor, own] = [header % 65536, read(0x08, 2)];
      const length = Math.max(0x0a, Math.floor(header / 2 ** 20));
      return {
        length,
        registers: designatedRegisters,
        text: `vendor ${hex4(vendor)}, ID ${hex4(own)}, ${length} bytes`,
        raw: 0x0a,
      };
    }
    case ExtendedId.serialNumber:
      return serialNumber(read);
    case ExtendedId.vendorSpecific: {
      const header = read(0x04, 4);
      const length = Math.max(8, Math.floor(header / 2 ** 20));
      return {
        length,
        registers: [vendorHeader],
        text: `ID ${hex4(header % 65536)}, ${length} bytes`,
        raw: 8,
      };
    }
    case ExtendedId.acs:
      return acs(read);
    case ExtendedId.ari:
      return { length: 8, registers: ariRegisters };
    case ExtendedId.ats:
      return { length: 8, registers: atsRegisters, text: bit(read(0x06, 2), 15) ? 'enabled' : 'off' };
    case ExtendedId.sriov:
      return {
        length: 0x40,
        registers: sriovRegisters,
        text: `${read(0x10, 2)} of ${read(0x0e, 2)} virtual functions, ${read(0x08, 2) & 1 ? 'enabled' : 'off'}`,
      };
    case ExtendedId.pri:
      return { length: 16, registers: priRegisters, text: read(0x04, 2) & 1 ? 'enabled' : 'off' };
    case ExtendedId.ltr:
      return { length: 8, registers: [latency('Max Snoop', 0x04), latency('Max No-Snoop', 0x06)] };
    case ExtendedId.pasid:
      return { length: 8, registers: pasidRegisters, text: read(0x06, 2) & 1 ? 'enabled' : 'off' };
    case ExtendedId.l1pm:
      return { length: 16, registers: l1Registers };
    case ExtendedId.ptm:
      return { length: 12, registers: ptmRegisters, text: read(0x08, 4) & 1 ? 'enabled' : 'off' };
    default:
      return undefined;
  }
}
