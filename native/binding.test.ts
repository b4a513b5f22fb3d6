/** What can be shown without the kernel module: errors, argument checks, life cycle. `native/tests/guest.mjs` has the rest. */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  InputDevice,
  lockFile,
  mapFile,
  monotonicNow,
  PciemDevice,
  type PciemError,
  punchHole,
} from '#native';

const folder = mkdtempSync(join(tmpdir(), 'pciem-native-'));
afterAll(() => rmSync(folder, { recursive: true }));

function failure(call: () => unknown): PciemError {
  try {
    call();
  } catch (error) {
    return error as PciemError;
  }
  throw new Error('nothing was thrown');
}

describe('opening', () => {
  it('says that the module is missing when there is no node', () => {
    const error = failure(() => new PciemDevice(join(folder, 'no-such-node')));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ code: 'ENOENT', errno: 2, syscall: 'open' });
    expect(error.message).toContain('no-such-node');
    expect(error.hint).toContain('modprobe pciem');
  });

  it('refuses a path that is no string', () => {
    expect(failure(() => new PciemDevice(7 as unknown as string))).toBeInstanceOf(TypeError);
  });

  it('says that a node which is not ours does not know the call', () => {
    const device = new PciemDevice('/dev/null');
    const error = failure(() => device.version());
    expect(error).toMatchObject({ code: 'ENOTTY', syscall: 'PCIEM_IOC_GET_VERSION' });
    expect(error.hint).toContain('load the module');
    device.close();
  });
});

