/** Those who are called with every change, in the order of the changes. */

import { Audience } from "./audience.ts";
import { type Change, type ChangeRecord, changeOf, type ContextFilter } from "./changes.ts";
import type { JsonObject } from "./data.ts";
import { Fifo } from "./fifo.ts";
import { report } from "./report.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- what the data is, only the manager's type says
export type Listener = (change: Change<any>) => void;

interface Subscriber {
  readonly listener: Listener;
  /** What is to be called when there will be no more. */
  readonly onClose: (() => void) | undefined;
  /** The head when it subscribed: what was committed before is not for it, even if it is still to be told. */
  readonly since: number;
  active: boolean;
}

export class Subscribers {
  readonly #audience = new Audience<Subscriber>();
  /** What they are still to be told. */
  readonly #untold = new Fifo<ChangeRecord>();
  #isTelling = false;

  get size(): number {
    return this.#audience.size;
  }

  get hasNews(): boolean {
    return this.#untold.first !== undefined;
  }

  /** Whether somebody is to hear of a context. */
  hear(contextId: string): boolean {
    return this.#audience.size > 0 && this.#audience.of(contextId).length > 0;
  }

  /** @returns the end of it; calling it twice does no harm. */
  add(filter: ContextFilter | undefined, { listener, since, onClose }: Omit<Subscriber, "active">): () => void {
    const subscriber: Subscriber = { listener, onClose, since, active: true };
    this.#audience.add(filter, subscriber);
    return () => {
      if (!subscriber.active) return;
      subscriber.active = false;
      this.#audience.remove(filter, subscriber);
    };
  }

  /** A change that they are to be told of, once the commit is complete. */
  note(record: ChangeRecord): void {
    if (this.#audience.size > 0) this.#untold.push(record);
  }

  /** Calls them. A listener that writes adds to the end of the row. */
  tell(): void {
    if (this.#isTelling || this.#untold.first === undefined) return;
    this.#isTelling = true;
    try {
      for (let record = this.#untold.shift(); record !== undefined; record = this.#untold.shift()) this.#tellOf(record);
    } finally {
      this.#isTelling = false;
    }
  }

  close(): void {
    for (const subscriber of this.#audience.all()) {
      subscriber.active = false;
      subscriber.onClose?.();
    }
  }

  #tellOf(record: ChangeRecord): void {
    let change: Change | undefined;
    for (const subscriber of this.#audience.of(record.contextId)) {
      if (!subscriber.active || record.revision <= subscriber.since) continue;
      change ??= Object.freeze(changeOf<JsonObject>(record));
      try {
        subscriber.listener(change);
      } catch (error) {
        report(error);
      }
    }
  }
}
