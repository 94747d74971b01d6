/** At most so often: what is asked for again and again is still done in between, where a debounce would put it off for ever. */

export class Pace {
  readonly #run: () => void;
  readonly #everyMs: number;
  #lastMs = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param run - what is done: at once when it was last done long ago, else as soon as `everyMs` are over. */
  constructor(run: () => void, everyMs: number) {
    this.#run = run;
    this.#everyMs = everyMs;
  }

  /** Does it soon. What is asked for meanwhile is done by the same run, or by one after it. */
  ask(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#lastMs = performance.now();
        this.#run();
      },
      Math.max(0, this.#lastMs + this.#everyMs - performance.now()),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
