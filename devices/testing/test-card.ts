/** The picture that the initiator shows while it has nothing else to show: bars, a grey ramp, a frame. */
export const TEST_CARD_WIDTH = 640;
export const TEST_CARD_HEIGHT = 480;

export type Rgb = readonly [red: number, green: number, blue: number];

export const BAR_WIDTH = 80;
export const BAR_HEIGHT = 320;
export const RAMP_HEIGHT = 80;
export const bars: readonly Rgb[] = [
  [191, 191, 191],
  [191, 191, 0],
  [0, 191, 191],
  [0, 191, 0],
  [191, 0, 191],
  [191, 0, 0],
  [0, 0, 191],
  [0, 0, 0],
];
export const GROUND: Rgb = [16, 20, 24];
export const FRAME: Rgb = [255, 255, 255];

export function rampAt(x: number): number {
  return Math.floor((x * 256) / TEST_CARD_WIDTH);
}

/** What every pixel of it must be. */
export function testCardPixel(x: number, y: number): Rgb {
  if (x === 0 || y === 0 || x === TEST_CARD_WIDTH - 1 || y === TEST_CARD_HEIGHT - 1) return FRAME;
  if (y < BAR_HEIGHT) return bars[Math.floor(x / BAR_WIDTH)]!;
  if (y < BAR_HEIGHT + RAMP_HEIGHT) return [rampAt(x), rampAt(x), rampAt(x)];
  return GROUND;
}
