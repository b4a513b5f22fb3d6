import { describe, expect, it } from 'vitest';
import { registerTableError } from '../sdk/register-file.ts';
import { blit, clear, drawLine, nop, ProtoPciemRig, record } from '../testing/protopciem-rig.ts';
import { edid } from './edid.ts';
import { protopciemModel } from './model.ts';
import { BAR_SIZE, cardRegisters, Failure, Irq, Register } from './registers.ts';

const DONE = 2;
const FAILED = 6;
const FRAME = 640 * 480 * 3;

describe('the card', () => {
  it('is what drivers of the reference look for', () => {
    const { identity, bars, capabilities } = protopciemModel.describe({ preferredMode: '1280x720' });
    expect([identity.vendorId, identity.deviceId, identity.classCode]).toEqual([0x1f0c, 1, 0x0b0000]);
    expect(
      bars.map(({ index, size, memory64, prefetchable }) => [index, size, memory64, prefetchable]),
    ).toEqual([
      [0, 65536, true, false],
      [2, 1048576, true, true],
    ]);
    expect(capabilities).toContainEqual({ kind: 'msi', vectors: 1, address64: true, masking: true });
  });

  it('has a register table without overlaps', () => {
    expect(registerTableError(cardRegisters('1280x720'), BAR_SIZE)).toBeNull();
  });

  it.each([
    ['VERSION', Register.VERSION, 0x0001_0000],
    ['CAPS', Register.CAPS, 0x7f],
    ['MAX_SIZE', Register.MAX_SIZE, 1920 | (1080 << 16)],
    ['FORMATS', Register.FORMATS, 0xf],
    ['FRAME_COUNT', Register.FRAME_COUNT, 0],
    ['RING_HEAD', Register.RING_HEAD, 0],
    ['FENCE', Register.FENCE, 0],
    ['VSYNC_COUNT', Register.VSYNC_COUNT, 0],
    ['DAMAGE_COUNT', Register.DAMAGE_COUNT, 0],
    ['ERROR', Register.ERROR, 0],
    ['ERROR_INFO', Register.ERROR_INFO, 0],
  ])('%s says what it is, and keeps that', (_, offset, value) => {
    const rig = new ProtoPciemRig();
    expect(rig.read(offset)).toBe(value);
    rig.write(offset, 0xffff_ffff);
    expect(rig.read(offset)).toBe(value);
  });

  it('shows the EDID of the preferred mode', () => {
    const rig = new ProtoPciemRig({ preferredMode: '1920x1080' });
    const words = Array.from({ length: 32 }, (_, i) => rig.read(Register.EDID + i * 4));
    expect([...new Uint8Array(Uint32Array.from(words).buffer)]).toEqual([...edid('1920x1080')]);
  });
});

it('says that it is one of the first cards, when it is to, and works as they do', () => {
  const rig = new ProtoPciemRig({ generation: 'first' });
  expect([rig.read(Register.VERSION), rig.read(Register.CAPS)]).toEqual([0, 0]);
  expect(rig.command(1, { data: 4 })).toBe(DONE);
  expect(rig.interrupts).toBe(1);
  // A reset does not change what it is.
  rig.write(0x00, 2);
  expect(rig.read(Register.VERSION)).toBe(0);
});

