/** What the walk of a command's data begins with. */
import type { WireDescription } from '#contract/devices.ts';
import type { DmaEntry } from '#contract/dma.ts';
import { hex, bytes as size } from '#renderer/ui/format.ts';
import { commandData, commandName, decodeCommand } from './entries.ts';
import { parseDescriptor } from './sgl.ts';

/** What a walk begins with, as it stands in the form. */
export interface WalkStart {
  readonly by: 'prp' | 'sgl';
  readonly prp1: string;
  readonly prp2: string;
  /** SGL1: its address, its length in bytes, and the numbers of its type and subtype. */
  readonly sgl: string;
  readonly sglLength: string;
  readonly sglType: number;
  readonly sglSubtype: number;
  /** Bytes that the command transfers. */
  readonly length: string;
  /** They go to the host. */
  readonly discards: boolean;
  /** Bytes of a memory page: CC.MPS. */
  readonly page: string;
  /** All of it lies where PRP1 leads. */
  readonly contiguous: boolean;
  /** The command that it was taken from. */
  readonly about: string;
}

export const emptyStart: WalkStart = {
  by: 'prp',
  prp1: '',
  prp2: '0x0',
  sgl: '',
  sglLength: '16',
  sglType: 0,
  sglSubtype: 0,
  length: '4096',
  discards: true,
  page: '4096',
  contiguous: false,
  about: '',
};

/** Where a submission queue entry has its data pointer, bytes. */
const DATA_POINTER = 24;

/** What a command says of its data; undefined where this is none, or nobody knows its fields. */
export function walkOf(
  entry: DmaEntry,
  bytes: Uint8Array,
  description: Pick<WireDescription, 'commandFormats' | 'commandNames'> | undefined,
  sizes: { readonly block: number; readonly page: number },
): WalkStart | undefined {
  const formats = description?.commandFormats;
  if (entry.content !== 'commands' || formats === undefined || bytes.length < formats.entryBytes)
    return undefined;
  const fields = decodeCommand(description!, bytes, entry.queue);
  const value = (name: string) => fields.find((one) => one.name === name)?.value ?? '0x0';
  const data = commandData(description!, bytes, entry.queue, sizes);
  const name = commandName(description!, bytes, entry.queue);
  // SGL or PRP, both are in the data pointer.
  const descriptor = parseDescriptor(bytes, DATA_POINTER);
  return {
    by: Number(value('PSDT')) === 0 ? 'prp' : 'sgl',
    sgl: hex(descriptor.address),
    sglLength: `${descriptor.length}`,
    sglType: descriptor.type,
    sglSubtype: descriptor.subtype,
    // Opcode bits 1:0, Data Transfer Direction: 01b is from the host to the controller.
    discards: (bytes[0]! & 3) !== 1,
    prp1: hex(BigInt(value('PRP1'))),
    prp2: hex(BigInt(value('PRP2'))),
    length: data === undefined ? '' : `${data.length}`,
    page: `${sizes.page}`,
    contiguous: data?.contiguous ?? false,
    about:
      data === undefined
        ? `${name} moves no data, or how much is not known`
        : `${name}: ${size(data.length)}${data.contiguous ? ' in one piece' : ''}`,
  };
}
