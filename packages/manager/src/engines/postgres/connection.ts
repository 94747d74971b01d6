/// <reference types="node" />
/**
 * The pooled connections and what goes wrong with them. They have no state between two transactions, so a proxy that
 * gives every transaction another connection to the server may stand between.
 */

import { createHash } from "node:crypto";
import { Socket } from "node:net";
import { ContextError } from "../../errors.ts";
import { ask, type Driver, type DriverClient, type DriverPool, type PooledClient, type Row } from "./driver.ts";
import { SET_ONCE } from "./functions/plans.ts";
import type { PostgresSettings } from "./settings.ts";

/** How long things may take; every command ends. */
export interface Timeouts {
  /** Until there is a connection: a new one, or one that others are done with. */
  readonly connectMs: number;
  /** Until the answer to a statement is there. */
  readonly queryMs: number;
}

export const TIMEOUTS: Timeouts = { connectMs: 5_000, queryMs: 10_000 };

const IDLE_MS = 30_000;
const GOODBYE_MS = 1_000;
const KEEP_ALIVE_MS = 10_000;
const RETRIES = 8;
/** How long a read is tried again for: others may have found the server again by then. */
const READ_AGAIN_MS = 2_000;
const READ_PAUSE_MS = 20;

/** One statement. */
export interface Question {
  readonly text: string;
  readonly values: readonly unknown[];
  /** What asks the same, and is faster where it need not be planned each time. */
  readonly prepared?: Omit<Question, "prepared"> | undefined;
}

/** A statement that was sent and not answered: it may have been carried out. */
export class Unanswered extends Error {}

export class Connections {
  readonly #driver: Driver;
  readonly #settings: PostgresSettings;
  readonly #timeouts: Timeouts;
  readonly #pool: DriverPool;
  /** Whether nobody else has the process of the server behind a connection: then it may keep what it is told. */
  readonly #isOwn = new WeakMap<PooledClient, boolean>();
  /** Open sockets: where nobody answers, not even a goodbye is heard. */
  readonly #sockets = new Set<Socket>();
  #closing: Promise<void> | undefined;

  constructor(driver: Driver, settings: PostgresSettings, timeouts: Timeouts) {
    this.#driver = driver;
    this.#settings = settings;
    this.#timeouts = timeouts;
    this.#pool = new driver.Pool({ ...this.#clientSettings(), max: settings.poolSize, idleTimeoutMillis: IDLE_MS });
    // An idle connection was lost: the pool has dropped it, and the next command gets another.
    this.#pool.on("error", () => undefined);
    // The statement that is under way is told, too.
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  /** A connection of its own, outside the pool; not connected yet. */
  single(): InstanceType<Driver["Client"]> {
    return new this.#driver.Client(this.#clientSettings());
  }

  /** One statement, which is a transaction. @throws ContextError UNAVAILABLE; Unanswered. */
  async run(question: Question): Promise<readonly Row[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.using((client) => this.#askAgain(client, question));
      } catch (error) {
        if (!isTransient(error) || attempt === RETRIES) throw error;
        await pause(Math.random() * 2 ** attempt);
      }
    }
  }

