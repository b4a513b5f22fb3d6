/**
 * The ProtoPCIem card. A write of CMD carries a command out at once; the ring runs after each batch of accesses; flips
 * wait for the vertical blank, which a timer makes only while something waits for it.
 */

import { highWord, join, lowWord } from '../sdk/bits.ts';
import type { Device, DeviceHost } from '../sdk/device.ts';
import {
  BLACK,
  type Display,
  MAX_CURSOR,
  PALETTE_COLORS,
  PIXEL_BYTES,
  PIXEL_FORMAT_NAMES,
  PixelFormat,
} from '../sdk/display.ts';
import { type DmaBuffer, DmaStatus } from '../sdk/dma.ts';
import { RegisterFile } from '../sdk/register-file.ts';
import type { RegisterDescription } from '../sdk/register-map.ts';
import { COMPLETE, decode, execute } from './commands.ts';
import { Raster } from './raster.ts';
import {
  BAR,
  Command,
  Control,
  Cursor,
  DATA_BAR,
  DATA_BAR_SIZE,
  DEFAULT_HEIGHT,
  DEFAULT_PITCH,
  DEFAULT_WIDTH,
  Failure,
  type FailureCode,
  Flip,
  Irq,
  MAX_COMMAND_BYTES,
  MAX_DAMAGE,
  MAX_HEIGHT,
  MAX_PITCH,
  MAX_RING_ENTRIES,
  MAX_VSYNC,
  MAX_WIDTH,
  MIN_VSYNC,
  PALETTE_END,
  Register,
  Status,
} from './registers.ts';
import { ENTRY_BYTES, RingEntry, RingFlag, RingOpcode } from './ring.ts';

/** Records of the last command buffer that {@link ProtoPciemCard.inspect} shows. */
const SHOWN_RECORDS = 500;

const failureNames: readonly string[] = Object.keys(Failure);

export class ProtoPciemCard implements Device {
  private readonly host: DeviceHost;
  private readonly file: RegisterFile;
  private readonly display: Display;
  /** The display's memory. */
  private readonly picture: DmaBuffer;
  private readonly raster: Raster;
  /** Index in the file of the register at each word of the BAR; -1: none. */
  private readonly indexAt = new Int32Array(PALETTE_END / 4).fill(-1);

  // The mode in force.
  private width = DEFAULT_WIDTH;
  private height = DEFAULT_HEIGHT;
  private pitch = DEFAULT_PITCH;
  private format: number = PixelFormat.RGB24;
  private frames = 0;

  private readonly commands: DmaBuffer;
  private readonly ring: DmaBuffer;
  private readonly entry: RingEntry;
  private readonly fence: DmaBuffer;
  private readonly image: DmaBuffer;
  private readonly peer: DmaBuffer;

  /** Rectangles of the next flip: x, y, width, height. */
  private readonly damage = new Uint16Array(MAX_DAMAGE * 4);
  private damages = 0;
  private flipPending = false;

  private ringOn = false;
  private ringHead = 0;
  /** The entry at the head waits for the vertical blank. */
  private ringWaits = false;

  private vsyncTimer = 0;
  private vsyncStart = 0;
  private vsyncCount = 0;
  private readonly vsync = (): void => this.verticalBlank();

  /** What made the last picture, for people. */
  private lastSource = '';
  private lastAddress = 0;
  private lastBytes = 0;
  private lastCommandBytes = 0;
  private commandsDone = 0;
  private failures = 0;

  constructor(host: DeviceHost, registers: readonly RegisterDescription[]) {
    if (host.display === undefined) throw new Error('the card needs a display');
    this.host = host;
    this.display = host.display;
    this.raster = new Raster(host.display);
    this.file = new RegisterFile(BAR, registers, host.bars, (index, low, _high, wasLow) =>
      this.written(index, low, wasLow),
    );
    registers.forEach(({ offset }, index) => {
      this.indexAt[offset / 4] = index;
    });
    const { dma } = host;
    this.commands = dma.allocate(MAX_COMMAND_BYTES);
    this.ring = dma.allocate(MAX_RING_ENTRIES * ENTRY_BYTES);
    this.entry = new RingEntry(this.ring.bytes);
    this.fence = dma.allocate(4);
    this.image = dma.allocate(MAX_CURSOR * MAX_CURSOR * 4);
    this.peer = dma.allocate(DATA_BAR_SIZE);
    this.picture = dma.attach(host.display.bytes);
  }

