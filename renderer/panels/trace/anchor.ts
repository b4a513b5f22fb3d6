/** Row of the whole trace that comes back into view when the view, such as the filter, has changed. */
export class Anchor {
  #row = -1;
  #chosen = false;
  /** Counts what a person did: who has gone elsewhere while the row was sought stays there. */
  #moves = 0;
  #seeking = false;

  /** A person chose a row; below zero where it is not known yet. */
  choose(row: number): void {
    this.scroll();
    this.#row = row;
    this.#chosen = true;
  }

  /** A person scrolled. What was chosen is still what one comes back to. */
  scroll(): void {
    this.#moves++;
    this.#seeking = false;
  }

  /** The first row in view: it is held where none was chosen, and not while another is sought. */
  see(row: number): void {
    if (!this.#chosen && !this.#seeking) this.#row = row;
  }

  /**
   * Where the row is now, by `locate`, and whether it was chosen. Undefined: there is none, or it is no longer wanted,
   * because a person has moved or another search for it has begun meanwhile.
   */
  async seek(
    locate: (row: number) => Promise<number>,
  ): Promise<{ readonly row: number; readonly index: number; readonly chosen: boolean } | undefined> {
    const row = this.#row;
    if (row < 0) return undefined;
    const asked = ++this.#moves;
    const chosen = this.#chosen;
    this.#seeking = true;
    try {
      const index = await locate(row);
      return asked === this.#moves ? { row, index, chosen } : undefined;
    } finally {
      if (asked === this.#moves) this.#seeking = false;
    }
  }
}
