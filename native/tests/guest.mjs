// Every call of the binding against a real /dev/pciem. As root, with the modules pciem and nvme loaded:
//   node --expose-gc native/tests/guest.mjs
// Ends in a line that counts passed and failed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { EventFlags, EventKinds, Features, PciemDevice, TraceFlags } from '../index.js';
import { addressOf, BAR_SIZE, build, Card, EVENT_BYTES, MODEL, VECTORS } from './card.mjs';

if (process.argv[2] === '--child') {
  const card = new Card();
  card.bind();
  console.log(addressOf(card.device));
  for (;;) card.turn(1000);
}

const only = process.argv[2];
let passed = 0;
let failed = 0;
const cleanups = [];

async function test(name, body) {
  if (only && !name.includes(only)) return;
  try {
    await body();
    passed++;
    console.log(`ok - ${name}`);
  } catch (error) {
    failed++;
    console.log(`not ok - ${name}\n  ${(error.stack ?? String(error)).replaceAll('\n', '\n  ')}`);
  } finally {
    while (cleanups.length > 0) cleanups.pop()();
  }
}

/** Closed when the test ends, however it does. */
function held(device) {
  cleanups.push(() => device.close());
  return device;
}

function throws(code, call) {
  let error;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `nothing was thrown, ${code} was expected`);
  assert.equal(error.code, code, error.message);
  assert.ok(error.hint, 'no hint');
  return error;
}

async function eventually(what, check, milliseconds = 10_000) {
  const end = Date.now() + milliseconds;
  for (;;) {
    if (check()) return;
    if (Date.now() > end) throw new Error(`${what}: not within ${milliseconds} ms`);
    await sleep(20);
  }
}

const onBus = (address) => existsSync(`/sys/bus/pci/devices/${address}`);
const openFiles = () => readdirSync('/proc/self/fd').length;
const now = () => Number(process.hrtime.bigint());

// --- building ---------------------------------------------------------------------------------------------------

await test('version and features', () => {
  const device = held(new PciemDevice());
  const { abiVersion, features } = device.version();
  assert.equal(abiVersion, 2);
  for (const bit of Object.values(Features)) assert.ok(features & bit, `feature ${bit}`);
});

await test('a function is created once, with flags that exist', () => {
  const device = held(new PciemDevice());
  device.create(0, 0);
  assert.match(throws('EBUSY', () => device.create(0, 0)).hint, /already/);
  throws('EINVAL', () => device.create(1, 0x80));
});

await test('BARs are checked', () => {
  const device = held(new PciemDevice());
  throws('ENODEV', () => device.addBar(0, 0, 4096, 0));
  device.create(0, 0);
  throws('EINVAL', () => device.addBar(0, 0, 5000, 0));
  throws('EINVAL', () => device.addBar(0, 0, 0, 0));
  throws('EINVAL', () => device.addBar(0, 5, 4096, 4));
  device.addBar(0, 0, 4096, 4);
  assert.ok(['EBUSY', 'EINVAL'].includes(codeOf(() => device.addBar(0, 0, 4096, 4))));
  assert.ok(['EBUSY', 'EINVAL'].includes(codeOf(() => device.addBar(0, 1, 4096, 0))), 'upper half of BAR 0');
  assert.ok(['EINVAL', 'ENOMEM'].includes(codeOf(() => device.addBar(0, 2, 2 ** 45, 4))));
});

function codeOf(call) {
  try {
    call();
  } catch (error) {
    return error.code;
  }
  return 'none';
}

await test('an MSI-X table outside its BAR is refused', () => {
  for (const [table, pba, vectors] of [
    [0x4000, 0x3000, 4],
    [0x3ff0, 0x3000, 4],
    [0x2000, 0x4000, 4],
    [0x2004, 0x3000, 4],
    [0, 0x3000, 2048],
    [0xfffffff0, 0x3000, 4],
  ]) {
    const device = new PciemDevice();
    try {
      device.create(0, 0);
      device.setConfig(config());
      device.addBar(0, 0, 0x4000, 4);
      const code = codeOf(() => {
        device.addCapabilityMsix(0, vectors, 0, table, pba);
        device.register();
      });
      assert.equal(code, 'EINVAL', `table ${table.toString(16)}, pending bits ${pba.toString(16)}`);
    } finally {
      device.close();
    }
  }
});

