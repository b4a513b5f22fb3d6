import { useStore } from 'zustand';
import { commands } from '#renderer/app-commands.ts';
import { stats } from '#renderer/state/lab.ts';
import { settings } from '#renderer/state/settings.ts';
import { ui } from '#renderer/state/ui.ts';
import { densities, themes } from '#renderer/theme/theme.ts';
import { Dialog } from '#renderer/ui/dialog.tsx';
import { count, bytes as size } from '#renderer/ui/format.ts';
import { Button, LiveText } from '#renderer/ui/parts.tsx';

function Choice<T extends string>(props: {
  label: string;
  name: string;
  value: T;
  choices: readonly { readonly id: T; readonly title: string }[];
  onChange: (value: T) => void;
}) {
  return (
    <fieldset className="choice">
      <legend>{props.label}</legend>
      {props.choices.map(({ id, title }) => (
        <label key={id}>
          <input
            type="radio"
            name={props.name}
            data-testid={`setting-${props.name}-${id}`}
            checked={props.value === id}
            onChange={() => props.onChange(id)}
          />{' '}
          {title}
        </label>
      ))}
    </fieldset>
  );
}

export function SettingsDialog() {
  const open = useStore(ui, (state) => state.settings);
  const now = useStore(settings);
  return (
    <Dialog
      open={open}
      title="Settings"
      testId="settings-dialog"
      onClose={() => ui.setState({ settings: false })}
    >
      <Choice
        label="Theme"
        name="theme"
        value={now.theme}
        choices={themes}
        onChange={(theme) => settings.setState({ theme })}
      />
      <Choice
        label="Density"
        name="density"
        value={now.density}
        choices={densities}
        onChange={(density) => settings.setState({ density })}
      />
      <Choice
        label="Sizes"
        name="sizes"
        value={now.sizes}
        choices={[
          { id: 'binary', title: 'KiB, of 1024 bytes' },
          { id: 'decimal', title: 'kB, of 1000 bytes' },
        ]}
        onChange={(sizes) => settings.setState({ sizes })}
      />
      <Choice
        label="Long hexadecimal numbers"
        name="digits"
        value={now.groupDigits ? 'groups' : 'plain'}
        choices={[
          { id: 'groups', title: 'in groups of four digits' },
          { id: 'plain', title: 'without groups' },
        ]}
        onChange={(to) => settings.setState({ groupDigits: to === 'groups' })}
      />
      <div className="choice">
        <span className="choice-title">Memory of the trace</span>
        <LiveText
          live={stats}
          className="mono"
          testId="setting-trace-memory"
          text={(v) => `${count(v?.traceRows ?? 0)} rows, ${size(v?.traceBytes ?? 0)}`}
        />
        <Button
          onClick={() => void commands.run('trace.clear')}
          disabled={commands.get('trace.clear') === undefined}
        >
          Clear the trace
        </Button>
      </div>
      <div className="power-on-actions">
        <Button onClick={() => ui.setState({ settings: false, shortcuts: true })}>Keyboard shortcuts</Button>
        <Button onClick={() => ui.setState({ settings: false, layouts: true })}>Layouts</Button>
      </div>
    </Dialog>
  );
}
