import { cancelFrame, onNextFrame } from '#renderer/frame/scheduler.ts';
import { el } from '#renderer/ui/dom.ts';
import { preferences } from './preferences.ts';
import {
  type Column,
  type ColumnId,
  type ColumnWidths,
  clampWidth,
  columnName,
  MAX_WIDTH,
  MIN_WIDTH,
} from './row.ts';

/** px of one press of an arrow key, and with Shift. */
const STEP = 4;
const LONG_STEP = 32;

export interface ColumnEdgesOptions {
  /** px of the screen in one of a kept width. */
  scale(): number;
  /** Lays the columns out anew, by {@link ColumnEdges.widths}. */
  arrange(): void;
  /** px of the screen that the longest text in view takes. */
  needed(id: ColumnId): number;
  /** Where Escape leads. */
  leave(): void;
}

export function keepWidth(id: ColumnId, width: number | undefined): void {
  const { [id]: _, ...others } = preferences.getState().widths;
  preferences.setState({ widths: width === undefined ? others : { ...others, [id]: clampWidth(width) } });
}

/** Edges of the columns, by which they are made wider and narrower. While one is dragged, nothing is kept. */
export class ColumnEdges {
  readonly #options: ColumnEdgesOptions;
  readonly #edges = new Map<ColumnId, HTMLElement>();
  #dragged: { readonly id: ColumnId; readonly width: number } | undefined;
  readonly #arrange = () => this.#options.arrange();

  constructor(options: ColumnEdgesOptions) {
    this.#options = options;
  }

  get widths(): ColumnWidths {
    const { widths } = preferences.getState();
    return this.#dragged === undefined ? widths : { ...widths, [this.#dragged.id]: this.#dragged.width };
  }

  /** Puts an edge into the head of a column, at the side that moves when its width changes. */
  add(head: HTMLElement, column: Column, side: 'left' | 'right'): void {
    const edge = el('span', 'column-edge', {
      role: 'separator',
      tabindex: this.#edges.size === 0 ? '0' : '-1',
      'aria-orientation': 'vertical',
      'aria-label': `Width of ${columnName(column)}`,
      'aria-valuemin': `${MIN_WIDTH}`,
      'aria-valuemax': `${MAX_WIDTH}`,
      'data-side': side,
      'data-testid': `column-edge-${column.id}`,
      title: 'Drag to resize, double-click to fit',
    });
    this.#edges.set(column.id, edge);
    head.append(edge);
    edge.addEventListener('pointerdown', (event) => this.#drag(event, edge, column.id));
    edge.addEventListener('dblclick', () => this.#fit(column.id));
    edge.addEventListener('keydown', (event) => this.#key(event, edge, column.id));
    edge.addEventListener('focus', () => {
      for (const other of this.#edges.values()) other.tabIndex = other === edge ? 0 : -1;
    });
  }

  /** Tells what the columns were laid out with, in px of the screen. */
  arranged(columns: readonly Column[], widths: readonly number[]): void {
    for (const [at, { id }] of columns.entries()) {
      const edge = this.#edges.get(id);
      const width = clampWidth(widths[at]! / this.#options.scale());
      if (edge !== undefined && edge.ariaValueNow !== `${width}`)
        edge.setAttribute('aria-valuenow', `${width}`);
    }
  }

  dispose(): void {
    cancelFrame(this.#arrange);
  }

  #now(edge: HTMLElement): number {
    return Number(edge.getAttribute('aria-valuenow'));
  }

  #fit(id: ColumnId): void {
    // A hair more, or the last letter is cut where widths are no whole pixels.
    keepWidth(id, (this.#options.needed(id) + 2) / this.#options.scale());
  }

  #drag(event: PointerEvent, edge: HTMLElement, id: ColumnId): void {
    if (event.button !== 0) return;
    event.preventDefault();
    edge.focus({ preventScroll: true });
    edge.setPointerCapture(event.pointerId);
    edge.dataset.drag = 'true';
    const first = this.#now(edge);
    const sign = edge.dataset.side === 'left' ? -1 : 1;
    const move = (moved: PointerEvent) => {
      const by = (sign * (moved.clientX - event.clientX)) / this.#options.scale();
      this.#dragged = { id, width: clampWidth(first + by) };
      onNextFrame(this.#arrange);
    };
    const end = () => {
      edge.removeEventListener('pointermove', move);
      edge.removeEventListener('keydown', giveUp, { capture: true });
      edge.removeEventListener('lostpointercapture', end);
      delete edge.dataset.drag;
      const { width } = this.#dragged ?? {};
      this.#dragged = undefined;
      if (width !== undefined && width !== first) keepWidth(id, width);
      else onNextFrame(this.#arrange);
    };
    const giveUp = (pressed: KeyboardEvent) => {
      if (pressed.key !== 'Escape') return;
      pressed.stopImmediatePropagation();
      this.#dragged = undefined;
      // The capture is lost only when the pointer moves next.
      end();
      edge.releasePointerCapture(event.pointerId);
    };
    edge.addEventListener('pointermove', move);
    edge.addEventListener('keydown', giveUp, { capture: true });
    edge.addEventListener('lostpointercapture', end);
  }

  #key(event: KeyboardEvent, edge: HTMLElement, id: ColumnId): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = event.shiftKey ? LONG_STEP : STEP;
    const all = [...this.#edges.values()];
    const at = all.indexOf(edge);
    switch (event.key) {
      case 'ArrowRight':
        keepWidth(id, this.#now(edge) + step);
        break;
      case 'ArrowLeft':
        keepWidth(id, this.#now(edge) - step);
        break;
      case 'ArrowUp':
        all[Math.max(0, at - 1)]!.focus();
        break;
      case 'ArrowDown':
        all[Math.min(all.length - 1, at + 1)]!.focus();
        break;
      case 'Home':
        keepWidth(id, undefined);
        break;
      case 'Enter':
        this.#fit(id);
        break;
      case 'Escape':
        this.#options.leave();
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
