/**
 * The headless lab with a trace of any size in its real store: for the window's part of `make bench`. Orders come as lines
 * of JSON on standard input, answers go as lines of JSON.
 */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import { SimHost } from '#app/hosts/sim/host.ts';
import { Lab } from '#app/lab/session.ts';
import { BATCH_RECORDS } from '#app/lab/trace-writer.ts';
import { Access } from '#app/server/access.ts';
import { startServer } from '#app/server/server.ts';
import type { FeederData, FeedRequest } from './trace-feeder.ts';

export type Order =
  /** Rows that the trace is to hold in the end. */
  | { readonly order: 'fill'; readonly total: number }
  | { readonly order: 'stream'; readonly rate: number; readonly ms: number }
  /** Longest time that the lab's thread was busy since this was asked last, and memory. */
  | { readonly order: 'figures' }
  | { readonly order: 'end' };

/** ms between looks at how late the lab's thread is. */
const PULSE = 2;

const lab = new Lab({ host: new SimHost(), shell: 'headless', version: 'bench', terminal: false });
const access = new Access();
const renderer = fileURLToPath(new URL('../renderer', import.meta.url));
const server = await startServer({ lab, access, renderer, port: 0, address: '127.0.0.1' });
const device = await lab.powerOn('nvme', {});
lab.setWorkload(device, false, 0);

const { port1, port2 } = new MessageChannel();
lab.trace.addDevice(device, port2);
const data: FeederData = { device, store: port1 };
const feeder = new Worker(new URL('./trace-feeder.js', import.meta.url), {
  workerData: data,
  transferList: [port1],
});

function feed(request: FeedRequest): Promise<{ missed: number }> {
  return new Promise((resolve) => {
    feeder.once('message', resolve);
    feeder.postMessage(request);
  });
}

const settle = () => lab.trace.request<{ total: number }>({ op: 'settle' });

let longest = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last - PULSE);
  last = now;
}, PULSE);

async function obey(order: Order): Promise<unknown> {
  switch (order.order) {
    case 'fill': {
      await lab.trace.request({ op: 'limit', rows: 1 << 25 });
      let { total } = await settle();
      while (total < order.total) {
        await feed({ rows: Math.min(16 * BATCH_RECORDS, order.total - total) });
        ({ total } = await settle());
      }
      return { total };
    }
    case 'stream': {
      const { missed } = await feed({ rate: order.rate, ms: order.ms });
      return { missed, ...(await settle()) };
    }
    case 'figures': {
      const { total, bytes } = lab.trace.counts;
      const figures = { total, bytes, longest, rss: process.memoryUsage().rss };
      longest = 0;
      return figures;
    }
    case 'end':
      await feeder.terminate();
      await server.close();
      await lab.close();
      process.exit(0);
  }
}

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
say({ url: server.url });
createInterface({ input: process.stdin })
  .on('line', (line) => {
    obey(JSON.parse(line) as Order).then(say, (error: Error) => say({ error: error.message }));
  })
  // Whoever gave the orders is gone.
  .on('close', () => process.exit(0));
