/**
 * Repeated writes: a request whose Idempotency-Key has been seen gets the first answer again. The latest answers are kept
 * in this process; the key is the id of the operation in the change log, by which any other finds it.
 */

import { createHash } from "node:crypto";
import { isContextError } from "shared-context-manager";
import type { Reply } from "./exchange.ts";
import { invalid } from "./input.ts";
import { type Operation, operationIdOf, type OperationLog } from "./operation-log.ts";
import { HttpError } from "./problems.ts";

interface Kept {
  readonly fingerprint: string;
  /** `undefined` when it was refused: then nothing has changed, and the key may be used again. */
  readonly answer: Promise<Reply | Failed | undefined>;
  characters: number;
}

/** What may have been done or not must not be done again. */
interface Failed {
  readonly error: unknown;
}

const MOST_KEPT = 10_000;
const MOST_CHARACTERS = 32 * 1024 ** 2;
const LONGEST_KEY = 255;
const REPLAYED = { "idempotency-replayed": "true" };

/** A write that may come again. */
export interface Keyed {
  /** Keys of different callers have nothing to do with each other. */
  readonly who: string;
  readonly key: string;
  /** What makes two requests the same. */
  readonly request: readonly unknown[];
  /** Its conditions keep it from landing twice: then the change log is looked into only if it is refused. */
  readonly isGuarded: boolean;
  /** @param operationId - what the change log is to call it. */
  readonly run: (operationId: string) => Promise<Reply>;
  /** The first answer, from what the change log has of it. */
  readonly replay: (changes: Operation["changes"]) => Promise<Reply>;
}

/** What a write that has landed already may be refused with when it comes again. */
const OF_STATE = ["CONFLICT", "NOT_FOUND", "EXISTS", "LEASE_LOST", "LOCKED"] as const;

export class Idempotency {
  readonly #kept = new Map<string, Kept>();
  readonly #log: OperationLog;
  #characters = 0;

  constructor(log: OperationLog) {
    this.#log = log;
  }

  async once(keyed: Keyed): Promise<Reply> {
    const { who, key, request } = keyed;
    if (key.length === 0 || key.length > LONGEST_KEY) {
      throw invalid("idempotency-key", "", `1 to ${LONGEST_KEY} characters`, key);
    }
    const name = hashOf([who, key]);
    const fingerprint = hashOf(request);
    for (;;) {
      const kept = this.#kept.get(name);
      if (kept === undefined) return this.#first(name, fingerprint, keyed);
      if (kept.fingerprint !== fingerprint) throw reused();
      const answer = await kept.answer;
      if (answer === undefined) continue;
      if ("body" in answer) return answerFrom(answer, REPLAYED);
      // It may have landed: by now the change log may tell.
      return (await this.#again(name, fingerprint, keyed)) ?? answerFrom(answer);
    }
  }

  async #first(name: string, fingerprint: string, keyed: Keyed): Promise<Reply> {
    const running = this.#run(name, fingerprint, keyed);
    const kept: Kept = { fingerprint, answer: outcomeOf(running), characters: 0 };
    this.#kept.set(name, kept);
    const answer = await kept.answer;
    if (answer === undefined) {
      this.#kept.delete(name);
      return running;
    }
    if ("body" in answer && typeof answer.body === "string") kept.characters = answer.body.length;
    this.#characters += kept.characters;
    this.#forget();
    return answerFrom(answer);
  }

  /** Unless another process has done it before, or this one before it was started again. */
  async #run(name: string, fingerprint: string, keyed: Keyed): Promise<Reply> {
    if (!keyed.isGuarded) {
      const before = await this.#again(name, fingerprint, keyed);
      if (before !== undefined) return before;
    }
    try {
      return await keyed.run(operationIdOf(name, fingerprint));
    } catch (error) {
      const mayBeItself = keyed.isGuarded && OF_STATE.some((code) => isContextError(error, code));
      const before = mayBeItself ? await this.#again(name, fingerprint, keyed) : undefined;
      if (before !== undefined) return before;
      throw error;
    }
  }

  /** The first answer, where the change log has the write. */
  async #again(name: string, fingerprint: string, { replay }: Keyed): Promise<Reply | undefined> {
    const found = await this.#log.find(name);
    if (found === undefined) return undefined;
    if (found.fingerprint !== fingerprint) throw reused();
    return answerFrom(await replay(found.changes), REPLAYED);
  }

  /** The oldest go first. */
  #forget(): void {
    for (const [name, { characters }] of this.#kept) {
      if (this.#kept.size <= MOST_KEPT && this.#characters <= MOST_CHARACTERS) return;
      this.#kept.delete(name);
      this.#characters -= characters;
    }
  }
}

async function outcomeOf(running: Promise<Reply>): Promise<Reply | Failed | undefined> {
  try {
    return await running;
  } catch (error) {
    const isRefusal = error instanceof HttpError || (isContextError(error) && error.code !== "INDETERMINATE");
    return isRefusal ? undefined : { error };
  }
}

/** With headers of its own: to each answer others are added. */
function answerFrom(answer: Reply | Failed, more: Record<string, string> = {}): Reply {
  if ("error" in answer) throw answer.error;
  return { ...answer, headers: { ...answer.headers, ...more } };
}

function hashOf(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 22);
}

function reused(): HttpError {
  return new HttpError(
    "KEY_REUSED",
    "the header Idempotency-Key came with another request before: use a new key for each write",
  );
}
