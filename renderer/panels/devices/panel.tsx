import { Play, Plus, Square } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { DeviceSummary } from '#contract/devices.ts';
import { commands } from '#renderer/app-commands.ts';
import { client, devicesLive, lab, selectDevice, selectedDevice } from '#renderer/state/lab.ts';
import { floatLatest } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import { deviceColor } from '#renderer/theme/theme.ts';
import { bytes, count } from '#renderer/ui/format.ts';
import { Button, Empty, LiveText, Panel, useAction, useConnected } from '#renderer/ui/parts.tsx';
import './devices.css';

const stateWords = { 'powering-on': 'Powering on', on: 'On', removing: 'Leaving', failed: 'Failed' } as const;
const modeWords = { none: 'no interrupts', intx: 'INTx', msi: 'MSI', msix: 'MSI-X' } as const;

const titleOf = (device: DeviceSummary) => device.name || device.title;

async function powerOff(device: DeviceSummary): Promise<void> {
  await client.call('devices.powerOff', { device: device.id });
}

async function surpriseRemove(device: DeviceSummary): Promise<void> {
  await client.call('devices.surpriseRemove', { device: device.id });
}

async function reset(device: DeviceSummary): Promise<void> {
  await client.call('devices.reset', { device: device.id });
  floatLatest(device.id);
}

/** Another one of the same kind; an image file is one disk's, so that the form asks for another. */
async function duplicate(device: DeviceSummary): Promise<void> {
  const { model, options } = await client.call('devices.options', { device: device.id });
  const fields = lab.getState().hello?.models.find(({ id }) => id === model)?.options ?? [];
  const image = fields.find(({ name, type }) => type === 'image' && options[name] !== '');
  if (image !== undefined) {
    ui.setState({ powerOn: true, prefill: { model, options: { ...options, [image.name]: '' } } });
    return;
  }
  const { device: made } = await client.call('devices.powerOn', { model, options });
  selectDevice(made);
}

function setWorkload(device: DeviceSummary, running: boolean, rate: number): Promise<unknown> {
  return client.call('devices.workload', { device: device.id, running, rate });
}

function figures(id: number, text: (device: DeviceSummary) => string) {
  return (devices: readonly DeviceSummary[]) => {
    const device = devices.find((one) => one.id === id);
    return device === undefined ? '' : text(device);
  };
}

function Workload({ device }: { device: DeviceSummary }) {
  const workload = device.workload!;
  const [busy, run] = useAction(`Workload of ${titleOf(device)}`);
  const [draft, setDraft] = useState(`${workload.rate}`);
  useEffect(() => setDraft(`${workload.rate}`), [workload.rate]);
  const rate = Number(draft);
  const valid = draft.trim() !== '' && Number.isInteger(rate) && rate >= 0 && rate <= 1_000_000;
  const apply = (running: boolean) => valid && run(() => setWorkload(device, running, rate));
  return (
    <div className="workload">
      <span className="dim">Workload</span>
      <div className="workload-row">
        <Button
          onClick={() => apply(!workload.running)}
          disabled={!valid}
          idle={busy}
          testId="workload-toggle"
        >
          {workload.running ? <Square /> : <Play />}
          {workload.running ? 'Stop' : 'Start'}
        </Button>
        <form
          style={{ display: 'contents' }}
          onSubmit={(event) => {
            event.preventDefault();
            void apply(workload.running);
          }}
        >
          <input
            className="input mono"
            aria-label="Operations per second; 0 is as fast as it goes"
            title="Operations per second, Enter applies; 0: as fast as it goes"
            aria-invalid={!valid}
            data-testid="workload-rate"
            value={draft}
            onChange={(event) => setDraft(event.target.value)}
          />
        </form>
        <span className="dim small">{draft.trim() === '0' ? 'max' : '/s'}</span>
      </div>
      {!valid && (
        <>
          <span />
          <span className="error-text small">Accepted: a whole number from 0 to 1000000.</span>
        </>
      )}
      <span className="dim">Phase</span>
      <span>{workload.phase || (workload.running ? 'running' : 'stopped')}</span>
      <span className="dim">Done</span>
      <LiveText
        live={devicesLive}
        className="mono small"
        testId="workload-operations"
        text={figures(device.id, ({ workload: now }) =>
          now ? `${count(now.operations)} ops${now.errors ? `, ${count(now.errors)} errors` : ''}` : '',
        )}
      />
      <span className="dim">Moved</span>
      <LiveText
        live={devicesLive}
        className="mono small"
        text={figures(device.id, ({ workload: now }) => (now ? bytes(now.bytes) : ''))}
      />
    </div>
  );
}

