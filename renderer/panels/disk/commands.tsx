import { ListTree } from 'lucide-react';
import { useRef, useState } from 'react';
import { useStore } from 'zustand';
import type { WireDescription } from '#contract/devices.ts';
import type { DiskCommand, DiskState } from '#contract/disk.ts';
import { commandField, commandName, decodeCommand, statusText } from '#renderer/panels/dma/entries.ts';
import { Fields } from '#renderer/panels/dma/fields.tsx';
import { openAccess } from '#renderer/panels/trace/navigate.ts';
import { lab } from '#renderer/state/lab.ts';
import type { Live } from '#renderer/state/live.ts';
import { count, duration, hex, instant } from '#renderer/ui/format.ts';
import { Button, Empty, rove, useLiveDraw } from '#renderer/ui/parts.tsx';
import { entryBytes } from './figures.ts';

type Described = Pick<WireDescription, 'commandFormats' | 'commandNames'>;

interface Named {
  readonly name: string;
  readonly block: string;
  readonly blocks: string;
}

function named(command: DiskCommand, described: Described): Named {
  const bytes = entryBytes(command.entry);
  const field = (name: string): string => {
    const value = commandField(described, bytes, command.queue, name);
    return value === undefined ? '' : `${value}`;
  };
  return {
    name: commandName(described, bytes, command.queue),
    block: field('SLBA'),
    blocks: field('NLB'),
  };
}

function outcome({ status }: DiskCommand, described: Described): string {
  return status === 0 ? 'ok' : statusText(described.commandFormats, status);
}

export function commandText(command: DiskCommand, described: Described): string {
  const { name, block, blocks } = named(command, described);
  return [
    instant(command.time),
    `SQ${command.queue}`,
    name,
    block,
    blocks,
    `command ${identifier(command)}`,
    duration(command.latency),
    outcome(command, described),
  ].join('\t');
}

/** Command identifier: upper half of the entry's first word. */
function identifier({ entry }: DiskCommand): number {
  return Number.parseInt(entry.slice(0, 4), 16);
}

const NOT_DESCRIBED: Described = {};

/** The last commands; the list stands still while one of them is looked at. */
export function Commands({ device, live }: { device: number; live: Live<DiskState | undefined> }) {
  const described = useStore(lab, (state) => state.descriptions.get(device)) ?? NOT_DESCRIBED;
  const [shown, setShown] = useState<readonly DiskCommand[]>([]);
  const [selected, setSelected] = useState<DiskCommand | undefined>(undefined);
  const [over, setOver] = useState(false);
  const [current, setCurrent] = useState(-1);
  const held = useRef(false);
  held.current = selected !== undefined || over;
  const last = useRef(-1);
  useLiveDraw(live, (state) => {
    const newest = state?.commands[0]?.number ?? -1;
    if (held.current || newest === last.current || state === undefined) return;
    last.current = newest;
    setShown(state.commands);
  });
  if (shown.length === 0) {
    return (
      <Empty testId="disk-no-commands">No command yet. They appear as the driver rings a doorbell.</Empty>
    );
  }
  const stop = shown.find(({ number }) => number === current) ?? shown[0];
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape does what the button "Go on" does
    <div
      className="disk-commands"
      onKeyDown={(event) => {
        if (event.key === 'Escape') setSelected(undefined);
      }}
    >
      {/* What one points at must not run away. */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: pointing at it holds the list, as focus does */}
      <div
        className="disk-command-list"
        data-held={over || selected !== undefined}
        onPointerEnter={() => setOver(true)}
        onPointerLeave={() => setOver(false)}
        onFocus={() => setOver(true)}
        onBlur={() => setOver(false)}
      >
        <table data-testid="disk-commands" onKeyDown={(event) => rove(event, 'button', false)}>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Queue</th>
              <th scope="col">Command</th>
              <th scope="col">Block</th>
              <th scope="col">Count</th>
              <th scope="col">Latency</th>
              <th scope="col">Status</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((command) => {
              const fields = named(command, described);
              return (
                <tr
                  key={command.number}
                  data-testid="disk-command"
                  data-selected={command.number === selected?.number}
                  data-failed={command.status !== 0}
                >
                  <td className="mono">
                    <button
                      type="button"
                      className="link mono"
                      tabIndex={command === stop ? 0 : -1}
                      onFocus={() => setCurrent(command.number)}
                      aria-label={`Fields of command ${command.number}`}
                      onClick={() => setSelected(command.number === selected?.number ? undefined : command)}
                    >
                      {instant(command.time)}
                    </button>
                  </td>
                  <td className="mono">{command.queue === 0 ? 'admin' : command.queue}</td>
                  <td>{fields.name}</td>
                  <td className="mono">{fields.block}</td>
                  <td className="mono">{fields.blocks}</td>
                  <td className="mono">{duration(command.latency)}</td>
                  <td
                    className={command.status === 0 ? 'dim' : 'error-text'}
                    title={hex(command.status & 0x7ff, 3)}
                  >
                    {outcome(command, described)}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {selected !== undefined && (
        <div className="disk-command-fields" data-testid="disk-command-fields">
          <div className="disk-path">
            <span className="grow">{`Command ${count(selected.number)}, SQ${selected.queue}`}</span>
            {selected.cause > 0 && (
              <Button
                testId="disk-command-trace"
                title="Show what this command did in the trace"
                onClick={() =>
                  void openAccess(device, selected.cause, selected.time, {
                    queue: selected.queue,
                    id: identifier(selected),
                  })
                }
              >
                <ListTree /> In the trace
              </Button>
            )}
            <Button onClick={() => setSelected(undefined)}>Go on</Button>
          </div>
          <Fields fields={decodeCommand(described, entryBytes(selected.entry), selected.queue)} />
        </div>
      )}
    </div>
  );
}
