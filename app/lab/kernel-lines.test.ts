import { expect, it } from 'vitest';
import { KernelLines } from './kernel-lines.ts';

const names = ['10000:00:00.0', 'nvme', 'pciem'];
const shown = (...lines: string[]) =>
  new KernelLines(() => names)
    .take(`${lines.join('\n')}\n`)
    .split('\n')
    .slice(0, -1);

it('keeps what names the address, the driver or the module, however it is coloured', () => {
  const kept = [
    '[    1.0] pci 10000:00:00.0: [1b36:0010] type 00 class 0x010802',
    '[    1.1] nvme nvme0: 2/0/0 default/read/poll queues',
    '[    1.2]  nvme0n1: p1 p2',
    '[    1.3] pciem: access at nvme_probe+0x1/0x2 not understood: 0f',
    '\x1b[32m[    1.4] \x1b[0m\x1b[33mnvme 10000:00\x1b[0m:00.0: enabling device',
  ];
  const left = [
    '[    1.5] nvmet: creating controller',
    '[    1.6] nvme_core: loaded',
    '[    1.7] pci 10000:00:01.0: [1234:1111]',
    '[    1.8] usb 1-1: new device',
  ];
  expect(shown(...kept, ...left, kept[0]!)).toEqual([...kept, kept[0]]);
});

it('keeps further lines with their record, and what dmesg says before any', () => {
  expect(
    shown(
      'dmesg: read kernel buffer failed: Operation not permitted',
      '[    1.0] nvme nvme0: a record',
      '           of two lines',
      '[    1.1] usb 1-1: another',
      '           of two lines too',
    ),
  ).toEqual([
    'dmesg: read kernel buffer failed: Operation not permitted',
    '[    1.0] nvme nvme0: a record',
    '           of two lines',
  ]);
});

it('waits for the end of a line, and knows a driver that came later', () => {
  const known = ['10000:00:00.0', ''];
  const lines = new KernelLines(() => known);
  expect(lines.take('[    1.0] nvme nvme0: x\n[    1.1] pci 10000:0')).toBe('');
  known[1] = 'nvme';
  expect(lines.take('0:00.0: y\n[    1.2] nvme')).toBe('[    1.1] pci 10000:00:00.0: y\n');
  expect(lines.take(' nvme0: z\r\n')).toBe('[    1.2] nvme nvme0: z\r\n');
});