  powerOn(): void {
    this.resetCard();
    this.file.reset();
  }

  reset(): void {
    this.resetCard();
    this.file.reset();
  }

  powerOff(): void {
    this.stopVsync();
  }

  mmioWrite(bar: number, offset: number, width: number, value: number, high: number): void {
    if (bar === BAR) this.file.write(offset, width, value, high);
  }

  run(): void {
    if (this.ringOn && !this.ringWaits) this.runRing();
  }

  private get(offset: number): number {
    return this.file.get(this.indexAt[offset / 4]!);
  }

  private set(offset: number, value: number): void {
    this.file.set(this.indexAt[offset / 4]!, value);
  }

  private address(lowOffset: number): number {
    return join(this.get(lowOffset), this.get(lowOffset + 4));
  }

  private written(index: number, low: number, wasLow: number): void {
    const offset = this.file.registers[index]!.offset;
    switch (offset) {
      case Register.CONTROL:
        if (low & Control.RESET) {
          this.resetCard();
          this.file.reset();
          this.set(Register.CONTROL, low);
        }
        break;
      case Register.CMD:
        if (low !== 0) this.command(low);
        break;
      case Register.IRQ_STATUS:
      case Register.IRQ_ENABLE:
        if (offset === Register.IRQ_STATUS && wasLow & ~low) this.host.interruptServed(0);
        // Whatever came while the driver cleared what it had read gets a message of its own.
        if (this.get(Register.IRQ_STATUS) & this.get(Register.IRQ_ENABLE)) this.host.raiseInterrupt(0);
        if (offset === Register.IRQ_ENABLE) this.armVsync();
        break;
      case Register.MODE_CONTROL:
        this.changeMode((low & 1) !== 0);
        break;
      case Register.FLIP:
        this.flipWritten(low);
        break;
      case Register.VSYNC_RATE:
        this.changeRate(low);
        break;
      case Register.DAMAGE_SIZE:
        this.addDamage(this.get(Register.DAMAGE_POSITION), low);
        break;
      case Register.RING_CONTROL:
        this.switchRing((low & 1) !== 0);
        break;
      case Register.RING_TAIL:
        if (this.ringOn && low >= this.get(Register.RING_ENTRIES)) {
          this.fail(Failure.BAD_RING, low, 'RING_TAIL is beyond the ring');
          this.ringOff();
        }
        break;
      case Register.CURSOR_CONTROL:
      case Register.CURSOR_POSITION:
        this.changeCursor();
        break;
      default:
        if (offset >= Register.PALETTE) this.display.setColor((offset - Register.PALETTE) >>> 2, color(low));
    }
  }

  /** Everything but the registers. */
  private resetCard(): void {
    this.stopVsync();
    this.ringOn = false;
    this.ringWaits = false;
    this.ringHead = 0;
    this.flipPending = false;
    this.damages = 0;
    this.frames = 0;
    this.vsyncStart = this.host.clock.now();
    this.vsyncCount = 0;
    this.lastSource = '';
    this.lastCommandBytes = 0;
    for (let entry = 0; entry < PALETTE_COLORS; entry++)
      this.display.setColor(entry, color(entry * 0x01_01_01));
    this.display.moveCursor(false, 0, 0);
    this.showMode(DEFAULT_WIDTH, DEFAULT_HEIGHT, DEFAULT_PITCH, PixelFormat.RGB24);
  }

  private showMode(width: number, height: number, pitch: number, format: number): void {
    this.width = width;
    this.height = height;
    this.pitch = pitch;
    this.format = format;
    this.display.setMode(width, height, pitch, format);
  }

  // Interrupts and errors.

  private event(bits: number): void {
    if (this.pend(bits)) this.host.raiseInterrupt(0);
  }

  /** Notes what happened; whether the driver wants to be told. */
  private pend(bits: number): boolean {
    this.set(Register.IRQ_STATUS, this.get(Register.IRQ_STATUS) | bits);
    return (bits & this.get(Register.IRQ_ENABLE)) !== 0;
  }

