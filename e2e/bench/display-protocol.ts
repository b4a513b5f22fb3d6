/** What the picture bench asks of whatever plays the driver of the card. */

export type DriverOrder =
  | { readonly order: 'begin'; readonly width: number; readonly height: number; readonly small: boolean }
  /** memcpy() of as many bytes as a picture changes. */
  | { readonly order: 'copy'; readonly count: number }
  /** Pictures, each once the card has read the one before; at most `rate` a second, 0: as fast as it goes. */
  | { readonly order: 'draw'; readonly count: number; readonly rate: number };

export interface DriverAnswer {
  /** ms on the scale of performance.timeOrigin. */
  readonly start: number;
  readonly seconds: number;
}

/** A square, what changes in a picture of which little does; protopciem_draw.c has the same. */
export const SMALL = { x: 128, y: 64, size: 64 } as const;

/**
 * What the bench draws, as a game does: 128 colours that nothing orders, every pixel twice as wide and as high. Each differs
 * in pictures 0 and 1; protopciem_draw.c draws the same.
 */
export function gamePixel(x: number, y: number, picture: number): number {
  const texture = Math.imul(((x >> 1) + Math.imul(y >> 1, 4099)) | 1, 0x9e3779b1) >>> 25;
  return (texture ^ (picture === 0 ? 0 : 0xff)) * 0x01_0101;
}
