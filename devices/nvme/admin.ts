/** Admin commands (NVMe 1.4, 5). Rare, so they move their data at once. Each handler returns a status. */

import { join } from '../sdk/bits.ts';
import type { DeviceHost } from '../sdk/device.ts';
import type { DmaBuffer } from '../sdk/dma.ts';
import type { AsyncEvents } from './events.ts';
import { type Features, featureKnown } from './features.ts';
import type { Health } from './health.ts';
import {
  activeNamespaces,
  type ControllerNames,
  commandEffects,
  firmwareSlots,
  identifyController,
  identifyNamespace,
  namespaceDescriptors,
} from './identify.ts';
import { LBA_SHIFTS, type Namespace } from './namespace.ts';
import { PrpMover } from './prp.ts';
import type { QueueSet } from './queue.ts';
import { MAX_QUEUE_ENTRIES } from './registers.ts';
import type { ShadowDoorbells } from './shadow.ts';
import {
  AdminOpcode,
  AsyncEvent,
  Feature,
  IDENTIFY_BYTES,
  IoOpcode,
  LogPage,
  MAX_TRANSFER,
  NSID,
  NSID_ALL,
  Sqe,
  Status,
} from './wire.ts';

/** The command is held and completed later. */
export const HELD = -1;

export interface AdminContext {
  readonly host: DeviceHost;
  readonly queues: QueueSet;
  readonly namespace: Namespace;
  readonly features: Features;
  readonly health: Health;
  readonly events: AsyncEvents;
  readonly names: ControllerNames;
  readonly ioQueues: number;
  readonly vectors: number;
  readonly shadowDoorbells: boolean;
  readonly shadow: ShadowDoorbells;
  pageSize(): number;
  setWriteCache(on: boolean): void;
  /** CC.IOSQES and CC.IOCQES are what Identify asks for. */
  entrySizesSet(): boolean;
  /** Completes a command that was {@link HELD}. */
  completeHeld(commandId: number, status: number, dw0: number): void;
}

export class AdminProcessor {
  private readonly context: AdminContext;
  private readonly mover: PrpMover;
  private readonly data: DmaBuffer;
  /** DW0 of the completion. */
  result = 0;

  constructor(context: AdminContext) {
    this.context = context;
    this.mover = new PrpMover(context.host);
    this.data = context.host.dma.allocate(IDENTIFY_BYTES);
  }

  /** Carries out the entry at word `at`. Returns its status, or {@link HELD}. */
  execute(words: Uint32Array, at: number): number {
    this.result = 0;
    const dw0 = words[at]!;
    if ((dw0 & 0xc300) !== 0) return Status.invalidField;
    // Of admin commands only event requests are in flight while another is looked at.
    if (this.context.events.holds(dw0 >>> 16)) return Status.commandIdConflict;
    switch (dw0 & 0xff) {
      case AdminOpcode.deleteSq:
        return this.deleteSubmissionQueue(words[at + Sqe.cdw10]!);
      case AdminOpcode.createSq:
        return this.createSubmissionQueue(words, at);
      case AdminOpcode.getLogPage:
        return this.getLogPage(words, at);
      case AdminOpcode.deleteCq:
        return this.deleteCompletionQueue(words[at + Sqe.cdw10]!);
      case AdminOpcode.createCq:
        return this.createCompletionQueue(words, at);
      case AdminOpcode.identify:
        return this.identify(words, at);
      case AdminOpcode.abort:
        return this.abort(words[at + Sqe.cdw10]!);
      case AdminOpcode.setFeatures:
        return this.setFeatures(words, at);
      case AdminOpcode.getFeatures:
        return this.getFeatures(words, at);
      case AdminOpcode.asyncEventRequest:
        return this.context.events.hold(dw0 >>> 16) ? HELD : Status.asyncEventLimitExceeded;
      case AdminOpcode.formatNvm:
        return this.format(words, at);
      case AdminOpcode.doorbellBufferConfig:
        return this.context.shadowDoorbells ? this.doorbellBuffers(words, at) : Status.invalidOpcode;
      default:
        return Status.invalidOpcode;
    }
  }

  // 5.3, Create I/O Completion Queue
  private createCompletionQueue(words: Uint32Array, at: number): number {
    const { queues, vectors } = this.context;
    const dw10 = words[at + Sqe.cdw10]!;
    const dw11 = words[at + Sqe.cdw11]!;
    const id = dw10 & 0xffff;
    const size = (dw10 >>> 16) + 1;
    const vector = dw11 >>> 16;
    const interrupts = (dw11 & 2) !== 0;
    if (id === 0 || id > this.completionQueues() || queues.completion[id] !== null)
      return Status.invalidQueueIdentifier;
    const bad = this.checkQueueMemory(words, at, size, (dw11 & 1) !== 0);
    if (bad !== Status.success) return bad;
    // IV means nothing to a queue without interrupts.
    if (interrupts && vector >= vectors) return Status.invalidInterruptVector;
    const base = join(words[at + Sqe.prp1Low]!, words[at + Sqe.prp1High]!);
    queues.createCompletion(id, size, base, vector, interrupts);
    this.context.shadow.adopt(id);
    return Status.success;
  }

