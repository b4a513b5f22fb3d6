/**
 * A device's thread: waits for accesses inside its host's port, hands them to the model, records everything. The loop
 * crosses into the host once per batch, allocates nothing per event and never waits for the window.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { ConfigWriter } from '#contract/config.ts';
import { Expert } from '#contract/expert.ts';
import { InterruptRefusal, TraceFlag, TraceKind } from '#contract/trace-record.ts';
import { models } from '#devices/catalogue.ts';
import { highWord, highWordOf, join, lowWord, lowWordOf, ones } from '#devices/sdk/bits.ts';
import { buildConfigSpace, Command, ConfigOffset } from '#devices/sdk/config-space.ts';
import type {
  Device,
  DeviceDescription,
  DeviceHost,
  DeviceModel,
  NoteLevel,
  NoteSubject,
} from '#devices/sdk/device.ts';
import { DisplayMemory } from '#devices/sdk/display.ts';
import { DmaStatus } from '#devices/sdk/dma.ts';
import { answeredRanges } from '#devices/sdk/register-map.ts';
import { openBlockBackend } from '../hosts/block-backend.ts';
import { errorBody } from '../hosts/error-body.ts';
import { LabError } from '../hosts/errors.ts';
import { type DevicePort, EVENT_WORDS, EventFlag, EventType, EventWord } from '../hosts/host.ts';
import { openPort } from '../hosts/open-port.ts';
import { mapPlace } from '../hosts/shared-memory.ts';
import { AccessPlaces, CONFIG_PLACE } from './access-places.ts';
import { AccessRules } from './access-rules.ts';
import { ConfigLog } from './config-log.ts';
import type { DeviceControl, DeviceReply, DeviceRequest, DeviceWorkerData } from './device-protocol.ts';
import { Counter, DeviceShared } from './device-shared.ts';
import { contentCode } from './dma-log.ts';
import { bindingText, faultText } from './event-text.ts';
import { InterruptLatency } from './interrupt-latency.ts';
import { type Moment, RecordingDma } from './recording-dma.ts';
import { RegisterShadow } from './register-shadow.ts';
import { Timers } from './timers.ts';
import { DMA_STATUS_TEXT } from './trace-text.ts';
import { TraceWriter } from './trace-writer.ts';

/** Events taken from the port at once. */
const BATCH_EVENTS = 512;
/** ns between batches sent to the store: one frame where a window looks. Three threads wake up for each. */
const FLUSH_INTERVAL = 16e6;
const UNSEEN_FLUSH_INTERVAL = 250e6;
/** ns between looks at the host's counter of lost events. */
const LOST_INTERVAL = 100e6;
/** Longest sleep, ms; requests wake the thread earlier. */
const MAX_WAIT = 1000;

/** ns between two looks at vectors that are raised again and again. */
const MIN_REPEAT = 1e6;

/** Data of a reset event. */
const RESET_PM = 2;

const NOTE_FLAGS: Readonly<Record<NoteLevel, number>> = {
  info: 0,
  'undefined-behaviour': TraceFlag.undefinedBehaviour,
  error: TraceFlag.error,
};

const NOTE_EXPERT: Readonly<Record<NoteLevel, number>> = {
  info: 0,
  'undefined-behaviour': Expert.undefinedBehaviour,
  error: Expert.modelError,
};

/**
 * Time on the lab's scale, ns. Reading a clock can cost more than handling an access (a virtual machine may have a slow
 * one), so while accesses come their own time stamps are the time.
 */
class LabClock implements Moment {
  readonly #offset: number;
  #now: number;
  /** Number of the access being handled; 0: none. */
  access = 0;
  cause = 0;
  content = 0;
  readonly places = new AccessPlaces();

