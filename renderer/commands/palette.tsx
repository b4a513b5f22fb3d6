import { Command as Cmdk } from 'cmdk';
import { Dialog } from 'radix-ui';
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { useStore } from 'zustand';
import { commands } from '#renderer/app-commands.ts';
import { ui } from '#renderer/state/ui.ts';
import { findCommands } from './find.ts';
import { hotkeyText } from './hotkeys.ts';
import type { Command } from './registry.ts';
import './palette.css';

export const isMac = navigator.userAgent.includes('Mac OS');

export function useCommands() {
  return useSyncExternalStore(
    (listener) => commands.onChange(listener),
    () => commands.list(),
  );
}

function Search({ list, choose }: { list: readonly Command[]; choose: (id: string) => void }) {
  const [wanted, setWanted] = useState('');
  const groups = useMemo(() => findCommands(list, wanted), [list, wanted]);
  const root = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list
  useEffect(() => {
    // cmdk goes on naming the item that was the chosen one before the list changed, though it may be gone.
    const frame = requestAnimationFrame(() => {
      const chosen = root.current?.querySelector('[cmdk-item][aria-selected="true"]')?.id;
      for (const one of root.current?.querySelectorAll('[cmdk-input], [cmdk-list]') ?? []) {
        if (chosen === undefined) one.removeAttribute('aria-activedescendant');
        else one.setAttribute('aria-activedescendant', chosen);
      }
    });
    return () => cancelAnimationFrame(frame);
  }, [groups]);
  return (
    // Its own order moves what is on the screen, and chooses before it has.
    <Cmdk ref={root} label="Commands" loop shouldFilter={false}>
      <Cmdk.Input
        placeholder="What to do"
        data-testid="palette-input"
        value={wanted}
        onValueChange={setWanted}
      />
      <Cmdk.List>
        <Cmdk.Empty>No command is called that.</Cmdk.Empty>
        {groups.map(([group, entries]) => (
          <Cmdk.Group key={group} heading={group}>
            {entries.map((command) => (
              <Cmdk.Item
                key={command.id}
                value={command.id}
                disabled={command.enabled?.() === false}
                data-testid="palette-item"
                data-command={command.id}
                onSelect={() => choose(command.id)}
              >
                <span className="grow">{command.title}</span>
                {command.hotkeys?.[0] !== undefined && <kbd>{hotkeyText(command.hotkeys[0], isMac)}</kbd>}
              </Cmdk.Item>
            ))}
          </Cmdk.Group>
        ))}
      </Cmdk.List>
    </Cmdk>
  );
}

/** Every action by name. */
export function Palette() {
  const open = useStore(ui, (state) => state.palette);
  const list = useCommands();
  const focused = useRef<HTMLElement | null>(null);
  const chosen = useRef<string | undefined>(undefined);
  const choose = (id: string) => {
    chosen.current = id;
    ui.setState({ palette: false });
  };
  return (
    <Dialog.Root open={open} onOpenChange={(palette) => ui.setState({ palette })}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content
          className="palette"
          aria-describedby={undefined}
          data-testid="palette"
          onOpenAutoFocus={() => {
            focused.current = document.activeElement as HTMLElement | null;
          }}
          onCloseAutoFocus={(event) => {
            // Back to where one typed; a terminal's own field is one that the dialog would not find again.
            event.preventDefault();
            focused.current?.focus({ preventScroll: true });
            // Not before: it may take the focus elsewhere.
            const id = chosen.current;
            chosen.current = undefined;
            if (id !== undefined) void commands.run(id);
          }}
        >
          <Dialog.Title className="visually-hidden">Commands</Dialog.Title>
          <Search list={list} choose={choose} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
