// NVMe 1.4, 5.7 (Doorbell Buffer Config) and B.5 (how a driver updates shadow doorbells).
import { describe, expect, it } from 'vitest';
import { FakeMachine } from '../testing/fake-bus.ts';
import { defaultWorkload } from '../testing/initiator.ts';
import { generator, NvmeInitiator } from '../testing/nvme-initiator.ts';
import { leaks, nvmeRig, prps, type RawQueue, type Rig } from '../testing/nvme-rig.ts';
import { nvmeModel } from './model.ts';

const doorbells = (rig: Rig) => (rig.machine.device.inspect!() as { doorbells: number }).doorbells;

it('is offered when it was asked for, and only then', () => {
  const off = nvmeRig();
  const pages = off.pages(2);
  expect(off.driver.adminCommand({ opcode: 0x7c, prp1: pages, prp2: pages + 4096 }).status).toBe(0x001);
  const on = nvmeRig({ shadowDoorbells: true });
  expect(on.driver.adminCommand({ opcode: 0x7c, prp1: pages + 8, prp2: pages }).status).toBe(0x013);
});

it('carries verified traffic with few doorbells', () => {
  const machine = new FakeMachine(nvmeModel, { size: '16MiB', shadowDoorbells: true });
  const driver = new NvmeInitiator(machine);
  driver.probe();
  driver.runWorkload(
    { ...defaultWorkload, rate: () => 0, queueDepth: 16, readPercent: 50 },
    () => driver.progress.operations >= 1500,
  );
  expect(driver.progress).toMatchObject({ errors: 0, lastError: '' });
  // What it did without a doorbell is not seen, and so is told of nothing.
  expect(new Set(machine.host.served)).toEqual(new Set([0]));
  expect(machine.host.taken).toEqual(new Set([1, 2, 3, 4]));
  const { doorbells: rung } = machine.device.inspect!() as { doorbells: number };
  expect(rung).toBeLessThan(1500);
  driver.remove();
  expect(leaks(machine.device.inspect!() as never)).toEqual([]);
  expect(machine.host.notes).toEqual([]);
});

/** A driver's side of the buffers, that rings as B.5 tells. */
class SharedQueue {
  readonly raw: RawQueue;
  private readonly rig: Rig;
  private readonly shadow: number;
  private readonly rung: [number, number][];
  constructor(rig: Rig, raw: RawQueue, shadow: number, rung: [number, number][]) {
    this.rig = rig;
    this.raw = raw;
    this.shadow = shadow;
    this.rung = rung;
  }
  tail(): void {
    this.update(this.raw.id * 8, this.raw.tail);
  }
  head(): void {
    this.update(this.raw.id * 8 + 4, this.raw.head);
  }
  private update(offset: number, value: number): void {
    const { memory } = this.rig.host;
    const was = memory.read32(this.shadow + offset);
    memory.write32(this.shadow + offset, value);
    const event = memory.read32(this.shadow + 4096 + offset);
    // The write arrives when the device is next looked at.
    if (((value - event - 1) & 0xffff) < ((value - was) & 0xffff)) this.rung.push([0x1000 + offset, value]);
  }
}

