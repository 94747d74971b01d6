/** What goes in comes out. */

import { settle } from "../engine.ts";
import type { Chains } from "../increments.ts";
import { equal, holds } from "./assert.ts";
import {
  commitAll,
  commitOne,
  content,
  creates,
  entryOf,
  listed,
  loadOne,
  logSince,
  transactionOf,
} from "./entries.ts";
import type { Claim } from "./case.ts";
import type { EngineGround } from "./harness.ts";

/** What storages take for something else: quotes, patterns, case, the longest ids, and characters beyond 16 bits. */
const IDS: readonly string[] = [
  "a",
  "A",
  " a",
  "a ",
  "1",
  "01",
  "%",
  "_",
  "a%",
  "*",
  "?",
  "[a]",
  "'",
  '"',
  "`",
  "\\",
  "'; DROP TABLE contexts; --",
  "{curly}",
  "a:b",
  "a/b",
  "\n",
  "\u0001",
  "\u007f",
  "__proto__",
  "constructor",
  "null",
  "é",
  "e\u0301",
  "ß",
  "İ",
  "\uffff",
  "𝒳",
  "🤖",
  "🤖🤖",
  "x".repeat(512),
  "é".repeat(256),
  "🤖".repeat(128),
];

const DATA = {
  text: "\u0000 \u2028 \\ \" ' % é 🤖",
  numbers: [0, -1, 0.1, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, 1.7976931348623157e308],
  nothing: [null, true, false, "", {}, []],
  "": { "a/b~c": { "": "" } },
  nested: { list: [{ id: 1, tags: ["x"] }, { id: 2 }] },
};

const CHAINS: Chains = new Map([["/count", { since: "1", from: 0, to: 3, tokens: ["count"] }]]);

export const storing: readonly Claim<EngineGround>[] = [
  {
    name: "ids are any well-formed text of 1 to 512 bytes, and no two are the same",
    async check(ground) {
      const engine = await ground.open();
      await commitAll(engine, ...IDS.map((id, index) => transactionOf(creates(entryOf(id, { data: { id } }, index)))));
      const { entries, contexts } = await engine.load(IDS, true);
      equal(
        entries.map((entry) => entry?.data),
        IDS.map((id) => ({ id })),
        "the contexts by their ids",
      );
      equal(
        entries.map((entry) => entry?.contextId),
        IDS,
        "the ids that entries carry",
      );
      equal(contexts, IDS.length, "the number of contexts");
      equal(
        (await listed(engine)).map(({ contextId }) => contextId),
        IDS,
        "the list",
      );
      equal(
        (await logSince(engine)).map(({ contextId }) => contextId),
        IDS,
        "the change log",
      );
    },
  },
  {
    name: "an entry comes back with all its parts",
    async check(ground) {
      const engine = await ground.open();
      const locked = { owner: "ann", token: 1, sinceMs: 1_700_000_000_000, expiresAtMs: null, deadlineMs: null };
      const full = entryOf("a", {
        version: "41",
        data: DATA,
        createdAtMs: 1_700_000_000_000,
        updatedAtMs: 1_700_000_000_123,
        updatedBy: "ann",
        note: 'because "it" was wrong',
        lock: locked,
        chains: CHAINS,
      });
      const leased = entryOf("b", { lock: { ...locked, expiresAtMs: 1_700_000_030_000, deadlineMs: 30_000.25 } });
      const copies = structuredClone([full, leased]);
      const revision = await commitOne(engine, creates(full), creates(leased));
      for (const copy of copies) settle(copy, [revision]);
      const fresh = engine.supports.durable ? await ground.openAgain(engine) : engine;
      for (const reader of [engine, fresh]) {
        const { entries } = await reader.load(["a", "b"]);
        equal(entries.map(content), copies.map(content), "the entries");
      }
    },
  },
  {
    name: "the change log tells who, why, and the context after it",
    async check(ground) {
      const engine = await ground.open();
      const entry = entryOf("a", { data: DATA, updatedBy: "ann", note: "first" });
      const transaction = transactionOf(creates(entry));
      const [revision] = await commitAll(engine, transaction);
      const [change] = await logSince(engine);
      const { entry: logged, ...about } = change ?? { entry: null };
      const { opId } = transaction;
      equal(about, { revision, opId, kind: "created", contextId: "a", agentId: "ann", note: "first" }, "the change");
      equal(content(logged ?? undefined), content(entry), "its entry");
    },
  },
  {
    name: "large data and many writes at once are no trouble",
    async check(ground) {
      const engine = await ground.open();
      const text = "0123456789abcdef🤖".repeat(15_000);
      await commitOne(engine, creates(entryOf("large", { data: { text } })));
      equal((await loadOne(engine, "large"))?.data, { text }, "the large data");
      const ids = Array.from({ length: 300 }, (_, index) => `many-${index}`);
      await commitOne(engine, ...ids.map((id) => creates(entryOf(id))));
      const { entries } = await engine.load(ids);
      holds(
        entries.every((entry, index) => entry?.contextId === ids[index]),
        "300 contexts of one transaction are there",
      );
    },
  },
];