  /** Notes what failed; the caller raises the interrupt, or {@link fail} does. */
  private failure(code: FailureCode, info: number, text: string): void {
    this.failures++;
    this.set(Register.ERROR, code);
    this.set(Register.ERROR_INFO, info);
    this.host.note('undefined-behaviour', text);
  }

  private fail(code: FailureCode, info: number, text: string): void {
    this.failure(code, info, text);
    this.event(Irq.ERROR);
  }

  // Commands.

  private command(code: number): void {
    this.set(Register.STATUS, Status.BUSY);
    this.set(Register.RESULT_LOW, 0);
    this.set(Register.RESULT_HIGH, 0);
    const done = this.carryOut(code);
    this.commandsDone++;
    const length = code >= Command.PROCESS_BUFFER ? this.get(Register.DMA_LEN) : 0;
    const status = done ? 0 : this.get(Register.ERROR);
    this.host.command(0, 0, code, status, this.address(Register.DMA_SRC_LOW), length);
    this.set(Register.STATUS, done ? Status.DONE : Status.DONE | Status.ERROR);
    this.set(Register.CMD, 0);
    this.event(done ? Irq.COMMAND : Irq.COMMAND | Irq.ERROR);
  }

  private carryOut(code: number): boolean {
    const data = this.get(Register.DATA);
    switch (code) {
      case Command.ADD:
        return this.result(data + data);
      case Command.MULTIPLY:
        this.set(Register.RESULT_LOW, Math.imul(data, data) >>> 0);
        this.set(Register.RESULT_HIGH, highProduct(data));
        return true;
      case Command.XOR:
        return this.result((data ^ 0xffff_ffff) >>> 0);
      case Command.PROCESS_BUFFER:
        return this.processBuffer();
      case Command.EXECUTE_CMDBUF:
        return this.executeBuffer(this.address(Register.DMA_SRC_LOW), this.get(Register.DMA_LEN));
      case Command.DMA_FRAME:
        return this.frame(this.address(Register.DMA_SRC_LOW), this.get(Register.DMA_LEN));
      case Command.P2P_READ:
        return this.peerToPeer(true);
      case Command.P2P_WRITE:
        return this.peerToPeer(false);
      default:
        this.failure(Failure.UNKNOWN_COMMAND, code, `command ${code} is not one of this card`);
        return false;
    }
  }

  private result(value: number): true {
    this.set(Register.RESULT_LOW, lowWord(value));
    this.set(Register.RESULT_HIGH, highWord(value));
    return true;
  }

  /** Reads, inverts every byte, and writes; the result is the number of bytes. */
  private processBuffer(): boolean {
    const length = this.get(Register.DMA_LEN);
    if (length > MAX_COMMAND_BYTES) return this.tooLong('PROCESS_BUFFER', length, MAX_COMMAND_BYTES);
    if (length > 0) {
      const { dma } = this.host;
      const { bytes } = this.commands;
      this.lastCommandBytes = 0;
      if (!this.reached(dma.read(this.address(Register.DMA_SRC_LOW), this.commands, 0, length))) return false;
      for (let at = 0; at < length; at++) bytes[at] = ~bytes[at]!;
      if (!this.reached(dma.write(this.address(Register.DMA_DST_LOW), this.commands, 0, length)))
        return false;
    }
    return this.result(length);
  }

  private tooLong(what: string, length: number, most: number): false {
    this.failure(Failure.BAD_LENGTH, length, `${what} of ${length} bytes; ${most} are accepted`);
    return false;
  }

  private reached(status: number): boolean {
    if (status === DmaStatus.ok) return true;
    this.failure(Failure.DMA_REFUSED, status, 'memory that the driver named cannot be reached');
    return false;
  }

  private executeBuffer(address: number, length: number): boolean {
    if (length > MAX_COMMAND_BYTES) return this.tooLong('EXECUTE_CMDBUF', length, MAX_COMMAND_BYTES);
    this.lastCommandBytes = 0;
    if (length > 0 && !this.reached(this.host.dma.read(address, this.commands, 0, length))) return false;
    this.lastCommandBytes = length;
    this.display.begin();
    const at = execute(this.commands.bytes, length, this.raster);
    this.finish('EXECUTE_CMDBUF', address, length);
    if (at === COMPLETE) return true;
    this.failure(Failure.MALFORMED_RECORD, at, `the record at ${at} of the command buffer is malformed`);
    return false;
  }

