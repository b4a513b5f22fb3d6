/** A PCIe host inside this process. Runs anywhere; a small initiator plays the driver. */
import type { Worker } from 'node:worker_threads';
import { ConfigOffset, type ConfigSpace } from '#devices/sdk/config-space.ts';
import type { DeviceDescription } from '#devices/sdk/device.ts';
import { initiators } from '#devices/testing/initiators.ts';
import { LabError } from '../errors.ts';
import type { Host, HostInfo, Peer, PortTicket, WorkloadControl } from '../host.ts';
import { startWorker } from '../workers.ts';
import type { InitiatorData } from './initiator-worker.ts';
import { machineBytes, SimMachine } from './machine.ts';

/** Memory of the simulated machine that one slot's initiator uses, bytes. */
const MEMORY_BYTES = 64 * 1024 * 1024;
const MAX_SLOTS = 32;
/** Operations per second of the workload that is running when a device is powered on. */
const DEFAULT_RATE = 200;
/** Where the BARs of slot n are: `start + n * size`, bytes. */
const WINDOW_32 = { start: 0x8000_0000, size: 0x200_0000 };
const WINDOW_64 = { start: 0x40_0000_0000, size: 0x1_0000_0000 };

/** ms that a device has to take a reset. */
const RESET_TIMEOUT = 2000;

type SimTicket = Extract<PortTicket, { kind: 'sim' }>;

interface Slot {
  readonly ticket: SimTicket;
  readonly number: number;
  readonly machine: SimMachine;
  readonly description: DeviceDescription;
  initiator: Worker | undefined;
}

export class SimHost implements Host {
  readonly info: HostInfo = {
    kind: 'sim',
    title: 'Simulated host',
    detail: 'A PCIe host inside this process; an initiator plays the driver. No kernel is involved.',
  };
  readonly #slots = new Map<SharedArrayBuffer, Slot>();

  openPort(description: DeviceDescription): PortTicket {
    const used = new Set([...this.#slots.values()].map(({ number }) => number));
    let number = 0;
    while (used.has(number)) number++;
    if (number >= MAX_SLOTS) {
      throw new LabError(
        'NO_SLOT',
        `The simulated host has ${MAX_SLOTS} slots, all taken.`,
        'Power a device off first.',
      );
    }
    const ticket: SimTicket = {
      kind: 'sim',
      machine: new SharedArrayBuffer(machineBytes(description)),
      memory: new SharedArrayBuffer(MEMORY_BYTES),
      address: `0000:${(number + 1).toString(16).padStart(2, '0')}:00.0`,
    };
    const machine = new SimMachine(ticket.machine, description);
    machine.powerOn(description);
    assignAddresses(machine.config, description, number);
    this.#slots.set(ticket.machine, { ticket, number, machine, description, initiator: undefined });
    return ticket;
  }

  deviceStarted(ticket: PortTicket, description: DeviceDescription): void {
    const slot = this.#slot(ticket);
    if (slot === undefined || ticket.kind !== 'sim') return;
    const initiator = initiators.find(({ model }) => model === description.model);
    slot.machine.order(true, initiator?.defaultRate ?? DEFAULT_RATE);
    this.#startInitiator(slot, ticket);
  }

  async detachDriver(ticket: PortTicket): Promise<void> {
    const slot = this.#slot(ticket);
    if (slot?.initiator === undefined) return;
    const ended = new Promise<void>((resolve) => slot.initiator?.once('exit', () => resolve()));
    slot.machine.askRemove();
    await ended;
  }

  async resetFunction(ticket: PortTicket): Promise<void> {
    const slot = this.#slot(ticket);
    if (slot === undefined || ticket.kind !== 'sim') return;
    await this.detachDriver(ticket);
    slot.machine.reset(slot.description);
    const deadline = performance.now() + RESET_TIMEOUT;
    while (!slot.machine.drained && !slot.machine.gone) {
      if (performance.now() > deadline) {
        throw new LabError('RESET_TIMEOUT', 'The device did not take the reset within 2 s.');
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    slot.machine.cancelRemove();
    if (!slot.machine.gone) this.#startInitiator(slot, ticket);
  }

  #startInitiator(slot: Slot, ticket: SimTicket): void {
    const { description } = slot;
    const workerData: InitiatorData = { machine: ticket.machine, memory: ticket.memory, description };
    slot.initiator = startWorker('initiator-worker', { workerData, name: `initiator ${slot.number}` });
  }

  workload(ticket: PortTicket): WorkloadControl | undefined {
    const slot = this.#slot(ticket);
    if (slot?.initiator === undefined) return undefined;
    const { machine } = slot;
    return {
      running: machine.workloadRunning,
      rate: machine.workloadRate,
      ...machine.progress,
      set: (running, rate) => machine.order(running, rate),
    };
  }

  peers(ticket: PortTicket): readonly Peer[] {
    return [...this.#slots.values()]
      .filter((slot) => slot.ticket !== ticket)
      .map((slot) => ({ ticket: slot.ticket, description: slot.description }));
  }

  deviceClosed(ticket: PortTicket): void {
    const slot = this.#slot(ticket);
    if (slot === undefined || ticket.kind !== 'sim') return;
    slot.machine.leave();
    this.#slots.delete(ticket.machine);
  }

  async close(): Promise<void> {
    const ended: Promise<unknown>[] = [];
    for (const slot of this.#slots.values()) {
      slot.machine.leave();
      if (slot.initiator !== undefined) ended.push(slot.initiator.terminate());
    }
    this.#slots.clear();
    await Promise.all(ended);
  }

  #slot(ticket: PortTicket): Slot | undefined {
    return ticket.kind === 'sim' ? this.#slots.get(ticket.machine) : undefined;
  }
}

/**
 * What firmware does before a driver looks: every BAR gets a naturally aligned bus address, the largest first. One
 * that finds no room stays at 0.
 */
function assignAddresses(config: ConfigSpace, { bars }: DeviceDescription, slot: number): void {
  let next32 = 0;
  let next64 = 0;
  for (const bar of [...bars].sort((a, b) => b.size - a.size)) {
    const at = ConfigOffset.bar0 + 4 * bar.index;
    if (bar.memory64) {
      const address = WINDOW_64.start + slot * WINDOW_64.size + next64;
      config.write(at, 4, address % 2 ** 32);
      config.write(at + 4, 4, Math.floor(address / 2 ** 32));
      next64 += bar.size;
    } else if (next32 + bar.size <= WINDOW_32.size) {
      config.write(at, 4, WINDOW_32.start + slot * WINDOW_32.size + next32);
      next32 += bar.size;
    }
  }
}
