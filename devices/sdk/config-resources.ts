/** Extended capabilities of what a function takes and gives, as data (PCIe 5.0, 7.8.1, 7.8.6, 7.9). */
import { type ConfigRegister, field, flag, perEntry, sw } from './config-tables.ts';

/** 2^20 bytes and up. */
export function barSizeText(code: number): string {
  const power = code + 20;
  return `${2 ** (power % 10)} ${['MiB', 'GiB', 'TiB', 'PiB', 'EiB'][Math.floor(power / 10) - 2] ?? '?'}`;
}
const barSizes: Readonly<Record<number, string>> = Object.fromEntries(
  Array.from({ length: 44 }, (_, code) => [code, barSizeText(code)]),
);

/** `kind`: `BAR`, or `VF BAR` of virtual functions. */
export const resizableRegisters = (kind: string, count: number): readonly ConfigRegister[] =>
  perEntry(count, (entry) => [
    {
      name: `Resizable ${kind} Capability ${entry}`,
      offset: 0x04 + entry * 8,
      length: 4,
      fields: [field('Supported Sizes, 1 MiB and up', 31, 4)],
      description: 'Bit 4 stands for 1 MiB, each next one for twice that',
    },
    {
      name: `Resizable ${kind} Control ${entry}`,
      offset: 0x08 + entry * 8,
      length: 4,
      fields: [
        field(`${kind} Index`, 2, 0),
        ...(entry === 0 ? [field(`Number of Resizable ${kind}s`, 7, 5)] : []),
        field(`${kind} Size`, 13, 8, barSizes),
        field('Supported Sizes, 256 TiB and up', 31, 16),
      ],
    },
  ]);

/** `count`: of virtual channels, with the one that every port has. */
export const channelRegisters = (count: number): readonly ConfigRegister[] => [
  {
    name: 'Port VC Capability 1',
    offset: 0x04,
    length: 4,
    fields: [
      field('Extended VC Count', 2, 0),
      field('Low Priority Extended VC Count', 6, 4),
      field('Reference Clock', 9, 8, { 0: '100 ns' }),
      field('Port Arbitration Table Entry Size', 11, 10, {
        0: '1 bit',
        1: '2 bits',
        2: '4 bits',
        3: '8 bits',
      }),
    ],
  },
  {
    name: 'Port VC Capability 2',
    offset: 0x08,
    length: 4,
    fields: [
      field('VC Arbitration Capability', 7, 0),
      field('VC Arbitration Table Offset', 31, 24, undefined, 'In units of 16 bytes'),
    ],
  },
  {
    name: 'Port VC Control',
    offset: 0x0c,
    length: 2,
    fields: [flag('Load VC Arbitration Table', 0), field('VC Arbitration Select', 3, 1)],
  },
  {
    name: 'Port VC Status',
    offset: 0x0e,
    length: 2,
    fields: [flag('VC Arbitration Table Status', 0)],
  },
  ...perEntry(count, (channel) => [
    {
      name: `VC Resource Capability ${channel}`,
      offset: 0x10 + channel * 12,
      length: 4,
      fields: [
        field('Port Arbitration Capability', 7, 0),
        flag('Reject Snoop Transactions', 15),
        field('Maximum Time Slots', 22, 16),
        field('Port Arbitration Table Offset', 31, 24, undefined, 'In units of 16 bytes'),
      ],
    },
    {
      name: `VC Resource Control ${channel}`,
      offset: 0x14 + channel * 12,
      length: 4,
      fields: [
        field('TC/VC Map', 7, 0, undefined, 'One bit a traffic class'),
        flag('Load Port Arbitration Table', 16),
        field('Port Arbitration Select', 19, 17),
        field('VC ID', 26, 24),
        sw('VC Enable', 31),
      ],
    },
    {
      name: `VC Resource Status ${channel}`,
      offset: 0x1a + channel * 12,
      length: 2,
      fields: [flag('Port Arbitration Table Status', 0), flag('VC Negotiation Pending', 1)],
    },
  ]),
];

export const powerRegisters: readonly ConfigRegister[] = [
  { name: 'Data Select', offset: 0x04, length: 1 },
  {
    name: 'Power Budgeting Data',
    offset: 0x08,
    length: 4,
    fields: [
      field('Base Power', 7, 0),
      field('Data Scale', 9, 8, { 0: '1 W', 1: '0.1 W', 2: '0.01 W', 3: '0.001 W' }),
      field('PM Sub State', 12, 10),
      field('PM State', 14, 13, { 0: 'D0', 1: 'D1', 2: 'D2', 3: 'D3' }),
      field('Type', 17, 15, {
        0: 'PME aux',
        1: 'auxiliary',
        2: 'idle',
        3: 'sustained',
        4: 'sustained, emergency power reduction',
        5: 'maximum, emergency power reduction',
        7: 'maximum',
      }),
      field('Power Rail', 20, 18, { 0: '12 V', 1: '3.3 V', 2: '1.5 V or 1.8 V', 7: 'thermal' }),
    ],
  },
  { name: 'Power Budget Capability', offset: 0x0c, length: 1, fields: [flag('System Allocated', 0)] },
];

