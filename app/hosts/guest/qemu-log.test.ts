import { describe, expect, it } from 'vitest';
import { KernelLogWatcher } from './qemu-log.ts';

const trouble: Record<string, string> = {
  WARNING: '[   12.3] WARNING: CPU: 1 PID: 88 at drivers/pci/msi/msi.c:345 free_msi_irqs+0x1/0x2',
  'a lockdep warning': '[   12.3] WARNING: possible circular locking dependency detected',
  BUG: '[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000008',
  'kernel BUG at': '[    3.1] kernel BUG at mm/slub.c:440!',
  Oops: '[    3.1] Oops: 0002 [#1] PREEMPT SMP NOPTI',
  'general protection':
    '[    3.1] general protection fault, probably for non-canonical address 0xdead: 0000 [#1]',
  'page fault': '[    3.1] unable to handle page fault for address: ffffc90000100000',
  'soft lockup': '[   60.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [fio:200]',
  'hard lockup': '[   60.0] NMI watchdog: Watchdog detected hard LOCKUP on cpu 1',
  'hung task': '[  140.0] INFO: task umount:301 blocked for more than 60 seconds.',
  'RCU stall': '[   60.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
  'RCU self-detected stall': '[   60.0] rcu: INFO: rcu_preempt self-detected stall on CPU',
  KASAN: '[    5.0] BUG: KASAN: use-after-free in pciem_release+0x10/0x20 [pciem]',
  refcount_t: '[    5.0] refcount_t: underflow; use-after-free.',
  'list corruption': '[    5.0] list_del corruption. prev->next should be ffff, but was 0',
  'interrupt storm': '[    5.0] irq 24: nobody cared (try booting with the "irqpoll" option)',
  atomic: '[    5.0] BUG: scheduling while atomic: insmod/90/0x00000002',
  panic: '[    5.0] Kernel panic - not syncing: Fatal exception',
};

describe('the kernel log watcher', () => {
  for (const [name, line] of Object.entries(trouble)) {
    it(`flags ${name}`, () => {
      const watcher = new KernelLogWatcher();
      watcher.push(`${line}\n`);
      expect(watcher.problems).toHaveLength(1);
      expect(watcher.problems[0]).toContain(line);
    });
  }

  it('lets an ordinary log pass', () => {
    const watcher = new KernelLogWatcher();
    watcher.push(
      [
        '[    0.0] Command line: console=ttyS0 tsc=unstable panic=-1',
        '[    0.1] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible',
        '[    0.2] rcu: Hierarchical RCU implementation.',
        '[    0.3] rcu: \tRCU calculated value of scheduler-enlistment delay is 25 jiffies.',
        '[    0.4] debug: unmapping init memory',
        '[    1.0] nvme nvme0: pci function 10000:00:00.0',
        '[    1.1] nvme nvme0: Shutdown timeout set to 10 seconds',
        '[    9.0] nvme nvme0: I/O 12 QID 1 timeout, aborting',
        '[    9.0] Buffer I/O error on dev nvme0n1, logical block 3, async page read',
        '',
      ].join('\r\n'),
    );
    expect(watcher.problems).toEqual([]);
  });

  it('finds a line however the console cut it', () => {
    const watcher = new KernelLogWatcher();
    for (const part of ['[ 1.0] WAR', 'NING: CPU: 0', ' PID: 1', '\r', '\n']) watcher.push(part);
    expect(watcher.problems).toHaveLength(1);
  });

  it('reports the last line of a machine that died in the middle of it', () => {
    const watcher = new KernelLogWatcher();
    watcher.push('[ 1.0] BUG: unable to handle');
    expect(watcher.problems).toEqual([]);
    watcher.end();
    expect(watcher.problems).toHaveLength(1);
  });

  it('gives the lines around a problem, and one problem for one report', () => {
    const watcher = new KernelLogWatcher();
    watcher.push('a\nb\nc\nd\nWARNING: CPU: 0\nCall Trace:\n foo+0x1\nOops: 0000\nend\n');
    expect(watcher.problems).toHaveLength(1);
    expect(watcher.problems[0]).toBe(
      'WARNING:\nb\nc\nd\nWARNING: CPU: 0\nCall Trace:\n foo+0x1\nOops: 0000\nend',
    );
  });

  it('tells two reports that lie apart', () => {
    const watcher = new KernelLogWatcher();
    watcher.push(`WARNING: one\n${'x\n'.repeat(100)}WARNING: two\n`);
    expect(watcher.problems).toHaveLength(2);
  });

  it('accepts what a test provokes, and only that', () => {
    const watcher = new KernelLogWatcher({ allow: [/WARNING: .*pciem_test/] });
    watcher.push('WARNING: CPU: 0 at pciem_test.c:3\n');
    expect(watcher.problems).toEqual([]);
    watcher.push('WARNING: CPU: 0 at mm/slub.c:3\n');
    expect(watcher.problems).toHaveLength(1);
  });

  it('hands problems over once', () => {
    const watcher = new KernelLogWatcher();
    watcher.push('WARNING: one\n');
    expect(watcher.take()).toHaveLength(1);
    expect(watcher.take()).toEqual([]);
    watcher.push('WARNING: two\n');
    expect(watcher.problems).toHaveLength(1);
  });

  it('stays bounded when every line is a problem', () => {
    const watcher = new KernelLogWatcher();
    for (let i = 0; i < 5000; i++) watcher.push(`WARNING: ${i}\n${'x\n'.repeat(40)}`);
    expect(watcher.problems.length).toBe(51);
    expect(watcher.problems.at(-1)).toBe('and 4950 more');
  });
});