  private frame(address: number, length: number): boolean {
    const whole = this.pitch * this.height;
    if (length !== whole) {
      this.failure(
        Failure.BAD_LENGTH,
        length,
        `DMA_FRAME of ${length} bytes; a picture of this mode has ${whole}`,
      );
      return false;
    }
    this.display.begin();
    const reached = this.fetch(address, 0, 0, this.width, this.height);
    if (reached) this.finish('DMA_FRAME', address, length);
    else this.display.end(false);
    return reached;
  }

  /** Ends a picture. */
  private finish(source: string, address: number, bytes: number): void {
    this.display.end(true);
    this.frames++;
    this.set(Register.FRAME_COUNT, this.frames >>> 0);
    if (source !== 'EXECUTE_CMDBUF') this.lastCommandBytes = 0;
    this.lastSource = source;
    this.lastAddress = address;
    this.lastBytes = bytes;
  }

  /** Reads a part of the picture at `base`, that lies within it, to where the display has it. */
  private fetch(base: number, x: number, y: number, width: number, height: number): boolean {
    const { pitch, format, picture, display } = this;
    const { dma } = this.host;
    const step = PIXEL_BYTES[format]!;
    const at = y * pitch + x * step;
    const row = width * step;
    // Whole rows lie together; what pads them may come along.
    const status =
      width === this.width
        ? dma.read(base + at, picture, at, (height - 1) * pitch + row)
        : dma.readRows(base + at, picture, at, row, pitch, height);
    // Some of it may have come before it failed.
    display.changed(x, y, width, height);
    return this.reached(status);
  }

  /** Between the data BAR, at the offset in DMA_DST or DMA_SRC, and another device's memory. */
  private peerToPeer(read: boolean): boolean {
    const length = this.get(Register.DMA_LEN);
    const source = this.address(Register.DMA_SRC_LOW);
    const destination = this.address(Register.DMA_DST_LOW);
    const at = read ? destination : source;
    if (length === 0 || at + length > DATA_BAR_SIZE) {
      this.failure(
        Failure.BAD_LENGTH,
        length,
        `${read ? 'P2P_READ' : 'P2P_WRITE'} of ${length} bytes at ${at} of the data buffer`,
      );
      return false;
    }
    const { dma, bars } = this.host;
    const bytes = this.peer.bytes.subarray(0, length);
    if (!read) bars.readBytes(DATA_BAR, at, bytes);
    const status = read
      ? dma.peerRead(source, this.peer, 0, length)
      : dma.peerWrite(destination, this.peer, 0, length);
    if (!this.reached(status)) return false;
    if (read) bars.writeBytes(DATA_BAR, at, bytes);
    return this.result(length);
  }

  // Modes, damage and flips.

  private changeMode(on: boolean): void {
    this.damages = 0;
    this.set(Register.DAMAGE_COUNT, 0);
    this.flipPending = false;
    this.set(Register.FLIP, 0);
    if (!on) {
      this.showMode(DEFAULT_WIDTH, DEFAULT_HEIGHT, DEFAULT_PITCH, PixelFormat.RGB24);
      return;
    }
    const size = this.get(Register.MODE_SIZE);
    const width = size & 0xffff;
    const height = size >>> 16;
    const pitch = this.get(Register.MODE_PITCH);
    const format = this.get(Register.MODE_FORMAT);
    const step = PIXEL_BYTES[format];
    const good =
      width >= 1 &&
      width <= MAX_WIDTH &&
      height >= 1 &&
      height <= MAX_HEIGHT &&
      step !== undefined &&
      pitch >= width * step &&
      pitch <= MAX_PITCH;
    if (good) this.showMode(width, height, pitch, format);
    else {
      this.set(Register.MODE_CONTROL, 0);
      this.showMode(DEFAULT_WIDTH, DEFAULT_HEIGHT, DEFAULT_PITCH, PixelFormat.RGB24);
      this.fail(
        Failure.BAD_MODE,
        size,
        `no such mode: ${width} x ${height}, format ${format}, pitch ${pitch}`,
      );
    }
  }

