import { useRef } from 'react';
import { useStore } from 'zustand';
import type { DiskState } from '#contract/disk.ts';
import type { Live } from '#renderer/state/live.ts';
import { settings } from '#renderer/state/settings.ts';
import { pixels, token } from '#renderer/theme/theme.ts';
import { el, setText } from '#renderer/ui/dom.ts';
import { count, duration, hex, bytes as size } from '#renderer/ui/format.ts';
import { useLiveDraw } from '#renderer/ui/parts.tsx';
import { bucketStart, heatStrength, percentile, ringPieces } from './figures.ts';

type Shown = Live<DiskState | undefined>;

/** A canvas in device pixels, cleared. */
function prepare(
  canvas: HTMLCanvasElement,
): { context: CanvasRenderingContext2D; width: number; height: number } | undefined {
  const context = canvas.getContext('2d');
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (context === null || width === 0 || height === 0) return undefined;
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

const COLUMNS = 64;

/** Which blocks a part of the disk has, and what was done to them. */
function cellText({ heat, namespace }: DiskState, cell: number): string {
  const per = namespace.blocks / heat.reads.length;
  const [reads, writes] = [heat.reads[cell] ?? 0, heat.writes[cell] ?? 0];
  const what = [
    reads === 1 ? '1 read' : `${count(reads)} reads`,
    writes === 1 ? '1 write' : `${count(writes)} writes`,
  ];
  return `Blocks ${count(Math.floor(cell * per))} to ${count(Math.ceil((cell + 1) * per) - 1)}: ${what.join(', ')}`;
}

/** The disk as a grid, its first block at the top left; what was touched is coloured. The arrow keys go through its parts. */
export function HeatMap({ live }: { live: Shown }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const words = useRef<HTMLSpanElement>(null);
  /** The part that the keyboard or the pointer is at; -1: none. */
  const at = useRef(-1);
  useStore(settings, (state) => state.theme);
  const draw = (state: DiskState | undefined): void => {
    if (state === undefined || canvas.current === null) return;
    const { reads, writes } = state.heat;
    tellCell(state);
    const area = prepare(canvas.current);
    if (area === undefined) return;
    const { context, width, height } = area;
    const rows = Math.ceil(reads.length / COLUMNS);
    const [cellWidth, cellHeight] = [width / COLUMNS, height / rows];
    const [read, write, line] = [token('--read'), token('--write'), token('--raised')];
    const most = Math.max(1, ...reads, ...writes);
    const [w, h] = [cellWidth - 1, cellHeight - 1];
    for (let cell = 0; cell < reads.length; cell++) {
      const x = (cell % COLUMNS) * cellWidth;
      const y = Math.floor(cell / COLUMNS) * cellHeight;
      context.globalAlpha = 1;
      context.fillStyle = line;
      context.fillRect(x, y, w, h);
      // Reads fill the upper half, writes the lower: told apart without colour.
      context.fillStyle = read;
      context.globalAlpha = heatStrength(reads[cell]!, most);
      context.fillRect(x, y, w, h / 2);
      context.fillStyle = write;
      context.globalAlpha = heatStrength(writes[cell]!, most);
      context.fillRect(x, y + h / 2, w, h / 2);
    }
    context.globalAlpha = 1;
    if (at.current >= 0) {
      context.strokeStyle = token('--text');
      context.lineWidth = 2;
      const x = (at.current % COLUMNS) * cellWidth;
      context.strokeRect(x, Math.floor(at.current / COLUMNS) * cellHeight, w, h);
    }
    if (words.current !== null) {
      const touched = reads.filter((n, cell) => n + writes[cell]! > 0).length;
      setText(
        words.current,
        at.current >= 0
          ? cellText(state, at.current)
          : `${count(touched)} of ${count(reads.length)} parts touched, ${size(state.namespace.bytes / reads.length)} each`,
      );
    }
  };
  /** For a screen reader, and for the pointer. */
  const tellCell = (state: DiskState): void => {
    const element = canvas.current!;
    const cell = Math.max(0, at.current);
    element.ariaValueNow = `${cell}`;
    element.ariaValueMax = `${state.heat.reads.length - 1}`;
    element.ariaValueText = cellText(state, cell);
  };
  const goTo = (cell: number): void => {
    const cells = live.get()?.heat.reads.length ?? 0;
    const to = cell < 0 ? -1 : Math.min(cell, cells - 1);
    if (to === at.current) return;
    at.current = to;
    draw(live.get());
  };
  useLiveDraw(live, draw);
  return (
    <figure className="disk-heat" aria-label="Heat map of the blocks">
      <figcaption className="small">
        <span className="grow">Blocks touched since this panel was opened</span>
        <span ref={words} className="dim" data-testid="disk-heat-words" />
        <span style={{ color: 'var(--read)' }}>▀ read</span>
        <span style={{ color: 'var(--write)' }}>▄ written</span>
      </figcaption>
      <canvas
        ref={canvas}
        data-testid="disk-heat"
        role="slider"
        aria-label="Heat map of the blocks: arrow keys go through the parts of the disk"
        aria-valuemin={0}
        aria-valuenow={0}
        aria-orientation="horizontal"
        tabIndex={0}
        onFocus={() => goTo(Math.max(0, at.current))}
        onBlur={() => goTo(-1)}
        onKeyDown={(event) => {
          const cells = live.get()?.heat.reads.length ?? 0;
          const steps: Readonly<Record<string, number>> = {
            ArrowLeft: at.current - 1,
            ArrowRight: at.current + 1,
            ArrowUp: at.current - COLUMNS,
            ArrowDown: at.current + COLUMNS,
            Home: 0,
            End: cells - 1,
          };
          const to = steps[event.key];
          if (to === undefined || event.ctrlKey || event.altKey) return;
          event.preventDefault();
          if (to >= 0 && to < cells) goTo(to);
        }}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const cells = live.get()?.heat.reads.length ?? 0;
          const row = Math.floor(((event.clientY - box.top) / box.height) * Math.ceil(cells / COLUMNS));
          goTo(row * COLUMNS + Math.floor(((event.clientX - box.left) / box.width) * COLUMNS));
        }}
        onPointerLeave={(event) => {
          if (document.activeElement !== event.currentTarget) goTo(-1);
        }}
      />
    </figure>
  );
}

