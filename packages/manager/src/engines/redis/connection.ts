/**
 * One connection at a time to one server, made again after a cut, and beside it one for messages. It never sends a command a
 * second time of which it is not known that the first did not arrive, except commands that only read.
 */

import { ContextError } from "../../errors.ts";
import type { RedisClient, RedisDriver, RedisOptions } from "./driver.ts";
import { Ear } from "./ear.ts";
import { Silence } from "./silence.ts";

export type Command = readonly string[];

/** The connection was cut, or gave no answer in time, after the command may have been sent. */
export class Cut extends Error {}

/** The command was certainly not sent. */
class NotSent extends Error {}

export interface ConnectionHooks {
  /** Runs on each new connection before anything else does. */
  onConnect(send: (command: Command) => Promise<unknown>): Promise<void>;
  onMessage(message: string): void;
  /** Messages are heard from now on: what was announced before has not been. */
  onListening(): void;
}

interface Live {
  readonly client: RedisClient;
  /** Where the client is connected to. */
  readonly options: RedisOptions;
  /** Half-open: what was sent gets no answer, and nothing says why. All on this connection fare the same. */
  readonly silence: Silence;
  ear?: Ear;
}

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 2_000;
const MOST_MOVES = 5;

export class Connection {
  readonly #driver: RedisDriver;
  readonly #timeoutMs: number;
  readonly #channel: string;
  readonly #hooks: ConnectionHooks;
  readonly #firstOptions: RedisOptions;
  #options: RedisOptions;
  #live: Live | undefined;
  /** Goes on until it has succeeded, or this has been closed. */
  #reconnecting: Promise<void> | undefined;
  #lastFailure: unknown;
  /** Before the next try to connect; none after a connection that has been of use. */
  #pauseMs = 0;
  #wantsMessages = false;
  #inFlight = 0;
  #onIdle: (() => void) | undefined;
  #stopPause: (() => void) | undefined;
  #isClosed = false;

  constructor(
    driver: RedisDriver,
    options: RedisOptions,
    settings: { readonly timeoutMs: number; readonly channel: string; readonly hooks: ConnectionHooks },
  ) {
    this.#driver = driver;
    this.#firstOptions = options;
    this.#options = options;
    this.#timeoutMs = settings.timeoutMs;
    this.#channel = settings.channel;
    this.#hooks = settings.hooks;
  }

