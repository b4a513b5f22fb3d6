// NVMe 1.4, 3.1 and 7.6: registers, the CC/CSTS state machine, doorbells, and drivers that get it wrong.
import { describe, expect, it } from 'vitest';
import { FakeMachine } from '../testing/fake-bus.ts';
import { defaultWorkload } from '../testing/initiator.ts';
import { FileLikeBackend } from '../testing/memory-backend.ts';
import { NvmeInitiator } from '../testing/nvme-initiator.ts';
import { leaks, nvmeRig, prps } from '../testing/nvme-rig.ts';
import { nvmeModel } from './model.ts';

const CC = 0x14;
const CSTS = 0x1c;
const ENABLE = 0x0046_0001;

/** A controller that no driver has touched, with an admin queue ready to be enabled. */
function fresh() {
  const machine = new FakeMachine(nvmeModel, { size: '16MiB' });
  const asq = machine.allocatePages(2);
  machine.write32(0, 0x24, 0x000f_000f);
  machine.write64(0, 0x28, asq % 2 ** 32, Math.floor(asq / 2 ** 32));
  machine.write64(0, 0x30, (asq + 4096) % 2 ** 32, Math.floor(asq / 2 ** 32));
  const notes = (level: string) =>
    machine.host.notes.filter((note) => note.level === level).map((note) => note.text);
  return { machine, asq, notes, csts: () => machine.read32(0, CSTS) };
}

describe('a driver that does it right', () => {
  for (const options of [{ lbaSize: '512' }, { lbaSize: '4096' }, { ioQueues: 1 }]) {
    it(`does verified traffic and shuts down: ${JSON.stringify(options)}`, () => {
      const machine = new FakeMachine(nvmeModel, { size: '16MiB', ...options });
      const driver = new NvmeInitiator(machine);
      driver.probe();
      expect(driver.blocks * driver.blockSize).toBe(16 * 2 ** 20);
      driver.runWorkload(
        { ...defaultWorkload, rate: () => 0, queueDepth: 16, readPercent: 50 },
        () => driver.progress.operations >= 1500,
      );
      expect(driver.progress).toMatchObject({ errors: 0, lastError: '' });
      expect(leaks(machine.device.inspect!() as never)).toEqual([]);
      driver.remove();
      expect(driver.progress.lastError).toBe('');
      expect(machine.read32(0, CSTS)).toBe(1 | 8);
      expect(machine.host.notes).toEqual([]);
    });
  }

  it('comes up again after a shutdown, a reset by register, and a function level reset', () => {
    const machine = new FakeMachine(nvmeModel, { size: '16MiB' });
    for (let i = 0; i < 20; i++) {
      const driver = new NvmeInitiator(machine);
      driver.probe();
      driver.runWorkload({ ...defaultWorkload, rate: () => 0 }, () => driver.progress.operations >= 20);
      expect(driver.progress.errors).toBe(0);
      if (i % 3 === 0) driver.remove();
      if (i % 3 === 1) machine.device.reset!('flr');
    }
    expect(machine.host.notes).toEqual([]);
  });

  it('gives every buffer back that it took', () => {
    const machine = new FakeMachine(nvmeModel, { size: '16MiB' });
    const before = machine.host.dma.live.size;
    const driver = new NvmeInitiator(machine);
    driver.probe();
    driver.remove();
    machine.write32(0, CC, 0);
    expect(machine.host.dma.live.size).toBe(before);
  });
});

describe('power-on (3.1)', () => {
  it('shows CAP, VS and CSTS; they stay when they are written', () => {
    const { machine, notes } = fresh();
    // MQES 1023, CQR, TO 20 s, NVM command set, pages of 4 to 64 KiB.
    expect(machine.host.bars.read64(0, 0)).toBe(0x0040_0020_2801_03ffn);
    expect(machine.read32(0, 8)).toBe(0x0001_0400);
    expect(machine.read32(0, CSTS)).toBe(0);
    machine.write64(0, 0, 0, 0);
    machine.write32(0, 8, 0xffff_ffff);
    machine.write32(0, CSTS, 0xff);
    expect(machine.host.bars.read64(0, 0)).toBe(0x0040_0020_2801_03ffn);
    expect(machine.read32(0, 8)).toBe(0x0001_0400);
    expect(machine.read32(0, CSTS)).toBe(0);
    expect(notes('undefined-behaviour')).toHaveLength(3);
  });

  it('keeps reserved bits of AQA, ASQ and CC at zero', () => {
    const { machine } = fresh();
    machine.write32(0, 0x24, 0xffff_ffff);
    machine.write64(0, 0x28, 0xffff_ffff, 0xffff_ffff);
    machine.write32(0, CC, 0xff00_000e);
    expect(machine.read32(0, 0x24)).toBe(0x0fff_0fff);
    expect(machine.host.bars.read64(0, 0x28)).toBe(0xffff_ffff_ffff_f000n);
    expect(machine.read32(0, CC)).toBe(0);
  });

  it('takes ASQ in two halves, in either order', () => {
    const { machine, csts, asq } = fresh();
    machine.write32(0, 0x2c, Math.floor(asq / 2 ** 32));
    machine.write32(0, 0x28, asq % 2 ** 32);
    machine.write32(0, CC, ENABLE);
    expect(csts()).toBe(1);
  });
});

