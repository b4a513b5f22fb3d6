/** The controller: registers, the CC/CSTS state machine (NVMe 1.4, 3.1 and 7.6), doorbells, and whose turn it is. */
import { hex, join } from '../sdk/bits.ts';
import { TransferContent } from '../sdk/command-format.ts';
import type { BlockBackend, Device, DeviceHost, ResetKind } from '../sdk/device.ts';
import { DmaStatus } from '../sdk/dma.ts';
import { RegisterFile } from '../sdk/register-file.ts';
import { AdminProcessor, HELD } from './admin.ts';
import { describeAdmin } from './command.ts';
import { CompletionPoster } from './completion.ts';
import { AsyncEvents } from './events.ts';
import { Features } from './features.ts';
import { Health, NO_LBA } from './health.ts';
import type { ControllerNames } from './identify.ts';
import { dmaReason, IoProcessor } from './io.ts';
import { ADMIN_OPCODES, statusName } from './names.ts';
import { Namespace } from './namespace.ts';
import { QueueSet, type SubmissionQueue } from './queue.ts';
import {
  BAR,
  Cc,
  Csts,
  controllerRegisters,
  DOORBELL_BASE,
  MAX_IO_QUEUES,
  MPS_MAX,
  Register,
} from './registers.ts';
import { CommandWatch } from './watch.ts';
import { AsyncEvent, LogPage, NSID, SQE_BYTES, SQE_WORDS, Sqe, Status } from './wire.ts';

export interface ControllerOptions {
  readonly size: number;
  readonly image: string;
  readonly blockSize: number;
  readonly ioQueues: number;
  readonly names: ControllerNames;
  /** Offer Doorbell Buffer Config. */
  readonly shadowDoorbells: boolean;
}

const DOORBELL_END = DOORBELL_BASE + (MAX_IO_QUEUES + 1) * 8;

/**
 * With shadow doorbells new commands come to light in the middle of `run`. After so many rounds the host gets a look
 * at the device in between; without them, `run` ends by itself.
 */
const MAX_SHADOW_ROUNDS = 32;

export class NvmeController implements Device {
  private readonly host: DeviceHost;
  private readonly options: ControllerOptions;
  private readonly registers: RegisterFile;
  private readonly queues: QueueSet;
  private readonly namespace: Namespace;
  private readonly features = new Features();
  private readonly health: Health;
  private readonly watch: CommandWatch;
  private readonly events: AsyncEvents;
  private readonly io: IoProcessor;
  private readonly admin: AdminProcessor;
  private poster!: CompletionPoster;
  private readonly cc: number;
  private readonly csts: number;
  private readonly intms: number;
  private readonly intmc: number;
  private enabled = false;
  private pageSize = 4096;
  private doorbells = 0;
  private readonly runAgain = (): void => this.run();

  constructor(host: DeviceHost, options: ControllerOptions) {
    this.host = host;
    this.options = options;
    this.namespace = new Namespace(host.openBlockBackend(options.image, options.size), options.blockSize);
    this.registers = new RegisterFile(BAR, controllerRegisters, host.bars, (index, low, high, wasLow) =>
      this.registerWritten(index, low, high, wasLow),
    );
    this.cc = this.registers.index('CC');
    this.csts = this.registers.index('CSTS');
    this.intms = this.registers.index('INTMS');
    this.intmc = this.registers.index('INTMC');
    this.queues = new QueueSet(host.dma, options.ioQueues);
    this.health = new Health(host.clock);
    this.watch = new CommandWatch(host.clock);
    this.events = new AsyncEvents(
      (commandId, dw0) => this.completeHeld(commandId, Status.success, dw0),
      () => (this.queues.completion[0]?.room() ?? 0) > 0,
    );
    this.io = new IoProcessor(
      host,
      this.queues,
      this.namespace,
      this.health,
      this.watch,
      (text) => this.fatal(text),
      (batch) => (this.poster = new CompletionPoster(batch)),
    );
    this.admin = new AdminProcessor({
      host,
      queues: this.queues,
      namespace: this.namespace,
      features: this.features,
      health: this.health,
      events: this.events,
      names: options.names,
      ioQueues: options.ioQueues,
      vectors: options.ioQueues + 1,
      shadowDoorbells: options.shadowDoorbells,
      shadow: this.io.shadow,
      pageSize: () => this.pageSize,
      setWriteCache: (on) => {
        this.io.cache = on;
      },
      entrySizesSet: () => ((this.registers.get(this.cc) >>> Cc.iosqesShift) & 0xff) === 0x46,
      completeHeld: (commandId, status, dw0) => this.completeHeld(commandId, status, dw0),
    });
  }

  powerOn(): void {
    this.registers.reset();
  }