function config() {
  return {
    func: 0,
    vendorId: 0x1f0c,
    deviceId: 2,
    subsystemVendorId: 0,
    subsystemId: 0,
    revision: 0,
    classCode: 0xff0000,
    headerType: 0,
  };
}

await test('calls in the wrong order say so', () => {
  const device = held(new PciemDevice());
  throws('EINVAL', () => device.register());
  throws('EINVAL', () => device.start());
  throws('EINVAL', () => device.setupRing(300));
  throws('EINVAL', () => device.setupRing(131072));
  throws('EINVAL', () => device.wait(new Uint8Array(64), 0, 0));
  device.create(0, 0);
  device.setConfig(config());
  device.addBar(0, 0, 4096, 4);
  device.register();
  throws('EINVAL', () => device.register());
  assert.match(throws('EBUSY', () => device.setupRing(1024)).hint, /before/);
  throws('EINVAL', () => device.addBar(0, 2, 4096, 4));
  throws('ENXIO', () => device.traceBar(0, 3, TraceFlags.writes));
  device.traceBar(0, 0, TraceFlags.writes);
  throws('EINVAL', () => device.traceBar(0, 0, TraceFlags.writes));
  throws('ENOENT', () => device.barInfo(0, 3));
  device.start();
  throws('EALREADY', () => device.start());
});

// --- memory and configuration space -------------------------------------------------------------------------------

await test('BAR memory reads back, in every width, and has an end', () => {
  const device = held(build());
  device.register();
  const { size, address } = device.barInfo(0, 0);
  assert.equal(size, BAR_SIZE);
  assert.ok(address > 0);
  device.barWrite(0, 0x100, 4, 0x12345678);
  assert.equal(device.barRead(0, 0x100, 4), 0x12345678);
  assert.equal(device.barRead(0, 0x100, 2), 0x5678);
  assert.equal(device.barRead(0, 0x103, 1), 0x12);
  assert.equal(device.barRead(0, 0x101, 2), 0x3456);
  assert.equal(device.barRead(0, 0xff, 4), 0x34567800);
  device.barWrite(0, 0x102, 1, 0xab);
  device.barWrite(0, 0x104, 2, 0xcdef);
  assert.equal(device.barRead64(0, 0x100), 0x0000cdef12ab5678n);
  device.barWrite64(0, 0x200, 0xfedcba9876543210n);
  assert.equal(device.barRead64(0, 0x200), 0xfedcba9876543210n);
  device.barWrite64(0, 0x211, 0xfedcba9876543210n);
  assert.equal(device.barRead64(0, 0x211), 0xfedcba9876543210n);
  device.barWrite(0, 0x300, 4, ~0);
  assert.equal(device.barRead(0, 0x300, 4), 0xffffffff);
  const out = new Uint8Array(BAR_SIZE).map((_, index) => index * 7);
  device.barCopyIn(0, 0, out);
  const back = new Uint8Array(BAR_SIZE);
  device.barCopyOut(0, 0, back);
  assert.deepEqual(back, out);
  device.barRead(0, BAR_SIZE - 4, 4);
  assert.match(throws('EINVAL', () => device.barRead(0, BAR_SIZE - 3, 4)).message, /outside BAR 0/);
  throws('EINVAL', () => device.barWrite64(0, BAR_SIZE, 0n));
  throws('EINVAL', () => device.barCopyOut(0, 1, back));
  throws('EINVAL', () => device.barRead(1, 0, 4));
  throws('EINVAL', () => device.barRead(8, 0, 4));

  const memory = device.barMemory(0);
  assert.equal(memory.byteLength, BAR_SIZE);
  assert.equal(device.barMemory(0), memory);
  const words = new Uint32Array(memory);
  words[0x304 / 4] = 0x600df00d;
  assert.equal(device.barRead(0, 0x304, 4), 0x600df00d);
  device.barWrite(0, 0x308, 4, 0xffffffff);
  assert.equal(words[0x308 / 4], 0xffffffff);
  throws('EINVAL', () => device.barMemory(1));
  device.close();
  assert.equal(memory.byteLength, 0);
  assert.equal(words[0x304 / 4], undefined);
});

