import { beforeEach, describe, expect, it } from 'vitest';
import { CapabilityId, Command, ConfigOffset } from '#devices/sdk/config-space.ts';
import type { DeviceDescription } from '#devices/sdk/device.ts';
import { DmaStatus } from '#devices/sdk/dma.ts';
import { EVENT_WORDS, EventType, EventWord, type PortTicket } from '../host.ts';
import { SimHost } from './host.ts';
import { SimMachine } from './machine.ts';
import { MEMORY_BASE, SimPort } from './port.ts';

const RING_SLOTS = 4096;

const description: DeviceDescription = {
  model: 'test',
  title: 'Test card',
  identity: {
    vendorId: 0x1f0c,
    deviceId: 0x7777,
    subsystemVendorId: 0,
    subsystemId: 0,
    revision: 1,
    classCode: 0xff0000,
  },
  bars: [
    {
      index: 0,
      size: 16384,
      memory64: true,
      prefetchable: false,
      title: 'Registers',
      trace: { reads: false, writes: true, stopWrites: false },
      registers: [],
    },
    {
      index: 2,
      size: 4096,
      memory64: true,
      prefetchable: false,
      title: 'Commands',
      trace: { reads: true, writes: true, stopWrites: true },
      registers: [
        { name: 'FIFO', title: '', offset: 0x80, width: 4, reset: 0n, writable: 0n, answered: true },
      ],
    },
  ],
  capabilities: [
    { kind: 'pcie' },
    { kind: 'msix', vectors: 4, tableBar: 0, tableOffset: 0x2000, pbaBar: 0, pbaOffset: 0x3000 },
  ],
  vectorNames: ['a', 'b', 'c', 'd'],
} as unknown as DeviceDescription;

let machine: SimMachine;
let port: SimPort;
let ticket: Extract<PortTicket, { kind: 'sim' }>;
const events = new Uint32Array(512 * EVENT_WORDS);

beforeEach(() => {
  ticket = new SimHost().openPort(description) as Extract<PortTicket, { kind: 'sim' }>;
  port = new SimPort(ticket);
  port.register(description);
  machine = new SimMachine(ticket.machine, description);
});

/** As a driver does: bus mastering and MSI-X on, every vector unmasked. */
function bind(): void {
  machine.config.write(ConfigOffset.command, 2, Command.busMaster | Command.memorySpace);
  if (!machine.isMapped(0, 1)) machine.map(0, ticket.memory.byteLength);
  const msix = machine.config.find(CapabilityId.msix);
  machine.config.write(msix + 2, 2, 0x8000);
  for (let vector = 0; vector < 4; vector++) mask(vector, false);
}

function mask(vector: number, masked: boolean): void {
  machine.driverWrite(0, 0x2000 + vector * 16 + 12, 4, masked ? 1n : 0n);
}

function take(): { type: number; bar: number; offset: number; value: number; sequence: number }[] {
  const count = port.wait(events, 0);
  return Array.from({ length: count }, (_, index) => {
    const at = index * EVENT_WORDS;
    return {
      type: events[at + EventWord.type]!,
      bar: events[at + EventWord.bar]!,
      offset: events[at + EventWord.offsetLow]!,
      value: events[at + EventWord.dataLow]!,
      sequence: events[at + EventWord.sequenceLow]!,
    };
  });
}

