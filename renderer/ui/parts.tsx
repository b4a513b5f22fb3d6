import { CircleHelp, Copy } from 'lucide-react';
import {
  type ComponentPropsWithRef,
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import { useStore } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type { DeviceSummary } from '#contract/devices.ts';
import { commands } from '#renderer/app-commands.ts';
import { cancelFrame, onNextFrame } from '#renderer/frame/scheduler.ts';
import {
  deviceName,
  lab,
  removedDevices,
  selectDevice,
  selectedDevice,
  selectRemoved,
} from '#renderer/state/lab.ts';
import type { Live } from '#renderer/state/live.ts';
import { noticeError } from '#renderer/state/notices.ts';
import { settings } from '#renderer/state/settings.ts';
import { ui } from '#renderer/state/ui.ts';
import { deviceColor } from '#renderer/theme/theme.ts';
import { copyWithNotice } from './clipboard.ts';
import { flash, setHexText } from './dom.ts';
import { hexGroups } from './format.ts';
import { useShown } from './shown.ts';

export function Hex({ children, className = '' }: { children: string; className?: string }) {
  return (
    <span className={`mono ${className}`}>
      {hexGroups(children).map((group, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: groups have no other identity
        <span key={at} className="hex-group">
          {group}
        </span>
      ))}
    </span>
  );
}

/** Runs `draw` in the frame after each change of `live`, and once at first and whenever the panel is shown again. */
export function useLiveDraw<T>(live: Live<T>, draw: (value: T) => void): void {
  const shown = useShown();
  const latest = useRef(draw);
  latest.current = draw;
  useLayoutEffect(() => {
    if (!shown) return;
    const task = () => latest.current(live.get());
    task();
    const stop = live.subscribe(() => onNextFrame(task));
    return () => {
      stop();
      cancelFrame(task);
    };
  }, [live, shown]);
  useLayoutEffect(() => {
    if (shown) latest.current(live.get());
  });
}

/** For what of a live value changes seldom. */
export function useLive<T, R>(live: Live<T>, select: (value: T) => R): R {
  return useSyncExternalStore(
    (changed) => live.subscribe(changed),
    () => select(live.get()),
  );
}

/** Text of a live value; React draws it once. */
export function LiveText<T>(props: {
  live: Live<T>;
  text: (value: T) => string;
  title?: (value: T) => string;
  flash?: boolean;
  className?: string;
  testId?: string;
}) {
  const ref = useRef<HTMLSpanElement>(null);
  useLiveDraw(props.live, (value) => {
    const element = ref.current;
    if (element === null) return;
    const text = props.text(value);
    const before = element.textContent;
    if (before !== text) {
      setHexText(element, text);
      if (props.flash && before !== '' && text !== '') flash(element);
      if (props.title !== undefined) element.title = props.title(value);
    }
  });
  return <span ref={ref} className={props.className} data-testid={props.testId} />;
}

/** Runs an action that may fail, says so when it does, and is busy meanwhile. */
export function useAction(
  what: string,
): readonly [busy: boolean, run: (action: () => unknown) => Promise<boolean>] {
  const [busy, setBusy] = useState(false);
  const run = useCallback(
    async (action: () => unknown) => {
      setBusy(true);
      try {
        await action();
        return true;
      } catch (error) {
        noticeError(what, error);
        return false;
      } finally {
        setBusy(false);
      }
    },
    [what],
  );
  return [busy, run];
}

export function Button({
  kind = '',
  testId,
  className = '',
  idle = false,
  command,
  ...rest
}: ComponentPropsWithRef<'button'> & {
  kind?: '' | 'primary' | 'danger' | 'quiet' | 'icon' | 'icon quiet' | 'quiet danger';
  testId?: string;
  /** Does nothing for now, and keeps the focus meanwhile, which a disabled one would lose. */
  idle?: boolean;
  /** The command that does the same, and what a click runs unless the button does it in a way of its own. */
  command?: string;
}) {
  return (
    <button
      type="button"
      className={`button ${kind} ${className}`}
      data-testid={testId}
      {...(command === undefined ? {} : { 'data-runs': command, onClick: () => void commands.run(command) })}
      {...rest}
      {...(idle ? { 'aria-disabled': true, onClick: undefined } : {})}
    />
  );
}

/** Where the focus goes back to when an editor goes away that had it. */
export function useFocusBack(editing: boolean, to: RefObject<HTMLElement | null>): void {
  const before = useRef(false);
  useEffect(() => {
    if (before.current && !editing && document.activeElement === document.body) to.current?.focus();
    before.current = editing;
  }, [editing, to]);
}

/**
 * Arrow keys, Home and End lead the focus among the elements of a selector, of which only one is a stop for Tab.
 * `choose`: where they lead is chosen too, as tabs and radio buttons are.
 */
export function rove(event: KeyboardEvent<HTMLElement>, selector: string, choose = true): void {
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>(selector)];
  const at = all.indexOf(event.target as HTMLElement);
  const to = {
    ArrowRight: at + 1,
    ArrowDown: at + 1,
    ArrowLeft: at - 1,
    ArrowUp: at - 1,
    Home: 0,
    End: all.length - 1,
  }[event.key];
  if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const next = all[(to + all.length) % all.length]!;
  next.focus();
  if (choose) next.click();
}

export function useConnected(): boolean {
  return useStore(lab, (state) => state.connection.kind === 'connected');
}

