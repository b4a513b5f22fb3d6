/** CRC-32 as of ISO-HDLC, Ethernet and gzip: polynomial 0x04c11db7, bits reflected, all ones in and out. */

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value;
});

/** Of the first `length` bytes. */
export function crc32(bytes: Uint8Array, length = bytes.length): number {
  let crc = 0xffff_ffff;
  for (let at = 0; at < length; at++) crc = table[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
