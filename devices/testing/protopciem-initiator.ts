/**
 * Drives a ProtoPCIem card as its driver would: reset, self-test, then pictures by every way that the card has.
 * Independent of `devices/protopciem`: the numbers here are those of docs/protopciem.md, so that a mistake there is not
 * repeated here.
 */
import { Command } from '../sdk/config-space.ts';
import {
  type Initiator,
  type InitiatorBus,
  InitiatorError,
  type InitiatorFactory,
  type InitiatorProgress,
  type Workload,
} from './initiator.ts';
import { enableMsix } from './pci.ts';
import {
  BAR_HEIGHT,
  BAR_WIDTH,
  bars,
  FRAME,
  GROUND,
  RAMP_HEIGHT,
  type Rgb,
  rampAt,
  TEST_CARD_HEIGHT,
  TEST_CARD_WIDTH,
} from './test-card.ts';

const PAGE = 4096;
const WIDTH = 640;
const HEIGHT = 480;
const FRAME_BYTES = WIDTH * HEIGHT * 3;
const TIMEOUT = 2000;
/** Frames before another way of making pictures gets its turn. */
const SCENE_FRAMES = 240;
const COMMAND_PAGES = 64;

/** Offsets of the registers, as a driver knows them. */
export const Reg = {
  control: 0x00,
  status: 0x04,
  cmd: 0x08,
  data: 0x0c,
  result: 0x10,
  source: 0x20,
  length: 0x30,
  version: 0x100,
  irqStatus: 0x110,
  irqEnable: 0x114,
  error: 0x118,
  modeSize: 0x120,
  modePitch: 0x124,
  modeFormat: 0x128,
  modeControl: 0x12c,
  scanout: 0x130,
  flip: 0x138,
  vsyncRate: 0x13c,
  frameCount: 0x144,
  damagePosition: 0x150,
  damageSize: 0x154,
  ring: 0x160,
  ringEntries: 0x168,
  ringControl: 0x16c,
  ringTail: 0x174,
  fence: 0x178,
  cursorControl: 0x190,
  cursorPosition: 0x194,
  cursorSize: 0x198,
  cursorHotspot: 0x19c,
  cursorImage: 0x1a0,
  edid: 0x200,
  palette: 0x400,
} as const;
export const Irq = { command: 1, vsync: 2, flip: 4, fence: 8, error: 16 } as const;

/** A command buffer under construction, in host memory. */
class CommandBuffer {
  readonly address: number;
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  length = 0;

  constructor(address: number, memory: Uint8Array) {
    this.address = address;
    this.bytes = memory;
    this.view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  }

  private header(opcode: number, length: number): number {
    const at = this.length;
    this.view.setUint32(at, opcode, true);
    this.view.setUint32(at + 4, length, true);
    this.length += length;
    return at + 8;
  }

  private color(at: number, color: Rgb): void {
    this.view.setUint8(at, color[0]);
    this.view.setUint8(at + 1, color[1]);
    this.view.setUint8(at + 2, color[2]);
    this.view.setUint8(at + 3, 255);
  }

  clear(color: Rgb): void {
    this.color(this.header(1, 12), color);
  }

  line(x0: number, y0: number, x1: number, y1: number, color: Rgb): void {
    const at = this.header(2, 20);
    this.view.setUint16(at, x0, true);
    this.view.setUint16(at + 2, y0, true);
    this.view.setUint16(at + 4, x1, true);
    this.view.setUint16(at + 6, y1, true);
    this.color(at + 8, color);
  }

  /** Returns where its pixels go; `width * height` is a multiple of 4. */
  blit(x: number, y: number, width: number, height: number): Uint8Array {
    const at = this.header(3, 16 + width * height * 3);
    this.view.setUint16(at, x, true);
    this.view.setUint16(at + 2, y, true);
    this.view.setUint16(at + 4, width, true);
    this.view.setUint16(at + 6, height, true);
    return this.bytes.subarray(at + 8, at + 8 + width * height * 3);
  }
}