describe('arguments', () => {
  const device = new PciemDevice('/dev/null');
  const buffer = device.registerBuffer(new Uint8Array(4096));
  const step = (...values: number[]) => new Float64Array(values);
  const config = {
    func: 0,
    vendorId: 1,
    deviceId: 2,
    subsystemVendorId: 3,
    subsystemId: 4,
    revision: 5,
    classCode: 6,
    headerType: 0,
  };

  it.each<[string, () => unknown, RegExp]>([
    ['function above 7', () => device.create(8, 0), /func must be an integer from 0 to 7, not 8/],
    ['negative function', () => device.create(-1, 0), /from 0 to 7, not -1/],
    ['fraction', () => device.create(0.5, 0), /not 0.5/],
    ['NaN', () => device.create(Number.NaN, 0), /not (-)?nan/i],
    [
      'range of a BAR above 5',
      () => device.traceRange(0, 6, 0, 4, 1),
      /index must be an integer from 0 to 5/,
    ],
    ['range at a fraction', () => device.traceRange(0, 0, 0.5, 4, 1), /offset must be an integer/],
    ['answer of 33 bits', () => device.respond(1, 2 ** 32, 0), /low .* fits 4 bytes/],
    ['answer to a negative number', () => device.respond(-1, 0, 0), /sequence must be an integer/],
    ['BAR index above 5', () => device.addBar(0, 6, 4096, 0), /index must be an integer from 0 to 5, not 6/],
    ['size beyond 2^53', () => device.addBar(0, 0, 2 ** 60, 0), /size must be an integer/],
    ['class code of 25 bits', () => device.setConfig({ ...config, classCode: 1 << 24 }), /classCode/],
    ['vectorsLog2 above 5', () => device.addCapabilityMsi(0, 6, true, true), /vectorsLog2/],
    ['2049 MSI-X vectors', () => device.addCapabilityMsix(0, 2049, 0, 0, 0), /vectors/],
    ['BAR memory before registration', () => device.barRead(0, 0, 4), /not registered/],
    ['BAR number 6', () => device.barRead(6, 0, 4), /BAR 6 is not mapped/],
    ['access of 3 bytes', () => device.barRead(0, 0, 3), /size must be 1, 2 or 4/],
    ['access of 8 bytes as a number', () => device.barRead(0, 0, 8), /barRead64/],
    ['value too wide for its size', () => device.barWrite(0, 0, 1, 256), /fits 1 bytes, not 256/],
    ['value of 33 bits', () => device.barWrite(0, 0, 4, 2 ** 32), /fits 4 bytes/],
    ['bigint of 65 bits', () => device.barWrite64(0, 0, 1n << 64n), /2n \*\* 64n/],
    [
      'transfer past the buffer',
      () => device.dmaRead(0, buffer, 4000, 97),
      /shorter than offset plus length/,
    ],
    ['transfer of an unknown buffer', () => device.dmaWrite(0, 99, 0, 1), /buffer 99 is not registered/],
    ['empty buffer', () => device.registerBuffer(new Uint8Array(0)), /at least one byte/],
    ['release of an unknown buffer', () => device.releaseBuffer(99), /buffer 99 is not registered/],
    ['batch longer than its array', () => device.dmaBatch(step(0, 0, 0, 0, 4, 0), 2), /count .* from 0 to 1/],
    ['step without flags', () => device.dmaBatch(step(0, buffer, 0, 1, 0, 0), 1), /step 0/],
    ['step that reads and writes', () => device.dmaBatch(step(0, buffer, 0, 1, 3, 0), 1), /step 0/],
    ['vector of 17 bits', () => device.dmaBatch(step(0, 0, 0, 0, 4, 65536), 1), /step 0/],
    [
      'second step past its buffer',
      () => device.dmaBatch(step(0, buffer, 0, 1, 1, 0, 0, buffer, 4096, 1, 1, 0), 2),
      /step 1: buffer 0 is shorter/,
    ],
    ['no room for an event', () => device.wait(new Uint8Array(63), 0, 0), /64 bytes/],
    ['endless spin', () => device.wait(new Uint8Array(64), 0, 1e9), /spinMicroseconds/],
  ])('%s', (_name, call, message) => {
    const error = failure(call);
    expect(error.message).toMatch(message);
    expect(error.hint).not.toBe('');
  });

  it.each<[string, () => unknown]>([
    ['missing argument', () => (device.create as (func: number) => void)(0)],
    ['string for a number', () => device.create('0' as unknown as number, 0)],
    ['number for a boolean', () => device.addCapabilityMsi(0, 0, 1 as unknown as boolean, true)],
    ['number for a bigint', () => device.barWrite64(0, 0, 1 as unknown as bigint)],
    ['DataView for a Uint8Array', () => device.registerBuffer(new DataView(new ArrayBuffer(8)) as never)],
    ['Uint32Array for a Uint8Array', () => device.wait(new Uint32Array(16) as never, 0, 0)],
    ['Float32Array for a Float64Array', () => device.dmaBatch(new Float32Array(6) as never, 1)],
    ['no configuration', () => device.setConfig(undefined as never)],
    ['configuration without a member', () => device.setConfig({ ...config, revision: undefined } as never)],
    ['method of another object', () => device.version.call({} as never)],
  ])('%s is a TypeError', (_name, call) => {
    expect(failure(call)).toBeInstanceOf(TypeError);
  });

  it('names the missing step when waiting comes before registering', () => {
    const error = failure(() => device.wait(new Uint8Array(64), 0, 0));
    expect(error).toMatchObject({ code: 'EINVAL', syscall: 'wait', hint: 'Register the device first.' });
  });

  it('accepts what `~` gives for a register of 32 bits', () => {
    // Gets as far as the missing BAR.
    expect(failure(() => device.barWrite(0, 0, 4, ~0)).message).toMatch(/not mapped/);
  });

  it('reuses the number of a released buffer, and refuses it in between', () => {
    const id = device.registerBuffer(new Uint8Array(16));
    device.releaseBuffer(id);
    expect(failure(() => device.dmaRead(0, id, 0, 1)).message).toMatch(/not registered/);
    expect(device.registerBuffer(new Uint8Array(16))).toBe(id);
    device.releaseBuffer(id);
  });

  it('notices a buffer whose memory went to another thread', () => {
    const bytes = new Uint8Array(16);
    const id = device.registerBuffer(bytes);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    expect(failure(() => device.dmaRead(0, id, 0, 1)).message).toMatch(/was transferred/);
    expect(failure(() => device.dmaBatch(step(0, id, 0, 1, 1, 0), 1)).message).toMatch(/was transferred/);
    device.releaseBuffer(id);
  });

  it('takes a view of shared memory as a buffer', () => {
    const id = device.registerBuffer(new Uint8Array(new SharedArrayBuffer(16), 8, 8));
    expect(failure(() => device.dmaRead(0, id, 1, 8)).message).toMatch(/shorter/);
    expect(device.dmaRead(0, id, 0, 8)).toBe(25);
    device.releaseBuffer(id);
  });
});

