import { ArrowDownToLine, Copy, Eraser, Pause, Play } from 'lucide-react';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { TraceKind } from '#contract/trace-record.ts';
import { commands } from '#renderer/app-commands.ts';
import { deviceName, lab, registerIndex, selectDevice } from '#renderer/state/lab.ts';
import { addNotice } from '#renderer/state/notices.ts';
import { settings } from '#renderer/state/settings.ts';
import { ui } from '#renderer/state/ui.ts';
import { deviceColor, pixels } from '#renderer/theme/theme.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { el, setHexText, setText } from '#renderer/ui/dom.ts';
import { count } from '#renderer/ui/format.ts';
import { Button, Empty, LiveText, Panel, useLiveDraw } from '#renderer/ui/parts.tsx';
import { VirtualRows } from '#renderer/ui/virtual-rows.ts';
import {
  clearTrace,
  noteText,
  rows,
  rowsText,
  setFilter,
  setFollow,
  setPaused,
  shownRows,
  trace,
  traceChanged,
  traceCount,
  viewNumber,
} from './model.ts';
import { columns, formatRow, layoutColumns } from './row.ts';
import './trace.css';

function createRow(): HTMLElement {
  const row = el('div', 'trace-row', { role: 'row', 'data-testid': 'trace-row' });
  for (const column of columns) {
    const cell = el('span', `cell-${column.id}`, { role: 'gridcell' });
    if ('align' in column) cell.dataset.align = column.align;
    row.append(cell);
  }
  return row;
}

function createHead(): HTMLElement {
  const head = el('div', 'trace-head', { role: 'row' });
  for (const column of columns) {
    const cell = el('span', `cell-${column.id}`, { role: 'columnheader' });
    if ('align' in column) cell.dataset.align = column.align;
    cell.textContent = column.title;
    head.append(cell);
  }
  return head;
}

/** A row was drawn before it was here. */
let incomplete = false;

function renderRow(index: number, element: HTMLElement): void {
  const cells = element.children as unknown as HTMLElement[];
  const row = rows.row(index);
  element.dataset.loading = `${row === undefined}`;
  if (row === undefined) {
    incomplete = true;
    for (let at = 0; at < columns.length; at++) setText(cells[at]!, at === 0 ? '…' : '');
    element.dataset.wide = 'false';
    return;
  }
  const formatted = formatRow(row, {
    index: registerIndex,
    name: deviceName,
    note: noteText,
    before: index === 0 ? undefined : rows.row(index - 1)?.time,
  });
  element.dataset.tone = formatted.tone;
  element.dataset.wide = `${formatted.wide}`;
  if (element.dataset.device !== `${row.device}`) {
    element.dataset.device = `${row.device}`;
    element.style.setProperty('--device-color', deviceColor(row.device));
  }
  for (let at = 0; at < columns.length; at++) {
    const { id } = columns[at]!;
    const cell = cells[at]!;
    const text = formatted.cells[id];
    if (id === 'value' || (id === 'register' && formatted.tone === 'dma')) setHexText(cell, text);
    else setText(cell, text);
    if (id === 'decoded' || id === 'register') cell.title = text;
    else if (id === 'value') cell.title = formatted.hint;
  }
}

/** Opens the panel of what a row is about. */
function goToSubject(index: number): void {
  const row = rows.row(index);
  if (row === undefined || !lab.getState().devices.some((device) => device.id === row.device)) return;
  selectDevice(row.device);
  switch (row.kind) {
    case TraceKind.mmioRead:
    case TraceKind.mmioWrite: {
      const hit = registerIndex(row.device)?.find(row.bar, row.address);
      if (hit !== undefined) {
        ui.setState({ register: { device: row.device, bar: row.bar, name: hit.register.name } });
      }
      void commands.run('view.registers');
      break;
    }
    case TraceKind.configRead:
    case TraceKind.configWrite:
      void commands.run('view.config');
      break;
    case TraceKind.interrupt:
      void commands.run('view.interrupts');
      break;
    case TraceKind.dmaRead:
    case TraceKind.dmaWrite:
      void commands.run('view.dma');
      break;
  }
}

