/**
 * The demo: a few agents write one report through the API of this server, all at once, as agents anywhere would. Each reads
 * the report, takes its time, and replaces it if nobody was faster; who was slower is refused, and begins again on what is
 * there. It runs in this page, and what it leaves is one context.
 */

import { type Api, ApiError } from "./api.ts";
import { apiPath } from "./place.ts";
import { type ContextBody, etagOf } from "./types.ts";

const AGENTS = 6;
export const PIECES = 60;
const THINKING_MS = { least: 60, most: 240 };
const REVIEW_MS = 2_500;
const LOCK_MS = 10_000;

type Report = Readonly<Record<"pieces" | "words", number>> & { readonly agents: Readonly<Record<string, number>> };

export interface DemoState {
  readonly phase: "running" | "done" | "stopped" | "failed";
  readonly contextId: string;
  readonly agents: number;
  readonly written: number;
  readonly conflicts: number;
  /** What came out, or what went wrong. */
  readonly outcome: string;
}

export class Demo {
  state: DemoState | undefined;
  readonly #api: Api;
  readonly #changed: () => void;
  #stop = new AbortController();

  constructor(api: Api, changed: () => void) {
    this.#api = api;
    this.#changed = changed;
  }

  /** @param boundTo - the only agent that the token may act for: then all of them write in its name. */
  async run(boundTo: string | null): Promise<void> {
    if (this.state?.phase === "running") return;
    this.#stop = new AbortController();
    const start = { phase: "running", contextId: "demo/report", agents: AGENTS } as const;
    this.#set({ ...start, written: 0, conflicts: 0, outcome: "" });
    const names = Array.from({ length: AGENTS }, (_, index) => boundTo ?? `demo-writer-${index + 1}`);
    try {
      await this.#create(names[0] ?? "");
      // One list of work for all: each piece is taken once.
      const work = Array.from({ length: PIECES }, (_, index) => index).values();
      await Promise.all(names.map((name) => this.#write(name, work)));
      // An agent does not wait for itself.
      const behind = boundTo === null ? this.#queueBehind("demo-editor") : undefined;
      await Promise.all([this.#review(boundTo ?? "demo-reviewer"), behind]);
      this.#end("done", await this.#outcome());
    } catch (error) {
      const isStopped = this.#stop.signal.aborted;
      const why = error instanceof Error ? error.message : String(error);
      this.#end(isStopped ? "stopped" : "failed", isStopped ? "" : why);
      this.#stop.abort();
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Deletes what it has made. */
  async remove(): Promise<void> {
    if (this.state === undefined) return;
    const path = apiPath(this.state.contextId, "", { note: "the demo is over" });
    try {
      await this.#api.fetch("DELETE", path, { headers: { "if-match": "*" } });
    } catch (error) {
      // Somebody else has deleted it.
      if (!(error instanceof ApiError) || error.problem.code !== "NOT_FOUND") throw error;
    }
    this.close();
  }

  close(): void {
    this.state = undefined;
    this.#changed();
  }

  #set(change: Partial<DemoState>): void {
    this.state = { ...this.state, ...change } as DemoState;
    this.#changed();
  }

  #end(phase: DemoState["phase"], outcome: string): void {
    this.#set({ phase, outcome });
  }

  async #send(agentId: string, method: string, path: string, more: SentBy = {}): Promise<Response> {
    const { headers = {}, body, signal = this.#stop.signal } = more;
    const named = { ...headers, "x-agent-id": encodeURIComponent(agentId) };
    return this.#api.fetch(method, path, { headers: named, signal, ...(body !== undefined && { body }) });
  }

  /** Under a name that nobody has used, so that nothing of others is touched. */
  async #create(agentId: string): Promise<void> {
    const data: Report = { pieces: 0, words: 0, agents: {} };
    for (let attempt = 2; ; attempt++) {
      const { contextId = "" } = this.state ?? {};
      try {
        await this.#send(agentId, "POST", "/v1/contexts", { body: { context_id: contextId, data } });
        return;
      } catch (error) {
        if (!(error instanceof ApiError) || error.problem.code !== "EXISTS" || attempt > 99) throw error;
        this.#set({ contextId: `demo/report-${attempt}` });
      }
    }
  }

  async #write(agentId: string, work: IterableIterator<number>): Promise<void> {
    for (const piece of work) {
      const words = 20 + ((piece * 37) % 50);
      for (let base = await this.#read(); ;) {
        await pause(THINKING_MS.least + Math.random() * (THINKING_MS.most - THINKING_MS.least), this.#stop.signal);
        const next = await this.#replace(agentId, base, words, `piece ${piece + 1}`);
        if (next === undefined) break;
        base = next;
      }
    }
  }

  /** @returns what is there instead, when somebody was faster. */
  async #replace(agentId: string, base: ContextBody, words: number, note: string): Promise<ContextBody | undefined> {
    const report = base.data as unknown as Report;
    const agents = { ...report.agents, [agentId]: (report.agents[agentId] ?? 0) + 1 };
    const body: Report = { pieces: report.pieces + 1, words: report.words + words, agents };
    const { contextId = "", written = 0, conflicts = 0 } = this.state ?? {};
    try {
      await this.#send(agentId, "PUT", apiPath(contextId, "", { note }), {
        headers: { "if-match": etagOf(base) },
        body,
      });
    } catch (error) {
      if (!(error instanceof ApiError) || error.problem.code !== "CONFLICT") throw error;
      this.#set({ conflicts: (this.state?.conflicts ?? conflicts) + 1 });
      return error.problem.details["current"] as ContextBody;
    }
    this.#set({ written: (this.state?.written ?? written) + 1 });
    return undefined;
  }

