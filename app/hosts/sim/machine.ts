/**
 * The shared memory of one simulated slot: the device's thread on one side, the initiator's thread (the "CPU") and the
 * lab's thread on the other. Accesses travel through a ring of the same event records that `/dev/pciem` has.
 */
import { buildConfigSpace, Command, ConfigOffset, ConfigSpace } from '#devices/sdk/config-space.ts';
import type { DeviceDescription } from '#devices/sdk/device.ts';
import { answeredRanges, type ByteRange } from '#devices/sdk/register-map.ts';
import { EVENT_WORDS, EventFlag, EventType, MAX_MAPPINGS, type MappingState } from '../host.ts';

/** Slots of the event ring. */
const RING_SLOTS = 4096;
const CONFIG_BYTES = 4096;
export const MAX_VECTORS = 256;
const PHASE_BYTES = 256;
/** Memory that a driver may map, in pages. */
const MAPPED_PAGES = 64 * 256;
const PAGE_BYTES = 4096;
/** Doubles of one mapping: address, size, direction, time. */
const MAPPING_DOUBLES = 4;
/** ms that an access waits for room in the ring before its event is lost. */
const RING_WAIT = 1000;

/** ms that a driver waits for the model's answer. */
const COMPLETION_TIMEOUT = 1000;

/** Words of the control block. */
const Word = {
  /** Changes when the device's thread should look: an access, a request of the lab. */
  wake: 0,
  head: 1,
  tail: 2,
  lock: 3,
  gone: 4,
  started: 5,
  /** Changes when an interrupt is delivered. */
  interrupt: 6,
  sequence: 7,
  lost: 8,
  interrupts: 9,
  /** Changes when the initiator should look: start, stop, remove. */
  orders: 10,
  workloadRunning: 11,
  workloadRate: 12,
  removeAsked: 13,
  initiatorDone: 14,
  driverBound: 15,
  interruptMode: 16,
  enabledVectors: 17,
  /** Number of the event that was answered last, and the answer. */
  answered: 18,
  answerLow: 19,
  answerHigh: 20,
  /** The INTx pin. */
  level: 21,
  mappings: 22,
  /** Held by the driver that waits for an answer, or will. */
  turn: 23,
  vectorCounts: 32,
} as const;

/** Doubles of the initiator's progress. */
const Figure = { operations: 0, bytes: 1, errors: 2 } as const;

/** First bytes of the initiator's name, as events carry a driver's. */
const DRIVER_NAME = Buffer.from('sim-init').readBigUInt64LE();

/** CLOCK_MONOTONIC in ns, as the kernel stamps events. */
function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}

const align = (value: number): number => (value + 63) & ~63;

export const WAKE_WORD = Word.wake;

interface Layout {
  readonly figures: number;
  readonly phase: number;
  readonly config: number;
  readonly mappings: number;
  readonly pages: number;
  readonly ring: number;
  readonly bars: number;
}

const CONTROL_BYTES = align((Word.vectorCounts + MAX_VECTORS) * 4);

function layout(): Layout {
  const figures = CONTROL_BYTES;
  const phase = figures + 64;
  const config = phase + PHASE_BYTES;
  const mappings = config + CONFIG_BYTES;
  const pages = mappings + MAX_MAPPINGS * MAPPING_DOUBLES * 8;
  const ring = pages + MAPPED_PAGES;
  const bars = align(ring + RING_SLOTS * EVENT_WORDS * 4 + 512);
  return { figures, phase, config, mappings, pages, ring, bars };
}

/** Bytes before the BARs: where each BAR lies and how it is traced. */
interface BarSlot {
  readonly index: number;
  readonly offset: number;
  readonly size: number;
  readonly memory64: boolean;
  readonly traceReads: boolean;
  readonly traceWrites: boolean;
  readonly stopWrites: boolean;
  readonly answered: readonly ByteRange[];
}

