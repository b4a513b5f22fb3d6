// Random 4 KiB reads through Linux's nvme driver and the smallest card that can answer them: what is left of the
// path when the device model costs nothing. As root: node native/tests/bench-io.mjs [spin in us]...
// Prints JSON lines; needs fio.
import { spawn } from 'node:child_process';
import { on } from 'node:events';
import { readdirSync, writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { monotonicNow } from '../index.js';
import { addressOf, Card } from './card.mjs';

const BLOCKS = 1 << 18;
const SQ1TDBL = 0x1008;

/** One I/O queue and one namespace of zeroes. */
class IoCard extends Card {
  constructor() {
    super();
    this.zeroes = this.device.registerBuffer(new Uint8Array(1 << 20));
    this.entries = new Uint8Array(64 * 1024);
    this.entryView = new DataView(this.entries.buffer);
    this.entriesId = this.device.registerBuffer(this.entries);
    this.batch = new Float64Array(4096 * 6);
    this.io = { head: 0, tail: 0, phase: 1 };
    this.batches = 0;
    this.done = 0;
    this.forget();
  }

  /** Where the time of one turn goes: ns from the event to its arrival here, serving it, and to the next event. */
  forget() {
    this.times = { arrival: [], service: [], gap: [] };
    this.ended = 0;
  }

  execute(opcode, cdw10, prp1) {
    const cdw11 = this.view.getUint32(44, true);
    if (opcode === 0x05) {
      Object.assign(this.io, { cq: prp1, cqSize: (cdw10 >>> 16) + 1, vector: cdw11 >>> 16 });
      return [0, 0];
    }
    if (opcode === 0x01) {
      Object.assign(this.io, { sq: prp1, sqSize: (cdw10 >>> 16) + 1, head: 0, tail: 0, phase: 1 });
      return [0, 0];
    }
    if (opcode === 0x06 && [0, 2, 3].includes(cdw10 & 0xff)) {
      this.buffer.fill(0, 0, 4096);
      if ((cdw10 & 0xff) === 2) {
        this.view.setUint32(0, 1, true);
      } else if ((cdw10 & 0xff) === 3) {
        // One descriptor: an EUI-64 of 8 bytes.
        this.buffer.set([1, 8, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2]);
      } else {
        for (const at of [0, 8, 16]) this.view.setBigUint64(at, BigInt(BLOCKS), true);
        this.view.setUint8(128 + 2, 12);
      }
      return [this.device.dmaWrite(prp1, this.bufferId, 0, 4096) === 0 ? 0 : 4, 0];
    }
    return super.execute(opcode, cdw10, prp1);
  }

  identity() {
    super.identity();
    this.view.setUint32(516, 1, true);
  }

  /** Takes all waiting events; the newest tail is the one that counts. */
  serveIo(timeout, spin) {
    const { device, words } = this;
    const count = device.wait(this.events, timeout, spin);
    const began = monotonicNow();
    let tail = -1;
    for (let index = 0, w = 0; index < count; index++, w += 16) {
      const offset = words[w + 4];
      if (offset === SQ1TDBL) tail = words[w + 8];
      else this.write({ offset, size: words[w + 6], low: words[w + 8], high: words[w + 9] });
    }
    if (tail >= 0) {
      this.run(tail);
      const at = words[10] + words[11] * 2 ** 32;
      this.times.arrival.push(began - at);
      if (this.ended !== 0) this.times.gap.push(at - this.ended);
      this.ended = monotonicNow();
      this.times.service.push(this.ended - began);
    }
    return count;
  }

  run(tail) {
    const { io, device, batch } = this;
    const waiting = (tail - io.head + io.sqSize) % io.sqSize;
    const first = Math.min(waiting, io.sqSize - io.head);
    let n = 0;
    const step = (address, buffer, offset, length, flags, vector) => {
      batch[n] = address;
      batch[n + 1] = buffer;
      batch[n + 2] = offset;
      batch[n + 3] = length;
      batch[n + 4] = flags;
      batch[n + 5] = vector;
      n += 6;
    };
    step(io.sq + io.head * 64, this.entriesId, 0, first * 64, 1, 0);
    if (waiting > first) step(io.sq, this.entriesId, first * 64, (waiting - first) * 64, 1, 0);
    if (device.dmaBatch(batch, n / 6) !== n / 6) throw new Error(`errno ${device.batchError}`);
    n = 0;
    for (let index = 0; index < waiting; index++) {
      const at = index * 64;
      io.head = (io.head + 1) % io.sqSize;
      if (this.entries[at] === 2) {
        const bytes = ((this.entryView.getUint32(at + 48, true) & 0xffff) + 1) * 4096;
        const prp1 =
          this.entryView.getUint32(at + 24, true) + this.entryView.getUint32(at + 28, true) * 2 ** 32;
        // The bench asks for one page only; whatever else reads a partition table may get less than it asked for.
        step(prp1, this.zeroes, 0, Math.min(bytes, 4096 - (prp1 % 4096)), 2, 0);
      }
      const view = this.entryView;
      const cqe = 32768 + index * 16;
      view.setUint32(cqe, 0, true);
      view.setUint32(cqe + 8, io.head | (1 << 16), true);
      view.setUint32(cqe + 12, view.getUint16(at + 2, true) | (io.phase << 16), true);
      step(io.cq + io.tail * 16, this.entriesId, cqe, 16, index === waiting - 1 ? 6 : 2, io.vector);
      io.tail = (io.tail + 1) % io.cqSize;
      if (io.tail === 0) io.phase ^= 1;
    }
    if (device.dmaBatch(batch, n / 6) !== n / 6) throw new Error(`errno ${device.batchError}`);
    this.batches++;
    this.done += waiting;
  }
}

if (isMainThread) {
  const spins = process.argv.slice(2).map(Number);
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL(import.meta.url), { workerData: shared });
  const messages = on(worker, 'message');
  const message = async () => (await messages.next()).value[0];
  const { address, fd } = await message();
  const wake = () => writeSync(fd, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]));
  await message();
  const folder = `/sys/bus/pci/devices/${address}/nvme`;
  const disk = `/dev/${readdirSync(folder)[0]}n1`;
  for (const spin of spins.length > 0 ? spins : [0, 20, 50, 200]) {
    for (const depth of [1, 8, 32]) {
      Atomics.store(shared, 0, spin);
      Atomics.add(shared, 1, 1);
      wake();
      await message();
      const child = spawn('fio', [
        '--name=read',
        `--filename=${disk}`,
        '--rw=randread',
        '--bs=4k',
        `--iodepth=${depth}`,
        '--ioengine=libaio',
        '--direct=1',
        '--runtime=2',
        '--time_based',
        '--output-format=json',
      ]);
      let text = '';
      child.stderr.pipe(process.stderr);
      child.stdout.on('data', (data) => (text += data));
      await new Promise((resolve) => child.once('close', resolve));
      const iops = JSON.parse(text.slice(text.indexOf('{'))).jobs[0].read.iops;
      Atomics.add(shared, 1, 1);
      wake();
      const { counters, done, batches } = await message();
      console.log(
        JSON.stringify({ spin, depth, iops: Math.round(iops), perBatch: done / batches, ...counters }),
      );
    }
  }
  process.exit(0);
} else {
  const shared = workerData;
  const card = new IoCard();
  parentPort.postMessage({ address: addressOf(card.device), fd: card.device.wakeFd });
  card.start();
  let round = 0;
  let before = { spinHits: 0, spinMisses: 0, sleeps: 0, wakeUpMicroseconds: 0 };
  let ready = false;
  for (;;) {
    const count = card.serveIo(500, Atomics.load(shared, 0));
    if (!ready && count === 0 && card.device.info(0).driver === 'nvme') {
      ready = true;
      parentPort.postMessage('ready');
    }
    if (count === 0 && Atomics.load(shared, 1) !== round) {
      round = Atomics.load(shared, 1);
      const now = card.device.waitCounters;
      const counters = {};
      for (const key of Object.keys(now)) counters[key] = now[key] - before[key];
      counters.wakeUpMicroseconds = Math.round(now.wakeUpMicroseconds);
      // On a machine with other work the low percentiles are what the path costs, the rest is waiting for a CPU.
      const times = {};
      for (const [name, samples] of Object.entries(card.times)) {
        samples.sort((a, b) => a - b);
        const at = (part) => Math.round((samples[Math.floor(samples.length * part)] ?? 0) / 100) / 10;
        times[name] = [at(0.1), at(0.5), at(0.9)];
      }
      card.forget();
      parentPort.postMessage({ counters: { ...counters, times }, done: card.done, batches: card.batches });
      before = now;
      card.done = 0;
      card.batches = 0;
    }
  }
}
