import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { agentsOf, findCycle, lockWarning } from "../inspector/src/agents.ts";
import { differences, isSame, operationsOf } from "../inspector/src/difference.ts";
import { formatAge, formatBytes, formatCountdown, visible } from "../inspector/src/format.ts";
import { select } from "../inspector/src/list.ts";
import { Pace } from "../inspector/src/pace.ts";
import { apiPath, hashOf, readPlace } from "../inspector/src/place.ts";
import { bucketed, increase, SECONDS, Series } from "../inspector/src/series.ts";
import { curlOf } from "../inspector/src/snippets.ts";
import { blameByPath, brief, flatten, openable } from "../inspector/src/tree.ts";
import type { Json, JsonObject, Summary } from "../inspector/src/types.ts";
import { rowAfterKey, scrollTo, windowOf } from "../inspector/src/windowing.ts";
import { emptyState, fill } from "../inspector/src/state.ts";

function summary(context_id: string, more: Partial<Summary> = {}): Summary {
  const at = "2026-01-31T09:30:00+00:00";
  return {
    context_id,
    version: "1",
    incarnation: 1,
    revision: 1,
    locked_by: null,
    created_at: at,
    updated_at: at,
    ...more,
  };
}

describe("the difference by path", () => {
  it("names what came, went and changed, elements by their id", () => {
    const before = { step: 1, gone: true, tasks: [{ id: 1, done: false }, { id: 2 }], list: [1, 2] };
    const after = { step: 2, tasks: [{ id: 1, done: true }, { id: 3 }], list: [1, 3], "a/b": {} };
    expect(differences(before, after)).toEqual([
      { path: "/step", before: 1, after: 2 },
      { path: "/gone", before: true, after: undefined },
      { path: "/tasks/id=1/done", before: false, after: true },
      { path: "/tasks/id=2", before: { id: 2 }, after: undefined },
      { path: "/tasks/id=3", before: undefined, after: { id: 3 } },
      { path: "/list/1", before: 2, after: 3 },
      { path: "/a~1b", before: undefined, after: {} },
    ]);
  });

  it("tells elements in another order as a change of their array", () => {
    expect(differences({ tasks: [{ id: 1 }, { id: 2 }] }, { tasks: [{ id: 2 }, { id: 1 }] })).toEqual([
      { path: "/tasks", before: [{ id: 1 }, { id: 2 }], after: [{ id: 2 }, { id: 1 }] },
    ]);
  });

  it("is empty exactly when both are the same JSON, whatever the order of keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const [before, after] = [one as Json, other as Json];
        expect(differences(before, before)).toEqual([]);
        expect(differences(before, after).length === 0).toBe(isSame(before, after));
      }),
    );
  });

  it("takes a key named __proto__ for a key", () => {
    const before = JSON.parse('{"__proto__": {"a": 1}}') as JsonObject;
    const after = JSON.parse('{"__proto__": {"a": 2}}') as JsonObject;
    expect(differences(before, after)).toEqual([{ path: "/__proto__/a", before: 1, after: 2 }]);
    expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
  });

  it("makes a patch of the paths that were edited, and of a list as a whole", () => {
    const before = { step: 1, gone: 1, tasks: [{ id: 1, done: false }], list: [1] };
    const after = { step: 2, tasks: [{ id: 1, done: true }], list: [1, 2] };
    expect(operationsOf(before, after)).toEqual([
      { op: "set", path: "/step", value: 2 },
      { op: "remove", path: "/gone" },
      { op: "set", path: "/tasks/id=1/done", value: true },
      { op: "set", path: "/list", value: [1, 2] },
    ]);
  });
});

