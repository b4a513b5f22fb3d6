import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { DiskState } from '#contract/disk.ts';
import { commands } from '#renderer/app-commands.ts';
import { bringForward } from '#renderer/dock/focus.ts';
import { client, lab, selectDevice } from '#renderer/state/lab.ts';
import { Live } from '#renderer/state/live.ts';
import { ui } from '#renderer/state/ui.ts';
import { count, duration, rate, bytes as size } from '#renderer/ui/format.ts';
import {
  Button,
  DeviceSelect,
  Empty,
  LiveText,
  Panel,
  rove,
  usePolling,
  useSelectedDevice,
} from '#renderer/ui/parts.tsx';
import { Commands, commandText } from './commands.tsx';
import { Contents } from './contents.tsx';
import { RateHistory } from './figures.ts';
import { HeatMap, LatencyChart, Queues } from './pictures.tsx';
import { Plot } from './plot.tsx';
import './disk.css';

const POLL = 250;
const views = [
  { id: 'activity', title: 'Activity' },
  { id: 'commands', title: 'Commands' },
  { id: 'contents', title: 'Contents' },
  { id: 'health', title: 'Health' },
] as const;
type View = (typeof views)[number]['id'];

type Figure = readonly [name: string, text: (state: DiskState) => string];

const health: readonly Figure[] = [
  ['Temperature', ({ counters }) => `${counters.temperatureKelvin - 273} °C`],
  [
    'Critical warning',
    ({ counters }) =>
      counters.criticalWarning === 0 ? 'none' : `0x${counters.criticalWarning.toString(16)}`,
  ],
  [
    'Available spare',
    ({ counters }) => `${counters.availableSpare} % (threshold ${counters.availableSpareThreshold} %)`,
  ],
  ['Percentage used', ({ counters }) => `${counters.percentageUsed} %`],
  ['Data units read', ({ counters }) => count(counters.dataUnitsRead)],
  ['Data units written', ({ counters }) => count(counters.dataUnitsWritten)],
  ['Read commands', ({ counters }) => count(counters.readCommands)],
  ['Write commands', ({ counters }) => count(counters.writeCommands)],
  ['Other I/O commands', ({ counters }) => count(counters.otherCommands)],
  ['Flushes', ({ counters }) => count(counters.flushes)],
  ['Data read', ({ counters }) => size(counters.bytesRead)],
  ['Data written', ({ counters }) => size(counters.bytesWritten)],
  ['Failed commands', ({ counters }) => count(counters.failedCommands)],
  ['Media errors', ({ counters }) => count(counters.mediaErrors)],
  ['Error log entries', ({ counters }) => count(counters.errorLogEntries)],
  ['Unsafe shutdowns', ({ counters }) => count(counters.unsafeShutdowns)],
  ['Power cycles', ({ counters }) => count(counters.powerCycles)],
  ['Powered on for', ({ counters }) => duration(counters.powerOnNanoseconds)],
  ['Doorbells rung', ({ doorbells }) => count(doorbells)],
  ['Asynchronous event requests held', ({ asyncEventRequests }) => count(asyncEventRequests)],
];
const identity: readonly Figure[] = [
  ['Model number', ({ modelNumber }) => modelNumber],
  ['Serial number', ({ serial }) => serial],
  ['Namespace', ({ namespace }) => `${namespace.id}: ${size(namespace.bytes)}`],
  ['Blocks', ({ namespace }) => `${count(namespace.blocks)} of ${size(namespace.blockSize)}`],
  ['Backing', ({ namespace }) => (namespace.image === '' ? 'memory' : namespace.image)],
  ['Controller', ({ enabled }) => (enabled ? 'enabled, ready' : 'not enabled')],
  ['Memory page', ({ pageSize }) => size(pageSize)],
];

