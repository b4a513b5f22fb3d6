/** The simulated machine as whoever plays the driver sees it. */
import type { InitiatorBus } from '#devices/testing/initiator.ts';
import { MAX_VECTORS, type SimMachine } from './machine.ts';
import { MEMORY_BASE } from './port.ts';

const PAGE = 4096;

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

/** Pages are mapped for the device as they are allocated; what was mapped before is not any more. */
export function initiatorBus(machine: SimMachine, memory: Uint8Array): InitiatorBus {
  const pages = new PageAllocator(memory, machine);
  machine.unmapAll();
  const seen = new Int32Array(MAX_VECTORS);
  return {
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
}
