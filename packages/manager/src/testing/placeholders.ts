/** Transactions that build on one another in one round trip. */

import type { Entry } from "../entry.ts";
import { placeholder, type Transaction } from "../engine.ts";
import { equal } from "./assert.ts";
import {
  commitAll,
  commitOne,
  content,
  creates,
  entryOf,
  kindsOf,
  loadOne,
  nextOf,
  replaces,
  transactionOf,
} from "./entries.ts";
import type { Claim } from "./case.ts";
import type { EngineGround } from "./harness.ts";

const lock = { owner: "ann", token: placeholder(0), sinceMs: 1, expiresAtMs: 2, deadlineMs: 3 };

/** A context created by the first transaction and updated by each of the others. */
function chain(id: string, length: number, from = 0): { transactions: Transaction[]; last: Entry } {
  let last = entryOf(id, {}, from);
  const transactions = [transactionOf(creates(last))];
  for (let index = from + 1; index < from + length; index++) {
    const next = nextOf(last, {}, index);
    transactions.push(transactionOf(replaces(next, placeholder(index - 1))));
    last = next;
  }
  return { transactions, last };
}

export const placeholders: readonly Claim<EngineGround>[] = [
  {
    name: "stand for the revision of the commit, in revision, incarnation and token",
    async check(ground) {
      const engine = await ground.open();
      await commitOne(engine, creates(entryOf("before")));
      const entry = entryOf("a", { lock: { ...lock } });
      const revision = await commitOne(engine, creates(entry));
      const stored = await loadOne(engine, "a");
      equal([stored?.revision, stored?.incarnation, stored?.lock?.token], [revision, revision, revision], "as stored");
    },
  },
  {
    name: "are settled in the entries that were handed in",
    async check(ground) {
      const engine = await ground.open();
      const entry = entryOf("a", { lock: { ...lock } });
      const revision = await commitOne(engine, creates(entry));
      equal([entry.revision, entry.incarnation, entry.lock?.token], [revision, revision, revision], "as handed in");
    },
  },
  {
    name: "leave a token and an incarnation from before as they are",
    async check(ground) {
      const engine = await ground.open();
      const entry = entryOf("a", { lock: { ...lock } });
      const first = await commitOne(engine, creates(entry));
      const second = await commitOne(engine, replaces(nextOf(entry), first));
      const stored = await loadOne(engine, "a");
      equal([stored?.revision, stored?.incarnation, stored?.lock?.token], [second, first, first], "as stored");
    },
  },
  {
    name: "let transactions of one commit build on one another",
    async check(ground) {
      const engine = await ground.open();
      const { transactions } = chain("a", 5);
      const revisions = await commitAll(engine, ...transactions);
      const stored = await loadOne(engine, "a");
      equal([stored?.version, stored?.data], ["5", { step: 5 }], "the context after five transactions");
      equal([stored?.revision, stored?.incarnation], [revisions[4], revisions[0]], "its revision and incarnation");
      const kept = (await engine.history("a")).map(({ version, revision }) => [version, revision]);
      equal(
        kept,
        revisions.slice(0, 4).map((revision, index) => [String(index + 1), revision]),
        "its history",
      );
    },
  },
  {
    name: "refer to the place in the commit, also past transactions that did not happen",
    async check(ground) {
      const engine = await ground.open();
      await commitOne(engine, creates(entryOf("taken")));
      const { transactions } = chain("a", 3, 1);
      const outcomes = await engine.commit([transactionOf(creates(entryOf("taken"))), ...transactions]);
      equal(kindsOf(outcomes), ["mismatch", "ok", "ok", "ok"], "the outcomes");
      const stored = await loadOne(engine, "a");
      const [, first, , third] = outcomes.map((outcome) => (outcome.kind === "ok" ? outcome.revision : 0));
      equal([stored?.version, stored?.revision, stored?.incarnation], ["3", third, first], "the context");
    },
  },
  {
    name: "fall together: what builds on a mismatch is one",
    async check(ground) {
      const engine = await ground.open();
      const taken = entryOf("a");
      await commitOne(engine, creates(taken));
      const { transactions } = chain("a", 3);
      const outcomes = await engine.commit([...transactions, transactionOf(creates(entryOf("b", {}, 3)))]);
      equal(kindsOf(outcomes), ["mismatch", "mismatch", "mismatch", "ok"], "the outcomes");
      equal(content(await loadOne(engine, "a")), content(taken), "the context that was there");
      equal(await engine.history("a"), [], "its history");
    },
  },
  {
    name: "fall together across contexts",
    async check(ground) {
      const engine = await ground.open();
      await commitOne(engine, creates(entryOf("a")));
      const outcomes = await engine.commit([
        transactionOf(creates(entryOf("a"))),
        transactionOf({ id: "a", expect: placeholder(0), next: undefined, keeps: false }, creates(entryOf("b", {}, 1))),
      ]);
      equal(kindsOf(outcomes), ["mismatch", "mismatch"], "the outcomes");
      equal(await loadOne(engine, "b"), undefined, "what was to be written on the strength of the other");
    },
  },
];
