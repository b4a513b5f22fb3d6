import { type Command, Option } from 'commander';
import { PICTURES_BYTES } from '../hosts/guest/guest-lab.ts';
import type { LabOptions } from '../lab/session.ts';
import { HOSTS, type HostName, serve } from '../server/run.ts';
import type { RunningServer } from '../server/server.ts';
import { die, onSignals, portNumber } from './arguments.ts';

interface Flags {
  readonly host: HostName;
  readonly port: number;
  readonly address: string;
  readonly token?: string;
  readonly device?: string;
  readonly terminal: boolean;
  readonly open: boolean;
  readonly renderer?: string;
  readonly kernel?: string;
  readonly demo?: string;
  readonly asGuest?: string;
  readonly pictures?: string;
}

export function addServe(command: Command): Command {
  return command
    .description('run the lab and serve its window on loopback')
    .addOption(new Option('--host <host>', 'where devices are plugged in').choices(HOSTS).default('auto'))
    .option('--port <number>', 'TCP port; 0 takes any that is free', portNumber, 7440)
    .addOption(new Option('--address <address>').default('127.0.0.1').hideHelp())
    .addOption(new Option('--token <token>').hideHelp())
    .addOption(new Option('--as-guest <title>').hideHelp())
    .addOption(new Option('--pictures <file>').hideHelp())
    .addOption(new Option('--renderer <folder>').hideHelp())
    .option('--device <model>', 'a device to power on at the start')
    .option('--kernel <version>', "the guest's kernel: 6.1 or 6.12")
    .option('--demo <name>', 'what is shown on the card in a guest: doom or frames')
    .option('--no-terminal', 'offer no shell to the window')
    .option('--open', 'open a window', false)
    .action(async (flags: Flags) => {
      const { asGuest, pictures, ...options } = flags;
      const hostTitle: LabOptions['hostTitle'] =
        asGuest === undefined
          ? undefined
          : {
              kind: 'guest',
              title: asGuest,
              detail: 'A Linux guest in QEMU; its drivers are the kernel’s own.',
            };
      try {
        // Before the address is printed: whoever reads that may end us at once.
        let running: RunningServer | undefined;
        onSignals(async () => running?.close());
        running = await serve({
          ...options,
          ...(hostTitle === undefined ? {} : { hostTitle, compress: true }),
          ...(pictures === undefined ? {} : { pictures: { file: pictures, size: PICTURES_BYTES } }),
          say: (line) => process.stdout.write(`${line}\n`),
        });
      } catch (error) {
        die(error);
      }
    });
}
