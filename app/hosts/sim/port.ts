/** The simulated host as a device's thread sees it. */

import { InterruptRefusal } from '#contract/trace-record.ts';
import { CapabilityId, Command, ConfigOffset } from '#devices/sdk/config-space.ts';
import type { BarMemory, CapabilityDescription, DeviceDescription } from '#devices/sdk/device.ts';
import { type DmaBuffer, DmaStatus, type DmaStatusCode } from '#devices/sdk/dma.ts';
import type {
  DevicePort,
  HostDmaPort,
  InterruptMode,
  MappingState,
  Peer,
  PortStatus,
  PortTicket,
  VectorState,
  WakeHandle,
} from '../host.ts';
import { MAX_VECTORS, SimMachine, WAKE_WORD } from './machine.ts';

const MSIX_ENTRY_BYTES = 16;

class SimBars implements BarMemory {
  readonly #machine: SimMachine;

  constructor(machine: SimMachine) {
    this.#machine = machine;
  }

  read32(bar: number, offset: number): number {
    return this.#machine.view.getUint32(this.#machine.barAt(bar, offset, 4), true);
  }

  write32(bar: number, offset: number, value: number): void {
    this.#machine.view.setUint32(this.#machine.barAt(bar, offset, 4), value, true);
  }

  read64(bar: number, offset: number): bigint {
    return this.#machine.view.getBigUint64(this.#machine.barAt(bar, offset, 8), true);
  }

  write64(bar: number, offset: number, value: bigint): void {
    this.#machine.view.setBigUint64(this.#machine.barAt(bar, offset, 8), value, true);
  }

  readBytes(bar: number, offset: number, into: Uint8Array): void {
    const at = this.#machine.barAt(bar, offset, into.length);
    into.set(this.#machine.bytes.subarray(at, at + into.length));
  }

  writeBytes(bar: number, offset: number, from: Uint8Array): void {
    this.#machine.bytes.set(from, this.#machine.barAt(bar, offset, from.length));
  }
}

const Step = { read: 0, write: 1, interrupt: 2 } as const;

interface QueuedStep {
  kind: number;
  address: number;
  buffer: DmaBuffer | undefined;
  offset: number;
  length: number;
}

/** Host memory starts at this bus address, so that a zero address is never valid. */
export const MEMORY_BASE = 0x1_0000;

class SimDma implements HostDmaPort {
  readonly #memory: Uint8Array;
  readonly #busMaster: () => DmaStatusCode;
  /** {@link InterruptRefusal}, or 0. */
  readonly #interrupt: (vector: number) => number;
  readonly #refusals: number[] = [];
  readonly #steps: QueuedStep[] = [];
  #nextBuffer = 1;
  queued = 0;
  lastError: DmaStatusCode = DmaStatus.ok;
  /** The other devices of the host. */
  peers: readonly SimMachine[] = [];

  readonly #mapped: (offset: number, length: number) => boolean;
  readonly #own: () => SimMachine;

  constructor(
    own: () => SimMachine,
    memory: Uint8Array,
    busMaster: () => DmaStatusCode,
    interrupt: (vector: number) => number,
    mapped: (offset: number, length: number) => boolean,
  ) {
    this.#own = own;
    this.#memory = memory;
    this.#mapped = mapped;
    this.#busMaster = busMaster;
    this.#interrupt = interrupt;
  }

  allocate(size: number): DmaBuffer {
    return this.attach(new Uint8Array(size));
  }

