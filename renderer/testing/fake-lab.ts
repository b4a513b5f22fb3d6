/**
 * A lab of its own in a few hundred lines, behind the real contract: for unit tests of the window, and to look at the
 * window with no lab at all (`/?fake` under `npx vite renderer`). Nothing in it is a device.
 */
import * as v from 'valibot';
import type { ConfigNode } from '#contract/config.ts';
import type { DeviceSummary, WireBar, WireDescription, WireRegister } from '#contract/devices.ts';
import type { DmaEntry } from '#contract/dma.ts';
import { type CallName, calls } from '#contract/index.ts';
import type { LabHello } from '#contract/lab.ts';
import { OVERVIEW_FIELDS, TRACE_LIMIT } from '#contract/trace.ts';
import { TRACE_RECORD_BYTES, TraceField, TraceFlag, TraceKind } from '#contract/trace-record.ts';
import { type Channel, type ClientMessage, type ErrorBody, encodeServerMessage } from '#contract/wire.ts';

export interface FakeLabOptions {
  /** Starts with a device and makes things happen by itself. */
  readonly traffic?: boolean;
}

class Refusal extends Error {
  readonly body: ErrorBody;
  constructor(body: ErrorBody) {
    super(body.message);
    this.body = body;
  }
}

const register = (
  name: string,
  title: string,
  offset: number,
  width: 4 | 8,
  fields: WireRegister['fields'] = [],
  writable = '0xffffffff',
): WireRegister => ({
  name,
  title,
  offset,
  width,
  reset: '0x0',
  writable,
  writeOneToClear: '0x0',
  fields,
  specification: 'NVMe 1.4, 3.1',
});

const registers: readonly WireRegister[] = [
  register(
    'CAP',
    'Controller Capabilities',
    0,
    8,
    [
      { name: 'MQES', lsb: 0, width: 16, description: 'Maximum queue entries supported, zero based' },
      { name: 'CQR', lsb: 16, width: 1, description: 'Contiguous queues required' },
      { name: 'TO', lsb: 24, width: 8, description: 'Timeout in units of 500 ms' },
    ],
    '0x0',
  ),
  register('VS', 'Version', 8, 4, [], '0x0'),
  register('CC', 'Controller Configuration', 0x14, 4, [
    { name: 'EN', lsb: 0, width: 1, description: 'Enable', values: { 0: 'disabled', 1: 'enabled' } },
    { name: 'MPS', lsb: 7, width: 4, description: 'Memory page size' },
    {
      name: 'SHN',
      lsb: 14,
      width: 2,
      description: 'Shutdown notification',
      values: { 0: 'none', 1: 'normal', 2: 'abrupt' },
    },
    { name: 'IOSQES', lsb: 16, width: 4, description: 'I/O submission queue entry size, power of two' },
    { name: 'IOCQES', lsb: 20, width: 4, description: 'I/O completion queue entry size, power of two' },
  ]),
  register(
    'CSTS',
    'Controller Status',
    0x1c,
    4,
    [
      { name: 'RDY', lsb: 0, width: 1, description: 'Ready' },
      { name: 'CFS', lsb: 1, width: 1, description: 'Controller fatal status' },
    ],
    '0x0',
  ),
  register('ASQ', 'Admin Submission Queue Base Address', 0x28, 8, [], '0xffffffffffffffff'),
  ...Array.from({ length: 5 }, (_, n) => [
    register(`SQ${n}TDBL`, `Submission Queue ${n} Tail Doorbell`, 0x1000 + n * 8, 4),
    register(`CQ${n}HDBL`, `Completion Queue ${n} Head Doorbell`, 0x1004 + n * 8, 4),
  ]).flat(),
];
const bars: readonly WireBar[] = [
  {
    index: 0,
    size: 16384,
    memory64: true,
    prefetchable: false,
    title: 'Controller registers',
    trace: { reads: false, writes: true, stopWrites: false },
    registers,
  },
];
const describe: WireDescription = {
  model: 'nvme',
  title: 'NVMe disk',
  identity: {
    vendorId: 0x1b36,
    deviceId: 0x10,
    subsystemVendorId: 0,
    subsystemId: 0,
    revision: 2,
    classCode: 0x010802,
  },
  bars,
  config: [],
  capabilities: [],
  vectorNames: ['Admin queue', 'I/O queue 1', 'I/O queue 2', 'I/O queue 3'],
};

