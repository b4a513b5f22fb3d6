/**
 * guest-run: boots the test guest, runs one command in it, streams its output, and exits with its status.
 *
 *   npx rolldown app/hosts/guest/run-main.ts --platform node --format esm -o out/lab/guest-run.js
 *   node out/lab/guest-run.js --kernel 6.1 -- uname -a
 */
import { parseArgs } from 'node:util';
import { LabError } from '../errors.ts';
import { bootGuest, buildGuest, GUEST_KERNELS, type Guest, type GuestKernel } from './qemu.ts';

const USAGE = `usage: guest-run [options] [-- command [argument...]]
  --kernel 6.1|6.12   which kernel (6.12)
  --memory MIB        memory of the guest (2560)
  --cpus N            processors (2)
  --files HOST:GUEST  takes a file or directory along; may be given several times
  --forward HOST:GUEST  forwards a TCP port of 127.0.0.1; may be given several times
  --append TEXT       added to the kernel's command line
  --timeout SECONDS   for the command (600)
  --console           show the guest's console on standard error
  --log FILE          write the guest's console to FILE
  --no-build          do not look whether the guest is to be built
  --allow-problems    do not fail for what the kernel log says
  --stdin             pass standard input on to the command
A command of one word with spaces runs in bash; without a command there is only the boot.
Exit status: the command's; 124 at the time limit, 125 when the guest failed, 126 when the kernel log shows a problem.`;

function fail(message: string, status: number): never {
  process.stderr.write(`guest-run: ${message}\n`);
  process.exit(status);
}

function number(text: string, name: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    fail(`--${name} ${text}: a number from ${min} to ${max} is accepted`, 125);
  }
  return value;
}

function pair(text: string, name: string): [string, string] {
  const at = text.lastIndexOf(':');
  if (at <= 0 || at === text.length - 1) fail(`--${name} ${text}: HOST:GUEST is accepted`, 125);
  return [text.slice(0, at), text.slice(at + 1)];
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        kernel: { type: 'string', default: '6.12' },
        memory: { type: 'string', default: '2560' },
        cpus: { type: 'string', default: '2' },
        files: { type: 'string', multiple: true, default: [] },
        forward: { type: 'string', multiple: true, default: [] },
        append: { type: 'string', default: '' },
        timeout: { type: 'string', default: '600' },
        console: { type: 'boolean', default: false },
        log: { type: 'string' },
        'no-build': { type: 'boolean', default: false },
        'allow-problems': { type: 'boolean', default: false },
        stdin: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    return fail(`${(error as Error).message}\n${USAGE}`, 125);
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parse();
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const kernel = values.kernel as GuestKernel;
  if (!GUEST_KERNELS.includes(kernel))
    fail(`--kernel ${kernel}: ${GUEST_KERNELS.join(' and ')} are accepted`, 125);
  const timeoutMs = number(values.timeout, 'timeout', 1, 86_400) * 1000;
  const options = {
    kernel,
    memoryMiB: number(values.memory, 'memory', 512, 1 << 20),
    cpus: number(values.cpus, 'cpus', 1, 64),
    extraFiles: values.files.map((text) => pair(text, 'files')).map(([host, guest]) => ({ host, guest })),
    forwards: values.forward
      .map((text) => pair(text, 'forward'))
      .map(([host, guest]) => ({
        host: number(host, 'forward', 1, 65535),
        guest: number(guest, 'forward', 1, 65535),
      })),
    appendCmdline: values.append,
    ...(values.log === undefined ? {} : { logPath: values.log }),
    ...(values.console ? { onConsole: (text: string) => void process.stderr.write(text) } : {}),
  };
  const say = (text: string) => void process.stderr.write(text);
  if (!values['no-build']) await buildGuest([kernel], { onProgress: say });

  const guest: Guest = await bootGuest(options);
  say(
    `guest-run: Linux ${guest.release} (${guest.accel}), started in ${(guest.bootMs / 1000).toFixed(1)} s\n`,
  );
  let status = 0;
  try {
    if (positionals.length > 0) {
      const command = positionals.length === 1 ? positionals[0]! : positionals;
      const running = guest.spawn(command, {
        stdin: values.stdin,
        cwd: '/root',
        onStdout: (data) => void process.stdout.write(data),
        onStderr: (data) => void process.stderr.write(data),
      });
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        running.kill('SIGKILL');
        setTimeout(() => void guest.kill(), 5000).unref();
      }, timeoutMs);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.once(signal, () => running.kill(signal));
      }
      if (values.stdin) {
        void (async () => {
          for await (const data of process.stdin) await running.write(data as Buffer);
          running.endInput();
        })();
      }
      try {
        status = (await running.exited).code;
      } catch (error) {
        if (!late) throw error;
      }
      clearTimeout(timer);
      if (late) {
        say(`guest-run: the command took longer than ${timeoutMs / 1000} s\n`);
        status = 124;
      }
    }
  } finally {
    await guest.shutdown();
  }
  if (guest.problems.length > 0 && !values['allow-problems']) {
    say(`guest-run: the guest's kernel reported:\n${guest.problems.join('\n---\n')}\n`);
    return 126;
  }
  return status;
}

try {
  process.exitCode = await main();
  // Standard input may be open still.
  process.stdin.destroy();
} catch (error) {
  const hint = error instanceof LabError && error.hint ? `\n${error.hint}` : '';
  fail(`${error instanceof Error ? error.message : String(error)}${hint}`, 125);
}
