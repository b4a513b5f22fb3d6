/** The session: which devices are on the host, the trace, and everything a window can ask for. Knows no shell. */

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConfigDump, ConfigResults } from '#contract/config.ts';
import type {
  DeviceSummary,
  ModelInfo,
  PastDevice,
  WireDescription,
  WireRegister,
} from '#contract/devices.ts';
import type { DiskResults, DiskState } from '#contract/disk.ts';
import type { DmaEntry, DmaResults, PeerWindow } from '#contract/dma.ts';
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
import { KEPT_CHANGES } from './config-log.ts';
import { Connection } from './connection.ts';
import { DeviceHandle } from './device-handle.ts';
import type { DeviceResults } from './device-protocol.ts';
import { Counter } from './device-shared.ts';
import { diskLayout, diskList } from './disk.ts';
import type { DisplaySource } from './display-stream.ts';
import { DMA_LOG_ENTRIES, type DmaLog } from './dma-log.ts';
import { bitsWithin, maskedWrite } from './masked-write.ts';
import { PicturePool } from './picture-pool.ts';
import { TraceClient, type TraceCounts } from './trace-client.ts';
import { registerDescription, wireConfig, wireDescription } from './wire-description.ts';

/** ms between looks at the devices' state. */
const STATUS_INTERVAL = 250;
/** Of those, looks at each of which the host is asked how it is. */
const HEALTH_EVERY = 4;
const MAX_DEVICES = 255;
/** ms that a device has to say where its BARs are. */
const PEER_TIMEOUT = 1000;
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

/** What is left of a device that is gone. */
interface LeftDevice {
  readonly name: string;
  readonly description: WireDescription;
  /** Its last transfers; absent: they were forgotten. */
  dmaLog?: DmaLog;
}

