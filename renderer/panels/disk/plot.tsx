import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import { useStore } from 'zustand';
import 'uplot/dist/uPlot.min.css';
import type { Live } from '#renderer/state/live.ts';
import { settings } from '#renderer/state/settings.ts';
import { pixels, token } from '#renderer/theme/theme.ts';
import { useLiveDraw } from '#renderer/ui/parts.tsx';
import { SHOWN_SECONDS, secondsShown } from './figures.ts';

export interface PlotLine {
  readonly label: string;
  /** Of a token, such as `--read`. */
  readonly color: string;
  readonly dash?: readonly number[];
}

const POWERS_OF_TWO = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** Two lines over the last minute. */
export function Plot(props: {
  label: string;
  live: Live<unknown>;
  lines: readonly PlotLine[];
  /** Seconds, then one column a line. */
  data: () => readonly number[][];
  value: (value: number) => string;
  /** Labels at powers of two, as bytes are counted. */
  binary?: boolean;
}) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const theme = useStore(settings, (state) => state.theme);
  const density = useStore(settings, (state) => state.density);
  // biome-ignore lint/correctness/useExhaustiveDependencies: colours and sizes are read when it is made
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const font = `${pixels('--size-small', 11)}px ${token('--font-mono')}`;
    const axis = {
      stroke: token('--text-2'),
      font,
      grid: { stroke: token('--line'), width: 1 },
      ticks: { stroke: token('--line'), width: 1, size: 4 },
    };
    const { lines } = latest.current;
    const made = new uPlot(
      {
        width: Math.max(120, element.clientWidth),
        height: Math.max(80, element.clientHeight),
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: (_, __, max) => [max - SHOWN_SECONDS, max] },
          y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] },
        },
        axes: [
          {
            ...axis,
            size: 20,
            splits: (self, _axis, _min, max) => secondsShown(max, self.width),
            values: (self, splits) => splits.map((at) => `${Math.round(at - (self.scales.x!.max ?? at))} s`),
          },
          {
            ...axis,
            size: 74,
            ...(latest.current.binary === true ? { incrs: POWERS_OF_TWO } : {}),
            values: (_, splits) => splits.map((at) => latest.current.value(at)),
          },
        ],
        series: [
          {},
          ...lines.map(({ label, color, dash }) => ({
            label,
            stroke: token(color),
            width: 1.5,
            points: { show: false },
            ...(dash === undefined ? {} : { dash: [...dash] }),
          })),
        ],
      },
      latest.current.data().map((column) => [...column]) as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: Math.max(120, element.clientWidth), height: Math.max(80, element.clientHeight) }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [theme, density]);
  useLiveDraw(props.live, () => {
    const columns = latest.current.data();
    if (columns[0]!.length > 0) plot.current?.setData(columns as uPlot.AlignedData);
  });
  return (
    <figure className="disk-plot" aria-label={props.label}>
      <figcaption className="small">
        <span className="grow">{props.label}</span>
        {props.lines.map(({ label, color, dash }) => (
          <span key={label} style={{ color: `var(${color})` }}>
            {dash === undefined ? '—' : '┄'} {label}
          </span>
        ))}
      </figcaption>
      <div ref={host} className="disk-plot-area" aria-hidden />
    </figure>
  );
}