describe('the arithmetic commands', () => {
  it.each([
    ['ADD', 1, 0xffff_ffff, 0x1_ffff_fffen],
    ['MULTIPLY', 2, 0xffff_ffff, 0xffff_fffe_0000_0001n],
    ['MULTIPLY', 2, 0x1234_5678, 0x1234_5678n * 0x1234_5678n],
    ['MULTIPLY', 2, 0xfedc_ba98, 0xfedc_ba98n * 0xfedc_ba98n],
    ['XOR', 3, 0x0f0f_1234, 0xf0f0_edcbn],
  ])('%s', (_, code, data, result) => {
    const rig = new ProtoPciemRig();
    expect(rig.command(code, { data })).toBe(DONE);
    expect(rig.result()).toBe(result);
    expect(rig.read(0x08)).toBe(0);
    expect(rig.interrupts).toBe(1);
  });

  it('what is no command fails, and the next one works', () => {
    const rig = new ProtoPciemRig();
    expect(rig.command(9, { data: 5 })).toBe(FAILED);
    expect(rig.errors).toMatchObject({ code: Failure.UNKNOWN_COMMAND, info: 9 });
    expect(rig.result()).toBe(0n);
    expect(rig.interrupts).toBe(1);
    expect(rig.command(1, { data: 5 })).toBe(DONE);
    expect(rig.result()).toBe(10n);
  });

  it('a write of 0 to CMD starts nothing', () => {
    const rig = new ProtoPciemRig();
    rig.write(0x08, 0);
    expect([rig.read(0x04), rig.interrupts]).toEqual([0, 0]);
  });

  it('STATUS is cleared by writing it', () => {
    const rig = new ProtoPciemRig();
    rig.command(1);
    rig.write(0x04, 0);
    expect(rig.read(0x04)).toBe(0);
  });

  it('PROCESS_BUFFER inverts host memory', () => {
    const rig = new ProtoPciemRig();
    const source = rig.place([0, 1, 0xff, 0x5a]);
    const destination = rig.place([7, 7, 7, 7, 7]);
    expect(rig.command(4, { source, destination, length: 4 })).toBe(DONE);
    expect([...rig.machine.host.memory.slice(destination, 5)]).toEqual([0xff, 0xfe, 0, 0xa5, 7]);
    expect(rig.result()).toBe(4n);
    expect(rig.command(4, { length: 0 })).toBe(DONE);
    expect(rig.result()).toBe(0n);
    expect(rig.command(4, { source, destination: 0x10, length: 4 })).toBe(FAILED);
    expect(rig.command(4, { source, destination, length: 2 ** 22 + 1 })).toBe(FAILED);
  });

  it('moves bytes between the data buffer and another device', () => {
    const rig = new ProtoPciemRig();
    const { dma, bars } = rig.machine.host;
    dma.peerMemory.set([1, 2, 3, 4], 8);
    expect(rig.command(7, { source: dma.peerBase + 8, destination: 0x40, length: 4 })).toBe(DONE);
    expect(bars.read32(2, 0x40)).toBe(0x0403_0201);
    expect(rig.command(8, { source: 0x42, destination: dma.peerBase + 100, length: 2 })).toBe(DONE);
    expect([...dma.peerMemory.subarray(99, 103)]).toEqual([0, 3, 4, 0]);
    expect(rig.command(7, { source: dma.peerBase, destination: 0xf_fffc, length: 5 })).toBe(FAILED);
    expect(rig.errors.code).toBe(Failure.BAD_LENGTH);
    expect(rig.command(8, { source: 0, destination: 0x1000, length: 4 })).toBe(FAILED);
    expect(rig.errors.code).toBe(Failure.DMA_REFUSED);
  });
});

