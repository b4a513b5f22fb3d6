import { defaultRangeExtractor, type Range, useVirtualizer } from '@tanstack/react-virtual';
import {
  type KeyboardEvent,
  type ReactNode,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { useStore } from 'zustand';
import { settings } from '#renderer/state/settings.ts';
import { pixels } from '#renderer/theme/theme.ts';
import './virtual-list.css';

/** Rows beyond each edge: Tab finds the next one there. */
const OVERSCAN = 6;
/** px from the end within which the list still is at its end. */
const AT_END = 8;

export interface VirtualListProps {
  readonly label: string;
  readonly testId: string;
  readonly className: string;
  /** Identity of each row; as long as they are the same array, no row has changed its place. */
  readonly keys: readonly string[];
  readonly row: (index: number) => ReactNode;
  /** Rows that are not as high as a row usually is; they are measured. */
  readonly varies: (index: number) => boolean;
  /** Elements of a row among which arrow keys, Home and End lead from row to row. */
  readonly rove?: string;
  /** The list itself takes the focus, so that keys scroll it: its rows have nothing that does. */
  readonly scrolls?: boolean;
  /** A row to bring into view; each object does it once. */
  readonly wanted?: { readonly index: number } | undefined;
  /** Rows come at the end, which stays in view until one looks further up. */
  readonly follow?: boolean;
}

/** The row that a key leads to; undefined: the key is not for rows. */
export function rowByKey(key: string, from: number, rows: number, page: number): number | undefined {
  const to = {
    ArrowUp: from - 1,
    ArrowDown: from + 1,
    PageUp: from - page,
    PageDown: from + page,
    Home: 0,
    End: rows - 1,
  }[key];
  return to === undefined ? undefined : Math.max(0, Math.min(to, rows - 1));
}

/** What is rendered: the rows in view, and the one that has the focus, wherever it is. */
export function rowsOf(range: Range, focused: number): number[] {
  const shown = defaultRangeExtractor(range);
  if (focused < 0 || focused >= range.count || shown.includes(focused)) return shown;
  return [...shown, focused].sort((a, b) => a - b);
}

/** A list of rows of differing height, of which only those in view exist. */
export function VirtualList(props: VirtualListProps) {
  const { keys, varies, wanted, follow = false } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const density = useStore(settings, (state) => state.density);
  const [focused, setFocused] = useState<string | undefined>(undefined);
  /** Where the focus goes once the row is there: its key, and which of its elements. */
  const leading = useRef<{ readonly key: string; readonly place: number } | undefined>(undefined);
  const kept = focused === undefined ? -1 : keys.indexOf(focused);
  const usual = () => pixels('--row', 22);
  const list = useVirtualizer<HTMLDivElement, HTMLDivElement>({
    count: keys.length,
    getScrollElement: () => scroller.current,
    estimateSize: usual,
    getItemKey: useCallback((index: number) => keys[index]!, [keys]),
    // Asking a row of the usual height for it would lay out the page anew for each.
    measureElement: (element, entry) => {
      const box = entry?.borderBoxSize[0];
      if (box !== undefined) return box.blockSize;
      return varies(Number(element.dataset.index)) ? element.offsetHeight : usual();
    },
    overscan: OVERSCAN,
    rangeExtractor: useCallback((range: Range) => rowsOf(range, kept), [kept]),
    directDomUpdates: true,
    directDomUpdatesMode: 'position',
    useFlushSync: false,
    initialOffset: () => (follow ? keys.length * usual() : 0),
    ...(follow ? { anchorTo: 'end' as const, followOnAppend: true, scrollEndThreshold: AT_END } : {}),
  });
  const measuredFor = useRef(density);
  useEffect(() => {
    if (measuredFor.current === density) return;
    measuredFor.current = density;
    list.measure();
  }, [density, list]);
  useEffect(() => {
    if (wanted !== undefined && wanted.index >= 0) list.scrollToIndex(wanted.index);
  }, [wanted, list]);

  const elementsOf = (row: Element) => [...row.querySelectorAll<HTMLElement>(props.rove!)];
  useLayoutEffect(() => {
    const { key, place } = leading.current ?? {};
    if (key === undefined) return;
    const row = scroller.current?.querySelector(`[data-index="${keys.indexOf(key)}"]`);
    if (row === null || row === undefined) return;
    leading.current = undefined;
    const all = elementsOf(row);
    const there = all[place!];
    (there === undefined || there.matches(':disabled') ? all[0] : there)?.focus();
  });
  const lead = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (props.rove === undefined || !target.matches(props.rove)) return;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const row = target.closest<HTMLElement>('[data-index]')!;
    const page = Math.max(1, Math.floor(scroller.current!.clientHeight / usual()) - 1);
    const to = rowByKey(event.key, Number(row.dataset.index), keys.length, page);
    if (to === undefined) return;
    event.preventDefault();
    leading.current = { key: keys[to]!, place: elementsOf(row).indexOf(target) };
    setFocused(keys[to]);
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: rows are placed one by one
    <div
      ref={scroller}
      role="list"
      aria-label={props.label}
      tabIndex={props.scrolls ? 0 : undefined}
      className={`virtual-list ${props.className}`}
      onKeyDown={lead}
      onFocus={(event) => {
        const row = (event.target as HTMLElement).closest<HTMLElement>('[data-index]');
        setFocused(row === null ? undefined : keys[Number(row.dataset.index)]);
      }}
      onBlur={(event) => {
        // A window that goes to the back blurs too, and gives the focus back to where it was.
        const stays = document.activeElement === event.target;
        if (!stays && !event.currentTarget.contains(event.relatedTarget)) setFocused(undefined);
      }}
    >
      <div ref={list.containerRef} className="virtual-list-rows" data-testid={props.testId}>
        {list.getVirtualItems().map(({ index, key }) => (
          // biome-ignore lint/a11y/useSemanticElements: as its list
          <div
            key={key}
            ref={list.measureElement}
            className="virtual-list-row"
            role="listitem"
            aria-setsize={keys.length}
            aria-posinset={index + 1}
            data-index={index}
          >
            {props.row(index)}
          </div>
        ))}
      </div>
    </div>
  );
}
