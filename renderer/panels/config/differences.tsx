import { hex, otherBases } from '#renderer/ui/format.ts';
import { Empty, Hex } from '#renderer/ui/parts.tsx';
import type { Difference } from './compare.ts';

export function differenceText(one: Difference): string {
  const place = one.lsb === undefined ? '' : `[${one.lsb + (one.bits ?? 1) - 1}:${one.lsb}]`;
  return [`${hex(one.offset, 2)}${place}`, one.name, one.before || '-', one.now || '-'].join('\t');
}

/** What it means, and the same number in other bases. */
function valueTitle(value: string, text: string): string {
  const bases = value === '' ? '' : otherBases(BigInt(value), Math.ceil((value.length - 2) / 2));
  return [text, bases].filter((line) => line !== '').join('\n');
}

/** Fields that are not as they are in what one compares with. */
export function Differences(props: {
  differences: readonly Difference[];
  base: string;
  other: string;
  onSelect: (offset: number, length: number) => void;
}) {
  if (props.differences.length === 0) {
    return (
      <Empty testId="config-same">
        {props.other === 'Now'
          ? `Nothing differs from ${props.base}.`
          : `Nothing differs between ${props.base} and ${props.other}.`}
      </Empty>
    );
  }
  return (
    <table className="differences" data-testid="config-differences">
      <thead>
        <tr>
          <th scope="col">Place</th>
          <th scope="col">Field</th>
          <th scope="col">{props.base}</th>
          <th scope="col">{props.other}</th>
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
            <td title={valueTitle(one.before, one.beforeText)}>
              {one.before === '' ? <span className="dim">none</span> : <Hex>{one.before}</Hex>}{' '}
              <span className="dim">{one.beforeText}</span>
            </td>
            <td title={valueTitle(one.now, one.nowText)}>
              {one.now === '' ? <span className="dim">none</span> : <Hex>{one.now}</Hex>}{' '}
              <span className="dim">{one.nowText}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
