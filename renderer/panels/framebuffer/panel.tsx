import {
  Camera,
  Circle,
  Copy,
  Keyboard,
  ListTree,
  Maximize,
  Pause,
  Play,
  Square,
  StepForward,
} from 'lucide-react';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { commands } from '#renderer/app-commands.ts';
import { bringForward } from '#renderer/dock/focus.ts';
import { client, lab, selectDevice, selectedDevice } from '#renderer/state/lab.ts';
import { noticeError } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { bytes, count, hex } from '#renderer/ui/format.ts';
import {
  Button,
  DeviceSelect,
  Empty,
  Hex,
  LiveText,
  NoDevice,
  Panel,
  useConnected,
  usePolling,
  useSelectedDevice,
} from '#renderer/ui/parts.tsx';
import { useShown } from '#renderer/ui/shown.ts';
import { capture, listen, release, take } from './capture.ts';
import { type Inspection, inspectionText, readInspection, recordText } from './inspection.ts';
import { countRates, figures, pictureCanvas, setPaused, shownFrame, step, view, watch } from './picture.ts';
import { recording, screenshot, startRecording, stopRecording, videoType } from './save.ts';
import { place, type Scaling, scalings } from './scaling.ts';
import './framebuffer.css';

const RATE_INTERVAL = 500;

/** Choices that outlive the panel. */
const choices = createStore<{ readonly scaling: Scaling; readonly list: boolean }>(() => ({
  scaling: 'smooth',
  list: false,
}));

function fullScreen(): void {
  const stage = document.querySelector<HTMLElement>('[data-testid="framebuffer-stage"]');
  if (document.fullscreenElement !== null) void document.exitFullscreen();
  else stage?.requestFullscreen().catch((error) => noticeError('Full screen', error));
}

/** Whether keys and mouse can go to the machine where the device is, and why not. */
function useInput(): string {
  const known = useStore(lab, (state) => state.hello !== undefined);
  const able = useStore(lab, (state) => state.hello?.abilities.input === true);
  return able || !known ? '' : 'The simulated host has no machine to type into.';
}

function canType(): boolean {
  return lab.getState().hello?.abilities.input === true;
}

async function type(): Promise<void> {
  const id = selectedDevice()?.id;
  if (id !== undefined) await take(id);
}

function toggleRecording(): void {
  if (recording.getState().since !== 0) stopRecording();
  else startRecording();
}

function save(what: string, action: () => unknown): void {
  Promise.resolve()
    .then(action)
    .catch((error) => noticeError(what, error));
}

/** The picture, as large as the choice and the room allow. */
function Stage({ name }: { name: string }) {
  const stage = useRef<HTMLDivElement>(null);
  const width = useStore(view, (state) => state.width);
  const height = useStore(view, (state) => state.height);
  const scaling = useStore(choices, (state) => state.scaling);
  useLayoutEffect(() => {
    const room = stage.current;
    if (room === null) return;
    const canvas = pictureCanvas();
    room.append(canvas);
    const stop = listen(() => (canType() ? selectedDevice()?.id : undefined));
    return () => {
      stop();
      canvas.remove();
    };
  }, []);
  useLayoutEffect(() => {
    const room = stage.current;
    if (room === null || width === 0) return;
    const canvas = pictureCanvas();
    canvas.setAttribute('aria-label', `Picture of ${name}, ${width} × ${height} pixels`);
    canvas.setAttribute('aria-describedby', 'fb-input-hint');
    const resize = () => {
      const { clientWidth, clientHeight } = room;
      const placed = place(scaling, width, height, clientWidth, clientHeight, window.devicePixelRatio || 1);
      canvas.style.width = `${placed.width}px`;
      canvas.style.height = `${placed.height}px`;
      canvas.style.imageRendering = placed.sharp ? 'pixelated' : 'auto';
    };
    resize();
    const observer = new ResizeObserver(resize);
    observer.observe(room);
    return () => observer.disconnect();
  }, [width, height, scaling, name]);
  const keyboard = useStore(capture, (state) => state.keyboard);
  useLayoutEffect(() => {
    // A screen reader passes keys through to an application.
    pictureCanvas().setAttribute('role', keyboard ? 'application' : 'img');
  }, [keyboard]);
  return (
    <div className="fb-stage" ref={stage} data-testid="framebuffer-stage" data-typing={keyboard}>
      {/* In full screen the line below the picture is not there. */}
      {keyboard && (
        <p className="fb-way-out" aria-hidden="true">
          <kbd>Ctrl</kbd> + <kbd>Alt</kbd> gives keyboard and mouse back
        </p>
      )}
    </div>
  );
}

