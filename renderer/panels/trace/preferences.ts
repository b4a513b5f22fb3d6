/** How the trace looks, kept from one start to the next. */
import { createStore } from 'zustand/vanilla';
import { MAX_RULES, type RowKind, rowKinds } from '#contract/trace.ts';
import { type ColumnId, type ColumnWidths, clampWidth, columns, elastic, fixedColumns } from './row.ts';

/** Colours of rules: a background for the row, by the meaning that tokens give it. */
export const ruleColors = ['read', 'write', 'irq', 'dma', 'config', 'note', 'warn', 'error'] as const;
export type RuleColor = (typeof ruleColors)[number];

export interface ColorRule {
  readonly filter: string;
  readonly color: RuleColor;
}

export interface TracePreferences {
  readonly kinds: readonly RowKind[];
  readonly collapse: boolean;
  readonly hidden: readonly ColumnId[];
  readonly widths: ColumnWidths;
  readonly rules: readonly ColorRule[];
  readonly plot: boolean;
  readonly details: boolean;
}

const KEY = 'pciem-lab-trace';
export const allKinds = Object.keys(rowKinds) as RowKind[];
export const defaultPreferences: TracePreferences = {
  kinds: allKinds,
  collapse: false,
  hidden: [],
  widths: {},
  rules: [],
  plot: true,
  details: false,
};

const textList = <T extends string>(value: unknown, allowed: readonly T[]): T[] | undefined =>
  Array.isArray(value) ? allowed.filter((one) => value.includes(one)) : undefined;

function parseWidths(value: unknown): ColumnWidths {
  const kept = (typeof value === 'object' && value !== null ? value : {}) as Readonly<
    Record<string, unknown>
  >;
  return Object.fromEntries(
    columns.flatMap(({ id }) => {
      const width = kept[id];
      const known = id !== elastic && typeof width === 'number' && Number.isFinite(width);
      return known ? [[id, clampWidth(width)]] : [];
    }),
  );
}

/** As they were kept; what is unknown falls back to its default. */
export function parsePreferences(text: string | null): TracePreferences {
  try {
    const kept = JSON.parse(text ?? '{}') as Partial<Record<keyof TracePreferences, unknown>>;
    const kinds = textList(kept.kinds, allKinds);
    const movable = columns.map(({ id }) => id).filter((id) => !fixedColumns.includes(id));
    const rules = Array.isArray(kept.rules) ? (kept.rules as Partial<ColorRule>[]) : [];
    return {
      kinds: kinds === undefined || kinds.length === 0 ? allKinds : kinds,
      collapse: kept.collapse === true,
      hidden: textList(kept.hidden, movable) ?? [],
      widths: parseWidths(kept.widths),
      rules: rules
        .filter(
          (rule): rule is ColorRule =>
            typeof rule?.filter === 'string' && ruleColors.includes(rule.color as RuleColor),
        )
        .map(({ filter, color }) => ({ filter, color }))
        .slice(0, MAX_RULES),
      plot: kept.plot !== false,
      details: kept.details === true,
    };
  } catch {
    return defaultPreferences;
  }
}

export const preferences = createStore<TracePreferences>(() => parsePreferences(localStorage.getItem(KEY)));
preferences.subscribe((state) => localStorage.setItem(KEY, JSON.stringify(state)));