await test('configuration space as the device and as a driver sees it', () => {
  const device = held(build());
  device.register();
  const file = `/sys/bus/pci/devices/${addressOf(device)}/config`;
  assert.equal(device.configRead(0, 0, 4), 0x0ff01f0c);
  assert.equal(device.configRead(0, 8, 1), 7);
  assert.equal(device.configRead(0, 0x2c, 4), 0x0ff11f0c);
  assert.equal(readFileSync(file).readUInt32LE(0), 0x0ff01f0c);
  device.configWrite(0, 8, 1, 0x55, false);
  assert.equal(device.configRead(0, 8, 1), 7, 'a driver cannot write the revision');
  device.configWrite(0, 8, 1, 0x55, true);
  assert.equal(device.configRead(0, 8, 1), 0x55, 'the device can');
  assert.equal(readFileSync(file)[8], 0x55);
  device.configWrite(0, 0x3c, 1, 0x0b, false);
  assert.equal(device.configRead(0, 0x3c, 1), 0x0b, 'the interrupt line is the driver’s');
  for (const [offset, size] of [
    [1, 2],
    [2, 4],
    [0, 3],
    [0, 8],
    [4096, 4],
    [0xfffffffc, 4],
  ])
    throws('EINVAL', () => device.configRead(0, offset, size));
  throws('ENODEV', () => device.configRead(1, 0, 4));
});

await test('several devices at once, each in a domain of its own', () => {
  const devices = [0, 1, 2, 3].map(() => held(build()));
  for (const device of devices) device.register();
  const addresses = devices.map(addressOf);
  assert.equal(new Set(addresses).size, 4);
  for (const address of addresses) assert.ok(onBus(address), address);
  devices[1].barWrite(0, 0, 4, 0x1111);
  assert.equal(devices[2].barRead(0, 0, 4), 0);
  devices[1].close();
  assert.ok(!onBus(addresses[1]));
  assert.ok(onBus(addresses[2]));
});

// --- with a driver ------------------------------------------------------------------------------------------------

await test('the nvme driver binds to a card of forty lines; its accesses arrive in order', () => {
  const card = new Card();
  held(card.device);
  const before = now();
  card.bind();
  const after = now();
  const info = card.device.info(0);
  assert.equal(info.driver, 'nvme');
  assert.equal(info.irqMode, 3, 'MSI-X');
  assert.ok(info.state & 8, 'bus master');
  assert.equal(info.lost, 0);
  assert.equal(card.device.lost, 0);
  assert.equal(info.events, card.log.length);
  card.log.forEach((event, index) => {
    assert.equal(event.seq, index + 1);
    assert.equal(event.type, 2);
    assert.equal(event.bar, 0);
    assert.ok(event.size === 4 || event.size === 8);
    assert.ok(event.cpu < 64);
    assert.ok(event.time >= (card.log[index - 1]?.time ?? before) && event.time <= after, 'time');
  });
  const folder = `/sys/bus/pci/devices/${addressOf(card.device)}/nvme`;
  const model = readFileSync(`${folder}/${readdirSync(folder)[0]}/model`, 'utf8').trim();
  assert.equal(model, MODEL);
  assert.ok(
    card.log.some(({ offset }) => offset === 0x1000),
    'a doorbell',
  );
});

await test('the nvme driver gets its answers from the card', () => {
  const card = new Card(true);
  held(card.device);
  card.bind();
  const reads = card.log.filter(({ type, flags }) => type === 1 && flags === EventFlags.sync);
  assert.ok(reads.length >= 2, `${reads.length} reads of CSTS`);
  assert.ok(reads.every(({ offset, size }) => offset === 0x1c && size === 4));
  const { syncReads, syncTimeouts, lateResponses, events } = card.device.stats();
  assert.equal(syncReads, reads.length);
  assert.equal(syncTimeouts, 0);
  assert.equal(lateResponses, 0);
  assert.equal(events, card.log.length);
});

