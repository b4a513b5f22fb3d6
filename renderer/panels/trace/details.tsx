/** The chosen row in full: fields against the value before, what an expert says, what belongs together with it. */
import { ArrowDown, ArrowUp, Bookmark, Copy, Crosshair, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { WireField } from '#contract/devices.ts';
import { expertNotes } from '#contract/expert.ts';
import { TraceFlag, TraceKind } from '#contract/trace-record.ts';
import { commands } from '#renderer/app-commands.ts';
import { deviceName, lab, registerIndex } from '#renderer/state/lab.ts';
import { bitRange, fieldText, fieldValue, writeEffects } from '#renderer/ui/bits.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { count, duration, hex, instant } from '#renderer/ui/format.ts';
import { Button, Hex } from '#renderer/ui/parts.tsx';
import { groupOf, noteText, setBookmark, setFilter, trace } from './model.ts';
import { chosen, goToTraceRow, rowOf, sameRegister } from './navigate.ts';
import { preferences } from './preferences.ts';
import { type ConfigPart, configParts, formatRow, rowExperts, type TraceRow } from './row.ts';

const GROUP_SHOWN = 200;

const context = { index: registerIndex, name: deviceName, note: noteText, before: undefined };

function isAccess(row: TraceRow): boolean {
  return row.kind === TraceKind.mmioRead || row.kind === TraceKind.mmioWrite;
}

interface FieldLine {
  readonly name: string;
  readonly bits: string;
  readonly before: string;
  readonly now: string;
  readonly changed: boolean;
  readonly description: string;
}

function isConfig(row: TraceRow): boolean {
  return row.kind === TraceKind.configRead || row.kind === TraceKind.configWrite;
}

/** Fields that lie in the bytes that an access has. */
export function fieldLines(row: TraceRow, index = registerIndex(row.device)): FieldLine[] {
  if (isConfig(row)) {
    return configParts(index?.config(row.address, row.length) ?? [], row).flatMap((part) =>
      linesOf(row, { ...part, fields: part.register.fields, delta: row.address - part.register.offset }),
    );
  }
  const hit = isAccess(row) ? index?.find(row.bar, row.address) : undefined;
  if (hit === undefined) return [];
  const { register, delta } = hit;
  const shift = BigInt(delta * 8);
  const value = row.value << shift;
  const effect = row.kind === TraceKind.mmioWrite ? writeEffects(register, value) : undefined;
  return linesOf(row, { fields: register.fields, delta, value, previous: row.previous << shift, effect });
}

/** Of one register; the access begins `delta` bytes into it, or before it where that is negative. */
function linesOf(
  row: TraceRow,
  {
    fields,
    delta,
    value,
    previous,
    effect,
  }: Omit<ConfigPart, 'register'> & { readonly fields: readonly WireField[]; readonly delta: number },
): FieldLine[] {
  const known = (row.flags & TraceFlag.previousKnown) !== 0;
  return fields
    .filter(({ lsb, width }) => lsb >= delta * 8 && lsb + width <= (delta + row.length) * 8)
    .map((field) => {
      const [is, was] = [fieldValue(value, field), fieldValue(previous, field)];
      const does = effect?.(field) ?? '';
      return {
        name: field.name,
        bits: bitRange(field),
        before: known ? fieldText(field, was) : '',
        now: `${fieldText(field, is)}${does === '' ? '' : `: ${does}`}`,
        changed: does === '' ? known && is !== was : does !== 'unchanged',
        description: field.description ?? '',
      };
    });
}

/** The row as text, for copying. */
export function detailText(row: TraceRow): string {
  const { cells } = formatRow(row, context);
  const lines = [
    `row ${row.row + 1} at ${instant(row.time)}: ${cells.kind} ${cells.register} ${cells.value}`.trimEnd(),
    ...fieldLines(row).map(
      ({ name, bits, before, now, changed }) =>
        `  ${name} [${bits}] ${changed && before !== '' ? `${before} -> ${now}` : now}`,
    ),
    ...expertNotes(rowExperts(row)).map(({ title, detail }) => `  ${title}. ${detail}`),
  ];
  return lines.join('\n');
}

/** The register's name, for a filter; its offset where it has none. */
function registerFilter(row: TraceRow): string {
  const hit = registerIndex(row.device)?.find(row.bar, row.address);
  return hit === undefined
    ? `mmio && device == ${row.device} && bar == ${row.bar} && offset == ${hex(row.address)}`
    : `reg == "${hit.register.name}" && device == ${row.device}`;
}

function Group({ row }: { row: TraceRow }) {
  const [members, setMembers] = useState<readonly TraceRow[]>([]);
  useEffect(() => {
    let current = true;
    groupOf(row.row).then(
      (found) => current && setMembers(found),
      () => current && setMembers([]),
    );
    return () => {
      current = false;
    };
  }, [row]);
  if (members.length < 2) return null;
  const start = members[0]!.time;
  return (
    <section className="trace-group" aria-label="What belongs together">
      <h3>
        Belongs together: {count(members.length)} rows in {duration(members.at(-1)!.time - start)}
      </h3>
      <ol data-testid="trace-group">
        {members.slice(0, GROUP_SHOWN).map((member) => {
          const { cells, tone } = formatRow(member, context);
          return (
            <li key={member.row} data-tone={tone} aria-current={member.row === row.row}>
              <button
                type="button"
                className="link"
                data-testid="trace-group-row"
                data-row={member.row}
                onClick={() => void goToTraceRow(member.row)}
              >
                <span className="mono dim">+{duration(member.time - start)}</span>
                <span className="group-kind">{cells.kind}</span>
                <span className="mono">
                  {cells.register} {cells.value}
                </span>
                <span className="dim">{cells.decoded}</span>
              </button>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

export function TraceDetails() {
  const [row, setRow] = useState<TraceRow | undefined>(undefined);
  const bookmarks = useStore(trace, (state) => state.bookmarks);
  const reference = useStore(trace, (state) => state.reference);
  useStore(lab, (state) => state.descriptions);
  useEffect(() => {
    let asked = 0;
    const look = () => {
      const mine = ++asked;
      rowOf(chosen.get()).then(
        (found) => mine === asked && setRow(found),
        () => mine === asked && setRow(undefined),
      );
    };
    look();
    return chosen.subscribe(look);
  }, []);
  const close = (
    <Button
      kind="icon quiet"
      aria-label="Close the details"
      title="Close the details (D)"
      onClick={() => preferences.setState({ details: false })}
    >
      <X />
    </Button>
  );
  if (row === undefined) {
    return (
      <aside className="trace-details" aria-label="Details of the chosen row" data-testid="trace-details">
        <div className="trace-details-head">
          <span className="dim">
            Choose a row to see its fields, its notes and what belongs together with it.
          </span>
          <span className="grow" />
          {close}
        </div>
      </aside>
    );
  }
  const { cells, tone } = formatRow(row, context);
  const access = isAccess(row);
  const hit = access ? registerIndex(row.device)?.find(row.bar, row.address) : undefined;
  const fields = fieldLines(row);
  const mark = bookmarks.get(row.row);
  return (
    <aside className="trace-details" aria-label="Details of the chosen row" data-testid="trace-details">
      <div className="trace-details-head">
        <span className="mono dim">{count(row.row + 1)}</span>
        <span className="group-kind" data-tone={tone}>
          {cells.kind}
        </span>
        <b className="mono">{cells.register}</b>
        {row.kind <= TraceKind.configWrite && <Hex>{cells.value}</Hex>}
        {hit !== undefined && <span className="dim trace-details-title">{hit.register.title}</span>}
        <span className="grow" />
        {access && (
          <>
            <Button
              kind="icon quiet"
              aria-label="Previous access to this register"
              title="Previous access to this register ([)"
              testId="trace-register-previous"
              onClick={() => void sameRegister(false)}
            >
              <ArrowUp />
            </Button>
            <Button
              kind="icon quiet"
              aria-label="Next access to this register"
              title="Next access to this register (])"
              testId="trace-register-next"
              onClick={() => void sameRegister(true)}
            >
              <ArrowDown />
            </Button>
            <Button
              kind="quiet"
              testId="trace-only-register"
              onClick={() => void setFilter(registerFilter(row))}
            >
              Only this register
            </Button>
          </>
        )}
        <Button
          kind="icon quiet"
          aria-label="Count times from this row"
          title="Count times from this row (T)"
          aria-pressed={reference?.row === row.row}
          testId="trace-reference"
          onClick={() => void commands.run('trace.reference')}
        >
          <Crosshair />
        </Button>
        <Button
          kind="icon quiet"
          aria-label="Bookmark this row"
          title="Bookmark this row (B)"
          aria-pressed={mark !== undefined}
          testId="trace-bookmark"
          onClick={() => void commands.run('trace.bookmark')}
        >
          <Bookmark />
        </Button>
        <Button
          kind="icon quiet"
          aria-label="Copy the details"
          title="Copy the details"
          testId="trace-details-copy"
          onClick={() => void copyWithNotice('the row', detailText(row))}
        >
          <Copy />
        </Button>
        {close}
      </div>
      <div className="trace-details-body">
        <div className="trace-details-facts">
          {mark !== undefined && (
            <input
              className="input"
              aria-label="Note on this row"
              data-testid="trace-bookmark-text"
              placeholder="Note on this row"
              value={mark.text}
              onChange={(event) => setBookmark(row, event.target.value)}
            />
          )}
          {expertNotes(rowExperts(row)).map(({ bit, severity, title, detail }) => (
            <p key={bit} className="trace-expert" data-severity={severity} data-testid="trace-expert">
              <b>{title}.</b> {detail}
            </p>
          ))}
          <dl>
            <dt>Time</dt>
            <dd className="mono">
              {instant(row.time)}
              {reference !== undefined && ` (${duration(row.time - reference.time)} from the reference)`}
            </dd>
            <dt>Device</dt>
            <dd>{deviceName(row.device)}</dd>
            {!Number.isNaN(row.latency) && (
              <>
                <dt>Latency</dt>
                <dd className="mono" data-testid="trace-latency">
                  {duration(row.latency)}
                </dd>
              </>
            )}
            {row.kind <= TraceKind.configWrite && (
              <>
                <dt>Access</dt>
                <dd className="mono">
                  {row.length} B at {hex(row.address)}, cpu {row.cpu}, number {row.sequence}
                </dd>
              </>
            )}
            {isConfig(row) && (row.flags & TraceFlag.previousKnown) !== 0 && (
              <>
                <dt>Before</dt>
                <dd className="mono" data-testid="trace-before">
                  {hex(row.previous, row.length * 2)}
                </dd>
              </>
            )}
            {cells.decoded !== '' && fields.length === 0 && (
              <>
                <dt>Decoded</dt>
                <dd>{cells.decoded}</dd>
              </>
            )}
          </dl>
        </div>
        {fields.length > 0 && (
          <table className="trace-fields" data-testid="trace-fields">
            <thead>
              <tr>
                <th>Field</th>
                <th>Bits</th>
                <th>Before</th>
                <th>
                  {row.kind === TraceKind.mmioWrite || row.kind === TraceKind.configWrite ? 'Written' : 'Now'}
                </th>
                <th>Meaning</th>
              </tr>
            </thead>
            <tbody>
              {fields.map((field) => (
                <tr key={field.name} data-changed={field.changed} data-field={field.name}>
                  <td className="mono">{field.name}</td>
                  <td className="mono dim">{field.bits}</td>
                  <td className="mono">{field.before}</td>
                  <td className="mono">
                    {field.changed ? '→ ' : ''}
                    {field.now}
                  </td>
                  <td className="dim">{field.description}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        <Group row={row} />
      </div>
    </aside>
  );
}