export class ProtoPciemInitiator implements Initiator {
  readonly progress: InitiatorProgress = { phase: '', operations: 0, bytes: 0, errors: 0, lastError: '' };
  private readonly bus: InitiatorBus;
  private readonly sceneFrames: number;
  private readonly allocated: [address: number, pages: number][] = [];
  private commands!: CommandBuffer;
  private commandAddress = 0;
  /** Two of them, each of the largest picture that is drawn here. */
  private frames: readonly number[] = [];
  private ringAddress = 0;
  private cursorAddress = 0;
  private due = 0;

  constructor(bus: InitiatorBus, sceneFrames = SCENE_FRAMES) {
    this.bus = bus;
    this.sceneFrames = sceneFrames;
  }

  probe(): void {
    const { bus, progress } = this;
    progress.phase = 'Enable';
    bus.configWrite(0x04, 2, bus.configRead(0x04, 2) | Command.memorySpace | Command.busMaster);
    enableMsix(bus);
    progress.phase = 'Reset';
    this.reset();
    const version = this.read(Reg.version);
    if (version >>> 16 !== 1)
      throw new InitiatorError(`version 0x${version.toString(16)} of the card is not known`);
    progress.phase = 'Self-test';
    this.selfTest();
    this.commandAddress = this.allocate(COMMAND_PAGES);
    const picture = Math.ceil((800 * 600 * 4) / PAGE);
    this.frames = [this.allocate(picture), this.allocate(picture)];
    this.ringAddress = this.allocate(1);
    this.cursorAddress = this.allocate(4);
    this.testCard();
    const edid = this.readEdid();
    bus.log?.(`protopciem: version ${version >>> 16}.${version & 0xffff}, monitor ${edid}`);
    progress.phase = 'Idle';
  }

  remove(): void {
    const { bus, progress } = this;
    progress.phase = 'Shutdown';
    if (this.read(Reg.status) !== 0xffff_ffff) {
      this.write(Reg.control, 2);
      this.write(Reg.control, 0);
      bus.configWrite(0x04, 2, bus.configRead(0x04, 2) & ~Command.busMaster);
    }
    for (const [address, pages] of this.allocated) bus.freePages(address, pages);
    this.allocated.length = 0;
    this.frames = [];
    progress.phase = 'Removed';
  }

  runWorkload(workload: Workload, shouldStop: () => boolean): void {
    if (this.frames.length === 0) throw new InitiatorError('the card is not up');
    this.progress.phase = 'Workload';
    this.due = this.bus.now();
    const scenes = [this.lines, this.plasma, this.flips, this.ring];
    for (let turn = 0; !shouldStop(); turn++) {
      const before = this.read(Reg.frameCount);
      const operations = this.progress.operations;
      const errors = this.progress.errors;
      scenes[turn % scenes.length]!.call(this, workload, shouldStop);
      const shown = this.read(Reg.frameCount) - before;
      const asked = this.progress.operations - operations;
      if (this.progress.errors === errors && shown !== asked)
        this.failed(`${asked} pictures were asked for, ${shown} were shown`);
    }
    this.testCard();
    this.progress.phase = 'Idle';
  }

  // Registers and interrupts.

  private read(offset: number): number {
    return this.bus.read32(0, offset);
  }

  private write(offset: number, value: number): void {
    this.bus.write32(0, offset, value);
  }

  private write64(offset: number, value: number): void {
    this.write(offset, value % 2 ** 32);
    this.write(offset + 4, Math.floor(value / 2 ** 32));
  }

  private allocate(pages: number): number {
    const address = this.bus.allocatePages(pages);
    this.allocated.push([address, pages]);
    return address;
  }

  private memory(address: number, length: number): Uint8Array {
    const at = address - this.bus.memoryBase;
    return this.bus.memory.subarray(at, at + length);
  }

  private failed(text: string): void {
    this.progress.errors++;
    this.progress.lastError = text;
  }