describe('accesses', () => {
  it('reach the device as the BAR is traced', () => {
    machine.driverWrite(0, 0x10, 4, 5n);
    expect(machine.driverRead(0, 0x10, 4)).toBe(5n);
    port.bars.write32(2, 0x20, 9);
    machine.driverWrite(2, 0x20, 4, 7n);
    // Reported and not applied: what is there is up to the device.
    expect(machine.driverRead(2, 0x20, 4)).toBe(9n);
    expect(take()).toMatchObject([
      { type: EventType.mmioWrite, bar: 0, offset: 0x10, value: 5, sequence: 1 },
      { type: EventType.mmioWrite, bar: 2, offset: 0x20, value: 7, sequence: 2 },
      { type: EventType.mmioRead, bar: 2, offset: 0x20, value: 9, sequence: 3 },
    ]);
    expect(take()).toEqual([]);
  });

  it('have every width', () => {
    machine.driverWrite(0, 0, 8, 0x1122334455667788n);
    expect(machine.driverRead(0, 0, 8)).toBe(0x1122334455667788n);
    machine.driverWrite(0, 1, 1, 0xaan);
    machine.driverWrite(0, 2, 2, 0xbbbbn);
    expect(machine.driverRead(0, 0, 4)).toBe(0xbbbbaa88n);
  });

  it('outside of any BAR read all ones and do nothing', () => {
    for (const [bar, offset] of [
      [1, 0],
      [0, 16384],
      [0, 16381],
    ] as const) {
      machine.driverWrite(bar, offset, 4, 0n);
      expect(machine.driverRead(bar, offset, 4)).toBe(0xffffffffn);
    }
    expect(take()).toEqual([]);
  });

  it('are lost after a bounded wait when nobody takes them, and counted', () => {
    for (let number = 1; number < RING_SLOTS; number++) machine.driverWrite(0, 0x10, 4, 1n);
    expect(machine.lost).toBe(0);
    const before = performance.now();
    machine.driverWrite(0, 0x10, 4, 2n);
    expect(performance.now() - before).toBeGreaterThan(900);
    expect(machine.lost).toBe(1);
    expect(port.status().lost).toBe(1);
    let taken = 0;
    for (let count = take().length; count > 0; count = take().length) taken += count;
    expect(taken).toBe(RING_SLOTS - 1);
    machine.driverWrite(0, 0x10, 4, 3n);
    expect(take()).toMatchObject([{ value: 3 }]);
  });

  it('to what the model answers give its answer', () => {
    port.bars.write32(2, 0x80, 5);
    // Both sides are this thread, so the answer is there before the question.
    for (const [sequence, offset, width, value] of [
      [1, 0x80, 4, 0xdeadbeefn],
      [2, 0x82, 1, 0xefn],
      [3, 0x7c, 8, 0x12345678deadbeefn],
    ] as const) {
      port.respond(sequence, 0xdeadbeef, 0x12345678);
      expect(machine.driverRead(2, offset, width)).toBe(value);
    }
    expect(machine.driverRead(2, 0x7c, 4)).toBe(0n);
    expect(machine.driverRead(2, 0x84, 4)).toBe(0n);
  });

  it('to what the model does not answer are all ones, in time', () => {
    const before = performance.now();
    expect(machine.driverRead(2, 0x80, 4)).toBe(0xffffffffn);
    expect(performance.now() - before).toBeGreaterThan(900);
    // The late answer is nobody's.
    port.respond(1, 5, 0);
    port.respond(2, 6, 0);
    expect(machine.driverRead(2, 0x80, 4)).toBe(6n);
  });

  it('of a device that is gone read all ones at once', () => {
    port.close();
    expect(machine.driverRead(0, 0x10, 4)).toBe(0xffffffffn);
    expect(machine.driverRead(0, 0x10, 8)).toBe(0xffffffffffffffffn);
    machine.driverWrite(0, 0x10, 4, 5n);
    expect(take()).toEqual([]);
  });
});

describe('interrupts', () => {
  it('are refused until the driver has turned them on', () => {
    port.start();
    expect(port.raiseInterrupt(0)).toBe(false);
    bind();
    expect(port.raiseInterrupt(0)).toBe(true);
    expect(port.raiseInterrupt(3)).toBe(true);
    expect(port.raiseInterrupt(4)).toBe(false);
    expect(port.raiseInterrupt(100_000)).toBe(false);
    expect(port.status()).toMatchObject({
      interruptMode: 'msix',
      vectors: 4,
      interrupts: 2,
      busMaster: true,
    });
    expect(machine.awaitInterrupt(3, 0, 0)).toBe(1);
    expect(machine.awaitInterrupt(1, 0, 0)).toBe(0);
  });

  it('wait while they are masked, once, and go out when the driver unmasks them', () => {
    port.start();
    bind();
    mask(2, true);
    expect(port.raiseInterrupt(2)).toBe(false);
    expect(port.raiseInterrupt(2)).toBe(false);
    expect(port.vectorState(2)).toMatchObject({ masked: true, pending: true, count: 0 });
    take();
    expect(port.vectorState(2).count).toBe(0);
    mask(2, false);
    take();
    expect(port.vectorState(2)).toMatchObject({ masked: false, pending: false, count: 1 });
  });

  it('are all held back by the function mask', () => {
    port.start();
    bind();
    const control = machine.config.find(CapabilityId.msix) + 2;
    machine.config.write(control, 2, 0xc000);
    expect(port.raiseInterrupt(1)).toBe(false);
    machine.config.write(control, 2, 0x8000);
    take();
    expect(port.vectorState(1).count).toBe(1);
  });

  it('of a device before its start, or after its end, do not arrive', () => {
    bind();
    expect(port.raiseInterrupt(0)).toBe(false);
    port.start();
    port.close();
    expect(port.raiseInterrupt(0)).toBe(false);
  });
});

