import { createStore } from 'zustand/vanilla';

/** What floats above the panels, and where panels send one another. */
export interface UiState {
  readonly palette: boolean;
  readonly powerOn: boolean;
  readonly shortcuts: boolean;
}

export const ui = createStore<UiState>(() => ({ palette: false, powerOn: false, shortcuts: false }));
