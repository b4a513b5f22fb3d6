import type { DockviewApi, SerializedDockview } from 'dockview-react';

const KEY = 'pciem-lab-layout';
/** Raised when kept layouts would no longer fit the panels. */
const VERSION = 1;

type Add = Parameters<DockviewApi['addPanel']>[0];

function add(api: DockviewApi, id: string, title: string, rest: Partial<Add> = {}): void {
  api.addPanel({ id, component: id, title, ...rest } as Add);
}

/** First start: devices left, trace and framebuffer in the middle, registers right, interrupts, DMA and terminal below. */
export function defaultLayout(api: DockviewApi, titles: Readonly<Record<string, string>>): void {
  api.clear();
  const width = api.width || 1280;
  const height = api.height || 740;
  const rail = 236;
  const right = Math.round(Math.min(720, Math.max(364, width * 0.29)));
  const below = Math.round(Math.min(460, Math.max(250, height * 0.36)));
  const title = (id: string) => titles[id] ?? id;

  add(api, 'trace', title('trace'));
  add(api, 'framebuffer', title('framebuffer'), {
    position: { direction: 'within', referencePanel: 'trace' },
    inactive: true,
  } as Partial<Add>);
  add(api, 'devices', title('devices'), {
    position: { direction: 'left', referencePanel: 'trace' },
    initialWidth: rail,
  } as Partial<Add>);
  add(api, 'registers', title('registers'), {
    position: { direction: 'right', referencePanel: 'trace' },
    initialWidth: right,
  } as Partial<Add>);
  add(api, 'config', title('config'), {
    position: { direction: 'within', referencePanel: 'registers' },
    inactive: true,
  } as Partial<Add>);
  add(api, 'dma', title('dma'), {
    position: { direction: 'below', referencePanel: 'trace' },
    initialHeight: below,
  } as Partial<Add>);
  add(api, 'terminal', title('terminal'), {
    position: { direction: 'within', referencePanel: 'dma' },
    inactive: true,
  } as Partial<Add>);
  add(api, 'experts', title('experts'), {
    position: { direction: 'within', referencePanel: 'dma' },
    inactive: true,
  } as Partial<Add>);
  add(api, 'log', title('log'), {
    position: { direction: 'within', referencePanel: 'dma' },
    inactive: true,
  } as Partial<Add>);
  add(api, 'interrupts', title('interrupts'), {
    position: { direction: 'below', referencePanel: 'registers' },
    initialHeight: below,
  } as Partial<Add>);
  api.getPanel('devices')?.api.setSize({ width: rail });
  api.getPanel('registers')?.api.setSize({ width: right });
  api.getPanel('dma')?.api.setSize({ height: below });
  api.getPanel('interrupts')?.api.setSize({ height: below });
  api.getPanel('trace')?.api.setActive();
}

export function saveLayout(api: DockviewApi, storage: Pick<Storage, 'setItem'> = localStorage): void {
  storage.setItem(KEY, JSON.stringify({ version: VERSION, layout: api.toJSON() }));
}

/** The kept layout, unless it names panels that are not there, or cannot be read. */
export function keptLayout(
  known: readonly string[],
  storage: Pick<Storage, 'getItem'> = localStorage,
): SerializedDockview | undefined {
  try {
    const kept = JSON.parse(storage.getItem(KEY) ?? 'null') as {
      version: number;
      layout: SerializedDockview;
    } | null;
    if (kept === null || kept.version !== VERSION) return undefined;
    const names = Object.keys(kept.layout.panels);
    if (names.length === 0 || names.some((name) => !known.includes(name))) return undefined;
    return kept.layout;
  } catch {
    return undefined;
  }
}

export function forgetLayout(storage: Pick<Storage, 'removeItem'> = localStorage): void {
  storage.removeItem(KEY);
}
