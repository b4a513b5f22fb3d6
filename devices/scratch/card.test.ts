import { describe, expect, it } from 'vitest';
import { FakeMachine } from '../testing/fake-bus.ts';
import { SCRATCH_ID, scratchModel } from './card.ts';

describe('the scratch card', () => {
  it('identifies itself, and keeps that', () => {
    const machine = new FakeMachine(scratchModel);
    expect(machine.read32(0, 0)).toBe(SCRATCH_ID);
    machine.write32(0, 0, 0);
    expect(machine.read32(0, 0)).toBe(SCRATCH_ID);
  });

  it('keeps what is written to SCRATCH and counts it', () => {
    const machine = new FakeMachine(scratchModel);
    machine.write32(0, 4, 0xdead_beef);
    machine.access(0, 6, 1, 0x12, 0);
    expect(machine.read32(0, 4)).toBe(0xde12_beef);
    expect(machine.read32(0, 8)).toBe(2);
  });

  it('counts writes since the last look, which clears', () => {
    const machine = new FakeMachine(scratchModel);
    machine.write32(0, 4, 1);
    machine.write32(0, 4, 2);
    expect(machine.read32(0, 0x14)).toBe(2);
    expect(machine.read32(0, 0x14)).toBe(0);
    expect(machine.read32(0, 8)).toBe(2);
  });

  it('raises its vector, and STATUS is cleared by writing 1', () => {
    const machine = new FakeMachine(scratchModel);
    machine.write32(0, 0x0c, 1);
    expect(machine.host.interrupts).toEqual([1]);
    expect(machine.read32(0, 0x0c)).toBe(0);
    expect(machine.read32(0, 0x10)).toBe(1);
    machine.write32(0, 0x10, 0);
    expect(machine.read32(0, 0x10)).toBe(1);
    expect(machine.host.served).toEqual([]);
    machine.write32(0, 0x10, 1);
    expect(machine.host.served).toEqual([0]);
    expect(machine.read32(0, 0x10)).toBe(0);
  });
});
