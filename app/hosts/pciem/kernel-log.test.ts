import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KernelLog, kernelText, TroubleCollector } from './kernel-log.ts';

it('takes what the kernel wrote, and nothing that a program wrote', () => {
  expect(kernelText('6,339,5140900,-;NET: Registered PF_INET\n SUBSYSTEM=net\n')).toBe(
    'NET: Registered PF_INET',
  );
  expect(kernelText('4,12,1,c,caller=T1;WARNING: a; b')).toBe('WARNING: a; b');
  expect(kernelText('12,340,5140901,-;WARNING: from a program')).toBeUndefined();
  expect(kernelText(' SUBSYSTEM=net')).toBeUndefined();
});

it('gathers a report, names its module, and does not count its lines as further ones', () => {
  const collector = new TroubleCollector(() => 7);
  for (const line of [
    'nvme nvme0: 2/0/0 default/read/poll queues',
    'BUG: kernel NULL pointer dereference, address: 0000000000000008',
    '#PF: supervisor read access in kernel mode',
    'Oops: 0000 [#1] PREEMPT SMP NOPTI',
    'RIP: 0010:nvme_irq+0x12/0x40 [nvme]',
    'Call Trace:',
  ])
    collector.line(line);
  expect(collector.all).toMatchObject([
    { id: 1, time: 7, kind: 'BUG', module: 'nvme', text: expect.stringContaining('NULL pointer') },
  ]);
  expect(collector.all[0]!.more).toHaveLength(4);
  collector.end();
  collector.line('WARNING: CPU: 1 PID: 9 at drivers/x.c:12 fail+0x1/0x9 [x_card]');
  expect(collector.all.at(-1)).toMatchObject({ id: 2, kind: 'WARNING', module: 'x_card', more: [] });
});

it('keeps the last twenty', () => {
  const collector = new TroubleCollector();
  for (let round = 0; round < 30; round++) {
    collector.line('BUG: again');
    collector.end();
  }
  expect(collector.all).toHaveLength(20);
  expect(collector.all.at(-1)!.id).toBe(30);
});

it('is not there where it may not be read', () => {
  expect(KernelLog.open('/nowhere/kmsg')).toBeUndefined();
});

it('leaves out what was said before it was opened', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pciem-lab-kmsg-'));
  const file = join(folder, 'kmsg');
  writeFileSync(file, '4,1,1,-;WARNING: before\n');
  const log = KernelLog.open(file)!;
  log.poll();
  expect(log.troubles).toEqual([]);
  // A file of records, one to a read, as far as one read goes.
  writeFileSync(file, '4,1,1,-;WARNING: before\n4,2,2,-;WARNING: after [late]\n');
  log.poll();
  expect(log.troubles).toMatchObject([{ text: 'WARNING: after [late]', module: 'late' }]);
  log.close();
  rmSync(folder, { recursive: true });
});
