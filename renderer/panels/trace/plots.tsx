/** The rate plot above the rows and the minimap beside them: the whole trace at a glance, and a way to any place of it. */
import { useEffect, useLayoutEffect, useRef } from 'react';
import { useStore } from 'zustand';
import { cancelFrame, onNextFrame } from '#renderer/frame/scheduler.ts';
import { Live } from '#renderer/state/live.ts';
import { settings } from '#renderer/state/settings.ts';
import { count, duration, instant } from '#renderer/ui/format.ts';
import { usePolling } from '#renderer/ui/parts.tsx';
import { trace, traceCount } from './model.ts';
import {
  askOverview,
  drawMinimap,
  drawRate,
  type Overview,
  type PlotColors,
  plotColors,
  prepare,
} from './overview.ts';

/** What of the whole trace the rows in view are: rows of the trace, and times. */
export interface InView {
  readonly firstRow: number;
  readonly lastRow: number;
  readonly firstTime: number;
  readonly lastTime: number;
}
export const inView = new Live<InView>({ firstRow: 0, lastRow: 0, firstTime: 0, lastTime: 0 });

/** ms between looks at the store: the plot is for the eye. */
const INTERVAL = 250;
const PLOT_HEIGHT = 44;
const MINIMAP_WIDTH = 18;
const FRAME_SIZE = 100;

type Draw = (
  context: CanvasRenderingContext2D,
  overview: Overview,
  width: number,
  height: number,
  colors: PlotColors,
) => void;

interface Plot {
  readonly canvas: React.RefObject<HTMLCanvasElement | null>;
  /** The frame around what is in view; moving it paints nothing anew. */
  readonly frame: React.RefObject<HTMLDivElement | null>;
  readonly overview: React.RefObject<Overview | undefined>;
}

/** A canvas that is drawn from an overview, anew when that, the theme or the size changes. */
function usePlot(by: 'time' | 'row', draw: Draw): Plot {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const overview = useRef<Overview | undefined>(undefined);
  const colors = useRef<PlotColors | undefined>(undefined);
  const asked = useRef(-1);
  /** Measured when it changes: asking in every frame would cost a layout each. */
  const size = useRef({ width: 0, height: 0 });
  const theme = useStore(settings, (state) => state.theme);
  const latest = useRef(draw);
  latest.current = draw;
  const mark = useRef(() => {
    const of = overview.current;
    const box = frame.current;
    if (of === undefined || box === null || of.to <= of.from) return;
    const { firstRow, lastRow, firstTime, lastTime } = inView.get();
    const [first, last] = by === 'time' ? [firstTime, lastTime] : [firstRow, lastRow];
    const length = by === 'time' ? size.current.width : size.current.height;
    const part = (at: number) => Math.max(0, Math.min(1, (at - of.from) / (of.to - of.from)));
    const long = Math.max((part(last) - part(first)) * length, 4);
    const place = Math.min(part(first) * length, length - long);
    // A frame of a fixed size, scaled: neither its place nor its size makes a layout.
    box.style.transform =
      by === 'time'
        ? `translateX(${place}px) scaleX(${long / FRAME_SIZE})`
        : `translateY(${place}px) scaleY(${long / FRAME_SIZE})`;
  });
  const task = useRef(() => {
    const element = canvas.current;
    const { width, height } = size.current;
    if (element === null || overview.current === undefined || width === 0 || height === 0) return;
    const context = prepare(element, width, height);
    if (context === undefined) return;
    colors.current ??= plotColors();
    latest.current(context, overview.current, width, height, colors.current);
    mark.current();
  });
  useLayoutEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const measure = () => {
      size.current = { width: element.clientWidth, height: element.clientHeight };
      asked.current = -1;
      onNextFrame(task.current);
    };
    measure();
    if (typeof ResizeObserver === 'undefined') return;
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: colours follow the theme
  useEffect(() => {
    colors.current = undefined;
    onNextFrame(task.current);
  }, [theme]);
  useEffect(() => {
    const [draw, move] = [task.current, mark.current];
    const stops = [
      inView.subscribe(() => onNextFrame(move)),
      trace.subscribe((now, before) => {
        if (now.bookmarks !== before.bookmarks) onNextFrame(draw);
      }),
    ];
    return () => {
      for (const stop of stops) stop();
      cancelFrame(draw);
      cancelFrame(move);
    };
  }, []);
  usePolling(async () => {
    const { total } = traceCount.get();
    const length = by === 'time' ? size.current.width : size.current.height;
    if (length === 0 || total === asked.current) return;
    asked.current = total;
    overview.current = await askOverview(by, bucketsFor(length));
    onNextFrame(task.current);
  }, INTERVAL);
  return { canvas, frame, overview };
}

