/** Colours for what CSS does not reach, from the same tokens. */
export type Theme = 'dark' | 'light' | 'contrast';
export type Density = 'compact' | 'normal' | 'comfortable';

export const themes: readonly { readonly id: Theme; readonly title: string }[] = [
  { id: 'dark', title: 'Dark' },
  { id: 'light', title: 'Light' },
  { id: 'contrast', title: 'High contrast' },
];
export const densities: readonly { readonly id: Density; readonly title: string }[] = [
  { id: 'compact', title: 'Compact' },
  { id: 'normal', title: 'Normal' },
  { id: 'comfortable', title: 'Comfortable' },
];

export function applyTheme(theme: Theme, density: Density): void {
  document.documentElement.dataset.theme = theme;
  document.documentElement.dataset.density = density;
}

export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A token in pixels, such as the row height of the density in force. */
export function pixels(name: string, otherwise: number): number {
  const value = Number.parseFloat(token(name));
  return Number.isFinite(value) && value > 0 ? value : otherwise;
}

export const deviceColors = 8;
/** Devices keep their colour for the session. */
export function deviceColor(id: number): string {
  return `var(--device-${((Math.max(id, 1) - 1) % deviceColors) + 1})`;
}
