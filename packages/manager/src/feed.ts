/** Who hears of commits: the change log and its readers, and subscribers, who are called. */

import { Audience, passes } from "./audience.ts";
import {
  type Act,
  type Change,
  type ChangeRecord,
  changesBetween,
  type ContextFilter,
  currentOf,
  writeBetween,
} from "./changes.ts";
import type { Gap, Log, Reader, Records } from "./cursor.ts";
import type { Entry } from "./entry.ts";
import { Fifo, type Link } from "./fifo.ts";
import { Subscribers } from "./subscribers.ts";

/** How far a reader may lag where the log itself is shorter. */
const LIVE_LIMIT = 1_024;

interface Place {
  readonly reader: Reader;
  /** How many changes for it it has not read. */
  lag: number;
  /** What it has not read and the log has dropped, oldest first: others must not make it miss what is its own. */
  readonly saved: ChangeRecord[];
  /** The next change for it in the log; `undefined` when there is none: what follows is what it is woken by. */
  unread: Link<ChangeRecord> | undefined;
  /** It was too far behind, and has nothing to read until it has been told so. */
  hasMissed: boolean;
  /** It had missed something before it began. */
  readonly isTooOld: boolean;
}

export class Feed implements Log {
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #limit: number;
  /** How many changes of its own a reader may lag. */
  readonly #mostLag: number;
  /** Oldest first. */
  readonly #kept = new Fifo<ChangeRecord>();
  #count = 0;
  /** All changes after this revision are kept, as far as anybody who is attached may ask for them. */
  #floor = 0;
  /** The revision of the last commit. */
  head = 0;
  readonly #readers = new Audience<Place>();
  readonly #places = new Map<Reader, Place>();
  /** How many of them have something to read. */
  #behind = 0;
  readonly #subscribers = new Subscribers();
  /** Readers that a commit has something for. */
  readonly #woken = new Fifo<Reader>();
  /** Whether anybody wants to know, or may ask later. Every commit asks, so it is worked out when somebody comes or goes. */
  isWanted: boolean;
  #isClosed = false;
  /** While locks are handed on, nobody is told: what that commits is told after what caused it. */
  #hushed = 0;

  constructor(entries: ReadonlyMap<string, Entry>, limit: number) {
    this.#entries = entries;
    this.#limit = limit;
    this.#mostLag = Math.max(limit, LIVE_LIMIT);
    this.isWanted = limit > 0;
  }

  /** Whether somebody is to be told of what has been recorded. */
  get hasNews(): boolean {
    return this.#subscribers.hasNews || this.#woken.first !== undefined;
  }

  /** How many watch or subscribe. */
  get size(): number {
    return this.#readers.size + this.#subscribers.size;
  }

