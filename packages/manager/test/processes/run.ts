/** Runs processes over one store and gathers what they did. */

import { startTogether } from "./children.ts";
import { type Board, type History, logOf, operationsIn } from "./history.ts";
import type { MutantName } from "./mutate.ts";
import { openManager, OPTIONS } from "./package.ts";
import type { TestStore } from "./stores.ts";
import type { Job } from "./worker.ts";

export const EMPTY: Board = { count: 1, marks: {} };

export interface Run extends Pick<Job, "cuts" | "does" | "ms" | "seed"> {
  readonly processes: number;
  readonly contexts: number;
  readonly mutant?: MutantName;
}

export async function runIn(store: TestStore, run: Run): Promise<History> {
  const { processes, contexts, mutant, ...rest } = run;
  const name = `${run.does}-${run.seed}-${Math.random().toString(36).slice(2)}`;
  const url = store.url(name);
  const ids = Array.from({ length: contexts }, (_, index) => `context ${index}`);
  const manager = await openManager<Board>(url, OPTIONS);
  try {
    const { revision } = await manager.stats();
    for (const id of ids) await manager.create(id, EMPTY);
    const jobs = Array.from({ length: processes }, (_, process): Job => ({
      ...rest,
      url,
      process,
      ids,
      file: store.directory.file(`${name}-${process}`),
    }));
    const children = await startTogether(jobs, mutant);
    await Promise.all(children.map(({ ended }) => ended));
    const operations = jobs.flatMap(({ file, process }) => operationsIn(file, process));
    return { operations, log: await logOf(manager, revision) };
  } finally {
    await manager.close();
  }
}
