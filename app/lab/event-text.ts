/** Events of the host that are no accesses, in words. */
import { Expert } from '#contract/expert.ts';
import { join } from '#devices/sdk/bits.ts';
import { EventType, EventWord } from '../hosts/host.ts';

/** Of an unbinding: the driver never was bound. */
const PROBE_FAILED = 0x1_0000;
const NAME_WORDS = [EventWord.dataLow, EventWord.dataHigh, EventWord.extraLow, EventWord.extraHigh];

export interface EventText {
  readonly text: string;
  readonly expert: number;
}

/** The driver's name comes in the data and the extra word, padded with zeroes. */
export function bindingText(events: Uint32Array, word: number): EventText {
  let name = '';
  for (const at of NAME_WORDS) {
    for (let byte = 0; byte < 4; byte++) {
      const code = (events[word + at]! >>> (byte * 8)) & 0xff;
      if (code !== 0) name += String.fromCharCode(code);
    }
  }
  if (events[word + EventWord.type] === EventType.driverBound)
    return { text: `Driver ${name} is bound`, expert: 0 };
  if ((events[word + EventWord.flags]! & PROBE_FAILED) !== 0)
    return { text: `Driver ${name} did not take the device: its probe failed`, expert: Expert.probeFailed };
  return { text: `Driver ${name} let go of the device`, expert: 0 };
}

const FAULT_WRITE = 0x100;
/** By reason, from 1: what was wrong, and whether the nearest mapping is told. */
const FAULTS: readonly (readonly [string, boolean])[] = [
  ['is outside of what the driver mapped', true],
  ['is in a mapping that the driver took back', true],
  ['goes against the direction of its mapping', true],
  ['comes while bus mastering is off', false],
  ['is not memory of another device, or not allowed', false],
  ['', true],
];
const BAD_UNMAP = 6;

/**
 * What a refused transfer missed. The transfer has a row of its own, with its expert note; an unmapping that fits no mapping
 * has none but this.
 */
export function faultText(events: Uint32Array, word: number): EventText {
  const pair = (low: number, high: number) => join(events[word + low]!, events[word + high]!);
  const flags = events[word + EventWord.flags]!;
  const address = pair(EventWord.offsetLow, EventWord.offsetHigh);
  const length = events[word + EventWord.size]!;
  const near = pair(EventWord.dataLow, EventWord.dataHigh);
  const size = pair(EventWord.extraLow, EventWord.extraHigh);
  const reason = flags & 0xff;
  const range = `0x${address.toString(16)}, ${length} bytes`;
  const [what, tellsMapping] = FAULTS[reason - 1] ?? [`was refused for reason ${reason}`, false];
  const mapping =
    size === 0 ? 'nothing is mapped near it' : `the nearest mapping is 0x${near.toString(16)}, ${size} bytes`;
  const tail = tellsMapping ? `; ${mapping}` : '';
  if (reason === BAD_UNMAP) {
    return {
      text: `The driver unmapped ${range}, which is not mapped so${tail}`,
      expert: Expert.undefinedBehaviour,
    };
  }
  return {
    text: `DMA ${(flags & FAULT_WRITE) !== 0 ? 'write' : 'read'} at ${range} ${what}${tail}`,
    expert: 0,
  };
}