  // 5.4, Create I/O Submission Queue
  private createSubmissionQueue(words: Uint32Array, at: number): number {
    const { queues } = this.context;
    const dw10 = words[at + Sqe.cdw10]!;
    const dw11 = words[at + Sqe.cdw11]!;
    const id = dw10 & 0xffff;
    const size = (dw10 >>> 16) + 1;
    const completionId = dw11 >>> 16;
    if (id === 0 || id > this.submissionQueues() || queues.submission[id] !== null)
      return Status.invalidQueueIdentifier;
    // Beyond what there is: no such identifier. Within it, but not created: the queue is invalid.
    if (completionId === 0 || completionId > this.completionQueues()) return Status.invalidQueueIdentifier;
    const completion = queues.completion[completionId] ?? null;
    if (completion === null) return Status.completionQueueInvalid;
    const bad = this.checkQueueMemory(words, at, size, (dw11 & 1) !== 0);
    if (bad !== Status.success) return bad;
    const base = join(words[at + Sqe.prp1Low]!, words[at + Sqe.prp1High]!);
    queues.createSubmission(id, size, base, completion, (dw11 >>> 1) & 3);
    this.context.shadow.adopt(id);
    return Status.success;
  }

  /** Highest identifier of a completion queue: what Set Features granted, else all there are. */
  private completionQueues(): number {
    const granted = this.context.features.queuesGranted;
    return granted === undefined ? this.context.ioQueues : (granted >>> 16) + 1;
  }

  private submissionQueues(): number {
    const granted = this.context.features.queuesGranted;
    return granted === undefined ? this.context.ioQueues : (granted & 0xffff) + 1;
  }

  private checkQueueMemory(words: Uint32Array, at: number, size: number, contiguous: boolean): number {
    if (size < 2 || size > MAX_QUEUE_ENTRIES) return Status.invalidQueueSize;
    // CAP.CQR is 1.
    if (!contiguous) return Status.invalidField;
    if ((words[at + Sqe.prp1Low]! & (this.context.pageSize() - 1)) !== 0) return Status.prpOffsetInvalid;
    if (!this.context.entrySizesSet()) return Status.invalidQueueSize;
    return Status.success;
  }

  // 5.5, Delete I/O Completion Queue
  private deleteCompletionQueue(dw10: number): number {
    const { queues, ioQueues } = this.context;
    const id = dw10 & 0xffff;
    const queue = id === 0 || id > ioQueues ? null : queues.completion[id];
    if (!queue) return Status.invalidQueueIdentifier;
    if (queue.users > 0) return Status.invalidQueueDeletion;
    queues.deleteCompletion(queue);
    return Status.success;
  }

  // 5.6, Delete I/O Submission Queue
  private deleteSubmissionQueue(dw10: number): number {
    const { queues, ioQueues } = this.context;
    const id = dw10 & 0xffff;
    const queue = id === 0 || id > ioQueues ? null : queues.submission[id];
    if (!queue) return Status.invalidQueueIdentifier;
    queues.deleteSubmission(queue);
    return Status.success;
  }

  // 5.15, Identify
  private identify(words: Uint32Array, at: number): number {
    const { names, namespace } = this.context;
    const nsid = words[at + Sqe.nsid]!;
    switch (words[at + Sqe.cdw10]! & 0xff) {
      case 0x00:
        // FFFFFFFFh asks for what all namespaces have in common, which needs namespace management.
        if (nsid !== NSID) return Status.invalidNamespaceOrFormat;
        return this.send(at, identifyNamespace(namespace), IDENTIFY_BYTES);
      case 0x01:
        return this.send(at, identifyController(names, this.context.shadowDoorbells), IDENTIFY_BYTES);
      case 0x02:
        if (nsid >= 0xffff_fffe) return Status.invalidNamespaceOrFormat;
        return this.send(at, activeNamespaces(nsid), IDENTIFY_BYTES);
      case 0x03:
        if (nsid !== NSID) return Status.invalidNamespaceOrFormat;
        return this.send(at, namespaceDescriptors(names.serial), IDENTIFY_BYTES);
      default:
        return Status.invalidField;
    }
  }

