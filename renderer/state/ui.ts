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
}));
