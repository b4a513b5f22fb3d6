import {
  type DockviewApi,
  DockviewReact,
  type DockviewReadyEvent,
  type IDockviewPanelHeaderProps,
  type IDockviewPanelProps,
} from 'dockview-react';
import 'dockview-react/dist/styles/dockview.css';
import { LayoutPanelLeft, X } from 'lucide-react';
import { type FunctionComponent, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import { commands } from '#renderer/app-commands.ts';
import { formatLink, parseLink } from '#renderer/links.ts';
import { lab, selectDevice, selectedDevice } from '#renderer/state/lab.ts';
import { addNotice } from '#renderer/state/notices.ts';
import { settings } from '#renderer/state/settings.ts';
import { Boundary } from '#renderer/ui/boundary.tsx';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { Button, Empty } from '#renderer/ui/parts.tsx';
import {
  defaultLayout,
  forgetLayout,
  keepNamed,
  keptLayout,
  type NamedLayout,
  namedLayouts,
  saveLayout,
} from './layout.ts';
import { fallbackIcon, type PanelId, panelIds, panels } from './panels.tsx';
import './dock.css';

/** Displays that were brought to the front in this tab already. */
const SCREENS_KEY = 'pciem-lab-screens';

let api: DockviewApi | undefined;
const titles = Object.fromEntries(panelIds.map((id) => [id, panels[id].title]));

/** Brings a panel to the front, opening it where it was closed. */
export function openPanel(id: PanelId, focus = true): void {
  if (api === undefined) return;
  const panel = api.getPanel(id) ?? addPanel(api, id);
  panel.api.setActive();
  if (focus) focusSoon(id);
}

/** Frames that a panel has to come onto the screen: one that was behind another tab is only made now. */
const FRAMES_TO_COME = 60;
let comingTo: PanelId | undefined;

function focusSoon(id: PanelId): void {
  comingTo = id;
  let frames = 0;
  const look = () => {
    // Meanwhile one went elsewhere, or to a field in it.
    if (comingTo !== id || (frames > 0 && rootOf(id)?.contains(document.activeElement))) return;
    if (focusPanel(id) || ++frames === FRAMES_TO_COME) comingTo = undefined;
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** What has the focus when one goes to a panel, the first that is there. */
const focusFirst = [
  '.xterm-helper-textarea',
  '.vector-row[aria-current="true"] button:enabled',
  '.rows-viewport',
  '.panel-body [tabindex="0"]',
  '.panel-body button:enabled',
  '.panel-bar button:enabled',
];

function rootOf(id: PanelId): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[data-testid="panel-${id}"]`);
}

function focusPanel(id: PanelId): boolean {
  const root = rootOf(id);
  for (const selector of focusFirst) {
    const target = root?.querySelector<HTMLElement>(selector);
    target?.focus({ preventScroll: true });
    // What is disabled, or not laid out yet, does not take it.
    if (target !== null && target === document.activeElement) return true;
  }
  return false;
}

/** What has the focus may go away, as a closed part of a panel does: then it goes on in the same panel. */
function keepFocus(event: FocusEvent): void {
  const left = event.target as HTMLElement;
  const panel = left.closest<HTMLElement>('.panel');
  const id = panelIds.find((one) => `panel-${one}` === panel?.dataset.testid);
  if (event.relatedTarget !== null || id === undefined) return;
  requestAnimationFrame(() => {
    if (left.isConnected || panel?.isConnected !== true || document.activeElement !== document.body) return;
    focusPanel(id);
  });
}

function addPanel(dock: DockviewApi, id: PanelId) {
  const beside = dock.activeGroup?.id;
  return dock.addPanel({
    id,
    component: id,
    title: panels[id].title,
    ...(id === 'devices'
      ? { position: { direction: 'left' as const }, initialWidth: 264 }
      : beside === undefined
        ? {}
        : { position: { referenceGroup: beside } }),
  } as Parameters<DockviewApi['addPanel']>[0]);
}

export function resetLayout(): void {
  if (api === undefined) return;
  forgetLayout();
  defaultLayout(api, titles);
}

export const layouts = createStore<{ readonly all: readonly NamedLayout[] }>(() => ({
  all: namedLayouts(panelIds),
}));

export function loadNamed(name: string): void {
  const found = layouts.getState().all.find((one) => one.name === name);
  if (found === undefined || api === undefined) return;
  try {
    api.fromJSON(found.layout);
  } catch {
    defaultLayout(api, titles);
    addNotice({
      level: 'error',
      text: `The layout ${name} cannot be read`,
      hint: 'Save it again under its name',
    });
  }
}

export function saveNamed(name: string): void {
  if (api === undefined) return;
  const kept = { name, layout: api.toJSON() };
  layouts.setState(({ all }) => ({ all: [...all.filter((one) => one.name !== name), kept] }));
}

export function removeNamed(name: string): void {
  layouts.setState(({ all }) => ({ all: all.filter((one) => one.name !== name) }));
}

let namedCommands = (): void => {};
function commandsOfLayouts({ all }: { readonly all: readonly NamedLayout[] }): void {
  namedCommands();
  namedCommands = commands.register(
    ...all.map(({ name }, at) => ({
      id: `layout.load.n${at + 1}`,
      title: `Layout: ${name}`,
      group: 'View',
      run: () => loadNamed(name),
    })),
  );
}
commandsOfLayouts(layouts.getState());
layouts.subscribe((state) => {
  keepNamed(state.all);
  commandsOfLayouts(state);
});

/** Opens what a link names; a device that is not there yet is waited for. */
function followLink(hash: string): void {
  const link = parseLink(hash);
  if (link === undefined) return;
  if (!panelIds.includes(link.panel as PanelId)) {
    addNotice({
      level: 'warning',
      text: `The link names a panel "${link.panel}", which is not there`,
      hint: `Panels are ${panelIds.join(', ')}`,
    });
    return;
  }
  openPanel(link.panel as PanelId);
  if (link.device === undefined) return;
  const find = () => lab.getState().devices.find((one) => one.name === link.device);
  const there = find();
  if (there !== undefined) {
    selectDevice(there.id);
    return;
  }
  const stop = lab.subscribe(() => {
    const found = find();
    if (found === undefined) return;
    stop();
    selectDevice(found.id);
  });
}

/** The next tab of the active group. */
function stepTab(step: number): void {
  const group = api?.activeGroup;
  if (group === undefined || group.activePanel === undefined) return;
  const at = group.panels.indexOf(group.activePanel);
  const next = group.panels[(at + step + group.panels.length) % group.panels.length];
  next?.api.setActive();
  if (next !== undefined) requestAnimationFrame(() => focusPanel(next.id as PanelId));
}

/** The active panel becomes a tab of a neighbouring group. */
function moveToGroup(step: number): void {
  const panel = api?.activePanel;
  const group = api?.activeGroup;
  if (api === undefined || panel === undefined || group === undefined) return;
  const groups = api.groups;
  const next = groups[(groups.indexOf(group) + step + groups.length) % groups.length];
  if (next === undefined || next === group) return;
  panel.api.moveTo({ group: next, position: 'center' });
  focusPanel(panel.id as PanelId);
}

const RESIZE_STEP = 40;

function resizeGroup(width: number, height: number): void {
  const group = api?.activeGroup;
  if (group === undefined) return;
  group.api.setSize({
    ...(width === 0 ? {} : { width: Math.max(120, group.api.width + width) }),
    ...(height === 0 ? {} : { height: Math.max(80, group.api.height + height) }),
  });
}

/** The neighbour of the active group, as F6 does between the parts of a window. */
function focusGroup(step: number): void {
  if (api === undefined) return;
  const groups = api.groups.filter((group) => group.panels.length > 0);
  const at = api.activeGroup === undefined ? -1 : groups.indexOf(api.activeGroup);
  const next = groups[(at + step + groups.length) % groups.length];
  const panel = next?.activePanel;
  if (panel === undefined || panel === null) return;
  panel.api.setActive();
  focusPanel(panel.id as PanelId);
}

function moveActive(direction: 'left' | 'right' | 'above' | 'below'): void {
  const panel = api?.activePanel;
  const group = api?.activeGroup;
  if (panel === undefined || group === undefined) return;
  panel.api.moveTo({
    group,
    position: { left: 'left', right: 'right', above: 'top', below: 'bottom' }[direction] as 'left',
  });
}

commands.register(
  ...panelIds.map((id) => ({
    id: `view.${id}`,
    title: `Show ${panels[id].title}`,
    group: 'View',
    hotkeys: [panels[id].hotkey],
    keywords: 'panel open',
    run: () => openPanel(id),
  })),
  { id: 'layout.reset', title: 'Reset the layout', group: 'View', run: resetLayout },
  {
    id: 'layout.closePanel',
    title: 'Close the active panel',
    group: 'View',
    run: () => api?.activePanel?.api.close(),
  },
  {
    id: 'layout.maximize',
    title: 'Maximize or restore the active panel',
    group: 'View',
    hotkeys: ['!Mod+Shift+Enter'],
    run: () => {
      const panel = api?.activePanel;
      if (panel === undefined) return;
      if (panel.api.isMaximized()) panel.api.exitMaximized();
      else panel.api.maximize();
    },
  },
  {
    id: 'layout.float',
    title: 'Float the active panel',
    group: 'View',
    run: () => {
      const panel = api?.activePanel;
      if (panel !== undefined) api?.addFloatingGroup(panel);
    },
  },
  {
    id: 'layout.nextGroup',
    title: 'Go to the next group of panels',
    group: 'View',
    hotkeys: ['!F6'],
    run: () => focusGroup(1),
  },
  {
    id: 'layout.previousGroup',
    title: 'Go to the previous group of panels',
    group: 'View',
    hotkeys: ['!Shift+F6'],
    run: () => focusGroup(-1),
  },
  {
    id: 'layout.nextTab',
    title: 'Go to the next tab of the group',
    group: 'View',
    hotkeys: ['!Mod+Alt+PageDown'],
    run: () => stepTab(1),
  },
  {
    id: 'layout.previousTab',
    title: 'Go to the previous tab of the group',
    group: 'View',
    hotkeys: ['!Mod+Alt+PageUp'],
    run: () => stepTab(-1),
  },
  {
    id: 'layout.moveToNext',
    title: 'Move the active panel to the next group',
    group: 'View',
    hotkeys: ['!Mod+Alt+Enter'],
    run: () => moveToGroup(1),
  },
  {
    id: 'layout.moveToPrevious',
    title: 'Move the active panel to the previous group',
    group: 'View',
    run: () => moveToGroup(-1),
  },
  ...(
    [
      ['wider', RESIZE_STEP, 0],
      ['narrower', -RESIZE_STEP, 0],
      ['taller', 0, RESIZE_STEP],
      ['shorter', 0, -RESIZE_STEP],
    ] as const
  ).map(([how, width, height]) => ({
    id: `layout.${how}`,
    title: `Make the active group ${how}`,
    group: 'View',
    run: () => resizeGroup(width, height),
  })),
  {
    id: 'panel.copy',
    title: 'Copy the active panel as text',
    group: 'View',
    run: () => {
      const id = api?.activePanel?.id;
      const button = document.querySelector<HTMLElement>(
        `[data-testid="copy-${id}"], [data-testid="${id}-copy"]`,
      );
      if (button === null) addNotice({ level: 'info', text: 'This panel has no text to copy' }, true);
      else button.click();
    },
  },
  {
    id: 'panel.link',
    title: 'Copy a link to the active panel',
    group: 'View',
    run: () => {
      const panel = api?.activePanel?.id;
      if (panel === undefined) return;
      const device = selectedDevice()?.name;
      const link = formatLink({ panel, ...(device === undefined ? {} : { device }) });
      return copyWithNotice('the link', `${window.location.origin}${window.location.pathname}${link}`);
    },
  },
  ...(['left', 'right', 'above', 'below'] as const).map((direction) => ({
    id: `layout.split.${direction}`,
    title: `Split: move the active panel ${direction}`,
    group: 'View',
    hotkeys: [
      `!Mod+Alt+${{ left: 'ArrowLeft', right: 'ArrowRight', above: 'ArrowUp', below: 'ArrowDown' }[direction]}`,
    ],
    run: () => moveActive(direction),
  })),
);

function Tab({ api: panel }: IDockviewPanelHeaderProps) {
  const entry = panels[panel.id as PanelId];
  const Icon = entry?.icon ?? fallbackIcon;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dockview gives the tab its role and its keys
    // biome-ignore lint/a11y/useKeyWithClickEvents: dockview gives the tab its role and its keys
    <div
      className="dock-tab"
      data-testid={`tab-${panel.id}`}
      onClick={() => {
        // Going to a terminal is to type in it.
        if (panel.id === 'terminal') requestAnimationFrame(() => focusPanel('terminal'));
      }}
      onAuxClick={(event) => {
        if (event.button === 1) panel.close();
      }}
    >
      <Icon aria-hidden />
      <span>{entry?.title ?? panel.title}</span>
      {/* For the pointer: a tab may hold no button. The keyboard has the command "Close the active panel". */}
      <span
        className="dock-close"
        aria-hidden
        title={`Close ${entry?.title}`}
        onPointerDown={(event) => event.stopPropagation()}
        onClick={(event) => {
          event.stopPropagation();
          panel.close();
        }}
      >
        <X />
      </span>
    </div>
  );
}

const components = Object.fromEntries(
  panelIds.map((id) => {
    const Component: FunctionComponent = panels[id].component;
    return [
      id,
      (_: IDockviewPanelProps) => (
        <Boundary title={panels[id].title}>
          <Component />
        </Boundary>
      ),
    ];
  }),
);

function Watermark() {
  return (
    <div className="panel">
      <Empty action={<Button onClick={resetLayout}>Reset the layout</Button>}>
        All panels are closed. Open one from the View menu, or take the first layout again.
      </Empty>
    </div>
  );
}

export function Dock() {
  const theme = useStore(settings, (state) => state.theme);
  const [ready, setReady] = useState(false);

  useEffect(() => {
    if (!ready || api === undefined) return;
    const dock = api;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listener = dock.onDidLayoutChange(() => {
      clearTimeout(timer);
      timer = setTimeout(() => saveLayout(dock), 300);
    });
    return () => {
      clearTimeout(timer);
      listener.dispose();
    };
  }, [ready]);

  useEffect(() => {
    if (!ready) return;
    const follow = () => followLink(window.location.hash);
    follow();
    window.addEventListener('hashchange', follow);
    return () => window.removeEventListener('hashchange', follow);
  }, [ready]);

  useEffect(() => {
    document.addEventListener('focusout', keepFocus);
    return () => document.removeEventListener('focusout', keepFocus);
  }, []);

  const screens = useStore(lab, (state) =>
    state.devices
      .filter(({ id }) => state.descriptions.get(id)?.display !== undefined)
      .map(({ id }) => id)
      .join(' '),
  );
  useEffect(() => {
    if (!ready || screens === '') return;
    // Who powers a display on wants to see its picture; who reloads the page wants it as it was.
    const met = (sessionStorage.getItem(SCREENS_KEY) ?? '').split(' ');
    const fresh = screens.split(' ').filter((id) => !met.includes(id));
    if (fresh.length === 0) return;
    sessionStorage.setItem(SCREENS_KEY, [...met, ...fresh].join(' '));
    openPanel('framebuffer', false);
  }, [ready, screens]);

  const onReady = (event: DockviewReadyEvent) => {
    api = event.api;
    const kept = keptLayout(panelIds);
    try {
      if (kept === undefined) defaultLayout(event.api, titles);
      else event.api.fromJSON(kept);
    } catch {
      defaultLayout(event.api, titles);
    }
    setReady(true);
  };

  return (
    <DockviewReact
      className="dock"
      components={components}
      defaultTabComponent={Tab}
      watermarkComponent={Watermark}
      onReady={onReady}
      theme={{
        name: 'lab',
        className: 'dockview-theme-lab',
        colorScheme: theme === 'light' ? 'light' : 'dark',
        tabGroupIndicator: 'none',
      }}
    />
  );
}

export const layoutIcon = LayoutPanelLeft;
