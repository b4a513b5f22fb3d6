import { el, flash, setText, stopFlash } from './dom.ts';
import { hex } from './format.ts';
import { VirtualRows } from './virtual-rows.ts';

/** Where the arrow keys lead from a byte. Undefined: not a moving key. */
export function moveByte(
  key: string,
  at: number,
  total: number,
  page: number,
  ctrl = false,
  row = 16,
): number | undefined {
  const moves: Readonly<Record<string, number>> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - row,
    ArrowDown: at + row,
    PageUp: at - row * page,
    PageDown: at + row * page,
    Home: ctrl ? 0 : at - (at % row),
    End: ctrl ? total - 1 : at - (at % row) + row - 1,
  };
  const to = moves[key];
  if (to === undefined) return undefined;
  if (to < 0) return key === 'PageUp' ? at % row : at;
  if (to >= total) return key === 'PageDown' || key === 'End' ? total - 1 : at;
  return to;
}

export function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
}

/** Lines as `xxd` has them: address, 16 bytes, text. */
export function hexDump(bytes: Uint8Array, base = 0): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const digits = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    lines.push(
      `${(base + at).toString(16).padStart(8, '0')}: ${digits.padEnd(47)}  ${part.map(printable).join('')}`,
    );
  }
  return lines.join('\n');
}

export interface HexGridOptions {
  readonly label: string;
  readonly rowHeight: number;
  /** Bytes in a row; 16 unless told. */
  readonly columns?: number;
  readonly byteTestId?: string;
  /** Colours and explains a byte. */
  tone?(offset: number): string;
  /** Marks a byte beside its colour. */
  mark?(offset: number): string;
  title?(offset: number): string;
  /** Range first..last (not included) of bytes comes into view. */
  visible?(first: number, last: number): void;
  selected?(offset: number): void;
  /** A byte was typed. Missing: read-only. */
  edit?(offset: number, value: number): void;
  copy?(from: number, to: number): void;
}

/** Where one is in a grid, for the next one of the same bytes. */
export interface HexPlace {
  readonly cursor: number;
  readonly anchor: number;
  readonly lit: readonly [from: number, to: number];
  readonly focused: boolean;
}

/** Bytes as hexadecimal and text: a cursor, typing over bytes, a highlighted range. */
export class HexGrid {
  readonly rows: VirtualRows;
  readonly #options: HexGridOptions;
  readonly #columns: number;
  #base = 0;
  #total = 0;
  /** Bytes start..start+data.length are known. */
  #start = 0;
  #data: Uint8Array = new Uint8Array();
  #cursor = -1;
  #anchor = -1;
  #lit: readonly [from: number, to: number] = [0, 0];
  #digit: string | undefined;
  #digits = 4;

