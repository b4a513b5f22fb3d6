// NVMe 1.4, section 5: admin commands.
import { describe, expect, it } from 'vitest';
import type { NvmeCommand } from '../testing/nvme-initiator.ts';
import { leaks, nvmeRig, type Rig } from '../testing/nvme-rig.ts';

const PAGE = 4096;
const OK = 0;
const INVALID_OPCODE = 0x001;
const INVALID_FIELD = 0x002;
const INVALID_NAMESPACE = 0x00b;

function le(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** One admin command with a data page; its status and that page. */
function ask(
  rig: Rig,
  command: NvmeCommand,
  length = PAGE,
): { status: number; result: number; data: Uint8Array } {
  const page = rig.pages(Math.ceil(length / PAGE));
  rig.bytes(page, length).fill(0xcc);
  const prp2 = length > PAGE ? page + PAGE : 0;
  const { status, result } = rig.driver.adminCommand({ prp1: page, prp2, ...command });
  return { status, result, data: rig.bytes(page, length) };
}

describe('Identify (5.15)', () => {
  const rig = nvmeRig({ serial: 'ABC123', name: 'A disk', size: '32MiB' });
  const identify = (cns: number, nsid = 0) => ask(rig, { opcode: 0x06, nsid, cdw10: cns });

  it('CNS 01h tells of the controller (figure 247)', () => {
    const { status, data } = identify(1);
    expect(status).toBe(OK);
    expect(le(data, 0, 2)).toBe(0x1f0c);
    expect(text(data, 4, 20)).toBe('ABC123'.padEnd(20));
    expect(text(data, 24, 40)).toBe('A disk'.padEnd(40));
    expect(le(data, 80, 4)).toBe(0x0001_0400);
    expect(data[111]).toBe(1);
    expect(data[512]).toBe(0x66);
    expect(data[513]).toBe(0x44);
    expect(le(data, 516, 4)).toBe(1);
    expect(le(data, 520, 2)).toBe(0b0001_1101);
    expect(text(data, 768, 37)).toBe('nqn.2014-08.org.nvmexpress:uuid:'.padEnd(37, text(data, 800, 5)));
  });

  it('CNS 00h tells of the namespace (figure 245)', () => {
    const { status, data } = identify(0, 1);
    expect(status).toBe(OK);
    for (const at of [0, 8, 16]) expect(le(data, at, 8)).toBe((32 * 2 ** 20) / 512);
    expect(data[25]).toBe(1);
    expect(data[26]).toBe(0);
    expect(data[130]).toBe(9);
    expect(data[134]).toBe(12);
  });

  it.each([0, 2, 0xffff_ffff])('CNS 00h of namespace %i, which is not there', (nsid) => {
    expect(identify(0, nsid).status).toBe(INVALID_NAMESPACE);
  });

  it('CNS 02h lists namespaces above NSID', () => {
    expect(le(identify(2, 0).data, 0, 8)).toBe(1);
    expect(le(identify(2, 1).data, 0, 8)).toBe(0);
    expect(identify(2, 0xffff_fffe).status).toBe(INVALID_NAMESPACE);
  });

  it('CNS 03h gives a UUID, another for another serial number', () => {
    const { data } = identify(3, 1);
    expect([...data.subarray(0, 4)]).toEqual([3, 16, 0, 0]);
    expect(data[4 + 6]! >> 4).toBe(8);
    expect(data[20]).toBe(0);
    const other = ask(nvmeRig({ serial: 'ABC124' }), { opcode: 0x06, nsid: 1, cdw10: 3 });
    expect(other.data.subarray(4, 20)).not.toEqual(data.subarray(4, 20));
  });

  it('refuses any other CNS', () => expect(identify(0x10).status).toBe(INVALID_FIELD));

  it('fills a buffer that starts within a page', () => {
    const pages = rig.pages(2);
    const got = rig.driver.adminCommand({ opcode: 0x06, prp1: pages + 2048, prp2: pages + PAGE, cdw10: 1 });
    expect(got.status).toBe(OK);
    expect(rig.bytes(pages, 2048).every((byte) => byte === 0)).toBe(true);
    expect(text(rig.bytes(pages, 2 * PAGE), 2048 + 4, 6)).toBe('ABC123');
  });
});

describe('queues (5.3 to 5.6)', () => {
  const page = 0x1_0040_0000;
  const make = (rig: Rig, id: number, over: { size?: number; dw11?: number; prp1?: number } = {}) =>
    rig.driver.adminCommand({
      opcode: 0x05,
      prp1: over.prp1 ?? page,
      cdw10: (((over.size ?? 16) - 1) << 16) | id,
      cdw11: over.dw11 ?? 1,
    }).status;
  const makeSq = (
    rig: Rig,
    id: number,
    cq: number,
    over: { size?: number; dw11?: number; prp1?: number } = {},
  ) =>
    rig.driver.adminCommand({
      opcode: 0x01,
      prp1: over.prp1 ?? page + PAGE,
      cdw10: (((over.size ?? 16) - 1) << 16) | id,
      cdw11: over.dw11 ?? (cq << 16) | 1,
    }).status;

  // The driver asked for four queues and was granted four; the rest is as Set Features leaves it.
  it('refuses what Create I/O Completion Queue may not be given', () => {
    const rig = nvmeRig();
    expect(make(rig, 0)).toBe(0x101);
    expect(make(rig, 1)).toBe(0x101); // exists
    expect(make(rig, 5)).toBe(0x101); // beyond what was granted
    expect(make(rig, 65)).toBe(0x101);
    rig.driver.adminCommand({ opcode: 0x00, cdw10: 4 });
    rig.driver.adminCommand({ opcode: 0x04, cdw10: 4 });
    expect(make(rig, 4, { size: 1 })).toBe(0x102);
    expect(make(rig, 4, { size: 1025 })).toBe(0x102);
    expect(make(rig, 4, { dw11: 0 })).toBe(INVALID_FIELD); // not contiguous, CAP.CQR
    expect(make(rig, 4, { prp1: page + 8 })).toBe(0x013);
    expect(make(rig, 4, { dw11: (65 << 16) | 3 })).toBe(0x108);
    expect(make(rig, 4, { dw11: (64 << 16) | 3 })).toBe(OK);
    expect(leaks(rig.inspect())).toEqual([]);
  });

  it('refuses what Create I/O Submission Queue may not be given', () => {
    const rig = nvmeRig();
    expect(makeSq(rig, 0, 1)).toBe(0x101);
    expect(makeSq(rig, 1, 1)).toBe(0x101);
    expect(makeSq(rig, 5, 1)).toBe(0x101);
    rig.driver.adminCommand({ opcode: 0x00, cdw10: 4 });
    expect(makeSq(rig, 4, 0)).toBe(0x101);
    expect(makeSq(rig, 4, 5)).toBe(0x101);
    rig.driver.adminCommand({ opcode: 0x04, cdw10: 4 });
    expect(makeSq(rig, 4, 4)).toBe(0x100); // no such completion queue
    expect(makeSq(rig, 4, 3, { size: 1 })).toBe(0x102);
    expect(makeSq(rig, 4, 3, { dw11: 3 << 16 })).toBe(INVALID_FIELD);
    expect(makeSq(rig, 4, 3, { prp1: page + 64 })).toBe(0x013);
    expect(makeSq(rig, 4, 3)).toBe(OK);
  });

  it('deletes submission queues before their completion queue', () => {
    const rig = nvmeRig();
    const remove = (opcode: number, id: number) => rig.driver.adminCommand({ opcode, cdw10: id }).status;
    expect(remove(0x04, 1)).toBe(0x10c);
    expect(remove(0x00, 1)).toBe(OK);
    expect(remove(0x00, 1)).toBe(0x101);
    expect(remove(0x04, 1)).toBe(OK);
    expect(remove(0x04, 1)).toBe(0x101);
    expect(remove(0x00, 0)).toBe(0x101);
    expect(remove(0x04, 0)).toBe(0x101);
    expect(remove(0x00, 70)).toBe(0x101);
  });

  it('gives 64 queues, each with a vector of its own', () => {
    const rig = nvmeRig();
    for (let id = 1; id <= 4; id++) {
      rig.driver.adminCommand({ opcode: 0x00, cdw10: id });
      rig.driver.adminCommand({ opcode: 0x04, cdw10: id });
    }
    expect(rig.driver.adminCommand({ opcode: 0x09, cdw10: 7, cdw11: 0xfe_00fe }).result).toBe(0x3f_003f);
    for (let id = 1; id <= 64; id++) {
      expect(make(rig, id, { dw11: (id << 16) | 3, prp1: rig.pages(1) })).toBe(OK);
      expect(makeSq(rig, id, id, { prp1: rig.pages(1) })).toBe(OK);
    }
    expect(rig.inspect().submissionQueues).toHaveLength(65);
  });
});

describe('features (5.13 and 5.21)', () => {
  const rig = nvmeRig();
  const get = (id: number, dw11 = 0, select = 0, nsid = 0) =>
    rig.driver.adminCommand({ opcode: 0x0a, nsid, cdw10: id | (select << 8), cdw11: dw11 });
  const set = (id: number, dw11: number, flags = 0, nsid = 0) =>
    rig.driver.adminCommand({ opcode: 0x09, nsid, cdw10: (id | flags) >>> 0, cdw11: dw11 });

  it.each([
    ['arbitration', 0x01, 0x0102_0303],
    ['error recovery', 0x05, 0x0010],
    ['write cache', 0x06, 0],
    ['interrupt coalescing', 0x08, 0x0203],
    ['write atomicity', 0x0a, 1],
    ['asynchronous events', 0x0b, 0x0005],
  ])('stores %s; the default stays to be asked for', (_name, id, value) => {
    const before = get(id).result;
    expect(before).not.toBe(value);
    expect(set(id, value).status).toBe(OK);
    expect(get(id).result).toBe(value);
    expect(get(id, 0, 1).result).toBe(before);
    expect(get(id, 0, 2).result).toBe(before);
    expect(get(id, 0, 3).result & 5).toBe(4);
    set(id, before);
  });

  it('has one power state', () => {
    expect(set(2, 0).status).toBe(OK);
    expect(set(2, 1).status).toBe(INVALID_FIELD);
  });

  it('keeps both temperature thresholds, of the composite temperature alone', () => {
    expect(get(4).result).toBe(343);
    expect(set(4, 350).status).toBe(OK);
    expect(set(4, 260 | (1 << 20)).status).toBe(OK);
    expect(get(4).result).toBe(350);
    expect(get(4, 1 << 20).result).toBe(260);
    expect(get(4, 0, 1).result).toBe(343);
    expect(set(4, 350 | (3 << 16)).status).toBe(INVALID_FIELD);
    expect(get(4, 2 << 20).status).toBe(INVALID_FIELD);
  });

  it('keeps coalescing by vector', () => {
    expect(set(9, 3 | 0x1_0000).status).toBe(OK);
    expect(get(9, 3).result).toBe(0x1_0003);
    expect(get(9, 4).result).toBe(4);
    expect(set(9, 65).status).toBe(INVALID_FIELD);
  });

  it('grants queues before there are any, and not after (5.21.1.7)', () => {
    expect(get(7).result).toBe(0x3_0003);
    expect(set(7, 0).status).toBe(0x00c);
    expect(set(7, 0xffff).status).toBe(INVALID_FIELD);
  });

  it('saves nothing, and says so', () => expect(set(6, 1, 0x8000_0000).status).toBe(0x10d));
  it('refuses a namespace where there is none to it', () => {
    expect(set(6, 1, 0, 1).status).toBe(0x10f);
    expect(set(5, 1, 0, 1).status).toBe(OK);
    expect(set(5, 1, 0, 7).status).toBe(INVALID_NAMESPACE);
  });
  it('refuses what is not there', () => {
    expect(get(0x0c).status).toBe(INVALID_FIELD);
    expect(get(0x01, 0, 4).status).toBe(INVALID_FIELD);
    expect(set(0x7f, 0).status).toBe(INVALID_FIELD);
  });
});

describe('Get Log Page (5.14)', () => {
  const log = (
    rig: Rig,
    page: number,
    length: number,
    over: { offset?: number; flags?: number; nsid?: number } = {},
  ) =>
    ask(
      rig,
      {
        opcode: 0x02,
        nsid: over.nsid ?? 0xffff_ffff,
        cdw10: (((length / 4 - 1) << 16) | page | (over.flags ?? 0)) >>> 0,
        cdw12: over.offset ?? 0,
      },
      length,
    );

  it('SMART counts in thousands of 512-byte units (figure 194)', () => {
    const rig = nvmeRig();
    const pages = rig.pages(2);
    for (let i = 0; i < 250; i++)
      rig.driver.ioCommand(1, { opcode: 1, nsid: 1, prp1: pages, prp2: pages + PAGE, cdw10: i, cdw12: 15 });
    rig.driver.ioCommand(1, { opcode: 2, nsid: 1, prp1: pages, cdw12: 0 });
    const { status, data } = log(rig, 2, 512);
    expect(status).toBe(OK);
    expect(le(data, 1, 2)).toBe(310);
    expect(le(data, 48, 8)).toBe(4);
    expect(le(data, 32, 8)).toBe(1);
    expect(le(data, 64, 8)).toBe(1);
    expect(le(data, 80, 8)).toBe(250);
  });

  it('Error Information has the newest entry first, 64 of them (figure 192)', () => {
    const rig = nvmeRig();
    for (let i = 0; i < 70; i++)
      rig.driver.ioCommand(1, { opcode: 2, nsid: 1, cdw10: 0xffff_ff00, cdw12: i });
    const { status, data } = log(rig, 1, 4096);
    expect(status).toBe(OK);
    expect(le(data, 0, 8)).toBe(70);
    expect(le(data, 63 * 64, 8)).toBe(7);
    expect(le(data, 8, 2)).toBe(1);
    expect(le(data, 12, 2) >> 1).toBe(0x4080);
    expect(le(data, 16, 8)).toBe(0xffff_ff00);
    expect(le(data, 24, 4)).toBe(1);
  });

  it('gives a part from an offset, and zeroes behind the end', () => {
    const rig = nvmeRig();
    const whole = log(rig, 3, 512).data;
    expect(whole[0]).toBe(1);
    expect(text(whole, 8, 8)).toBe('1.0     ');
    expect([...log(rig, 3, 8, { offset: 8 }).data]).toEqual([...whole.subarray(8, 16)]);
    expect(
      log(rig, 3, 64, { offset: 480 })
        .data.subarray(32)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(log(rig, 3, 8, { offset: 516 }).status).toBe(INVALID_FIELD);
    expect(log(rig, 3, 8, { offset: 2 }).status).toBe(INVALID_FIELD);
  });

  it('Commands Supported and Effects names every command that is there (figure 201)', () => {
    const rig = nvmeRig();
    const { data } = log(rig, 5, 4096);
    const supported = (from: number) =>
      Array.from({ length: 256 }, (_, i) => i).filter((i) => data[from + i * 4]! & 1);
    expect(supported(0)).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 0x80]);
    expect(supported(1024)).toEqual([0, 1, 2, 5, 8, 9]);
  });

  it('takes more than a page, through a list', () => {
    const rig = nvmeRig();
    const pages = rig.pages(4);
    const list = rig.pages(1);
    for (let i = 1; i < 4; i++) rig.host.memory.write64(list + (i - 1) * 8, pages + i * PAGE);
    rig.bytes(pages, 4 * PAGE).fill(0xcc);
    const dwords = (4 * PAGE) / 4 - 1;
    const got = rig.driver.adminCommand({
      opcode: 2,
      nsid: 0xffff_ffff,
      prp1: pages,
      prp2: list,
      cdw10: (dwords << 16) | 5,
    });
    expect(got.status).toBe(OK);
    expect(rig.bytes(pages + PAGE, 3 * PAGE).every((byte) => byte === 0)).toBe(true);
  });

  it('refuses other pages and namespaces', () => {
    const rig = nvmeRig();
    expect(log(rig, 0x0d, 512).status).toBe(0x109);
    expect(log(rig, 1, 512, { nsid: 1 }).status).toBe(INVALID_FIELD);
    expect(log(rig, 2, 512, { nsid: 9 }).status).toBe(INVALID_NAMESPACE);
  });
});

