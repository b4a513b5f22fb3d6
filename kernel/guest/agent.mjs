// The agent in the guest: runs commands for the host over one virtio-serial port.
//
// Both directions carry frames: u32 length (of all that follows), u8 type, u32 command id, payload. The host picks
// the ids. What a command writes is sent as it comes; what it reads is bounded by credit, so that one command that
// does not read its input never holds up the others. When the host goes away, so does the guest.
import { spawn } from 'node:child_process';
import { openSync, read, write } from 'node:fs';
import { constants, release } from 'node:os';

const HOST = { START: 1, STDIN: 2, STDIN_END: 3, KILL: 4, POWEROFF: 5 };
const GUEST = { HELLO: 64, STARTED: 65, STDOUT: 66, STDERR: 67, EXIT: 68, ERROR: 69, CREDIT: 70 };
const HEADER = 9;
const MAX_FRAME = 1 << 20;
const CHUNK = 64 * 1024;
/** Above this much unsent output, commands are no longer read from. */
const HIGH_WATER = 1 << 20;
/** Output still in a pipe is waited for this long after its command ended; a daemon may hold the pipe for ever. */
const LINGER_MS = 300;

const port = openSync(process.argv[2], 'r+');
const commands = new Map();
const queue = [];
let queued = 0;
let writing = false;

function send(type, id, payload = Buffer.alloc(0)) {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const frame = Buffer.allocUnsafe(HEADER + body.length);
  frame.writeUInt32LE(HEADER - 4 + body.length, 0);
  frame.writeUInt8(type, 4);
  frame.writeUInt32LE(id, 5);
  body.copy(frame, HEADER);
  queue.push(frame);
  queued += frame.length;
  if (queued > HIGH_WATER) for (const command of commands.values()) command.pause();
  pump();
}

function pump() {
  if (writing || queue.length === 0) return;
  writing = true;
  const frame = queue[0];
  write(port, frame, 0, frame.length, null, (error, written) => {
    writing = false;
    if (error) {
      if (error.code === 'EAGAIN' || error.code === 'EINTR') return void setTimeout(pump, 1);
      return hostGone(error.message);
    }
    queued -= written;
    if (written === frame.length) queue.shift();
    else queue[0] = frame.subarray(written);
    if (queued < HIGH_WATER / 2) for (const command of commands.values()) command.resume();
    pump();
  });
}

function hostGone(why) {
  console.log(`guest-agent: the host is gone (${why})`);
  process.exit(0);
}

function start(id, request) {
  const { argv, cwd, env, stdin } = request;
  let child;
  try {
    // A group of its own, so that a kill reaches everything that the command started.
    child = spawn(argv[0], argv.slice(1), {
      cwd: cwd ?? '/root',
      env: { ...process.env, UV_THREADPOOL_SIZE: undefined, ...env },
      stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
  } catch (error) {
    return send(GUEST.ERROR, id, String(error.message));
  }
  let ended = null;
  let finished = false;
  let lastData = 0;
  const finish = () => {
    if (finished) return;
    finished = true;
    child.stdout?.destroy();
    child.stderr?.destroy();
    commands.delete(id);
    send(GUEST.EXIT, id, JSON.stringify(ended));
  };
  const linger = () => {
    if (finished) return;
    const left = LINGER_MS - (Date.now() - lastData);
    if (left > 0) setTimeout(linger, left);
    else finish();
  };
  commands.set(id, {
    child,
    pause() {
      child.stdout?.pause();
      child.stderr?.pause();
    },
    resume() {
      child.stdout?.resume();
      child.stderr?.resume();
    },
  });
  child.on('spawn', () => send(GUEST.STARTED, id, JSON.stringify({ pid: child.pid })));
  child.on('error', (error) => {
    if (ended || child.pid) return;
    finished = true;
    commands.delete(id);
    send(GUEST.ERROR, id, error.message);
  });
  child.on('exit', (code, signal) => {
    // As a shell reports it, so that every caller can compare one number.
    ended = { code: code ?? 128 + (constants.signals[signal] ?? 0), signal };
    lastData = Date.now();
    linger();
  });
  child.on('close', () => ended && finish());
  const forward = (type) => (data) => {
    lastData = Date.now();
    for (let at = 0; at < data.length; at += CHUNK) send(type, id, data.subarray(at, at + CHUNK));
  };
  child.stdout?.on('data', forward(GUEST.STDOUT));
  child.stderr?.on('data', forward(GUEST.STDERR));
  // A command that ends before it read all of its input is not an error.
  child.stdin?.on('error', () => {});
}

function feed(id, data) {
  const child = commands.get(id)?.child;
  const credit = Buffer.alloc(4);
  credit.writeUInt32LE(data.length);
  if (!child?.stdin || child.stdin.destroyed) return send(GUEST.CREDIT, id, credit);
  child.stdin.write(data, () => send(GUEST.CREDIT, id, credit));
}

function kill(id, signal) {
  const child = commands.get(id)?.child;
  if (!child?.pid) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

function handle(type, id, payload) {
  if (type === HOST.START) start(id, JSON.parse(payload.toString()));
  else if (type === HOST.STDIN) feed(id, Buffer.from(payload));
  else if (type === HOST.STDIN_END) commands.get(id)?.child.stdin?.end();
  else if (type === HOST.KILL) kill(id, payload.toString());
  else if (type === HOST.POWEROFF) process.exit(0);
  else console.log(`guest-agent: unknown frame type ${type}`);
}

let pending = Buffer.alloc(0);
function receive(data) {
  pending = pending.length ? Buffer.concat([pending, data]) : Buffer.from(data);
  let at = 0;
  while (pending.length - at >= HEADER) {
    const length = pending.readUInt32LE(at);
    if (length > MAX_FRAME) return hostGone(`a frame of ${length} bytes`);
    if (pending.length - at < 4 + length) break;
    const frame = pending.subarray(at, at + 4 + length);
    handle(frame.readUInt8(4), frame.readUInt32LE(5), frame.subarray(HEADER));
    at += 4 + length;
  }
  pending = pending.subarray(at);
}

const buffer = Buffer.alloc(CHUNK);
function listen() {
  read(port, buffer, 0, buffer.length, null, (error, length) => {
    if (error?.code === 'EAGAIN' || error?.code === 'EINTR') return void setTimeout(listen, 1);
    if (error || length === 0) return hostGone(error?.message ?? 'the port is closed');
    receive(buffer.subarray(0, length));
    listen();
  });
}

send(GUEST.HELLO, 0, JSON.stringify({ kernel: release(), node: process.version }));
listen();
