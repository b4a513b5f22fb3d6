import { type Command, Option } from 'commander';
import { errorBody } from '../hosts/error-body.ts';
import { LabError } from '../hosts/errors.ts';
import { PciemHost } from '../hosts/pciem/host.ts';
import { SimHost } from '../hosts/sim/host.ts';
import { takePicture, writePng } from '../lab/screenshot.ts';
import { Lab } from '../lab/session.ts';
import { version } from '../version.ts';
import { die, onSignals } from './arguments.ts';

interface Flags {
  readonly host: 'sim' | 'pciem';
  readonly name?: string;
  readonly screenshot?: string;
}

/** `--size 1GiB --lba 4096` and the like: whatever the model calls its options. */
export function modelOptions(rest: readonly string[]): Record<string, string> {
  const options: Record<string, string> = {};
  for (let index = 0; index < rest.length; index++) {
    const argument = rest[index]!;
    const match = /^--([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(argument);
    if (match === null) {
      throw new LabError(
        'BAD_OPTION',
        `"${argument}" is not an option; an option is --name value or --name=value.`,
      );
    }
    const value = match[2] ?? rest[++index];
    if (value === undefined) {
      throw new LabError(
        'BAD_OPTION',
        `--${match[1]} has no value; an option is --name value or --name=value.`,
      );
    }
    options[match[1] === 'lba' ? 'lbaSize' : match[1]!] = value;
  }
  return options;
}

function say(line: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** SIGUSR2: what the device shows now, as a file. */
function onScreenshot(lab: Lab, id: number, path: string): void {
  let last: Promise<void> = Promise.resolve();
  process.on('SIGUSR2', () => {
    last = last.then(async () => {
      try {
        const picture = await takePicture(lab.display(id).display);
        await writePng(path, picture);
        const { width, height, frames } = picture;
        say({ event: 'screenshot', device: id, path, width, height, frames });
      } catch (error) {
        say({ event: 'screenshot-failed', device: id, path, error: errorBody(error) });
      }
    });
  });
}

/** One device, powered on until SIGTERM; JSON lines for a script. */
export function addDevice(command: Command): Command {
  return command
    .description('power one device on and keep it until SIGTERM; prints JSON lines')
    .argument('<model>', 'such as nvme')
    .argument('[options...]', "the model's options: --size 1GiB --image disk.img …")
    .addOption(
      new Option('--host <host>', 'where the device is plugged in')
        .choices(['pciem', 'sim'])
        .default('pciem'),
    )
    .option('--name <name>', 'name shown in the lab')
    .option('--screenshot <file>', 'on SIGUSR2, write what the device shows to this file, as PNG')
    .allowUnknownOption()
    .action(async (model: string, rest: readonly string[], flags: Flags) => {
      try {
        const host = flags.host === 'sim' ? new SimHost() : new PciemHost();
        const lab = new Lab({ host, shell: 'headless', version, terminal: false });
        let id: number;
        try {
          id = await lab.powerOn(model, modelOptions(rest), flags.name);
          // Said now, not when a picture is asked for.
          if (flags.screenshot !== undefined) lab.display(id);
        } catch (error) {
          await lab.close();
          throw error;
        }
        const summary = lab.summaries().find((device) => device.id === id);
        lab.onDeviceFailed = (device, error) => {
          say({ event: 'failed', device, error });
          process.exit(1);
        };
        onSignals(async () => {
          await lab.powerOff(id);
          await lab.close();
          say({ event: 'powered-off', device: id });
        });
        if (flags.screenshot !== undefined) onScreenshot(lab, id, flags.screenshot);
        // Whoever reads this may end us at once.
        say({ event: 'powered-on', device: id, address: summary?.address, name: summary?.name });
      } catch (error) {
        say({ event: 'error', error: errorBody(error) });
        die(error);
      }
    });
}
