/** Wakes listeners when there is more in the log: by message where one arrives, and by looking where none does. */

const POLL_MS = 250;

export class Announcer {
  /** The head of the store, as it is now. */
  readonly #look: () => Promise<number>;
  readonly #listeners = new Set<() => void>();
  #poll: ReturnType<typeof setInterval> | undefined;
  #isLooking = false;
  /** The newest revision that listeners have been woken for. */
  #announced = 0;

  constructor(look: () => Promise<number>) {
    this.#look = look;
  }

  add(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#poll ??= setInterval(() => void this.#lookForChanges(), POLL_MS);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stopPolling();
    };
  }

  announce(head: number): void {
    if (head <= this.#announced) return;
    this.#announced = head;
    this.wake();
  }

  /** Something may have been missed. */
  wake(): void {
    for (const listener of this.#listeners) listener();
  }

  close(): void {
    this.#listeners.clear();
    this.#stopPolling();
  }

  async #lookForChanges(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      this.announce(await this.#look());
    } catch {
      // Whoever reads or writes hears of it.
    } finally {
      this.#isLooking = false;
    }
  }

  #stopPolling(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
  }
}
