/** Who hears of commits: the change log and its readers, and subscribers, who are called. */

import { Audience, passes } from "./audience.ts";
import {
  type Act,
  type Change,
  type ChangeRecord,
  changeOf,
  changesBetween,
  type ContextFilter,
  currentOf,
} from "./changes.ts";
import type { Gap, Log, Reader, Records } from "./cursor.ts";
import type { Entry } from "./entry.ts";
import { report } from "./report.ts";

/** How far a reader may lag where the log itself is shorter. */
const LIVE_LIMIT = 1_024;

interface Place {
  readonly reader: Reader;
  /** It has read all there is for it: what follows is the next change that it is woken by. */
  isIdle: boolean;
  /** Something that it has not read has been dropped. */
  hasMissed: boolean;
  /** It had missed something before it began. */
  readonly isTooOld: boolean;
}

interface Subscriber {
  readonly listener: Listener;
  /** What is to be called when there will be no more. */
  readonly onClose: (() => void) | undefined;
  /** The head when it subscribed: what was committed before is not for it, even if it is still to be told. */
  readonly since: number;
  active: boolean;
}

// oxlint-disable-next-line typescript/no-explicit-any -- what the data is, only the manager's type says
type Listener = (change: Change<any>) => void;

export class Feed implements Log {
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #limit: number;
  /** Oldest first; those before `#start` are dropped. */
  #kept: ChangeRecord[] = [];
  #start = 0;
  /** All changes after this revision are kept, as far as anybody who is attached may ask for them. */
  #floor = 0;
  /** The revision of the last commit. */
  head = 0;
  readonly #readers = new Audience<Place>();
  readonly #places = new Map<Reader, Place>();
  readonly #subscribers = new Audience<Subscriber>();
  /** What subscribers are still to be told. */
  readonly #untold: ChangeRecord[] = [];
  /** Readers that a commit has something for. */
  #woken: Reader[] = [];
  #isTelling = false;
  #isClosed = false;
  /** While locks are handed on, nobody is told: what that commits is told after what caused it. */
  #hushed = 0;

  constructor(entries: ReadonlyMap<string, Entry>, limit: number) {
    this.#entries = entries;
    this.#limit = limit;
  }

  /** Whether anybody wants to know, or may ask later. */
  get isWanted(): boolean {
    return this.#limit > 0 || this.#readers.size > 0 || this.#subscribers.size > 0;
  }

  /** Whether somebody is to be told of what has been recorded. */
  get hasNews(): boolean {
    return this.#untold.length > 0 || this.#woken.length > 0;
  }

  /** How many watch or subscribe. */
  get size(): number {
    return this.#readers.size + this.#subscribers.size;
  }

  /** The most changes that a reader has not read yet. */
  get lag(): number {
    let lag = 0;
    for (const { reader, isIdle } of this.#places.values()) {
      if (isIdle) continue;
      const unread = this.#kept.slice(this.#indexAfter(reader.after));
      lag = Math.max(lag, unread.filter(({ contextId }) => passes(reader.filter, contextId)).length);
    }
    return lag;
  }

  /** Goes on from a revision, with nothing kept of what was before. */
  startAt(revision: number): void {
    this.head = revision;
    this.#floor = revision;
  }

  /** One context's part in a commit: to be kept and told, but nobody is called yet. */
  record(contextId: string, before: Entry | undefined, after: Entry | undefined, act: Act | undefined): void {
    const isHeard = this.#readers.has(contextId) || this.#subscribers.has(contextId);
    if (this.#limit === 0 && !isHeard) return;
    for (const change of changesBetween(contextId, before, after, this.head, act)) this.#add(change);
  }

  /** Every context was deleted at once. */
  recordClear(): void {
    const none = { contextId: null, agentId: null, note: null, before: undefined, after: undefined };
    this.#add({ revision: this.head, kind: "cleared", ...none });
  }