const hello: LabHello = {
  contract: 1,
  version: '0.0.0-fake',
  instance: 'fake',
  shell: 'headless',
  host: { kind: 'sim', title: 'Fake lab', detail: 'No device here is real' },
  models: [
    {
      id: 'nvme',
      title: 'NVMe disk',
      summary: 'An NVM Express 1.4 controller with one namespace',
      options: [
        {
          name: 'size',
          label: 'Size',
          type: 'size',
          default: 1024 ** 3,
          min: 1024 ** 2,
          max: 1024 ** 4,
          multipleOf: 4096,
        },
        {
          name: 'blockSize',
          label: 'Block size',
          type: 'choice',
          default: '512',
          choices: [
            { value: '512', label: '512 B' },
            { value: '4096', label: '4 KiB' },
          ],
        },
        { name: 'queues', label: 'I/O queues', type: 'integer', default: 4, min: 1, max: 64 },
        { name: 'readOnly', label: 'Read-only', type: 'boolean', default: false },
        {
          name: 'image',
          label: 'Image',
          type: 'image',
          default: '',
          help: 'A raw image; empty keeps the disk in memory',
        },
      ],
    },
  ],
  abilities: { driverAccess: true, workload: true, terminal: true, serialConsole: true, input: true },
};

interface FakeDevice {
  summary: DeviceSummary;
  readonly memory: Uint8Array;
  readonly config: Uint8Array;
  readonly writers: Uint8Array;
  readonly counts: number[];
}

export interface FakeLab {
  connect(): Channel;
  /** Calls as they came. */
  readonly called: { readonly call: string; readonly params: unknown }[];
  /** Appends a trace row. */
  row(fields: Partial<Record<keyof typeof TraceField, number>>): void;
  stream(name: string, data: unknown, bytes?: Uint8Array): void;
  /** Breaks the connection. */
  drop(): void;
  stop(): void;
}