  /** Something that may as well be done twice: where a connection is cut, on another one. @throws ContextError. */
  async read(question: Question): Promise<readonly Row[]> {
    const startMs = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.run(question);
      } catch (error) {
        const isOver = !isCut(error) || performance.now() - startMs > READ_AGAIN_MS;
        if (isOver || this.#closing !== undefined) throw this.#unavailable(error);
        await pause(READ_PAUSE_MS * attempt * (0.5 + Math.random()));
      }
    }
  }

  /** Several statements on one connection. What is thrown is translated. */
  async using<Result>(act: (client: PooledClient) => Promise<Result>): Promise<Result> {
    const client = await this.#connected();
    let isSound = false;
    try {
      const result = await act(client);
      isSound = true;
      return result;
    } catch (error) {
      isSound = isRefusal(error) && (await this.#survives(client));
      if (isSound || error instanceof ContextError) throw this.#unavailable(error);
      const unanswered = new Unanswered(this.#reason(error));
      unanswered.cause = error;
      throw unanswered;
    } finally {
      client.release(!isSound);
    }
  }

  ask(client: DriverClient, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return ask(client, { text, values }, this.#timeouts.queryMs);
  }

  /** A statement that will come again: where nobody else uses the connection, the server remembers it. */
  async #askAgain(client: PooledClient, question: Question): Promise<readonly Row[]> {
    if (this.#isOwn.get(client) !== true) return this.ask(client, question.text, question.values);
    const { text, values } = question.prepared ?? question;
    try {
      return await ask(client, { name: nameOf(text), text, values }, this.#timeouts.queryMs);
    } catch (error) {
      // It has not been carried out: another process serves the connection after all.
      if (!MISNAMED.includes(codeOf(error))) throw error;
      this.#isOwn.set(client, false);
      return this.ask(client, question.text, question.values);
    }
  }

  async #connected(): Promise<PooledClient> {
    if (this.#closing !== undefined) throw new ContextError("CLOSED", {});
    let client: PooledClient | undefined;
    try {
      client = await this.#pool.connect();
      if (!this.#isOwn.has(client)) {
        const rows = await this.ask(client, SET_ONCE, [client.processID ?? null]);
        this.#isOwn.set(client, rows.length > 0);
      }
      return client;
    } catch (error) {
      client?.release(true);
      throw this.#unavailable(error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.race([this.#pool.end().catch(() => undefined), pause(GOODBYE_MS)]);
    for (const socket of this.#sockets) socket.destroy();
  }

  #clientSettings(): object {
    return {
      ...this.#settings.connection,
      connectionTimeoutMillis: this.#timeouts.connectMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      stream: () => this.#socket(),
    };
  }

  #socket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }

  /**
   * Whether the connection goes on after an error that the server has told. Then the statement was rolled back. When
   * the server ends the connection it tells an error too, and what it says of it is in the language of the server.
   */
  async #survives(client: PooledClient): Promise<boolean> {
    try {
      await this.ask(client, "SELECT 1", []);
      return true;
    } catch {
      return false;
    }
  }

  #unavailable(error: unknown): unknown {
    if (error instanceof ContextError) return error;
    const reason = error instanceof Unanswered ? error.message : this.#reason(error);
    const failure = new ContextError("UNAVAILABLE", { reason });
    failure.cause = error instanceof Unanswered ? error.cause : error;
    return failure;
  }

  #reason(error: unknown): string {
    return `PostgreSQL at ${this.#settings.place}: ${messageOf(error)}`;
  }
}

/** A prepared statement that is not there, or is there already. */
const MISNAMED: readonly unknown[] = ["26000", "42P05"];

const names = new Map<string, string>();

/** The same for the same text and for no other, also where several have got to the same process of the server after all. */
function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    const hash = createHash("sha256").update(text).digest("hex").slice(0, 16);
    name = `shared_context.${/^\/\* (\w+)/.exec(text)?.[1] ?? ""}.${hash}`;
    names.set(text, name);
  }
  return name;
}

/** Serialisation failures and deadlocks, where the database is set up so that there are any: nothing has happened. */
const TRANSIENT: readonly unknown[] = ["40001", "40P01"];

function isTransient(error: unknown): boolean {
  return error instanceof ContextError && TRANSIENT.includes(codeOf(error.cause));
}

/** Whether it is the network that has failed, and not the server that has said no. */
function isCut(error: unknown): boolean {
  if (error instanceof Unanswered) return true;
  return error instanceof ContextError && error.code === "UNAVAILABLE" && !isRefusal(error.cause);
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

/** The server's own words that a connection is ending. */
const ENDING = /^(?:08|57P)/;

/** Whether the server has refused a statement, as far as the code tells. */
function isRefusal(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !ENDING.test(code);
}

function messageOf(error: unknown): string {
  // Where a name has several addresses, each has failed.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
