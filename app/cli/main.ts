import { Command } from 'commander';
import { version } from '../version.ts';
import { addDevice } from './device.ts';
import { addServe } from './serve.ts';

const program = new Command('pciem-lab').description('The desktop lab for PCIe drivers').version(version);
addServe(program.command('serve'));
addDevice(program.command('device'));
await program.parseAsync();
