import { useState } from 'react';
import { useStore } from 'zustand';
import { client, selectedDevice } from '#renderer/state/lab.ts';
import { addNotice, errorText } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import { Dialog } from '#renderer/ui/dialog.tsx';
import { count } from '#renderer/ui/format.ts';
import { Button, useSelectedDevice } from '#renderer/ui/parts.tsx';
import { DumpField, type DumpFunction } from './dump.tsx';
import { hexOf, keepSnapshot } from './snapshots.ts';

export function sizesText(sizes: readonly number[]): string {
  return sizes.flatMap((size, bar) => (size > 0 ? [`${bar}=${size}`] : [])).join(', ');
}

/** Sets the bytes of a device to others, and says how many changed. */
export async function loadConfig(device: number, bytes: Uint8Array, what: string): Promise<void> {
  const { changed } = await client.call('config.load', { device, bytes: hexOf(bytes) });
  addNotice(
    {
      level: 'info',
      text: changed === 0 ? `${what}: no byte differs` : `${what}: ${count(changed)} bytes set`,
    },
    true,
  );
}

/** Another device's configuration space: to compare with, to set, or to power on a device that looks like it. */
export function ImportDialog({ onCompare }: { onCompare: (base: string) => void }) {
  const open = useStore(ui, (state) => state.importDump);
  const device = useSelectedDevice();
  const [dump, setDump] = useState<DumpFunction | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const close = () => {
    ui.setState({ importDump: false });
    setDump(undefined);
    setProblem('');
  };
  const load = async () => {
    const target = selectedDevice();
    if (dump === undefined || target === undefined) return;
    try {
      await loadConfig(target.id, dump.bytes, `Configuration space of ${target.name}`);
      close();
    } catch (error) {
      setProblem(errorText(error).text);
    }
  };
  return (
    <Dialog open={open} title="Import configuration space" testId="import-dialog" onClose={close}>
      <DumpField testId="import-text" onChosen={setDump} />
      {problem !== '' && (
        <div className="error-text" role="alert">
          {problem}
        </div>
      )}
      <div className="power-on-actions">
        <Button
          disabled={dump === undefined || device === undefined}
          testId="import-load"
          title="Every byte, as the device; what the driver thinks of it is another matter"
          onClick={() => void load()}
        >
          Write into {device?.name ?? 'a device'}
        </Button>
        <Button
          disabled={dump === undefined || device === undefined}
          testId="import-compare"
          onClick={() => {
            if (dump === undefined) return;
            const kept = keepSnapshot(`${dump.address} ${dump.title}`.slice(0, 60), dump.bytes);
            onCompare(`snapshot:${kept.id}`);
            close();
          }}
        >
          Compare
        </Button>
        <Button
          kind="primary"
          disabled={dump === undefined}
          testId="import-clone"
          onClick={() => {
            if (dump === undefined) return;
            const options = { dump: hexOf(dump.bytes), barSizes: sizesText(dump.barSizes) };
            close();
            ui.setState({ powerOn: true, prefill: { model: 'clone', options } });
          }}
        >
          Power on a clone
        </Button>
      </div>
    </Dialog>
  );
}
