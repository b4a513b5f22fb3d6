import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { settings } from '#renderer/state/settings.ts';
import { pixels } from '#renderer/theme/theme.ts';
import { copyWithNotice } from './clipboard.ts';
import { byteText } from './format.ts';
import { HexGrid, type HexPlace, hexDump } from './hex-grid.ts';
import './hex-grid.css';

/** A {@link HexGrid} in React's tree. Its bytes come from outside, through `onGrid`. */
export function HexView(props: {
  label: string;
  byteTestId?: string;
  tone?: (offset: number) => string;
  mark?: (offset: number) => string;
  title?: (offset: number) => string;
  visible?: (first: number, last: number) => void;
  selected?: (offset: number) => void;
  edit?: ((offset: number, value: number) => void) | undefined;
  onGrid: (grid: HexGrid | undefined) => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const grid = useRef<HexGrid | undefined>(undefined);
  const place = useRef<HexPlace | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const density = useStore(settings, (state) => state.density);
  const editable = props.edit !== undefined;
  const [columns, setColumns] = useState(16);
  useLayoutEffect(() => {
    const element = host.current;
    if (element === null || typeof ResizeObserver === 'undefined') return;
    const resize = () => {
      // 16 bytes with their address and text take 69 characters of 0.6 em; half of them fit where these do not.
      const wide = 69 * 0.6 * pixels('--size', 12) + 48;
      element.dataset.narrow = `${element.clientWidth < 40 * 0.6 * pixels('--size', 12) + 40}`;
      if (element.clientWidth > 0) setColumns(element.clientWidth >= wide ? 16 : 8);
    };
    const observer = new ResizeObserver(resize);
    observer.observe(element);
    resize();
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const made: HexGrid = new HexGrid(host.current!, {
      label: latest.current.label,
      rowHeight: pixels('--row', 22),
      columns,
      ...(latest.current.byteTestId === undefined ? {} : { byteTestId: latest.current.byteTestId }),
      tone: (offset) => latest.current.tone?.(offset) ?? '',
      mark: (offset) => latest.current.mark?.(offset) ?? '',
      title: (offset) => {
        const byte = made.byte(offset);
        return latest.current.title?.(offset) ?? (byte === undefined ? '' : byteText(byte));
      },
      visible: (first, last) => latest.current.visible?.(first, last),
      selected: (offset) => latest.current.selected?.(offset),
      ...(editable ? { edit: (offset: number, value: number) => latest.current.edit?.(offset, value) } : {}),
      copy: (from, to) => {
        const bytes = new Uint8Array(to - from);
        for (let at = from; at < to; at++) bytes[at - from] = made.byte(at) ?? 0;
        const text =
          bytes.length > 16
            ? hexDump(bytes, from)
            : [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ');
        void copyWithNotice(bytes.length === 1 ? '1 byte' : `${bytes.length} bytes`, text);
      },
    });
    grid.current = made;
    latest.current.onGrid(made);
    if (place.current !== undefined) made.resume(place.current);
    return () => {
      place.current = made.place;
      latest.current.onGrid(undefined);
      made.dispose();
    };
  }, [editable, columns]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the density
  useEffect(() => grid.current?.rows.setRowHeight(pixels('--row', 22)), [density]);
  return <div ref={host} style={{ display: 'flex', flex: 1, minHeight: 0, minWidth: 0 }} />;
}
