import {
  ArrowDown,
  ArrowDownToLine,
  ArrowUp,
  Copy,
  Eraser,
  ListCollapse,
  PanelBottom,
  Pause,
  Play,
  Search,
  X,
} from 'lucide-react';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { RowKind } from '#contract/trace.ts';
import { TraceKind } from '#contract/trace-record.ts';
import { commands } from '#renderer/app-commands.ts';
import { bringForward, goToPart } from '#renderer/dock/focus.ts';
import {
  deviceName,
  lab,
  registerIndex,
  removedDevices,
  selectDevice,
  selectRemoved,
} from '#renderer/state/lab.ts';
import { addNotice, errorText } from '#renderer/state/notices.ts';
import { settings } from '#renderer/state/settings.ts';
import { ui } from '#renderer/state/ui.ts';
import { deviceColor, pixels } from '#renderer/theme/theme.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { el, setHexText, setText } from '#renderer/ui/dom.ts';
import { count } from '#renderer/ui/format.ts';
import { Button, Empty, LiveText, Panel, useLiveDraw } from '#renderer/ui/parts.tsx';
import { VirtualRows } from '#renderer/ui/virtual-rows.ts';
import { Anchor } from './anchor.ts';
import { ColumnEdges } from './column-edges.ts';
import { TraceDetails } from './details.tsx';
import { FilterField, FilterProblemLine } from './filter-field.tsx';
import { type TraceMenu, TraceMenus } from './menus.tsx';
import {
  clearTrace,
  type FilterProblem,
  filterProblem,
  locate,
  noteText,
  rows,
  rowsText,
  setBookmark,
  setFilter,
  setFollow,
  setPaused,
  shownRows,
  trace,
  traceChanged,
  traceCount,
  viewNumber,
} from './model.ts';
import {
  chosen,
  goToIndex,
  goToTraceRow,
  nextBookmark,
  rowOf,
  sameGroup,
  sameRegister,
  search,
  setSearchOrigin,
  wanted,
} from './navigate.ts';
import { inView, Minimap, RatePlot } from './plots.tsx';
import { allKinds, preferences } from './preferences.ts';
import { type Column, type ColumnId, columns, elastic, formatRow, layoutColumns } from './row.ts';
import './trace.css';

const kindTitles: Readonly<Record<RowKind, string>> = {
  mmio: 'MMIO',
  interrupt: 'IRQ',
  dma: 'DMA',
  command: 'Cmds',
  config: 'Config',
  note: 'Notes',
  missed: 'Missed',
};

/** Columns in force; rows are made anew when they change. */
let shown: readonly Column[] = columns;

function createRow(): HTMLElement {
  const row = el('div', 'trace-row', { role: 'row', 'data-testid': 'trace-row' });
  for (const column of shown) {
    const cell = el('span', `cell-${column.id}`, { role: 'gridcell' });
    if ('align' in column) cell.dataset.align = column.align;
    row.append(cell);
  }
  return row;
}

function createHead(edges: ColumnEdges): HTMLElement {
  const head = el('div', 'trace-head', { role: 'row' });
  const rest = shown.findIndex(({ id }) => id === elastic);
  for (const [at, column] of shown.entries()) {
    const cell = el('span', `cell-${column.id}`, { role: 'columnheader' });
    if ('align' in column) cell.dataset.align = column.align;
    const title = el('span', 'trace-head-title');
    title.textContent = column.title;
    cell.append(title);
    // Behind the column that takes the rest, it is the left edge that moves.
    if (at !== rest) edges.add(cell, column, rest >= 0 && at > rest ? 'left' : 'right');
    head.append(cell);
  }
  return head;
}

/** px that the longest text of a column in view takes. */
function neededWidth(list: VirtualRows, id: ColumnId): number {
  const texts = [
    ...list.element.querySelectorAll(`.trace-head > .cell-${id} > .trace-head-title`),
    ...list.viewport.querySelectorAll(`.trace-row[data-wide="false"] > .cell-${id}`),
  ];
  const range = document.createRange();
  return texts.reduce((most, text) => {
    range.selectNodeContents(text);
    return Math.max(most, range.getBoundingClientRect().width);
  }, 0);
}

/** px of the screen in one of a width at the usual size of the type. */
function typeScale(): number {
  return pixels('--size', 12) / 12;
}

/** A row was drawn before it was here. */
let incomplete = false;

/** ms for which what is seen stays while the rows of a jump are on their way. */
const JUMP_MS = 100;

