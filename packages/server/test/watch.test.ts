import { afterEach, describe, expect, it, vi } from "vitest";
import { type Api, openApi, requestOf, type Sent } from "./support.ts";

interface Event {
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly data: any;
}

interface Stream {
  next(): Promise<Event | undefined>;
  take(count: number): Promise<Event[]>;
  readonly comments: string[];
  /** How many pieces have come. */
  reads(): number;
  stop(): Promise<void>;
}

const streams: Stream[] = [];
afterEach(async () => {
  for (const stream of streams.splice(0)) await stream.stop();
});

async function watch({ handler }: Api, query = "", sent: Sent = {}): Promise<Stream> {
  const response = await handler(requestOf("GET", `/v1/changes${query}`, sent));
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = (response.body ?? expect.fail("no body")).getReader();
  const comments: string[] = [];
  let text = "";
  let reads = 0;
  const next = async (): Promise<Event | undefined> => {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end < 0) {
        const { done, value } = await reader.read();
        reads += 1;
        if (done) return undefined;
        text += new TextDecoder().decode(value);
        continue;
      }
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      if (block.startsWith(":")) comments.push(block);
      else return parse(block);
    }
  };
  const stream: Stream = {
    next,
    comments,
    reads: () => reads,
    take: async (count) => {
      const events: Event[] = [];
      while (events.length < count) events.push((await next()) ?? expect.fail("the stream has ended"));
      return events;
    },
    stop: () => reader.cancel(),
  };
  streams.push(stream);
  return stream;
}

function parse(block: string): Event {
  const fields = new Map(block.split("\n").map((line) => line.split(/: ?(.*)/s) as [string, string]));
  return { event: fields.get("event"), id: fields.get("id"), data: JSON.parse(fields.get("data") ?? "null") };
}

