/** `/dev/pciem` of the Linux machine that this runs on. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import type { LabHealth } from '#contract/lab.ts';
import type { DeviceDescription } from '#devices/sdk/device.ts';
import { Features, PciemDevice } from '#native';
import { errorBody } from '../error-body.ts';
import { LabError } from '../errors.ts';
import type { Host, HostInfo, MachineInput, MemoryRange, PortTicket } from '../host.ts';
import { openMachineInput } from './input.ts';
import { KernelLog } from './kernel-log.ts';
import { explained } from './port.ts';

export const DEFAULT_NODE = '/dev/pciem';
const ABI_VERSION = 2;
const NEEDED = {
  'ring set-up': Features.setupRing,
  'batched DMA': Features.dmaBatch,
  'configuration access': Features.configAccess,
  'device information': Features.deviceInfo,
  'vector information': Features.vectorInfo,
  'the list of mappings': Features.dmaMappings,
  'the INTx pin': Features.setIntx,
} as const;

const PEER_REGIONS = '/sys/module/pciem/parameters/p2p_regions';

/** The module parameter, such as `0xe0000000:0x1000,0xe0100000:0x2000`. */
export function parsePeerRegions(text: string): MemoryRange[] {
  return text
    .trim()
    .split(',')
    .map((one) => one.split(':').map(Number))
    .flatMap(([address, size]) => (address! > 0 && size! > 0 ? [{ address: address!, size: size! }] : []));
}

const LOAD_HINT = 'Load the kernel module: `sudo modprobe pciem`, or `sudo insmod pciem.ko` from kernel/.';

/** Throws a {@link LabError} that says why `path` is not a node that this process can use. */
function checkNode(path: string): void {
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') {
      throw new LabError(
        'NODE_ACCESS',
        `${path} cannot be reached: a folder on the way to it is closed to you.`,
      );
    }
    throw new LabError('NO_NODE', `There is no ${path} on this machine.`, LOAD_HINT);
  }
  if (!stat?.isCharacterDevice()) {
    throw new LabError(
      'NOT_A_NODE',
      `${path} is not a device node.`,
      `The module's node is ${DEFAULT_NODE}.`,
    );
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch {
    throw new LabError(
      'NODE_ACCESS',
      `You may not open ${path}.`,
      'Run the lab as root, or give your group access to the node with a udev rule.',
    );
  }
}

/** True when there is something at `path` that {@link PciemHost} would try to open. */
export function hasPciemNode(path = DEFAULT_NODE): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isCharacterDevice() ?? false;
}

export class PciemHost implements Host {
  readonly info: HostInfo;
  readonly #path: string;
  readonly #open = new Set<PortTicket>();
  readonly #kernelLog: KernelLog | undefined;

  constructor(path = DEFAULT_NODE) {
    checkNode(path);
    const device = explained('The PCIem module cannot be used', () => new PciemDevice(path));
    let version: { abiVersion: number; features: number };
    try {
      version = device.version();
    } catch (error) {
      throw new LabError(
        'MODULE_VERSION',
        `The module behind ${path} does not tell its version: it is another one, or an old one.`,
        'Load the module that was built with this program (kernel/pciem.ko).',
        { cause: error },
      );
    } finally {
      device.close();
    }
    checkVersion(path, version.abiVersion, version.features);
    this.#path = path;
    this.#kernelLog = KernelLog.open();
    this.info = {
      kind: 'pciem',
      title: `${path} on Linux ${release().split('-')[0]}`,
      detail: `Kernel ${release()}, module interface version ${version.abiVersion}`,
    };
  }

  openPort(_description: DeviceDescription): PortTicket {
    // The node may have gone since: say so here, and not from inside a worker.
    checkNode(this.#path);
    const ticket: PortTicket = { kind: 'pciem', path: this.#path };
    this.#open.add(ticket);
    return ticket;
  }

  deviceStarted(_ticket: PortTicket, _description: DeviceDescription): void {
    // The kernel probes by itself.
  }

  /** The driver's `remove` runs while the device still answers, so that it can flush and shut down. */
  async detachDriver(_ticket: PortTicket, address: string): Promise<void> {
    try {
      await writeFile(`/sys/bus/pci/devices/${address}/driver/unbind`, address);
    } catch {
      // No driver is bound, or it has just let go.
    }
  }

  openInput(name: string): MachineInput {
    return openMachineInput(name);
  }

  async resetFunction(_ticket: PortTicket, address: string): Promise<void> {
    try {
      await writeFile(`/sys/bus/pci/devices/${address}/reset`, '1');
    } catch (error) {
      throw new LabError(
        'NO_RESET',
        `Linux did not reset ${address}: ${(error as Error).message}`,
        'A function is reset through its PCI Express capability; a device without one is not.',
        { cause: error },
      );
    }
  }

  health(): LabHealth {
    this.#kernelLog?.poll();
    const kernel = this.#kernelLog?.troubles ?? [];
    try {
      checkNode(this.#path);
      return { kernel };
    } catch (error) {
      const { message, hint = '' } = errorBody(error);
      return { host: { message, hint }, kernel };
    }
  }

  peerRegions(): readonly MemoryRange[] {
    try {
      return parsePeerRegions(readFileSync(PEER_REGIONS, 'utf8'));
    } catch {
      // Where /sys is not there to read, the module still knows what it allows.
      return [];
    }
  }

  deviceClosed(ticket: PortTicket): void {
    this.#open.delete(ticket);
  }

  async close(): Promise<void> {
    this.#kernelLog?.close();
    this.#open.clear();
  }
}

export function checkVersion(path: string, abiVersion: number, features: number): void {
  if (abiVersion !== ABI_VERSION) {
    throw new LabError(
      'MODULE_VERSION',
      `The module behind ${path} speaks interface version ${abiVersion}, this program version ${ABI_VERSION}.`,
      'Load the module that was built with this program (kernel/pciem.ko).',
    );
  }
  const missing = Object.entries(NEEDED)
    .filter(([, bit]) => (features & bit) === 0)
    .map(([name]) => name);
  if (missing.length > 0) {
    throw new LabError(
      'MODULE_FEATURES',
      `The module behind ${path} lacks: ${missing.join(', ')}.`,
      'Load the module that was built with this program (kernel/pciem.ko).',
    );
  }
}
