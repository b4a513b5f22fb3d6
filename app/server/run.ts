/** Starts a lab with the headless shell around it: what `make run` and `pciem-lab serve` do. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LabEndpoint } from '../hosts/endpoint.ts';
import { LabError } from '../hosts/errors.ts';
import { findDemo } from '../hosts/guest/demos.ts';
import { GuestLab } from '../hosts/guest/guest-lab.ts';
import type { Host } from '../hosts/host.ts';
import { PciemHost } from '../hosts/pciem/host.ts';
import { SimHost } from '../hosts/sim/host.ts';
import { relayConsole } from '../lab/console-relay.ts';
import { relayPictures } from '../lab/picture-relay.ts';
import { Lab, type LabOptions } from '../lab/session.ts';
import { version } from '../version.ts';
import { Access } from './access.ts';
import { openWindow } from './browser.ts';
import { type RunningServer, startServer } from './server.ts';

export const HOSTS = ['auto', 'sim', 'pciem', 'guest'] as const;
export type HostName = (typeof HOSTS)[number];
const NODE_PATH = '/dev/pciem';

export interface ServeOptions {
  readonly host: HostName;
  readonly port: number;
  readonly address: string;
  readonly token?: string;
  /** Model to power on at the start, or undefined. */
  readonly device?: string | undefined;
  readonly terminal: boolean;
  readonly open: boolean;
  /** Folder of the renderer; default: beside the bundle. */
  readonly renderer?: string;
  readonly hostTitle?: LabOptions['hostTitle'];
  readonly pictures?: LabOptions['pictures'];
  /** Whoever attaches does so over a slow network. */
  readonly compress?: boolean;
  /** Kernel of a guest: `6.1` or `6.12`. */
  readonly kernel?: string | undefined;
  /** What is shown on the card in a guest: `doom` or `frames`. */
  readonly demo?: string | undefined;
  readonly say: (line: string) => void;
}

/** `auto`: the kernel's node where there is one. */
export function chooseHost(name: HostName): Exclude<HostName, 'auto'> {
  if (name !== 'auto') return name;
  return existsSync(NODE_PATH) ? 'pciem' : 'sim';
}

function openHost(name: 'sim' | 'pciem'): Host {
  return name === 'sim' ? new SimHost() : new PciemHost(NODE_PATH);
}

/** The lab alone, for either shell. */
export async function openLab(
  options: Pick<
    ServeOptions,
    'host' | 'device' | 'terminal' | 'hostTitle' | 'pictures' | 'kernel' | 'demo' | 'say'
  >,
  shell: LabOptions['shell'],
): Promise<LabEndpoint> {
  const name = chooseHost(options.host);
  const demo = options.demo === undefined ? undefined : findDemo(options.demo, name, options.device);
  if (name === 'guest') {
    const device = options.device ?? demo?.device;
    const { kernel, say } = options;
    return GuestLab.boot({ version, device, kernel, demo, relayPictures, relayConsole, say });
  }
  const lab = new Lab({
    host: openHost(name),
    shell,
    version,
    terminal: options.terminal,
    ...(options.hostTitle === undefined ? {} : { hostTitle: options.hostTitle }),
    ...(options.pictures === undefined ? {} : { pictures: options.pictures }),
  });
  if (options.device !== undefined) {
    try {
      await lab.powerOn(options.device, {});
    } catch (error) {
      await lab.close();
      throw error;
    }
  }
  return lab;
}

export async function serve(options: ServeOptions): Promise<RunningServer> {
  const renderer = options.renderer ?? fileURLToPath(new URL('../renderer', import.meta.url));
  if (!existsSync(renderer)) {
    throw new LabError('NO_RENDERER', `The page is not built: there is no ${renderer}.`, 'Run `make build`.');
  }
  const access = new Access(options.token);
  const pending: { lab: LabEndpoint | undefined } = { lab: undefined };
  // The port first: a second lab on it should fail before a guest is booted.
  const waiting: Parameters<LabEndpoint['accept']>[0][] = [];
  const endpoint: LabEndpoint = {
    accept: (channel) => {
      if (pending.lab === undefined) waiting.push(channel);
      else pending.lab.accept(channel);
    },
    close: async () => pending.lab?.close(),
  };
  const server = await startServer({
    lab: endpoint,
    access,
    renderer,
    port: options.port,
    address: options.address,
    compress: options.compress === true,
  });
  try {
    pending.lab = await openLab(options, 'headless');
  } catch (error) {
    await server.close();
    throw error;
  }
  for (const channel of waiting) pending.lab.accept(channel);
  options.say(`PCIem Lab is at ${server.url}`);
  if (options.open) {
    const window = openWindow(server.url);
    if (window === undefined)
      options.say('There is no display or no browser here: open that address by hand.');
    else options.say('Opened as an application window of the browser.');
  }
  return {
    ...server,
    close: async () => {
      await server.close();
      await pending.lab?.close();
    },
  };
}
