import * as v from 'valibot';
import { accessWidth, actor, barIndex, byteOffset, deviceId, hexValue } from './schemas.ts';

export const registerCalls = {
  'registers.read': v.strictObject({
    device: deviceId,
    bar: barIndex,
    offset: byteOffset,
    width: accessWidth,
    as: actor,
  }),
  'registers.write': v.strictObject({
    device: deviceId,
    bar: barIndex,
    offset: byteOffset,
    width: accessWidth,
    value: hexValue,
    as: actor,
  }),
  /** BAR memory as the driver would read it; the bytes come with the answer. At most 64 KiB a call. */
  'bars.read': v.strictObject({
    device: deviceId,
    bar: barIndex,
    offset: byteOffset,
    length: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65536, 'at most 65536 bytes a call')),
  }),
} as const;

export interface RegisterResults {
  'registers.read': { readonly value: string };
  'registers.write': Record<string, never>;
  'bars.read': { readonly offset: number };
}
