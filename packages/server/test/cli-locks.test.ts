/** Locks on the command line: held while a command runs, waited for, released. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openManager } from "shared-context-manager";
import { serve } from "shared-context-server";
import { describe, expect, it } from "vitest";
import { hashOf, tokensOf } from "../src/tokens.ts";
import { commandLine } from "./command-line.ts";
import { hasSqlite } from "./runtime.ts";

const { folder, newStore, run } = commandLine();

describe.runIf(hasSqlite)("lock ID -- COMMAND", () => {
  const node = (script: string): string[] => ["--", process.execPath, "-e", script];

  it("holds and renews the lock, tells the command who it is, and ends with its code", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    await manager.create("plan", {});
    const ends = "setTimeout(() => process.exit(process.env.SHARED_CONTEXT_AGENT === 'ann' ? 7 : 1), 3000)";
    // A busy machine may not run this process for a second.
    const held = run(store, ["lock", "plan", "--as", "ann", "--ttl", "2000", ...node(ends)]);
    await manager.waitFor("plan", ({ lockedBy }) => lockedBy === "ann");
    expect((await run(store, ["lock", "plan", "--as", "bob"])).code).toBe(5);
    expect((await held).code).toBe(7);
    expect((await manager.get("plan"))?.lockedBy).toBeNull();
  });

  it("holds several contexts, all or none, also with a lock that never lapses", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    for (const id of ["a", "b"]) await manager.create(id, {});
    await manager.lock("b", "bob");
    const lock = ["lock", "a", "b", "--as", "ann", "--ttl", "never"];
    expect((await run(store, lock)).code).toBe(5);
    expect((await manager.get("a"))?.lockedBy).toBeNull();
    await manager.unlock("b", "bob");
    const held = run(store, [...lock, ...node("setTimeout(() => process.exit(7), 250)")]);
    await manager.waitFor("b", ({ lockedBy }) => lockedBy === "ann");
    expect([(await manager.get("a"))?.lock?.owner, (await manager.get("b"))?.lock?.expiresAt]).toEqual(["ann", null]);
    expect((await held).code).toBe(7);
    expect([(await manager.get("a"))?.lockedBy, (await manager.get("b"))?.lockedBy]).toEqual([null, null]);
    const kept = await run(store, [...lock, "--json"]);
    expect(
      kept.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      { context_id: "a", locked_by: "ann" },
      { context_id: "b", locked_by: "ann" },
    ]);
    expect((await run(store, ["rm", "a", "--expected", "any", "--as", "bob"])).code).toBe(5);
    expect((await run(store, ["rm", "a", "--expected", "any", "--as", "bob", "--force"])).code).toBe(0);
  });

  it("takes ids that begin with a dash behind a -- of their own", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    for (const id of ["-a", "--ttl"]) await manager.create(id, {});
    const ids = ["lock", "--as", "ann", "--", "-a", "--ttl"];
    expect((await run(store, [...ids, ...node("process.exit(7)")])).code).toBe(7);
    expect((await manager.get("-a"))?.revision).toBeGreaterThan(2);
    expect((await manager.get("-a"))?.lockedBy).toBeNull();
    expect((await run(store, ids)).code).toBe(0);
    const owners = await Promise.all(["-a", "--ttl"].map(async (id) => (await manager.get(id))?.lockedBy));
    expect(owners).toEqual(["ann", "ann"]);
    expect((await run(store, ["unlock", "--as", "ann", "--", "-a"])).code).toBe(0);
    expect((await manager.get("-a"))?.lockedBy).toBeNull();
  });

  it("needs an id, with a -- or without", async () => {
    for (const args of [["lock"], ["lock", "--"], ["lock", "--", "--", "ls"]]) {
      expect((await run("", args)).code).toBe(2);
    }
  });

  it("takes an id that is given twice once", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    await manager.create("plan", {});
    const { code, stderr } = await run(store, ["lock", "plan", "plan", "--as", "ann"]);
    expect([code, stderr]).toEqual([0, expect.stringContaining("ann holds plan until")]);
  });

  it("leaves a lock behind only where no command was announced", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    await manager.create("plan", {});
    for (const args of [
      ["plan", "--"],
      ["--", "plan", "--"],
    ]) {
      const refused = await run(store, ["lock", "--as", "ann", ...args]);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("a command after --") });
    }
    expect((await manager.get("plan"))?.lockedBy).toBeNull();
  });

  it("stops the command when the lock is lost, and says so", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    await manager.create("plan", {});
    const held = run(store, ["lock", "plan", "--as", "ann", "--ttl", "90", ...node("setTimeout(() => {}, 60_000)")]);
    await manager.waitFor("plan", ({ lockedBy }) => lockedBy === "ann");
    await manager.forceUnlock("plan", { reason: "test" });
    expect(await held).toMatchObject({ code: 4, stderr: expect.stringContaining("LEASE_LOST") });
  });

  it("stops the command when it is stopped itself, and gives the lock back when there is no such command", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    await manager.create("plan", {});
    const stop = new AbortController();
    const held = run(store, ["lock", "plan", ...node("setTimeout(() => {}, 60_000)")], { signal: stop.signal });
    await manager.waitFor("plan", ({ lockedBy }) => lockedBy !== null);
    stop.abort();
    expect((await held).code).toBe(1);
    const missing = await run(store, ["lock", "plan", "--", join(folder, "no-such-command")]);
    expect(missing).toMatchObject({ code: 127, stderr: expect.stringContaining("cannot be run") });
    expect((await run(store, ["lock", "plan", "--", folder])).code).toBe(126);
    expect((await manager.get("plan"))?.lockedBy).toBeNull();
  });

  it("keeps out a second command of the same agent, which waits for the first one", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    await manager.create("plan", {});
    const [go, log] = [join(folder, "go"), join(folder, "log")];
    const says = (text: string): string => `fs.appendFileSync(${JSON.stringify(log)}, ${JSON.stringify(text)})`;
    const first = `${says("in ")}; const timer = setInterval(() => { if (fs.existsSync(${JSON.stringify(go)})) { ${says("out ")}; clearInterval(timer); } }, 10)`;
    const one = run(store, ["lock", "plan", ...node(first)]);
    await manager.waitFor("plan", ({ lockedBy }) => lockedBy === "local");
    const refused = await run(store, ["lock", "plan", "--json", ...node(says("wrong "))]);
    expect([refused.code, JSON.parse(refused.stderr)]).toMatchObject([5, { code: "LOCKED" }]);
    const two = run(store, ["lock", "plan", "--wait", "60000", ...node(says("second"))]);
    writeFileSync(go, "");
    expect([(await one).code, (await two).code]).toEqual([0, 0]);
    expect(readFileSync(log, "utf8")).toBe("in out second");
  });

  it("leaves alone what the agent has locked before", async () => {
    const store = newStore();
    await using manager = await openManager(store);
    await manager.create("plan", {});
    expect((await run(store, ["lock", "plan", "--as", "ann", "--ttl", "never"])).code).toBe(0);
    expect((await run(store, ["lock", "plan", "--as", "ann", ...node("")])).code).toBe(5);
    expect((await manager.get("plan"))?.lockedBy).toBe("ann");
  });

  it("hands on the token of a server, so that the command can speak to it", async () => {
    await using manager = await openManager("memory:");
    await manager.create("plan", {});
    const token = "sixteen-letters-";
    const tokens = tokensOf([{ name: "admin", agentId: null, rights: "admin", hash: hashOf(token) }]);
    await using server = await serve({ manager, tokens, port: 0, graceMs: 100 });
    const script = `process.exit(process.env.SHARED_CONTEXT_TOKEN === "${token}" ? 7 : 1)`;
    expect((await run(server.url, ["lock", "plan", "--token", token, ...node(script)])).code).toBe(7);
  });

  it("stops the command when the lock has lapsed because the server was away for too long", async () => {
    const manager = await openManager("memory:");
    await manager.create("plan", {});
    const server = await serve({ manager, port: 0, graceMs: 0 });
    const lock = ["lock", "plan", "--ttl", "1000", ...node("setTimeout(() => {}, 60_000)")];
    const held = run(server.url, lock);
    await manager.waitFor("plan", ({ lockedBy }) => lockedBy !== null);
    await server.close();
    await manager.close();
    expect(await held).toMatchObject({ code: 4, stderr: expect.stringContaining("LEASE_LOST") });
  });
});

describe.runIf(hasSqlite)("lock --wait", () => {
  it("waits as long as it was asked to, also where a server waits less at once", async () => {
    await using manager = await openManager("memory:");
    await manager.create("plan", {});
    await manager.lock("plan", "bob");
    await using server = await serve({ manager, port: 0, graceMs: 100, limits: { maxWaitMs: 20 } });
    const waiting = run(server.url, ["lock", "plan", "--as", "ann", "--wait", "60000"]);
    const seen = async (): Promise<number> => (await manager.stats()).refusals.LOCKED ?? 0;
    await expect.poll(seen).toBeGreaterThan(5);
    await manager.unlock("plan", "bob");
    expect((await waiting).code).toBe(0);
    expect((await run(server.url, ["lock", "plan", "--as", "bob", "--wait", "30"])).code).toBe(5);
  });
});

describe.runIf(hasSqlite)("unlock", () => {
  it("says that nobody holds the lock, or who does and how to break it", async () => {
    const store = newStore();
    await run(store, ["create", "plan", "{}"]);
    const nobody = await run(store, ["unlock", "plan"]);
    expect(nobody).toMatchObject({ code: 4, stderr: expect.stringContaining('nobody holds the lock on "plan"') });
    await run(store, ["lock", "plan", "--as", "ann"]);
    const refused = await run(store, ["unlock", "plan", "--as", "bob", "--json"]);
    expect([refused.code, JSON.parse(refused.stderr)]).toMatchObject([
      5,
      { code: "LOCKED", detail: expect.stringContaining("--force --reason"), details: { owner: "ann" } },
    ]);
    expect(await run(store, ["unlock", "plan", "--force"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--reason"),
    });
  });
});
