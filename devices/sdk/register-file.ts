/**
 * The values of one BAR's registers, on top of its {@link RegisterDescription} table. Partial and straddling writes,
 * read-only and write-1-to-clear bits are resolved here, once, so that a model sees whole registers.
 *
 * Hosts answer a driver's read from BAR memory, and have stored a driver's write there before the model hears of
 * it. So every change is mirrored there; but a value that BAR memory holds already is not written again, as the
 * driver may have stored a newer one meanwhile. Only after {@link RegisterFile.reset}, which overwrites what the driver
 * has stored since it reset the device, is it looked whether the memory holds what the driver wrote.
 */
import { highWordOf, lowWordOf } from './bits.ts';
import type { BarMemory } from './device.ts';
import { afterWrite, type RegisterDescription } from './register-map.ts';

/** Called after a write was applied; words of the new and of the previous value. */
export type RegisterWritten = (
  index: number,
  low: number,
  high: number,
  wasLow: number,
  wasHigh: number,
) => void;

/** Why a table is no good, or null. Offsets ascend, registers are aligned to their width and do not overlap. */
export function registerTableError(registers: readonly RegisterDescription[], size: number): string | null {
  let end = 0;
  let before = 'the start of the BAR';
  for (const register of registers) {
    if (register.offset % register.width !== 0) return `${register.name} is not aligned to its width`;
    if (register.offset < end) return `${register.name} overlaps ${before}`;
    end = register.offset + register.width;
    before = register.name;
    if (end > size) return `${register.name} ends beyond the BAR`;
    if (((register.selfClearing ?? 0n) & ~register.writable) !== 0n)
      return `${register.name} has self-clearing bits that a driver cannot write`;
    for (const field of register.fields ?? []) {
      if (field.lsb + field.width > register.width * 8)
        return `${register.name}.${field.name} ends beyond its register`;
    }
  }
  return null;
}

export class RegisterFile {
  readonly bar: number;
  readonly registers: readonly RegisterDescription[];
  private readonly memory: BarMemory;
  private readonly onWrite: RegisterWritten;
  private readonly low: Uint32Array;
  private readonly high: Uint32Array;
  private readonly writableLow: Uint32Array;
  private readonly writableHigh: Uint32Array;
  private readonly clearLow: Uint32Array;
  private readonly clearHigh: Uint32Array;
  /** Index of the first register that ends after the start of each 8-byte unit. */
  private readonly firstIn: Int32Array;
  /** Registers of which nothing is known that the driver stored after the last reset, and what we stored there last. */
  private readonly afterReset: Uint8Array;
  private readonly lastLow: Uint32Array;
  private readonly lastHigh: Uint32Array;
  private readonly byName = new Map<string, number>();
  private readonly one = new Uint8Array(1);
  private readonly two = new Uint8Array(2);

  constructor(
    bar: number,
    registers: readonly RegisterDescription[],
    memory: BarMemory,
    onWrite: RegisterWritten = () => {},
  ) {
    const last = registers.at(-1);
    const size = last === undefined ? 0 : last.offset + last.width;
    const error = registerTableError(registers, size);
    if (error !== null) throw new Error(error);
    this.bar = bar;
    this.registers = registers;
    this.memory = memory;
    this.onWrite = onWrite;
    const words = (pick: (register: RegisterDescription) => number) => Uint32Array.from(registers, pick);
    this.low = words((r) => lowWordOf(r.reset));
    this.high = words((r) => highWordOf(r.reset));
    this.writableLow = words((r) => lowWordOf(r.writable));
    this.writableHigh = words((r) => highWordOf(r.writable));
    this.clearLow = words((r) => lowWordOf(r.writeOneToClear ?? 0n));
    this.clearHigh = words((r) => highWordOf(r.writeOneToClear ?? 0n));
    this.afterReset = new Uint8Array(registers.length);
    this.lastLow = new Uint32Array(registers.length);
    this.lastHigh = new Uint32Array(registers.length);
    this.firstIn = new Int32Array(Math.ceil(size / 8));
    let index = 0;
    for (let unit = 0; unit < this.firstIn.length; unit++) {
      while (registers[index]!.offset + registers[index]!.width <= unit * 8) index++;
      this.firstIn[unit] = index;
    }
    registers.forEach((register, i) => {
      this.byName.set(register.name, i);
    });
  }

