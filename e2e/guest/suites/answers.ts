/** Reads that the model answers, made by a driver in the kernel. */
import { afterEach, expect, it } from 'vitest';
import type { Guest } from '#app/hosts/guest/qemu.ts';
import { endDevices, powerOn } from '../guest-lab.ts';

const DRIVER = '/sys/bus/pci/drivers/pciem_test';

export function answersSuite(guest: () => Guest): void {
  afterEach(async () => {
    await endDevices(guest());
    await guest().exec('rmmod pciem_test');
  });

  it('the scratch card: reading clears a register, and follows the writes before it', async () => {
    await guest().output('insmod /lab/modules/pciem_test.ko irq=none');
    await guest().output(`echo 1f0c 0002 > ${DRIVER}/new_id`);
    const device = await powerOn(guest(), { model: 'scratch' });
    const run = `/sys/kernel/debug/pciem_test/${device.address}/run`;
    await guest().output(`for i in $(seq 300); do [ -e ${run} ] && exit 0; sleep 0.1; done; exit 1`);
    const access = async (command: string) => {
      const said = await guest().output(`echo "${command}" > ${run} && cat ${run}`);
      return Number(/value=(\S+)/.exec(said)?.[1]);
    };

    await access('write32 0 0x04 3 7');
    expect(await access('read32 0 0x14 1')).toBe(3);
    expect(await access('read32 0 0x14 1')).toBe(0);
    const counts = await guest().output(
      `for count in $(seq 50); do
         echo "write32 0 0x04 $count 7" > ${run}; echo "read32 0 0x14 1" > ${run}; cat ${run}
       done`,
    );
    expect([...counts.matchAll(/value=(\S+)/g)].map(([, value]) => Number(value))).toEqual(
      Array.from({ length: 50 }, (_, at) => at + 1),
    );
    // Its neighbours in the page are memory, as ever.
    expect(await access('read32 0 0x00 1')).toBe(0x5c2a_7c40);
    expect(await access('read32 0 0x04 1')).toBe(7 + 49);
    const counters = await guest().output('cat /sys/kernel/debug/pciem/*/counters');
    expect(counters).toMatch(/^sync_reads 52$/m);
    expect(counters).toMatch(/^sync_timeouts 0$/m);
    await device.powerOff();
  });
}
