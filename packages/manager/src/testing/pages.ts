/** Pages of contexts, in the order of their creation. */

import type { Engine } from "../engine.ts";
import { equal, holds, refused } from "./assert.ts";
import { commitOne, creates, deletes, entryOf, listed, loadOne, logSince, nextOf, replaces } from "./entries.ts";
import type { Claim } from "./case.ts";
import type { EngineGround } from "./harness.ts";

async function create(engine: Engine, ...ids: string[]): Promise<void> {
  for (const id of ids) await commitOne(engine, creates(entryOf(id)));
}

async function update(engine: Engine, id: string): Promise<void> {
  const entry = await loadOne(engine, id);
  if (entry !== undefined) await commitOne(engine, replaces(nextOf(entry), entry.revision));
}

async function remove(engine: Engine, id: string): Promise<void> {
  const entry = await loadOne(engine, id);
  if (entry !== undefined) await commitOne(engine, deletes(id, entry.revision));
}

async function idsOf(engine: Engine, prefix = "", limit = 100): Promise<string[]> {
  return (await listed(engine, prefix, limit)).map(({ contextId }) => contextId);
}

export const pages: readonly Claim<EngineGround>[] = [
  {
    name: "come in the order of creation, whatever the ids and the updates",
    async check(ground) {
      const engine = await ground.open();
      await create(engine, "c", "a", "d", "b");
      await update(engine, "c");
      await update(engine, "a");
      equal(await idsOf(engine), ["c", "a", "d", "b"], "the list");
      await remove(engine, "c");
      await create(engine, "c");
      equal(await idsOf(engine), ["a", "d", "b", "c"], "the list after one was deleted and created again");
    },
  },
  {
    name: "have the contexts of one transaction in the order of its writes",
    async check(ground) {
      const engine = await ground.open();
      await commitOne(engine, ...["z", "m", "a"].map((id) => creates(entryOf(id))));
      equal(await idsOf(engine), ["z", "m", "a"], "the list");
    },
  },
  {
    name: "go on where the last one ended, each context once",
    async check(ground) {
      const engine = await ground.open();
      const ids = Array.from({ length: 7 }, (_, index) => `id-${(index * 3) % 7}`);
      await create(engine, ...ids);
      for (const limit of [1, 2, 3, 6, 7, 8]) equal(await idsOf(engine, "", limit), ids, `in pages of ${limit}`);
      const { entries } = await engine.list({ prefix: "", after: undefined, limit: 3 });
      equal(entries.length, 3, "the length of a page of 3");
    },
  },
  {
    name: "do not go on from what no page has ended with: INVALID",
    async check(ground) {
      const engine = await ground.open();
      await create(engine, "a");
      for (const after of ["", "no cursor"]) {
        const page = Promise.resolve().then(() => engine.list({ prefix: "", after, limit: 10 }));
        await refused("INVALID", page, `a page after ${JSON.stringify(after)}`);
      }
    },
  },
  {
    name: "have only ids that begin with the prefix, letter for letter",
    async check(ground) {
      const engine = await ground.open();
      const ids = ["a_1", "ab1", "a%1", "A_1", "a", "'a", "🤖a", "🤖b", "🦾", "a\\1", "a*"];
      await create(engine, ...ids);
      for (const prefix of ["", "a", "a_", "a%", "%", "_", "A", "'", "🤖", "a\\", "a*", "a_1", "a_12"]) {
        const expected = ids.filter((id) => id.startsWith(prefix));
        for (const limit of [2, 100]) equal(await idsOf(engine, prefix, limit), expected, `ids that begin ${prefix}`);
      }
    },
  },
  {
    name: "have what was there all the time, while others write",
    async check(ground) {
      const engine = await ground.open();
      const ids = Array.from({ length: 12 }, (_, index) => `id-${index}`);
      await create(engine, ...ids);
      const seen: string[] = [];
      let after: string | undefined;
      let turn = 0;
      do {
        const page = await engine.list({ prefix: "", after, limit: 4 });
        seen.push(...page.entries.map(({ contextId }) => contextId));
        after = page.next;
        await remove(engine, `id-${turn}`); // seen already: the place to go on from goes with it
        await remove(engine, `id-${turn * 4 + 3}`);
        await update(engine, `id-${turn + 8}`);
        await create(engine, `new-${turn}`);
        turn += 1;
      } while (after !== undefined && turn < 20);
      const old = seen.filter((id) => id.startsWith("id-"));
      equal(
        old,
        ids.filter((id) => old.includes(id)),
        "what was there before, in order and once",
      );
      const staying = ids.filter((id) => !["id-0", "id-3", "id-1", "id-7", "id-2", "id-11"].includes(id));
      equal(
        staying.filter((id) => !old.includes(id)),
        [],
        "what was missed",
      );
    },
  },
  {
    name: "and the changes after the head of the first one make the whole picture",
    async check(ground) {
      const engine = await ground.open();
      await create(engine, "a", "b", "c", "d");
      const first = await engine.list({ prefix: "", after: undefined, limit: 2 });
      holds(first.head === (await engine.load([])).head, "the first page states its head", first.head);
      await update(engine, "a");
      await remove(engine, "b");
      await create(engine, "e");
      const picture = new Map(first.entries.map((entry) => [entry.contextId, entry.version]));
      for (let { next } = first; next !== undefined;) {
        const page = await engine.list({ prefix: "", after: next, limit: 2 });
        for (const { contextId, version } of page.entries) picture.set(contextId, version);
        ({ next } = page);
      }
      for (const { contextId, entry } of await logSince(engine, first.head)) {
        if (entry === null) picture.delete(contextId ?? "");
        else picture.set(contextId ?? "", entry.version);
      }
      const now = new Map((await listed(engine)).map(({ contextId, version }) => [contextId, version]));
      for (const id of new Set([...picture.keys(), ...now.keys()])) {
        equal(picture.get(id), now.get(id), `the version of ${id} in the picture`);
      }
    },
  },
];