  constructor(epoch: number) {
    // The two clocks are read one after the other: the pair that was nearest together tells their distance best.
    let offset = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 16; tries++) {
      const local = performance.now() * 1e6;
      const [seconds, nanoseconds] = process.hrtime();
      offset = Math.min(offset, seconds * 1e9 + nanoseconds - epoch - local);
    }
    this.#offset = offset;
    this.#now = this.read();
  }

  /** The time when it was last looked at: the newest access, or {@link read}. */
  now(): number {
    return this.#now;
  }

  /** An access carried this time. */
  seen(time: number): void {
    if (time > this.#now) this.#now = time;
  }

  /** What follows belongs to this access. */
  handle(access: number): void {
    this.access = access;
    this.cause = access;
    this.content = 0;
  }

  /** Looks at the clock. */
  read(): number {
    this.#now = this.look();
    return this.#now;
  }

  look(): number {
    return performance.now() * 1e6 + this.#offset;
  }

  place(access: number): number {
    return this.places.of(access);
  }
}

class DeviceThread {
  readonly #data: DeviceWorkerData;
  readonly #shared: DeviceShared;
  readonly #clock: LabClock;
  readonly #writer: TraceWriter;
  readonly #timers = new Timers();
  readonly #port: DevicePort;
  readonly #dma: RecordingDma;
  readonly #latency: InterruptLatency;
  /** When the driver made the access being handled. */
  #accessTime = 0;
  readonly #device: Device;
  #shadow: RegisterShadow;
  #rules: AccessRules;
  readonly #configLog: ConfigLog;
  readonly #description: DeviceDescription;
  /** As the model tells it, with the register names that a person gave. */
  #described: DeviceDescription;
  /** The command register, as of the access being handled. */
  #command = 0;
  readonly #backends: { close(): void }[] = [];
  /** Requests of the lab that were answered. */
  #attended = 0;
  /** Losses that the trace tells of, and those of them that the host told in their place. */
  #lost = 0;
  #toldLost = 0;
  #closing = false;
  /** Why the last driver that came did not take the device. */
  #probeError: string | undefined;
  readonly #events = new Uint32Array(BATCH_EVENTS * EVENT_WORDS);
  /** Vectors that are raised again and again. */
  readonly #repeating = new Map<number, { rate: number; raised: number; since: number }>();
  /** The model's answer to a read. */
  #answerLow = 0;
  #answerHigh = 0;

  constructor(data: DeviceWorkerData, model: DeviceModel) {
    this.#data = data;
    this.#shared = new DeviceShared(data.shared);
    this.#clock = new LabClock(data.epoch);
    this.#writer = new TraceWriter(data.device, data.store);
    this.#description = model.describe(data.options);
    this.#described = this.#description;
    this.#port = openPort(data.ticket);
    this.#latency = new InterruptLatency(this.#description.vectorNames.length);
    this.#dma = new RecordingDma(this.#port.dma, this.#writer, this.#shared, this.#clock, this.#latency);
    const host: DeviceHost = {
      clock: {
        now: () => this.#clock.read(),
        schedule: (delay, callback) => this.#timers.schedule(this.#clock.read() + delay, callback),
        cancel: (handle) => this.#timers.cancel(handle),
      },
      dma: this.#dma,
      bars: this.#port.bars,
      display: this.#display(),
      raiseInterrupt: (vector) => this.#raise(vector, 0),
      interruptServed: (vector, timed = true) => {
        if (timed) this.#latency.served(vector, this.#accessTime);
        else this.#latency.taken(vector);
      },
      note: (level, text, about) => this.#note(level, text, about),
      command: (queue, id, opcode, status, address, length) =>
        this.#writer.recordCommand(
          this.#clock.now(),
          queue,
          id,
          opcode,
          status,
          address,
          length,
          this.#clock.cause,
        ),
      access: () => this.#clock.access,
      attribute: (access, content = 0, queue = 0) => {
        this.#clock.cause = access;
        this.#clock.content = contentCode(content, queue);
      },
      openBlockBackend: (image, size) => {
        const backend = openBlockBackend(image, size, this.#port.dma);
        this.#backends.push(backend);
        return backend;
      },
    };
    let config: Uint8Array;
    try {
      this.#device = model.create(data.options, host);
      const began = this.#clock.read();
      this.#port.register(this.#description);
      this.#device.powerOn();
      this.#shadow = new RegisterShadow(this.#description, this.#port.bars);
      this.#rules = new AccessRules(this.#description);
      // On a real kernel the driver is bound when this returns.
      config = this.#readConfig();
      // What it did until then it is told of once the port starts.
      const access = buildConfigSpace(this.#description);
      this.#configLog = new ConfigLog(access.bytes, access, began);
      this.#port.start();
    } catch (error) {
      this.close();
      throw error;
    }
    post({
      kind: 'ready',
      description: this.#description,
      wake: this.#port.wakeHandle,
      status: this.#port.status(),
      config,
    });
  }

  #display(): DisplayMemory | undefined {
    const memory = this.#data.display;
    const { display } = this.#description;
    if (memory === undefined || display === undefined) return undefined;
    const mapped = memory instanceof SharedArrayBuffer ? memory : mapPlace(memory);
    if (mapped === undefined) throw new Error('the memory of the picture cannot be had in this thread');
    const made = new DisplayMemory(mapped, display);
    made.onChange = () => post({ kind: 'display' });
    return made;
  }

