/** Transactions as one compare-and-set: the same outcomes as one by one, whatever is believed at first. */

import { describe, expect, it } from "vitest";
import { placeholder } from "../src/engine.ts";
import { type Batch, commitTogether } from "../src/engines/batch.ts";
import { decodeLines, decodeStored } from "../src/engines/lines.ts";
import type { Entry } from "../src/entry.ts";
import { checks, creates, deletes, entryOf, kindsOf, nextOf, replaces, transactionOf } from "../src/testing/entries.ts";

const HISTORY = 4;

/** A storage that has these revisions, and says what it was asked for. */
function storageOf(stored: Map<string, number>, head: number) {
  const batches: Batch[] = [];
  const attempt = (batch: Batch) => {
    batches.push(batch);
    const revisions = batch.steps.map(({ id }) => stored.get(id) ?? 0);
    const fits = batch.steps.every(({ expect: wanted }, at) => wanted === undefined || wanted === revisions[at]);
    return Promise.resolve(fits ? ({ kind: "done", base: head } as const) : ({ kind: "found", revisions } as const));
  };
  return { batches, attempt };
}

describe("a batch", () => {
  it("asks once when all is as it is believed to be", async () => {
    const { batches, attempt } = storageOf(new Map([["a", 5]]), 9);
    const a = nextOf(entryOf("a"), { incarnation: 5 });
    const again = nextOf(a, {}, 1);
    const outcomes = await commitTogether(
      [transactionOf(replaces(a, 5)), transactionOf(replaces(again, placeholder(0)), creates(entryOf("b", {}, 1)))],
      HISTORY,
      attempt,
    );
    expect(outcomes).toEqual([
      { kind: "ok", revision: 10 },
      { kind: "ok", revision: 11 },
    ]);
    expect([a.revision, again.revision, again.incarnation]).toEqual([10, 11, 5]);
    const [{ count, steps, lines } = { count: 0, steps: [], lines: undefined }] = batches;
    expect([batches.length, count, lines?.logged]).toEqual([1, 2, 4]);
    expect(steps).toMatchObject([
      { id: "a", expect: 5, forgets: false, keepsStored: true, between: [{ rank: 1 }], last: { rank: 2 } },
      { id: "b", expect: 0, forgets: false, keepsStored: false, between: [], last: { rank: 2 } },
    ]);
  });

  it("comes once more with what still fits, under numbers without a gap", async () => {
    const { batches, attempt } = storageOf(new Map([["a", 5]]), 9);
    const b = entryOf("b", {}, 2);
    const transactions = [
      transactionOf(replaces(nextOf(entryOf("a")), 4)),
      transactionOf(replaces(nextOf(entryOf("a"), {}, 1), placeholder(0))),
      transactionOf(creates(b)),
    ];
    expect(kindsOf(await commitTogether(transactions, HISTORY, attempt))).toEqual(["mismatch", "mismatch", "ok"]);
    expect([b.revision, b.incarnation]).toEqual([10, 10]);
    const [first, second] = batches;
    expect([batches.length, first?.count, second?.count]).toEqual([2, 3, 1]);
    const { texts = [] } = second?.lines ?? {};
    const [logged] = decodeLines(10, texts);
    expect(logged?.changes[0]).toMatchObject({ revision: 10, entry: { revision: 10, incarnation: 10 } });
    expect(decodeStored("b", texts[1] ?? "", 10)).toMatchObject({ revision: 10, incarnation: 10 });
  });

  it("does not wait for what nothing depends on, however often it changes", async () => {
    const stored = new Map([["hot", 7]]);
    const { batches, attempt } = storageOf(stored, 9);
    const restless = (batch: Batch) => {
      stored.set("hot", (stored.get("hot") ?? 0) + 1);
      return attempt(batch);
    };
    const transactions = [
      transactionOf(checks("hot", 7), deletes("b", 0)),
      transactionOf(creates(entryOf("c", {}, 1))),
    ];
    expect(kindsOf(await commitTogether(transactions, HISTORY, restless))).toEqual(["mismatch", "ok"]);
    expect(batches.length).toBe(2);
    expect(batches[1]?.steps.map(({ id }) => id)).toEqual(["c"]);
  });

  it("that is cut off leaves those in doubt that may have happened, and no others", async () => {
    const cause = new Error("cut");
    const transactions = [
      transactionOf(creates(entryOf("a"))),
      transactionOf(replaces(entryOf("a", {}, 1), placeholder(5))),
    ];
    const outcomes = await commitTogether(transactions, HISTORY, () => Promise.resolve({ kind: "doubt", cause }));
    expect(outcomes).toEqual([{ kind: "indeterminate", cause }, { kind: "mismatch" }]);
  });

  it("keeps no more versions than it is told to, the newest", async () => {
    const { batches, attempt } = storageOf(new Map([["a", 5]]), 9);
    let entry: Entry = entryOf("a");
    const transactions = Array.from({ length: HISTORY + 2 }, (_, index) => {
      entry = nextOf(entry, { incarnation: 5 }, index);
      return transactionOf(replaces(entry, index === 0 ? 5 : placeholder(index - 1)));
    });
    await commitTogether(transactions, HISTORY, attempt);
    const [step] = batches[0]?.steps ?? [];
    expect(step).toMatchObject({ keepsStored: false, last: { rank: 6 } });
    expect(step?.between.map(({ rank }) => rank)).toEqual([2, 3, 4, 5]);
  });

  it("writes after a clear what is left of it, whatever was there", async () => {
    const { batches, attempt } = storageOf(new Map([["a", 5]]), 9);
    const clear = { opId: "clear", writes: [], changes: [], clears: true };
    const transactions = [
      transactionOf(replaces(nextOf(entryOf("a")), 5)),
      clear,
      transactionOf(creates(entryOf("a", {}, 2)), creates(entryOf("b", {}, 2))),
      transactionOf(deletes("a", placeholder(2))),
    ];
    expect(kindsOf(await commitTogether(transactions, HISTORY, attempt))).toEqual(["ok", "ok", "ok", "ok"]);
    expect(batches[0]).toMatchObject({
      clears: true,
      steps: [
        { id: "a", expect: 5, forgets: false, keepsStored: false, last: undefined },
        { id: "b", expect: undefined, forgets: false, keepsStored: false, last: { rank: 3 } },
      ],
    });
  });
});