describe('command buffers', () => {
  it('CLEAR, DRAW_LINE and BLIT_RECT draw; NOP does not', () => {
    const rig = new ProtoPciemRig();
    const status = rig.execute(
      nop(),
      clear(1, 2, 3),
      drawLine([10, 10], [13, 12], [255, 0, 0]),
      blit(100, 50, 2, 2, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]),
    );
    expect(status).toBe(DONE);
    expect(rig.pixel(0, 0)).toBe('010203');
    expect(rig.pixel(639, 479)).toBe('010203');
    expect([rig.pixel(10, 10), rig.pixel(13, 12), rig.pixel(14, 12)]).toEqual(['ff0000', 'ff0000', '010203']);
    expect([rig.pixel(100, 50), rig.pixel(101, 50), rig.pixel(100, 51), rig.pixel(101, 51)]).toEqual([
      '010101',
      '020202',
      '030303',
      '040404',
    ]);
    expect(rig.read(Register.FRAME_COUNT)).toBe(1);
    expect(rig.interrupts).toBe(1);
  });

  it('draws lines in all directions, both ends, as Bresenham does', () => {
    const rig = new ProtoPciemRig();
    const ends: [number, number][] = [
      [20, 0],
      [20, 5],
      [20, 20],
      [5, 20],
      [0, 20],
      [0, 0],
      [0, 5],
      [5, 0],
      [10, 10],
    ];
    for (const end of ends) {
      rig.execute(clear(0, 0, 0), drawLine([10, 10], end, [9, 9, 9]));
      let count = 0;
      for (let y = 0; y <= 20; y++) for (let x = 0; x <= 20; x++) if (rig.pixel(x, y) === '090909') count++;
      expect(count).toBe(Math.max(Math.abs(end[0] - 10), Math.abs(end[1] - 10)) + 1);
      expect([rig.pixel(10, 10), rig.pixel(...end)]).toEqual(['090909', '090909']);
    }
  });

  it('what is outside the picture is left out', () => {
    const rig = new ProtoPciemRig();
    const wide = blit(
      638,
      479,
      4,
      2,
      Array.from({ length: 24 }, (_, i) => i),
    );
    expect(rig.execute(wide, drawLine([65535, 65535], [639, 0], [1, 1, 1]))).toBe(DONE);
    expect([rig.pixel(638, 479), rig.pixel(639, 479)]).toEqual(['000102', '030405']);
    expect(rig.execute(blit(640, 480, 1, 1, [1, 2, 3, 0]))).toBe(DONE);
  });

  it.each([
    ['an unknown opcode', record(4, []), 12],
    ['a length of 0', record(0, [], 0), 12],
    ['a length less than the header', record(0, [], 7), 12],
    ['a length beyond the buffer', record(0, [], 100), 12],
    ['a CLEAR that is too short', record(1, []), 12],
    ['a line that is too short', record(2, [0, 0, 0, 0]), 12],
    ['a rectangle without its size', record(3, [0, 0, 0, 0]), 12],
    ['a rectangle with too few pixels', blit(0, 0, 2, 2, [1, 2, 3, 4]), 12],
    ['a record that is not aligned', record(0, [0, 0]), 22],
  ])('%s stops the command, not the card', (_, bad, info) => {
    const rig = new ProtoPciemRig();
    expect(rig.execute(clear(5, 5, 5), bad, clear(9, 9, 9))).toBe(FAILED);
    expect(rig.errors).toMatchObject({ code: Failure.MALFORMED_RECORD, info });
    expect(rig.pixel(0, 0)).toBe('050505');
    expect(rig.read(Register.IRQ_STATUS)).toBe(Irq.COMMAND | Irq.ERROR);
    expect(rig.interrupts).toBe(1);
    expect(rig.execute(clear(9, 9, 9))).toBe(DONE);
    expect(rig.pixel(0, 0)).toBe('090909');
  });

  it('bytes at the end that are no header are no record', () => {
    const rig = new ProtoPciemRig();
    expect(rig.execute(nop(), [1, 2, 3, 4])).toBe(DONE);
    expect(rig.execute()).toBe(DONE);
  });

  it('is at most 4 MiB, in memory that the card reaches', () => {
    const rig = new ProtoPciemRig();
    expect(rig.command(5, { source: rig.place([0]), length: 2 ** 22 + 1 })).toBe(FAILED);
    expect(rig.errors.code).toBe(Failure.BAD_LENGTH);
    expect(rig.command(5, { source: 0x100, length: 64 })).toBe(FAILED);
    expect(rig.errors.code).toBe(Failure.DMA_REFUSED);
    expect(rig.command(5, { source: 2 ** 63, length: 64 })).toBe(FAILED);
  });

  it('is listed for people', () => {
    const rig = new ProtoPciemRig();
    rig.execute(clear(1, 2, 255), drawLine([1, 2], [3, 4], [0, 16, 0]), record(77, []));
    expect(rig.machine.device.inspect!()).toMatchObject({
      commandCount: 3,
      failures: 1,
      lastFailure: 'MALFORMED_RECORD',
      commands: [
        { offset: 0, name: 'CLEAR', color: '#0102ff' },
        { offset: 12, name: 'DRAW_LINE', text: '1,2 to 3,4', color: '#001000' },
        { offset: 32, name: 'malformed' },
      ],
    });
  });
});

describe('DMA_FRAME', () => {
  it('is not made of the commands before it', () => {
    const rig = new ProtoPciemRig();
    rig.execute(clear(1, 2, 3));
    expect(rig.machine.device.inspect!()).toMatchObject({ commandCount: 1 });
    rig.command(6, { source: rig.place(new Uint8Array(FRAME)), length: FRAME });
    expect(rig.machine.device.inspect!()).toMatchObject({
      commandCount: 0,
      lastFrame: { source: 'DMA_FRAME', bytes: FRAME },
    });
  });

  it('shows 640 x 480 pixels, R G B', () => {
    const rig = new ProtoPciemRig();
    const frame = new Uint8Array(FRAME);
    frame.set([1, 2, 3], 0);
    frame.set([4, 5, 6], FRAME - 3);
    expect(rig.command(6, { source: rig.place(frame), length: FRAME })).toBe(DONE);
    expect([rig.pixel(0, 0), rig.pixel(1, 0), rig.pixel(639, 479)]).toEqual(['010203', '000000', '040506']);
    expect(rig.interrupts).toBe(1);
  });

  it.each([0, FRAME - 1, FRAME + 1])('refuses %i bytes', (length) => {
    const rig = new ProtoPciemRig();
    expect(rig.command(6, { source: rig.place(new Uint8Array(FRAME)), length })).toBe(FAILED);
    expect(rig.errors).toMatchObject({ code: Failure.BAD_LENGTH, info: length });
    expect(rig.read(Register.FRAME_COUNT)).toBe(0);
  });

  it('fails where memory cannot be reached, and keeps the picture', () => {
    const rig = new ProtoPciemRig();
    rig.execute(clear(7, 7, 7));
    expect(rig.command(6, { source: 0x1000, length: FRAME })).toBe(FAILED);
    expect(rig.errors.code).toBe(Failure.DMA_REFUSED);
    expect(rig.pixel(5, 5)).toBe('070707');
    rig.machine.host.dma.busMaster = false;
    expect(rig.command(6, { source: rig.place(new Uint8Array(FRAME)), length: FRAME })).toBe(FAILED);
  });
});

