/** The ProtoPCIem card as a device model. */
import type { DeviceDescription, DeviceModel, OptionValues } from '../sdk/device.ts';
import { ProtoPciemCard } from './card.ts';
import { type PreferredMode, preferredModes } from './edid.ts';
import {
  BAR,
  BAR_SIZE,
  Command,
  cardRegisters,
  DATA_BAR,
  DATA_BAR_SIZE,
  MAX_HEIGHT,
  MAX_PITCH,
  MAX_WIDTH,
} from './registers.ts';

const registersOf = (options: OptionValues) =>
  cardRegisters(options.preferredMode as PreferredMode, options.generation === 'first');

function describe(options: OptionValues): DeviceDescription {
  return {
    model: 'protopciem',
    title: 'ProtoPCIem card',
    identity: {
      vendorId: 0x1f0c,
      deviceId: 0x0001,
      subsystemVendorId: 0x1f0c,
      subsystemId: 0x0001,
      revision: 1,
      // Processor; not that of a display, so that no generic display driver takes it.
      classCode: 0x0b0000,
    },
    bars: [
      {
        index: BAR,
        size: BAR_SIZE,
        memory64: true,
        prefetchable: false,
        title: 'Registers',
        trace: { reads: true, writes: true, stopWrites: false },
        registers: registersOf(options),
      },
      {
        index: DATA_BAR,
        size: DATA_BAR_SIZE,
        memory64: true,
        prefetchable: true,
        title: 'Data buffer of the peer-to-peer commands',
        trace: { reads: false, writes: false, stopWrites: false },
        registers: [],
      },
    ],
    capabilities: [
      { kind: 'pm' },
      { kind: 'pcie' },
      { kind: 'msi', vectors: 1, address64: true, masking: true },
    ],
    vectorNames: ['Commands and display'],
    commandNames: Object.fromEntries(Object.entries(Command).map(([name, code]) => [code, name])),
    display: { maxWidth: MAX_WIDTH, maxHeight: MAX_HEIGHT, maxPitch: MAX_PITCH },
  };
}

export const protopciemModel: DeviceModel = {
  id: 'protopciem',
  title: 'ProtoPCIem card',
  summary: 'A display adapter: command buffers and frames by DMA, modes, page flips, a cursor.',
  options: [
    {
      name: 'preferredMode',
      label: 'Preferred mode',
      help: 'What the monitor that the card describes likes best.',
      type: 'choice',
      default: '1280x720',
      choices: preferredModes.map((value) => ({ value, label: value.replace('x', ' × ') })),
    },
    {
      name: 'generation',
      label: 'Generation',
      help: 'What the card says that it is: a first one has VERSION 0, and drivers use only what those had.',
      type: 'choice',
      default: 'current',
      choices: [
        { value: 'current', label: 'Current' },
        { value: 'first', label: 'First' },
      ],
    },
  ],
  describe,
  create: (options, host) => new ProtoPciemCard(host, registersOf(options)),
};
