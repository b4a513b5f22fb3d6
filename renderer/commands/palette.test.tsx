// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';
import { commands } from '#renderer/app-commands.ts';
import { ui } from '#renderer/state/ui.ts';
import { Palette } from './palette.tsx';

const ran: string[] = [];
const command = (id: string, title: string, group: string) => ({
  id,
  title,
  group,
  run: () => void ran.push(id),
});

afterEach(() => {
  cleanup();
  ui.setState({ palette: false });
  ran.length = 0;
});

test('Enter runs the command whose words were typed, not an earlier one with the same letters', async () => {
  const forget = commands.register(
    command('test.missed', 'Show or hide in the trace: Missed trace kind', 'Trace'),
    command('test.dark', 'Theme: dark', 'View'),
  );
  ui.setState({ palette: true });
  render(<Palette />);
  const input = await screen.findByTestId('palette-input');
  fireEvent.change(input, { target: { value: 'theme dark' } });
  await waitFor(() => expect(screen.getAllByTestId('palette-item')).toHaveLength(1));
  fireEvent.keyDown(input, { key: 'Enter' });
  await waitFor(() => expect(ran).toEqual(['test.dark']));
  forget();
});

test('a command that moves the focus keeps it from where it was before', async () => {
  render(
    <>
      <input data-testid="before" />
      <input data-testid="wanted" />
      <Palette />
    </>,
  );
  const forget = commands.register({
    ...command('test.focus', 'Search somewhere', 'View'),
    run: () => screen.getByTestId('wanted').focus(),
  });
  screen.getByTestId('before').focus();
  ui.setState({ palette: true });
  const input = await screen.findByTestId('palette-input');
  fireEvent.change(input, { target: { value: 'search somewhere' } });
  await waitFor(() => expect(screen.getAllByTestId('palette-item')).toHaveLength(1));
  fireEvent.keyDown(input, { key: 'Enter' });
  await waitFor(() => expect(screen.queryByTestId('palette')).toBeNull());
  await waitFor(() => expect(document.activeElement?.getAttribute('data-testid')).not.toBe('palette-input'));
  // Whatever else wants the focus has had its turn.
  await new Promise((resolve) => setTimeout(resolve));
  await new Promise((resolve) => setTimeout(resolve));
  expect(document.activeElement?.getAttribute('data-testid')).toBe('wanted');
  forget();
});

test('what is said to be chosen is the item that is chosen, after each key', async () => {
  const forget = commands.register(
    command('test.dark', 'Theme: dark', 'View'),
    command('test.trace', 'Clear the trace', 'Trace'),
    command('test.light', 'Theme: light', 'View'),
  );
  ui.setState({ palette: true });
  render(<Palette />);
  const input = await screen.findByTestId('palette-input');
  for (const value of ['t', 'th', 'theme l', 'theme', 'trace', '']) {
    fireEvent.change(input, { target: { value } });
    await waitFor(() => {
      const chosen = document.getElementById(input.getAttribute('aria-activedescendant') ?? '');
      expect(chosen?.getAttribute('aria-selected'), value).toBe('true');
    });
  }
  forget();
});
