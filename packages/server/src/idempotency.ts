/**
 * Repeated writes: a request whose Idempotency-Key has been seen gets the first answer again. Kept in this process,
 * the latest of them: the manager gives no way yet to make the key the id of the operation in the change log.
 */

import { createHash } from "node:crypto";
import { isContextError } from "shared-context-manager";
import { invalid } from "./input.ts";
import { HttpError } from "./problems.ts";
import { complete } from "./text-response.ts";

interface Kept {
  readonly fingerprint: string;
  /** `undefined` when it was refused: then nothing has changed, and the key may be used again. */
  readonly answer: Promise<Answered | Failed | undefined>;
  characters: number;
}

interface Answered {
  readonly status: number;
  readonly headers: [string, string][];
  readonly body: string | null;
}

/** What may have been done or not must not be done again. */
interface Failed {
  readonly error: unknown;
}

const MOST_KEPT = 10_000;
const MOST_CHARACTERS = 32 * 1024 ** 2;
const LONGEST_KEY = 255;

export class Idempotency {
  readonly #kept = new Map<string, Kept>();
  #characters = 0;

  /**
   * @param who - keys of different callers have nothing to do with each other.
   * @param request - what makes two requests the same.
   */
  async once(who: string, key: string, request: readonly unknown[], run: () => Promise<Response>): Promise<Response> {
    if (key.length === 0 || key.length > LONGEST_KEY) {
      throw invalid("idempotency-key", "", `1 to ${LONGEST_KEY} characters`, key);
    }
    const name = JSON.stringify([who, key]);
    const fingerprint = createHash("sha256").update(JSON.stringify(request)).digest("hex");
    for (;;) {
      const kept = this.#kept.get(name);
      if (kept === undefined) return this.#first(name, fingerprint, run);
      if (kept.fingerprint !== fingerprint) {
        throw new HttpError(
          "KEY_REUSED",
          "the header Idempotency-Key came with another request before: use a new key for each write",
        );
      }
      const answer = await kept.answer;
      if (answer !== undefined) return answerFrom(answer, [["idempotency-replayed", "true"]]);
    }
  }

  async #first(name: string, fingerprint: string, run: () => Promise<Response>): Promise<Response> {
    const running = run();
    const kept: Kept = { fingerprint, answer: outcomeOf(running), characters: 0 };
    this.#kept.set(name, kept);
    const answer = await kept.answer;
    if (answer === undefined) {
      this.#kept.delete(name);
      return running;
    }
    if ("body" in answer) kept.characters = answer.body?.length ?? 0;
    this.#characters += kept.characters;
    this.#forget();
    return answerFrom(answer, []);
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

async function outcomeOf(running: Promise<Response>): Promise<Answered | Failed | undefined> {
  let response: Response;
  try {
    response = await running;
  } catch (error) {
    const isRefusal = error instanceof HttpError || (isContextError(error) && error.code !== "INDETERMINATE");
    return isRefusal ? undefined : { error };
  }
  const { status, headers, body } = complete(response);
  return { status, headers: [...headers], body: body === null ? null : await new Response(body).text() };
}

function answerFrom(answer: Answered | Failed, more: [string, string][]): Response {
  if ("error" in answer) throw answer.error;
  return new Response(answer.body, { status: answer.status, headers: [...answer.headers, ...more] });
}