describe('enabling (3.1.5)', () => {
  it('is ready at once, and not ready after EN is cleared', () => {
    const { machine, csts } = fresh();
    machine.write32(0, CC, ENABLE);
    expect(csts()).toBe(1);
    machine.write32(0, CC, ENABLE & ~1);
    expect(csts()).toBe(0);
    // The admin queue registers outlive a controller reset (7.3.2).
    expect(machine.read32(0, 0x24)).toBe(0x000f_000f);
    machine.write32(0, CC, ENABLE);
    expect(csts()).toBe(1);
  });

  it.each([
    ['a command set that is not there', (m: FakeMachine) => m.write32(0, CC, ENABLE | (1 << 4))],
    ['weighted round robin', (m: FakeMachine) => m.write32(0, CC, ENABLE | (1 << 11))],
    ['pages of 128 KiB', (m: FakeMachine) => m.write32(0, CC, ENABLE | (5 << 7))],
    [
      'an admin queue of one entry',
      (m: FakeMachine) => {
        m.write32(0, 0x24, 0x000f_0000);
        m.write32(0, CC, ENABLE);
      },
    ],
    [
      'no admin queue',
      (m: FakeMachine) => {
        m.write64(0, 0x28, 0, 0);
        m.write32(0, CC, ENABLE);
      },
    ],
    [
      'an admin queue that is not aligned to 64 KiB pages',
      (m: FakeMachine) => {
        m.write64(0, 0x28, 0x1000, 1);
        m.write32(0, CC, ENABLE | (4 << 7));
      },
    ],
  ])('with %s is a fatal error, until it is reset', (_what, act) => {
    const { machine, csts, notes } = fresh();
    act(machine);
    expect(csts()).toBe(2);
    expect(notes('error')).toHaveLength(1);
    machine.write32(0, 0x1000, 1);
    expect(csts()).toBe(2);
    machine.write32(0, CC, 0);
    expect(csts()).toBe(0);
  });

  it('notes what may not change while it is enabled', () => {
    const { machine, notes } = fresh();
    machine.write32(0, CC, ENABLE);
    machine.write32(0, CC, ENABLE | (1 << 7));
    machine.write32(0, 0x24, 0x001f_001f);
    machine.write32(0, 0x28, 0x2000);
    expect(notes('undefined-behaviour')).toHaveLength(3);
  });

  it('an admin queue that cannot be reached is fatal', () => {
    const { machine, csts, notes } = fresh();
    machine.write64(0, 0x28, 0, 0x7000);
    machine.write32(0, CC, ENABLE);
    machine.write32(0, 0x1000, 1);
    expect(csts()).toBe(3);
    expect(notes('error')[0]).toMatch(
      /submission queue .* cannot be reached: not memory that the driver mapped/,
    );
  });

  it('a completion queue that cannot be reached is fatal', () => {
    const { machine, csts, notes } = fresh();
    machine.write64(0, 0x30, 0, 0x7000);
    machine.write32(0, CC, ENABLE);
    machine.write32(0, 0x1000, 1);
    expect(csts()).toBe(3);
    expect(notes('error')[0]).toMatch(/completion queue/);
  });
});

describe('shutdown (3.1.5, 3.1.6)', () => {
  it.each([
    ['normal', 1, 0],
    ['abrupt', 2, 1],
  ])('%s: flushes, then says that it is complete', (_name, shn, unsafe) => {
    const backend = new FileLikeBackend(16 * 2 ** 20);
    const rig = nvmeRig({}, (host) => {
      host.backend = backend;
    });
    rig.machine.write32(0, CC, ENABLE | (shn << 14));
    expect(rig.machine.read32(0, CSTS)).toBe(1 | 8);
    expect(backend.flushes).toBe(1);
    expect(rig.inspect().counters.unsafeShutdowns).toBe(unsafe);
    rig.machine.write32(0, CC, 0);
    expect(rig.machine.read32(0, CSTS)).toBe(0);
  });
});