function barSlots(description: DeviceDescription): BarSlot[] {
  let offset = layout().bars;
  return description.bars.map(({ index, size, memory64, trace, registers }) => {
    const slot: BarSlot = {
      index,
      offset,
      size,
      memory64,
      traceReads: trace.reads,
      traceWrites: trace.writes,
      stopWrites: trace.stopWrites,
      answered: answeredRanges(registers),
    };
    offset += align(size);
    return slot;
  });
}

function isAnswered({ answered }: BarSlot, offset: number, width: number): boolean {
  for (const range of answered) {
    if (offset < range.offset + range.length && range.offset < offset + width) return true;
  }
  return false;
}

function load(view: DataView, at: number, width: number): bigint {
  if (width === 8) return view.getBigUint64(at, true);
  if (width === 4) return BigInt(view.getUint32(at, true));
  return BigInt(width === 2 ? view.getUint16(at, true) : view.getUint8(at));
}

function store(view: DataView, at: number, width: number, value: bigint): void {
  if (width === 8) view.setBigUint64(at, value, true);
  else if (width === 4) view.setUint32(at, Number(value), true);
  else if (width === 2) view.setUint16(at, Number(value), true);
  else view.setUint8(at, Number(value));
}

/** The widest access that is aligned there, bytes. */
function pieceWidth(offset: number, left: number): number {
  let width = 8;
  while (width > left || offset % width !== 0) width /= 2;
  return width;
}

export function machineBytes(description: DeviceDescription): number {
  const last = barSlots(description).at(-1);
  return last === undefined ? layout().bars : last.offset + align(last.size);
}

export class SimMachine {
  readonly words: Int32Array;
  /** Configuration space; its bytes are shared, its masks follow from the description. */
  readonly config: ConfigSpace;
  readonly #figures: Float64Array;
  readonly #phase: Uint8Array;
  readonly #ring: Uint32Array;
  readonly #mappings: Float64Array;
  /** How many mappings hold a page. */
  readonly #pages: Uint8Array;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #bars: (BarSlot | undefined)[] = [];
  #seenWake = 0;

  constructor(machine: SharedArrayBuffer, description: DeviceDescription) {
    const at = layout();
    this.words = new Int32Array(machine, 0, CONTROL_BYTES / 4);
    this.#figures = new Float64Array(machine, at.figures, 8);
    this.#phase = new Uint8Array(machine, at.phase, PHASE_BYTES);
    const built = buildConfigSpace(description);
    this.config = new ConfigSpace(
      new Uint8Array(machine, at.config, built.size),
      built.writable,
      built.clearable,
    );
    this.#mappings = new Float64Array(machine, at.mappings, MAX_MAPPINGS * MAPPING_DOUBLES);
    this.#pages = new Uint8Array(machine, at.pages, MAPPED_PAGES);
    this.#ring = new Uint32Array(machine, at.ring, RING_SLOTS * EVENT_WORDS);
    this.#view = new DataView(machine);
    this.#bytes = new Uint8Array(machine);
    for (const slot of barSlots(description)) this.#bars[slot.index] = slot;
  }

  /** Once, by whoever made the memory. */
  powerOn(description: DeviceDescription): void {
    this.config.bytes.set(buildConfigSpace(description).bytes);
  }

  // State that all sides see.

  get gone(): boolean {
    return Atomics.load(this.words, Word.gone) !== 0;
  }

  get started(): boolean {
    return Atomics.load(this.words, Word.started) !== 0;
  }

  get lost(): number {
    return Atomics.load(this.words, Word.lost);
  }

  get events(): number {
    return Atomics.load(this.words, Word.sequence);
  }

  get interrupts(): number {
    return Atomics.load(this.words, Word.interrupts);
  }

  get driverBound(): boolean {
    return Atomics.load(this.words, Word.driverBound) !== 0;
  }

  set driverBound(bound: boolean) {
    if (bound === this.driverBound) return;
    Atomics.store(this.words, Word.driverBound, bound ? 1 : 0);
    const type = bound ? EventType.driverBound : EventType.driverUnbound;
    if (!this.gone) this.#produce(type, 0, 0, 0, DRIVER_NAME);
  }

