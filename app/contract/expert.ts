/**
 * Expert notes: what a row says about driver or device that a person should look at. They are found where the row is made
 * and kept in its own columns, so that a row's note costs no memory and no search.
 */
import { InterruptRefusal, TraceFlag, TraceKind } from './trace-record.ts';

/** Bits; a row can have several. */
export const Expert = {
  unaligned: 1,
  wrongSize: 2,
  readOnly: 4,
  decodingOff: 8,
  late: 0x10,
  /** The model noted something about this access; the note tells what. */
  noted: 0x20,
  undefinedBehaviour: 0x40,
  doorbell: 0x80,
  modelError: 0x100,
  dmaUnmapped: 0x200,
  dmaBusMaster: 0x400,
  dmaDirection: 0x800,
  dmaOther: 0x1000,
  irqMasked: 0x2000,
  irqOff: 0x4000,
  missed: 0x8000,
  mappingLeft: 0x1_0000,
  probeFailed: 0x2_0000,
} as const;

export type ExpertSeverity = 'error' | 'warning' | 'note';

export interface ExpertKind {
  readonly bit: number;
  readonly severity: ExpertSeverity;
  readonly title: string;
  /** What it means, and what to look for. */
  readonly detail: string;
}

/** Most severe first. */
export const expertKinds: readonly ExpertKind[] = [
  {
    bit: Expert.dmaBusMaster,
    severity: 'error',
    title: 'DMA while bus mastering is off',
    detail:
      'The driver lets a device work that may not reach memory: set Command.Bus Master before it starts.',
  },
  {
    bit: Expert.dmaUnmapped,
    severity: 'error',
    title: 'DMA outside a mapping',
    detail:
      'The address was never mapped for the device, or not any more: look for what the driver unmapped last.',
  },
  {
    bit: Expert.dmaDirection,
    severity: 'error',
    title: 'DMA against the direction of its mapping',
    detail: 'The driver mapped this memory the other way round: see the direction given when it was mapped.',
  },
  {
    bit: Expert.dmaOther,
    severity: 'error',
    title: 'DMA refused',
    detail: 'The transfer has no length, ends outside its buffer, or the device has left the bus.',
  },
  {
    bit: Expert.decodingOff,
    severity: 'error',
    title: 'Access while memory decoding is off',
    detail: 'On a real bus nobody answers: reads are all ones. Set Command.Memory Space first.',
  },
  {
    bit: Expert.doorbell,
    severity: 'error',
    title: 'Doorbell out of range',
    detail: 'The value is not one that the queue can have, or there is no such queue.',
  },
  {
    bit: Expert.modelError,
    severity: 'error',
    title: 'Error of the device',
    detail: 'The device cannot go on with what it was asked for.',
  },
  {
    bit: Expert.late,
    severity: 'error',
    title: 'Read not answered in time',
    detail: 'The device was too slow; the driver sees all ones.',
  },
  {
    bit: Expert.probeFailed,
    severity: 'error',
    title: 'Probe failed',
    detail: "A driver looked at the device and did not take it; the kernel's log says why.",
  },
  {
    bit: Expert.missed,
    severity: 'warning',
    title: 'Events missing',
    detail: 'The trace has a hole here: accesses came faster than they could be taken.',
  },
  {
    bit: Expert.unaligned,
    severity: 'warning',
    title: 'Unaligned access',
    detail: 'The offset is no multiple of the width; many buses split or refuse such an access.',
  },
  {
    bit: Expert.wrongSize,
    severity: 'warning',
    title: 'Access of the wrong size',
    detail: 'It is wider than the register, or reaches into its neighbour.',
  },
  {
    bit: Expert.readOnly,
    severity: 'warning',
    title: 'Write to a read-only register',
    detail: 'The device ignores it.',
  },
  {
    bit: Expert.undefinedBehaviour,
    severity: 'warning',
    title: 'Undefined behaviour',
    detail: 'The specification forbids it or leaves it open; another device may do something else.',
  },
  {
    bit: Expert.mappingLeft,
    severity: 'warning',
    title: 'DMA mapping left behind',
    detail: 'The driver let go of the device without unmapping it.',
  },
  {
    bit: Expert.irqOff,
    severity: 'warning',
    title: 'Interrupt raised while off',
    detail: 'The driver has not enabled interrupts, or not this vector; the message is lost.',
  },
  {
    bit: Expert.irqMasked,
    severity: 'note',
    title: 'Interrupt raised while masked',
    detail: 'It is pending, and is delivered once the driver takes the mask away.',
  },
];

const DMA_STATUS_BITS: readonly number[] = [
  0,
  Expert.dmaUnmapped,
  Expert.dmaBusMaster,
  Expert.dmaOther,
  Expert.dmaOther,
  Expert.dmaDirection,
];

/** {@link Expert} bits of a row; `head` is kind | device << 8 | bar << 16 | flags << 24, as in the record. */
export function expertBits(head: number, aux: number, length: number): number {
  const flags = head >>> 24;
  switch (head & 0xff) {
    case TraceKind.mmioRead:
    case TraceKind.mmioWrite:
      return aux | ((flags & TraceFlag.error) !== 0 ? Expert.late : 0);
    case TraceKind.dmaRead:
    case TraceKind.dmaWrite:
      return DMA_STATUS_BITS[aux] ?? Expert.dmaOther;
    case TraceKind.interrupt:
      if ((flags & TraceFlag.refused) === 0) return 0;
      return aux >>> 16 === InterruptRefusal.masked ? Expert.irqMasked : Expert.irqOff;
    case TraceKind.missed:
      return Expert.missed;
    case TraceKind.note:
    case TraceKind.driver:
      return length;
    default:
      return 0;
  }
}

/** Expert notes of a row, most severe first. */
export function expertNotes(bits: number): ExpertKind[] {
  return expertKinds.filter(({ bit }) => (bits & bit) !== 0);
}