describe("the tree", () => {
  const data = { plan: { steps: [{ id: "a" }, { id: "b" }] }, empty: {}, n: 1 };

  it("shows only what is open", () => {
    expect(flatten(data, () => false).map(({ path }) => path)).toEqual(["/plan", "/empty", "/n"]);
    const rows = flatten(data, (path) => path === "/plan" || path === "/plan/steps");
    expect(rows.map(({ path, level, size }) => [path, level, size])).toEqual([
      ["/plan", 1, 1],
      ["/plan/steps", 2, 2],
      ["/plan/steps/id=a", 3, 1],
      ["/plan/steps/id=b", 3, 1],
      ["/empty", 1, 0],
      ["/n", 1, 0],
    ]);
  });

  it("opens from the top as much as is asked for", () => {
    expect([...openable(data, 100)]).toEqual(["/plan", "/plan/steps", "/plan/steps/id=a", "/plan/steps/id=b"]);
    expect([...openable(data, 4)]).toEqual(["/plan"]);
  });

  it("flattens 10,000 nodes", () => {
    const large = { items: Array.from({ length: 2_000 }, (_, id) => ({ id, name: `item ${id}`, at: [id], x: 1 })) };
    const all = openable(large, 50_000);
    expect(flatten(large, (path) => all.has(path))).toHaveLength(12_001);
  });

  it("knows the writer of a whole by the newest of its parts", () => {
    const line = { note: null, written_at: "", or_earlier: false };
    const lines = [
      { ...line, path: "/plan/a", version: "2", agent_id: "one" },
      { ...line, path: "/plan/b", version: "10", agent_id: "two" },
    ];
    const writers = blameByPath(lines);
    expect(["", "/plan", "/plan/a"].map((path) => writers.get(path)?.agent_id)).toEqual(["two", "two", "one"]);
  });

  it("never writes out much of a value", () => {
    expect(brief("x".repeat(1_000_000)).length).toBeLessThan(250);
    expect([brief({ a: 1 }), brief([]), brief(null), brief(undefined)]).toEqual(["{ 1 }", "[]", "null", "nothing"]);
  });
});

describe("a windowed list", () => {
  it("draws what is seen and a few rows around it", () => {
    expect(windowOf(10_000, 30, 0, 600)).toEqual({ first: 0, end: 26 });
    expect(windowOf(10_000, 30, 150_000, 600)).toEqual({ first: 4_994, end: 5_026 });
    expect(windowOf(10_000, 30, 9e9, 600)).toEqual({ first: 9_974, end: 10_000 });
    expect(windowOf(0, 30, 500, 600)).toEqual({ first: 0, end: 0 });
  });

  it("scrolls as little as it must", () => {
    expect([scrollTo(0, 30, 90, 300), scrollTo(5, 30, 90, 300), scrollTo(20, 30, 90, 300)]).toEqual([0, 90, 330]);
  });

  it("goes where a key says, and no further than its ends", () => {
    expect(rowAfterKey("ArrowDown", 8, 10, 5)).toBe(9);
    expect(rowAfterKey("PageDown", 8, 10, 5)).toBe(9);
    expect(rowAfterKey("Home", 8, 10, 5)).toBe(0);
    expect(rowAfterKey("a", 8, 10, 5)).toBeUndefined();
    expect(rowAfterKey("toString", 8, 10, 5)).toBeUndefined();
    expect(rowAfterKey("End", -1, 0, 5)).toBeUndefined();
  });

  it("finds, filters and sorts 10,000 contexts", () => {
    const items = Array.from({ length: 10_000 }, (_, index) =>
      summary(`team/${index % 7}/${index}`, { version: String(index), updated_by: `agent-${index % 50}` }),
    );
    const query = { search: "AGENT-7", prefix: "team/3", sort: "version", isDescending: true } as const;
    const found = select(items, query);
    expect(found).toHaveLength(29);
    expect(found.every((item) => item.context_id.startsWith("team/3/") && item.updated_by === "agent-7")).toBe(true);
    expect(found.map(({ version }) => Number(version))).toEqual(
      found.map((item) => Number(item.version)).sort((one, other) => other - one),
    );
  });
});