describe('DMA', () => {
  it('needs bus mastering, memory that is there, and room in the buffer', () => {
    const buffer = port.dma.allocate(64);
    expect(port.dma.write(MEMORY_BASE, buffer, 0, 4)).toBe(DmaStatus.notBusMaster);
    bind();
    buffer.bytes.set([1, 2, 3, 4]);
    expect(port.dma.write(MEMORY_BASE, buffer, 0, 4)).toBe(DmaStatus.ok);
    expect([...new Uint8Array(ticket.memory, 0, 4)]).toEqual([1, 2, 3, 4]);
    expect(port.dma.read(MEMORY_BASE, buffer, 60, 4)).toBe(DmaStatus.ok);
    expect([...buffer.bytes.subarray(60)]).toEqual([1, 2, 3, 4]);
    const end = MEMORY_BASE + ticket.memory.byteLength;
    for (const address of [0, MEMORY_BASE - 1, end - 3, end, 2 ** 52 - 1]) {
      expect(port.dma.read(address, buffer, 0, 4), address.toString(16)).toBe(DmaStatus.unmapped);
    }
    for (const [offset, length] of [
      [0, 0],
      [0, 65],
      [61, 4],
      [-1, 4],
      [0, -1],
    ] as const) {
      expect(port.dma.read(MEMORY_BASE, buffer, offset, length)).toBe(DmaStatus.badLength);
    }
    port.close();
    expect(port.dma.read(MEMORY_BASE, buffer, 0, 4)).toBe(DmaStatus.gone);
  });

  it('reads the rows of a rectangle, and nothing between them', () => {
    bind();
    const memory = new Uint8Array(ticket.memory, 0, 64);
    memory.forEach((_, at) => {
      memory[at] = at + 1;
    });
    const picture = port.dma.attach(new Uint8Array(new SharedArrayBuffer(64)));
    expect(port.dma.readRows(MEMORY_BASE + 10, picture, 10, 2, 20, 3)).toBe(DmaStatus.ok);
    const expected = new Uint8Array(64);
    for (const at of [10, 11, 30, 31, 50, 51]) expected[at] = at + 1;
    expect([...picture.bytes]).toEqual([...expected]);
    expect(port.dma.readRows(MEMORY_BASE, picture, 10, 2, 40, 3)).toBe(DmaStatus.badLength);
  });

  it('stops a batch at the step that fails, and drops the rest', () => {
    bind();
    port.start();
    const buffer = port.dma.allocate(64);
    buffer.bytes.fill(9);
    port.dma.queueWrite(MEMORY_BASE, buffer, 0, 4);
    port.dma.queueWrite(0, buffer, 0, 4);
    port.dma.queueWrite(MEMORY_BASE + 4, buffer, 0, 4);
    port.dma.queueInterrupt(0);
    expect(port.dma.submit()).toBe(1);
    expect(port.dma.lastError).toBe(DmaStatus.unmapped);
    expect([...new Uint8Array(ticket.memory, 0, 8)]).toEqual([9, 9, 9, 9, 0, 0, 0, 0]);
    expect(port.vectorState(0).count).toBe(0);
    expect(port.dma.queued).toBe(0);
    port.dma.queueInterrupt(0);
    expect(port.dma.submit()).toBe(1);
    expect(port.vectorState(0).count).toBe(1);
  });
});

describe('slots', () => {
  it('have bus addresses of their own for every BAR, as firmware leaves them', () => {
    const host = new SimHost();
    const narrow = {
      ...description,
      bars: description.bars.map((bar) => (bar.index === 2 ? { ...bar, memory64: false } : bar)),
    };
    const starts: number[] = [];
    for (let slot = 0; slot < 2; slot++) {
      const opened = host.openPort(narrow) as Extract<PortTicket, { kind: 'sim' }>;
      const { config } = new SimMachine(opened.machine, narrow);
      expect(config.read(ConfigOffset.bar0, 1) & 0xf).toBe(0x4);
      const low = config.read(ConfigOffset.bar0, 4) - 4;
      const start = config.read(ConfigOffset.bar0 + 4, 4) * 2 ** 32 + low;
      expect(start % 16384).toBe(0);
      expect(start).toBeGreaterThan(2 ** 32);
      const second = config.read(ConfigOffset.bar0 + 8, 4);
      expect(second % 4096).toBe(0);
      expect(second).toBeGreaterThanOrEqual(2 ** 31);
      starts.push(start, second);
    }
    expect(new Set(starts).size).toBe(4);
  });

  it('are given again once a device has left, and are not endless', () => {
    const host = new SimHost();
    const tickets = Array.from({ length: 32 }, () => host.openPort(description));
    const addresses = tickets.map((one) => (one.kind === 'sim' ? one.address : ''));
    expect(new Set(addresses).size).toBe(32);
    expect(() => host.openPort(description)).toThrow(/32 slots, all taken/);
    host.deviceClosed(tickets[4]!);
    expect(host.openPort(description)).toMatchObject({ address: addresses[4] });
  });
});

