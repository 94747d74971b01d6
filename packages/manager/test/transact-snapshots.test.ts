/** What a transaction has written is nobody's to go on from before it is committed: its snapshots are held to that. */

import { type AnySharedContext, openManager, SharedContextManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { refusal, refusalOf } from "./support.ts";

const NOT_COMMITTED = "a snapshot of what has been committed";

describe("a snapshot of a transaction", () => {
  it("is no version to go on from when that was not committed", () => {
    const manager = new SharedContextManager({ historyLimit: 9 });
    const [ann, bob] = [manager.agent("ann"), manager.agent("bob")];
    manager.create("p", { n: 0 });
    let mine: AnySharedContext | undefined;
    const fail = (): void =>
      ann.transact((tx) => {
        mine = tx.patch("p", { mine: 1 });
        throw new Error("not so");
      });
    expect(fail).toThrow("not so");
    const given = mine as unknown as AnySharedContext;
    bob.patch("p", { theirs: 1 }); // at the same version
    for (const use of [
      () => manager.update("p", { ...given.data, more: 1 }, given),
      () => ann.update("p", { ...given.data, more: 1 }, given),
      () => ann.patch("p", { more: 1 }, given),
      () => ann.delete("p", given),
      () => manager.delete("p", given),
      () => ann.transact((tx) => tx.update("p", {}, given)),
    ]) {
      expect(refusal("INVALID", use).details).toMatchObject({ argument: "expected", expected: NOT_COMMITTED });
    }
    expect(refusal("INVALID", () => ann.merge(given, { n: 1 })).details).toMatchObject({
      argument: "base",
      expected: NOT_COMMITTED,
    });
    expect(manager.get("p")?.data).toEqual({ n: 0, theirs: 1 });
  });

  it("is none when the same transaction has written again; of what is committed, it is", () => {
    const manager = new SharedContextManager();
    const ann = manager.agent("ann");
    manager.create("p", { n: 0 });
    const [first, last] = ann.transact((tx) => {
      const one = tx.patch("p", { n: 1 });
      const two = tx.update("p", { ...one.data, k: 1 }, one);
      refusal("INVALID", () => tx.update("p", {}, one));
      return [one, two];
    });
    refusal("INVALID", () => ann.update("p", { n: 2 }, first));
    expect(ann.update("p", { ...last.data, n: 2 }, last).data).toEqual({ n: 2, k: 1 });
    refusal("CONFLICT", () => ann.update("p", {}, last));
  });

  it("tells a context from one that was created again under its id", () => {
    const manager = new SharedContextManager();
    const ann = manager.agent("ann");
    const created = ann.transact((tx) => tx.create("p", { n: 1 }));
    manager.delete("p");
    manager.create("p", { other: 1 });
    expect(refusal("CONFLICT", () => ann.update("p", { n: 2 }, created)).details.recreated).toBe(true);
    refusal("CONFLICT", () => ann.delete("p", created));
  });
});

describe("a snapshot of an asynchronous transaction", () => {
  it("is no version to go on from when that was not committed", async () => {
    await using manager = await openManager("memory:", { historyLimit: 9 });
    const [ann, bob] = [manager.agent("ann"), manager.agent("bob")];
    await manager.create("p", { n: 0 });
    let mine: AnySharedContext | undefined;
    const failed = ann.transact(async (tx) => {
      mine = await tx.patch("p", { mine: 1 });
      throw new Error("not so");
    });
    await expect(failed).rejects.toThrow("not so");
    const given = mine as unknown as AnySharedContext;
    await bob.patch("p", { theirs: 1 });
    for (const use of [
      () => manager.update("p", { ...given.data, more: 1 }, given),
      () => ann.patch("p", { more: 1 }, given),
      () => ann.delete("p", given),
      () => ann.transact((tx) => tx.update("p", {}, given)),
      () => ann.merge(given, { n: 1 }),
    ]) {
      expect((await refusalOf("INVALID", use())).details.expected).toBe(NOT_COMMITTED);
    }
    expect((await manager.get("p"))?.data).toEqual({ n: 0, theirs: 1 });
  });

  it("is none when the same transaction has written again; of what is committed, it is", async () => {
    await using manager = await openManager("memory:");
    const ann = manager.agent("ann");
    await manager.create("p", { n: 0 });
    const [first, last] = await ann.transact(async (tx) => {
      const one = await tx.patch("p", { n: 1 });
      const two = await tx.update("p", { ...one.data, k: 1 }, one);
      await refusalOf("INVALID", tx.update("p", {}, one));
      return [one, two];
    });
    expect(last?.revision).toBeUndefined();
    await refusalOf("INVALID", ann.update("p", { n: 2 }, first as AnySharedContext));
    const { data } = last as AnySharedContext;
    expect((await ann.update("p", { ...data, n: 2 }, last as AnySharedContext)).data).toEqual({ n: 2, k: 1 });
  });

  it("tells a context from one that was created again under its id", async () => {
    await using manager = await openManager("memory:");
    const ann = manager.agent("ann");
    const created = await ann.transact((tx) => tx.create("p", { n: 1 }));
    await manager.delete("p");
    await manager.create("p", { other: 1 });
    expect((await refusalOf("CONFLICT", ann.update("p", { n: 2 }, created))).details.recreated).toBe(true);
  });
});