  private addDamage(position: number, size: number): void {
    const x = position & 0xffff;
    const y = position >>> 16;
    const width = size & 0xffff;
    const height = size >>> 16;
    if (width === 0 || height === 0 || x + width > this.width || y + height > this.height) {
      this.fail(
        Failure.BAD_DAMAGE,
        position,
        `damage of ${width} x ${height} at ${x},${y} is outside the picture`,
      );
      return;
    }
    // What no longer fits is in the whole picture.
    if (this.damages >= MAX_DAMAGE) this.damages = MAX_DAMAGE + 1;
    else {
      const at = this.damages++ * 4;
      this.damage[at] = x;
      this.damage[at + 1] = y;
      this.damage[at + 2] = width;
      this.damage[at + 3] = height;
    }
    this.set(Register.DAMAGE_COUNT, this.damages);
  }

  private flipWritten(value: number): void {
    if (value & Flip.NOW || (value & Flip.AT_VSYNC && this.get(Register.VSYNC_RATE) === 0)) this.flip();
    else if (value & Flip.AT_VSYNC) {
      this.set(Register.FLIP, Flip.AT_VSYNC);
      this.flipPending = true;
      this.armVsync();
    } else this.set(Register.FLIP, this.flipPending ? Flip.AT_VSYNC : 0);
  }

  private flip(): void {
    this.flipPending = false;
    this.set(Register.FLIP, 0);
    const base = this.address(Register.SCANOUT_LOW);
    const { damages, damage } = this;
    this.damages = 0;
    this.set(Register.DAMAGE_COUNT, 0);
    this.display.begin();
    let reached = true;
    let bytes = 0;
    if (damages === 0 || damages > MAX_DAMAGE) {
      reached = this.fetch(base, 0, 0, this.width, this.height);
      bytes = this.pitch * this.height;
    } else {
      for (let i = 0; i < damages && reached; i++) {
        const at = i * 4;
        reached = this.fetch(base, damage[at]!, damage[at + 1]!, damage[at + 2]!, damage[at + 3]!);
        bytes += damage[at + 2]! * damage[at + 3]! * PIXEL_BYTES[this.format]!;
      }
    }
    if (reached) this.finish('FLIP', base, bytes);
    else this.display.end(false);
    this.event(reached ? Irq.FLIP : Irq.FLIP | Irq.ERROR);
  }

  // The vertical blank.

  private changeRate(rate: number): void {
    this.stopVsync();
    if (rate !== 0 && (rate < MIN_VSYNC || rate > MAX_VSYNC)) {
      this.set(Register.VSYNC_RATE, 0);
      this.fail(
        Failure.BAD_MODE,
        rate,
        `VSYNC_RATE ${rate}; accepted is 0, or ${MIN_VSYNC} to ${MAX_VSYNC} millihertz`,
      );
    } else {
      this.vsyncStart = this.host.clock.now();
      this.vsyncCount = 0;
    }
    // Nothing may wait for a blank that does not come.
    if (this.get(Register.VSYNC_RATE) === 0) this.releaseWaiters();
    else this.armVsync();
  }

  private releaseWaiters(): void {
    if (this.flipPending) this.flip();
    if (this.ringWaits) this.ringFlipped();
  }

  private armVsync(): void {
    const rate = this.get(Register.VSYNC_RATE);
    if (rate === 0 || this.vsyncTimer !== 0) return;
    if (!this.flipPending && !this.ringWaits && (this.get(Register.IRQ_ENABLE) & Irq.VSYNC) === 0) return;
    const period = 1e12 / rate;
    const passed = this.host.clock.now() - this.vsyncStart;
    const next = this.vsyncStart + (Math.floor(passed / period + 1e-6) + 1) * period;
    this.vsyncTimer = this.host.clock.schedule(next - this.host.clock.now(), this.vsync);
  }

  private stopVsync(): void {
    if (this.vsyncTimer !== 0) this.host.clock.cancel(this.vsyncTimer);
    this.vsyncTimer = 0;
  }

