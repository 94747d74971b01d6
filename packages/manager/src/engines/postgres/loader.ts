/**
 * Reads contexts. What is asked for while another read is on its way shares the next one: a read that starts after it
 * was asked for is as good as one of its own.
 */

import type { Loaded } from "../../engine.ts";
import type { Entry } from "../../entry.ts";
import { Recent } from "../../recent.ts";
import { byteSize } from "../../size.ts";
import { decodeStored } from "../lines.ts";
import type { Row } from "./driver.ts";

interface Request {
  readonly ids: readonly string[];
  readonly resolve: (loaded: Loaded) => void;
  readonly reject: (reason: unknown) => void;
}

/** One on its way, and one that who comes meanwhile need not wait for. */
const READS_AT_ONCE = 2;
const IDS_AT_ONCE = 1_000;

export class Loader {
  readonly #ask: (ids: readonly string[], revisions: readonly (number | null)[]) => Promise<readonly Row[]>;
  /** Entries by id; one is good as long as the server has it at the same revision. */
  readonly #cache = new Recent<Entry>();
  readonly #waiting: Request[] = [];
  #reading = 0;

  /** @param ask - runs the statement `load`; the revisions are those of the entries that are known. */
  constructor(ask: (ids: readonly string[], revisions: readonly (number | null)[]) => Promise<readonly Row[]>) {
    this.#ask = ask;
  }

  load(ids: readonly string[]): Promise<Loaded> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ids, resolve, reject });
      // Those who ask in the same turn come along.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#next());
    });
  }

  remember(id: string, entry: Entry): void {
    this.#cache.set(id, entry, byteSize(entry.data));
  }

  #next(): void {
    if (this.#waiting.length === 0 || this.#reading >= READS_AT_ONCE) return;
    const requests: Request[] = [];
    let size = 0;
    while (this.#waiting.length > 0 && (requests.length === 0 || size < IDS_AT_ONCE)) {
      const request = this.#waiting.shift() as Request;
      requests.push(request);
      size += request.ids.length;
    }
    void this.#read(requests);
  }

  async #read(requests: readonly Request[]): Promise<void> {
    this.#reading += 1;
    try {
      const { found, time, head, contexts } = await this.#find(requests.flatMap(({ ids }) => ids));
      for (const { ids, resolve } of requests) {
        resolve({ entries: ids.map((id) => found.get(id)), time, head, contexts });
      }
    } catch (error) {
      for (const { reject } of requests) reject(error);
    } finally {
      this.#reading -= 1;
      this.#next();
    }
  }

  async #find(ids: readonly string[]): Promise<Omit<Loaded, "entries"> & { found: Map<string, Entry> }> {
    const known = new Map(ids.map((id) => [id, this.#cache.get(id)]));
    const revisions = [...known.values()].map((entry) => entry?.revision ?? null);
    const rows = await this.#ask([...known.keys()], revisions);
    const found = new Map<string, Entry>();
    for (const [, , , id, revision, text] of rows) {
      if (id == null) continue;
      const entry = text == null ? known.get(id) : decodeStored(id, text, Number(revision));
      if (entry === undefined) continue;
      found.set(id, entry);
      if (text != null) this.remember(id, entry);
    }
    const [head, contexts, clockMs] = (rows[0] as Row).map(Number) as [number, number, number];
    return { found, time: { wallMs: Math.floor(clockMs), leaseMs: clockMs }, head, contexts };
  }
}