  /** Holds the lock for a while: meanwhile nobody else writes, and one waits. */
  async #review(agentId: string): Promise<void> {
    const { contextId = "" } = this.state ?? {};
    const path = apiPath(contextId, "/lock");
    const held = await this.#send(agentId, "POST", path, { body: { ttl_ms: LOCK_MS } });
    const headers = { "lock-token": held.headers.get("lock-token") ?? "" };
    try {
      await pause(REVIEW_MS, this.#stop.signal);
      const base = await this.#read();
      const body = { ...base.data, reviewed_by: agentId };
      const sent = { headers: { ...headers, "if-match": etagOf(base) }, body };
      await this.#send(agentId, "PUT", apiPath(contextId, "", { note: "reviewed" }), sent);
    } finally {
      // Also when it was stopped.
      await this.#send(agentId, "DELETE", path, { headers, signal: AbortSignal.timeout(5_000) });
    }
  }

  async #queueBehind(agentId: string): Promise<void> {
    await pause(REVIEW_MS / 5, this.#stop.signal);
    const path = apiPath(this.state?.contextId ?? "", "/lock");
    const held = await this.#send(agentId, "POST", path, { body: { ttl_ms: LOCK_MS, timeout_ms: 4 * REVIEW_MS } });
    const headers = { "lock-token": held.headers.get("lock-token") ?? "" };
    await this.#send(agentId, "DELETE", path, { headers, signal: AbortSignal.timeout(5_000) });
  }

  async #outcome(): Promise<string> {
    const { pieces, agents } = (await this.#read()).data as unknown as Report;
    const byAgents = Object.values(agents).reduce((sum, count) => sum + count, 0);
    return pieces === PIECES && byAgents === PIECES
      ? "Nothing was lost: every piece is in the report once."
      : `Of ${PIECES} pieces ${pieces} are in the report: somebody else has written there too.`;
  }

  #read(): Promise<ContextBody> {
    return this.#api.get(this.state?.contextId ?? "", this.#stop.signal);
  }
}

interface SentBy {
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new Error("stopped"));
    });
  });
}
