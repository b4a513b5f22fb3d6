// An NVMe controller just large enough for Linux's driver to bind to: admin queue, Identify, no namespaces. It
// drives the binding directly, so that what the tests and the bench see is the binding and the module alone.
import { readdirSync, readFileSync } from 'node:fs';
import { EventFlags, PciemDevice, TraceFlags } from '../index.js';

export const EVENT_BYTES = 64;
export const BAR_SIZE = 0x4000;
export const VECTORS = 4;
export const MODEL = 'Binding test controller';

const Register = { CAP: 0, VS: 8, CC: 0x14, CSTS: 0x1c, AQA: 0x24, ASQ: 0x28, ACQ: 0x30, SQ0TDBL: 0x1000 };

/** Puts functions on the bus without starting them. */
export function build(options = {}) {
  const device = new PciemDevice();
  device.create(0, 0);
  device.setConfig({
    func: 0,
    vendorId: 0x1f0c,
    deviceId: 0x0ff0,
    subsystemVendorId: 0x1f0c,
    subsystemId: 0x0ff1,
    revision: 7,
    classCode: options.classCode ?? 0xff0000,
    headerType: 0,
  });
  device.addBar(0, 0, BAR_SIZE, 4);
  device.addCapabilityPm(0);
  device.addCapabilityPcie(0);
  device.addCapabilityMsix(0, VECTORS, 0, 0x2000, 0x3000);
  if (options.slots !== 0) device.setupRing(options.slots ?? 1024);
  return device;
}

