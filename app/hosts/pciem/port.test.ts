import { describe, expect, it } from 'vitest';
import type { DeviceDescription } from '#devices/sdk/device.ts';
import { DmaStatus } from '#devices/sdk/dma.ts';
import { monotonicNow, type PciemDevice, type PciemMappings } from '#native';
import { LabError } from '../errors.ts';
import { MAX_MAPPINGS } from '../host.ts';
import {
  COMPLETION_TIMEOUT_MICROSECONDS,
  dmaStatus,
  openPciemPort,
  PciemPort,
  pciAddress,
  RING_SLOTS,
} from './port.ts';

/** Writes down what the port asks of the binding. */
class FakeDevice {
  readonly wakeFd = 42;
  readonly calls: string[] = [];
  batches: number[][] = [];
  /** Step that fails, and how. */
  failAt = Number.POSITIVE_INFINITY;
  batchError = 0;
  registerError: Error | undefined;
  injectError = 0;
  info = () => ({
    domain: 0x10000,
    bus: 0,
    devfn: 0x0a,
    irqMode: 3,
    state: 0xf,
    vectors: 3,
    events: 10,
    lost: 1,
    waits: 0,
    interrupts: 5,
    driver: 'nvme',
  });
  vectorInfo = () => ({ flags: 5, irq: 33, address: 0xfee00000, data: 0x21, cpu: 0xffffffff, count: 9 });
  readonly #log =
    (name: string) =>
    (...args: unknown[]) => {
      this.calls.push(`${name}(${args.map((arg) => JSON.stringify(arg)).join(',')})`);
    };
  create = this.#log('create');
  setConfig = this.#log('setConfig');
  addBar = this.#log('addBar');
  addCapabilityPm = this.#log('addCapabilityPm');
  addCapabilityPcie = this.#log('addCapabilityPcie');
  addCapabilityMsi = this.#log('addCapabilityMsi');
  addCapabilityMsix = this.#log('addCapabilityMsix');
  setupRing = this.#log('setupRing');
  setEvents = this.#log('setEvents');
  setCompletionTimeout = this.#log('setCompletionTimeout');
  traceBar = this.#log('traceBar');
  traceRange = this.#log('traceRange');
  respond = (...args: number[]) => {
    this.#log('respond')(...args);
    return args[0] !== 99;
  };
  start = this.#log('start');
  setIntx = this.#log('setIntx');
  configRead = (_func: number, _offset: number): number => 0;
  dmaMappings = (..._args: number[]): PciemMappings => ({
    total: 0,
    bytes: 0,
    faults: 0,
    leaks: 0,
    mappings: [],
  });
  close = this.#log('close');
  releaseBuffer = this.#log('releaseBuffer');
  register(): void {
    this.calls.push('register()');
    if (this.registerError) throw this.registerError;
  }
  registerBuffer = () => 7;
  dmaRead = (...args: number[]) => this.#single('read', args);
  dmaWrite = (...args: number[]) => this.#single('write', args);
  #single(name: string, args: number[]): number {
    this.#log(name)(...args);
    return this.batchError;
  }
  refusesInterrupts = false;
  dmaBatch(steps: Float64Array, count: number): number {
    for (let step = 0; step < count; step++) {
      const values = [...steps.subarray(step * 6, step * 6 + 6)];
      if (step === this.failAt || (this.refusesInterrupts && values[4] === 4)) return step;
      this.batches.push(values);
    }
    return count;
  }
  tryInjectIrq = () => this.injectError;
  waited: Uint8Array[] = [];
  wait(events: Uint8Array): number {
    this.waited.push(events);
    return 0;
  }
}

function open(): { device: FakeDevice; port: PciemPort } {
  const device = new FakeDevice();
  return { device, port: new PciemPort(device as unknown as PciemDevice) };
}

const description: DeviceDescription = {
  model: 'test',
  title: 'Test card',
  identity: {
    vendorId: 0x1f0c,
    deviceId: 1,
    subsystemVendorId: 0x1f0c,
    subsystemId: 2,
    revision: 3,
    classCode: 0x010802,
  },
  bars: [
    {
      index: 0,
      size: 0x4000,
      memory64: true,
      prefetchable: false,
      title: 'Registers',
      trace: { reads: false, writes: true, stopWrites: true },
      registers: [],
    },
    {
      index: 2,
      size: 0x1000,
      memory64: false,
      prefetchable: true,
      title: 'Memory',
      trace: { reads: false, writes: false, stopWrites: false },
      registers: [],
    },
  ],
  capabilities: [
    { kind: 'pm' },
    { kind: 'pcie' },
    { kind: 'msi', vectors: 8, address64: true, masking: false },
    { kind: 'msix', vectors: 3, tableBar: 0, tableOffset: 0x2000, pbaBar: 0, pbaOffset: 0x3000 },
  ],
  vectorNames: [],
};