function CommandList({ inspection }: { inspection: Inspection | undefined }) {
  if (inspection === undefined) return <Empty>This device does not tell how it makes its picture.</Empty>;
  const { source, address, records, total } = inspection;
  return (
    <>
      <div className="fb-list-head">
        {source === '' ? (
          <span className="dim">No picture yet</span>
        ) : (
          <>
            <span className="mono" data-testid="framebuffer-source">
              {source}
            </span>
            <span className="mono dim">{bytes(inspection.bytes)}</span>
            <span title="Where it was read from">
              <Hex className="dim">{hex(address, 8)}</Hex>
            </span>
          </>
        )}
        <span className="grow" />
        <Button
          kind="icon quiet"
          aria-label="Copy the command list"
          title="Copy the command list"
          disabled={records.length === 0}
          onClick={() => void copyWithNotice('the command list', records.map(recordText).join('\n'))}
        >
          <Copy />
        </Button>
      </div>
      {records.length === 0 ? (
        <Empty>
          {source === ''
            ? 'Commands show here once the driver has drawn something.'
            : `The last picture came as pixels, by ${source}; it has no commands.`}
        </Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it
        <ol className="fb-records" data-testid="framebuffer-records" aria-label="Commands" tabIndex={0}>
          {records.map((record) => (
            <li key={record.offset} data-testid="framebuffer-record" data-name={record.name}>
              <span className="dim">{hex(record.offset, 6)}</span>
              <span>{record.name}</span>
              <span className="fb-swatch" style={{ background: record.color ?? 'transparent' }} />
              <span className="fb-record-text">{record.text}</span>
            </li>
          ))}
          {total > records.length && <li className="dim">and {count(total - records.length)} more</li>}
        </ol>
      )}
    </>
  );
}

