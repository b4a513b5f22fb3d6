import { createStore } from 'zustand/vanilla';

/** What floats above the panels, and where panels send one another. */
export interface UiState {
  readonly palette: boolean;
  readonly powerOn: boolean;
  /** What the power-on form starts with. */
  readonly prefill:
    | {
        readonly model: string;
        readonly name?: string;
        readonly options: Readonly<Record<string, string | number | boolean>>;
      }
    | undefined;
  readonly importDump: boolean;
  readonly importSvd: boolean;
  readonly shortcuts: boolean;
  readonly settings: boolean;
  readonly layouts: boolean;
  /** The register that the registers panel is to bring into view. */
  readonly register: { readonly device: number; readonly bar: number; readonly name: string } | undefined;
  /** The transfer that the DMA panel is to choose, as the trace has it. */
  readonly transfer: WantedTransfer | undefined;
  /** The vector that the interrupts panel is to choose. */
  readonly vector: { readonly device: number; readonly vector: number } | undefined;
  /** The place that the config space panel is to choose. */
  readonly config: { readonly device: number; readonly offset: number } | undefined;
}

export interface WantedTransfer {
  readonly device: number;
  readonly time: number;
  readonly direction: 'read' | 'write';
  readonly address: number;
}

export const ui = createStore<UiState>(() => ({
  palette: false,
  powerOn: false,
  prefill: undefined,
  importDump: false,
  importSvd: false,
  shortcuts: false,
  settings: false,
  layouts: false,
  register: undefined,
  transfer: undefined,
  vector: undefined,
  config: undefined,
}));
