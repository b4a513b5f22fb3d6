/** Entries of the queues as data (NVMe 1.4, 4.2, 4.6, 5 and 6): every field that a person may want named. */
import type { CommandFormat, CommandFormats, EntryField } from '../sdk/command-format.ts';
import { ADMIN_OPCODES, featureNames, identifyNames, logPageNames, statusNames } from './names.ts';
import { AdminOpcode, CQE_BYTES, Feature, IDENTIFY_BYTES, IoOpcode, SQE_BYTES } from './wire.ts';

type More = Pick<EntryField, 'values' | 'units' | 'zeroBased'>;

/** Bits `msb` to `lsb` of dword `dword`; a field may go on in the dwords behind it. */
function field(
  name: string,
  dword: number,
  msb: number,
  lsb: number,
  description: string,
  more: More = {},
): EntryField {
  return { name, lsb: dword * 32 + lsb, width: msb - lsb + 1, description, ...more };
}

const flag = (name: string, dword: number, bit: number, description: string): EntryField =>
  field(name, dword, bit, bit, description);
/** A number that says one less than it means. */
const zeroBased = (one: string, many: string): More => ({ units: [one, many], zeroBased: true });
const yes = { 0: 'no', 1: 'yes' } as const;

const common: readonly EntryField[] = [
  field('OPC', 0, 7, 0, 'opcode'),
  field('FUSE', 0, 9, 8, 'fused operation', {
    values: { 0: 'normal', 1: 'first of fused', 2: 'second of fused' },
  }),
  field('PSDT', 0, 15, 14, 'how the data is given', {
    values: { 0: 'PRP', 1: 'SGL, metadata contiguous', 2: 'SGL, metadata SGL' },
  }),
  field('CID', 0, 31, 16, 'command identifier'),
  field('NSID', 1, 31, 0, 'namespace identifier'),
  field('MPTR', 4, 63, 0, 'metadata pointer'),
  field('PRP1', 6, 63, 0, 'first PRP entry'),
  field('PRP2', 8, 63, 0, 'second PRP entry, or list'),
];

const completion: readonly EntryField[] = [
  field('DW0', 0, 31, 0, 'command specific'),
  field('DW1', 1, 31, 0, 'command specific'),
  field('SQHD', 2, 15, 0, 'submission queue head'),
  field('SQID', 2, 31, 16, 'submission queue'),
  field('CID', 3, 15, 0, 'command identifier'),
  field('P', 3, 16, 16, 'phase tag'),
  field('SF', 3, 27, 17, 'status type and code', { values: statusNames }),
  field('CRD', 3, 29, 28, 'command retry delay', {
    values: { 0: 'no delay', 1: 'CRDT1', 2: 'CRDT2', 3: 'CRDT3' },
  }),
  field('M', 3, 30, 30, 'more information in the error log', { values: yes }),
  field('DNR', 3, 31, 31, 'do not retry', { values: { 0: 'may be retried', 1: 'do not retry' } }),
];

const nothing: CommandFormat = { fields: [] };
const numd = (dword: number, lsb: number): EntryField =>
  field('NUMD', dword, lsb + 31, lsb, 'dwords to transfer', zeroBased('dword', 'dwords'));
const dwords = { each: 4, field: 'NUMD' } as const;

const queueId = field('QID', 10, 15, 0, 'queue identifier');
const queueSize = field('QSIZE', 10, 31, 16, 'queue size', zeroBased('entry', 'entries'));

// Figures 346 and following of 1.4.
const startBlock = field('SLBA', 10, 63, 0, 'first block', { units: ['', ''] });
const blocks = field('NLB', 12, 15, 0, 'blocks', zeroBased('block', 'blocks'));
const protection = [
  field('PRINFO', 12, 29, 26, 'protection information'),
  flag('FUA', 12, 30, 'force unit access'),
  flag('LR', 12, 31, 'limited retry'),
];
const hints = field('DSM', 13, 7, 0, 'how the blocks will be used');
const tags = (kind: string, what: string): readonly EntryField[] => [
  field(`${kind}RT`, 14, 31, 0, `${what} reference tag`),
  field(`${kind}AT`, 15, 15, 0, `${what} application tag`),
  field(`${kind}ATM`, 15, 31, 16, 'mask of the application tag'),
];
const writeTags = tags('LB', 'logical block').map((one) =>
  one.name === 'LBRT' ? { ...one, name: 'ILBRT', description: 'initial logical block reference tag' } : one,
);
const readTags = tags('ELB', 'expected logical block').map((one) =>
  one.name === 'ELBRT' ? { ...one, name: 'EILBRT' } : one,
);
const blockData = { each: 'block', field: 'NLB' } as const;

