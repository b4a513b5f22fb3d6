import { useStore } from 'zustand';
import { TRACE_LIMIT } from '#contract/trace.ts';
import { commands } from '#renderer/app-commands.ts';
import { client, stats } from '#renderer/state/lab.ts';
import { settings } from '#renderer/state/settings.ts';
import { ui } from '#renderer/state/ui.ts';
import { densities, themes } from '#renderer/theme/theme.ts';
import { Dialog } from '#renderer/ui/dialog.tsx';
import { count, bytes as size } from '#renderer/ui/format.ts';
import { Button, LiveText, useAction, useConnected, useLive } from '#renderer/ui/parts.tsx';

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

const LIMITS = [17, 20, 22, 23, 24, 25, 26, 27].map((power) => 2 ** power);

function TraceLimit() {
  const connected = useConnected();
  const limit = useLive(stats, (value) => value?.traceLimit ?? TRACE_LIMIT.default);
  const [busy, run] = useAction('Memory of the trace');
  const set = (rows: number) =>
    run(async () => {
      await client.call('trace.limit', { rows });
      settings.setState({ traceRows: rows });
    });
  return (
    <label className="choice">
      <span className="choice-title">Memory of the trace</span>
      <select
        className="input"
        data-testid="setting-trace-limit"
        disabled={!connected || busy}
        value={limit}
        onChange={(event) => void set(Number(event.target.value))}
      >
        {[...new Set([...LIMITS, limit])]
          .sort((a, b) => a - b)
          .map((rows) => (
            <option key={rows} value={rows}>
              {count(rows)} rows, {size(rows * TRACE_LIMIT.rowBytes)}
            </option>
          ))}
      </select>
      <span className="dim">When they are full, the oldest rows go; with fewer than there are, at once.</span>
    </label>
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
      <TraceLimit />
      <div className="choice">
        <span className="choice-title">The trace now</span>
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
