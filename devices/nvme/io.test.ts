// NVMe 1.4, section 6: the NVM command set.
import { describe, expect, it } from 'vitest';
import { TransferContent } from '../sdk/command-format.ts';
import { FileLikeBackend, MemoryBackend } from '../testing/memory-backend.ts';
import { generator } from '../testing/nvme-initiator.ts';
import { leaks, nvmeRig, prps, type Rig } from '../testing/nvme-rig.ts';

const PAGE = 4096;
const SIZE = 16 * 2 ** 20;
const BLOCKS = SIZE / 512;

function io(
  rig: Rig,
  opcode: number,
  lba: number,
  blocks: number,
  prp1: number,
  cdw11 = 0,
  flags = 0,
  nsid = 1,
) {
  const prp2 = blocks * 512 > PAGE ? prp1 + PAGE : 0;
  return rig.driver.ioCommand(1, {
    opcode,
    nsid,
    prp1,
    prp2,
    cdw10: lba,
    cdw11,
    cdw12: (blocks - 1) | flags,
  }).status;
}

for (const kind of ['memory', 'file'] as const) {
  describe(`commands on a disk in ${kind}`, () => {
    const make = () => {
      let backend: MemoryBackend | FileLikeBackend | undefined;
      const rig = nvmeRig({}, (host) => {
        backend =
          kind === 'memory' ? new MemoryBackend(host.dma, SIZE, 64 * 1024) : new FileLikeBackend(SIZE);
        host.backend = backend;
      });
      return { rig, backend: backend!, page: rig.pages(2) };
    };

    it('reads zeroes where nothing was written, and what was written elsewhere', () => {
      const { rig, page } = make();
      rig.bytes(page, PAGE).fill(0xab);
      expect(io(rig, 0x02, 100, 8, page)).toBe(0);
      expect(rig.bytes(page, PAGE).every((byte) => byte === 0)).toBe(true);
      rig.bytes(page, PAGE).forEach((_, i, bytes) => {
        bytes[i] = i;
      });
      const wrote = rig.bytes(page, PAGE).slice();
      expect(io(rig, 0x01, 127, 8, page)).toBe(0);
      rig.bytes(page, PAGE).fill(0);
      expect(io(rig, 0x02, 127, 8, page)).toBe(0);
      expect(rig.bytes(page, PAGE)).toEqual(wrote);
    });

    it('Write Zeroes, also beyond the largest transfer', () => {
      const { rig, page } = make();
      rig.bytes(page, PAGE).fill(1);
      for (const lba of [0, 8, 16, 24]) io(rig, 0x01, lba, 8, page);
      expect(io(rig, 0x08, 4, 8, 0)).toBe(0);
      io(rig, 0x02, 0, 8, page);
      expect([...new Set(rig.bytes(page, 2048))]).toEqual([1]);
      expect([...new Set(rig.bytes(page + 2048, 2048))]).toEqual([0]);
      expect(io(rig, 0x08, 0, 32768, 0)).toBe(0);
      expect(io(rig, 0x08, 1, 32768, 0)).toBe(0x080);
      io(rig, 0x02, 24, 8, page);
      expect([...new Set(rig.bytes(page, PAGE))]).toEqual([0]);
    });

    it('Dataset Management gives ranges back, or none when one is bad', () => {
      const { rig, page } = make();
      const { memory } = rig.host;
      const data = rig.pages(1);
      rig.bytes(data, PAGE).fill(9);
      for (const lba of [0, 8, 16]) io(rig, 0x01, lba, 8, data);
      const range = (i: number, lba: number, blocks: number) => {
        memory.write32(page + i * 16 + 4, blocks);
        memory.write64(page + i * 16 + 8, lba);
      };
      const dsm = (ranges: number, attributes: number) =>
        rig.driver.ioCommand(1, { opcode: 0x09, nsid: 1, prp1: page, cdw10: ranges - 1, cdw11: attributes })
          .status;
      range(0, 0, 8);
      range(1, BLOCKS - 4, 5);
      expect(dsm(2, 4)).toBe(0x080);
      io(rig, 0x02, 0, 8, data);
      expect(rig.bytes(data, 1)[0]).toBe(9);
      range(1, 16, 8);
      expect(dsm(2, 1)).toBe(0); // advice only
      io(rig, 0x02, 0, 8, data);
      expect(rig.bytes(data, 1)[0]).toBe(9);
      expect(dsm(2, 4)).toBe(0);
      for (const [lba, byte] of [
        [0, 0],
        [8, 9],
        [16, 0],
      ] as const) {
        io(rig, 0x02, lba, 8, data);
        expect([...new Set(rig.bytes(data, PAGE))]).toEqual([byte]);
      }
    });

    it('Compare', () => {
      const { rig, page } = make();
      rig.bytes(page, 2 * PAGE).fill(0x77);
      io(rig, 0x01, 120, 16, page);
      expect(io(rig, 0x05, 120, 16, page)).toBe(0);
      rig.bytes(page, 2 * PAGE)[8191] = 0;
      expect(io(rig, 0x05, 120, 16, page)).toBe(0x285);
      expect(io(rig, 0x05, 120, 15, page)).toBe(0);
    });

    it('Flush, and force unit access, reach the backend', () => {
      const { rig, backend, page } = make();
      expect(rig.driver.ioCommand(1, { opcode: 0, nsid: 1 }).status).toBe(0);
      expect(rig.driver.ioCommand(1, { opcode: 0, nsid: 0xffff_ffff }).status).toBe(0);
      expect(backend.flushes).toBe(2);
      rig.bytes(page, PAGE).fill(3);
      expect(io(rig, 0x01, 0, 8, page)).toBe(0);
      expect(backend.flushes).toBe(2);
      expect(io(rig, 0x01, 8, 8, page, 0, 0x4000_0000)).toBe(0);
      expect(backend.flushes).toBe(3);
      const stored = new Uint8Array(1);
      backend.load(8 * 512, stored, 0, 1);
      expect(stored[0]).toBe(3);
      // Without the write cache every write is through.
      rig.driver.adminCommand({ opcode: 0x09, cdw10: 6, cdw11: 0 });
      io(rig, 0x01, 16, 8, page);
      expect(backend.flushes).toBe(4);
    });
  });
}

