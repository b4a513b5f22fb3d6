import { useEffect, useRef, useState } from 'react';
import { type ConfigDump, MAX_DUMP_TEXT } from '#contract/config.ts';
import { client } from '#renderer/state/lab.ts';
import { errorText } from '#renderer/state/notices.ts';
import { bytes as size } from '#renderer/ui/format.ts';
import { TextDrop } from '#renderer/ui/text-drop.tsx';

export interface DumpFunction extends ConfigDump {
  readonly bytes: Uint8Array;
}

/** ms after the last key before the text is looked at. */
const PAUSE = 150;

/** `lspci -xxxx` text, and which of its functions is meant. */
export function DumpField(props: { testId: string; onChosen: (chosen: DumpFunction | undefined) => void }) {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const [found, setFound] = useState<readonly DumpFunction[]>([]);
  const [at, setAt] = useState(0);
  const chosen = useRef(props.onChosen);
  chosen.current = props.onChosen;

  useEffect(() => {
    const none = (why: string) => {
      setFound([]);
      setProblem(why);
      chosen.current(undefined);
    };
    if (text.trim() === '') return none('');
    if (text.length > MAX_DUMP_TEXT) {
      return none(`The text is ${size(text.length)}; at most ${size(MAX_DUMP_TEXT)} are read`);
    }
    let stale = false;
    const timer = setTimeout(async () => {
      try {
        const { result, bytes } = await client.ask('config.parse', { text });
        if (stale || bytes === undefined) return;
        let start = 0;
        const functions = result.functions.map((one) => {
          const part = { ...one, bytes: bytes.slice(start, start + one.size) };
          start += one.size;
          return part;
        });
        setProblem('');
        setFound(functions);
        setAt(0);
        chosen.current(functions[0]);
      } catch (error) {
        if (!stale) none(errorText(error).text);
      }
    }, PAUSE);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [text]);

  return (
    <>
      <TextDrop
        label="Text of lspci -xxxx"
        placeholder={'00:1f.6 Ethernet controller: …\n00: 86 80 fc 15 06 04 10 00 …'}
        text={text}
        longest={MAX_DUMP_TEXT}
        what="text of lspci"
        problem={problem}
        testId={props.testId}
        onText={setText}
      />
      {found.length > 0 && (
        <label className="dump-function">
          <span className="dim">{found.length === 1 ? '1 function' : `${found.length} functions`}</span>
          <select
            className="input grow"
            aria-label="Function"
            data-testid={`${props.testId}-function`}
            value={at}
            onChange={(event) => {
              const to = Number(event.target.value);
              setAt(to);
              chosen.current(found[to]);
            }}
          >
            {found.map((one, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: an address may be there twice
              <option key={`${one.address} ${index}`} value={index}>
                {`${one.address} ${one.title}, ${size(one.size)}`}
              </option>
            ))}
          </select>
        </label>
      )}
    </>
  );
}