  private reset(): void {
    this.write(Reg.control, 2);
    this.bus.sleep(10);
    this.write(Reg.control, 0);
    const end = this.bus.now() + TIMEOUT;
    for (;;) {
      const status = this.read(Reg.status);
      if (status === 0xffff_ffff)
        throw new InitiatorError('the card does not answer: STATUS reads as all ones');
      if ((status & 1) === 0 && this.read(Reg.version) !== 0) return;
      if (this.bus.now() >= end) throw new InitiatorError('the card stays busy after reset');
      this.bus.sleep(1);
    }
  }

  /**
   * Blocks until `done`. IRQ_STATUS only says that it is time to look: a host may answer its read before the card has
   * handled what was written there last. True: an error was reported meanwhile.
   */
  private wait(done: () => boolean): boolean {
    const { bus } = this;
    const end = bus.now() + TIMEOUT;
    let error = false;
    for (;;) {
      const status = this.read(Reg.irqStatus);
      if (status === 0xffff_ffff) throw new InitiatorError('the card is gone: IRQ_STATUS reads as all ones');
      if (status !== 0) this.write(Reg.irqStatus, status);
      if ((status & Irq.error) !== 0) error = true;
      if (done()) return error;
      if (bus.now() >= end) throw new InitiatorError(`no interrupt in ${TIMEOUT} ms`);
      bus.waitInterrupt(0, 100);
    }
  }

  /** A command to its end; false when the card says that it failed. */
  private command(code: number): boolean {
    this.write(Reg.status, 0);
    this.write(Reg.control, 1);
    this.write(Reg.cmd, code);
    this.wait(() => (this.read(Reg.status) & 2) !== 0);
    const status = this.read(Reg.status);
    if ((status & 4) === 0) return true;
    this.failed(`command ${code} failed with error ${this.read(Reg.error)}`);
    return false;
  }

  private selfTest(): void {
    this.write(Reg.data, 21);
    this.command(1);
    const sum = this.read(Reg.result);
    if (sum !== 42) throw new InitiatorError(`the card adds 21 and 21 to ${sum}`);
  }

