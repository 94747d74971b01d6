/** The change log of a server, as cursors and listeners read it: each has an event stream of its own. */

import { type Change, changeOf, type ContextFilter } from "../changes.ts";
import type { Eventually, Gap, Reader, Records } from "../cursor.ts";
import type { Followed } from "../async/shared-store.ts";
import { isContextError } from "../errors.ts";
import { report } from "../report.ts";
import type { Connection } from "./connection.ts";
import { Feed } from "./feed.ts";
import { presentOn } from "./present.ts";

export interface Source {
  /** The revision of the last commit. */
  head(): Promise<number>;
}

interface Place {
  feed: Feed | undefined;
  /** It has been given something, or has begun with how things are. */
  hasRead: boolean;
}

interface Subscriber {
  stop(): void;
  readonly onClose: (() => void) | undefined;
}

/** A reader hears that the server has not been there for so long; a listener, who cannot, waits for ever. */
const PATIENCE_MS = 60_000;

export class HttpFollower implements Followed {
  readonly #connection: Connection;
  readonly #source: Source;
  readonly #places = new Map<Reader, Place>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #starting = new Set<Promise<void>>();
  #isClosed = false;

  constructor(connection: Connection, source: Source) {
    this.#connection = connection;
    this.#source = source;
  }

  get size(): number {
    return this.#places.size + this.#subscribers.size;
  }

  get lag(): number {
    return Math.max(0, ...Array.from(this.#places.values(), ({ feed }) => feed?.waiting ?? 0));
  }

  /** Every listener has begun: what is done from now on, it will hear of. */
  async begun(): Promise<void> {
    while (this.#starting.size > 0) await Promise.all(this.#starting);
  }

  present(filter: ContextFilter | undefined): Promise<Records> {
    return presentOn(this.#connection, filter);
  }

  read(reader: Reader, limit: number): Eventually<Records | Gap> {
    const place = this.#places.get(reader);
    if (place === undefined) return { records: [], through: reader.after, hasMore: false };
    place.feed ??= this.#feed(reader.filter, reader.after, PATIENCE_MS, () => reader.wake());
    const { feed } = place;
    const records = feed.take(limit);
    const last = records.at(-1);
    if (last !== undefined) {
      place.hasRead = true;
      return { records, through: last.revision, hasMore: true };
    }
    if (feed.failure !== undefined) return Promise.reject(feed.failure);
    if (feed.gap === undefined) return { records, through: reader.after, hasMore: false };
    place.feed = undefined;
    return { ...feed.gap, isTooOld: !place.hasRead };
  }

  attach(reader: Reader, after: number | undefined): void {
    if (this.#isClosed) {
      reader.end();
      return;
    }
    this.#places.set(reader, { feed: undefined, hasRead: after === undefined });
  }

  detach(reader: Reader): void {
    this.#places.get(reader)?.feed?.stop();
    this.#places.delete(reader);
  }

  subscribe<Data extends object>(
    filter: ContextFilter | undefined,
    listener: (change: Change<Data>) => void,
    onClose?: () => void,
  ): () => void {
    let feed: Feed | undefined;
    let isActive = true;
    const hear = (): void => {
      for (const record of feed?.take(Infinity) ?? []) {
        if (isActive) tell(listener, changeOf<Data>(record));
      }
      if (feed?.failure !== undefined) report(feed.failure);
      // What is kept no more nobody can tell any more: on with what is there now.
      if (feed?.gap !== undefined && isActive) feed = this.#feed(filter, feed.gap.head, Infinity, hear);
    };
    const begin = async (): Promise<void> => {
      try {
        const head = await this.#source.head();
        if (isActive) feed = this.#feed(filter, head, Infinity, hear);
      } catch (error) {
        if (isContextError(error, "UNAVAILABLE")) {
          if (isActive) setTimeout(() => void begin(), RETRY_MS);
        } else report(error);
      }
    };
    const starting = begin().finally(() => this.#starting.delete(starting));
    this.#starting.add(starting);
    const subscriber: Subscriber = {
      onClose,
      stop: () => {
        isActive = false;
        feed?.stop();
        this.#subscribers.delete(subscriber);
      },
    };
    this.#subscribers.add(subscriber);
    return () => subscriber.stop();
  }

  /** No more changes for anybody. */
  close(): void {
    this.#isClosed = true;
    for (const reader of this.#places.keys()) reader.end();
    for (const subscriber of this.#subscribers) {
      subscriber.stop();
      subscriber.onClose?.();
    }
  }

  #feed(filter: ContextFilter | undefined, after: number, patienceMs: number, onNews: () => void): Feed {
    return new Feed({ connection: this.#connection, filter, after, patienceMs, onNews });
  }
}

const RETRY_MS = 500;

function tell<Data extends object>(listener: (change: Change<Data>) => void, change: Change<Data>): void {
  try {
    listener(change);
  } catch (error) {
    report(error);
  }
}
