import { CircuitBoard, HardDrive, X } from 'lucide-react';
import { Dialog } from 'radix-ui';
import { useEffect, useId, useState } from 'react';
import { useStore } from 'zustand';
import type { ModelInfo, WireOptionField } from '#contract/devices.ts';
import { client, lab, selectDevice } from '#renderer/state/lab.ts';
import { addNotice, errorText } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import { Button, Empty } from '#renderer/ui/parts.tsx';
import { checkOption, type Draft, firstDraft, type OptionValue } from './options.ts';

function Field(props: {
  field: WireOptionField;
  draft: Draft;
  problem: string | undefined;
  onChange: (draft: Draft) => void;
}) {
  const { field, draft, problem, onChange } = props;
  const id = useId();
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
              Accepted: {problem}.
            </span>
          ) : (
            <span className="dim">{field.help}</span>
          )}
        </div>
      </div>
    </div>
  );
}

function PowerOnForm({ model, onDone }: { model: ModelInfo; onDone: () => void }) {
  const [name, setName] = useState('');
  const [drafts, setDrafts] = useState<Readonly<Record<string, Draft>>>(() =>
    Object.fromEntries(model.options.map((field) => [field.name, firstDraft(field)])),
  );
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ReturnType<typeof errorText> | undefined>(undefined);
  const nameId = useId();

  const problems: Record<string, string> = {};
  const options: Record<string, OptionValue> = {};
  for (const field of model.options) {
    const checked = checkOption(field, drafts[field.name] ?? firstDraft(field));
    if ('problem' in checked) problems[field.name] = checked.problem;
    else options[field.name] = checked.value;
  }
  const wrong = Object.keys(problems).length;

  const submit = async () => {
    if (wrong > 0 || busy) return;
    setBusy(true);
    setFailure(undefined);
    try {
      const { device } = await client.call('devices.powerOn', {
        model: model.id,
        options,
        ...(name.trim() === '' ? {} : { name: name.trim() }),
      });
      selectDevice(device);
      addNotice({ level: 'info', text: `${name.trim() || model.title} is powered on` });
      onDone();
    } catch (error) {
      setFailure(errorText(error));
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
          onChange={(draft) => setDrafts({ ...drafts, [field.name]: draft })}
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

/** The gallery of models, and the form of the chosen one. */
export function PowerOnDialog() {
  const open = useStore(ui, (state) => state.powerOn);
  const models = useStore(lab, (state) => state.hello?.models);
  const connected = useStore(lab, (state) => state.connection.kind === 'connected');
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  useEffect(() => {
    if (open) setChosen(models?.[0]?.id);
  }, [open, models]);
  const model = models?.find((one) => one.id === chosen);
  const close = () => ui.setState({ powerOn: false });
  return (
    <Dialog.Root open={open} onOpenChange={(powerOn) => ui.setState({ powerOn })}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog" aria-describedby={undefined} data-testid="power-on-dialog">
          <div className="dialog-head">
            <Dialog.Title asChild>
              <h2 className="grow">Power on a device</h2>
            </Dialog.Title>
            <Dialog.Close asChild>
              <Button kind="icon quiet" aria-label="Close">
                <X />
              </Button>
            </Dialog.Close>
          </div>
          <div className="dialog-body">
            {!connected ? (
              <Empty>The lab is not connected. Devices can be powered on once it is.</Empty>
            ) : models === undefined || models.length === 0 ? (
              <Empty>This lab has no device models.</Empty>
            ) : (
              <>
                <div className="gallery" role="radiogroup" aria-label="Device model">
                  {models.map((one) => (
                    // biome-ignore lint/a11y/useSemanticElements: a card is more than a radio button's label
                    <button
                      type="button"
                      key={one.id}
                      role="radio"
                      aria-checked={one.id === chosen}
                      className="model-card"
                      data-testid={`model-${one.id}`}
                      onClick={() => setChosen(one.id)}
                    >
                      {one.id === 'nvme' ? <HardDrive aria-hidden /> : <CircuitBoard aria-hidden />}
                      <span>
                        <strong>{one.title}</strong>
                        <span className="dim">{one.summary}</span>
                      </span>
                    </button>
                  ))}
                </div>
                {model !== undefined && <PowerOnForm key={model.id} model={model} onDone={close} />}
              </>
            )}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