  constructor(host: HTMLElement, options: HexGridOptions) {
    this.#options = options;
    this.#columns = options.columns ?? 16;
    this.rows = new VirtualRows(host, {
      label: options.label,
      rowHeight: options.rowHeight,
      selectable: false,
      head: () => this.#createHead(),
      create: () => this.#createRow(),
      render: (index, row) => this.#renderRow(index, row),
      visible: (first, last) =>
        options.visible?.(first * this.#columns, Math.min(last * this.#columns, this.#total)),
      key: (event) => this.#key(event),
    });
    // A grid has rows, or is on its way to them.
    this.rows.viewport.ariaBusy = 'true';
    this.rows.element.style.setProperty('--hex-columns', `${this.#columns}`);
    this.rows.viewport.addEventListener('mousedown', (event) => {
      const at = (event.target as HTMLElement).dataset.offset;
      if (at === undefined || event.button !== 0) return;
      this.rows.viewport.focus({ preventScroll: true });
      this.#moveTo(Number(at), event.shiftKey);
      if (event.shiftKey) event.preventDefault();
    });
    this.rows.viewport.addEventListener('copy', (event) => {
      const marked = document.getSelection();
      if ((marked !== null && !marked.isCollapsed) || this.#cursor < 0) return;
      event.preventDefault();
      options.copy?.(Math.min(this.#anchor, this.#cursor), Math.max(this.#anchor, this.#cursor) + 1);
    });
  }

  get cursor(): number {
    return this.#cursor;
  }

  get place(): HexPlace {
    const focused = document.activeElement === this.rows.viewport;
    return { cursor: this.#cursor, anchor: this.#anchor, lit: this.#lit, focused };
  }

  /** Goes on where another grid was. */
  resume({ cursor, anchor, lit, focused }: HexPlace): void {
    if (cursor < this.#total) {
      this.#cursor = cursor;
      this.#anchor = anchor;
      if (cursor >= 0) this.rows.reveal(Math.floor(cursor / this.#columns));
    }
    this.#lit = lit;
    if (focused) this.rows.viewport.focus({ preventScroll: true });
    this.rows.refresh();
  }

  /** `base`: address of the first byte, only shown. `start`: which bytes these are, of `total`. */
  setData(bytes: Uint8Array, total = bytes.length, start = 0, base = 0): void {
    this.#data = bytes;
    this.#start = start;
    this.#total = total;
    this.#base = base;
    const digits = Math.max(4, (base + Math.max(total - 1, 0)).toString(16).length);
    this.#digits = digits;
    this.rows.element.style.setProperty('--hex-offset', `${digits + 2}ch`);
    this.rows.setCount(Math.ceil(total / this.#columns));
    if (this.#cursor >= total) this.#cursor = this.#anchor = -1;
    this.rows.refresh();
  }

  byte(offset: number): number | undefined {
    return this.#data[offset - this.#start];
  }

  /** Lights up a range, and brings it into view. */
  light(from: number, to: number, reveal = true): void {
    this.#lit = [from, to];
    if (reveal && to > from) this.rows.reveal(Math.floor(from / this.#columns));
    this.rows.refresh();
  }

  select(offset: number): void {
    this.#moveTo(offset, false);
  }

  refresh(): void {
    this.rows.refresh();
  }

  dispose(): void {
    this.rows.dispose();
  }

  #moveTo(offset: number, extend: boolean): void {
    this.#digit = undefined;
    this.#cursor = offset;
    if (!extend || this.#anchor < 0) this.#anchor = offset;
    this.rows.reveal(Math.floor(offset / this.#columns));
    this.rows.refresh();
    this.#options.selected?.(offset);
  }

  #key(event: KeyboardEvent): boolean {
    if (this.#total === 0 || event.altKey || event.metaKey) return false;
    const at = Math.max(0, this.#cursor);
    const to = moveByte(
      event.key,
      at,
      this.#total,
      Math.max(1, this.rows.page - 1),
      event.ctrlKey,
      this.#columns,
    );
    if (to !== undefined) {
      this.#moveTo(this.#cursor < 0 ? 0 : to, event.shiftKey);
      return true;
    }
    if (event.ctrlKey) return false;
    if (event.key === 'Escape' && this.#digit !== undefined) {
      this.#digit = undefined;
      this.rows.refresh();
      return true;
    }
    if (this.#options.edit === undefined || this.#cursor < 0 || !/^[0-9a-f]$/i.test(event.key)) return false;
    if (this.#digit === undefined) {
      this.#digit = event.key.toLowerCase();
      this.rows.refresh();
    } else {
      const value = Number.parseInt(this.#digit + event.key, 16);
      const offset = this.#cursor;
      this.#digit = undefined;
      this.#options.edit(offset, value);
      this.#moveTo(Math.min(offset + 1, this.#total - 1), false);
    }
    return true;
  }

  #createHead(): HTMLElement {
    const head = el('div', 'hex-row hex-head');
    head.append(el('span', 'hex-offset'));
    const bytes = el('span', 'hex-bytes');
    for (let at = 0; at < this.#columns; at++) {
      const cell = el('span');
      cell.textContent = at.toString(16).padStart(2, '0');
      bytes.append(cell);
    }
    head.append(bytes, el('span', 'hex-text'));
    return head;
  }

  #createRow(): HTMLElement {
    const row = el('div', 'hex-row', { role: 'row' });
    row.append(el('span', 'hex-offset', { role: 'rowheader' }));
    const bytes = el('span', 'hex-bytes', { role: 'presentation' });
    const text = el('span', 'hex-text', { 'aria-hidden': 'true' });
    for (let at = 0; at < this.#columns; at++) {
      const cell = el('span', '', { role: 'gridcell' });
      if (this.#options.byteTestId !== undefined) cell.dataset.testid = this.#options.byteTestId;
      bytes.append(cell);
      text.append(el('span'));
    }
    row.append(bytes, text);
    return row;
  }

  #renderRow(index: number, row: HTMLElement): void {
    const [label, bytes, text] = row.children as unknown as [HTMLElement, HTMLElement, HTMLElement];
    this.rows.viewport.ariaBusy = null;
    const first = index * this.#columns;
    setText(label, hex(this.#base + first, this.#digits));
    const low = Math.min(this.#anchor, this.#cursor);
    const high = Math.max(this.#anchor, this.#cursor);
    for (let at = 0; at < this.#columns; at++) {
      const offset = first + at;
      const cell = bytes.children[at] as HTMLElement;
      const letter = text.children[at] as HTMLElement;
      if (offset >= this.#total) {
        setText(cell, '');
        setText(letter, '');
        delete cell.dataset.offset;
        continue;
      }
      const byte = this.byte(offset);
      const typing = offset === this.#cursor && this.#digit !== undefined;
      const shown = typing
        ? `${this.#digit}_`
        : byte === undefined
          ? '··'
          : byte.toString(16).padStart(2, '0');
      const before = cell.textContent;
      if (before !== shown) {
        cell.textContent = shown;
        const same = cell.dataset.offset === `${offset}`;
        if (same && !typing && byte !== undefined && /^[0-9a-f]{2}$/.test(before)) flash(cell);
      }
      if (cell.dataset.offset !== `${offset}`) {
        cell.dataset.offset = `${offset}`;
        stopFlash(cell);
      }
      cell.dataset.zero = `${byte === 0}`;
      cell.dataset.tone = this.#options.tone?.(offset) ?? '';
      cell.dataset.mark = this.#options.mark?.(offset) ?? '';
      cell.dataset.cursor = `${offset === this.#cursor}`;
      cell.dataset.chosen = `${this.#cursor >= 0 && offset >= low && offset <= high}`;
      cell.dataset.lit = `${offset >= this.#lit[0] && offset < this.#lit[1]}`;
      const title = this.#options.title?.(offset);
      if (title !== undefined && cell.title !== title) cell.title = title;
      setText(letter, byte === undefined ? ' ' : printable(byte));
    }
  }
}
