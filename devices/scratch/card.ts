/**
 * The smallest device, to start a model of one's own from: an identification, a register that keeps what is written,
 * a counter that moves by itself, one that raises an interrupt, and one that reading clears.
 */
import type { Device, DeviceDescription, DeviceHost, DeviceModel } from '../sdk/device.ts';
import { RegisterFile } from '../sdk/register-file.ts';
import type { RegisterDescription } from '../sdk/register-map.ts';

const BAR = 0;
export const SCRATCH_ID = 0x5c2a_7c40;

/** The card's registers; everything else follows from this table. */
export const registers: readonly RegisterDescription[] = [
  { name: 'ID', title: 'Identification', offset: 0x00, width: 4, reset: BigInt(SCRATCH_ID), writable: 0n },
  {
    name: 'SCRATCH',
    title: 'Keeps what is written',
    offset: 0x04,
    width: 4,
    reset: 0n,
    writable: 0xffff_ffffn,
  },
  { name: 'COUNTER', title: 'Writes of SCRATCH so far', offset: 0x08, width: 4, reset: 0n, writable: 0n },
  {
    name: 'INTERRUPT',
    title: 'Raises interrupts',
    offset: 0x0c,
    width: 4,
    reset: 0n,
    writable: 1n,
    selfClearing: 1n,
    fields: [{ name: 'RAISE', lsb: 0, width: 1, description: 'Writing 1 raises vector 0; reads as 0' }],
  },
  {
    name: 'STATUS',
    title: 'Interrupt status',
    offset: 0x10,
    width: 4,
    reset: 0n,
    writable: 0n,
    writeOneToClear: 1n,
    fields: [{ name: 'RAISED', lsb: 0, width: 1, description: 'An interrupt was raised; write 1 to clear' }],
  },
  {
    name: 'CHANGES',
    title: 'Writes of SCRATCH since it was last read; reading clears it',
    offset: 0x14,
    width: 4,
    reset: 0n,
    writable: 0n,
    answered: true,
  },
];

const description: DeviceDescription = {
  model: 'scratch',
  title: 'Scratch card',
  identity: {
    vendorId: 0x1f0c,
    deviceId: 0x0002,
    subsystemVendorId: 0x1f0c,
    subsystemId: 0x0002,
    revision: 1,
    // Unassigned class: no driver binds by class.
    classCode: 0xff0000,
  },
  bars: [
    {
      index: BAR,
      size: 4096,
      memory64: false,
      prefetchable: false,
      title: 'Registers',
      trace: { reads: true, writes: true, stopWrites: false },
      registers,
    },
  ],
  capabilities: [
    { kind: 'pm' },
    { kind: 'pcie' },
    { kind: 'msi', vectors: 1, address64: true, masking: false },
  ],
  vectorNames: ['Raised by INTERRUPT'],
};

class ScratchCard implements Device {
  private readonly host: DeviceHost;
  private readonly file: RegisterFile;

  constructor(host: DeviceHost) {
    this.host = host;
    this.file = new RegisterFile(BAR, registers, host.bars, (index, low, _high, wasLow) =>
      this.written(index, low, wasLow),
    );
  }

  powerOn(): void {
    this.file.reset();
  }

  reset(): void {
    this.file.reset();
  }

  mmioWrite(_bar: number, offset: number, width: number, value: number, high: number): void {
    this.file.write(offset, width, value, high);
  }

  answerRead(): number {
    const { file } = this;
    const changes = file.index('CHANGES');
    const value = file.get(changes);
    file.set(changes, 0);
    return value;
  }

  private written(index: number, low: number, wasLow: number): void {
    const { file, host } = this;
    switch (registers[index]!.name) {
      case 'SCRATCH': {
        const counter = file.index('COUNTER');
        file.set(counter, file.get(counter) + 1);
        const changes = file.index('CHANGES');
        file.set(changes, file.get(changes) + 1);
        break;
      }
      case 'INTERRUPT':
        if (low === 0) return;
        file.set(index, 0);
        file.set(file.index('STATUS'), 1);
        if (!host.raiseInterrupt(0))
          host.note('info', 'the interrupt was not delivered: masked or not enabled');
        break;
      case 'STATUS':
        // Acknowledged: the bit was set, and is no longer.
        if (wasLow & ~low) host.interruptServed(0);
        break;
    }
  }
}

export const scratchModel: DeviceModel = {
  id: 'scratch',
  title: 'Scratch card',
  summary: 'A few registers and an interrupt: the template for a model of your own.',
  options: [],
  describe: () => description,
  create: (_options, host) => new ScratchCard(host),
};
