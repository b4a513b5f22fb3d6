import { describe, expect, it } from 'vitest';
import { nvmeModel } from '../nvme/model.ts';
import { FakeMachine } from './fake-bus.ts';
import { FakeClock } from './fake-host.ts';
import { defaultWorkload, InitiatorError } from './initiator.ts';
import { FileLikeBackend } from './memory-backend.ts';
import { NvmeInitiator } from './nvme-initiator.ts';

const SIZE = 4 * 2 ** 20;

function make() {
  const backend = new FileLikeBackend(SIZE);
  const machine = new FakeMachine(nvmeModel, { size: SIZE }, (host) => {
    host.backend = backend;
  });
  const driver = new NvmeInitiator(machine);
  driver.probe();
  return { backend, machine, driver };
}

describe('the NVMe initiator', () => {
  it('says what it found', () => {
    const { machine, driver } = make();
    expect(machine.logged[0]).toMatch(/PCIem Lab NVMe disk, serial LAB[0-9A-F]{8}: 8192 blocks of 512 bytes/);
    expect(machine.logged[1]).toBe('nvme: 4 I/O queues');
    expect(driver.progress.phase).toBe('Idle');
  });

  it('notices a disk that does not keep what it is given', () => {
    const { backend, driver } = make();
    const operations = (until: number, readPercent: number) =>
      driver.runWorkload(
        { ...defaultWorkload, rate: () => 0, readPercent },
        () => driver.progress.operations >= until,
      );
    operations(300, 0);
    operations(600, 100);
    expect(driver.progress.errors).toBe(0);
    backend.bytes.fill(0, 0, SIZE / 2);
    operations(900, 100);
    expect(driver.progress.errors).toBeGreaterThan(10);
    expect(driver.progress.lastError).toMatch(/does not hold what was written/);
  });

  it('counts commands that fail, and goes on', () => {
    const { backend, driver } = make();
    backend.failReads = true;
    driver.runWorkload({ ...defaultWorkload, rate: () => 0 }, () => driver.progress.operations >= 100);
    expect(driver.progress.errors).toBeGreaterThan(30);
    expect(driver.progress.lastError).toMatch(/Read of block \d+ failed with status 0x281/);
  });

  it('keeps to the rate, also when that is changed', () => {
    const { machine, driver } = make();
    let rate = 100;
    const start = machine.now();
    driver.runWorkload({ ...defaultWorkload, rate: () => rate }, () => machine.now() - start >= 2000);
    expect(driver.progress.operations).toBeGreaterThan(180);
    expect(driver.progress.operations).toBeLessThan(220);
    rate = 1000;
    const before = driver.progress.operations;
    const again = machine.now();
    driver.runWorkload({ ...defaultWorkload, rate: () => rate }, () => machine.now() - again >= 1000);
    expect(driver.progress.operations - before).toBeGreaterThan(900);
    expect(driver.progress.operations - before).toBeLessThan(1100);
  });

  it('keeps to the span', () => {
    const { backend, driver } = make();
    driver.runWorkload(
      { ...defaultWorkload, rate: () => 0, span: 2 ** 20, readPercent: 0 },
      () => driver.progress.operations >= 400,
    );
    expect(backend.bytes.subarray(2 ** 20).every((byte) => byte === 0)).toBe(true);
    expect(backend.bytes.subarray(0, 2 ** 20).some((byte) => byte !== 0)).toBe(true);
  });

  it('gives up on a device that is gone, and lets go of it quietly', () => {
    const { machine, driver } = make();
    expect(() =>
      driver.runWorkload({ ...defaultWorkload, rate: () => 0 }, () => {
        machine.gone = driver.progress.operations > 50;
        return false;
      }),
    ).toThrow(InitiatorError);
    driver.remove();
    expect(driver.progress.phase).toBe('Removed');
    expect(() => new NvmeInitiator(machine).probe()).toThrow(/CAP reads as all ones/);
  });

  it('does not come up on a controller that is broken', () => {
    const machine = new FakeMachine(nvmeModel, { size: SIZE });
    machine.host.dma.busMaster = false;
    expect(() => new NvmeInitiator(machine).probe()).toThrow(/fatal error: CSTS 0x3/);
  });
});

it('a clock by hand calls back in the order of time', () => {
  const clock = new FakeClock();
  const seen: string[] = [];
  clock.schedule(30, () => seen.push(`c${clock.now()}`));
  clock.schedule(10, () => {
    seen.push(`a${clock.now()}`);
    clock.schedule(5, () => seen.push(`b${clock.now()}`));
  });
  clock.cancel(clock.schedule(20, () => seen.push('never')));
  clock.advance(20);
  expect(seen).toEqual(['a10', 'b15']);
  clock.advance(100);
  expect(seen).toEqual(['a10', 'b15', 'c30']);
  expect(clock.now()).toBe(120);
});