describe('closing', () => {
  it('is idempotent, and every other member says so afterwards', () => {
    const device = new PciemDevice('/dev/null');
    device.close();
    device.close();
    const members = Object.getOwnPropertyNames(PciemDevice.prototype).filter(
      (name) => name !== 'constructor' && name !== 'close',
    );
    expect(members.length).toBeGreaterThan(35);
    for (const name of members) {
      const { value, get } = Object.getOwnPropertyDescriptor(PciemDevice.prototype, name)!;
      const error = failure(() => (value ?? get).call(device));
      expect(error, name).toMatchObject({
        code: 'EBADF',
        syscall: name,
      });
      expect(error.message, name).toContain('closed');
    }
  });

  it('lends the wake-up eventfd on, so that a late write hits nothing else', () => {
    const first = new PciemDevice('/dev/null');
    const fd = first.wakeFd;
    first.close();
    writeSync(fd, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]));
    const second = new PciemDevice('/dev/null');
    expect(second.wakeFd).toBe(fd);
    second.close();
  });

  it('happens when a thread is terminated', async () => {
    const node = join(folder, 'held');
    writeFileSync(node, '');
    const script = `
      import { parentPort } from 'node:worker_threads';
      const { PciemDevice } = await import(${JSON.stringify(new URL('./index.js', import.meta.url).href)});
      globalThis.device = new PciemDevice(${JSON.stringify(node)});
      parentPort.postMessage('open');
      setInterval(() => {}, 1000);
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    const held = () => openFiles().includes(node);
    expect(held()).toBe(true);
    await worker.terminate();
    expect(held()).toBe(false);
  });
});

function openFiles(): string[] {
  const { readdirSync, readlinkSync } = process.getBuiltinModule('node:fs');
  return readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
}

describe('clock', () => {
  it('keeps to the kernel’s, and never goes back', () => {
    const end = performance.now() + 150;
    let last = 0;
    let worst = 0;
    let looks = 0;
    while (performance.now() < end) {
      const before = Number(process.hrtime.bigint());
      const now = monotonicNow();
      const after = Number(process.hrtime.bigint());
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
      // A thread that was held up in between proves nothing.
      if (after - before > 20_000) continue;
      looks++;
      worst = Math.max(worst, before - now, now - after);
    }
    expect(looks).toBeGreaterThan(10);
    expect(worst).toBeLessThan(50_000);
  });
});

describe('files', () => {
  const path = join(folder, 'image');
  let fds: number[] = [];
  const open = (flags: string) => {
    const fd = openSync(path, flags);
    fds.push(fd);
    return fd;
  };
  afterEach(() => {
    for (const fd of fds) closeSync(fd);
    fds = [];
  });

  it('locks against another opener in the same process, until it closes', () => {
    writeFileSync(path, 'x');
    const first = open('r+');
    expect(lockFile(first)).toBe(true);
    expect(lockFile(first)).toBe(true);
    expect(lockFile(open('r+'))).toBe(false);
    closeSync(first);
    fds.shift();
    expect(lockFile(open('r+'))).toBe(true);
  });

  it('says why a file cannot be locked', () => {
    const error = failure(() => lockFile(open('r')));
    expect(error).toMatchObject({ code: 'EBADF', syscall: 'lockFile' });
    expect(error.hint).toContain('writing');
    expect(failure(() => lockFile(-1))).toBeInstanceOf(RangeError);
  });

  it('punches holes', () => {
    writeFileSync(path, Buffer.alloc(1 << 20, 7));
    const before = statSync(path).blocks;
    if (!punchHole(open('r+'), 0, 1 << 19)) return;
    expect(statSync(path).size).toBe(1 << 20);
    expect(statSync(path).blocks).toBeLessThan(before);
    expect(failure(() => punchHole(fds[0]!, 0, 0))).toMatchObject({ code: 'EINVAL', syscall: 'punchHole' });
  });
});

describe('a mapped file', () => {
  const path = join(folder, 'mapped');
  const open = (): number => {
    writeFileSync(path, new Uint8Array(3 * 4096));
    return openSync(path, 'r+');
  };

  it('is one memory for all who map it, and outlives the descriptor', () => {
    const fd = open();
    const one = new Uint8Array(mapFile(fd, 4096, 8192)!);
    const other = new Uint8Array(mapFile(fd, 8192, 4096)!);
    closeSync(fd);
    expect([one.length, other.length]).toEqual([8192, 4096]);
    one[4096 + 5] = 77;
    expect(other[5]).toBe(77);
    expect(readFileSync(path)[8192 + 5]).toBe(77);
  });

  it('says what cannot be mapped', () => {
    const fd = open();
    expect(failure(() => mapFile(fd, 100, 4096)).message).toContain('page size');
    expect(failure(() => mapFile(fd, 0, 0)).message).toContain('length');
    closeSync(fd);
    expect(failure(() => mapFile(fd, 0, 4096))).toMatchObject({ code: 'EBADF', syscall: 'mapFile' });
  });
});

describe('an input device', () => {
  it('says what to load when there is no uinput', () => {
    const error = failure(() => new InputDevice(join(folder, 'no-uinput')));
    expect(error).toMatchObject({ code: 'ENOENT', syscall: 'openInput' });
    expect(error.hint).toContain('modprobe uinput');
  });

  it('says that a node is none of uinput', () => {
    const device = new InputDevice('/dev/null');
    expect(
      failure(() => device.create('keyboard', new Float64Array([30]), new Float64Array())),
    ).toMatchObject({
      code: 'ENOTTY',
      syscall: 'UI_SET_EVBIT',
      hint: expect.stringContaining('uinput'),
    });
    device.close();
  });

  const none = new Float64Array();
  it.each<[string, (device: InputDevice) => unknown, RegExp]>([
    ['no name', (device) => device.create('', none, none), /name must be text/],
    [
      'a name that is a number',
      (device) => device.create(7 as unknown as string, none, none),
      /name must be text/,
    ],
    [
      'keys that are no Float64Array',
      (device) => device.create('k', [] as unknown as Float64Array, none),
      /keys/,
    ],
    [
      'a key beyond the last',
      (device) => device.create('k', new Float64Array([0x300]), none),
      /keys .* 0 to 767/,
    ],
    ['half an axis', (device) => device.create('k', none, new Float64Array([0.5])), /relative .* 0 to 15/],
    ['two numbers of an event', (device) => device.emit(new Float64Array([1, 30])), /three numbers each/],
    ['257 events', (device) => device.emit(new Float64Array(257 * 3)), /256 events at most/],
    ['a value of 33 bits', (device) => device.emit(new Float64Array([1, 30, 2 ** 31])), /event 0/],
    ['a type that is none', (device) => device.emit(new Float64Array([1, 30, 1, -1, 0, 0])), /event 1/],
  ])('refuses %s', (_, call, message) => {
    const device = new InputDevice('/dev/null');
    expect(failure(() => call(device)).message).toMatch(message);
    device.close();
  });

  it('is closed once, and says so to whoever goes on using it', () => {
    const device = new InputDevice('/dev/null');
    device.close();
    device.close();
    expect(failure(() => device.emit(none))).toMatchObject({ code: 'EBADF', syscall: 'emit' });
  });
});
