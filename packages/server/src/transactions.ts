/** Several contexts in one commit: the steps of `POST /v1/transactions`. */

import {
  type AsyncTransaction,
  ContextError,
  type JsonObject,
  type JsonValue,
  type MergePatch,
  type PatchOperation,
  type SharedContext,
} from "shared-context-manager";
import { committedAs } from "shared-context-manager/serving";
import { contextFields } from "./bodies.ts";
import { isAt, type Match, parseMatch } from "./etags.ts";
import { type Fields, invalid, readFields, readObject, readString } from "./input.ts";
import { HttpError } from "./problems.ts";
import type { Call } from "./route.ts";
import { committed, expectedOf, explained } from "./step-conditions.ts";

const VERBS = ["get", "create", "update", "patch", "delete", "check"] as const;
type Verb = (typeof VERBS)[number];

interface Step {
  readonly verb: Verb;
  readonly contextId: string;
  readonly match: Match;
  readonly token: number | undefined;
  readonly note: { note?: string };
  readonly data: Record<string, JsonValue>;
  readonly patch: MergePatch<JsonObject> | readonly PatchOperation[];
}

/** A context, `undefined` for none, and of a deletion `true`. */
type Taken = SharedContext | boolean | undefined;

/** The results in the order of the steps: contexts, `null` for what is not there, and of a deletion `true`. */
export async function runTransaction(call: Call): Promise<unknown[]> {
  const read = readSteps(call);
  let token: number | undefined;
  const run = async (tx: AsyncTransaction): Promise<Taken[]> => {
    const taken: Taken[] = [];
    for (const step of read) {
      ({ token } = step);
      taken.push(await explained(step.match, () => take(call, tx, step)));
    }
    return taken;
  };
  const results = await call.agent().transact(run, () => token ?? null);
  return Promise.all(results.map((result) => shown(call, result)));
}

/** What a request asks for; nothing is done yet. */
export function readSteps({ body, services }: Pick<Call, "body" | "services">): Step[] {
  const { steps } = readFields(body, ["steps"]);
  const { maxSteps } = services.limits;
  if (!Array.isArray(steps) || steps.length === 0 || steps.length > maxSteps) {
    throw invalid("body", "/steps", `a list of 1 to ${maxSteps} steps`, steps);
  }
  return steps.map((step: JsonValue, index) => readStep(step, `/steps/${index}`));
}

async function take(call: Call, tx: AsyncTransaction, step: Step): Promise<Taken> {
  const { verb, contextId, match, note } = step;
  if (verb === "get") return tx.get(contextId);
  if (verb === "create") return tx.create(contextId, step.data, note);
  const expected = await expectedOf(call.manager, contextId, match, (id) => tx.get(id));
  if (verb === "update") return tx.update(contextId, step.data, expected, note);
  if (verb === "patch") return tx.patch(contextId, step.patch, expected, note);
  if (verb === "check") return checked(await tx.get(contextId), contextId, match);
  if (await tx.delete(contextId, expected, note)) return true;
  throw new ContextError("NOT_FOUND", { contextId });
}

/** What a step only reads must still be as the caller has read it. */
function checked(context: SharedContext | undefined, contextId: string, match: Match): SharedContext {
  if (context === undefined) throw new ContextError("NOT_FOUND", { contextId });
  if (match === "any" || match.some((tag) => isAt(context, tag))) return context;
  const [first] = match;
  throw new ContextError("CONFLICT", {
    contextId,
    expected: first?.version ?? "",
    version: context.version,
    current: context,
    recreated: first?.incarnation !== context.incarnation,
    conflicts: [],
    writers: [],
  });
}

async function shown({ manager }: Call, result: Taken): Promise<unknown> {
  if (result === undefined || typeof result === "boolean") return result ?? null;
  if (result.revision !== undefined) return contextFields(result);
  return contextFields(committedAs(result) ?? (await committed(manager, result)));
}

const FIELDS = ["do", "context_id", "if_match", "lock_token", "note", "data", "patch"];

function readStep(value: JsonValue, path: string): Step {
  const fields = readFields(value, FIELDS, path);
  const verb = VERBS.find((name) => name === fields["do"]);
  if (verb === undefined) throw invalid("body", `${path}/do`, `one of ${VERBS.join(", ")}`, fields["do"]);
  const { note } = fields;
  if (note !== undefined && typeof note !== "string") throw invalid("body", `${path}/note`, "a string", note);
  return {
    verb,
    contextId: readString(fields, "context_id", path),
    match: verb === "get" || verb === "create" ? "any" : readIfMatch(fields, path),
    token: readToken(fields, path),
    note: note === undefined ? {} : { note },
    data: verb === "create" || verb === "update" ? readObject(fields, "data", path) : {},
    patch: verb === "patch" ? readPatch(fields, path) : {},
  };
}

function readIfMatch(fields: Fields, path: string): Match {
  const value = fields["if_match"];
  if (value === undefined) {
    throw new HttpError(
      "PRECONDITION_REQUIRED",
      `body at "${path}/if_match": expected the ETag of what was read, or "*" for whatever is there; received nothing`,
      { path: `${path}/if_match` },
    );
  }
  const match = typeof value === "string" ? parseMatch(/^\d/.test(value) ? `"${value}"` : value) : undefined;
  return match ?? refuseMatch(value, path);
}

function refuseMatch(value: JsonValue, path: string): never {
  throw invalid("body", `${path}/if_match`, 'an ETag such as 12.3 or "12.3", or *', value);
}

function readToken(fields: Fields, path: string): number | undefined {
  const token = fields["lock_token"];
  if (token === undefined) return undefined;
  if (typeof token === "number" && Number.isSafeInteger(token) && token > 0) return token;
  throw invalid("body", `${path}/lock_token`, "the token that taking the lock has given, a whole number", token);
}

/** What is in it, the manager checks. */
function readPatch(fields: Fields, path: string): MergePatch<JsonObject> | readonly PatchOperation[] {
  const patch = fields["patch"];
  if (Array.isArray(patch)) return patch as readonly PatchOperation[];
  return readObject(fields, "patch", path);
}