function Figures({ live, figures }: { live: Live<DiskState | undefined>; figures: readonly Figure[] }) {
  return (
    <dl className="disk-figures">
      {figures.map(([name, text]) => (
        <div key={name}>
          <dt className="dim">{name}</dt>
          <dd>
            <LiveText
              live={live}
              className="mono"
              testId={`disk-${name.toLowerCase().replaceAll(/\W+/g, '-')}`}
              text={(state) => (state === undefined ? '' : text(state))}
            />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Disk(props: { device: number; view: View; onText: (text: () => string) => void }) {
  const { device, view, onText } = props;
  const live = useMemo(() => new Live<DiskState | undefined>(undefined), []);
  const history = useRef(new RateHistory());
  const [problem, setProblem] = useState('');
  const [known, setKnown] = useState(false);
  const refresh = useCallback(async () => {
    try {
      const state = await client.call('disk.inspect', { device });
      history.current.take(state);
      live.set(state);
      setProblem('');
      setKnown(true);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }, [device, live]);
  usePolling(refresh, POLL);
  useEffect(
    () =>
      onText(() => {
        const state = live.get();
        if (state === undefined) return '';
        const queues = state.submissionQueues.map(
          (one) =>
            `SQ${one.id}\t${one.head}→${one.tail} of ${one.size}\t${one.inFlight} in flight\t${one.completed} completed`,
        );
        return [
          ...[...identity, ...health].map(([name, text]) => `${name}\t${text(state)}`),
          ...queues,
          ...state.commands.map((one) => commandText(one, lab.getState().descriptions.get(device) ?? {})),
        ].join('\n');
      }),
    [device, live, onText],
  );
  if (!known) {
    return problem === '' ? (
      <Empty>Reading the controller.</Empty>
    ) : (
      <Empty action={<Button onClick={() => void refresh()}>Read again</Button>}>{problem}</Empty>
    );
  }
  if (view === 'contents') return <Contents device={device} />;
  if (view === 'health') {
    return (
      <div className="disk-health">
        <Figures live={live} figures={identity} />
        <Figures live={live} figures={health} />
      </div>
    );
  }
  if (view === 'commands') {
    return (
      <>
        <LatencyChart live={live} />
        <Commands device={device} live={live} />
      </>
    );
  }
  const lines = [
    { label: 'read', color: '--read' },
    { label: 'write', color: '--write', dash: [5, 3] },
  ];
  return (
    <div className="disk-activity">
      <div className="disk-rates">
        <LiveText
          live={live}
          className="mono"
          testId="disk-iops"
          text={() => {
            const now = history.current.latest;
            return `${count(now.reads + now.writes)} IOPS`;
          }}
        />
        <LiveText
          live={live}
          className="mono dim"
          text={() => {
            const now = history.current.latest;
            return `${size(Math.round(now.bytesRead))}/s read, ${size(Math.round(now.bytesWritten))}/s written`;
          }}
        />
      </div>
      <div className="disk-plots">
        <Plot
          label="Commands a second"
          live={live}
          lines={lines}
          data={() => history.current.columns.slice(0, 3)}
          value={(value) => rate(value, '')}
        />
        <Plot
          label="Bandwidth"
          live={live}
          lines={lines}
          data={() => [history.current.columns[0], history.current.columns[3], history.current.columns[4]]}
          value={(value) => `${size(Math.round(value))}/s`}
          binary
        />
      </div>
      <HeatMap live={live} />
      <Queues live={live} />
    </div>
  );
}

/** Choices that outlive the panel. */
const choices = createStore<{ readonly view: View }>(() => ({ view: 'activity' }));

export function DiskPanel() {
  const device = useSelectedDevice();
  const devices = useStore(lab, (state) => state.devices);
  const view = useStore(choices, (state) => state.view);
  const text = useRef<() => string>(() => '');
  const takeText = useCallback((make: () => string) => {
    text.current = make;
  }, []);
  const disk = device?.model === 'nvme' && device.state === 'on' ? device : undefined;
  return (
    <Panel
      name="disk"
      title="NVMe disk"
      copy={() => text.current()}
      help="The controller of the selected disk from inside: its queues, what they carry, how long it takes, and what is on the disk. It is looked at only while this panel is on the screen; contents are read beneath the driver, so what it has not flushed is not there yet."
      tools={
        device !== undefined && (
          <>
            <DeviceSelect />
            <div
              className="disk-views"
              role="tablist"
              aria-label="Views of the disk"
              onKeyDown={(event) => rove(event, '[role="tab"]')}
            >
              {views.map(({ id, title }) => (
                <Button
                  key={id}
                  role="tab"
                  aria-selected={view === id}
                  tabIndex={view === id ? 0 : -1}
                  testId={`disk-view-${id}`}
                  command={`disk.view.${id}`}
                >
                  {title}
                </Button>
              ))}
            </div>
          </>
        )
      }
    >
      {disk === undefined ? (
        <Empty
          testId="disk-none"
          action={
            <Button
              kind="primary"
              onClick={() => ui.setState({ powerOn: true, prefill: { model: 'nvme', options: {} } })}
            >
              Power on an NVMe disk
            </Button>
          }
        >
          {devices.some(({ model }) => model === 'nvme')
            ? 'The selected device is no NVMe disk. Select the disk, or power another on.'
            : 'No NVMe disk is on the bus. Power one on to see its queues, its blocks and its files.'}
        </Empty>
      ) : (
        <Disk key={disk.id} device={disk.id} view={view} onText={takeText} />
      )}
    </Panel>
  );
}

commands.register(
  {
    id: 'disk.selectFirst',
    title: 'Select the first NVMe disk',
    group: 'NVMe disk',
    enabled: () => lab.getState().devices.some(({ model }) => model === 'nvme'),
    run: async () => {
      const found = lab.getState().devices.find(({ model }) => model === 'nvme');
      if (found !== undefined) selectDevice(found.id);
      await commands.run('view.disk');
    },
  },
  ...views.map(({ id, title }) => ({
    id: `disk.view.${id}`,
    title: `NVMe disk: ${title.toLowerCase()}`,
    group: 'NVMe disk',
    run: async () => {
      choices.setState({ view: id });
      await bringForward('disk');
    },
  })),
);
