import { cancelFrame, onNextFrame } from '#renderer/frame/scheduler.ts';
import { el } from './dom.ts';

export interface VirtualRowsOptions {
  /** What a screen reader calls it. */
  readonly label: string;
  readonly rowHeight: number;
  /** Narrower than this, it scrolls sideways. */
  readonly minWidth?: number;
  readonly role?: 'grid' | 'listbox';
  head?(): HTMLElement;
  create(): HTMLElement;
  /** Fills a recycled row. */
  render(index: number, row: HTMLElement): void;
  /** Rows first..last (not included) come into view. */
  visible?(first: number, last: number): void;
  /** The selection changed by a person. */
  selected?(from: number, to: number): void;
  activated?(index: number): void;
  followChanged?(follow: boolean): void;
  /** A person scrolled; `top` is the first row in view. */
  scrolled?(top: number): void;
  copy?(from: number, to: number): void;
  /** Keys, before the rows take them. True: handled. */
  key?(event: KeyboardEvent): boolean;
  /** False: rows cannot be chosen, and the keyboard only scrolls. */
  readonly selectable?: boolean;
}

let made = 0;

/**
 * Rows of one height, as many as one likes: only those in view exist, and they are recycled. It scrolls by row number
 * with a scroll bar of its own, because a browser's scroll height ends at some millions of rows.
 */
export class VirtualRows {
  readonly element: HTMLElement;
  readonly viewport: HTMLElement;
  readonly #options: VirtualRowsOptions;
  readonly #scroll: HTMLElement;
  readonly #inner: HTMLElement;
  readonly #bar: HTMLElement;
  readonly #thumb: HTMLElement;
  readonly #pool: HTMLElement[] = [];
  readonly #shown: number[] = [];
  /** px from the top that each row is at. */
  readonly #places: number[] = [];
  readonly #observer: ResizeObserver | undefined;
  readonly #draw = () => this.#drawNow();
  #rowHeight: number;
  #count = 0;
  #top = 0;
  #height = 0;
  #track = 0;
  #follow = false;
  #anchor = -1;
  #cursor = -1;
  #dirty = true;
  #dragOffset = 0;
  #held: ReturnType<typeof setTimeout> | undefined;
  readonly #name = `rows-${++made}`;

