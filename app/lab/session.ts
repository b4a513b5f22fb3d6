/** The session: which devices are on the host, the trace, and everything a window can ask for. Knows no shell. */
import type { ConfigDump, ConfigResults } from '#contract/config.ts';
import type { DeviceSummary, ModelInfo, WireDescription, WireRegister } from '#contract/devices.ts';
import type { DiskResults, DiskState } from '#contract/disk.ts';
import type { DmaEntry, DmaResults } from '#contract/dma.ts';
import type { InterruptResults } from '#contract/interrupts.ts';
import {
  CONTRACT_VERSION,
  type LabHealth,
  type LabHello,
  type LabLogLine,
  type LabStats,
} from '#contract/lab.ts';
import { TRACE_LIMIT } from '#contract/trace.ts';
import type { Channel, ErrorBody } from '#contract/wire.ts';
import { models } from '#devices/catalogue.ts';
import { decodeConfigSpace } from '#devices/sdk/config-decode.ts';
import { buildConfigSpace } from '#devices/sdk/config-space.ts';
import type { ConfigImage, OptionField, OptionValues } from '#devices/sdk/device.ts';
import { displayBytes } from '#devices/sdk/display.ts';
import { formatLspci, parseLspci } from '#devices/sdk/lspci-text.ts';
import { checkOptions } from '#devices/sdk/options.ts';
import type { LabEndpoint } from '../hosts/endpoint.ts';
import { errorBody } from '../hosts/error-body.ts';
import { LabError } from '../hosts/errors.ts';
import type { Host, MachineInput, PortTicket } from '../hosts/host.ts';
import type { MemoryPlace } from '../hosts/shared-memory.ts';
import { ConfigHistory } from './config-history.ts';
import { Connection } from './connection.ts';
import { DeviceHandle } from './device-handle.ts';
import type { DeviceResults } from './device-protocol.ts';
import { Counter } from './device-shared.ts';
import { diskLayout, diskList } from './disk.ts';
import type { DisplaySource } from './display-stream.ts';
import { PicturePool } from './picture-pool.ts';
import { TraceClient, type TraceCounts } from './trace-client.ts';
import { registerDescription, wireDescription } from './wire-description.ts';

/** ms between looks at the devices' state. */
const STATUS_INTERVAL = 250;
/** Of those, looks at each of which the host is asked how it is. */
const HEALTH_EVERY = 4;
const MAX_DEVICES = 255;
/** ms that a driver has to let go of a device that is powered off. */
const DETACH_TIMEOUT = 30_000;

export interface LabOptions {
  readonly host: Host;
  readonly shell: 'electron' | 'headless';
  readonly version: string;
  /** False where no shell may be offered. */
  readonly terminal: boolean;
  /** Memory for pictures that another machine has too. */
  readonly pictures?: { readonly file: string; readonly size: number };
  /** Instead of the host's own title: how the host is reached. */
  readonly hostTitle?: {
    readonly kind: LabHello['host']['kind'];
    readonly title: string;
    readonly detail: string;
  };
}

interface LabDevice {
  readonly id: number;
  readonly model: string;
  readonly title: string;
  readonly name: string;
  readonly given: OptionValues;
  readonly ticket: PortTicket;
  description: WireDescription;
  revision: number;
  readonly access: ConfigImage;
  readonly handle: DeviceHandle;
  /** Where its picture lies, if another machine has it too. */
  readonly picture: MemoryPlace | undefined;
  state: DeviceSummary['state'];
  status: DeviceResults['status'] | undefined;
  history: ConfigHistory | undefined;
  /** Keyboard and mouse of a display adapter. */
  input: MachineInput | undefined;
  error: ErrorBody | undefined;
}

/** How the phase of an initiator begins that gave up. */
const FAILED = 'Failed: ';

/** An entry's id is its device's number times this, plus its number in the device's log. */
const DMA_IDS = 2 ** 40;

function isBefore(a: DmaEntry, b: DmaEntry): boolean {
  return a.time < b.time || (a.time === b.time && a.id < b.id);
}

/** CLOCK_MONOTONIC in ns, as the kernel stamps events. */
function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}

