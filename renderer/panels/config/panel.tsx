import { ChevronDown, ChevronRight, Copy, Download } from 'lucide-react';
import { memo, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { type ConfigNode, ConfigWriter } from '#contract/config.ts';
import { commands } from '#renderer/app-commands.ts';
import { client, lab, selectedDevice } from '#renderer/state/lab.ts';
import { addNotice, noticeError } from '#renderer/state/notices.ts';
import { withField } from '#renderer/ui/bits.ts';
import { copyWithNotice, saveText } from '#renderer/ui/clipboard.ts';
import { hex, otherBases, parseValue } from '#renderer/ui/format.ts';
import type { HexGrid } from '#renderer/ui/hex-grid.ts';
import { HexView } from '#renderer/ui/hex-view.tsx';
import {
  Button,
  DeviceSelect,
  Empty,
  Hex,
  NoDevice,
  Panel,
  useConnected,
  usePolling,
  useSelectedDevice,
} from '#renderer/ui/parts.tsx';
import { type FlatNode, firstOpen, flatten, numberAt, pathOfByte, splitWrite } from './tree.ts';
import './config.css';

type Actor = 'device' | 'driver';
const tones = ['', 'device', 'driver', 'you'];
const writers = ['as at power-on', 'the device', 'the driver', 'you'];

interface Space {
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly writers: Uint8Array;
  readonly tree: readonly ConfigNode[];
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function FieldEditor(props: {
  first: string;
  length: number;
  label: string;
  onDone: (value: bigint | undefined) => void;
}) {
  const [draft, setDraft] = useState(props.first);
  const parsed = parseValue(draft, props.length);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  return (
    <input
      ref={input}
      className="input mono config-edit"
      data-testid="config-edit"
      aria-label={props.label}
      aria-invalid={'problem' in parsed}
      title={'problem' in parsed ? parsed.problem : 'Enter writes, Esc leaves it'}
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
  );
}

const NodeRow = memo(function NodeRow(props: {
  flat: FlatNode;
  open: boolean;
  selected: boolean;
  editing: boolean;
  onSelect: (flat: FlatNode) => void;
  onToggle: (path: string) => void;
  onEdit: (path: string | undefined) => void;
  onWrite: (flat: FlatNode, value: bigint) => void;
}) {
  const { flat, open, selected } = props;
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
      <span className="config-value">
        {value === undefined ? null : props.editing ? (
          <FieldEditor
            first={node.value!}
            length={Math.ceil(width / 8)}
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
            onChange={(event) => props.onWrite(flat, event.target.checked ? 1n : 0n)}
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

function ConfigSpace({ device, actor }: { device: number; actor: Actor }) {
  const grid = useRef<HexGrid | undefined>(undefined);
  const tree = useRef<HTMLDivElement>(null);
  const [space, setSpace] = useState<Space | undefined>(undefined);
  const latest = useRef<Space | undefined>(undefined);
  const [failure, setFailure] = useState('');
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [selected, setSelected] = useState('');
  const [editing, setEditing] = useState<string | undefined>(undefined);
  const connected = useConnected();

  const refresh = useCallback(async () => {
    try {
      const { result, bytes: all } = await client.ask('config.read', { device });
      setFailure('');
      if (all === undefined) return;
      const next: Space = {
        size: result.size,
        bytes: all.slice(0, result.size),
        writers: all.slice(result.size, 2 * result.size),
        tree: result.tree,
      };
      const before = latest.current;
      if (before !== undefined && same(before.bytes, next.bytes) && same(before.writers, next.writers))
        return;
      latest.current = next;
      if (before === undefined) setOpen(firstOpen(next.tree));
      setSpace(next);
      grid.current?.setData(next.bytes);
    } catch (error) {
      setFailure((error as Error).message);
    }
  }, [device]);
  usePolling(refresh, 400);

  const flat = useMemo(() => (space === undefined ? [] : flatten(space.tree, open)), [space, open]);

  const select = useCallback((chosen: FlatNode) => {
    setSelected(chosen.path);
    grid.current?.light(chosen.node.offset, chosen.node.offset + chosen.node.length);
  }, []);
  const toggle = useCallback((path: string) => {
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(path)) after.add(path);
      return after;
    });
  }, []);
  const selectByte = useCallback((offset: number) => {
    const now = latest.current;
    if (now === undefined) return;
    const paths = pathOfByte(now.tree, offset);
    const deepest = paths.at(-1);
    setSelected(deepest ?? '');
    if (deepest === undefined) {
      grid.current?.light(offset, offset + 1, false);
      return;
    }
    setOpen((before) => new Set([...before, ...paths.slice(0, -1)]));
    let level = now.tree;
    let node: ConfigNode | undefined;
    for (const at of deepest.split('/')) {
      node = level[Number(at)];
      level = node?.children ?? [];
    }
    if (node !== undefined) grid.current?.light(node.offset, node.offset + node.length, false);
  }, []);

  const put = useCallback(
    async (offset: number, length: number, value: bigint, name: string) => {
      try {
        const differs: string[] = [];
        for (const one of splitWrite(offset, length, value)) {
          const answer = await client.call('config.write', {
            device,
            offset: one.offset,
            width: one.width,
            value: hex(one.value),
            as: actor,
          });
          if (BigInt(answer.value) !== one.value) {
            differs.push(
              `${hex(one.offset, 2)} reads back ${hex(BigInt(answer.value), one.width * 2)}, not ${hex(one.value, one.width * 2)}`,
            );
          }
        }
        if (differs.length > 0) {
          addNotice({
            level: 'warning',
            text: `${name}: ${differs.join('; ')}`,
            hint:
              actor === 'driver'
                ? 'Bits that a driver cannot write keep their value; as device every bit can be set'
                : 'The device keeps some of these bits itself',
          });
        }
        await refresh();
      } catch (error) {
        noticeError(`Write ${name}`, error);
      }
    },
    [device, actor, refresh],
  );
  const writeNode = useCallback(
    (chosen: FlatNode, value: bigint) => {
      const { node } = chosen;
      const now = latest.current;
      if (now === undefined) return;
      if (node.lsb === undefined) {
        void put(node.offset, node.length, value, node.name);
        return;
      }
      const register = numberAt(now.bytes, node.offset, node.length);
      void put(
        node.offset,
        node.length,
        withField(register, { lsb: node.lsb, width: node.bits ?? 1 }, value),
        node.name,
      );
    },
    [put],
  );

  const onTreeKey = (event: React.KeyboardEvent) => {
    if (event.target !== tree.current) return;
    const at = flat.findIndex((one) => one.path === selected);
    const now = flat[at];
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: flat.length - 1 }[event.key];
    if (to !== undefined) {
      const next = flat[Math.max(0, Math.min(to, flat.length - 1))];
      if (next !== undefined) select(next);
    } else if (now !== undefined && event.key === 'ArrowRight' && now.node.children?.length) {
      if (!open.has(now.path)) toggle(now.path);
    } else if (now !== undefined && event.key === 'ArrowLeft') {
      if (open.has(now.path) && now.node.children?.length) toggle(now.path);
      else {
        const parent = flat.find((one) => one.path === now.path.slice(0, now.path.lastIndexOf('/')));
        if (parent !== undefined) select(parent);
      }
    } else if (now?.node.value !== undefined && event.key === 'Enter') {
      setEditing(now.path);
    } else if (now?.node.value !== undefined && event.key === ' ' && now.node.bits === 1) {
      writeNode(now, BigInt(now.node.value) === 1n ? 0n : 1n);
    } else return;
    event.preventDefault();
  };

  if (space === undefined) {
    return failure === '' ? (
      <Empty>Reading configuration space.</Empty>
    ) : (
      <Empty action={<Button onClick={() => void refresh()}>Read again</Button>}>{failure}</Empty>
    );
  }
  return (
    <div className="config-split" data-testid="config-space">
      <div className="config-hex">
        <HexView
          label="Configuration space"
          byteTestId="config-byte"
          onGrid={(made) => {
            grid.current = made;
            if (latest.current !== undefined) made?.setData(latest.current.bytes);
          }}
          tone={(offset) => tones[latest.current?.writers[offset] ?? ConfigWriter.powerOn] ?? ''}
          title={(offset) => {
            const byte = latest.current?.bytes[offset] ?? 0;
            return `${hex(offset, 2)}: ${byte} = 0b${byte.toString(2).padStart(8, '0')}\nWritten last by ${
              writers[latest.current?.writers[offset] ?? 0]
            }`;
          }}
          selected={selectByte}
          edit={
            connected
              ? (offset, value) => void put(offset, 1, BigInt(value), `byte ${hex(offset, 2)}`)
              : undefined
          }
        />
      </div>
      <div
        ref={tree}
        className="config-tree"
        role="tree"
        tabIndex={0}
        aria-label="Decoded configuration space"
        aria-activedescendant={selected === '' ? undefined : `config-node-${selected.replaceAll('/', '-')}`}
        onKeyDown={onTreeKey}
      >
        {flat.map((one) => (
          <NodeRow
            key={one.path}
            flat={one}
            open={open.has(one.path)}
            selected={one.path === selected}
            editing={one.path === editing}
            onSelect={select}
            onToggle={toggle}
            onEdit={setEditing}
            onWrite={writeNode}
          />
        ))}
      </div>
    </div>
  );
}

async function exported(): Promise<string> {
  const device = selectedDevice();
  if (device === undefined) throw new Error('No device is selected');
  return (await client.call('config.export', { device: device.id })).text;
}

export function ConfigPanel() {
  const device = useSelectedDevice();
  const connected = useConnected();
  const driverAccess = useStore(lab, (state) => state.hello?.abilities.driverAccess === true);
  const [actor, setActor] = useState<Actor>('device');
  const used = actor;
  return (
    <Panel
      name="config"
      title="Config space"
      help={
        <>
          Configuration space as bytes and by its specification names; selecting one lights up the other. Type
          over a byte, tick a bit, or double-click a value. Colours say who wrote a byte last:{' '}
          <span style={{ color: 'var(--read)' }}>device</span>,{' '}
          <span style={{ color: 'var(--write)' }}>driver</span>,{' '}
          <span style={{ color: 'var(--irq)', textDecoration: 'underline' }}>you</span>.
        </>
      }
      tools={
        device !== undefined && (
          <>
            <DeviceSelect />
            <select
              className="input"
              aria-label="Write as"
              data-testid="config-as"
              value={used}
              title={driverAccess ? 'Who a write is made as' : 'As driver: read-only bits keep their value'}
              onChange={(event) => setActor(event.target.value as Actor)}
            >
              <option value="device">As device</option>
              <option value="driver">As driver</option>
            </select>
            <Button
              disabled={!connected}
              onClick={() => void commands.run('config.save')}
              testId="config-export"
            >
              <Download /> Export
            </Button>
            <Button
              kind="icon"
              disabled={!connected}
              aria-label="Copy as lspci -xxxx text"
              title="Copy as lspci -xxxx text"
              onClick={() => void copyWithNotice('configuration space', exported())}
            >
              <Copy />
            </Button>
          </>
        )
      }
    >
      {device === undefined ? (
        <NoDevice what="No device is selected. Power one on to see its configuration space." />
      ) : (
        <ConfigSpace key={device.id} device={device.id} actor={used} />
      )}
    </Panel>
  );
}

const some = () => selectedDevice() !== undefined;
commands.register(
  {
    id: 'config.save',
    title: 'Export configuration space as lspci text',
    group: 'Config space',
    enabled: some,
    run: async () => {
      const device = selectedDevice()!;
      saveText(`${(device.name || device.model).replaceAll(/[^\w.-]+/g, '-')}-lspci.txt`, await exported());
    },
  },
  {
    id: 'config.copy',
    title: 'Copy configuration space as lspci text',
    group: 'Config space',
    enabled: some,
    run: () => copyWithNotice('configuration space', exported()),
  },
);