describe("GET /v1/changes", () => {
  it("begins with how things are, says when that is told, and goes on with every change", async () => {
    await using api = await openApi();
    await api.manager.create("a", { n: 1 });
    await api.manager.create("b", {});
    const stream = await watch(api);
    const [a, b, ready] = await stream.take(3);
    expect(a).toMatchObject({
      event: undefined,
      id: undefined,
      data: { kind: "current", context: { data: { n: 1 } } },
    });
    expect(b?.data).toMatchObject({ kind: "current", context_id: "b" });
    expect(ready).toEqual({ event: "ready", id: "2", data: { revision: 2 } });
    await api.manager.agent("ann").patch("a", { n: 2 }, undefined, { note: "more" });
    await api.manager.lock("a", "bob");
    await api.manager.delete("b");
    const [updated, locked, deleted] = await stream.take(3);
    expect(updated).toMatchObject({
      id: "3.1",
      data: { revision: 3, kind: "updated", context_id: "a", agent_id: "ann", note: "more", context: { version: "2" } },
    });
    expect(locked?.data).toMatchObject({ kind: "locked", context: { locked_by: "bob", lock_token: 4 } });
    expect(deleted?.data).toMatchObject({ kind: "deleted", context: null });
  });

  it("resumes after the last event, also in the middle of a transaction, without gap or duplicate", async () => {
    await using api = await openApi();
    await api.manager.create("seed", {});
    await api.manager.agent("ann").transact(async (tx) => {
      for (const id of ["a", "b", "c"]) await tx.create(id, {});
    });
    await api.manager.create("d", {});
    const all = await (await watch(api, "?after=0")).take(5);
    expect(all.map(({ id }) => id)).toEqual(["1.1", "2.1", "2.2", "2.3", "3.1"]);
    for (const [index, { id = "" }] of all.slice(0, -1).entries()) {
      const resumed = await watch(api, "?after=0", { headers: { "last-event-id": id } });
      const rest = await resumed.take(all.length - index - 1);
      expect(rest, id).toEqual(all.slice(index + 1));
    }
    expect((await (await watch(api, "?after=2")).take(1))[0]?.id).toBe("3.1");
  });

  it("filters by id or prefix, one of them", async () => {
    await using api = await openApi();
    for (const id of ["a1", "a2", "b1"]) await api.manager.create(id, {});
    const ids = async (query: string, count: number): Promise<unknown[]> =>
      (await (await watch(api, query)).take(count)).map(({ data }) => data.context_id ?? data.revision);
    expect(await ids("?prefix=a", 3)).toEqual(["a1", "a2", 3]);
    expect(await ids("?context_id=b1", 2)).toEqual(["b1", 3]);
    expect(await ids("?context_id=none", 1)).toEqual([3]);
    expect(await ids("?prefix=a&after=0&coalesce=true", 2)).toEqual(["a1", "a2"]);
    expect((await api.send("GET", "/v1/changes?prefix=a&context_id=b")).status).toBe(400);
    expect((await api.send("GET", "/v1/changes?after=x")).status).toBe(400);
  });

  it("tells COMPACTED as an event with an empty id, and ends", async () => {
    await using api = await openApi({}, { changeLogLimit: 2 }); // whoever watches may lag 1,024 in any case
    const context = await api.manager.create("a", { n: 0 });
    let last = context;
    for (let n = 1; n < 2_200; n++) last = await api.manager.update("a", { n }, last);
    const stream = await watch(api, "", { headers: { "last-event-id": "1.1" } });
    expect(await stream.next()).toMatchObject({
      event: "compacted",
      id: "",
      data: { code: "COMPACTED", status: 410, details: { head: 2_200 } },
    });
    expect(await stream.next()).toBeUndefined();
  });

  it("says that it is there when nothing happens, and takes so many streams and no more", async () => {
    await using api = await openApi({ heartbeatMs: 10, limits: { maxStreams: 1 } });
    const stream = await watch(api);
    await stream.next();
    expect((await api.send("GET", "/v1/changes")).body).toMatchObject({ code: "UNAVAILABLE" });
    const coming = stream.next();
    await vi.waitFor(() => expect(stream.comments).toContain(": heartbeat"), 10_000);
    await api.manager.create("a", {});
    expect((await coming)?.data.kind).toBe("created");
    await stream.stop();
    await watch(api);
    expect((await api.send("GET", "/metrics")).body).toContain("shared_context_streams 1");
  });

  it("writes what is there already in one go", async () => {
    await using api = await openApi();
    let last = await api.manager.create("a", { n: 0 });
    for (let n = 1; n <= 50; n++) last = await api.manager.update("a", { n }, last);
    const stream = await watch(api, "?after=1");
    const events = await stream.take(50);
    expect(events.map(({ id, data }) => [id, data.context.data.n])).toEqual(
      Array.from({ length: 50 }, (_, index) => [`${index + 2}.1`, index + 1]),
    );
    expect(stream.reads()).toBeLessThan(5);
  });

  it("ends when the handler closes", async () => {
    await using api = await openApi();
    const stream = await watch(api);
    await stream.next();
    api.handler.close();
    expect(await stream.next()).toBeUndefined();
    expect((await api.send("GET", "/v1/contexts")).body.code).toBe("UNAVAILABLE");
    expect((await api.send("GET", "/readyz")).status).toBe(503);
    expect((await api.send("GET", "/healthz")).status).toBe(200);
  });
});

