/** Timers of one device, driven by whoever runs it. Times are ns. */
export class Timers {
  readonly #entries = new Map<number, { due: number; callback: () => void }>();
  #nextHandle = 1;
  #nextDue = Number.POSITIVE_INFINITY;

  /** When the next timer is due, or Infinity. */
  get nextDue(): number {
    return this.#nextDue;
  }

  schedule(due: number, callback: () => void): number {
    const handle = this.#nextHandle++;
    this.#entries.set(handle, { due, callback });
    if (due < this.#nextDue) this.#nextDue = due;
    return handle;
  }

  cancel(handle: number): void {
    if (this.#entries.delete(handle)) this.#findNext();
  }

  /** Runs what is due at `now`, earliest first. A timer set meanwhile runs in a later call. */
  run(now: number): void {
    if (now < this.#nextDue) return;
    const due = [...this.#entries].filter(([, entry]) => entry.due <= now);
    due.sort(([, a], [, b]) => a.due - b.due);
    for (const [handle, entry] of due) {
      // An earlier one may have cancelled it.
      if (this.#entries.delete(handle)) entry.callback();
    }
    this.#findNext();
  }

  #findNext(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.#entries.values()) if (due < next) next = due;
    this.#nextDue = next;
  }
}