describe("what is read again when it changes", () => {
  it("is read at once, and then at most so often, also while it changes on and on", async () => {
    vi.useFakeTimers();
    try {
      const readAt: number[] = [];
      const startMs = performance.now();
      const pace = new Pace(() => readAt.push(performance.now() - startMs), 250);
      for (let changes = 0; changes < 9; changes++) {
        pace.ask();
        await vi.advanceTimersByTimeAsync(100);
      }
      expect(readAt).toEqual([0, 250, 500, 750]);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(readAt).toEqual([0, 250, 500, 750, 1_000]); // the last change is not forgotten
      pace.ask();
      pace.stop();
      await vi.advanceTimersByTimeAsync(1_000);
      expect(readAt).toHaveLength(5);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("the charts", () => {
  it("count each second and forget what is older than ten minutes", () => {
    const series = new Series(0);
    series.add(500);
    series.add(900, 2);
    series.add(3_000);
    expect(series.counts(3_000).slice(-4)).toEqual([3, 0, 0, 1]);
    expect(series.counts(3_000 + SECONDS * 1_000 - 1_000).filter((count) => count > 0)).toEqual([1]);
    expect(series.counts(9e9).some((count) => count > 0)).toBe(false);
  });

  it("give each second its part of what is read after a while", () => {
    const series = new Series(0);
    series.spread(1_000, 5_000, 8);
    expect(series.counts(5_000).slice(-6)).toEqual([0, 0, 2, 2, 2, 2]);
  });

  it("keep each peak when several seconds share a bar", () => {
    expect(bucketed([0, 5, 1, 0, 0, 2], 3)).toEqual([5, 1, 2]);
  });

  it("take what a server has counted that has begun anew", () => {
    expect([increase(undefined, 9), increase(9, 12), increase(9, 2)]).toEqual([0, 3, 2]);
  });
});

describe("agents", () => {
  it("hold, wait and have written what the contexts and queues tell", () => {
    const state = emptyState();
    fill(state, [summary("a", { locked_by: "one", lock_token: 4, updated_by: "two" }), summary("b")]);
    const queues = [{ context_id: "a", agents: ["two"] }];
    const [one, two, zoe] = agentsOf(state, queues, new Map([["zoe", 3]]));
    expect(one).toMatchObject({ agentId: "one", holds: ["a"], waitsFor: [], conflicts: 0 });
    expect(two).toMatchObject({ agentId: "two", waitsFor: ["a"], lastWrite: { contextId: "a" } });
    expect(zoe).toMatchObject({ agentId: "zoe", holds: [], waitsFor: [], lastWrite: undefined, conflicts: 3 });
  });

  it("that wait for each other are found", () => {
    const agent = (agentId: string, holds: string[], waitsFor: string[]) => ({ agentId, holds, waitsFor });
    expect(findCycle([agent("x", [], ["1"]), agent("a", ["1"], ["2"]), agent("b", ["2"], ["1"])])).toEqual(["a", "b"]);
    expect(findCycle([agent("a", ["1"], ["2"]), agent("b", ["2"], [])])).toEqual([]);
  });

  it("are pointed out when they hold a lock for long, or for ever", () => {
    const locked = summary("a", { locked_by: "one", locked_at: "1970-01-01T00:00:00Z" });
    const until = { ...locked, lock_expires_at: "1970-01-01T00:10:00Z" };
    expect(lockWarning(locked, 1)).toContain("never lapses");
    expect(lockWarning(until, 1)).toBeUndefined();
    expect(lockWarning(until, 130_000)).toContain("has been held for 2 min");
    expect(lockWarning(until, 700_000)).toContain("has lapsed");
    expect(lockWarning(summary("a"), 0)).toBeUndefined();
  });
});

describe("texts", () => {
  it("show every character that would hide itself or turn the line round", () => {
    expect(visible("a\u202Eb\u0000c\u200Dd\uD800")).toBe(String.raw`a\u202eb\u0000c\u200dd\ud800`);
    expect(visible("<script>")).toBe("<script>");
    expect(visible("")).toBe('""');
    expect(visible("x".repeat(2_000_000)).length).toBeLessThan(600);
  });

  it("are short for sizes and times", () => {
    expect([0, 999, 1_500, 250_000, 1_000_000].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.5 kB",
      "250 kB",
      "1.0 MB",
    ]);
    expect([0, 61_000, 7_200_000, 2e8].map(formatAge)).toEqual(["0 s", "1 min", "2 h", "2 d"]);
    expect([-1, 1, 61_000, 7_200_000].map(formatCountdown)).toEqual(["lapsed", "0:01", "1:01", "2 h"]);
  });

  it("carry any id into a path of the API, into the page's own address, and back", () => {
    expect(apiPath("..", "/lock", { force: "true" })).toBe("/v1/contexts//lock?context_id=..&force=true");
    expect(apiPath("a/b?c", "/blame")).toBe("/v1/contexts/a%2Fb%3Fc/blame");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (contextId) => {
        const place = { view: "context", contextId } as const;
        expect(readPlace(hashOf(place))).toEqual(place);
      }),
    );
    expect(readPlace("#/context/%")).toEqual({ view: "contexts" });
  });

  it("quote an id for a shell, and never write out the token", () => {
    const text = curlOf("http://localhost:1", "it's; rm -rf ~", true);
    expect(text).toBe(
      `curl -H "Authorization: Bearer $TOKEN" 'http://localhost:1/v1/contexts/it'\\''s%3B%20rm%20-rf%20~'`,
    );
  });
});
