import { describe, expect, it } from 'vitest';
import { FakeMachine } from '../testing/fake-bus.ts';
import { CHECKSUM_ID, checksumModel, MAX_LENGTH, Status } from './card.ts';
import { crc32 } from './crc32.ts';

const CONTROL = 0x04;
const STATUS = 0x08;
const LENGTH = 0x0c;
const ADDRESS = 0x10;
const RESULT = 0x18;

function start(machine: FakeMachine, address: number, length: number): void {
  machine.write64(0, ADDRESS, address % 2 ** 32, Math.floor(address / 2 ** 32));
  machine.write32(0, LENGTH, length);
  machine.write32(0, CONTROL, 1);
}

describe('CRC-32', () => {
  it('is that of the check value', () => {
    expect(crc32(Uint8Array.from('123456789', (digit) => digit.charCodeAt(0)))).toBe(0xcbf4_3926);
    expect(crc32(new Uint8Array(32))).toBe(0x190a_55ad);
    expect(crc32(new Uint8Array(64), 32)).toBe(0x190a_55ad);
    expect(crc32(new Uint8Array())).toBe(0);
  });
});

describe('the checksum card', () => {
  it('reads memory, gives its checksum and interrupts', () => {
    const machine = new FakeMachine(checksumModel);
    expect(machine.read32(0, 0)).toBe(CHECKSUM_ID);
    const address = machine.allocatePages(MAX_LENGTH / 4096);
    const bytes = machine.host.memory.slice(address, MAX_LENGTH);
    for (let at = 0; at < MAX_LENGTH; at++) bytes[at] = at * 7;
    for (const length of [1, 13, 4096, MAX_LENGTH]) {
      start(machine, address, length);
      expect(machine.read32(0, RESULT), `${length} bytes`).toBe(crc32(bytes.subarray(0, length)));
      expect(machine.read32(0, STATUS)).toBe(Status.DONE);
      expect(machine.read32(0, CONTROL)).toBe(0);
      machine.write32(0, STATUS, Status.DONE);
      expect(machine.read32(0, STATUS)).toBe(0);
    }
    expect(machine.host.interrupts).toEqual([4]);
    expect(machine.host.served).toEqual([0, 0, 0, 0]);
  });

  it('says so where it cannot read, and interrupts all the same', () => {
    const machine = new FakeMachine(checksumModel);
    const address = machine.allocatePages(1);
    start(machine, address, 16);
    machine.host.dma.unmapped.add(address);
    start(machine, address, 16);
    expect(machine.read32(0, STATUS)).toBe(Status.DONE | Status.ERROR);
    expect(machine.read32(0, RESULT)).toBe(0);
    expect(machine.host.interrupts).toEqual([2]);
    expect(machine.host.notes).toEqual([]);
  });

  it.each([0, MAX_LENGTH + 1])('refuses a length of %i', (length) => {
    const machine = new FakeMachine(checksumModel);
    start(machine, machine.allocatePages(1), length);
    expect(machine.read32(0, STATUS)).toBe(Status.DONE | Status.ERROR);
    expect(machine.host.dma.immediate).toBe(0);
    expect(machine.host.notes[0]?.text).toBe(`LENGTH is ${length}; 1 to 65536 are accepted`);
  });

  it('forgets everything at a reset', () => {
    const machine = new FakeMachine(checksumModel);
    start(machine, machine.allocatePages(1), 4);
    machine.device.reset?.('flr');
    for (const offset of [STATUS, LENGTH, ADDRESS, RESULT]) expect(machine.read32(0, offset)).toBe(0);
  });
});
