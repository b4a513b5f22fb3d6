/**
 * Registers of the ProtoPCIem card. 0x000 to 0x0ff are those of the first cards; a driver of those finds just these.
 * What came later starts at VERSION, which reads as 0 there.
 */
import { PIXEL_FORMAT_NAMES, PixelFormat } from '../sdk/display.ts';
import type { RegisterDescription } from '../sdk/register-map.ts';
import { edid, type PreferredMode } from './edid.ts';

export const BAR = 0;
export const BAR_SIZE = 64 * 1024;
export const DATA_BAR = 2;
export const DATA_BAR_SIZE = 1024 * 1024;

export const MAX_WIDTH = 1920;
export const MAX_HEIGHT = 1080;
/** Bytes of a row. */
export const MAX_PITCH = 16384;
export const MAX_COMMAND_BYTES = 4 * 1024 * 1024;
export const MAX_RING_ENTRIES = 4096;
/** Millihertz. */
export const MIN_VSYNC = 1000;
export const MAX_VSYNC = 240_000;
export const MAX_DAMAGE = 32;

/** After reset, and while no mode is set: what the first cards show. */
export const DEFAULT_WIDTH = 640;
export const DEFAULT_HEIGHT = 480;
export const DEFAULT_PITCH = 1920;

export const VERSION = 0x0001_0000;

export const Register = {
  CONTROL: 0x00,
  STATUS: 0x04,
  CMD: 0x08,
  DATA: 0x0c,
  RESULT_LOW: 0x10,
  RESULT_HIGH: 0x14,
  DMA_SRC_LOW: 0x20,
  DMA_SRC_HIGH: 0x24,
  DMA_DST_LOW: 0x28,
  DMA_DST_HIGH: 0x2c,
  DMA_LEN: 0x30,
  DMA_FLAGS: 0x34,
  VERSION: 0x100,
  CAPS: 0x104,
  MAX_SIZE: 0x108,
  FORMATS: 0x10c,
  IRQ_STATUS: 0x110,
  IRQ_ENABLE: 0x114,
  ERROR: 0x118,
  ERROR_INFO: 0x11c,
  MODE_SIZE: 0x120,
  MODE_PITCH: 0x124,
  MODE_FORMAT: 0x128,
  MODE_CONTROL: 0x12c,
  SCANOUT_LOW: 0x130,
  SCANOUT_HIGH: 0x134,
  FLIP: 0x138,
  VSYNC_RATE: 0x13c,
  VSYNC_COUNT: 0x140,
  FRAME_COUNT: 0x144,
  DAMAGE_POSITION: 0x150,
  DAMAGE_SIZE: 0x154,
  DAMAGE_COUNT: 0x158,
  RING_LOW: 0x160,
  RING_HIGH: 0x164,
  RING_ENTRIES: 0x168,
  RING_CONTROL: 0x16c,
  RING_HEAD: 0x170,
  RING_TAIL: 0x174,
  FENCE: 0x178,
  FENCE_LOW: 0x180,
  FENCE_HIGH: 0x184,
  CURSOR_CONTROL: 0x190,
  CURSOR_POSITION: 0x194,
  CURSOR_SIZE: 0x198,
  CURSOR_HOTSPOT: 0x19c,
  CURSOR_LOW: 0x1a0,
  CURSOR_HIGH: 0x1a4,
  EDID: 0x200,
  PALETTE: 0x400,
} as const;

export const PALETTE_END = Register.PALETTE + 256 * 4;

export const Control = { ENABLE: 1, RESET: 2 } as const;
export const Status = { BUSY: 1, DONE: 2, ERROR: 4 } as const;
export const Irq = { COMMAND: 1, VSYNC: 2, FLIP: 4, FENCE: 8, ERROR: 16 } as const;
/** What the first cards raise, without being asked. */
export const DEFAULT_IRQS = Irq.COMMAND | Irq.ERROR;

export const Command = {
  ADD: 1,
  MULTIPLY: 2,
  XOR: 3,
  PROCESS_BUFFER: 4,
  EXECUTE_CMDBUF: 5,
  DMA_FRAME: 6,
  P2P_READ: 7,
  P2P_WRITE: 8,
} as const;

export const Failure = {
  NONE: 0,
  UNKNOWN_COMMAND: 1,
  BAD_LENGTH: 2,
  DMA_REFUSED: 3,
  MALFORMED_RECORD: 4,
  BAD_MODE: 5,
  BAD_RING: 6,
  BAD_ENTRY: 7,
  BAD_CURSOR: 8,
  BAD_DAMAGE: 9,
  NO_MODE: 10,
} as const;
export type FailureCode = (typeof Failure)[keyof typeof Failure];

/** Flip: when. */
export const Flip = { AT_VSYNC: 1, NOW: 2 } as const;
export const Cursor = { ENABLE: 1, LOAD: 2 } as const;

