/** The controller's registers as data (NVMe 1.4, 3.1, figure 68). Nothing here acts. */
import type { FieldDescription, RegisterDescription } from '../sdk/register-map.ts';

export const BAR = 0;
export const BAR_SIZE = 0x4000;
export const DOORBELL_BASE = 0x1000;
/** In pages of their own: hosts may trap the first two pages and leave these alone. */
export const MSIX_TABLE_OFFSET = 0x2000;
export const MSIX_PBA_OFFSET = 0x3000;

export const MAX_IO_QUEUES = 64;
/** Entries in the largest queue. */
export const MAX_QUEUE_ENTRIES = 1024;
/** Memory pages of 4 KiB to 64 KiB. */
export const MPS_MAX = 4;

export const Register = {
  CAP: 0x00,
  VS: 0x08,
  INTMS: 0x0c,
  INTMC: 0x10,
  CC: 0x14,
  CSTS: 0x1c,
  NSSR: 0x20,
  AQA: 0x24,
  ASQ: 0x28,
  ACQ: 0x30,
} as const;

/** CC, figure 73. */
export const Cc = {
  EN: 1,
  cssShift: 4,
  mpsShift: 7,
  amsShift: 11,
  shnShift: 14,
  iosqesShift: 16,
  iocqesShift: 20,
} as const;

/** CSTS, figure 74. */
export const Csts = {
  RDY: 1,
  CFS: 2,
  shstShift: 2,
  shstMask: 0xc,
  shutdownOccurring: 4,
  shutdownComplete: 8,
} as const;

/** CAP.TO, in units of 500 ms. */
const TIMEOUT_UNITS = 40n;

export const CAP_VALUE =
  BigInt(MAX_QUEUE_ENTRIES - 1) | // MQES
  (1n << 16n) | // CQR: queues are physically contiguous
  (TIMEOUT_UNITS << 24n) |
  (1n << 37n) | // CSS: NVM command set
  (BigInt(MPS_MAX) << 52n);

export const VS_VALUE = 0x0001_0400n;

const field = (
  name: string,
  msb: number,
  lsb: number,
  description: string,
  values?: Readonly<Record<number, string>>,
): FieldDescription => ({
  name,
  lsb,
  width: msb - lsb + 1,
  description,
  ...(values === undefined ? {} : { values }),
});

const no = { 0: 'not supported', 1: 'supported' } as const;
const pageSizes = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [n, `${4 << n} KiB`]));

