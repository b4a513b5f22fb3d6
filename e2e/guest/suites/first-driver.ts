/** The example driver of docs/debug-your-first-driver.md: its bug shows as the page says, and the page's change mends it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Guest } from '#app/hosts/guest/qemu.ts';
import { buildMendedDriver } from '../../fixtures/mended-driver.ts';
import { endDevices, type LabDevice, powerOn } from '../guest-lab.ts';

const TRACING = '/sys/kernel/tracing';
const SHORT = 'hello\n';
const LONG = 'hello, world\n';

export function firstDriverSuite(guest: () => Guest, root: string): void {
  let device: LabDevice;

  const load = async (module: string) => {
    await guest().output(`insmod ${module}`);
    await guest().output(
      `for i in $(seq 300); do [ -e ${device.sysfs}/checksum ] && exit 0; sleep 0.1; done; dmesg | tail >&2; exit 1`,
    );
  };
  /** In one write, whatever pieces it comes in: the driver takes each for a text of its own. */
  const write = (text: string) =>
    guest().exec(`cat > /tmp/text && dd if=/tmp/text of=${device.sysfs}/text bs=4096 status=none`, {
      input: text,
    });
  const checksum = async () => (await guest().output(`cat ${device.sysfs}/checksum`)).trim();
  const expected = (text: string) => crc32(text).toString(16).padStart(8, '0');
  /** Lengths and errors of the transfers since the last look. */
  const transfers = async () => {
    const text = await guest().output(`cat ${TRACING}/trace; echo > ${TRACING}/trace`);
    return [...text.matchAll(/pciem_dma: .* read address=0x[\da-f]+ length=(\d+) error=(-?\d+)/g)].map(
      ([, length, error]) => [Number(length), Number(error)],
    );
  };

  beforeEach(async () => {
    device = await powerOn(guest(), { model: 'checksum' });
    await guest().output(`echo > ${TRACING}/trace; echo 1 > ${TRACING}/events/pciem/pciem_dma/enable`);
  });
  afterEach(async () => {
    await guest().exec(`echo 0 > ${TRACING}/events/pciem/pciem_dma/enable; rmmod checksum`);
    await endDevices(guest());
  });

  it('as it is: eight bytes work, nine do not', async () => {
    await load('/lab/modules/checksum.ko');
    expect((await write(SHORT)).code).toBe(0);
    expect(await checksum()).toBe('363a3020');
    expect(await checksum()).toBe(expected(SHORT));
    expect((await write('12345678')).code).toBe(0);
    expect(await transfers()).toEqual([
      [6, 0],
      [8, 0],
    ]);
    const failed = await write(LONG);
    expect(failed.code).not.toBe(0);
    expect(failed.stderr).toMatch(/Input\/output error/);
    expect((await write('123456789')).code).not.toBe(0);
    const [first, second] = await transfers();
    expect(first).toEqual([13, expect.any(Number)]);
    expect(first![1]).toBeLessThan(0);
    expect(second).toEqual([9, first![1]]);
    expect(await guest().output('dmesg')).toMatch(/checksum [\da-f:.]+: the card could not do 13 bytes/);
  });

  it('mended as the page says: texts of every length work', async () => {
    const module = '/tmp/checksum.ko';
    await guest().copyIn(buildMendedDriver(root, guest().kernel), module);
    await load(module);
    for (const text of [SHORT, LONG, 'x'.repeat(4096)]) {
      const { code, stderr } = await write(text);
      expect(code, stderr).toBe(0);
      expect(await checksum()).toBe(expected(text));
    }
    expect(await transfers()).toEqual([
      [6, 0],
      [13, 0],
      [4096, 0],
    ]);
    await guest().output(`rmmod checksum && insmod ${module}`);
    await device.powerOff();
  });

  it('names its card as the page does', async () => {
    const page = readFileSync(path.join(root, 'docs/debug-your-first-driver.md'), 'utf8');
    expect(page).toContain(expected(SHORT));
    expect(page).toContain(expected(LONG));
    expect((await guest().output(`lspci -n -s ${device.address}`)).trim()).toMatch(/ff00: 1f0c:0003/);
  });
}
