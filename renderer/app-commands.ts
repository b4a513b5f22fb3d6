import { CommandRegistry } from './commands/registry.ts';
import { noticeError } from './state/notices.ts';
import { ui } from './state/ui.ts';

export const commands = new CommandRegistry();
commands.onError = (command, error) => noticeError(command.title, error);

export function openPowerOn(): void {
  ui.setState({ powerOn: true });
}
