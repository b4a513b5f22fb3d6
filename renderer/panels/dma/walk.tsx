/** Where the data of a command lies in host memory, step by step. */
import { useState } from 'react';
import { client } from '#renderer/state/lab.ts';
import { errorText } from '#renderer/state/notices.ts';
import { count, hex, parseSize, parseValue, bytes as size } from '#renderer/ui/format.ts';
import { Button, Empty, useConnected } from '#renderer/ui/parts.tsx';
import { MemoryCells, MemoryTable } from './memory-table.tsx';
import { type MemoryPiece, walkPrps } from './prp.ts';
import { sglTypes, walkSgl } from './sgl.ts';
import type { Text } from './tools.tsx';
import type { WalkStart } from './walk-start.ts';

/** Of CC.MPS. */
const PAGE_SIZES = Array.from({ length: 16 }, (_, shift) => 4096 << shift);

function pieceText({ from, address, length, problem }: MemoryPiece): string {
  const at = address === undefined ? '' : hex(address, 8);
  return `${from}\t${at}\t${size(length)}\t${problem}`.trimEnd();
}

/** Pieces that are drawn; a copy has them all. */
const SHOWN = 1000;

/** What is wrong with a field, in words. */
class FieldProblem extends Error {}

function address(label: string, text: string): number {
  const parsed = parseValue(text, 8);
  if ('problem' in parsed) throw new FieldProblem(`${label}: ${parsed.problem}`);
  if (parsed.value >> 52n !== 0n) throw new FieldProblem('A bus address has at most 52 bits');
  return Number(parsed.value);
}

function bytes(label: string, text: string, most: number, accepted: string): number {
  const value = parseSize(text);
  if (value === undefined || value < 1 || value > most) throw new FieldProblem(`${label}: ${accepted}`);
  return value;
}

export function Walk(props: {
  device: number;
  first: WalkStart;
  onRead: (address: number) => void;
  text: Text;
}) {
  const { device, first } = props;
  const [start, setStart] = useState(first);
  const [problem, setProblem] = useState('');
  const [pieces, setPieces] = useState<readonly MemoryPiece[] | undefined>(undefined);
  const connected = useConnected();
  const { by, prp1, prp2, sgl, sglLength, sglType } = start;
  const dataLabel = by === 'prp' ? 'Length' : 'Data';
  const change = (what: Partial<WalkStart>) => setStart((before) => ({ ...before, ...what }));
  props.text.current = () => {
    const type = sglTypes.find((one) => one.type === sglType)?.title;
    const begin = by === 'prp' ? `PRP1 ${prp1}\tPRP2 ${prp2}` : `SGL1 ${type} ${sgl}, ${sglLength} bytes`;
    return [`${begin}\tLength ${start.length}`, ...(pieces ?? []).map(pieceText)].join('\n');
  };
  const read = async (at: number, length: number) => {
    const answer = await client.ask('dma.readMemory', { device, address: at, length });
    return answer.bytes ?? new Uint8Array();
  };
  const follow = async () => {
    const one = address(by === 'prp' ? 'PRP1' : 'SGL1', by === 'prp' ? prp1 : sgl);
    const two = by === 'prp' ? address('PRP2', prp2) : 0;
    const length = bytes(dataLabel, start.length, 64 * 2 ** 20, '1 B to 64 MiB');
    if (by === 'sgl') {
      const own = bytes('SGL1 length', sglLength, 2 ** 32 - 1, '1 B to 4 GiB');
      const descriptor = { address: one, length: own, type: sglType, subtype: start.sglSubtype };
      return walkSgl(descriptor, { length, discards: start.discards }, read);
    }
    const page = parseSize(start.page);
    if (page === undefined || !PAGE_SIZES.includes(page))
      throw new FieldProblem('Page: a power of two from 4 KiB to 128 MiB, as CC.MPS says');
    return walkPrps({ prp1: one, prp2: two, contiguous: first.contiguous }, length, page, read);
  };
  const walk = async () => {
    try {
      setPieces(await follow());
      setProblem('');
    } catch (error) {
      if (!(error instanceof FieldProblem)) setPieces(undefined);
      setProblem(error instanceof FieldProblem ? error.message : errorText(error).text);
    }
  };
  const field = (
    label: string,
    name: 'prp1' | 'prp2' | 'sgl' | 'sglLength' | 'length' | 'page',
    testId: string,
    width = 19,
  ) => (
    <label>
      {label}{' '}
      <input
        className="input mono"
        style={{ width: `${width}ch` }}
        data-testid={testId}
        value={start[name]}
        spellCheck={false}
        onChange={(event) => change({ [name]: event.target.value })}
      />
    </label>
  );
  return (
    <div className="mappings">
      <form
        className="memory-bar"
        onSubmit={(event) => {
          event.preventDefault();
          void walk();
        }}
      >
        <select
          className="input"
          aria-label="How the data is given"
          data-testid="walk-by"
          value={by}
          onChange={(event) => {
            change({ by: event.target.value as WalkStart['by'] });
            setPieces(undefined);
            setProblem('');
          }}
        >
          <option value="prp">PRP</option>
          <option value="sgl">SGL</option>
        </select>
        {by === 'prp' ? (
          <>
            {field('PRP1', 'prp1', 'prp1')}
            {field('PRP2', 'prp2', 'prp2')}
          </>
        ) : (
          <>
            <label>
              SGL1{' '}
              <select
                className="input"
                data-testid="sgl-type"
                value={sglType}
                onChange={(event) => change({ sglType: Number(event.target.value), sglSubtype: 0 })}
              >
                {sglTypes.map(({ type, title }) => (
                  <option key={type} value={type}>
                    {title}
                  </option>
                ))}
                {!sglTypes.some(({ type }) => type === sglType) && (
                  <option value={sglType}>{`type ${hex(sglType)}`}</option>
                )}
              </select>
            </label>
            {field('at', 'sgl', 'sgl-address')}
            {field('bytes', 'sglLength', 'sgl-length', 9)}
          </>
        )}
        {field(dataLabel, 'length', 'prp-length', 9)}
        {by === 'prp' && field('Page', 'page', 'prp-page', 9)}
        <Button type="submit" disabled={!connected} testId="prp-walk">
          Walk
        </Button>
      </form>
      {first.about !== '' && (
        <div className="dim small" data-testid="prp-about">
          {first.about}
        </div>
      )}
      {problem !== '' && (
        <div className="message" data-level="error" role="alert" data-testid="prp-problem">
          {problem}
        </div>
      )}
      {pieces === undefined ? (
        <Empty>
          {by === 'prp' ? 'The PRP entries' : 'The first SGL descriptor'} of a command and how many bytes it
          moves. A submission entry in the list of transfers fills them in.
        </Empty>
      ) : (
        <MemoryTable heads={['Address', 'Length', by === 'prp' ? 'Entry' : 'Descriptor', '']}>
          {pieces.slice(0, SHOWN).map(({ from, address: at, length, problem: why }) => (
            <tr key={from} data-testid="prp-piece">
              <MemoryCells address={at} length={length} onRead={props.onRead} />
              <td className="mono">{from}</td>
              <td className="error-text">{why}</td>
            </tr>
          ))}
        </MemoryTable>
      )}
      {pieces !== undefined && pieces.length > SHOWN && (
        <div className="dim small" data-testid="prp-cut">
          {`These are the first ${count(SHOWN)} of ${count(pieces.length)}; a copy of the panel has them all.`}
        </div>
      )}
    </div>
  );
}
