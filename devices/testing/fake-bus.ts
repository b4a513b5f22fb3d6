/** A device on a {@link FakeHost}, with the bus on which an initiator finds it. */
import { buildConfigSpace, type ConfigSpace } from '../sdk/config-space.ts';
import type { Device, DeviceDescription, DeviceModel, OptionValues } from '../sdk/device.ts';
import { checkOptions } from '../sdk/options.ts';
import { FakeHost, type FakeMemory } from './fake-host.ts';
import type { InitiatorBus } from './initiator.ts';

export class FakeMachine implements InitiatorBus {
  readonly description: DeviceDescription;
  readonly host: FakeHost;
  readonly device: Device;
  readonly config: ConfigSpace;
  readonly memory: Uint8Array;
  readonly memoryBase: number;
  readonly logged: string[] = [];
  private time = 0;
  private readonly seen: number[] = [];
  private readonly free = new Map<number, number[]>();
  /** Accesses that a batch holds back, until {@link settle}; as hosts deliver them. */
  batching = false;
  gone = false;

  constructor(
    model: DeviceModel,
    options: Readonly<Record<string, unknown>> = {},
    prepare: (host: FakeHost) => void = () => {},
    memory?: FakeMemory,
  ) {
    const checked = checkOptions(model, options);
    if (!checked.ok) throw new Error(checked.errors.map((error) => error.message).join('; '));
    const values: OptionValues = checked.values;
    this.description = model.describe(values);
    this.host = new FakeHost(this.description, memory);
    prepare(this.host);
    this.config = buildConfigSpace(this.description);
    this.device = model.create(values, this.host);
    this.device.powerOn();
    this.memory = this.host.memory.bytes;
    this.memoryBase = this.host.memory.base;
  }

  read32(bar: number, offset: number): number {
    if (this.gone) return 0xffff_ffff;
    let value = this.host.bars.read32(bar, offset);
    if (this.isAnswered(bar, offset)) value = Number(this.device.answerRead!(bar, offset, 4));
    else this.device.mmioRead?.(bar, offset, 4);
    if (!this.batching) this.device.run?.();
    return value;
  }

  private isAnswered(bar: number, offset: number): boolean {
    const { registers } = this.description.bars.find((candidate) => candidate.index === bar)!;
    return registers.some((register) => register.answered === true && register.offset === offset);
  }

  write32(bar: number, offset: number, value: number): void {
    this.access(bar, offset, 4, value, 0);
  }

  write64(bar: number, offset: number, low: number, high: number): void {
    this.access(bar, offset, 8, low, high);
  }

  /** Any width; memory first, then the model, as hosts do it. */
  access(bar: number, offset: number, width: number, value: number, high: number): void {
    if (this.gone) return;
    const bytes = new Uint8Array(width);
    for (let i = 0; i < width; i++) bytes[i] = i < 4 ? value >>> (i * 8) : high >>> ((i - 4) * 8);
    const trace = this.description.bars.find((candidate) => candidate.index === bar)!.trace;
    if (!trace.stopWrites) this.host.bars.writeBytes(bar, offset, bytes);
    this.device.mmioWrite(bar, offset, width, value >>> 0, high >>> 0);
    if (!this.batching) this.device.run?.();
  }

  settle(): void {
    this.device.run?.();
  }

  configRead(offset: number, width: number): number {
    return this.gone ? 2 ** (8 * width) - 1 : this.config.read(offset, width);
  }

  configWrite(offset: number, width: number, value: number): void {
    if (!this.gone) this.config.write(offset, width, value);
  }

  allocatePages(count: number): number {
    const address = this.free.get(count)?.pop();
    if (address === undefined) return this.host.memory.allocatePages(count);
    this.host.memory.slice(address, count * 4096).fill(0);
    return address;
  }

  freePages(address: number, count: number): void {
    const list = this.free.get(count) ?? [];
    list.push(address);
    this.free.set(count, list);
  }

  waitInterrupt(vector: number, timeout: number): boolean {
    const count = this.host.interrupts[vector] ?? 0;
    if (count !== (this.seen[vector] ?? 0)) {
      this.seen[vector] = count;
      return true;
    }
    this.time += timeout;
    return false;
  }

  now(): number {
    return this.time;
  }

  sleep(milliseconds: number): void {
    this.time += milliseconds;
    this.host.clock.advance(milliseconds * 1e6);
  }

  log(text: string): void {
    this.logged.push(text);
  }
}
