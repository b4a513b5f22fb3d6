/** Command line pieces shared by the entries. */
import { InvalidArgumentError } from 'commander';
import { errorBody } from '../hosts/error-body.ts';

export function portNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65535) {
    throw new InvalidArgumentError('A port is a number from 0 (any free one) to 65535.');
  }
  return value;
}

/** Prints an error as a person wants it and ends the process. */
export function die(error: unknown): never {
  const { code, message, hint } = errorBody(error);
  process.stderr.write(`pciem-lab: ${message}\n${hint === undefined ? '' : `${hint}\n`}`);
  if (code === 'INTERNAL' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}

/** Runs `close` once on the first signal, and leaves at once on the second. */
export function onSignals(close: () => Promise<void>): void {
  let closing = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (closing) process.exit(1);
      closing = true;
      close().then(
        () => process.exit(0),
        (error: unknown) => die(error),
      );
    });
  }
}
