import { CircuitBoard, CopyPlus, HardDrive, Monitor } from 'lucide-react';
import { useEffect, useId, useState } from 'react';
import { useStore } from 'zustand';
import type { ModelInfo, WireOptionField } from '#contract/devices.ts';
import { CallError } from '#renderer/bridge/client.ts';
import { DumpField } from '#renderer/panels/config/dump.tsx';
import { sizesText } from '#renderer/panels/config/import.tsx';
import { hexOf } from '#renderer/panels/config/snapshots.ts';
import { client, lab, selectDevice } from '#renderer/state/lab.ts';
import { errorText } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import { Dialog } from '#renderer/ui/dialog.tsx';
import { Button, Empty, rove } from '#renderer/ui/parts.tsx';
import { checkOption, type Draft, draftOf, firstDraft, type OptionValue } from './options.ts';

function Field(props: {
  field: WireOptionField;
  draft: Draft;
  problem: string | undefined;
  onChange: (draft: Draft, more?: Readonly<Record<string, Draft>>) => void;
}) {
  const { field, draft, problem, onChange } = props;
  const id = useId();
  if (field.type === 'dump') return <DumpOption field={field} given={String(draft)} onChange={onChange} />;
  const shared = {
    id,
    'aria-invalid': problem !== undefined,
    'aria-describedby': `${id}-help`,
    'data-testid': `option-${field.name}`,
  };
  return (
    <div className="option">
      <label htmlFor={id}>{field.label}</label>
      <div>
        {field.type === 'boolean' ? (
          <input
            type="checkbox"
            {...shared}
            checked={draft === true}
            onChange={(e) => onChange(e.target.checked)}
          />
        ) : field.type === 'choice' ? (
          <select
            className="input"
            {...shared}
            value={String(draft)}
            onChange={(e) => onChange(e.target.value)}
          >
            {field.choices.map((choice) => (
              <option key={choice.value} value={choice.value}>
                {choice.label}
              </option>
            ))}
          </select>
        ) : (
          <input
            className={`input ${field.type === 'text' ? '' : 'mono'}`}
            {...shared}
            value={String(draft)}
            placeholder={field.type === 'image' ? 'Path of an image file; empty: in memory' : ''}
            spellCheck={false}
            onChange={(e) => onChange(e.target.value)}
          />
        )}
        <div id={`${id}-help`} className="small">
          {problem !== undefined ? (
            <span className="error-text" data-testid={`option-error-${field.name}`}>
              {problem}
            </span>
          ) : (
            <span className="dim">{field.help}</span>
          )}
        </div>
      </div>
    </div>
  );
}

/** Bytes that came with an import, or text to take them from. */
function DumpOption(props: {
  field: WireOptionField;
  given: string;
  onChange: (draft: Draft, more?: Readonly<Record<string, Draft>>) => void;
}) {
  const [kept, setKept] = useState(props.given !== '');
  const { onChange } = props;
  return (
    <div className="option">
      <span>{props.field.label}</span>
      {kept ? (
        <div className="workload-row">
          <span className="mono" data-testid={`option-${props.field.name}-given`}>
            {props.given.length / 2} bytes, {props.given.slice(2, 4)}
            {props.given.slice(0, 2)}:{props.given.slice(6, 8)}
            {props.given.slice(4, 6)}
          </span>
          <Button
            onClick={() => {
              setKept(false);
              onChange('');
            }}
          >
            Take another
          </Button>
        </div>
      ) : (
        <div>
          <DumpField
            testId={`option-${props.field.name}`}
            onChosen={(dump) =>
              dump === undefined
                ? onChange('')
                : onChange(hexOf(dump.bytes), { barSizes: sizesText(dump.barSizes) })
            }
          />
          <div className="small dim">{props.field.help}</div>
        </div>
      )}
    </div>
  );
}

