/** A guest for tests, and the lab's devices in it. */
import {
  type BootOptions,
  bootGuest,
  type Guest,
  type GuestFile,
  type GuestKernel,
  type GuestProcess,
} from '#app/hosts/guest/qemu.ts';
import { KernelLogWatcher } from '#app/hosts/guest/qemu-log.ts';

export const KERNELS = (process.env.PCIEM_LAB_KERNELS ?? '6.1,6.12')
  .split(',')
  .map((name) => name.trim())
  .filter(Boolean) as GuestKernel[];

export interface DeviceOptions {
  /** Default `nvme`; the others are its options. */
  model?: string;
  size?: string;
  image?: string;
  lba?: 512 | 4096;
  name?: string;
  /** Of a ProtoPCIem card. */
  generation?: 'current' | 'first';
  /** File in the guest that SIGUSR2 has the device's picture written to. */
  screenshot?: string;
}

/** One device process in the guest, powered on. */
export class LabDevice {
  readonly guest: Guest;
  readonly process: GuestProcess;
  /** On the bus, such as 10000:00:00.0. */
  readonly address: string;
  readonly pid: number;
  readonly events: Record<string, unknown>[];
  /** The controller and its first namespace, such as nvme0 and nvme0n1; found by {@link waitForDisk}. */
  controller = '';
  disk = '';

  constructor(guest: Guest, process: GuestProcess, pid: number, events: Record<string, unknown>[]) {
    this.guest = guest;
    this.process = process;
    this.pid = pid;
    this.events = events;
    this.address = String(events.find(({ event }) => event === 'powered-on')?.address);
  }

  get node(): string {
    return `/dev/${this.disk}`;
  }

  get sysfs(): string {
    return `/sys/bus/pci/devices/${this.address}`;
  }

  /** Waits until the driver is bound and the namespace's block device is there. */
  async waitForDisk(timeoutS = 40): Promise<this> {
    const found = await this.guest.exec(
      `for i in $(seq ${timeoutS * 10}); do
         for c in ${this.sysfs}/nvme/nvme*; do
           for n in "$c"/nvme*n*; do
             d=\${n##*/}
             case $d in *\\**|nvme*c*n*) continue;; esac
             [ -b "/dev/$d" ] && [ "$(cat "$n/size")" -gt 0 ] && echo "\${c##*/} $d" && exit 0
           done
         done
         sleep 0.1
       done
       echo "driver: $(readlink ${this.sysfs}/driver)"; dmesg | tail -20; exit 1`,
      { timeoutMs: (timeoutS + 20) * 1000 },
    );
    if (found.code !== 0) throw new Error(`no disk appeared at ${this.address}:\n${found.stdout}`);
    [this.controller, this.disk] = found.stdout.trim().split(' ') as [string, string];
    return this;
  }

  /** As a person does it: the device leaves the bus in order. */
  async powerOff(): Promise<void> {
    this.process.kill('SIGTERM');
    const { code } = await withTimeout(
      this.process.exited,
      60_000,
      'the device process did not end after SIGTERM',
    );
    if (code !== 0 && code !== 143) throw new Error(`the device process ended with ${code}`);
    await this.waitUntilGone();
  }

  /** The process dies; nothing of it gets to say goodbye. */
  async killProcess(): Promise<void> {
    this.process.kill('SIGKILL');
    await withTimeout(this.process.exited, 30_000, 'the device process survived SIGKILL');
    await this.waitUntilGone();
  }

  async waitUntilGone(timeoutS = 60): Promise<void> {
    await this.guest.output(
      `for i in $(seq ${timeoutS * 10}); do [ -e ${this.sysfs} ] || exit 0; sleep 0.1; done
       echo "${this.address} is still on the bus" >&2; dmesg | tail -20 >&2; exit 1`,
      { timeoutMs: (timeoutS + 20) * 1000 },
    );
  }
}