const key = flag('IEKEY', 10, 3, 'ignore the existing key');
const reservationType = field('RTYPE', 10, 15, 8, 'reservation type', {
  values: {
    1: 'Write Exclusive',
    2: 'Exclusive Access',
    3: 'Write Exclusive, Registrants Only',
    4: 'Exclusive Access, Registrants Only',
    5: 'Write Exclusive, All Registrants',
    6: 'Exclusive Access, All Registrants',
  },
});

const ioFormats: Readonly<Record<number, CommandFormat>> = {
  [IoOpcode.flush]: nothing,
  [IoOpcode.write]: {
    fields: [
      startBlock,
      blocks,
      field('DTYPE', 12, 23, 20, 'directive type'),
      ...protection,
      hints,
      field('DSPEC', 13, 31, 16, 'directive specific'),
      ...writeTags,
    ],
    data: blockData,
  },
  [IoOpcode.read]: { fields: [startBlock, blocks, ...protection, hints, ...readTags], data: blockData },
  // Write Uncorrectable
  4: { fields: [startBlock, blocks] },
  [IoOpcode.compare]: { fields: [startBlock, blocks, ...protection, ...readTags], data: blockData },
  [IoOpcode.writeZeroes]: {
    fields: [startBlock, blocks, flag('DEAC', 12, 25, 'deallocate'), ...protection, ...writeTags],
  },
  [IoOpcode.datasetManagement]: {
    fields: [
      field('NR', 10, 7, 0, 'ranges', zeroBased('range', 'ranges')),
      flag('IDR', 11, 0, 'will be read as a whole'),
      flag('IDW', 11, 1, 'will be written as a whole'),
      flag('AD', 11, 2, 'deallocate'),
    ],
    data: { each: 16, field: 'NR' },
  },
  // Verify
  12: { fields: [startBlock, blocks, ...protection, ...readTags] },
  // Reservation Register
  13: {
    fields: [
      field('RREGA', 10, 2, 0, 'action', {
        values: { 0: 'register', 1: 'unregister', 2: 'replace the key' },
      }),
      key,
      field('CPTPL', 10, 31, 30, 'persist through power loss', {
        values: { 0: 'no change', 2: 'release at power on', 3: 'persist' },
      }),
    ],
    data: { each: 16, count: 1 },
  },
  // Reservation Report
  14: { fields: [numd(10, 0), flag('EDS', 11, 0, 'extended data structure')], data: dwords },
  // Reservation Acquire
  17: {
    fields: [
      field('RACQA', 10, 2, 0, 'action', {
        values: { 0: 'acquire', 1: 'preempt', 2: 'preempt and abort' },
      }),
      key,
      reservationType,
    ],
    data: { each: 16, count: 1 },
  },
  // Reservation Release
  21: {
    fields: [
      field('RRELA', 10, 2, 0, 'action', { values: { 0: 'release', 1: 'clear' } }),
      key,
      reservationType,
    ],
    data: { each: 8, count: 1 },
  },
  // Copy
  25: {
    fields: [
      field('SDLBA', 10, 63, 0, 'first block of the destination', { units: ['', ''] }),
      field('NR', 12, 7, 0, 'source ranges', zeroBased('range', 'ranges')),
      field('DF', 12, 11, 8, 'descriptor format'),
      field('PRINFOR', 12, 15, 12, 'protection information of reads'),
      field('DTYPE', 12, 23, 20, 'directive type'),
      field('PRINFOW', 12, 29, 26, 'protection information of writes'),
      flag('FUA', 12, 30, 'force unit access'),
      flag('LR', 12, 31, 'limited retry'),
      field('DSPEC', 13, 31, 16, 'directive specific'),
      ...writeTags,
    ],
    data: { each: 32, field: 'NR' },
  },
};