function PowerOnForm({ model, onDone }: { model: ModelInfo; onDone: () => void }) {
  const prefill = useStore(ui, (state) => state.prefill);
  const given = prefill?.model === model.id ? prefill : undefined;
  const [name, setName] = useState(given?.name ?? '');
  const [drafts, setDrafts] = useState<Readonly<Record<string, Draft>>>(() =>
    Object.fromEntries(
      model.options.map((field) => {
        const value = given?.options[field.name];
        return [field.name, value === undefined ? firstDraft(field) : draftOf(field, value)];
      }),
    ),
  );
  const [refused, setRefused] = useState<{ readonly field: string; readonly text: string } | undefined>(
    undefined,
  );
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ReturnType<typeof errorText> | undefined>(undefined);
  const nameId = useId();

  const problems: Record<string, string> = {};
  const options: Record<string, OptionValue> = {};
  for (const field of model.options) {
    const checked = checkOption(field, drafts[field.name] ?? firstDraft(field));
    if ('problem' in checked) problems[field.name] = `Accepted: ${checked.problem}.`;
    else if (refused?.field === field.name) {
      problems[field.name] = refused.text;
      options[field.name] = checked.value;
    } else options[field.name] = checked.value;
  }
  const wrong = Object.keys(problems).length - (refused !== undefined && refused.field in problems ? 1 : 0);

  const submit = async () => {
    if (wrong > 0 || busy) return;
    setBusy(true);
    setFailure(undefined);
    setRefused(undefined);
    try {
      const { device } = await client.call('devices.powerOn', {
        model: model.id,
        options,
        ...(name.trim() === '' ? {} : { name: name.trim() }),
      });
      selectDevice(device);
      onDone();
    } catch (error) {
      const field = fieldOf(error, model);
      const said = errorText(error);
      if (field === undefined) setFailure(said);
      else setRefused({ field, text: said.hint === '' ? said.text : `${said.text} ${said.hint}` });
    } finally {
      setBusy(false);
    }
  };

  return (
    <form
      className="power-on-form"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <div className="option">
        <label htmlFor={nameId}>Name</label>
        <input
          id={nameId}
          className="input"
          data-testid="option-device-name"
          maxLength={64}
          placeholder={model.title}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </div>
      {model.options.map((field) => (
        <Field
          key={field.name}
          field={field}
          draft={drafts[field.name] ?? firstDraft(field)}
          problem={problems[field.name]}
          onChange={(draft, more = {}) => {
            if (refused?.field === field.name) setRefused(undefined);
            setDrafts((before) => ({ ...before, [field.name]: draft, ...more }));
          }}
        />
      ))}
      {failure !== undefined && (
        <div className="option-failure" role="alert" data-testid="power-on-error">
          <div className="error-text">{failure.text}</div>
          {failure.hint !== '' && <div className="dim">{failure.hint}</div>}
        </div>
      )}
      <div className="power-on-actions">
        <Button kind="primary" type="submit" disabled={wrong > 0 || busy} testId="power-on-confirm">
          {busy ? 'Powering on' : `Power on ${model.title}`}
        </Button>
      </div>
    </form>
  );
}

/** The option that an error is about, so that it is said there. */
function fieldOf(error: unknown, model: ModelInfo): string | undefined {
  if (!(error instanceof CallError)) return undefined;
  if (model.options.some(({ name, type }) => name === error.field && type !== 'dump')) return error.field;
  if (!error.code.startsWith('IMAGE_')) return undefined;
  return model.options.find(({ type }) => type === 'image')?.name;
}

const modelIcons = { nvme: HardDrive, protopciem: Monitor, clone: CopyPlus } as Readonly<
  Record<string, typeof HardDrive>
>;

/** The gallery of models, and the form of the chosen one. */
export function PowerOnDialog() {
  const open = useStore(ui, (state) => state.powerOn);
  const prefill = useStore(ui, (state) => state.prefill);
  const models = useStore(lab, (state) => state.hello?.models);
  const connected = useStore(lab, (state) => state.connection.kind === 'connected');
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  useEffect(() => {
    if (open) setChosen(prefill?.model ?? models?.[0]?.id);
  }, [open, models, prefill]);
  const model = models?.find((one) => one.id === chosen);
  const close = () => ui.setState({ powerOn: false, prefill: undefined });
  return (
    <Dialog open={open} title="Power on a device" testId="power-on-dialog" onClose={close}>
      {!connected ? (
        <Empty>The lab is not connected. Devices can be powered on once it is.</Empty>
      ) : models === undefined || models.length === 0 ? (
        <Empty>This lab has no device models.</Empty>
      ) : (
        <>
          <div
            className="gallery"
            role="radiogroup"
            aria-label="Device model"
            onKeyDown={(event) => rove(event, '[role="radio"]')}
          >
            {models.map((one) => {
              const Icon = modelIcons[one.id] ?? CircuitBoard;
              return (
                // biome-ignore lint/a11y/useSemanticElements: a card is more than a radio button's label
                <button
                  type="button"
                  key={one.id}
                  role="radio"
                  aria-checked={one.id === chosen}
                  tabIndex={one.id === chosen ? 0 : -1}
                  className="model-card"
                  data-testid={`model-${one.id}`}
                  onClick={() => setChosen(one.id)}
                >
                  <Icon aria-hidden />
                  <span>
                    <strong>{one.title}</strong>
                    <span className="dim">{one.summary}</span>
                  </span>
                </button>
              );
            })}
          </div>
          {model !== undefined && <PowerOnForm key={model.id} model={model} onDone={close} />}
        </>
      )}
    </Dialog>
  );
}
