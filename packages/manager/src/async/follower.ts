/** Who hears of changes in an engine: follows its change log while somebody listens, and not otherwise. */

import { Audience, passes } from "../audience.ts";
import { type Change, type ChangeRecord, type ContextFilter, currentOf } from "../changes.ts";
import type { Eventually, Gap, Log, Reader, Records } from "../cursor.ts";
import type { EngineChange } from "../engine.ts";
import type { Entry } from "../entry.ts";
import { Subscribers } from "../subscribers.ts";
import type { Reading } from "./reading.ts";
import { readStretch, type Stretch } from "./stretch.ts";

interface Place {
  readonly reader: Reader;
  /** From where on changes are for it. */
  readonly since: number;
  /** It has read all there is for it: what follows is the next change that it is woken by. */
  isIdle: boolean;
  /** Something has come while it was reading. */
  hasNews: boolean;
  /** It has been given something, or there was nothing to give. */
  hasRead: boolean;
}

const CHANGES_AT_ONCE = 500;
const ENTRIES_AT_ONCE = 500;
/** A hint may be lost: then this is how long a change goes unnoticed at most. */
const HEARTBEAT_MS = 1_000;

export class Follower implements Log {
  readonly #engine: Reading;
  readonly #places = new Map<Reader, Place>();
  readonly #readers = new Audience<Place>();
  readonly #subscribers = new Subscribers();
  #head: number;
  /** All up to here has been told; `undefined` while that is being asked for. */
  #told: number | undefined;
  /** What was told last, for all who read that now: a thousand watchers of one change ask the log once. */
  #latest: Stretch | undefined;
  /** The first revision that this process has committed since it began to listen. */
  #firstOwn = Infinity;
  #stop: (() => void) | undefined;
  #pulling = false;
  #pullAgain = false;
  #isClosed = false;

  constructor(engine: Reading, head: number) {
    this.#engine = engine;
    this.#head = head;
  }

  get size(): number {
    return this.#readers.size + this.#subscribers.size;
  }

