// PNGs of few colours, animated or not (Portable Network Graphics, third edition): every browser shows them, and they are made
// of what Node has.
import { crc32, deflateSync } from 'node:zlib';

const MAX_COLORS = 256;

/** CRC-32 of a chunk, for a Node that has none of its own. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});
function checksum(bytes) {
  if (crc32 !== undefined) return crc32(bytes);
  let value = 0xffffffff;
  for (const byte of bytes) value = table[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function chunk(name, body) {
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32BE(body.length, 0);
  bytes.write(name, 4, 'latin1');
  body.copy(bytes, 8);
  bytes.writeUInt32BE(checksum(bytes.subarray(4, 8 + body.length)), 8 + body.length);
  return bytes;
}

function words(...values) {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, at * 4);
  return bytes;
}

function distance(one, other) {
  const red = (one >> 16) - (other >> 16);
  const green = ((one >> 8) & 0xff) - ((other >> 8) & 0xff);
  const blue = (one & 0xff) - (other & 0xff);
  return red * red + green * green + blue * blue;
}

/**
 * Colours, as red << 16 | green << 8 | blue: the most frequent ones, and of the others those that are farthest from what is
 * there already, so that a small red mark stays red.
 */
function palette(frames) {
  const counts = new Map();
  for (const frame of frames) {
    for (let at = 0; at < frame.length; at += 3) {
      const color = frame.readUIntBE(at, 3);
      counts.set(color, (counts.get(color) ?? 0) + 1);
    }
  }
  const all = [...counts].sort((a, b) => b[1] - a[1]).map(([color]) => color);
  if (all.length <= MAX_COLORS) return all;
  const chosen = all.slice(0, MAX_COLORS / 2);
  const rest = all.slice(MAX_COLORS / 2);
  const away = rest.map((color) => Math.min(...chosen.map((one) => distance(one, color))));
  while (chosen.length < MAX_COLORS) {
    let farthest = 0;
    for (let at = 1; at < rest.length; at++) if (away[at] > away[farthest]) farthest = at;
    const color = rest[farthest];
    chosen.push(color);
    for (let at = 0; at < rest.length; at++) away[at] = Math.min(away[at], distance(color, rest[at]));
  }
  return chosen;
}

function nearest(colors, color) {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [index, one] of colors.entries()) {
    const off = distance(one, color);
    if (off < least) [best, least] = [index, off];
  }
  return best;
}

/** Red, green, blue of each pixel. */
export function picture(width, height, pixels) {
  return animation(width, height, [pixels]);
}

/** `frames`: red, green, blue of each pixel. It goes round for ever. */
export function animation(width, height, frames, milliseconds = 0) {
  const colors = palette(frames);
  const indexes = new Map(colors.map((color, index) => [color, index]));
  const moves = frames.length > 1;
  const parts = [
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', Buffer.concat([words(width, height), Buffer.from([8, 3, 0, 0, 0])])),
    ...(moves ? [chunk('acTL', words(frames.length, 0))] : []),
    chunk('PLTE', Buffer.from(colors.flatMap((color) => [color >> 16, (color >> 8) & 0xff, color & 0xff]))),
  ];
  let sequence = 0;
  for (const [number, frame] of frames.entries()) {
    const rows = Buffer.alloc((width + 1) * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const color = frame.readUIntBE((y * width + x) * 3, 3);
        let index = indexes.get(color);
        if (index === undefined) indexes.set(color, (index = nearest(colors, color)));
        rows[y * (width + 1) + 1 + x] = index;
      }
    }
    const delay = Buffer.alloc(6);
    delay.writeUInt16BE(Math.round(milliseconds), 0);
    delay.writeUInt16BE(1000, 2);
    if (moves) parts.push(chunk('fcTL', Buffer.concat([words(sequence++, width, height, 0, 0), delay])));
    const data = deflateSync(rows, { level: 9 });
    parts.push(number === 0 ? chunk('IDAT', data) : chunk('fdAT', Buffer.concat([words(sequence++), data])));
  }
  parts.push(chunk('IEND', Buffer.alloc(0)));
  return Buffer.concat(parts);
}
