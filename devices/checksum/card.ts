/**
 * The checksum card: the smallest device that reads a driver's memory. It is what docs/debug-your-first-driver.md is about;
 * its driver is kernel/examples/checksum.
 */
import { join } from '../sdk/bits.ts';
import type { Device, DeviceDescription, DeviceHost, DeviceModel } from '../sdk/device.ts';
import { type DmaBuffer, DmaStatus } from '../sdk/dma.ts';
import { RegisterFile } from '../sdk/register-file.ts';
import type { RegisterDescription } from '../sdk/register-map.ts';
import { crc32 } from './crc32.ts';

const BAR = 0;
const ALL = 0xffff_ffffn;
export const CHECKSUM_ID = 0x4352_4332;
export const MAX_LENGTH = 65536;
const CHECKSUM = 1;

export const Status = { DONE: 1, ERROR: 2 } as const;

export const registers: readonly RegisterDescription[] = [
  { name: 'ID', title: 'Identification', offset: 0x00, width: 4, reset: BigInt(CHECKSUM_ID), writable: 0n },
  {
    name: 'CONTROL',
    title: 'Control',
    offset: 0x04,
    width: 4,
    reset: 0n,
    writable: 1n,
    selfClearing: 1n,
    fields: [{ name: 'START', lsb: 0, width: 1, description: 'Writing 1 reads the memory; reads as 0' }],
  },
  {
    name: 'STATUS',
    title: 'State of the last checksum',
    offset: 0x08,
    width: 4,
    reset: 0n,
    writable: 0n,
    writeOneToClear: 3n,
    fields: [
      { name: 'DONE', lsb: 0, width: 1, description: 'It has ended; write 1 to clear' },
      { name: 'ERROR', lsb: 1, width: 1, description: 'It has failed; write 1 to clear' },
    ],
  },
  {
    name: 'LENGTH',
    title: `Bytes to read, 1 to ${MAX_LENGTH}`,
    offset: 0x0c,
    width: 4,
    reset: 0n,
    writable: ALL,
  },
  {
    name: 'ADDRESS_LOW',
    title: 'Address of the memory, lower half',
    offset: 0x10,
    width: 4,
    reset: 0n,
    writable: ALL,
  },
  {
    name: 'ADDRESS_HIGH',
    title: 'Address of the memory, upper half',
    offset: 0x14,
    width: 4,
    reset: 0n,
    writable: ALL,
  },
  { name: 'RESULT', title: 'CRC-32 of what was read', offset: 0x18, width: 4, reset: 0n, writable: 0n },
];

const description: DeviceDescription = {
  model: 'checksum',
  title: 'Checksum card',
  identity: {
    vendorId: 0x1f0c,
    deviceId: 0x0003,
    subsystemVendorId: 0x1f0c,
    subsystemId: 0x0003,
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
  vectorNames: ['Checksum done'],
  commandNames: { [CHECKSUM]: 'CHECKSUM' },
};

class ChecksumCard implements Device {
  private readonly host: DeviceHost;
  private readonly file: RegisterFile;
  private readonly buffer: DmaBuffer;

  constructor(host: DeviceHost) {
    this.host = host;
    this.file = new RegisterFile(BAR, registers, host.bars, (index, low, _high, wasLow) =>
      this.written(index, low, wasLow),
    );
    this.buffer = host.dma.allocate(MAX_LENGTH);
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

  private get(name: string): number {
    return this.file.get(this.file.index(name));
  }

  private set(name: string, value: number): void {
    this.file.set(this.file.index(name), value);
  }

  private written(index: number, low: number, wasLow: number): void {
    const { name } = registers[index]!;
    if (name === 'STATUS' && wasLow & ~low) this.host.interruptServed(0);
    if (name !== 'CONTROL' || low === 0) return;
    this.file.set(index, 0);
    const address = join(this.get('ADDRESS_LOW'), this.get('ADDRESS_HIGH'));
    const length = this.get('LENGTH');
    const done = this.checksum(address, length);
    this.host.command(0, 0, CHECKSUM, done ? 0 : 1, address, length);
    this.set('STATUS', done ? Status.DONE : Status.DONE | Status.ERROR);
    this.host.raiseInterrupt(0);
  }

  private checksum(address: number, length: number): boolean {
    this.set('RESULT', 0);
    if (length < 1 || length > MAX_LENGTH) {
      this.host.note('undefined-behaviour', `LENGTH is ${length}; 1 to ${MAX_LENGTH} are accepted`);
      return false;
    }
    if (this.host.dma.read(address, this.buffer, 0, length) !== DmaStatus.ok) return false;
    this.set('RESULT', crc32(this.buffer.bytes, length));
    return true;
  }
}

export const checksumModel: DeviceModel = {
  id: 'checksum',
  title: 'Checksum card',
  summary: 'Reads memory by DMA and gives its CRC-32: the card of "Debug your first driver".',
  options: [],
  describe: () => description,
  create: (_options, host) => new ChecksumCard(host),
};