export function Empty(props: { children: ReactNode; action?: ReactNode; testId?: string }) {
  return (
    <div className="empty" data-testid={props.testId}>
      <p>{props.children}</p>
      {props.action}
    </div>
  );
}

/** Frame of every panel: a bar of tools, a help line that "?" shows, and the states that all panels share. */
export function Panel(props: {
  name: string;
  title: string;
  help: ReactNode;
  tools?: ReactNode;
  /** What the panel shows, as text. */
  copy?: () => string | Promise<string>;
  /** Works without the lab. */
  offline?: boolean;
  children: ReactNode;
}) {
  const { name } = props;
  const help = useStore(settings, (state) => state.help[name] === true);
  const connected = useConnected();
  const known = useStore(lab, (state) => state.hello !== undefined);
  const kind = useStore(lab, (state) => state.connection.kind);
  const toggle = () => settings.setState((state) => ({ help: { ...state.help, [name]: !help } }));
  return (
    <section
      className={`panel panel-${name}`}
      aria-label={props.title}
      data-testid={`panel-${name}`}
      data-stale={!connected && known && !props.offline}
      onKeyDown={(event) => {
        const field = (event.target as HTMLElement).closest('input, textarea, select, .xterm');
        if (event.key === '?' && field === null) {
          event.preventDefault();
          toggle();
        }
      }}
    >
      <div className="panel-bar" role="toolbar" aria-label={`${props.title} tools`}>
        {props.tools}
        <span className="panel-bar-end">
          {props.copy !== undefined && (
            <Button
              kind="icon quiet"
              aria-label={`Copy ${props.title} as text`}
              title="Copy as text"
              command="panel.copy"
              testId={`copy-${name}`}
              onClick={() => void copyWithNotice(`${props.title} as text`, Promise.resolve(props.copy!()))}
            >
              <Copy />
            </Button>
          )}
          <Button
            kind="icon quiet"
            aria-label={`Help for ${props.title}`}
            title="What this panel does (?)"
            aria-pressed={help}
            command="panel.help"
            onClick={toggle}
            testId={`help-${name}`}
          >
            <CircleHelp />
          </Button>
        </span>
      </div>
      {help && (
        <div className="panel-help" data-testid={`help-line-${name}`}>
          {props.help}
        </div>
      )}
      <div className="panel-body">
        {known || props.offline ? (
          props.children
        ) : (
          <Empty>
            {kind === 'refused'
              ? 'The lab did not accept this window.'
              : kind === 'stopped'
                ? 'The guest that the lab was in has stopped.'
                : 'Connecting to the lab.'}
          </Empty>
        )}
      </div>
    </section>
  );
}

export function DeviceDot({ id }: { id: number }) {
  return <span className="device-dot" style={{ '--device-color': deviceColor(id) } as React.CSSProperties} />;
}

/** Which device the panel shows; the choice is shared by all panels. `removed`: those that are gone are among them. */
export function DeviceSelect({ removed = false }: { removed?: boolean }) {
  const devices = useStore(lab, (state) => state.devices);
  const shown = useStore(lab, (state) => (removed && state.removed) || state.selected);
  const gone = useStore(
    lab,
    useShallow((state) => (removed ? removedDevices(state) : [])),
  );
  if (devices.length + gone.length === 0) return null;
  const names = gone.map(deviceName);
  return (
    <span className="device-select">
      <DeviceDot id={shown} />
      <select
        className="input"
        aria-label="Device"
        data-testid="device-select"
        value={shown}
        onChange={({ target }) => {
          const id = Number(target.value);
          if (gone.includes(id)) selectRemoved(id);
          else selectDevice(id);
        }}
      >
        {shown === 0 && <option value={0}>Choose a device</option>}
        {devices.map((device) => (
          <option key={device.id} value={device.id}>
            {device.name || device.title}
          </option>
        ))}
        {gone.map((id, at) => {
          const again = names.indexOf(names[at]!) !== names.lastIndexOf(names[at]!);
          return (
            <option key={id} value={id}>
              {`${names[at]} (removed${again ? `, device ${id}` : ''})`}
            </option>
          );
        })}
      </select>
    </span>
  );
}

export function useSelectedDevice(): DeviceSummary | undefined {
  return useStore(lab, (state) => selectedDevice(state));
}

export function useVisible(ref: RefObject<HTMLElement | null>): boolean {
  const [visible, setVisible] = useState(true);
  useEffect(() => {
    const element = ref.current;
    if (element === null || typeof IntersectionObserver === 'undefined') return;
    const observer = new IntersectionObserver((entries) => setVisible(entries.at(-1)!.isIntersecting));
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return visible;
}

/**
 * Calls `ask` now and `interval` ms after each answer, while the panel is on the screen, the page is shown and the lab is
 * connected. A panel that comes back to the screen asks at once.
 */
export function usePolling(ask: (() => Promise<unknown>) | undefined, interval: number): void {
  const connected = useConnected();
  const latest = useRef(ask);
  latest.current = ask;
  const shown = useShown();
  const active = ask !== undefined && connected && shown;
  useEffect(() => {
    if (!active) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const round = async () => {
      if (document.visibilityState === 'visible') await latest.current?.().catch(() => {});
      if (!stopped) timer = setTimeout(() => void round(), interval);
    };
    void round();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [active, interval]);
}

export function NoDevice({ what }: { what: string }) {
  return (
    <Empty
      action={
        <Button kind="primary" onClick={() => ui.setState({ powerOn: true })}>
          Power on a device
        </Button>
      }
    >
      {what}
    </Empty>
  );
}
