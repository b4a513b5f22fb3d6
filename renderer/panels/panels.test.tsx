// @vitest-environment happy-dom
import { cleanup, configure, fireEvent, screen, waitFor, within } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import { TraceKind } from '#contract/trace-record.ts';
import { lab } from '#renderer/state/lab.ts';
import { notices } from '#renderer/state/notices.ts';
import { ui } from '#renderer/state/ui.ts';
import type { FakeLab } from '#renderer/testing/fake-lab.ts';
import { renderWithLab } from '#renderer/testing/render.tsx';
import { ConfigPanel } from './config/panel.tsx';
import { DevicesPanel } from './devices/panel.tsx';
import { PowerOnDialog } from './devices/power-on.tsx';
import { DmaPanel } from './dma/panel.tsx';
import { InterruptsPanel } from './interrupts/panel.tsx';
import { RegistersPanel } from './registers/panel.tsx';
import { setFilter } from './trace/model.ts';
import { TracePanel } from './trace/panel.tsx';

// A busy machine draws its frames late.
configure({ asyncUtilTimeout: 8000 });
vi.setConfig({ testTimeout: 30_000 });

let fake: FakeLab | undefined;
afterEach(() => {
  cleanup();
  ui.setState({ powerOn: false });
  fake?.stop();
});

const calls = (name: string) => fake!.called.filter((one) => one.call === name).map((one) => one.params);

test('devices: an empty bus says what to do, power on asks for it', async () => {
  fake = await renderWithLab(
    <>
      <DevicesPanel />
      <PowerOnDialog />
    </>,
    false,
  );
  await screen.findByTestId('devices-empty');
  fireEvent.click(screen.getByTestId('power-on'));
  fireEvent.click(await screen.findByTestId('model-nvme'));
  fireEvent.change(screen.getByTestId('option-size'), { target: { value: '12 parsecs' } });
  expect(screen.getByTestId('option-error-size').textContent).toContain('a size such as 1GiB');
  expect((screen.getByTestId('power-on-confirm') as HTMLButtonElement).disabled).toBe(true);
  fireEvent.change(screen.getByTestId('option-size'), { target: { value: '512MiB' } });
  fireEvent.click(screen.getByTestId('power-on-confirm'));
  const row = await screen.findByTestId('device-row');
  expect(within(row).getByTestId('device-address').textContent).toBe('10000:00:00.0');
  expect(calls('devices.powerOn')).toEqual([
    {
      model: 'nvme',
      options: { size: 512 * 1024 ** 2, blockSize: '512', queues: 4, readOnly: false, image: '' },
    },
  ]);
});

test('devices: what the lab refuses is said in the form, and the form stays', async () => {
  fake = await renderWithLab(<PowerOnDialog />, false);
  ui.setState({ powerOn: true });
  fireEvent.change(await screen.findByTestId('option-image'), { target: { value: '/no/such/image' } });
  fireEvent.click(screen.getByTestId('power-on-confirm'));
  const error = await screen.findByTestId('power-on-error');
  expect(error.textContent).toContain('does not exist');
  expect(error.textContent).toContain('truncate');
  expect(lab.getState().devices).toEqual([]);
});

test('devices: power off and surprise-remove name their device', async () => {
  fake = await renderWithLab(<DevicesPanel />);
  fireEvent.click(await screen.findByTestId('power-off'));
  await screen.findByTestId('devices-empty');
  expect(calls('devices.powerOff')).toEqual([{ device: 1 }]);
});

test('devices: the workload is stopped and paced', async () => {
  fake = await renderWithLab(<DevicesPanel />);
  fireEvent.change(await screen.findByTestId('workload-rate'), { target: { value: '50' } });
  fireEvent.click(screen.getByTestId('workload-toggle'));
  await waitFor(() => expect(calls('devices.workload')).toEqual([{ device: 1, running: false, rate: 50 }]));
});