  /** Runs until the lab asks to close or the host takes the device away. */
  run(): void {
    const events = this.#events;
    let flushed = this.#clock.now();
    let lostChecked = flushed;
    while (!this.#closing) {
      if (Atomics.load(this.#shared.attention, 0) !== this.#attended) this.#attend();
      if (this.#closing) break;
      const count = this.#port.wait(events, this.#timeout());
      if (count > 0) {
        this.#handle(events, count);
      } else {
        this.#clock.handle(0);
        this.#clock.read();
      }
      this.#runModel();
      const now = this.#clock.now();
      if (now >= this.#timers.nextDue) {
        this.#timers.run(now);
        this.#runModel();
      }
      if (now - lostChecked >= LOST_INTERVAL && (count > 0 || lostChecked < flushed)) {
        lostChecked = now;
        this.#checkLost(now);
      }
      if (now - flushed >= this.#flushInterval()) {
        flushed = now;
        this.#writer.flush();
      }
    }
    this.#device.powerOff?.();
    this.close();
  }

  close(): void {
    this.#port.close();
    for (const backend of this.#backends) backend.close();
    this.#writer.flush();
  }

  #timeout(): number {
    let timeout = MAX_WAIT;
    if (this.#timers.nextDue !== Number.POSITIVE_INFINITY) {
      timeout = Math.min(timeout, Math.max(0, (this.#timers.nextDue - this.#clock.now()) / 1e6));
    }
    if (this.#writer.pending > 0) timeout = Math.min(timeout, this.#flushInterval() / 1e6);
    return timeout;
  }

  #flushInterval(): number {
    return this.#shared.windows > 0 ? FLUSH_INTERVAL : UNSEEN_FLUSH_INTERVAL;
  }

  #runModel(): void {
    if (this.#device.run === undefined) return;
    this.#device.run();
  }

  #handle(events: Uint32Array, count: number): void {
    const epoch = this.#data.epoch;
    const device = this.#device;
    const counters = this.#shared.counters;
    counters[Counter.events]! += count;
    for (let index = 0, word = 0; index < count; index++, word += EVENT_WORDS) {
      const type = events[word + EventWord.type]!;
      const bar = events[word + EventWord.bar]!;
      const offset = events[word + EventWord.offsetLow]!;
      const width = events[word + EventWord.size]!;
      let low = events[word + EventWord.dataLow]!;
      let high = events[word + EventWord.dataHigh]!;
      const time = events[word + EventWord.timeHigh]! * 2 ** 32 + events[word + EventWord.timeLow]! - epoch;
      const sequence = events[word + EventWord.sequenceLow]!;
      const cpu = events[word + EventWord.cpu]! & 0xffff;
      this.#clock.handle(sequence);
      this.#clock.seen(time);
      this.#accessTime = time;
      if (type > EventType.configWrite) {
        this.#handleOther(events, word, time);
        continue;
      }
      const access = type === EventType.mmioRead || type === EventType.mmioWrite;
      this.#clock.places.note(sequence, access ? bar : CONFIG_PLACE, offset);
      const sync = (events[word + EventWord.flags]! & EventFlag.sync) !== 0;
      let late = false;
      // The driver waits: the answer goes first.
      if (sync && type === EventType.mmioRead) {
        if (this.#answerRead(bar, offset, width)) {
          low = this.#answerLow;
          high = this.#answerHigh;
        }
        late = !this.#port.respond(join(sequence, events[word + EventWord.sequenceHigh]!), low, high);
      }
      let expert = 0;
      let known = false;
      let previousLow = 0;
      let previousHigh = 0;
      if (access) {
        expert = this.#rules.check(type, bar, offset, width);
        if ((this.#command & Command.memorySpace) === 0) expert |= Expert.decodingOff;
        known = this.#shadow.exchange(bar, offset, width, low, high, type === EventType.mmioWrite);
        previousLow = this.#shadow.previousLow;
        previousHigh = this.#shadow.previousHigh;
      } else if (type === EventType.configWrite) {
        this.#noteConfigWrite(offset, width, time);
        known = offset + width <= this.#configLog.size;
        if (known) previousLow = this.#configLog.before(offset, width, time);
        this.#commandSeen(offset, width, low);
        this.#configLog.written(offset, width, low, time);
      } else {
        this.#commandSeen(offset, width, low);
        this.#configLog.seen(offset, width, low, time);
      }
      this.#writer.recordAccess(
        type,
        time,
        bar,
        offset,
        width,
        low,
        high,
        cpu,
        sequence,
        (known ? TraceFlag.previousKnown : 0) | (late ? TraceFlag.error : 0),
        known ? previousLow : 0,
        known ? previousHigh : 0,
        expert,
      );
      if (type === EventType.mmioWrite) {
        device.mmioWrite(bar, offset, width, low, high);
        if (sync) this.#port.respond(join(sequence, events[word + EventWord.sequenceHigh]!), 0, 0);
      } else if (type === EventType.mmioRead && !sync && device.mmioRead !== undefined) {
        device.mmioRead(bar, offset, width);
      }
    }
  }

  /** What the driver's read gives, in {@link #answerLow} and {@link #answerHigh}; false when the model leaves it to memory. */
  #answerRead(bar: number, offset: number, width: number): boolean {
    const value = this.#device.answerRead?.(bar, offset, width);
    if (value === undefined) return false;
    this.#answerLow = typeof value === 'number' ? lowWord(value) : lowWordOf(value);
    this.#answerHigh = typeof value === 'number' ? highWord(value) : highWordOf(value);
    if (width < 4) this.#answerLow &= (1 << (width * 8)) - 1;
    if (width < 8) this.#answerHigh = 0;
    return true;
  }

  #noteConfigWrite(offset: number, width: number, time: number): void {
    const { configTimes, configWriters } = this.#shared;
    const end = Math.min(offset + width, configTimes.length);
    for (let at = offset; at < end; at++) {
      configTimes[at] = time;
      configWriters[at] = ConfigWriter.driver;
    }
  }

  /** Bits that a driver cannot write say nothing here. */
  #commandSeen(offset: number, width: number, value: number): void {
    if (offset > ConfigOffset.command || offset + width <= ConfigOffset.command) return;
    this.#command = value >>> ((ConfigOffset.command - offset) * 8);
  }

  /** What is no access. Kinds that are not known are none of ours. */
  #handleOther(events: Uint32Array, word: number, time: number): void {
    const low = events[word + EventWord.dataLow]!;
    const high = events[word + EventWord.dataHigh]!;
    const at = join(events[word + EventWord.offsetLow]!, events[word + EventWord.offsetHigh]!);
    switch (events[word + EventWord.type]) {
      case EventType.reset:
        this.#command = 0;
        this.#latency.forget();
        this.#writer.recordReset(time);
        this.#configLog.reset(time);
        this.#lookAtConfig();
        this.#device.reset?.(low === RESET_PM ? 'pm' : 'flr');
        break;
      case EventType.lost:
        this.#toldLost += join(low, high);
        this.#tellLost(time, this.#toldLost);
        // What was written to configuration space may be among it.
        this.#lookAtConfig();
        this.#command = this.#port.configRead(ConfigOffset.command, 2);
        break;
      case EventType.timeout: {
        const bar = events[word + EventWord.bar]!;
        const width = events[word + EventWord.size]!;
        const text = `BAR${bar}+0x${at.toString(16)}, ${width} bytes: no answer in time; a read sees all ones`;
        this.#writer.recordNote(time, text, TraceFlag.error, events[word + EventWord.extraLow]!, Expert.late);
        break;
      }
      case EventType.dmaLeak: {
        const text = `The driver left a DMA mapping at 0x${at.toString(16)} behind`;
        this.#writer.recordNote(time, text, TraceFlag.undefinedBehaviour, 0, Expert.mappingLeft);
        break;
      }
      case EventType.dmaFault: {
        const { text, expert } = faultText(events, word);
        this.#writer.recordNote(time, text, TraceFlag.error, this.#clock.cause, expert);
        break;
      }
      case EventType.driverBound:
      case EventType.driverUnbound: {
        const { text, expert } = bindingText(events, word);
        this.#probeError = expert === Expert.probeFailed ? text : undefined;
        if (events[word + EventWord.type] === EventType.driverUnbound) this.#latency.forget();
        this.#writer.recordDriver(time, text, expert === 0 ? 0 : TraceFlag.error, expert);
        break;
      }
    }
  }

  /** What an access itself shows already is not told a second time by the note about it. */
  #note(level: NoteLevel, text: string, about?: NoteSubject): void {
    let expert = about === 'doorbell' ? Expert.doorbell : NOTE_EXPERT[level];
    const { cause } = this.#clock;
    if (expert !== 0 && cause !== 0 && this.#writer.markAccess(cause, Expert.noted)) expert = 0;
    this.#writer.recordNote(this.#clock.now(), text, NOTE_FLAGS[level], cause, expert);
  }

  /** Says in the trace how many more of `lost` events are missing. */
  #tellLost(time: number, lost: number): void {
    if (lost <= this.#lost) return;
    this.#writer.recordMissed(time, lost - this.#lost);
    this.#lost = lost;
  }

  #checkLost(now: number): void {
    this.#tellLost(now, this.#port.status().lost);
    this.#shared.counters[Counter.missed] = this.#lost + this.#writer.missed;
  }

  #raise(vector: number, flags: number): boolean {
    // One by hand may find a handler with nothing to do, which then does nothing that is seen here.
    const own = (flags & TraceFlag.byHand) === 0;
    // Before: afterwards the driver may have reacted already.
    const time = own ? this.#clock.read() : this.#clock.now();
    const delivered = this.#port.raiseInterrupt(vector);
    const refusal = delivered ? 0 : this.#interruptRefusal(vector);
    this.#writer.recordInterrupt(time, vector, refusal, this.#clock.cause, flags);
    if (!delivered) return false;
    this.#shared.counters[Counter.interrupts]!++;
    if (own) this.#latency.raised(vector, time);
    return true;
  }