describe('reset', () => {
  it('by CONTROL: registers, picture and mode as at power-on', () => {
    const rig = new ProtoPciemRig();
    rig.command(1, { data: 5 });
    rig.mode(800, 600, 1, 3200);
    rig.write(Register.PALETTE + 4, 0xff);
    rig.write(0x00, 2);
    expect(rig.read(0x00)).toBe(2);
    rig.write(0x00, 0);
    for (const offset of [
      0x00,
      0x04,
      0x08,
      0x0c,
      0x10,
      0x14,
      0x30,
      Register.IRQ_STATUS,
      Register.MODE_CONTROL,
    ])
      expect(rig.read(offset)).toBe(0);
    expect(rig.read(Register.MODE_PITCH)).toBe(1920);
    expect(rig.read(Register.PALETTE + 4)).toBe(0x01_01_01);
    const { width, height } = rig.machine.host.display!;
    expect([width, height, rig.pixel(0, 0)]).toEqual([640, 480, '000000']);
  });

  it('by the bus', () => {
    const rig = new ProtoPciemRig();
    rig.execute(clear(5, 5, 5));
    rig.write(Register.VSYNC_RATE, 1000);
    rig.write(Register.IRQ_ENABLE, Irq.VSYNC);
    rig.machine.device.reset!('flr');
    rig.machine.host.clock.advance(5e9);
    expect([rig.interrupts, rig.pixel(0, 0), rig.read(Register.IRQ_ENABLE)]).toEqual([1, '000000', 0x11]);
  });
});

describe('interrupts', () => {
  it('status gathers what happened, and writing 1 clears it', () => {
    const rig = new ProtoPciemRig();
    rig.command(99);
    expect(rig.read(Register.IRQ_STATUS)).toBe(Irq.COMMAND | Irq.ERROR);
    expect(rig.machine.host.served).toEqual([]);
    rig.write(Register.IRQ_STATUS, Irq.ERROR);
    expect(rig.machine.host.served).toEqual([0]);
    expect(rig.read(Register.IRQ_STATUS)).toBe(Irq.COMMAND);
    rig.write(Register.IRQ_STATUS, Irq.COMMAND);
    expect(rig.read(Register.IRQ_STATUS)).toBe(0);
  });

  it('what is left after clearing raises again, so that nothing is lost in between', () => {
    const rig = new ProtoPciemRig();
    rig.command(99);
    expect(rig.interrupts).toBe(1);
    rig.write(Register.IRQ_STATUS, Irq.ERROR);
    expect(rig.interrupts).toBe(2);
    rig.write(Register.IRQ_STATUS, Irq.COMMAND);
    expect(rig.interrupts).toBe(2);
  });

  it('what is not enabled is not raised until it is', () => {
    const rig = new ProtoPciemRig();
    rig.write(Register.IRQ_ENABLE, 0);
    rig.command(1);
    expect(rig.interrupts).toBe(0);
    rig.write(Register.IRQ_ENABLE, Irq.COMMAND);
    expect(rig.interrupts).toBe(1);
  });
});

