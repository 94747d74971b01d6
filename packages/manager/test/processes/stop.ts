/** A process that holds a lease is stopped for longer than the lease lasts, another one takes over, and it goes on. */

import { Child } from "./children.ts";
import type { Board } from "./history.ts";
import { TTL_MS, type Told } from "./holder.ts";
import type { MutantName } from "./mutate.ts";
import { openManager, OPTIONS } from "./package.ts";
import { EMPTY } from "./run.ts";
import type { TestStore } from "./stores.ts";

export interface Stopped {
  readonly told: Told;
  /** The token of the one that took over, and the revision that it wrote. */
  readonly token: number;
  readonly revision: number | undefined;
  /** What is there in the end: the revision and who wrote it. */
  readonly end: { readonly revision: number | undefined; readonly updatedBy: string | null };
}

export async function stopAndGoOn(store: TestStore, does: "hold" | "listen", mutant?: MutantName): Promise<Stopped> {
  const id = "plan";
  const url = store.url(`stop-${Math.random().toString(36).slice(2)}`);
  const manager = await openManager<Board>(url, OPTIONS);
  await manager.create(id, EMPTY);
  const file = store.directory.file("stop");
  const holder = new Child({ does, url, process: 0, seed: 0, file, ids: [id], ms: 0 }, mutant);
  await holder.says();
  holder.tell("go");
  await holder.says();
  holder.process.kill("SIGSTOP");
  try {
    const lease = await manager.agent("successor").acquire(id, { ttlMs: 60_000, timeoutMs: TTL_MS * 20 });
    const { revision } = await lease.update(id, { count: 2, marks: {} }, "1");
    holder.tell("go on");
    holder.process.kill("SIGCONT");
    const told = (await holder.says()) as Told;
    await holder.ended;
    const { revision: last, updatedBy } = (await manager.get(id))!;
    return { told, token: lease.token, revision, end: { revision: last, updatedBy } };
  } finally {
    holder.process.kill("SIGKILL");
    await manager.close();
  }
}
