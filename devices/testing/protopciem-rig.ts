/** A ProtoPCIem card and the pieces that its driver's side is made of, for the tests of `devices/protopciem`. */
import { protopciemModel } from '../protopciem/model.ts';
import { pixelAt } from './display-pixel.ts';
import { FakeMachine } from './fake-bus.ts';

export class ProtoPciemRig {
  readonly machine: FakeMachine;

  constructor(options: Readonly<Record<string, unknown>> = {}) {
    this.machine = new FakeMachine(protopciemModel, options);
  }

  read(offset: number): number {
    return this.machine.read32(0, offset);
  }

  write(offset: number, value: number): void {
    this.machine.write32(0, offset, value);
  }

  write64(offset: number, value: number): void {
    this.write(offset, value % 2 ** 32);
    this.write(offset + 4, Math.floor(value / 2 ** 32));
  }

  get interrupts(): number {
    return this.machine.host.interrupts[0] ?? 0;
  }

  /** Puts bytes into fresh host memory. */
  place(bytes: ArrayLike<number>): number {
    const address = this.machine.allocatePages(Math.max(1, Math.ceil(bytes.length / 4096)));
    this.machine.host.memory.slice(address, bytes.length).set(bytes);
    return address;
  }

  /** A command as the driver of the first cards makes it; returns STATUS. */
  command(code: number, { source = 0, destination = 0, length = 0, data = 0 } = {}): number {
    this.write64(0x20, source);
    this.write64(0x28, destination);
    this.write(0x30, length);
    this.write(0x04, 0);
    this.write(0x0c, data);
    this.write(0x00, 1);
    this.write(0x08, code);
    return this.read(0x04);
  }

  result(): bigint {
    return BigInt(this.read(0x10)) | (BigInt(this.read(0x14)) << 32n);
  }

  /** Runs a command buffer; returns STATUS. */
  execute(...records: readonly (readonly number[])[]): number {
    const bytes = records.flat();
    return this.command(5, { source: this.place(bytes), length: bytes.length });
  }

  mode(width: number, height: number, format: number, pitch: number): void {
    this.write(0x120, width | (height << 16));
    this.write(0x124, pitch);
    this.write(0x128, format);
    this.write(0x12c, 1);
  }

  /** `rrggbb` of a pixel. */
  pixel(x: number, y: number): string {
    const value = pixelAt(this.machine.host.display!, x, y);
    return [0, 8, 16].map((shift) => ((value >>> shift) & 0xff).toString(16).padStart(2, '0')).join('');
  }

  get errors(): { code: number; info: number; notes: string[] } {
    const { notes } = this.machine.host;
    return { code: this.read(0x118), info: this.read(0x11c), notes: notes.map(({ text }) => text) };
  }
}

const u16 = (...values: number[]) => values.flatMap((value) => [value & 0xff, value >>> 8]);

export const record = (opcode: number, body: readonly number[], length = 8 + body.length) => [
  ...u16(opcode, 0, length & 0xffff, length >>> 16),
  ...body,
];
export const nop = () => record(0, []);
export const clear = (r: number, g: number, b: number) => record(1, [r, g, b, 255]);
export const drawLine = (from: [number, number], to: [number, number], color: [number, number, number]) =>
  record(2, [...u16(...from, ...to), ...color, 255]);
export const blit = (x: number, y: number, width: number, height: number, pixels: readonly number[]) =>
  record(3, [...u16(x, y, width, height), ...pixels]);