describe('modes', () => {
  const formats = [
    ['RGB24', 0, 3, [0x12, 0x34, 0x56], '123456'],
    ['XRGB8888', 1, 4, [0x56, 0x34, 0x12, 0x99], '123456'],
    ['RGB565', 2, 2, [0xe0, 0xff], 'ffff00'],
    ['PALETTE8', 3, 1, [200], 'abcdef'],
  ] as const;

  it.each(formats)('%s by flip, with a pitch of its own', (_, format, step, bytes, color) => {
    const rig = new ProtoPciemRig();
    const pitch = 1024 * step + 32;
    rig.mode(1024, 500, format, pitch);
    rig.write(Register.PALETTE + 200 * 4, 0xabcdef);
    const picture = new Uint8Array(pitch * 500);
    picture.set(bytes, 3 * pitch + 5 * step);
    rig.write64(Register.SCANOUT_LOW, rig.place(picture));
    rig.write(Register.FLIP, 2);
    expect(rig.pixel(5, 3)).toBe(color);
    expect(rig.pixel(6, 3)).toBe('000000');
    expect(rig.read(Register.IRQ_STATUS)).toBe(Irq.FLIP);
    expect(rig.read(Register.FRAME_COUNT)).toBe(1);
  });

  it.each([
    ['RGB24', 0, 3],
    ['XRGB8888', 1, 4],
  ])('%s: every pixel, whatever the alignment of its row', (_, format, step) => {
    for (const pitch of [40 * step, 40 * step + 1]) {
      const rig = new ProtoPciemRig();
      rig.mode(39, 3, format, pitch);
      const picture = Uint8Array.from({ length: pitch * 3 }, (_, i) => (i * 37) & 0xff);
      rig.write64(Register.SCANOUT_LOW, rig.place(picture));
      rig.write(Register.FLIP, 2);
      const hex = (at: number) => picture[at]!.toString(16).padStart(2, '0');
      for (let y = 0; y < 3; y++) {
        for (let x = 0; x < 39; x++) {
          const at = y * pitch + x * step;
          const [red, blue] = format === 0 ? [at, at + 2] : [at + 2, at];
          expect(rig.pixel(x, y)).toBe(hex(red) + hex(at + 1) + hex(blue));
        }
      }
    }
  });

  it('goes up to 1920 x 1080, and back', () => {
    const rig = new ProtoPciemRig();
    rig.mode(1920, 1080, 1, 7680);
    expect(rig.read(Register.MODE_CONTROL)).toBe(1);
    expect(rig.machine.host.display!.width).toBe(1920);
    rig.write(Register.MODE_CONTROL, 0);
    expect(rig.machine.host.display!.width).toBe(640);
  });

  it.each([
    ['too wide', 1921, 100, 1, 7684],
    ['too high', 100, 1081, 1, 400],
    ['without a row', 100, 0, 1, 400],
    ['without a column', 0, 100, 1, 400],
    ['of an unknown format', 100, 100, 4, 400],
    ['with a pitch less than a row', 100, 100, 1, 399],
    ['with too long a pitch', 100, 100, 1, 16388],
  ])('one that is %s is refused', (_, width, height, format, pitch) => {
    const rig = new ProtoPciemRig();
    rig.mode(width, height, format, pitch);
    expect(rig.read(Register.MODE_CONTROL)).toBe(0);
    expect(rig.errors.code).toBe(Failure.BAD_MODE);
    expect(rig.interrupts).toBe(1);
    expect(rig.machine.host.display!.width).toBe(640);
  });

  it('DMA_FRAME and command buffers use the mode', () => {
    const rig = new ProtoPciemRig();
    rig.mode(100, 50, 1, 400);
    const picture = new Uint8Array(400 * 50).fill(0x80);
    expect(rig.command(6, { source: rig.place(picture), length: 400 * 50 })).toBe(DONE);
    expect(rig.execute(drawLine([99, 49], [99, 49], [1, 2, 3]))).toBe(DONE);
    expect([rig.pixel(0, 0), rig.pixel(99, 49)]).toEqual(['808080', '010203']);
  });
});

describe('damage', () => {
  function damaged(...rectangles: [number, number, number, number][]) {
    const rig = new ProtoPciemRig();
    rig.mode(200, 100, 3, 200);
    rig.write64(Register.SCANOUT_LOW, rig.place(new Uint8Array(200 * 100).fill(9)));
    for (const [x, y, width, height] of rectangles) {
      rig.write(Register.DAMAGE_POSITION, x | (y << 16));
      rig.write(Register.DAMAGE_SIZE, width | (height << 16));
    }
    return rig;
  }

  it('is all that a flip reads, once', () => {
    const rig = damaged([10, 20, 5, 5], [0, 90, 200, 10]);
    expect(rig.read(Register.DAMAGE_COUNT)).toBe(2);
    const { immediate } = rig.machine.host.dma;
    rig.write(Register.FLIP, 2);
    expect(rig.machine.host.dma.immediate - immediate).toBe(2);
    expect([rig.pixel(10, 20), rig.pixel(14, 24), rig.pixel(15, 24), rig.pixel(9, 20)]).toEqual([
      '090909',
      '090909',
      '000000',
      '000000',
    ]);
    expect([rig.pixel(0, 89), rig.pixel(199, 99)]).toEqual(['000000', '090909']);
    expect(rig.read(Register.DAMAGE_COUNT)).toBe(0);
    rig.write(Register.FLIP, 2);
    expect(rig.pixel(0, 0)).toBe('090909');
  });

  it('more rectangles than fit are the whole picture', () => {
    const rig = damaged(...Array.from({ length: 33 }, (): [number, number, number, number] => [0, 0, 1, 1]));
    rig.write(Register.FLIP, 2);
    expect(rig.pixel(100, 50)).toBe('090909');
  });

  it.each([[[199, 0, 2, 1]], [[0, 99, 1, 2]], [[0, 0, 0, 1]], [[65535, 65535, 65535, 65535]]] as [
    [number, number, number, number],
  ][])('%j is refused', (rectangle) => {
    const rig = damaged(rectangle);
    expect(rig.errors.code).toBe(Failure.BAD_DAMAGE);
    expect(rig.interrupts).toBe(1);
    expect(rig.read(Register.DAMAGE_COUNT)).toBe(0);
  });

  it('a flip that cannot read says so, and keeps the picture', () => {
    const rig = damaged([0, 0, 10, 10]);
    rig.write64(Register.SCANOUT_LOW, 0x1000);
    rig.write(Register.FLIP, 2);
    expect(rig.read(Register.IRQ_STATUS)).toBe(Irq.FLIP | Irq.ERROR);
    expect(rig.errors.code).toBe(Failure.DMA_REFUSED);
    expect([rig.pixel(0, 0), rig.read(Register.FRAME_COUNT)]).toEqual(['000000', 0]);
  });
});

