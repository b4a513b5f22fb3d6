/** Linux's own nvme driver takes our controller for a real one. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Guest } from '#app/hosts/guest/qemu.ts';
import { type LabDevice, powerOn } from '../guest-lab.ts';

const GIB = 1024 ** 3;

export function driverSuite(guest: () => Guest): void {
  let device: LabDevice;
  const json = async (command: string) =>
    JSON.parse(await guest().output(command)) as Record<string, unknown>;

  beforeAll(async () => {
    device = await (await powerOn(guest(), { size: '1GiB' })).waitForDisk();
  });
  afterAll(async () => {
    await device?.powerOff();
  });

  it('is a device node for root alone', async () => {
    expect((await guest().output('stat -c "%F %a %U" /dev/pciem')).trim()).toBe(
      'character special file 600 root',
    );
  });

  it('sits in a PCI domain of its own and is bound to nvme', async () => {
    expect(device.address).toMatch(/^[0-9a-f]{5,}:[0-9a-f]{2}:[0-9a-f]{2}\.0$/);
    expect((await guest().output(`basename $(readlink ${device.sysfs}/driver)`)).trim()).toBe('nvme');
    expect((await guest().output(`blockdev --getsize64 ${device.node}`)).trim()).toBe(String(GIB));
  });

  it('interrupts through MSI-X, one vector and one I/O queue a processor', async () => {
    const modes = (await guest().output(`cat ${device.sysfs}/msi_irqs/* | sort | uniq -c`)).trim();
    expect(modes).toMatch(/^\d+ msix$/);
    expect(Number.parseInt(modes, 10)).toBeGreaterThanOrEqual(3);
    const queues = (await guest().output(`ls /sys/block/${device.disk}/mq`)).trim().split('\n');
    expect(queues.length).toBeGreaterThan(1);
    // Both queues carry work: each processor reads by itself, and each queue's own interrupt count rises.
    const before = await queueInterrupts(guest(), device);
    for (const cpu of [0, 1]) {
      await guest().output(
        `taskset -c ${cpu} dd if=${device.node} of=/dev/null bs=4k count=64 skip=${64 * cpu} iflag=direct status=none`,
      );
    }
    const after = await queueInterrupts(guest(), device);
    const busy = Object.keys(after).filter((name) => after[name]! - (before[name] ?? 0) >= 32);
    expect(busy.length, JSON.stringify({ before, after })).toBeGreaterThanOrEqual(2);
  });

  it('reads well in lspci -vvv', async () => {
    const text = await guest().output(`lspci -D -vvv -s ${device.address}`);
    expect(text).toMatch(/Non-Volatile memory controller/);
    expect(text).toMatch(/prog-if 02 \[NVM Express\]/);
    expect(text).toMatch(/Region 0: Memory at [0-9a-f]+ \(64-bit, (non-)?prefetchable\)/);
    expect(text).toMatch(/MSI-X: Enable\+ Count=\d+/);
    expect(text).toMatch(/Express \(v2\) (Endpoint|Root Complex Integrated Endpoint)/);
    expect(text).toMatch(/Power Management version 3/);
    expect(text).toMatch(/BusMaster\+/);
    expect(text).toMatch(/Kernel driver in use: nvme/);
    expect(text).not.toMatch(/<access denied>|unassigned|!!!|\[disabled\]|Unknown header/);
  });

  it('identifies itself to nvme-cli', async () => {
    const controller = await json(`nvme id-ctrl /dev/${device.controller} -o json`);
    expect(controller).toMatchObject({ nn: expect.any(Number), cntlid: expect.any(Number) });
    expect(Number(controller.ver)).toBeGreaterThanOrEqual(0x10300);
    expect(String(controller.mn).trim()).not.toBe('');
    expect(String(controller.sn).trim()).not.toBe('');
    const namespace = await json(`nvme id-ns ${device.node} -o json`);
    expect(namespace).toMatchObject({ nsze: GIB / 512, ncap: GIB / 512 });
    expect(await guest().output('nvme list')).toContain(device.node);
    // Every form of output has to decode.
    for (const command of [`id-ctrl -H /dev/${device.controller}`, `id-ns -H ${device.node}`]) {
      expect((await guest().output(`nvme ${command}`)).length).toBeGreaterThan(200);
    }
  });

  it('shows its registers through resource0 while the driver has them', async () => {
    // This nvme-cli ends with 1 whatever happens.
    const registers = await json(`nvme show-regs /dev/${device.controller} -o json || true`);
    const controller = await json(`nvme id-ctrl /dev/${device.controller} -o json`);
    expect(registers.vs).toBe(controller.ver);
    // Enabled by the driver, ready says the model; queue entries of 64 and 16 bytes.
    expect(registers.cc).toBe(0x460001);
    expect(registers.csts).toBe(1);
    const text = await guest().output(`nvme show-regs /dev/${device.controller} || true`);
    const capabilities = BigInt(`0x${/^cap\s*: ([0-9a-f]+)$/m.exec(text)?.[1]}`);
    // At least two entries in a queue, doorbells of 4 bytes, the NVM command set.
    expect(capabilities & 0xffffn).toBeGreaterThan(1n);
    expect((capabilities >> 32n) & 0xfn).toBe(0n);
    expect((capabilities >> 37n) & 1n).toBe(1n);
  });

  it('keeps a SMART log that counts', async () => {
    const log = () => json(`nvme smart-log /dev/${device.controller} -o json`);
    const before = await log();
    await guest().output(`dd if=/dev/zero of=${device.node} bs=1M count=8 oflag=direct status=none`);
    const after = await log();
    expect(after.critical_warning).toBe(0);
    expect(Number(after.temperature)).toBeGreaterThan(250);
    expect(Number(after.host_write_commands)).toBeGreaterThan(Number(before.host_write_commands));
    expect(Number(after.data_units_written)).toBeGreaterThanOrEqual(Number(before.data_units_written) + 16);
  });

  it('keeps an error log that holds what went wrong', async () => {
    const log = async () =>
      (await json(`nvme error-log /dev/${device.controller} -o json`)).errors as { error_count: number }[];
    const count = (entries: { error_count: number }[]) =>
      Math.max(0, ...entries.map((entry) => entry.error_count));
    const before = count(await log());
    // A log page that no controller has.
    const refused = await guest().exec(`nvme get-log /dev/${device.controller} --log-id=0x7f --log-len=512`);
    expect(refused.code).not.toBe(0);
    expect(count(await log())).toBeGreaterThan(before);
  });

  it('formats to 4096-byte blocks and back, and what was there is gone', async () => {
    const { node } = device;
    await guest().output(`dd if=/dev/urandom of=${node} bs=4096 count=4 oflag=direct status=none`);
    const formats = (await json(`nvme id-ns ${node} -o json`)).lbafs as { ds: number }[];
    const index = (bytes: number) => formats.findIndex(({ ds }) => 2 ** ds === bytes);
    expect(index(512)).toBeGreaterThanOrEqual(0);
    expect(index(4096)).toBeGreaterThanOrEqual(0);
    for (const bytes of [4096, 512]) {
      await guest().output(`nvme format ${node} --lbaf=${index(bytes)} --ses=1 --force`);
      expect((await guest().output(`blockdev --getss ${node}`)).trim()).toBe(String(bytes));
      expect((await guest().output(`blockdev --getsize64 ${node}`)).trim()).toBe(String(GIB));
      expect(
        (
          await guest().output(`dd if=${node} bs=4096 count=4 iflag=direct status=none | tr -d '\\0' | wc -c`)
        ).trim(),
      ).toBe('0');
    }
  });

  it('is unbound and bound 20 times', async () => {
    const bind = `for i in $(seq 20); do
        echo ${device.address} > /sys/bus/pci/drivers/nvme/unbind || exit 1
        [ ! -e ${device.sysfs}/driver ] || exit 2
        echo ${device.address} > /sys/bus/pci/drivers/nvme/bind || exit 3
      done`;
    await guest().output(bind, { timeoutMs: 150_000 });
    await device.waitForDisk();
    expect((await guest().output(`ls ${device.sysfs}/msi_irqs | wc -l`)).trim()).not.toBe('0');
    await guest().output(`dd if=${device.node} of=/dev/null bs=1M count=16 iflag=direct status=none`);
  });
}

/** Counts of the I/O queues' interrupts, by name, over all processors. */
async function queueInterrupts(guest: Guest, device: LabDevice): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const line of (await guest.output('cat /proc/interrupts')).split('\n')) {
    const fields = line.trim().split(/\s+/);
    const name = fields.at(-1) ?? '';
    if (!new RegExp(`^${device.controller}q[1-9]`).test(name)) continue;
    counts[name] = fields
      .slice(1)
      .filter((field) => /^\d+$/.test(field))
      .slice(0, 2)
      .reduce((sum, field) => sum + Number(field), 0);
  }
  return counts;
}