function renderRow(index: number, element: HTMLElement): void {
  const cells = element.children as unknown as HTMLElement[];
  const row = rows.row(index);
  element.dataset.loading = `${row === undefined}`;
  if (row === undefined) {
    incomplete = true;
    for (let at = 0; at < shown.length; at++) setText(cells[at]!, at === 0 ? '…' : '');
    element.dataset.wide = 'false';
    element.dataset.bare = 'false';
    element.dataset.rule = '';
    return;
  }
  const { reference, bookmarks } = trace.getState();
  const formatted = formatRow(row, {
    index: registerIndex,
    name: deviceName,
    note: noteText,
    before: index === 0 ? undefined : rows.row(index - 1)?.time,
    reference: reference?.time,
    isReference: reference?.row === row.row,
    bookmarked: bookmarks.has(row.row),
  });
  element.dataset.tone = formatted.tone;
  element.dataset.expert = formatted.expert ?? '';
  element.dataset.rule = row.rule === 0 ? '' : (preferences.getState().rules[row.rule - 1]?.color ?? '');
  element.dataset.reference = `${reference?.row === row.row}`;
  element.dataset.wide = `${formatted.wide}`;
  element.dataset.bare = `${formatted.bare}`;
  if (element.dataset.device !== `${row.device}`) {
    element.dataset.device = `${row.device}`;
    element.style.setProperty('--device-color', deviceColor(row.device));
  }
  for (let at = 0; at < shown.length; at++) {
    const { id } = shown[at]!;
    const cell = cells[at]!;
    const text = formatted.cells[id];
    if (id === 'value' || (id === 'register' && formatted.tone === 'dma')) setHexText(cell, text);
    else setText(cell, text);
    if (id === 'marks') {
      cell.title = formatted.expertText;
      cell.ariaLabel = formatted.expertText === '' ? null : formatted.expertText;
    } else if (id === 'decoded' || id === 'register') cell.title = text;
    else if (id === 'value') cell.title = formatted.hint;
  }
}

/** Opens the panel of what a row is about, at its place there. */
function goToSubject(index: number): void {
  const row = rows.row(index);
  if (row === undefined || row.device === 0) return;
  const { device } = row;
  const state = lab.getState();
  const transfer = row.kind === TraceKind.dmaRead || row.kind === TraceKind.dmaWrite;
  if (state.devices.some(({ id }) => id === device)) selectDevice(device);
  else if (transfer && removedDevices(state).includes(device)) selectRemoved(device);
  else {
    addNotice(
      { level: 'info', text: `${deviceName(device)} is gone, and what this row is about with it` },
      true,
    );
    return;
  }
  switch (row.kind) {
    case TraceKind.mmioRead:
    case TraceKind.mmioWrite: {
      const hit = registerIndex(row.device)?.find(row.bar, row.address);
      if (hit !== undefined) {
        ui.setState({ register: { device, bar: row.bar, name: hit.register.name } });
      }
      void commands.run('view.registers');
      break;
    }
    case TraceKind.configRead:
    case TraceKind.configWrite:
      ui.setState({ config: { device, offset: row.address } });
      void commands.run('view.config');
      break;
    case TraceKind.interrupt:
      ui.setState({ vector: { device, vector: row.aux & 0xffff } });
      void commands.run('view.interrupts');
      break;
    case TraceKind.dmaRead:
    case TraceKind.dmaWrite:
      ui.setState({
        transfer: {
          device,
          time: row.time,
          direction: row.kind === TraceKind.dmaRead ? 'read' : 'write',
          address: row.address,
        },
      });
      void commands.run('view.dma');
      break;
  }
}

/** Keys in the rows, and the commands that they run. */
const rowKeys: Readonly<Record<string, string>> = {
  ' ': 'trace.pause',
  f: 'trace.follow',
  '/': 'trace.filter',
  n: 'trace.findNext',
  N: 'trace.findPrevious',
  '[': 'trace.registerPrevious',
  ']': 'trace.registerNext',
  ',': 'trace.groupPrevious',
  '.': 'trace.groupNext',
  e: 'trace.expertNext',
  E: 'trace.expertPrevious',
  b: 'trace.bookmark',
  m: 'trace.bookmarkNext',
  M: 'trace.bookmarkPrevious',
  t: 'trace.reference',
  d: 'trace.details',
  c: 'trace.collapse',
};

/** Tells the plots which part of the trace is in view. */
function tellInView(list: VirtualRows): void {
  const first = rows.row(Math.floor(list.top));
  const last = rows.row(Math.min(list.count, Math.floor(list.top) + list.page) - 1);
  if (first === undefined || last === undefined) return;
  const now = inView.get();
  if (now.firstRow === first.row && now.lastRow === last.row) return;
  inView.set({ firstRow: first.row, lastRow: last.row, firstTime: first.time, lastTime: last.time });
}

