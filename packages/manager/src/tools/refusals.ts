/** Refusals as results: what was expected, what came, and what to do next. */

import type { JsonObject } from "../data.ts";
import { describe } from "../describe.ts";
import { type AnyContextError, isContextError } from "../errors.ts";
import { formatTime } from "../format-time.ts";
import { type Session, unlessRefused } from "./session.ts";
import type { ToolsSnapshot } from "./types.ts";

/** A result without its notices. */
export type Outcome = JsonObject;

export function refuse(code: string, message: string, next: string, more: JsonObject = {}): Outcome {
  return { isError: true, code, message, next, ...more };
}

export function refuseArgument(message: string, next = "Correct the argument and call again."): Outcome {
  return refuse("INVALID", message, next);
}

/** The refusal of the manager, for a model. What is no refusal is thrown again. */
export async function refusalOf(error: unknown, session: Session): Promise<Outcome> {
  if (!isContextError(error)) throw error;
  const refusal = (next: string, message = error.message): Outcome => refuse(error.code, message, next);
  switch (error.code) {
    case "EXISTS":
      return refusal("Read it with context_read, then change it with context_write; or create one with another id.");
    case "NOT_FOUND":
      return notFound(session, error.details.contextId);
    case "LOCKED":
      return lockedBy(error, session);
    case "LEASE_LOST":
      session.forget(error.details.contextId);
      return refusal(
        "Nothing was written. Read the context again, and claim it again if you still need to.",
        `your claim on ${describe(error.details.contextId)} is lost: ${error.details.reason}`,
      );
    case "DEADLOCK":
      return refusal(
        session.claimed.length === 0
          ? "Another run under your id holds it: let that one write and release, or wait for it with context_wait and unlocked."
          : `Release what you have claimed first (${session.claimed.map(describe).join(", ")}), then claim again.`,
        "waiting for this claim would never end",
      );
    case "TIMEOUT":
      return timeout(error);
    case "INVALID":
      return refusal(
        error.details.argument === "token" // of a server: no argument of the model's
          ? "Nothing was changed, and nothing you send can help. Report the message."
          : "Correct what the message names and call again. Nothing was changed.",
      );
    case "TOO_LARGE":
      return refusal("Write less, or put a part into another context with context_create.");
    case "LIMIT":
      return refusal("Use a context that is there: context_list shows them.");
    case "INDETERMINATE":
      return refusal("The write may have landed. Read the context and compare before you write again.");
    case "UNAVAILABLE":
      return refusal("Nothing was changed. Wait a little, then make the same call again.");
    case "CLOSED":
      return refusal("Stop: no call will succeed any more. Report this.");
    default:
      return refusal("Do not repeat this call. Report the message.");
  }
}

const MOST_IDS = 5;
const MOST_LOOKED_AT = 1_000;

/** With ids that look like the one that was asked for. */
export async function notFound(session: Session, id: string): Promise<Outcome> {
  const ids = await unlessRefused(() => idsLike(session, id));
  const next =
    ids === undefined
      ? "Look for it with context_list, or create it with context_create."
      : ids.length === 0
        ? "There is no context yet: create one with context_create."
        : `Use an id that exists, such as ${ids.map((other) => JSON.stringify(other)).join(", ")}, see context_list, or create it with context_create.`;
  return refuse("NOT_FOUND", `there is no context with the id ${describe(id)}`, next);
}

/** Others where none is like it. */
async function idsLike(session: Session, id: string): Promise<readonly string[]> {
  const wanted = id.toLowerCase();
  const [near, any]: [string[], string[]] = [[], []];
  let looked = 0;
  for await (const { contextId } of session.manager) {
    if ((looked += 1) > MOST_LOOKED_AT || near.length === MOST_IDS) break;
    if (contextId.length > 100) continue;
    const other = contextId.toLowerCase();
    if (wanted !== "" && (other.includes(wanted) || wanted.includes(other))) near.push(contextId);
    else if (any.length < MOST_IDS) any.push(contextId);
  }
  return near.length > 0 ? near : any;
}

function lockedBy({ details, message }: Extract<AnyContextError, { code: "LOCKED" }>, session: Session): Outcome {
  const { owner, expiresAt, contextId } = details;
  const own = owner === session.agentId;
  return refuse(
    "LOCKED",
    message.replace(/: wait until.*$/s, ""),
    own
      ? `Another run under your id holds it. Wait: context_wait with id ${JSON.stringify(contextId)} and unlocked true.`
      : `Nothing was changed. Call context_wait with id ${JSON.stringify(contextId)} and unlocked true, then read it again and repeat.`,
    { locked_by: owner, locked_until: expiresAt && formatTime(expiresAt) },
  );
}

function timeout({ details }: Extract<AnyContextError, { code: "TIMEOUT" }>): Outcome {
  const { contextId, holder } = details;
  const by = holder === null ? "others are waiting for it" : `${describe(holder.owner)} holds it`;
  const until = holder?.expiresAt ? formatTime(holder.expiresAt) : undefined;
  return refuse(
    "LOCKED",
    `${describe(contextId)} is not yours: ${by}${until === undefined ? "" : ` until ${until} unless renewed`}`,
    "Claim again with wait_seconds 20, or work on something else meanwhile.",
    { locked_by: holder?.owner ?? null, locked_until: until ?? null },
  );
}

/** Who holds the lock of a context and until when, where somebody does. */
export function lockOf(context: ToolsSnapshot): JsonObject {
  const { lockedBy, lock } = context;
  if (lockedBy === null || isLapsed(context)) return {};
  return { locked_by: lockedBy, locked_until: lock?.expiresAt ? formatTime(lock.expiresAt) : null };
}

export function isLapsed({ lock }: ToolsSnapshot): boolean {
  return lock?.expiresAt != null && lock.expiresAt.getTime() <= Date.now();
}
