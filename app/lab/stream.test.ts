import { describe, expect, it } from 'vitest';
import type { LabLogLine, LabStats } from '#contract/lab.ts';
import { LatestStream, QueueStream } from './stream.ts';

function sink(): { sent: unknown[]; send(stream: string, data: unknown): void } {
  const sent: unknown[] = [];
  return { sent, send: (stream, data) => sent.push([stream, data]) };
}

const stats = (events: number): LabStats => ({ events }) as LabStats;
const line = (text: string): LabLogLine => ({ time: 0, level: 'info', text });

describe('a stream of which only the newest matters', () => {
  it('sends one at a time, and skips what a slow window would only see late', () => {
    const to = sink();
    const stream = new LatestStream('stats', to);
    for (const events of [1, 2, 3]) stream.push(stats(events));
    expect(to.sent).toEqual([['stats', stats(1)]]);
    stream.acknowledge();
    expect(to.sent).toEqual([
      ['stats', stats(1)],
      ['stats', stats(3)],
    ]);
    stream.acknowledge();
    expect(to.sent).toHaveLength(2);
    stream.push(stats(4));
    expect(to.sent).toHaveLength(3);
  });
});

describe('a stream of which every message matters', () => {
  it('sends one at a time, all of them, in order', () => {
    const to = sink();
    const stream = new QueueStream('log', to);
    for (const text of ['a', 'b', 'c']) stream.push(line(text));
    expect(to.sent).toEqual([['log', line('a')]]);
    stream.acknowledge();
    stream.acknowledge();
    stream.acknowledge();
    expect(to.sent).toEqual(['a', 'b', 'c'].map((text) => ['log', line(text)]));
  });

  it('is not led astray by an acknowledgement of nothing', () => {
    const to = sink();
    const stream = new QueueStream('log', to);
    stream.acknowledge();
    stream.push(line('a'));
    stream.push(line('b'));
    expect(to.sent).toEqual([['log', line('a')]]);
  });
});
