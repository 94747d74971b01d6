/// <reference types="node" />
/**
 * Hears that others have committed. A notification is only a hint: it may be lost with its connection, and a proxy that
 * pools transactions keeps it back for good. So there is always a look at the head as well: now and then while
 * notifications are known to arrive, often while they are not.
 */

import type { Connections } from "./connection.ts";
import { ask, type ListenerClient } from "./driver.ts";
import { quoted } from "./settings.ts";

export interface ListenerOptions {
  readonly connections: Connections;
  readonly channel: string;
  readonly queryMs: number;
  /** What tells others that somebody listens. */
  readonly attend: { readonly text: string; readonly values: readonly unknown[] };
  /** The revision of the last commit. */
  readonly head: () => Promise<number>;
  /** Sends a notification the way that commits do. */
  readonly notify: () => void;
  /** There may be more in the change log. */
  readonly wake: () => void;
}

/** While notifications arrive. */
const POLL_MS = 500;
/** While notifications do not arrive. */
const EAGER_POLL_MS = 25;
/** While the server does not answer. */
const FAILED_POLL_MS = 250;
/** Notifications used to arrive and do not any more: after so long it is the connection. */
const DEAF_MS = 5_000;
const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 5_000;

export class Listener {
  readonly #options: ListenerOptions;
  #client: ListenerClient | undefined;
  /** A notification has arrived on this connection, and none has been missed since. */
  #hears = false;
  #heardSincePoll = false;
  /** Since when notifications that used to arrive are missed. */
  #deafSinceMs: number | undefined;
  #lastHead = -1;
  #backoffMs = FIRST_BACKOFF_MS;
  #closed = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    void this.#connect();
    this.#pollAfter(EAGER_POLL_MS);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#poll);
    this.#drop();
  }

  async #connect(): Promise<void> {
    const { connections, channel, queryMs, attend, notify, wake } = this.#options;
    const client = connections.single();
    this.#client = client;
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    client.on("notification", () => {
      this.#hears = true;
      this.#deafSinceMs = undefined;
      this.#heardSincePoll = true;
      wake();
    });
    try {
      await client.connect();
      if (await isPooled(client, queryMs)) {
        // There LISTEN would never be heard of, and stay behind on a connection of the server that others use.
        this.#drop();
        return;
      }
      await ask(client, { text: `LISTEN ${quoted(channel)}`, values: [] }, queryMs);
      await ask(client, attend, queryMs);
    } catch {
      this.#lost(client);
      return;
    }
    if (this.#client !== client) return;
    this.#backoffMs = FIRST_BACKOFF_MS;
    // Whatever came while nobody listened; and a notification of our own shows whether they arrive at all.
    wake();
    notify();
  }

  /** Connects again, after a pause that grows and that is not the same for all who lost their connection at once. */
  #lost(client: ListenerClient): void {
    if (this.#client !== client) return;
    this.#drop();
    if (this.#closed) return;
    this.#retry = setTimeout(() => void this.#connect(), this.#backoffMs * (0.5 + Math.random() / 2));
    this.#backoffMs = Math.min(LONGEST_BACKOFF_MS, this.#backoffMs * 2);
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#hears = false;
    this.#deafSinceMs = undefined;
    client?.end().catch(() => undefined);
  }

  #pollAfter(ms: number): void {
    this.#poll = setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    let nextMs = FAILED_POLL_MS;
    try {
      const head = await this.#options.head();
      if (head !== this.#lastHead) this.#moved(head);
      this.#heardSincePoll = false;
      nextMs = this.#hears ? POLL_MS : EAGER_POLL_MS;
    } catch {
      // Who reads or writes hears of it.
    }
    if (!this.#closed) this.#pollAfter(nextMs);
  }

  #moved(head: number): void {
    // The notification of a commit a moment ago may still be on its way; the next look tells.
    if (this.#lastHead >= 0 && !this.#heardSincePoll) this.#miss();
    this.#lastHead = head;
    this.#options.wake();
  }

  #miss(): void {
    const nowMs = performance.now();
    if (this.#hears) this.#deafSinceMs = nowMs;
    this.#hears = false;
    const isDeaf = this.#deafSinceMs !== undefined && nowMs - this.#deafSinceMs > DEAF_MS;
    if (isDeaf && this.#client !== undefined) this.#lost(this.#client);
  }
}

/** Whether a proxy stands between: then another process serves the connection than the one it was told of. */
async function isPooled(client: ListenerClient, queryMs: number): Promise<boolean> {
  const [row] = await ask(client, { text: "SELECT pg_backend_pid()", values: [] }, queryMs);
  return client.processID != null && Number(row?.[0]) !== client.processID;
}
