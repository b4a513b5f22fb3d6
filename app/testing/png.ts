/** Reads the PNG files that the lab writes: 8 bits a sample, true colour, rows without a filter. */
import { crc32, inflateSync } from 'node:zlib';

export interface DecodedPng {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue. */
  readonly pixels: Uint8Array;
}

export function decodePng(file: Uint8Array): DecodedPng {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(0) !== 0x8950_4e47 || view.getUint32(4) !== 0x0d0a_1a0a) throw new Error('no PNG file');
  let width = 0;
  let height = 0;
  const bodies: Uint8Array[] = [];
  let type = '';
  for (let at = 8; type !== 'IEND'; ) {
    const length = view.getUint32(at);
    type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    const data = file.subarray(at + 8, at + 8 + length);
    if (view.getUint32(at + 8 + length) !== crc32(file.subarray(at + 4, at + 8 + length)))
      throw new Error(`the checksum of ${type} is wrong`);
    if (type === 'IHDR') {
      width = view.getUint32(at + 8);
      height = view.getUint32(at + 12);
      if (data[8] !== 8 || data[9] !== 2) throw new Error('not of 8 bits a sample, true colour');
    } else if (type === 'IDAT') bodies.push(data);
    at += 12 + length;
  }
  const rows = inflateSync(Buffer.concat(bodies));
  const pitch = width * 3 + 1;
  if (rows.length !== pitch * height) throw new Error(`${rows.length} bytes for ${width} x ${height}`);
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    if (rows[y * pitch] !== 0) throw new Error(`row ${y} has a filter`);
    pixels.set(rows.subarray(y * pitch + 1, (y + 1) * pitch), y * width * 3);
  }
  return { width, height, pixels };
}