describe('the vertical blank', () => {
  const MS = 1e6;

  it('comes at the rate that is set, while somebody waits for it', () => {
    const rig = new ProtoPciemRig();
    const { clock } = rig.machine.host;
    rig.write(Register.VSYNC_RATE, 100_000);
    clock.advance(53 * MS);
    expect(rig.interrupts).toBe(0);
    rig.write(Register.IRQ_ENABLE, Irq.VSYNC);
    clock.advance(6 * MS);
    expect(rig.interrupts).toBe(0);
    clock.advance(1 * MS);
    expect([rig.interrupts, rig.read(Register.VSYNC_COUNT), rig.read(Register.IRQ_STATUS)]).toEqual([
      1, 6, 2,
    ]);
    rig.write(Register.IRQ_STATUS, 2);
    clock.advance(100 * MS);
    expect([rig.interrupts, rig.read(Register.VSYNC_COUNT)]).toEqual([11, 16]);
    rig.write(Register.IRQ_ENABLE, 0);
    clock.advance(100 * MS);
    expect(rig.interrupts).toBe(11);
  });

  it('is what a flip waits for', () => {
    const rig = new ProtoPciemRig();
    const { clock } = rig.machine.host;
    rig.mode(10, 10, 3, 10);
    rig.write64(Register.SCANOUT_LOW, rig.place(new Uint8Array(100).fill(9)));
    rig.write(Register.IRQ_ENABLE, Irq.FLIP);
    rig.write(Register.FLIP, 1);
    expect([rig.read(Register.FLIP), rig.pixel(0, 0), rig.interrupts]).toEqual([1, '000000', 0]);
    clock.advance(17 * MS);
    expect([rig.read(Register.FLIP), rig.pixel(0, 0), rig.interrupts]).toEqual([0, '090909', 1]);
    clock.advance(100 * MS);
    expect(rig.interrupts).toBe(1);
  });

  it('nothing waits for one that does not come', () => {
    const rig = new ProtoPciemRig();
    rig.mode(10, 10, 3, 10);
    rig.write64(Register.SCANOUT_LOW, rig.place(new Uint8Array(100).fill(9)));
    rig.write(Register.FLIP, 1);
    rig.write(Register.VSYNC_RATE, 0);
    expect([rig.read(Register.FLIP), rig.pixel(0, 0)]).toEqual([0, '090909']);
    rig.write(Register.FLIP, 1);
    expect(rig.read(Register.FRAME_COUNT)).toBe(2);
  });

  it.each([999, 240_001])('a rate of %i is refused', (rate) => {
    const rig = new ProtoPciemRig();
    rig.write(Register.VSYNC_RATE, rate);
    expect([rig.read(Register.VSYNC_RATE), rig.errors.code]).toEqual([0, Failure.BAD_MODE]);
  });
});

