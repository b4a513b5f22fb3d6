import type { ErrorBody } from '#contract/wire.ts';
import { OptionError } from '#devices/sdk/options.ts';
import { LabError } from './errors.ts';

/** Any failure as what travels to the window. The binding's errors carry a code and a hint of their own. */
export function errorBody(error: unknown): ErrorBody {
  if (error instanceof LabError) return body(error.code, error.message, error.hint);
  if (error instanceof OptionError) return { ...body('BAD_OPTION', error.message, ''), field: error.field };
  if (error instanceof Error) {
    const { code, hint } = error as { code?: unknown; hint?: unknown };
    return body(
      typeof code === 'string' ? code : 'INTERNAL',
      error.message,
      typeof hint === 'string' ? hint : '',
    );
  }
  return body('INTERNAL', String(error), '');
}

function body(code: string, message: string, hint: string): ErrorBody {
  return hint === '' ? { code, message } : { code, message, hint };
}
