import { Copy, Eraser } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { useStore } from 'zustand';
import { commands } from '#renderer/app-commands.ts';
import { deviceName } from '#renderer/state/lab.ts';
import { clearNotices, type Notice, notices } from '#renderer/state/notices.ts';
import { copyWithNotice } from '#renderer/ui/clipboard.ts';
import { clockTime } from '#renderer/ui/format.ts';
import { Button, Empty, Panel } from '#renderer/ui/parts.tsx';
import './log.css';

export function noticeLine(notice: Notice): string {
  const device = notice.device > 0 ? ` ${deviceName(notice.device)}:` : '';
  const times = notice.times > 1 ? ` (${notice.times} times)` : '';
  const hint = notice.hint === '' ? '' : ` - ${notice.hint}`;
  return `${clockTime(notice.time)} ${notice.level}${device} ${notice.text}${times}${hint}`;
}

export function LogPanel() {
  const all = useStore(notices, (state) => state.all);
  const list = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line scrolls into view unless one looks further up
  useEffect(() => {
    const element = list.current;
    if (element !== null && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [all]);
  return (
    <Panel
      name="log"
      title="Log"
      offline
      help="What the lab reports, and what went wrong with something asked of it, with what to do about it."
      tools={
        <>
          <Button
            onClick={() => void copyWithNotice('the log', all.map(noticeLine).join('\n'))}
            idle={all.length === 0}
            testId="log-copy"
          >
            <Copy /> Copy
          </Button>
          <Button onClick={() => void commands.run('log.clear')} idle={all.length === 0} testId="log-clear">
            <Eraser /> Clear
          </Button>
        </>
      }
    >
      {all.length === 0 ? (
        <Empty>Nothing to report. Messages of the lab and failed actions appear here.</Empty>
      ) : (
        <div
          className="log-list"
          ref={list}
          role="log"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by keyboard
          tabIndex={0}
          aria-label="Messages"
          onScroll={(event) => {
            const element = event.currentTarget;
            atEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - 8;
          }}
        >
          {all.map((notice) => (
            <div key={notice.id} className="log-line" data-level={notice.level} data-testid="log-line">
              <span className="mono dim">{clockTime(notice.time)}</span>
              <span className="log-level">{notice.level}</span>
              <span>
                {notice.device > 0 && <span className="dim">{deviceName(notice.device)}: </span>}
                {notice.text}
                {notice.times > 1 && <span className="dim"> ({notice.times} times)</span>}
                {notice.hint !== '' && <span className="dim"> {notice.hint}</span>}
              </span>
            </div>
          ))}
        </div>
      )}
    </Panel>
  );
}

commands.register({ id: 'log.clear', title: 'Clear the log', group: 'Lab', run: clearNotices });