describe('putting a device on the bus', () => {
  it('asks for what the description says, in the order that the module needs', () => {
    const { device, port } = open();
    port.register(description);
    port.start();
    port.close();
    expect(device.calls).toEqual([
      'create(0,0)',
      'setConfig({"func":0,"vendorId":7948,"deviceId":1,"subsystemVendorId":7948,"subsystemId":2,"revision":3,"classCode":67586,"headerType":0})',
      'addBar(0,0,16384,4)',
      'addBar(0,2,4096,8)',
      'addCapabilityPm(0)',
      'addCapabilityPcie(0)',
      'addCapabilityMsi(0,3,true,false)',
      'addCapabilityMsix(0,3,0,8192,12288)',
      `setupRing(${RING_SLOTS})`,
      'setEvents(63)',
      `setCompletionTimeout(${COMPLETION_TIMEOUT_MICROSECONDS})`,
      'register()',
      'traceBar(0,0,6)',
      'start()',
      'close()',
    ]);
  });

  it('has the model answer the registers that ask for it', () => {
    const { device, port } = open();
    const register = { title: '', width: 4, reset: 0n, writable: 0n } as const;
    const registers = [
      { ...register, name: 'A', offset: 0 },
      { ...register, name: 'B', offset: 4, answered: true },
      { ...register, name: 'C', offset: 8, width: 8, answered: true },
      { ...register, name: 'D', offset: 0x40, answered: true },
    ] as const;
    const [first, second] = description.bars;
    port.register({
      ...description,
      bars: [
        { ...first!, registers },
        { ...second!, registers },
      ],
    });
    device.calls.length = 0;
    port.start();
    expect(device.calls).toEqual([
      'traceBar(0,0,6)',
      'traceRange(0,0,4,12,14)',
      'traceRange(0,0,64,4,14)',
      'traceRange(0,2,4,12,8)',
      'traceRange(0,2,64,4,8)',
      'start()',
    ]);
    device.calls.length = 0;
    expect(port.respond(7, 1, 2)).toBe(true);
    expect(port.respond(99, 0, 0)).toBe(false);
    expect(device.calls).toEqual(['respond(7,1,2)', 'respond(99,0,0)']);
  });

  it('explains a refusal of the module', () => {
    const { device, port } = open();
    device.registerError = Object.assign(new Error('PCIEM_IOC_REGISTER: ENOMEM, no room'), {
      code: 'ENOMEM',
      syscall: 'PCIEM_IOC_REGISTER',
      hint: 'Use smaller BARs.',
    });
    const error = failure(() => port.register(description));
    expect(error.code).toBe('PCIEM_ENOMEM');
    expect(error.message).toBe('Test card cannot be put on the bus: PCIEM_IOC_REGISTER: ENOMEM, no room');
    expect(error.hint).toBe('Use smaller BARs.');
  });

  it('refuses an MSI-X table and pending bits in two BARs', () => {
    const { port } = open();
    const capabilities = [
      { kind: 'msix', vectors: 1, tableBar: 0, tableOffset: 0, pbaBar: 2, pbaOffset: 0 } as const,
    ];
    expect(failure(() => port.register({ ...description, capabilities })).code).toBe('MSIX_BARS');
  });

  it('refuses to start what is not registered', () => {
    expect(failure(() => open().port.start()).code).toBe('NOT_REGISTERED');
  });

  it('explains a missing node', () => {
    const error = failure(() => openPciemPort({ kind: 'pciem', path: '/nowhere/pciem' }));
    expect(error.code).toBe('PCIEM_ENOENT');
    expect(error.hint).toContain('modprobe');
  });
});