describe("an item of the log", () => {
  it.each([["{}"], ['["op", 5]'], ['[["op", 5]]'], ['[["op"], 5]'], ["[]"], ["5"], ["null"], ["no JSON"]])(
    "that begins with %s is CORRUPT",
    (line) => {
      expect(() => decodeLines(3, [line])).toThrow(/revision 3 of the change log/);
    },
  );

  it("is read as earlier versions wrote it, with a line of each transaction before its entries", () => {
    const entry = (revision: number): string => JSON.stringify(["1", { a: 1 }, 5, 5, null, null, revision, revision]);
    const lines = [
      '["op-1",["created","a",null,null,1],["created","b","ann","why",2]]',
      entry(-1),
      entry(-1),
      '["op-2"]',
      '["op-3",["deleted","a",null,null,0],["created","c",null,null,1]]',
      entry(-3),
      "",
    ];
    const told = decodeLines(7, lines).map(({ revision, opId, changes }) => [
      revision,
      opId,
      ...changes.map(({ kind, contextId, agentId, entry: after }) => [kind, contextId, agentId, after?.revision]),
    ]);
    expect(told).toEqual([
      [7, "op-1", ["created", "a", null, 7], ["created", "b", "ann", 7]],
      [8, "op-2"],
      [9, "op-3", ["deleted", "a", null, undefined], ["created", "c", null, 9]],
    ]);
  });
});
