/**
 * How long a driver takes from an interrupt to what its handler does first that the device can see, by vector: the newest
 * one. It is told by the model, which knows what that is; where it knows of nothing, there is no figure.
 */
export class InterruptLatency {
  /** When the first interrupt came that is not served yet; 0: none. */
  readonly #raised: Float64Array;
  /** ns; 0: none yet. */
  readonly #last: Float64Array;

  constructor(vectors: number) {
    this.#raised = new Float64Array(vectors);
    this.#last = new Float64Array(vectors);
  }

  /** The device raised it, and it went to the driver. Time in ns, as for {@link served}. */
  raised(vector: number, time: number): void {
    // A handler that runs takes what comes meanwhile along: the first one is what it was called for.
    if (this.#raised[vector] === 0) this.#raised[vector] = time;
  }

  /** The driver's access at `time` was its handler's. */
  served(vector: number, time: number): void {
    const raised = this.#raised[vector];
    if (raised === undefined || raised === 0) return;
    // An access of before shows nothing of this interrupt; whether its handler finds anything left is not known.
    if (time > raised) this.#last[vector] = time - raised;
    this.#raised[vector] = 0;
  }

  /** It was served at a time that is not known. */
  taken(vector: number): void {
    this.#raised[vector] = 0;
  }

  /** Another driver, or the function starts anew: what was raised is served by nobody. */
  forget(): void {
    this.#raised.fill(0);
    this.#last.fill(0);
  }

  last(vector: number): number | undefined {
    return this.#last[vector] || undefined;
  }
}