const setId = field('NVMSETID', 11, 15, 0, 'NVM set identifier');
const vector = field('IV', 11, 15, 0, 'interrupt vector');
const threshold = [
  field('TMPSEL', 11, 19, 16, 'temperature sensor', { values: { 0: 'composite', 15: 'all' } }),
  field('THSEL', 11, 21, 20, 'type of threshold', { values: { 0: 'over', 1: 'under' } }),
];

/** CDW11 and behind it of Set Features (5.21.1), and the data structure of a feature that has one. */
const setFormats: Readonly<Record<number, CommandFormat>> = {
  [Feature.arbitration]: {
    fields: [
      field('AB', 11, 2, 0, 'arbitration burst, as a power of two'),
      field('LPW', 11, 15, 8, 'weight of low priority', zeroBased('command', 'commands')),
      field('MPW', 11, 23, 16, 'weight of medium priority', zeroBased('command', 'commands')),
      field('HPW', 11, 31, 24, 'weight of high priority', zeroBased('command', 'commands')),
    ],
  },
  [Feature.powerManagement]: {
    fields: [field('PS', 11, 4, 0, 'power state'), field('WH', 11, 7, 5, 'workload hint')],
  },
  3: {
    fields: [field('NUM', 11, 5, 0, 'LBA ranges', zeroBased('range', 'ranges'))],
    data: { each: 4096, count: 1 },
  },
  [Feature.temperatureThreshold]: {
    fields: [field('TMPTH', 11, 15, 0, 'threshold', { units: ['K', 'K'] }), ...threshold],
  },
  [Feature.errorRecovery]: {
    fields: [
      field('TLER', 11, 15, 0, 'time limited error recovery, in units of 100 ms'),
      flag('DULBE', 11, 16, 'error for deallocated blocks'),
    ],
  },
  [Feature.volatileWriteCache]: { fields: [flag('WCE', 11, 0, 'volatile write cache enable')] },
  [Feature.numberOfQueues]: {
    fields: [
      field('NSQR', 11, 15, 0, 'I/O submission queues asked for', zeroBased('queue', 'queues')),
      field('NCQR', 11, 31, 16, 'I/O completion queues asked for', zeroBased('queue', 'queues')),
    ],
  },
  [Feature.interruptCoalescing]: {
    fields: [
      field('THR', 11, 7, 0, 'aggregation threshold', zeroBased('entry', 'entries')),
      field('TIME', 11, 15, 8, 'aggregation time, in units of 100 µs'),
    ],
  },
  [Feature.interruptVectorConfiguration]: { fields: [vector, flag('CD', 11, 16, 'coalescing disable')] },
  [Feature.writeAtomicity]: { fields: [flag('DN', 11, 0, 'disable normal')] },
  [Feature.asyncEventConfiguration]: {
    fields: [
      field('SHCW', 11, 7, 0, 'SMART / health critical warnings'),
      flag('NAN', 11, 8, 'namespace attribute notices'),
      flag('FAN', 11, 9, 'firmware activation notices'),
      flag('TLN', 11, 10, 'telemetry log notices'),
      flag('ANACN', 11, 11, 'asymmetric namespace access change notices'),
      flag('PLEALCN', 11, 12, 'predictable latency event aggregate log change notices'),
      flag('LSIN', 11, 13, 'LBA status information notices'),
      flag('EGEALCN', 11, 14, 'endurance group event aggregate log change notices'),
    ],
  },
  12: {
    fields: [flag('APSTE', 11, 0, 'autonomous power state transition enable')],
    data: { each: 256, count: 1 },
  },
  13: {
    fields: [
      flag('EHM', 11, 0, 'enable host memory'),
      flag('MR', 11, 1, 'memory return'),
      field('HSIZE', 12, 31, 0, 'host memory buffer size', { units: ['page', 'pages'] }),
      field('HMDLA', 13, 63, 0, 'host memory descriptor list address'),
      field('HMDLEC', 15, 31, 0, 'host memory descriptor list', { units: ['entry', 'entries'] }),
    ],
  },
  14: { fields: [], data: { each: 8, count: 1 } },
  15: { fields: [field('KATO', 11, 31, 0, 'keep alive timeout', { units: ['ms', 'ms'] })] },
  16: {
    fields: [
      field('TMT2', 11, 15, 0, 'thermal management temperature 2', { units: ['K', 'K'] }),
      field('TMT1', 11, 31, 16, 'thermal management temperature 1', { units: ['K', 'K'] }),
    ],
  },
  17: { fields: [flag('NOPPME', 11, 0, 'non-operational power state permissive mode enable')] },
  18: { fields: [setId, field('RRL', 12, 3, 0, 'read recovery level')] },
  19: {
    fields: [setId, flag('PLE', 12, 0, 'predictable latency enable')],
    data: { each: 512, count: 1 },
  },
  20: {
    fields: [
      setId,
      field('WS', 12, 2, 0, 'window', {
        values: { 1: 'deterministic', 2: 'non-deterministic' },
      }),
    ],
  },
  21: {
    fields: [
      field('LSIRI', 11, 15, 0, 'report interval, in units of 100 ms'),
      field('LSIPI', 11, 31, 16, 'poll interval, in units of 100 ms'),
    ],
  },
  22: { fields: [], data: { each: 512, count: 1 } },
  23: { fields: [flag('NODRM', 11, 0, 'no-deallocate response mode')] },
  24: {
    fields: [
      field('ENDGID', 11, 15, 0, 'endurance group'),
      field('EGWARN', 11, 23, 16, 'critical warnings of the group'),
    ],
  },
  128: { fields: [field('PBSLC', 11, 7, 0, 'pre-boot software load count')] },
  129: {
    fields: [flag('EXHID', 11, 0, 'extended host identifier')],
    by: {
      field: 'EXHID',
      formats: {
        0: { fields: [], data: { each: 8, count: 1 } },
        1: { fields: [], data: { each: 16, count: 1 } },
      },
    },
  },
  130: {
    fields: [
      flag('REGPRE', 11, 1, 'mask registration preempted'),
      flag('RESREL', 11, 2, 'mask reservation released'),
      flag('RESPRE', 11, 3, 'mask reservation preempted'),
    ],
  },
  131: { fields: [flag('PTPL', 11, 0, 'persist through power loss')] },
  132: {
    fields: [
      field('WPS', 11, 2, 0, 'write protection', {
        values: {
          0: 'no write protect',
          1: 'write protect',
          2: 'write protect until power cycle',
          3: 'permanent write protect',
        },
      }),
    ],
  },
};