const linkTitles = {
  registers: 'Registers',
  config: 'Config',
  interrupts: 'Interrupts',
  dma: 'DMA',
  disk: 'Disk',
  framebuffer: 'Screen',
} as const;

/** Panels that are about one kind of device. */
function modelPanels(model: string): readonly ('disk' | 'framebuffer')[] {
  return model === 'nvme' ? ['disk'] : model === 'protopciem' ? ['framebuffer'] : [];
}

function DeviceRow({ device, selected }: { device: DeviceSummary; selected: boolean }) {
  const [busy, run] = useAction(titleOf(device));
  const connected = useConnected();
  const held = busy || device.state === 'removing';
  const pick = () => selectDevice(device.id);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the button inside does the same by keyboard
    <li
      className="device-row"
      data-testid="device-row"
      data-device={device.id}
      data-state={device.state}
      data-selected={selected}
      style={{ '--device-color': deviceColor(device.id) } as React.CSSProperties}
      onClick={pick}
    >
      <button
        type="button"
        className="device-pick"
        aria-pressed={selected}
        onClick={pick}
        title={device.title}
      >
        <strong data-testid="device-name">{titleOf(device)}</strong>
        <span className="small state-chip" data-state={device.state} data-testid="device-state">
          {stateWords[device.state]}
        </span>
      </button>
      <dl className="device-facts">
        <dt>Model</dt>
        <dd title={device.model}>{device.title}</dd>
        <dt>Address</dt>
        <dd className="mono" data-testid="device-address">
          {device.address || 'not on the bus'}
        </dd>
        <dt>Driver</dt>
        <dd data-testid="device-driver">{device.driver || <span className="dim">none bound</span>}</dd>
        <dt>Interrupts</dt>
        <dd>
          {modeWords[device.interruptMode]}
          {device.interruptMode !== 'none' &&
            `, ${device.vectors} ${device.vectors === 1 ? 'vector' : 'vectors'}`}
        </dd>
        <dt>Events</dt>
        <dd className="mono">
          <LiveText
            live={devicesLive}
            testId="device-events"
            text={figures(
              device.id,
              (now) => count(now.events) + (now.lost > 0 ? `, ${count(now.lost)} missed` : ''),
            )}
          />
        </dd>
      </dl>
      {device.driverError !== undefined && (
        <div role="alert" data-testid="device-driver-error">
          <div className="error-text">The driver gave up: {device.driverError}</div>
          {device.workload === undefined ? (
            <div className="dim">
              The kernel log may say why. Power the device off and on to let the driver try again.{' '}
              <Button kind="quiet" onClick={() => void commands.run('terminal.kernelLog')}>
                Open the kernel log
              </Button>
            </div>
          ) : (
            <div className="dim">
              Look at the last rows of the trace, then reset the device to let it try again.
            </div>
          )}
        </div>
      )}
      {device.error !== undefined && (
        <div role="alert">
          <div className="error-text">{device.error.message}</div>
          <div className="dim">{device.error.hint}</div>
        </div>
      )}
      <div className="device-actions">
        <Button
          disabled={!connected}
          idle={held}
          testId="power-off"
          onClick={() => void run(() => powerOff(device))}
        >
          Power off
        </Button>
        <Button
          disabled={!connected || (device.state !== 'on' && !held)}
          idle={held}
          testId="device-reset"
          title="Function level reset: the driver lets go, the function starts anew, the driver comes back"
          onClick={() => void run(() => reset(device))}
        >
          Reset
        </Button>
        <Button
          disabled={!connected}
          idle={held}
          testId="device-duplicate"
          title="Power on another one with the same options"
          onClick={() => void run(() => duplicate(device))}
        >
          Duplicate
        </Button>
        <Button
          kind="danger"
          disabled={!connected}
          idle={held}
          testId="surprise-remove"
          title="The device leaves the bus at once, as if it was pulled out"
          onClick={() => void run(() => surpriseRemove(device))}
        >
          Surprise-remove
        </Button>
      </div>
      {device.workload !== undefined && <Workload device={device} />}
      {selected && (
        <div className="device-links">
          {(['registers', 'config', 'interrupts', 'dma', ...modelPanels(device.model)] as const).map((id) => (
            <button key={id} type="button" className="link" onClick={() => void commands.run(`view.${id}`)}>
              {linkTitles[id]}
            </button>
          ))}
        </div>
      )}
    </li>
  );
}

