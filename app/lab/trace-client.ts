/** The lab's side of the trace store's thread. */
import type { MessagePort, Worker } from 'node:worker_threads';
import { TRACE_LIMIT } from '#contract/trace.ts';
import { startWorker } from '../hosts/workers.ts';
import { errorOf } from './device-handle.ts';
import type { StoreMessage, StoreReply, StoreRequest } from './store-protocol.ts';

export type TraceCounts = Extract<StoreReply, { kind: 'count' }>;

export class TraceClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #nextId = 1;
  /** As last heard. */
  counts: TraceCounts = {
    kind: 'count',
    total: 0,
    first: 0,
    missed: 0,
    experts: 0,
    bytes: 0,
    limit: TRACE_LIMIT.default,
    views: [],
  };

  constructor(onCount: (counts: TraceCounts) => void) {
    this.#worker = startWorker('store-worker', { name: 'trace store' });
    this.#worker.on('message', (reply: StoreReply) => {
      if (reply.kind === 'count') {
        this.counts = reply;
        onCount(reply);
        return;
      }
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.error === undefined) waiting?.resolve(reply.result);
      else waiting?.reject(errorOf(reply.error));
    });
  }

  request<T>(request: StoreRequest): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#post({ kind: 'request', id, request });
    });
  }

  addDevice(device: number, port: MessagePort): void {
    this.#post({ kind: 'port', device, port }, [port]);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(message: StoreMessage, transfer: MessagePort[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}
