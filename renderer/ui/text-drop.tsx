import { FileUp } from 'lucide-react';
import { useId, useRef, useState } from 'react';
import { readText } from './files.ts';
import { Button } from './parts.tsx';

/** A file that is chosen or dropped; what is wrong with it is said below. */
export function FileDrop(props: {
  label: string;
  longest: number;
  what: string;
  accept: string;
  problem: string;
  testId: string;
  onText: (text: string, name: string) => void;
}) {
  const [problem, setProblem] = useState('');
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const take = async (file: File | undefined) => {
    if (file === undefined) return;
    const read = await readText(file, props.longest, props.what);
    if ('problem' in read) return setProblem(read.problem);
    setProblem('');
    props.onText(read.text, file.name);
  };
  const said = problem || props.problem;
  return (
    <div className="text-drop">
      <input
        ref={input}
        type="file"
        hidden
        accept={props.accept}
        data-testid={`${props.testId}-file`}
        onChange={(event) => {
          void take(event.target.files?.[0]);
          event.target.value = '';
        }}
      />
      <button
        type="button"
        className="file-drop"
        data-over={over}
        data-testid={props.testId}
        onClick={() => input.current?.click()}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          void take(event.dataTransfer.files[0]);
        }}
      >
        <FileUp aria-hidden /> {props.label}
      </button>
      {said !== '' && (
        <div className="error-text small" role="alert" data-testid={`${props.testId}-problem`}>
          {said}
        </div>
      )}
    </div>
  );
}

/** Text that is pasted, dropped as a file, or chosen as one. What is wrong is said below it. */
export function TextDrop(props: {
  label: string;
  placeholder: string;
  text: string;
  /** Bytes. */
  longest: number;
  /** Such as `text of lspci`. */
  what: string;
  accept?: string;
  problem: string;
  testId: string;
  onText: (text: string) => void;
}) {
  const [fileProblem, setFileProblem] = useState('');
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const take = async (file: File | undefined) => {
    if (file === undefined) return;
    const read = await readText(file, props.longest, props.what);
    if ('problem' in read) return setFileProblem(read.problem);
    setFileProblem('');
    props.onText(read.text);
  };
  const problem = fileProblem || props.problem;
  return (
    <div className="text-drop">
      <div className="text-drop-head">
        <label htmlFor={id} className="grow">
          {props.label}
        </label>
        <input
          ref={input}
          type="file"
          hidden
          accept={props.accept}
          data-testid={`${props.testId}-file`}
          onChange={(event) => {
            void take(event.target.files?.[0]);
            event.target.value = '';
          }}
        />
        <Button onClick={() => input.current?.click()}>
          <FileUp /> Choose a file
        </Button>
      </div>
      <textarea
        id={id}
        className="input mono"
        rows={6}
        spellCheck={false}
        data-testid={props.testId}
        data-over={over}
        aria-invalid={problem !== ''}
        aria-describedby={problem === '' ? undefined : `${id}-problem`}
        placeholder={props.placeholder}
        value={props.text}
        onChange={(event) => {
          setFileProblem('');
          props.onText(event.target.value);
        }}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          setOver(false);
          if (event.dataTransfer.files.length === 0) return;
          event.preventDefault();
          void take(event.dataTransfer.files[0]);
        }}
      />
      {problem !== '' && (
        <div
          id={`${id}-problem`}
          className="error-text small"
          role="alert"
          data-testid={`${props.testId}-problem`}
        >
          {problem}
        </div>
      )}
    </div>
  );
}