  private readEdid(): string {
    const words = Uint32Array.from({ length: 32 }, (_, word) => this.read(Reg.edid + word * 4));
    const bytes = new Uint8Array(words.buffer);
    if (bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0) !== 0)
      throw new InitiatorError('the checksum of the EDID is wrong');
    return String.fromCharCode(...bytes.subarray(95, 108)).trim();
  }

  // Pictures.

  private begin(): CommandBuffer {
    const length = COMMAND_PAGES * PAGE;
    this.commands = new CommandBuffer(this.commandAddress, this.memory(this.commandAddress, length));
    return this.commands;
  }

  private submit(): void {
    const { address, length } = this.commands;
    this.write64(Reg.source, address);
    this.write(Reg.length, length);
    if (this.command(5)) this.shown(length);
  }

  private shown(bytes: number): void {
    this.progress.operations++;
    this.progress.bytes += bytes;
  }

  private mode(width: number, height: number, format: number, pitch: number): void {
    this.write(Reg.modeSize, width | (height << 16));
    this.write(Reg.modePitch, pitch);
    this.write(Reg.modeFormat, format);
    this.write(Reg.modeControl, 1);
  }

  private defaultMode(): void {
    this.write(Reg.modeControl, 0);
  }

  private testCard(): void {
    this.defaultMode();
    const buffer = this.begin();
    buffer.clear(GROUND);
    bars.forEach((color, bar) => {
      const x = bar * BAR_WIDTH;
      for (let y = 0; y < BAR_HEIGHT; y++) buffer.line(x, y, x + BAR_WIDTH - 1, y, color);
    });
    const ramp = buffer.blit(0, BAR_HEIGHT, TEST_CARD_WIDTH, RAMP_HEIGHT);
    for (let at = 0; at < ramp.length; at += 3) ramp.fill(rampAt((at / 3) % TEST_CARD_WIDTH), at, at + 3);
    const right = TEST_CARD_WIDTH - 1;
    const bottom = TEST_CARD_HEIGHT - 1;
    buffer.line(0, 0, right, 0, FRAME);
    buffer.line(right, 0, right, bottom, FRAME);
    buffer.line(right, bottom, 0, bottom, FRAME);
    buffer.line(0, bottom, 0, 0, FRAME);
    this.submit();
  }

  /** Sleeps until the next frame is due. False: it is time to stop. */
  private pace(workload: Workload, shouldStop: () => boolean): boolean {
    for (;;) {
      if (shouldStop()) return false;
      const rate = workload.rate();
      const now = this.bus.now();
      if (rate === 0 || now >= this.due) {
        // After a pause the missed frames are not made up for.
        if (rate > 0) this.due = Math.max(this.due + 1000 / rate, now - 1000 / rate);
        return true;
      }
      this.bus.sleep(Math.min(50, this.due - now));
    }
  }

  /** A turning cube in front of a spiral, by command buffers. */
  private lines(workload: Workload, shouldStop: () => boolean): void {
    this.defaultMode();
    for (let frame = 0; frame < this.sceneFrames && this.pace(workload, shouldStop); frame++) {
      const buffer = this.begin();
      buffer.clear([10, 14, 22]);
      const turn = frame / 60;
      let lastX = WIDTH / 2;
      let lastY = HEIGHT / 2;
      for (let step = 1; step <= 220; step++) {
        const angle = step * 0.21 + turn;
        const x = Math.round(WIDTH / 2 + Math.cos(angle) * step * 1.4);
        const y = Math.round(HEIGHT / 2 + Math.sin(angle) * step * 1.05);
        buffer.line(lastX, lastY, x, y, hue(step + frame * 2, 110));
        lastX = x;
        lastY = y;
      }
      cube(turn, (from, to, edge) =>
        buffer.line(from[0], from[1], to[0], to[1], hue(edge * 21 + frame, 255)),
      );
      this.submit();
    }
  }

  /** Interfering waves, whole frames by DMA from two buffers in turn. */
  private plasma(workload: Workload, shouldStop: () => boolean): void {
    this.defaultMode();
    const wave = Uint8Array.from({ length: 2048 }, (_, i) => 64 + 63 * Math.sin((i * Math.PI) / 256));
    const colors = Uint8Array.from({ length: 768 }, (_, i) => hue(Math.floor(i / 3), 230)[i % 3]!);
    for (let frame = 0; frame < this.sceneFrames && this.pace(workload, shouldStop); frame++) {
      const address = this.frames[frame & 1]!;
      const bytes = this.memory(address, FRAME_BYTES);
      let at = 0;
      for (let y = 0; y < HEIGHT; y++) {
        const down = wave[(y * 2 + frame * 5) & 2047]! + frame;
        for (let x = 0; x < WIDTH; x++, at += 3) {
          const color = ((down + wave[(x + frame * 3) & 2047]! + wave[(x + y) & 2047]!) & 255) * 3;
          bytes[at] = colors[color]!;
          bytes[at + 1] = colors[color + 1]!;
          bytes[at + 2] = colors[color + 2]!;
        }
      }
      this.write64(Reg.source, address);
      this.write(Reg.length, FRAME_BYTES);
      if (this.command(6)) this.shown(FRAME_BYTES);
    }
  }

  /** Balls over a gradient: page flips of what changed, at the vertical blank, with a cursor above. */
  private flips(workload: Workload, shouldStop: () => boolean): void {
    const width = 800;
    const height = 600;
    const pitch = width * 4;
    this.mode(width, height, 1, pitch);
    const address = this.frames[0]!;
    const picture = this.memory(address, pitch * height);
    const ground = (x: number, y: number): number =>
      0x10_1820 + Math.floor((x * 0x3f) / width) * 0x100 + (y >>> 2);
    const put = (x: number, y: number, color: number): void => {
      const at = (y * width + x) * 4;
      picture[at] = color;
      picture[at + 1] = color >>> 8;
      picture[at + 2] = color >>> 16;
    };
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) put(x, y, ground(x, y));
    this.loadCursor();
    this.write64(Reg.scanout, address);
    this.write(Reg.irqEnable, Irq.command | Irq.flip | Irq.error);
    const radius = 36;
    const size = 2 * radius;
    const balls = [0, 1, 2, 3].map((n) => ({
      x: 60 + n * 170,
      y: 40 + n * 110,
      dx: 3 + n,
      dy: 4 - n / 2,
      color: hue(n * 64, 255),
    }));
    let wholeShown = false;
    let rate = -1;
    for (let frame = 0; frame < this.sceneFrames && !shouldStop(); frame++) {
      const wanted = workload.rate();
      if (wanted !== rate) {
        rate = wanted;
        this.write(Reg.vsyncRate, rate === 0 ? 0 : Math.min(240, rate) * 1000);
      }
      for (const ball of balls) {
        const oldX = Math.round(ball.x);
        const oldY = Math.round(ball.y);
        for (let y = oldY; y < oldY + size; y++)
          for (let x = oldX; x < oldX + size; x++) put(x, y, ground(x, y));
        if (ball.x + ball.dx < 0 || ball.x + ball.dx + size >= width) ball.dx = -ball.dx;
        if (ball.y + ball.dy < 0 || ball.y + ball.dy + size >= height) ball.dy = -ball.dy;
        ball.x += ball.dx;
        ball.y += ball.dy;
        const x = Math.min(oldX, Math.round(ball.x));
        const y = Math.min(oldY, Math.round(ball.y));
        const right = Math.max(oldX, Math.round(ball.x)) + size;
        const bottom = Math.max(oldY, Math.round(ball.y)) + size;
        if (wholeShown) {
          this.write(Reg.damagePosition, x | (y << 16));
          this.write(Reg.damageSize, (right - x) | ((bottom - y) << 16));
        }
      }
      for (const { x, y, color } of balls) disc(Math.round(x), Math.round(y), radius, color, put);
      const angle = frame / 30;
      const cursorX = Math.round(width / 2 + Math.cos(angle) * 220);
      const cursorY = Math.round(height / 2 + Math.sin(angle * 2) * 160);
      this.write(Reg.cursorPosition, cursorX | (cursorY << 16));
      this.write(Reg.flip, rate === 0 ? 2 : 1);
      if (this.wait(() => this.read(Reg.flip) === 0))
        this.failed(`a flip failed with error ${this.read(Reg.error)}`);
      else this.shown(wholeShown ? balls.length * size * size * 4 : pitch * height);
      wholeShown = true;
    }
    this.write(Reg.cursorControl, 0);
    this.write(Reg.irqEnable, Irq.command | Irq.error);
    this.due = this.bus.now();
  }

  private loadCursor(): void {
    const side = 24;
    const image = this.memory(this.cursorAddress, side * side * 4);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const inside = x <= y * 0.75 && y - x * 0.4 < 17;
        const edge = inside && (x < 1.5 || x > y * 0.75 - 1.5 || y - x * 0.4 > 15);
        const shade = edge ? 0 : 255;
        image.set(inside ? [shade, shade, shade, 255] : [0, 0, 0, 0], (y * side + x) * 4);
      }
    }
    this.write64(Reg.cursorImage, this.cursorAddress);
    this.write(Reg.cursorSize, side | (side << 16));
    this.write(Reg.cursorHotspot, 0);
    this.write(Reg.cursorControl, 3);
  }

  /** An oscilloscope in 256 colours: parts of the picture through the command ring, with fences. */
  private ring(workload: Workload, shouldStop: () => boolean): void {
    const entries = 64;
    const strip = 4;
    this.mode(WIDTH, HEIGHT, 3, WIDTH);
    for (let color = 0; color < 256; color++) {
      const [red, green, blue] = hue(100 + color / 4, color);
      this.write(Reg.palette + color * 4, (red << 16) | (green << 8) | blue);
    }
    this.write(Reg.palette, 0x0a_0e_16);
    const address = this.frames[0]!;
    const picture = this.memory(address, WIDTH * HEIGHT);
    picture.fill(0);
    const view = new DataView(this.bus.memory.buffer, this.bus.memory.byteOffset);
    this.write64(Reg.ring, this.ringAddress);
    this.write(Reg.ringEntries, entries);
    this.write(Reg.ringControl, 1);
    this.write(Reg.irqEnable, Irq.command | Irq.fence | Irq.error);
    let tail = 0;
    let fence = 0;
    for (let frame = 0; frame < this.sceneFrames && this.pace(workload, shouldStop); frame++) {
      const left = (frame * strip) % WIDTH;
      for (let x = left; x < left + strip; x++) {
        const t = (frame * strip + (x - left)) / 40;
        const level = HEIGHT / 2 + Math.sin(t) * 120 + Math.sin(t * 3.7) * 60;
        for (let y = 0; y < HEIGHT; y++) {
          const grid = x % 80 === 0 || y % 60 === 0 ? 40 : 0;
          picture[y * WIDTH + x] = Math.max(grid, Math.round(255 - Math.abs(y - level) * 22));
        }
      }
      const at = this.ringAddress - this.bus.memoryBase + tail * 32;
      fence++;
      view.setUint32(at, 2 | (1 << 16), true);
      view.setUint32(at + 4, fence, true);
      view.setUint32(at + 8, address % 2 ** 32, true);
      view.setUint32(at + 12, Math.floor(address / 2 ** 32), true);
      view.setUint32(at + 16, 0, true);
      view.setUint32(at + 20, left, true);
      view.setUint32(at + 24, strip | (HEIGHT << 16), true);
      view.setUint32(at + 28, 0, true);
      tail = (tail + 1) % entries;
      this.write(Reg.ringTail, tail);
      if (this.wait(() => this.read(Reg.fence) === fence))
        this.failed(`a ring entry failed with error ${this.read(Reg.error)}`);
      else this.shown(strip * HEIGHT);
    }
    this.write(Reg.ringControl, 0);
    this.write(Reg.irqEnable, Irq.command | Irq.error);
  }
}

