/** Tables of places in memory, each a link that reads it. */
import type { ReactNode } from 'react';
import { hex, bytes as size } from '#renderer/ui/format.ts';
import { Hex } from '#renderer/ui/parts.tsx';

export function MemoryTable({ heads, children }: { heads: readonly string[]; children: ReactNode }) {
  return (
    <table>
      <thead>
        <tr>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

/** The first cells of a row. `address` undefined: it lies nowhere. */
export function MemoryCells(props: {
  address: number | undefined;
  /** Bytes. */
  length: number;
  onRead: (address: number) => void;
}) {
  const { address, length, onRead } = props;
  return (
    <>
      <td>
        {address !== undefined && (
          <button type="button" className="link" title="Read this memory" onClick={() => onRead(address)}>
            <Hex>{hex(address, 8)}</Hex>
          </button>
        )}
      </td>
      <td className="mono">{size(length)}</td>
    </>
  );
}