  /** The first connection: what is wrong with it is said at once. */
  async open(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  /** Commands that change nothing, in one go; asked again on a new connection when the one they were sent on was cut. */
  read(commands: readonly Command[]): Promise<unknown[]> {
    return this.#send((client) => Promise.all(commands.map((command) => client.sendCommand(command))), isNoAnswer);
  }

  /**
   * One command that changes something, made when it is sent.
   *
   * @throws Cut when it may have been carried out or not; what else it throws says that it was not.
   */
  write<Reply>(command: () => Command): Promise<Reply> {
    return this.#send((client) => client.sendCommand(command()) as Promise<Reply>, wasNotSent);
  }

  /** From now on messages are heard, on this connection and those to come. */
  listen(): void {
    if (this.#wantsMessages) return;
    this.#wantsMessages = true;
    if (this.#live !== undefined) this.#hear(this.#live);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopPause?.();
    // What is under way gets its answer, or runs into its own timeout.
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#drop(this.#live);
  }

  async #send<Reply>(
    send: (client: RedisClient) => Promise<Reply>,
    mayTryAgain: (error: unknown) => boolean,
  ): Promise<Reply> {
    if (this.#isClosed) throw new ContextError("CLOSED", {});
    let endsAtMs = performance.now() + this.#timeoutMs;
    let hasNewTerm = false;
    this.#inFlight += 1;
    try {
      for (let moves = 0; ;) {
        const live = this.#live ?? (await this.#whenLive(endsAtMs));
        live.silence.sent();
        try {
          const reply = await send(live.client);
          this.#pauseMs = 0;
          return reply;
        } catch (reason) {
          const error = this.#failed(live, reason);
          // Another node has the keys now, and this one has done nothing.
          if (this.#follow(error) && ++moves <= MOST_MOVES) {
            this.#lost(live, error);
            continue;
          }
          if (mayTryAgain(error)) {
            if (performance.now() < endsAtMs) continue;
            // A half-open connection has used up all of the time: the next one gets a chance, once.
            if (!hasNewTerm) {
              hasNewTerm = true;
              endsAtMs = performance.now() + this.#timeoutMs;
              continue;
            }
          }
          throw error instanceof NotSent ? this.#unavailable(error) : error;
        } finally {
          live.silence.answered();
        }
      }
    } finally {
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#onIdle?.();
    }
  }

  /** What it means that a command was not carried out, or may not have been. */
  #failed(live: Live, error: unknown): unknown {
    if (error instanceof this.#driver.ErrorReply) {
      // What was the primary is one no more: the name may lead to the new one by now.
      if (/^(READONLY|MASTERDOWN) /.test(error.message)) this.#lost(live, error);
      return error;
    }
    const { ClientOfflineError, ClientClosedError } = this.#driver;
    const wasSent = !(error instanceof ClientOfflineError || error instanceof ClientClosedError);
    this.#lost(live, error);
    return wasSent
      ? new Cut(`the connection was cut: ${reasonOf(this.#lastFailure)}`, { cause: this.#lastFailure })
      : new NotSent("there is no connection", { cause: error });
  }

  async #whenLive(endsAtMs: number): Promise<Live> {
    do {
      this.#reconnecting ??= this.#reconnect();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const leftMs = Math.max(0, endsAtMs - performance.now());
      const isLate = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, leftMs);
      });
      await Promise.race([this.#reconnecting, isLate]);
      clearTimeout(timer);
      if (this.#live !== undefined) return this.#live;
    } while (!this.#isClosed && performance.now() < endsAtMs);
    throw this.#isClosed ? new ContextError("CLOSED", {}) : this.#unavailable(this.#lastFailure);
  }

  async #reconnect(): Promise<void> {
    while (!this.#isClosed) {
      // Random, so that those whom one restart has cut off do not come back at once.
      if (this.#pauseMs > 0) await this.#pause(this.#pauseMs * (0.5 + Math.random()));
      // Whoever waits for a connection sees at least one try.
      const longestMs = Math.min(LONGEST_PAUSE_MS, this.#timeoutMs / 2);
      this.#pauseMs = Math.min(Math.max(FIRST_PAUSE_MS, 2 * this.#pauseMs), longestMs);
      try {
        await this.#connect();
        this.#reconnecting = undefined;
        return;
      } catch (error) {
        this.#lastFailure = error;
      }
    }
  }

  #pause(pauseMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.#stopPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #connect(moves = 0): Promise<void> {
    const options = this.#options;
    const client = this.#driver.createClient(options);
    const silence = new Silence(this.#timeoutMs, () => {
      this.#lost(live, new Error(`no answer within ${this.#timeoutMs} ms`));
    });
    const live: Live = { client, options, silence };
    const onEnd = (reason?: unknown): void => this.#lost(live, reason);
    for (const event of ["error", "end", "terminated"] as const) client.on(event, onEnd);
    // The driver's own limit is for the socket alone: the server may accept and then say nothing.
    const timer = setTimeout(() => client.destroy(), this.#timeoutMs);
    try {
      await client.connect();
      await this.#hooks.onConnect((command) => client.sendCommand(command));
      if (this.#isClosed) throw new Error("closed");
      this.#live = live;
      if (this.#wantsMessages) this.#hear(live);
    } catch (error) {
      client.destroy();
      if (this.#follow(error) && moves < MOST_MOVES) return await this.#connect(moves + 1);
      // The node that a cluster has sent us to may be gone: then the first one is asked again.
      this.#options = this.#firstOptions;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** As long as the other connection lives: only there is it noticed that the server has gone silent. */
  #hear(live: Live): void {
    live.ear = new Ear(() => this.#driver.createClient(live.options), {
      channel: this.#channel,
      timeoutMs: this.#timeoutMs,
      onMessage: (message) => this.#hooks.onMessage(message),
      onListening: () => this.#hooks.onListening(),
    });
  }

  /** A connection that is gone fails all that was sent on it; a new one is sought. */
  #lost(live: Live, reason: unknown): void {
    if (live !== this.#live) return;
    if (reason !== undefined) this.#lastFailure = reason;
    this.#live = undefined;
    this.#drop(live);
    if (!this.#isClosed) this.#reconnecting ??= this.#reconnect();
  }

  #drop(live: Live | undefined): void {
    if (live === this.#live) this.#live = undefined;
    live?.silence.stop();
    live?.ear?.close();
    live?.client.destroy();
  }

  /** In a cluster: the next connection goes to the node that the answer names. */
  #follow(error: unknown): boolean {
    const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(reasonOf(error)) ?? [];
    if (host === undefined) return false;
    const { socket } = this.#options;
    const target = { ...socket, host: host === "" ? socket.host : host, port: Number(port) };
    this.#options = { ...this.#options, socket: target };
    return true;
  }

  #unavailable(error: unknown): unknown {
    if (error instanceof ContextError) return error;
    const reason = reasonOf(error);
    const failure = new ContextError("UNAVAILABLE", { reason: `Redis: ${reason}` });
    failure.cause = error;
    return failure;
  }
}

function wasNotSent(error: unknown): boolean {
  return error instanceof NotSent;
}

function isNoAnswer(error: unknown): boolean {
  return error instanceof NotSent || error instanceof Cut;
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reasonOf).join("; ");
  if (error instanceof NotSent && error.cause !== undefined) return reasonOf(error.cause);
  if (error instanceof Error) return error.message;
  return "there is no connection";
}
