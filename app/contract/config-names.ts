/** What an access to configuration space is called. */
import type { WireConfigRegister } from './devices.ts';

/** The registers that an access meets, the lowest first. */
export function configMet(
  registers: readonly WireConfigRegister[],
  offset: number,
  length: number,
): readonly WireConfigRegister[] {
  return registers.filter((one) => one.offset < offset + length && offset < one.offset + one.length);
}

/** Of those that an access at `offset` meets: `Command, Status`, `Class Code+2`. */
export function configNames(met: readonly WireConfigRegister[], offset: number): string {
  return met
    .map((one) => (offset <= one.offset ? one.name : `${one.name}+${offset - one.offset}`))
    .join(', ');
}
