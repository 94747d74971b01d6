/** Loaded before a worker, it makes one mistake in the package, in memory: the tests must then find it. */

import { registerHooks } from "node:module";

interface Mutant {
  /** The end of the name of the file. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const MUTANTS = {
  "the token of a lease is not checked": {
    file: "/src/rules.ts",
    from: "if (token !== null) return isHeldBy(lock, author) ? undefined : leaseLost(entry, token);",
    to: "if (token !== null) return undefined;",
  },
  "a mismatch is reported as CONFLICT": {
    file: "/src/async/committer.ts",
    from: "if (own === undefined",
    to: `if (own === undefined) {
      const [contextId = ""] = queued.job.contextIds;
      const found = { contextId, expected: "1", version: "2", recreated: false, conflicts: [], writers: [] };
      queued.reject(new ContextError("CONFLICT", found as never));
      return true;
    }
    if (own === undefined`,
  },
  "who is refused by what was only believed is told so": {
    file: "/src/async/committer.ts",
    from: "(isBelieved && one.index === undefined) || ",
    to: "",
  },
  "what is in the log alone is not read": {
    file: "/src/engines/sqlite/contexts.ts",
    from: "this.#cache.delete(id);\n      this.#ahead.set(id, revision);",
    to: "this.#cache.delete(id);",
  },
  "the log has no operation ids": {
    file: "/src/engines/sqlite/log.ts",
    from: "const what = [opId,",
    to: 'const what = ["",',
  },
} satisfies Record<string, Mutant>;

export type MutantName = keyof typeof MUTANTS;

const mutant: Mutant | undefined = MUTANTS[process.env["MUTANT"] as MutantName];
if (mutant !== undefined) {
  const { file, from, to } = mutant;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(file)) return loaded;
      const text = String(Buffer.from(loaded.source as Uint8Array));
      if (!text.includes(from)) throw new Error(`${file} has no longer: ${from}`);
      return { ...loaded, source: text.replace(from, () => to) };
    },
  });
}