describe('the command ring', () => {
  interface Entry {
    opcode: number;
    flags?: number;
    fence?: number;
    address?: number;
    length?: number;
    position?: number;
    size?: number;
  }

  class Ring extends ProtoPciemRig {
    readonly base = this.machine.allocatePages(1);
    readonly fences = this.machine.allocatePages(1);
    tail = 0;

    start(entries = 4): this {
      this.write64(Register.RING_LOW, this.base);
      this.write64(Register.FENCE_LOW, this.fences);
      this.write(Register.RING_ENTRIES, entries);
      this.write(Register.RING_CONTROL, 1);
      this.write(Register.IRQ_ENABLE, Irq.FENCE | Irq.ERROR);
      return this;
    }

    put(entry: Entry): void {
      const { memory } = this.machine.host;
      const { opcode, flags = 0, fence = 0, address = 0, length = 0, position = 0, size = 0 } = entry;
      const words = [
        opcode | (flags << 16),
        fence,
        address % 2 ** 32,
        Math.floor(address / 2 ** 32),
        length,
        position,
        size,
        0,
      ];
      words.forEach((word, i) => {
        memory.write32(this.base + this.tail * 32 + i * 4, word);
      });
      this.tail = (this.tail + 1) % this.read(Register.RING_ENTRIES);
    }

    ring(): void {
      this.write(Register.RING_TAIL, this.tail);
    }

    get fence(): number[] {
      return [this.read(Register.FENCE), this.machine.host.memory.read32(this.fences)];
    }
  }

  it('runs command buffers, signals fences in memory, and wraps', () => {
    const rig = new Ring().start();
    const buffer = clear(1, 2, 3);
    const address = rig.place(buffer);
    for (let fence = 1; fence <= 7; fence++) {
      rig.put({ opcode: 1, address, length: buffer.length, fence, flags: fence === 7 ? 1 : 0 });
      if (fence % 3 === 1) rig.ring();
    }
    expect(rig.fence).toEqual([7, 7]);
    expect([rig.read(Register.RING_HEAD), rig.read(Register.FRAME_COUNT), rig.interrupts]).toEqual([3, 7, 1]);
    expect(rig.pixel(0, 0)).toBe('010203');
  });

  it('draws parts of a picture, and the whole', () => {
    const rig = new Ring().start();
    rig.mode(100, 100, 3, 100);
    const address = rig.place(new Uint8Array(10_000).fill(4));
    rig.put({ opcode: 2, address, position: 10 | (20 << 16), size: 30 | (40 << 16), fence: 1 });
    rig.ring();
    expect([rig.pixel(10, 20), rig.pixel(39, 59), rig.pixel(40, 59)]).toEqual(['040404', '040404', '000000']);
    rig.put({ opcode: 2, address, fence: 2 });
    rig.ring();
    expect([rig.pixel(99, 99), ...rig.fence]).toEqual(['040404', 2, 2]);
  });

  it('a flip holds the entries behind it until the vertical blank', () => {
    const rig = new Ring().start();
    rig.mode(10, 10, 3, 10);
    const address = rig.place(new Uint8Array(100).fill(4));
    rig.put({ opcode: 3, address, fence: 1 });
    rig.put({ opcode: 0, fence: 2, flags: 1 });
    rig.ring();
    expect([...rig.fence, rig.pixel(0, 0)]).toEqual([0, 0, '000000']);
    rig.machine.host.clock.advance(20e6);
    expect([...rig.fence, rig.pixel(0, 0), rig.interrupts]).toEqual([2, 2, '040404', 1]);
  });

  it.each([
    ['an unknown opcode', { opcode: 9 }, Failure.BAD_ENTRY],
    ['a part outside the picture', { opcode: 2, position: 639, size: 2 | (1 << 16) }, Failure.BAD_ENTRY],
    ['memory that is not there', { opcode: 1, address: 16, length: 8 }, Failure.DMA_REFUSED],
    ['a buffer that is too long', { opcode: 1, length: 2 ** 23 }, Failure.BAD_LENGTH],
  ])('%s fails that entry, and the next one runs', (_, entry, code) => {
    const rig = new Ring().start();
    rig.put({ ...entry, fence: 1 });
    rig.put({ opcode: 0, fence: 2 });
    rig.ring();
    expect(rig.errors.code).toBe(code);
    expect(rig.read(Register.IRQ_STATUS)).toBe(Irq.ERROR);
    expect([...rig.fence, rig.interrupts]).toEqual([2, 2, 1]);
  });

  it.each([0, 1, 3, 8192])('%i entries are refused', (entries) => {
    const rig = new Ring().start(entries);
    expect([rig.read(Register.RING_CONTROL), rig.errors.code]).toEqual([0, Failure.BAD_RING]);
  });

  it('a tail beyond it, or memory that is not there, turns it off', () => {
    const rig = new Ring().start();
    rig.write(Register.RING_TAIL, 4);
    expect([rig.read(Register.RING_CONTROL), rig.errors.code]).toEqual([0, Failure.BAD_RING]);
    rig.write64(Register.RING_LOW, 0x100);
    rig.write(Register.RING_CONTROL, 1);
    rig.write(Register.RING_TAIL, 1);
    expect([rig.read(Register.RING_CONTROL), rig.errors.code]).toEqual([0, Failure.DMA_REFUSED]);
  });

  it('fences that cannot be written are an error, and the register has them', () => {
    const rig = new Ring().start();
    rig.write64(Register.FENCE_LOW, 0x100);
    rig.put({ opcode: 0, fence: 5 });
    rig.ring();
    expect([rig.read(Register.FENCE), rig.errors.code]).toEqual([5, Failure.DMA_REFUSED]);
  });
});

