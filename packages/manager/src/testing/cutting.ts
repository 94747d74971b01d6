/** Connections that are cut: what was acknowledged is there, nothing is there twice, and no reader misses any of it. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import { equal, holds } from "./assert.ts";
import type { Claim } from "./case.ts";
import { type Ground, oneOf, pairOf, pause } from "./ground.ts";

const PATIENCE_MS = 20_000;
const WRITES = 20;

export const cutting: readonly Claim<Ground>[] = [
  {
    name: "after a cut connection the manager goes on, and the log says what has happened",
    needs: "disconnect",
    async check(ground) {
      const { managers, log: logOf } = await ground.managers(1);
      const manager = managers[0] as AsyncSharedContextManager;
      await manager.create("a", {});
      const attempts = Array.from({ length: WRITES }, async (_, index) => {
        if (index === WRITES / 2) await ground.cut(manager);
        return manager.create(`id-${index}`, { index });
      });
      const settled = await Promise.allSettled(attempts);
      const { revision = 0 } = await untilDone(() => manager.agent("ann").patch("a", { over: true }));
      const created = (await logOf(0, revision)).filter(({ kind }) => kind === "created").map((one) => one.contextId);
      equal(new Set(created).size, created.length, "no context was created twice: number of ids");
      for (const [index, { status }] of settled.entries()) {
        const isThere = created.includes(`id-${index}`);
        holds(status === "rejected" || isThere, `id-${index} was acknowledged and is in the log`);
      }
    },
  },
  {
    name: "who watches over a cut connection is told everything, once and in order",
    needs: "disconnect",
    async check(ground) {
      const [one, other] = await pairOf(ground);
      await other.create("a", { step: 0 });
      const seen: unknown[] = [];
      const watch = async (): Promise<void> => {
        for await (const { context } of one.watch("a", { after: 0 })) {
          seen.push(context?.data["step"]);
          if (seen.length > WRITES) break;
        }
      };
      const watching = watch();
      watching.catch(() => undefined); // told at the end
      for (let step = 1; step <= WRITES; step++) {
        if (step % 5 === 0) await ground.cut(one);
        // One that may have landed is not made again: it is a version that is expected.
        const write = (): Promise<unknown> => other.agent("writer").update("a", { step }, String(step));
        await untilDone(write, async () => (await other.get("a"))?.version === String(step + 1));
      }
      await watching;
      equal(
        seen,
        Array.from({ length: WRITES + 1 }, (_, step) => step),
        "the steps that were seen",
      );
    },
  },
  {
    name: "a lease is still held after a cut connection, and its writes are still checked",
    needs: "disconnect",
    async check(ground) {
      const manager = await oneOf(ground);
      await manager.create("a", { step: 0 });
      const lease = await manager.agent("ann").acquire("a");
      await ground.cut(manager);
      await untilDone(
        () => lease.update("a", { step: 1 }, "1"),
        async () => (await manager.get("a"))?.version === "2",
      );
      equal((await manager.get("a"))?.lock?.token, lease.token, "the token of the lock");
      await untilDone(() => lease.release());
      equal((await manager.get("a"))?.lockedBy, null, "the owner after the release");
    },
  },
];

/** Tries again until it is done, or has been done by an attempt that did not hear of it. */
async function untilDone<Result>(
  work: () => Promise<Result>,
  isDone: () => Promise<boolean> = () => Promise.resolve(false),
): Promise<Result> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      if (await isDone().catch(() => false)) return undefined as Result;
    }
    await pause(50);
  }
}
