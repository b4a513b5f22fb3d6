/** Links to a panel: what stands behind the `#` of the page's address. */

export interface PanelLink {
  readonly panel: string;
  /** Its name, which outlives a session, unlike its number. */
  readonly device?: string;
}

export function formatLink({ panel, device }: PanelLink): string {
  const parts = new URLSearchParams({ panel, ...(device === undefined ? {} : { device }) });
  return `#${parts.toString()}`;
}

export function parseLink(hash: string): PanelLink | undefined {
  const parts = new URLSearchParams(hash.replace(/^#/, ''));
  const panel = parts.get('panel');
  const device = parts.get('device');
  if (panel === null) return undefined;
  return { panel, ...(device === null ? {} : { device }) };
}