  /** What lies between is not read to be counted: these are revisions, those of other contexts too. */
  get lag(): number {
    let lag = 0;
    for (const { reader, isIdle, since } of this.#places.values()) {
      if (!isIdle) lag = Math.max(lag, this.#head - Math.max(reader.after, since));
    }
    return lag;
  }

  /** The newest revision that is known of. */
  get head(): number {
    return this.#head;
  }

  /** Something was seen at this revision. */
  saw(head: number): void {
    if (head <= this.#head) return;
    this.#head = head;
    if (this.#stop !== undefined) this.#pull();
  }

  /** This process has committed something, from the first of these revisions to the last. */
  committed(first: number, last: number): void {
    this.#firstOwn = Math.min(this.#firstOwn, first);
    this.saw(last);
  }

  subscribe<Data extends object>(
    filter: ContextFilter | undefined,
    listener: (change: Change<Data>) => void,
    onClose?: () => void,
  ): () => void {
    if (this.#isClosed) {
      onClose?.();
      return () => undefined;
    }
    const unsubscribe = this.#subscribers.add(filter, { listener, onClose, since: this.#head });
    this.#start();
    return () => {
      unsubscribe();
      this.#rest();
    };
  }

  attach(reader: Reader, after: number | undefined): void {
    if (this.#isClosed) {
      reader.end();
      return;
    }
    const since = after ?? this.#head;
    const place: Place = { reader, since, isIdle: false, hasNews: false, hasRead: after === undefined };
    this.#places.set(reader, place);
    this.#readers.add(reader.filter, place);
    this.#start();
  }

  detach(reader: Reader): void {
    const place = this.#places.get(reader);
    if (place === undefined) return;
    this.#places.delete(reader);
    this.#readers.remove(reader.filter, place);
    this.#rest();
  }

  async present(filter: ContextFilter | undefined): Promise<Records> {
    const entries: Entry[] = [];
    let through: number | undefined;
    if (typeof filter === "string") {
      const loaded = await this.#engine.load([filter]);
      through = loaded.head;
      entries.push(...loaded.entries.filter((entry) => entry !== undefined));
    } else {
      let after: string | undefined;
      do {
        const page = await this.#engine.list({ prefix: filter?.prefix ?? "", after, limit: ENTRIES_AT_ONCE });
        through ??= page.head;
        entries.push(...page.entries);
        after = page.next;
      } while (after !== undefined);
    }
    const head = through;
    // What later pages show newer than the first one comes as a change.
    const known = entries.filter(({ revision }) => revision <= head);
    known.sort((one, other) => one.revision - other.revision);
    return { records: known.map(currentOf), through: head, hasMore: true };
  }

  read(reader: Reader, limit: number): Eventually<Records | Gap> {
    const place = this.#places.get(reader);
    // Whether the place that a reader begins with is kept still, only the log itself says.
    if (place === undefined || !place.hasRead) return this.#readLog(reader, place, limit);
    const page = this.#latest && readStretch(this.#latest, reader, limit);
    if (page === undefined) return this.#readLog(reader, place, limit);
    place.hasNews = false;
    place.isIdle = !page.hasMore;
    return page;
  }

  async #readLog(reader: Reader, place: Place | undefined, limit: number): Promise<Records | Gap> {
    for (let { after } = reader; ;) {
      if (place !== undefined) place.hasNews = false;
      const page = await this.#engine.changes({ after, limit: Math.min(limit, CHANGES_AT_ONCE) });
      if (after > page.head || page.oldest > after + 1)
        return { oldest: page.oldest, head: page.head, isTooOld: place?.hasRead !== true };
      if (place !== undefined) place.hasRead = true;
      const records = page.changes.filter(({ contextId }) => passes(reader.filter, contextId)).map(recordOf);
      after = page.changes.at(-1)?.revision ?? page.head;
      const hasMore = after < page.head || place?.hasNews === true;
      if (hasMore && records.length === 0) continue;
      if (place !== undefined) place.isIdle = !hasMore;
      return { records, through: after, hasMore };
    }
  }

  /** No more changes for anybody. */
  close(): void {
    this.#isClosed = true;
    for (const reader of this.#places.keys()) reader.end();
    this.#subscribers.close();
    this.#stop?.();
    this.#stop = undefined;
  }

  #start(): void {
    if (this.#stop !== undefined) return;
    this.#told = undefined;
    this.#latest = undefined;
    this.#firstOwn = Infinity;
    const stopWaking = this.#engine.onWake(() => this.#pull());
    const heartbeat = setInterval(() => this.#pull(), HEARTBEAT_MS);
    this.#stop = () => {
      stopWaking();
      clearInterval(heartbeat);
    };
    this.#pull();
  }

  #rest(): void {
    if (this.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
    this.#latest = undefined;
  }

  #pull(): void {
    this.#pullAgain = true;
    if (!this.#pulling) void this.#pullAll();
  }

  async #pullAll(): Promise<void> {
    this.#pulling = true;
    try {
      while (this.#pullAgain && this.#stop !== undefined) {
        this.#pullAgain = false;
        await this.#pullOnce();
      }
    } catch {
      // The next hint or heartbeat tries again; who reads or writes meanwhile hears of it.
    } finally {
      this.#pulling = false;
    }
  }

  async #pullOnce(): Promise<void> {
    const told = this.#told ?? (await this.#beginning());
    const page = await this.#engine.changes({ after: told, limit: CHANGES_AT_ONCE });
    const through = page.changes.at(-1)?.revision ?? page.head;
    const records = page.changes.map(recordOf);
    // Before anybody is woken: whoever reads what was told before takes it for all there is, and would miss a gap after it.
    this.#latest = { after: Math.max(told, page.oldest - 1), through, records, hasMore: through < page.head };
    if (page.oldest > told + 1) this.#wakeAll();
    for (const record of records) this.#tell(record);
    this.#told = through;
    this.#head = Math.max(this.#head, through);
    if (through < page.head) this.#pullAgain = true;
  }

  /** Where listening begins: with what is there now, or what this process has done since it began to listen. */
  async #beginning(): Promise<number> {
    const { head } = await this.#engine.load([]);
    this.#wakeAll(); // a reader that has read all before may have missed what came since
    return Math.min(head, this.#firstOwn - 1);
  }

  /** What has been dropped before it was read here: the readers find out for themselves. */
  #wakeAll(): void {
    for (const place of this.#places.values()) this.#wake(place);
  }

  #tell(record: ChangeRecord): void {
    for (const place of this.#readers.of(record.contextId)) {
      if (place.reader.after >= record.revision) continue; // it was woken by one before it, and has read both
      if (place.isIdle) place.reader.after = Math.max(place.reader.after, record.revision - 1);
      this.#wake(place);
    }
    this.#subscribers.note(record);
    this.#subscribers.tell();
  }

  #wake(place: Place): void {
    place.hasNews = true;
    place.isIdle = false;
    place.reader.wake();
  }
}

function recordOf({ revision, kind, contextId, agentId, note, entry }: EngineChange): ChangeRecord {
  return { revision, kind, contextId, agentId, note, before: undefined, after: entry ?? undefined };
}