  start(): void {
    Atomics.store(this.words, Word.started, 1);
  }

  /** Surprise removal: everything that waits goes on and sees all ones. */
  leave(): void {
    Atomics.store(this.words, Word.gone, 1);
    for (const word of [Word.wake, Word.interrupt, Word.head, Word.orders, Word.answered]) {
      Atomics.add(this.words, word, word === Word.head ? 0 : 1);
      Atomics.notify(this.words, word);
    }
  }

  // The device's side.

  /** Copies waiting events; waits up to `timeout` ms for the first. */
  wait(events: Uint32Array, timeout: number): number {
    const slots = Math.floor(events.length / EVENT_WORDS);
    let count = this.#drain(events, slots);
    if (count > 0 || timeout === 0) return count;
    const wake = Atomics.load(this.words, Word.wake);
    if (wake === this.#seenWake) Atomics.wait(this.words, Word.wake, wake, timeout);
    this.#seenWake = Atomics.load(this.words, Word.wake);
    count = this.#drain(events, slots);
    return count;
  }

  #drain(events: Uint32Array, slots: number): number {
    const tail = Atomics.load(this.words, Word.tail);
    let head = this.words[Word.head]!;
    let count = 0;
    while (head !== tail && count < slots) {
      const from = head * EVENT_WORDS;
      const to = count * EVENT_WORDS;
      for (let word = 0; word < EVENT_WORDS; word++) events[to + word] = this.#ring[from + word]!;
      head = (head + 1) % RING_SLOTS;
      count++;
    }
    if (count > 0) {
      Atomics.store(this.words, Word.head, head);
      Atomics.notify(this.words, Word.head);
    }
    return count;
  }

  /** BAR bytes `offset..offset+length` as a place in the shared memory; throws outside. */
  barAt(bar: number, offset: number, length: number): number {
    const slot = this.#bars[bar];
    if (slot === undefined || offset < 0 || offset + length > slot.size) {
      throw new RangeError(`BAR${bar}+0x${offset.toString(16)}, ${length} bytes: outside the BAR`);
    }
    return slot.offset + offset;
  }

