/** What a PCI core does before a driver runs. */
import { CapabilityId } from '../sdk/config-space.ts';
import type { InitiatorBus } from './initiator.ts';

/** Offset of a capability, or 0. */
export function findCapability(bus: InitiatorBus, id: number): number {
  if ((bus.configRead(0x06, 2) & 0x10) === 0) return 0;
  let at = bus.configRead(0x34, 1) & 0xfc;
  for (let i = 0; at !== 0 && i < 48; i++) {
    if (bus.configRead(at, 1) === id) return at;
    at = bus.configRead(at + 1, 1) & 0xfc;
  }
  return 0;
}

/** Message address and data that the simulated machine uses for a vector. */
export const MESSAGE_ADDRESS = 0xfee0_0000;

/** Programs and enables all vectors of MSI-X, or those of MSI; returns how many there are, 1 when there is neither. */
export function enableMsix(bus: InitiatorBus): number {
  const msix = findCapability(bus, CapabilityId.msix);
  if (msix !== 0) {
    const control = bus.configRead(msix + 2, 2);
    const vectors = (control & 0x7ff) + 1;
    const table = bus.configRead(msix + 4, 4);
    // Function mask while the table is written.
    bus.configWrite(msix + 2, 2, control | 0xc000);
    for (let vector = 0; vector < vectors; vector++) {
      const at = (table & ~7) + vector * 16;
      bus.write32(table & 7, at, MESSAGE_ADDRESS);
      bus.write32(table & 7, at + 4, 0);
      bus.write32(table & 7, at + 8, vector);
      bus.write32(table & 7, at + 12, 0);
    }
    bus.configWrite(msix + 2, 2, (control | 0x8000) & ~0x4000);
    return vectors;
  }
  const msi = findCapability(bus, CapabilityId.msi);
  if (msi !== 0) {
    const control = bus.configRead(msi + 2, 2);
    const log2 = (control >>> 1) & 7;
    bus.configWrite(msi + 4, 4, MESSAGE_ADDRESS);
    bus.configWrite(msi + (control & 0x80 ? 12 : 8), 2, 0);
    bus.configWrite(msi + 2, 2, (control & ~0x70) | (log2 << 4) | 1);
    return 1 << log2;
  }
  return 1;
}
