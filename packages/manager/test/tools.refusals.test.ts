/** What the tools make of refusals that come seldom: each is a result that says how to go on. */

import { setTimeout as sleep } from "node:timers/promises";
import {
  ContextError,
  type ErrorCode,
  type ErrorDetails,
  type JsonObject,
  type Lease,
  SharedContextManager,
} from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { type ContextTools, contextTools, type ToolsManager } from "shared-context-manager/tools";

type Broken = Partial<Pick<ToolsManager, "get" | "stats" | "agent">> & { readonly list?: () => Iterator<never> };

/** Tools on a manager of which a part fails. */
function broken({ list, ...part }: Broken, manager = new SharedContextManager()): ContextTools {
  const whole: ToolsManager = {
    get: (contextId) => manager.get(contextId),
    agent: (agentId) => manager.agent(agentId),
    history: (contextId) => manager.history(contextId),
    stats: () => manager.stats(),
    waitFor: (contextId, predicate, options) => manager.waitFor(contextId, predicate, options),
    [Symbol.iterator]: list ?? (() => manager[Symbol.iterator]()),
    ...part,
  };
  return contextTools({ manager: whole, agentId: "ann" }, { claims: true });
}

function thrower(error: Error): () => never {
  return () => {
    throw error;
  };
}

const failing = (error: Error): ContextTools => broken({ get: thrower(error) });
const away = new ContextError("UNAVAILABLE", { reason: "no answer" });

describe("a refusal of the storage", () => {
  const refusals: { [Code in ErrorCode]?: { details: ErrorDetails[Code]; next: string } } = {
    INDETERMINATE: { details: { contextIds: ["a"], operationId: "7" }, next: "Read the context and compare" },
    UNAVAILABLE: { details: { reason: "no answer" }, next: "make the same call again" },
    INVALID: {
      details: { argument: "token", path: "", expected: "one with the right to do this", received: "one without" },
      next: "Report the message",
    },
    CORRUPT: { details: { where: "a", reason: "no JSON" }, next: "Do not repeat" },
  };
  it.each(Object.entries(refusals))("%s says what to do", async (code, { details, next }) => {
    const { context_read } = failing(new ContextError(code as "CORRUPT", details as ErrorDetails["CORRUPT"]));
    const result = await context_read.execute({ id: "a" });
    expect(result).toMatchObject({ isError: true, code, next: expect.stringContaining(next) });
  });

  it("is thrown again when it is none", async () => {
    const { context_read } = failing(new TypeError("a mistake in the program"));
    await expect(context_read.execute({ id: "a" })).rejects.toThrow("a mistake in the program");
  });
});

describe("a storage that goes away in the middle of a call", () => {
  it("leaves it that an id is not there, only without those that are", async () => {
    const { context_read } = broken({ list: thrower(away) });
    expect(await context_read.execute({ id: "plan" })).toMatchObject({
      isError: true,
      code: "NOT_FOUND",
      next: expect.stringContaining("context_list"),
    });
  });

  it("leaves it that a claim is granted, only without its version and who waits", async () => {
    const manager = new SharedContextManager();
    manager.create("plan", { step: 1 });
    const { context_claim } = broken({ get: thrower(away), stats: thrower(away) }, manager);
    const result = await context_claim?.execute({ id: "plan" });
    expect(result).toMatchObject({ claimed: true, notices: [] });
    expect(result).not.toHaveProperty("isError");
  });

  it("leaves it that a write has landed, and keeps the claim that it was to release", async () => {
    const manager = new SharedContextManager();
    manager.create("plan", { step: 1 });
    const agent = manager.agent("ann");
    const acquire = agent.acquire.bind(agent);
    let isAway = true;
    agent.acquire = async (...request): Promise<Lease> => {
      const lease = await acquire(...request);
      const release = lease.release.bind(lease);
      lease.release = () => (isAway ? thrower(away)() : release());
      return lease;
    };
    const tools = broken({ agent: () => agent }, manager);
    const claimed = await tools.context_claim?.execute({ id: "plan" });
    const write = { id: "plan", base_version: claimed?.["version"], merge_patch: { step: 2 }, release: true };
    const written = await tools.context_write.execute(write);
    expect(written).toMatchObject({ version: "1.2", released: false });
    expect(written).not.toHaveProperty("isError");
    expect(written.notices).toEqual([expect.stringContaining("call context_release")]);
    expect(await tools.context_release?.execute({ id: "plan" })).toMatchObject({ code: "UNAVAILABLE" });
    isAway = false;
    expect(await tools.context_release?.execute({ id: "plan" })).toMatchObject({ released: true });
    expect(manager.get("plan")).toMatchObject({ lockedBy: null, data: { step: 2 } });
  });
});

