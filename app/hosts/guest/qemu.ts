/**
 * A Linux guest in QEMU: boots it, runs commands in it, watches its kernel log, and always ends it.
 *
 * Nothing here outlives its bound: booting, commands and the shutdown have a time limit each, every promise is
 * settled when QEMU exits, and QEMU is killed when this process dies, however it dies.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { LabError } from '../errors.ts';
import { type Accel, accelArguments, chooseAccel, findQemu, kernelArguments } from './qemu-accel.ts';
import {
  type GuestFile,
  type GuestKernel,
  guestImages,
  guestOutDir,
  guestRoot,
  packFiles,
  standardFiles,
} from './qemu-files.ts';
import { KernelLogWatcher } from './qemu-log.ts';
import {
  encodeFrame,
  type Frame,
  FrameReader,
  GuestFrame,
  HostFrame,
  STDIN_CHUNK,
  STDIN_CREDIT,
} from './qemu-protocol.ts';

export type { GuestFile, GuestKernel } from './qemu-files.ts';
export { buildGuest, GUEST_KERNELS } from './qemu-files.ts';

export interface PortForward {
  /** A TCP port of this machine's loopback. */
  host: number;
  guest: number;
}

export interface BootOptions {
  kernel?: GuestKernel;
  memoryMiB?: number;
  cpus?: number;
  forwards?: PortForward[];
  /** Beside what every start takes along (the agent, the modules, the lab). */
  extraFiles?: GuestFile[];
  appendCmdline?: string;
  /** A file of that many bytes, a power of two, that the guest has as memory: BAR2 of an ivshmem device. */
  sharedMemory?: { readonly file: string; readonly size: number } | undefined;
  /** Further QEMU arguments, for devices of QEMU's own. */
  qemuArguments?: string[];
  bootTimeoutMs?: number;
  /** The whole console is written there. */
  logPath?: string;
  onConsole?: (text: string) => void;
  /** Kernel log lines that are expected. */
  allow?: RegExp[];
  machine?: 'q35' | 'pc';
  /** Lets the guest reach the network of this machine. */
  network?: 'isolated' | 'open';
  accel?: Accel;
  /** Top of the source tree. */
  root?: string;
}

export interface ExecOptions {
  timeoutMs?: number;
  cwd?: string;
  env?: Record<string, string>;
  input?: string | Uint8Array;
  onStdout?: (data: Buffer) => void;
  onStderr?: (data: Buffer) => void;
  /** Throw when the exit status is not 0. */
  check?: boolean;
}

export interface ExecResult {
  /** 128 + the signal's number where a signal ended it, as a shell says. */
  code: number;
  signal: string | null;
  stdout: string;
  stderr: string;
}

export interface SpawnOptions {
  cwd?: string;
  env?: Record<string, string>;
  stdin?: boolean;
  onStdout?: (data: Buffer) => void;
  onStderr?: (data: Buffer) => void;
}

export interface GuestExit {
  code: number;
  signal: string | null;
}

/** A shell command line, or a program with its arguments. */
export type GuestCommand = string | readonly string[];

const DEFAULT_EXEC_MS = 120_000;
const DEFAULT_BOOT_MS = 120_000;
const SHUTDOWN_MS = 15_000;
const MAX_CAPTURE = 32 * 1024 * 1024;
const CONSOLE_TAIL = 256 * 1024;

/** A command that runs in the guest. */
export class GuestProcess {
  readonly id: number;
  /** Resolves once it is running. */
  readonly started: Promise<number>;
  readonly exited: Promise<GuestExit>;
  #guest: Guest;
  #credit = STDIN_CREDIT;
  #waiting: (() => void)[] = [];
  #ended = false;
  #start!: { resolve: (pid: number) => void; reject: (error: Error) => void };
  #exit!: { resolve: (exit: GuestExit) => void; reject: (error: Error) => void };
  #options: SpawnOptions;