  attach(bytes: Uint8Array): DmaBuffer {
    return { id: this.#nextBuffer++, bytes };
  }

  release(_buffer: DmaBuffer): void {
    // The collector has it.
  }

  read(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const status = this.#check(address, to, offset, length);
    if (status === DmaStatus.ok) {
      const from = address - MEMORY_BASE;
      to.bytes.set(this.#memory.subarray(from, from + length), offset);
    }
    return status;
  }

  readRows(
    address: number,
    to: DmaBuffer,
    offset: number,
    length: number,
    pitch: number,
    count: number,
  ): DmaStatusCode {
    for (let row = 0; row < count; row++) {
      const status = this.read(address + row * pitch, to, offset + row * pitch, length);
      if (status !== DmaStatus.ok) return status;
    }
    return DmaStatus.ok;
  }

  write(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const status = this.#check(address, from, offset, length);
    if (status === DmaStatus.ok) {
      this.#memory.set(from.bytes.subarray(offset, offset + length), address - MEMORY_BASE);
    }
    return status;
  }

  peerRead(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode {
    return this.#peer(address, to, offset, length, true);
  }

  peerWrite(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode {
    return this.#peer(address, from, offset, length, false);
  }

  #peer(address: number, buffer: DmaBuffer, offset: number, length: number, read: boolean): DmaStatusCode {
    const allowed = this.#busMaster();
    if (allowed !== DmaStatus.ok) return allowed;
    if (length <= 0 || offset < 0 || offset + length > buffer.bytes.length) return DmaStatus.badLength;
    const own = this.#own();
    const inside = own.decodes(address, length);
    if (inside !== undefined) {
      // What a device does to its own BARs does not cross the bus.
      const at = own.barAt(inside.bar, inside.offset, length);
      const there = own.bytes.subarray(at, at + length);
      const here = buffer.bytes.subarray(offset, offset + length);
      if (read) here.set(there);
      else there.set(here);
      return DmaStatus.ok;
    }
    for (const machine of this.peers) {
      const found = machine.decodes(address, length);
      if (found === undefined) continue;
      const bytes = buffer.bytes.subarray(offset, offset + length);
      if (read) machine.peerRead(found.bar, found.offset, bytes);
      else machine.peerWrite(found.bar, found.offset, bytes);
      return DmaStatus.ok;
    }
    return DmaStatus.unmapped;
  }

  queueRead(address: number, to: DmaBuffer, offset: number, length: number): number {
    return this.#queue(Step.read, address, to, offset, length);
  }

  queueWrite(address: number, from: DmaBuffer, offset: number, length: number): number {
    return this.#queue(Step.write, address, from, offset, length);
  }

  queueInterrupt(vector: number): number {
    return this.#queue(Step.interrupt, 0, undefined, 0, vector);
  }

  submit(): number {
    const count = this.queued;
    this.queued = 0;
    this.lastError = DmaStatus.ok;
    for (let index = 0; index < count; index++) {
      const step = this.#steps[index]!;
      let status: DmaStatusCode = DmaStatus.ok;
      if (step.kind === Step.read) status = this.read(step.address, step.buffer!, step.offset, step.length);
      else if (step.kind === Step.write) {
        status = this.write(step.address, step.buffer!, step.offset, step.length);
      } else this.#refusals[index] = this.#interrupt(step.length);
      if (status !== DmaStatus.ok) {
        this.lastError = status;
        return index;
      }
    }
    return count;
  }

  interruptRefusal(index: number): number {
    return this.#refusals[index] ?? 0;
  }

  #queue(
    kind: number,
    address: number,
    buffer: DmaBuffer | undefined,
    offset: number,
    length: number,
  ): number {
    const index = this.queued++;
    const step = this.#steps[index];
    if (step === undefined) {
      this.#steps.push({ kind, address, buffer, offset, length });
    } else {
      step.kind = kind;
      step.address = address;
      step.buffer = buffer;
      step.offset = offset;
      step.length = length;
    }
    return index;
  }

  #check(address: number, buffer: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const allowed = this.#busMaster();
    if (allowed !== DmaStatus.ok) return allowed;
    if (length <= 0 || offset < 0 || offset + length > buffer.bytes.length) return DmaStatus.badLength;
    const from = address - MEMORY_BASE;
    return from + length <= this.#memory.length && this.#mapped(from, length)
      ? DmaStatus.ok
      : DmaStatus.unmapped;
  }
}

export class SimPort implements DevicePort {
  readonly #ticket: Extract<PortTicket, { kind: 'sim' }>;
  #machine: SimMachine | undefined;
  #msix: Extract<CapabilityDescription, { kind: 'msix' }> | undefined;
  #msi: Extract<CapabilityDescription, { kind: 'msi' }> | undefined;
  #bars: SimBars | undefined;
  #anyPending = false;
  readonly dma: SimDma;
  readonly wakeHandle: WakeHandle;

  constructor(ticket: Extract<PortTicket, { kind: 'sim' }>) {
    this.#ticket = ticket;
    this.wakeHandle = { kind: 'atomics', words: new Int32Array(ticket.machine, 0, 1), index: WAKE_WORD };
    this.dma = new SimDma(
      () => this.#on(),
      new Uint8Array(ticket.memory),
      () => this.#dmaAllowed(),
      (vector) => {
        if (this.raiseInterrupt(vector)) return 0;
        return this.vectorState(vector).masked ? InterruptRefusal.masked : InterruptRefusal.off;
      },
      (offset, length) => this.#on().isMapped(offset, length),
    );
  }

