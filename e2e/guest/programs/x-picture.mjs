/**
 * Runs in the guest, on an X server on the card's DRM driver (DISPLAY) and with the lab that has the card (LAB, TOKEN).
 * Draws known pictures with the core X protocol and compares each pixel with the card's picture as a window gets it;
 * types with the lab's calls and listens for what X hears. Prints one line of JSON for each step.
 */
import { connect } from 'node:net';
import { WebSocket } from 'ws';

const PATIENCE = 20_000;

function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${PATIENCE / 1000} s`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** One connection to an X server; X Window System Protocol, version 11, little endian. */
class XServer {
  #socket;
  #pending = Buffer.alloc(0);
  #need;
  #listeners = [];
  #nextId = 0;

  static async open(display) {
    const server = new XServer();
    server.#socket = connect(`/tmp/.X11-unix/X${display.replace(/^:/, '')}`);
    server.#socket.on('data', (data) => {
      server.#pending = Buffer.concat([server.#pending, data]);
      server.#take();
    });
    server.#socket.on('error', (error) => server.#need?.reject(error));
    const hello = Buffer.alloc(12);
    hello.write('l');
    hello.writeUInt16LE(11, 2);
    server.#socket.write(hello);
    const head = await server.#bytes(8);
    const body = await server.#bytes(head.readUInt16LE(6) * 4);
    if (head[0] !== 1) throw new Error(`the X server refused: ${body}`);
    server.base = body.readUInt32LE(4);
    const vendor = (body.readUInt16LE(16) + 3) & ~3;
    const screen = 32 + vendor + body[21] * 8;
    server.root = body.readUInt32LE(screen);
    server.width = body.readUInt16LE(screen + 20);
    server.height = body.readUInt16LE(screen + 22);
    server.depth = body[screen + 38];
    void server.#listen();
    return server;
  }

  #take() {
    const need = this.#need;
    if (need === undefined || this.#pending.length < need.length) return;
    this.#need = undefined;
    const taken = this.#pending.subarray(0, need.length);
    this.#pending = this.#pending.subarray(need.length);
    need.resolve(taken);
  }

  #bytes(length) {
    return new Promise((resolve, reject) => {
      this.#need = { length, resolve, reject };
      this.#take();
    });
  }

  async #listen() {
    for (;;) {
      const message = await this.#bytes(32);
      if (message[0] === 0) throw new Error(`X error ${message[1]} of request ${message[10]}`);
      if (message[0] === 1) await this.#bytes(message.readUInt32LE(4) * 4);
      for (const listener of [...this.#listeners]) listener(message);
    }
  }

  /** The next message that `found` takes. */
  next(what, found) {
    return within(
      what,
      new Promise((resolve) => {
        const listener = (message) => {
          if (!found(message)) return;
          this.#listeners.splice(this.#listeners.indexOf(listener), 1);
          resolve(message);
        };
        this.#listeners.push(listener);
      }),
    );
  }

  id() {
    return this.base + this.#nextId++;
  }

  /** `words` of 32 bits follow the first, then `data`. */
  request(opcode, second, words, data = Buffer.alloc(0)) {
    const head = Buffer.alloc(4 + words.length * 4);
    head[0] = opcode;
    head[1] = second;
    head.writeUInt16LE((head.length + data.length) / 4, 2);
    for (const [at, word] of words.entries()) head.writeUInt32LE(word >>> 0, 4 + at * 4);
    this.#socket.write(head);
    if (data.length > 0) this.#socket.write(data);
  }

  /** All that was asked for is done. */
  async sync() {
    const reply = this.next('an answer of the X server', (message) => message[0] === 1);
    this.request(43, 0, []);
    await reply;
  }

  close() {
    this.#socket.destroy();
  }
}

const pair = (low, high) => (low & 0xffff) | (high << 16);

/** The lab, as a window has it. */
class Lab {
  #socket;
  #nextId = 1;
  #waiting = new Map();
  width = 0;
  height = 0;
  /** As the card has them: blue, green, red, unused. */
  pixels = new Uint8Array();
  /** Pixels that have come since it was set to 0. */
  travelled = 0;
  updates = 0;

  static async open(url, token) {
    const lab = new Lab();
    lab.#socket = new WebSocket(url, ['pciem-lab', token], { perMessageDeflate: false });
    lab.#socket.on('message', (data, binary) => lab.#receive(data, binary));
    await within(
      'the lab',
      new Promise((resolve, reject) => {
        lab.#socket.on('open', resolve);
        lab.#socket.on('error', reject);
      }),
    );
    return lab;
  }

  #receive(data, binary) {
    const length = binary ? data.readUInt32LE(0) : 0;
    const head = JSON.parse(binary ? data.subarray(4, 4 + length) : data);
    if (head.id !== undefined) {
      const { resolve, reject } = this.#waiting.get(head.id);
      this.#waiting.delete(head.id);
      if (head.error) reject(new Error(`${head.error.code}: ${head.error.message}`));
      else resolve(head.ok);
      return;
    }
    if (head.stream === 'display') this.#draw(head.data, data.subarray((4 + length + 7) & ~7));
    this.#socket.send(JSON.stringify({ ack: head.stream }));
  }

  #draw({ width, height, format, parts, image, cursor }, bytes) {
    // X has set a mode of its own when it draws; what the card shows before is not looked at.
    if (format !== 'XRGB8888') return;
    if (width !== this.width || height !== this.height) {
      [this.width, this.height] = [width, height];
      this.pixels = new Uint8Array(width * height * 4);
    }
    // The cursor is beside the picture.
    let at = image ? cursor.width * cursor.height * 4 : 0;
    for (const [x, y, wide, tall] of parts) {
      for (let row = 0; row < tall; row++) {
        this.pixels.set(bytes.subarray(at, at + wide * 4), ((y + row) * width + x) * 4);
        at += wide * 4;
      }
      this.travelled += wide * tall;
    }
    this.updates++;
  }

  call(call, params) {
    const id = this.#nextId++;
    this.#socket.send(JSON.stringify({ id, call, params }));
    return within(call, new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject })));
  }

  close() {
    this.#socket.close();
  }
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const x = await XServer.open(process.env.DISPLAY);
const lab = await Lab.open(process.env.LAB, process.env.TOKEN);
const device = (await lab.call('devices.list', {})).find(({ model }) => model === 'protopciem').id;
await lab.call('display.watch', { device });

const { width, height } = x;
const window = x.id();
const context = x.id();
const EVENTS = 0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x8000;
const exposed = x.next('the window', (message) => (message[0] & 0x7f) === 12);
// A black window over the whole screen that no window manager need place.
x.request(1, 0, [window, x.root, 0, pair(width, height), pair(0, 1), 0, 0x2 | 0x200 | 0x800, 0, 1, EVENTS]);
x.request(8, 0, [window]);
await exposed;
x.request(42, 0, [window, 0]);
x.request(55, 0, [context, window, 0x4, 0xffffff]);

/** What the screen must be, four bytes a pixel as X has them: blue, green, red, 0. */
const wanted = new Uint8Array(width * height * 4);

function fill(left, top, wide, tall, color) {
  x.request(56, 0, [context, 0x4, color]);
  x.request(70, 0, [window, context, pair(left, top), pair(wide, tall)]);
  for (let row = top; row < top + tall; row++) {
    for (let column = left; column < left + wide; column++) {
      new DataView(wanted.buffer).setUint32((row * width + column) * 4, color, true);
    }
  }
}

/** Noise that is the same each time, so that no two rows and columns are alike. */
function noise(left, top, wide, tall) {
  let state = 0x1f0c0001;
  // A request has at most 256 KiB.
  const rows = Math.floor(65_000 / wide);
  for (let row = 0; row < tall; row += rows) {
    const count = Math.min(rows, tall - row);
    const data = Buffer.alloc(wide * count * 4);
    for (let at = 0; at < wide * count; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data.writeUInt32LE(state >>> 8, at * 4);
      const place = (top + row + Math.floor(at / wide)) * width + left + (at % wide);
      wanted.set(data.subarray(at * 4, at * 4 + 4), place * 4);
    }
    x.request(72, 2, [window, context, pair(wide, count), pair(left, top + row), x.depth << 8], data);
  }
}

/** Pixels of the card's picture that are not what was drawn, once it has come to rest or is right. */
async function compare(step) {
  await x.sync();
  const end = Date.now() + PATIENCE;
  let different;
  let first;
  do {
    await new Promise((resolve) => setTimeout(resolve, 20));
    different = lab.width === width && lab.height === height ? 0 : width * height;
    first = undefined;
    for (let at = 0; at < wanted.length && different < width * height; at += 4) {
      const same = [0, 1, 2].every((color) => wanted[at + color] === lab.pixels[at + color]);
      if (same) continue;
      different++;
      first ??= { x: (at / 4) % width, y: Math.floor(at / 4 / width) };
    }
  } while (different > 0 && Date.now() < end);
  say({ step, width, height, different, first, travelled: lab.travelled / (width * height) });
}

noise(0, 0, width, height);
for (const [at, color] of [0xffffff, 0xff0000, 0x00ff00, 0x0000ff, 0x010203].entries()) {
  fill(13 + at * 101, 17 + at * 61, 77, 53, color);
}
await compare('whole');

lab.travelled = 0;
fill(101, 203, 37, 23, 0x80ff40);
await compare('part');

// Scrolling: X moves what it has drawn.
x.request(62, 0, [window, window, context, pair(0, 40), pair(0, 0), pair(width, height - 40)]);
wanted.copyWithin(0, 40 * width * 4);
await compare('scrolled');

/** What X hears, from the lab's calls: type and detail (keycode or button). */
await lab.call('input.attach', { device });
for (const [step, events, types, detail] of [
  ['key', [{ kind: 'key', code: 'KeyA', down: true }], [2], 30 + 8],
  ['button', [{ kind: 'button', button: 2, down: true }], [4], 3],
  ['wheel', [{ kind: 'wheel', x: 0, y: 1 }], [4], 5],
]) {
  const heard = x.next(step, (message) => types.includes(message[0] & 0x7f) && message[1] === detail);
  await lab.call('input.events', { events });
  const message = await heard;
  say({ step, type: message[0] & 0x7f, detail: message[1] });
}
const position = (message) => [message.readInt16LE(20), message.readInt16LE(22)];
const moved = async (by) => {
  const heard = x.next('motion', (message) => (message[0] & 0x7f) === 6);
  await lab.call('input.events', { events: [{ kind: 'motion', ...by }] });
  return position(await heard);
};
const before = await moved({ x: -20, y: -10 });
const after = await moved({ x: 30, y: 20 });
say({ step: 'motion', by: [after[0] - before[0], after[1] - before[1]] });
// What is held is let go with the connection.
const released = x.next('a release', (message) => (message[0] & 0x7f) === 3 && message[1] === 30 + 8);
lab.close();
await released;
say({ step: 'released' });
x.close();
process.exit(0);
