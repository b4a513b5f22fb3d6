// SPDX-License-Identifier: MIT
/**
 * Finds and loads the compiled binding. PCIEM_NATIVE names it outright; otherwise it is looked for beside this file
 * (a bundle's own copy), then in the build folder of native/, here or in up to three folders above.
 *
 * A lab on the simulated host needs no binding, so a missing one is an error only for whoever uses it.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const places = ['pciem.node', 'build/Release/pciem.node', 'native/build/Release/pciem.node'];

function find() {
  if (process.env.PCIEM_NATIVE) return process.env.PCIEM_NATIVE;
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let level = 0; level < 4; level++) {
    for (const place of places) {
      const path = join(folder, place);
      if (existsSync(path)) return path;
    }
    folder = dirname(folder);
  }
  return undefined;
}

function unavailable(message, cause) {
  const refuse = () => {
    throw Object.assign(new Error(message, { cause }), {
      code: 'ENOENT',
      errno: 2,
      syscall: 'load',
      hint: 'Build the binding with `npm run build:native`, or name it in PCIEM_NATIVE.',
    });
  };
  return {
    PciemDevice: class PciemDevice {
      constructor() {
        refuse();
      }
    },
    InputDevice: class InputDevice {
      constructor() {
        refuse();
      }
    },
    lockFile: refuse,
    punchHole: refuse,
    mapFile: refuse,
  };
}

function load() {
  const path = find();
  if (path === undefined) return unavailable('The native binding (pciem.node) is not built.');
  try {
    return createRequire(import.meta.url)(path);
  } catch (error) {
    return unavailable(`The native binding ${path} cannot be loaded: ${error.message}`, error);
  }
}

const binding = load();

export const PciemDevice = binding.PciemDevice;
export const InputDevice = binding.InputDevice;
export const lockFile = binding.lockFile;
export const punchHole = binding.punchHole;
export const mapFile = binding.mapFile;
export const monotonicNow = binding.monotonicNow ?? (() => Number(process.hrtime.bigint()));

export const DmaFlags = Object.freeze({ read: 1, write: 2, irq: 4 });
export const TraceFlags = Object.freeze({
  reads: 1,
  writes: 2,
  stopWrites: 4,
  syncReads: 8,
  syncWrites: 16,
});
export const EventFlags = Object.freeze({ sync: 1 });
export const EventKinds = Object.freeze({
  config: 1,
  reset: 2,
  driver: 4,
  dma: 8,
  lost: 16,
  timeout: 32,
  all: 63,
});
export const BarFlags = Object.freeze({ io: 1, memory64: 4, prefetch: 8 });
export const StateFlags = Object.freeze({ registered: 1, started: 2, driver: 4, busMaster: 8 });
export const VectorFlags = Object.freeze({ enabled: 1, masked: 2, pending: 4 });
export const AtomicOperation = Object.freeze({ add: 1, sub: 2, swap: 3, cas: 4, and: 5, or: 6, xor: 7 });
export const Features = Object.freeze({
  setupRing: 1,
  dmaBatch: 2,
  configAccess: 4,
  deviceInfo: 8,
  vectorInfo: 16,
  events: 32,
  traceRange: 64,
  sync: 128,
  dmaMappings: 256,
  setIntx: 262144,
});