await test('ranges, time-outs, kinds of events and answers are checked', () => {
  const device = held(build());
  throws('EINVAL', () => device.traceRange(0, 0, 0, BAR_SIZE + 1, TraceFlags.writes));
  throws('EINVAL', () => device.traceRange(0, 0, 0, 0, TraceFlags.writes));
  throws('EINVAL', () => device.traceRange(0, 0, 0, 4, 0x20));
  throws('ENXIO', () => device.traceRange(0, 3, 0, 4, TraceFlags.writes));
  for (let index = 0; index < 64; index++) device.traceRange(0, 0, index * 8, 4, TraceFlags.reads);
  assert.match(throws('ENOSPC', () => device.traceRange(0, 0, 0x1000, 4, TraceFlags.reads)).hint, /64/);
  device.traceRange(0, 0, 0, BAR_SIZE, 0);
  device.traceRange(0, 0, BAR_SIZE - 4, 4, TraceFlags.syncReads);
  throws('EINVAL', () => device.setCompletionTimeout(0));
  throws('EINVAL', () => device.setCompletionTimeout(10_000_001));
  device.setCompletionTimeout(1000);
  throws('EINVAL', () => device.setEvents(1 << 20));
  device.setEvents(EventKinds.all);
  assert.equal(device.respond(1, 0, 0), false);
  assert.equal(device.stats().lateResponses, 1);
  const old = held(build({ slots: 0 }));
  throws('EINVAL', () => old.traceRange(0, 0, 0, 4, TraceFlags.syncReads));
  throws('EINVAL', () => old.respond(1, 0, 0));
});

await test('interrupts: counted, refused where the device has no such vector', () => {
  const card = new Card();
  held(card.device);
  card.bind();
  const { device } = card;
  const before = device.vectorInfo(0, 0);
  assert.ok(before.flags & 1, 'enabled');
  assert.ok(before.irq > 0);
  assert.ok(before.address > 0);
  for (let round = 0; round < 10; round++) device.injectIrq(0, 0);
  assert.equal(device.tryInjectIrq(0, 0), 0);
  card.turn(50);
  const { count } = device.vectorInfo(0, 0);
  assert.equal(count, before.count + 11);
  throws('EINVAL', () => device.injectIrq(0, VECTORS));
  throws('EINVAL', () => device.injectIrq(0, 0xffffffff));
  assert.equal(device.tryInjectIrq(0, VECTORS), 22);
  throws('ENODEV', () => device.injectIrq(1, 0));
  throws('EINVAL', () => device.vectorInfo(0, 0xffffffff));
});

await test('the INTx pin keeps its level, and the status register follows it', () => {
  const card = new Card();
  const device = held(card.device);
  card.bind();
  const status = () => device.configRead(0, 0x06, 2) & 0x8;
  assert.equal(status(), 0);
  device.setIntx(0, true);
  assert.equal(status(), 8);
  device.setIntx(0, true);
  assert.equal(status(), 8);
  device.setIntx(0, false);
  assert.equal(status(), 0);
  throws('ENODEV', () => device.setIntx(1, true));
  assert.throws(() => device.setIntx(0, 1), TypeError);
});

await test('the mappings are those that the driver made', () => {
  const card = new Card();
  const device = held(card.device);
  card.bind();
  const all = device.dmaMappings(0, 0, 1024);
  assert.equal(all.total, all.mappings.length);
  assert.equal(
    all.bytes,
    all.mappings.reduce((sum, { size }) => sum + size, 0),
  );
  const queue = all.mappings.find(({ address, size }) => card.asq >= address && card.asq < address + size);
  assert.ok(queue, 'the administration queue is mapped');
  assert.equal(queue.access, 3);
  assert.ok(queue.age > 0);
  const addresses = all.mappings.map(({ address }) => address);
  assert.deepEqual(
    addresses,
    [...addresses].sort((a, b) => a - b),
  );
  const after = device.dmaMappings(0, queue.address + 1, 1024);
  assert.ok(after.mappings.every(({ address }) => address > queue.address));
  assert.equal(after.total, all.total);
  assert.equal(device.dmaMappings(0, 0, 0).mappings.length, 0);
  throws('ENODEV', () => device.dmaMappings(1, 0, 1));
  assert.throws(() => device.dmaMappings(0, 0, 65537), RangeError);
});

await test('interrupts are refused before the device is started', () => {
  const device = held(build());
  device.register();
  assert.notEqual(device.tryInjectIrq(0, 0), 0);
});

