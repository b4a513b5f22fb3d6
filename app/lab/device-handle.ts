/** The lab's side of one device's thread: starts it, asks it, wakes it, ends it. */
import { writeSync } from 'node:fs';
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import type { DisplayPlace } from '#contract/display.ts';
import type { ErrorBody } from '#contract/wire.ts';
import type { DeviceDescription, OptionValues } from '#devices/sdk/device.ts';
import { DisplayMemory, displayBytes } from '#devices/sdk/display.ts';
import { LabError } from '../hosts/errors.ts';
import type { PortTicket, WakeHandle } from '../hosts/host.ts';
import { type MemoryPlace, mapPlace } from '../hosts/shared-memory.ts';
import { startWorker } from '../hosts/workers.ts';
import { deferred } from './deferred.ts';
import type {
  DeviceControl,
  DeviceReply,
  DeviceRequest,
  DeviceResults,
  DeviceWorkerData,
} from './device-protocol.ts';
import { DeviceShared } from './device-shared.ts';

/** ms that a thread has to leave before it is ended from outside. */
const CLOSE_TIMEOUT = 10_000;
const WAKE_VALUE = new Uint8Array(new BigUint64Array([1n]).buffer);

export function errorOf(body: ErrorBody): LabError {
  return new LabError(body.code, body.message, body.hint ?? '');
}

export interface DeviceHandleOptions {
  readonly device: number;
  readonly model: string;
  readonly options: OptionValues;
  readonly ticket: PortTicket;
  readonly display: DeviceDescription['display'];
  /** Where its picture is to lie, if others are to have it. */
  readonly displayPlace: MemoryPlace | undefined;
  readonly epoch: number;
  /** The store's end of the record channel. */
  readonly storePort: (port: MessagePort) => void;
  /** The thread is gone; `error` says why when nobody asked it to. */
  readonly onExit: (error: ErrorBody | undefined) => void;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

type Started = Pick<Extract<DeviceReply, { kind: 'ready' }>, 'description' | 'status' | 'config'>;

export class DeviceHandle {
  readonly shared = new DeviceShared();
  /** Of a display adapter. */
  readonly display: DisplayMemory | undefined;
  readonly displayPlace: DisplayPlace | undefined;
  readonly ready: Promise<Started>;
  readonly exited: Promise<void>;
  readonly #worker: Worker;
  readonly #control: MessagePort;
  readonly #waiting = new Map<number, Waiting>();
  readonly #displayListeners = new Set<() => void>();
  #nextId = 1;
  #wake: WakeHandle | undefined;
  #alive = true;
  #closing = false;

  constructor(options: DeviceHandleOptions) {
    const control = new MessageChannel();
    const store = new MessageChannel();
    options.storePort(store.port2);
    let display: SharedArrayBuffer | MemoryPlace | undefined;
    if (options.display !== undefined) {
      const { displayPlace: place } = options;
      const shared = place === undefined ? undefined : mapPlace(place);
      if (place !== undefined && shared !== undefined) {
        // Another card's may have lain there.
        new Uint8Array(shared).fill(0);
        display = place;
        this.display = new DisplayMemory(shared, options.display);
        this.displayPlace = { ...options.display, offset: place.offset };
      } else {
        display = new SharedArrayBuffer(displayBytes(options.display));
        this.display = new DisplayMemory(display, options.display);
      }
    }
    const workerData: DeviceWorkerData = {
      device: options.device,
      model: options.model,
      options: options.options,
      ticket: options.ticket,
      shared: this.shared.memory,
      display,
      epoch: options.epoch,
      control: control.port2,
      store: store.port1,
    };
    this.#control = control.port1;
    this.#worker = startWorker('device-worker', {
      workerData,
      transferList: [control.port2, store.port1],
      name: `device ${options.device}`,
    });
    let fault: ErrorBody | undefined;
    const started = deferred<Started>();
    const exited = deferred<void>();
    this.ready = started.promise;
    this.exited = exited.promise;
    this.#worker.on('message', (reply: DeviceReply) => {
      if (reply.kind === 'ready') {
        this.#wake = reply.wake;
        started.resolve(reply);
      } else if (reply.kind === 'failed') {
        fault = reply.error;
        started.reject(errorOf(reply.error));
      } else if (reply.kind === 'display') {
        for (const listener of this.#displayListeners) listener();
      } else if (reply.kind === 'fault') {
        fault = reply.error;
      } else {
        this.#settle(reply.id, reply.result, reply.error);
      }
    });
    this.#worker.on('error', (error) => {
      fault = { code: 'DEVICE_THREAD', message: `The device's thread ended: ${error.message}` };
    });
    this.#worker.on('exit', () => {
      this.#alive = false;
      this.#wake = undefined;
      const gone = new LabError('DEVICE_GONE', 'The device is no longer there.');
      started.reject(fault === undefined ? gone : errorOf(fault));
      for (const waiting of this.#waiting.values()) waiting.reject(gone);
      this.#waiting.clear();
      this.#control.close();
      exited.resolve();
      options.onExit(this.#closing ? undefined : (fault ?? { code: gone.code, message: gone.message }));
    });
  }

  /** Calls `listener` when the picture has changed, once for each time that a reader asked to be told. */
  onDisplay(listener: () => void): () => void {
    this.#displayListeners.add(listener);
    return () => this.#displayListeners.delete(listener);
  }

  arm(): void {
    this.display?.arm();
  }

  request<O extends DeviceRequest['op']>(
    request: Extract<DeviceRequest, { op: O }>,
  ): Promise<DeviceResults[O]> {
    if (!this.#alive) return Promise.reject(new LabError('DEVICE_GONE', 'The device is no longer there.'));
    return new Promise<DeviceResults[O]>((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve: (value) => resolve(value as DeviceResults[O]), reject });
      const control: DeviceControl = { id, request };
      this.#control.postMessage(control);
      Atomics.add(this.shared.attention, 0, 1);
      this.#ring();
    });
  }

  /** The device leaves the bus; resolves when its thread has ended. */
  async close(): Promise<void> {
    if (!this.#alive) return;
    this.#closing = true;
    const timer = setTimeout(() => void this.#worker.terminate(), CLOSE_TIMEOUT);
    this.request({ op: 'close' }).catch(() => undefined);
    await this.exited;
    clearTimeout(timer);
  }

  #ring(): void {
    const wake = this.#wake;
    if (wake === undefined) return;
    if (wake.kind === 'eventfd') {
      writeSync(wake.fd, WAKE_VALUE);
    } else {
      Atomics.add(wake.words, wake.index, 1);
      Atomics.notify(wake.words, wake.index);
    }
  }

  #settle(id: number, result: unknown, error: ErrorBody | undefined): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(errorOf(error));
  }
}
