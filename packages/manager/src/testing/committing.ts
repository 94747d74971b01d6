/** Compare and set: all of it or nothing. */

import { equal, holds } from "./assert.ts";
import {
  checks,
  clearing,
  commitAll,
  commitOne,
  content,
  creates,
  deletes,
  entryOf,
  kindsOf,
  loadOne,
  logSince,
  nextOf,
  replaces,
  transactionOf,
} from "./entries.ts";
import type { Claim } from "./case.ts";
import type { EngineGround } from "./harness.ts";

export const committing: readonly Claim<EngineGround>[] = [
  {
    name: "a new store is empty",
    async check(ground) {
      const engine = await ground.open();
      const { entries, contexts } = await engine.load(["a"], true);
      equal([entries, contexts], [[undefined], 0], "what a new store has");
      equal((await engine.list({ prefix: "", after: undefined, limit: 10 })).entries, [], "its list");
    },
  },
  {
    name: "load gives what was committed, in the order asked for, and the revision as of which it is so",
    async check(ground) {
      const engine = await ground.open();
      const [a, b] = [entryOf("a"), entryOf("b", { data: { of: "b" } })];
      await commitOne(engine, creates(a));
      const last = await commitOne(engine, creates(b));
      const { entries, head, contexts } = await engine.load(["b", "none", "a", "b"], true);
      equal(entries.map(content), [b, undefined, a, b].map(content), "the entries");
      equal([head, contexts], [last, 2], "head and number of contexts");
    },
  },
  {
    name: "load tells wall time and a lease time that does not go back",
    async check(ground) {
      const engine = await ground.open();
      const { time: first } = await engine.load([]);
      const { time: second } = await engine.load(["a"]);
      holds(first.wallMs > Date.UTC(2000, 0), "wall time is in milliseconds since 1970", first);
      holds(second.leaseMs >= first.leaseMs, "lease time goes on", [first, second]);
    },
  },
  {
    name: "every commit gets a higher revision, which its entries carry",
    async check(ground) {
      const engine = await ground.open();
      let entry = entryOf("a");
      const revisions = [await commitOne(engine, creates(entry))];
      for (let step = 0; step < 5; step++) {
        entry = nextOf((await loadOne(engine, "a")) ?? entry);
        revisions.push(await commitOne(engine, replaces(entry, revisions.at(-1) ?? 0)));
        equal((await loadOne(engine, "a"))?.revision, revisions.at(-1), "the revision of the entry");
      }
      const rising = revisions.every((revision, index) => index === 0 || revision > (revisions[index - 1] ?? 0));
      holds(rising && (revisions[0] ?? 0) > 0, "revisions rise, from 1 up", revisions);
    },
  },
  {
    name: "an entry at another revision than expected is a mismatch and changes nothing",
    async check(ground) {
      const engine = await ground.open();
      const entry = entryOf("a");
      const revision = await commitOne(engine, creates(entry));
      const attempts = [
        transactionOf(creates(entryOf("a", { data: { by: "somebody else" } }))),
        transactionOf(replaces(nextOf(entry), revision + 1)),
        transactionOf(replaces(nextOf(entry), 0)),
        transactionOf(replaces(entryOf("b"), revision)),
        transactionOf(deletes("a", revision + 1)),
        transactionOf(checks("a", 0)),
      ];
      for (const attempt of attempts) {
        equal(kindsOf(await engine.commit([attempt])), ["mismatch"], `what becomes of ${JSON.stringify(attempt)}`);
      }
      const { entries, head } = await engine.load(["a", "b"]);
      equal([entries.map(content), head], [[content(entry), undefined], revision], "the store after mismatches");
      equal((await logSince(engine)).length, 1, "the number of changes in the log");
    },
  },
  {
    name: "a transaction over several contexts is one revision",
    async check(ground) {
      const engine = await ground.open();
      const revision = await commitOne(engine, creates(entryOf("a")), creates(entryOf("b")));
      const { entries } = await engine.load(["a", "b"]);
      equal(
        entries.map((entry) => entry?.revision),
        [revision, revision],
        "the revisions of both entries",
      );
    },
  },
  {
    name: "when one write of a transaction is a mismatch, none of them happens",
    async check(ground) {
      const engine = await ground.open();
      const a = entryOf("a");
      const revision = await commitOne(engine, creates(a));
      const torn = [
        transactionOf(creates(entryOf("b")), replaces(nextOf(a), revision + 7)),
        transactionOf(replaces(nextOf(a), revision), creates(entryOf("a"))),
        transactionOf(deletes("a", revision), checks("b", revision)),
      ];
      for (const one of torn) equal(kindsOf(await engine.commit([one])), ["mismatch"], "the outcome");
      const { entries } = await engine.load(["a", "b"]);
      equal(entries.map(content), [content(a), undefined], "both contexts afterwards");
      equal(await engine.history("a"), [], "the history of the first one");
    },
  },
  {
    name: "a write without a next entry is only a check",
    async check(ground) {
      const engine = await ground.open();
      const a = entryOf("a");
      const read = await commitOne(engine, creates(a));
      const written = await commitOne(engine, checks("a", read), checks("none", 0), creates(entryOf("b")));
      equal(content(await loadOne(engine, "a")), content(a), "what was only checked");
      equal((await loadOne(engine, "none")) ?? null, null, "what was checked to be absent");
      equal((await loadOne(engine, "b"))?.revision, written, "what was written");
      const stale = transactionOf(checks("a", written), creates(entryOf("c")));
      equal(kindsOf(await engine.commit([stale])), ["mismatch"], "a check that fails");
      equal(await loadOne(engine, "c"), undefined, "what would have been written with it");
    },
  },
  {
    name: "independent transactions of one commit each have their own outcome, in their order",
    async check(ground) {
      const engine = await ground.open();
      const taken = transactionOf(creates(entryOf("a", {}, 1)));
      const outcomes = await engine.commit([
        transactionOf(creates(entryOf("a", {}, 0))),
        taken,
        transactionOf(creates(entryOf("b", {}, 2))),
      ]);
      equal(kindsOf(outcomes), ["ok", "mismatch", "ok"], "the outcomes");
      const { entries } = await engine.load(["a", "b"]);
      const told = outcomes.map((outcome) => (outcome.kind === "ok" ? outcome.revision : 0));
      equal(
        entries.map((entry) => entry?.revision),
        [told[0], told[2]],
        "the revisions of the entries",
      );
      holds((told[2] ?? 0) > (told[0] ?? 0), "the later one has the higher revision", told);
    },
  },
  {
    name: "commits that are under way at once do not get into each other's way",
    async check(ground) {
      const engine = await ground.open();
      const ids = ["a", "b", "c"];
      let entries = ids.map((id) => entryOf(id));
      const first = await Promise.all(entries.map((entry) => commitOne(engine, creates(entry))));
      entries = entries.map((entry) => nextOf(entry));
      const committed = entries.map((entry, at) => commitOne(engine, replaces(entry, first[at] ?? 0)));
      const second = await Promise.all(committed);
      equal(new Set([...first, ...second]).size, 6, "the number of revisions");
      const { entries: found } = await engine.load(ids);
      equal(found.map(content), entries.map(content), "the entries");
      equal(
        found.map((entry) => entry?.revision),
        second,
        "their revisions",
      );
      const told = await logSince(engine);
      const updated = new Map(
        told.filter(({ kind }) => kind === "updated").map(({ contextId, revision }) => [contextId, revision]),
      );
      const logged = ids.map((id) => updated.get(id));
      equal(logged, second, "what the log has of them");
    },
  },
  {
    name: "a deleted context is gone, and can be created again",
    async check(ground) {
      const engine = await ground.open();
      const first = await commitOne(engine, creates(entryOf("a")));
      const deletion = await commitOne(engine, deletes("a", first));
      const { entries, contexts } = await engine.load(["a"], true);
      equal([entries, contexts], [[undefined], 0], "the context after its deletion");
      const again = await commitOne(engine, creates(entryOf("a")));
      holds(first < deletion && deletion < again, "each has a revision of its own", [first, deletion, again]);
      equal((await loadOne(engine, "a"))?.incarnation, again, "its incarnation");
    },
  },
  {
    name: "a clear removes every context, is one change, and revisions go on",
    async check(ground) {
      const engine = await ground.open();
      await commitOne(engine, creates(entryOf("a")));
      const before = await commitOne(engine, creates(entryOf("b")));
      const [cleared = 0] = await commitAll(engine, clearing());
      const { entries, contexts, head } = await engine.load(["a", "b"], true);
      equal([entries, contexts, head], [[undefined, undefined], 0, cleared], "the store after a clear");
      const after = await commitOne(engine, creates(entryOf("a")));
      holds(before < cleared && cleared < after, "no revision is used again", [before, cleared, after]);
      const told = (await logSince(engine)).map(({ kind, contextId }) => [kind, contextId]);
      equal(
        told.slice(2),
        [
          ["cleared", null],
          ["created", "a"],
        ],
        "what the log tells of it",
      );
    },
  },
  {
    name: "a call after close is refused or answered, and closing twice does no harm",
    async check(ground) {
      const engine = await ground.open();
      await commitOne(engine, creates(entryOf("a")));
      await engine.close();
      await engine.close();
      // It must not hang.
      await engine.load(["a"]).catch(() => undefined);
    },
  },
];
