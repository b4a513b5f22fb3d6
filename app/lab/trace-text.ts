/** Trace rows as text, for copying and for the command line. */
import { expertBits, expertNotes } from '#contract/expert.ts';
import { TraceFlag, TraceKind } from '#contract/trace-record.ts';

export interface TextNames {
  deviceName(device: number): string;
  /** `CC` or `SQ1TDBL`, or undefined. */
  registerName(device: number, bar: number, offset: number): string | undefined;
  vectorName(device: number, vector: number): string | undefined;
  /** Of all registers that the access meets; empty: of none. */
  configNames(device: number, offset: number, length: number): string;
  commandName(device: number, opcode: number): string | undefined;
  note(id: number): string | undefined;
}

const KIND_TEXT: Readonly<Record<number, string>> = {
  [TraceKind.mmioRead]: 'R',
  [TraceKind.mmioWrite]: 'W',
  [TraceKind.configRead]: 'CFG R',
  [TraceKind.configWrite]: 'CFG W',
  [TraceKind.interrupt]: 'IRQ',
  [TraceKind.dmaRead]: 'DMA R',
  [TraceKind.dmaWrite]: 'DMA W',
  [TraceKind.missed]: 'MISSED',
  [TraceKind.note]: 'NOTE',
  [TraceKind.reset]: 'RESET',
  [TraceKind.driver]: 'DRIVER',
  [TraceKind.command]: 'CMD',
};

export const DMA_STATUS_TEXT = [
  'ok',
  'unmapped',
  'not bus master',
  'bad length',
  'gone',
  'wrong direction',
] as const;

const hex = (value: number): string => `0x${value.toString(16)}`;

/** Value of `width` bytes, zero-padded. */
export function hexOfWidth(low: number, high: number, width: number): string {
  if (width === 8) return `0x${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`;
  return `0x${low.toString(16).padStart(width * 2, '0')}`;
}

/** One record as a line of columns. `at` is its byte offset in `view`. */
export function recordText(view: DataView, at: number, names: TextNames): string {
  const time = view.getFloat64(at, true);
  const address = view.getFloat64(at + 8, true);
  const low = view.getUint32(at + 16, true);
  const high = view.getUint32(at + 20, true);
  const length = view.getUint32(at + 24, true);
  const kind = view.getUint8(at + 28);
  const device = view.getUint8(at + 29);
  const bar = view.getUint8(at + 30);
  const flags = view.getUint8(at + 31);
  const aux = view.getUint32(at + 32, true);
  const columns = [
    `${(time / 1e9).toFixed(9)} s`,
    names.deviceName(device),
    KIND_TEXT[kind] ?? `kind ${kind}`,
  ];
  switch (kind) {
    case TraceKind.mmioRead:
    case TraceKind.mmioWrite:
      columns.push(
        `BAR${bar}+${hex(address)}`,
        names.registerName(device, bar, address) ?? '-',
        `${length} B`,
        hexOfWidth(low, high, length),
        `cpu${view.getUint16(at + 40, true)}`,
      );
      break;
    case TraceKind.configRead:
    case TraceKind.configWrite:
      columns.push(
        `config+${hex(address)}`,
        names.configNames(device, address, length) || '-',
        `${length} B`,
        hexOfWidth(low, high, length),
      );
      break;
    case TraceKind.interrupt:
      columns.push(`vector ${aux & 0xffff}`, names.vectorName(device, aux & 0xffff) ?? '-');
      break;
    case TraceKind.dmaRead:
    case TraceKind.dmaWrite:
      columns.push(hex(address), `${length} B`, DMA_STATUS_TEXT[aux] ?? `status ${aux}`);
      break;
    case TraceKind.command:
      columns.push(
        names.commandName(device, low) ?? `opcode ${hex(low)}`,
        `queue ${aux >>> 16}`,
        `id ${aux & 0xffff}`,
        `${hex(address)}`,
        `${length} B`,
        high === 0 ? 'ok' : `status ${hex(high)}`,
      );
      break;
    case TraceKind.missed:
      columns.push(`${aux} events missed here`);
      break;
    case TraceKind.note:
    case TraceKind.driver:
      columns.push(names.note(aux) ?? '');
      break;
  }
  if ((flags & TraceFlag.refused) !== 0) columns.push('refused');
  if ((flags & TraceFlag.peer) !== 0) columns.push('peer to peer');
  if ((flags & TraceFlag.byHand) !== 0) columns.push('by hand');
  if ((flags & TraceFlag.undefinedBehaviour) !== 0) columns.push('undefined behaviour');
  const repeat = view.getUint32(at + 64, true);
  if (repeat > 1) columns.push(`${repeat} times`);
  for (const { title } of expertNotes(expertBits(view.getUint32(at + 28, true), aux, length))) {
    columns.push(`[${title}]`);
  }
  return columns.join('\t');
}
