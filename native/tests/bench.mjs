// What the calls of the hot path cost, against a real /dev/pciem with Linux's nvme driver bound to a small card.
// As root: node native/tests/bench.mjs. Prints JSON lines { name, value, unit }.
import { monotonicNow } from '../index.js';
import { Card } from './card.mjs';

const now = () => Number(process.hrtime.bigint());

function report(name, value, unit = 'ns') {
  console.log(JSON.stringify({ name, value: Math.round(value * 10) / 10, unit }));
}

/** ns a call: the best of a few runs, as the others had company. */
function measure(call, rounds, runs = 5) {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const start = now();
    for (let round = 0; round < rounds; round++) call();
    best = Math.min(best, (now() - start) / rounds);
  }
  return best;
}

const card = new Card();
card.bind();
const { device } = card;
while (card.turn(200) > 0);

report(
  'clock/hrtime',
  measure(() => process.hrtime.bigint(), 2000),
);
report(
  'clock/performance',
  measure(() => performance.now(), 2000),
);
report(
  'call/lost',
  measure(() => device.lost, 5000),
);
report(
  'clock/monotonicNow',
  measure(() => monotonicNow(), 5000),
);
report(
  'call/barRead',
  measure(() => device.barRead(0, 0, 4), 5000),
);
report(
  'call/barWrite',
  measure(() => device.barWrite(0, 0x3f00, 4, 1), 5000),
);
report(
  'ioctl/info',
  measure(() => device.info(0), 1000),
);
report(
  'ioctl/injectIrq',
  measure(() => device.tryInjectIrq(0, 0), 1000, 3),
);
report(
  'ioctl/injectIrq-unused-vector',
  measure(() => device.tryInjectIrq(0, 3), 1000, 3),
);
report(
  'wait/empty',
  measure(() => device.wait(card.events, 0, 0), 5000),
);
report(
  'wait/time-out-1us',
  measure(() => device.wait(card.events, 0.001, 0), 200),
);

// Reads of the submission queue, which is the driver's own memory: 2 KiB of it at most.
const id = device.registerBuffer(new Uint8Array(1 << 20));
const steps = new Float64Array(256 * 6);
const batch = (count, length) => {
  for (let step = 0; step < count; step++) steps.set([card.asq, id, step * length, length, 1, 0], step * 6);
  return measure(
    () => {
      if (device.dmaBatch(steps, count) !== count) throw new Error(`errno ${device.batchError}`);
    },
    Math.ceil(4000 / (count + 4)),
  );
};
for (const length of [16, 64, 2048]) {
  report(
    `dma/single-${length}`,
    measure(() => device.dmaRead(card.asq, id, 0, length), 1000),
  );
  const one = batch(1, length);
  const many = batch(256, length);
  report(`dma/batch-1x${length}`, one);
  report(`dma/batch-16x${length}`, batch(16, length));
  report(`dma/batch-256x${length}`, many);
  report(`dma/per-segment-${length}`, (many - one) / 255);
}
device.close();
