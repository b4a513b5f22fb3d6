import * as v from 'valibot';

/** Shared pieces of call parameters. */
export const deviceId = v.pipe(
  v.number('a device id is a number'),
  v.integer(),
  v.minValue(1),
  v.maxValue(255),
);
export const barIndex = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.maxValue(5, 'a BAR index is 0 to 5'),
);
export const byteOffset = v.pipe(
  v.number('an offset is a number of bytes'),
  v.safeInteger(),
  v.minValue(0, 'an offset is not negative'),
);
export const accessWidth = v.picklist([1, 2, 4, 8], 'an access is 1, 2, 4 or 8 bytes wide');
export const configWidth = v.picklist([1, 2, 4], 'a configuration access is 1, 2 or 4 bytes wide');
/** `0x` and up to 16 hexadecimal digits. */
export const hexValue = v.pipe(
  v.string('a value is text such as "0x1f"'),
  v.regex(/^0x[0-9a-f]{1,16}$/i, 'a value is 0x and 1 to 16 hexadecimal digits'),
);
/** Which bits of a write count; the others keep what is there when it is made. */
export const writeMask = v.optional(hexValue);
/** Who an access is made as. */
export const actor = v.picklist(['device', 'driver'], 'an access is made as "device" or as "driver"');
export const busAddress = v.pipe(
  v.number('a bus address is a number'),
  v.safeInteger(),
  v.minValue(0),
  v.maxValue(2 ** 52 - 1, 'a bus address has at most 52 bits'),
);
export const nothing = v.strictObject({});
