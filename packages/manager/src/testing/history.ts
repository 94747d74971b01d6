/** The versions before the present one. */

import type { Engine } from "../engine.ts";
import type { Entry } from "../entry.ts";
import { equal } from "./assert.ts";
import { clearing, commitAll, commitOne, content, creates, deletes, entryOf, nextOf, replaces } from "./entries.ts";
import type { Claim } from "./case.ts";
import type { EngineGround } from "./harness.ts";

/** A context with so many versions; all of them, as they were stored. */
async function write(engine: Engine, id: string, versions: number): Promise<Entry[]> {
  const entries = [entryOf(id)];
  let revision = await commitOne(engine, creates(entries[0] as Entry));
  while (entries.length < versions) {
    const next = nextOf(entries.at(-1) as Entry, { updatedBy: `agent-${entries.length}` });
    revision = await commitOne(engine, replaces(next, revision));
    entries.push(next);
  }
  return entries;
}

async function versionsOf(engine: Engine, id: string): Promise<string[]> {
  return (await engine.history(id)).map(({ version }) => version);
}

export const history: readonly Claim<EngineGround>[] = [
  {
    name: "has the versions before the present one, the oldest first, as they were",
    async check(ground) {
      const engine = await ground.open();
      const entries = await write(engine, "a", 4);
      equal((await engine.history("a")).map(content), entries.slice(0, -1).map(content), "the history");
      equal(await engine.history("none"), [], "the history of what never was");
    },
  },
  {
    name: "takes only what a write says is a version of its own",
    async check(ground) {
      const engine = await ground.open();
      const [entry] = await write(engine, "a", 1);
      const lock = { owner: "ann", token: -1, sinceMs: 1, expiresAtMs: null, deadlineMs: null };
      const locked = { ...(entry as Entry), revision: -1, lock };
      const revision = await commitOne(engine, replaces(locked, entry?.revision ?? 0, false));
      equal(await engine.history("a"), [], "the history after a lock");
      await commitOne(engine, replaces(nextOf(locked), revision));
      const kept = await engine.history("a");
      equal(
        kept.map(({ version, lock }) => [version, lock?.owner]),
        [["1", "ann"]],
        "the history after an update",
      );
    },
  },
  {
    name: "keeps as many versions as it was told to",
    async check(ground) {
      const engine = await ground.open({ historyLimit: 3 });
      await write(engine, "a", 3);
      equal(await versionsOf(engine, "a"), ["1", "2"], "with three versions");
      await write(engine, "b", 9);
      equal(await versionsOf(engine, "b"), ["6", "7", "8"], "with nine versions");
      equal(await versionsOf(engine, "a"), ["1", "2"], "the history of another context");
      const none = await ground.open({ historyLimit: 0 });
      await write(none, "a", 3);
      equal(await versionsOf(none, "a"), [], "with a limit of 0");
    },
  },
  {
    name: "without a limit keeps all of them",
    async check(ground) {
      const engine = await ground.open({ historyLimit: Infinity, changeLogLimit: Infinity });
      await write(engine, "a", 5);
      equal(await versionsOf(engine, "a"), ["1", "2", "3", "4"], "the history");
    },
  },
  {
    name: "is forgotten with a deletion",
    async check(ground) {
      const engine = await ground.open();
      const entries = await write(engine, "a", 3);
      await write(engine, "b", 2);
      await commitOne(engine, deletes("a", entries.at(-1)?.revision ?? 0));
      equal(await versionsOf(engine, "a"), [], "after the deletion");
      await commitOne(engine, creates(entryOf("a")));
      equal(await versionsOf(engine, "a"), [], "after it was created again");
      equal(await versionsOf(engine, "b"), ["1"], "the history of another context");
    },
  },
  {
    name: "is forgotten when one transaction deletes and creates, and the context is the last in the list",
    async check(ground) {
      const engine = await ground.open();
      const entries = await write(engine, "a", 3);
      await write(engine, "b", 1);
      const next = entryOf("a", { data: { again: true } });
      await commitOne(engine, { id: "a", expect: entries.at(-1)?.revision ?? 0, next, keeps: null });
      equal(await versionsOf(engine, "a"), [], "the history");
      const { entries: order } = await engine.list({ prefix: "", after: undefined, limit: 10 });
      equal(
        order.map(({ contextId, data }) => [contextId, data]),
        [
          ["b", { step: 1 }],
          ["a", { again: true }],
        ],
        "the list",
      );
    },
  },
  {
    name: "is forgotten with a clear",
    async check(ground) {
      const engine = await ground.open();
      await write(engine, "a", 3);
      await commitAll(engine, clearing());
      equal(await versionsOf(engine, "a"), [], "after the clear");
      await write(engine, "a", 2);
      equal(await versionsOf(engine, "a"), ["1"], "after it was written again");
    },
  },
];
