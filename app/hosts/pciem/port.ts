/** A device on `/dev/pciem`: the {@link DevicePort} of a worker thread. */

import { InterruptRefusal } from '#contract/trace-record.ts';
import { Command, ConfigOffset } from '#devices/sdk/config-space.ts';
import type { BarMemory, CapabilityDescription, DeviceDescription } from '#devices/sdk/device.ts';
import { type DmaBuffer, DmaStatus, type DmaStatusCode } from '#devices/sdk/dma.ts';
import { answeredRanges } from '#devices/sdk/register-map.ts';
import {
  BarFlags,
  DmaFlags,
  EventKinds,
  monotonicNow,
  PciemDevice,
  type PciemError,
  StateFlags,
  TraceFlags,
  VectorFlags,
} from '#native';
import { LabError } from '../errors.ts';
import {
  type DevicePort,
  EVENT_WORDS,
  type HostDmaPort,
  type InterruptMode,
  MAX_MAPPINGS,
  type MappingState,
  type PortStatus,
  type PortTicket,
  type VectorState,
  type WakeHandle,
} from '../host.ts';

/** Room for a burst: a driver that writes faster than its device listens waits for a full ring. */
export const RING_SLOTS = 8192;
/** Upper bound of spinning on the ring before a sleep, microseconds; the binding spins less where it does not pay. */
export const SPIN_MICROSECONDS = 400;

/** A model in JavaScript has its pauses, and a driver that may sleep can wait that long. */
export const COMPLETION_TIMEOUT_MICROSECONDS = 1_000_000;

const FUNCTION = 0;
/** Read-only; set while the pin is asserted. */
const INTERRUPT_STATUS = 0x8;
const STEP_DOUBLES = 6;
const INTERRUPT_MODES: readonly InterruptMode[] = ['none', 'intx', 'msi', 'msix'];

/** errno of a refused transfer, as the device sees it. */
const Errno = { EPERM: 1, EACCES: 13, ENODEV: 19, EINVAL: 22 } as const;

export function dmaStatus(errno: number): DmaStatusCode {
  switch (errno) {
    case 0:
      return DmaStatus.ok;
    case Errno.EPERM:
      return DmaStatus.wrongDirection;
    case Errno.EACCES:
      return DmaStatus.notBusMaster;
    case Errno.ENODEV:
      return DmaStatus.gone;
    case Errno.EINVAL:
      return DmaStatus.badLength;
    default:
      return DmaStatus.unmapped;
  }
}