  powerOff(): void {
    this.disable();
    try {
      this.namespace.backend.flush();
    } catch (error) {
      this.host.note('error', `disk: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  reset(_kind: ResetKind): void {
    this.disable();
    this.registers.reset();
  }

  mmioWrite(bar: number, offset: number, width: number, value: number, high: number): void {
    if (bar !== BAR) return;
    if (offset >= DOORBELL_BASE) {
      if (offset < DOORBELL_END) this.doorbell(offset, width, value);
      return;
    }
    this.registers.write(offset, width, value, high);
  }

  /** Serves everything that the doorbells promise. */
  run(): void {
    if (!this.enabled) return;
    for (let round = 1; this.enabled; round++) {
      if (round > MAX_SHADOW_ROUNDS && this.io.shadow.active) {
        this.host.clock.schedule(0, this.runAgain);
        return;
      }
      const didIo = this.io.round();
      const didAdmin = this.adminPending() && this.adminRound();
      if (!didIo && !didAdmin) return;
    }
  }

  private registerWritten(index: number, low: number, _high: number, wasLow: number): void {
    switch (this.registers.registers[index]!.offset) {
      case Register.CC:
        this.configure(low, wasLow);
        break;
      case Register.INTMS:
        this.setMask((this.poster.mask | low) >>> 0);
        break;
      case Register.INTMC:
        this.setMask((this.poster.mask & ~low) >>> 0);
        break;
      case Register.CAP:
      case Register.VS:
      case Register.CSTS:
        this.undefinedBehaviour(`write to ${this.registers.registers[index]!.name}, which is read-only`);
        break;
      case Register.AQA:
      case Register.ASQ:
      case Register.ACQ:
        if (this.enabled)
          this.undefinedBehaviour(
            `write to ${this.registers.registers[index]!.name} while the controller is enabled`,
          );
        break;
    }
  }

  private setMask(mask: number): void {
    const unmasked = this.poster.mask & ~mask;
    this.poster.mask = mask;
    this.registers.set(this.intms, mask);
    this.registers.set(this.intmc, mask);
    if (unmasked === 0) return;
    for (const cq of this.queues.completion) {
      if (cq?.interrupts && cq.vector < 32 && (unmasked >>> cq.vector) & 1 && cq.used() > 0)
        this.host.raiseInterrupt(cq.vector);
    }
  }

  /** A write of CC (3.1.5). */
  private configure(cc: number, was: number): void {
    const enable = (cc & Cc.EN) !== 0;
    const wasEnabled = (was & Cc.EN) !== 0;
    if (enable && !wasEnabled) this.enable(cc);
    else if (!enable && wasEnabled) {
      this.disable();
      this.resetController();
    } else if (enable && ((cc ^ was) & 0x3ff0) !== 0) {
      this.undefinedBehaviour('CC.CSS, CC.MPS or CC.AMS changed while the controller is enabled');
    }
    const shn = (cc >>> Cc.shnShift) & 3;
    if (shn !== 0 && shn !== ((was >>> Cc.shnShift) & 3)) this.shutdown(shn);
    else if (shn === 0 && (was >>> Cc.shnShift) & 3 && enable) this.setStatus(0, Csts.shstMask);
  }

  private enable(cc: number): void {
    const problem = this.enableProblem(cc);
    if (problem !== null) {
      this.fatal(problem);
      return;
    }
    this.pageSize = 4096 << ((cc >>> Cc.mpsShift) & 0xf);
    this.io.pageSize = this.pageSize;
    const { registers, queues } = this;
    const aqa = registers.get(registers.index('AQA'));
    const base = (name: string) => {
      const index = registers.index(name);
      return join(registers.get(index), registers.getHigh(index));
    };
    const completion = queues.createCompletion(0, ((aqa >>> 16) & 0xfff) + 1, base('ACQ'), 0, true);
    queues.createSubmission(0, (aqa & 0xfff) + 1, base('ASQ'), completion, 0);
    this.enabled = true;
    this.setStatus(Csts.RDY, Csts.shstMask);
  }

  private enableProblem(cc: number): string | null {
    const { registers } = this;
    const css = (cc >>> Cc.cssShift) & 7;
    if (css !== 0) return `CC.CSS ${css} is not supported`;
    if ((cc >>> Cc.amsShift) & 7) return `CC.AMS ${(cc >>> Cc.amsShift) & 7} is not supported`;
    const mps = (cc >>> Cc.mpsShift) & 0xf;
    if (mps > MPS_MAX) return `CC.MPS ${mps} is beyond CAP.MPSMAX ${MPS_MAX}`;
    const aqa = registers.get(registers.index('AQA'));
    if ((aqa & 0xfff) === 0 || ((aqa >>> 16) & 0xfff) === 0)
      return 'AQA asks for an admin queue of one entry';
    const mask = (4096 << mps) - 1;
    for (const name of ['ASQ', 'ACQ']) {
      const index = registers.index(name);
      if (registers.get(index) === 0 && registers.getHigh(index) === 0) return `${name} is 0`;
      if (registers.get(index) & mask) return `${name} is not aligned to the memory page size`;
    }
    return null;
  }

  /** Controller reset (7.3.2): every register but AQA, ASQ and ACQ. */
  private resetController(): void {
    this.poster.mask = 0;
    this.registers.set(this.intms, 0);
    this.registers.set(this.intmc, 0);
    // What CC holds besides EN stays as the driver wrote it.
    this.registers.set(this.csts, 0);
  }

  private disable(): void {
    this.enabled = false;
    this.io.batch.abandon();
    this.io.shadow.off();
    this.poster.clear();
    this.queues.clear();
    this.events.reset();
    this.features.reset();
    this.io.cache = true;
  }

  private shutdown(kind: number): void {
    this.setStatus(Csts.shutdownOccurring, Csts.shstMask);
    if (kind === 3) this.undefinedBehaviour('CC.SHN 3 is reserved');
    if (kind === 2) this.health.unsafeShutdowns++;
    if (this.enabled) this.run();
    try {
      this.namespace.backend.flush();
    } catch (error) {
      this.host.note('error', `disk: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.setStatus(Csts.shutdownComplete, Csts.shstMask);
  }

  private setStatus(set: number, clear: number): void {
    this.registers.set(this.csts, (this.registers.get(this.csts) & ~clear) | set);
  }

  /** CSTS.CFS: only a reset helps (3.1.6). */
  private fatal(text: string): void {
    this.host.note('error', `controller fatal error: ${text}`);
    this.enabled = false;
    this.setStatus(Csts.CFS, 0);
  }

  private undefinedBehaviour(text: string): void {
    this.host.note('undefined-behaviour', text);
  }

  /** Tail of a submission queue or head of a completion queue (3.1.24, 3.1.25). Only remembers it. */
  private doorbell(offset: number, width: number, value: number): void {
    this.doorbells++;
    const number = (offset - DOORBELL_BASE) >>> 2;
    const id = number >>> 1;
    if (width !== 4 || (offset & 3) !== 0) {
      this.undefinedBehaviour(
        `doorbell access of ${width} bytes at ${hex(offset, 2)}; it takes 4 aligned bytes`,
      );
      return;
    }
    if (!this.enabled) {
      this.undefinedBehaviour(`doorbell ${doorbellName(number)} rung while the controller is not enabled`);
      return;
    }
    const position = value & 0xffff;
    if (id !== 0 && this.io.shadow.active) {
      // By now the shadow may hold a newer value: the doorbell only says to look there.
      this.io.look = true;
      const queue = this.queues.submission[id];
      if (queue) {
        queue.hot = true;
        queue.rungBy = this.host.access();
      } else this.badDoorbell(number, value, AsyncEvent.invalidDoorbellRegister, 'there is no such queue');
      return;
    }
    if ((number & 1) === 0) {
      const queue = this.queues.submission[id];
      if (!queue)
        this.badDoorbell(number, value, AsyncEvent.invalidDoorbellRegister, 'there is no such queue');
      else if (position >= queue.size)
        this.badDoorbell(
          number,
          value,
          AsyncEvent.invalidDoorbellValue,
          `the queue has ${queue.size} entries`,
        );
      else if (position === queue.tail)
        this.badDoorbell(number, value, AsyncEvent.invalidDoorbellValue, 'it holds that value already');
      else {
        if (this.watch.on && queue.waiting() === 0) queue.rungAt = this.host.clock.now();
        queue.tail = position;
        queue.rungBy = this.host.access();
      }
      return;
    }
    const queue = this.queues.completion[id];
    if (!queue) {
      this.badDoorbell(number, value, AsyncEvent.invalidDoorbellRegister, 'there is no such queue');
      return;
    }
    if (position >= queue.size) {
      this.badDoorbell(number, value, AsyncEvent.invalidDoorbellValue, `the queue has ${queue.size} entries`);
      return;
    }
    let taken = position - queue.head;
    if (taken < 0) taken += queue.size;
    if (taken === 0)
      this.badDoorbell(number, value, AsyncEvent.invalidDoorbellValue, 'it holds that value already');
    else if (taken > queue.used())
      this.badDoorbell(number, value, AsyncEvent.invalidDoorbellValue, 'it is beyond the last completion');
    else {
      queue.head = position;
      if (queue.interrupts) this.host.interruptServed(queue.vector);
    }
  }

  private badDoorbell(number: number, value: number, information: number, why: string): void {
    this.host.note(
      'undefined-behaviour',
      `doorbell ${doorbellName(number)} rung with ${value}: ${why}`,
      'doorbell',
    );
    this.health.recordError(0xffff, 0xffff, 0, 0, NO_LBA);
    this.events.raise(AsyncEvent.errorType, information, LogPage.errorInformation);
  }

  private adminPending(): boolean {
    const queue = this.queues.submission[0];
    return this.enabled && queue != null && (queue.head !== queue.tail || this.events.pending);
  }

  /** One admin command, as the next may depend on it. */
  private adminRound(): boolean {
    const queue = this.queues.submission[0];
    if (!queue) return false;
    const { batch } = this.io;
    batch.begin();
    let did = this.events.deliver();
    if (queue.waiting() > 0 && queue.completion.room() > 0) {
      did = true;
      this.adminCommand(queue);
      this.events.deliver();
    }
    this.poster.flush();
    batch.submit();
    return did;
  }

  private adminCommand(queue: SubmissionQueue): void {
    const slot = queue.head;
    const address = queue.base + slot * SQE_BYTES;
    this.host.attribute(queue.rungBy, TransferContent.commands, queue.id);
    const code = this.host.dma.read(address, queue.buffer, slot * SQE_BYTES, SQE_BYTES);
    if (code !== DmaStatus.ok) {
      this.fatal(`the admin submission queue at ${hex(address)} cannot be reached: ${dmaReason(code)}`);
      return;
    }
    queue.head = slot + 1 === queue.size ? 0 : slot + 1;
    queue.inFlight++;
    queue.fetched++;
    queue.completion.reserved++;
    const { words } = queue;
    const at = slot * SQE_WORDS;
    const status = this.admin.execute(words, at);
    if (status === HELD) {
      // Its place in the completion queue is taken when it is completed.
      queue.completion.reserved--;
      return;
    }
    const commandId = words[at]! >>> 16;
    this.host.command(0, commandId, (words[at]! & 0xff) + ADMIN_OPCODES, status, 0, 0);
    this.poster.post(queue, commandId, status, this.admin.result);
    if (this.watch.on) {
      const now = this.host.clock.now();
      const { blocks } = this.namespace;
      this.watch.note(0, words, at, status, queue.rungAt || now, now, blocks, queue.rungBy);
    }
    if (status !== Status.success) {
      this.health.failedCommands++;
      this.health.recordError(0, commandId, status, words[at + Sqe.nsid]!, NO_LBA);
      this.host.note('info', `SQ0 ${describeAdmin(words, at)}: ${statusName(status)}`);
    }
  }

  private completeHeld(commandId: number, status: number, dw0: number): void {
    const queue = this.queues.submission[0];
    if (!queue) return;
    queue.completion.reserved++;
    this.poster.post(queue, commandId, status, dw0);
  }

  /** The disk itself, for whoever looks at what is on it. */
  get media(): BlockBackend {
    return this.namespace.backend;
  }

  inspect(quiet = false): unknown {
    const { namespace, queues, registers } = this;
    if (!quiet) this.watch.look();
    return {
      kind: 'nvme',
      enabled: this.enabled,
      cc: registers.get(this.cc),
      csts: registers.get(this.csts),
      pageSize: this.pageSize,
      serial: this.options.names.serial,
      modelNumber: this.options.names.model,
      namespace: {
        id: NSID,
        blocks: namespace.blocks,
        blockSize: namespace.blockSize,
        bytes: namespace.blocks * namespace.blockSize,
        image: this.options.image,
      },
      submissionQueues: queues.submission
        .filter((queue) => queue !== null)
        .map((queue) => ({
          id: queue.id,
          size: queue.size,
          base: queue.base,
          head: queue.head,
          tail: queue.tail,
          waiting: queue.waiting(),
          inFlight: queue.inFlight,
          completionQueue: queue.completion.id,
          priority: queue.priority,
          fetched: queue.fetched,
          completed: queue.completed,
        })),
      completionQueues: queues.completion
        .filter((queue) => queue !== null)
        .map((queue) => ({
          id: queue.id,
          size: queue.size,
          base: queue.base,
          head: queue.head,
          tail: queue.tail,
          used: queue.used(),
          phase: queue.phase,
          vector: queue.vector,
          interrupts: queue.interrupts,
        })),
      asyncEventRequests: this.events.held,
      doorbells: this.doorbells,
      counters: this.health.inspect(),
      time: this.host.clock.now(),
      ...this.watch.inspect(),
    };
  }
}

function doorbellName(number: number): string {
  return number & 1 ? `CQ${number >>> 1}HDBL` : `SQ${number >>> 1}TDBL`;
}