describe('limits', () => {
  const rig = nvmeRig();
  const page = rig.pages(2);
  it('LBA Out of Range, from the last block on', () => {
    expect(io(rig, 0x02, BLOCKS - 1, 1, page)).toBe(0);
    expect(io(rig, 0x02, BLOCKS - 1, 2, page)).toBe(0x080);
    expect(io(rig, 0x02, BLOCKS, 1, page)).toBe(0x080);
    expect(io(rig, 0x01, 0, 1, page, 1)).toBe(0x080);
    expect(io(rig, 0x02, 0xffff_ffff, 1, page, 0xffff_ffff)).toBe(0x080);
    expect(io(rig, 0x05, BLOCKS, 1, page)).toBe(0x080);
  });
  it('2 MiB in one command (MDTS), no block more', () => {
    const pages = rig.pages(513);
    const list = rig.pages(2);
    for (let i = 1; i < 513; i++) {
      // 512 entries fill a page; entry 512 is reached through a pointer.
      const at = i - 1;
      rig.host.memory.write64(list + at * 8, pages + i * PAGE);
    }
    const read = (blocks: number) =>
      rig.driver.ioCommand(1, { opcode: 2, nsid: 1, prp1: pages, prp2: list, cdw12: blocks - 1 }).status;
    expect(read(4096)).toBe(0);
    expect(read(4097)).toBe(0x002);
  });
  it('namespaces, opcodes, fused commands and SGLs', () => {
    expect(io(rig, 0x02, 0, 1, page, 0, 0, 2)).toBe(0x00b);
    expect(io(rig, 0x02, 0, 1, page, 0, 0, 0)).toBe(0x00b);
    expect(io(rig, 0x02, 0, 1, page, 0, 0, 0xffff_ffff)).toBe(0x00b);
    expect(io(rig, 0x04, 0, 1, page)).toBe(0x001);
    expect(io(rig, 0x7f, 0, 1, page, 0, 0, 9)).toBe(0x001);
    expect(io(rig, 0x02 | 0x4000, 0, 1, page)).toBe(0x002);
    expect(io(rig, 0x02 | 0x0100, 0, 1, page)).toBe(0x002);
  });
});

