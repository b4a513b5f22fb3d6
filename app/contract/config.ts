import * as v from 'valibot';
import { actor, byteOffset, configWidth, deviceId, hexValue, writeMask } from './schemas.ts';

/** One node of the decoded configuration space. */
export interface ConfigNode {
  /** Specification name, such as `Vendor ID` or `MSI-X Capability`. */
  readonly name: string;
  /** Bytes from the start of configuration space; bit fields repeat their register's offset. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** Hexadecimal value of a register or field; absent for a group. */
  readonly value?: string;
  /** Meaning of the value in words. */
  readonly text?: string;
  /** For a bit field: lowest bit and width in its register. */
  readonly lsb?: number;
  readonly bits?: number;
  readonly description?: string;
  /** Bits that the specification keeps for later. */
  readonly reserved?: boolean;
  readonly children?: readonly ConfigNode[];
}

/** Who wrote a byte last; one byte each, after the 4096 bytes themselves. */
export const ConfigWriter = { powerOn: 0, device: 1, driver: 2, you: 3 } as const;

/** Bytes that one writer wrote last, at one time. */
export interface ConfigWritten {
  readonly offset: number;
  readonly length: number;
  readonly writer: number;
  /** ns since the lab's start. */
  readonly time: number;
}

/** A function found in `lspci -xxxx` text. */
export interface ConfigDump {
  readonly address: string;
  readonly title: string;
  /** 64, 256 or 4096 bytes. */
  readonly size: number;
  /** Sizes of BARs in bytes, where the text of `-v` tells them; 0 where not. */
  readonly barSizes: readonly number[];
}

/** Longest text that `config.parse` takes, in characters: some 70 functions of 4096 bytes. */
export const MAX_DUMP_TEXT = 960_000;

const configBytes = v.pipe(
  v.string(),
  v.maxLength(8192, 'configuration space has at most 4096 bytes'),
  v.regex(/^([0-9a-f]{2})+$/i, 'bytes are pairs of hexadecimal digits, without spaces'),
);

export const configCalls = {
  /** The bytes come with the answer: `size` bytes of config space, then `size` bytes of {@link ConfigWriter}. */
  'config.read': v.strictObject({ device: deviceId }),
  /** With a mask, a driver's write clears no bit outside it: what is cleared by writing 1 is written as 0. */
  'config.write': v.strictObject({
    device: deviceId,
    offset: byteOffset,
    width: configWidth,
    value: hexValue,
    mask: writeMask,
    as: actor,
  }),
  /** Which bits a driver's write changes (`size` bytes) and which it clears by writing 1 (`size` bytes), in the bytes. */
  'config.access': v.strictObject({ device: deviceId }),
  /** The bytes as the device was powered on with them. */
  'config.powerOn': v.strictObject({ device: deviceId }),
  /** The bytes as of a time, such as a trace row's, with what happened at that time; refused where it is too long ago. */
  'config.at': v.strictObject({
    device: deviceId,
    time: v.pipe(v.number('a time is a number of ns since the start of the lab'), v.finite()),
  }),
  /** Sets every byte as the device, those that differ only. */
  'config.load': v.strictObject({ device: deviceId, bytes: configBytes }),
  /** The functions in `lspci -xxxx` text; their bytes come along, one after another. An error names the line. */
  'config.parse': v.strictObject({
    text: v.pipe(v.string(), v.maxLength(MAX_DUMP_TEXT, `at most ${MAX_DUMP_TEXT} characters of text`)),
  }),
  /** The tree of bytes that are no device's. */
  'config.decode': v.strictObject({ bytes: configBytes }),
  /** `lspci -xxxx` text that `lspci -F file -vvv` reads. */
  'config.export': v.strictObject({ device: deviceId }),
} as const;

export interface ConfigResults {
  'config.read': {
    readonly size: number;
    readonly tree: readonly ConfigNode[];
    readonly written: readonly ConfigWritten[];
  };
  'config.access': { readonly size: number };
  'config.powerOn': { readonly size: number };
  'config.at': { readonly size: number };
  'config.load': { readonly changed: number };
  'config.parse': { readonly functions: readonly ConfigDump[] };
  'config.decode': { readonly tree: readonly ConfigNode[] };
  /** `value`: what reads back; it differs from what was written where bits are read-only. */
  'config.write': { readonly value: string };
  'config.export': { readonly text: string };
}