/** What the bars of each kind of command are filled with: told apart without colour. */
const KINDS = [
  { label: 'read', sign: '■', color: '--read' },
  { label: 'write', sign: '▨', color: '--write' },
  { label: 'other', sign: '▤', color: '--text-2' },
] as const;

/** Full, hatched, or in lines. */
function filling(context: CanvasRenderingContext2D, kind: number, color: string): string | CanvasPattern {
  if (kind === 0) return color;
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const drawing = tile.getContext('2d')!;
  drawing.fillStyle = drawing.strokeStyle = color;
  drawing.globalAlpha = 0.3;
  drawing.fillRect(0, 0, 6, 6);
  drawing.globalAlpha = 1;
  drawing.lineWidth = 2;
  drawing.beginPath();
  if (kind === 1) {
    // Beyond the tile on both sides, so that tiles join.
    for (const x of [-6, 0, 6]) {
      drawing.moveTo(x - 1, 7);
      drawing.lineTo(x + 7, -1);
    }
  } else {
    drawing.moveTo(0, 2);
    drawing.lineTo(6, 2);
  }
  drawing.stroke();
  return context.createPattern(tile, 'repeat') ?? color;
}

/** How long commands took, from the doorbell to the completion. */
export function LatencyChart({ live }: { live: Shown }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const words = useRef<HTMLSpanElement>(null);
  useStore(settings, (state) => state.theme);
  useLiveDraw(live, (state) => {
    if (state === undefined || canvas.current === null) return;
    const { latency } = state;
    const all = latency.reads.map((n, at) => n + latency.writes[at]! + latency.others[at]!);
    if (words.current !== null) {
      const total = all.reduce((sum, n) => sum + n, 0);
      setText(
        words.current,
        total === 0
          ? 'no command yet'
          : `${count(total)} commands, half within ${duration(percentile(latency, all, 0.5))}, 99 % within ${duration(percentile(latency, all, 0.99))}`,
      );
    }
    const area = prepare(canvas.current);
    if (area === undefined) return;
    const { context, width, height } = area;
    const used = all.findLastIndex((n) => n > 0) + 1;
    const begin = Math.max(0, all.findIndex((n) => n > 0) - 4);
    const end = Math.min(all.length, Math.max(begin + 24, used + 4));
    const base = height - 16;
    const step = width / (end - begin);
    const most = Math.max(1, ...all);
    const fillings = KINDS.map(({ color }, kind) => filling(context, kind, token(color)));
    for (let at = begin; at < end; at++) {
      let y = base;
      for (const [kind, counts] of [latency.reads, latency.writes, latency.others].entries()) {
        const part = (counts[at]! / most) * (base - 4);
        context.fillStyle = fillings[kind]!;
        context.fillRect((at - begin) * step + 0.5, y - part, Math.max(1, step - 1), part);
        y -= part;
      }
    }
    context.fillStyle = token('--text-2');
    context.font = `${pixels('--size-small', 11)}px ${token('--font-mono')}`;
    const every = Math.max(1, Math.ceil((end - begin) / Math.max(1, Math.floor(width / 80))));
    for (let at = begin; at < end; at += every) {
      const label = duration(bucketStart(latency, at));
      const x = (at - begin) * step;
      if (x + context.measureText(label).width <= width) context.fillText(label, x, height - 4);
    }
  });
  return (
    <figure className="disk-latency" aria-label="Latency of commands">
      <figcaption className="small">
        <span className="grow">Latency, from the doorbell to the completion</span>
        <span ref={words} className="dim" data-testid="disk-latency-words" />
        {KINDS.map(({ label, sign, color }) => (
          <span key={label} style={{ color: `var(${color})` }}>
            {sign} {label}
          </span>
        ))}
      </figcaption>
      <canvas ref={canvas} data-testid="disk-latency" aria-label="Histogram of the latency" />
    </figure>
  );
}