describe('interrupt masks (3.1.3, 3.1.4)', () => {
  it('hold an interrupt back until they are cleared; both registers show the mask', () => {
    const rig = nvmeRig();
    const queue = rig.rawQueue(1, 16);
    const page = rig.pages(1);
    const { interrupts } = rig.host;
    rig.machine.write32(0, 0x0c, 0b10);
    rig.machine.write32(0, 0x0c, 0b100);
    expect([rig.machine.read32(0, 0x0c), rig.machine.read32(0, 0x10)]).toEqual([6, 6]);
    const before = interrupts[1] ?? 0;
    queue.put([2, 1, 0, 0, 0, 0, ...prps(page, 0), 0, 0, 0]);
    queue.ring();
    expect(interrupts[1] ?? 0).toBe(before);
    rig.machine.write32(0, 0x10, 0b10);
    expect(interrupts[1]).toBe(before + 1);
    expect([rig.machine.read32(0, 0x0c), rig.machine.read32(0, 0x10)]).toEqual([4, 4]);
  });
});

it('an interrupt is served by the head doorbell of a queue that has it, and by nothing else', () => {
  const rig = nvmeRig();
  const { served } = rig.machine.host;
  served.length = 0;
  const page = rig.pages(1);
  expect(rig.driver.ioCommand(1, { opcode: 2, nsid: 1, prp1: page }).status).toBe(0);
  expect(served).toEqual([1]);
  // It holds that already.
  rig.machine.write32(0, 0x1004, 0xffff);
  expect(served).toEqual([1]);
});

describe('doorbells that are rung wrong (5.2, figure 147)', () => {
  const SQ1 = 0x1008;
  const CQ1 = 0x100c;
  it.each([
    ['a queue that does not exist', 0x1000 + 9 * 8, 1, /SQ9TDBL rung with 1: there is no such queue/],
    ['a completion queue that does not exist', 0x1000 + 9 * 8 + 4, 1, /CQ9HDBL .* no such queue/],
    ['a tail beyond the queue', SQ1, 128, /SQ1TDBL rung with 128: the queue has 128 entries/],
    ['the same tail again', SQ1, 0, /SQ1TDBL rung with 0: it holds that value already/],
    ['a head beyond the queue', CQ1, 200, /CQ1HDBL .* 128 entries/],
    ['a head beyond the last completion', CQ1, 3, /CQ1HDBL .* beyond the last completion/],
    ['the same head again', CQ1, 0, /CQ1HDBL .* already/],
  ])('%s', (_what, offset, value, text) => {
    const rig = nvmeRig();
    rig.machine.write32(0, offset, value);
    expect(rig.undefinedBehaviour()).toEqual([expect.stringMatching(text)]);
    expect(rig.inspect().enabled).toBe(true);
    expect(rig.inspect().counters.errorLogEntries).toBe(1);
    // The queue works as before.
    const page = rig.pages(1);
    expect(rig.driver.ioCommand(1, { opcode: 2, nsid: 1, prp1: page }).status).toBe(0);
  });

  it('sends an Error event to a driver that asked for one, with the reason', () => {
    const rig = nvmeRig();
    const admin = (rig.driver as unknown as { admin: { sq: number; cq: number; head: number; tail: number } })
      .admin;
    rig.host.memory.write32(admin.sq + admin.tail * 64, 0x0c | (77 << 16));
    rig.machine.write32(0, 0x1000, admin.tail + 1);
    rig.machine.write32(0, 0x1000 + 9 * 8, 1);
    const at = admin.cq + admin.head * 16;
    // Type 0, information 0 (invalid doorbell register), log page 01h.
    expect(rig.host.memory.read32(at)).toBe(0x01_00_00);
    expect(rig.host.memory.read32(at + 12) & 0xffff).toBe(77);
  });

  it.each([
    [1, 0x1008],
    [2, 0x1008],
    [8, 0x1008],
    [4, 0x100a],
  ])('%i bytes at 0x%s', (width, offset) => {
    const rig = nvmeRig();
    rig.machine.access(0, offset, width, 1, 0);
    expect(rig.undefinedBehaviour()).toEqual([expect.stringMatching(/4 aligned bytes/)]);
  });

  it('before the controller is enabled', () => {
    const { machine, notes } = fresh();
    machine.write32(0, 0x1000, 1);
    expect(notes('undefined-behaviour')).toEqual([expect.stringMatching(/not enabled/)]);
  });
});

