import { hex } from '#renderer/ui/format.ts';
import { Empty, Hex } from '#renderer/ui/parts.tsx';
import type { Difference } from './compare.ts';

export function differenceText(one: Difference): string {
  const place = one.lsb === undefined ? '' : `[${one.lsb + (one.bits ?? 1) - 1}:${one.lsb}]`;
  return [`${hex(one.offset, 2)}${place}`, one.name, one.before || '-', one.now || '-'].join('\t');
}

/** Fields that are not as they are in what one compares with. */
export function Differences(props: {
  differences: readonly Difference[];
  base: string;
  onSelect: (offset: number, length: number) => void;
}) {
  if (props.differences.length === 0) {
    return <Empty testId="config-same">{`Nothing differs from ${props.base}.`}</Empty>;
  }
  return (
    <table className="differences" data-testid="config-differences">
      <thead>
        <tr>
          <th scope="col">Place</th>
          <th scope="col">Field</th>
          <th scope="col">{props.base}</th>
          <th scope="col">Now</th>
        </tr>
      </thead>
      <tbody>
        {props.differences.map((one) => (
          <tr
            key={`${one.offset} ${one.lsb ?? ''} ${one.name}`}
            data-testid="config-difference"
            data-name={one.name}
          >
            <td className="mono">
              <button
                type="button"
                className="link mono"
                onClick={() => props.onSelect(one.offset, one.length)}
              >
                {hex(one.offset, 2)}
                {one.lsb !== undefined &&
                  ((one.bits ?? 1) === 1 ? `[${one.lsb}]` : `[${one.lsb + (one.bits ?? 1) - 1}:${one.lsb}]`)}
              </button>
            </td>
            <td>{one.name}</td>
            <td title={one.beforeText}>
              {one.before === '' ? <span className="dim">none</span> : <Hex>{one.before}</Hex>}{' '}
              <span className="dim">{one.beforeText}</span>
            </td>
            <td title={one.nowText}>
              {one.now === '' ? <span className="dim">none</span> : <Hex>{one.now}</Hex>}{' '}
              <span className="dim">{one.nowText}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
