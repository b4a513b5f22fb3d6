import { File, Folder, HardDrive, RefreshCw } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { DiskFile, DiskPartition } from '#contract/disk.ts';
import type { CallResult } from '#contract/index.ts';
import { client } from '#renderer/state/lab.ts';
import { errorText } from '#renderer/state/notices.ts';
import { count, hex, bytes as size } from '#renderer/ui/format.ts';
import { Button, Empty, rove } from '#renderer/ui/parts.tsx';

type Layout = CallResult<'disk.layout'>;

function day(ms: number): string {
  return ms === 0 ? '' : new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}

function about({ fileSystem, type }: DiskPartition): string {
  if (fileSystem === undefined) return type === '' ? 'nothing that is known' : type;
  return [
    fileSystem.kind,
    fileSystem.label === '' ? '' : `"${fileSystem.label}"`,
    fileSystem.free >= 0 ? `${size(fileSystem.free)} free` : '',
  ]
    .filter(Boolean)
    .join(', ');
}

function Listing(props: { device: number; partition: DiskPartition }) {
  const { device, partition } = props;
  const [path, setPath] = useState('/');
  const [entries, setEntries] = useState<readonly DiskFile[] | undefined>(undefined);
  const [more, setMore] = useState(false);
  const [problem, setProblem] = useState('');
  const load = useCallback(async () => {
    try {
      const { entries: read, more: left } = await client.call('disk.list', {
        device,
        partition: partition.number,
        path,
      });
      setProblem('');
      setMore(left);
      setEntries(
        [...read].sort(
          (a, b) => Number(b.kind === 'folder') - Number(a.kind === 'folder') || a.name.localeCompare(b.name),
        ),
      );
    } catch (error) {
      setEntries(undefined);
      setProblem(errorText(error).text);
    }
  }, [device, partition.number, path]);
  useEffect(() => void load(), [load]);
  const nav = useRef<HTMLElement>(null);
  const places = useRef(path);
  useEffect(() => {
    if (places.current === path) return;
    places.current = path;
    // The folder's own row goes away; its name in the path stays.
    [...nav.current!.querySelectorAll<HTMLElement>('.link')].at(-1)?.focus();
  }, [path]);
  const names = path.split('/').filter(Boolean);
  return (
    <>
      <nav ref={nav} className="disk-path" aria-label="Folder">
        <button type="button" className="link mono" onClick={() => setPath('/')}>
          /
        </button>
        {names.map((name, at) => (
          <button
            // biome-ignore lint/suspicious/noArrayIndexKey: a place in the path
            key={at}
            type="button"
            className="link mono"
            onClick={() => setPath(`/${names.slice(0, at + 1).join('/')}`)}
          >
            {name}/
          </button>
        ))}
        <span className="grow" />
        <Button
          kind="icon quiet"
          aria-label="Read the folder again"
          title="Read the folder again"
          onClick={() => void load()}
        >
          <RefreshCw />
        </Button>
      </nav>
      {problem !== '' ? (
        <Empty testId="disk-list-problem">{problem}</Empty>
      ) : entries === undefined ? (
        <Empty>Reading the folder.</Empty>
      ) : entries.length === 0 ? (
        <Empty>This folder is empty.</Empty>
      ) : (
        <>
          {more && (
            <div className="message" data-level="info" role="status" data-testid="disk-more">
              {`The folder has more entries than the first ${count(entries.length)}, which are shown here.`}
            </div>
          )}
          <table className="disk-files" data-testid="disk-files">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Size</th>
                <th scope="col">Modified (UTC)</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((one) => (
                <tr key={one.name} data-testid="disk-file" data-kind={one.kind}>
                  <td>
                    {one.kind === 'folder' ? (
                      <button
                        type="button"
                        className="link"
                        onClick={() => setPath(`/${[...names, one.name].join('/')}`)}
                      >
                        <Folder aria-hidden /> {one.name}
                      </button>
                    ) : (
                      <>
                        <File aria-hidden /> {one.name}
                      </>
                    )}
                  </td>
                  <td className="mono">{one.kind === 'folder' ? '' : size(one.size)}</td>
                  <td className="mono dim">{day(one.modified)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </>
  );
}

/** What is on the disk, read beneath whatever has it mounted. */
export function Contents({ device }: { device: number }) {
  const [layout, setLayout] = useState<Layout | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const [chosen, setChosen] = useState(-1);
  const load = useCallback(async () => {
    try {
      const read = await client.call('disk.layout', { device });
      setProblem('');
      setLayout(read);
      setChosen((before) =>
        read.partitions.some(({ number }) => number === before)
          ? before
          : (read.partitions.find(({ fileSystem }) => fileSystem?.listable)?.number ?? -1),
      );
    } catch (error) {
      setProblem(errorText(error).text);
    }
  }, [device]);
  useEffect(() => void load(), [load]);
  const again = (
    <Button onClick={() => void load()} testId="disk-read-again">
      <RefreshCw /> Read again
    </Button>
  );
  if (problem !== '') return <Empty action={again}>{problem}</Empty>;
  if (layout === undefined) return <Empty>Reading the disk.</Empty>;
  const partition = layout.partitions.find(({ number }) => number === chosen);
  const known =
    layout.scheme !== 'none' || layout.partitions.some(({ fileSystem }) => fileSystem !== undefined);
  if (!known) {
    return (
      <Empty action={again} testId="disk-blank">
        There is no partition table and no file system that is known. Make one from the terminal, such as with
        mkfs.ext4.
      </Empty>
    );
  }
  return (
    <div className="disk-contents">
      <div
        className="disk-partitions"
        role="radiogroup"
        aria-label="Partitions"
        onKeyDown={(event) => rove(event, '[role="radio"]')}
      >
        <div className="dim small disk-scheme">
          {layout.scheme === 'none' ? 'No partition table' : `${layout.scheme.toUpperCase()} partition table`}
          {again}
        </div>
        {layout.problems.map((one) => (
          <div key={one} className="warn-text small">
            {one}.
          </div>
        ))}
        {layout.partitions.map((one) => (
          // biome-ignore lint/a11y/useSemanticElements: a row is more than a radio button's label
          <button
            key={one.number}
            type="button"
            role="radio"
            aria-checked={one.number === chosen}
            tabIndex={one === (partition ?? layout.partitions[0]) ? 0 : -1}
            className="disk-partition"
            data-testid="disk-partition"
            data-number={one.number}
            title={`Starts at ${hex(one.start)}${one.fileSystem?.uuid ? `\nUUID ${one.fileSystem.uuid}` : ''}`}
            onClick={() => setChosen(one.number)}
          >
            <HardDrive aria-hidden />
            <span>
              <strong>
                {one.number === 0 ? 'Whole disk' : `${one.number}${one.name === '' ? '' : ` ${one.name}`}`}
              </strong>
              <span className="dim">{about(one)}</span>
            </span>
            <span className="mono">{size(one.size)}</span>
          </button>
        ))}
      </div>
      <div className="disk-listing">
        {partition === undefined ? (
          <Empty>Choose a partition to see what is on it.</Empty>
        ) : partition.fileSystem?.listable !== true ? (
          <Empty>{`${partition.fileSystem === undefined ? 'No file system that is known' : `The files of ${partition.fileSystem.kind}`} ${partition.fileSystem === undefined ? 'is on it' : 'are not read here'}.`}</Empty>
        ) : (
          <>
            {partition.fileSystem.note !== '' && (
              <div className="message" data-level="warning">
                {partition.fileSystem.note}.
              </div>
            )}
            <Listing key={partition.number} device={device} partition={partition} />
          </>
        )}
      </div>
    </div>
  );
}
