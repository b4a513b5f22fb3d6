/** Extended capabilities of a link and its lanes, as data (PCIe 5.0, 7.7.3 to 7.7.7). */
import { type ConfigRegister, field, flag, perEntry, sw } from './config-tables.ts';
import type { FieldDescription } from './register-map.ts';

const equalization = (speed: string, from: number): FieldDescription[] => [
  flag(`Equalization ${speed} Complete`, from),
  flag(`Equalization ${speed} Phase 1 Successful`, from + 1),
  flag(`Equalization ${speed} Phase 2 Successful`, from + 2),
  flag(`Equalization ${speed} Phase 3 Successful`, from + 3),
  flag(`Link Equalization Request ${speed}`, from + 4),
];
/** One byte a lane. */
const presets = (speed: string, offset: number, lanes: number): readonly ConfigRegister[] =>
  perEntry(lanes, (lane) => [
    {
      name: `Lane ${lane} ${speed} Equalization Control`,
      offset: offset + lane,
      length: 1,
      fields: [
        field(`Downstream Port ${speed} Transmitter Preset`, 3, 0),
        field(`Upstream Port ${speed} Transmitter Preset`, 7, 4),
      ],
    },
  ]);
const eachLane = 'One bit a lane';

export const secondaryRegisters = (lanes: number): readonly ConfigRegister[] => [
  {
    name: 'Link Control 3',
    offset: 0x04,
    length: 4,
    fields: [
      flag('Perform Equalization', 0),
      sw('Link Equalization Request Interrupt Enable', 1),
      field('Enable Lower SKP OS Generation Vector', 15, 9),
    ],
  },
  { name: 'Lane Error Status', offset: 0x08, length: 4, description: eachLane },
  ...perEntry(lanes, (lane) => [
    {
      name: `Lane ${lane} Equalization Control`,
      offset: 0x0c + lane * 2,
      length: 2,
      fields: [
        field('Downstream Port 8.0 GT/s Transmitter Preset', 3, 0),
        field('Downstream Port 8.0 GT/s Receiver Preset Hint', 6, 4),
        field('Upstream Port 8.0 GT/s Transmitter Preset', 11, 8),
        field('Upstream Port 8.0 GT/s Receiver Preset Hint', 14, 12),
      ],
    },
  ]),
];

export const dataLinkRegisters: readonly ConfigRegister[] = [
  {
    name: 'Data Link Feature Capabilities',
    offset: 0x04,
    length: 4,
    fields: [
      flag('Local Scaled Flow Control Supported', 0),
      field('Local Data Link Feature Supported', 22, 1),
      sw('Data Link Feature Exchange Enable', 31),
    ],
  },
  {
    name: 'Data Link Feature Status',
    offset: 0x08,
    length: 4,
    fields: [
      flag('Remote Scaled Flow Control Supported', 0),
      field('Remote Data Link Feature Supported', 22, 1),
      flag('Remote Data Link Feature Supported Valid', 31),
    ],
  },
];

export const physical16Registers = (lanes: number): readonly ConfigRegister[] => [
  { name: '16.0 GT/s Capabilities', offset: 0x04, length: 4 },
  { name: '16.0 GT/s Control', offset: 0x08, length: 4 },
  { name: '16.0 GT/s Status', offset: 0x0c, length: 4, fields: equalization('16.0 GT/s', 0) },
  {
    name: '16.0 GT/s Local Data Parity Mismatch Status',
    offset: 0x10,
    length: 4,
    description: eachLane,
  },
  {
    name: '16.0 GT/s First Retimer Data Parity Mismatch Status',
    offset: 0x14,
    length: 4,
    description: eachLane,
  },
  {
    name: '16.0 GT/s Second Retimer Data Parity Mismatch Status',
    offset: 0x18,
    length: 4,
    description: eachLane,
  },
  ...presets('16.0 GT/s', 0x20, lanes),
];

const usageMode = { 0: 'PCI Express', 1: 'training set messages', 2: 'alternate protocol' } as const;
const modifiedTs = (direction: string, offset: number): readonly ConfigRegister[] => [
  {
    name: `${direction} Modified TS Data 1`,
    offset,
    length: 4,
    fields: [
      field(`${direction} Modified TS Usage Mode`, 2, 0, usageMode),
      field(`${direction} Modified TS Information 1`, 15, 3),
      field(`${direction} Modified TS Vendor ID`, 31, 16),
    ],
  },
  {
    name: `${direction} Modified TS Data 2`,
    offset: offset + 4,
    length: 4,
    fields: [
      field(`${direction} Modified TS Information 2`, 23, 0),
      field('Alternate Protocol Negotiation Status', 25, 24),
    ],
  },
];

export const physical32Registers = (lanes: number): readonly ConfigRegister[] => [
  {
    name: '32.0 GT/s Capabilities',
    offset: 0x04,
    length: 4,
    fields: [
      flag('Equalization Bypass to Highest Rate Supported', 0),
      flag('No Equalization Needed Supported', 1),
      flag('Modified TS Usage Mode 0 Supported', 8, 'PCI Express'),
      flag('Modified TS Usage Mode 1 Supported', 9, 'Training set messages'),
      flag('Modified TS Usage Mode 2 Supported', 10, 'Alternate protocol'),
      field('Modified TS Reserved Usage Modes', 15, 11),
    ],
  },
  {
    name: '32.0 GT/s Control',
    offset: 0x08,
    length: 4,
    fields: [
      sw('Equalization Bypass to Highest Rate Disable', 0),
      sw('No Equalization Needed Disable', 1),
      field('Modified TS Usage Mode Selected', 10, 8, usageMode),
    ],
  },
  {
    name: '32.0 GT/s Status',
    offset: 0x0c,
    length: 4,
    fields: [
      ...equalization('32.0 GT/s', 0),
      flag('Modified TS Received', 5),
      field('Received Enhanced Link Behavior Control', 7, 6),
      flag('Transmitter Precoding On', 8),
      flag('Transmitter Precode Request', 9),
      flag('No Equalization Needed Received', 10),
    ],
  },
  ...modifiedTs('Received', 0x10),
  ...modifiedTs('Transmitted', 0x18),
  ...presets('32.0 GT/s', 0x20, lanes),
];

export const marginingRegisters = (lanes: number): readonly ConfigRegister[] => [
  {
    name: 'Margining Port Capabilities',
    offset: 0x04,
    length: 2,
    fields: [flag('Margining Uses Driver Software', 0)],
  },
  {
    name: 'Margining Port Status',
    offset: 0x06,
    length: 2,
    fields: [flag('Margining Ready', 0), flag('Margining Software Ready', 1)],
  },
  ...perEntry(lanes, (lane) => [
    {
      name: `Lane ${lane} Margining Lane Control`,
      offset: 0x08 + lane * 4,
      length: 2,
      fields: [
        field('Receiver Number', 2, 0),
        field('Margin Type', 5, 3),
        flag('Usage Model', 6),
        field('Margin Payload', 15, 8),
      ],
    },
    {
      name: `Lane ${lane} Margining Lane Status`,
      offset: 0x0a + lane * 4,
      length: 2,
      fields: [
        field('Receiver Number Status', 2, 0),
        field('Margin Type Status', 5, 3),
        flag('Usage Model Status', 6),
        field('Margin Payload Status', 15, 8),
      ],
    },
  ]),
];