function Tools() {
  const paused = useStore(view, (state) => state.paused);
  const recordingSince = useStore(recording, (state) => state.since);
  const { scaling, list } = useStore(choices);
  const typing = useStore(capture, (state) => state.keyboard);
  const cannot = useInput();
  return (
    <>
      <DeviceSelect />
      <span className="divider" />
      <Button
        kind="icon"
        aria-label={paused ? 'Go on showing pictures' : 'Pause'}
        title={
          paused ? 'Go on showing pictures' : 'Pause: the card goes on, this window shows the same picture'
        }
        aria-pressed={paused}
        testId="framebuffer-pause"
        command="framebuffer.pause"
      >
        {paused ? <Play /> : <Pause />}
      </Button>
      <Button
        kind="icon"
        aria-label="Show the next picture"
        title="Show the next picture that comes, and pause; the card does not wait, so that the frame number may jump"
        testId="framebuffer-step"
        command="framebuffer.step"
      >
        <StepForward />
      </Button>
      <span className="divider" />
      <select
        className="input"
        aria-label="Scaling"
        data-testid="framebuffer-scaling"
        value={scaling}
        onChange={(event) => choices.setState({ scaling: event.target.value as Scaling })}
      >
        {scalings.map(({ id, title }) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
      <Button
        kind="icon"
        aria-label="Full screen"
        title="Full screen; Esc leaves it"
        testId="framebuffer-fullscreen"
        command="framebuffer.fullScreen"
      >
        <Maximize />
      </Button>
      <Button
        kind="icon"
        aria-label={typing ? 'Take keyboard and mouse back' : 'Type into the machine'}
        title={
          cannot !== ''
            ? cannot
            : typing
              ? 'Keyboard and mouse go to the machine; Ctrl+Alt gives them back'
              : 'Type into the machine: keyboard and mouse go to it until Ctrl+Alt; a click on the picture does the same'
        }
        disabled={cannot !== ''}
        aria-pressed={typing}
        testId="framebuffer-type"
        command="framebuffer.type"
        onMouseDown={(event) => event.preventDefault()}
        onClick={() => (typing ? release() : save('Typing into the machine', type))}
      >
        <Keyboard />
      </Button>
      <span className="divider" />
      <Button
        kind="icon"
        aria-label="Save a screenshot"
        title="Save the picture as PNG"
        testId="framebuffer-screenshot"
        command="framebuffer.screenshot"
      >
        <Camera />
      </Button>
      <Button
        kind="icon"
        className={recordingSince === 0 ? '' : 'fb-recording'}
        aria-label={recordingSince === 0 ? 'Record a video' : 'Stop recording and save the video'}
        title={
          videoType() === undefined
            ? 'This browser cannot record video'
            : recordingSince === 0
              ? 'Record a video'
              : 'Stop recording and save the video'
        }
        disabled={videoType() === undefined}
        aria-pressed={recordingSince !== 0}
        testId="framebuffer-record-video"
        command="framebuffer.record"
      >
        {recordingSince === 0 ? <Circle /> : <Square />}
      </Button>
      <Button
        kind="icon"
        aria-label="Commands of the last picture"
        title="Commands of the last picture"
        aria-pressed={list}
        testId="framebuffer-list"
        command="framebuffer.list"
      >
        <ListTree />
      </Button>
    </>
  );
}

/** Where keys and mouse go, and the way out. */
function InputHint() {
  const { keyboard, mouse } = useStore(capture);
  const cannot = useInput();
  return (
    <span
      id="fb-input-hint"
      role="status"
      className={keyboard ? 'fb-typing' : 'dim'}
      data-testid="framebuffer-input"
      data-state={cannot !== '' ? 'none' : keyboard ? (mouse ? 'mouse' : 'keyboard') : 'free'}
    >
      {cannot !== '' ? (
        <span title={cannot}>No machine to type into</span>
      ) : keyboard ? (
        <>
          {mouse ? 'Keyboard and mouse go' : 'The keyboard goes'} to the machine; <kbd>Ctrl</kbd> +{' '}
          <kbd>Alt</kbd> {mouse ? 'gives them back' : 'gives it back, a click takes the mouse too'}
        </>
      ) : (
        <span title="A click on the picture, or Enter on it, sends keyboard and mouse to the machine">
          Click the picture to type into the machine
        </span>
      )}
    </span>
  );
}

function Figures() {
  const format = useStore(view, (state) => state.format);
  const width = useStore(view, (state) => state.width);
  const height = useStore(view, (state) => state.height);
  const paused = useStore(view, (state) => state.paused);
  useEffect(() => {
    const timer = setInterval(() => countRates(), RATE_INTERVAL);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="fb-figures">
      <span className="mono" data-testid="framebuffer-mode">
        {width === 0 ? 'No mode' : `${width} × ${height} ${format}`}
      </span>
      <span>
        <span className="dim">Frame </span>
        <LiveText
          live={figures}
          className="mono fb-count"
          testId="framebuffer-frame"
          text={(now) => count(now.frame)}
        />
      </span>
      <span title={paused ? 'Not counted while paused' : 'Pictures that the card finishes'}>
        <span className="dim">Card </span>
        <LiveText
          live={figures}
          className="mono fb-rate"
          testId="framebuffer-rate"
          text={(now) => (paused ? '— frames/s' : `${now.made.toFixed(0)} frames/s`)}
        />
      </span>
      <span title="Pictures that are drawn here">
        <span className="dim">Shown </span>
        <LiveText
          live={figures}
          className="mono fb-rate"
          text={(now) => `${now.drawn.toFixed(0)} frames/s`}
        />
      </span>
      {paused && (
        <span className="fb-paused" data-testid="framebuffer-paused">
          Paused
        </span>
      )}
      <InputHint />
    </div>
  );
}

export function FramebufferPanel() {
  const device = useSelectedDevice();
  const id = device?.id;
  const connected = useConnected();
  const description = useStore(lab, (state) => (id === undefined ? undefined : state.descriptions.get(id)));
  const other = useStore(lab, (state) =>
    state.devices.find((one) => state.descriptions.get(one.id)?.display !== undefined),
  );
  const width = useStore(view, (state) => state.width);
  const list = useStore(choices, (state) => state.list);
  const [inspection, setInspection] = useState<Inspection | undefined>(undefined);
  /** Picture that was on the screen when the card was asked last. */
  const inspected = useRef(0);
  const has = description?.display !== undefined;
  const shown = useShown();
  const paused = useStore(view, (state) => state.paused);
  const recorded = useStore(recording, (state) => state.since !== 0);
  // A recording goes on behind another panel. While paused no picture comes, and the one that is shown stays.
  const watching = has && connected && (shown || recorded || paused);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another device, another picture
  useEffect(() => view.setState({ width: 0, height: 0 }), [id, has, connected]);
  useEffect(() => {
    if (!watching || id === undefined) return;
    watch(id).catch((error) => noticeError('Framebuffer', error));
    return () => {
      watch(0).catch(() => {});
    };
  }, [id, watching]);

  const inspect = useCallback(async () => {
    if (id === undefined) return;
    const frame = shownFrame();
    if (view.getState().paused && frame === inspected.current) return;
    inspected.current = frame;
    const next = readInspection(await client.call('devices.inspect', { device: id }));
    setInspection((before) => (JSON.stringify(before) === JSON.stringify(next) ? before : next));
  }, [id]);
  usePolling(has ? inspect : undefined, list ? 500 : 2000);
  const copy = async () => {
    const { width, height, format } = view.getState();
    const { frame, made, drawn } = figures.get();
    const now = readInspection(await client.call('devices.inspect', { device: id! }));
    return [
      `Device\t${device?.name}`,
      width === 0 ? 'Mode\tnone' : `Mode\t${width} × ${height} ${format}`,
      `Frame\t${count(frame)}${paused ? ', paused' : ''}`,
      `Rate\t${made.toFixed(0)} frames/s by the card, ${drawn.toFixed(0)} shown`,
      ...inspectionText(now),
    ].join('\n');
  };

  return (
    <Panel
      name="framebuffer"
      title="Framebuffer"
      {...(has ? { copy } : {})}
      help="What the card's driver shows, drawn as it changes. Pause keeps the picture while the card goes on; the next-picture button shows one more of those that come. The card does not wait for it: up to two that followed the picture are here, those that it finishes meanwhile are passed over, and the frame number says so. The list has the commands of the card's newest picture, where it was made of commands. Where the card is in a real machine, a click on the picture or Enter sends keyboard and mouse there; Ctrl+Alt gives them back."
      tools={has && <Tools />}
    >
      {device === undefined ? (
        <NoDevice what="No device is selected. Power a display adapter on, such as the ProtoPCIem card, to see its picture." />
      ) : description === undefined ? (
        <Empty>Asking what the device is.</Empty>
      ) : !has ? (
        <Empty
          testId="framebuffer-none"
          action={
            other === undefined ? (
              <Button
                kind="primary"
                onClick={() => ui.setState({ powerOn: true, prefill: { model: 'protopciem', options: {} } })}
              >
                Power on a ProtoPCIem card
              </Button>
            ) : (
              <Button kind="primary" onClick={() => selectDevice(other.id)}>
                Show {other.name}
              </Button>
            )
          }
        >
          {device.name} has no picture; display adapters have, such as the ProtoPCIem card.
        </Empty>
      ) : (
        <>
          <div className="fb-body">
            <div className="fb-screen" data-loading={width === 0}>
              <Stage name={device.name} />
              {width === 0 && <Empty>Waiting for the first picture.</Empty>}
            </div>
            {list && (
              <aside className="fb-list" aria-label="Commands of the last picture">
                <CommandList inspection={inspection} />
              </aside>
            )}
          </div>
          <Figures />
        </>
      )}
    </Panel>
  );
}

const able = () => {
  const id = selectedDevice()?.id;
  return id !== undefined && lab.getState().descriptions.get(id)?.display !== undefined;
};
commands.register(
  {
    id: 'framebuffer.pause',
    title: 'Pause or go on showing pictures',
    group: 'Framebuffer',
    enabled: able,
    run: () => setPaused(!view.getState().paused),
  },
  {
    id: 'framebuffer.step',
    title: 'Show the next picture',
    group: 'Framebuffer',
    keywords: 'frame step',
    enabled: able,
    run: step,
  },
  {
    id: 'framebuffer.list',
    title: 'Show or hide the commands of the last picture',
    group: 'Framebuffer',
    enabled: able,
    run: async () => {
      choices.setState((state) => ({ list: !state.list }));
      await bringForward('framebuffer');
    },
  },
  {
    id: 'framebuffer.screenshot',
    title: 'Save the picture as PNG',
    group: 'Framebuffer',
    keywords: 'screenshot',
    enabled: able,
    run: screenshot,
  },
  {
    id: 'framebuffer.record',
    title: 'Record a video, or stop and save it',
    group: 'Framebuffer',
    enabled: () => able() && videoType() !== undefined,
    run: toggleRecording,
  },
  {
    id: 'framebuffer.type',
    title: 'Type into the machine',
    group: 'Framebuffer',
    keywords: 'keyboard mouse play game input',
    enabled: () => able() && canType(),
    run: async () => {
      await commands.run('view.framebuffer');
      await type();
    },
  },
  {
    id: 'framebuffer.fullScreen',
    title: 'Framebuffer: full screen',
    group: 'Framebuffer',
    enabled: able,
    run: async () => {
      await commands.run('view.framebuffer');
      fullScreen();
    },
  },
  ...scalings.map(({ id, title }) => ({
    id: `framebuffer.scaling.s${id}`,
    title: `Scale the picture: ${title}`,
    group: 'Framebuffer',
    enabled: able,
    run: () => choices.setState({ scaling: id }),
  })),
);
