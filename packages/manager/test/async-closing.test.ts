/** Closing managers over a storage, and agents of theirs, while something is under way. */

import { type AsyncAgent, type AsyncSharedContextManager, openManager } from "shared-context-manager";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { refusalOf } from "./support.ts";

let manager: AsyncSharedContextManager;
let ann: AsyncAgent;

beforeEach(async () => {
  manager = await openManager("memory:");
  await manager.create("a", {});
  ann = manager.agent("ann");
});

afterEach(() => manager.close());

describe("an agent that is closed", () => {
  it("ends a wait that has only just begun", async () => {
    await manager.lock("a", "bob");
    const refused = refusalOf("CLOSED", ann.acquire("a"));
    await ann.close();
    expect((await refused).details.agentId).toBe("ann");
    expect((await manager.get("a"))?.lockedBy).toBe("bob");
    expect((await manager.stats()).queues).toEqual([]);
  });

  it.each([
    ["lock", () => ann.lock("a")],
    ["acquire", () => ann.acquire("a")],
  ])("leaves no lock behind that is on its way: %s", async (_name, take) => {
    const taken = take().catch(() => undefined);
    await ann.close();
    expect((await manager.get("a"))?.lockedBy).toBeNull();
    await taken;
    expect((await manager.get("a"))?.lockedBy).toBeNull();
  });

  it.each<[string, (twin: AsyncAgent) => Promise<unknown>]>([
    ["lock", (twin) => twin.lock("a")],
    ["acquire", (twin) => twin.acquire("a")],
    ["lock by name", () => manager.lock("a", "ann")],
  ])("leaves none of another handle behind either: %s", async (_name, take) => {
    const taken = take(manager.agent("ann")).catch(() => undefined);
    await ann.close();
    expect((await manager.get("a"))?.lockedBy).toBeNull();
    await taken;
    expect((await manager.get("a"))?.lockedBy).toBeNull();
  });

  it("ends the wait of another handle, also where that has only just begun", async () => {
    await manager.lock("a", "bob");
    const twin = manager.agent("ann");
    const refused = refusalOf("CLOSED", twin.acquire("a"));
    await ann.close();
    expect((await refused).details.agentId).toBe("ann");
    await manager.unlock("a", "bob");
    await twin.withLock("a", () => undefined); // it is not closed itself
  });

  it("is closed when it says so, to whoever closes it a second time too", async () => {
    await ann.lock("a");
    void ann.close();
    await ann.close();
    expect((await manager.get("a"))?.lockedBy).toBeNull();
  });

  it("can be closed in a function that runs under its lease", async () => {
    await refusalOf(
      "LEASE_LOST",
      ann.withLock("a", () => ann.close()),
    );
    expect((await manager.get("a"))?.lockedBy).toBeNull();
  });

  it("has nothing to do once its manager is closed", async () => {
    await ann.lock("a");
    await manager.close();
    await expect(ann.close()).resolves.toBeUndefined();
    await refusalOf("CLOSED", ann.lock("a"));
  });
});

it("a manager is closed when it says so, to whoever closes it a second time too", async () => {
  const written = manager.create("b", {}).then(() => "written");
  void manager.close();
  const closed = manager.close().then(() => "closed");
  expect(await Promise.race([closed, written])).toBe("written");
  await closed;
});
