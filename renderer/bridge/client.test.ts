import { expect, test, vi } from 'vitest';
import { type Channel, encodeServerMessage } from '#contract/wire.ts';
import { CallError, LabClient } from './client.ts';

function fakeChannel() {
  let deliver: (message: string | ArrayBuffer) => void = () => {};
  let closed: () => void = () => {};
  const sent: Record<string, unknown>[] = [];
  const channel: Channel = {
    send: (message) => sent.push(JSON.parse(message as string)),
    onMessage: (listener) => {
      deliver = listener;
    },
    onClose: (listener) => {
      closed = listener;
    },
    close: () => {},
  };
  return {
    channel,
    sent,
    deliver: (message: string | ArrayBuffer) => deliver(message),
    drop: () => closed(),
  };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

test('answers find their call, whatever the order, with their bytes', async () => {
  const { channel, sent, deliver } = fakeChannel();
  const client = new LabClient();
  client.attach(channel);
  const first = client.call('devices.powerOn', { model: 'nvme', options: {} });
  const second = client.ask('bars.read', { device: 1, bar: 0, offset: 0, length: 4 });
  expect(sent.map((message) => [message.id, message.call])).toEqual([
    [1, 'devices.powerOn'],
    [2, 'bars.read'],
  ]);
  deliver(encodeServerMessage({ id: 2, ok: { offset: 0 } }, new Uint8Array([1, 2, 3, 4])));
  deliver(encodeServerMessage({ id: 1, ok: { device: 7 } }));
  expect(await first).toEqual({ device: 7 });
  expect([...(await second).bytes!]).toEqual([1, 2, 3, 4]);
});

test('an error keeps its code, message and hint', async () => {
  const { channel, deliver } = fakeChannel();
  const client = new LabClient();
  client.attach(channel);
  const call = client.call('devices.powerOff', { device: 9 });
  deliver(
    encodeServerMessage({
      id: 1,
      error: { code: 'no-such-device', message: 'There is no device 9', hint: 'Look' },
    }),
  );
  const error = await call.catch((caught: CallError) => caught);
  expect(error).toBeInstanceOf(CallError);
  expect(error).toMatchObject({
    code: 'no-such-device',
    message: 'There is no device 9',
    hint: 'Look',
    call: 'devices.powerOff',
  });
});

test('a lost connection fails what waits, and what is asked meanwhile', async () => {
  const { channel, drop } = fakeChannel();
  const client = new LabClient();
  await expect(client.call('lab.hello', {})).rejects.toMatchObject({ code: 'disconnected' });
  client.attach(channel);
  const call = client.call('lab.hello', {});
  drop();
  await expect(call).rejects.toMatchObject({ code: 'disconnected' });
  expect(client.connected).toBe(false);
});

test('a stream is acknowledged once it was handled, not before', async () => {
  const { channel, sent, deliver } = fakeChannel();
  const client = new LabClient();
  client.attach(channel);
  let handled: () => void = () => {};
  const seen = vi.fn(() => new Promise<void>((resolve) => (handled = resolve)));
  client.on('stats', seen);
  deliver(encodeServerMessage({ stream: 'stats', data: { missed: 3 } }));
  await settle();
  expect(seen).toHaveBeenCalledWith({ missed: 3 }, undefined);
  expect(sent).toEqual([]);
  handled();
  await settle();
  expect(sent).toEqual([{ ack: 'stats' }]);
});

test('a listener that throws, or none at all, does not stop the stream', async () => {
  const { channel, sent, deliver } = fakeChannel();
  const client = new LabClient();
  client.attach(channel);
  const stop = client.on('log', () => {
    throw new Error('no');
  });
  deliver(encodeServerMessage({ stream: 'log', data: {} }));
  await settle();
  stop();
  deliver(encodeServerMessage({ stream: 'log', data: {} }));
  await settle();
  expect(sent).toEqual([{ ack: 'log' }, { ack: 'log' }]);
});

test('the acknowledgement of an old connection does not go to the new one', async () => {
  const old = fakeChannel();
  const next = fakeChannel();
  const client = new LabClient();
  client.attach(old.channel);
  let handled: () => void = () => {};
  client.on('stats', () => new Promise<void>((resolve) => (handled = resolve)));
  old.deliver(encodeServerMessage({ stream: 'stats', data: {} }));
  await settle();
  client.attach(next.channel);
  handled();
  await settle();
  expect(next.sent).toEqual([]);
});

test('what cannot be read is reported and skipped', () => {
  const { channel, deliver } = fakeChannel();
  const client = new LabClient();
  const report = vi.fn();
  client.onProtocolError = report;
  client.attach(channel);
  deliver('{');
  deliver(new ArrayBuffer(2));
  expect(report).toHaveBeenCalledTimes(2);
});

test('a request that the lab would refuse for its length is not sent', async () => {
  const { channel, sent } = fakeChannel();
  const client = new LabClient();
  client.attach(channel);
  const call = client.call('terminal.write', { terminal: 1, data: 'x'.repeat(1024 * 1024) });
  await expect(call).rejects.toMatchObject({ code: 'too-long' });
  expect(sent).toEqual([]);
});