await test('DMA moves bytes, one at a time and in batches', () => {
  const card = new Card();
  held(card.device);
  card.bind();
  const { device } = card;
  const bytes = new Uint8Array(16384);
  const id = device.registerBuffer(bytes);
  assert.equal(device.dmaRead(card.asq, id, 0, 2048), 0);
  const queue = bytes.slice(0, 2048);
  assert.ok(
    queue.some((byte) => byte !== 0),
    'the submission queue is not empty',
  );
  // The same in pieces of odd sizes, across a view that does not start at 0 of its buffer.
  const view = new Uint8Array(new ArrayBuffer(8192), 333, 4096);
  const other = device.registerBuffer(view);
  const steps = new Float64Array(6 * 200);
  let count = 0;
  for (let at = 0; at < 2048; ) {
    const length = Math.min(1 + ((at * 7) % 127), 2048 - at);
    steps.set([card.asq + at, other, at, length, 1, 0], count++ * 6);
    at += length;
  }
  assert.equal(device.dmaBatch(steps, count), count);
  assert.equal(device.batchError, 0);
  assert.deepEqual(view.slice(0, 2048), queue);
  assert.equal(device.dmaIndirect(card.asq, 0, other, 2048, 2048, 4096, false), 0);
  assert.deepEqual(view.slice(2048, 4096), queue);
  assert.equal(device.dmaBatch(steps, 0), 0);
});

await test('a batch stops at the step that fails, and tells which and why', () => {
  const card = new Card();
  held(card.device);
  card.bind();
  const { device } = card;
  const bytes = new Uint8Array(4096).fill(0xee);
  const id = device.registerBuffer(bytes);
  const before = device.vectorInfo(0, 0).count;
  for (const bad of [2 ** 52, 2 ** 46, 0xfee00000]) {
    bytes.fill(0xee);
    const steps = new Float64Array([
      ...[card.asq, id, 0, 64, 1, 0],
      ...[bad, id, 64, 64, 1, 0],
      ...[card.asq, id, 128, 64, 1, 0],
      ...[0, 0, 0, 0, 4, 0],
    ]);
    assert.equal(device.dmaBatch(steps, 4), 1, `address ${bad.toString(16)}`);
    assert.notEqual(device.batchError, 0);
    assert.ok(
      bytes.subarray(64).every((byte) => byte === 0xee),
      'nothing after the bad step',
    );
    assert.notEqual(device.dmaRead(bad, id, 0, 64), 0);
    assert.notEqual(device.dmaWrite(bad, id, 0, 64), 0);
  }
  assert.equal(device.vectorInfo(0, 0).count, before, 'no interrupt after the bad step');
  assert.equal(device.dmaBatch(new Float64Array([card.asq, id, 0, 64, 1 | 4, VECTORS]), 1), 0);
  assert.notEqual(device.batchError, 0);
  assert.equal(device.dmaBatch(new Float64Array([card.asq, id, 0, 64, 1, 0]), 1), 1);
  assert.equal(device.batchError, 0);
});

await test('a batch of more steps than the module takes at once', () => {
  const card = new Card();
  held(card.device);
  card.bind();
  const { device } = card;
  const id = device.registerBuffer(new Uint8Array(64));
  const count = 10_000;
  const steps = new Float64Array(count * 6);
  for (let step = 0; step < count; step++) steps.set([card.asq, id, 0, 64, 1, 0], step * 6);
  assert.equal(device.dmaBatch(steps, count), count);
  steps[9000 * 6] = 2 ** 52;
  assert.equal(device.dmaBatch(steps, count), 9000);
});

await test('DMA before a driver has turned bus mastering on is refused', () => {
  const device = held(build());
  device.register();
  device.start();
  const id = device.registerBuffer(new Uint8Array(64));
  assert.notEqual(device.dmaRead(0x1000, id, 0, 64), 0);
  assert.equal(device.dmaBatch(new Float64Array([0x1000, id, 0, 64, 1, 0]), 1), 0);
  assert.notEqual(device.batchError, 0);
});

// --- waiting ------------------------------------------------------------------------------------------------------

await test('a wait without events ends in time', () => {
  const device = held(build());
  device.register();
  const events = new Uint8Array(EVENT_BYTES * 4);
  for (const [timeout, spin] of [
    [0, 0],
    [20, 0],
    [20, 50],
    [0.5, 0],
    [0.5, 1000],
  ]) {
    const start = now();
    assert.equal(device.wait(events, timeout, spin), 0);
    const took = (now() - start) / 1e6;
    assert.ok(took >= timeout * 0.9 && took < timeout + 500, `${timeout} ms took ${took.toFixed(2)} ms`);
  }
});

const cardUrl = new URL('./card.mjs', import.meta.url).href;

function inWorker(script) {
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
}
const firstMessage = (worker) =>
  new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));

