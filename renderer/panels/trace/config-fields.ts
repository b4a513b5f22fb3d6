/** Bits of configuration registers that a row names where a write changes them: PCI Express 6.0, 7.5.1.1.3. */
import type { WireField } from '#contract/devices.ts';

const COMMAND = 0x04;
const COMMAND_BYTES = 2;

const command: readonly WireField[] = [
  { name: 'I/O Space', lsb: 0, width: 1 },
  { name: 'Memory Space', lsb: 1, width: 1 },
  { name: 'Bus Master', lsb: 2, width: 1 },
  { name: 'Parity Error Response', lsb: 6, width: 1 },
  { name: 'SERR# Enable', lsb: 8, width: 1 },
  { name: 'Interrupt Disable', lsb: 10, width: 1 },
];

/** Fields of the register that an access begins in, and how many bytes into it; undefined: none is named. */
export function configFields(
  offset: number,
): { readonly fields: readonly WireField[]; readonly delta: number } | undefined {
  const delta = offset - COMMAND;
  return delta >= 0 && delta < COMMAND_BYTES ? { fields: command, delta } : undefined;
}