describe('peer to peer', () => {
  const other: DeviceDescription = {
    ...description,
    bars: [
      ...description.bars,
      {
        index: 4,
        size: 4096,
        memory64: false,
        prefetchable: false,
        title: 'Buffer',
        trace: { reads: false, writes: false, stopWrites: false },
        registers: [],
      },
    ],
  };
  let peerPort: SimPort;
  let peer: SimMachine;

  beforeEach(() => {
    const host = new SimHost();
    ticket = host.openPort(description) as typeof ticket;
    const peerTicket = host.openPort(other) as typeof ticket;
    port = new SimPort(ticket);
    port.register(description);
    machine = new SimMachine(ticket.machine, description);
    peerPort = new SimPort(peerTicket);
    peerPort.register(other);
    peer = new SimMachine(peerTicket.machine, other);
    port.setPeers(host.peers(ticket));
    bind();
    take();
    peer.config.write(ConfigOffset.command, 2, Command.memorySpace);
  });

  const seen = () => {
    const count = peerPort.wait(events, 0);
    return Array.from({ length: count }, (_, index) => {
      const at = index * EVENT_WORDS;
      const word = (field: number) => events[at + field]!;
      return [word(EventWord.type), word(EventWord.bar), word(EventWord.offsetLow), word(EventWord.size)];
    });
  };

  it('memory that is not traced is copied, and nobody is told', () => {
    const buffer = port.dma.allocate(64);
    buffer.bytes.set([1, 2, 3, 4, 5], 1);
    expect(port.dma.peerWrite(peerPort.barAddress(4) + 3, buffer, 1, 5)).toBe(DmaStatus.ok);
    const there = new Uint8Array(8);
    peerPort.bars.readBytes(4, 0, there);
    expect(there).toEqual(Uint8Array.of(0, 0, 0, 1, 2, 3, 4, 5));
    expect(port.dma.peerRead(peerPort.barAddress(4) + 4, buffer, 32, 3)).toBe(DmaStatus.ok);
    expect(buffer.bytes.subarray(32, 36)).toEqual(Uint8Array.of(2, 3, 4, 0));
    expect(seen()).toEqual([]);
  });

  it('what is traced is seen in the widest pieces that are aligned', () => {
    const buffer = port.dma.allocate(64);
    buffer.bytes.set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(port.dma.peerWrite(peerPort.barAddress(0) + 2, buffer, 0, 14)).toBe(DmaStatus.ok);
    expect(seen()).toEqual([
      [EventType.mmioWrite, 0, 2, 2],
      [EventType.mmioWrite, 0, 4, 4],
      [EventType.mmioWrite, 0, 8, 8],
    ]);
    expect(peer.driverRead(0, 8, 8)).toBe(0x0e0d_0c0b_0a09_0807n);
    peerPort.bars.write32(2, 4, 0x0403_0201);
    expect(port.dma.peerRead(peerPort.barAddress(2) + 4, buffer, 32, 7)).toBe(DmaStatus.ok);
    expect(buffer.bytes.subarray(32, 40)).toEqual(Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 0));
    expect(seen()).toEqual([
      [EventType.mmioRead, 2, 4, 4],
      [EventType.mmioRead, 2, 8, 2],
      [EventType.mmioRead, 2, 10, 1],
    ]);
  });

  it('reaches nothing beyond a BAR, nor one that does not decode, nor while bus mastering is off', () => {
    const buffer = port.dma.allocate(64);
    const at = peerPort.barAddress(4);
    expect(port.dma.peerRead(at + 4096 - 8, buffer, 0, 8)).toBe(DmaStatus.ok);
    expect(port.dma.peerRead(at + 4096 - 8, buffer, 0, 9)).toBe(DmaStatus.unmapped);
    expect(port.dma.peerRead(at, buffer, 60, 8)).toBe(DmaStatus.badLength);
    peer.config.write(ConfigOffset.command, 2, 0);
    expect(port.dma.peerRead(at, buffer, 0, 8)).toBe(DmaStatus.unmapped);
    peer.config.write(ConfigOffset.command, 2, Command.memorySpace);
    machine.config.write(ConfigOffset.command, 2, Command.memorySpace);
    expect(port.dma.peerRead(at, buffer, 0, 8)).toBe(DmaStatus.notBusMaster);
    bind();
    peer.leave();
    expect(port.dma.peerWrite(at, buffer, 0, 8)).toBe(DmaStatus.unmapped);
  });

  it('what a device does to its own BAR does not cross the bus', () => {
    take();
    const buffer = port.dma.allocate(8);
    buffer.bytes.fill(7);
    expect(port.dma.peerWrite(port.barAddress(0) + 0x40, buffer, 0, 8)).toBe(DmaStatus.ok);
    expect(port.bars.read64(0, 0x40)).toBe(0x0707_0707_0707_0707n);
    expect(take()).toEqual([]);
  });
});