/** A colour of the circle of 256, of that brightness. */
function hue(angle: number, brightness: number): Rgb {
  const channel = (shift: number) =>
    Math.round((brightness * (1 + Math.cos(((angle + shift) * Math.PI) / 128))) / 2);
  return [channel(0), channel(-85), channel(85)];
}

function disc(
  left: number,
  top: number,
  radius: number,
  color: Rgb,
  put: (x: number, y: number, color: number) => void,
): void {
  for (let y = 0; y < 2 * radius; y++) {
    for (let x = 0; x < 2 * radius; x++) {
      const dx = x - radius + 0.5;
      const dy = y - radius + 0.5;
      const distance = Math.hypot(dx, dy) / radius;
      if (distance > 1) continue;
      const light = Math.max(0.25, 1 - Math.hypot(dx + radius / 3, dy + radius / 3) / (radius * 1.5));
      const [red, green, blue] = color;
      put(
        left + x,
        top + y,
        (Math.round(red * light) << 16) | (Math.round(green * light) << 8) | Math.round(blue * light),
      );
    }
  }
}

type Point = readonly [x: number, y: number];

function cube(turn: number, edge: (from: Point, to: Point, index: number) => void): void {
  const corners = Array.from({ length: 8 }, (_, corner): Point => {
    const x = corner & 1 ? 1 : -1;
    const y = corner & 2 ? 1 : -1;
    const z = corner & 4 ? 1 : -1;
    const x1 = x * Math.cos(turn) - z * Math.sin(turn);
    const z1 = x * Math.sin(turn) + z * Math.cos(turn);
    const y1 = y * Math.cos(turn * 0.7) - z1 * Math.sin(turn * 0.7);
    const z2 = y * Math.sin(turn * 0.7) + z1 * Math.cos(turn * 0.7);
    const scale = 440 / (4 + z2);
    return [Math.round(WIDTH / 2 + x1 * scale), Math.round(HEIGHT / 2 + y1 * scale)];
  });
  let index = 0;
  for (let from = 0; from < 8; from++) {
    for (const axis of [1, 2, 4]) {
      if ((from & axis) === 0) edge(corners[from]!, corners[from | axis]!, index++);
    }
  }
}

export const protopciemInitiator: InitiatorFactory = {
  model: 'protopciem',
  title: 'ProtoPCIem initiator',
  defaultRate: 60,
  create: (bus) => new ProtoPciemInitiator(bus),
};