const ALL = 0xffff_ffffn;

function names(values: Readonly<Record<string, number>>): Record<number, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [value, name]));
}

type Extra = Partial<Omit<RegisterDescription, 'name' | 'title' | 'offset' | 'width'>>;
const register = (
  name: Exclude<keyof typeof Register, 'EDID' | 'PALETTE'>,
  title: string,
  writable: bigint,
  extra: Extra = {},
): RegisterDescription => ({
  name,
  title,
  offset: Register[name],
  width: 4,
  reset: 0n,
  writable,
  ...extra,
});

const bit = (name: string, lsb: number, description: string) => ({ name, lsb, width: 1, description });
const irqFields = [
  bit('COMMAND', 0, 'A command is done'),
  bit('VSYNC', 1, 'A vertical blank has begun'),
  bit('FLIP', 2, 'The picture asked for by FLIP is shown'),
  bit('FENCE', 3, 'A ring entry that asked for it is done'),
  bit('ERROR', 4, 'Something failed: ERROR says what'),
];
const size = [
  { name: 'WIDTH', lsb: 0, width: 16, description: 'Pixels' },
  { name: 'HEIGHT', lsb: 16, width: 16, description: 'Pixels' },
];
const position = [
  { name: 'X', lsb: 0, width: 16, description: 'Pixels from the left' },
  { name: 'Y', lsb: 16, width: 16, description: 'Pixels from the top' },
];
const mode = (width: number, height: number): bigint => BigInt(width + height * 65536);

const fixed: readonly RegisterDescription[] = [
  register('CONTROL', 'Control', ALL, {
    fields: [
      bit('ENABLE', 0, 'Set by drivers before a command'),
      bit('RESET', 1, 'Writing 1 resets the card and clears the picture'),
    ],
  }),
  register('STATUS', 'State of the last command; writing 0 clears it', ALL, {
    fields: [
      bit('BUSY', 0, 'The command is being carried out'),
      bit('DONE', 1, 'The command has ended'),
      bit('ERROR', 2, 'It failed'),
    ],
  }),
  register('CMD', 'Command; a write other than 0 starts it, 0 when it has ended', ALL, {
    selfClearing: ALL,
    fields: [{ name: 'CODE', lsb: 0, width: 32, values: names(Command) }],
  }),
  register('DATA', 'Operand', ALL),
  register('RESULT_LOW', 'Result, lower half', ALL),
  register('RESULT_HIGH', 'Result, upper half', ALL),
  register('DMA_SRC_LOW', 'Source address, lower half', ALL),
  register('DMA_SRC_HIGH', 'Source address, upper half', ALL),
  register('DMA_DST_LOW', 'Destination address, lower half', ALL),
  register('DMA_DST_HIGH', 'Destination address, upper half', ALL),
  register('DMA_LEN', 'Length in bytes', ALL),
  register('DMA_FLAGS', 'Kept, without effect', ALL),
  register('VERSION', 'Version of what follows; 0 on the first cards', 0n, {
    reset: BigInt(VERSION),
    fields: [
      { name: 'MINOR', lsb: 0, width: 16 },
      { name: 'MAJOR', lsb: 16, width: 16 },
    ],
  }),
  register('CAPS', 'What this card has', 0n, {
    reset: 0x7fn,
    fields: [
      bit('MODES', 0, 'Picture sizes and pixel formats'),
      bit('FLIP', 1, 'Pictures by address'),
      bit('VSYNC', 2, 'Vertical blank interrupts'),
      bit('DAMAGE', 3, 'Damage rectangles'),
      bit('RING', 4, 'A command ring with fences'),
      bit('CURSOR', 5, 'A hardware cursor'),
      bit('EDID', 6, 'A description of the monitor'),
    ],
  }),
  register('MAX_SIZE', 'Largest picture', 0n, { reset: mode(MAX_WIDTH, MAX_HEIGHT), fields: size }),
  register('FORMATS', 'Pixel formats, a bit each', 0n, {
    reset: 0xfn,
    fields: PIXEL_FORMAT_NAMES.map((name, format) => bit(name, format, `MODE_FORMAT ${format}`)),
  }),
  register('IRQ_STATUS', 'What happened; writing 1 clears', 0n, {
    writeOneToClear: 0x1fn,
    fields: irqFields,
  }),
  register('IRQ_ENABLE', 'What raises the interrupt', 0x1fn, {
    reset: BigInt(DEFAULT_IRQS),
    fields: irqFields,
  }),
  register('ERROR', 'Why something failed last', 0n, {
    fields: [{ name: 'CODE', lsb: 0, width: 32, values: names(Failure) }],
  }),
  register('ERROR_INFO', 'Where: offset of the record, or index of the ring entry', 0n),
  register('MODE_SIZE', 'Size of the picture', ALL, {
    reset: mode(DEFAULT_WIDTH, DEFAULT_HEIGHT),
    fields: size,
  }),
  register('MODE_PITCH', 'Bytes from a row to the next', ALL, { reset: BigInt(DEFAULT_PITCH) }),
  register('MODE_FORMAT', 'Pixel format', ALL, {
    fields: [{ name: 'FORMAT', lsb: 0, width: 8, values: names(PixelFormat) }],
  }),
  register('MODE_CONTROL', 'A write takes the mode over', 1n, {
    fields: [bit('ENABLE', 0, '1: as MODE_* say; 0: 640 x 480, RGB24, as the first cards')],
  }),
  register('SCANOUT_LOW', 'Address of the next picture, lower half', ALL),
  register('SCANOUT_HIGH', 'Address of the next picture, upper half', ALL),
  register('FLIP', 'Shows the picture at SCANOUT', 3n, {
    selfClearing: 3n,
    fields: [
      bit('AT_VSYNC', 0, 'Writing 1: at the next vertical blank; reads as 1 until then'),
      bit('NOW', 1, 'Writing 1: at once'),
    ],
  }),
  register('VSYNC_RATE', 'Vertical blanks in a thousand seconds; 0: none', ALL, { reset: 60_000n }),
  register('VSYNC_COUNT', 'Vertical blanks so far, when one was last waited for', 0n),
  register('FRAME_COUNT', 'Pictures finished so far', 0n),
  register('DAMAGE_POSITION', 'Corner of a damage rectangle', ALL, { fields: position }),
  register('DAMAGE_SIZE', 'Its size; a write adds it to those of the next flip', ALL, { fields: size }),
  register('DAMAGE_COUNT', 'Rectangles of the next flip; 0: the whole picture', 0n),
  register('RING_LOW', 'Address of the command ring, lower half', ALL),
  register('RING_HIGH', 'Address of the command ring, upper half', ALL),
  register('RING_ENTRIES', 'Entries of 32 bytes, a power of two from 2 to 4096', ALL),
  register('RING_CONTROL', 'Turns the ring on and off', 1n, {
    fields: [bit('ENABLE', 0, 'Turning it on starts at entry 0')],
  }),
  register('RING_HEAD', 'Next entry that the card takes', 0n),
  register('RING_TAIL', 'Entry after the last that the driver filled; a write starts the card', ALL),
  register('FENCE', 'Fence of the last entry that is done', 0n),
  register('FENCE_LOW', 'Where fences are written to, lower half; 0: nowhere', ALL),
  register('FENCE_HIGH', 'Where fences are written to, upper half', ALL),
  register('CURSOR_CONTROL', 'Hardware cursor', 3n, {
    selfClearing: 2n,
    fields: [bit('ENABLE', 0, 'Shown'), bit('LOAD', 1, 'Writing 1 reads the image; reads as 0')],
  }),
  register('CURSOR_POSITION', 'Where its hot spot is, signed', ALL, { fields: position }),
  register('CURSOR_SIZE', 'Size of its image, at most 64 x 64', ALL, { fields: size }),
  register('CURSOR_HOTSPOT', 'Its hot spot, within the image', ALL, { fields: position }),
  register('CURSOR_LOW', 'Address of its image (ARGB8888, premultiplied), lower half', ALL),
  register('CURSOR_HIGH', 'Address of its image, upper half', ALL),
];