describe('a backend that fails', () => {
  it('Unrecovered Read Error and Write Fault, for that command alone', () => {
    const backend = new FileLikeBackend(SIZE);
    const rig = nvmeRig({}, (host) => {
      host.backend = backend;
    });
    const queue = rig.rawQueue(1, 32);
    const page = rig.pages(1);
    const put = (id: number, opcode: number, flags = 0) =>
      queue.put([opcode | (id << 16), 1, 0, 0, 0, 0, ...prps(page, 0), id * 8, 0, 7 | flags]);
    backend.failReads = true;
    put(1, 0x02);
    put(2, 0x01);
    put(3, 0x05);
    queue.ring();
    // Writes end when the backend has them: the order is the controller's.
    const statuses = () =>
      Object.fromEntries(queue.take().map(({ commandId, status }) => [commandId, status]));
    expect(statuses()).toEqual({ 1: 0x281, 2: 0, 3: 0x281 });
    queue.acknowledge();
    backend.failReads = false;
    backend.failWrites = true;
    put(4, 0x01);
    put(5, 0x02);
    put(6, 0x01, 0x4000_0000);
    queue.put([0x00 | (7 << 16), 1]);
    queue.ring();
    expect(statuses()).toEqual({ 4: 0x280, 5: 0, 6: 0x280, 7: 0x280 });
    expect(rig.inspect().counters.mediaErrors).toBe(5);
    expect(leaks(rig.inspect())).toEqual([]);
  });
});

