/** The monitor's description, one block (VESA E-EDID Standard, release A, revision 2: EDID 1.4). */

interface Timing {
  readonly width: number;
  readonly height: number;
  /** Units of 10 kHz. */
  readonly clock: number;
  readonly hBlank: number;
  readonly hFront: number;
  readonly hSync: number;
  readonly vBlank: number;
  readonly vFront: number;
  readonly vSync: number;
  readonly positive: boolean;
}

/** 60 Hz timings of VESA DMT and CEA-861. */
const timings = {
  '640x480': {
    width: 640,
    height: 480,
    clock: 2518,
    hBlank: 160,
    hFront: 16,
    hSync: 96,
    vBlank: 45,
    vFront: 10,
    vSync: 2,
    positive: false,
  },
  '1024x768': {
    width: 1024,
    height: 768,
    clock: 6500,
    hBlank: 320,
    hFront: 24,
    hSync: 136,
    vBlank: 38,
    vFront: 3,
    vSync: 6,
    positive: false,
  },
  '1280x720': {
    width: 1280,
    height: 720,
    clock: 7425,
    hBlank: 370,
    hFront: 110,
    hSync: 40,
    vBlank: 30,
    vFront: 5,
    vSync: 5,
    positive: true,
  },
  '1920x1080': {
    width: 1920,
    height: 1080,
    clock: 14850,
    hBlank: 280,
    hFront: 88,
    hSync: 44,
    vBlank: 45,
    vFront: 4,
    vSync: 5,
    positive: true,
  },
} as const satisfies Record<string, Timing>;

export type PreferredMode = keyof typeof timings;
export const preferredModes = Object.keys(timings) as PreferredMode[];

const WIDTH_MM = 480;
const HEIGHT_MM = 270;

/** A detailed timing descriptor (3.10.2). */
function detailed(t: Timing): number[] {
  return [
    t.clock & 0xff,
    t.clock >> 8,
    t.width & 0xff,
    t.hBlank & 0xff,
    ((t.width >> 8) << 4) | (t.hBlank >> 8),
    t.height & 0xff,
    t.vBlank & 0xff,
    ((t.height >> 8) << 4) | (t.vBlank >> 8),
    t.hFront & 0xff,
    t.hSync & 0xff,
    ((t.vFront & 0xf) << 4) | (t.vSync & 0xf),
    ((t.hFront >> 8) << 6) | ((t.hSync >> 8) << 4) | ((t.vFront >> 4) << 2) | (t.vSync >> 4),
    WIDTH_MM & 0xff,
    HEIGHT_MM & 0xff,
    ((WIDTH_MM >> 8) << 4) | (HEIGHT_MM >> 8),
    0,
    0,
    // Digital separate sync, with its polarities.
    0x18 | (t.positive ? 0x06 : 0),
  ];
}

/** A display descriptor of text (3.10.3): a line feed ends it, spaces fill it. */
function text(tag: number, value: string): number[] {
  const bytes = [...`${value}\n`.padEnd(13, ' ')].map((char) => char.charCodeAt(0));
  return [0, 0, 0, tag, 0, ...bytes];
}

export function edid(preferred: PreferredMode): Uint8Array<ArrayBuffer> {
  const letter = (char: string) => char.charCodeAt(0) - 64;
  const maker = (letter('L') << 10) | (letter('A') << 5) | letter('B');
  const second: PreferredMode = preferred === '1920x1080' ? '1280x720' : '1920x1080';
  const bytes = [
    ...[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00],
    ...[maker >> 8, maker & 0xff],
    // Product and serial number, week, year since 1990, version.
    ...[0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 36, 1, 4],
    // Digital, 8 bits a colour; size in cm; gamma 2.2; RGB 4:4:4, sRGB, the first timing is the preferred one.
    ...[0xa0, WIDTH_MM / 10, HEIGHT_MM / 10, 120, 0x06],
    // Chromaticity of sRGB (3.7).
    ...[0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54],
    // Established timings (3.8): 640x480, 800x600 and 1024x768 at 60 Hz.
    ...[0x21, 0x08, 0x00],
    // Standard timings (3.9): 1280x1024, 1440x900, 1680x1050, 1600x900 at 60 Hz; the rest unused.
    ...[129, 0x80, 149, 0x00, 179, 0x00, 169, 0xc0, 1, 1, 1, 1, 1, 1, 1, 1],
    ...detailed(timings[preferred]),
    ...detailed(timings[second]),
    ...text(0xfc, 'PCIem Lab'),
    // Range limits (3.10.3.3.1): 1 to 240 Hz, 30 to 160 kHz, at most 300 MHz, no timing formula.
    ...[0, 0, 0, 0xfd, 0, 1, 240, 30, 160, 30, 0x01, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20],
    0,
  ];
  const block = Uint8Array.from([...bytes, 0]);
  block[127] = -block.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return block;
}
