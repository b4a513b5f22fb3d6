// NVMe 1.4, 4.3: PRP entries and lists, in every shape, against a walk that reads one entry at a time.
import { describe, expect, it } from 'vitest';
import { FileLikeBackend, MemoryBackend } from '../testing/memory-backend.ts';
import { generator } from '../testing/nvme-initiator.ts';
import { leaks, nvmeRig, prps, type Rig } from '../testing/nvme-rig.ts';

const PAGE = 4096;

/** A list as 4.3 describes it, laid out in `rig`'s memory; `addresses` are the pages behind PRP 1. */
function layList(rig: Rig, addresses: readonly number[], startOffset: number): number {
  const { memory } = rig.host;
  const start = rig.pages(1) + startOffset;
  let at = start;
  for (let i = 0; i < addresses.length; i++) {
    const lastInPage = (at + 8) % PAGE === 0;
    if (lastInPage && i < addresses.length - 1) {
      const next = rig.pages(1);
      memory.write64(at, next);
      at = next;
    }
    memory.write64(at, addresses[i]!);
    at += 8;
  }
  return start;
}

/** Where byte `n` of a transfer lies, by the definition. */
function oracle(prp1: number, behind: readonly number[], length: number): number[] {
  const spans: number[] = [];
  let done = 0;
  for (let i = -1; done < length; i++) {
    const address = i < 0 ? prp1 : behind[i]!;
    const room = i < 0 ? PAGE - (prp1 % PAGE) : PAGE;
    const piece = Math.min(room, length - done);
    spans.push(address, piece);
    done += piece;
  }
  return spans;
}

function gather(rig: Rig, spans: readonly number[]): Uint8Array {
  const all = new Uint8Array(spans.reduce((sum, span, i) => sum + (i % 2 === 0 ? 0 : span), 0));
  let done = 0;
  for (let i = 0; i < spans.length; i += 2) {
    all.set(rig.bytes(spans[i]!, spans[i + 1]!), done);
    done += spans[i + 1]!;
  }
  return all;
}