function TraceRows({ onView }: { onView: (view: VirtualRows | undefined) => void }) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<VirtualRows | undefined>(undefined);
  const seen = useRef(viewNumber());
  const density = useStore(settings, (state) => state.density);
  const descriptions = useStore(lab, (state) => state.descriptions);
  const follow = useStore(trace, (state) => state.follow);
  const paused = useStore(trace, (state) => state.pausedAt !== undefined);

  useLayoutEffect(() => {
    const made: VirtualRows = new VirtualRows(host.current!, {
      label: 'Trace rows',
      rowHeight: pixels('--row', 22),
      head: createHead,
      create: createRow,
      render: renderRow,
      // The row before the first is wanted for its time.
      visible: (first, last) => {
        if (!made.follow) rows.want(first - 1, last);
      },
      followChanged: (on) => {
        if (trace.getState().follow !== on && trace.getState().pausedAt === undefined)
          trace.setState({ follow: on });
      },
      activated: goToSubject,
      copy: (from, to) => void copyWithNotice(`${count(to - from)} trace rows`, rowsText(from, to)),
      key: (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return false;
        const command = { ' ': 'trace.pause', f: 'trace.follow', '/': 'trace.filter' }[event.key];
        if (command === undefined) return false;
        void commands.run(command);
        return true;
      },
    });
    made.viewport.dataset.testid = 'trace-rows';
    view.current = made;
    onView(made);
    return () => {
      onView(undefined);
      made.dispose();
    };
  }, [onView]);

  const oneDevice = useStore(lab, (state) => state.devices.length <= 1 && state.descriptions.size <= 1);
  // biome-ignore lint/correctness/useExhaustiveDependencies: widths follow the size of the type
  useLayoutEffect(() => {
    const made = view.current;
    if (made === undefined) return;
    const arrange = () => {
      const { template, minWidth } = layoutColumns(
        made.element.clientWidth,
        oneDevice,
        pixels('--size', 12) / 12,
      );
      made.setMinWidth(minWidth);
      made.element.style.setProperty('--trace-columns', template);
      made.element.dataset.oneDevice = `${oneDevice}`;
    };
    arrange();
    if (typeof ResizeObserver === 'undefined') return;
    const observer = new ResizeObserver(arrange);
    observer.observe(made.element);
    return () => observer.disconnect();
  }, [oneDevice, density]);

  useLiveDraw(traceChanged, () => {
    const made = view.current;
    if (made === undefined) return;
    if (seen.current !== viewNumber()) {
      seen.current = viewNumber();
      made.setCount(0);
      made.refresh();
    }
    const shown = shownRows();
    const following = trace.getState().follow && trace.getState().pausedAt === undefined;
    if (following) {
      if (shown < made.count) made.setCount(shown);
      // The end moves on only once its rows are here, so that nothing flickers.
      const page = made.page + 1;
      rows.want(shown - page, shown);
      const end = rows.loadedEnd(shown, page);
      if (end <= made.count) return;
      made.setCount(end);
      return;
    }
    made.setCount(shown);
    if (incomplete) {
      incomplete = false;
      made.refresh();
    }
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows are drawn again when what they are decoded by arrives
  useEffect(() => view.current?.refresh(), [descriptions]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the density
  useEffect(() => view.current?.setRowHeight(pixels('--row', 22)), [density]);
  useEffect(() => view.current?.setFollow(follow && !paused), [follow, paused]);

  return <div ref={host} style={{ display: 'flex', flex: 1, minHeight: 0, minWidth: 0 }} />;
}

export function TracePanel() {
  const [view, setView] = useState<VirtualRows | undefined>(undefined);
  const filterInput = useRef<HTMLInputElement>(null);
  const gotoInput = useRef<HTMLInputElement>(null);
  const follow = useStore(trace, (state) => state.follow);
  const pausedAt = useStore(trace, (state) => state.pausedAt);
  const filter = useStore(trace, (state) => state.filter);
  const filterError = useStore(trace, (state) => state.filterError);
  const filtering = useStore(trace, (state) => state.filtering);
  const [draft, setDraft] = useState(filter);
  const [empty, setEmpty] = useState(traceCount.get().rows === 0);
  const hasDevice = useStore(lab, (state) => state.devices.length > 0);
  const paused = pausedAt !== undefined;
  useEffect(() => setDraft(filter), [filter]);
  useLiveDraw(traceCount, (value) => {
    if ((value.rows === 0) !== empty) setEmpty(value.rows === 0);
  });

  const copySelected = useCallback(() => {
    const selection = view?.selection;
    if (selection === undefined) {
      addNotice(
        { level: 'info', text: 'Select trace rows first: click one, then Shift-click another' },
        true,
      );
      return;
    }
    void copyWithNotice(`${count(selection[1] - selection[0])} trace rows`, rowsText(...selection));
  }, [view]);

  useEffect(
    () =>
      commands.register(
        {
          id: 'trace.filter',
          title: 'Filter the trace',
          group: 'Trace',
          run: () => filterInput.current?.select(),
        },
        {
          id: 'trace.goto',
          title: 'Go to a trace row',
          group: 'Trace',
          hotkeys: ['!Mod+G'],
          run: () => gotoInput.current?.select(),
        },
        { id: 'trace.copy', title: 'Copy the selected trace rows', group: 'Trace', run: copySelected },
        {
          id: 'trace.focus',
          title: 'Move the focus to the trace rows',
          group: 'Trace',
          run: () => view?.viewport.focus(),
        },
      ),
    [copySelected, view],
  );

  const goTo = (text: string) => {
    const row = Number(text.replaceAll(/[,\s]/g, ''));
    const last = shownRows();
    if (!Number.isInteger(row) || row < 1 || row > last) {
      addNotice({
        level: 'warning',
        text: last === 0 ? 'The trace has no rows yet' : `Rows are numbered 1 to ${count(last)}`,
      });
      return;
    }
    trace.setState({ follow: false });
    view?.scrollTo(row - 1);
    view?.select(row - 1);
  };

  return (
    <Panel
      name="trace"
      title="MMIO trace"
      help={
        <>
          Every access, interrupt and DMA of all devices. <kbd>Space</kbd> pauses the view while the trace
          goes on, <kbd>F</kbd> follows the end, <kbd>/</kbd> filters, <kbd>Enter</kbd> opens the panel of
          what a row is about, <kbd>Ctrl+C</kbd> copies the selected rows. A filter such as{' '}
          <span className="mono">{'bar == 0 && reg ~ "SQ*TDBL" && write && value > 3'}</span> also knows
          offset, width, cpu, device, vector, length, address and the words read, write, irq, dma, config,
          note, missed, undefined and error.
        </>
      }
      tools={
        <>
          <Button
            aria-pressed={paused}
            onClick={() => setPaused(!paused)}
            testId="trace-pause"
            title="Stand still; nothing is lost meanwhile (Space)"
          >
            {paused ? <Play /> : <Pause />}
            {paused ? 'Resume' : 'Pause'}
          </Button>
          <Button
            aria-pressed={follow && !paused}
            onClick={() => setFollow(!(follow && !paused))}
            testId="trace-follow"
            title="Keep the newest row in view (F)"
          >
            <ArrowDownToLine />
            Follow
          </Button>
          <form
            style={{ display: 'contents' }}
            onSubmit={(event) => {
              event.preventDefault();
              void setFilter(draft.trim());
            }}
          >
            <input
              ref={filterInput}
              className="input trace-filter"
              data-testid="trace-filter"
              aria-label="Trace filter"
              aria-invalid={filterError !== undefined}
              aria-describedby="trace-filter-error"
              placeholder="Filter, such as write && bar == 0"
              spellCheck={false}
              value={draft}
              onChange={(event) => {
                setDraft(event.target.value);
                if (event.target.value === '') void setFilter('');
              }}
              onKeyDown={(event) => {
                if (event.key !== 'Escape') return;
                if (draft !== '') {
                  setDraft('');
                  void setFilter('');
                } else view?.viewport.focus();
              }}
            />
          </form>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              goTo(gotoInput.current?.value ?? '');
            }}
          >
            <input
              ref={gotoInput}
              className="input trace-goto mono"
              aria-label="Go to row"
              data-testid="trace-goto"
              placeholder="Go to row"
              inputMode="numeric"
            />
          </form>
          <Button
            kind="icon"
            aria-label="Copy the selected rows"
            title="Copy the selected rows (Ctrl+C)"
            onClick={copySelected}
            testId="trace-copy"
          >
            <Copy />
          </Button>
          <Button
            kind="icon"
            aria-label="Clear the trace"
            title="Clear the trace"
            onClick={() => void commands.run('trace.clear')}
            testId="trace-clear"
          >
            <Eraser />
          </Button>
        </>
      }
    >
      {filterError !== undefined && (
        <div
          className="message"
          data-level="error"
          role="alert"
          id="trace-filter-error"
          data-testid="trace-filter-error"
        >
          <span>{filterError.text}</span>
          {filterError.hint !== '' && <span className="dim">{filterError.hint}</span>}
        </div>
      )}
      <div style={{ position: 'relative', flex: 1, minHeight: 0, display: 'flex' }}>
        <TraceRows onView={setView} />
        {empty && (
          <div className="rows-over">
            {filter !== '' ? (
              <Empty
                testId="trace-empty"
                action={<Button onClick={() => void setFilter('')}>Show all rows</Button>}
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
          text={(value) => (value.progress < 1 ? `searched ${Math.floor(value.progress * 100)} %` : '')}
        />
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

commands.register(
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
  { id: 'trace.unfilter', title: 'Show all trace rows', group: 'Trace', run: () => setFilter('') },
);