  get view(): DataView {
    return this.#view;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Where a BAR is; 0: nowhere. */
  barAddress(bar: number): number {
    const slot = this.#bars[bar];
    if (slot === undefined) return 0;
    const at = ConfigOffset.bar0 + 4 * bar;
    const low = (this.config.read(at, 4) & ~0xf) >>> 0;
    return slot.memory64 ? low + this.config.read(at + 4, 4) * 2 ** 32 : low;
  }

  /** The BAR that answers at all of these addresses; undefined: none does. */
  decodes(address: number, length: number): { readonly bar: number; readonly offset: number } | undefined {
    if (this.gone || (this.config.read(ConfigOffset.command, 2) & Command.memorySpace) === 0)
      return undefined;
    for (const slot of this.#bars) {
      if (slot === undefined) continue;
      const start = this.barAddress(slot.index);
      if (start !== 0 && address >= start && address + length <= start + slot.size)
        return { bar: slot.index, offset: address - start };
    }
    return undefined;
  }

  /** Another device's access, in the widest pieces that are aligned; this one sees it as one of a driver. */
  peerRead(bar: number, offset: number, into: Uint8Array): void {
    const slot = this.#bars[bar]!;
    if (!slot.traceReads && slot.answered.length === 0) {
      const from = slot.offset + offset;
      into.set(this.#bytes.subarray(from, from + into.length));
      return;
    }
    const view = new DataView(into.buffer, into.byteOffset, into.length);
    for (let at = 0; at < into.length; ) {
      const width = pieceWidth(offset + at, into.length - at);
      store(view, at, width, this.driverRead(bar, offset + at, width));
      at += width;
    }
  }

  peerWrite(bar: number, offset: number, from: Uint8Array): void {
    const slot = this.#bars[bar]!;
    if (!slot.traceWrites && !slot.stopWrites) {
      this.#bytes.set(from, slot.offset + offset);
      return;
    }
    const view = new DataView(from.buffer, from.byteOffset, from.length);
    for (let at = 0; at < from.length; ) {
      const width = pieceWidth(offset + at, from.length - at);
      this.driverWrite(bar, offset + at, width, load(view, at, width));
      at += width;
    }
  }

  /** One driver waits at most; an answer that it does not wait for any more is passed over. */
  respond(sequence: number, low: number, high: number): boolean {
    Atomics.store(this.words, Word.answerLow, low);
    Atomics.store(this.words, Word.answerHigh, high);
    Atomics.store(this.words, Word.answered, sequence | 0);
    Atomics.notify(this.words, Word.answered);
    return !this.gone;
  }

  deliver(vector: number): void {
    Atomics.add(this.words, Word.vectorCounts + vector, 1);
    Atomics.add(this.words, Word.interrupts, 1);
    Atomics.add(this.words, Word.interrupt, 1);
    Atomics.notify(this.words, Word.interrupt);
  }

  vectorCount(vector: number): number {
    return vector < MAX_VECTORS ? Atomics.load(this.words, Word.vectorCounts + vector) : 0;
  }

  // What the driver mapped; the driver's thread alone changes it. Offsets are from the start of memory, whole pages.

  map(offset: number, size: number): void {
    const count = Atomics.load(this.words, Word.mappings);
    this.#pages.fill(1, offset / PAGE_BYTES, (offset + size) / PAGE_BYTES);
    if (count < MAX_MAPPINGS) {
      this.#mappings.set([offset, size, 0, monotonic()], count * MAPPING_DOUBLES);
    }
    Atomics.store(this.words, Word.mappings, count + 1);
  }

  unmap(offset: number, size: number): void {
    this.#pages.fill(0, offset / PAGE_BYTES, (offset + size) / PAGE_BYTES);
    const count = Atomics.load(this.words, Word.mappings);
    const kept = Math.min(count, MAX_MAPPINGS);
    for (let index = 0; index < kept; index++) {
      if (this.#mappings[index * MAPPING_DOUBLES] !== offset) continue;
      const last = (kept - 1) * MAPPING_DOUBLES;
      this.#mappings.copyWithin(index * MAPPING_DOUBLES, last, last + MAPPING_DOUBLES);
      break;
    }
    Atomics.store(this.words, Word.mappings, Math.max(0, count - 1));
  }

  /** The driver let go of everything. */
  unmapAll(): void {
    this.#pages.fill(0);
    Atomics.store(this.words, Word.mappings, 0);
  }

  isMapped(offset: number, length: number): boolean {
    const last = Math.floor((offset + length - 1) / PAGE_BYTES);
    if (offset < 0 || last >= MAPPED_PAGES) return false;
    for (let page = Math.floor(offset / PAGE_BYTES); page <= last; page++) {
      if (this.#pages[page] === 0) return false;
    }
    return true;
  }

  mappings(base: number): { total: number; mappings: MappingState[] } {
    const total = Atomics.load(this.words, Word.mappings);
    const mappings: MappingState[] = [];
    for (let index = 0; index < Math.min(total, MAX_MAPPINGS); index++) {
      const [offset, size, direction, time] = this.#mappings.subarray(
        index * MAPPING_DOUBLES,
        (index + 1) * MAPPING_DOUBLES,
      );
      mappings.push({ address: base + offset!, size: size!, direction: direction!, time: time! });
    }
    return { total, mappings };
  }

  get level(): boolean {
    return Atomics.load(this.words, Word.level) !== 0;
  }

  set level(asserted: boolean) {
    Atomics.store(this.words, Word.level, asserted ? 1 : 0);
  }

  /**
   * Function level reset, once its driver has let go: configuration space as at power-on, but for what the operating system
   * puts back; then the device is told.
   */
  reset(description: DeviceDescription): void {
    const kept = this.config.bytes.slice(ConfigOffset.bar0, ConfigOffset.bar0 + 24);
    const line = this.config.bytes[ConfigOffset.interruptLine]!;
    this.config.bytes.set(buildConfigSpace(description).bytes);
    this.config.bytes.set(kept, ConfigOffset.bar0);
    this.config.bytes[ConfigOffset.interruptLine] = line;
    this.level = false;
    this.#produce(EventType.reset, 0, 0, 0, 1n);
  }

  /** Every event was taken by the device's thread. */
  get drained(): boolean {
    return Atomics.load(this.words, Word.head) === Atomics.load(this.words, Word.tail);
  }

  cancelRemove(): void {
    Atomics.store(this.words, Word.removeAsked, 0);
  }

  // The driver's side.

  /** What a driver's load returns; all ones when the device is gone or nothing answers. */
  driverRead(bar: number, offset: number, width: number): bigint {
    const slot = this.#bars[bar];
    const allOnes = (1n << BigInt(width * 8)) - 1n;
    if (this.gone || slot === undefined || offset + width > slot.size) return allOnes;
    const value = load(this.#view, slot.offset + offset, width);
    if (isAnswered(slot, offset, width)) {
      this.#lock(Word.turn);
      try {
        const sequence = this.#produce(EventType.mmioRead, bar, offset, width, value, EventFlag.sync);
        return this.#awaitAnswer(sequence) & allOnes;
      } finally {
        this.#unlock(Word.turn);
      }
    }
    if (slot.traceReads) this.#produce(EventType.mmioRead, bar, offset, width, value);
    return this.gone ? allOnes : value;
  }

  #awaitAnswer(sequence: number): bigint {
    const deadline = performance.now() + COMPLETION_TIMEOUT;
    while (sequence !== 0 && !this.gone) {
      const answered = Atomics.load(this.words, Word.answered);
      if (answered === (sequence | 0) && !this.gone) {
        const high = BigInt(Atomics.load(this.words, Word.answerHigh) >>> 0);
        return (high << 32n) | BigInt(Atomics.load(this.words, Word.answerLow) >>> 0);
      }
      const left = deadline - performance.now();
      if (left <= 0) break;
      Atomics.wait(this.words, Word.answered, answered, left);
    }
    return ~0n;
  }

  driverWrite(bar: number, offset: number, width: number, value: bigint): void {
    const slot = this.#bars[bar];
    if (this.gone || slot === undefined || offset + width > slot.size) return;
    if (!slot.stopWrites) store(this.#view, slot.offset + offset, width, value);
    if (slot.traceWrites) this.#produce(EventType.mmioWrite, bar, offset, width, value);
  }

  /** A configuration access of the driver's; all ones when the device is gone. */
  driverConfigRead(offset: number, width: number): number {
    if (this.gone) return 2 ** (8 * width) - 1;
    const value = this.config.read(offset, width);
    this.#produce(EventType.configRead, 0, offset, width, BigInt(value));
    return value;
  }

  driverConfigWrite(offset: number, width: number, value: number): void {
    if (this.gone) return;
    this.config.write(offset, width, value);
    this.#produce(EventType.configWrite, 0, offset, width, BigInt(value));
  }

  /** Puts an event in the ring and gives its number; waits a bounded time for room, then counts it as lost: 0. */
  #produce(type: number, bar: number, offset: number, width: number, value: bigint, flags = 0): number {
    let sequence: number;
    this.#lock(Word.lock);
    try {
      const tail = this.words[Word.tail]!;
      const next = (tail + 1) % RING_SLOTS;
      const deadline = performance.now() + RING_WAIT;
      for (;;) {
        const head = Atomics.load(this.words, Word.head);
        if (next !== head) break;
        const left = deadline - performance.now();
        if (left <= 0 || this.gone) {
          Atomics.add(this.words, Word.lost, 1);
          return 0;
        }
        Atomics.wait(this.words, Word.head, head, left);
      }
      sequence = Atomics.add(this.words, Word.sequence, 1) + 1;
      const time = monotonic();
      const at = tail * EVENT_WORDS;
      const ring = this.#ring;
      ring[at] = sequence;
      ring[at + 1] = 0;
      ring[at + 2] = type;
      ring[at + 3] = bar;
      ring[at + 4] = offset;
      ring[at + 5] = 0;
      ring[at + 6] = width;
      ring[at + 7] = 0;
      ring[at + 8] = Number(value & 0xffffffffn);
      ring[at + 9] = Number(value >> 32n);
      ring[at + 10] = time % 2 ** 32;
      ring[at + 11] = Math.floor(time / 2 ** 32);
      ring.fill(0, at + 12, at + EVENT_WORDS);
      ring[at + 13] = flags;
      Atomics.store(this.words, Word.tail, next);
    } finally {
      this.#unlock(Word.lock);
    }
    Atomics.add(this.words, Word.wake, 1);
    Atomics.notify(this.words, Word.wake);
    return sequence;
  }

  /** Waits; once the device is gone nobody has to. */
  #lock(word: number): void {
    while (Atomics.compareExchange(this.words, word, 0, 1) !== 0 && !this.gone)
      Atomics.wait(this.words, word, 1, 1);
  }

  #unlock(word: number): void {
    Atomics.store(this.words, word, 0);
    Atomics.notify(this.words, word, 1);
  }

  /** Blocks until `vector` was delivered more than `seen` times; returns the count. */
  awaitInterrupt(vector: number, seen: number, timeout: number): number {
    const deadline = performance.now() + timeout;
    for (;;) {
      const generation = Atomics.load(this.words, Word.interrupt);
      const count = this.vectorCount(vector);
      if (count !== seen || this.gone) return count;
      const left = deadline - performance.now();
      if (left <= 0) return count;
      Atomics.wait(this.words, Word.interrupt, generation, left);
    }
  }

  // Between the lab and the initiator.

  get orders(): number {
    return Atomics.load(this.words, Word.orders);
  }

  /** Blocks the initiator until there are new orders, or `timeout` ms. */
  awaitOrders(seen: number, timeout: number): void {
    Atomics.wait(this.words, Word.orders, seen, timeout);
  }

  order(running: boolean, rate: number): void {
    Atomics.store(this.words, Word.workloadRunning, running ? 1 : 0);
    Atomics.store(this.words, Word.workloadRate, rate);
    Atomics.add(this.words, Word.orders, 1);
    Atomics.notify(this.words, Word.orders);
  }

  get workloadRunning(): boolean {
    return Atomics.load(this.words, Word.workloadRunning) !== 0;
  }

  get workloadRate(): number {
    return Atomics.load(this.words, Word.workloadRate);
  }

  askRemove(): void {
    Atomics.store(this.words, Word.removeAsked, 1);
    Atomics.add(this.words, Word.orders, 1);
    Atomics.notify(this.words, Word.orders);
  }

  get removeAsked(): boolean {
    return Atomics.load(this.words, Word.removeAsked) !== 0;
  }

  setProgress(phase: string, operations: number, bytes: number, errors: number): void {
    this.#figures[Figure.operations] = operations;
    this.#figures[Figure.bytes] = bytes;
    this.#figures[Figure.errors] = errors;
    const text = Buffer.from(phase, 'utf8').subarray(0, PHASE_BYTES - 1);
    this.#phase.fill(0);
    this.#phase.set(text);
  }

  get progress(): { phase: string; operations: number; bytes: number; errors: number } {
    const end = this.#phase.indexOf(0);
    return {
      phase: Buffer.from(this.#phase.subarray(0, end)).toString('utf8'),
      operations: this.#figures[Figure.operations]!,
      bytes: this.#figures[Figure.bytes]!,
      errors: this.#figures[Figure.errors]!,
    };
  }
}