  /** @internal */
  constructor(guest: Guest, id: number, options: SpawnOptions) {
    this.#guest = guest;
    this.id = id;
    this.#options = options;
    this.started = new Promise((resolve, reject) => (this.#start = { resolve, reject }));
    this.exited = new Promise((resolve, reject) => (this.#exit = { resolve, reject }));
    // A caller may look at one of them only.
    this.started.catch(() => {});
    this.exited.catch(() => {});
  }

  /** Writes to its standard input; resolves when there is room for more. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length; at += STDIN_CHUNK) {
      const chunk = bytes.subarray(at, at + STDIN_CHUNK);
      while (this.#credit < chunk.length && !this.#ended) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
      if (this.#ended) return;
      this.#credit -= chunk.length;
      this.#guest.sendFrame(HostFrame.STDIN, this.id, chunk);
    }
  }

  endInput(): void {
    if (!this.#ended) this.#guest.sendFrame(HostFrame.STDIN_END, this.id);
  }

  /** To the command and everything that it started. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    if (!this.#ended) this.#guest.sendFrame(HostFrame.KILL, this.id, signal);
  }

  /** @internal */
  receive(frame: Frame): void {
    switch (frame.type) {
      case GuestFrame.STARTED:
        this.#start.resolve((JSON.parse(frame.payload.toString()) as { pid: number }).pid);
        break;
      case GuestFrame.STDOUT:
        this.#options.onStdout?.(frame.payload);
        break;
      case GuestFrame.STDERR:
        this.#options.onStderr?.(frame.payload);
        break;
      case GuestFrame.CREDIT:
        this.#credit += frame.payload.readUInt32LE(0);
        this.#wake();
        break;
      case GuestFrame.EXIT:
        this.#ended = true;
        this.#exit.resolve(JSON.parse(frame.payload.toString()) as GuestExit);
        this.#wake();
        break;
      case GuestFrame.ERROR:
        this.fail(new LabError('GUEST_COMMAND', `the guest could not start it: ${frame.payload.toString()}`));
        break;
    }
  }

  /** @internal */
  fail(error: Error): void {
    this.#ended = true;
    this.#start.reject(error);
    this.#exit.reject(error);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export class Guest {
  readonly kernel: GuestKernel;
  readonly accel: Accel;
  /** Milliseconds from QEMU's start to the agent's first word. */
  bootMs = 0;
  /** What the kernel says it is, and the guest's node. */
  release = '';
  node = '';
  /** Resolves when QEMU is gone, with what is known of the reason. */
  readonly exited: Promise<string>;
  #process: ChildProcessByStdio<null, Readable, Readable>;
  #server: Server;
  #socket: Socket | null = null;
  #watcher: KernelLogWatcher;
  #expectPanic = false;
  #tail = '';
  #qemuSaid = '';
  #gone = '';
  #nextId = 1;
  #processes = new Map<number, GuestProcess>();
  #listeners = new Set<(text: string) => void>();
  #hello!: { resolve: () => void; reject: (error: Error) => void };
  #ready: Promise<void>;
  #atExit: () => void;

  /** @internal Use {@link bootGuest}. */
  constructor(
    start: { qemu: string; args: string[]; dir: string; server: Server; accel: Accel },
    options: BootOptions,
  ) {
    this.kernel = options.kernel ?? '6.12';
    this.accel = start.accel;
    this.#server = start.server;
    this.#watcher = new KernelLogWatcher({ allow: options.allow ?? [] });
    if (options.onConsole) this.#listeners.add(options.onConsole);
    this.#ready = new Promise((resolve, reject) => (this.#hello = { resolve, reject }));
    this.#ready.catch(() => {});

    // A killed parent takes QEMU along; where setpriv is missing, only an ordinary exit does.
    const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((file) => existsSync(file));
    const command = setpriv
      ? [setpriv, '--pdeathsig', 'KILL', start.qemu, ...start.args]
      : [start.qemu, ...start.args];
    const startedAt = performance.now();
    this.#process = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#atExit = () => this.#process.kill('SIGKILL');
    process.on('exit', this.#atExit);

    let log: ReturnType<typeof createWriteStream> | null = null;
    if (options.logPath) {
      mkdirSync(path.dirname(options.logPath), { recursive: true });
      log = createWriteStream(options.logPath);
      log.on('error', () => (log = null));
    }
    this.#process.stdout.setEncoding('utf8');
    this.#process.stdout.on('data', (text: string) => {
      log?.write(text);
      this.#tail = (this.#tail + text).slice(-CONSOLE_TAIL);
      this.#watcher.push(text);
      for (const listener of this.#listeners) listener(text);
    });
    this.#process.stderr.setEncoding('utf8');
    this.#process.stderr.on(
      'data',
      (text: string) => (this.#qemuSaid = (this.#qemuSaid + text).slice(-4000)),
    );

    this.exited = new Promise((resolve) => {
      let startError = '';
      this.#process.on('error', (error) => (startError = error.message));
      this.#process.on('close', (code, signal) => {
        process.off('exit', this.#atExit);
        log?.end();
        rmSync(start.dir, { recursive: true, force: true });
        this.#server.close();
        this.#socket?.destroy();
        this.#watcher.end();
        const how =
          startError || (signal ? `it was ended by ${signal}` : code === 0 ? '' : `exit status ${code}`);
        this.#gone = ['the guest has stopped', how, this.#qemuSaid.trim()].filter(Boolean).join(': ');
        const error = new LabError('GUEST_STOPPED', this.#gone, lastLines(this.#tail, 15));
        this.#hello.reject(error);
        for (const running of this.#processes.values()) running.fail(error);
        this.#processes.clear();
        resolve(this.#gone);
      });
    });

    const reader = new FrameReader();
    this.#server.on('connection', (socket) => {
      this.#socket = socket;
      socket.on('error', () => {});
      socket.on('data', (data) => {
        try {
          for (const frame of reader.push(data)) {
            if (frame.type === GuestFrame.HELLO) {
              const hello = JSON.parse(frame.payload.toString()) as { kernel: string; node: string };
              this.release = hello.kernel;
              this.node = hello.node;
              this.bootMs = Math.round(performance.now() - startedAt);
              // QEMU holds its files open, so nothing stays behind even if this process is killed.
              rmSync(start.dir, { recursive: true, force: true });
              this.#hello.resolve();
            } else {
              this.#dispatch(frame);
            }
          }
        } catch (error) {
          this.#qemuSaid += `${(error as Error).message}\n`;
          this.kill();
        }
      });
    });
  }

  /** @internal Resolves when the agent answers. */
  async ready(timeoutMs: number): Promise<void> {
    const outcome = await Promise.race([
      this.#ready.then(() => 'ready' as const),
      delay(timeoutMs).then(() => 'late' as const),
    ]);
    if (outcome === 'ready') return;
    await this.kill();
    throw new LabError(
      'GUEST_BOOT_TIMEOUT',
      `the guest did not start within ${timeoutMs / 1000} s`,
      `The end of its console: ${lastLines(this.#tail, 15)}`,
    );
  }

  get running(): boolean {
    return this.#gone === '';
  }

  /** The end of the console, up to 256 KiB. */
  get console(): string {
    return this.#tail;
  }

  onConsole(listener: (text: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Everything in the kernel log that a healthy kernel does not print, with the lines around it. */
  get problems(): string[] {
    const problems = this.#watcher.problems;
    return this.#expectPanic ? problems.filter((problem) => !problem.startsWith('panic:')) : problems;
  }

  /** Returns the problems and forgets them, so that the next test begins with none. */
  takeProblems(): string[] {
    const problems = this.problems;
    this.#watcher.take();
    return problems;
  }

  assertHealthy(): void {
    const problems = this.problems;
    if (problems.length > 0) {
      throw new LabError('GUEST_UNHEALTHY', `the guest's kernel reported:\n${problems.join('\n---\n')}`);
    }
    if (!this.running && !this.#expectPanic)
      throw new LabError('GUEST_STOPPED', this.#gone, lastLines(this.#tail, 15));
  }

  /** From now on a panic is what the test wants. */
  expectPanic(): void {
    this.#expectPanic = true;
  }

  spawn(command: GuestCommand, options: SpawnOptions = {}): GuestProcess {
    const running = new GuestProcess(this, this.#nextId++, options);
    if (!this.running) {
      running.fail(new LabError('GUEST_STOPPED', this.#gone));
      return running;
    }
    this.#processes.set(running.id, running);
    this.sendFrame(
      HostFrame.START,
      running.id,
      JSON.stringify({
        argv: typeof command === 'string' ? ['/bin/bash', '-c', command] : command,
        cwd: options.cwd,
        env: options.env,
        stdin: options.stdin ?? false,
      }),
    );
    return running;
  }

  /** Runs a command to its end. At its time limit it is killed with all that it started, and this throws. */
  async exec(command: GuestCommand, options: ExecOptions = {}): Promise<ExecResult> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_EXEC_MS;
    const stdout = new Capture();
    const stderr = new Capture();
    const running = this.spawn(command, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      stdin: options.input !== undefined,
      onStdout: (data) => {
        stdout.push(data);
        options.onStdout?.(data);
      },
      onStderr: (data) => {
        stderr.push(data);
        options.onStderr?.(data);
      },
    });
    const shown = typeof command === 'string' ? command : command.join(' ');
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      running.kill('SIGKILL');
      // A process stuck in the kernel does not die of a signal.
      setTimeout(() => running.fail(new Error('it does not die')), 5000).unref();
    }, timeoutMs);
    try {
      if (options.input !== undefined) {
        await running.write(options.input);
        running.endInput();
      }
      const exit = await running.exited;
      if (late) throw new Error('it was killed');
      const result = { ...exit, stdout: stdout.text(), stderr: stderr.text() };
      if (options.check && result.code !== 0) {
        throw new LabError(
          'GUEST_COMMAND_FAILED',
          `in the guest, "${shown}" ended with ${result.code}: ${lastLines(result.stderr || result.stdout, 20)}`,
        );
      }
      return result;
    } catch (error) {
      this.#processes.delete(running.id);
      if (!late) throw error;
      throw new LabError(
        'GUEST_COMMAND_TIMEOUT',
        `in the guest, "${shown}" took longer than ${timeoutMs / 1000} s (${(error as Error).message})`,
        lastLines(`${stdout.text()}${stderr.text()}`, 20),
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  /** The command's standard output; throws when it fails. */
  async output(command: GuestCommand, options: ExecOptions = {}): Promise<string> {
    return (await this.exec(command, { ...options, check: true })).stdout;
  }

  /** Copies a file or a whole directory into the guest. */
  async copyIn(hostPath: string, guestPath: string, timeoutMs = DEFAULT_EXEC_MS): Promise<void> {
    const directory = statSync(hostPath).isDirectory();
    const quoted = quote(guestPath);
    const command = directory
      ? `mkdir -p ${quoted} && tar -x -C ${quoted}`
      : `mkdir -p "$(dirname ${quoted})" && cat > ${quoted}`;
    let said = '';
    const running = this.spawn(command, { stdin: true, onStderr: (data) => (said += data) });
    const timer = setTimeout(() => running.kill('SIGKILL'), timeoutMs);
    const source = directory
      ? spawn('tar', ['-c', '-C', hostPath, '.'], { stdio: ['ignore', 'pipe', 'ignore'] })
      : null;
    try {
      for await (const data of source ? source.stdout : createReadStream(hostPath)) {
        await running.write(data as Buffer);
      }
      running.endInput();
      const { code } = await running.exited;
      if (code !== 0)
        throw new LabError('GUEST_COPY', `copying ${hostPath} to ${guestPath} failed: ${said.trim()}`);
    } finally {
      clearTimeout(timer);
      source?.kill();
    }
  }

  /** Copies a file out of the guest. */
  async copyOut(guestPath: string, hostPath: string, timeoutMs = DEFAULT_EXEC_MS): Promise<void> {
    mkdirSync(path.dirname(hostPath), { recursive: true });
    const file = createWriteStream(hostPath);
    const closed = new Promise<void>((resolve, reject) => file.on('close', resolve).on('error', reject));
    closed.catch(() => {});
    let said = '';
    const running = this.spawn(['cat', '--', guestPath], {
      onStdout: (data) => file.write(data),
      onStderr: (data) => (said += data),
    });
    const timer = setTimeout(() => running.kill('SIGKILL'), timeoutMs);
    try {
      const { code } = await running.exited;
      if (code !== 0)
        throw new LabError('GUEST_COPY', `copying ${guestPath} out of the guest failed: ${said.trim()}`);
    } finally {
      clearTimeout(timer);
      file.end();
    }
    await closed;
  }

  /** Powers the guest off; kills QEMU when that takes too long. Safe to call twice. */
  async shutdown(): Promise<void> {
    if (!this.running) return;
    this.sendFrame(HostFrame.POWEROFF, 0);
    const outcome = await Promise.race([this.exited, delay(SHUTDOWN_MS).then(() => 'late')]);
    if (outcome === 'late') await this.kill();
  }

  /** Ends QEMU at once, as if the plug were pulled. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** @internal */
  sendFrame(type: number, id: number, payload: Uint8Array | string = ''): void {
    if (this.#socket && !this.#socket.destroyed) this.#socket.write(encodeFrame(type, id, payload));
  }

  #dispatch(frame: Frame): void {
    const running = this.#processes.get(frame.id);
    if (!running) return;
    if (frame.type === GuestFrame.EXIT || frame.type === GuestFrame.ERROR) this.#processes.delete(frame.id);
    running.receive(frame);
  }
}

export async function bootGuest(options: BootOptions = {}): Promise<Guest> {
  const kernel = options.kernel ?? '6.12';
  const root = options.root ?? guestRoot();
  const images = guestImages(root, kernel);
  const qemu = findQemu();
  const accel = options.accel ?? (await chooseAccel(qemu, images, guestOutDir(root)));
  const dir = mkdtempSync(path.join(tmpdir(), 'pciem-guest-'));
  const server = createServer();
  try {
    const files = path.join(dir, 'files.tar');
    await packFiles(files, [...standardFiles(root, kernel), ...(options.extraFiles ?? [])]);
    const agent = path.join(dir, 'agent');
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(agent, resolve));
    const forwards = (options.forwards ?? []).map(
      ({ host, guest }) => `,hostfwd=tcp:127.0.0.1:${checkPort(host)}-10.0.2.15:${checkPort(guest)}`,
    );
    const cmdline = [
      'console=ttyS0 panic=-1 loglevel=7',
      ...kernelArguments(accel),
      options.appendCmdline ?? '',
    ]
      .join(' ')
      .trim();
    const args = [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-machine', options.machine ?? 'q35', ...accelArguments(accel)],
      ...['-smp', String(options.cpus ?? 2), '-m', `${options.memoryMiB ?? 2560}M`],
      ...['-kernel', images.kernel, '-initrd', images.initrd, '-append', cmdline],
      ...[
        '-drive',
        `file=${escapeComma(images.rootImage)},if=none,id=root,format=raw,snapshot=on,cache=unsafe`,
      ],
      ...['-device', 'virtio-blk-pci,drive=root'],
      ...['-drive', `file=${escapeComma(files)},if=none,id=files,format=raw,readonly=on`],
      ...['-device', 'virtio-blk-pci,drive=files'],
      ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=agent,path=${escapeComma(agent)}`],
      ...['-device', 'virtserialport,chardev=agent,name=pciem-lab.agent'],
      ...['-netdev', `user,id=net,restrict=${options.network === 'open' ? 'off' : 'on'}${forwards.join('')}`],
      ...['-device', 'virtio-net-pci,netdev=net,romfile='],
      ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
      ...sharedMemoryArguments(options.sharedMemory),
      ...(options.qemuArguments ?? []),
    ];
    const guest = new Guest({ qemu, args, dir, server, accel }, { ...options, kernel });
    await guest.ready(options.bootTimeoutMs ?? DEFAULT_BOOT_MS);
    return guest;
  } catch (error) {
    server.close();
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

function sharedMemoryArguments(memory: BootOptions['sharedMemory']): string[] {
  if (memory === undefined) return [];
  const { file, size } = memory;
  return [
    ...['-object', `memory-backend-file,id=shared,mem-path=${escapeComma(file)},size=${size},share=on`],
    ...['-device', 'ivshmem-plain,memdev=shared'],
  ];
}

/** In QEMU's options a comma ends a value, and two are one. */
function escapeComma(text: string): string {
  return text.replaceAll(',', ',,');
}

function checkPort(port: number): number {
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new LabError('BAD_PORT', `${port} is no TCP port`, 'Ports are 1 to 65535.');
}

/** Output as text, without its middle when it is beyond all use. */
class Capture {
  #chunks: Buffer[] = [];
  #size = 0;

  push(data: Buffer): void {
    if (this.#size >= MAX_CAPTURE) return;
    this.#chunks.push(data);
    this.#size += data.length;
  }

  text(): string {
    const text = Buffer.concat(this.#chunks).toString();
    return this.#size >= MAX_CAPTURE ? `${text}\n(further output was left out)\n` : text;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
