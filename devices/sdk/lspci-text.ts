/** The text of `lspci -x`, `-xxx` and `-xxxx`: configuration spaces that `lspci -F file` reads, and that we read. */

export interface LspciFunction {
  /** Such as `0000:01:00.0`. */
  readonly address: string;
  /** The rest of its first line. */
  readonly title: string;
  /** 64, 256 or 4096 bytes. */
  readonly bytes: Uint8Array;
}

/** A function as it was read. */
export interface ReadFunction extends LspciFunction {
  /** Of each BAR, as `-v` prints it; 0 where the text does not tell. */
  readonly barSizes: readonly number[];
}

export type LspciResult =
  | { readonly ok: true; readonly functions: readonly ReadFunction[] }
  | { readonly ok: false; readonly line: number; readonly message: string };

const ROW = 16;
const SIZES = [64, 256, 4096];

export function formatLspci(functions: readonly LspciFunction[]): string {
  const lines: string[] = [];
  for (const { address, title, bytes } of functions) {
    // lspci takes what is before the first space, and needs something behind it.
    lines.push(`${address} ${title.replace(/[\r\n]+/g, ' ') || 'Device'}`);
    for (let offset = 0; offset < bytes.length; offset += ROW) {
      const row = Array.from(bytes.subarray(offset, offset + ROW), (byte) =>
        byte.toString(16).padStart(2, '0'),
      );
      lines.push(`${offset.toString(16).padStart(2, '0')}: ${row.join(' ')}`);
    }
    lines.push('');
  }
  return `${lines.join('\n')}\n`;
}

const HEADING = /^((?:[0-9a-f]{4,}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?:\s+(.*))?$/i;
const BYTES = /^([0-9a-f]{2,3}):((?: [0-9a-f]{2}){1,16})\s*$/i;

/** `Region 0: Memory at f7d10000 (64-bit, non-prefetchable) [size=16K]`; `-v` alone leaves the region's number out. */
const REGION = /^\s+(?:Region (\d): )?Memory at ([0-9a-f]+) .*\[size=(\d+)([KMGT]?)\]/;

function barSizesOf(regions: readonly RegExpExecArray[], bytes: readonly number[]): number[] {
  const sizes = [0, 0, 0, 0, 0, 0];
  for (const region of regions) {
    const size = Number(region[3]) * 1024 ** ' KMGT'.indexOf(region[4] || ' ');
    const address = Number.parseInt(region[2]!, 16);
    let index = region[1] === undefined ? -1 : Number(region[1]);
    for (let bar = 0; index < 0 && bar < 6; bar++) {
      const at = 0x10 + bar * 4;
      const low = bytes[at]! + bytes[at + 1]! * 256 + bytes[at + 2]! * 65536 + bytes[at + 3]! * 2 ** 24;
      // The upper half of a 64-bit BAR is not looked at: no two BARs share their lower halves.
      if (low - (low % 16) === address % 2 ** 32) index = bar;
    }
    if (index >= 0 && index < 6) sizes[index] = size;
  }
  return sizes;
}

/** Reads the functions in `text`; lines of `-v` between heading and bytes are passed over. */
export function parseLspci(text: string): LspciResult {
  const functions: {
    address: string;
    title: string;
    bytes: number[];
    regions: RegExpExecArray[];
    line: number;
  }[] = [];
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const heading = HEADING.exec(line);
    if (heading !== null) {
      functions.push({
        address: heading[1]!,
        title: (heading[2] ?? '').trim(),
        bytes: [],
        regions: [],
        line: i + 1,
      });
      continue;
    }
    const region = REGION.exec(line);
    if (region !== null) functions.at(-1)?.regions.push(region);
    const row = BYTES.exec(line);
    if (row === null) {
      if (/^[0-9a-f]{2,3}:/i.test(line))
        return {
          ok: false,
          line: i + 1,
          message: 'bytes are expected as two hexadecimal digits each, 16 a line',
        };
      continue;
    }
    const current = functions.at(-1);
    if (current === undefined)
      return {
        ok: false,
        line: i + 1,
        message: 'bytes without a device before them; a line such as "01:00.0 Device" is expected',
      };
    const offset = Number.parseInt(row[1]!, 16);
    if (offset !== current.bytes.length)
      return {
        ok: false,
        line: i + 1,
        message: `offset ${row[1]} is out of order; ${current.bytes.length.toString(16)} is expected`,
      };
    for (const byte of row[2]!.trim().split(' ')) current.bytes.push(Number.parseInt(byte, 16));
    if (current.bytes.length > 4096)
      return { ok: false, line: i + 1, message: 'more than 4096 bytes of configuration space' };
  }
  if (functions.length === 0)
    return { ok: false, line: 1, message: 'no device found; the output of "lspci -xxxx" is expected' };
  for (const { address, bytes, line } of functions) {
    if (!SIZES.includes(bytes.length))
      return {
        ok: false,
        line,
        message: `${address} has ${bytes.length} bytes of configuration space; accepted are 64 (lspci -x), 256 (-xxx) or 4096 (-xxxx)`,
      };
  }
  return {
    ok: true,
    functions: functions.map(({ address, title, bytes, regions }) => ({
      address,
      title,
      bytes: Uint8Array.from(bytes),
      barSizes: barSizesOf(regions, bytes),
    })),
  };
}