test('trace: rows are decoded by register name; pausing stands still and loses nothing', async () => {
  fake = await renderWithLab(<TracePanel />);
  fake.row({ kind: TraceKind.mmioWrite, device: 1, address: 0x14, valueLow: 0x460001, length: 4 });
  const rows = screen.getByTestId('trace-rows');
  await waitFor(() => expect(rows.textContent).toContain('0x00460001'));
  const row = within(rows).getAllByTestId('trace-row')[0]!;
  expect(row.querySelector('.cell-register')!.textContent).toBe('CC 0x0014');
  expect(row.textContent).toContain('EN=enabled');
  fireEvent.click(screen.getByTestId('trace-pause'));
  expect(screen.getByTestId('trace-state').textContent).toBe('Paused at row 1');
  fake.row({ kind: TraceKind.interrupt, device: 1, aux: 1 });
  await waitFor(() => expect(screen.getByTestId('trace-count').textContent).toBe('2 rows'));
  expect(rows.textContent).not.toContain('vector 1');
  fireEvent.click(screen.getByTestId('trace-pause'));
  await waitFor(() => expect(rows.textContent).toContain('vector 1'));
});

test('trace: a filter narrows, an unclear one says where', async () => {
  fake = await renderWithLab(<TracePanel />);
  fake.row({ kind: TraceKind.interrupt, device: 1, aux: 1 });
  fake.row({ kind: TraceKind.mmioWrite, device: 1, address: 0x1008, valueLow: 9, length: 4 });
  const rows = screen.getByTestId('trace-rows');
  await waitFor(() => expect(rows.textContent).toContain('vector 1'));
  const filter = screen.getByTestId('trace-filter');
  fireEvent.change(filter, { target: { value: '((' } });
  fireEvent.submit(filter);
  expect((await screen.findByTestId('trace-filter-error')).textContent).toContain('A term is missing');
  fireEvent.change(filter, { target: { value: 'write' } });
  fireEvent.submit(filter);
  await waitFor(() => expect(rows.textContent).not.toContain('vector 1'));
  await waitFor(() => expect(rows.textContent).toContain('SQ1TDBL'));
  expect(screen.queryByTestId('trace-filter-error')).toBeNull();
  await setFilter('');
});

test('registers: values are live, a bit is ticked, a value typed', async () => {
  fake = await renderWithLab(<RegistersPanel />);
  const row = await waitFor(() => {
    const found = screen.getAllByTestId('register-row').find((one) => one.dataset.register === 'CC')!;
    expect(within(found).getByTestId('register-value').textContent).toBe('0x00460001');
    return found;
  });
  fireEvent.click(within(row).getByTestId('register-toggle'));
  const enable = screen.getAllByTestId('field-row').find((one) => one.dataset.field === 'EN')!;
  fireEvent.click(within(enable).getByTestId('field-bit'));
  await waitFor(() => expect(within(row).getByTestId('register-value').textContent).toBe('0x00460000'));
  fireEvent.click(within(row).getByTestId('register-value'));
  const edit = within(row).getByTestId('register-edit');
  fireEvent.change(edit, { target: { value: '0x1_0000_0000' } });
  fireEvent.keyDown(edit, { key: 'Enter' });
  expect(row.textContent).toContain('does not fit in 4 bytes');
  fireEvent.change(edit, { target: { value: '0x460001' } });
  fireEvent.keyDown(edit, { key: 'Enter' });
  await waitFor(() => expect(within(row).getByTestId('register-value').textContent).toBe('0x00460001'));
  expect(calls('registers.write')).toEqual([
    { device: 1, bar: 0, offset: 0x14, width: 4, value: '0x0', mask: '0x1', as: 'device' },
    { device: 1, bar: 0, offset: 0x14, width: 4, value: '0x460001', as: 'device' },
  ]);
});

test('registers: as driver, read-only bits cannot be ticked', async () => {
  fake = await renderWithLab(<RegistersPanel />);
  fireEvent.change(await screen.findByTestId('access-as'), { target: { value: 'driver' } });
  const row = screen.getAllByTestId('register-row').find((one) => one.dataset.register === 'CSTS')!;
  fireEvent.click(within(row).getByTestId('register-toggle'));
  const ready = screen.getAllByTestId('field-row').find((one) => one.dataset.field === 'RDY')!;
  expect((within(ready).getByTestId('field-bit') as HTMLInputElement).disabled).toBe(true);
});

