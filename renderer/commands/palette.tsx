import { Command as Cmdk } from 'cmdk';
import { Dialog } from 'radix-ui';
import { useMemo, useRef, useSyncExternalStore } from 'react';
import { useStore } from 'zustand';
import { commands } from '#renderer/app-commands.ts';
import { ui } from '#renderer/state/ui.ts';
import { hotkeyText } from './hotkeys.ts';
import { matchScore } from './match.ts';
import './palette.css';

export const isMac = navigator.userAgent.includes('Mac OS');

export function useCommands() {
  return useSyncExternalStore(
    (listener) => commands.onChange(listener),
    () => commands.list(),
  );
}

/** Every action by name. */
export function Palette() {
  const open = useStore(ui, (state) => state.palette);
  const list = useCommands();
  const groups = useMemo(() => {
    const byGroup = new Map<string, typeof list extends readonly (infer C)[] ? C[] : never>();
    for (const command of list) {
      const group = byGroup.get(command.group);
      if (group === undefined) byGroup.set(command.group, [command]);
      else group.push(command);
    }
    return [...byGroup];
  }, [list]);
  const focused = useRef<HTMLElement | null>(null);
  const close = () => ui.setState({ palette: false });
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
          }}
        >
          <Dialog.Title className="visually-hidden">Commands</Dialog.Title>
          <Cmdk label="Commands" loop filter={matchScore}>
            <Cmdk.Input placeholder="What to do" data-testid="palette-input" />
            <Cmdk.List>
              <Cmdk.Empty>No command is called that.</Cmdk.Empty>
              {groups.map(([group, entries]) => (
                <Cmdk.Group key={group} heading={group}>
                  {entries.map((command) => (
                    <Cmdk.Item
                      key={command.id}
                      value={`${command.title} ${command.id}`}
                      keywords={[command.group, command.keywords ?? '']}
                      disabled={command.enabled?.() === false}
                      data-testid="palette-item"
                      data-command={command.id}
                      onSelect={() => {
                        close();
                        // After the dialog gave the focus back.
                        setTimeout(() => void commands.run(command.id));
                      }}
                    >
                      <span className="grow">{command.title}</span>
                      {command.hotkeys?.[0] !== undefined && (
                        <kbd>{hotkeyText(command.hotkeys[0], isMac)}</kbd>
                      )}
                    </Cmdk.Item>
                  ))}
                </Cmdk.Group>
              ))}
            </Cmdk.List>
          </Cmdk>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
