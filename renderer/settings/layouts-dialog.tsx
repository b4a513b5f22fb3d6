import { Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useStore } from 'zustand';
import { layouts, loadNamed, removeNamed, saveNamed } from '#renderer/dock/dock.tsx';
import { nameProblem } from '#renderer/dock/layout.ts';
import { ui } from '#renderer/state/ui.ts';
import { Dialog } from '#renderer/ui/dialog.tsx';
import { Button } from '#renderer/ui/parts.tsx';

/** Arrangements of the panels, by name. */
export function LayoutsDialog() {
  const open = useStore(ui, (state) => state.layouts);
  const all = useStore(layouts, (state) => state.all);
  const [name, setName] = useState('');
  const problem = nameProblem(name);
  const replaces = all.some((one) => one.name === name.trim());
  const close = () => ui.setState({ layouts: false });
  return (
    <Dialog open={open} title="Layouts" testId="layouts-dialog" onClose={close}>
      <form
        className="layout-save"
        onSubmit={(event) => {
          event.preventDefault();
          if (problem !== '') return;
          saveNamed(name.trim());
          setName('');
        }}
      >
        <input
          className="input grow"
          aria-label="Name of the layout"
          placeholder="Name of what is shown now"
          data-testid="layout-name"
          aria-invalid={name !== '' && problem !== ''}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Button kind="primary" type="submit" disabled={problem !== ''} testId="layout-save">
          {replaces ? 'Replace' : 'Save'}
        </Button>
      </form>
      {name !== '' && problem !== '' && (
        <div className="small error-text" role="alert">
          {problem}
        </div>
      )}
      {all.length === 0 ? (
        <p className="dim">
          No layout is saved. Arrange the panels, give the arrangement a name, and come back to it.
        </p>
      ) : (
        <ul className="layout-list">
          {all.map((one) => (
            <li key={one.name} data-testid="layout-row">
              <button
                type="button"
                className="link grow"
                onClick={() => {
                  loadNamed(one.name);
                  close();
                }}
              >
                {one.name}
              </button>
              <Button
                kind="icon quiet"
                aria-label={`Forget the layout ${one.name}`}
                title="Forget it"
                testId="layout-forget"
                onClick={() => removeNamed(one.name)}
              >
                <Trash2 />
              </Button>
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}
