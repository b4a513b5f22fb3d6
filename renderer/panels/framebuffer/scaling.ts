export const scalings = [
  { id: 'smooth', title: 'Fit, smooth' },
  { id: 'integer', title: 'Fit, whole pixels' },
  { id: '1', title: '100 %' },
  { id: '2', title: '200 %' },
  { id: '3', title: '300 %' },
] as const;
export type Scaling = (typeof scalings)[number]['id'];

export interface Placement {
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
  /** Each pixel of the picture is a square of whole pixels of the screen. */
  readonly sharp: boolean;
}

/** Size of a picture in a room of `roomWidth` by `roomHeight` CSS pixels, on a screen of that density. */
export function place(
  scaling: Scaling,
  width: number,
  height: number,
  roomWidth: number,
  roomHeight: number,
  density: number,
): Placement {
  const fit = Math.min((roomWidth * density) / width, (roomHeight * density) / height);
  const whole = scaling === 'integer' ? Math.floor(fit) : scaling === 'smooth' ? 0 : Number(scaling);
  // A room too small for whole pixels still shows the whole picture.
  const factor = whole >= 1 ? whole : Math.max(fit, 1 / Math.max(width, height));
  return {
    width: (width * factor) / density,
    height: (height * factor) / density,
    sharp: whole >= 1,
  };
}