  /** Stable before `register`; usable after it. */
  readonly bars: BarMemory = {
    read32: (bar, offset) => this.#barMemory().read32(bar, offset),
    write32: (bar, offset, value) => this.#barMemory().write32(bar, offset, value),
    read64: (bar, offset) => this.#barMemory().read64(bar, offset),
    write64: (bar, offset, value) => this.#barMemory().write64(bar, offset, value),
    readBytes: (bar, offset, into) => this.#barMemory().readBytes(bar, offset, into),
    writeBytes: (bar, offset, from) => this.#barMemory().writeBytes(bar, offset, from),
  };

  register(description: DeviceDescription): void {
    const machine = new SimMachine(this.#ticket.machine, description);
    this.#machine = machine;
    this.#bars = new SimBars(machine);
    for (const capability of description.capabilities) {
      if (capability.kind === 'msix') this.#msix = capability;
      if (capability.kind === 'msi') this.#msi = capability;
    }
    if (this.#msix !== undefined) {
      // PCIe 5.0, 7.7.2.8: every vector is masked after reset.
      for (let vector = 0; vector < this.#msix.vectors; vector++) {
        this.#bars.write32(this.#msix.tableBar, this.#msix.tableOffset + vector * MSIX_ENTRY_BYTES + 12, 1);
      }
    }
  }

  start(): void {
    this.#on().start();
  }

  wait(events: Uint32Array, timeout: number): number {
    const count = this.#on().wait(events, timeout);
    this.#deliverPending();
    return count;
  }

  respond(sequence: number, low: number, high: number): boolean {
    return this.#on().respond(sequence, low, high);
  }

  raiseInterrupt(vector: number): boolean {
    const machine = this.#on();
    if (machine.gone || !machine.started || vector >= MAX_VECTORS) return false;
    switch (this.#mode()) {
      case 'msix': {
        const msix = this.#msix!;
        if (vector >= msix.vectors) return false;
        if (this.#msixMasked(vector)) {
          this.#setPending(vector, true);
          return false;
        }
        machine.deliver(vector);
        return true;
      }
      case 'msi':
        if (vector >= this.#enabledVectors()) return false;
        machine.deliver(vector);
        return true;
      case 'intx':
        machine.deliver(0);
        return true;
      default:
        return false;
    }
  }

  vectorState(vector: number): VectorState {
    const mode = this.#mode();
    const enabled = vector < this.#enabledVectors();
    let address = 0;
    let data = 0;
    let masked = false;
    let pending = false;
    const msix = this.#msix;
    if (msix !== undefined && vector < msix.vectors) {
      const bars = this.#barMemory();
      const entry = msix.tableOffset + vector * MSIX_ENTRY_BYTES;
      address = bars.read32(msix.tableBar, entry) + bars.read32(msix.tableBar, entry + 4) * 2 ** 32;
      data = bars.read32(msix.tableBar, entry + 8);
      masked = mode === 'msix' && this.#msixMasked(vector);
      pending = this.#isPending(vector);
    }
    return {
      vector,
      enabled,
      masked,
      pending,
      irq: 0,
      address,
      data,
      cpu: -1,
      count: this.#on().vectorCount(vector),
    };
  }

  status(): PortStatus {
    const machine = this.#on();
    return {
      address: this.#ticket.address,
      driver: machine.driverBound ? 'initiator' : '',
      started: machine.started,
      busMaster: (this.configRead(ConfigOffset.command, 2) & Command.busMaster) !== 0,
      interruptMode: this.#mode(),
      vectors: this.#enabledVectors(),
      events: machine.events,
      lost: machine.lost,
      interrupts: machine.interrupts,
    };
  }

  configRead(offset: number, width: number): number {
    return this.#on().config.read(offset, width);
  }

  configWrite(offset: number, width: number, value: number, asDevice: boolean): void {
    if (asDevice) this.#on().config.poke(offset, width, value);
    else this.#on().config.write(offset, width, value);
  }

  driverRead(bar: number, offset: number, width: number): bigint {
    return this.#on().driverRead(bar, offset, width);
  }

  driverWrite(bar: number, offset: number, width: number, value: bigint): void {
    this.#on().driverWrite(bar, offset, width, value);
  }

  /** PCI 3.0, 6.2.3: Interrupt Status tells of the pin, whether or not it may be driven. */
  setLevel(asserted: boolean): void {
    const machine = this.#on();
    const { config } = machine;
    const was = machine.level;
    machine.level = asserted;
    const status = config.read(ConfigOffset.status, 2);
    config.poke(ConfigOffset.status, 2, asserted ? status | 0x8 : status & ~0x8);
    if (asserted && !was && this.#mode() === 'intx') machine.deliver(0);
  }

  level(): boolean | undefined {
    const machine = this.#on();
    return machine.config.bytes[ConfigOffset.interruptPin] === 0 ? undefined : machine.level;
  }

  mappings(): { total: number; mappings: readonly MappingState[] } {
    return this.#on().mappings(MEMORY_BASE);
  }

  barAddress(bar: number): number {
    return this.#on().barAddress(bar);
  }

  setPeers(peers: readonly Peer[]): void {
    this.dma.peers = peers.flatMap(({ ticket, description }) =>
      ticket.kind === 'sim' ? [new SimMachine(ticket.machine, description)] : [],
    );
  }

  close(): void {
    this.#machine?.leave();
  }

  #on(): SimMachine {
    if (this.#machine === undefined) throw new Error('the port is not registered');
    return this.#machine;
  }

  #barMemory(): SimBars {
    if (this.#bars === undefined) throw new Error('the port is not registered');
    return this.#bars;
  }

  #dmaAllowed(): DmaStatusCode {
    const machine = this.#on();
    if (machine.gone) return DmaStatus.gone;
    return (machine.config.bytes[ConfigOffset.command]! & Command.busMaster) === 0
      ? DmaStatus.notBusMaster
      : DmaStatus.ok;
  }

  #mode(): InterruptMode {
    const { config } = this.#on();
    if (this.#msix !== undefined) {
      // Message Control, PCIe 5.0, 7.7.2.2: MSI-X Enable.
      if ((config.bytes[config.find(CapabilityId.msix) + 3]! & 0x80) !== 0) return 'msix';
    }
    if (this.#msi !== undefined) {
      if ((config.bytes[config.find(CapabilityId.msi) + 2]! & 0x01) !== 0) return 'msi';
    }
    const pin = config.bytes[ConfigOffset.interruptPin];
    const disabled = (config.read(ConfigOffset.command, 2) & Command.interruptDisable) !== 0;
    return this.#on().driverBound && pin !== 0 && !disabled ? 'intx' : 'none';
  }

  #enabledVectors(): number {
    const { config } = this.#on();
    switch (this.#mode()) {
      case 'msix':
        return this.#msix!.vectors;
      case 'msi':
        return 1 << ((config.bytes[config.find(CapabilityId.msi) + 2]! >>> 4) & 7);
      case 'intx':
        return 1;
      default:
        return 0;
    }
  }