  /** The most changes that a reader has not read yet. */
  get lag(): number {
    return [...this.#places.values()].reduce((most, { lag }) => Math.max(most, lag), 0);
  }

  /** Goes on from a revision, with nothing kept of what was before. */
  startAt(revision: number): void {
    this.head = revision;
    this.#floor = revision;
  }

  /** One context's part in a commit: to be kept and told, but nobody is called yet. */
  record(contextId: string, before: Entry | undefined, after: Entry | undefined, act: Act | undefined): void {
    const readers = this.#readers.of(contextId);
    if (this.#limit === 0 && readers.length === 0 && !this.#subscribers.hear(contextId)) return;
    const write = writeBetween(before, after, this.head);
    if (write !== undefined) this.#add(write, readers);
    else for (const change of changesBetween(contextId, before, after, this.head, act)) this.#add(change, readers);
  }

  /** Every context was deleted at once. */
  recordClear(): void {
    const none = { contextId: null, agentId: null, note: null, before: undefined, after: undefined };
    this.#add({ revision: this.head, kind: "cleared", ...none }, this.#readers.all());
  }

  /** Wakes the readers and calls the subscribers, once a commit is complete. */
  tell(): void {
    if (this.#hushed > 0) return;
    for (let reader = this.#woken.shift(); reader !== undefined; reader = this.#woken.shift()) reader.wake();
    this.#subscribers.tell();
  }

  /** Runs what commits as a consequence of a commit; `tell` waits for the end. */
  hush(run: () => void): void {
    this.#hushed += 1;
    try {
      run();
    } finally {
      this.#hushed -= 1;
    }
  }

  /** No more changes for anybody. */
  close(): void {
    this.#isClosed = true;
    for (const reader of this.#places.keys()) reader.end();
    this.#subscribers.close();
  }

  /** @returns the end of it. */
  subscribe<Data extends object>(
    filter: ContextFilter | undefined,
    listener: (change: Change<Data>) => void,
    onClose?: () => void,
  ): () => void {
    const unsubscribe = this.#subscribers.add(filter, { listener, onClose, since: this.head });
    this.isWanted = true;
    return () => {
      unsubscribe();
      this.#setWanted();
    };
  }

  present(filter: ContextFilter | undefined): Records {
    return { records: this.#matching(filter).map(currentOf), through: this.head, hasMore: true };
  }

  #matching(filter: ContextFilter | undefined): Entry[] {
    if (typeof filter === "string") {
      const entry = this.#entries.get(filter);
      return entry === undefined ? [] : [entry];
    }
    const entries = [...this.#entries.values()].filter(({ contextId }) => passes(filter, contextId));
    return entries.sort((one, other) => one.revision - other.revision);
  }

  read(reader: Reader, limit: number): Records | Gap {
    const place = this.#places.get(reader);
    if (place?.hasMissed === true) {
      place.hasMissed = false; // a reader that goes on has caught up by other means
      return { oldest: this.#oldest, head: this.head, isTooOld: place.isTooOld };
    }
    if (place !== undefined && place.saved.length > 0) return this.#readSaved(place, limit);
    if (place?.unread === undefined) return { records: [], through: this.head, hasMore: false };
    const first = place.unread.value;
    const records = [first];
    let { revision: last } = first;
    for (let link = place.unread.next; link !== undefined; link = link.next) {
      const record = link.value;
      if (!passes(reader.filter, record.contextId)) continue;
      if (records.length >= limit && record.revision !== last) {
        place.unread = link;
        place.lag -= records.length;
        return { records, through: last, hasMore: true };
      }
      last = record.revision;
      records.push(record);
    }
    this.#rest(place);
    return { records, through: this.head, hasMore: false };
  }

  /** Commits are dropped, and so saved, as a whole. */
  #readSaved(place: Place, limit: number): Records {
    const { saved } = place;
    let count = 1;
    while (count < saved.length && (count < limit || saved[count]?.revision === saved[count - 1]?.revision)) count += 1;
    const records = saved.splice(0, count);
    place.lag -= records.length;
    if (place.lag === 0) this.#rest(place);
    return { records, through: records.at(-1)?.revision ?? this.head, hasMore: place.lag > 0 };
  }

  attach(reader: Reader, after: number | undefined): void {
    if (this.#isClosed) {
      reader.end();
      return;
    }
    const hasMissed = after !== undefined && (after > this.head || after < this.#oldest - 1);
    const isCurrent = hasMissed || after === undefined || after === this.head;
    const unread = isCurrent ? undefined : firstOf(this.#kept.first, reader.filter, after);
    let lag = 0;
    for (let link = unread; link !== undefined; link = firstOf(link.next, reader.filter)) lag += 1;
    const place: Place = { reader, lag, saved: [], unread, hasMissed, isTooOld: hasMissed };
    this.#places.set(reader, place);
    this.#readers.add(reader.filter, place);
    this.isWanted = true;
    if (lag > 0) this.#behind += 1;
  }

  detach(reader: Reader): void {
    const place = this.#places.get(reader);
    if (place === undefined) return;
    this.#places.delete(reader);
    this.#readers.remove(reader.filter, place);
    this.#setWanted();
    if (place.lag > 0) this.#rest(place);
    this.#trim();
  }

  #setWanted(): void {
    this.isWanted = this.#limit > 0 || this.#readers.size > 0 || this.#subscribers.size > 0;
  }

  /** A log that keeps only what is heard has nothing for those who come later. */
  get #oldest(): number {
    return 1 + (this.#limit === 0 ? this.head : this.#floor);
  }

  #add(record: ChangeRecord, readers: readonly Place[]): void {
    this.#subscribers.note(record);
    if (this.#limit === 0 && this.#readers.size === 0) return;
    const link = this.#kept.push(record);
    this.#count += 1;
    for (const place of readers) {
      if (place.hasMissed) continue;
      place.lag += 1;
      place.unread ??= link;
      if (place.lag === 1) {
        place.reader.after = record.revision - 1;
        this.#behind += 1;
        this.#woken.push(place.reader);
      } else if (place.lag > this.#mostLag) {
        this.#fallBehind(place, record.revision);
      }
    }
    this.#trim();
  }

  #trim(): void {
    const limit = this.#behind > 0 ? this.#mostLag : this.#limit;
    if (limit === 0) this.#forget();
    else if (this.#count > limit) this.#drop(limit);
  }

  /** Drops the oldest commits that are too many. The last one stays. */
  #drop(limit: number): void {
    const newest = this.#kept.last?.value.revision;
    for (let link = this.#kept.first; link !== undefined; link = this.#kept.first) {
      const { revision, contextId } = link.value;
      if (revision === newest || (this.#count <= limit && revision > this.#floor)) break;
      this.#kept.shift();
      this.#count -= 1;
      this.#floor = revision;
      for (const place of this.#readers.of(contextId)) {
        if (place.unread !== link) continue;
        place.saved.push(link.value);
        place.unread = firstOf(link.next, place.reader.filter);
      }
    }
  }

  /** A commit is told as a whole, however much it has changed. */
  #fallBehind(place: Place, newest: number): void {
    if ((place.saved[0] ?? place.unread?.value)?.revision === newest) return;
    place.hasMissed = true;
    this.#empty(place); // what is at hand may be for others still: it is forgotten after them
  }

  /** The reader has nothing to read any more. */
  #rest(place: Place): void {
    this.#empty(place);
    if (this.#isForgetful) this.#forget();
  }

  #empty(place: Place): void {
    place.lag = 0;
    place.saved.length = 0;
    place.unread = undefined;
    this.#behind -= 1;
  }

  /** Whether nobody is to read what is kept. */
  get #isForgetful(): boolean {
    return this.#limit === 0 && this.#behind === 0;
  }

  #forget(): void {
    this.#kept.clear();
    this.#count = 0;
  }
}

/** The first change from a link on that is after a revision and passes a filter. */
function firstOf(
  from: Link<ChangeRecord> | undefined,
  filter: ContextFilter | undefined,
  after = 0,
): Link<ChangeRecord> | undefined {
  let link = from;
  while (link !== undefined && (link.value.revision <= after || !passes(filter, link.value.contextId)))
    link = link.next;
  return link;
}