test('config: a byte leads to its register, typing writes it, what does not stick is said', async () => {
  fake = await renderWithLab(<ConfigPanel />);
  const byte = (offset: number) =>
    screen.getAllByTestId('config-byte').find((one) => one.dataset.offset === `${offset}`)!;
  await waitFor(() => expect(byte(0).textContent).toBe('36'));
  fireEvent.mouseDown(byte(5));
  await waitFor(() => {
    const lit = screen
      .getAllByTestId('config-node')
      .find((one) => one.getAttribute('aria-selected') === 'true');
    expect(lit?.dataset.name).toBe('Command');
  });
  fireEvent.change(screen.getByTestId('config-as'), { target: { value: 'driver' } });
  fireEvent.mouseDown(byte(0));
  const grid = byte(0).closest('.rows-viewport')!;
  fireEvent.keyDown(grid, { key: '9' });
  fireEvent.keyDown(grid, { key: '9' });
  await waitFor(() => expect(notices.getState().all.at(-1)?.text).toContain('reads back 0x36, not 0x99'));
  fireEvent.change(screen.getByTestId('config-as'), { target: { value: 'device' } });
  fireEvent.mouseDown(byte(0));
  fireEvent.keyDown(grid, { key: '9' });
  fireEvent.keyDown(grid, { key: '9' });
  await waitFor(() => expect(byte(0).textContent).toBe('99'));
});

test('config: a bit of a register is ticked in the tree', async () => {
  fake = await renderWithLab(<ConfigPanel />);
  const command = await waitFor(
    () => screen.getAllByTestId('config-node').find((one) => one.dataset.name === 'Command')!,
  );
  fireEvent.click(within(command).getByLabelText('Open Command'));
  const master = screen.getAllByTestId('config-node').find((one) => one.dataset.name === 'Bus Master')!;
  fireEvent.click(within(master).getByTestId('config-bit'));
  await waitFor(() =>
    expect(calls('config.write')).toEqual([
      { device: 1, offset: 4, width: 2, value: '0x0', mask: '0x4', as: 'device' },
    ]),
  );
});

test('interrupts: a button raises its vector, so often, and a refusal says why', async () => {
  fake = await renderWithLab(<InterruptsPanel />);
  const button = (vector: number) =>
    screen.getAllByTestId('vector-button').find((one) => one.dataset.vector === `${vector}`)!;
  await waitFor(() => expect(button(1).textContent).toContain('Raise vector 1'));
  fireEvent.change(screen.getByTestId('vector-times'), { target: { value: '5' } });
  fireEvent.click(button(1));
  await waitFor(() => {
    const row = screen.getAllByTestId('vector-row')[1]!;
    expect(within(row).getByTestId('vector-count').textContent).toBe('5');
  });
  fireEvent.click(button(2));
  await waitFor(() => expect(notices.getState().all.at(-1)?.hint).toContain('masked vector 2'));
});

test('DMA: memory is read at an address, and a refusal says what is wrong', async () => {
  fake = await renderWithLab(<DmaPanel />);
  fireEvent.change(await screen.findByTestId('memory-address'), { target: { value: 'here' } });
  fireEvent.click(screen.getByTestId('memory-read'));
  fireEvent.submit(screen.getByTestId('memory-address'));
  expect(screen.getByTestId('memory-problem').textContent).toContain('"here" is not a number');
  fireEvent.change(screen.getByTestId('memory-address'), { target: { value: '0x100000000' } });
  fireEvent.submit(screen.getByTestId('memory-address'));
  await waitFor(() => expect(screen.getByTestId('memory-problem').textContent).toContain('No mapping holds'));
  fireEvent.change(screen.getByTestId('memory-address'), { target: { value: '0x1000' } });
  fireEvent.submit(screen.getByTestId('memory-address'));
  await waitFor(() => expect(screen.getAllByTestId('dma-byte')[1]!.textContent).toBe('01'));
});

test('every panel survives the loss of the lab, and says so', async () => {
  fake = await renderWithLab(<RegistersPanel />);
  await screen.findAllByTestId('register-row');
  lab.setState({ connection: { kind: 'waiting', reason: 'gone', retryAt: 0 } });
  await waitFor(() => expect(screen.getByTestId('panel-registers').dataset.stale).toBe('true'));
  expect((screen.getByTestId('access-read') as HTMLButtonElement).disabled).toBe(true);
});