export function DevicesPanel() {
  const devices = useStore(lab, (state) => state.devices);
  const selected = useStore(lab, (state) => state.selected);
  const connected = useConnected();
  const powerOn = (
    <Button kind="primary" testId="power-on" disabled={!connected} command="device.powerOn">
      <Plus /> Power on
    </Button>
  );
  return (
    <Panel
      name="devices"
      title="Devices"
      copy={() =>
        lab
          .getState()
          .devices.map((one) =>
            [
              titleOf(one),
              one.title,
              one.address,
              one.driver || 'no driver',
              modeWords[one.interruptMode],
              one.driverError ?? '',
            ].join('\t'),
          )
          .join('\n')
      }
      help="What is on the bus. Power on puts a device model there and a driver may bind to it. Power off lets the driver go first; surprise-remove does not. The selected device is the one that the other panels show."
      tools={powerOn}
    >
      {devices.length === 0 ? (
        <Empty testId="devices-empty">
          No device is on the bus. Power one on to let a driver bind to it.
        </Empty>
      ) : (
        <ul className="device-list" aria-label="Devices">
          {devices.map((device) => (
            <DeviceRow key={device.id} device={device} selected={device.id === selected} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

const some = () => selectedDevice() !== undefined;
commands.register(
  {
    id: 'device.powerOn',
    title: 'Power on a device',
    group: 'Device',
    hotkeys: ['!Mod+Shift+P'],
    run: () => ui.setState({ powerOn: true }),
  },
  {
    id: 'device.powerOff',
    title: 'Power off the selected device',
    group: 'Device',
    enabled: some,
    run: () => powerOff(selectedDevice()!),
  },
  {
    id: 'device.surpriseRemove',
    title: 'Surprise-remove the selected device',
    group: 'Device',
    enabled: some,
    run: () => surpriseRemove(selectedDevice()!),
  },
  {
    id: 'device.reset',
    title: 'Reset the selected device (FLR)',
    group: 'Device',
    enabled: some,
    run: () => reset(selectedDevice()!),
  },
  {
    id: 'device.duplicate',
    title: 'Duplicate the selected device',
    group: 'Device',
    enabled: some,
    run: () => duplicate(selectedDevice()!),
  },
  {
    id: 'device.next',
    title: 'Select the next device',
    group: 'Device',
    hotkeys: ['!Alt+N'],
    enabled: some,
    run: () => {
      const { devices, selected } = lab.getState();
      const at = devices.findIndex((device) => device.id === selected);
      selectDevice(devices[(at + 1) % devices.length]!.id);
    },
  },
  {
    id: 'device.workload',
    title: 'Start or stop the workload of the selected device',
    group: 'Device',
    enabled: () => selectedDevice()?.workload !== undefined,
    run: () => {
      const device = selectedDevice()!;
      return setWorkload(device, !device.workload!.running, device.workload!.rate);
    },
  },
);