describe('DMA', () => {
  const READ = 1;
  const WRITE = 2;
  const IRQ = 4;

  it('sends transfers and interrupts in order, in one batch', () => {
    const { device, port } = open();
    const buffer = port.dma.allocate(8192);
    expect(port.dma.queueRead(0x1000, buffer, 0, 4096)).toBe(0);
    expect(port.dma.queueWrite(0x2000, buffer, 4096, 16)).toBe(1);
    expect(port.dma.queueInterrupt(3)).toBe(2);
    expect(port.dma.queued).toBe(3);
    expect(port.dma.submit()).toBe(3);
    expect(port.dma.lastError).toBe(DmaStatus.ok);
    expect(port.dma.queued).toBe(0);
    expect(device.batches).toEqual([
      [0x1000, 7, 0, 4096, READ, 0],
      [0x2000, 7, 4096, 16, WRITE, 0],
      [0, 0, 0, 0, IRQ, 3],
    ]);
    expect(port.dma.submit()).toBe(0);
    expect(device.batches).toHaveLength(3);
  });

  it('grows as needed', () => {
    const { device, port } = open();
    const buffer = port.dma.allocate(4096);
    for (let step = 0; step < 1000; step++) {
      expect(port.dma.queueWrite(step * 4096, buffer, 0, 4096)).toBe(step);
    }
    expect(port.dma.submit()).toBe(1000);
    expect(device.batches[999]).toEqual([999 * 4096, 7, 0, 4096, WRITE, 0]);
  });

  it('says where and why a batch stopped', () => {
    const { device, port } = open();
    const buffer = port.dma.allocate(4096);
    device.failAt = 1;
    device.batchError = 14;
    port.dma.queueRead(0, buffer, 0, 16);
    port.dma.queueRead(4096, buffer, 0, 16);
    expect(port.dma.submit()).toBe(1);
    expect(port.dma.lastError).toBe(DmaStatus.unmapped);
    device.failAt = Number.POSITIVE_INFINITY;
    port.dma.queueRead(0, buffer, 0, 16);
    expect(port.dma.submit()).toBe(1);
    expect(port.dma.lastError).toBe(DmaStatus.ok);
  });

  it('goes on after an interrupt that the driver has not enabled', () => {
    const { device, port } = open();
    const buffer = port.dma.allocate(4096);
    device.refusesInterrupts = true;
    device.batchError = 6;
    port.dma.queueWrite(0, buffer, 0, 16);
    port.dma.queueInterrupt(0);
    port.dma.queueWrite(16, buffer, 0, 16);
    port.dma.queueInterrupt(1);
    expect(port.dma.submit()).toBe(4);
    expect(port.dma.lastError).toBe(DmaStatus.ok);
    expect(device.batches).toEqual([
      [0, 7, 0, 16, WRITE, 0],
      [16, 7, 0, 16, WRITE, 0],
    ]);
  });

  it.each<[string, number, number, number, number]>([
    ['nothing to move', 0, 0, 0, DmaStatus.badLength],
    ['a negative length', 0, 0, -1, DmaStatus.badLength],
    ['past the end of the buffer', 0, 4000, 97, DmaStatus.badLength],
    ['before the buffer', 0, -1, 1, DmaStatus.badLength],
    ['an address beyond what a bus has', 2 ** 63, 0, 16, DmaStatus.unmapped],
    ['a negative address', -4096, 0, 16, DmaStatus.unmapped],
  ])('answers %s without an exception', (_name, address, offset, length, status) => {
    const { device, port } = open();
    const buffer = port.dma.allocate(4096);
    expect(port.dma.read(address, buffer, offset, length)).toBe(status);
    expect(port.dma.write(address, buffer, offset, length)).toBe(status);
    port.dma.queueWrite(0, buffer, 0, 16);
    port.dma.queueWrite(address, buffer, offset, length);
    port.dma.queueInterrupt(0);
    expect(port.dma.submit()).toBe(1);
    expect(port.dma.lastError).toBe(status);
    expect(device.batches).toEqual([[0, 7, 0, 16, WRITE, 0]]);
    port.dma.queueWrite(0, buffer, 0, 16);
    expect(port.dma.submit()).toBe(1);
    expect(port.dma.lastError).toBe(DmaStatus.ok);
  });

  it('reads the rows of a rectangle in one crossing', () => {
    const { device, port } = open();
    const picture = port.dma.attach(new Uint8Array(new SharedArrayBuffer(4096)));
    expect(port.dma.readRows(0x8000, picture, 64, 12, 100, 3)).toBe(DmaStatus.ok);
    expect(device.batches).toEqual([
      [0x8000, 7, 64, 12, READ, 0],
      [0x8064, 7, 164, 12, READ, 0],
      [0x80c8, 7, 264, 12, READ, 0],
    ]);
    expect(port.dma.readRows(0x8000, picture, 0, 0, 100, 3)).toBe(DmaStatus.badLength);
    expect(port.dma.readRows(0x8000, picture, 0, 100, 2000, 3)).toBe(DmaStatus.badLength);
    device.failAt = 1;
    device.batchError = 14;
    expect(port.dma.readRows(0x8000, picture, 64, 12, 100, 3)).toBe(DmaStatus.unmapped);
  });

  it('names every errno', () => {
    expect(dmaStatus(0)).toBe(DmaStatus.ok);
    expect(dmaStatus(14)).toBe(DmaStatus.unmapped);
    expect(dmaStatus(1)).toBe(DmaStatus.wrongDirection);
    expect(dmaStatus(19)).toBe(DmaStatus.gone);
    expect(dmaStatus(22)).toBe(DmaStatus.badLength);
  });
});