export class Lab implements LabEndpoint {
  readonly options: LabOptions;
  readonly #epoch = monotonic();
  readonly #devices = new Map<number, LabDevice>();
  readonly #connections = new Set<Connection>();
  /** Of devices that are gone, by number. */
  readonly #past = new Map<number, Pick<LabDevice, 'name' | 'description'>>();
  readonly trace: TraceClient;
  readonly #pictures: PicturePool | undefined;
  /** A device's thread or host gave up on it. */
  onDeviceFailed: ((device: number, error: ErrorBody) => void) | undefined;
  #lastDevice = 0;
  #lastFigures = { time: performance.now(), events: 0, interrupts: 0, dmaBytes: 0 };
  /** Figures of devices that are gone, so that totals never step back. */
  readonly #gone = { events: 0, interrupts: 0, dmaBytes: 0, missed: 0 };
  #stats: LabStats = {
    eventsPerSecond: 0,
    interruptsPerSecond: 0,
    dmaBytesPerSecond: 0,
    events: 0,
    missed: 0,
    traceRows: 0,
    traceBytes: 0,
    traceDropped: 0,
    traceLimit: TRACE_LIMIT.default,
  };
  #health: LabHealth = { kernel: [] };
  #polls = 0;
  #devicesShown = '';
  #timer: NodeJS.Timeout;
  #polling = false;

  constructor(options: LabOptions) {
    this.options = options;
    const { pictures } = options;
    if (pictures !== undefined) this.#pictures = new PicturePool(pictures.file, pictures.size);
    this.trace = new TraceClient((counts) => this.#traceCounted(counts));
    this.#timer = setInterval(() => void this.#poll(), STATUS_INTERVAL);
  }

  /** A window arrived. */
  accept(channel: Channel): void {
    const connection = new Connection(this, channel);
    this.#connections.add(connection);
    this.#countWindows();
    channel.onClose(() => {
      this.#connections.delete(connection);
      this.#countWindows();
      connection.closed();
    });
    connection.devices.push(this.summaries());
    connection.stats.push(this.#stats);
    connection.health.push(this.#health);
    connection.traceCounted(this.trace.counts);
  }

  #countWindows(): void {
    for (const { handle } of this.#devices.values()) handle.shared.windows = this.#connections.size;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.closed();
    for (const device of this.#devices.values()) this.#closeInput(device);
    await Promise.all([...this.#devices.values()].map(({ handle }) => handle.close()));
    await this.options.host.close();
    await this.trace.close();
  }

  log(level: LabLogLine['level'], text: string, device?: number): void {
    const line: LabLogLine = { time: Date.now(), level, text, ...(device === undefined ? {} : { device }) };
    for (const connection of this.#connections) connection.log.push(line);
  }

  hello(): LabHello {
    const { host, hostTitle } = this.options;
    return {
      contract: CONTRACT_VERSION,
      version: this.options.version,
      shell: this.options.shell,
      host: hostTitle ?? host.info,
      models: models.map(
        ({ id, title, summary, options }): ModelInfo => ({ id, title, summary, options: [...options] }),
      ),
      abilities: {
        driverAccess: host.info.kind === 'sim',
        workload: host.workload !== undefined,
        terminal: this.options.terminal,
        input: host.openInput !== undefined,
      },
    };
  }

  /** ns since the lab's start. */
  #now(): number {
    return monotonic() - this.#epoch;
  }

  summaries(): DeviceSummary[] {
    return [...this.#devices.values()].map((device) => this.#summary(device));
  }

  async powerOn(
    modelId: string,
    input: Readonly<Record<string, number | boolean | string>>,
    name?: string,
  ): Promise<number> {
    const model = models.find(({ id }) => id === modelId);
    if (model === undefined) {
      const known = models.map(({ id }) => id).join(', ');
      throw new LabError('NO_SUCH_MODEL', `There is no device model "${modelId}"; there are ${known}.`);
    }
    const checked = checkOptions(model, input);
    if (!checked.ok) {
      throw new LabError('BAD_OPTION', checked.errors.map(({ message }) => message).join('\n'));
    }
    const options = checked.values;
    const id = this.#freeId();
    const description = model.describe(options);
    const ticket = this.options.host.openPort(description);
    const wire = wireDescription(description);
    const { display } = description;
    const picture = display === undefined ? undefined : this.#pictures?.take(displayBytes(display));
    const title = name ?? this.#uniqueName(description.title);
    const device: LabDevice = {
      id,
      model: model.id,
      title: description.title,
      name: title,
      given: options,
      ticket,
      picture,
      description: wire,
      revision: 0,
      access: buildConfigSpace(description),
      state: 'powering-on',
      status: undefined,
      history: undefined,
      input: undefined,
      error: undefined,
      handle: new DeviceHandle({
        device: id,
        model: model.id,
        options,
        ticket,
        display: description.display,
        displayPlace: picture,
        epoch: this.#epoch,
        storePort: (port) => this.trace.addDevice(id, port),
        onExit: (error) => this.#exited(id, error),
      }),
    };
    this.#devices.set(id, device);
    this.#past.delete(id);
    this.#countWindows();
    await this.trace.request({ op: 'device', device: id, name: title, description: wire });
    this.#showDevices();
    try {
      const { status, config } = await device.handle.ready;
      device.status = status;
      device.state = 'on';
      device.history = new ConfigHistory(config, device.handle.shared);
      this.options.host.deviceStarted(ticket, description);
      this.#spareImages(device, model.options, options);
    } catch (error) {
      this.#forget(device);
      throw error;
    } finally {
      this.#showDevices();
    }
    this.log('info', `${title} is on the bus at ${device.status.address}.`, id);
    // From the start: a display server looks for its keyboard when it starts.
    if (description.display !== undefined && this.options.host.openInput !== undefined) {
      try {
        this.input(id);
      } catch (error) {
        const { message, hint } = errorBody(error);
        this.log('warning', [message, hint].filter(Boolean).join(' '), id);
      }
    }
    return id;
  }

  /** A workload writes anywhere on a disk: on an image, which may hold somebody's data, a person starts it. */
  #spareImages(device: LabDevice, fields: readonly OptionField[], options: OptionValues): void {
    const workload = this.options.host.workload?.(device.ticket);
    if (workload === undefined) return;
    if (!fields.some(({ type, name }) => type === 'image' && options[name] !== '')) return;
    workload.set(false, workload.rate);
    this.log(
      'info',
      `The workload of ${device.name} waits: it would write over what is in the image.`,
      device.id,
    );
  }

  async powerOff(id: number): Promise<void> {
    const device = this.#find(id);
    if (device.state === 'failed') {
      this.#forget(device);
      return;
    }
    device.state = 'removing';
    this.#showDevices();
    const detach = this.options.host.detachDriver?.(device.ticket, device.status?.address ?? '');
    if (detach !== undefined) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(() => {
          this.log(
            'warning',
            `The driver did not let go of ${device.name} in 30 s; it is removed by force.`,
            id,
          );
          resolve();
        }, DETACH_TIMEOUT);
      });
      await Promise.race([detach, late]);
      clearTimeout(timer);
    }
    await device.handle.close();
    this.log('info', `${device.name} is powered off.`);
  }

  async surpriseRemove(id: number): Promise<void> {
    const device = this.#find(id);
    if (device.state === 'failed') {
      this.#forget(device);
      return;
    }
    device.state = 'removing';
    this.#showDevices();
    await device.handle.close();
    this.log('info', `${device.name} was removed by surprise.`);
  }

  async reset(id: number): Promise<void> {
    const device = this.#find(id);
    const { host } = this.options;
    if (host.resetFunction === undefined) {
      throw new LabError('NO_RESET', 'This host cannot reset a function.');
    }
    await host.resetFunction(device.ticket, device.status?.address ?? '');
    device.history?.changed(await device.handle.request({ op: 'configRead' }), this.#now());
    device.status = await device.handle.request({ op: 'status' });
    this.#showDevices();
    this.log('info', `${device.name} was reset (FLR).`, id);
  }

  optionsOf(id: number): { model: string; name: string; options: OptionValues } {
    const { model, name, given } = this.#find(id);
    return { model, name, options: given };
  }

  description(id: number): WireDescription {
    return (this.#past.get(id) ?? this.#find(id)).description;
  }

  past(): { readonly device: number; readonly name: string }[] {
    return [...this.#past].map(([device, { name }]) => ({ device, name }));
  }

  /** Names for the registers of a BAR, instead of those that it had. */
  async describeRegisters(id: number, index: number, registers: readonly WireRegister[]): Promise<void> {
    const device = this.#find(id);
    const { bars } = device.description;
    const bar = bars.find((one) => one.index === index);
    if (bar === undefined) throw new LabError('NO_SUCH_BAR', `${device.name} has no BAR ${index}.`);
    const outside = registers.find(({ offset, width }) => offset + width > bar.size);
    if (outside !== undefined) {
      throw new LabError(
        'OUT_OF_BAR',
        `${outside.name} at 0x${outside.offset.toString(16)} ends past BAR ${index}, which has 0x${bar.size.toString(16)} bytes.`,
      );
    }
    await device.handle.request({
      op: 'describeRegisters',
      bar: index,
      registers: registers.map(registerDescription),
    });
    const described = bars.map((one) => (one === bar ? { ...bar, registers } : one));
    device.description = { ...device.description, bars: described };
    device.revision++;
    await this.trace.request({
      op: 'device',
      device: id,
      name: device.name,
      description: device.description,
    });
    this.#showDevices();
  }

  handle(id: number): DeviceHandle {
    return this.#find(id).handle;
  }

  display(id: number): DisplaySource & Pick<DeviceHandle, 'displayPlace'> {
    const { handle, name } = this.#find(id);
    if (handle.display === undefined) {
      throw new LabError('NO_DISPLAY', `${name} has no picture; display adapters have.`);
    }
    return handle as DeviceHandle & DisplaySource;
  }

  /** The keyboard and mouse that belong to a display adapter. */
  input(id: number): MachineInput {
    const device = this.#find(id);
    if (device.description.display === undefined) {
      throw new LabError('NO_DISPLAY', `${device.name} has no picture to type into; display adapters have.`);
    }
    if (this.options.host.openInput === undefined) {
      throw new LabError(
        'NO_INPUT',
        'The simulated host has no machine to type into.',
        'Plug the card into a Linux machine: `make run HOST=guest`.',
      );
    }
    device.input ??= this.options.host.openInput(`PCIem Lab ${device.name}`);
    return device.input;
  }

  async configRead(id: number): Promise<{ result: ConfigResults['config.read']; bytes: Uint8Array }> {
    const device = this.#find(id);
    const bytes = await device.handle.request({ op: 'configRead' });
    // A space of 256 bytes reads as all ones behind its end.
    const size = device.access.bytes.length;
    device.history?.observe(bytes, this.#now());
    const both = new Uint8Array(size * 2);
    both.set(bytes.subarray(0, size));
    if (device.history !== undefined) both.set(device.history.writers(size), size);
    return {
      result: {
        size,
        tree: decodeConfigSpace(bytes.subarray(0, size)),
        written: device.history?.written(size) ?? [],
      },
      bytes: both,
    };
  }

  async configWrite(
    id: number,
    offset: number,
    width: 1 | 2 | 4,
    value: bigint,
    as: 'device' | 'driver',
  ): Promise<ConfigResults['config.write']> {
    const device = this.#find(id);
    if (offset % width !== 0 || offset + width > 4096) {
      throw new LabError(
        'BAD_OFFSET',
        `A configuration access of ${width} bytes is at a multiple of ${width} below 4096; 0x${offset.toString(16)} is not.`,
      );
    }
    if (value >> BigInt(width * 8) !== 0n) {
      throw new LabError(
        'VALUE_TOO_WIDE',
        `0x${value.toString(16)} does not fit in ${width} ${width === 1 ? 'byte' : 'bytes'}; at most 0x${'ff'.repeat(width)}.`,
      );
    }
    const before = await device.handle.request({ op: 'configRead' });
    device.history?.observe(before, this.#now());
    const readBack = await device.handle.request({
      op: 'configWrite',
      offset,
      width,
      value: Number(value),
      asDevice: as === 'device',
    });
    device.history?.wrote(offset, width, await device.handle.request({ op: 'configRead' }), this.#now());
    return { value: `0x${readBack.toString(16).padStart(width * 2, '0')}` };
  }

  configAccess(id: number): { result: ConfigResults['config.access']; bytes: Uint8Array } {
    const { bytes, writable, clearable } = this.#find(id).access;
    const both = new Uint8Array(bytes.length * 2);
    both.set(writable);
    both.set(clearable, bytes.length);
    return { result: { size: bytes.length }, bytes: both };
  }

  configPowerOn(id: number): { result: ConfigResults['config.powerOn']; bytes: Uint8Array } {
    const device = this.#find(id);
    const size = device.access.bytes.length;
    const bytes = device.history?.powerOn ?? device.access.bytes;
    return { result: { size }, bytes: bytes.slice(0, size) };
  }

  async configLoad(id: number, bytes: Uint8Array): Promise<ConfigResults['config.load']> {
    const device = this.#find(id);
    const size = device.access.bytes.length;
    if (bytes.length > size) {
      throw new LabError(
        'TOO_LONG',
        `${bytes.length} bytes do not fit into the ${size} bytes of ${device.name}.`,
      );
    }
    const now = await device.handle.request({ op: 'configRead' });
    let changed = 0;
    for (let offset = 0; offset < bytes.length; offset += 4) {
      const word = (from: Uint8Array): number =>
        new DataView(from.buffer, from.byteOffset).getUint32(offset, true);
      if (word(bytes) === word(now)) continue;
      await this.configWrite(id, offset, 4, BigInt(word(bytes)), 'device');
      for (let at = offset; at < offset + 4; at++) if (bytes[at] !== now[at]) changed++;
    }
    return { changed };
  }

  configParse(text: string): { result: ConfigResults['config.parse']; bytes: Uint8Array } {
    const parsed = parseLspci(text);
    if (!parsed.ok) throw new LabError('BAD_DUMP', `Line ${parsed.line}: ${parsed.message}.`);
    const functions: ConfigDump[] = parsed.functions.map(({ address, title, bytes, barSizes }) => ({
      address,
      title,
      size: bytes.length,
      barSizes,
    }));
    const bytes = Buffer.concat(parsed.functions.map((one) => one.bytes));
    return { result: { functions }, bytes: new Uint8Array(bytes) };
  }

  async configExport(id: number): Promise<ConfigResults['config.export']> {
    const device = this.#find(id);
    const bytes = await device.handle.request({ op: 'configRead' });
    return {
      text: formatLspci([
        {
          address: device.status?.address ?? '0000:00:00.0',
          title: device.title,
          bytes: bytes.subarray(0, device.access.bytes.length),
        },
      ]),
    };
  }

  async vectors(id: number): Promise<InterruptResults['interrupts.list']> {
    const device = this.#find(id);
    const { vectors: states, asserted } = await device.handle.request({ op: 'vectors' });
    device.status = await device.handle.request({ op: 'status' });
    return {
      mode: device.status.interruptMode,
      vectors: states.map((state) => ({
        ...state,
        name: device.description.vectorNames[state.vector] ?? `Vector ${state.vector}`,
      })),
      ...(asserted === undefined ? {} : { asserted }),
    };
  }

  /** Newest first; of one device, or of all of them by time. */
  dmaList(id: number | undefined, before: number, count: number, refused = false): DmaResults['dma.list'] {
    const devices = id === undefined ? [...this.#devices.values()] : [this.#find(id)];
    const bound = before === 0 ? undefined : this.#dmaEntry(before);
    const entries: DmaEntry[] = [];
    let newest: DmaEntry | undefined;
    let transfers = 0;
    for (const { id: device, handle } of devices) {
      const { dmaLog } = handle.shared;
      transfers += dmaLog.newest;
      let taken = 0;
      for (let at = dmaLog.newest; at > 0 && taken < count; at--) {
        const entry = this.#dmaEntry(device * DMA_IDS + at);
        if (entry === undefined) break;
        if (newest === undefined || entry.time > newest.time) newest = entry;
        if (bound !== undefined && !isBefore(entry, bound)) continue;
        if (refused && entry.status === 'ok') continue;
        entries.push(entry);
        taken++;
      }
    }
    if (devices.length > 1) entries.sort((a, b) => (isBefore(a, b) ? 1 : -1));
    return { newest: newest?.id ?? 0, transfers, entries: entries.slice(0, count) };
  }

  async dmaMappings(id: number): Promise<DmaResults['dma.mappings']> {
    const found = await this.#find(id).handle.request({ op: 'mappings' });
    if (found === undefined) return { supported: false, total: 0, mappings: [] };
    const now = this.#now();
    const directions = ['both', 'to device', 'from device'] as const;
    return {
      supported: true,
      total: found.total,
      mappings: found.mappings.map(({ address, size, direction, time }) => ({
        address,
        size,
        direction: directions[direction] ?? 'both',
        age: Math.max(0, now - time),
      })),
    };
  }

  #dmaEntry(id: number): DmaEntry | undefined {
    const device = this.#devices.get(Math.floor(id / DMA_IDS));
    const entry = device?.handle.shared.dmaLog.entry(id % DMA_IDS);
    return device === undefined || entry === undefined ? undefined : { ...entry, device: device.id, id };
  }

  dmaBytes(id: number): { entry: DmaEntry; bytes: Uint8Array } {
    const device = this.#devices.get(Math.floor(id / DMA_IDS));
    const entry = this.#dmaEntry(id);
    if (device === undefined || entry === undefined) {
      throw new LabError(
        'NO_SUCH_TRANSFER',
        'That transfer is no longer in the log; the last 8192 of a device are kept.',
      );
    }
    return {
      entry,
      bytes: device.handle.shared.dmaLog.bytes(id % DMA_IDS),
    };
  }

  async diskInspect(id: number): Promise<DiskState> {
    const device = this.#find(id);
    const state = (await device.handle.request({ op: 'inspect' })) as { kind?: string } | null;
    if (state?.kind !== 'nvme') throw new LabError('NO_DISK', `${device.name} is no NVMe disk.`);
    return state as unknown as DiskState;
  }

  diskLayout(id: number): Promise<DiskResults['disk.layout']> {
    const { handle, name } = this.#find(id);
    return diskLayout(handle, name);
  }

  diskList(id: number, partition: number, path: string): Promise<DiskResults['disk.list']> {
    const { handle, name } = this.#find(id);
    return diskList(handle, name, partition, path);
  }

  setWorkload(id: number, running: boolean, rate: number): void {
    const device = this.#find(id);
    const control = this.options.host.workload?.(device.ticket);
    if (control === undefined) {
      throw new LabError(
        'NO_WORKLOAD',
        `Nothing on this host drives ${device.name} by itself.`,
        'A workload belongs to the simulated host; elsewhere a real driver is in charge.',
      );
    }
    control.set(running, rate);
    this.#showDevices();
  }

  #find(id: number): LabDevice {
    const device = this.#devices.get(id);
    if (device === undefined) {
      throw new LabError('NO_SUCH_DEVICE', `There is no device ${id}; it may have been removed.`);
    }
    return device;
  }

  #freeId(): number {
    for (let tries = 0; tries < MAX_DEVICES; tries++) {
      this.#lastDevice = (this.#lastDevice % MAX_DEVICES) + 1;
      if (!this.#devices.has(this.#lastDevice)) return this.#lastDevice;
    }
    throw new LabError(
      'TOO_MANY_DEVICES',
      `A lab holds at most ${MAX_DEVICES} devices.`,
      'Power one off first.',
    );
  }

  #uniqueName(title: string): string {
    const names = new Set([...this.#devices.values()].map(({ name }) => name));
    if (!names.has(title)) return title;
    let number = 2;
    while (names.has(`${title} ${number}`)) number++;
    return `${title} ${number}`;
  }

  #summary(device: LabDevice): DeviceSummary {
    const { counters } = device.handle.shared;
    const workload = device.state === 'on' ? this.options.host.workload?.(device.ticket) : undefined;
    const driverError = workload?.phase.startsWith(FAILED)
      ? workload.phase.slice(FAILED.length)
      : device.status?.probeError;
    return {
      id: device.id,
      model: device.model,
      title: device.title,
      name: device.name,
      state: device.state,
      address: device.status?.address ?? '',
      driver: device.status?.driver ?? '',
      busMaster: device.status?.busMaster ?? false,
      interruptMode: device.status?.interruptMode ?? 'none',
      vectors: device.status?.vectors ?? 0,
      events: counters[Counter.events]!,
      lost: counters[Counter.missed]!,
      interrupts: counters[Counter.interrupts]!,
      revision: device.revision,
      ...(driverError === undefined ? {} : { driverError }),
      ...(device.error === undefined ? {} : { error: device.error }),
      ...(workload === undefined
        ? {}
        : {
            workload: {
              running: workload.running,
              rate: workload.rate,
              operations: workload.operations,
              bytes: workload.bytes,
              errors: workload.errors,
              phase: workload.phase,
            },
          }),
    };
  }

  #exited(id: number, error: ErrorBody | undefined): void {
    const device = this.#devices.get(id);
    if (device === undefined) return;
    if (error === undefined || device.state === 'removing') {
      this.#forget(device);
    } else if (device.state === 'on') {
      device.state = 'failed';
      this.#closeInput(device);
      device.error = error;
      this.options.host.deviceClosed(device.ticket);
      this.log('error', `${device.name} failed: ${error.message}`, id);
      this.onDeviceFailed?.(id, error);
    }
    this.#showDevices();
  }

  #closeInput(device: LabDevice): void {
    for (const connection of this.#connections) connection.deviceGone(device.id);
    device.input?.close();
    device.input = undefined;
  }

  #forget(device: LabDevice): void {
    if (!this.#devices.delete(device.id)) return;
    this.#past.set(device.id, { name: device.name, description: device.description });
    this.#closeInput(device);
    if (device.picture !== undefined) this.#pictures?.giveBack(device.picture);
    const { counters } = device.handle.shared;
    this.#gone.events += counters[Counter.events]!;
    this.#gone.interrupts += counters[Counter.interrupts]!;
    this.#gone.dmaBytes += counters[Counter.dmaBytes]!;
    this.#gone.missed += counters[Counter.missed]!;
    if (device.state !== 'failed') this.options.host.deviceClosed(device.ticket);
    this.#showDevices();
  }

  #showDevices(): void {
    const summaries = this.summaries();
    const shown = JSON.stringify(summaries);
    if (shown === this.#devicesShown) return;
    this.#devicesShown = shown;
    for (const connection of this.#connections) connection.devices.push(summaries);
  }

  #traceCounted(counts: TraceCounts): void {
    for (const connection of this.#connections) connection.traceCounted(counts);
  }

  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    await Promise.all(
      [...this.#devices.values()].map(async (device) => {
        if (device.state !== 'on') return;
        try {
          device.status = await device.handle.request({ op: 'status' });
        } catch (error) {
          // Its thread has just ended; `exit` tells why.
          device.error ??= errorBody(error);
        }
      }),
    );
    this.#polling = false;
    this.#figure();
    if (this.#polls++ % HEALTH_EVERY === 0) this.#lookAtHost();
    this.#showDevices();
  }

  #lookAtHost(): void {
    const health = this.options.host.health?.();
    if (health === undefined || JSON.stringify(health) === JSON.stringify(this.#health)) return;
    this.#health = health;
    for (const connection of this.#connections) connection.health.push(health);
  }

  #figure(): void {
    let { events, interrupts, dmaBytes, missed } = this.#gone;
    for (const { handle } of this.#devices.values()) {
      const { counters } = handle.shared;
      events += counters[Counter.events]!;
      interrupts += counters[Counter.interrupts]!;
      dmaBytes += counters[Counter.dmaBytes]!;
      missed += counters[Counter.missed]!;
    }
    const now = performance.now();
    const seconds = (now - this.#lastFigures.time) / 1000;
    const counts = this.trace.counts;
    const stats: LabStats = {
      eventsPerSecond: (events - this.#lastFigures.events) / seconds,
      interruptsPerSecond: (interrupts - this.#lastFigures.interrupts) / seconds,
      dmaBytesPerSecond: (dmaBytes - this.#lastFigures.dmaBytes) / seconds,
      events,
      missed,
      traceRows: counts.total,
      traceBytes: counts.bytes,
      traceDropped: counts.first,
      traceLimit: counts.limit,
    };
    this.#lastFigures = { time: now, events, interrupts, dmaBytes };
    this.#stats = stats;
    for (const connection of this.#connections) connection.stats.push(stats);
  }
}