  #interruptRefusal(vector: number): number {
    return this.#port.vectorState(vector).masked ? InterruptRefusal.masked : InterruptRefusal.off;
  }

  #attend(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#data.control) as { message: DeviceControl } | undefined;
      if (received === undefined) return;
      this.#attended = (this.#attended + 1) | 0;
      const { id, request } = received.message;
      this.#clock.handle(0);
      this.#clock.read();
      try {
        post({ kind: 'answer', id, result: this.#answer(request) });
      } catch (error) {
        post({ kind: 'answer', id, error: errorBody(error) });
      }
    }
  }

  #answer(request: DeviceRequest): unknown {
    const port = this.#port;
    switch (request.op) {
      case 'status':
        this.#checkLost(this.#clock.now());
        return {
          ...port.status(),
          ...(this.#probeError === undefined ? {} : { probeError: this.#probeError }),
        };
      case 'barRead': {
        this.#checkBar(request.bar, request.offset, request.length);
        const bytes = new Uint8Array(request.length);
        port.bars.readBytes(request.bar, request.offset, bytes);
        return bytes;
      }
      case 'registerRead':
        return this.#registerRead(request.bar, request.offset, request.width, request.asDriver);
      case 'registerWrite':
        return this.#registerWrite(
          request.bar,
          request.offset,
          request.width,
          request.value,
          request.keep,
          request.asDriver,
        );
      case 'describeRegisters':
        this.#described = {
          ...this.#described,
          bars: this.#described.bars.map((bar) =>
            bar.index === request.bar ? { ...bar, registers: request.registers } : bar,
          ),
        };
        this.#shadow = new RegisterShadow(this.#described, port.bars);
        this.#rules = new AccessRules(this.#described);
        return undefined;
      case 'configRead':
        return this.#lookAtConfig();
      case 'configAt': {
        if (request.time > this.#configLog.looked) this.#lookAtConfig();
        const bytes = this.#configLog.at(request.time);
        return { bytes, from: this.#configLog.from, cut: this.#configLog.cut };
      }
      case 'configWrite': {
        const { offset, width, keep, asDevice } = request;
        const previous = port.configRead(offset, width);
        const value = (request.value | (previous & keep)) >>> 0;
        port.configWrite(offset, width, value, asDevice);
        const now = port.configRead(offset, width);
        this.#command = port.configRead(ConfigOffset.command, 2);
        this.#writer.recordAccess(
          TraceKind.configWrite,
          this.#clock.now(),
          0,
          offset,
          width,
          value,
          0,
          0,
          0,
          TraceFlag.byHand | TraceFlag.previousKnown,
          previous,
          0,
          0,
        );
        this.#configLog.seen(offset, width, now, this.#clock.now());
        return now;
      }
      case 'raise':
        return this.#raiseByHand(request.vector, request.count);
      case 'vectors':
        return {
          vectors: this.#description.vectorNames.map((_, vector) => ({
            ...port.vectorState(vector),
            repeating: this.#repeating.get(vector)?.rate ?? 0,
            latency: this.#latency.last(vector),
          })),
          asserted: port.setLevel === undefined ? undefined : port.level?.(),
        };
      case 'repeat':
        return this.#repeat(request.vector, request.rate);
      case 'level':
        if (port.setLevel === undefined || port.level?.() === undefined) {
          throw new LabError('NO_PIN', 'This function has no INTx pin, or this host cannot hold it.');
        }
        port.setLevel(request.asserted);
        this.#writer.recordNote(
          this.#clock.now(),
          `INTx ${request.asserted ? 'asserted' : 'deasserted'} by hand`,
          TraceFlag.byHand,
          0,
          0,
        );
        return undefined;
      case 'mappings': {
        const found = port.mappings?.();
        if (found === undefined) return undefined;
        const epoch = this.#data.epoch;
        return {
          total: found.total,
          mappings: found.mappings.map((one) => ({ ...one, time: one.time - epoch })),
        };
      }
      case 'bars':
        return {
          decoding: (port.configRead(ConfigOffset.command, 2) & Command.memorySpace) !== 0,
          addresses: this.#description.bars.map(({ index }) => port.barAddress(index)),
        };
      case 'peers':
        port.setPeers?.(request.peers);
        return undefined;
      case 'dmaRead': {
        const { address, length, peer } = request;
        const buffer = this.#dma.allocate(length);
        try {
          const status = peer
            ? this.#dma.peerRead(address, buffer, 0, length)
            : this.#dma.read(address, buffer, 0, length);
          this.#checkDma(status, address, peer);
          return new Uint8Array(buffer.bytes.subarray(0, length));
        } finally {
          this.#dma.release(buffer);
        }
      }
      case 'dmaWrite': {
        const { address, bytes, peer } = request;
        const buffer = this.#dma.allocate(bytes.length);
        try {
          buffer.bytes.set(bytes);
          const status = peer
            ? this.#dma.peerWrite(address, buffer, 0, bytes.length)
            : this.#dma.write(address, buffer, 0, bytes.length);
          this.#checkDma(status, address, peer);
          return undefined;
        } finally {
          this.#dma.release(buffer);
        }
      }
      case 'mediaSize':
        return this.#device.media?.size;
      case 'mediaRead': {
        const bytes = new Uint8Array(request.length);
        this.#device.media?.load(request.offset, bytes, 0, request.length);
        return bytes;
      }
      case 'inspect':
        return this.#device.inspect?.(request.quiet) ?? null;
      case 'close':
        this.#closing = true;
        return undefined;
    }
  }

  #checkBar(bar: number, offset: number, length: number): void {
    const description = this.#description.bars.find((candidate) => candidate.index === bar);
    if (description === undefined) {
      const present = this.#description.bars.map(({ index }) => `BAR${index}`).join(', ');
      throw new LabError('NO_SUCH_BAR', `This device has no BAR${bar}; it has ${present}.`);
    }
    if (offset + length > description.size) {
      throw new LabError(
        'OUT_OF_BAR',
        `0x${offset.toString(16)} + ${length} bytes ends past BAR${bar}, which has 0x${description.size.toString(16)} bytes.`,
      );
    }
  }

  /** A driver may do what it should not. */
  #checkAccess(bar: number, offset: number, width: number, asDriver: boolean): void {
    this.#checkBar(bar, offset, width);
    if (offset % width !== 0 && !asDriver) {
      throw new LabError(
        'UNALIGNED',
        `An access of ${width} bytes at 0x${offset.toString(16)} is not aligned; the offset must be a multiple of ${width}.`,
      );
    }
  }

  #registerRead(bar: number, offset: number, width: number, asDriver: boolean): bigint {
    this.#checkAccess(bar, offset, width, asDriver);
    if (asDriver) {
      if (this.#port.driverRead === undefined) throw this.#noDriverAccess();
      if (this.#isAnswered(bar, offset, width)) return this.#answerByHand(bar, offset, width);
      return this.#port.driverRead(bar, offset, width);
    }
    if (width === 8) return this.#port.bars.read64(bar, offset);
    const shift = (offset & 3) * 8;
    const mask = width === 4 ? 0xffffffff : (1 << (width * 8)) - 1;
    return BigInt(((this.#port.bars.read32(bar, offset & ~3) >>> shift) & mask) >>> 0);
  }

  /** As it is in the BAR's memory. */
  #memory(bar: number, offset: number, width: number): bigint {
    const bytes = new Uint8Array(8);
    this.#port.bars.readBytes(bar, offset, bytes.subarray(0, width));
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  #isAnswered(bar: number, offset: number, width: number): boolean {
    const { registers } = this.#description.bars.find(({ index }) => index === bar)!;
    return answeredRanges(registers).some(
      (range) => offset < range.offset + range.length && range.offset < offset + width,
    );
  }

  /** A read as the driver makes it, of a register that this thread answers: it cannot wait for itself. */
  #answerByHand(bar: number, offset: number, width: number): bigint {
    // What it wrote before comes first.
    for (let count = this.#port.wait(this.#events, 0); count > 0; count = this.#port.wait(this.#events, 0))
      this.#handle(this.#events, count);
    if (!this.#answerRead(bar, offset, width)) return ones(width * 8);
    const low = this.#answerLow;
    const high = this.#answerHigh;
    const flags = TraceFlag.byHand;
    this.#writer.recordAccess(
      TraceKind.mmioRead,
      this.#clock.now(),
      bar,
      offset,
      width,
      low,
      high,
      0,
      0,
      flags,
      0,
      0,
      0,
    );
    return (BigInt(high) << 32n) | BigInt(low);
  }

  #registerWrite(
    bar: number,
    offset: number,
    width: number,
    bits: bigint,
    keep: bigint,
    asDriver: boolean,
  ): undefined {
    this.#checkAccess(bar, offset, width, asDriver);
    // What is there, without the side effects that a driver's read has.
    const value = keep === 0n ? bits : bits | (this.#memory(bar, offset, width) & keep);
    if (asDriver) {
      if (this.#port.driverWrite === undefined) throw this.#noDriverAccess();
      this.#port.driverWrite(bar, offset, width, value);
      return undefined;
    }
    const bytes = new Uint8Array(width);
    for (let byte = 0; byte < width; byte++) bytes[byte] = Number((value >> BigInt(byte * 8)) & 0xffn);
    this.#port.bars.writeBytes(bar, offset, bytes);
    this.#writer.recordNote(
      this.#clock.now(),
      `BAR${bar}+0x${offset.toString(16)} set to 0x${value.toString(16)} by hand, as the device`,
      TraceFlag.byHand,
      0,
      0,
    );
    return undefined;
  }

  #noDriverAccess(): LabError {
    return new LabError(
      'NO_DRIVER_ACCESS',
      'This host cannot make an access as the driver.',
      'Make it as the device: the driver reads what you write.',
    );
  }

  #lookAtConfig(): Uint8Array {
    const bytes = this.#readConfig();
    // Read afterwards: what the driver writes meanwhile is older, and is told of later.
    this.#configLog.look(bytes, this.#clock.read());
    return bytes;
  }

  #readConfig(): Uint8Array {
    const words = new Uint32Array(1024);
    for (let word = 0; word < words.length; word++) words[word] = this.#port.configRead(word * 4, 4);
    return new Uint8Array(words.buffer);
  }

  #raiseByHand(vector: number, count: number): { raised: number; refused: number; reason: string } {
    let raised = 0;
    let refused = 0;
    for (let index = 0; index < count; index++) {
      if (this.#raise(vector, TraceFlag.byHand)) raised++;
      else refused++;
    }
    return { raised, refused, reason: refused > 0 ? this.#refusal(vector) : '' };
  }

  /** Raises a vector `rate` times a second from here on; 0 ends it. */
  #repeat(vector: number, rate: number): undefined {
    const running = this.#repeating.get(vector);
    if (rate === 0) {
      this.#repeating.delete(vector);
      return undefined;
    }
    this.#repeating.set(vector, { rate, raised: 0, since: this.#clock.read() });
    if (running === undefined) this.#repeatLater(vector);
    return undefined;
  }

  #repeatLater(vector: number): void {
    const { rate } = this.#repeating.get(vector)!;
    this.#timers.schedule(this.#clock.now() + Math.max(MIN_REPEAT, 1e9 / rate), () => {
      const repeating = this.#repeating.get(vector);
      if (repeating === undefined) return;
      // Several at once where one by one would be too often; never more than a tick's worth after a pause.
      const due = Math.floor(((this.#clock.read() - repeating.since) / 1e9) * repeating.rate);
      const most = Math.ceil((repeating.rate * MIN_REPEAT * 10) / 1e9) + 1;
      const count = Math.min(due - repeating.raised, most);
      for (let index = 0; index < count; index++) this.#raise(vector, TraceFlag.byHand);
      repeating.raised = due;
      this.#repeatLater(vector);
    });
  }

  #refusal(vector: number): string {
    const status = this.#port.status();
    if (status.interruptMode === 'none') return 'The driver has not enabled interrupts.';
    if (vector >= status.vectors) {
      return `The driver enabled ${status.vectors} vectors: 0 to ${status.vectors - 1}.`;
    }
    const state = this.#port.vectorState(vector);
    if (state.masked) return `Vector ${vector} is masked; it is now pending.`;
    return `Vector ${vector} was refused by the host.`;
  }

  #checkDma(status: number, address: number, peer: boolean): void {
    if (status === DmaStatus.ok) return;
    const why =
      peer && status === DmaStatus.unmapped
        ? 'it is in no memory of another device that this one may reach'
        : DMA_STATUS_TEXT[status];
    throw new LabError(
      'DMA_REFUSED',
      `${peer ? 'A peer-to-peer transfer' : 'DMA'} at 0x${address.toString(16)} was refused: ${why}.`,
      status === DmaStatus.notBusMaster ? 'The driver turns on bus mastering when it binds.' : '',
    );
  }
}

function post(reply: DeviceReply): void {
  parentPort!.postMessage(reply);
}

const data = workerData as DeviceWorkerData;
try {
  const model = models.find(({ id }) => id === data.model);
  if (model === undefined) throw new LabError('NO_SUCH_MODEL', `There is no device model "${data.model}".`);
  const thread = new DeviceThread(data, model);
  try {
    thread.run();
  } catch (error) {
    thread.close();
    post({ kind: 'fault', error: errorBody(error) });
  }
} catch (error) {
  post({ kind: 'failed', error: errorBody(error) });
}
data.control.close();
data.store.close();