describe('asynchronous events and Abort (5.1, 5.2)', () => {
  /** Event requests with identifiers 100, 101, ... */
  const rigWithAdmin = () => {
    const rig = nvmeRig();
    const sq = rig.host.memory;
    const state = rig.inspect().submissionQueues[0]!;
    let tail = state.tail;
    const base = (
      rig.driver as unknown as {
        admin: { sq: number; cq: number; head: number; phase: number; tail: number };
      }
    ).admin;
    const request = (commandId: number) => {
      for (let i = 0; i < 16; i++) sq.write32(base.sq + tail * 64 + i * 4, 0);
      sq.write32(base.sq + tail * 64, 0x0c | (commandId << 16));
      tail = (tail + 1) % 32;
      base.tail = tail;
      rig.machine.write32(0, 0x1000, tail);
    };
    /** The next admin completion. */
    const next = () => {
      const dw3 = sq.read32(base.cq + base.head * 16 + 12);
      if (((dw3 >>> 16) & 1) !== base.phase) return null;
      const result = sq.read32(base.cq + base.head * 16);
      base.head++;
      rig.machine.write32(0, 0x1004, base.head);
      return { commandId: dw3 & 0xffff, status: (dw3 >>> 17) & 0x7ff, result };
    };
    return { rig, request, next };
  };

  it('holds four requests, no fifth', () => {
    const { rig, request, next } = rigWithAdmin();
    for (let i = 0; i < 4; i++) request(100 + i);
    expect(next()).toBeNull();
    request(104);
    expect(next()).toEqual({ commandId: 104, status: 0x105, result: 0 });
    expect(leaks(rig.inspect())).toEqual([]);
    request(100);
    expect(next()).toMatchObject({ commandId: 100, status: 0x003 });
  });

  it('tells of a threshold that was passed, once, until SMART is read', () => {
    const { rig, request, next } = rigWithAdmin();
    request(100);
    request(101);
    rig.driver.adminCommand({ opcode: 0x09, cdw10: 0x0b, cdw11: 2 });
    const interrupts = rig.host.interrupts[0]!;
    const threshold = (kelvin: number) => {
      // By hand: the driver's own wait would meet the event first.
      const admin = (rig.driver as unknown as { admin: { sq: number; tail: number } }).admin;
      const at = admin.sq + admin.tail * 64;
      for (let i = 0; i < 16; i++) rig.host.memory.write32(at + i * 4, 0);
      rig.host.memory.write32(at, 0x09 | (200 << 16));
      rig.host.memory.write32(at + 40, 4);
      rig.host.memory.write32(at + 44, kelvin);
      admin.tail = (admin.tail + 1) % 32;
      rig.machine.write32(0, 0x1000, admin.tail);
    };
    threshold(300);
    expect([next(), next()]).toEqual([
      { commandId: 200, status: 0, result: 0 },
      // SMART, temperature threshold, log page 02h.
      { commandId: 100, status: 0, result: 0x02_01_01 },
    ]);
    expect(rig.host.interrupts[0]).toBeGreaterThan(interrupts);
    expect(rig.inspect().counters.criticalWarning).toBe(2);
    threshold(343);
    threshold(300);
    expect([next(), next(), next()]).toMatchObject([{ commandId: 200 }, { commandId: 200 }, null]);
    expect(leaks(rig.inspect())).toEqual([]);
  });

  it('aborts a held request, and says when there is nothing to abort', () => {
    const { rig, request, next } = rigWithAdmin();
    request(100);
    const admin = (rig.driver as unknown as { admin: { sq: number; tail: number } }).admin;
    const abort = (sq: number, commandId: number) => {
      const at = admin.sq + admin.tail * 64;
      for (let i = 0; i < 16; i++) rig.host.memory.write32(at + i * 4, 0);
      rig.host.memory.write32(at, 0x08 | (300 << 16));
      rig.host.memory.write32(at + 40, (commandId << 16) | sq);
      admin.tail = (admin.tail + 1) % 32;
      rig.machine.write32(0, 0x1000, admin.tail);
    };
    abort(0, 100);
    expect([next(), next()]).toEqual([
      { commandId: 100, status: 0x007, result: 0 },
      { commandId: 300, status: 0, result: 0 },
    ]);
    abort(1, 5);
    expect(next()).toEqual({ commandId: 300, status: 0, result: 1 });
    expect(leaks(rig.inspect())).toEqual([]);
  });
});

