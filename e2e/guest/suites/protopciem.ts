/** The ProtoPCIem card with its own driver: what programs draw is what the card shows. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Guest, GuestProcess } from '#app/hosts/guest/qemu.ts';
import { type DecodedPng, decodePng } from '#app/testing/png.ts';
import { endDevices, type LabDevice, powerOn, withTimeout } from '../guest-lab.ts';

const SCREENSHOT = '/tmp/card.png';
const DRAW = '/lab/selftests/protopciem_draw';
const STATISTICS = '/sys/class/misc/protopciem/statistics';

type Rgb = readonly [number, number, number];

/** As pattern_pixel() of kernel/selftests/drm_card.c. */
function pattern(x: number, y: number, seed: number): Rgb {
  return [(x + seed) & 0xff, (y + 3 * seed) & 0xff, ((x >> 3) ^ (y >> 2)) & 0xff];
}

/** What the card makes of a pixel that had 5, 6 and 5 bits. */
function through565([r, g, b]: Rgb): Rgb {
  const five = (value: number) => (value & 0xf8) | (value >> 5);
  return [five(r), (g & 0xfc) | (g >> 6), five(b)];
}

function paint(width: number, height: number, color: (x: number, y: number) => Rgb): DecodedPng {
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at += 3) pixels.set(color(x, y), at);
  return { width, height, pixels };
}

/** The first pixel that is not as expected, or ''. */
function difference(got: DecodedPng, want: DecodedPng): string {
  if (got.width !== want.width || got.height !== want.height)
    return `${got.width} x ${got.height} instead of ${want.width} x ${want.height}`;
  const at = got.pixels.findIndex((value, index) => value !== want.pixels[index]);
  if (at < 0) return '';
  const pixel = Math.floor(at / 3);
  const show = ({ pixels }: DecodedPng) => [...pixels.subarray(pixel * 3, pixel * 3 + 3)].join(' ');
  return `${pixel % got.width},${Math.floor(pixel / got.width)} is ${show(got)} instead of ${show(want)}`;
}

class Card {
  readonly device: LabDevice;
  readonly #folder: string;
  readonly #screenshot: string;

  constructor(device: LabDevice, folder: string, screenshot = SCREENSHOT) {
    this.device = device;
    this.#folder = folder;
    this.#screenshot = screenshot;
  }

  get guest(): Guest {
    return this.device.guest;
  }

