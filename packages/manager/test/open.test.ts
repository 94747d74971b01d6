/** What a URL must be before a storage is asked for anything, and that no message tells a password. */

import { inspect } from "node:util";
import { type Engine, managerOver, openManager } from "shared-context-manager";
import { describe, expect, it } from "vitest";
import { refusalOf } from "./support.ts";

const SCHEMES = ["postgres", "postgresql", "redis", "rediss", "valkey", "http", "https"];

describe.each(SCHEMES)("a URL of %s:", (scheme) => {
  it.each([
    "//user:s3?cret@host/db",
    "//user:s3/cret@host/db",
    "//user:s3#cret@host/db",
    "//user:12/cret@host/db",
    "//user:12?s3cret&cret=cret@host/db",
    "//user:s3@x/cret@host/db",
    "//user:s3@x?cret@host/db",
    "//user:s3?timeoutMs=cret@host",
    "s3cret",
    "/s3cret",
    "user:s3cret@host",
  ])("with a password that is not escaped, or without a host, is INVALID and tells nothing of it: %s", async (rest) => {
    const error = await refusalOf("INVALID", openManager(`${scheme}:${rest}`));
    expect(error.message).toContain(`${scheme}://user:password@host`);
    expect(inspect([error, error.details], { depth: 9, showHidden: true }).replaceAll(/^ +at .*$/gm, "")).not.toMatch(
      /s3|cret|user:1/,
    );
  });
});

describe("what is no URL", () => {
  it.each([
    ["contexts.db", "received one without a scheme before a colon"],
    ["./contexts.db", "received one without a scheme before a colon"],
    ["", "received one without a scheme before a colon"],
    ["sqlite:a\0.db", "received one with NUL"],
    [undefined, "received undefined"],
  ])("is INVALID, and says what is missing: %j", async (url, received) => {
    const { message } = await refusalOf("INVALID", openManager(url as string));
    expect(message).toBe(`url: expected a URL such as sqlite:contexts.db, without NUL; ${received}`);
  });
});

describe("parameters of a URL", () => {
  it.each([
    ["memory:?namespace=a&namespace=b", "?namespace", "one value; received 2 of them"],
    ["sqlite:a.db?synchronous=full&synchronous=normal", "?synchronous", "one value; received 2 of them"],
    ["redis://host?timeoutMs=1&timeoutMs=1", "?timeoutMs", "one value; received 2 of them"],
    ["memory:?namespace=a%00", "?namespace", "without NUL"],
    ["sqlite:a.db?namespace=%00", "?namespace", "without NUL"],
    ["postgres://host?namespace=%00", "?namespace", "without NUL"],
    ["redis://host?namespace=%00", "?namespace", "without NUL"],
    ["memory:?name=a", "?name", 'one of namespace; received "name"'],
    ["http://host?namespace=a", "?namespace", "no parameters"],
  ])("that no storage could read are INVALID: %s", async (url, path, message) => {
    const error = await refusalOf("INVALID", openManager(url));
    expect(error.details).toMatchObject({ argument: "url", path });
    expect(error.message).toContain(message);
  });

  it("may have an @ in the name of a namespace", async () => {
    await using manager = await openManager("memory:?namespace=ann@example.org");
    expect(await manager.size()).toBe(0);
    // Not reached, and that is what it says: the URL is none to refuse.
    await refusalOf("UNAVAILABLE", openManager("redis://127.0.0.1:1?namespace=ann@example.org"));
  });
});

describe("managerOver", () => {
  const method = (): never => {
    throw new Error("it is not to be called");
  };
  const methods = ["load", "commit", "list", "changes", "history", "onWake", "close"];
  const engine = {
    ...Object.fromEntries(methods.map((name) => [name, method])),
    supports: { durable: true, shared: true },
  };

  it.each<[unknown, string]>([
    [undefined, ""],
    [null, ""],
    ["memory:", ""],
    [{}, "/supports"],
    [{ ...engine, supports: null }, "/supports"],
    [{ ...engine, supports: { durable: "yes", shared: true } }, "/supports/durable"],
    [{ ...engine, supports: { durable: true } }, "/supports/shared"],
    ...methods.map((name) => [{ ...engine, [name]: undefined }, `/${name}`] as [unknown, string]),
  ])("refuses what is no engine before it asks it for anything: %j at %j", async (what, path) => {
    const { details } = await refusalOf("INVALID", managerOver(what as Engine));
    expect(details).toMatchObject({ argument: "engine", path });
  });
});