/** `entries`: of the steering tag table where it is in the capability itself. */
export const hintRegisters = (entries: number): readonly ConfigRegister[] => [
  {
    name: 'TPH Requester Capability',
    offset: 0x04,
    length: 4,
    fields: [
      flag('No ST Mode Supported', 0),
      flag('Interrupt Vector Mode Supported', 1),
      flag('Device Specific Mode Supported', 2),
      flag('Extended TPH Requester Supported', 8),
      field('ST Table Location', 10, 9, { 0: 'none', 1: 'in this capability', 2: 'in the MSI-X table' }),
      field('ST Table Size', 26, 16, undefined, 'Entries, minus one'),
    ],
  },
  {
    name: 'TPH Requester Control',
    offset: 0x08,
    length: 4,
    fields: [
      field('ST Mode Select', 2, 0, { 0: 'no ST', 1: 'interrupt vector', 2: 'device specific' }),
      field('TPH Requester Enable', 9, 8, { 0: 'off', 1: 'TPH', 3: 'TPH and Extended TPH' }),
    ],
  },
  ...perEntry(entries, (entry) => [
    {
      name: `TPH ST Entry ${entry}`,
      offset: 0x0c + entry * 2,
      length: 2,
      fields: [field('ST Lower', 7, 0), field('ST Upper', 15, 8)],
    },
  ]),
];

const containment: readonly ConfigRegister[] = [
  {
    name: 'DPC Capability',
    offset: 0x04,
    length: 2,
    fields: [
      field('DPC Interrupt Message Number', 4, 0),
      flag('RP Extensions for DPC', 5),
      flag('Poisoned TLP Egress Blocking Supported', 6),
      flag('DPC Software Triggering Supported', 7),
      field('RP PIO Log Size', 11, 8, undefined, 'In units of 4 bytes'),
      flag('DL_Active ERR_COR Signaling Supported', 12),
    ],
  },
  {
    name: 'DPC Control',
    offset: 0x06,
    length: 2,
    fields: [
      field('DPC Trigger Enable', 1, 0, { 0: 'off', 1: 'fatal errors', 2: 'uncorrectable errors' }),
      field('DPC Completion Control', 2, 2, { 0: 'Completer Abort', 1: 'Unsupported Request' }),
      sw('DPC Interrupt Enable', 3),
      sw('DPC ERR_COR Enable', 4),
      sw('Poisoned TLP Egress Blocking Enable', 5),
      flag('DPC Software Trigger', 6),
      sw('DL_Active ERR_COR Enable', 7),
      sw('DPC SIG_SFW Enable', 8),
    ],
  },
  {
    name: 'DPC Status',
    offset: 0x08,
    length: 2,
    fields: [
      flag('DPC Trigger Status', 0),
      field('DPC Trigger Reason', 2, 1, {
        0: 'uncorrectable error',
        1: 'ERR_NONFATAL received',
        2: 'ERR_FATAL received',
        3: 'see its extension',
      }),
      flag('DPC Interrupt Status', 3),
      flag('DPC RP Busy', 4),
      field('DPC Trigger Reason Extension', 6, 5, { 0: 'RP PIO error', 1: 'software trigger' }),
      field('RP PIO First Error Pointer', 12, 8),
      flag('DPC SIG_SFW Status', 13),
    ],
  },
  { name: 'DPC Error Source ID', offset: 0x0a, length: 2 },
];

const PIO: readonly (readonly [number, string])[] = [
  [0, 'Configuration Request UR Completion'],
  [1, 'Configuration Request CA Completion'],
  [2, 'Configuration Request Completion Timeout'],
  [8, 'I/O Request UR Completion'],
  [9, 'I/O Request CA Completion'],
  [10, 'I/O Request Completion Timeout'],
  [16, 'Memory Request UR Completion'],
  [17, 'Memory Request CA Completion'],
  [18, 'Memory Request Completion Timeout'],
];
const pio = (name: string, offset: number): ConfigRegister => ({
  name: `RP PIO ${name}`,
  offset,
  length: 4,
  fields: PIO.map(([at, what]) => flag(what, at)),
});

/** `root`: with the extensions of a root port, and so many words of its log. */
export const containmentRegisters = (root: boolean, log: number): readonly ConfigRegister[] => [
  ...containment,
  ...(root
    ? [
        pio('Status', 0x0c),
        pio('Mask', 0x10),
        pio('Severity', 0x14),
        pio('SysError', 0x18),
        pio('Exception', 0x1c),
        ...perEntry(log, (word) => [
          {
            name:
              word < 4
                ? `RP PIO Header Log ${word + 1}`
                : word === 4
                  ? 'RP PIO ImpSpec Log'
                  : `RP PIO TLP Prefix Log ${word - 4}`,
            offset: 0x20 + word * 4,
            length: 4,
          },
        ]),
      ]
    : []),
];

export const designatedRegisters: readonly ConfigRegister[] = [
  {
    name: 'Designated Vendor-Specific Header 1',
    offset: 0x04,
    length: 4,
    fields: [field('DVSEC Vendor ID', 15, 0), field('DVSEC Revision', 19, 16), field('DVSEC Length', 31, 20)],
  },
  {
    name: 'Designated Vendor-Specific Header 2',
    offset: 0x08,
    length: 2,
    fields: [field('DVSEC ID', 15, 0)],
  },
];
