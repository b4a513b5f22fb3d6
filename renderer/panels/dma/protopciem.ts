/** Names for the first bytes of a ProtoPCIem command buffer (docs/protopciem.md). */
import type { DecodedField } from './entries.ts';

const names = ['NOP', 'CLEAR', 'DRAW_LINE', 'BLIT_RECT'];
/** Bytes of a record that are not pixels. */
const fixedBytes = [8, 12, 20, 16];

/**
 * The records that begin in `bytes`, the kept start of a transfer of `length` bytes. Undefined where they do not look
 * like a command buffer: pixels and ring entries come by DMA too.
 */
export function decodeCommands(bytes: Uint8Array, length: number): readonly DecodedField[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: DecodedField[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const opcode = view.getUint16(at, true);
    const size = view.getUint32(at + 4, true);
    const fixed = fixedBytes[opcode];
    const good = fixed !== undefined && view.getUint16(at + 2, true) === 0 && at % 4 === 0 && size >= fixed;
    if (!good || at + size > length) return undefined;
    // A record that is cut off by the end of what was kept is named all the same.
    const whole = at + fixed <= bytes.length;
    fields.push({
      name: names[opcode]!,
      value: `0x${at.toString(16).padStart(2, '0')}`,
      text: whole ? body(view, at, opcode) : `${size} bytes`,
    });
    at += size;
  }
  return fields.length === 0 ? undefined : fields;
}

function body(view: DataView, at: number, opcode: number): string {
  const word = (offset: number) => view.getUint16(at + offset, true);
  const color = (offset: number) =>
    `#${[0, 1, 2]
      .map((byte) =>
        view
          .getUint8(at + offset + byte)
          .toString(16)
          .padStart(2, '0'),
      )
      .join('')}`;
  switch (opcode) {
    case 1:
      return color(8);
    case 2:
      return `${word(8)},${word(10)} to ${word(12)},${word(14)} ${color(16)}`;
    case 3:
      return `${word(12)} × ${word(14)} at ${word(8)},${word(10)}`;
    default:
      return '';
  }
}
