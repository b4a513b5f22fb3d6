import {
  Activity,
  ArrowLeftRight,
  Binary,
  HardDrive,
  ListTree,
  type LucideIcon,
  MessageSquareText,
  Monitor,
  ScrollText,
  ServerCog,
  SquareTerminal,
  TriangleAlert,
  Zap,
} from 'lucide-react';
import type { FunctionComponent } from 'react';
import { ConfigPanel } from '#renderer/panels/config/panel.tsx';
import { DevicesPanel } from '#renderer/panels/devices/panel.tsx';
import { DiskPanel } from '#renderer/panels/disk/panel.tsx';
import { DmaPanel } from '#renderer/panels/dma/panel.tsx';
import { ExpertsPanel } from '#renderer/panels/experts/panel.tsx';
import { FramebufferPanel } from '#renderer/panels/framebuffer/panel.tsx';
import { InterruptsPanel } from '#renderer/panels/interrupts/panel.tsx';
import { LogPanel } from '#renderer/panels/log/panel.tsx';
import { RegistersPanel } from '#renderer/panels/registers/panel.tsx';
import { TerminalPanel } from '#renderer/panels/terminal/panel.tsx';
import { TracePanel } from '#renderer/panels/trace/panel.tsx';

export interface PanelEntry {
  readonly title: string;
  readonly icon: LucideIcon;
  readonly component: FunctionComponent;
  readonly hotkey: string;
}

/** Every panel, in the order of the View menu. */
export const panels = {
  devices: { title: 'Devices', icon: ServerCog, component: DevicesPanel, hotkey: '!Alt+1' },
  trace: { title: 'MMIO trace', icon: Activity, component: TracePanel, hotkey: '!Alt+2' },
  registers: { title: 'Registers', icon: ListTree, component: RegistersPanel, hotkey: '!Alt+3' },
  config: { title: 'Config space', icon: Binary, component: ConfigPanel, hotkey: '!Alt+4' },
  interrupts: { title: 'Interrupts', icon: Zap, component: InterruptsPanel, hotkey: '!Alt+5' },
  dma: { title: 'DMA', icon: ArrowLeftRight, component: DmaPanel, hotkey: '!Alt+6' },
  terminal: { title: 'Terminal', icon: SquareTerminal, component: TerminalPanel, hotkey: '!Alt+7' },
  log: { title: 'Log', icon: MessageSquareText, component: LogPanel, hotkey: '!Alt+8' },
  framebuffer: { title: 'Framebuffer', icon: Monitor, component: FramebufferPanel, hotkey: '!Alt+9' },
  experts: { title: 'Expert notes', icon: TriangleAlert, component: ExpertsPanel, hotkey: '!Alt+E' },
  disk: { title: 'NVMe disk', icon: HardDrive, component: DiskPanel, hotkey: '!Alt+D' },
} as const satisfies Record<string, PanelEntry>;

export type PanelId = keyof typeof panels;
export const panelIds = Object.keys(panels) as PanelId[];
export const fallbackIcon = ScrollText;
