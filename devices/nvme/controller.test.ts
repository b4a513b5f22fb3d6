import { describe, expect, it } from 'vitest';
import { FakeMachine } from '../testing/fake-bus.ts';
import { defaultWorkload } from '../testing/initiator.ts';
import { NvmeInitiator } from '../testing/nvme-initiator.ts';
import { nvmeModel } from './model.ts';

describe('the controller and a driver', () => {
  it('comes up, does verified traffic and shuts down', () => {
    const machine = new FakeMachine(nvmeModel, { size: '16MiB' });
    const driver = new NvmeInitiator(machine);
    driver.probe();
    expect(driver.blocks).toBe((16 * 2 ** 20) / 512);
    expect(driver.ioQueues).toBe(4);
    driver.runWorkload({ ...defaultWorkload, rate: () => 0 }, () => driver.progress.operations >= 2000);
    expect(driver.progress.lastError).toBe('');
    expect(driver.progress.errors).toBe(0);
    expect(driver.progress.operations).toBeGreaterThanOrEqual(2000);
    driver.remove();
    expect(driver.progress.lastError).toBe('');
    expect(machine.host.notes).toEqual([]);
  });
});