await test('a write to the eventfd from another thread ends a wait', async () => {
  const worker = inWorker(`
    import { parentPort } from 'node:worker_threads';
    const { build } = await import(${JSON.stringify(cardUrl)});
    const device = build();
    device.register();
    parentPort.postMessage(device.wakeFd);
    const start = process.hrtime.bigint();
    const count = device.wait(new Uint8Array(64), -1, 0);
    parentPort.postMessage([count, Number(process.hrtime.bigint() - start) / 1e6]);
    device.close();
  `);
  const fd = await firstMessage(worker);
  const answer = firstMessage(worker);
  await sleep(200);
  writeSync(fd, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]));
  const [count, milliseconds] = await answer;
  assert.equal(count, 0);
  assert.ok(milliseconds > 100 && milliseconds < 1500, `${milliseconds} ms`);
  await new Promise((resolve) => worker.once('exit', resolve));
});

await test('a thread that is terminated takes its device off the bus', async () => {
  const worker = inWorker(`
    import { parentPort } from 'node:worker_threads';
    const { addressOf, Card } = await import(${JSON.stringify(cardUrl)});
    const card = new Card();
    card.bind();
    parentPort.postMessage([addressOf(card.device), card.device.wakeFd]);
    for (;;) card.turn(1000);
  `);
  const [address, fd] = await firstMessage(worker);
  assert.ok(onBus(address));
  const ended = worker.terminate();
  // Terminate waits for the thread to leave the system call.
  writeSync(fd, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]));
  await ended;
  await eventually('removal', () => !onBus(address));
});

await test('a device that is forgotten is collected', async () => {
  if (globalThis.gc === undefined) throw new Error('run with --expose-gc');
  let address;
  (() => {
    const device = build();
    device.register();
    address = addressOf(device);
  })();
  assert.ok(onBus(address));
  await eventually('collection', () => {
    globalThis.gc();
    return !onBus(address);
  });
});

await test('a process that is killed while it waits takes its device off the bus, ten times', async () => {
  const self = fileURLToPath(import.meta.url);
  for (let round = 0; round < 10; round++) {
    const child = spawn(process.execPath, [self, '--child'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const address = await new Promise((resolve, reject) => {
      child.stdout.once('data', (text) => resolve(String(text).trim()));
      child.once('exit', () => reject(new Error('the child ended')));
    });
    assert.ok(onBus(address), address);
    child.kill('SIGKILL');
    await eventually(`removal ${round}`, () => !onBus(address));
  }
});

await test('closing while the driver probes', () => {
  // The driver gives up on a command that nobody answers only after this many seconds, 60 unless told.
  const parameter = '/sys/module/nvme_core/parameters/admin_timeout';
  const before = readFileSync(parameter, 'utf8');
  writeFileSync(parameter, '2');
  cleanups.push(() => writeFileSync(parameter, before));
  for (let round = 0; round < 8; round++) {
    const card = new Card();
    const address = addressOf(card.device);
    card.start();
    for (let turn = 0; turn < round; turn++) card.turn(5);
    card.device.close();
    assert.ok(!onBus(address), address);
  }
});

await test('two hundred devices, one after the other, leave nothing behind', async () => {
  const devices = readdirSync('/sys/bus/pci/devices').length;
  held(build()).close();
  const files = openFiles();
  for (let round = 0; round < 200; round++) {
    const device = build();
    if (round % 4 !== 0) device.register();
    if (round % 2 === 1) device.start();
    device.close();
  }
  assert.equal(openFiles(), files);
  assert.equal(readdirSync('/sys/bus/pci/devices').length, devices);
});

await test('unbinding and binding the driver again', () => {
  const card = new Card();
  held(card.device);
  card.bind();
  const address = addressOf(card.device);
  // The write returns only after the card has answered the driver, so another process makes it, and leaves a mark.
  const folder = mkdtempSync('/tmp/pciem-bind-');
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const serveWhile = (what, file) => {
    const mark = `${folder}/${what}`;
    spawn('sh', ['-c', `echo ${address} > ${file} && touch ${mark}`], { stdio: 'ignore' }).unref();
    card.serve(what, () => existsSync(mark), 20_000);
  };
  for (let round = 0; round < 3; round++) {
    serveWhile(`unbinding-${round}`, '/sys/bus/pci/drivers/nvme/unbind');
    assert.equal(card.device.info(0).driver, '');
    serveWhile(`binding-${round}`, '/sys/bus/pci/drivers_probe');
    card.serve('start', () => card.device.info(0).driver === 'nvme' && card.state() === 'live');
    while (card.turn(100) > 0);
  }
});

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