/** Devices that are gone whose transfers are kept: each takes most of a megabyte. */
const PAST_LOGS = 8;

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
  readonly #instance = randomUUID();
  readonly #epoch = monotonic();
  readonly #devices = new Map<number, LabDevice>();
  readonly #connections = new Set<Connection>();
  /** Of devices that are gone, by number. */
  readonly #past = new Map<number, LeftDevice>();
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
      instance: this.#instance,
      shell: this.options.shell,
      host: hostTitle ?? host.info,
      models: models.map(
        ({ id, title, summary, options }): ModelInfo => ({ id, title, summary, options: [...options] }),
      ),
      abilities: {
        driverAccess: host.info.kind === 'sim',
        workload: host.workload !== undefined,
        terminal: this.options.terminal,
        // Who started the guest has it: see ConsoleRelay.
        serialConsole: this.options.terminal && hostTitle?.kind === 'guest',
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
    await this.#describe(device, {});
    this.#showDevices();
    try {
      const { status, config } = await device.handle.ready;
      device.status = status;
      // Where the host put the capabilities.
      await this.#describe(device, {
        config: wireConfig(config.subarray(0, device.access.bytes.length), device.access),
      });
      device.state = 'on';
      device.history = new ConfigHistory(config, device.handle.shared);
      this.#tellPeers();
      this.options.host.deviceStarted(ticket, description);
      // What firmware wrote before a driver looks is in no event.
      await device.handle.request({ op: 'configRead' });
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

  past(): PastDevice[] {
    return [...this.#past].map(([device, { name, dmaLog }]) => ({
      device,
      name,
      transfers: dmaLog !== undefined,
    }));
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
    device.revision++;
    await this.#describe(device, {
      bars: bars.map((one) => (one === bar ? { ...bar, registers } : one)),
    });
    this.#showDevices();
  }

  async #describe(device: LabDevice, part: Partial<WireDescription>): Promise<void> {
    device.description = { ...device.description, ...part };
    const { id, name, description } = device;
    await this.trace.request({ op: 'device', device: id, name, description });
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

  async registerWrite(
    id: number,
    index: number,
    offset: number,
    width: number,
    value: bigint,
    mask: bigint | undefined,
    as: 'device' | 'driver',
  ): Promise<void> {
    const { description, handle } = this.#find(id);
    const registers = description.bars.find((bar) => bar.index === index)?.registers ?? [];
    const clears =
      as === 'device' || mask === undefined
        ? 0n
        : bitsWithin(
            registers.map((one) => ({ offset: one.offset, bits: BigInt(one.writeOneToClear) })),
            offset,
            width,
          );
    await handle.request({
      op: 'registerWrite',
      bar: index,
      offset,
      width,
      ...maskedWrite(value, width, mask, clears),
      asDriver: as === 'driver',
    });
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
    mask: bigint | undefined,
    as: 'device' | 'driver',
  ): Promise<ConfigResults['config.write']> {
    const device = this.#find(id);
    if (offset % width !== 0 || offset + width > 4096) {
      throw new LabError(
        'BAD_OFFSET',
        `A configuration access of ${width} bytes is at a multiple of ${width} below 4096; 0x${offset.toString(16)} is not.`,
      );
    }
    let clears = 0n;
    if (as === 'driver') {
      for (let at = 0; at < width; at++)
        clears |= BigInt(device.access.clearable[offset + at] ?? 0) << BigInt(at * 8);
    }
    const write = maskedWrite(value, width, mask, clears);
    await this.#observeConfig(device);
    const readBack = await device.handle.request({
      op: 'configWrite',
      offset,
      width,
      value: Number(write.value),
      keep: Number(write.keep),
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

  async configAt(
    id: number,
    time: number,
  ): Promise<{ result: ConfigResults['config.at']; bytes: Uint8Array }> {
    const { handle, name } = this.#find(id);
    const { bytes, from, cut } = await handle.request({ op: 'configAt', time });
    if (bytes === undefined) {
      const since = `${(from / 1e9).toFixed(6)} s`;
      throw new LabError(
        'NOT_KEPT',
        cut
          ? `The last ${KEPT_CHANGES} changes of configuration space are kept, those of ${name} from ${since} on; this is from before.`
          : `${name} was powered on at ${since}; this is from before.`,
        'Choose a later row of the trace.',
      );
    }
    return { result: { size: bytes.length }, bytes };
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
    const now = await this.#observeConfig(device);
    let changed = 0;
    for (let offset = 0; offset < bytes.length; offset += 4) {
      const word = (from: Uint8Array): number =>
        new DataView(from.buffer, from.byteOffset).getUint32(offset, true);
      if (word(bytes) === word(now)) continue;
      await device.handle.request({
        op: 'configWrite',
        offset,
        width: 4,
        value: word(bytes),
        keep: 0,
        asDevice: true,
      });
      for (let at = offset; at < offset + 4; at++) if (bytes[at] !== now[at]) changed++;
    }
    if (changed > 0) {
      const after = await device.handle.request({ op: 'configRead' });
      device.history?.wrote(0, bytes.length, after, this.#now());
    }
    return { changed };
  }

  /** What changed so far is nobody's who writes next. */
  async #observeConfig(device: LabDevice): Promise<Uint8Array> {
    const bytes = await device.handle.request({ op: 'configRead' });
    device.history?.observe(bytes, this.#now());
    return bytes;
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

  /** By what a kernel log names a device, now: its address, its drivers so far, and the module that puts it on the bus. */
  kernelNames(id: number): () => readonly string[] {
    const device = this.#find(id);
    const names = new Set(['pciem']);
    return () => {
      const { address = '', driver = '' } = device.status ?? {};
      return [...names.add(address).add(driver)];
    };
  }

  /** Newest first; of one device, or of all of them by time. */
  dmaList(id: number | undefined, before: number, count: number, refused = false): DmaResults['dma.list'] {
    const devices = id === undefined ? [...this.#devices.keys()] : [id];
    const bound = before === 0 ? undefined : this.#dmaEntry(before);
    const entries: DmaEntry[] = [];
    let newest: DmaEntry | undefined;
    let transfers = 0;
    let kept = 0;
    for (const device of devices) {
      const dmaLog = this.#dmaLog(device) ?? this.#find(device).handle.shared.dmaLog;
      transfers += dmaLog.newest;
      kept += dmaLog.kept;
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
    return { newest: newest?.id ?? 0, transfers, kept, entries: entries.slice(0, count) };
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

  /** By address. */
  async dmaPeers(id: number): Promise<DmaResults['dma.peers']> {
    this.#find(id);
    const others = [...this.#devices.values()].filter((one) => one.id !== id && one.state === 'on');
    const windows: PeerWindow[] = (this.options.host.peerRegions?.() ?? []).map((range) => ({
      ...range,
      device: 0,
      bar: 0,
      decoding: true,
    }));
    await Promise.all(
      others.map(async ({ id: device, handle, description }) => {
        const found = await Promise.race([
          // One that leaves meanwhile has no memory.
          handle.request({ op: 'bars' }).catch(() => undefined),
          // One that hangs does not keep the others from being listed.
          delay(PEER_TIMEOUT, undefined, { ref: false }),
        ]);
        found?.addresses.forEach((address, at) => {
          const { index: bar, size } = description.bars[at]!;
          if (address > 0) windows.push({ address, size, device, bar, decoding: found.decoding });
        });
      }),
    );
    return { windows: windows.sort((a, b) => a.address - b.address) };
  }

  /** Devices came or went: those that are there reach others. */
  #tellPeers(): void {
    const { host } = this.options;
    if (host.peers === undefined) return;
    for (const { state, handle, ticket } of this.#devices.values()) {
      // One that leaves meanwhile reaches none.
      if (state === 'on') handle.request({ op: 'peers', peers: host.peers(ticket) }).catch(() => undefined);
    }
  }

  #dmaEntry(id: number): DmaEntry | undefined {
    const device = Math.floor(id / DMA_IDS);
    const entry = this.#dmaLog(device)?.entry(id % DMA_IDS);
    return entry === undefined ? undefined : { ...entry, device, id };
  }

  /** Also of a device that is gone. */
  #dmaLog(id: number): DmaLog | undefined {
    return this.#devices.get(id)?.handle.shared.dmaLog ?? this.#past.get(id)?.dmaLog;
  }

  dmaForget(id: number): void {
    const device = this.#devices.get(id);
    if (device !== undefined) {
      throw new LabError(
        'STILL_THERE',
        `${device.name} is still there; only the transfers of a device that is gone are forgotten.`,
      );
    }
    delete this.#past.get(id)?.dmaLog;
  }

  dmaBytes(id: number): { entry: DmaEntry; bytes: Uint8Array } {
    const dmaLog = this.#dmaLog(Math.floor(id / DMA_IDS));
    const entry = this.#dmaEntry(id);
    if (dmaLog === undefined || entry === undefined) {
      throw new LabError(
        'NO_SUCH_TRANSFER',
        `That transfer is no longer in the log; the last ${DMA_LOG_ENTRIES} of a device are kept.`,
      );
    }
    return { entry, bytes: dmaLog.bytes(id % DMA_IDS) };
  }

  async diskInspect(id: number, quiet: boolean): Promise<DiskState> {
    const device = this.#find(id);
    const state = (await device.handle.request({ op: 'inspect', quiet })) as { kind?: string } | null;
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
      this.#tellPeers();
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
    const { name, description, handle } = device;
    // One that never came up has none worth a place.
    const { dmaLog } = handle.shared;
    this.#past.set(device.id, { name, description, ...(dmaLog.newest > 0 ? { dmaLog } : {}) });
    const logged = [...this.#past.values()].filter(({ dmaLog }) => dmaLog !== undefined);
    for (const old of logged.slice(0, -PAST_LOGS)) delete old.dmaLog;
    this.#closeInput(device);
    if (device.picture !== undefined) this.#pictures?.giveBack(device.picture);
    const { counters } = device.handle.shared;
    this.#gone.events += counters[Counter.events]!;
    this.#gone.interrupts += counters[Counter.interrupts]!;
    this.#gone.dmaBytes += counters[Counter.dmaBytes]!;
    this.#gone.missed += counters[Counter.missed]!;
    if (device.state !== 'failed') this.options.host.deviceClosed(device.ticket);
    this.#tellPeers();
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
