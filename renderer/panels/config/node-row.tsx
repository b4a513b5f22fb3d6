import { ChevronDown, ChevronRight } from 'lucide-react';
import { memo, useEffect, useRef, useState } from 'react';
import { hex, otherBases, parseBits } from '#renderer/ui/format.ts';
import { Hex } from '#renderer/ui/parts.tsx';
import { type AccessKind, accessWords } from './access.ts';
import type { FlatNode } from './tree.ts';

function FieldEditor(props: {
  first: string;
  bits: number;
  label: string;
  onDone: (value: bigint | undefined) => void;
}) {
  const [draft, setDraft] = useState(props.first);
  const parsed = parseBits(draft, props.bits);
  const problem = 'problem' in parsed ? parsed.problem : '';
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  return (
    <span className="value-editor">
      <input
        ref={input}
        className="input mono config-edit"
        data-testid="config-edit"
        aria-label={props.label}
        aria-invalid={problem !== ''}
        title={problem || 'Enter writes, Esc leaves it'}
        value={draft}
        onClick={(event) => event.stopPropagation()}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === 'Escape') props.onDone(undefined);
          if (event.key === 'Enter' && !('problem' in parsed)) props.onDone(parsed.value);
        }}
        onBlur={() => props.onDone(undefined)}
      />
      {problem !== '' && (
        <span className="value-problem" role="alert" data-testid="config-edit-problem">
          {problem}
        </span>
      )}
    </span>
  );
}

export const NodeRow = memo(function NodeRow(props: {
  flat: FlatNode;
  access: AccessKind | undefined;
  open: boolean;
  selected: boolean;
  editing: boolean;
  onSelect: (flat: FlatNode) => void;
  onToggle: (path: string) => void;
  onEdit: (path: string | undefined) => void;
  onWrite: (flat: FlatNode, value: bigint) => void;
  onTurn: (flat: FlatNode) => void;
}) {
  const { flat, open, selected, access } = props;
  const { node, depth, path } = flat;
  const group = node.children !== undefined && node.children.length > 0;
  const bit = node.lsb !== undefined;
  const width = bit ? (node.bits ?? 1) : node.length * 8;
  const value = node.value === undefined ? undefined : BigInt(node.value);
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (selected) element.current?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree takes the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus and names the active node
    <div
      ref={element}
      id={`config-node-${path.replaceAll('/', '-')}`}
      className="config-node"
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={selected}
      aria-expanded={group ? open : undefined}
      data-testid="config-node"
      data-name={node.name}
      data-offset={node.offset}
      data-path={path}
      data-access={access}
      data-reserved={node.reserved === true}
      style={{ paddingLeft: 4 + depth * 14 }}
      title={node.description ?? ''}
      onClick={() => props.onSelect(flat)}
      onDoubleClick={() => (value !== undefined ? props.onEdit(path) : props.onToggle(path))}
    >
      <button
        type="button"
        className="register-toggle"
        tabIndex={-1}
        aria-hidden={!group}
        aria-label={open ? `Close ${node.name}` : `Open ${node.name}`}
        disabled={!group}
        onClick={(event) => {
          event.stopPropagation();
          props.onToggle(path);
        }}
      >
        {group ? open ? <ChevronDown aria-hidden /> : <ChevronRight aria-hidden /> : null}
      </button>
      <span className="mono dim config-place">
        {bit
          ? width === 1
            ? `[${node.lsb}]`
            : `[${node.lsb! + width - 1}:${node.lsb}]`
          : hex(node.offset, 2)}
      </span>
      <span className={`config-name ${node.value === undefined ? 'config-group' : ''}`}>{node.name}</span>
      <span className="config-access small" title={access === undefined ? '' : accessWords[access]}>
        {value === undefined || access === 'mixed' ? '' : access}
      </span>
      <span className="config-value">
        {value === undefined ? null : props.editing ? (
          <FieldEditor
            first={node.value!}
            bits={width}
            label={`New value of ${node.name}`}
            onDone={(to) => {
              props.onEdit(undefined);
              if (to !== undefined) props.onWrite(flat, to);
            }}
          />
        ) : bit && width === 1 ? (
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={node.name}
            data-testid="config-bit"
            checked={value === 1n}
            onClick={(event) => event.stopPropagation()}
            onChange={() => props.onTurn(flat)}
          />
        ) : (
          <span title={otherBases(value, Math.ceil(width / 8))}>
            <Hex>{node.value!}</Hex>
          </span>
        )}
      </span>
      <span className="dim config-text">{node.text}</span>
    </div>
  );
});
