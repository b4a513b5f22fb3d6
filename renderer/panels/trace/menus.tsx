/** What the trace's tool bar opens: columns, colour rules, bookmarks, statistics. */
import { Bookmark, ChartNoAxesColumn, Columns3, Copy, Palette, Trash2 } from 'lucide-react';
import { Popover } from 'radix-ui';
import { type ReactNode, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { RegisterStatistics } from '#contract/trace.ts';
import { MAX_RULES } from '#contract/trace.ts';
import { commands } from '#renderer/app-commands.ts';
import { client, deviceName, registerIndex } from '#renderer/state/lab.ts';
import { noticeError } from '#renderer/state/notices.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { count, duration, hex, instant } from '#renderer/ui/format.ts';
import { Button } from '#renderer/ui/parts.tsx';
import { FilterField, FilterProblemLine } from './filter-field.tsx';
import { type FilterProblem, filterProblem, trace } from './model.ts';
import { goToTraceRow } from './navigate.ts';
import { defaultPreferences, preferences, type RuleColor, ruleColors } from './preferences.ts';
import { columnName, columns, fixedColumns } from './row.ts';

export type TraceMenu = 'columns' | 'rules' | 'bookmarks' | 'statistics';

function Menu(props: {
  id: TraceMenu;
  open: TraceMenu | undefined;
  setOpen(open: TraceMenu | undefined): void;
  label: string;
  icon: ReactNode;
  children: ReactNode;
}) {
  return (
    <Popover.Root
      open={props.open === props.id}
      onOpenChange={(open) => props.setOpen(open ? props.id : undefined)}
    >
      <Popover.Trigger asChild>
        <Button
          kind="icon"
          aria-label={props.label}
          title={props.label}
          testId={`trace-${props.id}`}
          data-runs={`trace.${props.id}`}
        >
          {props.icon}
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="menu trace-menu"
          align="end"
          sideOffset={4}
          collisionPadding={8}
          aria-label={props.label}
          data-testid={`trace-${props.id}-menu`}
        >
          {props.children}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function ColumnsMenu() {
  const hidden = useStore(preferences, (state) => state.hidden);
  const chosen = useStore(preferences, (state) => Object.keys(state.widths).length > 0);
  return (
    <div className="trace-menu-list">
      {columns.map((column) => (
        <label key={column.id}>
          <input
            type="checkbox"
            data-testid={`column-${column.id}`}
            disabled={fixedColumns.includes(column.id)}
            checked={!hidden.includes(column.id)}
            onChange={(event) =>
              preferences.setState({
                hidden: event.target.checked
                  ? hidden.filter((id) => id !== column.id)
                  : [...hidden, column.id],
              })
            }
          />
          {columnName(column)}
        </label>
      ))}
      <Button onClick={() => preferences.setState({ hidden: defaultPreferences.hidden })}>All columns</Button>
      <Button
        idle={!chosen}
        testId="column-widths-reset"
        onClick={() => void commands.run('trace.widthsReset')}
      >
        Usual widths
      </Button>
    </div>
  );
}

function RulesMenu() {
  const rules = useStore(preferences, (state) => state.rules);
  const [color, setColor] = useState<RuleColor>('write');
  const [problem, setProblem] = useState<FilterProblem | undefined>(undefined);
  const add = (filter: string) => {
    if (filter === '') return setProblem(undefined);
    const wrong = filterProblem(filter);
    setProblem(wrong);
    if (wrong === undefined) preferences.setState({ rules: [...rules, { filter, color }] });
  };
  return (
    <div className="trace-menu-list">
      <p className="dim small">
        Rows that match a filter get its colour; the first rule that matches counts.
      </p>
      {rules.map((rule, at) => (
        <div key={`${rule.filter} ${rule.color}`} className="trace-rule" data-testid="trace-rule">
          <span className="rule-swatch" style={{ background: `var(--${rule.color})` }} aria-hidden="true" />
          <span className="mono grow">{rule.filter}</span>
          <span className="dim small">{rule.color}</span>
          <Button
            kind="icon quiet"
            aria-label={`Remove the rule ${rule.filter}`}
            onClick={() => preferences.setState({ rules: rules.filter((_, other) => other !== at) })}
          >
            <Trash2 />
          </Button>
        </div>
      ))}
      {rules.length < MAX_RULES && (
        <div className="trace-rule">
          <select
            className="input"
            aria-label="Colour of the rule"
            data-testid="trace-rule-color"
            value={color}
            onChange={(event) => setColor(event.target.value as RuleColor)}
          >
            {ruleColors.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
          <FilterField
            key={rules.length}
            className="grow"
            value=""
            label="Filter of a new rule"
            placeholder="Such as value > 3, Enter adds it"
            testId="trace-rule-filter"
            problem={problem}
            apply={add}
            onProblem={setProblem}
          />
        </div>
      )}
      {problem !== undefined && <FilterProblemLine problem={problem} testId="trace-rule-error" />}
    </div>
  );
}

function BookmarksMenu({ close }: { close(): void }) {
  const bookmarks = useStore(trace, (state) => state.bookmarks);
  const list = [...bookmarks].sort(([a], [b]) => a - b);
  if (list.length === 0) {
    return (
      <p className="dim small trace-menu-list">
        No bookmarks yet. B on a row sets one; the details have room for a note.
      </p>
    );
  }
  const remove = (row: number) => {
    const rest = new Map(bookmarks);
    rest.delete(row);
    trace.setState({ bookmarks: rest });
  };
  return (
    <div className="trace-menu-list">
      {list.map(([row, { time, text }]) => (
        <div key={row} className="trace-rule" data-testid="trace-bookmark-row">
          <button
            type="button"
            className="link grow"
            onClick={() => {
              close();
              void goToTraceRow(row);
            }}
          >
            <span className="mono">{count(row + 1)}</span>
            <span className="mono dim">{instant(time)}</span>
            <span>{text}</span>
          </button>
          <Button kind="icon quiet" aria-label={`Remove bookmark ${row + 1}`} onClick={() => remove(row)}>
            <Trash2 />
          </Button>
        </div>
      ))}
      <Button
        onClick={() =>
          void copyWithNotice(
            'the bookmarks',
            list.map(([row, { time, text }]) => `${row + 1}\t${instant(time)}\t${text}`).join('\n'),
          )
        }
      >
        <Copy /> Copy
      </Button>
    </div>
  );
}

function placeName({ device, bar, offset }: RegisterStatistics): string {
  const hit = registerIndex(device)?.find(bar, offset);
  if (hit === undefined) return `BAR${bar}+${hex(offset)}`;
  return hit.delta === 0 ? hit.register.name : `${hit.register.name}+${hit.delta}`;
}

const STATISTICS_SHOWN = 200;

function StatisticsMenu({ close }: { close(): void }) {
  const [registers, setRegisters] = useState<readonly RegisterStatistics[] | undefined>(undefined);
  useEffect(() => {
    let current = true;
    client.call('trace.statistics', {}).then(
      (result) => current && !result.stopped && setRegisters(result.registers),
      (error) => noticeError('Count accesses', error),
    );
    return () => {
      current = false;
      void client.call('trace.cancel', {}).catch(() => {});
    };
  }, []);
  if (registers === undefined) return <p className="dim small trace-menu-list">Counting.</p>;
  if (registers.length === 0)
    return <p className="dim small trace-menu-list">The rows that are shown have no access to a register.</p>;
  const rows = registers.slice(0, STATISTICS_SHOWN);
  const text = () =>
    [
      ['register', 'device', 'reads', 'writes', 'changes', 'value'],
      ...registers.map((one) => [
        placeName(one),
        deviceName(one.device),
        one.reads,
        one.writes,
        one.changes,
        one.value,
      ]),
    ]
      .map((cells) => cells.join('\t'))
      .join('\n');
  return (
    <div className="trace-menu-list trace-statistics">
      <table data-testid="trace-statistics-table">
        <thead>
          <tr>
            <th>Register</th>
            <th>Device</th>
            <th>Reads</th>
            <th>Writes</th>
            <th>Changes</th>
            <th>Every</th>
            <th>Last value</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((one) => {
            const accesses = one.reads + one.writes;
            return (
              <tr key={`${one.device} ${one.bar} ${one.offset}`} data-register={placeName(one)}>
                <td>
                  <button
                    type="button"
                    className="link mono"
                    onClick={() => {
                      close();
                      void goToTraceRow(one.lastRow);
                    }}
                  >
                    {placeName(one)}
                  </button>
                </td>
                <td>{deviceName(one.device)}</td>
                <td className="mono">{count(one.reads)}</td>
                <td className="mono">{count(one.writes)}</td>
                <td className="mono">{count(one.changes)}</td>
                <td className="mono">
                  {accesses < 2 ? '' : duration((one.last - one.first) / (accesses - 1))}
                </td>
                <td className="mono">{one.value}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {registers.length > rows.length && (
        <p className="dim small">and {count(registers.length - rows.length)} more, which Copy has.</p>
      )}
      <Button onClick={() => void copyWithNotice('the statistics', text())} testId="trace-statistics-copy">
        <Copy /> Copy
      </Button>
    </div>
  );
}

export function TraceMenus(props: {
  open: TraceMenu | undefined;
  setOpen(open: TraceMenu | undefined): void;
}) {
  const close = () => props.setOpen(undefined);
  return (
    <>
      <Menu {...props} id="columns" label="Columns" icon={<Columns3 />}>
        <ColumnsMenu />
      </Menu>
      <Menu {...props} id="rules" label="Colour rules" icon={<Palette />}>
        <RulesMenu />
      </Menu>
      <Menu {...props} id="bookmarks" label="Bookmarks" icon={<Bookmark />}>
        <BookmarksMenu close={close} />
      </Menu>
      <Menu {...props} id="statistics" label="Statistics by register" icon={<ChartNoAxesColumn />}>
        <StatisticsMenu close={close} />
      </Menu>
    </>
  );
}
