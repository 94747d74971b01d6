import { escapeToken } from "./pointer.ts";

/** Paths that a patch changes, and what is above and below them. */
export class Touched {
  readonly #paths = new Set<string>();
  readonly #above = new Set<string>();

  add(tokens: readonly string[]): void {
    let path = "";
    this.#above.add(path);
    for (const token of tokens) this.#above.add((path += `/${escapeToken(token)}`));
    this.#paths.add(path);
  }

  /** Whether this path, one above it or one below it is touched. */
  isNear(tokens: readonly string[]): boolean {
    let path = "";
    if (this.#paths.has(path)) return true;
    for (const token of tokens) if (this.#paths.has((path += `/${escapeToken(token)}`))) return true;
    return this.#above.has(path);
  }
}
