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