export async function powerOn(guest: Guest, options: DeviceOptions = {}): Promise<LabDevice> {
  const model = options.model ?? 'nvme';
  const args = ['node', '/lab/lab/cli.js', 'device', model];
  if (model === 'nvme') args.push('--size', options.size ?? '1GiB');
  if (options.image) args.push('--image', options.image);
  if (options.lba) args.push('--lba', String(options.lba));
  if (options.name) args.push('--name', options.name);
  if (options.generation) args.push('--generation', options.generation);
  if (options.screenshot) args.push('--screenshot', options.screenshot);
  const events: Record<string, unknown>[] = [];
  let said = '';
  let partial = '';
  let on: () => void = () => {};
  const poweredOn = new Promise<void>((resolve) => (on = resolve));
  const started = guest.spawn(args, {
    onStdout: (data) => {
      const lines = (partial + data).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        try {
          const event = JSON.parse(line) as Record<string, unknown>;
          events.push(event);
          if (event.event === 'powered-on') on();
        } catch {
          said += `${line}\n`;
        }
      }
    },
    onStderr: (data) => (said += data),
  });
  const pid = await started.started;
  const mine = running.get(guest) ?? new Set();
  running.set(guest, mine.add(started));
  started.exited.finally(() => mine.delete(started)).catch(() => {});
  const ended = started.exited.then(({ code }) => {
    throw new Error(`the device process ended with ${code}: ${said}${JSON.stringify(events)}`);
  });
  ended.catch(() => {});
  try {
    await withTimeout(Promise.race([poweredOn, ended]), 60_000, () => `the device did not power on: ${said}`);
  } catch (error) {
    started.kill('SIGKILL');
    throw error;
  }
  return new LabDevice(guest, started, pid, events);
}

const running = new Map<Guest, Set<GuestProcess>>();

/** Ends what a failed test left on the bus, so that the next one is judged by itself. */
export async function endDevices(guest: Guest, keep: LabDevice[] = []): Promise<void> {
  for (const process of running.get(guest) ?? []) {
    if (keep.some((device) => device.process === process)) continue;
    process.kill('SIGKILL');
    await withTimeout(process.exited, 30_000, 'a device process survived SIGKILL').catch(() => {});
  }
}

/** Boots with our module loaded and the nvme driver ready. */
export async function bootLab(kernel: GuestKernel, options: BootOptions = {}): Promise<Guest> {
  return bootGuest({
    kernel,
    memoryMiB: 3072,
    logPath: `out/guest/console-${kernel}.log`,
    qemuArguments: (process.env.PCIEM_LAB_QEMU_ARGUMENTS ?? '').split(' ').filter(Boolean),
    extraFiles: [
      { host: 'native/tests', guest: '/lab/native/tests' },
      { host: 'e2e/guest/programs', guest: '/lab/e2e' },
      ...extraFiles(),
    ],
    ...options,
  });
}

/** PCIEM_LAB_GUEST_FILES=host:guest,host:guest takes more along, for trying things out. */
function extraFiles(): GuestFile[] {
  return (process.env.PCIEM_LAB_GUEST_FILES ?? '')
    .split(',')
    .filter(Boolean)
    .map((pair) => pair.split(':'))
    .map(([host, inGuest]) => ({ host: host!, guest: inGuest! }));
}

/** What the kernel logged and a healthy one does not, on the console or only in dmesg. */
export async function kernelProblems(guest: Guest): Promise<string[]> {
  const problems = guest.takeProblems();
  if (!guest.running) return [...problems, 'the guest has stopped'];
  const watcher = new KernelLogWatcher();
  watcher.push(await guest.output('dmesg -c'));
  watcher.end();
  return problems.length > 0 ? problems : watcher.problems;
}

export async function withTimeout<T>(
  promise: Promise<T>,
  ms: number,
  what: string | (() => string),
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(typeof what === 'string' ? what : what())), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