  #msixMasked(vector: number): boolean {
    const { config } = this.#on();
    // Function Mask, PCIe 5.0, 7.7.2.2.
    if ((config.bytes[config.find(CapabilityId.msix) + 3]! & 0x40) !== 0) return true;
    const msix = this.#msix!;
    const control = this.#barMemory().read32(
      msix.tableBar,
      msix.tableOffset + vector * MSIX_ENTRY_BYTES + 12,
    );
    return (control & 1) !== 0;
  }

  #isPending(vector: number): boolean {
    const msix = this.#msix!;
    const word = this.#barMemory().read32(msix.pbaBar, msix.pbaOffset + (vector >>> 5) * 4);
    return ((word >>> (vector & 31)) & 1) !== 0;
  }

  #setPending(vector: number, pending: boolean): void {
    const msix = this.#msix!;
    const at = msix.pbaOffset + (vector >>> 5) * 4;
    const word = this.#barMemory().read32(msix.pbaBar, at);
    const bit = 1 << (vector & 31);
    this.#barMemory().write32(msix.pbaBar, at, (pending ? word | bit : word & ~bit) >>> 0);
    this.#anyPending = pending || this.#anyPending;
  }

  /** Vectors that were raised while masked go out once the driver unmasks them. */
  #deliverPending(): void {
    if (!this.#anyPending || this.#mode() !== 'msix') return;
    let left = false;
    for (let vector = 0; vector < this.#msix!.vectors; vector++) {
      if (!this.#isPending(vector)) continue;
      if (this.#msixMasked(vector)) {
        left = true;
        continue;
      }
      this.#setPending(vector, false);
      this.#on().deliver(vector);
    }
    this.#anyPending = left;
  }
}