  // 5.14, Get Log Page
  private getLogPage(words: Uint32Array, at: number): number {
    const { health, events, shadowDoorbells } = this.context;
    const dw10 = words[at + Sqe.cdw10]!;
    const page = dw10 & 0xff;
    const length = (join(dw10 >>> 16, 0) + (words[at + Sqe.cdw11]! & 0xffff) * 65536 + 1) * 4;
    const offset = join(words[at + Sqe.cdw12]!, words[at + Sqe.cdw13]!);
    let log: Uint8Array;
    if (page === LogPage.errorInformation) log = health.errorLog();
    else if (page === LogPage.smart) log = health.smartLog();
    else if (page === LogPage.firmwareSlot) log = firmwareSlots();
    else if (page === LogPage.commandsSupported)
      log = commandEffects(
        Object.values(AdminOpcode).filter(
          (opcode) => opcode !== AdminOpcode.doorbellBufferConfig || shadowDoorbells,
        ),
        Object.values(IoOpcode),
      );
    else return Status.invalidLogPage;
    const nsid = words[at + Sqe.nsid]!;
    // LPA bit 0 is 0: SMART is of the controller, and no page is of a namespace (5.14.1).
    if (nsid !== 0 && nsid !== NSID_ALL && !(page === LogPage.smart && nsid === NSID))
      return page === LogPage.smart ? Status.invalidNamespaceOrFormat : Status.invalidField;
    if (offset % 4 !== 0 || offset > log.length) return Status.invalidField;
    if (length > MAX_TRANSFER) return Status.invalidField;
    const status = this.send(at, log.subarray(offset), length);
    const retain = (dw10 & 0x8000) !== 0;
    if (status === Status.success && !retain) events.logRead(page);
    return status;
  }

  /** Copies `bytes` to the host, `length` in all; what is beyond them reads as zeroes. */
  private send(at: number, bytes: Uint8Array, length: number): number {
    const { dma } = this.context.host;
    const buffer = length <= this.data.bytes.length ? this.data : dma.allocate(length);
    const take = Math.min(bytes.length, length);
    buffer.bytes.set(take === bytes.length ? bytes : bytes.subarray(0, take));
    buffer.bytes.fill(0, take, length);
    const queue = this.context.queues.submission[0]!;
    const status = this.mover.move(queue, at, buffer, 0, length, true, this.context.pageSize());
    if (buffer !== this.data) dma.release(buffer);
    return status;
  }

  // 5.1, Abort
  private abort(dw10: number): number {
    const { events, queues } = this.context;
    const sq = dw10 & 0xffff;
    const commandId = dw10 >>> 16;
    // Bit 0 set: not aborted. Everything but held event requests is done before Abort is looked at.
    this.result = 1;
    if (!queues.submission[sq]) return Status.success;
    if (sq === 0 && events.cancel(commandId)) {
      this.context.completeHeld(commandId, Status.abortRequested, 0);
      this.result = 0;
    }
    return Status.success;
  }

  // 5.21, Set Features
  private setFeatures(words: Uint32Array, at: number): number {
    const { features, health, events, ioQueues, vectors } = this.context;
    const id = words[at + Sqe.cdw10]! & 0xff;
    const dw11 = words[at + Sqe.cdw11]!;
    if (!featureKnown(id)) return Status.invalidField;
    if (words[at + Sqe.cdw10]! >>> 31 !== 0) return Status.featureNotSaveable;
    const nsid = words[at + Sqe.nsid]!;
    if (nsid !== 0 && nsid !== NSID_ALL) {
      // Error Recovery is the one that belongs to a namespace (figure 272).
      if (nsid !== NSID) return Status.invalidNamespaceOrFormat;
      if (id !== Feature.errorRecovery) return Status.featureNotNamespaceSpecific;
    }
    switch (id) {
      case Feature.powerManagement:
        if ((dw11 & 0x1f) > 0) return Status.invalidField;
        break;
      case Feature.temperatureThreshold: {
        const sensor = (dw11 >>> 16) & 0xf;
        const type = (dw11 >>> 20) & 3;
        // The composite temperature is all there is.
        if ((sensor !== 0 && sensor !== 0xf) || type > 1) return Status.invalidField;
        if (type === 0) features.over = dw11 & 0xffff;
        else features.under = dw11 & 0xffff;
        this.updateTemperature();
        return Status.success;
      }
      case Feature.errorRecovery:
        // DULBE needs deallocated blocks to be reported, which NSFEAT does not offer.
        if ((dw11 & 0x1_0000) !== 0) return Status.invalidField;
        break;
      case Feature.numberOfQueues: {
        const submission = dw11 & 0xffff;
        const completion = dw11 >>> 16;
        if (submission === 0xffff || completion === 0xffff) return Status.invalidField;
        // Only before any I/O queue was made (5.21.1.7).
        const made = this.context.queues.completion.some((queue) => queue !== null && queue.id !== 0);
        if (made) return Status.commandSequenceError;
        const most = ioQueues - 1;
        features.queuesGranted = Math.min(submission, most) | (Math.min(completion, most) << 16);
        this.result = features.queuesGranted >>> 0;
        return Status.success;
      }
      case Feature.interruptVectorConfiguration: {
        const vector = dw11 & 0xffff;
        if (vector >= vectors) return Status.invalidField;
        features.setCoalescingDisabled(vector, (dw11 & 0x1_0000) !== 0);
        return Status.success;
      }
    }
    features.set(id, dw11);
    if (id === Feature.volatileWriteCache) this.context.setWriteCache((dw11 & 1) !== 0);
    if (id === Feature.asyncEventConfiguration && health.criticalWarning & features.warningMask)
      events.raise(AsyncEvent.smartType, AsyncEvent.temperatureThreshold, LogPage.smart);
    return Status.success;
  }