export const controllerRegisters: readonly RegisterDescription[] = [
  {
    name: 'CAP',
    title: 'Controller Capabilities',
    offset: 0x00,
    width: 8,
    reset: CAP_VALUE,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.1',
    fields: [
      field('MQES', 15, 0, 'Maximum queue entries supported, minus one'),
      field('CQR', 16, 16, 'Contiguous queues required'),
      field('AMS', 18, 17, 'Arbitration mechanisms beside round robin', {
        0: 'round robin only',
        1: 'weighted round robin with urgent class',
        2: 'vendor specific',
      }),
      field('TO', 31, 24, 'Worst time for CSTS.RDY to change, in units of 500 ms'),
      field('DSTRD', 35, 32, 'Doorbell stride: 4 << DSTRD bytes'),
      field('NSSRS', 36, 36, 'NVM subsystem reset', no),
      field('CSS', 44, 37, 'Command sets supported', { 1: 'NVM command set' }),
      field('BPS', 45, 45, 'Boot partitions', no),
      field('MPSMIN', 51, 48, 'Smallest memory page size', pageSizes),
      field('MPSMAX', 55, 52, 'Largest memory page size', pageSizes),
      field('PMRS', 56, 56, 'Persistent memory region', no),
      field('CMBS', 57, 57, 'Controller memory buffer', no),
    ],
  },
  {
    name: 'VS',
    title: 'Version',
    offset: 0x08,
    width: 4,
    reset: VS_VALUE,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.2',
    fields: [
      field('TER', 7, 0, 'Tertiary version number'),
      field('MNR', 15, 8, 'Minor version number'),
      field('MJR', 31, 16, 'Major version number'),
    ],
  },
  {
    name: 'INTMS',
    title: 'Interrupt Mask Set',
    offset: 0x0c,
    width: 4,
    reset: 0n,
    writable: 0xffff_ffffn,
    specification: 'NVMe 1.4, 3.1.3',
    fields: [field('IVMS', 31, 0, 'Writing 1 masks the vector; reads return the mask')],
  },
  {
    name: 'INTMC',
    title: 'Interrupt Mask Clear',
    offset: 0x10,
    width: 4,
    reset: 0n,
    writable: 0xffff_ffffn,
    specification: 'NVMe 1.4, 3.1.4',
    fields: [field('IVMC', 31, 0, 'Writing 1 unmasks the vector; reads return the mask')],
  },
  {
    name: 'CC',
    title: 'Controller Configuration',
    offset: 0x14,
    width: 4,
    reset: 0n,
    writable: 0x00ff_fff1n,
    specification: 'NVMe 1.4, 3.1.5',
    fields: [
      field('EN', 0, 0, 'Enable', { 0: 'disabled', 1: 'enabled' }),
      field('CSS', 6, 4, 'I/O command set selected', { 0: 'NVM command set', 7: 'admin command set only' }),
      field('MPS', 10, 7, 'Memory page size', pageSizes),
      field('AMS', 13, 11, 'Arbitration mechanism selected', {
        0: 'round robin',
        1: 'weighted round robin with urgent class',
        7: 'vendor specific',
      }),
      field('SHN', 15, 14, 'Shutdown notification', { 0: 'none', 1: 'normal', 2: 'abrupt', 3: 'reserved' }),
      field('IOSQES', 19, 16, 'I/O submission queue entry size, as a power of two'),
      field('IOCQES', 23, 20, 'I/O completion queue entry size, as a power of two'),
    ],
  },
  {
    name: 'CSTS',
    title: 'Controller Status',
    offset: 0x1c,
    width: 4,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.6',
    fields: [
      field('RDY', 0, 0, 'Ready', { 0: 'not ready', 1: 'ready' }),
      field('CFS', 1, 1, 'Controller fatal status', { 0: 'no', 1: 'fatal error' }),
      field('SHST', 3, 2, 'Shutdown status', {
        0: 'normal operation',
        1: 'shutdown occurring',
        2: 'shutdown complete',
      }),
      field('NSSRO', 4, 4, 'NVM subsystem reset occurred'),
      field('PP', 5, 5, 'Processing paused'),
    ],
  },
  {
    name: 'NSSR',
    title: 'NVM Subsystem Reset',
    offset: 0x20,
    width: 4,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.7',
    fields: [field('NSSRC', 31, 0, 'Not supported: CAP.NSSRS is 0', { 1314278757: 'NVMe' })],
  },
  {
    name: 'AQA',
    title: 'Admin Queue Attributes',
    offset: 0x24,
    width: 4,
    reset: 0n,
    writable: 0x0fff_0fffn,
    specification: 'NVMe 1.4, 3.1.8',
    fields: [
      field('ASQS', 11, 0, 'Entries of the admin submission queue, minus one'),
      field('ACQS', 27, 16, 'Entries of the admin completion queue, minus one'),
    ],
  },
  {
    name: 'ASQ',
    title: 'Admin Submission Queue Base Address',
    offset: 0x28,
    width: 8,
    reset: 0n,
    writable: 0xffff_ffff_ffff_f000n,
    specification: 'NVMe 1.4, 3.1.9',
    fields: [field('ASQB', 63, 12, 'Page of the admin submission queue')],
  },
  {
    name: 'ACQ',
    title: 'Admin Completion Queue Base Address',
    offset: 0x30,
    width: 8,
    reset: 0n,
    writable: 0xffff_ffff_ffff_f000n,
    specification: 'NVMe 1.4, 3.1.10',
    fields: [field('ACQB', 63, 12, 'Page of the admin completion queue')],
  },
  {
    name: 'CMBLOC',
    title: 'Controller Memory Buffer Location',
    offset: 0x38,
    width: 4,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.11',
  },
  {
    name: 'CMBSZ',
    title: 'Controller Memory Buffer Size',
    offset: 0x3c,
    width: 4,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.12',
  },
  {
    name: 'BPINFO',
    title: 'Boot Partition Information',
    offset: 0x40,
    width: 4,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.13',
  },
  {
    name: 'BPRSEL',
    title: 'Boot Partition Read Select',
    offset: 0x44,
    width: 4,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.14',
  },
  {
    name: 'BPMBL',
    title: 'Boot Partition Memory Buffer Location',
    offset: 0x48,
    width: 8,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.15',
  },
  {
    name: 'CMBMSC',
    title: 'Controller Memory Buffer Memory Space Control',
    offset: 0x50,
    width: 8,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.16',
  },
  {
    name: 'CMBSTS',
    title: 'Controller Memory Buffer Status',
    offset: 0x58,
    width: 4,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.17',
  },
  {
    name: 'PMRCAP',
    title: 'Persistent Memory Region Capabilities',
    offset: 0xe00,
    width: 4,
    reset: 0n,
    writable: 0n,
    specification: 'NVMe 1.4, 3.1.18',
  },
];

/** Tail of submission queue `y` at 1000h + 2y * 4, head of completion queue `y` behind it (3.1.24 and 3.1.25). */
export function doorbellRegisters(ioQueues: number): RegisterDescription[] {
  const registers: RegisterDescription[] = [];
  for (let queue = 0; queue <= ioQueues; queue++) {
    const what = queue === 0 ? 'admin' : `I/O queue ${queue}`;
    registers.push({
      name: `SQ${queue}TDBL`,
      title: `Submission Queue Tail Doorbell, ${what}`,
      offset: DOORBELL_BASE + queue * 8,
      width: 4,
      reset: 0n,
      writable: 0xffffn,
      specification: 'NVMe 1.4, 3.1.24',
      fields: [field('SQT', 15, 0, 'New tail of the queue')],
    });
    registers.push({
      name: `CQ${queue}HDBL`,
      title: `Completion Queue Head Doorbell, ${what}`,
      offset: DOORBELL_BASE + queue * 8 + 4,
      width: 4,
      reset: 0n,
      writable: 0xffffn,
      specification: 'NVMe 1.4, 3.1.25',
      fields: [field('CQH', 15, 0, 'New head of the queue')],
    });
  }
  return registers;
}
