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
