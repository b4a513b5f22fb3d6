import { Hex } from '#renderer/ui/parts.tsx';
import type { DecodedField } from './entries.ts';

/** Named fields of an entry, one a line. */
export function Fields({ fields }: { fields: readonly DecodedField[] }) {
  return fields.map((field, at) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a name may come twice
    <div className="dma-field" key={at} title={field.title}>
      <span className="mono">{field.name}</span>
      <Hex>{field.value}</Hex>
      <span className="dim">{field.text}</span>
    </div>
  ));
}
