import { Copy } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { type ExpertKind, type ExpertSeverity, expertKinds } from '#contract/expert.ts';
import type { ExpertGroup } from '#contract/trace.ts';
import { commands } from '#renderer/app-commands.ts';
import { setFilter, traceCount } from '#renderer/panels/trace/model.ts';
import { openTraceRow } from '#renderer/panels/trace/navigate.ts';
import { client, deviceName, lab, registerIndex } from '#renderer/state/lab.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { count, hex } from '#renderer/ui/format.ts';
import { Button, DeviceDot, Empty, LiveText, Panel, usePolling } from '#renderer/ui/parts.tsx';
import './experts.css';

/** ms between looks at the lab, where something has changed. */
const INTERVAL = 500;

const severities: readonly ExpertSeverity[] = ['error', 'warning', 'note'];
const severityTitles = { error: 'Errors', warning: 'Warnings', note: 'Notes' } as const;
const severityGlyphs = { error: '✖', warning: '▲', note: '●' } as const;

const kindOf = new Map<number, ExpertKind>(expertKinds.map((kind) => [kind.bit, kind]));

/** Where it was: a register, an offset, or the note's own words. */
export function placeText(group: ExpertGroup): string {
  if (group.offset === undefined || group.bar === undefined) return group.text;
  const hit = registerIndex(group.device)?.find(group.bar, group.offset);
  if (hit === undefined) return `BAR${group.bar}+${hex(group.offset)}`;
  return hit.delta === 0 ? hit.register.name : `${hit.register.name}+${hit.delta}`;
}

function line(group: ExpertGroup): string {
  const kind = kindOf.get(group.bit)!;
  const rows = group.recent.map((row) => row + 1).join(', ');
  return [
    kind.severity,
    kind.title,
    deviceName(group.device),
    placeText(group),
    `${group.count}`,
    `rows ${rows}`,
  ].join('\t');
}

function Group({ group }: { group: ExpertGroup }) {
  const kind = kindOf.get(group.bit)!;
  const [open, setOpen] = useState(false);
  const { first } = traceCount.get();
  return (
    <li data-testid="expert-group" data-severity={kind.severity} data-bit={group.bit}>
      <div className="expert-line">
        <button
          type="button"
          className="expert-toggle"
          aria-expanded={open}
          title={kind.detail}
          data-testid="expert-toggle"
          onClick={() => setOpen(!open)}
        >
          <span className="expert-glyph" aria-hidden="true">
            {severityGlyphs[kind.severity]}
          </span>
          <span className="visually-hidden">{kind.severity}: </span>
          <b>{kind.title}</b>
          <span className="mono expert-place">{placeText(group)}</span>
        </button>
        <span className="grow" />
        <span className="small dim expert-device">
          <DeviceDot id={group.device} /> {deviceName(group.device)}
        </span>
        <span className="mono" title={`${count(group.count)} rows`}>
          {count(group.count)} ×
        </span>
        <Button
          kind="quiet"
          testId="expert-first"
          title="Show the first row in the trace"
          onClick={() => void openTraceRow(group.first)}
          disabled={group.first < first}
        >
          {count(group.first + 1)}
        </Button>
        <span className="dim">to</span>
        <Button
          kind="quiet"
          testId="expert-last"
          title="Show the last row in the trace"
          onClick={() => void openTraceRow(group.last)}
        >
          {count(group.last + 1)}
        </Button>
      </div>
      {open && (
        <div className="expert-more">
          <p>{kind.detail}</p>
          <p>
            <span className="dim">Latest rows</span>{' '}
            {group.recent.map((row) => (
              <Button kind="quiet" key={row} testId="expert-row" onClick={() => void openTraceRow(row)}>
                {count(row + 1)}
              </Button>
            ))}
          </p>
        </div>
      )}
    </li>
  );
}

/** Choices that outlive the panel. */
const choices = createStore<{ readonly hidden: readonly ExpertSeverity[] }>(() => ({ hidden: [] }));