/** Get Features says in CDW11 which of several values it asks for, where there are several (5.13). */
const getFormats: Readonly<Record<number, CommandFormat>> = {
  ...Object.fromEntries(
    Object.entries(setFormats).flatMap(([id, { data, by }]) =>
      data === undefined || by !== undefined ? [] : [[id, { fields: [], data }]],
    ),
  ),
  [Feature.temperatureThreshold]: { fields: threshold },
  [Feature.interruptVectorConfiguration]: { fields: [vector] },
  13: { fields: [], data: { each: 4096, count: 1 } },
  18: { fields: [setId] },
  19: { fields: [setId], data: { each: 512, count: 1 } },
  20: { fields: [setId] },
  24: { fields: [field('ENDGID', 11, 15, 0, 'endurance group')] },
  129: setFormats[129]!,
};

const featureId = field('FID', 10, 7, 0, 'feature', { values: featureNames });
const directive: CommandFormat = {
  fields: [
    numd(10, 0),
    field('DOPER', 11, 7, 0, 'directive operation'),
    field('DTYPE', 11, 15, 8, 'directive type', { values: { 0: 'Identify', 1: 'Streams' } }),
    field('DSPEC', 11, 31, 16, 'directive specific'),
  ],
  data: dwords,
};
const security = (length: string, what: string): CommandFormat => ({
  fields: [
    field('NSSF', 10, 7, 0, 'NVMe security specific field'),
    field('SPSP', 10, 23, 8, 'SP specific'),
    field('SECP', 10, 31, 24, 'security protocol'),
    field(length, 11, 31, 0, what, { units: ['byte', 'bytes'] }),
  ],
  data: { each: 1, field: length },
});

