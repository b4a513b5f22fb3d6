/** A field for the filter language: completes as one types, and points at the character that is wrong. */
import { type RefObject, useEffect, useId, useRef, useState } from 'react';
import { type Completion, completeFilter } from '#contract/filter-language.ts';
import { type FilterProblem, filterProblem, vocabulary } from './model.ts';

const NONE: Completion = { from: 0, to: 0, suggestions: [] };

/** The filter with a mark under the place, and what is accepted there. */
export function FilterProblemLine(props: { id?: string; problem: FilterProblem; testId: string }) {
  const { problem } = props;
  return (
    <div
      className="message filter-problem"
      data-level="error"
      role="alert"
      id={props.id}
      data-testid={props.testId}
    >
      {problem.filter !== undefined && problem.at !== undefined && (
        <pre className="mono" aria-hidden="true">
          {problem.filter}
          {'\n'}
          <span data-testid={`${props.testId}-caret`}>
            {`${' '.repeat(problem.at)}${'^'.repeat(problem.length ?? 1)}`}
          </span>
        </pre>
      )}
      <span>
        {problem.text}
        {problem.at !== undefined && <span className="visually-hidden"> at character {problem.at + 1}</span>}
        {problem.hint !== '' && <span className="dim"> {problem.hint}</span>}
      </span>
    </div>
  );
}

export function FilterField(props: {
  /** What is in force. */
  value: string;
  label: string;
  placeholder: string;
  testId: string;
  className?: string;
  inputRef?: RefObject<HTMLInputElement | null>;
  /** What is wrong with what was applied last. */
  problem?: FilterProblem | undefined;
  problemId?: string;
  apply(text: string): void;
  /** Told of what is wrong while one types; undefined: nothing. */
  onProblem?(problem: FilterProblem | undefined): void;
  /** Escape in an empty field; in any, where what was typed stays. */
  leave?(): void;
  keepsText?: boolean;
  /** Keys that the field leaves to others. */
  onKey?(event: React.KeyboardEvent): boolean;
}) {
  const [draft, setDraft] = useState(props.value);
  const [completion, setCompletion] = useState<Completion>(NONE);
  const [active, setActive] = useState(-1);
  const own = useRef<HTMLInputElement>(null);
  const input = props.inputRef ?? own;
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const open = completion.suggestions.length > 0;
  useEffect(() => setDraft(props.value), [props.value]);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView?.({ block: 'nearest' });
  });

  const close = () => {
    setCompletion(NONE);
    setActive(-1);
  };
  const complete = (text: string, caret: number) => {
    setCompletion(completeFilter(text, caret, vocabulary));
    setActive(-1);
  };
  const changed = (text: string, caret: number) => {
    setDraft(text);
    if (text === '') close();
    else complete(text, caret);
    // What is being typed is not wrong yet.
    const problem = text === '' ? undefined : filterProblem(text);
    const word = /[\w.*?"]*$/.exec(text.slice(0, caret))?.[0].length ?? 0;
    props.onProblem?.(problem !== undefined && (problem.at ?? 0) < caret - word ? problem : undefined);
    if (text === '') props.apply('');
  };
  const accept = (at: number) => {
    const chosen = completion.suggestions[at];
    if (chosen === undefined) return;
    const rest = draft.slice(completion.to);
    const text = `${draft.slice(0, completion.from)}${chosen.text}${rest.startsWith(' ') ? '' : ' '}${rest}`;
    const caret = completion.from + chosen.text.length + 1;
    setDraft(text);
    close();
    requestAnimationFrame(() => {
      input.current?.setSelectionRange(caret, caret);
      complete(text, caret);
    });
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLInputElement>) => {
    if (props.onKey?.(event)) {
      event.preventDefault();
      return;
    }
    const { key } = event;
    if (key === ' ' && event.ctrlKey) {
      event.preventDefault();
      complete(draft, event.currentTarget.selectionStart ?? draft.length);
    } else if (open && (key === 'ArrowDown' || key === 'ArrowUp')) {
      event.preventDefault();
      const count = completion.suggestions.length;
      setActive((now) => (now + (key === 'ArrowDown' ? 1 : now < 0 ? 0 : -1) + count) % count);
    } else if (open && (key === 'Tab' || (key === 'Enter' && active >= 0)) && !event.shiftKey) {
      event.preventDefault();
      accept(Math.max(active, 0));
    } else if (key === 'Enter') {
      event.preventDefault();
      close();
      props.apply(draft.trim());
    } else if (key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      if (open) close();
      if (draft !== '' && !props.keepsText) {
        setDraft('');
        props.onProblem?.(undefined);
        props.apply('');
      } else if (!open) props.leave?.();
    }
  };

  return (
    <span className={`filter-field ${props.className ?? ''}`}>
      <form
        style={{ display: 'contents' }}
        onSubmit={(event) => {
          event.preventDefault();
          close();
          props.apply(draft.trim());
        }}
      >
        <input
          ref={input}
          className="input"
          data-testid={props.testId}
          role="combobox"
          aria-label={props.label}
          aria-expanded={open}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
          aria-invalid={props.problem !== undefined}
          aria-describedby={props.problemId}
          placeholder={props.placeholder}
          autoComplete="off"
          spellCheck={false}
          value={draft}
          onChange={(event) =>
            changed(event.target.value, event.target.selectionStart ?? event.target.value.length)
          }
          onKeyDown={onKeyDown}
          onBlur={close}
        />
      </form>
      {open && (
        <div
          ref={list}
          className="menu completion"
          id={`${id}-list`}
          role="listbox"
          aria-label="Completions"
          data-testid={`${props.testId}-completions`}
        >
          {completion.suggestions.map((one, at) => (
            <div
              key={one.text}
              id={`${id}-${at}`}
              role="option"
              tabIndex={-1}
              aria-selected={at === active}
              className="menu-item"
              data-highlighted={at === active ? '' : undefined}
              onMouseDown={(event) => {
                // The field keeps the focus.
                event.preventDefault();
                accept(at);
              }}
            >
              <span className="mono">{one.text}</span>
              <span className="grow" />
              <span className="dim small">{one.detail}</span>
            </div>
          ))}
        </div>
      )}
    </span>
  );
}
