/** One window: its calls are checked at this edge, its streams paced by what it acknowledges. */
import * as v from 'valibot';
import type { WireRegister } from '#contract/devices.ts';
import { type CallName, type CallResult, calls, type StreamName, type Streams } from '#contract/index.ts';
import { type Channel, type ClientMessage, encodeServerMessage, MAX_MESSAGE_BYTES } from '#contract/wire.ts';
import { decodeConfigSpace } from '#devices/sdk/config-decode.ts';
import { errorBody } from '../hosts/error-body.ts';
import { LabError } from '../hosts/errors.ts';
import { DisplayStream } from './display-stream.ts';
import { WindowInput } from './input.ts';
import type { Lab } from './session.ts';
import type { StoreOverview, StoreRows } from './store-protocol.ts';
import { LatestStream, QueueStream, type StreamSink } from './stream.ts';
import { Terminals } from './terminals.ts';
import type { TraceCounts } from './trace-client.ts';

/** Calls of one window that may be under way at once. */
const MAX_CALLS = 256;

type Handler<N extends CallName> = (
  params: v.InferOutput<(typeof calls)[N]>,
) => CallResult<N> | WithBytes<N> | Promise<CallResult<N> | WithBytes<N>>;

class WithBytes<N extends CallName> {
  readonly result: CallResult<N>;
  readonly bytes: Uint8Array;

  constructor(result: CallResult<N>, bytes: Uint8Array) {
    this.result = result;
    this.bytes = bytes;
  }
}

const message = v.union([
  v.strictObject({
    id: v.pipe(v.number(), v.integer(), v.minValue(1)),
    call: v.string(),
    params: v.unknown(),
  }),
  v.strictObject({ ack: v.string() }),
]);

let nextView = 1;

function bitsOf(mask: string | undefined): bigint | undefined {
  return mask === undefined ? undefined : BigInt(mask);
}

export class Connection implements StreamSink {
  readonly #lab: Lab;
  readonly #channel: Channel;
  readonly #view = nextView++;
  readonly #terminals: Terminals;
  readonly #handlers: { [N in CallName]: Handler<N> };
  #underWay = 0;
  #lastCount = '';
  readonly devices = new LatestStream('devices', this);
  readonly stats = new LatestStream('stats', this);
  readonly health = new LatestStream('health', this);
  readonly log = new QueueStream('log', this);
  readonly #trace = new LatestStream('trace', this);
  readonly #display = new DisplayStream(this);
  readonly #input = new WindowInput();
  readonly #terminalData = new QueueStream('terminalData', this);
  readonly #terminalExit = new QueueStream('terminalExit', this);