/** Such as `10000:00:00.0`. */
export function addressOf(device) {
  const { domain, bus, devfn } = device.info(0);
  const hex = (value, digits) => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(devfn >> 3, 2)}.${devfn & 7}`;
}

export class Card {
  /** `answers`: reads of CSTS are answered by the card, one by one. */
  constructor(answers = false) {
    const device = build({ classCode: 0x010802, slots: 8192 });
    device.register();
    device.barWrite64(0, Register.CAP, (1n << 37n) | (20n << 24n) | (1n << 16n) | 63n);
    device.barWrite(0, Register.VS, 4, 0x00010400);
    device.traceBar(0, 0, TraceFlags.writes | TraceFlags.stopWrites);
    if (answers) {
      const flags = TraceFlags.syncReads | TraceFlags.writes | TraceFlags.stopWrites;
      device.traceRange(0, 0, Register.CSTS, 4, flags);
      device.setCompletionTimeout(5_000_000);
    }
    this.device = device;
    this.buffer = new Uint8Array(8192);
    this.view = new DataView(this.buffer.buffer);
    this.bufferId = device.registerBuffer(this.buffer);
    this.events = new Uint8Array(512 * EVENT_BYTES);
    this.words = new Uint32Array(this.events.buffer);
    this.steps = new Float64Array(12);
    /** Every event so far, decoded. */
    this.log = [];
    this.commands = [];
    this.identifyAddress = 0;
  }

  start() {
    this.device.start();
  }

  /** Answers the driver until `done`, or throws. */
  serve(what, done, milliseconds = 10_000) {
    const end = Date.now() + milliseconds;
    while (!done()) {
      if (Date.now() > end) throw new Error(`${what}: not within ${milliseconds} ms`);
      this.turn(20);
    }
  }

  /** One wait and what came of it. */
  turn(timeout, spin = 0) {
    const count = this.device.wait(this.events, timeout, spin);
    for (let index = 0; index < count; index++) {
      const w = this.words.subarray(index * 16, index * 16 + 16);
      const event = {
        seq: w[0] + w[1] * 2 ** 32,
        type: w[2],
        bar: w[3],
        offset: w[4],
        size: w[6],
        cpu: w[7] & 0xffff,
        low: w[8],
        high: w[9],
        time: w[10] + w[11] * 2 ** 32,
        flags: w[13],
      };
      this.log.push(event);
      if (event.type === 2) this.write(event);
      if ((event.flags & EventFlags.sync) !== 0)
        this.device.respond(event.seq, this.device.barRead(0, event.offset, event.size), 0);
    }
    return count;
  }

  write({ offset, size, low, high }) {
    const { device } = this;
    if (offset === Register.SQ0TDBL) return this.submit(low);
    // Queue 0's completion doorbell and the other queues' need no answer.
    if (offset > Register.SQ0TDBL) return;
    device.barWrite(0, offset, 4, low);
    if (size === 8) device.barWrite(0, offset + 4, 4, high);
    if (offset !== Register.CC) return;
    const enabled = (low & 1) !== 0;
    if (enabled && (device.barRead(0, Register.CSTS, 4) & 1) === 0) {
      const aqa = device.barRead(0, Register.AQA, 4);
      this.sqSize = (aqa & 0xfff) + 1;
      this.cqSize = ((aqa >> 16) & 0xfff) + 1;
      this.asq = Number(device.barRead64(0, Register.ASQ));
      this.acq = Number(device.barRead64(0, Register.ACQ));
      this.head = 0;
      this.tail = 0;
      this.phase = 1;
    }
    device.barWrite(0, Register.CSTS, 4, (enabled ? 1 : 0) | ((low & 0xc000) !== 0 ? 8 : 0));
  }

  submit(tail) {
    while (this.head !== tail) {
      const errno = this.device.dmaRead(this.asq + this.head * 64, this.bufferId, 0, 64);
      if (errno !== 0) throw new Error(`the submission queue cannot be read: errno ${errno}`);
      this.head = (this.head + 1) % this.sqSize;
      const opcode = this.view.getUint8(0);
      const id = this.view.getUint16(2, true);
      const prp1 = Number(this.view.getBigUint64(24, true));
      const cdw10 = this.view.getUint32(40, true);
      this.commands.push({ opcode, id, cdw10 });
      if (opcode === 0x0c) continue;
      this.complete(id, ...this.execute(opcode, cdw10, prp1));
    }
  }

  /** Status and result. */
  execute(opcode, cdw10, prp1) {
    if (opcode === 0x06 && (cdw10 & 0xff) <= 2) {
      this.buffer.fill(0, 0, 4096);
      if ((cdw10 & 0xff) === 1) this.identity();
      this.identifyAddress = prp1;
      const errno = this.device.dmaWrite(prp1, this.bufferId, 0, 4096);
      return [errno === 0 ? 0 : 0x04, 0];
    }
    // Set Features, number of queues: one of each.
    if (opcode === 0x09 && (cdw10 & 0xff) === 7) return [0, 0];
    if (opcode === 0x05 || opcode === 0x01 || opcode === 0x00 || opcode === 0x04) return [0, 0];
    // Do not retry.
    return [0x4000 | (opcode === 0x06 ? 0x02 : 0x01), 0];
  }

  identity() {
    const text = (offset, length, value) => {
      for (let i = 0; i < length; i++) this.buffer[offset + i] = value.charCodeAt(i) || 0x20;
    };
    this.view.setUint16(0, 0x1f0c, true);
    this.view.setUint16(2, 0x1f0c, true);
    text(4, 20, 'BINDING-1');
    text(24, 40, MODEL);
    text(64, 8, '1');
    this.view.setUint32(80, 0x00010400, true);
    this.view.setUint8(111, 1);
    this.view.setUint8(512, 0x66);
    this.view.setUint8(513, 0x44);
  }

  /** One completion and its interrupt, in one batch. */
  complete(id, status, result) {
    const at = 4096;
    this.view.setUint32(at, result, true);
    this.view.setUint32(at + 4, 0, true);
    this.view.setUint32(at + 8, this.head, true);
    this.view.setUint32(at + 12, id | (this.phase << 16) | (status << 17), true);
    this.steps.set([this.acq + this.tail * 16, this.bufferId, at, 16, 2 | 4, 0]);
    const done = this.device.dmaBatch(this.steps, 1);
    if (done !== 1) throw new Error(`the completion cannot be written: errno ${this.device.batchError}`);
    this.tail = (this.tail + 1) % this.cqSize;
    if (this.tail === 0) this.phase ^= 1;
  }

  /** Until the driver has the controller running and has asked all that it wants to know. */
  bind() {
    this.start();
    this.serve('nvme binds', () => this.device.info(0).driver === 'nvme' && this.state() === 'live');
    while (this.turn(100) > 0);
  }

  state() {
    try {
      const folder = `/sys/bus/pci/devices/${addressOf(this.device)}/nvme`;
      return readFileSync(`${folder}/${readdirSync(folder)[0]}/state`, 'utf8').trim();
    } catch {
      return 'absent';
    }
  }
}
