/** The change log: in order, whole transactions, nothing lost in silence. */

import type { EngineChange, LoggedChange } from "../engine.ts";
import { equal, holds } from "./assert.ts";
import {
  clearing,
  commitAll,
  commitOne,
  creates,
  deletes,
  entryOf,
  kindsOf,
  logSince,
  nextOf,
  replaces,
  transactionOf,
} from "./entries.ts";
import type { Claim } from "./case.ts";
import type { EngineGround } from "./harness.ts";

function brief({ kind, contextId }: LoggedChange): string {
  return `${kind} ${contextId ?? "*"}`;
}

function isRising(changes: readonly EngineChange[]): boolean {
  return changes.every(({ revision }, index) => index === 0 || revision >= (changes[index - 1]?.revision ?? 0));
}

export const log: readonly Claim<EngineGround>[] = [
  {
    name: "tells every change, in the order of the revisions, and those of a transaction in its order",
    async check(ground) {
      const engine = await ground.open();
      const z = entryOf("z", {}, 0);
      const first = transactionOf(creates(z), creates(entryOf("a", {}, 0)));
      const [revision = 0] = await commitAll(engine, first, transactionOf(creates(entryOf("b", {}, 1))));
      await commitOne(engine, deletes("a", revision), replaces(nextOf(z), revision));
      await commitAll(engine, clearing());
      const changes = await logSince(engine);
      const expected = ["created z", "created a", "created b", "deleted a", "updated z", "cleared *"];
      equal(changes.map(brief), expected, "the log");
      holds(isRising(changes), "revisions never go back", changes);
      equal(new Set(changes.map((change) => change.revision)).size, 4, "the number of revisions in it");
      equal(changes[0]?.opId, first.opId, "the operation id of its first change");
    },
  },
  {
    name: "tells what comes after a revision, and nothing when there is no more",
    async check(ground) {
      const engine = await ground.open();
      const revisions = await commitAll(
        engine,
        ...["a", "b", "c"].map((id, index) => transactionOf(creates(entryOf(id, {}, index)))),
      );
      for (const [index, after] of [0, ...revisions].entries()) {
        const { changes, head, oldest } = await engine.changes({ after, limit: 10 });
        equal(changes.map(brief), ["created a", "created b", "created c"].slice(index), `changes after ${after}`);
        equal(head, revisions[2], "head");
        holds(oldest <= (revisions[0] ?? 0), "all of it is kept", oldest);
      }
    },
  },
  {
    name: "says where its head is also to who asks for what comes after a revision that it never had",
    async check(ground) {
      const engine = await ground.open();
      const check = async (head: number): Promise<void> => {
        const page = await engine.changes({ after: head + 50, limit: 10 });
        equal({ changes: page.changes, head: page.head }, { changes: [], head }, `what comes after ${head + 50}`);
      };
      await check(0);
      await check(await commitOne(engine, creates(entryOf("a"))));
    },
  },
  {
    name: "gives at least as many as asked for and never tears a transaction apart",
    async check(ground) {
      const engine = await ground.open();
      for (const pair of ["ab", "cd", "ef"]) {
        await commitOne(engine, ...Array.from(pair, (id) => creates(entryOf(id))));
      }
      const whole = await logSince(engine);
      for (const limit of [1, 2, 3, 4, 5, 6, 7]) {
        const { changes } = await engine.changes({ after: 0, limit });
        holds(changes.length >= Math.min(limit, 6), `at least ${limit} changes, where there are as many`, changes);
        equal(changes.length % 2, 0, `whole pairs with limit ${limit}: what is left of the last one`);
        equal((await logSince(engine, 0, limit)).map(brief), whole.map(brief), `the log in parts of ${limit}`);
      }
    },
  },
  {
    name: "a transaction without changes, as a renewal is, hides none of those that follow",
    async check(ground) {
      const engine = await ground.open();
      let entry = entryOf("a");
      let revision = await commitOne(engine, creates(entry));
      const start = revision;
      for (let renewal = 0; renewal < 12; renewal++) {
        entry = { ...entry, revision: -1 };
        const write = replaces(entry, revision, false);
        [revision = 0] = await commitAll(engine, { ...transactionOf(write), changes: [] });
      }
      await commitOne(engine, creates(entryOf("b")));
      for (const limit of [1, 5, 100]) {
        const { changes } = await engine.changes({ after: start, limit });
        equal(changes.map(brief), ["created b"], `the changes after a row of renewals, with limit ${limit}`);
      }
    },
  },
  {
    name: "has nothing of a transaction that did not happen",
    async check(ground) {
      const engine = await ground.open();
      await commitOne(engine, creates(entryOf("a")));
      const refused = transactionOf(creates(entryOf("a")), creates(entryOf("b")));
      equal(kindsOf(await engine.commit([refused])), ["mismatch"], "the outcome");
      equal((await logSince(engine)).map(brief), ["created a"], "the log");
    },
  },
  {
    name: "keeps at least as much as it was told to, and says from where on it is complete",
    async check(ground) {
      const changeLogLimit = 8;
      const engine = await ground.open({ changeLogLimit });
      const entry = entryOf("a");
      const revisions = [await commitOne(engine, creates(entry))];
      let last = entry;
      let oldest = 1;
      // When to drop what is too much is up to the engine; that it does so at some time, is not.
      while (oldest <= (revisions[0] ?? 0) && revisions.length < 2_000) {
        for (let batch = 0; batch < 20; batch++) {
          last = nextOf(last);
          revisions.push(await commitOne(engine, replaces(last, revisions.at(-1) ?? 0)));
        }
        const oldestOf = async () => (await engine.changes({ after: (revisions[0] ?? 0) - 1, limit: 1 })).oldest;
        let kept: Awaited<ReturnType<typeof logSince>>;
        // An engine may drop some beside its commits, and so between two looks.
        do {
          oldest = await oldestOf();
          kept = await logSince(engine, oldest - 1);
        } while ((await oldestOf()) !== oldest);
        equal(
          kept.map(({ revision }) => revision),
          revisions.filter((revision) => revision >= oldest),
          `what is kept from ${oldest} on`,
        );
        holds(kept.length >= changeLogLimit, `at least ${changeLogLimit} changes are kept`, kept.length);
      }
      holds(oldest > (revisions[0] ?? 0), "what is too old is dropped at last", { oldest, head: revisions.at(-1) });
    },
  },
  {
    name: "of no length at all still never gives a revision twice",
    async check(ground) {
      const engine = await ground.open({ changeLogLimit: 0 });
      const revisions = [await commitOne(engine, creates(entryOf("a")))];
      const reader = engine.supports.shared ? await ground.openAgain(engine) : engine;
      revisions.push((await reader.load(["a"])).head);
      revisions.push(await commitOne(reader, creates(entryOf("b"))));
      revisions.push(await commitOne(engine, creates(entryOf("c"))));
      const [first = 0] = revisions;
      holds(first > 0 && revisions[1] === first, "head is the last revision", revisions);
      holds((revisions[2] ?? 0) > first && (revisions[3] ?? 0) > (revisions[2] ?? 0), "revisions rise", revisions);
    },
  },
];