/**
 * All registers of a card whose monitor prefers that mode. `first`: it says that it is one of the first cards, so that
 * drivers leave alone what came later.
 */
export function cardRegisters(preferred: PreferredMode, first = false): RegisterDescription[] {
  const block = edid(preferred);
  const words = new DataView(block.buffer);
  return [
    ...fixed.map((description) =>
      first && (description.offset === Register.VERSION || description.offset === Register.CAPS)
        ? { ...description, reset: 0n }
        : description,
    ),
    ...Array.from(
      { length: 32 },
      (_, word): RegisterDescription => ({
        name: `EDID${word * 4}`,
        title: `EDID, bytes ${word * 4} to ${word * 4 + 3}`,
        offset: Register.EDID + word * 4,
        width: 4,
        reset: BigInt(words.getUint32(word * 4, true)),
        writable: 0n,
        specification: 'VESA E-EDID 1.4, 3',
      }),
    ),
    ...Array.from(
      { length: 256 },
      (_, entry): RegisterDescription => ({
        name: `PALETTE${entry}`,
        title: `Colour ${entry} of PALETTE8`,
        offset: Register.PALETTE + entry * 4,
        width: 4,
        reset: BigInt(entry * 0x01_01_01),
        writable: 0xff_ffffn,
        fields: [
          { name: 'BLUE', lsb: 0, width: 8 },
          { name: 'GREEN', lsb: 8, width: 8 },
          { name: 'RED', lsb: 16, width: 8 },
        ],
      }),
    ),
  ];
}