  async picture(): Promise<DecodedPng> {
    const taken = () => this.device.events.filter(({ event }) => event === 'screenshot').length;
    const before = taken();
    this.device.process.kill('SIGUSR2');
    await expect.poll(taken, { timeout: 20_000, interval: 20 }).toBe(before + 1);
    const file = path.join(this.#folder, 'card.png');
    await this.guest.copyOut(this.#screenshot, file);
    return decodePng(readFileSync(file));
  }

  /** The driver does not wait until the card has got a changed picture. */
  async expectPicture(want: DecodedPng): Promise<void> {
    await expect
      .poll(async () => difference(await this.picture(), want), { timeout: 10_000, interval: 20 })
      .toBe('');
  }

  /** Waits until the driver is bound and done with it. */
  async waitForDriver(): Promise<void> {
    await this.guest.output(
      `for i in $(seq 400); do [ -c /dev/protopciem ] && [ -c /dev/fb0 ] && exit 0; sleep 0.05; done
       dmesg | tail -20 >&2; exit 1`,
    );
  }

  /** Runs while something is shown. */
  async drawn<T>(args: string, look: (said: string) => Promise<T>, environment = ''): Promise<T> {
    let said = '';
    let onSaid: () => void = () => {};
    const shown = new Promise<void>((resolve) => (onSaid = resolve));
    const take = (data: Buffer) => {
      said += data;
      if (/^shown$/m.test(said)) onSaid();
    };
    const process = this.guest.spawn(`${environment} exec ${DRAW} ${args}`, {
      stdin: true,
      onStdout: take,
      onStderr: take,
    });
    const ended = process.exited.then(({ code }) => {
      throw new Error(`${args}: ended with ${code}: ${said}`);
    });
    ended.catch(() => {});
    try {
      await withTimeout(Promise.race([shown, ended]), 30_000, () => `${args} shows nothing: ${said}`);
      return await look(said);
    } finally {
      process.endInput();
      await withTimeout(process.exited, 20_000, `${args} does not end`);
    }
  }

  async statistic(name: string): Promise<number> {
    return Number.parseInt(await this.guest.output(`cat ${STATISTICS}/${name}`), 10);
  }
}

/** A command buffer, of records. */
function commands(...records: { opcode: number; body?: Uint8Array | number[]; length?: number }[]): Buffer {
  return Buffer.concat(
    records.map(({ opcode, body = [], length }) => {
      const bytes = Buffer.alloc(8 + ((body.length + 3) & ~3));
      bytes.writeUInt16LE(opcode, 0);
      bytes.writeUInt32LE(length ?? bytes.length, 4);
      bytes.set(body, 8);
      return bytes;
    }),
  );
}

const words = (...values: number[]): number[] => values.flatMap((value) => [value & 0xff, value >> 8]);
const CLEAR = { opcode: 1, body: [10, 20, 30, 255] };
const DIAGONAL = { opcode: 2, body: [...words(5, 5, 104, 104), 250, 0, 0, 255] };
const BLIT = {
  opcode: 3,
  body: [...words(630, 470, 20, 20), ...Array.from({ length: 400 }, (_, i) => [i & 0xff, 1, 2]).flat()],
};

function drawnCommands(x: number, y: number): Rgb {
  if (x >= 630 && y >= 470) return [((y - 470) * 20 + (x - 630)) & 0xff, 1, 2];
  if (x === y && x >= 5 && x <= 104) return [250, 0, 0];
  return [10, 20, 30];
}

/** Reads the console as it is shown: each cell's lit pixels are looked up in the console's font. */
function readText({ width, height, pixels }: DecodedPng, font: Map<string, string>): string[] {
  const lines: string[] = [];
  for (let top = 0; top + 16 <= height; top += 16) {
    let line = '';
    for (let left = 0; left + 8 <= width; left += 8) {
      let glyph = '';
      for (let y = 0; y < 16; y++) {
        let row = 0;
        for (let x = 0; x < 8; x++) {
          const at = ((top + y) * width + left + x) * 3;
          row = row * 2 + (pixels[at]! + pixels[at + 1]! + pixels[at + 2]! > 0 ? 1 : 0);
        }
        glyph += row.toString(16).padStart(2, '0');
      }
      line += font.get(glyph) ?? '\ufffd';
    }
    lines.push(line.trimEnd());
  }
  return lines;
}

export function protopciemSuite(guest: () => Guest, rounds: number): void {
  let card: Card;
  let folder: string;

  const power = async (): Promise<Card> => {
    const device = await powerOn(guest(), { model: 'protopciem', screenshot: SCREENSHOT });
    return new Card(device, folder);
  };

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'pciem-lab-card-'));
    await guest().output(
      '[ -d /sys/module/pciem ] || insmod /lab/modules/pciem.ko; modprobe -a drm_kms_helper drm_shmem_helper',
    );
    card = await power();
    await guest().output('insmod /lab/modules/protopciem.ko');
    await card.waitForDriver();
  }, 60_000);
  afterAll(async () => {
    await endDevices(guest());
    await guest().output('for i in $(seq 100); do rmmod protopciem && exit 0; sleep 0.1; done; exit 1');
    rmSync(folder, { recursive: true });
  }, 60_000);

  it('is bound, with nodes for root alone', async () => {
    const { sysfs } = card.device;
    expect((await guest().output(`basename $(readlink ${sysfs}/driver)`)).trim()).toBe('protopciem');
    expect((await guest().output('stat -c "%F %a %U" /dev/protopciem')).trim()).toBe(
      'character special file 600 root',
    );
    const connector = (await guest().output(`ls -d ${sysfs}/drm/card*/card*-Virtual-1`)).trim();
    expect((await guest().output(`cat ${connector}/status; head -1 ${connector}/modes`)).trim()).toBe(
      'connected\n1280x720',
    );
  });

  it('shows the text console', async () => {
    // One glyph a line: its character in hexadecimal, and its rows.
    const font = new Map<string, string>();
    for (const line of (await guest().output(`${DRAW} font`)).trim().split('\n')) {
      const [char, rows] = line.split(' ') as [string, string];
      const code = Number.parseInt(char, 16);
      if (code >= 0x20 && code < 0x7f) font.set(rows, String.fromCharCode(code));
    }
    expect(font.size).toBeGreaterThan(90);
    const text = ['The quick brown fox jumps over the lazy dog.', '{[(0123456789)]} <=> $@#%&~^|\\/"?!'];
    writeFileSync(path.join(folder, 'text'), `\x1b[2J\x1b[H\x1b[?25l${text.join('\r\n')}`);
    await guest().copyIn(path.join(folder, 'text'), '/tmp/text');
    await guest().output('cat /tmp/text > /dev/tty1');
    await expect
      .poll(async () => readText(await card.picture(), font).slice(0, 3), { timeout: 20_000 })
      .toEqual([...text, '']);
  });

  it('keeps what it promises to programs', async () => {
    const { stdout, code } = await guest().exec('/lab/selftests/protopciem 2>&1', { timeoutMs: 240_000 });
    const bad = stdout.split('\n').filter((line) => /^not ok|^#/.test(line));
    expect(bad, stdout.slice(-4000)).toEqual([]);
    expect(code).toBe(0);
    expect(stdout.match(/^ok - /gm)?.length).toBeGreaterThan(15);
  }, 300_000);

  it.each([0, 1])('shows frame %i of /dev/protopciem', async (frame) => {
    await card.drawn(`frame ${frame} ${frame + 3}`, () =>
      card.expectPicture(paint(640, 480, (x, y) => pattern(x, y, frame + 3))),
    );
  });

  const draw = async (buffer: Uint8Array): Promise<string> => {
    writeFileSync(path.join(folder, 'commands'), buffer);
    await guest().copyIn(path.join(folder, 'commands'), '/tmp/commands');
    return `commands /tmp/commands`;
  };

  it('draws every record of a command buffer', async () => {
    const args = await draw(commands({ opcode: 0 }, CLEAR, DIAGONAL, BLIT));
    await card.drawn(args, () => card.expectPicture(paint(640, 480, drawnCommands)));
  });

  it('draws what comes before a malformed record, and says where that is', async () => {
    const good = commands(CLEAR);
    const args = await draw(Buffer.concat([good, commands({ opcode: 77 }, DIAGONAL)]));
    const { stdout, code } = await guest().exec(`${DRAW} ${args}`);
    expect([stdout, code]).toEqual(['failed: write: EINVAL\n', 1]);
    expect((await guest().output(`cat ${STATISTICS}/last_error`)).trim()).toBe(`4 ${good.length}`);
  });

  describe('modes', () => {
    it.each([
      [640, 480, 'XR24'],
      [640, 480, 'RG16'],
      [640, 480, 'BG24'],
      [1920, 1080, 'XR24'],
    ] as const)('%i x %i in %s', async (width, height, format) => {
      const color = (x: number, y: number): Rgb =>
        format === 'RG16' ? through565(pattern(x, y, 7)) : pattern(x, y, 7);
      await card.drawn(`mode ${width} ${height} ${format} 7`, () =>
        card.expectPicture(paint(width, height, color)),
      );
    });

    it('changes the parts that a program names, and no others', async () => {
      const inside = (x: number, y: number) =>
        (x >= 10 && x < 74 && y >= 20 && y < 50) || (x === 300 && y === 200);
      await card.drawn('damage 640 480', () =>
        card.expectPicture(paint(640, 480, (x, y) => (inside(x, y) ? [0x7f, 0x7f, 0x7f] : pattern(x, y, 0)))),
      );
    });

    it('has a cursor of its own', async () => {
      await card.drawn('cursor 640 480', () =>
        card.expectPicture(
          paint(640, 480, (x, y) => (x >= 100 && x < 132 && y < 56 ? [255, 0, 0] : [0, 0, 0])),
        ),
      );
    });

    it('flips at vertical blanks, one a flip', async () => {
      await card.drawn('flips 640 480 60', async (said) => {
        const [, flips, blanks, seconds] = /flips (\d+) blanks (\d+) seconds ([\d.]+)/.exec(said)!;
        expect(Number(blanks)).toBeGreaterThanOrEqual(Number(flips));
        // 60 Hz: never faster than the monitor.
        expect(Number(seconds)).toBeGreaterThan(59 / 60.5);
        // 60 flips and one more: the buffer with pattern 1 is shown.
        await card.expectPicture(paint(640, 480, (x, y) => pattern(x, y, 1)));
      });
    });

    it('goes back to the picture of the display when a file of /dev/protopciem is closed', async () => {
      const want = paint(640, 480, (x, y) => pattern(x, y, 9));
      await card.drawn('mode 640 480 XR24 9', async () => {
        await card.drawn('frame 0 1', () => card.expectPicture(paint(640, 480, (x, y) => pattern(x, y, 1))));
        await card.expectPicture(want);
      });
    });
  });

  it('tells whoever waits that the card does not answer, and goes on when it does', async () => {
    await guest().output('echo 300 > /sys/module/protopciem/parameters/timeout_ms');
    const before = await card.statistic('timeouts');
    await guest().output(`kill -STOP ${card.device.pid}`);
    try {
      const { stdout } = await guest().exec(`${DRAW} frame 0 1 </dev/null`);
      expect(stdout).toBe('failed: submit: ETIMEDOUT\n');
      expect(await card.statistic('timeouts')).toBeGreaterThan(before);
    } finally {
      await guest().output(`kill -CONT ${card.device.pid}`);
      await guest().output('echo 3000 > /sys/module/protopciem/parameters/timeout_ms');
    }
    await card.drawn('frame 1 2', () => card.expectPicture(paint(640, 480, (x, y) => pattern(x, y, 2))));
    expect(await card.statistic('recoveries')).toBeGreaterThan(0);
  });

  it('takes one of the first cards, for /dev/protopciem alone', async () => {
    const first = new Card(
      await powerOn(guest(), { model: 'protopciem', generation: 'first', screenshot: '/tmp/first.png' }),
      folder,
      '/tmp/first.png',
    );
    await guest().output(
      'for i in $(seq 200); do [ -c /dev/protopciem1 ] && exit 0; sleep 0.05; done; exit 1',
    );
    expect((await guest().output('ls /dev/dri | grep -c card')).trim()).toBe('1');
    const node = 'NODE=/dev/protopciem1';
    await first.drawn(
      'frame 1 6',
      () => first.expectPicture(paint(640, 480, (x, y) => pattern(x, y, 6))),
      node,
    );
    await first.drawn(
      await draw(commands(CLEAR, DIAGONAL, BLIT)),
      () => first.expectPicture(paint(640, 480, drawnCommands)),
      node,
    );
    const args = await draw(commands({ opcode: 77 }));
    const { stdout } = await guest().exec(`${node} ${DRAW} ${args}`);
    // It has no way to say what was wrong.
    expect(stdout).toBe('failed: write: EIO\n');
    await first.device.powerOff();
    expect((await guest().exec('ls /dev/protopciem1 2>/dev/null')).stdout).toBe('');
  });

  it(`is unbound, or gone by surprise, while programs draw: ${rounds} times`, async () => {
    for (let round = 1; round <= rounds; round++) {
      const unbind = round % 2 === 0;
      let said = '';
      const drawing: GuestProcess = guest().spawn(`exec ${DRAW} draw`, {
        onStdout: (data) => (said += data),
        onStderr: (data) => (said += data),
      });
      await expect.poll(() => said, { timeout: 20_000, interval: 20 }).toMatch(/drawing/);
      const { device } = card;
      // At another moment each time.
      await guest().output(`sleep 0.0${(round * 37) % 100}`);
      if (unbind) await guest().output(`echo ${device.address} > /sys/bus/pci/drivers/protopciem/unbind`);
      else await device.killProcess();
      await withTimeout(drawing.exited, 30_000, () => `round ${round}: programs hang: ${said}`);
      const all = () => said.split('\n').filter((line) => /^(display|device|mapping): /.test(line));
      await expect.poll(() => all().length, { timeout: 20_000 }).toBe(3);
      expect(said, `round ${round}`).toMatch(/^device: ENODEV$/m);
      expect(said, `round ${round}`).toMatch(/^display: (ENODEV|EIO|EINVAL)$/m);
      expect(said).toMatch(/^mapping: kept$/m);
      expect((await guest().exec('ls /dev/protopciem /dev/dri/card* 2>/dev/null')).stdout).toBe('');
      if (unbind) await guest().output(`echo ${device.address} > /sys/bus/pci/drivers/protopciem/bind`);
      else card = await power();
      await card.waitForDriver();
    }
    await card.drawn('mode 640 480 XR24 5', () =>
      card.expectPicture(paint(640, 480, (x, y) => pattern(x, y, 5))),
    );
  }, 300_000);
}
