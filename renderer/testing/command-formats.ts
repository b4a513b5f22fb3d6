import type { WireCommandFormats } from '#contract/devices.ts';

/** Formats of commands that are as large as NVMe's, with those fields and commands that a test is about. */
export function commandFormats(
  what: Pick<WireCommandFormats, 'common' | 'commands'> & Partial<WireCommandFormats>,
): WireCommandFormats {
  return {
    entryBytes: 64,
    completionBytes: 16,
    adminOpcodes: 0x100,
    completion: [],
    statusNames: {},
    ...what,
    common: [{ name: 'OPC', lsb: 0, width: 8 }, ...what.common],
  };
}
