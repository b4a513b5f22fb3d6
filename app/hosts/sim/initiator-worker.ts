/** The thread that plays the driver on the simulated host: binds to the device, makes traffic, lets go. */
import { workerData } from 'node:worker_threads';
import type { DeviceDescription } from '#devices/sdk/device.ts';
import { defaultWorkload, type InitiatorBus } from '#devices/testing/initiator.ts';
import { initiators } from '#devices/testing/initiators.ts';
import { SimMachine } from './machine.ts';
import { MEMORY_BASE } from './port.ts';

export interface InitiatorData {
  readonly machine: SharedArrayBuffer;
  readonly memory: SharedArrayBuffer;
  readonly description: DeviceDescription;
}

const PAGE = 4096;
const PROGRESS_INTERVAL = 100;

/** Pages of host memory, by a bitmap. */
class PageAllocator {
  readonly #used: Uint8Array;
  readonly #memory: Uint8Array;

  readonly #machine: SimMachine;

  constructor(memory: Uint8Array, machine: SimMachine) {
    this.#memory = memory;
    this.#machine = machine;
    this.#used = new Uint8Array(memory.length / PAGE);
  }

  allocate(count: number): number {
    let run = 0;
    for (let page = 0; page < this.#used.length; page++) {
      run = this.#used[page] === 0 ? run + 1 : 0;
      if (run < count) continue;
      const first = page - count + 1;
      this.#used.fill(1, first, page + 1);
      this.#memory.fill(0, first * PAGE, (page + 1) * PAGE);
      this.#machine.map(first * PAGE, count * PAGE);
      return MEMORY_BASE + first * PAGE;
    }
    throw new Error(`the simulated host has no ${count} free contiguous pages`);
  }

  free(address: number, count: number): void {
    const first = (address - MEMORY_BASE) / PAGE;
    this.#used.fill(0, first, first + count);
    this.#machine.unmap(first * PAGE, count * PAGE);
  }
}

const data = workerData as InitiatorData;
const machine = new SimMachine(data.machine, data.description);
const memory = new Uint8Array(data.memory);
const pages = new PageAllocator(memory, machine);
machine.unmapAll();
const seen = new Int32Array(256);

const bus: InitiatorBus = {
  read32: (bar, offset) => Number(machine.driverRead(bar, offset, 4)),
  write32: (bar, offset, value) => machine.driverWrite(bar, offset, 4, BigInt(value >>> 0)),
  configRead: (offset, width) => machine.driverConfigRead(offset, width),
  configWrite: (offset, width, value) => machine.driverConfigWrite(offset, width, value),
  memory,
  memoryBase: MEMORY_BASE,
  allocatePages: (count) => pages.allocate(count),
  freePages: (address, count) => pages.free(address, count),
  waitInterrupt: (vector, timeout) => {
    const count = machine.awaitInterrupt(vector, seen[vector]!, timeout);
    if (count === seen[vector]) return false;
    seen[vector] = count;
    return true;
  },
  now: () => performance.now(),
  sleep: (milliseconds) => machine.awaitOrders(machine.orders, milliseconds),
};

const factory = initiators.find(({ model }) => model === data.description.model);
if (factory !== undefined) {
  const initiator = factory.create(bus);
  const report = (phase: string): void => {
    const { operations, bytes, errors } = initiator.progress;
    machine.setProgress(phase, operations, bytes, errors);
  };
  try {
    report('Probe');
    initiator.probe();
    machine.driverBound = true;
    while (!machine.gone && !machine.removeAsked) {
      const orders = machine.orders;
      if (!machine.workloadRunning) {
        report('Idle');
        machine.awaitOrders(orders, 1000);
        continue;
      }
      let reported = 0;
      initiator.runWorkload({ ...defaultWorkload, rate: () => machine.workloadRate }, () => {
        const now = performance.now();
        if (now - reported > PROGRESS_INTERVAL) {
          reported = now;
          report('Workload');
        }
        return machine.gone || machine.removeAsked || !machine.workloadRunning;
      });
    }
    if (!machine.gone) initiator.remove();
    report('Removed');
  } catch (error) {
    report(machine.gone ? 'Device gone' : `Failed: ${(error as Error).message}`);
  }
  machine.driverBound = false;
  machine.unmapAll();
}
