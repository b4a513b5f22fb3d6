import { RotateCcw } from 'lucide-react';
import { useState } from 'react';
import { useStore } from 'zustand';
import { commands } from '#renderer/app-commands.ts';
import { hotkeyOf, hotkeyText } from '#renderer/commands/hotkeys.ts';
import { isMac, useCommands } from '#renderer/commands/palette.tsx';
import type { Command } from '#renderer/commands/registry.ts';
import { settings } from '#renderer/state/settings.ts';
import { ui } from '#renderer/state/ui.ts';
import { Dialog } from '#renderer/ui/dialog.tsx';
import { Button, Empty } from '#renderer/ui/parts.tsx';

/** Keys that a browser or a system keeps for itself. */
const kept = [
  '!Mod+W',
  '!Mod+T',
  '!Mod+N',
  '!Mod+Shift+N',
  '!Mod+Tab',
  '!Alt+F4',
  '!F5',
  '!Mod+R',
  '!F11',
  '!F12',
];

/** Why a hotkey cannot be this command's; empty: it can. */
export function hotkeyProblem(hotkey: string, command: string, all: readonly Command[]): string {
  const plain = hotkey.replace(/^!/, '');
  if (kept.includes(hotkey)) return `${hotkeyText(hotkey, isMac)} belongs to the browser`;
  const other = all.find(
    ({ id, hotkeys }) => id !== command && hotkeys?.some((key) => key.replace(/^!/, '') === plain),
  );
  return other === undefined ? '' : `${hotkeyText(hotkey, isMac)} is taken by "${other.title}"`;
}

function own(id: string, keys: readonly string[] | undefined): void {
  settings.setState(({ hotkeys }) => {
    const { [id]: _, ...rest } = hotkeys;
    return { hotkeys: keys === undefined ? rest : { ...rest, [id]: keys } };
  });
}

function Row({ command }: { command: Command }) {
  const [recording, setRecording] = useState(false);
  const [problem, setProblem] = useState('');
  const changed = useStore(settings, (state) => Object.hasOwn(state.hotkeys, command.id));
  const keys = command.hotkeys ?? [];
  return (
    <tr data-testid="shortcut-row" data-command={command.id}>
      <td>
        {command.title}
        {problem !== '' && (
          <div className="small error-text" role="alert" data-testid="shortcut-problem">
            {problem}
          </div>
        )}
      </td>
      <td>
        <button
          type="button"
          className="button shortcut-keys"
          aria-label={`Change the shortcut of ${command.title}`}
          data-testid="shortcut-change"
          data-recording={recording}
          onClick={() => {
            setProblem('');
            setRecording(true);
          }}
          onBlur={() => setRecording(false)}
          onKeyDown={(event) => {
            if (!recording) return;
            event.preventDefault();
            event.stopPropagation();
            if (event.key === 'Escape') return setRecording(false);
            if (event.key === 'Backspace' || event.key === 'Delete') {
              own(command.id, []);
              return setRecording(false);
            }
            const hotkey = hotkeyOf(event.nativeEvent, isMac);
            if (hotkey === undefined) {
              if (!['Control', 'Shift', 'Alt', 'Meta'].includes(event.key)) {
                setProblem('A shortcut has Ctrl or Alt in it, or is a function key');
              }
              return;
            }
            const why = hotkeyProblem(hotkey, command.id, commands.list());
            setProblem(why);
            if (why !== '') return;
            own(command.id, [hotkey]);
            setRecording(false);
          }}
        >
          {recording ? (
            <span className="dim">Press keys; Backspace: none</span>
          ) : keys.length === 0 ? (
            <span className="dim">none</span>
          ) : (
            keys.map((key) => <kbd key={key}>{hotkeyText(key, isMac)}</kbd>)
          )}
        </button>
      </td>
      <td>
        {changed && (
          <Button
            kind="icon quiet"
            aria-label={`Take the first shortcut of ${command.title} again`}
            title="As it was at first"
            testId="shortcut-reset"
            onClick={() => own(command.id, undefined)}
          >
            <RotateCcw />
          </Button>
        )}
      </td>
    </tr>
  );
}

/** Every command with its shortcut, to look up and to change. */
export function ShortcutsDialog() {
  const open = useStore(ui, (state) => state.shortcuts);
  const list = useCommands();
  const [search, setSearch] = useState('');
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = list.filter(({ title, group, hotkeys }) => {
    const text =
      `${title} ${group} ${(hotkeys ?? []).map((key) => hotkeyText(key, isMac)).join(' ')}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return (
    <Dialog open={open} title="Keyboard" testId="shortcuts" onClose={() => ui.setState({ shortcuts: false })}>
      <input
        className="input shortcut-search"
        type="search"
        aria-label="Search the commands"
        placeholder="Search by name or key"
        data-testid="shortcut-search"
        value={search}
        onChange={(event) => setSearch(event.target.value)}
      />
      {found.length === 0 ? (
        <Empty>No command is called that.</Empty>
      ) : (
        <table className="shortcut-table">
          <tbody>
            {found.map((command) => (
              <Row key={command.id} command={command} />
            ))}
          </tbody>
        </table>
      )}
      <p className="dim small">
        In a panel: <kbd>?</kbd> its help line; in the trace: <kbd>Space</kbd> pause, <kbd>F</kbd> follow,{' '}
        <kbd>/</kbd> filter. Ctrl with a key belongs to the shell while one types in the terminal.
      </p>
    </Dialog>
  );
}
