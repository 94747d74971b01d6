import { describe, expect, it } from "vitest";
import { backoffMs, EventParser, stepFor } from "../inspector/src/events.ts";
import { activityOf, apply, emptyState, fill, filterActivity, prepend, record } from "../inspector/src/state.ts";
import type { ChangeBody, ContextBody, Kind, Summary } from "../inspector/src/types.ts";

const AT = "2026-01-31T09:30:00+00:00";

function contextAt(revision: number, more: Partial<ContextBody> = {}): ContextBody {
  const times = { created_at: AT, updated_at: AT };
  return { context_id: "plan", version: "1", incarnation: 1, locked_by: null, ...times, data: {}, revision, ...more };
}

function change(
  revision: number,
  kind: Kind,
  context: ContextBody | null,
  contextId: string | null = "plan",
): ChangeBody {
  return { revision, kind, context_id: contextId, agent_id: "one", note: null, context };
}

function summaryAt(revision: number): Summary {
  const { data: _, ...summary } = contextAt(revision);
  return summary;
}

describe("events", () => {
  it("are read whatever pieces they come in", () => {
    const text = ': connected\n\nid: 12\ndata: {"a":1}\n\n: heartbeat\n\nevent: compacted\r\nid:\ndata: x\ndata: y\n\n';
    for (let size = 1; size < text.length; size++) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
      expect(events).toEqual([
        { name: "", id: "12", data: '{"a":1}' },
        { name: "compacted", id: "", data: "x\ny" },
      ]);
    }
  });

  it("that tell of a gap make the page read everything again, and any other problem makes it try again", () => {
    const event = (name: string) => stepFor({ name, id: undefined, data: "" });
    expect(["", "ready", "compacted", "problem"].map(event)).toEqual(["apply", "ignore", "reload", "retry"]);
  });

  it("are asked for again later each time, at most after ten seconds", () => {
    expect([0, 1, 5, 6, 1_000].map(backoffMs)).toEqual([250, 500, 8_000, 10_000, 10_000]);
  });
});

describe("changes", () => {
  it("do not put back what the list has read later", () => {
    const state = emptyState();
    fill(state, [summaryAt(20)]);
    apply(state, change(15, "updated", contextAt(15)));
    apply(state, change(16, "deleted", null));
    expect(state.contexts.get("plan")?.revision).toBe(20);
    apply(state, change(21, "updated", contextAt(21, { version: "2" })), 99);
    expect(state.contexts.get("plan")).toMatchObject({ revision: 21, version: "2", bytes: 99 });
    apply(state, change(22, "deleted", null));
    expect(state.contexts.size).toBe(0);
  });

  it("that clear the store leave what was created after", () => {
    const state = emptyState();
    fill(state, [summaryAt(3), { ...summaryAt(9), context_id: "later" }]);
    apply(state, change(7, "cleared", null, null));
    expect([...state.contexts.keys()]).toEqual(["later"]);
  });

  it("have the time of their data or of their lock; a release has none in the log, and is not before what was", () => {
    const state = emptyState();
    const atMs = (seconds: number): number => Date.parse(AT) + seconds * 1_000;
    const locked = contextAt(2, { locked_by: "one", locked_at: new Date(atMs(5)).toISOString() });
    const all = [
      change(1, "created", contextAt(1)),
      change(2, "locked", locked),
      change(3, "unlocked", contextAt(3)),
      change(4, "deleted", null),
    ];
    prepend(
      state,
      all.map((each) => activityOf(each, String(each.revision), null)),
    );
    record(state, activityOf(change(5, "unlocked", contextAt(5)), "5", atMs(9)));
    record(state, activityOf(change(6, "unlocked", contextAt(6)), "6", null));
    expect(state.activity.map((entry) => [entry.atMs, entry.afterMs])).toEqual([
      [atMs(0), undefined],
      [atMs(5), undefined],
      [null, atMs(5)],
      [null, atMs(5)],
      [atMs(9), undefined],
      [null, atMs(9)],
    ]);
  });

  it("from the log come before those that are there, each once", () => {
    const state = emptyState();
    for (const key of ["5.2", "6.1"]) record(state, activityOf(change(Number(key[0]), "locked", null), key, 0));
    prepend(
      state,
      ["4.1", "5.1", "5.2"].map((key) => activityOf(change(Number(key[0]), "locked", null), key, null)),
    );
    expect(state.activity.map(({ key }) => key)).toEqual(["4.1", "5.1", "5.2", "6.1"]);
  });

  it("are filtered by agent, kind and context", () => {
    const all = [
      activityOf(change(1, "created", contextAt(1)), "1.1", 0),
      activityOf({ ...change(2, "locked", contextAt(2)), agent_id: "two" }, "2.1", 0),
    ];
    const keys = (filter: Partial<Parameters<typeof filterActivity>[1]>) =>
      filterActivity(all, { agent: "", kind: "", context: "", ...filter }).map(({ key }) => key);
    expect([keys({}), keys({ agent: "tw" }), keys({ kind: "created" }), keys({ context: "other" })]).toEqual([
      ["1.1", "2.1"],
      ["2.1"],
      ["1.1"],
      [],
    ]);
  });
});