function toggleSeverity(severity: ExpertSeverity): void {
  choices.setState(({ hidden }) => ({
    hidden: hidden.includes(severity) ? hidden.filter((one) => one !== severity) : [...hidden, severity],
  }));
}

commands.register(
  ...severities.map((severity) => ({
    id: `experts.show.${severity}`,
    title: `Show or leave out expert notes: ${severityTitles[severity].toLowerCase()}`,
    group: 'Expert notes',
    run: () => toggleSeverity(severity),
  })),
  {
    id: 'experts.filter',
    title: 'Show the rows with an expert note alone in the trace',
    group: 'Expert notes',
    run: async () => {
      await commands.run('view.trace');
      await setFilter('expert');
    },
  },
);

export function ExpertsPanel() {
  const [groups, setGroups] = useState<readonly ExpertGroup[]>([]);
  const hidden = useStore(choices, (state) => state.hidden);
  const asked = useRef(-1);
  // Registers get their names when their device is described.
  useStore(lab, (state) => state.descriptions);
  usePolling(async () => {
    const { experts } = traceCount.get();
    if (experts === asked.current) return;
    asked.current = experts;
    setGroups((await client.call('trace.experts', {})).groups);
  }, INTERVAL);
  useEffect(() => {
    // A new connection may be to another lab.
    return lab.subscribe((state, before) => {
      if (state.hello !== before.hello) asked.current = -1;
    });
  }, []);
  const of = (severity: ExpertSeverity) => groups.filter(({ bit }) => kindOf.get(bit)?.severity === severity);
  return (
    <Panel
      name="experts"
      title="Expert notes"
      help="What the driver or the device did that a person should look at, most severe first: what, where and how often. A row's number leads to it in the trace, where such rows have a mark; E there goes from one to the next."
      tools={
        <>
          {severities.map((severity) => (
            <Button
              key={severity}
              aria-pressed={!hidden.includes(severity)}
              testId={`expert-${severity}`}
              command={`experts.show.${severity}`}
            >
              <span className="expert-glyph" data-severity={severity} aria-hidden="true">
                {severityGlyphs[severity]}
              </span>
              {severityTitles[severity]} {count(of(severity).reduce((sum, group) => sum + group.count, 0))}
            </Button>
          ))}
          <Button testId="expert-filter" title="Show these rows alone in the trace" command="experts.filter">
            Only these rows
          </Button>
          <Button
            onClick={() => void copyWithNotice('the expert notes', groups.map(line).join('\n'))}
            disabled={groups.length === 0}
            command="panel.copy"
            testId="experts-copy"
          >
            <Copy /> Copy
          </Button>
        </>
      }
    >
      {groups.length === 0 ? (
        <Empty testId="expert-empty">
          Nothing to note so far. Accesses that are odd, refused transfers and interrupts, and what the device
          finds undefined appear here.
        </Empty>
      ) : groups.every(({ bit }) => hidden.includes(kindOf.get(bit)?.severity ?? 'note')) ? (
        <Empty
          testId="expert-hidden"
          action={<Button onClick={() => choices.setState({ hidden: [] })}>Show all of them</Button>}
        >
          {count(groups.length)} {groups.length === 1 ? 'kind of note is' : 'kinds of notes are'} left out
          above.
        </Empty>
      ) : (
        <ul className="expert-list" aria-label="Expert notes, most severe first">
          {severities
            .filter((severity) => !hidden.includes(severity))
            .flatMap(of)
            .map((group) => (
              <Group
                key={`${group.bit} ${group.device} ${group.bar} ${group.offset} ${group.text}`}
                group={group}
              />
            ))}
        </ul>
      )}
      <div className="trace-counts">
        <LiveText
          live={traceCount}
          testId="expert-count"
          text={({ experts }) => `${count(experts)} of ${count(traceCount.get().total)} rows have a note`}
        />
      </div>
    </Panel>
  );
}
