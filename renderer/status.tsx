/** How the session is: the bar below, and what is above the panels when something stands in the way. */
import { useEffect, useRef, useState } from 'react';
import { useStore } from 'zustand';
import type { DeviceSummary } from '#contract/devices.ts';
import { commands } from './app-commands.ts';
import { client, devicesLive, lab, stats } from './state/lab.ts';
import { copyWithNotice } from './ui/clipboard.ts';
import { bytes, count, rate } from './ui/format.ts';
import { Button, LiveText, useConnected, useLiveDraw } from './ui/parts.tsx';

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;
}

export function ConnectionBanner() {
  const connection = useStore(lab, (state) => state.connection);
  const known = useStore(lab, (state) => state.hello !== undefined);
  const [now, setNow] = useState(Date.now());
  const waiting = connection.kind === 'waiting';
  useEffect(() => {
    if (!waiting) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [waiting]);
  if (connection.kind === 'connected' || (connection.kind === 'connecting' && !known)) return null;
  if (connection.kind === 'stopped') {
    return (
      <div className="banner" role="status" data-kind="stopped" data-testid="connection-banner">
        <span className="grow">
          {connection.starting
            ? 'The guest is starting again. '
            : `${sentence(connection.reason)} Its devices and its trace are gone with it. `}
          {known && 'What is shown is the last known state.'}
        </span>
        {!connection.starting && (
          <Button testId="lab-restart" onClick={() => void commands.run('lab.restart')}>
            Start the guest again
          </Button>
        )}
      </div>
    );
  }
  const seconds = waiting ? Math.max(0, Math.ceil((connection.retryAt - now) / 1000)) : 0;
  return (
    <div className="banner" role="status" data-kind={connection.kind} data-testid="connection-banner">
      <span className="grow">
        {connection.kind === 'connecting'
          ? 'Connecting again. What is shown is the last known state.'
          : connection.kind === 'waiting'
            ? `${sentence(connection.reason)} ${known ? 'What is shown is the last known state. ' : ''}Trying again${
                seconds > 0 ? ` in ${seconds} s` : ''
              }.`
            : connection.reason}
      </span>
      <Button onClick={() => void commands.run('lab.reconnect')}>Connect now</Button>
    </div>
  );
}

/** What stands in the way on the machine of the devices. */
export function HealthBanner() {
  const connected = useConnected();
  const { host, kernel } = useStore(lab, (state) => state.health);
  const terminal = useStore(lab, (state) => state.hello?.abilities.terminal === true);
  /** When the last report came that was dismissed: another kernel counts its own from the start. */
  const [seen, setSeen] = useState(0);
  if (!connected) return null;
  const last = kernel.at(-1);
  const news = kernel.filter(({ time }) => time > seen);
  return (
    <>
      {host !== undefined && (
        <div className="banner" role="alert" data-kind="refused" data-testid="host-banner">
          <span className="grow">
            No device can be powered on: {sentence(host.message)} {host.hint}
          </span>
        </div>
      )}
      {last !== undefined && news.length > 0 && (
        <div className="banner" role="alert" data-kind="refused" data-testid="kernel-banner">
          <span className="grow">
            The kernel reports {/^[aeiouR]/.test(last.kind) ? 'an' : 'a'} {last.kind}
            {last.module !== '' && ` in the module ${last.module}`}
            {news.length > 1 && `, ${news.length} reports in all`}: <span className="mono">{last.text}</span>
          </span>
          {terminal && (
            <Button onClick={() => void commands.run('terminal.kernelLog')}>Open the kernel log</Button>
          )}
          <Button
            onClick={() =>
              void copyWithNotice('The report', Promise.resolve([last.text, ...last.more].join('\n')))
            }
          >
            Copy the report
          </Button>
          <Button onClick={() => setSeen(last.time)}>Dismiss</Button>
        </div>
      )}
    </>
  );
}

export function StatusBar() {
  const connection = useStore(lab, (state) => state.connection.kind);
  const hello = useStore(lab, (state) => state.hello);
  const missed = useRef<HTMLButtonElement>(null);
  const dropped = useRef<HTMLButtonElement>(null);
  useLiveDraw(stats, (value) => {
    if (missed.current !== null) {
      const any = (value?.missed ?? 0) > 0;
      missed.current.dataset.warn = `${any}`;
      missed.current.title = any
        ? 'Events came faster than they could be taken: rows of the trace say where. Press to go to the next one. Trace fewer BARs or only writes to miss none.'
        : 'No event was missed';
    }
    if (dropped.current !== null) {
      dropped.current.dataset.warn = `${(value?.traceDropped ?? 0) > 0}`;
      dropped.current.title = `${bytes(value?.traceBytes ?? 0)} of memory; the trace keeps ${count(value?.traceLimit ?? 0)} rows. Press to change that in the settings.`;
    }
  });
  const words = {
    connected: 'Connected',
    connecting: 'Connecting',
    waiting: 'Disconnected',
    refused: 'Refused',
    stopped: 'Stopped',
  };
  return (
    <footer className="status-bar" data-testid="panel-status">
      <div className="status-line">
        <span
          className="status-connection"
          data-kind={connection}
          data-testid="status-connection"
          role="status"
        >
          {words[connection]}
        </span>
        <span title={hello?.host.detail} data-testid="status-host">
          {hello?.host.title ?? 'No lab'}
        </span>
        <LiveText live={devicesLive} text={driverText} className="status-driver" testId="status-driver" />
        <span className="grow" />
        <span className="status-figure">
          Events{' '}
          <LiveText
            live={stats}
            testId="status-events"
            text={(v) => rate(v?.eventsPerSecond ?? 0, '')}
            title={(v) => `${count(v?.events ?? 0)} events so far`}
          />
        </span>
        <span className="status-figure">
          Interrupts{' '}
          <LiveText live={stats} testId="status-irq" text={(v) => rate(v?.interruptsPerSecond ?? 0, '')} />
        </span>
        <span className="status-figure">
          DMA{' '}
          <LiveText
            live={stats}
            testId="status-dma"
            text={(v) => `${bytes(Math.round(v?.dmaBytesPerSecond ?? 0))}/s`}
          />
        </span>
        <button
          type="button"
          className="status-figure"
          ref={dropped}
          onClick={() => void commands.run('settings.open')}
          data-testid="status-trace"
        >
          Trace{' '}
          <LiveText
            live={stats}
            testId="status-rows"
            text={(v) =>
              `${count(v?.traceRows ?? 0)} rows${v?.traceDropped ? `, full: oldest ${count(v.traceDropped)} gone` : ''}`
            }
          />
        </button>
        <button
          type="button"
          className="status-figure"
          ref={missed}
          onClick={() => void commands.run('trace.missed')}
          data-testid="status-missed-button"
        >
          Missed <LiveText live={stats} testId="status-missed" text={(v) => count(v?.missed ?? 0)} />
        </button>
      </div>
    </footer>
  );
}

function driverText(devices: readonly DeviceSummary[]): string {
  if (devices.length === 0) return 'No device';
  const bound = devices.filter((device) => device.driver !== '');
  if (devices.length === 1) {
    const device = devices[0]!;
    return `${device.address || device.title}: ${device.driver === '' ? 'no driver bound' : `driver ${device.driver}`}`;
  }
  return `${devices.length} devices, ${bound.length} with a driver bound`;
}

commands.register({
  id: 'lab.restart',
  title: 'Start the guest again',
  group: 'Lab',
  enabled: () => lab.getState().connection.kind === 'stopped',
  run: () => client.call('lab.restart', {}),
});