  private verticalBlank(): void {
    this.vsyncTimer = 0;
    const period = 1e12 / this.get(Register.VSYNC_RATE);
    this.vsyncCount = Math.floor((this.host.clock.now() - this.vsyncStart) / period + 1e-6);
    this.set(Register.VSYNC_COUNT, this.vsyncCount >>> 0);
    this.releaseWaiters();
    this.event(Irq.VSYNC);
    this.armVsync();
  }

  // The command ring.

  private switchRing(on: boolean): void {
    this.ringOff();
    if (!on) return;
    const entries = this.get(Register.RING_ENTRIES);
    if (entries < 2 || entries > MAX_RING_ENTRIES || (entries & (entries - 1)) !== 0) {
      this.fail(
        Failure.BAD_RING,
        entries,
        `a ring of ${entries} entries; accepted is a power of two from 2 to ${MAX_RING_ENTRIES}`,
      );
      return;
    }
    this.set(Register.RING_CONTROL, 1);
    this.set(Register.RING_TAIL, 0);
    this.ringOn = true;
  }

  private ringOff(): void {
    this.ringOn = false;
    this.ringWaits = false;
    this.ringHead = 0;
    this.set(Register.RING_CONTROL, 0);
    this.set(Register.RING_HEAD, 0);
  }

  /** Takes all that the tail promises, with one read for each stretch that lies together. */
  private runRing(): void {
    const entries = this.get(Register.RING_ENTRIES);
    while (this.ringOn && !this.ringWaits && this.ringHead !== this.get(Register.RING_TAIL)) {
      const tail = this.get(Register.RING_TAIL);
      const head = this.ringHead;
      const end = tail > head ? tail : entries;
      const base = this.address(Register.RING_LOW) + head * ENTRY_BYTES;
      const status = this.host.dma.read(base, this.ring, head * ENTRY_BYTES, (end - head) * ENTRY_BYTES);
      if (status !== DmaStatus.ok) {
        this.fail(Failure.DMA_REFUSED, head, 'the command ring cannot be reached; it is turned off');
        this.ringOff();
        return;
      }
      for (let at = head; at < end && this.ringOn && !this.ringWaits; at++) {
        this.entry.select(at);
        this.ringEntry(at);
      }
    }
  }

  private ringEntry(at: number): void {
    const { entry } = this;
    const address = join(entry.addressLow, entry.addressHigh);
    let done = true;
    switch (entry.opcode) {
      case RingOpcode.NOP:
        break;
      case RingOpcode.EXECUTE:
        done = this.executeBuffer(address, entry.length);
        break;
      case RingOpcode.UPDATE:
        done = this.ringUpdate('UPDATE', at, address);
        break;
      case RingOpcode.FLIP:
        if (this.get(Register.VSYNC_RATE) !== 0) {
          this.ringWaits = true;
          this.armVsync();
          return;
        }
        done = this.ringUpdate('FLIP', at, address);
        break;
      default:
        this.failure(Failure.BAD_ENTRY, at, `entry ${at} of the ring has the unknown opcode ${entry.opcode}`);
        done = false;
    }
    this.ringDone(at, done);
  }

  /** The vertical blank that the entry at the head waited for. */
  private ringFlipped(): void {
    this.ringWaits = false;
    const at = this.ringHead;
    this.entry.select(at);
    this.ringDone(at, this.ringUpdate('FLIP', at, join(this.entry.addressLow, this.entry.addressHigh)));
    this.run();
  }

  private ringUpdate(what: string, at: number, address: number): boolean {
    const { entry } = this;
    const whole = entry.size === 0;
    const x = whole ? 0 : entry.position & 0xffff;
    const y = whole ? 0 : entry.position >>> 16;
    const width = whole ? this.width : entry.size & 0xffff;
    const height = whole ? this.height : entry.size >>> 16;
    if (width === 0 || height === 0 || x + width > this.width || y + height > this.height) {
      this.failure(
        Failure.BAD_ENTRY,
        at,
        `entry ${at} of the ring: ${width} x ${height} at ${x},${y} is outside the picture`,
      );
      return false;
    }
    this.display.begin();
    const reached = this.fetch(address, x, y, width, height);
    if (reached) this.finish(what, address, width * height * PIXEL_BYTES[this.format]!);
    else this.display.end(false);
    return reached;
  }