describe("GET /v1/contexts/{id}/wait", () => {
  it("tells who waits, for a lock too, that the server stops, and that the request may be sent again", async () => {
    await using api = await openApi();
    await api.manager.create("a", {});
    await api.manager.lock("a", "ann");
    const headers = { "x-agent-id": "bob" };
    const waiting = [
      api.send("GET", "/v1/contexts/none/wait"),
      api.send("POST", "/v1/contexts/a/lock", { headers, body: { timeout_ms: 30_000 } }),
      api.send("POST", "/v1/locks", { headers, body: { context_ids: ["a"], timeout_ms: 30_000 } }),
    ];
    await expect.poll(async () => (await api.send("GET", "/v1/stats")).body.queues[0]?.waiting).toBe(2);
    api.handler.close();
    for (const answer of await Promise.all(waiting)) {
      expect(answer).toMatchObject({ status: 503, body: { code: "UNAVAILABLE", retryable: true } });
      expect(answer.headers.get("retry-after")).toBe("1");
      expect(answer.body.detail).toMatch(/^the server is about to stop, .*: send it again/);
    }
    expect((await api.manager.get("a"))?.lockedBy).toBe("ann");
  });

  it("answers as soon as the context is there", async () => {
    await using api = await openApi();
    const waiting = api.send("GET", "/v1/contexts/plan/wait");
    await api.manager.create("plan", { step: 1 });
    expect(await waiting).toMatchObject({ status: 200, body: { version: "1" } });
  });

  it("waits for another ETag, and is 304 when none comes", async () => {
    await using api = await openApi();
    const context = await api.manager.create("plan", {});
    const headers = { "if-none-match": '"1.1"' };
    expect((await api.send("GET", "/v1/contexts/plan/wait?timeout_ms=10", { headers })).status).toBe(304);
    const waiting = api.send("GET", "/v1/contexts/plan/wait?timeout_ms=5000", { headers });
    await api.manager.update("plan", { a: 1 }, context);
    expect(await waiting).toMatchObject({ status: 200, body: { version: "2" } });
  });

  it("waits for a path, and for its value", async () => {
    await using api = await openApi();
    const data = { tasks: [{ id: 3, done: false, tags: { a: 1, b: [2] } }], "a/b": 0 };
    await api.manager.create("plan", data);
    const status = async (path: string, equals?: unknown): Promise<number> => {
      const query = new URLSearchParams({ path, timeout_ms: "5" });
      if (equals !== undefined) query.set("equals", JSON.stringify(equals));
      return (await api.send("GET", `/v1/contexts/plan/wait?${query}`)).status;
    };
    expect(await status("/tasks/id=3/done")).toBe(200);
    expect(await status("/tasks/0/tags", { b: [2], a: 1 })).toBe(200);
    expect(await status("/a~1b", 0)).toBe(200);
    expect(await status("", data)).toBe(200);
    expect(await status("/tasks/id=4")).toBe(408);
    expect(await status("/tasks/0/done", true)).toBe(408);
    expect(await status("/tasks/x")).toBe(408);
    expect(await status("tasks")).toBe(400);
    const query = "path=/tasks/id=3/done&equals=true&timeout_ms=5000";
    const waiting = api.send("GET", `/v1/contexts/plan/wait?${query}`);
    await api.manager.agent("ann").patch("plan", [{ op: "set", path: "/tasks/id=3/done", value: true }]);
    expect((await waiting).body.version).toBe("2");
  });

  it("is 408 with the current state when the time is over, or there is no context", async () => {
    await using api = await openApi({ limits: { maxWaitMs: 5 } });
    expect((await api.send("GET", "/v1/contexts/none/wait")).body.code).toBe("TIMEOUT");
    await api.manager.create("plan", { n: 1 });
    const late = await api.send("GET", "/v1/contexts/plan/wait?path=/m");
    expect(late).toMatchObject({ status: 408, body: { details: { current: { data: { n: 1 } } } } });
    for (const query of ["equals=1", "path=/n&equals=x", "timeout_ms=x", "unlocked=x"]) {
      expect((await api.send("GET", `/v1/contexts/plan/wait?${query}`)).status).toBe(400);
    }
  });

  it("waits no longer than the description says, whatever is asked for", async () => {
    await using api = await openApi({ limits: { maxWaitMs: 5 } });
    const cut = await api.send("GET", "/v1/contexts/none/wait?timeout_ms=75000");
    expect(cut).toMatchObject({ status: 408, body: { details: { timeout_ms: 5 } } });
    await api.manager.create("a", {});
    await api.manager.lock("a", "ann");
    const sent = { headers: { "x-agent-id": "bob" }, body: { timeout_ms: 75_000 } };
    expect(await api.send("POST", "/v1/contexts/a/lock", sent)).toMatchObject({
      status: 423,
      body: { code: "LOCKED" },
    });
    const description = (await api.send("GET", "/openapi.json")).body;
    const { parameters } = description.paths["/v1/contexts/{id}/wait"].get;
    const { timeout_ms: ofLocks } = description.components.schemas.LockRequest.properties;
    for (const told of [parameters.find(({ name }: { name: string }) => name === "timeout_ms"), ofLocks]) {
      expect(told.description).toContain("60,000 at most");
    }
  });

  it("ends when the caller goes away", async () => {
    await using api = await openApi();
    const gone = new AbortController();
    const waiting = api.send("GET", "/v1/contexts/plan/wait", { signal: gone.signal });
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    gone.abort();
    await waiting;
    expect((await api.manager.stats()).watchers).toBe(0);
  });
});