  /**
   * Wakes the readers and calls the subscribers, in the order of the changes, once a commit is complete. A listener
   * that writes adds to the end of the row.
   */
  tell(): void {
    if (this.#hushed > 0) return;
    this.#wakeAll();
    if (this.#isTelling || this.#untold.length === 0) return;
    this.#isTelling = true;
    try {
      for (let next = 0; next < this.#untold.length; next++) this.#tellOf(this.#untold[next] as ChangeRecord);
    } finally {
      this.#untold.length = 0;
      this.#isTelling = false;
    }
  }

  #wakeAll(): void {
    if (this.#woken.length === 0) return;
    const woken = this.#woken;
    this.#woken = [];
    for (const reader of woken) reader.wake();
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
    for (const subscriber of this.#subscribers.all()) {
      subscriber.active = false;
      subscriber.onClose?.();
    }
  }

  /** @returns the end of it. */
  subscribe<Data extends object>(
    filter: ContextFilter | undefined,
    listener: (change: Change<Data>) => void,
    onClose?: () => void,
  ): () => void {
    const subscriber: Subscriber = { listener, onClose, since: this.head, active: true };
    this.#subscribers.add(filter, subscriber);
    return () => {
      if (!subscriber.active) return;
      subscriber.active = false;
      this.#subscribers.remove(filter, subscriber);
    };
  }

  present(filter: ContextFilter | undefined): Records {
    return { records: this.#matching(filter).map(currentOf), through: this.head };
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
    if (place === undefined || place.isIdle) return { records: [], through: this.head };
    if (place.hasMissed) {
      place.hasMissed = false; // a reader that goes on has caught up by other means
      return { oldest: this.#oldest, head: this.head, isTooOld: place.isTooOld };
    }
    const records: ChangeRecord[] = [];
    let last = reader.after;
    for (let index = this.#indexAfter(last); index < this.#kept.length; index++) {
      const record = this.#kept[index] as ChangeRecord;
      if (records.length >= limit && record.revision !== last) return { records, through: last };
      last = record.revision;
      if (passes(reader.filter, record.contextId)) records.push(record);
    }
    place.isIdle = true;
    return { records, through: this.head };
  }

  attach(reader: Reader, after: number | undefined): void {
    if (this.#isClosed) {
      reader.end();
      return;
    }
    const hasMissed = after !== undefined && (after > this.head || after < this.#oldest - 1);
    const place: Place = { reader, isIdle: false, hasMissed, isTooOld: hasMissed };
    this.#places.set(reader, place);
    this.#readers.add(reader.filter, place);
  }

  detach(reader: Reader): void {
    const place = this.#places.get(reader);
    if (place === undefined) return;
    this.#places.delete(reader);
    this.#readers.remove(reader.filter, place);
    this.#trim();
  }

  /** A log that keeps only what is heard has nothing for those who come later. */
  get #oldest(): number {
    return 1 + (this.#limit === 0 ? this.head : this.#floor);
  }

  #add(record: ChangeRecord): void {
    if (this.#subscribers.size > 0) this.#untold.push(record);
    if (this.#limit === 0 && this.#readers.size === 0) return;
    this.#kept.push(record);
    this.#trim();
    this.#readers.forEach(record.contextId, (place) => {
      if (!place.isIdle) return;
      place.isIdle = false;
      place.reader.after = record.revision - 1;
      this.#woken.push(place.reader);
    });
  }

  /** Drops the oldest commits that are too many, and takes note of who has not read them. The last one stays. */
  #trim(): void {
    const limit = Math.max(this.#limit, this.#readers.size > 0 ? LIVE_LIMIT : 0);
    if (limit === 0) {
      this.#kept = [];
      this.#start = 0;
      return;
    }
    const newest = this.#kept.at(-1)?.revision;
    while (this.#kept.length - this.#start > limit || this.#isDropped(this.#kept[this.#start])) {
      const oldest = this.#kept[this.#start] as ChangeRecord;
      if (oldest.revision === newest) break;
      this.#start += 1;
      this.#floor = oldest.revision;
      this.#readers.forEach(oldest.contextId, (place) => {
        if (!place.isIdle && place.reader.after < oldest.revision) place.hasMissed = true;
      });
    }
    if (this.#start * 2 > this.#kept.length + LIVE_LIMIT) {
      this.#kept = this.#kept.slice(this.#start);
      this.#start = 0;
    }
  }

  #isDropped(record: ChangeRecord | undefined): boolean {
    return record !== undefined && record.revision <= this.#floor;
  }

  /** The first of those kept that is newer: the revisions rise. */
  #indexAfter(revision: number): number {
    let [low, high] = [this.#start, this.#kept.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#kept[middle] as ChangeRecord).revision > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #tellOf(record: ChangeRecord): void {
    let change: Change | undefined;
    this.#subscribers.forEach(record.contextId, (subscriber) => {
      if (!subscriber.active || record.revision <= subscriber.since) return;
      change ??= changeOf(record);
      try {
        subscriber.listener(change);
      } catch (error) {
        report(error);
      }
    });
  }
}
