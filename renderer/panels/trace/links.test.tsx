// @vitest-environment happy-dom
import { cleanup, configure, fireEvent, screen, waitFor } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import { TraceKind } from '#contract/trace-record.ts';
import { commands } from '#renderer/app-commands.ts';
import { ui } from '#renderer/state/ui.ts';
import { renderWithLab } from '#renderer/testing/render.tsx';
import { TracePanel } from './panel.tsx';

configure({ asyncUtilTimeout: 8000 });
vi.setConfig({ testTimeout: 30_000 });
afterEach(cleanup);

const transfer = { kind: TraceKind.dmaRead, device: 1, address: 0x7000, time: 12_500, length: 64 };
const writing = { kind: TraceKind.configWrite, device: 1, address: 0x3c, length: 1 };

test.each([
  [
    'view.dma',
    transfer,
    '0x00007000',
    'transfer',
    { device: 1, time: 12_500, direction: 'read', address: 0x7000 },
  ],
  [
    'view.interrupts',
    { kind: TraceKind.interrupt, device: 1, aux: 2 },
    'vector 2',
    'vector',
    { device: 1, vector: 2 },
  ],
  ['view.config', writing, '0x03c', 'config', { device: 1, offset: 0x3c }],
] as const)('a row leads to its place in its panel: %s', async (id, made, text, what, wanted) => {
  const shown = vi.fn();
  const remove = commands.register({ id, title: id, group: 'View', run: shown });
  const fake = await renderWithLab(<TracePanel />);
  fake.row(made);
  const row = await waitFor(() => {
    const found = screen.getAllByTestId('trace-row').find((one) => one.textContent?.includes(text));
    expect(found).toBeDefined();
    return found!;
  });
  fireEvent.dblClick(row);
  expect(ui.getState()[what]).toEqual(wanted);
  expect(shown).toHaveBeenCalledOnce();
  remove();
});

test('a row leads to the register that it is about', async () => {
  const shown = vi.fn();
  const remove = commands.register({ id: 'view.registers', title: 'Registers', group: 'View', run: shown });
  const fake = await renderWithLab(<TracePanel />);
  fake.row({ kind: TraceKind.mmioWrite, device: 1, address: 0x1008, valueLow: 9, length: 4 });
  const row = await waitFor(() => {
    const found = screen.getAllByTestId('trace-row').find((one) => one.textContent?.includes('SQ1TDBL'));
    expect(found).toBeDefined();
    return found!;
  });
  fireEvent.dblClick(row);
  expect(ui.getState().register).toEqual({ device: 1, bar: 0, name: 'SQ1TDBL' });
  expect(shown).toHaveBeenCalledOnce();
  remove();
});