describe('state', () => {
  it('tells where the device is', () => {
    expect(pciAddress(0x10000, 1, 0x0a)).toBe('10000:01:01.2');
    expect(pciAddress(0, 0xff, 0xff)).toBe('0000:ff:1f.7');
    expect(open().port.status()).toEqual({
      address: '10000:00:01.2',
      driver: 'nvme',
      started: true,
      busMaster: true,
      interruptMode: 'msix',
      vectors: 3,
      events: 10,
      lost: 1,
      interrupts: 5,
    });
  });

  it('tells of vectors, also of ones that the device does not have', () => {
    const { port } = open();
    port.register(description);
    expect(port.vectorState(2)).toEqual({
      vector: 2,
      enabled: true,
      masked: false,
      pending: true,
      irq: 33,
      address: 0xfee00000,
      data: 0x21,
      cpu: -1,
      count: 9,
    });
    expect(port.vectorState(100)).toMatchObject({ vector: 100, enabled: false, irq: 0, cpu: -1 });
  });

  it('tells whether an interrupt was delivered', () => {
    const { device, port } = open();
    expect(port.raiseInterrupt(0)).toBe(false);
    device.vectorInfo = () => ({ flags: 1, irq: 33, address: 0, data: 0, cpu: 0, count: 1 });
    expect(port.raiseInterrupt(0)).toBe(true);
    device.injectError = 22;
    expect(port.raiseInterrupt(0)).toBe(false);
  });

  it('drives the pin, and reads its level where the module shows it', () => {
    const { device, port } = open();
    const registers = new Map([
      [0x3d, 1],
      [0x06, 0x10],
    ]);
    device.configRead = (_func: number, offset: number) => registers.get(offset) ?? 0;
    expect(port.level?.()).toBe(false);
    registers.set(0x06, 0x18);
    expect(port.level?.()).toBe(true);
    registers.set(0x3d, 0);
    expect(port.level?.()).toBeUndefined();
    port.setLevel?.(true);
    expect(device.calls).toContain('setIntx(0,true)');
  });

  it('lists what the driver has mapped', () => {
    const { device, port } = open();
    const one = (address: number, access: number) => ({ address, size: 4096, age: 1e6, access, kind: 1 });
    device.dmaMappings = (...args: number[]) => {
      expect(args).toEqual([0, 0, MAX_MAPPINGS]);
      return { total: 9, bytes: 0, faults: 0, leaks: 0, mappings: [one(1, 3), one(2, 1), one(3, 2)] };
    };
    const now = monotonicNow();
    const { total, mappings } = port.mappings!();
    expect(total).toBe(9);
    expect(mappings.map(({ address, direction }) => [address, direction])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ]);
    expect(mappings[0]!.time).toBeGreaterThanOrEqual(now - 1e6);
    expect(mappings[0]!.time).toBeLessThan(now);
  });

  it('waits with whole events of the caller’s own memory', () => {
    const { device, port } = open();
    expect(port.wakeHandle).toEqual({ kind: 'eventfd', fd: 42 });
    const words = new Uint32Array(new ArrayBuffer(1024), 16, 40);
    port.wait(words, 5);
    port.wait(words, 5);
    expect(device.waited[0]).toBe(device.waited[1]);
    expect(device.waited[0]).toMatchObject({ buffer: words.buffer, byteOffset: 16, length: 128 });
  });
});

function failure(call: () => unknown): LabError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(LabError);
    return error as LabError;
  }
  throw new Error('nothing was thrown');
}
