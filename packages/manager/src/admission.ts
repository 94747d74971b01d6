import { finish, type Isolation, isPlainObject } from "./data.ts";
import { describe } from "./describe.ts";
import { unfit } from "./fault.ts";
import { KnownLists } from "./known-lists.ts";
import { Rejection } from "./rejection.ts";
import { type DataIssue, isSchema, type SchemaOption, validate } from "./schema.ts";
import { Sizes } from "./size.ts";

/** Data as a caller hands it in, or, `isOwn`, a copy of it that has been taken already. */
export interface Given {
  readonly data: object;
  readonly isOwn?: boolean;
  /** Objects and arrays that the store has made itself, where all else in it is the store's own and is finished. */
  readonly made?: readonly object[] | undefined;
}

/**
 * Takes data in: a copy that is the store's own, or why not. `previous` is what it replaces, if anything.
 *
 * Refusals in the order of law 11: no data that can be kept, too much of it, not what the schema asks for.
 */
export type Admit = (
  contextId: string,
  argument: "data" | "initialData",
  given: Given,
  previous?: object,
) => object | Rejection;

export interface Limits {
  readonly maxDataBytes: number;
  readonly schema: SchemaOption<unknown> | undefined;
}

/** How a manager takes data in: `copy` makes it the store's own, `admit` also holds it against the limits. */
export interface Admission extends Pick<Isolation, "copy" | "copyPart"> {
  readonly admit: Admit;
  /** What is known of lists in what was admitted; `undefined` where these are the caller's own and may change. */
  readonly lists: KnownLists | undefined;
  /** Whether what is admitted may be other data than what was given: a schema puts out what it likes. */
  readonly alters: boolean;
  /** Copies what is to be admitted later, so that the caller may do with it what it likes. What is wrong with it, `admit` says. */
  readonly take: (data: object, previous: object | undefined) => Given;
}

const UNLIMITED: Limits = { maxDataBytes: Infinity, schema: undefined };

export function admission(isolation: Isolation, limits: Limits = UNLIMITED): Admission {
  const { copy, copyPart, isDeep } = isolation;
  const take: Admission["take"] = (data, previous) => {
    const copied = copy(data, previous);
    return copied === undefined ? { data } : { data: copied, isOwn: true };
  };
  const lists = isDeep ? new KnownLists() : undefined;
  return { copy, copyPart, take, admit: admitting(isolation, limits), lists, alters: limits.schema !== undefined };
}

function admitting({ copy, isDeep }: Isolation, { maxDataBytes, schema }: Limits): Admit {
  const admitCopy: Admit = (_contextId, argument, given, previous) => {
    const { data, made } = given;
    if (made !== undefined) return isDeep ? finishNested(data, made) : data;
    const copied = given.isOwn === true ? data : copy(data, previous);
    return copied ?? unfit(argument, data);
  };

  const sizes = new Sizes();
  const admitSized: Admit = (contextId, argument, given, previous) => {
    const copied = admitCopy(contextId, argument, given, previous);
    if (copied instanceof Rejection) return copied;
    const bytes = sizes.of(copied, previous);
    if (bytes > maxDataBytes) return new Rejection("TOO_LARGE", { contextId, bytes, maxDataBytes });
    sizes.remember(copied, bytes, previous);
    return copied;
  };

  const admit = maxDataBytes === Infinity ? admitCopy : admitSized;
  if (schema === undefined) return admit;

  return (contextId, argument, given, previous) => {
    const copied = admit(contextId, argument, given, previous);
    const wanted = isSchema(schema) ? schema : schema(contextId);
    if (copied instanceof Rejection || wanted === undefined) return copied;
    if (!isSchema(wanted)) return badSchema(`a Standard Schema or undefined for ${describe(contextId)}`, wanted);
    // Frozen already: a schema may keep what it is shown.
    const result = validate(wanted, finish(copied));
    if ("instead" in result) return badSchema("a schema that answers { value } or { issues } at once", result.instead);
    if ("issues" in result) return misfit(argument, result.issues);
    if (result.value === copied) return copied;
    if (!isPlainObject(result.value)) return badSchema("a schema whose output is a plain object", result.value);
    return admit(contextId, argument, { data: result.value }, copied);
  };
}

/** As in a copy, the top level stays unfinished. */
function finishNested(data: object, made: readonly object[]): object {
  for (const container of made) if (container !== data) Object.freeze(container);
  return data;
}

function badSchema(expected: string, received: unknown): Rejection {
  return new Rejection("INVALID", { argument: "schema", path: "", expected, received: describe(received) });
}

function misfit(argument: string, issues: readonly DataIssue[]): Rejection {
  const { path = "", message = "it is wrong" } = issues[0] ?? {};
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  const received = `data of which it says: ${message}${more}`;
  return new Rejection("INVALID", { argument, path, expected: "data that the schema accepts", received, issues });
}