describe('a driver that goes on while the controller works', () => {
  for (const entries of [64, 9]) {
    it(`loses no command, with queues of ${entries} entries`, () => {
      const rig = nvmeRig({ shadowDoorbells: true });
      const shadow = rig.pages(2);
      const raws = [1, 2, 3].map((id) => rig.rawQueue(id, entries));
      expect(rig.driver.adminCommand({ opcode: 0x7c, prp1: shadow, prp2: shadow + 4096 }).status).toBe(0);
      const rung: [number, number][] = [];
      const queues = raws.map((raw) => new SharedQueue(rig, raw, shadow, rung));
      const page = rig.pages(1);
      const random = generator(entries);
      const below = (n: number) => Math.floor(random() * n);
      const open = new Set<string>();
      const inFlight = [0, 0, 0, 0];
      let submitted = 0;
      let done = 0;
      const submit = (queue: SharedQueue) => {
        const { raw } = queue;
        const count = Math.min(1 + below(6), entries - 1 - inFlight[raw.id]!);
        for (let i = 0; i < count; i++) {
          const id = submitted++ & 0xffff;
          raw.put([2 | (id << 16), 1, 0, 0, 0, 0, ...prps(page, 0), below(1000), 0, 0]);
          open.add(`${raw.id}:${id}`);
          inFlight[raw.id]!++;
        }
        if (count > 0) queue.tail();
      };
      const reap = (queue: SharedQueue) => {
        const found = queue.raw.take();
        for (const { commandId, queue: id, status } of found) {
          expect(status).toBe(0);
          expect(open.delete(`${id}:${commandId}`), `command ${commandId} of queue ${id}`).toBe(true);
          inFlight[id]!--;
          done++;
        }
        if (found.length > 0) queue.head();
      };
      const act = () => {
        const queue = queues[below(3)]!;
        if (below(2) === 0) submit(queue);
        else reap(queue);
      };
      rig.machine.batching = true;
      // In the middle of the device's submissions too.
      rig.host.dma.onStep = () => {
        if (submitted < 30_000 && below(4) === 0) act();
      };
      for (let round = 0; round < 6000; round++) {
        if (submitted < 30_000 && below(3) === 0) act();
        for (const [offset, value] of rung.splice(0)) rig.machine.write32(0, offset, value);
        rig.machine.settle();
        rig.host.clock.advance(1);
      }
      // No more help from new commands: what was announced must come to its end.
      rig.host.dma.onStep = null;
      for (let i = 0; i < 200; i++) {
        for (const queue of queues) reap(queue);
        for (const [offset, value] of rung.splice(0)) rig.machine.write32(0, offset, value);
        rig.machine.settle();
        rig.host.clock.advance(1);
      }
      expect([...open]).toEqual([]);
      expect(done).toBe(submitted);
      expect(submitted).toBeGreaterThan(5000);
      expect(leaks(rig.inspect())).toEqual([]);
      expect(rig.undefinedBehaviour()).toEqual([]);
      expect(doorbells(rig)).toBeLessThan(submitted);
    }, 30_000);
  }
});

it('asks to hear of completions that were taken when commands wait for their room', () => {
  const rig = nvmeRig({ shadowDoorbells: true });
  const shadow = rig.pages(2);
  const raw = rig.rawQueue(1, 8);
  const long = rig.rawQueue(2, 64);
  // Queue 2 completes into the 8 entries of queue 1.
  rig.driver.adminCommand({ opcode: 0x00, cdw10: 2 });
  rig.driver.adminCommand({ opcode: 0x01, prp1: long.sq, cdw10: (63 << 16) | 2, cdw11: (1 << 16) | 1 });
  rig.driver.adminCommand({ opcode: 0x7c, prp1: shadow, prp2: shadow + 4096 });
  const rung: [number, number][] = [];
  const submitter = new SharedQueue(rig, long, shadow, rung);
  const reaper = new SharedQueue(rig, raw, shadow, rung);
  for (let i = 0; i < 30; i++) long.put([i << 16, 1]);
  submitter.tail();
  const seen: number[] = [];
  while (rung.length > 0) {
    for (const [offset, value] of rung.splice(0)) rig.machine.write32(0, offset, value);
    seen.push(...raw.take().map(({ commandId }) => commandId));
    reaper.head();
  }
  expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => i));
});

it('takes no notice of shadows that no queue could have, and says so once', () => {
  const rig = nvmeRig({ shadowDoorbells: true });
  const shadow = rig.pages(2);
  const raw = rig.rawQueue(1, 16);
  rig.driver.adminCommand({ opcode: 0x7c, prp1: shadow, prp2: shadow + 4096 });
  rig.host.memory.write32(shadow + 8, 500);
  rig.host.memory.write32(shadow + 12, 3);
  for (let i = 0; i < 3; i++) rig.machine.write32(0, 0x1008, 500);
  expect(rig.undefinedBehaviour()).toEqual([
    expect.stringMatching(/SQ1TDBL holds 500; the queue has 16 entries/),
    expect.stringMatching(/CQ1HDBL holds 3, beyond the last completion/),
  ]);
  rig.host.memory.write32(shadow + 12, 0);
  raw.put([0, 1]);
  rig.host.memory.write32(shadow + 8, 1);
  rig.machine.write32(0, 0x1008, 1);
  expect(raw.take()).toHaveLength(1);
});

it('buffers that cannot be reached are fatal', () => {
  const rig = nvmeRig({ shadowDoorbells: true });
  rig.driver.adminCommand({ opcode: 0x7c, prp1: 0x7000_0000_0000, prp2: 0x7000_0000_1000 });
  rig.machine.write32(0, 0x1008, 1);
  expect(rig.machine.read32(0, 0x1c) & 2).toBe(2);
});
