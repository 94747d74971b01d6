/** The event streams that are open: so many and no more, and one timer for all their heartbeats. */

import { type AsyncSharedContextManager, ContextError } from "shared-context-manager";
import { ChangeStream, type StreamOptions } from "./change-stream.ts";

/** A stream has been silent for so many parts of the time between heartbeats when it says that it is there. */
const PARTS = 4;

export class EventStreams {
  readonly #most: number;
  readonly #heartbeatMs: number;
  readonly #open = new Set<ChangeStream>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(most: number, heartbeatMs: number) {
    this.#most = most;
    this.#heartbeatMs = heartbeatMs;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @throws ContextError UNAVAILABLE. */
  open(manager: AsyncSharedContextManager, options: StreamOptions): ChangeStream {
    if (this.size >= this.#most) {
      throw new ContextError("UNAVAILABLE", { reason: `${this.#most} event streams are open, the most there may be` });
    }
    const stream = new ChangeStream(manager, options, this.#onEnd);
    this.#open.add(stream);
    this.#timer ??= setInterval(() => this.#beat(), this.#heartbeatMs / PARTS);
    return stream;
  }

  close(): void {
    for (const stream of this.#open) stream.stop();
  }

  readonly #onEnd = (stream: ChangeStream): void => {
    this.#open.delete(stream);
    if (this.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  };

  #beat(): void {
    for (const stream of this.#open) stream.beat(PARTS);
  }
}
