/**
 * The headless lab with a ProtoPCIem card on a simulated host whose driver takes orders, for the picture bench: lines of
 * JSON on standard input, answers as lines of JSON.
 */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { PortTicket } from '#app/hosts/host.ts';
import { SimHost } from '#app/hosts/sim/host.ts';
import type { InitiatorData } from '#app/hosts/sim/initiator-worker.ts';
import { Lab } from '#app/lab/session.ts';
import { Access } from '#app/server/access.ts';
import { startServer } from '#app/server/server.ts';
import type { DeviceDescription } from '#devices/sdk/device.ts';
import type { DriverAnswer, DriverOrder } from './display-protocol.ts';

class BenchHost extends SimHost {
  driver: Worker | undefined;

  override deviceStarted(ticket: PortTicket, description: DeviceDescription): void {
    if (ticket.kind !== 'sim') return;
    const workerData: InitiatorData = { machine: ticket.machine, memory: ticket.memory, description };
    this.driver = new Worker(new URL('./display-driver.js', import.meta.url), { workerData });
  }
}

const host = new BenchHost();
const lab = new Lab({ host, shell: 'headless', version: 'bench', terminal: false });
const renderer = fileURLToPath(new URL('../renderer', import.meta.url));
const server = await startServer({
  lab,
  access: new Access(),
  renderer,
  port: 0,
  address: '127.0.0.1',
});
await lab.powerOn('protopciem', {});

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function end(): Promise<never> {
  await host.driver?.terminate();
  await server.close();
  await lab.close();
  process.exit(0);
}

host.driver!.on('message', (answer: DriverAnswer) => say(answer));
host.driver!.on('error', (error) => say({ error: error.message }));
say({ url: server.url });
createInterface({ input: process.stdin })
  .on('line', (line) => host.driver!.postMessage(JSON.parse(line) as DriverOrder))
  // Whoever gave the orders has no more, or is gone.
  .on('close', () => void end());