function TraceRows({ onView }: { onView: (view: VirtualRows | undefined) => void }) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<VirtualRows | undefined>(undefined);
  const edges = useRef<ColumnEdges | undefined>(undefined);
  const arrange = useRef(() => {});
  const seen = useRef(viewNumber());
  const density = useStore(settings, (state) => state.density);
  const descriptions = useStore(lab, (state) => state.descriptions);
  const follow = useStore(trace, (state) => state.follow);
  const paused = useStore(trace, (state) => state.pausedAt !== undefined);
  const reference = useStore(trace, (state) => state.reference);
  const bookmarks = useStore(trace, (state) => state.bookmarks);
  const hidden = useStore(preferences, (state) => state.hidden);
  const oneDevice = useStore(lab, (state) => state.devices.length <= 1 && state.descriptions.size <= 1);
  // With one device its name says nothing.
  const inForce = useMemo(
    () => columns.filter(({ id }) => !hidden.includes(id) && !(id === 'device' && oneDevice)),
    [hidden, oneDevice],
  );
  const anchor = useRef(new Anchor());
  const top = useRef(0);

  useLayoutEffect(() => {
    shown = inForce;
    const made = new ColumnEdges({
      scale: typeScale,
      arrange: () => arrange.current(),
      needed: (id) => neededWidth(list, id),
      leave: () => list.viewport.focus(),
    });
    edges.current = made;
    const list: VirtualRows = new VirtualRows(host.current!, {
      label: 'Trace rows',
      rowHeight: pixels('--row', 22),
      head: () => createHead(made),
      create: createRow,
      render: renderRow,
      visible: (first, last) => {
        // The row before the first is wanted for its time.
        if (!list.follow) rows.want(first - 1, last);
        tellInView(list);
        anchor.current.see(inView.get().firstRow);
      },
      selected: () => {
        chosen.set(list.cursor);
        anchor.current.choose(rows.row(list.cursor)?.row ?? -1);
      },
      scrolled: () => anchor.current.scroll(),
      followChanged: (on) => {
        if (trace.getState().follow !== on && trace.getState().pausedAt === undefined)
          trace.setState({ follow: on });
      },
      activated: goToSubject,
      copy: (from, to) => void copyWithNotice(`${count(to - from)} trace rows`, rowsText(from, to)),
      key: (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return false;
        const command = rowKeys[event.key];
        if (command === undefined) return false;
        void commands.run(command);
        return true;
      },
    });
    list.viewport.dataset.testid = 'trace-rows';
    view.current = list;
    list.setCount(shownRows());
    if (trace.getState().follow) list.setFollow(true);
    else if (chosen.get() >= 0) {
      list.scrollTo(top.current);
      list.select(chosen.get());
    }
    setSearchOrigin(() => Math.floor(list.top) - 1);
    onView(list);
    return () => {
      top.current = list.top;
      onView(undefined);
      made.dispose();
      list.dispose();
    };
  }, [onView, inForce]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: widths follow the size of the type
  useLayoutEffect(() => {
    const list = view.current;
    if (list === undefined) return;
    arrange.current = () => {
      const { widths: kept } = edges.current!;
      const { template, widths, minWidth, fits, span } = layoutColumns(
        list.width,
        inForce,
        typeScale(),
        kept,
      );
      list.setMinWidth(minWidth);
      const { style, dataset } = list.element;
      style.setProperty('--trace-columns', template);
      style.setProperty('--trace-bare', `span ${span}`);
      dataset.fits = `${fits}`;
      const register = inForce.findIndex(({ id }) => id === 'register') + 1;
      style.setProperty('--trace-wide', `${register} / ${inForce.at(-1)!.id === 'cause' ? -2 : -1}`);
      edges.current!.arranged(inForce, widths);
    };
    arrange.current();
    const stop = preferences.subscribe((now, before) => {
      if (now.widths !== before.widths) arrange.current();
    });
    const observer =
      typeof ResizeObserver === 'undefined' ? undefined : new ResizeObserver(() => arrange.current());
    observer?.observe(list.element);
    return () => {
      stop();
      observer?.disconnect();
    };
  }, [inForce, density]);

  const returnToAnchor = async (list: VirtualRows) => {
    if (trace.getState().follow) return;
    const number = viewNumber();
    const found = await anchor.current.seek((row) => locate({ row }));
    if (found === undefined || number !== viewNumber() || view.current !== list) return;
    list.setCount(shownRows());
    list.scrollTo(found.index);
    if (!found.chosen) return;
    list.select(Math.min(found.index, list.count - 1));
    anchor.current.choose(found.row);
  };

  /** Where a jump leads, first..last (not included), while its rows are on their way. */
  const ahead = useRef<readonly [first: number, last: number] | undefined>(undefined);
  useLiveDraw(traceChanged, () => {
    const list = view.current;
    if (list === undefined) return;
    const changed = seen.current !== viewNumber();
    if (changed) {
      seen.current = viewNumber();
      chosen.set(-1);
      ahead.current = undefined;
      list.release();
      list.setCount(0);
      list.refresh();
      returnToAnchor(list).catch(() => undefined);
    }
    const all = shownRows();
    const following = trace.getState().follow && trace.getState().pausedAt === undefined;
    // Rows may have been drawn before they were here, and no further one need come.
    if (rows.takeRefreshed() || incomplete) list.refresh();
    incomplete = false;
    if (following) {
      if (changed || all < list.count) list.setCount(all);
      // The end moves on only once its rows are here, so that nothing flickers.
      const page = list.page + 1;
      rows.want(all - page, all);
      const end = rows.loadedEnd(all, page);
      if (end > list.count) list.setCount(end);
      return;
    }
    list.setCount(all);
    if (ahead.current !== undefined && rows.has(...ahead.current)) {
      ahead.current = undefined;
      list.release();
    }
    tellInView(list);
  });
  useEffect(() => {
    // At once, not in the next frame: the rows are asked for now, and are here when it is drawn.
    const go = () => {
      const index = wanted.get();
      const list = view.current;
      if (index === undefined || list === undefined) return;
      wanted.set(undefined);
      list.setFollow(false);
      list.setCount(shownRows());
      if (index < list.top || index >= Math.floor(list.top) + list.page - 1) {
        list.scrollTo(index);
        const first = Math.max(0, Math.floor(list.top) - 1);
        const last = Math.min(first + list.page + 2, list.count);
        rows.want(first, last);
        const here = rows.has(first, last);
        ahead.current = here ? undefined : [first, last];
        if (here) list.release();
        else list.hold(JUMP_MS);
      }
      list.select(index);
    };
    go();
    return wanted.subscribe(go);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows are drawn again when what they are decoded by arrives
  useEffect(() => view.current?.refresh(), [descriptions, reference, bookmarks]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the density
  useEffect(() => view.current?.setRowHeight(pixels('--row', 22)), [density]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows that were made anew follow as those before
  useEffect(() => view.current?.setFollow(follow && !paused), [follow, paused, inForce]);

  return <div ref={host} style={{ display: 'flex', flex: 1, minHeight: 0, minWidth: 0 }} />;
}

function KindButtons() {
  const kinds = useStore(preferences, (state) => state.kinds);
  return (
    <fieldset className="trace-kinds" aria-label="Kinds of rows">
      {allKinds.map((kind) => (
        <button
          key={kind}
          type="button"
          className="button kind-button"
          data-kind={kind}
          data-testid={`trace-kind-${kind}`}
          data-runs={`trace.kind.${kind}`}
          aria-pressed={kinds.includes(kind)}
          title={`Show or hide: ${kindTitles[kind]}. Shift-click shows these alone.`}
          onClick={(event) => toggleKind(kind, event.shiftKey)}
        >
          {kindTitles[kind]}
        </button>
      ))}
    </fieldset>
  );
}

/** The last kind stays: a trace of nothing is of no use. */
function toggleKind(kind: RowKind, alone = false): void {
  const { kinds } = preferences.getState();
  if (alone) {
    const only = kinds.length === 1 && kinds[0] === kind;
    preferences.setState({ kinds: only ? allKinds : [kind] });
    return;
  }
  const left = allKinds.filter((one) => (one === kind) !== kinds.includes(one));
  preferences.setState({ kinds: left.length === 0 ? allKinds : left });
}

async function runSearch(text: string, forward: boolean): Promise<void> {
  if (text === '') return;
  await search(text, forward, `Search for ${text}`);
}

function SearchBar({ leave }: { leave(): void }) {
  const value = useStore(trace, (state) => state.search);
  const searching = useStore(trace, (state) => state.searching);
  const [problem, setProblem] = useState<FilterProblem | undefined>(undefined);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  const apply = (text: string, forward = true) => {
    const wrong = text === '' ? undefined : filterProblem(text);
    setProblem(wrong);
    if (wrong !== undefined) return;
    trace.setState({ search: text });
    runSearch(text, forward).catch((error) => setProblem(errorText(error)));
  };
  const close = () => {
    trace.setState({ searchOpen: false });
    leave();
  };
  return (
    <>
      <search className="trace-search">
        <FilterField
          value={value}
          label="Search in the trace"
          placeholder='Search, such as value == 0x1f or "text"'
          testId="trace-search"
          className="grow"
          inputRef={input}
          problem={problem}
          apply={apply}
          onProblem={setProblem}
          leave={close}
          keepsText
          onKey={(event) => {
            if (event.key !== 'Enter' || !event.shiftKey) return false;
            apply(
              event.currentTarget instanceof HTMLInputElement ? event.currentTarget.value.trim() : '',
              false,
            );
            return true;
          }}
        />
        <Button
          kind="icon"
          aria-label="Previous match"
          title="Previous match (Shift+Enter; Shift+N in the rows)"
          testId="trace-find-previous"
          onClick={() => apply(input.current?.value.trim() ?? '', false)}
        >
          <ArrowUp />
        </Button>
        <Button
          kind="icon"
          aria-label="Next match"
          title="Next match (Enter; N in the rows)"
          testId="trace-find-next"
          onClick={() => apply(input.current?.value.trim() ?? '')}
        >
          <ArrowDown />
        </Button>
        {searching && <span className="dim small">Searching</span>}
        <Button
          kind="icon quiet"
          aria-label="Close the search"
          title="Close the search (Esc)"
          onClick={close}
        >
          <X />
        </Button>
      </search>
      {problem !== undefined && <FilterProblemLine problem={problem} testId="trace-search-error" />}
    </>
  );
}

/** A row's number in the whole trace, the number of an access as `#17`, or a time as `1.5s`. What is wrong with it; empty: nothing. */
async function goTo(text: string): Promise<string> {
  const clean = text.trim().replaceAll(/[,\s]/g, '');
  if (/^#\d+$/.test(clean)) {
    await search(`number == ${clean.slice(1)}`, true, `Access ${clean}`);
    return '';
  }
  const time = /^(\d+(?:\.\d+)?)(ns|us|ms|s|min)$/i.exec(clean);
  if (time !== null) {
    const scale = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 60e9 }[time[2]!.toLowerCase()]!;
    goToIndex(await locate({ time: Number(time[1]) * scale }));
    return '';
  }
  const row = Number(clean);
  const { total } = traceCount.get();
  if (!Number.isInteger(row) || row < 1 || row > total) {
    const numbers = total === 0 ? 'The trace has no rows yet' : `Rows are numbered 1 to ${count(total)}`;
    return `${numbers}; an access is #17, a time 1.5s`;
  }
  await goToTraceRow(row - 1);
  return '';
}

/** The rows; undefined while the panel is closed. */
let rowsView: VirtualRows | undefined;
const takeView = (view: VirtualRows | undefined): void => {
  rowsView = view;
};
const toRows = (): void => rowsView?.viewport.focus();

/** What the tool bar has opened. */
const menus = createStore<{ readonly open: TraceMenu | undefined }>(() => ({ open: undefined }));
const openMenu = (open: TraceMenu | undefined): void => menus.setState({ open });

/** The rows that are selected; without any those in view. */
function copyRows(): void {
  if (rowsView === undefined) return;
  const first = Math.floor(rowsView.top);
  const inView = [first, Math.min(rowsView.count, first + rowsView.page)] as const;
  const [from, to] = rowsView.selection ?? inView;
  void copyWithNotice(`${count(to - from)} trace rows`, rowsText(from, to));
}

export function TracePanel() {
  const menu = useStore(menus, (state) => state.open);
  const gotoInput = useRef<HTMLInputElement>(null);
  const follow = useStore(trace, (state) => state.follow);
  const pausedAt = useStore(trace, (state) => state.pausedAt);
  const filter = useStore(trace, (state) => state.filter);
  const filterError = useStore(trace, (state) => state.filterError);
  const filtering = useStore(trace, (state) => state.filtering);
  const searchOpen = useStore(trace, (state) => state.searchOpen);
  const kinds = useStore(preferences, (state) => state.kinds);
  const collapse = useStore(preferences, (state) => state.collapse);
  const plot = useStore(preferences, (state) => state.plot);
  const details = useStore(preferences, (state) => state.details);
  const [goToProblem, setGoToProblem] = useState('');
  const [empty, setEmpty] = useState(traceCount.get().rows === 0);
  const hasDevice = useStore(lab, (state) => state.devices.length > 0);
  const paused = pausedAt !== undefined;
  useLiveDraw(traceCount, (value) => {
    if ((value.rows === 0) !== empty) setEmpty(value.rows === 0);
  });
  return (
    <Panel
      name="trace"
      title="MMIO trace"
      help={
        <>
          Every access, interrupt and DMA of all devices. In the rows: <kbd>Space</kbd> pauses the view while
          the trace goes on, <kbd>F</kbd> follows the end, <kbd>/</kbd> filters, <kbd>Ctrl+F</kbd> searches,{' '}
          <kbd>N</kbd> goes to the next match, <kbd>[</kbd> <kbd>]</kbd> to the previous and next access to
          the same register, <kbd>,</kbd> <kbd>.</kbd> through what belongs together, <kbd>E</kbd> to the next
          expert note, <kbd>B</kbd> sets a bookmark, <kbd>T</kbd> counts times from the row, <kbd>D</kbd>{' '}
          shows details, <kbd>Enter</kbd> opens the panel of what a row is about. The edges of the columns are
          dragged, or have the focus: <kbd>Left</kbd> and <kbd>Right</kbd> resize, <kbd>Up</kbd> and{' '}
          <kbd>Down</kbd> go to another column, <kbd>Enter</kbd> fits, <kbd>Home</kbd> gives the usual width
          back. A filter such as{' '}
          <span className="mono">{'bar == 0 && reg ~ "SQ*TDBL" && write && value > 3'}</span> is completed as
          you type; <kbd>Ctrl+Space</kbd> shows what may come next.
        </>
      }
      tools={
        <>
          <Button
            aria-pressed={paused}
            command="trace.pause"
            testId="trace-pause"
            title="Stand still; nothing is lost meanwhile (Space)"
          >
            {paused ? <Play /> : <Pause />}
            {paused ? 'Resume' : 'Pause'}
          </Button>
          <Button
            aria-pressed={follow && !paused}
            command="trace.follow"
            testId="trace-follow"
            title="Keep the newest row in view (F)"
          >
            <ArrowDownToLine />
            Follow
          </Button>
          <FilterField
            value={filter}
            label="Trace filter"
            placeholder="Filter, such as write && bar == 0"
            testId="trace-filter"
            className="trace-filter"
            problem={filterError}
            problemId="trace-filter-error"
            apply={(text) => void setFilter(text)}
            onProblem={(filterError) => trace.setState({ filterError })}
            leave={toRows}
          />
          <form
            className="field-with-problem"
            onSubmit={(event) => {
              event.preventDefault();
              goTo(gotoInput.current?.value ?? '').then(setGoToProblem, (error) =>
                setGoToProblem(errorText(error).text),
              );
            }}
          >
            <input
              ref={gotoInput}
              className="input trace-goto mono"
              aria-label="Go to row, #access or time"
              title="A row's number in the whole trace, an access as #17, a time as 1.5s"
              aria-invalid={goToProblem !== ''}
              aria-describedby={goToProblem === '' ? undefined : 'trace-goto-problem'}
              data-testid="trace-goto"
              onChange={() => setGoToProblem('')}
              placeholder="Go to row"
            />
            {goToProblem !== '' && (
              <span
                className="field-problem"
                role="alert"
                id="trace-goto-problem"
                data-testid="trace-goto-problem"
              >
                {goToProblem}
              </span>
            )}
          </form>
          <Button
            kind="icon"
            aria-label="Copy the selected rows"
            title="Copy the selected rows (Ctrl+C); without any, those in view"
            command="trace.copy"
            testId="trace-copy"
          >
            <Copy />
          </Button>
          <Button
            kind="icon"
            aria-label="Clear the trace"
            title="Clear the trace"
            command="trace.clear"
            testId="trace-clear"
          >
            <Eraser />
          </Button>
          <span className="trace-bar-break" />
          <KindButtons />
          <span className="divider" />
          <Button
            kind="icon"
            aria-label="Identical polls as one row"
            aria-pressed={collapse}
            title="Identical polls as one row with a count (C)"
            testId="trace-collapse"
            command="trace.collapse"
          >
            <ListCollapse />
          </Button>
          <Button
            kind="icon"
            aria-label="Search"
            aria-pressed={searchOpen}
            title="Search (Ctrl+F)"
            testId="trace-search-open"
            command="trace.find"
            onClick={() => trace.setState({ searchOpen: !searchOpen })}
          >
            <Search />
          </Button>
          <TraceMenus open={menu} setOpen={openMenu} />
          <Button
            kind="icon"
            aria-label="Details of the chosen row"
            aria-pressed={details}
            title="Details of the chosen row (D)"
            testId="trace-details-toggle"
            command="trace.details"
          >
            <PanelBottom />
          </Button>
        </>
      }
    >
      {filterError !== undefined && (
        <FilterProblemLine problem={filterError} id="trace-filter-error" testId="trace-filter-error" />
      )}
      {searchOpen && <SearchBar leave={toRows} />}
      {plot && (
        <RatePlot
          goToTime={(time) => {
            locate({ time }).then(goToIndex, () => undefined);
          }}
        />
      )}
      <div style={{ position: 'relative', flex: 1, minHeight: 0, display: 'flex' }}>
        <TraceRows onView={takeView} />
        {plot && (
          <Minimap
            goToRow={(row) => {
              locate({ row }).then(goToIndex, () => undefined);
            }}
          />
        )}
        {empty && (
          <div className="rows-over">
            {filter !== '' || kinds.length < allKinds.length ? (
              <Empty
                testId="trace-empty"
                action={<Button onClick={() => void commands.run('trace.unfilter')}>Show all rows</Button>}
              >
                {filtering ? 'Looking through the trace.' : 'No row matches the filter so far.'}
              </Empty>
            ) : (
              <Empty
                testId="trace-empty"
                action={
                  hasDevice ? undefined : (
                    <Button kind="primary" onClick={() => ui.setState({ powerOn: true })}>
                      Power on a device
                    </Button>
                  )
                }
              >
                {hasDevice
                  ? 'The trace is empty. Rows appear as soon as a driver touches the device.'
                  : 'No device is powered on. Power one on, and every access of its driver appears here.'}
              </Empty>
            )}
          </div>
        )}
      </div>
      {details && <TraceDetails />}
      <div className="trace-counts">
        <span data-testid="trace-state">
          {paused ? `Paused at row ${count(pausedAt)}` : follow ? 'Following' : 'Standing'}
        </span>
        <LiveText
          live={traceCount}
          testId="trace-count"
          text={(value) =>
            value.rows === value.total
              ? `${count(value.total)} rows`
              : `${count(value.rows)} of ${count(value.total)} rows match`
          }
        />
        <LiveText
          live={traceCount}
          testId="trace-progress"
          text={(value) => (value.progress < 1 ? `searched ${Math.floor(value.progress * 100)} %` : '')}
        />
        <TraceFull />
        <LiveText
          live={traceCount}
          className="warn-text"
          testId="trace-missed"
          text={(value) => (value.missed > 0 ? `${count(value.missed)} events missed` : '')}
        />
      </div>
    </Panel>
  );
}

/** The memory is used up: what went, and where it can be given more. */
function TraceFull() {
  const line = useRef<HTMLSpanElement>(null);
  useLiveDraw(traceCount, ({ first }) => {
    if (line.current !== null) line.current.hidden = first === 0;
  });
  return (
    <span ref={line} className="warn-text" hidden>
      <LiveText
        live={traceCount}
        testId="trace-dropped"
        text={({ first }) => `The trace is full: the oldest ${count(first)} rows are gone`}
      />{' '}
      <button
        type="button"
        className="link"
        data-testid="trace-keep-more"
        onClick={() => void commands.run('settings.open')}
      >
        Keep more rows
      </button>
    </span>
  );
}

async function chosenRow() {
  const row = await rowOf(chosen.get());
  if (row === undefined) addNotice({ level: 'info', text: 'Choose a trace row first' }, true);
  return row;
}

commands.register(
  {
    id: 'trace.filter',
    title: 'Filter the trace',
    group: 'Trace',
    run: () => goToPart('trace', '[data-testid="trace-filter"]'),
  },
  {
    id: 'trace.goto',
    title: 'Go to a trace row, access or time',
    group: 'Trace',
    hotkeys: ['!Mod+G'],
    run: () => goToPart('trace', '.trace-goto'),
  },
  {
    id: 'trace.copy',
    title: 'Copy the selected trace rows, or those in view',
    group: 'Trace',
    run: async () => {
      await bringForward('trace');
      copyRows();
    },
  },
  {
    id: 'trace.widths',
    title: 'Resize the trace columns',
    group: 'Trace',
    run: () => goToPart('trace', '.column-edge[tabindex="0"]'),
  },
  {
    id: 'trace.focus',
    title: 'Move the focus to the trace rows',
    group: 'Trace',
    run: () => goToPart('trace', '.rows-viewport'),
  },
  ...(['columns', 'rules', 'bookmarks', 'statistics'] as const).map((id) => ({
    id: `trace.${id}`,
    title: `Trace: ${{ columns: 'columns', rules: 'colour rules', bookmarks: 'list of bookmarks', statistics: 'statistics by register' }[id]}`,
    group: 'Trace',
    run: async () => {
      await bringForward('trace');
      openMenu(id);
    },
  })),
  {
    id: 'trace.pause',
    title: 'Pause or resume the trace view',
    group: 'Trace',
    hotkeys: ['Mod+P'],
    run: () => setPaused(trace.getState().pausedAt === undefined),
  },
  {
    id: 'trace.follow',
    title: 'Follow the end of the trace',
    group: 'Trace',
    run: () => setFollow(!trace.getState().follow || trace.getState().pausedAt !== undefined),
  },
  { id: 'trace.clear', title: 'Clear the trace', group: 'Trace', run: clearTrace },
  {
    id: 'trace.unfilter',
    title: 'Show all trace rows',
    group: 'Trace',
    run: () => {
      preferences.setState({ kinds: allKinds });
      return setFilter('');
    },
  },
  {
    id: 'trace.find',
    title: 'Search in the trace',
    group: 'Trace',
    hotkeys: ['Mod+F'],
    run: () => {
      trace.setState({ searchOpen: true });
      return goToPart('trace', '[data-testid="trace-search"]');
    },
  },
  {
    id: 'trace.findNext',
    title: 'Next match in the trace',
    group: 'Trace',
    run: () => runSearch(trace.getState().search, true),
  },
  {
    id: 'trace.findPrevious',
    title: 'Previous match in the trace',
    group: 'Trace',
    run: () => runSearch(trace.getState().search, false),
  },
  {
    id: 'trace.registerNext',
    title: 'Next access to this register',
    group: 'Trace',
    run: () => sameRegister(true),
  },
  {
    id: 'trace.registerPrevious',
    title: 'Previous access to this register',
    group: 'Trace',
    run: () => sameRegister(false),
  },
  {
    id: 'trace.groupNext',
    title: 'Next row that belongs together with this one',
    group: 'Trace',
    run: () => sameGroup(true),
  },
  {
    id: 'trace.groupPrevious',
    title: 'Previous row that belongs together with this one',
    group: 'Trace',
    run: () => sameGroup(false),
  },
  {
    id: 'trace.expertNext',
    title: 'Next row with an expert note',
    group: 'Trace',
    run: () => search('expert', true, 'Expert note'),
  },
  {
    id: 'trace.expertPrevious',
    title: 'Previous row with an expert note',
    group: 'Trace',
    run: () => search('expert', false, 'Expert note'),
  },
  {
    id: 'trace.missed',
    title: 'Next row that says how many events are missing',
    group: 'Trace',
    run: async () => {
      await commands.run('view.trace');
      await search('missed', true, 'Missed events');
    },
  },
  {
    id: 'trace.bookmark',
    title: 'Set or remove a bookmark on the trace row',
    group: 'Trace',
    run: async () => {
      const row = await chosenRow();
      if (row !== undefined) setBookmark(row, trace.getState().bookmarks.has(row.row) ? undefined : '');
    },
  },
  {
    id: 'trace.bookmarkNext',
    title: 'Next bookmark',
    group: 'Trace',
    run: () => nextBookmark(true),
  },
  {
    id: 'trace.bookmarkPrevious',
    title: 'Previous bookmark',
    group: 'Trace',
    run: () => nextBookmark(false),
  },
  {
    id: 'trace.reference',
    title: 'Count times from the trace row, or from the start again',
    group: 'Trace',
    run: async () => {
      const row = await chosenRow();
      if (row === undefined) return;
      const same = trace.getState().reference?.row === row.row;
      trace.setState({ reference: same ? undefined : { row: row.row, time: row.time } });
    },
  },
  {
    id: 'trace.gotoReference',
    title: 'Go to the row that times count from',
    group: 'Trace',
    enabled: () => trace.getState().reference !== undefined,
    run: () => goToTraceRow(trace.getState().reference!.row),
  },
  {
    id: 'trace.details',
    title: 'Show or hide the details of the trace row',
    group: 'Trace',
    run: () => preferences.setState((state) => ({ details: !state.details })),
  },
  {
    id: 'trace.collapse',
    title: 'Show identical polls as one row, or each',
    group: 'Trace',
    run: () => preferences.setState((state) => ({ collapse: !state.collapse })),
  },
  {
    id: 'trace.widthsReset',
    title: 'Give the trace columns their usual widths',
    group: 'Trace',
    enabled: () => Object.keys(preferences.getState().widths).length > 0,
    run: () => preferences.setState({ widths: {} }),
  },
  {
    id: 'trace.plot',
    title: 'Show or hide the rate plot and the minimap',
    group: 'Trace',
    run: () => preferences.setState((state) => ({ plot: !state.plot })),
  },
  ...allKinds.map((kind) => ({
    id: `trace.kind.${kind}`,
    title: `Show or hide in the trace: ${kindTitles[kind]}`,
    group: 'Trace',
    run: () => toggleKind(kind),
  })),
);
