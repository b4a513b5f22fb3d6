/**
 * A lab inside a Linux guest: boots it with the module loaded, runs the headless shell there, and attaches every
 * window to it. The window cannot tell the difference; the kernel that might be hurt is not this machine's.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import path from 'node:path';
import { WebSocket } from 'ws';
import type { Channel } from '#contract/wire.ts';
import type { LabEndpoint } from '../endpoint.ts';
import { errorBody } from '../error-body.ts';
import { LabError } from '../errors.ts';
import { SharedMemory } from '../shared-memory.ts';
import type { Demo } from './demos.ts';
import { watchModules } from './module-watch.ts';
import { bootGuest, buildGuest, GUEST_KERNELS, type Guest, type GuestKernel } from './qemu.ts';
import { guestOutDir, guestRoot } from './qemu-files.ts';
import { standIn } from './stand-in.ts';

const GUEST_PORT = 7440;
/** Of memory for pictures, shared with the guest: some cards with their largest ones. */
export const PICTURES_BYTES = 64 * 1024 * 1024;
/** ms from the start of the lab in the guest to its first word. */
const LAB_TIMEOUT = 60_000;
/** Messages kept while the connection to the guest is being made. */
const MAX_EARLY = 1000;

/** Between a window and the lab: what it gives back goes on, in place of the message. */
export interface WindowRelay {
  fromWindow(message: string | ArrayBuffer): string | ArrayBuffer | undefined;
  fromLab(message: string): string;
  close(): void;
}

export interface GuestLabOptions {
  /** What a window is told while there is no lab to ask. */
  readonly version: string;
  readonly device: string | undefined;
  readonly kernel: string | undefined;
  /** Started once the lab and its device are there. */
  readonly demo?: Demo | undefined;
  /** Takes pictures from memory shared with the guest to a window; without it they come through its network. */
  readonly relayPictures?: ((memory: ArrayBuffer, window: Channel) => WindowRelay) | undefined;
  /** Answers for the guest's serial console, of which the lab in the guest has only the other end. */
  readonly relayConsole: (guest: Pick<Guest, 'console' | 'onConsole'>, window: Channel) => WindowRelay;
  readonly say: (line: string) => void;
}

/**
 * There is no udev in the guest that would load a driver when its device appears. The card's driver is ours, so that
 * modprobe does not know it; what it builds on, it does.
 */
const LOAD_MODULES = `set -e
insmod /lab/modules/pciem.ko
modprobe -a nvme uinput evdev
driver=/lab/modules/protopciem.ko
modinfo -F depends $driver | tr , '\\n' | xargs -r modprobe -a
insmod $driver`;

/** Prints the file in the guest that is the memory it shares, if there is one. */
const FIND_SHARED_MEMORY = `cd /sys/bus/pci/devices
for device in $(grep -l 0x1110 */device | xargs -r dirname); do
  [ $(cat $device/vendor) = 0x1af4 ] || continue
  ls $PWD/$device/resource2_wc $PWD/$device/resource2 2>/dev/null | tail -1
done`;

