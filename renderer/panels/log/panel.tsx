import { Copy, Eraser } from 'lucide-react';
import { useMemo } from 'react';
import { useStore } from 'zustand';
import { commands } from '#renderer/app-commands.ts';
import { goToPart } from '#renderer/dock/focus.ts';
import { severityGlyph } from '#renderer/panels/trace/row.ts';
import { lab } from '#renderer/state/lab.ts';
import { clearNotices, type Notice, type NoticeLevel, notices } from '#renderer/state/notices.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { clockTime, count } from '#renderer/ui/format.ts';
import { Button, Empty, Panel } from '#renderer/ui/parts.tsx';
import { VirtualList } from '#renderer/ui/virtual-list.tsx';
import {
  levels,
  lineText,
  logFilter,
  noticeLine,
  pieces,
  showAll,
  shownLines,
  toggleLevel,
  wordsOf,
} from './lines.ts';
import './log.css';

const titles: Readonly<Record<NoticeLevel, string>> = { error: 'Errors', warning: 'Warnings', info: 'Info' };

function Glyph({ level }: { level: NoticeLevel }) {
  return (
    <span className="log-glyph" data-level={level} aria-hidden>
      {severityGlyph[level === 'info' ? 'note' : level]}
    </span>
  );
}

function Marked({ text, words }: { text: string; words: readonly string[] }) {
  return pieces(text, words).map((piece, at) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: pieces have no other identity
    piece.hit ? <mark key={at}>{piece.text}</mark> : piece.text,
  );
}

function Line({ notice, words }: { notice: Notice; words: readonly string[] }) {
  const { device, text, after } = lineText(notice);
  return (
    <div className="log-line" data-level={notice.level} data-testid="log-line">
      <span className="mono dim">{clockTime(notice.time)}</span>
      <span className="log-level">
        <Glyph level={notice.level} /> {notice.level}
      </span>
      <span className="log-text">
        <span className="dim">
          <Marked text={device} words={words} />
        </span>
        <Marked text={text} words={words} />
        <span className="dim">
          <Marked text={after} words={words} />
        </span>
      </span>
    </div>
  );
}

/** Lines break where they have to. */
const varies = () => true;

export function LogPanel() {
  const all = useStore(notices, (state) => state.all);
  const filter = useStore(logFilter);
  const devices = useStore(lab, (state) => state.devices);
  // biome-ignore lint/correctness/useExhaustiveDependencies: devices have their names in the lines
  const { lines, counts } = useMemo(() => shownLines(all, filter), [all, filter, devices]);
  const words = useMemo(() => wordsOf(filter.search), [filter.search]);
  const keys = useMemo(() => lines.map(({ id }) => `${id}`), [lines]);
  const newest = all.at(-1);
  return (
    <Panel
      name="log"
      title="Log"
      offline
      help={
        <>
          What the lab reports, and what went wrong with something asked of it, with what to do about it. The
          search leaves the lines that have every word; <kbd>Esc</kbd> in it shows all again. Copy takes the
          lines that are shown.
        </>
      }
      tools={
        <>
          {levels.map((level) => (
            <Button
              key={level}
              aria-pressed={!filter.hidden.includes(level)}
              title={`Show or leave out: ${titles[level].toLowerCase()}`}
              testId={`log-show-${level}`}
              command={`log.show.${level}`}
            >
              <Glyph level={level} /> {titles[level]} {count(counts[level])}
            </Button>
          ))}
          <input
            className="input grow log-search"
            type="search"
            aria-label="Search the log"
            data-testid="log-search"
            placeholder="Search"
            value={filter.search}
            onChange={(event) => logFilter.setState({ search: event.target.value })}
            onKeyDown={(event) => {
              if (event.key !== 'Escape' || filter.search === '') return;
              event.preventDefault();
              event.stopPropagation();
              logFilter.setState({ search: '' });
            }}
          />
          <Button
            onClick={() => void copyWithNotice('the log', lines.map(noticeLine).join('\n'))}
            idle={lines.length === 0}
            command="panel.copy"
            title="Copy the lines that are shown"
            testId="log-copy"
          >
            <Copy /> Copy
          </Button>
          <Button
            command="log.clear"
            idle={all.length === 0}
            title="Empty the log, lines that are left out too"
            testId="log-clear"
          >
            <Eraser /> Clear
          </Button>
        </>
      }
    >
      {all.length === 0 ? (
        <Empty>Nothing to report. Messages of the lab and failed actions appear here.</Empty>
      ) : lines.length === 0 ? (
        <Empty testId="log-none" action={<Button onClick={showAll}>Show all messages</Button>}>
          {all.length === 1
            ? 'The one message does not match'
            : `None of ${count(all.length)} messages matches`}{' '}
          the search and the levels above.
        </Empty>
      ) : (
        <VirtualList
          label="Messages"
          testId="log-list"
          className="log-list"
          keys={keys}
          varies={varies}
          scrolls
          follow
          row={(index) => <Line notice={lines[index]!} words={words} />}
        />
      )}
      {/* Rows that come into view are no news; the newest line is. */}
      <div className="visually-hidden" role="log">
        {newest !== undefined && <span key={newest.id}>{noticeLine(newest)}</span>}
      </div>
    </Panel>
  );
}

commands.register(
  { id: 'log.clear', title: 'Clear the log', group: 'Lab', run: clearNotices },
  ...levels.map((level) => ({
    id: `log.show.${level}`,
    title: `Show or leave out in the log: ${titles[level].toLowerCase()}`,
    group: 'Lab',
    run: () => toggleLevel(level),
  })),
  { id: 'log.search', title: 'Search the log', group: 'Lab', run: () => goToPart('log', '.log-search') },
);