function bar(host: HTMLElement, pieces: readonly (readonly [number, number])[], kind: string): void {
  for (const [from, to] of pieces) {
    const piece = el('span', `ring-piece ring-${kind}`);
    piece.style.left = `${from * 100}%`;
    piece.style.width = `max(2px, ${(to - from) * 100}%)`;
    host.append(piece);
  }
}

function mark(host: HTMLElement, at: number, size: number, text: string): void {
  const tick = el('span', 'ring-mark');
  tick.style.left = `${(at / size) * 100}%`;
  tick.title = text;
  host.append(tick);
}

/** Every queue as its ring, laid out straight. */
export function Queues({ live }: { live: Shown }) {
  const host = useRef<HTMLTableSectionElement>(null);
  const drawn = useRef('');
  useLiveDraw(live, (state) => {
    const body = host.current;
    if (state === undefined || body === null) return;
    const text = JSON.stringify([state.submissionQueues, state.completionQueues]);
    if (text === drawn.current) return;
    drawn.current = text;
    const rows = state.submissionQueues.map((sq) => {
      const cq = state.completionQueues.find(({ id }) => id === sq.completionQueue);
      const row = el('tr', '', { 'data-testid': 'disk-queue', 'data-queue': `${sq.id}` });
      const cells = Array.from({ length: 6 }, () => el('td'));
      setText(cells[0]!, sq.id === 0 ? 'Admin' : `I/O ${sq.id}`);
      const ring = el('div', 'ring', { 'data-ring': 'sq' });
      ring.title = `Submission queue ${sq.id} at ${hex(sq.base, 8)}: ${sq.size} entries, head ${sq.head}, tail ${sq.tail}`;
      bar(ring, ringPieces(sq.head, sq.tail, sq.size), 'waiting');
      const flying = (sq.head - Math.min(sq.inFlight, sq.size) + sq.size) % sq.size;
      if (sq.inFlight > 0) bar(ring, ringPieces(flying, sq.head, sq.size), 'flying');
      mark(ring, sq.head, sq.size, `head ${sq.head}`);
      cells[1]!.append(ring);
      setText(cells[2]!, `${sq.head}→${sq.tail} of ${sq.size}`);
      setText(cells[3]!, `${count(sq.inFlight)}`);
      const done = el('div', 'ring', { 'data-ring': 'cq' });
      if (cq !== undefined) {
        done.title = `Completion queue ${cq.id} at ${hex(cq.base, 8)}: ${cq.size} entries, ${cq.used} not taken yet, ${cq.interrupts ? `vector ${cq.vector}` : 'no interrupts'}`;
        bar(done, ringPieces(cq.head, cq.tail, cq.size), 'used');
        mark(done, cq.tail, cq.size, `tail ${cq.tail}`);
      }
      cells[4]!.append(done);
      setText(cells[5]!, count(sq.completed));
      for (const at of [2, 3, 5]) cells[at]!.className = 'mono';
      row.append(...cells);
      return row;
    });
    body.replaceChildren(...rows);
  });
  return (
    <table className="disk-queues" data-testid="disk-queues">
      <thead>
        <tr>
          <th scope="col">Queue</th>
          <th scope="col">Submissions</th>
          <th scope="col">Head→tail</th>
          <th scope="col">In flight</th>
          <th scope="col">Completions not taken</th>
          <th scope="col">Completed</th>
        </tr>
      </thead>
      <tbody ref={host} />
    </table>
  );
}