  constructor(lab: Lab, channel: Channel) {
    this.#lab = lab;
    this.#channel = channel;
    this.#terminals = new Terminals({
      data: (terminal, data) => this.#terminalData.push({ terminal, data }),
      exit: (terminal, code) => this.#terminalExit.push({ terminal, code }),
    });
    this.#handlers = this.#makeHandlers();
    channel.onMessage((received) => this.#receive(received));
  }

  send(stream: StreamName, data: unknown, bytes?: Uint8Array): void {
    this.#channel.send(encodeServerMessage({ stream, data }, bytes));
  }

  traceCounted(counts: TraceCounts): void {
    const own = counts.views.find(({ view }) => view === this.#view);
    const value: Streams['trace'] = {
      rows: own?.rows ?? counts.total,
      total: counts.total,
      first: counts.first,
      missed: counts.missed,
      progress: own?.progress ?? 1,
      repeat: own?.repeat ?? 1,
      experts: counts.experts,
    };
    const text = JSON.stringify(value);
    if (text === this.#lastCount) return;
    this.#lastCount = text;
    this.#trace.push(value);
  }

  deviceGone(device: number): void {
    this.#input.deviceGone(device);
  }

  closed(): void {
    this.#display.watch(0, undefined);
    try {
      this.#input.detach();
    } catch (error) {
      // The window is gone; whoever else looks is told that its keys may be stuck.
      this.#lab.log('warning', errorBody(error).message);
    }
    this.#terminals.closeAll();
    this.#lab.trace.request({ op: 'closeView', view: this.#view }).catch(() => undefined);
  }

  #receive(received: string | ArrayBuffer): void {
    const length = typeof received === 'string' ? Buffer.byteLength(received) : received.byteLength;
    if (length > MAX_MESSAGE_BYTES) {
      this.#refuse(
        0,
        'MESSAGE_TOO_LARGE',
        `A message has at most ${MAX_MESSAGE_BYTES} bytes; this one has ${length}.`,
      );
      return;
    }
    if (typeof received !== 'string') {
      this.#refuse(0, 'BAD_MESSAGE', 'The lab takes JSON text; this message is binary.');
      return;
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(received);
    } catch (error) {
      this.#refuse(0, 'BAD_MESSAGE', `The message is not JSON: ${(error as Error).message}`);
      return;
    }
    const checked = v.safeParse(message, parsed);
    if (!checked.success) {
      const id = (parsed as { id?: unknown } | null)?.id;
      this.#refuse(
        typeof id === 'number' ? id : 0,
        'BAD_MESSAGE',
        'A message is {"id": number, "call": name, "params": {…}} or {"ack": stream}.',
      );
      return;
    }
    const client = checked.output as ClientMessage;
    if ('ack' in client) this.#acknowledge(client.ack);
    else void this.#call(client.id, client.call, client.params);
  }

  #acknowledge(stream: string): void {
    const streams: Record<StreamName, { acknowledge(): void }> = {
      devices: this.devices,
      stats: this.stats,
      health: this.health,
      log: this.log,
      trace: this.#trace,
      display: this.#display,
      terminalData: this.#terminalData,
      terminalExit: this.#terminalExit,
    };
    if (!Object.hasOwn(streams, stream)) {
      this.#refuse(
        0,
        'NO_SUCH_STREAM',
        `There is no stream "${stream}"; there are ${Object.keys(streams).join(', ')}.`,
      );
      return;
    }
    streams[stream as StreamName].acknowledge();
  }

  async #call(id: number, name: string, params: unknown): Promise<void> {
    if (!Object.hasOwn(calls, name)) {
      this.#refuse(id, 'NO_SUCH_CALL', `There is no call "${name}".`);
      return;
    }
    if (this.#underWay >= MAX_CALLS) {
      this.#refuse(id, 'TOO_MANY_CALLS', `At most ${MAX_CALLS} calls may be under way.`);
      return;
    }
    const call = name as CallName;
    const checked = v.safeParse(calls[call], params);
    if (!checked.success) {
      const issues = checked.issues.map((issue) => {
        const path = v.getDotPath(issue);
        return path === null ? issue.message : `${path}: ${issue.message}`;
      });
      this.#refuse(id, 'BAD_PARAMETERS', `${name}: ${issues.join('; ')}`);
      return;
    }
    this.#underWay++;
    try {
      const handler = this.#handlers[call] as Handler<CallName>;
      const answer = await handler(checked.output as never);
      if (answer instanceof WithBytes) {
        this.#channel.send(encodeServerMessage({ id, ok: answer.result }, answer.bytes));
      } else {
        this.#channel.send(encodeServerMessage({ id, ok: answer }));
      }
    } catch (error) {
      this.#channel.send(encodeServerMessage({ id, error: errorBody(error) }));
    } finally {
      this.#underWay--;
    }
  }

  #refuse(id: number, code: string, text: string): void {
    this.#channel.send(encodeServerMessage({ id, error: { code, message: text } }));
  }

  #makeHandlers(): { [N in CallName]: Handler<N> } {
    const lab = this.#lab;
    const view = this.#view;
    const terminals = this.#terminals;
    const needTerminal = (): void => {
      if (!lab.options.terminal) {
        throw new LabError(
          'NO_TERMINAL',
          'This lab was started without a terminal.',
          'Start it without --no-terminal.',
        );
      }
    };
    return {
      'lab.hello': () => lab.hello(),
      'lab.restart': () => {
        throw new LabError('NOT_STOPPED', 'This lab is running.');
      },
      'devices.list': () => lab.summaries(),
      'devices.powerOn': async ({ model, options, name }) => ({
        device: await lab.powerOn(model, options, name),
      }),
      'devices.powerOff': async ({ device }) => {
        await lab.powerOff(device);
        return {};
      },
      'devices.surpriseRemove': async ({ device }) => {
        await lab.surpriseRemove(device);
        return {};
      },
      'devices.reset': async ({ device }) => {
        await lab.reset(device);
        return {};
      },
      'devices.options': ({ device }) => lab.optionsOf(device),
      'devices.past': () => lab.past(),
      'devices.describe': ({ device }) => lab.description(device),
      'devices.inspect': ({ device }) => lab.handle(device).request({ op: 'inspect', quiet: false }),
      'devices.workload': ({ device, running, rate }) => {
        lab.setWorkload(device, running, rate);
        return {};
      },
      'registers.describe': async ({ device, bar, registers }) => {
        await lab.describeRegisters(device, bar, registers as readonly WireRegister[]);
        return {};
      },
      'registers.read': async ({ device, bar, offset, width, as }) => {
        const asDriver = as === 'driver';
        const value = await lab.handle(device).request({ op: 'registerRead', bar, offset, width, asDriver });
        return { value: `0x${value.toString(16).padStart(width * 2, '0')}` };
      },
      'registers.write': async ({ device, bar, offset, width, value, mask, as }) => {
        await lab.registerWrite(device, bar, offset, width, BigInt(value), bitsOf(mask), as);
        return {};
      },
      'bars.read': async ({ device, bar, offset, length }) =>
        new WithBytes({ offset }, await lab.handle(device).request({ op: 'barRead', bar, offset, length })),
      'config.read': async ({ device }) => {
        const { result, bytes } = await lab.configRead(device);
        return new WithBytes(result, bytes);
      },
      'config.write': ({ device, offset, width, value, mask, as }) =>
        lab.configWrite(device, offset, width, BigInt(value), bitsOf(mask), as),
      'config.access': ({ device }) => {
        const { result, bytes } = lab.configAccess(device);
        return new WithBytes(result, bytes);
      },
      'config.powerOn': ({ device }) => {
        const { result, bytes } = lab.configPowerOn(device);
        return new WithBytes(result, bytes);
      },
      'config.at': async ({ device, time }) => {
        const { result, bytes } = await lab.configAt(device, time);
        return new WithBytes(result, bytes);
      },
      'config.load': ({ device, bytes }) => lab.configLoad(device, Buffer.from(bytes, 'hex')),
      'config.parse': ({ text }) => {
        const { result, bytes } = lab.configParse(text);
        return new WithBytes(result, bytes);
      },
      'config.decode': ({ bytes }) => ({ tree: decodeConfigSpace(Buffer.from(bytes, 'hex')) }),
      'config.export': ({ device }) => lab.configExport(device),
      'interrupts.list': ({ device }) => lab.vectors(device),
      'interrupts.repeat': async ({ device, vector, rate }) => {
        await lab.handle(device).request({ op: 'repeat', vector, rate });
        return {};
      },
      'interrupts.level': async ({ device, asserted }) => {
        await lab.handle(device).request({ op: 'level', asserted });
        return {};
      },
      'interrupts.raise': async ({ device, vector, count }) => {
        const { raised, refused, reason } = await lab.handle(device).request({ op: 'raise', vector, count });
        return reason === '' ? { raised, refused } : { raised, refused, reason };
      },
      'dma.list': ({ device, before, count, refused }) => lab.dmaList(device, before, count, refused),
      'dma.mappings': ({ device }) => lab.dmaMappings(device),
      'dma.bytes': ({ id }) => {
        const { entry, bytes } = lab.dmaBytes(id);
        return new WithBytes({ entry }, bytes);
      },
      'dma.forget': ({ device }) => {
        lab.dmaForget(device);
        return {};
      },
      'dma.peers': ({ device }) => lab.dmaPeers(device),
      'dma.readMemory': async ({ device, address, length, peer = false }) =>
        new WithBytes(
          { address },
          await lab.handle(device).request({ op: 'dmaRead', address, length, peer }),
        ),
      'dma.writeMemory': async ({ device, address, bytes, peer = false }) => {
        const written = Buffer.from(bytes, 'hex');
        await lab.handle(device).request({ op: 'dmaWrite', address, bytes: written, peer });
        return {};
      },
      'disk.inspect': ({ device, quiet = false }) => lab.diskInspect(device, quiet),
      'disk.layout': ({ device }) => lab.diskLayout(device),
      'disk.list': ({ device, partition, path }) => lab.diskList(device, partition, path),
      'display.watch': ({ device, packed, shared }) => {
        const source = device === 0 ? undefined : lab.display(device);
        const memory = shared ? source?.displayPlace : undefined;
        this.#display.watch(device, memory === undefined ? source : undefined, packed);
        return memory === undefined ? {} : { memory };
      },
      'input.attach': ({ device }) => {
        this.#input.attach(device, lab.input(device));
        return {};
      },
      'input.detach': () => {
        this.#input.detach();
        return {};
      },
      'input.events': ({ events }) => {
        this.#input.send(events);
        return {};
      },
      'trace.view': ({ filter, kinds, collapse = false }) =>
        lab.trace.request<{ rows: number; progress: number }>({ op: 'view', view, filter, kinds, collapse }),
      'trace.rows': async ({ from, count }) => {
        const rows = await lab.trace.request<StoreRows>({ op: 'rows', view, from, count });
        return new WithBytes({ from: rows.from, count: rows.count, notes: rows.notes }, rows.bytes);
      },
      'trace.clear': () => lab.trace.request<Record<string, never>>({ op: 'clear' }),
      'trace.text': ({ from, count }) =>
        lab.trace.request<{ text: string }>({ op: 'text', view, from, count }),
      'trace.find': ({ filter, from, forward }) =>
        lab.trace.request({ op: 'find', view, filter, from, forward }),
      'trace.cancel': () => lab.trace.request<Record<string, never>>({ op: 'cancel', view }),
      'trace.locate': (place) => lab.trace.request({ op: 'locate', view, ...place }),
      'trace.access': ({ device, access, time, command }) =>
        lab.trace.request<{ row: number }>({ op: 'access', device, access, time, command }),
      'trace.overview': async ({ by, buckets, from, to }) => {
        const { bytes, ...span } = await lab.trace.request<StoreOverview>({
          op: 'overview',
          by,
          buckets,
          from,
          to,
        });
        return new WithBytes(span, bytes);
      },
      'trace.experts': () => lab.trace.request({ op: 'experts' }),
      'trace.group': async ({ row }) => {
        const { count, notes, bytes } = await lab.trace.request<StoreRows>({ op: 'group', row });
        return new WithBytes({ count, notes }, bytes);
      },
      'trace.statistics': () => lab.trace.request({ op: 'statistics', view }),
      'trace.rules': ({ filters }) => lab.trace.request({ op: 'rules', view, filters }),
      'trace.limit': ({ rows }) => lab.trace.request({ op: 'limit', rows }),
      'terminal.open': ({ kind, columns, rows, device }) => {
        needTerminal();
        switch (kind) {
          case 'shell':
            return { terminal: terminals.openShell(columns, rows) };
          case 'kernel-log': {
            const names = device === undefined ? undefined : lab.kernelNames(device);
            return { terminal: terminals.openKernelLog(columns, rows, names) };
          }
          case 'console':
            throw new LabError(
              'NO_CONSOLE',
              'There is no serial console here: one is read from outside of a guest, by the lab that started it.',
              'The kernel log has what the kernel prints.',
            );
        }
      },
      'terminal.write': ({ terminal, data }) => {
        terminals.write(terminal, data);
        return {};
      },
      'terminal.resize': ({ terminal, columns, rows }) => {
        terminals.resize(terminal, columns, rows);
        return {};
      },
      'terminal.close': ({ terminal }) => {
        terminals.close(terminal);
        return {};
      },
      'terminal.drawn': ({ terminal, characters }) => {
        terminals.drawn(terminal, characters);
        return {};
      },
    };
  }
}
