/** A failure that a person can act on: what happened, and what to do about it. */
export class LabError extends Error {
  /** Stable, upper case with underscores, such as `IMAGE_LOCKED`. */
  readonly code: string;
  /** What to do; one sentence, or empty when there is nothing to do. */
  readonly hint: string;

  constructor(code: string, message: string, hint = '', options?: ErrorOptions) {
    super(message, options);
    this.name = 'LabError';
    this.code = code;
    this.hint = hint;
  }
}
