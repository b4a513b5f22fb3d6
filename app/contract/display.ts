import * as v from 'valibot';
import { deviceId } from './schemas.ts';

export const displayCalls = {
  /**
   * Which device's picture this window shows, of those whose description has a `display`; 0: none. The stream `display`
   * then begins with the whole picture.
   */
  'display.watch': v.strictObject({ device: v.union([v.literal(0), deviceId]) }),
} as const;

export interface DisplayResults {
  'display.watch': Record<string, never>;
}

/** x, y, width and height in pixels. */
export type DisplayPart = readonly [x: number, y: number, width: number, height: number];

export interface DisplayUpdate {
  readonly device: number;
  /** Of the whole picture; where it changes, the parts are all of it. */
  readonly width: number;
  readonly height: number;
  /** Pictures that the device has finished since power-on. */
  readonly frame: number;
  /** What changed since the last update. Their pixels come along: row by row, red, green, blue, 255. */
  readonly parts: readonly DisplayPart[];
}

export interface DisplayStreams {
  /** Only when something changed and the last was acknowledged. */
  display: DisplayUpdate;
}