const hexOf = (value: number | bigint, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;

export function createFakeLab(options: FakeLabOptions = {}): FakeLab {
  const devices = new Map<number, FakeDevice>();
  const called: FakeLab['called'] = [];
  const dma: (DmaEntry & { readonly bytes: Uint8Array })[] = [];
  const notes = new Map<number, string>();
  let trace = new Uint8Array(1024 * TRACE_RECORD_BYTES);
  let rowCount = 0;
  let nextDevice = 1;
  let sequence = 0;
  let nextTerminal = 1;
  let deliver: ((message: string | ArrayBuffer) => void) | undefined;
  let closed: (() => void)[] = [];
  let filterOn = false;
  const unacknowledged = new Set<string>();
  const start = Date.now();
  const now = () => (Date.now() - start) * 1e6;
  const matches: number[] = [];

  function send(text: string | ArrayBuffer): void {
    queueMicrotask(() => deliver?.(text));
  }
  function stream(name: string, data: unknown, bytes?: Uint8Array): void {
    send(encodeServerMessage({ stream: name, data }, bytes));
  }
  function sendCount(): void {
    if (unacknowledged.has('trace') || deliver === undefined) return;
    unacknowledged.add('trace');
    const rows = filterOn ? matches.length : rowCount;
    stream('trace', { rows, total: rowCount, first: 0, missed: 0, progress: 1, repeat: 1, experts: 0 });
  }
  function sendDevices(): void {
    stream('devices', list());
  }
  const list = () => [...devices.values()].map((device) => device.summary);

  function row(fields: Partial<Record<keyof typeof TraceField, number>>): void {
    if ((rowCount + 1) * TRACE_RECORD_BYTES > trace.length) {
      const grown = new Uint8Array(trace.length * 2);
      grown.set(trace);
      trace = grown;
    }
    const view = new DataView(trace.buffer, rowCount * TRACE_RECORD_BYTES, TRACE_RECORD_BYTES);
    view.setFloat64(TraceField.time, fields.time ?? now(), true);
    view.setFloat64(TraceField.address, fields.address ?? 0, true);
    for (const name of [
      'valueLow',
      'valueHigh',
      'length',
      'aux',
      'cause',
      'sequence',
      'previousLow',
      'previousHigh',
    ] as const) {
      view.setUint32(TraceField[name], fields[name] ?? 0, true);
    }
    for (const name of ['kind', 'device', 'bar', 'flags'] as const)
      view.setUint8(TraceField[name], fields[name] ?? 0);
    view.setUint16(TraceField.cpu, fields.cpu ?? 0, true);
    view.setFloat64(TraceField.row, rowCount, true);
    view.setUint32(TraceField.repeat, fields.repeat ?? 1, true);
    view.setUint8(TraceField.rule, fields.rule ?? 0);
    view.setFloat64(TraceField.latency, fields.latency ?? Number.NaN, true);
    if (fields.kind === TraceKind.mmioWrite) matches.push(rowCount);
    rowCount++;
  }

  function device(id: number): FakeDevice {
    const found = devices.get(id);
    if (found === undefined) {
      throw new Refusal({
        code: 'no-such-device',
        message: `There is no device ${id}`,
        hint: 'It may have left the bus',
      });
    }
    return found;
  }

  function powerOn(name: string): number {
    const id = nextDevice++;
    const config = new Uint8Array(256);
    config.set([0x36, 0x1b, 0x10, 0, 6, 4, 0x10, 0, 2, 2, 8, 1]);
    config.set([0x40], 0x34);
    config.set([0x11, 0, 3, 0x80, 0, 0x20], 0x40);
    const memory = new Uint8Array(16384);
    const view = new DataView(memory.buffer);
    view.setBigUint64(0, 0x0000_0020_0f01_03ffn, true);
    view.setUint32(8, 0x10400, true);
    view.setUint32(0x14, 0x460001, true);
    view.setUint32(0x1c, 1, true);
    devices.set(id, {
      memory,
      config,
      writers: new Uint8Array(256).fill(2, 4, 6),
      counts: [0, 0, 0, 0],
      summary: {
        id,
        model: 'nvme',
        title: 'NVMe disk',
        name,
        state: 'on',
        address: `10000:0${id - 1}:00.0`,
        driver: 'nvme',
        busMaster: true,
        interruptMode: 'msix',
        vectors: 4,
        events: 0,
        lost: 0,
        interrupts: 0,
        revision: 0,
        workload: {
          running: true,
          rate: 1000,
          operations: 0,
          bytes: 0,
          errors: 0,
          phase: 'reading and writing',
        },
      },
    });
    sendDevices();
    return id;
  }

  function tree(config: Uint8Array): ConfigNode[] {
    const view = new DataView(config.buffer);
    const leaf = (name: string, offset: number, length: number, text = ''): ConfigNode => {
      let value = 0;
      for (let at = length - 1; at >= 0; at--) value = value * 256 + config[offset + at]!;
      return { name, offset, length, value: hexOf(value, length * 2), text };
    };
    const command = view.getUint16(4, true);
    const bit = (name: string, lsb: number): ConfigNode => ({
      name,
      offset: 4,
      length: 2,
      lsb,
      bits: 1,
      value: hexOf((command >> lsb) & 1, 1),
    });
    return [
      {
        name: 'Type 0 header',
        offset: 0,
        length: 64,
        children: [
          leaf('Vendor ID', 0, 2, 'Red Hat'),
          leaf('Device ID', 2, 2),
          {
            ...leaf('Command', 4, 2),
            children: [bit('I/O Space', 0), bit('Memory Space', 1), bit('Bus Master', 2)],
          },
          leaf('Status', 6, 2),
          leaf('Revision ID', 8, 1),
          leaf('Class Code', 9, 3, 'NVM Express controller'),
          leaf('Capabilities Pointer', 0x34, 1),
        ],
      },
      { name: 'MSI-X Capability', offset: 0x40, length: 12, children: [leaf('Message Control', 0x42, 2)] },
    ];
  }

  const number = (bytes: Uint8Array, offset: number, width: number) => {
    let value = 0n;
    for (let at = width - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[offset + at]!);
    return value;
  };
  const store = (bytes: Uint8Array, offset: number, width: number, value: bigint) => {
    for (let at = 0; at < width; at++) bytes[offset + at] = Number((value >> BigInt(at * 8)) & 0xffn);
  };
  const merged = (now: bigint, p: { readonly value: string; readonly mask?: string }) => {
    const mask = BigInt(p.mask ?? '0xffffffffffffffff');
    return (now & ~mask) | (BigInt(p.value) & mask);
  };

  // biome-ignore lint/suspicious/noExplicitAny: parameters are checked by the contract's schema right before
  type Handler = (p: any) => unknown | { result: unknown; bytes: Uint8Array };
  const powerOff: Handler = (p) => {
    device(p.device);
    devices.delete(p.device);
    sendDevices();
    return {};
  };
  /** What the window's unit tests need; other calls are refused. */
  const handlers: Partial<Record<CallName, Handler>> = {
    'lab.hello': () => hello,
    'lab.restart': () => ({}),
    'devices.list': list,
    'devices.powerOn': (p) => {
      if (p.options.image === '/no/such/image') {
        throw new Refusal({
          code: 'image-missing',
          message: 'The image /no/such/image cannot be opened: it does not exist',
          hint: 'Create it with truncate -s 1G FILE, or leave the field empty',
        });
      }
      return { device: powerOn(p.name ?? '') };
    },
    'devices.powerOff': powerOff,
    'devices.surpriseRemove': powerOff,
    'devices.past': () => [],
    'devices.describe': (p) => device(p.device) && describe,
    'devices.inspect': () => ({}),
    'devices.workload': (p) => {
      const found = device(p.device);
      found.summary = {
        ...found.summary,
        workload: { ...found.summary.workload!, running: p.running, rate: p.rate },
      };
      sendDevices();
      return {};
    },
    'registers.read': (p) => ({
      value: hexOf(number(device(p.device).memory, p.offset, p.width), p.width * 2),
    }),
    'registers.write': (p) => {
      const { memory } = device(p.device);
      store(memory, p.offset, p.width, merged(number(memory, p.offset, p.width), p));
      return {};
    },
    'bars.read': (p) => ({
      result: { offset: p.offset },
      bytes: device(p.device).memory.slice(p.offset, p.offset + p.length),
    }),
    'config.read': (p) => {
      const { config, writers } = device(p.device);
      const bytes = new Uint8Array(512);
      bytes.set(config);
      bytes.set(writers, 256);
      return { result: { size: 256, tree: tree(config), written: [] }, bytes };
    },
    'config.access': () => {
      const masks = new Uint8Array(512);
      masks.set([0x46, 5], 4);
      masks[256 + 7] = 0xf9;
      return { result: { size: 256 }, bytes: masks };
    },
    'config.powerOn': (p) => ({ result: { size: 256 }, bytes: device(p.device).config.slice() }),
    'config.at': (p) => ({ result: { size: 256 }, bytes: device(p.device).config.slice() }),
    'config.decode': (p) => ({
      tree: tree(Uint8Array.from(p.bytes.match(/../g) ?? [], (byte: string) => Number.parseInt(byte, 16))),
    }),
    'config.write': (p) => {
      const { config, writers } = device(p.device);
      // A driver cannot change the identity.
      if (p.as === 'device' || p.offset >= 4) {
        store(config, p.offset, p.width, merged(number(config, p.offset, p.width), p));
        writers.fill(3, p.offset, p.offset + p.width);
      }
      return { value: hexOf(number(config, p.offset, p.width), p.width * 2) };
    },
    'config.export': (p) => ({ text: `0000:00:00.0 device ${device(p.device).summary.id}\n00: 36 1b\n` }),
    'interrupts.list': (p) => ({
      mode: 'msix',
      vectors: device(p.device).counts.map((count, vector) => ({
        vector,
        name: describe.vectorNames[vector],
        enabled: vector < 3,
        masked: vector === 2,
        pending: false,
        irq: vector < 3 ? 24 + vector : 0,
        address: vector < 3 ? 0xfee01000 : 0,
        data: 0x30 + vector,
        cpu: vector % 2,
        count,
        repeating: 0,
      })),
    }),
    'interrupts.raise': (p) => {
      const found = device(p.device);
      if (p.vector === 2)
        return { raised: 0, refused: p.count, reason: 'The driver masked vector 2 in the MSI-X table' };
      if (p.vector > 2)
        return { raised: 0, refused: p.count, reason: `The driver has not enabled vector ${p.vector}` };
      found.counts[p.vector] = found.counts[p.vector]! + p.count;
      row({ kind: TraceKind.interrupt, device: p.device, aux: p.vector, flags: TraceFlag.byHand });
      sendCount();
      return { raised: p.count, refused: 0 };
    },
    'dma.list': (p) => {
      const fit = dma.filter(
        (one) => (p.before === 0 || one.id < p.before) && (!p.device || one.device === p.device),
      );
      const entries = fit.slice(-p.count).reverse();
      return {
        newest: dma.at(-1)?.id ?? 0,
        transfers: dma.length,
        kept: dma.length,
        entries: entries.map(({ bytes, ...entry }) => entry),
      };
    },
    'dma.bytes': (p) => {
      const found = dma.find((one) => one.id === p.id);
      if (found === undefined)
        throw new Refusal({ code: 'no-such-transfer', message: `Transfer ${p.id} is not kept` });
      const { bytes, ...entry } = found;
      return { result: { entry }, bytes };
    },
    'dma.readMemory': (p) => {
      device(p.device);
      if (p.address >= 2 ** 32) {
        throw new Refusal({
          code: 'unmapped',
          message: `No mapping holds ${hexOf(p.address, 8)}`,
          hint: 'Addresses in the DMA list were mapped',
        });
      }
      return { result: { address: p.address }, bytes: new Uint8Array(p.length).map((_, at) => at & 0xff) };
    },
    'dma.writeMemory': () => ({}),
    'input.attach': () => ({}),
    'input.detach': () => ({}),
    'input.events': () => ({}),
    'trace.view': (p) => {
      if (p.filter.includes('((')) {
        throw new Refusal({
          code: 'bad-filter',
          message: `At character ${p.filter.indexOf('((') + 2}: a term is missing`,
          hint: 'For example: write && value > 3',
        });
      }
      filterOn = p.filter !== '';
      return { rows: filterOn ? matches.length : rowCount, progress: 1 };
    },
    'trace.rows': (p) => {
      const total = filterOn ? matches.length : rowCount;
      const count = Math.max(0, Math.min(p.count, total - p.from));
      const bytes = new Uint8Array(count * TRACE_RECORD_BYTES);
      for (let at = 0; at < count; at++) {
        const from = (filterOn ? matches[p.from + at]! : p.from + at) * TRACE_RECORD_BYTES;
        bytes.set(trace.subarray(from, from + TRACE_RECORD_BYTES), at * TRACE_RECORD_BYTES);
      }
      return { result: { from: p.from, count, notes: Object.fromEntries(notes) }, bytes };
    },
    'trace.find': (p) => {
      const total = filterOn ? matches.length : rowCount;
      const row = p.from + (p.forward ? 1 : -1);
      return { row: row >= 0 && row < total ? row : -1, stopped: false };
    },
    'trace.cancel': () => ({}),
    'dma.forget': () => ({}),
    'dma.peers': () => ({ windows: [] }),
    'trace.access': (p) => ({ row: p.access < rowCount ? p.access : -1 }),
    'trace.locate': (p) => ({ index: Math.min(p.row ?? 0, rowCount) }),
    'trace.overview': (p) => ({
      result: { from: 0, to: p.by === 'time' ? now() : rowCount },
      bytes: new Uint8Array(new Float32Array(p.buckets * OVERVIEW_FIELDS).fill(1).buffer),
    }),
    'trace.experts': () => ({ groups: [] }),
    'trace.group': (p) => ({
      result: { count: p.row < rowCount ? 1 : 0, notes: {} },
      bytes: trace.slice(p.row * TRACE_RECORD_BYTES, (p.row + 1) * TRACE_RECORD_BYTES),
    }),
    'trace.statistics': () => ({ registers: [], stopped: false }),
    'trace.rules': () => ({}),
    'trace.limit': (p) => ({ rows: p.rows }),
    'trace.clear': () => {
      rowCount = 0;
      matches.length = 0;
      return {};
    },
    'trace.text': (p) => ({
      text: Array.from({ length: p.count }, (_, at) => `row ${p.from + at + 1}`).join('\n'),
    }),
    'terminal.open': (p) => {
      const terminal = nextTerminal++;
      setTimeout(() =>
        stream('terminalData', { terminal, data: p.kind === 'shell' ? 'fake$ ' : '[0.0] Linux version\r\n' }),
      );
      return { terminal };
    },
    'terminal.write': (p) => {
      stream('terminalData', { terminal: p.terminal, data: p.data === '\r' ? '\r\nfake$ ' : p.data });
      return {};
    },
    'terminal.resize': () => ({}),
    'terminal.close': () => ({}),
    'display.watch': () => ({}),
    'terminal.drawn': () => ({}),
  };

  function answer(message: ClientMessage): void {
    if ('ack' in message) {
      unacknowledged.delete(message.ack);
      return;
    }
    const { id, call, params } = message;
    called.push({ call, params });
    try {
      if (!(call in calls))
        throw new Refusal({ code: 'no-such-call', message: `There is no call "${call}"` });
      const checked = v.safeParse(calls[call as CallName], params);
      if (!checked.success) throw new Refusal({ code: 'bad-parameters', message: checked.issues[0].message });
      const handler = handlers[call as CallName];
      if (handler === undefined) throw new Refusal({ code: 'no-such-call', message: `Not here: ${call}` });
      const made = handler(checked.output) as { result: unknown; bytes?: Uint8Array };
      if (made.bytes instanceof Uint8Array) send(encodeServerMessage({ id, ok: made.result }, made.bytes));
      else send(encodeServerMessage({ id, ok: made }));
    } catch (error) {
      const body = error instanceof Refusal ? error.body : { code: 'internal', message: String(error) };
      send(encodeServerMessage({ id, error: body }));
    }
  }

  function traffic(): void {
    for (const found of devices.values()) {
      const { summary, memory, counts } = found;
      if (!summary.workload?.running) continue;
      const view = new DataView(memory.buffer);
      const queue = 1 + (sequence % 3);
      const offset = 0x1000 + queue * 8;
      const before = view.getUint32(offset, true);
      const after = (before + 1) % 1024;
      view.setUint32(offset, after, true);
      const common = { device: summary.id, cpu: queue - 1 };
      sequence++;
      row({
        ...common,
        kind: TraceKind.mmioWrite,
        address: offset,
        valueLow: after,
        length: 4,
        previousLow: before,
        flags: TraceFlag.previousKnown,
        sequence,
      });
      const address = 0x1_0480_0000 + after * 64;
      const bytes = new Uint8Array(64);
      new DataView(bytes.buffer).setUint32(0, (after << 16) | 2, true);
      row({ ...common, kind: TraceKind.dmaRead, address, length: 64, cause: sequence });
      dma.push({
        id: dma.length + 1,
        device: summary.id,
        time: now(),
        direction: 'read',
        address,
        peer: false,
        length: 64,
        status: 'ok',
        cause: sequence,
        place: { bar: 0, offset },
        content: 'commands',
        queue,
        took: 2300,
        together: 1,
        captured: 64,
        bytes,
      });
      const done = new Uint8Array(16);
      new DataView(done.buffer).setUint32(12, 0x10000 | after, true);
      row({ ...common, kind: TraceKind.dmaWrite, address: address + 0x10000, length: 16, cause: sequence });
      dma.push({
        id: dma.length + 1,
        device: summary.id,
        time: now(),
        direction: 'write',
        address: address + 0x10000,
        peer: false,
        length: 16,
        status: sequence % 50 === 0 ? 'unmapped' : 'ok',
        cause: sequence,
        place: { bar: 0, offset },
        content: 'completions',
        queue,
        took: 4100,
        together: 2,
        captured: 16,
        bytes: done,
      });
      row({ ...common, kind: TraceKind.interrupt, aux: queue, cause: sequence });
      counts[Math.min(queue, 3)]!++;
      if (sequence % 40 === 0) {
        notes.set(sequence, 'The driver wrote a doorbell of a queue that does not exist');
        row({ ...common, kind: TraceKind.note, aux: sequence, flags: TraceFlag.undefinedBehaviour });
      }
      if (sequence % 90 === 0) row({ ...common, kind: TraceKind.missed, aux: 12 });
      if (sequence % 30 === 0) {
        row({
          ...common,
          kind: TraceKind.mmioWrite,
          address: 0x14,
          valueLow: 0x460001,
          previousLow: 0,
          length: 4,
          flags: TraceFlag.previousKnown,
          sequence,
        });
        row({ ...common, kind: TraceKind.configWrite, address: 4, valueLow: 6, length: 2 });
        row({ ...common, kind: TraceKind.mmioRead, address: 0x1c, valueLow: 1, length: 4 });
      }
      found.summary = {
        ...summary,
        events: sequence,
        interrupts: sequence,
        workload: { ...summary.workload, operations: sequence, bytes: sequence * 4096 },
      };
    }
    sendCount();
  }

  const timers: ReturnType<typeof setInterval>[] = [];
  if (options.traffic) {
    powerOn('disk0');
    timers.push(
      setInterval(traffic, 30),
      setInterval(() => {
        sendDevices();
        stream('stats', {
          eventsPerSecond: 33 * devices.size,
          interruptsPerSecond: 33 * devices.size,
          dmaBytesPerSecond: 2640 * devices.size,
          events: sequence,
          missed: 0,
          traceRows: rowCount,
          traceBytes: rowCount * TRACE_RECORD_BYTES,
          traceDropped: 0,
          traceLimit: TRACE_LIMIT.default,
        });
      }, 300),
    );
  }

  return {
    called,
    row: (fields) => {
      row(fields);
      sendCount();
    },
    stream,
    connect: () => {
      unacknowledged.clear();
      closed = [];
      return {
        send: (message) => queueMicrotask(() => answer(JSON.parse(message as string) as ClientMessage)),
        onMessage: (listener) => {
          deliver = listener;
        },
        onClose: (listener) => closed.push(listener),
        close: () => {
          deliver = undefined;
        },
      };
    },
    drop: () => {
      deliver = undefined;
      for (const listener of closed.splice(0)) listener();
    },
    stop: () => {
      for (const timer of timers) clearInterval(timer);
    },
  };
}
