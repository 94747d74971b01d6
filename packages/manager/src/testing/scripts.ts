/** Sentences of the specification as calls, for every manager that does what the synchronous one does. */

import type { SharedContext } from "../context.ts";
import { ContextError } from "../errors.ts";
import { LEASE_SCRIPTS } from "./lease-scripts.ts";
import { inTurn, type Script } from "./script.ts";

const WRONG = [undefined, null, 1, {}, [], Symbol.iterator] as never[];

export const SCRIPTS: Readonly<Record<string, Script>> = {
  ...LEASE_SCRIPTS,
  'create makes version "1", and refuses an id that is taken': function* (m) {
    yield () => m.create("a", { step: 1 });
    yield () => m.create("a", { step: 2 });
    yield () => m.get("a");
  },
  "get gives the context, or undefined, and locks do not block it": function* (m) {
    yield () => m.get("a");
    yield () => m.create("a", {});
    yield () => m.lock("a", "ann");
    yield () => m.get("a");
  },
  "update is refused with NOT_FOUND, LOCKED and CONFLICT, in this order": function* (m) {
    yield () => m.update("a", {}, "1");
    yield () => m.create("a", {});
    yield () => m.update("a", { step: 2 }, "1");
    yield () => m.update("a", { step: 3 }, "1");
    yield () => m.lock("a", "ann");
    yield () => m.update("a", { step: 3 }, "1");
  },
  "update by a snapshot tells a context that was created again": async function* (m) {
    const read = await m.create("a", {});
    await m.delete("a");
    await m.create("a", {});
    yield () => m.update("a", { step: 2 }, read);
    yield () => m.update("a", { step: 2 }, read.version);
  },
  "lock and unlock say who has it": function* (m) {
    yield () => m.lock("a", "ann");
    yield () => m.unlock("a", "ann");
    yield () => m.create("a", {});
    yield () => m.unlock("a", "ann");
    yield () => m.lock("a", "ann");
    yield () => m.lock("a", "ann");
    yield () => m.lock("a", "bob");
    yield () => m.unlock("a", "bob");
    yield () => m.unlock("a", "ann");
    yield () => m.get("a");
  },
  "delete says whether there was something, and ignores locks": function* (m) {
    yield () => m.delete("a");
    yield () => m.create("a", {});
    yield () => m.delete("a", "7");
    yield () => m.lock("a", "ann");
    yield () => m.delete("a", "1");
    yield () => m.get("a");
  },
  "forceUnlock breaks any lock and says whether there was one": function* (m) {
    yield () => m.forceUnlock("a", { reason: "test" });
    yield () => m.create("a", {});
    yield () => m.forceUnlock("a", { reason: "test" });
    yield () => m.lock("a", "ann");
    yield () => m.forceUnlock("a", { reason: "test", agentId: "operator" });
    yield () => m.get("a");
  },
  "listContexts has the order of creation, and clear removes all": function* (m) {
    for (const id of ["b", "a", "c"]) yield () => m.create(id, {});
    yield () => m.delete("b");
    yield () => m.create("b", {});
    yield () => m.listContexts();
    yield () => m.clear();
    yield () => m.listContexts();
  },
  "agents write in their own name, also past their own locks, and are stopped by those of others": function* (m) {
    const [ann, bob] = [m.agent("ann"), m.agent("bob")];
    yield () => ann.create("a", { step: 1 }, { note: "first" });
    yield () => ann.lock("a");
    yield () => ann.update("a", { step: 2 }, "1", { note: "second" });
    yield () => bob.update("a", { step: 3 }, "2");
    yield () => bob.patch("a", { step: 3 });
    yield () => bob.delete("a");
    yield () => bob.lock("a");
    yield () => bob.unlock("a");
    yield () => ann.unlock("a");
    yield () => bob.delete("a", "2");
  },
  "patch changes what it names and conflicts by path": async function* (m) {
    const ann = m.agent("ann");
    const base = await ann.create("a", { left: 1, right: 1, list: [] });
    yield () => ann.patch("a", { left: 2 });
    yield () => ann.patch("a", { right: 2 }, base);
    yield () => ann.patch("a", { left: 3 }, base);
    yield () => ann.patch("a", { left: 3 }, "1");
    yield () => ann.patch("a", [{ op: "append", path: "/list", value: 1 }], base);
    yield () => ann.patch("a", [{ op: "increment", path: "/right", value: 5 }]);
    yield () => ann.patch("a", [{ op: "increment", path: "/list", value: 5 }]);
    yield () => ann.patch("a", {});
    yield () => ann.patch("none", {});
  },
  "merge puts two edits together, and says where they overlap": async function* (m) {
    const [ann, bob] = [m.agent("ann"), m.agent("bob")];
    const base = await ann.create("a", {
      tasks: [
        { id: 1, by: "" },
        { id: 2, by: "" },
      ],
    });
    yield () =>
      ann.merge(base, {
        tasks: [
          { id: 1, by: "ann" },
          { id: 2, by: "" },
        ],
      });
    yield () =>
      bob.merge(base, {
        tasks: [
          { id: 1, by: "" },
          { id: 2, by: "bob" },
        ],
      });
    yield () =>
      bob.merge(base, {
        tasks: [
          { id: 1, by: "bob" },
          { id: 2, by: "" },
        ],
      });
  },
  "modify writes what its function returns": function* (m) {
    const ann = m.agent("ann");
    yield () => ann.modify("a", ({ data }) => data);
    yield () => ann.create("a", { step: 1 });
    yield () => ann.modify("a", ({ data }) => ({ step: Number(data["step"]) + 1 }), { note: "next" });
    yield () => ann.modify("a", ({ data }) => Promise.resolve({ step: Number(data["step"]) + 1 }));
  },
  "modify writes nothing once its signal has aborted": async function* (m) {
    const ann = m.agent("ann");
    await m.create("a", { step: 1 });
    const enough = new ContextError("CLOSED", { agentId: "enough" });
    for (const data of [{ step: 2 }, Promise.resolve({ step: 3 })]) {
      const stop = new AbortController();
      const change = (): typeof data => (stop.abort(enough), data);
      yield () => ann.modify("a", change, { signal: stop.signal });
      yield () => ann.modify("a", change, { signal: stop.signal });
      yield () => m.get("a");
    }
  },
  "restore writes an old version anew": async function* (m) {
    const ann = m.agent("ann");
    yield () => ann.restore("a", "1");
    const context = await ann.create("a", { step: 1 });
    await ann.update("a", { step: 2 }, context);
    yield () => ann.restore("a", "1", { note: "back" });
    yield () => ann.restore("a", "3");
    yield () => ann.restore("a", "9");
  },
  "history and blame say who wrote what": async function* (m) {
    yield () => m.history("a");
    yield () => m.blame("a");
    const context = await m.agent("ann").create("a", { step: 1, by: "ann" });
    await m.agent("bob").update("a", { step: 2, by: "ann" }, context, { note: "on" });
    yield () => m.history("a");
    yield () => m.blame("a");
    await m.delete("a");
    await m.create("a", {});
    yield () => m.history("a");
  },
  "transact commits all of it or nothing, and its refusals are those of the methods": async function* (m) {
    const ann = m.agent("ann");
    for (const id of ["a", "b"]) await m.create(id, { credits: 10 });
    yield () =>
      ann.transact((tx) =>
        inTurn([
          () => tx.update("a", { credits: 0 }, "1", { note: "pay" }),
          () => tx.patch("b", [{ op: "increment", path: "/credits", value: 10 }]),
          () => tx.create("receipt", { credits: 10 }),
          () => tx.get("none"),
          () => "paid",
        ]),
      );
    yield () => ann.transact((tx) => inTurn([() => tx.delete("a"), () => tx.create("b", {})]));
    yield () => ann.transact((tx) => inTurn([() => tx.delete("a"), () => tx.update("b", {}, "9")]));
    yield () => ann.transact((tx) => tx.update("none", {}));
    yield () => ann.transact((tx) => tx.delete("none"));
    await m.lock("b", "bob");
    yield () => ann.transact((tx) => inTurn([() => tx.delete("a"), () => tx.patch("b", {})]));
    yield () => ann.transact((tx) => inTurn([() => tx.delete("a"), () => tx.create("a", { again: true })]));
    for (const id of ["a", "b", "receipt"]) yield () => m.history(id);
  },
  "what a transaction has not committed is no version to go on from": async function* (m) {
    const [ann, bob] = [m.agent("ann"), m.agent("bob")];
    await m.create("a", { step: 1 });
    let written: unknown;
    const write = (tx: { patch: typeof ann.patch }): unknown => (written = tx.patch("a", { by: "ann" }));
    yield () => ann.transact((tx) => inTurn([() => write(tx), () => tx.create("a", {})]));
    await bob.patch("a", { by: "bob" });
    const undone = (await written) as SharedContext;
    yield () => m.update("a", {}, undone);
    yield () => ann.patch("a", { step: 2 }, undone);
    yield () => ann.merge(undone, {});
    yield () => ann.delete("a", undone);
    yield () => m.get("a");
    await ann.transact((tx) => inTurn([() => write(tx)]));
    const done = (await written) as SharedContext;
    yield () => m.update("a", { step: 2 }, done);
    yield () => m.update("a", { step: 3 }, done);
  },
  "an agent that closes gives back what it holds, and acts no more": async function* (m) {
    const ann = m.agent("ann");
    for (const id of ["a", "b", "c"]) await m.create(id, {});
    await ann.lock("a");
    await ann.acquire("c");
    await m.lock("b", "bob");
    yield () => ann.close();
    yield () => ann.close();
    yield () => ann.patch("a", {});
    for (const id of ["a", "b", "c"]) yield async () => (await m.get(id))?.lockedBy;
  },
  "the dictionary has everything": async function* (m) {
    await m.agent("ann").create("b", { step: 1 }, { note: "first" });
    await m.create("a", {});
    await m.lock("a", "ann");
    yield () => m.toDict();
    yield async () => (await m.stats()).contexts;
  },
  "wrong arguments are INVALID before anything is looked up": function* (m) {
    const ann = m.agent("ann");
    for (const wrong of WRONG) {
      yield () => m.create(wrong, {});
      yield () => m.get(wrong);
      yield () => m.delete(wrong);
      yield () => m.lock(wrong, "ann");
      yield () => m.lock("none", wrong);
      yield () => m.unlock("none", wrong);
      yield () => m.history(wrong);
      yield () => m.blame(wrong);
      yield () => m.forceUnlock(wrong, { reason: "test" });
      yield () => ann.restore("none", wrong);
      yield () => ann.merge(wrong, {});
      yield () => ann.modify("none", wrong);
      yield () => ann.transact(wrong);
      yield () => ann.acquire(wrong);
    }
    for (const wrong of [undefined, null, 1, "text", []] as never[]) {
      yield () => m.create("none", wrong);
      yield () => m.update("none", wrong, "1");
      yield () => ann.merge(wrong, wrong);
    }
    yield () => m.update("none", {}, 1 as never);
    yield () => m.lock("none", "ann", { ttlMs: 0 });
    yield () => ann.create("none", {}, { note: 1 as never });
    yield () => ann.acquire("none", { timeoutMs: -1 });
    yield () => m.waitFor("none", 1 as never);
    yield () => m.create("none", { wrong: new Date(0) as never });
  },
};
