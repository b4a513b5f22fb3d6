// A card for measuring the trap path, straight on the binding: BAR 0 is plain memory, BAR 2 reports every access. Runs
// in the guest, takes what comes as fast as it can, and answers each line on standard input with what it has seen.
import { createInterface } from 'node:readline';
import { BarFlags, PciemDevice, TraceFlags } from '/lab/native/index.js';

const EVENT_WORDS = 16;
const TYPE_WORD = 2;
const MMIO_READ = 1;
const MMIO_WRITE = 2;
/** As the lab's own host sets it up. */
const RING_SLOTS = 8192;
const SPIN_MICROSECONDS = 50;

const device = new PciemDevice();
device.create(0, 0);
device.setConfig({
  func: 0,
  vendorId: 0x1f0c,
  deviceId: 0x00ff,
  subsystemVendorId: 0x1f0c,
  subsystemId: 0x00ff,
  revision: 1,
  classCode: 0xff0000,
  headerType: 0,
});
device.addBar(0, 0, 0x10000, BarFlags.memory64);
device.addBar(0, 2, 0x10000, BarFlags.memory64);
device.addCapabilityPcie(0);
device.setupRing(RING_SLOTS);
device.register();
device.traceBar(0, 2, TraceFlags.reads | TraceFlags.writes);
device.start();

const { domain, bus, devfn } = device.info(0);
const hex = (value, digits) => value.toString(16).padStart(digits, '0');
const address = `${hex(domain, 4)}:${hex(bus, 2)}:${hex(devfn >> 3, 2)}.${devfn & 7}`;

let reads = 0;
let writes = 0;
const bytes = new Uint8Array(4096 * EVENT_WORDS * 4);
const words = new Uint32Array(bytes.buffer);

function turn() {
  // Bounded, so that a request on standard input is seen.
  const count = device.wait(bytes, 20, SPIN_MICROSECONDS);
  for (let index = 0; index < count; index++) {
    const type = words[index * EVENT_WORDS + TYPE_WORD];
    if (type === MMIO_WRITE) writes++;
    else if (type === MMIO_READ) reads++;
  }
  setImmediate(turn);
}

createInterface({ input: process.stdin }).on('line', () => {
  console.log(JSON.stringify({ reads, writes, lost: device.lost, waits: device.info(0).waits }));
});
console.log(JSON.stringify({ address }));
turn();