it('survives random writes all over the BAR', () => {
  const rig = nvmeRig({ size: '1MiB' });
  let state = 12345;
  const next = (n: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  for (let i = 0; i < 20_000; i++) {
    const width = [1, 2, 4, 8][next(4)]!;
    const offset = next(8) === 0 ? next(0x4000 / width) * width : next(0x60 / width) * width;
    const value = [0, 1, 0xffff_ffff, next(2 ** 24), 0x0046_0001, 0x0046_4001][next(6)]!;
    rig.machine.access(0, offset, width, value, next(2) * next(2 ** 24));
  }
  rig.machine.write32(0, CC, 0);
  expect(rig.machine.read32(0, CSTS)).toBe(0);
  expect(rig.machine.host.bars.read64(0, 0)).toBe(0x0040_0020_2801_03ffn);
  const driver = new NvmeInitiator(rig.machine);
  driver.probe();
  expect(driver.blocks).toBe(2048);
});

it('is in a fatal state when bus mastering is turned off under a command, once', () => {
  const rig = nvmeRig();
  const queue = rig.rawQueue(1, 32);
  const page = rig.pages(1);
  for (let i = 0; i < 20; i++) queue.put([2 | (i << 16), 1, 0, 0, 0, 0, ...prps(page, 0), 0, 0, 7]);
  let steps = 0;
  rig.host.dma.onStep = () => {
    // The entries are fetched, some data is moved.
    if (++steps === 6) rig.host.dma.busMaster = false;
  };
  queue.ring();
  expect(rig.machine.read32(0, CSTS)).toBe(3);
  expect(rig.host.notes).toEqual([
    {
      level: 'error',
      text: expect.stringMatching(/memory at 0x[0-9a-f]+ cannot be reached: bus mastering is off/),
    },
  ]);
  rig.host.dma.onStep = null;
  rig.host.dma.busMaster = true;
  const driver = new NvmeInitiator(rig.machine);
  driver.probe();
  expect(driver.ioQueues).toBe(4);
});

it('goes on after the host took the device off the bus in the middle of it', () => {
  const rig = nvmeRig();
  const queue = rig.rawQueue(1, 16);
  const page = rig.pages(1);
  for (let i = 0; i < 5; i++) queue.put([2 | (i << 16), 1, 0, 0, 0, 0, ...prps(page, 0), 0, 0, 7]);
  rig.host.dma.gone = true;
  queue.ring();
  expect(rig.machine.read32(0, CSTS) & 2).toBe(2);
  rig.machine.device.powerOff!();
});

describe('the model', () => {
  it('refuses an image that is no multiple of the block size, and says which are', () => {
    expect(
      () =>
        new FakeMachine(nvmeModel, { image: 'disk.img', lbaSize: '4096' }, (host) => {
          host.backend = new FileLikeBackend(1_000_448);
        }),
    ).toThrow(/1000448 bytes, which is no multiple of the block size; accepted are multiples of 4096/);
  });

  it('describes registers that fit, and a vector for every queue', () => {
    const machine = new FakeMachine(nvmeModel, { ioQueues: 3 });
    const { bars, vectorNames, capabilities } = machine.description;
    expect(vectorNames).toEqual(['Admin queue', 'I/O queue 1', 'I/O queue 2', 'I/O queue 3']);
    expect(capabilities.find(({ kind }) => kind === 'msix')).toMatchObject({ vectors: 4 });
    const names = bars[0]!.registers.map(({ name }) => name);
    for (const name of ['CAP', 'CC', 'SQ0TDBL', 'CQ0HDBL', 'SQ3TDBL', 'CQ3HDBL', 'MSIX3_CONTROL', 'PBA0'])
      expect(names).toContain(name);
    expect(names).not.toContain('SQ4TDBL');
    expect(new Set(names).size).toBe(names.length);
  });

  it('gives two disks in memory different serial numbers, one image always the same', () => {
    const serial = (image: string, time: number) => {
      const machine = new FakeMachine(nvmeModel, { image, size: '1MiB' }, (host) => host.clock.advance(time));
      return (machine.device.inspect!() as { serial: string }).serial;
    };
    expect(serial('', 1)).not.toBe(serial('', 2));
    expect(serial('a.img', 1)).toBe(serial('a.img', 2));
    expect(serial('a.img', 1)).not.toBe(serial('b.img', 1));
  });
});