describe('batches', () => {
  const fill = (rig: Rig, queue: ReturnType<Rig['rawQueue']>, count: number, first = 0) => {
    const page = rig.pages(1);
    for (let i = 0; i < count; i++)
      queue.put([0x02 | ((first + i) << 16), 1, 0, 0, 0, 0, ...prps(page, 0), i * 8, 0, 7]);
  };

  it('takes entries in two reads at the end of the queue, one interrupt for all', () => {
    const rig = nvmeRig();
    const queue = rig.rawQueue(1, 16);
    fill(rig, queue, 10);
    queue.ring();
    expect(queue.take()).toHaveLength(10);
    queue.acknowledge();
    fill(rig, queue, 12);
    const { submissions } = rig.host.dma;
    const interrupts = rig.host.interrupts[1]!;
    queue.ring();
    expect(rig.host.dma.submissions - submissions).toBe(2);
    expect(rig.host.interrupts[1]! - interrupts).toBe(1);
    const found = queue.take();
    expect(found.map(({ commandId }) => commandId)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(found.every(({ queue: id, head }) => id === 1 && head === 6)).toBe(true);
  });

  it('serves several queues in one submission', () => {
    const rig = nvmeRig();
    const queues = [1, 2, 3].map((id) => rig.rawQueue(id, 16));
    rig.machine.batching = true;
    for (const queue of queues) {
      fill(rig, queue, 4);
      queue.ring();
    }
    const { submissions } = rig.host.dma;
    rig.machine.settle();
    expect(rig.host.dma.submissions - submissions).toBe(2);
    for (const queue of queues) expect(queue.take()).toHaveLength(4);
  });

  it('reads the lists of a batch in one submission', () => {
    const rig = nvmeRig();
    const queue = rig.rawQueue(1, 16);
    const pages = rig.pages(16);
    for (let k = 0; k < 4; k++) {
      const list = rig.pages(1);
      // Every other page, so that nothing is contiguous.
      for (let i = 1; i < 8; i++) rig.host.memory.write64(list + (i - 1) * 8, pages + i * 2 * PAGE);
      queue.put([0x01 | (k << 16), 1, 0, 0, 0, 0, ...prps(pages, list), k * 64, 0, 63]);
    }
    const { submissions, immediate } = rig.host.dma;
    queue.ring();
    expect(rig.host.dma.submissions - submissions).toBe(3);
    expect(rig.host.dma.immediate).toBe(immediate);
    expect(queue.take()).toHaveLength(4);
  });

  it('makes one step of pages that follow each other', () => {
    const rig = nvmeRig();
    const queue = rig.rawQueue(1, 16);
    const pages = rig.pages(32);
    const list = rig.pages(1);
    for (let i = 1; i < 32; i++) rig.host.memory.write64(list + (i - 1) * 8, pages + i * PAGE);
    queue.put([0x01, 1, 0, 0, 0, 0, ...prps(pages, list), 0, 0, 255]);
    const { stepsDone } = rig.host.dma;
    queue.ring();
    // Entry, list, data, completion, interrupt.
    expect(rig.host.dma.stepsDone - stepsDone).toBe(5);
  });

  it('leaves commands in the queue while there is no room to complete them (4.1.2)', () => {
    const rig = nvmeRig();
    // Two submission queues that complete into one queue of 8 entries.
    const first = rig.rawQueue(1, 8);
    const second = rig.rawQueue(2, 64);
    rig.driver.adminCommand({ opcode: 0x00, cdw10: 2 });
    rig.driver.adminCommand({ opcode: 0x01, prp1: second.sq, cdw10: (63 << 16) | 2, cdw11: (1 << 16) | 1 });
    fill(rig, first, 5);
    first.ring();
    fill(rig, second, 20, 100);
    second.ring();
    const seen: number[] = [];
    for (let i = 0; i < 10 && seen.length < 25; i++) {
      const found = first.take();
      expect(found.length).toBeLessThanOrEqual(7);
      seen.push(...found.map(({ commandId }) => commandId));
      if (found.length > 0) first.acknowledge();
    }
    expect(seen.sort((a, b) => a - b)).toEqual([
      ...Array.from({ length: 5 }, (_, i) => i),
      ...Array.from({ length: 20 }, (_, i) => 100 + i),
    ]);
    expect(leaks(rig.inspect())).toEqual([]);
  });

  it('says nothing to a driver that wants no interrupts', () => {
    const rig = nvmeRig();
    const queue = rig.rawQueue(1, 16);
    rig.driver.adminCommand({ opcode: 0x00, cdw10: 1 });
    rig.driver.adminCommand({ opcode: 0x04, cdw10: 1 });
    rig.driver.adminCommand({ opcode: 0x05, prp1: queue.cq, cdw10: (15 << 16) | 1, cdw11: 1 });
    rig.driver.adminCommand({ opcode: 0x01, prp1: queue.sq, cdw10: (15 << 16) | 1, cdw11: (1 << 16) | 1 });
    const before = [...rig.host.interrupts];
    fill(rig, queue, 3);
    queue.ring();
    expect(queue.take()).toHaveLength(3);
    expect(rig.host.interrupts).toEqual(before);
  });
});

it('completes each of many random commands, right and wrong, exactly once', () => {
  for (const kind of ['memory', 'file'] as const) {
    const rig = nvmeRig({}, (host) => {
      host.backend =
        kind === 'memory' ? new MemoryBackend(host.dma, SIZE, 12 * 512) : new FileLikeBackend(SIZE);
    });
    const random = generator(kind === 'memory' ? 41 : 42);
    const below = (n: number) => Math.floor(random() * n);
    const queues = [1, 2, 3, 4].map((id) => rig.rawQueue(id, 40));
    const pages = rig.pages(64);
    for (let i = 0; i < 64; i += 5) rig.host.dma.unmapped.add(pages + i * PAGE);
    // Words that are addresses, or nearly.
    for (let at = pages; at < pages + 32 * PAGE; at += 8)
      rig.host.memory.write64(at, pages + below(64) * PAGE + (below(40) === 0 ? 8 : 0));
    const open = new Map<string, number>();
    let next = 0;
    let done = 0;
    rig.machine.batching = true;
    for (let round = 0; round < 600; round++) {
      for (const queue of queues) {
        const waiting = [...open.keys()].filter((key) => key.startsWith(`${queue.id}:`)).length;
        const count = Math.min(below(12), 39 - waiting);
        for (let k = 0; k < count; k++) {
          const id = next++ & 0xffff;
          const opcode = [0, 1, 2, 2, 1, 5, 8, 9, 0x55][below(9)]!;
          const address = () => pages + below(64) * PAGE + [0, 0, 0, 4, 8, 512, 3][below(7)]!;
          const flags = below(50) === 0 ? 0x4000 : 0;
          const blocks = below(6) === 0 ? below(5000) : below(100);
          const lba = below(30) === 0 ? BLOCKS - below(50) : below(BLOCKS - 5000);
          queue.put([
            opcode | flags | (id << 16),
            below(20) === 0 ? below(3) : 1,
            0,
            0,
            0,
            0,
            ...prps(address(), address()),
            lba,
            opcode === 9 ? 4 : 0,
            blocks | (below(30) === 0 ? 0x4000_0000 : 0),
          ]);
          open.set(`${queue.id}:${id}`, opcode);
        }
        if (count > 0) queue.ring();
      }
      rig.machine.settle();
      for (const queue of queues) {
        const found = queue.take();
        for (const { commandId, queue: id } of found) {
          expect(open.delete(`${id}:${commandId}`), `command ${commandId} of queue ${id}`).toBe(true);
          done++;
        }
        if (found.length > 0 && below(3) > 0) queue.acknowledge();
      }
    }
    for (const queue of queues) if (queue.take().length >= 0) queue.acknowledge();
    for (let i = 0; i < 4; i++) {
      rig.machine.settle();
      for (const queue of queues) {
        for (const { commandId, queue: id } of queue.take()) {
          expect(open.delete(`${id}:${commandId}`)).toBe(true);
          done++;
        }
        queue.acknowledge();
      }
    }
    expect(open.size).toBe(0);
    expect(done).toBe(next);
    expect(leaks(rig.inspect())).toEqual([]);
    expect(rig.inspect().enabled).toBe(true);
  }
}, 60_000);

it('says of each transfer what it carries, and for which doorbell', () => {
  const rig = nvmeRig();
  const page = rig.pages(6);
  const said: [access: number, content: number, queue: number][] = [];
  const { dma } = rig.host;
  let now: [number, number, number] = [0, 0, 0];
  rig.host.attribute = (access, content = 0, queue = 0) => {
    now = [access, content, queue];
  };
  for (const name of ['queueRead', 'queueWrite'] as const) {
    const queue = dma[name].bind(dma);
    dma[name] = (...step) => {
      if (String(said.at(-1)) !== String(now)) said.push(now);
      return queue(...step);
    };
  }
  rig.host.handled = 42;
  for (let i = 0; i < 2; i++) rig.host.memory.write64(page + 5 * PAGE + i * 8, page + (1 + i) * PAGE);
  rig.driver.ioCommand(1, { opcode: 0x02, nsid: 1, prp1: page, prp2: page + 5 * PAGE, cdw12: 23 });
  const { commands, list, data, completions } = TransferContent;
  expect(said).toEqual([
    [42, commands, 1],
    [42, list, 1],
    [42, data, 1],
    [42, completions, 1],
  ]);
});
