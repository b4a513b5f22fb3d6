export function formatLspci(
  _devices: readonly { address: string; title: string; bytes: Uint8Array }[],
): string {
  return '';
}