describe("a claim", () => {
  const manager = new SharedContextManager({ historyLimit: 8 });
  const options = { claims: true, claimTtlMs: 1_000 };
  const ann = contextTools({ manager, agentId: "ann" }, options);

  async function claimed(id: string): Promise<{ id: string; base_version: unknown; merge_patch: JsonObject }> {
    manager.create(id, { step: 1 });
    const result = await ann.context_claim?.execute({ id });
    return { id, base_version: result?.["version"], merge_patch: { step: 2 } };
  }

  it("that was broken by force is told as lost, and the next write goes without it", async () => {
    const write = await claimed("forced");
    manager.forceUnlock("forced", { reason: "it hangs" });
    const { notices } = await ann.context_write.execute(write);
    expect(notices).toEqual([expect.stringContaining("is lost")]);
    expect(manager.get("forced")?.data).toEqual({ step: 2 });
  });

  it("that is lost between the call and the write refuses the write", async () => {
    const write = await claimed("between");
    const release = manager.subscribe("between", () => undefined);
    const pending = ann.context_write.execute(write);
    manager.forceUnlock("between", { reason: "it hangs" }); // the call has renewed, and looks for its base
    release();
    const result = await pending;
    expect(result).toMatchObject({
      isError: true,
      code: "LEASE_LOST",
      next: expect.stringContaining("Read the context again"),
    });
    expect(manager.get("between")?.data).toEqual({ step: 1 });
  });

  it("on a context that is deleted ends", async () => {
    await claimed("gone");
    manager.delete("gone");
    const { notices } = await ann.context_release!.execute({ id: "gone" });
    expect(notices).toEqual([expect.stringContaining('Your claim on "gone" is lost')]);
  });

  it("twice is one claim, and waits for nobody", async () => {
    await claimed("twice");
    expect(await ann.context_claim?.execute({ id: "twice" })).toMatchObject({ claimed: true });
    expect(await ann.context_release?.execute({ id: "twice" })).toMatchObject({ released: true });
  });

  it("of others that would wait for this one, and this one for it, is refused at once", async () => {
    const bob = contextTools({ manager, agentId: "bob" }, options);
    await claimed("one");
    manager.create("two", {});
    await bob.context_claim?.execute({ id: "two" });
    const waiting = ann.context_claim?.execute({ id: "two", wait_seconds: 20 });
    await sleep(5);
    const refused = await bob.context_claim?.execute({ id: "one", wait_seconds: 20 });
    expect(refused).toMatchObject({
      code: "DEADLOCK",
      next: 'Release what you have claimed first ("two"), then claim again.',
    });
    await bob.context_release?.execute({ id: "two" });
    expect(await waiting).toMatchObject({ claimed: true });
  });
});

describe("context_history", () => {
  it("finds who changed a path, by the id of an element too", async () => {
    const manager = new SharedContextManager({ historyLimit: 8 });
    manager.create("plan", { tasks: [{ id: 7, owner: null }], step: 1 });
    manager.agent("bob").patch("plan", { step: 2 }, undefined, { note: "x".repeat(300) });
    manager.agent("cem").patch("plan", [{ op: "set", path: "/tasks/id=7/owner", value: "cem" }]);
    const { context_history } = contextTools({ manager, agentId: "ann" });
    const { versions } = await context_history.execute({ id: "plan", path: "/tasks/id=7" });
    expect(versions).toMatchObject([{ updated_by: "cem", changed: ["/tasks/0/owner"] }, { version: "1.1" }]);
    const two = await context_history.execute({ id: "plan", limit: 2 });
    expect(two).toMatchObject({ more: true, versions: [{}, { note: expect.stringMatching(/^x{200}…$/) }] });
  });
});
