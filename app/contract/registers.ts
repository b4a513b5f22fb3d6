import * as v from 'valibot';
import { accessWidth, actor, barIndex, byteOffset, deviceId, hexValue, writeMask } from './schemas.ts';

const bits = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(64));
const field = v.strictObject({
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  lsb: bits,
  width: v.pipe(bits, v.minValue(1)),
  description: v.optional(v.pipe(v.string(), v.maxLength(2000))),
  values: v.optional(v.record(v.string(), v.pipe(v.string(), v.maxLength(200)))),
});
const register = v.strictObject({
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  title: v.pipe(v.string(), v.maxLength(2000)),
  offset: byteOffset,
  width: accessWidth,
  reset: hexValue,
  writable: hexValue,
  writeOneToClear: hexValue,
  selfClearing: v.optional(hexValue),
  fields: v.pipe(v.array(field), v.maxLength(64)),
  specification: v.optional(v.pipe(v.string(), v.maxLength(200))),
});

export const registerCalls = {
  /** Names for the registers of a BAR, for every window and for the trace; instead of those that it had. */
  'registers.describe': v.strictObject({
    device: deviceId,
    bar: barIndex,
    registers: v.pipe(v.array(register), v.maxLength(4096, 'at most 4096 registers a BAR')),
  }),
  'registers.read': v.strictObject({
    device: deviceId,
    bar: barIndex,
    offset: byteOffset,
    width: accessWidth,
    as: actor,
  }),
  /** With a mask, a driver's write clears no bit outside it: what is cleared by writing 1 is written as 0. */
  'registers.write': v.strictObject({
    device: deviceId,
    bar: barIndex,
    offset: byteOffset,
    width: accessWidth,
    value: hexValue,
    mask: writeMask,
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
  'registers.describe': Record<string, never>;
  'registers.read': { readonly value: string };
  'registers.write': Record<string, never>;
  'bars.read': { readonly offset: number };
}