  /** The thresholds moved: warn, or stop warning. */
  private updateTemperature(): void {
    const { features, health, events } = this.context;
    const before = health.criticalWarning;
    const outside = health.temperature >= features.over || health.temperature <= features.under;
    health.criticalWarning = outside ? before | 2 : before & ~2;
    if (outside && (before & 2) === 0 && (features.warningMask & 2) !== 0)
      events.raise(AsyncEvent.smartType, AsyncEvent.temperatureThreshold, LogPage.smart);
  }

  // 5.13, Get Features
  private getFeatures(words: Uint32Array, at: number): number {
    const { features, ioQueues, vectors } = this.context;
    const dw10 = words[at + Sqe.cdw10]!;
    const dw11 = words[at + Sqe.cdw11]!;
    const id = dw10 & 0xff;
    const select = (dw10 >>> 8) & 7;
    if (!featureKnown(id) || select > 3) return Status.invalidField;
    const nsid = words[at + Sqe.nsid]!;
    if (nsid !== 0 && nsid !== NSID_ALL && nsid !== NSID) return Status.invalidNamespaceOrFormat;
    if (select === 3) {
      // Supported capabilities: changeable, per namespace, not saveable (figure 176).
      this.result = 4 | (id === Feature.errorRecovery ? 2 : 0);
      return Status.success;
    }
    // Nothing was ever saved: saved values are the default ones.
    const current = select === 0;
    switch (id) {
      case Feature.temperatureThreshold: {
        const sensor = (dw11 >>> 16) & 0xf;
        const type = (dw11 >>> 20) & 3;
        if (sensor !== 0 || type > 1) return Status.invalidField;
        this.result = type === 0 ? (current ? features.over : 343) : current ? features.under : 0;
        return Status.success;
      }
      case Feature.numberOfQueues: {
        const most = ioQueues - 1;
        this.result = ((current ? features.queuesGranted : undefined) ?? most | (most << 16)) >>> 0;
        return Status.success;
      }
      case Feature.interruptVectorConfiguration: {
        const vector = dw11 & 0xffff;
        if (vector >= vectors) return Status.invalidField;
        this.result = vector | (current && features.coalescingDisabled(vector) ? 0x1_0000 : 0);
        return Status.success;
      }
      default:
        this.result = current ? features.get(id) : features.initial(id);
        return Status.success;
    }
  }

  // 5.7, Doorbell Buffer Config
  private doorbellBuffers(words: Uint32Array, at: number): number {
    const mask = this.context.pageSize() - 1;
    if (((words[at + Sqe.prp1Low]! | words[at + Sqe.prp2Low]!) & mask) !== 0) return Status.prpOffsetInvalid;
    this.context.shadow.configure(
      join(words[at + Sqe.prp1Low]!, words[at + Sqe.prp1High]!),
      join(words[at + Sqe.prp2Low]!, words[at + Sqe.prp2High]!),
    );
    return Status.success;
  }

  // 5.23, Format NVM
  private format(words: Uint32Array, at: number): number {
    const { namespace } = this.context;
    const nsid = words[at + Sqe.nsid]!;
    const dw10 = words[at + Sqe.cdw10]!;
    if (nsid !== NSID && nsid !== NSID_ALL) return Status.invalidNamespaceOrFormat;
    const format = dw10 & 0xf;
    const protection = (dw10 >>> 5) & 7;
    const erase = (dw10 >>> 9) & 7;
    if (format >= LBA_SHIFTS.length) return Status.invalidFormat;
    if (protection !== 0) return Status.invalidFormat;
    // 0 none, 1 user data; 2 cryptographic is not supported (FNA bit 2).
    if (erase > 1) return Status.invalidField;
    if (namespace.backend.size < 1 << LBA_SHIFTS[format]!) return Status.invalidFormat;
    try {
      namespace.reformat(format);
    } catch (error) {
      this.context.host.note('error', `format: ${error instanceof Error ? error.message : String(error)}`);
      return Status.internalError;
    }
    return Status.success;
  }
}
