/**
 * Reads contexts. What is asked for while another read is on its way shares the next one: a read that starts after it
 * was asked for is as good as one of its own.
 */

import type { Loaded, Transaction } from "../../engine.ts";
import type { Entry } from "../../entry.ts";
import { Recent } from "../../recent.ts";
import { roughSize } from "../../size.ts";
import { decodeStored } from "../lines.ts";
import type { Row } from "./driver.ts";

interface Request {
  readonly ids: readonly string[];
  readonly resolve: (loaded: Loaded) => void;
  readonly reject: (reason: unknown) => void;
}

/** A row of the change log that this process has written. */
export interface Stamp {
  /** The last revision of the row. */
  readonly revision: number;
  /** What tells the row from one that somebody else has written there, where the server has lost some. */
  readonly mark: number;
}

interface Sighting {
  readonly entry: Entry;
  /** As of which it was there. */
  head: number;
  /** The row of the log that has made it so; nothing where another has written it. */
  readonly stamp: Stamp | undefined;
  /** Whether no commit of ours that was answered before may have made it another after that head. */
  readonly isLatest: boolean;
}

/** Rows of the change log that this process has written with nobody else's between them. */
interface Run {
  /** The revision before the first of them. */
  readonly since: number;
  readonly last: Stamp;
}

/** Asks for contexts. What is known at its revision is not sent; and nothing at all, when the head is the one seen. */
type Ask = (
  ids: readonly string[],
  revisions: readonly (number | null)[],
  seen: number | null,
) => Promise<readonly Row[]>;

/** One on its way, and one that who comes meanwhile need not wait for. */
const READS_AT_ONCE = 2;
const IDS_AT_ONCE = 1_000;

export class Loader {
  readonly #ask: Ask;
  /** Entries by id; one is good as long as the server has it at the same revision. */
  readonly #cache = new Recent<Sighting>();
  /** The last one. */
  #run: Run | undefined;
  /** Where the counter was when it was last heard of. */
  #head = 0;
  /** Whether it was there still at the last read: then it may be so again. */
  #isStill = false;
  readonly #waiting: Request[] = [];
  #reading = 0;

  /** @param ask - runs the statement `load`, or the one for one context. */
  constructor(ask: Ask) {
    this.#ask = ask;
  }

  load(ids: readonly string[]): Promise<Loaded> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ids, resolve, reject });
      // Those who ask in the same turn come along.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#next());
    });
  }

  /**
   * A row of the log is ours, and these transactions are in it.
   *
   * @param base - the revision before it.
   */
  committed(base: number, stamp: Stamp, transactions: readonly Transaction[]): void {
    const run = this.#run;
    if (run === undefined || stamp.revision > run.last.revision) {
      this.#run = { since: base === run?.last.revision ? run.since : base, last: stamp };
    }
    this.#head = stamp.revision;
    for (const { writes, clears = false } of transactions) {
      if (clears) this.#cache.clear();
      for (const { id, next } of writes) {
        if (next === null) this.#cache.delete(id);
        else if (next !== undefined) this.#remember(id, next, stamp.revision, stamp);
      }
    }
  }

  /** As of which contexts were as they are expected, or were made so later, for all that this process knows. */
  stampOf(steps: readonly { readonly id: string; readonly expect: number | undefined }[]): Stamp | undefined {
    let oldest: Stamp | undefined;
    for (const { id, expect } of steps) {
      const sighting = this.#cache.get(id);
      if (sighting?.entry.revision !== expect) return undefined;
      const stamp = sighting && this.#stampOf(sighting);
      if (stamp === undefined) return undefined;
      if (oldest === undefined || stamp.revision < oldest.revision) oldest = stamp;
    }
    return oldest;
  }

  /** Nobody else has written in a run: what was there within it is still there at its end, or we know otherwise. */
  #stampOf({ entry, head, stamp, isLatest }: Sighting): Stamp | undefined {
    const run = this.#run;
    const isInRun = run !== undefined && isLatest && head >= run.since && entry.revision <= run.last.revision;
    return isInRun ? run.last : stamp;
  }

  /** @param head - as of which it was there. */
  #remember(id: string, entry: Entry, head: number, stamp?: Stamp): void {
    const isLatest = this.#run === undefined || head >= this.#run.last.revision;
    this.#cache.set(id, { entry, head, stamp, isLatest }, roughSize(entry.data));
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
    const isSeen = this.#isStill && [...known.values()].every((sighting) => sighting?.head === this.#head);
    const seen = isSeen ? this.#head : null;
    const revisions = [...known.values()].map((sighting) => sighting?.entry.revision ?? null);
    const rows = await this.#ask([...known.keys()], revisions, seen);
    const [head, contexts, clockMs] = (rows[0] as Row).map(Number) as [number, number, number];
    this.#isStill = head === this.#head;
    this.#head = head;
    const found = new Map<string, Entry>();
    if (head === seen) for (const [id, sighting] of known) found.set(id, (sighting as Sighting).entry);
    for (const [, , , id, revision, text] of rows) {
      if (id == null) continue;
      const sighting = known.get(id);
      if (text != null) {
        const entry = decodeStored(id, text, Number(revision));
        found.set(id, entry);
        this.#remember(id, entry, head);
      } else if (sighting !== undefined) {
        found.set(id, sighting.entry);
        sighting.head = head;
      }
    }
    return { found, time: { wallMs: Math.floor(clockMs), leaseMs: clockMs }, head, contexts };
  }
}