function scatter(rig: Rig, spans: readonly number[], data: Uint8Array): void {
  let done = 0;
  for (let i = 0; i < spans.length; i += 2) {
    rig.bytes(spans[i]!, spans[i + 1]!).set(data.subarray(done, done + spans[i + 1]!));
    done += spans[i + 1]!;
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

for (const kind of ['memory', 'file'] as const) {
  it(`moves random transfers of all shapes: ${kind}`, () => {
    const size = 8 * 2 ** 20;
    const rig = nvmeRig({ size }, (host) => {
      // Small odd extents, so that pieces end anywhere.
      host.backend =
        kind === 'memory' ? new MemoryBackend(host.dma, size, 28 * 512) : new FileLikeBackend(size);
    });
    const random = generator(kind === 'memory' ? 7 : 8);
    const below = (n: number) => Math.floor(random() * n);
    const disk = new Uint8Array(size);
    const mark = rig.host.memory.mark;
    for (let round = 0; round < 400; round++) {
      rig.host.memory.rewind(mark);
      const blocks = 1 + (below(4) === 0 ? below(4096) : below(64));
      const length = blocks * 512;
      const offset = below(2) * below(1024) * 4;
      const pool = rig.pages(Math.ceil(length / PAGE) + 2);
      const count = Math.max(0, Math.ceil((length - (PAGE - offset)) / PAGE));
      const pages = Array.from({ length: count + 1 }, (_, i) => pool + i * PAGE);
      const shuffle = below(3);
      // 0: contiguous, 1: a few swaps, 2: any order.
      for (let k = 0; k < (shuffle === 0 ? 0 : shuffle === 1 ? 2 : pages.length); k++) {
        const a = below(pages.length);
        const b = below(pages.length);
        [pages[a], pages[b]] = [pages[b]!, pages[a]!];
      }
      const prp1 = pages[0]! + offset;
      const behind = pages.slice(1);
      // A list may start so late that its first page holds one entry, or none but the pointer.
      const listOffset = [0, 8 * below(512), PAGE - 8, PAGE - 16, 256 * below(16)][below(5)]!;
      const prp2 =
        behind.length === 0
          ? below(2) * 4
          : behind.length === 1
            ? behind[0]!
            : layList(rig, behind, listOffset);
      const spans = oracle(prp1, behind, length);
      const lba = below(size / 512 - blocks + 1);
      const write = below(2) === 0;
      const command = { nsid: 1, prp1, prp2, cdw10: lba, cdw12: blocks - 1 };
      const where = `round ${round}: ${write ? 'write' : 'read'} of ${length} at ${lba}, offset ${offset}, list ${listOffset}`;
      if (write) {
        const data = new Uint8Array(length);
        const salt = below(256);
        for (let i = 0; i < length; i++) data[i] = (salt + i + (i >> 8) * 31) & 0xff;
        scatter(rig, spans, data);
        expect(rig.driver.ioCommand(1, { opcode: 0x01, ...command }).status, where).toBe(0);
        disk.set(data, lba * 512);
      } else {
        expect(rig.driver.ioCommand(1, { opcode: 0x02, ...command }).status, where).toBe(0);
        expect(same(gather(rig, spans), disk.subarray(lba * 512, lba * 512 + length)), where).toBe(true);
      }
    }
    expect(leaks(rig.inspect())).toEqual([]);
    expect(rig.host.notes).toEqual([]);
  }, 30_000);
}

describe('PRP entries that a controller refuses (figure 126, 13h)', () => {
  const rig = nvmeRig();
  const data = rig.pages(8);
  const read = (prp1: number, prp2: number, blocks: number) =>
    rig.driver.ioCommand(1, { opcode: 0x02, nsid: 1, prp1, prp2, cdw10: 0, cdw12: blocks - 1 }).status;

  it('PRP 1 that is not aligned to 4 bytes', () => expect(read(data + 2, 0, 1)).toBe(0x013));
  it('PRP 2 with an offset, as an entry', () => expect(read(data, data + PAGE + 4, 16)).toBe(0x013));
  it('PRP 2 not aligned to 8 bytes, as a list', () => expect(read(data, data + 4, 24)).toBe(0x013));
  it('an entry of a list with an offset', () => {
    const list = layList(rig, [data + PAGE, data + 2 * PAGE + 512], 0);
    expect(read(data, list, 24)).toBe(0x013);
  });
  it('a chain pointer with an offset', () => {
    const list = rig.pages(1);
    rig.host.memory.write64(list + PAGE - 8, data + 512);
    expect(read(data, list + PAGE - 8, 24)).toBe(0x013);
  });
  it('takes an unused PRP 2 as it is', () => expect(read(data, 3, 1)).toBe(0));
});

describe('memory that the driver did not map', () => {
  it('ends one command with Data Transfer Error, the others in the batch are done', () => {
    const rig = nvmeRig();
    const queue = rig.rawQueue(1, 64);
    const good = rig.pages(1);
    const bad = rig.pages(1);
    const lists = rig.pages(1);
    rig.host.dma.unmapped.add(bad);
    const entry = (id: number, opcode: number, lba: number, prp1: number, prp2 = 0, blocks = 8) => [
      opcode | (id << 16),
      1,
      0,
      0,
      0,
      0,
      ...prps(prp1, prp2),
      lba,
      0,
      blocks - 1,
    ];
    rig.bytes(good, PAGE).fill(0x5a);
    rig.host.memory.write64(lists, bad);
    rig.host.memory.write64(lists + 8, good);
    queue.put(entry(1, 0x01, 0, good));
    queue.put(entry(2, 0x02, 0, bad));
    queue.put(entry(3, 0x01, 8, good));
    // The list itself, an entry of it, the second page.
    queue.put(entry(4, 0x02, 0, good, bad, 32));
    queue.put(entry(5, 0x02, 0, good, lists, 24));
    queue.put(entry(6, 0x02, 0, good, bad, 16));
    queue.put(entry(7, 0x01, 16, good));
    // An address that no machine has.
    queue.put([0x02 | (8 << 16), 1, 0, 0, 0, 0, 0, 0xffff_0000, 0, 0, 0, 0, 7]);
    queue.put(entry(9, 0x01, 24, good));
    queue.ring();
    const found = queue.take();
    expect(found.map(({ commandId, status }) => [commandId, status])).toEqual([
      [1, 0],
      [2, 0x004],
      [3, 0],
      [4, 0x004],
      [5, 0x004],
      [6, 0x004],
      [7, 0],
      [8, 0x004],
      [9, 0],
    ]);
    expect(rig.undefinedBehaviour()).toHaveLength(5);
    expect(leaks(rig.inspect())).toEqual([]);
    for (const lba of [0, 8, 16, 24]) {
      rig.bytes(good, PAGE).fill(0);
      expect(
        rig.driver.ioCommand(2, { opcode: 0x02, nsid: 1, prp1: good, cdw10: lba, cdw12: 7 }).status,
      ).toBe(0);
      expect(rig.bytes(good, PAGE).every((byte) => byte === 0x5a)).toBe(true);
    }
  });
});