  private ringDone(at: number, done: boolean): void {
    const { entry } = this;
    const entries = this.get(Register.RING_ENTRIES);
    this.commandsDone++;
    this.ringHead = at + 1 === entries ? 0 : at + 1;
    this.set(Register.RING_HEAD, this.ringHead);
    const { fence, flags } = entry;
    const { dma } = this.host;
    const bits = (flags & RingFlag.INTERRUPT ? Irq.FENCE : 0) | (done ? 0 : Irq.ERROR);
    let tells = false;
    if (fence !== 0) {
      this.set(Register.FENCE, fence);
      const to = this.address(Register.FENCE_LOW);
      if (to !== 0) {
        const { bytes } = this.fence;
        for (let byte = 0; byte < 4; byte++) bytes[byte] = fence >>> (byte * 8);
        dma.queueWrite(to, this.fence, 0, 4);
        tells = true;
      }
    }
    if (!tells) {
      if (bits !== 0) this.event(bits);
      return;
    }
    // Memory and interrupt in one crossing.
    if (bits !== 0 && this.pend(bits)) dma.queueInterrupt(0);
    if (dma.submit() === 0) {
      this.failure(Failure.DMA_REFUSED, at, 'memory for fences cannot be reached');
      this.event(bits | Irq.ERROR);
    }
  }

  // The cursor.

  private changeCursor(): void {
    const control = this.get(Register.CURSOR_CONTROL);
    const size = this.get(Register.CURSOR_SIZE);
    const hotspot = this.get(Register.CURSOR_HOTSPOT);
    const position = this.get(Register.CURSOR_POSITION);
    let load = false;
    if (control & Cursor.LOAD) {
      this.set(Register.CURSOR_CONTROL, control & ~Cursor.LOAD);
      load = this.readCursor(size & 0xffff, size >>> 16);
      if (!load) return;
    }
    if (load) this.display.setCursorImage(this.image.bytes, size & 0xffff, size >>> 16);
    this.display.moveCursor(
      (control & Cursor.ENABLE) !== 0,
      ((position << 16) >> 16) - (hotspot & 0xffff),
      (position >> 16) - (hotspot >>> 16),
    );
  }

  private readCursor(width: number, height: number): boolean {
    if (width < 1 || height < 1 || width > MAX_CURSOR || height > MAX_CURSOR) {
      this.fail(
        Failure.BAD_CURSOR,
        this.get(Register.CURSOR_SIZE),
        `a cursor of ${width} x ${height}; accepted is at most ${MAX_CURSOR} x ${MAX_CURSOR}`,
      );
      return false;
    }
    const status = this.host.dma.read(this.address(Register.CURSOR_LOW), this.image, 0, width * height * 4);
    if (this.reached(status)) return true;
    this.event(Irq.ERROR);
    return false;
  }

  inspect(): unknown {
    const decoded = decode(this.commands.bytes, this.lastCommandBytes, SHOWN_RECORDS);
    return {
      kind: 'protopciem',
      mode: {
        width: this.width,
        height: this.height,
        pitch: this.pitch,
        format: PIXEL_FORMAT_NAMES[this.format],
      },
      frames: this.frames,
      vsync: { rate: this.get(Register.VSYNC_RATE), count: this.vsyncCount },
      lastFrame: { source: this.lastSource, address: this.lastAddress, bytes: this.lastBytes },
      commands: decoded.records,
      commandCount: decoded.total,
      commandsDone: this.commandsDone,
      ring: { on: this.ringOn, head: this.ringHead, tail: this.get(Register.RING_TAIL) },
      failures: this.failures,
      lastFailure: failureNames[this.get(Register.ERROR)] ?? '',
    };
  }
}

/** 0x00RRGGBB as the display has it. */
function color(value: number): number {
  return BLACK | ((value >>> 16) & 0xff) | (value & 0xff00) | ((value & 0xff) << 16);
}

/** Upper half of the square of a 32-bit number. */
function highProduct(value: number): number {
  const low = value & 0xffff;
  const high = value >>> 16;
  const cross = low * high;
  // (high * 2^16 + low)^2, summed so that nothing exceeds 53 bits.
  const middle = ((low * low) >>> 16) + (cross % 65536) * 2;
  return (high * high + Math.floor(cross / 65536) * 2 + Math.floor(middle / 65536)) >>> 0;
}
