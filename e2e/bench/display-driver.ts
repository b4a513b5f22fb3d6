/**
 * The thread that plays the driver of a ProtoPCIem card on the simulated host, for the picture bench: flips between two
 * buffers, as fast as the card takes them or one by one.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { initiatorBus } from '#app/hosts/sim/initiator-bus.ts';
import type { InitiatorData } from '#app/hosts/sim/initiator-worker.ts';
import { SimMachine } from '#app/hosts/sim/machine.ts';
import { Command, ConfigOffset } from '#devices/sdk/config-space.ts';
import { PixelFormat } from '#devices/sdk/display.ts';
import { enableMsix } from '#devices/testing/pci.ts';
import { Irq, Reg } from '#devices/testing/protopciem-initiator.ts';
import { type DriverAnswer, type DriverOrder, gamePixel, SMALL } from './display-protocol.ts';

const FLIP_NOW = 2;
const TIMEOUT = 5000;
const PAGE = 4096;

const data = workerData as InitiatorData;
const machine = new SimMachine(data.machine, data.description);
const bus = initiatorBus(machine, new Uint8Array(data.memory));
const write = (offset: number, value: number) => bus.write32(0, offset, value);

bus.configWrite(
  ConfigOffset.command,
  2,
  bus.configRead(ConfigOffset.command, 2) | Command.memorySpace | Command.busMaster,
);
enableMsix(bus);
machine.driverBound = true;
write(Reg.irqEnable, Irq.flip);
// Flips are shown at once.
write(Reg.vsyncRate, 0);

let buffers: number[] = [];
let bytes = 0;
let small = false;
let turn = 0;
let from = Buffer.alloc(0);
let to = Buffer.alloc(0);

function begin(width: number, height: number): void {
  const size = width * height * 4;
  const pages = Math.ceil(size / PAGE);
  for (const address of buffers.splice(0)) bus.freePages(address, pages);
  buffers = [bus.allocatePages(pages), bus.allocatePages(pages)];
  buffers.forEach((address, number) => {
    const at = address - bus.memoryBase;
    const words = new Int32Array(bus.memory.buffer, bus.memory.byteOffset + at, width * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) words[y * width + x] = gamePixel(x, y, number);
    }
  });
  write(Reg.modeSize, width | (height << 16));
  write(Reg.modePitch, width * 4);
  write(Reg.modeFormat, PixelFormat.XRGB8888);
  write(Reg.modeControl, 1);
  bytes = small ? SMALL.size ** 2 * 4 : size;
  from = Buffer.alloc(bytes, 1);
  to = Buffer.alloc(bytes, 2);
}

function flip(): void {
  turn ^= 1;
  const address = buffers[turn]!;
  write(Reg.scanout, address % 2 ** 32);
  write(Reg.scanout + 4, Math.floor(address / 2 ** 32));
  if (small) {
    write(Reg.damagePosition, SMALL.x | (SMALL.y << 16));
    write(Reg.damageSize, SMALL.size | (SMALL.size << 16));
  }
  const before = bus.read32(0, Reg.frameCount);
  write(Reg.flip, FLIP_NOW);
  const end = bus.now() + TIMEOUT;
  while (bus.read32(0, Reg.frameCount) === before) {
    if (bus.now() > end) throw new Error('a flip was not shown in 5 s');
    bus.waitInterrupt(0, 100);
  }
  write(Reg.irqStatus, Irq.flip);
}

function pace(due: number): void {
  for (let left = due - bus.now(); left > 0; left = due - bus.now()) bus.sleep(left);
}

function obey(order: DriverOrder): DriverAnswer {
  const start = performance.now();
  if (order.order === 'begin') {
    small = order.small;
    begin(order.width, order.height);
  } else {
    for (let at = 0; at < order.count; at++) {
      if (order.order === 'copy') from.copy(to);
      else {
        if (order.rate > 0) pace(start + (at * 1000) / order.rate);
        flip();
      }
    }
  }
  return { start: performance.timeOrigin + start, seconds: (performance.now() - start) / 1000 };
}

parentPort!.on('message', (order: DriverOrder) => parentPort!.postMessage(obey(order)));
