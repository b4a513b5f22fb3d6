import { expect, it } from 'vitest';
import { standIn } from './stand-in.ts';

function ask(message: string | ArrayBuffer, starting = false): { answers: unknown[]; restarts: number } {
  const answers: unknown[] = [];
  let restarts = 0;
  const channel = { send: (answer: string | ArrayBuffer) => answers.push(JSON.parse(String(answer))) };
  standIn(channel, message, {
    version: '1.2.3',
    reason: 'it was ended by SIGKILL',
    starting,
    restart: () => restarts++,
  });
  return { answers, restarts };
}
const call = (name: string) => JSON.stringify({ id: 7, call: name, params: {} });

it('says hello, and why there is no lab', () => {
  expect(ask(call('lab.hello')).answers).toMatchObject([
    {
      id: 7,
      ok: { version: '1.2.3', models: [], stopped: { reason: 'it was ended by SIGKILL', starting: false } },
    },
  ]);
  expect(ask(call('lab.hello'), true).answers).toMatchObject([{ ok: { stopped: { starting: true } } }]);
});

it('starts the guest when it is asked to, and nothing else', () => {
  expect(ask(call('lab.restart'))).toEqual({ answers: [{ id: 7, ok: {} }], restarts: 1 });
  expect(ask(call('devices.list'))).toMatchObject({
    answers: [{ id: 7, error: { code: 'GUEST_STOPPED' } }],
    restarts: 0,
  });
});

it('leaves unanswered what is no call', () => {
  for (const message of [
    '',
    '{',
    'null',
    '7',
    '{"ack":"stats"}',
    '{"id":"7","call":"lab.restart"}',
    new ArrayBuffer(9),
  ])
    expect(ask(message)).toEqual({ answers: [], restarts: 0 });
});
