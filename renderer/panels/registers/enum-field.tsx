import { CornerDownLeft } from 'lucide-react';
import { type KeyboardEvent, useRef, useState } from 'react';
import type { Live } from '#renderer/state/live.ts';
import { hex } from '#renderer/ui/format.ts';
import { LiveText, useLiveDraw } from '#renderer/ui/parts.tsx';

const HINT = 'Enter writes, Esc gives it back';

/** Whether its list of values is open, and a person chooses there. */
function isOpen(select: HTMLSelectElement): boolean {
  return CSS.supports('selector(:open)') && select.matches(':open');
}

/** A key that changes the value of a closed list at once: arrows, or the first letters of a name. */
function browses(event: KeyboardEvent): boolean {
  if (event.altKey || event.ctrlKey || event.metaKey) return false;
  return /^(Arrow.*|Home|End|Page.*|[^ ])$/.test(event.key);
}

/**
 * A field of named values. A write may have side effects, so that keys which go through the values write nothing: Enter writes
 * what they have led to, Escape gives it back, and so does leaving the field. What is chosen in the opened list is written.
 */
export function EnumField<T>(props: {
  live: Live<T>;
  read: (value: T) => bigint | undefined;
  names: readonly (readonly [value: string, name: string])[];
  label: string;
  disabled: boolean;
  why: string;
  put: (value: bigint) => Promise<void>;
}) {
  const { live, read, names } = props;
  const select = useRef<HTMLSelectElement>(null);
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  const [writing, setWriting] = useState(false);
  /** As {@link writing}, but at once: a key that is held repeats before it is drawn. */
  const busy = useRef(false);
  /** The last key that went down goes through the values, and has not come up. */
  const browsing = useRef(false);
  useLiveDraw(live, (value) => {
    const element = select.current;
    const now = read(value);
    if (element === null || now === undefined || chosen !== undefined || isOpen(element)) return;
    element.value = names.some(([one]) => one === `${now}`) ? `${now}` : '';
  });
  const put = async (value: string) => {
    busy.current = true;
    setChosen(value);
    setWriting(true);
    // What the device made of it is shown once it has been read.
    await props.put(BigInt(value));
    busy.current = false;
    setWriting(false);
    setChosen((now) => (now === value ? undefined : now));
  };
  return (
    <span className="field-bit">
      <select
        ref={select}
        className="input"
        disabled={props.disabled}
        title={chosen === undefined ? props.why : HINT}
        aria-label={props.label}
        data-testid="field-select"
        data-chosen={chosen !== undefined}
        onChange={(event) => {
          const { value } = event.target;
          if (!browsing.current) void put(value);
          else setChosen(value === `${read(live.get())}` ? undefined : value);
        }}
        onKeyDown={(event) => {
          browsing.current = browses(event);
          if (chosen === undefined || busy.current) return;
          if (event.key !== 'Enter' && event.key !== 'Escape') return;
          event.preventDefault();
          event.stopPropagation();
          if (event.key === 'Enter') void put(chosen);
          else setChosen(undefined);
        }}
        onKeyUp={() => {
          browsing.current = false;
        }}
        onPointerDown={() => {
          browsing.current = false;
        }}
        onBlur={() => {
          browsing.current = false;
          if (!busy.current) setChosen(undefined);
        }}
      >
        <option value="" disabled hidden />
        {names.map(([value, title]) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </select>
      {chosen !== undefined && !writing ? (
        <span className="field-choice" role="status" title={HINT}>
          <CornerDownLeft aria-hidden />
          <span className="visually-hidden">{HINT}</span>
        </span>
      ) : (
        <LiveText
          live={live}
          flash
          className="mono dim"
          text={(value) => {
            const now = read(value);
            return now === undefined ? '' : hex(now);
          }}
        />
      )}
    </span>
  );
}
