/** Every method and every refusal: what a manager does, the synchronous one does too. */

import type { AsyncSharedContextManager } from "../async/manager.ts";
import { SharedContextManager } from "../manager.ts";
import { equal, holds, refused } from "./assert.ts";
import type { Claim } from "./case.ts";
import { type Ground, oneOf } from "./ground.ts";
import { outcomesOf, type Script } from "./script.ts";
import { SCRIPTS } from "./scripts.ts";

const LIMITS = { historyLimit: 8, changeLogLimit: 1_000 };

function compared(script: Script): (ground: Ground) => Promise<void> {
  return async (ground) => {
    const manager = await oneOf(ground, LIMITS);
    const sync = new SharedContextManager(LIMITS);
    try {
      const expected = await outcomesOf(sync as unknown as AsyncSharedContextManager, script);
      const outcomes = await outcomesOf(manager, script);
      for (const [index, outcome] of expected.entries()) equal(outcomes[index], outcome, `call ${index + 1}`);
      equal(outcomes.length, expected.length, "the number of calls");
    } finally {
      sync.close();
    }
  };
}

export const contract: readonly Claim<Ground>[] = [
  ...Object.entries(SCRIPTS).map(([name, script]) => ({ name, check: compared(script) })),
  {
    name: "pages, the iterator, the list and the size show the same contexts, in the order of creation",
    async check(ground) {
      const manager = await oneOf(ground);
      for (const id of ["b1", "a1", "a2", "b2", "a3"]) await manager.create(id, { id });
      await manager.delete("a2");
      await manager.create("a2", { again: true });
      await manager.create("b3", {});
      const ids: string[] = [];
      for await (const { contextId } of manager) ids.push(contextId);
      equal(ids, ["b1", "a1", "b2", "a3", "a2", "b3"], "the iterator");
      equal([await manager.listContexts(), await manager.size()], [ids, 6], "the list and the size");
      const first = await manager.page({ prefix: "a", limit: 2 });
      const second = await manager.page({ prefix: "a", limit: 2, after: first.next ?? "" });
      const pages = [first, second].map(({ contexts }) => contexts.map(({ contextId, data }) => [contextId, data]));
      equal(
        pages,
        [
          [
            ["a1", { id: "a1" }],
            ["a3", { id: "a3" }],
          ],
          [["a2", { again: true }]],
        ],
        "the pages of a prefix",
      );
      const rest = second.next === undefined ? [] : (await manager.page({ prefix: "a", after: second.next })).contexts;
      equal(rest.length, 0, "what the last page leads to");
      await refused("INVALID", manager.page({ after: "no cursor" }), "a page after what none has ended with");
    },
  },
  {
    name: "the dictionary can be loaded by the synchronous manager, with revisions, incarnations and tokens",
    async check(ground) {
      const manager = await oneOf(ground);
      await manager.agent("ann").create("a", { step: 1 }, { note: "first" });
      await manager.lock("a", "ann");
      const copy = SharedContextManager.fromDict(await manager.toDict());
      const read = [await manager.get("a"), copy.get("a")].map((context) => {
        const { revision, incarnation, lock, note, updatedBy } = context ?? {};
        return [context?.toDict(), revision, incarnation, lock?.token, note, updatedBy];
      });
      equal(read[1], read[0], "what was loaded");
      equal(copy.stats().revision, (await manager.stats()).revision, "the head revision");
      copy.close();
    },
  },
  {
    name: "snapshots are values: nothing that a caller does reaches the store, nor the other way round",
    async check(ground) {
      const manager = await oneOf(ground);
      const data = { list: [{ id: 1 }] };
      const creation = manager.create("a", data);
      data.list.push({ id: 2 });
      const context = await creation;
      equal(context.data, { list: [{ id: 1 }] }, "the data, changed by the caller after the call");
      const inside: unknown = context.data["list"];
      holds(Object.isFrozen(context.data) && Object.isFrozen(inside), "the data is frozen, and what is in it");
      await manager.update("a", { list: [] }, context);
      equal([context.version, context.data], ["1", { list: [{ id: 1 }] }], "the snapshot after an update");
    },
  },
  {
    name: "any id is an id, whatever it would mean elsewhere",
    async check(ground) {
      const manager = await oneOf(ground);
      const ids = [".", "..", "a/../b", "a b ", "%2e", "A", "a", "é", "🤖", "__proto__", "?x=1#y", "x".repeat(512)];
      const ann = manager.agent("ann/é ?");
      for (const id of ids) {
        const context = await ann.create(id, {});
        await ann.update(id, { step: 2 }, context);
        await ann.patch(id, [{ op: "increment", path: "/step" }]);
        await ann.withLock(id, (lease) => lease.restore(id, "1"));
        const versions = (await manager.history(id)).map(({ version, updatedBy }) => `${version} ${updatedBy}`);
        equal(
          versions,
          ["1", "2", "3", "4"].map((version) => `${version} ann/é ?`),
          `the history of ${id}`,
        );
      }
      equal(await manager.listContexts(), ids, "the ids");
      for (const id of ids) equal(await manager.delete(id), true, `the deletion of ${id}`);
    },
  },
];
