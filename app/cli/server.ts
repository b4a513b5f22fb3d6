import { Command } from 'commander';
import { addServe } from './serve.ts';

await addServe(new Command('pciem-lab-server')).parseAsync();
