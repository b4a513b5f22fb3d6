/** The NVMe disk as a device model. */

import type { DeviceDescription, DeviceModel, OptionValues } from '../sdk/device.ts';
import { msixRegisters } from '../sdk/msix.ts';
import { NvmeController } from './controller.ts';
import { commandFormats } from './formats.ts';
import { commandNames } from './names.ts';
import {
  BAR,
  BAR_SIZE,
  controllerRegisters,
  doorbellRegisters,
  MAX_IO_QUEUES,
  MSIX_PBA_OFFSET,
  MSIX_TABLE_OFFSET,
} from './registers.ts';

const VENDOR_ID = 0x1f0c;
const DEVICE_ID = 0x0010;

function describe(options: OptionValues): DeviceDescription {
  const ioQueues = options.ioQueues as number;
  const vectors = ioQueues + 1;
  return {
    model: 'nvme',
    title: 'NVMe disk',
    identity: {
      vendorId: VENDOR_ID,
      deviceId: DEVICE_ID,
      subsystemVendorId: VENDOR_ID,
      subsystemId: DEVICE_ID,
      revision: 1,
      // Mass storage, non-volatile memory, NVM Express I/O controller.
      classCode: 0x010802,
    },
    bars: [
      {
        index: BAR,
        size: BAR_SIZE,
        memory64: true,
        prefetchable: false,
        title: 'Controller registers and doorbells',
        trace: { reads: true, writes: true, stopWrites: false },
        registers: [
          ...controllerRegisters,
          ...doorbellRegisters(ioQueues),
          ...msixRegisters(vectors, MSIX_TABLE_OFFSET, MSIX_PBA_OFFSET),
        ],
      },
    ],
    capabilities: [
      { kind: 'pm' },
      { kind: 'pcie' },
      {
        kind: 'msix',
        vectors,
        tableBar: BAR,
        tableOffset: MSIX_TABLE_OFFSET,
        pbaBar: BAR,
        pbaOffset: MSIX_PBA_OFFSET,
      },
    ],
    vectorNames: ['Admin queue', ...Array.from({ length: ioQueues }, (_, i) => `I/O queue ${i + 1}`)],
    commandNames,
    commandFormats,
  };
}

/** The same for the same image, different for every disk in memory: drivers take equal serials for one subsystem. */
function serialFor(image: string, now: number): string {
  let hash = 0x811c9dc5;
  for (const char of image === '' ? `${now}` : image)
    hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193) >>> 0;
  return `LAB${hash.toString(16).toUpperCase().padStart(8, '0')}`;
}

export const nvmeModel: DeviceModel = {
  id: 'nvme',
  title: 'NVMe disk',
  summary: 'An NVM Express 1.4 controller with one namespace, in memory or in an image file.',
  options: [
    {
      name: 'size',
      label: 'Size',
      help: 'Of a disk in memory, or of an image file that does not exist yet. Memory is allocated as it is touched.',
      type: 'size',
      default: 2 ** 30,
      min: 2 ** 20,
      max: 2 ** 40,
      multipleOf: 4096,
    },
    {
      name: 'image',
      label: 'Image file',
      help: 'Path of a raw image; empty for a disk in memory.',
      type: 'image',
      default: '',
    },
    {
      name: 'lbaSize',
      label: 'Block size',
      type: 'choice',
      default: '512',
      choices: [
        { value: '512', label: '512 bytes' },
        { value: '4096', label: '4096 bytes' },
      ],
    },
    {
      name: 'ioQueues',
      label: 'I/O queues',
      help: 'At most so many pairs of queues, each with an interrupt vector of its own.',
      type: 'integer',
      default: MAX_IO_QUEUES,
      min: 1,
      max: MAX_IO_QUEUES,
    },
    {
      name: 'serial',
      label: 'Serial number',
      help: 'Empty: made up, one for each disk.',
      type: 'text',
      default: '',
      maxLength: 20,
    },
    {
      name: 'shadowDoorbells',
      label: 'Shadow doorbells',
      help: 'The driver leaves queue positions in memory and seldom rings: faster, but the trace shows few doorbells.',
      type: 'boolean',
      default: false,
    },
    { name: 'name', label: 'Model number', type: 'text', default: 'PCIem Lab NVMe disk', maxLength: 40 },
  ],
  describe,
  create(options, host) {
    const image = options.image as string;
    return new NvmeController(host, {
      size: options.size as number,
      image,
      blockSize: Number(options.lbaSize),
      ioQueues: options.ioQueues as number,
      shadowDoorbells: options.shadowDoorbells as boolean,
      names: {
        vendorId: VENDOR_ID,
        subsystemVendorId: VENDOR_ID,
        serial: (options.serial as string) || serialFor(image, host.clock.now()),
        model: options.name as string,
      },
    });
  },
};