  /** Index of a register, for {@link get} and {@link set}. */
  index(name: string): number {
    const index = this.byName.get(name);
    if (index === undefined) throw new Error(`no register ${name}`);
    return index;
  }

  /** Reset values, to BAR memory too. */
  reset(): void {
    for (let i = 0; i < this.registers.length; i++) {
      const { reset } = this.registers[i]!;
      this.set(i, lowWordOf(reset), highWordOf(reset));
      this.afterReset[i] = 1;
    }
  }

  get(index: number): number {
    return this.low[index]!;
  }

  getHigh(index: number): number {
    return this.high[index]!;
  }

  /** The device changes a register; read-only bits too. */
  set(index: number, low: number, high = 0): void {
    this.low[index] = low;
    this.high[index] = high;
    this.store(index);
  }

  /** A driver's write of `width` bytes at `offset`. */
  write(offset: number, width: number, value: number, high: number): void {
    if (offset < 0 || offset >= this.firstIn.length * 8) return;
    const end = offset + width;
    for (let i = this.firstIn[offset >>> 3]!; i < this.registers.length; i++) {
      const { offset: start, width: size } = this.registers[i]!;
      if (start >= end) break;
      if (start + size <= offset) continue;
      this.apply(i, start, size, offset, end, value, high);
    }
  }

  private apply(
    i: number,
    start: number,
    size: number,
    offset: number,
    end: number,
    value: number,
    high: number,
  ): void {
    let dataLow = 0;
    let dataHigh = 0;
    let enableLow = 0;
    let enableHigh = 0;
    for (let at = Math.max(start, offset); at < Math.min(start + size, end); at++) {
      const from = at - offset;
      const byte = from < 4 ? (value >>> (from * 8)) & 0xff : (high >>> ((from - 4) * 8)) & 0xff;
      const to = at - start;
      if (to < 4) {
        dataLow |= byte << (to * 8);
        enableLow |= 0xff << (to * 8);
      } else {
        dataHigh |= byte << ((to - 4) * 8);
        enableHigh |= 0xff << ((to - 4) * 8);
      }
    }
    const wasLow = this.low[i]!;
    const wasHigh = this.high[i]!;
    const rwLow = this.writableLow[i]! & enableLow;
    const rwHigh = this.writableHigh[i]! & enableHigh;
    const nowLow = afterWrite(wasLow, dataLow, rwLow, this.clearLow[i]!);
    const nowHigh = afterWrite(wasHigh, dataHigh, rwHigh, this.clearHigh[i]!);
    this.low[i] = nowLow;
    this.high[i] = nowHigh;
    const storedLow = (wasLow & ~enableLow) | dataLow;
    const storedHigh = (wasHigh & ~enableHigh) | dataHigh;
    if ((storedLow ^ nowLow) !== 0 || (storedHigh ^ nowHigh) !== 0 || (this.afterReset[i] && this.lost(i)))
      this.store(i);
    this.onWrite(i, nowLow >>> 0, nowHigh >>> 0, wasLow, wasHigh);
  }

  /** Whether memory holds what was stored last from here, so that the write of the driver that is handled got lost. */
  private lost(i: number): boolean {
    const { offset, width } = this.registers[i]!;
    const high = width === 8 ? this.memory.read32(this.bar, offset + 4) : 0;
    const low = width >= 4 ? this.memory.read32(this.bar, offset) : this.readNarrow(offset, width);
    if (low === this.lastLow[i] && high === this.lastHigh[i]) return true;
    this.afterReset[i] = 0;
    return false;
  }

  private readNarrow(offset: number, width: number): number {
    const bytes = width === 2 ? this.two : this.one;
    this.memory.readBytes(this.bar, offset, bytes);
    return width === 2 ? bytes[0]! | (bytes[1]! << 8) : bytes[0]!;
  }

  private store(i: number): void {
    const { offset, width } = this.registers[i]!;
    const low = this.low[i]!;
    this.lastLow[i] = low;
    this.lastHigh[i] = this.high[i]!;
    if (width === 4) this.memory.write32(this.bar, offset, low);
    else if (width === 8) {
      this.memory.write32(this.bar, offset, low);
      this.memory.write32(this.bar, offset + 4, this.high[i]!);
    } else if (width === 2) {
      this.two[0] = low;
      this.two[1] = low >>> 8;
      this.memory.writeBytes(this.bar, offset, this.two);
    } else {
      this.one[0] = low;
      this.memory.writeBytes(this.bar, offset, this.one);
    }
  }
}
