import * as v from 'valibot';
import { actor, byteOffset, configWidth, deviceId, hexValue } from './schemas.ts';

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
  readonly children?: readonly ConfigNode[];
}

/** Who wrote a byte last; one byte each, after the 4096 bytes themselves. */
export const ConfigWriter = { powerOn: 0, device: 1, driver: 2, you: 3 } as const;

export const configCalls = {
  /** The bytes come with the answer: `size` bytes of config space, then `size` bytes of {@link ConfigWriter}. */
  'config.read': v.strictObject({ device: deviceId }),
  'config.write': v.strictObject({
    device: deviceId,
    offset: byteOffset,
    width: configWidth,
    value: hexValue,
    as: actor,
  }),
  /** `lspci -xxxx` text that `lspci -F file -vvv` reads. */
  'config.export': v.strictObject({ device: deviceId }),
} as const;

export interface ConfigResults {
  'config.read': { readonly size: number; readonly tree: readonly ConfigNode[] };
  /** `value`: what reads back; it differs from what was written where bits are read-only. */
  'config.write': { readonly value: string };
  'config.export': { readonly text: string };
}
