import * as v from 'valibot';
import { deviceId } from './schemas.ts';

export const displayCalls = {
  /**
   * Which device's picture this window shows, of those whose description has a `display`; 0: none. The stream `display`
   * then begins with the whole picture. `packed`: its parts may come as `packing.ts` makes them. `shared`: whoever asks
   * has the memory that this lab shares with another machine; where the picture lies there, the answer says so, and the
   * stream does not begin.
   */
  'display.watch': v.strictObject({
    device: v.union([v.literal(0), deviceId]),
    packed: v.optional(v.boolean(), false),
    shared: v.optional(v.boolean(), false),
  }),
} as const;

/** Where a picture lies in shared memory, in bytes, and the largest one that can be there. */
export interface DisplayPlace {
  readonly offset: number;
  readonly maxWidth: number;
  readonly maxHeight: number;
  readonly maxPitch?: number;
}

export interface DisplayResults {
  'display.watch': { readonly memory?: DisplayPlace };
}

/** x, y, width and height in pixels. */
export type DisplayPart = readonly [x: number, y: number, width: number, height: number];

export type DisplayFormat = 'RGB24' | 'XRGB8888' | 'RGB565' | 'PALETTE8';

/** Shown above the picture; the place of its corner may be outside. */
export interface DisplayCursor {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * What changed since the last update. Bytes come along, each piece at the next multiple of four: 256 colours of the
 * palette, red, green, blue, 255, where `palette` is true; the cursor's image, ARGB8888 and premultiplied, where `image`
 * is; the pixels of each part, row by row, as the adapter has them.
 */
export interface DisplayUpdate {
  readonly device: number;
  /** Of the whole picture; where it or the format changes, the parts are all of it. */
  readonly width: number;
  readonly height: number;
  readonly format: DisplayFormat;
  /** Pictures that the device has finished since power-on. */
  readonly frame: number;
  readonly parts: readonly DisplayPart[];
  /** Of each part, how many bytes it has packed; 0: its pixels are as they are. Absent: so are those of all. */
  readonly packed?: readonly number[];
  readonly palette: boolean;
  /** Absent: none is shown. */
  readonly cursor?: DisplayCursor;
  readonly image: boolean;
}

export interface DisplayStreams {
  /** Only when something changed, and at most two that are not acknowledged. */
  display: DisplayUpdate;
}
