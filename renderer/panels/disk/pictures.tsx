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

/** The disk as a grid, its first block at the top left; what was touched is coloured. */
export function HeatMap({ live }: { live: Shown }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const words = useRef<HTMLSpanElement>(null);
  useStore(settings, (state) => state.theme);
  useLiveDraw(live, (state) => {
    if (state === undefined || canvas.current === null) return;
    const area = prepare(canvas.current);
    if (area === undefined) return;
    const { context, width, height } = area;
    const { reads, writes } = state.heat;
    const rows = Math.ceil(reads.length / COLUMNS);
    const [cellWidth, cellHeight] = [width / COLUMNS, height / rows];
    const [read, write, line] = [token('--read'), token('--write'), token('--raised')];
    const most = Math.max(1, ...reads, ...writes);
    for (let cell = 0; cell < reads.length; cell++) {
      const x = (cell % COLUMNS) * cellWidth;
      const y = Math.floor(cell / COLUMNS) * cellHeight;
      const [w, h] = [cellWidth - 1, cellHeight - 1];
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
    if (words.current !== null) {
      const touched = reads.filter((n, at) => n + writes[at]! > 0).length;
      setText(
        words.current,
        `${count(touched)} of ${count(reads.length)} parts touched, ${size(state.namespace.bytes / reads.length)} each`,
      );
    }
  });
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
        aria-label="Heat map of the blocks"
        onPointerMove={(event) => {
          const state = live.get();
          const box = event.currentTarget.getBoundingClientRect();
          if (state === undefined) return;
          const cells = state.heat.reads.length;
          const row = Math.floor(((event.clientY - box.top) / box.height) * Math.ceil(cells / COLUMNS));
          const cell = row * COLUMNS + Math.floor(((event.clientX - box.left) / box.width) * COLUMNS);
          const per = state.namespace.blocks / cells;
          event.currentTarget.title = `Blocks ${count(cell * per)} to ${count((cell + 1) * per - 1)}\n${count(state.heat.reads[cell] ?? 0)} reads, ${count(state.heat.writes[cell] ?? 0)} writes`;
        }}
      />
    </figure>
  );
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
    const colors = [token('--read'), token('--write'), token('--text-2')];
    for (let at = begin; at < end; at++) {
      let y = base;
      for (const [kind, counts] of [latency.reads, latency.writes, latency.others].entries()) {
        const part = (counts[at]! / most) * (base - 4);
        context.fillStyle = colors[kind]!;
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
        <span style={{ color: 'var(--read)' }}>read</span>
        <span style={{ color: 'var(--write)' }}>write</span>
        <span className="dim">other</span>
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
