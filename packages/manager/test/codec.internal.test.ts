import { describe, expect, it } from "vitest";
import { decodeEntry, encodeEntry } from "../src/codec.ts";
import type { Entry } from "../src/entry.ts";
import { refusal } from "./support.ts";

const ENTRY: Entry = {
  contextId: "plan",
  version: "3",
  data: { step: 1, list: [{ id: 1 }] },
  exposed: false,
  lock: { owner: "ann", token: 7, sinceMs: 1, expiresAtMs: null, deadlineMs: null },
  createdAtMs: 1,
  updatedAtMs: 2,
  updatedBy: "bob",
  note: null,
  revision: 9,
  incarnation: 4,
  chains: new Map([["/step", { tokens: ["step"], since: "1", from: 0, to: 1 }]]),
};

describe("an entry as text", () => {
  it("is the same when it comes back", () => {
    expect(decodeEntry("plan", encodeEntry(ENTRY))).toEqual(ENTRY);
    const plain = { ...ENTRY, chains: undefined, lock: null, updatedBy: null };
    expect(decodeEntry("plan", encodeEntry(plain))).toEqual(plain);
  });

  it.each<[string, object]>([
    ["data that is none", { data: 5 }],
    ["a version that is no number", { version: "abc" }],
    ["a version that is no string", { version: 3 }],
    ["a revision that is no number", { revision: null }],
    ["a lock that is none", { lock: 5 }],
    ["a lock without an owner", { lock: { ...ENTRY.lock, owner: 1 } }],
    ["a lock whose end is no time", { lock: { ...ENTRY.lock, deadlineMs: "soon" } }],
    ["a writer that is no string", { updatedBy: {} }],
    ["a note that is no string", { note: 1 }],
  ])("with %s is CORRUPT, and named", (_name, wrong) => {
    const text = JSON.stringify({ ...(JSON.parse(encodeEntry(ENTRY)) as object), ...wrong });
    expect(refusal("CORRUPT", () => decodeEntry("plan", text)).details.where).toContain('"plan"');
  });

  it.each(["", "{", "null", "[]"])("that reads %j is CORRUPT", (text) => {
    refusal("CORRUPT", () => decodeEntry("plan", text));
  });
});