/** Such as `10000:00:00.0`. */
export function pciAddress(domain: number, bus: number, devfn: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(devfn >> 3, 2)}.${devfn & 7}`;
}

function isPciemError(error: unknown): error is PciemError {
  return error instanceof Error && 'syscall' in error && 'hint' in error;
}

/** Runs a call of the binding; what a person can act on comes out as a {@link LabError}. */
export function explained<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!isPciemError(error)) throw error;
    throw new LabError(`PCIEM_${error.code}`, `${what}: ${error.message}`, error.hint, { cause: error });
  }
}

class PciemDmaPort implements HostDmaPort {
  readonly #device: PciemDevice;
  #steps = new Float64Array(256 * STEP_DOUBLES);
  /** Steps of {@link readRows}. */
  #rows = new Float64Array(0);
  #queued = 0;
  #lastError: DmaStatusCode = DmaStatus.ok;
  /** Interrupts of the last batch that nobody listens to. */
  readonly #refused = new Set<number>();
  #wrongStep = Number.POSITIVE_INFINITY;
  #wrong: DmaStatusCode = DmaStatus.ok;

  constructor(device: PciemDevice) {
    this.#device = device;
  }

  get queued(): number {
    return this.#queued;
  }

  get lastError(): DmaStatusCode {
    return this.#lastError;
  }

  allocate(size: number): DmaBuffer {
    return this.attach(new Uint8Array(size));
  }

  attach(bytes: Uint8Array): DmaBuffer {
    return { id: this.#device.registerBuffer(bytes), bytes };
  }

  release(buffer: DmaBuffer): void {
    this.#device.releaseBuffer(buffer.id);
  }

  read(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const wrong = refusal(address, to, offset, length);
    return wrong !== DmaStatus.ok ? wrong : dmaStatus(this.#device.dmaRead(address, to.id, offset, length));
  }

  readRows(
    address: number,
    to: DmaBuffer,
    offset: number,
    length: number,
    pitch: number,
    count: number,
  ): DmaStatusCode {
    const span = length > 0 && count > 0 ? (count - 1) * pitch + length : 0;
    const wrong = refusal(address, to, offset, span);
    if (wrong !== DmaStatus.ok) return wrong;
    if (this.#rows.length < count * STEP_DOUBLES) this.#rows = new Float64Array(count * STEP_DOUBLES);
    const rows = this.#rows;
    for (let row = 0, at = 0; row < count; row++) {
      rows[at++] = address + row * pitch;
      rows[at++] = to.id;
      rows[at++] = offset + row * pitch;
      rows[at++] = length;
      rows[at++] = DmaFlags.read;
      rows[at++] = 0;
    }
    const done = this.#device.dmaBatch(rows, count);
    return done === count ? DmaStatus.ok : dmaStatus(this.#device.batchError);
  }

  write(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const wrong = refusal(address, from, offset, length);
    return wrong !== DmaStatus.ok
      ? wrong
      : dmaStatus(this.#device.dmaWrite(address, from.id, offset, length));
  }

  peerRead(address: number, to: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const wrong = refusal(address, to, offset, length);
    return wrong !== DmaStatus.ok
      ? wrong
      : this.#peerStatus(this.#device.p2pRead(address, to.id, offset, length));
  }

  peerWrite(address: number, from: DmaBuffer, offset: number, length: number): DmaStatusCode {
    const wrong = refusal(address, from, offset, length);
    return wrong !== DmaStatus.ok
      ? wrong
      : this.#peerStatus(this.#device.p2pWrite(address, from.id, offset, length));
  }

  /** As {@link dmaStatus}; here EACCES also says that nothing at this address may be reached. */
  #peerStatus(errno: number): DmaStatusCode {
    if (errno !== Errno.EACCES) return dmaStatus(errno);
    const command = this.#device.configRead(FUNCTION, ConfigOffset.command, 2);
    return (command & Command.busMaster) === 0 ? DmaStatus.notBusMaster : DmaStatus.unmapped;
  }

  queueRead(address: number, to: DmaBuffer, offset: number, length: number): number {
    this.#check(refusal(address, to, offset, length));
    return this.#queue(address, to.id, offset, length, DmaFlags.read, 0);
  }

  queueWrite(address: number, from: DmaBuffer, offset: number, length: number): number {
    this.#check(refusal(address, from, offset, length));
    return this.#queue(address, from.id, offset, length, DmaFlags.write, 0);
  }

  queueInterrupt(vector: number): number {
    return this.#queue(0, 0, 0, 0, DmaFlags.irq, vector);
  }

  submit(): number {
    const count = Math.min(this.#queued, this.#wrongStep);
    const wrong = this.#wrongStep < this.#queued ? this.#wrong : DmaStatus.ok;
    this.#queued = 0;
    this.#wrongStep = Number.POSITIVE_INFINITY;
    if (this.#refused.size > 0) this.#refused.clear();
    let done = count === 0 ? 0 : this.#device.dmaBatch(this.#steps, count);
    // A message that nobody listens to gets lost, as on a bus; what follows it happens all the same.
    while (done < count && this.#steps[done * STEP_DOUBLES + 4] === DmaFlags.irq) {
      this.#refused.add(done);
      done++;
      if (done === count) break;
      done += this.#device.dmaBatch(this.#steps.subarray(done * STEP_DOUBLES), count - done);
    }
    this.#lastError = done < count ? dmaStatus(this.#device.batchError) : wrong;
    return done;
  }

  /** A masked one counts as delivered: the module keeps it pending and says nothing. */
  interruptRefusal(index: number): number {
    return this.#refused.has(index) ? InterruptRefusal.off : 0;
  }

  /** The batch ends before the step about to be queued when that is one that cannot be asked for. */
  #check(wrong: DmaStatusCode): void {
    if (wrong === DmaStatus.ok || this.#wrongStep !== Number.POSITIVE_INFINITY) return;
    this.#wrongStep = this.#queued;
    this.#wrong = wrong;
  }

  #queue(
    address: number,
    buffer: number,
    offset: number,
    length: number,
    flags: number,
    vector: number,
  ): number {
    let at = this.#queued * STEP_DOUBLES;
    if (at === this.#steps.length) {
      const longer = new Float64Array(this.#steps.length * 2);
      longer.set(this.#steps);
      this.#steps = longer;
    }
    this.#steps[at++] = address;
    this.#steps[at++] = buffer;
    this.#steps[at++] = offset;
    this.#steps[at++] = length;
    this.#steps[at++] = flags;
    this.#steps[at] = vector;
    return this.#queued++;
  }
}

/** Ranges come from drivers, so a wrong one is an answer, never an exception of the binding. */
function refusal(address: number, buffer: DmaBuffer, offset: number, length: number): DmaStatusCode {
  if (!(length > 0 && offset >= 0 && offset + length <= buffer.bytes.length)) return DmaStatus.badLength;
  if (!(address >= 0 && address + length <= Number.MAX_SAFE_INTEGER)) return DmaStatus.unmapped;
  return DmaStatus.ok;
}

/** Words go to the memory itself, where this thread may have it: a call of the binding costs more than what it does. */
class PciemBarMemory implements BarMemory {
  readonly #device: PciemDevice;
  /** By BAR; empty where there is no such thing. */
  readonly #words: (Uint32Array | undefined)[] = [];

  constructor(device: PciemDevice) {
    this.#device = device;
  }

  read32(bar: number, offset: number): number {
    const words = this.#words[bar] ?? this.#map(bar);
    const at = offset / 4;
    return at < words.length && Number.isInteger(at) ? words[at]! : this.#device.barRead(bar, offset, 4);
  }
  write32(bar: number, offset: number, value: number): void {
    const words = this.#words[bar] ?? this.#map(bar);
    const at = offset / 4;
    if (at < words.length && Number.isInteger(at)) words[at] = value;
    else this.#device.barWrite(bar, offset, 4, value);
  }
  read64(bar: number, offset: number): bigint {
    return this.#device.barRead64(bar, offset);
  }
  write64(bar: number, offset: number, value: bigint): void {
    this.#device.barWrite64(bar, offset, value);
  }
  readBytes(bar: number, offset: number, into: Uint8Array): void {
    this.#device.barCopyOut(bar, offset, into);
  }
  writeBytes(bar: number, offset: number, from: Uint8Array): void {
    this.#device.barCopyIn(bar, offset, from);
  }

  #map(bar: number): Uint32Array {
    const memory = this.#device.barMemory(bar);
    const words = memory === undefined ? new Uint32Array(0) : new Uint32Array(memory);
    this.#words[bar] = words;
    return words;
  }
}

export class PciemPort implements DevicePort {
  readonly bars: BarMemory;
  readonly dma: HostDmaPort;
  readonly wakeHandle: WakeHandle;
  readonly #device: PciemDevice;
  #description: DeviceDescription | undefined;
  /** One byte view for each event buffer the worker waits with; in practice one. */
  #events: Uint32Array | undefined;
  #eventBytes: Uint8Array = new Uint8Array(0);
  #vectors = 0;

  constructor(device: PciemDevice) {
    this.#device = device;
    this.bars = new PciemBarMemory(device);
    this.dma = new PciemDmaPort(device);
    this.wakeHandle = { kind: 'eventfd', fd: device.wakeFd };
  }

  register(description: DeviceDescription): void {
    const device = this.#device;
    explained(`${description.title} cannot be put on the bus`, () => {
      device.create(FUNCTION, 0);
      const { identity } = description;
      device.setConfig({
        func: FUNCTION,
        vendorId: identity.vendorId,
        deviceId: identity.deviceId,
        subsystemVendorId: identity.subsystemVendorId,
        subsystemId: identity.subsystemId,
        revision: identity.revision,
        classCode: identity.classCode,
        headerType: 0,
      });
      for (const bar of description.bars) {
        const flags = (bar.memory64 ? BarFlags.memory64 : 0) | (bar.prefetchable ? BarFlags.prefetch : 0);
        device.addBar(FUNCTION, bar.index, bar.size, flags);
      }
      for (const capability of description.capabilities) this.#addCapability(capability);
      device.setupRing(RING_SLOTS);
      device.setEvents(EventKinds.all);
      device.setCompletionTimeout(COMPLETION_TIMEOUT_MICROSECONDS);
      device.register();
    });
    this.#description = description;
  }

  start(): void {
    const description = this.#description;
    if (description === undefined)
      throw new LabError('NOT_REGISTERED', 'A device is registered before it is started.');
    explained(`${description.title} cannot be started`, () => {
      for (const { index, trace, registers } of description.bars) {
        const flags =
          (trace.reads ? TraceFlags.reads : 0) |
          (trace.writes ? TraceFlags.writes : 0) |
          (trace.stopWrites ? TraceFlags.stopWrites : 0);
        if (flags !== 0) this.#device.traceBar(FUNCTION, index, flags);
        for (const { offset, length } of answeredRanges(registers))
          this.#device.traceRange(FUNCTION, index, offset, length, flags | TraceFlags.syncReads);
      }
      this.#device.start();
    });
  }

  wait(events: Uint32Array, timeout: number): number {
    if (events !== this.#events) {
      this.#events = events;
      this.#eventBytes = new Uint8Array(
        events.buffer,
        events.byteOffset,
        Math.floor(events.length / EVENT_WORDS) * EVENT_WORDS * 4,
      );
    }
    return this.#device.wait(this.#eventBytes, timeout, SPIN_MICROSECONDS);
  }

  respond(sequence: number, low: number, high: number): boolean {
    return this.#device.respond(sequence, low, high);
  }

  raiseInterrupt(vector: number): boolean {
    if (this.#device.tryInjectIrq(FUNCTION, vector) !== 0) return false;
    // The module takes one for a masked vector too, and keeps it pending.
    return !this.vectorState(vector).pending;
  }

  vectorState(vector: number): VectorState {
    // A function without MSI or MSI-X has its pin.
    if (vector >= Math.max(this.#vectors, 1)) {
      return {
        vector,
        enabled: false,
        masked: false,
        pending: false,
        irq: 0,
        address: 0,
        data: 0,
        cpu: -1,
        count: 0,
      };
    }
    const info = this.#device.vectorInfo(FUNCTION, vector);
    return {
      vector,
      enabled: (info.flags & VectorFlags.enabled) !== 0,
      masked: (info.flags & VectorFlags.masked) !== 0,
      pending: (info.flags & VectorFlags.pending) !== 0,
      irq: info.irq,
      address: info.address,
      data: info.data,
      cpu: info.cpu === 0xffff_ffff ? -1 : info.cpu,
      count: info.count,
    };
  }

  status(): PortStatus {
    const info = this.#device.info(FUNCTION);
    // The pin is on after reset, before anybody listens to it.
    const unused = info.driver === '' && INTERRUPT_MODES[info.irqMode] === 'intx';
    return {
      address: pciAddress(info.domain, info.bus, info.devfn),
      driver: info.driver,
      started: (info.state & StateFlags.started) !== 0,
      busMaster: (info.state & StateFlags.busMaster) !== 0,
      interruptMode: unused ? 'none' : (INTERRUPT_MODES[info.irqMode] ?? 'none'),
      vectors: unused ? 0 : info.vectors,
      events: info.events,
      lost: info.lost,
      interrupts: info.interrupts,
    };
  }

  configRead(offset: number, width: number): number {
    return this.#device.configRead(FUNCTION, offset, width);
  }

  configWrite(offset: number, width: number, value: number, asDevice: boolean): void {
    this.#device.configWrite(FUNCTION, offset, width, value, asDevice);
  }

  setLevel(asserted: boolean): void {
    explained('The INTx pin cannot be driven', () => this.#device.setIntx(FUNCTION, asserted));
  }

  /** As the status register tells it, which follows the pin whoever drives it. */
  level(): boolean | undefined {
    if (this.configRead(ConfigOffset.interruptPin, 1) === 0) return undefined;
    return (this.configRead(ConfigOffset.status, 2) & INTERRUPT_STATUS) !== 0;
  }

  mappings(): { total: number; mappings: readonly MappingState[] } {
    const { total, mappings } = this.#device.dmaMappings(FUNCTION, 0, MAX_MAPPINGS);
    const now = monotonicNow();
    return {
      total,
      mappings: mappings.map(({ address, size, age, access }) => ({
        address,
        size,
        direction: access === DmaFlags.read ? 1 : access === DmaFlags.write ? 2 : 0,
        time: now - age,
      })),
    };
  }

  barAddress(bar: number): number {
    return this.#device.barInfo(FUNCTION, bar).address;
  }

  close(): void {
    this.#device.close();
  }

  #addCapability(capability: CapabilityDescription): void {
    switch (capability.kind) {
      case 'pm':
        this.#device.addCapabilityPm(FUNCTION);
        break;
      case 'pcie':
        this.#device.addCapabilityPcie(FUNCTION);
        break;
      case 'msi':
        this.#vectors = Math.max(this.#vectors, capability.vectors);
        this.#device.addCapabilityMsi(
          FUNCTION,
          Math.log2(capability.vectors),
          capability.address64,
          capability.masking,
        );
        break;
      case 'msix':
        if (capability.tableBar !== capability.pbaBar) {
          throw new LabError(
            'MSIX_BARS',
            `The MSI-X table is in BAR ${capability.tableBar} and its pending bits are in BAR ${capability.pbaBar}.`,
            'On /dev/pciem both lie in the same BAR.',
          );
        }
        this.#vectors = Math.max(this.#vectors, capability.vectors);
        this.#device.addCapabilityMsix(
          FUNCTION,
          capability.vectors,
          capability.tableBar,
          capability.tableOffset,
          capability.pbaOffset,
        );
        break;
    }
  }
}

export function openPciemPort(ticket: Extract<PortTicket, { kind: 'pciem' }>): DevicePort {
  return new PciemPort(explained('The device cannot be opened', () => new PciemDevice(ticket.path)));
}