describe('the cursor', () => {
  /** 2 x 2: opaque red, half white, nothing, opaque blue. */
  const image = [0, 0, 255, 255, 128, 128, 128, 128, 0, 0, 0, 0, 255, 0, 0, 255];

  function cursor() {
    const rig = new ProtoPciemRig();
    rig.execute(clear(100, 100, 100));
    rig.write64(Register.CURSOR_LOW, rig.place(image));
    rig.write(Register.CURSOR_SIZE, 2 | (2 << 16));
    rig.write(Register.CURSOR_POSITION, 10 | (20 << 16));
    rig.write(Register.CURSOR_CONTROL, 3);
    return rig;
  }
  const shown = (rig: ProtoPciemRig, x: number, y: number) => [
    rig.pixel(x, y),
    rig.pixel(x + 1, y),
    rig.pixel(x, y + 1),
    rig.pixel(x + 1, y + 1),
  ];
  const over = ['ff0000', 'b2b2b2', '646464', '0000ff'];
  const gone = ['646464', '646464', '646464', '646464'];

  it('is drawn over the picture, moves, and leaves it as it was', () => {
    const rig = cursor();
    expect(rig.read(Register.CURSOR_CONTROL)).toBe(1);
    expect(shown(rig, 10, 20)).toEqual(over);
    rig.write(Register.CURSOR_POSITION, 30 | (40 << 16));
    expect([shown(rig, 10, 20), shown(rig, 30, 40)]).toEqual([gone, over]);
    rig.write(Register.CURSOR_CONTROL, 0);
    expect(shown(rig, 30, 40)).toEqual(gone);
    expect(rig.read(Register.FRAME_COUNT)).toBe(1);
  });

  it('stays over what is drawn under it', () => {
    const rig = cursor();
    rig.execute(clear(200, 200, 200));
    expect(shown(rig, 10, 20)).toEqual(['ff0000', 'e4e4e4', 'c8c8c8', '0000ff']);
    rig.execute(drawLine([10, 20], [11, 21], [1, 1, 1]));
    rig.write(Register.CURSOR_CONTROL, 0);
    expect(shown(rig, 10, 20)).toEqual(['010101', 'c8c8c8', 'c8c8c8', '010101']);
    rig.write(Register.CURSOR_CONTROL, 1);
    rig.execute(blit(11, 20, 1, 1, [7, 7, 7]));
    rig.write(Register.CURSOR_CONTROL, 0);
    expect(shown(rig, 10, 20)).toEqual(['010101', '070707', 'c8c8c8', '010101']);
  });

  it('may be partly outside', () => {
    const rig = cursor();
    rig.write(Register.CURSOR_HOTSPOT, 1 | (1 << 16));
    rig.write(Register.CURSOR_POSITION, 0);
    expect(rig.pixel(0, 0)).toBe('0000ff');
    rig.write(Register.CURSOR_POSITION, 0xffff_ffff);
    expect(rig.pixel(0, 0)).toBe('646464');
    rig.write(Register.CURSOR_POSITION, 640 | (480 << 16));
    expect(rig.pixel(639, 479)).toBe('ff0000');
  });

  it.each([0, 65 | (1 << 16), 1 | (65 << 16)])('a size of %i is refused', (size) => {
    const rig = cursor();
    rig.write(Register.CURSOR_SIZE, size);
    rig.write(Register.CURSOR_CONTROL, 3);
    expect(rig.errors.code).toBe(Failure.BAD_CURSOR);
    expect(shown(rig, 10, 20)).toEqual(over);
  });

  it('an image that cannot be read is refused', () => {
    const rig = cursor();
    rig.write64(Register.CURSOR_LOW, 0x100);
    rig.write(Register.CURSOR_CONTROL, 3);
    expect(rig.errors.code).toBe(Failure.DMA_REFUSED);
    expect(rig.interrupts).toBe(2);
  });
});

it('takes anything that a driver writes anywhere', () => {
  const rig = new ProtoPciemRig();
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  for (let i = 0; i < 20_000; i++) {
    const width = 1 << (random() >>> 30);
    const offset = (random() >>> 8) % (0x800 - width);
    const value = random() >>> 29 === 0 ? random() : random() % 1024;
    rig.machine.access(0, offset, width, value, random());
    if (i % 50 === 0) rig.machine.host.clock.advance(1e6);
  }
  rig.write(0x00, 2);
  expect(rig.command(1, { data: 4 })).toBe(DONE);
  expect(rig.result()).toBe(8n);
});
