/** The MSI-X table and pending bits as registers (PCIe 5.0, 7.7.2). Hosts own them; models only name them. */
import type { RegisterDescription } from './register-map.ts';

const ENTRY_BYTES = 16;

export function msixRegisters(
  vectors: number,
  tableOffset: number,
  pbaOffset: number,
): RegisterDescription[] {
  const registers: RegisterDescription[] = [];
  for (let vector = 0; vector < vectors; vector++) {
    const offset = tableOffset + vector * ENTRY_BYTES;
    const common = { width: 4, reset: 0n, specification: 'PCIe 5.0, 7.7.2' } as const;
    const name = `MSIX${vector}`;
    const title = `MSI-X vector ${vector}`;
    registers.push(
      {
        ...common,
        name: `${name}_ADDR_LOW`,
        title: `${title}, message address`,
        offset,
        writable: 0xffff_fffcn,
      },
      {
        ...common,
        name: `${name}_ADDR_HIGH`,
        title: `${title}, message upper address`,
        offset: offset + 4,
        writable: 0xffff_ffffn,
      },
      {
        ...common,
        name: `${name}_DATA`,
        title: `${title}, message data`,
        offset: offset + 8,
        writable: 0xffff_ffffn,
      },
      {
        ...common,
        name: `${name}_CONTROL`,
        title: `${title}, vector control`,
        offset: offset + 12,
        reset: 1n,
        writable: 1n,
        fields: [{ name: 'Mask', lsb: 0, width: 1, values: { 0: 'unmasked', 1: 'masked' } }],
      },
    );
  }
  for (let unit = 0; unit * 64 < vectors; unit++) {
    const first = unit * 64;
    registers.push({
      name: `PBA${unit}`,
      title: `MSI-X pending bits, vectors ${first} to ${Math.min(first + 63, vectors - 1)}`,
      offset: pbaOffset + unit * 8,
      width: 8,
      reset: 0n,
      writable: 0n,
      specification: 'PCIe 5.0, 7.7.2',
    });
  }
  return registers;
}
