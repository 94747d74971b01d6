import { parsePath } from "./pointer.ts";

/** Paths that have been parsed: agents patch the same ones over and over, and to parse one is a quarter of a small patch. */
export class ParsedPaths {
  readonly #most: number;
  readonly #longest: number;
  readonly #parsed = new Map<string, readonly string[]>();
  /** How many were parsed and not kept. */
  #missed = 0;

  /** @param longest - in characters; a longer path is parsed each time. */
  constructor(most: number = 1_000, longest: number = 200) {
    this.#most = most;
    this.#longest = longest;
  }

  /** How many are kept. */
  get size(): number {
    return this.#parsed.size;
  }

  /** The same as `parsePath`. */
  parse(path: string): readonly string[] | undefined {
    return this.#parsed.get(path) ?? this.#parse(path);
  }

  #parse(path: string): readonly string[] | undefined {
    const tokens = parsePath(path);
    if (tokens === undefined || path.length > this.#longest) return tokens;
    if (this.#parsed.size < this.#most) {
      this.#parsed.set(path, tokens);
    } else if (++this.#missed === this.#most * MISSES_PER_PLACE) {
      // Now and then it begins anew, with what is asked for by then. To make room for each path that comes would cost more
      // than it saves where there are too many.
      this.#missed = 0;
      this.#parsed.clear();
    }
    return tokens;
  }
}

const MISSES_PER_PLACE = 16;