const bucketsFor = (length: number) => Math.max(16, Math.min(1024, Math.floor(length / 2)));

export function RatePlot({ goToTime }: { goToTime(time: number): void }) {
  const label = useRef<HTMLSpanElement>(null);
  const { canvas, frame, overview } = usePlot('time', (context, from, width, height, colors) => {
    const top = drawRate(context, from, width, height, colors);
    const span = from.to - from.from;
    if (span <= 0) return;
    const place = (time: number) => ((time - from.from) / span) * width;
    context.fillStyle = colors.mark;
    for (const { time } of trace.getState().bookmarks.values()) context.fillRect(place(time), 0, 1, height);
    if (label.current !== null)
      label.current.textContent = `up to ${count(top)} rows/s over ${duration(span)}`;
  });
  const at = (clientX: number): number | undefined => {
    const box = canvas.current?.getBoundingClientRect();
    const of = overview.current;
    if (box === undefined || of === undefined || box.width === 0) return undefined;
    const part = Math.max(0, Math.min(1, (clientX - box.left) / box.width));
    return of.from + part * (of.to - of.from);
  };
  const go = (time: number | undefined) => {
    if (time !== undefined) goToTime(time);
  };
  return (
    <div className="rate-plot" style={{ height: PLOT_HEIGHT }}>
      <canvas
        ref={canvas}
        data-testid="trace-plot"
        role="slider"
        tabIndex={0}
        aria-label="Time in the whole trace"
        aria-valuenow={0}
        aria-valuetext="Arrow keys move through the trace"
        onFocus={(event) =>
          event.currentTarget.setAttribute('aria-valuetext', instant(inView.get().firstTime))
        }
        onKeyDown={(event) => {
          const of = overview.current;
          if (of === undefined) return;
          const step = (of.to - of.from) / (event.shiftKey ? 10 : 100);
          const now = inView.get().firstTime;
          const to: number | undefined = {
            ArrowLeft: now - step,
            ArrowRight: now + step,
            Home: of.from,
            End: of.to,
          }[event.key];
          if (to === undefined) return;
          event.preventDefault();
          const time = Math.max(of.from, Math.min(of.to, to));
          event.currentTarget.setAttribute('aria-valuetext', instant(time));
          go(time);
        }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          go(at(event.clientX));
        }}
        onPointerMove={(event) => {
          const time = at(event.clientX);
          if (time !== undefined) event.currentTarget.title = instant(time);
          if (event.buttons === 1) go(time);
        }}
      />
      <div ref={frame} className="plot-frame" style={{ width: FRAME_SIZE }} />
      <span ref={label} className="rate-plot-label dim small" />
    </div>
  );
}

export function Minimap({ goToRow }: { goToRow(row: number): void }) {
  const { canvas, frame, overview } = usePlot('row', (context, from, width, height, colors) => {
    drawMinimap(context, from, width, height, colors);
    const span = from.to - from.from;
    if (span <= 0) return;
    const place = (row: number) => ((row - from.from) / span) * height;
    context.fillStyle = colors.mark;
    for (const row of trace.getState().bookmarks.keys()) context.fillRect(0, place(row), width, 1);
  });
  const go = (clientY: number) => {
    const box = canvas.current?.getBoundingClientRect();
    const of = overview.current;
    if (box === undefined || of === undefined || box.height === 0) return;
    const part = Math.max(0, Math.min(1, (clientY - box.top) / box.height));
    goToRow(Math.floor(of.from + part * (of.to - of.from - 1)));
  };
  return (
    <div className="minimap" style={{ width: MINIMAP_WIDTH }}>
      <canvas
        ref={canvas}
        data-testid="trace-minimap"
        // The keyboard goes through the rows themselves, and through the plot.
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          go(event.clientY);
        }}
        onPointerMove={(event) => {
          if (event.buttons === 1) go(event.clientY);
        }}
      />
      <div ref={frame} className="plot-frame" style={{ height: FRAME_SIZE }} />
    </div>
  );
}
