import * as v from 'valibot';
import { deviceId } from './schemas.ts';

const terminal = v.pipe(v.number(), v.integer(), v.minValue(1));
const columns = v.pipe(v.number(), v.integer(), v.minValue(2), v.maxValue(1000));
const rows = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000));

export const terminalCalls = {
  /**
   * `shell`: where the device lives. `kernel-log`: `dmesg -w` there; with `device`, only what names it, its driver or the
   * PCIem module. `console`: what the guest writes to its serial port, from the outside; it takes no keys.
   */
  'terminal.open': v.strictObject({
    kind: v.picklist(['shell', 'kernel-log', 'console']),
    columns,
    rows,
    device: v.optional(deviceId),
  }),
  'terminal.write': v.strictObject({ terminal, data: v.pipe(v.string(), v.maxLength(65536)) }),
  'terminal.resize': v.strictObject({ terminal, columns, rows }),
  'terminal.close': v.strictObject({ terminal }),
  /** The window has drawn so many characters; the lab pauses the pty when too many are outstanding. */
  'terminal.drawn': v.strictObject({ terminal, characters: v.pipe(v.number(), v.integer(), v.minValue(1)) }),
} as const;

export interface TerminalResults {
  'terminal.open': { readonly terminal: number };
  'terminal.write': Record<string, never>;
  'terminal.resize': Record<string, never>;
  'terminal.close': Record<string, never>;
  'terminal.drawn': Record<string, never>;
}

export interface TerminalStreams {
  terminalData: { readonly terminal: number; readonly data: string };
  terminalExit: { readonly terminal: number; readonly code: number };
}
