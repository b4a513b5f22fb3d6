/** Plots over the whole trace: how busy it was by time, and what is where by row. Drawn on canvas from one answer each. */
import { OVERVIEW_CLASSES, OVERVIEW_FIELDS } from '#contract/trace.ts';
import { client } from '#renderer/state/lab.ts';
import { token } from '#renderer/theme/theme.ts';

export interface Overview {
  readonly from: number;
  readonly to: number;
  readonly buckets: number;
  readonly floats: Float32Array;
}

export async function askOverview(by: 'time' | 'row', buckets: number): Promise<Overview> {
  const { result, bytes } = await client.ask('trace.overview', { by, buckets });
  const copy = new Uint8Array(bytes ?? new Uint8Array(buckets * OVERVIEW_FIELDS * 4)).slice();
  return { ...result, buckets, floats: new Float32Array(copy.buffer) };
}

export const EXPERT_FIELD = OVERVIEW_CLASSES.length;
const HIGH = OVERVIEW_FIELDS - 1;

const COLOR_TOKENS = ['--read', '--write', '--config', '--irq', '--dma', '--note'];

export interface PlotColors {
  readonly classes: readonly string[];
  readonly line: string;
  readonly text: string;
  readonly error: string;
  readonly mark: string;
}

export function plotColors(): PlotColors {
  return {
    classes: COLOR_TOKENS.map(token),
    line: token('--line-strong'),
    text: token('--text-2'),
    error: token('--error'),
    mark: token('--text'),
  };
}

/** A canvas as many pixels as the screen has, ready to draw in its own units. */
export function prepare(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D | undefined {
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext?.('2d');
  if (context === null || context === undefined) return undefined;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Greatest rate of the plot, rounded up to 1, 2 or 5 times a power of ten. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 5]) if (value <= step * power) return step * power;
  return 10 * power;
}

/** Rows a second in each bucket, as a stack of classes under the line of the greatest rate. */
export function drawRate(
  context: CanvasRenderingContext2D,
  overview: Overview,
  width: number,
  height: number,
  colors: PlotColors,
): number {
  const { floats, buckets } = overview;
  const seconds = (overview.to - overview.from) / buckets / 1e9;
  if (!(seconds > 0)) return 0;
  const classes = OVERVIEW_CLASSES.length;
  let most = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    let rows = 0;
    for (let at = 0; at < classes; at++) rows += floats[bucket * OVERVIEW_FIELDS + at]!;
    most = Math.max(most, rows / seconds);
  }
  const top = niceCeiling(most);
  const step = width / buckets;
  const base = height - 3;
  const scale = (base - 2) / top / seconds;
  for (let bucket = 0; bucket < buckets; bucket++) {
    let y = base;
    const x = bucket * step;
    for (let at = 0; at < classes; at++) {
      const tall = floats[bucket * OVERVIEW_FIELDS + at]! * scale;
      if (tall <= 0) continue;
      context.fillStyle = colors.classes[at]!;
      context.fillRect(x, y - tall, Math.max(step - 0.25, 0.75), tall);
      y -= tall;
    }
    if (floats[bucket * OVERVIEW_FIELDS + EXPERT_FIELD]! > 0) {
      context.fillStyle = colors.error;
      context.fillRect(x, base, Math.max(step, 2), 3);
    }
  }
  // Bursts shorter than a bucket: the greatest rate of any part of it.
  context.beginPath();
  context.strokeStyle = colors.line;
  context.lineWidth = 1;
  for (let bucket = 0; bucket < buckets; bucket++) {
    const rate = Math.min(floats[bucket * OVERVIEW_FIELDS + HIGH]!, top);
    const y = base - (rate / top) * (base - 2);
    if (bucket === 0) context.moveTo(0, y);
    else context.lineTo((bucket + 0.5) * step, y);
  }
  context.stroke();
  return top;
}

/** What each part of the rows is made of, from left to right, and where expert notes are. */
export function drawMinimap(
  context: CanvasRenderingContext2D,
  overview: Overview,
  width: number,
  height: number,
  colors: PlotColors,
): void {
  const { floats, buckets } = overview;
  const classes = OVERVIEW_CLASSES.length;
  const step = height / buckets;
  const room = width - 4;
  for (let bucket = 0; bucket < buckets; bucket++) {
    const at = bucket * OVERVIEW_FIELDS;
    let rows = 0;
    for (let one = 0; one < classes; one++) rows += floats[at + one]!;
    if (rows === 0) continue;
    let x = 0;
    for (let one = 0; one < classes; one++) {
      const wide = (floats[at + one]! / rows) * room;
      if (wide <= 0) continue;
      context.fillStyle = colors.classes[one]!;
      context.fillRect(x, bucket * step, wide, Math.max(step, 1));
      x += wide;
    }
    if (floats[at + EXPERT_FIELD]! >= 0.5) {
      context.fillStyle = colors.error;
      context.fillRect(width - 3, bucket * step, 3, Math.max(step, 2));
    }
  }
}