  constructor(host: HTMLElement, options: VirtualRowsOptions) {
    this.#options = options;
    this.#rowHeight = options.rowHeight;
    this.element = el('div', 'rows-frame');
    this.#scroll = el('div', 'rows-scroll');
    this.#inner = el('div', 'rows-inner');
    if (options.minWidth !== undefined) this.#inner.style.minWidth = `${options.minWidth}px`;
    const head = options.head?.();
    if (head !== undefined) {
      head.classList.add('rows-head');
      // It does not scroll with the rows, and is one of them all the same.
      head.id = `${this.#name}-head`;
      this.#inner.append(head);
    }
    this.viewport = el('div', 'rows-viewport', {
      role: options.role ?? 'grid',
      tabindex: '0',
      'aria-label': options.label,
      'aria-multiselectable': 'true',
    });
    if (head !== undefined) this.viewport.setAttribute('aria-owns', head.id);
    this.#inner.append(this.viewport);
    this.#scroll.append(this.#inner);
    this.#bar = el('div', 'rows-bar', { 'aria-hidden': 'true' });
    this.#thumb = el('div', 'rows-thumb');
    this.#bar.append(this.#thumb);
    this.element.append(this.#scroll, this.#bar);
    host.append(this.element);

    this.viewport.addEventListener('wheel', this.#onWheel, { passive: false });
    this.viewport.addEventListener('keydown', this.#onKey);
    this.viewport.addEventListener('mousedown', this.#onMouseDown);
    this.viewport.addEventListener('dblclick', this.#onDoubleClick);
    this.viewport.addEventListener('copy', this.#onCopy);
    this.#bar.addEventListener('pointerdown', this.#onBarDown);
    if (typeof ResizeObserver !== 'undefined') {
      this.#observer = new ResizeObserver(() => {
        this.#measure();
        this.refresh();
      });
      this.#observer.observe(this.viewport);
    }
    this.#request();
  }

  get count(): number {
    return this.#count;
  }
  get top(): number {
    return this.#top;
  }
  get follow(): boolean {
    return this.#follow;
  }
  get cursor(): number {
    return this.#cursor;
  }
  /** Rows that fit, the last one perhaps in part. */
  get page(): number {
    return Math.max(1, Math.ceil(this.#height / this.#rowHeight));
  }
  get selection(): readonly [from: number, to: number] | undefined {
    if (this.#cursor < 0) return undefined;
    return [Math.min(this.#anchor, this.#cursor), Math.max(this.#anchor, this.#cursor) + 1];
  }

  setCount(count: number): void {
    if (count === this.#count) return;
    this.#count = count;
    if (this.#cursor >= count) this.#anchor = this.#cursor = -1;
    this.#clamp();
    this.#request();
  }

  /** Room for a row without scrolling sideways. */
  get width(): number {
    return this.#scroll.clientWidth;
  }

  /** Narrower than this, it scrolls sideways. */
  setMinWidth(width: number): void {
    this.#inner.style.minWidth = `${width}px`;
  }

  setRowHeight(height: number): void {
    this.#rowHeight = height;
    this.refresh();
  }

  /** Draws all rows anew. */
  refresh(): void {
    this.#dirty = true;
    this.#request();
  }

  /** What is seen stays until {@link release}, at most `ms`: rows that are far away are drawn once, when they are here. */
  hold(ms: number): void {
    clearTimeout(this.#held);
    // Asked for already, it would have had its turn in the frame that releases.
    cancelFrame(this.#draw);
    this.#held = setTimeout(() => this.release(), ms);
  }

  release(): void {
    if (this.#held === undefined) return;
    clearTimeout(this.#held);
    this.#held = undefined;
    this.refresh();
  }

  setFollow(follow: boolean): void {
    if (this.#follow === follow) return;
    this.#follow = follow;
    this.#clamp();
    this.#request();
    this.#options.followChanged?.(follow);
  }

  scrollTo(index: number): void {
    this.setFollow(false);
    this.#top = index - this.#rows() / 3;
    this.#clamp();
    this.#request();
  }

  /** Selects a row and brings it into view. */
  select(index: number, extend = false): void {
    if (this.#count === 0) return;
    this.#cursor = Math.max(0, Math.min(index, this.#count - 1));
    if (!extend || this.#anchor < 0) this.#anchor = this.#cursor;
    const rows = Math.max(1, Math.floor(this.#rows()));
    if (this.#cursor < this.#top) this.#top = this.#cursor;
    else if (this.#cursor >= Math.floor(this.#top) + rows) this.#top = this.#cursor - rows + 1;
    if (this.#cursor < this.#count - 1) this.setFollow(false);
    this.#clamp();
    this.refresh();
    const [from, to] = this.selection!;
    this.#options.selected?.(from, to);
  }

  /** Rows were put before the first: what is seen and chosen stays where it is. */
  shift(rows: number): void {
    if (rows <= 0) return;
    this.#top += rows;
    if (this.#cursor >= 0) this.#cursor += rows;
    if (this.#anchor >= 0) this.#anchor += rows;
    this.#clamp();
    this.refresh();
  }

  /** Brings a row into view, and moves nothing when it is there. */
  reveal(index: number): void {
    const rows = Math.max(1, Math.floor(this.#rows()));
    if (index < this.#top) this.#top = index;
    else if (index >= Math.floor(this.#top) + rows) this.#top = index - rows + 1;
    else return;
    this.#clamp();
    this.#request();
  }

  clearSelection(): void {
    this.#anchor = this.#cursor = -1;
    this.refresh();
  }

  dispose(): void {
    this.#observer?.disconnect();
    clearTimeout(this.#held);
    cancelFrame(this.#draw);
    this.element.remove();
  }

  #rows(): number {
    return this.#height / this.#rowHeight;
  }

  #clamp(): void {
    const last = Math.max(0, this.#count - this.#rows());
    this.#top = this.#follow ? last : Math.max(0, Math.min(this.#top, last));
  }

  /** Only here is layout asked for: once a frame it would cost more than all the drawing. */
  #measure(): void {
    this.#height = this.viewport.clientHeight;
    this.#track = this.#bar.clientHeight;
  }

  #request(): void {
    if (this.#held === undefined) onNextFrame(this.#draw);
  }

  #drawNow(): void {
    if (this.#height === 0) this.#measure();
    if (this.#height === 0) return;
    this.#clamp();
    const first = Math.floor(this.#top);
    const last = Math.min(this.#count, Math.ceil(this.#top + this.#rows()) + 1);
    const needed = Math.ceil(this.#rows()) + 2;
    if (this.#pool.length !== needed) {
      while (this.#pool.length < needed) {
        const row = this.#options.create();
        row.classList.add('rows-row');
        this.viewport.append(row);
        this.#pool.push(row);
      }
      for (const row of this.#pool.splice(needed)) row.remove();
      this.#places.length = 0;
      this.#dirty = true;
    }
    if (this.#dirty) {
      this.#shown.length = 0;
      this.#dirty = false;
    }
    this.#options.visible?.(first, last);
    const selection = this.selection;
    for (let index = first; index < first + needed; index++) {
      const slot = index % needed;
      const row = this.#pool[slot]!;
      if (index >= last) {
        if (this.#shown[slot] !== -1) {
          row.style.display = 'none';
          // Not shown, it is no chosen row either, whatever it was before.
          row.dataset.selected = 'false';
          row.setAttribute('aria-selected', 'false');
        }
        this.#shown[slot] = -1;
        continue;
      }
      const place = Math.round((index - this.#top) * this.#rowHeight);
      if (this.#places[slot] !== place) row.style.top = `${(this.#places[slot] = place)}px`;
      if (this.#shown[slot] === index) continue;
      this.#shown[slot] = index;
      row.style.display = '';
      row.id = `${this.#name}-${index}`;
      row.dataset.row = `${index}`;
      row.setAttribute('aria-rowindex', `${index + 1}`);
      const chosen = selection !== undefined && index >= selection[0] && index < selection[1];
      row.dataset.selected = `${chosen}`;
      row.setAttribute('aria-selected', `${chosen}`);
      this.#options.render(index, row);
    }
    this.viewport.setAttribute('aria-rowcount', `${this.#count}`);
    const active = this.#cursor >= first && this.#cursor < last ? `${this.#name}-${this.#cursor}` : '';
    if (active === '') this.viewport.removeAttribute('aria-activedescendant');
    else this.viewport.setAttribute('aria-activedescendant', active);
    this.#drawBar();
  }

  #drawBar(): void {
    const rows = this.#rows();
    const idle = this.#count <= rows;
    this.#bar.dataset.idle = `${idle}`;
    if (idle) return;
    const size = Math.max(24, (rows / this.#count) * this.#track);
    const place = (this.#top / (this.#count - rows)) * (this.#track - size);
    this.#thumb.style.height = `${size}px`;
    this.#thumb.style.transform = `translateY(${place}px)`;
  }

  /** By a person: leaving the end stops following, coming back to it starts again. */
  #scrollBy(rows: number): void {
    const last = Math.max(0, this.#count - this.#rows());
    this.#top = Math.max(0, Math.min(this.#top + rows, last));
    if (this.#options.followChanged !== undefined) this.setFollow(this.#top >= last && rows > 0);
    this.release();
    this.#options.scrolled?.(this.#top);
    this.#request();
  }

  readonly #onWheel = (event: WheelEvent): void => {
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 1 : event.deltaMode === 2 ? this.#rows() : 1 / this.#rowHeight;
    if (event.deltaY !== 0) this.#scrollBy(event.deltaY * unit);
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.target !== this.viewport) return;
    if (this.#options.key?.(event)) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (this.#options.selectable === false) return;
    const page = Math.max(1, Math.floor(this.#rows()) - 1);
    const cursor = this.#cursor < 0 ? Math.floor(this.#top) : this.#cursor;
    const moves: Readonly<Record<string, number>> = {
      ArrowUp: this.#cursor < 0 ? cursor : cursor - 1,
      ArrowDown: this.#cursor < 0 ? cursor : cursor + 1,
      PageUp: cursor - page,
      PageDown: cursor + page,
      Home: 0,
      End: this.#count - 1,
    };
    const to = moves[event.key];
    if (to !== undefined && !event.altKey) {
      this.release();
      this.select(to, event.shiftKey);
      if (event.key === 'End' && !event.shiftKey && this.#options.followChanged) this.setFollow(true);
    } else if (event.key === 'Enter' && this.#cursor >= 0) {
      this.#options.activated?.(this.#cursor);
    } else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) {
      this.#anchor = 0;
      this.#cursor = this.#count - 1;
      this.refresh();
      this.#options.selected?.(0, this.#count);
    } else if (event.key === 'Escape' && this.#cursor >= 0) {
      this.clearSelection();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  #indexAt(event: MouseEvent): number {
    const row = (event.target as HTMLElement).closest<HTMLElement>('.rows-row');
    return row === null ? -1 : Number(row.dataset.row);
  }

  readonly #onMouseDown = (event: MouseEvent): void => {
    const index = this.#indexAt(event);
    if (index < 0 || event.button !== 0 || this.#options.selectable === false) return;
    if (event.shiftKey) event.preventDefault();
    this.viewport.focus({ preventScroll: true });
    // Unlike the keyboard, a click does not move what is looked at, so that text under the pointer can be marked.
    this.#cursor = index;
    if (!event.shiftKey || this.#anchor < 0) this.#anchor = index;
    if (index < this.#count - 1) this.setFollow(false);
    this.#markSelection();
    this.#request();
    const [from, to] = this.selection!;
    this.#options.selected?.(from, to);
  };

  #markSelection(): void {
    const selection = this.selection;
    for (const row of this.#pool) {
      const index = Number(row.dataset.row);
      const chosen = selection !== undefined && index >= selection[0] && index < selection[1];
      row.dataset.selected = `${chosen}`;
      row.setAttribute('aria-selected', `${chosen}`);
    }
  }

  readonly #onDoubleClick = (event: MouseEvent): void => {
    const index = this.#indexAt(event);
    if (index >= 0) this.#options.activated?.(index);
  };

  readonly #onCopy = (event: ClipboardEvent): void => {
    const marked = document.getSelection();
    if (marked !== null && !marked.isCollapsed) return;
    const selection = this.selection;
    if (selection === undefined || this.#options.copy === undefined) return;
    event.preventDefault();
    this.#options.copy(...selection);
  };

  readonly #onBarDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    event.preventDefault();
    const thumb = this.#thumb.getBoundingClientRect();
    const onThumb = event.target === this.#thumb;
    if (!onThumb) {
      this.#scrollBy(event.clientY < thumb.top ? -this.#rows() : this.#rows());
      return;
    }
    this.#dragOffset = event.clientY - thumb.top;
    this.#bar.dataset.drag = 'true';
    this.#bar.setPointerCapture(event.pointerId);
    const move = (moved: PointerEvent) => {
      const track = this.#bar.getBoundingClientRect();
      const size = this.#thumb.getBoundingClientRect().height;
      const place = (moved.clientY - track.top - this.#dragOffset) / Math.max(1, track.height - size);
      const to = Math.max(0, Math.min(1, place)) * Math.max(0, this.#count - this.#rows());
      this.#scrollBy(to - this.#top);
    };
    const up = () => {
      this.#bar.dataset.drag = 'false';
      this.#bar.removeEventListener('pointermove', move);
    };
    this.#bar.addEventListener('pointermove', move);
    this.#bar.addEventListener('lostpointercapture', up, { once: true });
  };
}
