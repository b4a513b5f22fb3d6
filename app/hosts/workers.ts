import { Worker, type WorkerOptions } from 'node:worker_threads';

export type WorkerName = 'device-worker' | 'store-worker' | 'initiator-worker';

/** Starts one of the lab's threads. Bundles lie beside each other; from source (tests) the built ones are used. */
export function startWorker(name: WorkerName, options: WorkerOptions): Worker {
  const base = import.meta.url.endsWith('.ts') ? '../../out/lab/' : './';
  return new Worker(new URL(`${base}${name}.js`, import.meta.url), options);
}
