/** A device that looks like another: its configuration space from `lspci -xxxx`, BARs that are plain memory. */
import type { Device, DeviceDescription, DeviceModel, OptionValues } from '../sdk/device.ts';
import { OptionError, parseSize } from '../sdk/options.ts';
import { type Clone, cloneConfig } from './config.ts';

const BAR_COUNT = 6;

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, at) =>
    Number.parseInt(text.slice(at * 2, at * 2 + 2), 16),
  );
}

/** `0=16KiB, 4=1MiB`. */
function barSizes(text: string): number[] {
  const sizes = new Array<number>(BAR_COUNT).fill(0);
  for (const part of text.split(/[,;]/)) {
    if (part.trim() === '') continue;
    const match = /^\s*(?:BAR\s*)?([0-5])\s*=\s*(.+?)\s*$/i.exec(part);
    const size = match === null ? undefined : parseSize(match[2]!);
    if (match === null || size === undefined || size < 16 || Math.log2(size) % 1 !== 0) {
      throw new OptionError(
        'barSizes',
        `"${part.trim()}" is no size of a BAR; accepted is such as "0=16KiB, 4=1MiB", powers of two`,
      );
    }
    sizes[Number(match[1])] = size;
  }
  return sizes;
}

function clone(options: OptionValues): Clone {
  const sizes = barSizes(options.barSizes as string);
  try {
    return cloneConfig(bytesOf(options.dump as string), sizes);
  } catch (error) {
    throw new OptionError('dump', `this configuration space cannot be cloned: ${(error as Error).message}`);
  }
}

function describe(options: OptionValues): DeviceDescription {
  const { identity, bars, capabilities, config, vectors } = clone(options);
  const hex = (value: number): string => value.toString(16).padStart(4, '0');
  return {
    model: 'clone',
    title: `Clone of ${hex(identity.vendorId)}:${hex(identity.deviceId)}`,
    identity,
    bars: bars.map((bar) => ({
      ...bar,
      title: `Memory of BAR ${bar.index}`,
      trace: { reads: options.traceReads as boolean, writes: true, stopWrites: false },
      registers: [],
    })),
    capabilities,
    vectorNames: Array.from({ length: vectors }, (_, vector) => `Vector ${vector}`),
    config,
  };
}

/** It answers nothing by itself: what is written is read back. */
class CloneDevice implements Device {
  powerOn(): void {
    // BARs are zero, as memory is at first.
  }

  mmioWrite(): void {
    // The BAR's memory has it already.
  }
}

export const cloneModel: DeviceModel = {
  id: 'clone',
  title: 'Clone of a device',
  summary: "Another device's configuration space, from lspci -xxxx text; its BARs are memory.",
  options: [
    {
      name: 'dump',
      label: 'Configuration space',
      type: 'dump',
      help: 'Text of "lspci -vvv -xxxx -s ADDRESS", or the file with it.',
    },
    {
      name: 'barSizes',
      label: 'Sizes of BARs',
      type: 'text',
      default: '',
      maxLength: 200,
      help: 'Such as 0=16KiB, 4=1MiB. Empty: as lspci -v printed them, or what an address allows.',
    },
    {
      name: 'traceReads',
      label: 'Trace reads',
      type: 'boolean',
      default: true,
      help: 'Every read of a BAR is an event; slow for a driver that reads much.',
    },
  ],
  describe,
  create: () => new CloneDevice(),
};