const adminFormats: Readonly<Record<number, CommandFormat>> = {
  [AdminOpcode.deleteSq]: { fields: [queueId] },
  [AdminOpcode.createSq]: {
    fields: [
      queueId,
      queueSize,
      flag('PC', 11, 0, 'physically contiguous'),
      field('QPRIO', 11, 2, 1, 'queue priority', {
        values: { 0: 'urgent', 1: 'high', 2: 'medium', 3: 'low' },
      }),
      field('CQID', 11, 31, 16, 'completion queue'),
      field('NVMSETID', 12, 15, 0, 'NVM set identifier'),
    ],
    data: { each: SQE_BYTES, field: 'QSIZE', contiguous: true },
  },
  [AdminOpcode.getLogPage]: {
    fields: [
      field('LID', 10, 7, 0, 'log page', { values: logPageNames }),
      field('LSP', 10, 14, 8, 'log specific'),
      flag('RAE', 10, 15, 'retain asynchronous event'),
      // NUMDL and NUMDU lie next to each other.
      numd(10, 16),
      field('LSI', 11, 31, 16, 'log specific identifier'),
      field('LPO', 12, 63, 0, 'log page offset', { units: ['byte', 'bytes'] }),
      field('UUID', 14, 6, 0, 'UUID index'),
      flag('OT', 14, 23, 'offset counts entries'),
      field('CSI', 14, 31, 24, 'command set'),
    ],
    data: dwords,
  },
  [AdminOpcode.deleteCq]: { fields: [queueId] },
  [AdminOpcode.createCq]: {
    fields: [
      queueId,
      queueSize,
      flag('PC', 11, 0, 'physically contiguous'),
      flag('IEN', 11, 1, 'interrupts enabled'),
      field('IV', 11, 31, 16, 'interrupt vector'),
    ],
    data: { each: CQE_BYTES, field: 'QSIZE', contiguous: true },
  },
  [AdminOpcode.identify]: {
    fields: [
      field('CNS', 10, 7, 0, 'structure', { values: identifyNames }),
      field('CNTID', 10, 31, 16, 'controller identifier'),
      field('CNSSID', 11, 15, 0, 'specific identifier, such as of an NVM set'),
      field('CSI', 11, 31, 24, 'command set'),
      field('UUID', 14, 6, 0, 'UUID index'),
    ],
    data: { each: IDENTIFY_BYTES, count: 1 },
  },
  [AdminOpcode.abort]: {
    fields: [
      field('SQID', 10, 15, 0, 'queue of the command to abort'),
      field('CID', 10, 31, 16, 'command to abort'),
    ],
  },
  [AdminOpcode.setFeatures]: {
    fields: [featureId, flag('SV', 10, 31, 'save')],
    by: { field: 'FID', formats: setFormats },
  },
  [AdminOpcode.getFeatures]: {
    fields: [
      featureId,
      field('SEL', 10, 10, 8, 'which value', {
        values: { 0: 'current', 1: 'default', 2: 'saved', 3: 'supported capabilities' },
      }),
    ],
    by: { field: 'FID', formats: getFormats },
  },
  [AdminOpcode.asyncEventRequest]: nothing,
  // Namespace Management
  13: {
    fields: [
      field('SEL', 10, 3, 0, 'operation', { values: { 0: 'create', 1: 'delete' } }),
      field('CSI', 11, 31, 24, 'command set'),
    ],
    by: { field: 'SEL', formats: { 0: { fields: [], data: { each: IDENTIFY_BYTES, count: 1 } } } },
  },
  // Firmware Commit
  16: {
    fields: [
      field('FS', 10, 2, 0, 'firmware slot'),
      field('CA', 10, 5, 3, 'commit action'),
      flag('BPID', 10, 31, 'boot partition'),
    ],
  },
  // Firmware Image Download
  17: {
    fields: [numd(10, 0), field('OFST', 11, 31, 0, 'offset', { units: ['dword', 'dwords'] })],
    data: dwords,
  },
  // Device Self-test
  20: {
    fields: [
      field('STC', 10, 3, 0, 'self-test', {
        values: { 1: 'short', 2: 'extended', 14: 'vendor specific', 15: 'abort' },
      }),
    ],
  },
  // Namespace Attachment
  21: {
    fields: [field('SEL', 10, 3, 0, 'operation', { values: { 0: 'attach', 1: 'detach' } })],
    data: { each: IDENTIFY_BYTES, count: 1 },
  },
  // Keep Alive
  24: nothing,
  // Directive Send and Receive
  25: directive,
  26: directive,
  // Virtualization Management
  28: {
    fields: [
      field('ACT', 10, 3, 0, 'action', {
        values: {
          1: 'primary controller flexible allocation',
          7: 'secondary controller offline',
          8: 'secondary controller assign',
          9: 'secondary controller online',
        },
      }),
      field('RT', 10, 10, 8, 'resource type', { values: { 0: 'VQ', 1: 'VI' } }),
      field('CNTLID', 10, 31, 16, 'controller identifier'),
      field('NR', 11, 15, 0, 'number of resources'),
    ],
  },
  // Capacity Management
  32: {
    fields: [
      field('OPER', 10, 3, 0, 'operation'),
      field('ELID', 10, 31, 16, 'element identifier'),
      field('CAP', 11, 63, 0, 'capacity', { units: ['byte', 'bytes'] }),
    ],
  },
  // Lockdown
  36: {
    fields: [
      field('SCP', 10, 3, 0, 'scope'),
      flag('PRHBT', 10, 4, 'prohibit'),
      field('IFC', 10, 6, 5, 'interface'),
      field('OFI', 10, 15, 8, 'opcode or feature identifier'),
      field('UUID', 14, 6, 0, 'UUID index'),
    ],
  },
  // The shadow doorbells are at PRP1, the event indexes at PRP2.
  [AdminOpcode.doorbellBufferConfig]: { fields: [], data: { each: 'page', count: 2 } },
  [AdminOpcode.formatNvm]: {
    fields: [
      field('LBAF', 10, 3, 0, 'LBA format'),
      flag('MSET', 10, 4, 'metadata extends the block'),
      field('PI', 10, 7, 5, 'protection information', {
        values: { 0: 'none', 1: 'type 1', 2: 'type 2', 3: 'type 3' },
      }),
      flag('PIL', 10, 8, 'protection information first in the metadata'),
      field('SES', 10, 11, 9, 'secure erase', {
        values: { 0: 'none', 1: 'user data', 2: 'cryptographic' },
      }),
    ],
  },
  // Security Send and Receive
  129: security('TL', 'transfer length'),
  130: security('AL', 'allocation length'),
  // Sanitize
  132: {
    fields: [
      field('SANACT', 10, 2, 0, 'action', {
        values: { 1: 'exit failure mode', 2: 'block erase', 3: 'overwrite', 4: 'crypto erase' },
      }),
      flag('AUSE', 10, 3, 'allow unrestricted sanitize exit'),
      field('OWPASS', 10, 7, 4, 'overwrite passes'),
      flag('OIPBP', 10, 8, 'invert the pattern between passes'),
      flag('NDAS', 10, 9, 'no deallocate after sanitize'),
      field('OVRPAT', 11, 31, 0, 'overwrite pattern'),
    ],
  },
  // Get LBA Status
  134: {
    fields: [
      startBlock,
      field('MNDW', 12, 31, 0, 'dwords at most', zeroBased('dword', 'dwords')),
      field('RL', 13, 15, 0, 'range length'),
      field('ATYPE', 13, 31, 24, 'action type'),
    ],
    data: { each: 4, field: 'MNDW' },
  },
};

export const commandFormats: CommandFormats = {
  entryBytes: SQE_BYTES,
  completionBytes: CQE_BYTES,
  common,
  completion,
  adminOpcodes: ADMIN_OPCODES,
  commands: {
    ...ioFormats,
    ...Object.fromEntries(
      Object.entries(adminFormats).map(([opcode, format]) => [Number(opcode) + ADMIN_OPCODES, format]),
    ),
  },
  statusNames,
};
