// @vitest-environment happy-dom
import { act, cleanup, configure, fireEvent, screen, waitFor } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import type { KernelTrouble, LabStats } from '#contract/lab.ts';
import { commands } from './app-commands.ts';
import { lab, stats } from './state/lab.ts';
import { ConnectionBanner, HealthBanner, StatusBar } from './status.tsx';
import type { FakeLab } from './testing/fake-lab.ts';
import { renderWithLab } from './testing/render.tsx';

configure({ asyncUtilTimeout: 8000 });
vi.setConfig({ testTimeout: 30_000 });

let fake: FakeLab | undefined;
afterEach(() => {
  cleanup();
  fake?.stop();
});

const quiet: LabStats = {
  eventsPerSecond: 0,
  interruptsPerSecond: 0,
  dmaBytesPerSecond: 0,
  events: 0,
  missed: 0,
  traceRows: 10,
  traceBytes: 1000,
  traceDropped: 0,
  traceLimit: 1 << 17,
};

const trouble = (id: number, rest: Partial<KernelTrouble> = {}): KernelTrouble => ({
  id,
  time: id,
  kind: 'WARNING',
  module: 'nvme',
  text: `WARNING: number ${id}`,
  more: ['Call Trace:'],
  ...rest,
});

test('a guest that has stopped says so, and is started from there', async () => {
  fake = await renderWithLab(<ConnectionBanner />);
  expect(screen.queryByTestId('connection-banner')).toBeNull();
  act(() =>
    lab.setState({
      connection: {
        kind: 'stopped',
        reason: 'the guest has stopped: it was ended by SIGKILL',
        starting: false,
      },
    }),
  );
  const banner = screen.getByTestId('connection-banner');
  expect(banner.textContent).toContain('The guest has stopped: it was ended by SIGKILL. ');
  expect(commands.get('lab.restart')!.enabled!()).toBe(true);
  fireEvent.click(screen.getByTestId('lab-restart'));
  await waitFor(() => expect(fake!.called.map(({ call }) => call)).toContain('lab.restart'));
  act(() => lab.setState({ connection: { kind: 'stopped', reason: '', starting: true } }));
  expect(screen.getByTestId('connection-banner').textContent).toContain('starting again');
  expect(screen.queryByTestId('lab-restart')).toBeNull();
});

test('a host that takes no device says why, and what to do', async () => {
  fake = await renderWithLab(<HealthBanner />);
  act(() =>
    fake!.stream('health', {
      host: { message: 'There is no /dev/pciem on this machine.', hint: 'Load the kernel module.' },
      kernel: [],
    }),
  );
  expect((await screen.findByTestId('host-banner')).textContent).toBe(
    'No device can be powered on: There is no /dev/pciem on this machine. Load the kernel module.',
  );
  act(() => fake!.stream('health', { kernel: [] }));
  await waitFor(() => expect(screen.queryByTestId('host-banner')).toBeNull());
});

test('what the kernel reports is shown until it is dismissed, and further reports again', async () => {
  fake = await renderWithLab(<HealthBanner />);
  act(() => fake!.stream('health', { kernel: [trouble(1, { kind: 'oops' })] }));
  expect((await screen.findByTestId('kernel-banner')).textContent).toContain(
    'The kernel reports an oops in the module nvme: WARNING: number 1',
  );
  fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }));
  expect(screen.queryByTestId('kernel-banner')).toBeNull();
  act(() => fake!.stream('health', { kernel: [1, 2, 3].map((id) => trouble(id)) }));
  const again = await screen.findByTestId('kernel-banner');
  expect(again.textContent).toContain('2 reports in all: WARNING: number 3');
});

test('missed events and a full trace are seen in the status bar, and lead somewhere', async () => {
  fake = await renderWithLab(<StatusBar />);
  const ran: string[] = [];
  vi.spyOn(commands, 'run').mockImplementation(async (id) => {
    ran.push(id);
  });
  act(() => stats.set(quiet));
  await waitFor(() => expect(screen.getByTestId('status-rows').textContent).toBe('10 rows'));
  expect(screen.getByTestId('status-missed-button').dataset.warn).toBe('false');
  act(() => stats.set({ ...quiet, missed: 12, traceDropped: 65_536, traceRows: 200_000 }));
  await waitFor(() =>
    expect(screen.getByTestId('status-rows').textContent).toBe('200,000 rows, full: oldest 65,536 gone'),
  );
  expect(screen.getByTestId('status-missed').textContent).toBe('12');
  expect(screen.getByTestId('status-missed-button').dataset.warn).toBe('true');
  expect(screen.getByTestId('status-trace').title).toContain('keeps 131,072 rows');
  fireEvent.click(screen.getByTestId('status-missed-button'));
  fireEvent.click(screen.getByTestId('status-trace'));
  expect(ran).toEqual(['trace.missed', 'settings.open']);
  vi.restoreAllMocks();
});

test('nothing is said while all is well', async () => {
  fake = await renderWithLab(<HealthBanner />);
  expect(document.querySelectorAll('.banner')).toHaveLength(0);
});
