import { useRef, useState } from 'react';
import type { DiskCommand, DiskState } from '#contract/disk.ts';
import { decodeSubmission } from '#renderer/panels/dma/nvme.ts';
import type { Live } from '#renderer/state/live.ts';
import { count, duration, hex, instant } from '#renderer/ui/format.ts';
import { Button, Empty, Hex, rove, useLiveDraw } from '#renderer/ui/parts.tsx';
import { entryBytes } from './figures.ts';

function named(command: DiskCommand): Readonly<Record<string, string>> {
  const fields = decodeSubmission(entryBytes(command.entry), command.queue === 0);
  return Object.fromEntries(fields.map(({ name, text }) => [name, text]));
}

export function commandText(command: DiskCommand): string {
  const { OPC = '', SLBA = '', NLB = '', CID = '' } = named(command);
  return [
    instant(command.time),
    `SQ${command.queue}`,
    OPC,
    SLBA,
    NLB,
    CID,
    duration(command.latency),
    statusText(command),
  ].join('\t');
}

function statusText({ status }: DiskCommand): string {
  return status === 0 ? 'ok' : `status ${hex(status, 3)}`;
}

/** The last commands; the list stands still while one of them is looked at. */
export function Commands({ live }: { live: Live<DiskState | undefined> }) {
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
              const fields = named(command);
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
                  <td>{fields.OPC}</td>
                  <td className="mono">{fields.SLBA?.replace('block ', '') ?? ''}</td>
                  <td className="mono">{fields.NLB?.replace(/ blocks?/, '') ?? ''}</td>
                  <td className="mono">{duration(command.latency)}</td>
                  <td className={command.status === 0 ? 'dim' : 'error-text'}>{statusText(command)}</td>
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
            <Button onClick={() => setSelected(undefined)}>Go on</Button>
          </div>
          {decodeSubmission(entryBytes(selected.entry), selected.queue === 0).map((field) => (
            <div className="dma-field" key={field.name}>
              <span className="mono">{field.name}</span>
              <Hex>{field.value}</Hex>
              <span className="dim">{field.text}</span>
            </div>
          ))}
        </div>
      )}
    </div>
  );
}