function isGuestKernel(name: string): name is GuestKernel {
  return (GUEST_KERNELS as readonly string[]).includes(name);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

/** What of a lab needs its machine. */
interface Running {
  readonly guest: Guest;
  readonly port: number;
  readonly cookie: string;
  readonly pictures: ArrayBuffer | undefined;
}

type Ended = (guest: Guest, reason: string) => void;

/** Ready when the lab in it listens; `ended` is told when guest or lab are no more. */
async function bootLab(options: GuestLabOptions, ended: Ended): Promise<Running> {
  const kernel = options.kernel ?? '6.12';
  if (!isGuestKernel(kernel)) {
    throw new LabError(
      'NO_SUCH_KERNEL',
      `There is no guest with Linux ${kernel}; there are ${GUEST_KERNELS.join(', ')}.`,
    );
  }
  await buildGuest([kernel], { onProgress: (text) => options.say(text.trimEnd()) });
  const port = await freePort();
  options.say(`Booting Linux ${kernel} in QEMU.`);
  const shared = options.relayPictures === undefined ? undefined : SharedMemory.make(PICTURES_BYTES);
  const guest = await bootGuest({
    kernel,
    forwards: [{ host: port, guest: GUEST_PORT }],
    // Else Debian's kernels refuse resource0, and with it nvme show-regs, while a driver is bound.
    appendCmdline: 'iomem=relaxed',
    sharedMemory: shared === undefined ? undefined : { file: shared.file, size: PICTURES_BYTES },
  }).finally(() => shared?.forget());
  try {
    options.say(`Linux ${guest.release} is up after ${(guest.bootMs / 1000).toFixed(1)} s (${guest.accel}).`);
    await guest.exec(LOAD_MODULES, { check: true });
    const token = randomBytes(24).toString('base64url');
    const pictures = shared === undefined ? '' : (await guest.output(FIND_SHARED_MEMORY)).trim();
    await startLab(guest, token, options.device, pictures, ended);
    const cookie = await claim(port, token);
    if (options.demo !== undefined) startDemo(guest, options.demo, options.say);
    const stopWatching = watchModules(
      path.join(guestOutDir(guestRoot()), kernel),
      (file, name) => guest.copyIn(file, `/lab/modules/${name}`),
      options.say,
    );
    void guest.exited.then((reason) => {
      stopWatching();
      ended(guest, withPanic(reason, guest));
    });
    return { guest, port, cookie, pictures: pictures === '' ? undefined : shared?.memory };
  } catch (error) {
    await guest.kill();
    throw error;
  }
}

/** A machine whose kernel died says why on its console. */
function withPanic(reason: string, guest: Guest): string {
  const panic = /Kernel panic - not syncing: (.*)/.exec(guest.console)?.[1]?.trim();
  return panic === undefined ? reason : `${reason}: kernel panic: ${panic}`;
}

export class GuestLab implements LabEndpoint {
  readonly #options: GuestLabOptions;
  #running: Running | undefined;
  /** Why there is none. */
  #reason = '';
  #starting: Promise<void> | undefined;
  #closed = false;
  /** Windows, with the socket of each to the lab in the guest; none while that is not there. */
  readonly #windows = new Map<Channel, WebSocket | undefined>();

  private constructor(options: GuestLabOptions) {
    this.#options = options;
  }

  static async boot(options: GuestLabOptions): Promise<GuestLab> {
    const lab = new GuestLab(options);
    await lab.#boot();
    return lab;
  }

  /** The machine; undefined when it has ended. */
  get guest(): Guest | undefined {
    return this.#running?.guest;
  }

  accept(channel: Channel): void {
    channel.onClose(() => this.#windows.delete(channel));
    if (this.#running === undefined) {
      this.#windows.set(channel, undefined);
      channel.onMessage((message) => {
        const { version } = this.#options;
        const state = { reason: this.#reason, starting: this.#starting !== undefined };
        standIn(channel, message, { version, ...state, restart: () => this.#restart() });
      });
    } else {
      this.#forward(channel, this.#running);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#starting?.catch(() => undefined);
    for (const socket of this.#windows.values()) socket?.close();
    await this.#running?.guest.shutdown();
  }

  async #boot(): Promise<void> {
    this.#running = await bootLab(this.#options, (guest, reason) => {
      if (this.#closed || this.#running?.guest !== guest) return;
      this.#running = undefined;
      this.#reason = reason;
      this.#options.say(`The guest has ended: ${reason}`);
      this.#turnAway('The guest has stopped.');
      // Where the lab ended and its machine did not.
      void guest.kill();
    });
  }

  /** They come back at once, and find things as they are now. */
  #turnAway(reason: string): void {
    for (const [channel, socket] of this.#windows) {
      socket?.terminate();
      channel.close(reason);
    }
    this.#windows.clear();
  }

  #restart(): void {
    if (this.#starting !== undefined || this.#running !== undefined) return;
    this.#starting = this.#boot()
      .catch((error: unknown) => {
        const { message, hint } = errorBody(error);
        this.#reason = [message, hint].filter(Boolean).join(' ');
        this.#options.say(`The guest did not start: ${this.#reason}`);
      })
      .finally(() => {
        this.#starting = undefined;
        this.#turnAway(this.#running === undefined ? 'The guest did not start.' : 'The guest is up again.');
      });
    this.#turnAway('The guest is starting.');
  }

  #forward(channel: Channel, { guest, port, cookie, pictures }: Running): void {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/lab`, ['pciem-lab'], {
      headers: { cookie },
      perMessageDeflate: true,
    });
    this.#windows.set(channel, socket);
    const relays = [this.#options.relayConsole(guest, channel)];
    if (pictures !== undefined && this.#options.relayPictures !== undefined)
      relays.push(this.#options.relayPictures(pictures, channel));
    const early: (string | ArrayBuffer)[] = [];
    channel.onMessage((received) => {
      let message: string | ArrayBuffer | undefined = received;
      for (const relay of relays) {
        message = relay.fromWindow(message);
        if (message === undefined) return;
      }
      if (socket.readyState === WebSocket.OPEN) socket.send(message);
      else if (early.length < MAX_EARLY) early.push(message);
    });
    channel.onClose(() => {
      for (const relay of relays) relay.close();
      socket.close();
    });
    socket.on('open', () => {
      for (const message of early.splice(0)) socket.send(message);
    });
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (binary) {
        channel.send(new Uint8Array(data).buffer);
        return;
      }
      let text = data.toString('utf8');
      for (const relay of relays) text = relay.fromLab(text);
      channel.send(text);
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => channel.close());
  }
}

/** What it says is passed on; the lab goes on when it ends. */
function startDemo(guest: Guest, { command }: Demo, say: (line: string) => void): void {
  const name = command[0]!.split('/').at(-1)!;
  let partial = '';
  const hear = (data: Buffer) => {
    const lines = (partial + data.toString('utf8')).split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') say(`${name}: ${line}`);
  };
  guest
    .spawn(command, { onStdout: hear, onStderr: hear })
    .exited.then(({ code }) => say(`The demo has ended${code === 0 ? '' : ` with status ${code}`}.`))
    .catch(() => undefined);
}

async function startLab(
  guest: Guest,
  token: string,
  device: string | undefined,
  pictures: string,
  ended: Ended,
): Promise<void> {
  let said = '';
  const lab = guest.spawn(
    [
      'node',
      '/lab/lab/server.js',
      '--host',
      'pciem',
      '--port',
      String(GUEST_PORT),
      '--address',
      '0.0.0.0',
      '--token',
      token,
      '--as-guest',
      `Linux ${guest.release} in QEMU`,
      ...(device === undefined ? [] : ['--device', device]),
      ...(pictures === '' ? [] : ['--pictures', pictures]),
    ],
    {
      cwd: '/root',
      env: { HOME: '/root', SHELL: '/bin/bash' },
      onStdout: (data) => {
        said += data.toString('utf8');
        listening();
      },
      onStderr: (data) => {
        said += data.toString('utf8');
      },
    },
  );
  let listening: () => void = () => undefined;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new LabError('GUEST_LAB', `The lab in the guest said nothing for ${LAB_TIMEOUT / 1000} s: ${said}`),
      );
    }, LAB_TIMEOUT);
    listening = () => {
      if (!said.includes('PCIem Lab is at')) return;
      clearTimeout(timer);
      resolve();
    };
    listening();
    lab.exited.then(
      ({ code }) => {
        clearTimeout(timer);
        const reason = `The lab in the guest ended with status ${code}: ${said.trim().slice(-2000)}`;
        reject(new LabError('GUEST_LAB', reason));
        ended(guest, reason);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** Uses the one-time token and returns the cookie that further connections bring. */
function claim(port: number, token: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/lab`, ['pciem-lab', token], {
      perMessageDeflate: false,
    });
    let cookie: string | undefined;
    socket.on('upgrade', (response) => {
      cookie = response.headers['set-cookie']?.[0]?.split(';')[0];
    });
    socket.on('open', () => {
      socket.close();
      if (cookie === undefined)
        reject(new LabError('GUEST_LAB', 'The lab in the guest refused its own token.'));
      else resolve(cookie);
    });
    socket.on('error', (error) =>
      reject(new LabError('GUEST_LAB', `The guest's lab cannot be reached: ${error.message}`)),
    );
  });
}
