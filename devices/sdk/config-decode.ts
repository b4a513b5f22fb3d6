export function decodeConfigSpace(_bytes: Uint8Array): never[] {
  return [];
}