describe('Format NVM (5.23)', () => {
  it('changes the block size and forgets the content', () => {
    const rig = nvmeRig();
    const page = rig.pages(1);
    rig.bytes(page, PAGE).fill(7);
    rig.driver.ioCommand(1, { opcode: 1, nsid: 1, prp1: page, cdw12: 7 });
    expect(rig.driver.adminCommand({ opcode: 0x80, nsid: 1, cdw10: 1 }).status).toBe(OK);
    expect(rig.inspect().namespace).toMatchObject({ blockSize: 4096, blocks: 4096 });
    expect(ask(rig, { opcode: 0x06, nsid: 1, cdw10: 0 }).data[26]).toBe(1);
    expect(rig.driver.ioCommand(1, { opcode: 2, nsid: 1, prp1: page, cdw12: 0 }).status).toBe(OK);
    expect(rig.bytes(page, PAGE).every((byte) => byte === 0)).toBe(true);
    expect(rig.driver.ioCommand(1, { opcode: 2, nsid: 1, prp1: page, cdw10: 4096 }).status).toBe(0x080);
    expect(rig.driver.adminCommand({ opcode: 0x80, nsid: 0xffff_ffff, cdw10: 1 << 9 }).status).toBe(OK);
    expect(rig.inspect().namespace.blockSize).toBe(512);
  });

  it('refuses formats, protection and erasing that are not there', () => {
    const rig = nvmeRig();
    const format = (cdw10: number, nsid = 1) => rig.driver.adminCommand({ opcode: 0x80, nsid, cdw10 }).status;
    expect(format(2)).toBe(0x10a);
    expect(format(1 << 5)).toBe(0x10a);
    expect(format(2 << 9)).toBe(INVALID_FIELD);
    expect(format(0, 2)).toBe(INVALID_NAMESPACE);
  });
});

it('refuses every opcode that it does not list', () => {
  const rig = nvmeRig();
  const known = new Set([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 0x80]);
  for (let opcode = 0; opcode < 256; opcode++) {
    if (!known.has(opcode)) expect(rig.driver.adminCommand({ opcode }).status).toBe(INVALID_OPCODE);
  }
  // SGLs and fused commands.
  expect(rig.driver.adminCommand({ opcode: 0x06 | 0x4000, cdw10: 1 }).status).toBe(INVALID_FIELD);
  expect(rig.driver.adminCommand({ opcode: 0x06 | 0x0100, cdw10: 1 }).status).toBe(INVALID_FIELD);
  expect(leaks(rig.inspect())).toEqual([]);
});
