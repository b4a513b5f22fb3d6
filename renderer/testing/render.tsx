import { cleanup, render } from '@testing-library/react';
import type { ReactElement } from 'react';
import { Connection } from '#renderer/bridge/connection.ts';
import { client, lab, takeHello } from '#renderer/state/lab.ts';
import { clearNotices } from '#renderer/state/notices.ts';
import { createFakeLab, type FakeLab } from './fake-lab.ts';

let current: Connection | undefined;

/** A panel against the fake lab, with one disk powered on unless told. */
export async function renderWithLab(element: ReactElement, powerOn = true): Promise<FakeLab> {
  // happy-dom lays nothing out; rows need a height to exist.
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, value: 440 });
  cleanup();
  current?.stop();
  clearNotices();
  lab.setState({ devices: [], selected: 0, hello: undefined, health: { kernel: [] } });
  const fake = createFakeLab();
  const connection = new Connection(client, async () => fake.connect(), {
    state: (connection) => lab.setState({ connection }),
    hello: takeHello,
  });
  current = connection;
  await connection.start();
  if (powerOn) await client.call('devices.powerOn', { model: 'nvme', name: 'disk0', options: {} });
  render(element);
  return fake;
}
